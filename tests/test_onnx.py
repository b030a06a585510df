"""ONNX files: the closed form of every loss, and the trees of every booster."""

import json
import subprocess
import sys

import numpy as np
import pytest
from backends import QUIET, TRAINERS, needs
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from zoo import LOSSES, loss_id

import focalboost
from focalboost import FocalClassifier, FocalLoss, ModulatedLoss, SoftmaxFocalLoss, predict_proba

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from focalboost.onnx import to_onnx  # noqa: E402
from focalboost.onnx.nodes import Graph  # noqa: E402
from focalboost.onnx.posterior import add_posterior  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1000, 5)).astype(np.float32)
X[RNG.uniform(size=X.shape) < 0.1] = np.nan
SIGNAL = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1])
Y = {2: (SIGNAL > 1.5).astype(int), 3: np.digitize(SIGNAL, [0.5, 1.5])}
OF = {2: FocalLoss(2.0, 0.25), 3: SoftmaxFocalLoss(3, 2.0, (1.0, 2.0, 0.5))}
# Some thirty roundings of single precision, in sums and in what exp makes of them.
ATOL = 1e-6


def run(model, X=X):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"X": X})


def alone(loss, raw, factor=1.0, shift=()):
    """Return the probabilities of raw scores by the nodes of a loss."""
    g, k = Graph(), loss.kernel.classes.n_scores
    add_posterior(g, "raw", loss, factor, shift, "proba")
    kind, helper = onnx.TensorProto.FLOAT, onnx.helper
    graph = helper.make_graph(
        g.nodes,
        "posterior",
        [helper.make_tensor_value_info("raw", kind, ["n", k])],
        [helper.make_tensor_value_info("proba", kind, ["n", max(k, 2)])],
        g.constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(made)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    return session.run(None, {"raw": raw.reshape(-1, k)})[0]


def scores_for(loss):
    k = loss.kernel.classes.n_scores
    far = [
        -1e30,
        -1e4,
        -700.0,
        -120.0,
        -88.0,
        -50.0,
        -1e-8,
        0.0,
        50.0,
        88.0,
        120.0,
        700.0,
        1e4,
        1e30,
    ]
    if k == 1:
        return np.concatenate([np.linspace(-30, 30, 601), far]).astype(np.float32)
    spread = [RNG.normal(0.0, scale, (200, k)) for scale in (0.1, 3.0, 30.0, 300.0)]
    return np.concatenate([*spread, *(value * np.eye(k) for value in far)]).astype(np.float32)


def of_package(loss):
    has_functions = isinstance(loss, ModulatedLoss) and not isinstance(loss.factor, str)
    return hasattr(focalboost, type(loss).__name__) and not has_functions


@pytest.mark.parametrize("loss", [*filter(of_package, LOSSES)], ids=loss_id)
def test_closed_form(loss):
    raw = scores_for(loss)
    expected = loss.predict_proba(raw.astype(np.float64))
    found = alone(loss, raw)
    assert np.all(np.isfinite(found))
    assert_allclose(found, expected, rtol=0, atol=ATOL)
    # Small probabilities keep their digits too: in single precision a log-odds of 70 has an error
    # of 4e-6, of which each of a few terms has one.
    is_normal = expected > 1e-30
    assert_allclose(found[is_normal], expected[is_normal], rtol=2e-4, atol=0)


def test_closed_form_of_another_loss_is_another():
    raw = scores_for(FocalLoss())
    found = alone(FocalLoss(2.0), raw)
    for other in (FocalLoss(2.001), FocalLoss(2.0, 0.501), FocalLoss(0.0)):
        assert np.max(np.abs(found - other.predict_proba(raw.astype(np.float64)))) > 10 * ATOL


def test_calibration_is_a_factor_and_a_shift():
    loss, raw = FocalLoss(2.0, 0.25), scores_for(FocalLoss())
    odds = 0.7 * loss.log_odds(raw.astype(np.float64)) + 0.3
    found = alone(loss, raw, 0.7, (0.0, 0.3))[:, 1]
    assert_allclose(found, 1 / (1 + np.exp(-odds.clip(-700, 700))), rtol=0, atol=ATOL)


def train(library, n_classes, **params):
    booster = pytest.importorskip(library)
    needs(next(b for b in TRAINERS if b.library == library), OF[n_classes])
    y, loss = Y[n_classes], OF[n_classes]
    params = {**QUIET[library], **params}
    if library == "lightgbm":
        from focalboost.lightgbm import train

        return train(params, booster.Dataset(X, y), 20, loss=loss)
    if library == "xgboost":
        from focalboost.xgboost import train

        return train({"min_child_weight": 0.0, **params}, booster.DMatrix(X, y), 20, loss=loss)
    from focalboost.catboost import train

    params = {"iterations": 20, "learning_rate": 0.3, **params}
    return train(booster.Pool(X, y), params, loss=loss)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    ("library", "params"),
    [
        ("lightgbm", {}),
        ("lightgbm", {"boosting": "dart"}),
        ("lightgbm", {"use_missing": False}),
        ("xgboost", {}),
        ("xgboost", {"booster": "dart", "rate_drop": 0.3, "verbosity": 0}),
        ("xgboost", {"num_parallel_tree": 2, "subsample": 0.5}),
        ("catboost", {}),
        ("catboost", {"grow_policy": "Lossguide"}),
        ("catboost", {"nan_mode": "Max"}),
    ],
    ids=str,
)
def test_native_models(library, params, n_classes):
    model = train(library, n_classes, **params)
    label, proba, raw = run(to_onnx(model))
    expected = predict_proba(model, X)
    assert_allclose(proba, expected, rtol=0, atol=ATOL)
    assert_array_equal(label, expected.argmax(axis=1))
    assert raw.shape == ((1000,) if n_classes == 2 else (1000, 3))
    assert np.ptp(expected[:, 1]) > 0.2


def classifier(library):
    booster = pytest.importorskip(library)
    if library == "lightgbm":
        return booster.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1)
    if library == "xgboost":
        return booster.XGBClassifier(n_estimators=20, n_jobs=1)
    return booster.CatBoostClassifier(**QUIET[library], iterations=20, learning_rate=0.3)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("calibration", ["balance", "platt"])
def test_classifier(library, n_classes, calibration):
    needs(next(b for b in TRAINERS if b.library == library), OF[n_classes])
    labels = np.array(["legit", "fraud", "theft"])[Y[n_classes]]
    prior = dict.fromkeys(np.unique(labels), 1 / n_classes)
    model = FocalClassifier(
        classifier(library), calibration=calibration, prior=prior, early_stopping_rounds=5
    ).fit(X[:700], labels[:700], X_val=X[700:], y_val=labels[700:])
    for one in (model, model.estimator_):
        label, proba, _ = run(to_onnx(one))
        assert_allclose(proba, model.predict_proba(X), rtol=0, atol=ATOL)
        assert_array_equal(label, model.predict(X))
    assert model.calibration_.factor == 1 or calibration == "platt"


@pytest.mark.parametrize("zipmap", [True, False])
def test_pipeline_by_skl2onnx(zipmap):
    skl2onnx = pytest.importorskip("skl2onnx")
    labels = np.where(Y[2] == 1, "fraud", "legit")
    model = make_pipeline(SimpleImputer(), FocalClassifier(classifier("lightgbm")))
    model.fit(X, labels)
    made = skl2onnx.to_onnx(
        model, X[:1], target_opset={"": 15, "ai.onnx.ml": 3}, options={"zipmap": zipmap}
    )
    label, proba = run(made)
    if zipmap:
        proba = np.array([[row[name] for name in model.classes_] for row in proba])
    assert_allclose(proba, model.predict_proba(X), rtol=0, atol=ATOL)
    assert_array_equal(label, model.predict(X))


@pytest.mark.parametrize("dtype", [int, float, bool, str])
@pytest.mark.parametrize("zipmap", [True, False])
def test_kinds_of_labels(dtype, zipmap):
    skl2onnx = pytest.importorskip("skl2onnx")
    labels = Y[2].astype(dtype)
    model = make_pipeline(SimpleImputer(), FocalClassifier(classifier("lightgbm"))).fit(X, labels)
    alone = FocalClassifier(classifier("lightgbm")).fit(X, labels)
    made = skl2onnx.to_onnx(
        model, X[:1], target_opset={"": 15, "ai.onnx.ml": 3}, options={"zipmap": zipmap}
    )
    assert_array_equal(run(made)[0], model.predict(X))
    assert_array_equal(run(to_onnx(alone))[0], alone.predict(X))


@pytest.mark.slow
def test_a_process_with_onnxruntime_alone(tmp_path):
    model = train("lightgbm", 2)
    (tmp_path / "model.onnx").write_bytes(to_onnx(model).SerializeToString())
    np.save(tmp_path / "X.npy", X)
    script = (
        "import sys\n"
        "for name in ('focalboost', 'lightgbm', 'xgboost', 'catboost', 'sklearn', 'onnx'):\n"
        "    sys.modules[name] = None\n"
        "import numpy, onnxruntime\n"
        "session = onnxruntime.InferenceSession('model.onnx')\n"
        "numpy.save('p.npy', session.run(['probabilities'], {'X': numpy.load('X.npy')})[0])"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    found = np.load(tmp_path / "p.npy")
    assert_allclose(found, predict_proba(model, X), rtol=0, atol=ATOL)


def test_metadata_say_the_loss():
    made = to_onnx(train("lightgbm", 2))
    record = json.loads({p.key: p.value for p in made.metadata_props}["focalboost"])
    assert record["class"] == "FocalLoss"
    assert record["parameters"] == {"gamma": 2.0, "alpha": 0.25}
    assert made.producer_version == focalboost.__version__
    assert {o.domain: o.version for o in made.opset_import} == {"": 15, "ai.onnx.ml": 3}
    newer = to_onnx(train("lightgbm", 2), opset=17)
    assert {o.domain: o.version for o in newer.opset_import}[""] == 17


# What cannot go into a file


def test_categories_of_the_classifier_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"a": X[:, 0], "b": pandas.Categorical(np.where(X[:, 1] > 0, "u", "v"))}
    )
    model = FocalClassifier(classifier("lightgbm")).fit(frame, Y[2])
    with pytest.raises(ValueError, match=r"X must have held only numbers .* columns \[1\]"):
        to_onnx(model)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_categories_of_a_booster_are_refused(library):
    pandas, booster = pytest.importorskip("pandas"), pytest.importorskip(library)
    codes = np.arange(1000) % 7
    frame = pandas.DataFrame({"a": pandas.Categorical(codes)})
    y = (codes % 2).astype(int)
    if library == "lightgbm":
        from focalboost.lightgbm import train

        model = train(QUIET[library], booster.Dataset(frame, y), 2, loss=FocalLoss())
    elif library == "xgboost":
        from focalboost.xgboost import train

        data = booster.DMatrix(frame, y, enable_categorical=True)
        params = {**QUIET[library], "min_child_weight": 0.0, "max_cat_to_onehot": 1}
        model = train(params, data, 2, loss=FocalLoss())
    else:
        from focalboost.catboost import train

        pool = booster.Pool(frame.astype(str), y, cat_features=["a"])
        model = train(pool, {**QUIET[library], "iterations": 2}, loss=FocalLoss())
    with pytest.raises(ValueError, match="The model must split numbers alone"):
        to_onnx(model)


@pytest.mark.parametrize(
    ("library", "params", "message"),
    [
        ("lightgbm", {"linear_tree": True}, "no linear trees"),
        ("lightgbm", {"zero_as_missing": True}, "without zero_as_missing"),
        (
            "xgboost",
            {"booster": "gblinear", "verbosity": 0},
            "The model must have trees, got booster='gblinear'",
        ),
    ],
)
def test_other_models_are_refused(library, params, message):
    with pytest.raises(ValueError, match=message):
        to_onnx(train(library, 2, **params))


def test_what_holds_no_loss_is_refused():
    lightgbm = pytest.importorskip("lightgbm")
    plain = lightgbm.train(
        {**QUIET["lightgbm"], "objective": "binary"}, lightgbm.Dataset(X, Y[2]), 2
    )
    with pytest.raises(ValueError, match="model must hold its loss"):
        to_onnx(plain)
    with pytest.raises(TypeError, match=r"model must be a trained model .*, got ndarray"):
        to_onnx(X)
    with pytest.raises(ValueError, match="opset must be a whole number >= 15, got 14"):
        to_onnx(plain, opset=14)


def test_functions_of_ones_own_are_refused():
    factor = (np.cos, lambda p: -np.sin(p), lambda p: -np.cos(p))
    with pytest.raises(ValueError, match="factor must be a name to export the loss"):
        add_posterior(Graph(), "raw", ModulatedLoss(factor), 1.0, (), "proba")
