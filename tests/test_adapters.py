"""Every property of every adapter, over losses that we wrote and one that we did not."""

import copy
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import shap
import xgboost
from numpy.testing import assert_allclose, assert_array_equal
from registry import BACKENDS, make_data, shap_total, start_of
from scipy.special import expit, logit
from sklearn._loss import HalfBinomialLoss
from sklearn.base import clone

import focalboost.catboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss

MODULES = [focalboost.lightgbm, focalboost.xgboost, focalboost.catboost]
LOG_LOSSES = [FocalLoss(0.0, max_step=None), HalfBinomialLoss()]
TRAINERS = [backend for backend in BACKENDS if backend.name.endswith("-train")]

X, Y, W = make_data()


def module_id(value):
    return getattr(value, "__name__", str(value)).rpartition(".")[2]


@dataclass(frozen=True)
class ExactHessian:
    """The exact Hessian for the booster, by way of the smallest contract there is."""

    loss: Any

    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return self.loss(y_true, raw_prediction, sample_weight)

    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        return self.loss.gradient_hessian(y_true, raw_prediction, sample_weight)

    def init_score(self, y_true, sample_weight=None):
        return self.loss.init_score(y_true, sample_weight)


class NoWeights(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        return super().gradient_curvature(y_true, raw_prediction)


class HalfTheCurvature(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        gradient, curvature = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        return gradient, curvature / 2


class GradientUphill(HalfTheCurvature):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        gradient, curvature = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        return -gradient, curvature


class MetricOfAnotherLoss(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return FocalLoss(self.gamma + 1)(y_true, raw_prediction, sample_weight)


# Properties that every backend has with every loss.


def equals_the_built_in_log_loss(backend, loss):
    for w in (None, W):
        fitted = backend.fit(loss, X, Y, w, 20, backend.params)
        built_in = backend.fit_builtin(start_of(loss, Y, w), X, Y, w, 20, backend.params)
        assert np.ptp(fitted.raw(X)) > 1
        # scikit-learn's gradient differs from the booster's by an ulp of single precision.
        atol = backend.parity if isinstance(loss, FocalLoss) else max(backend.parity, 1e-6)
        assert_allclose(fitted.raw(X), built_in(X), rtol=0, atol=atol)


def a_stump_takes_newton_steps(backend, loss):
    fitted = backend.fit(loss, X, Y, rounds=1, params=backend.stump)
    raw, start = fitted.raw(X), np.full(len(Y), start_of(loss, Y))
    derivatives = getattr(loss, "gradient_curvature", None) or loss.gradient_hessian
    gradient, curvature = derivatives(Y.astype(float), start)
    leaves = np.unique(raw)
    assert len(leaves) == 2
    for value in leaves:
        leaf = raw == value
        step = -gradient[leaf].sum() / (curvature[leaf].sum() + 1.0)
        assert_allclose(value - start[0], step, rtol=1e-5, atol=backend.atol)


def integer_weights_are_repeated_rows(backend, loss):
    weighted = backend.fit(loss, X, Y, W, 5, backend.free)
    times = W.astype(int)
    repeated = backend.fit(
        loss, np.repeat(X, times, axis=0), np.repeat(Y, times), None, 5, backend.free
    )
    # sums of other terms in another order, in single precision for the first two boosters
    assert_allclose(weighted.raw(X), repeated.raw(X), rtol=0, atol=20 * backend.atol)


def predicts_alone(backend, loss):
    fitted = backend.fit(loss, X, Y, W, 5, backend.params)
    # XGBoost predicts in single precision
    tolerance = 1e-6 if "xgboost" in backend.name else 1e-12
    assert_allclose(fitted.predict(X), expit(fitted.raw(X)), rtol=0, atol=tolerance)
    contributions = fitted.contributions(X)
    assert_allclose(contributions.sum(axis=1), fitted.raw(X), rtol=0, atol=10 * backend.atol)


def start_score_is_inside(backend, loss):
    rate = {"eta" if "xgboost" in backend.name else "learning_rate": 1e-5}
    for w in (None, W):
        fitted = backend.fit(loss, X, Y, w, 1, {**backend.params, **rate})
        # a first step is at most about 10
        assert_allclose(fitted.raw(X), start_of(loss, Y, w), rtol=0, atol=1e-4)


def is_the_start_score_on_constant_columns(backend, loss):
    if "catboost" in backend.name:
        pytest.skip("CatBoost refuses data whose columns are all constant")
    constant = np.ones((len(Y), 2))
    fitted = backend.fit(loss, constant, Y, W, 2, backend.params)
    # the one leaf that a booster may keep steps by the rounding of a sum of gradients
    assert_allclose(fitted.raw(constant), start_of(loss, Y, W), rtol=0, atol=10 * backend.atol)


def history_is_the_weighted_mean_loss(backend, loss):
    for w in (None, W):
        fitted = backend.fit(loss, X, Y, w, 4, backend.params)
        truth = FocalLoss(loss.gamma, loss.alpha) if isinstance(loss, FocalLoss) else loss
        by_hand = truth(Y.astype(float), fitted.raw(X).astype(float), w)
        # six decimals are what XGBoost passes to XGBClassifier
        tolerance = 1e-6 if backend.name == "xgboost-sklearn" else 1e-9
        assert_allclose(fitted.history[-1], by_hand, rtol=1e-6, atol=tolerance)


def training_loss_never_rises(backend, loss):
    rate = {"eta" if "xgboost" in backend.name else "learning_rate": 0.05}
    history = backend.fit(loss, X, Y, W, 30, {**backend.params, **rate}).history
    # the last of the six decimals
    assert np.all(np.diff(history) <= (1e-6 if backend.name == "xgboost-sklearn" else 1e-9))
    assert history[-1] < history[0]


def trains_on_one_row(backend, loss):
    row, label = np.array([[1.0, 2.0]]), np.array([0.25])
    if not backend.name.endswith("train"):
        pytest.skip("the scikit-learn classes take no soft labels")
    if "catboost" in backend.name:
        pytest.skip("CatBoost refuses data whose columns are all constant")
    fitted = backend.fit(loss, row, label, None, 2, backend.params)
    assert_allclose(fitted.raw(row), start_of(loss, label), rtol=0, atol=backend.atol)


def is_unchanged_by_training(backend, loss):
    before = copy.deepcopy(vars(loss)) if hasattr(loss, "__dict__") else {}
    labels, rows, weights = Y.copy(), X.copy(), W.copy()
    backend.fit(loss, rows, labels, weights, 2, backend.params)
    if isinstance(loss, FocalLoss):
        assert vars(loss) == before
    assert_array_equal(labels, Y)
    assert_array_equal(rows, X)
    assert_array_equal(weights, W)


PROPERTIES = [
    a_stump_takes_newton_steps,
    integer_weights_are_repeated_rows,
    predicts_alone,
    start_score_is_inside,
    is_the_start_score_on_constant_columns,
    history_is_the_weighted_mean_loss,
    training_loss_never_rises,
    trains_on_one_row,
    is_unchanged_by_training,
]


@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda holds: holds.__name__)
def test_property(holds, backend, adapter_loss):
    holds(backend, adapter_loss)


@pytest.mark.parametrize("loss", LOG_LOSSES, ids=lambda loss: type(loss).__name__)
def test_parity(backend, loss):
    equals_the_built_in_log_loss(backend, loss)


@pytest.mark.parametrize(
    ("holds", "broken"),
    [
        (equals_the_built_in_log_loss, NoWeights(0.0, max_step=None)),
        (equals_the_built_in_log_loss, HalfTheCurvature(0.0, max_step=None)),
        (equals_the_built_in_log_loss, FocalLoss(0.1, max_step=None)),
        (integer_weights_are_repeated_rows, NoWeights(2.0)),
        (history_is_the_weighted_mean_loss, MetricOfAnotherLoss(2.0)),
        (training_loss_never_rises, GradientUphill(2.0)),
    ],
)
def test_broken_loss_fails(holds, broken, backend):
    with pytest.raises(AssertionError):
        holds(backend, broken)


@pytest.mark.parametrize("loss", [FocalLoss(2.0, 0.25), HalfBinomialLoss()], ids=repr)
@pytest.mark.parametrize("booster", ["lightgbm", "xgboost", "catboost"])
def test_native_and_sklearn_give_the_same_model(booster, loss):
    native, wrapped = (b for b in BACKENDS if b.name.startswith(booster))
    ours = native.fit(loss, X, Y, W, 10, native.params).raw(X)
    theirs = wrapped.fit(loss, X, Y, W, 10, native.params).raw(X)
    assert_allclose(ours, theirs, rtol=0, atol=max(native.parity, 1e-14))


# Soft labels, early stopping, continuing: what only train does.


@pytest.mark.parametrize("backend", TRAINERS, ids=lambda backend: backend.name)
def test_soft_labels_are_mixtures(backend):
    soft = np.where(Y == 1, 0.75, 0.25)
    mixture = np.concatenate([np.ones(len(Y)), np.zeros(len(Y))])
    shares = np.concatenate([soft, 1 - soft])
    loss = FocalLoss(2.0, 0.25)
    ours = backend.fit(loss, X, soft, None, 5, backend.free)
    theirs = backend.fit(loss, np.concatenate([X, X]), mixture, shares, 5, backend.free)
    if "catboost" in backend.name:
        pytest.skip("CatBoost's L2 is in units of the mean weight, which differs here")
    assert_allclose(ours.raw(X), theirs.raw(X), rtol=0, atol=20 * backend.atol)


def noisy_data():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(600, 5))
    labels = (rows[:, 0] + 2 * rng.normal(size=600) > 2.5).astype(int)
    return rows[:300], labels[:300], rows[300:], labels[300:]


def test_early_stopping_lightgbm():
    rows, labels, new_rows, new_labels = noisy_data()
    loss = FocalLoss(2.0, 0.25)
    data = lightgbm.Dataset(rows, labels)
    history = {}
    booster = focalboost.lightgbm.train(
        {"verbose": -1, "num_threads": 1, "early_stopping_round": 5},
        data,
        200,
        [lightgbm.Dataset(new_rows, new_labels, reference=data)],
        ["valid"],
        callbacks=[lightgbm.record_evaluation(history)],
        loss=loss,
    )
    losses = history["valid"]["focal_loss"]
    assert booster.best_iteration == np.argmin(losses) + 1 < len(losses) < 200
    raw = booster.predict(new_rows, raw_score=True)
    assert_allclose(loss(new_labels, raw), min(losses), rtol=1e-12)
    assert booster.best_score["valid"]["focal_loss"] == min(losses)


def test_early_stopping_xgboost():
    rows, labels, new_rows, new_labels = noisy_data()
    # Scaled down until six decimals show nothing: every digit counts.
    loss = FocalLoss(5.0, 1e-6)
    valid = xgboost.DMatrix(new_rows, new_labels)
    history = {}
    booster = focalboost.xgboost.train(
        {"nthread": 1, "min_child_weight": 0, "lambda": 0, "eta": 0.1, "eval_metric": "aucpr"},
        xgboost.DMatrix(rows, labels),
        200,
        evals=[(valid, "valid")],
        evals_result=history,
        early_stopping_rounds=5,
        verbose_eval=False,
        loss=loss,
    )
    assert list(history["valid"]) == ["aucpr", "focal_loss"]
    losses = history["valid"]["focal_loss"]
    assert booster.best_iteration == np.argmin(losses) == len(losses) - 6
    raw = booster.predict(
        valid, output_margin=True, iteration_range=(0, booster.best_iteration + 1)
    )
    assert_allclose(loss(new_labels, raw.astype(float)), min(losses), rtol=1e-6)


def test_callbacks_xgboost(capsys):
    class Recorder(xgboost.callback.TrainingCallback):
        def __init__(self):
            self.calls = []

        def before_training(self, model):
            self.calls.append("before_training")
            return model

        def before_iteration(self, model, epoch, evals_log):
            self.calls.append(("before_iteration", epoch))
            return False

        def after_iteration(self, model, epoch, evals_log):
            self.calls.append(("after_iteration", list(evals_log["data"])))
            return epoch == 1

        def after_training(self, model):
            self.calls.append("after_training")
            return model

    recorder, data = Recorder(), xgboost.DMatrix(X, Y)
    booster = focalboost.xgboost.train(
        {"eval_metric": "auc"}, data, 9, evals=[(data, "data")], callbacks=[recorder],
        custom_metric=lambda raw, data: ("mine", 0.0), loss=FocalLoss(),
    )  # fmt: skip
    metrics = ["auc", "mine", "focal_loss"]
    assert recorder.calls == [
        "before_training",
        ("before_iteration", 0), ("after_iteration", metrics),
        ("before_iteration", 1), ("after_iteration", metrics),
        "after_training",
    ]  # fmt: skip
    assert booster.num_boosted_rounds() == 2
    assert "data-focal_loss:" in capsys.readouterr().out


def test_early_stopping_catboost():
    rows, labels, new_rows, new_labels = noisy_data()
    loss = FocalLoss(2.0, 0.25)
    model = focalboost.catboost.train(
        catboost.Pool(rows, labels),
        {"verbose": 0, "allow_writing_files": False, "learning_rate": 0.3, "thread_count": 1},
        num_boost_round=200,
        evals=(new_rows, new_labels),
        early_stopping_rounds=5,
        loss=loss,
    )
    losses = model.get_evals_result()["validation"]["MeanLoss"]
    assert model.best_iteration_ == np.argmin(losses) == len(losses) - 6
    raw = model.predict(new_rows, prediction_type="RawFormulaVal")
    assert_allclose(loss(new_labels, raw), min(losses), rtol=1e-12)
    # Its own metrics see the start score too.
    assert_array_equal(model.classes_, [0, 1])


def test_training_goes_on_lightgbm(tmp_path):
    loss, params = FocalLoss(2.0, 0.25), {"verbose": -1, "num_threads": 1}
    whole = focalboost.lightgbm.train(params, lightgbm.Dataset(X, Y), 10, loss=loss)
    part = focalboost.lightgbm.train(params, lightgbm.Dataset(X, Y), 5, loss=loss)
    part.save_model(tmp_path / "part.txt")
    for model in (part, tmp_path / "part.txt"):
        more = focalboost.lightgbm.train(
            params, lightgbm.Dataset(X, Y), 5, init_model=model, loss=loss
        )
        assert more.num_trees() == 10
        # The scores to start from are the saved trees', summed in another order.
        assert_allclose(more.predict(X), whole.predict(X), rtol=0, atol=1e-6)


def test_training_goes_on_xgboost():
    loss, data = FocalLoss(2.0, 0.25), xgboost.DMatrix(X, Y)
    params = {"nthread": 1, "min_child_weight": 0.1}
    whole = focalboost.xgboost.train(params, data, 10, loss=loss)
    part = focalboost.xgboost.train(params, data, 5, loss=loss)
    more = focalboost.xgboost.train(params, xgboost.DMatrix(X, Y), 5, xgb_model=part, loss=loss)
    assert more.num_boosted_rounds() == 10
    assert_allclose(more.predict(data), whole.predict(data), rtol=0, atol=1e-5)


def test_training_goes_on_catboost(tmp_path):
    loss, data = FocalLoss(2.0, 0.25), catboost.Pool(X, Y)
    params = {
        "learning_rate": 0.1, "verbose": 0, "thread_count": 1, "allow_writing_files": False,
        "bootstrap_type": "No", "random_strength": 0, "boosting_type": "Plain",
    }  # fmt: skip
    whole = focalboost.catboost.train(data, params, iterations=10, loss=loss)
    part = focalboost.catboost.train(data, params, iterations=5, loss=loss)
    part.save_model(tmp_path / "part.cbm")
    for model in (part, str(tmp_path / "part.cbm")):
        more = focalboost.catboost.train(data, params, iterations=5, init_model=model, loss=loss)
        assert more.tree_count_ == 10
        assert more.get_scale_and_bias() == whole.get_scale_and_bias()
        assert_allclose(more.predict(X), whole.predict(X), rtol=0, atol=1e-10)


# A sealed file in a process that has no focalboost.

VANILLA = {
    "lightgbm": (
        "m = lightgbm.Booster(model_file=path)\n"
        "out = m.predict(X), m.predict(X, raw_score=True), m.predict(X, pred_contrib=True)"
    ),
    "xgboost": (
        "m = xgboost.Booster(model_file=path); D = xgboost.DMatrix(X)\n"
        "out = m.predict(D), m.predict(D, output_margin=True), m.predict(D, pred_contribs=True)"
    ),
    "catboost": (
        "m = catboost.CatBoostClassifier().load_model(path)\n"
        "out = (m.predict_proba(X)[:, 1], m.predict(X, prediction_type='RawFormulaVal'),\n"
        "       m.get_feature_importance(catboost.Pool(X), type='ShapValues'))"
    ),
}


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_saved_model_predicts_without_focalboost(backend, tmp_path):
    loss = FocalLoss(2.0, 0.25)
    fitted = backend.fit(loss, X, Y, W, 10, backend.params)
    library = backend.name.partition("-")[0]
    path = tmp_path / {"lightgbm": "m.txt", "xgboost": "m.ubj", "catboost": "m.cbm"}[library]
    fitted.model.save_model(str(path))
    np.save(tmp_path / "X.npy", X)
    script = (
        "import sys; sys.modules['focalboost'] = None\n"
        f"import numpy, {library}\n"
        f"path, X = r'{path}', numpy.load(r'{tmp_path / 'X.npy'}')\n"
        f"{VANILLA[library]}\n"
        f"numpy.savez(r'{tmp_path / 'out.npz'}', *out)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    out = np.load(tmp_path / "out.npz")
    predicted, raw, contributions = (out[name] for name in out.files)
    tolerance = 1e-6 if library == "xgboost" else 1e-12
    assert_allclose(raw, fitted.raw(X), rtol=0, atol=tolerance)
    assert_allclose(predicted, expit(fitted.raw(X)), rtol=0, atol=tolerance)
    # single precision sums of 5 contributions in XGBoost
    assert_allclose(contributions.sum(axis=1), raw, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", TRAINERS, ids=lambda backend: backend.name)
def test_shap_values_sum_to_the_raw_score(backend):
    fitted = backend.fit(FocalLoss(2.0, 0.25), X, Y, None, 10, backend.params)
    assert_allclose(shap_total(fitted.model, X), fitted.raw(X), rtol=0, atol=1e-5)


# What is particular to one booster.


@pytest.mark.parametrize("weight", [None, W], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"bagging_fraction": 0.6, "bagging_freq": 1, "feature_fraction": 0.5, "seed": 3},
        {"data_sample_strategy": "goss"},
        {"linear_tree": True},
        {"extra_trees": True, "path_smooth": 1.0},
    ],
    ids=lambda extra: ",".join(extra) or "plain",
)
def test_lightgbm_is_bit_equal_to_binary(extra, weight):
    params = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **extra}
    loss = FocalLoss(0.0, max_step=None)
    ours = focalboost.lightgbm.train(
        params, lightgbm.Dataset(X, Y, weight=weight), 15, loss=loss
    ).dump_model()["tree_info"]
    start = loss.init_score(Y, weight)
    data = lightgbm.Dataset(X, Y, weight=weight, init_score=np.full(len(Y), start))
    theirs = lightgbm.train({**params, "objective": "binary"}, data, 15).dump_model()["tree_info"]

    def nodes(tree, shift):
        if "leaf_value" in tree:
            constant = tree["leaf_const"] + shift if "leaf_const" in tree else None
            return [(tree["leaf_value"] + shift, constant, tree.get("leaf_coeff"))]
        split = [(tree["split_feature"], tree["threshold"], tree["split_gain"])]
        return split + nodes(tree["left_child"], shift) + nodes(tree["right_child"], shift)

    assert len(ours) == len(theirs) == 15
    splits = 0
    for i, (our_tree, their_tree) in enumerate(zip(ours, theirs, strict=True)):
        ours_here = nodes(our_tree["tree_structure"], 0.0)
        assert ours_here == nodes(their_tree["tree_structure"], start if i == 0 else 0.0)
        splits += len(ours_here) // 2
    assert splits > 50


def test_lightgbm_data_sets_are_reusable():
    data = lightgbm.Dataset(X, Y)
    valid = lightgbm.Dataset(X, Y, reference=data)
    params = {"verbose": -1, "num_threads": 1}
    raw = [
        focalboost.lightgbm.train(params, data, 3, [valid], loss=FocalLoss(gamma)).predict(X)
        for gamma in (1.0, 2.0, 1.0)
    ]
    assert_array_equal(raw[0], raw[2])
    assert data.get_init_score() is None
    assert valid.get_init_score() is None
    built_in = lightgbm.train({**params, "objective": "binary"}, data, 3).predict(X)
    fresh = lightgbm.train({**params, "objective": "binary"}, lightgbm.Dataset(X, Y), 3)
    assert_array_equal(built_in, fresh.predict(X))


def lightgbm_data(kind, tmp_path):
    """Return a training set of one kind, and what else train gets with it."""
    if kind == "file":
        np.savetxt(tmp_path / "train.csv", np.column_stack([Y, X]), delimiter=",")
        return lightgbm.Dataset(str(tmp_path / "train.csv")), {}
    data = lightgbm.Dataset(X, Y, weight=W, free_raw_data=False)
    if kind == "constructed":
        return data.construct(), {}
    if kind == "subset":
        return data.subset(np.arange(0, len(Y), 2)), {}
    if kind in ("continued", "after continued"):
        first = focalboost.lightgbm.train(LIGHTGBM_QUIET, data, 3, loss=FocalLoss(2.0))
        if kind == "continued":
            return data, {"init_model": first}
        focalboost.lightgbm.train(LIGHTGBM_QUIET, data, 3, init_model=first, loss=FocalLoss(2.0))
    return data, {}


LIGHTGBM_QUIET = {"verbose": -1, "num_threads": 1}


@pytest.mark.parametrize(
    "kind", ["fresh", "constructed", "subset", "file", "continued", "after continued"]
)
def test_lightgbm_seals_what_it_trained(kind, tmp_path):
    loss, history = FocalLoss(2.0), {}
    data, more = lightgbm_data(kind, tmp_path)
    booster = focalboost.lightgbm.train(
        LIGHTGBM_QUIET, data, 5, [data], ["data"], loss=loss,
        callbacks=[lightgbm.record_evaluation(history)], **more,
    )  # fmt: skip
    rows, labels, weight = X, Y, None if kind == "file" else W
    if kind == "subset":
        rows, labels, weight = X[::2], Y[::2], W[::2]
    by_hand = loss(labels, booster.predict(rows, raw_score=True), weight)
    assert_allclose(history["data"]["focal_loss"][-1], by_hand, rtol=1e-6)
    assert data.get_field("init_score") is None


def test_lightgbm_data_sets_are_as_before_after_an_error():
    data = lightgbm.Dataset(X, Y)
    with pytest.raises(ValueError, match="finite gradient"):
        focalboost.lightgbm.train(LIGHTGBM_QUIET, data, 3, loss=NotANumber())
    assert data.get_field("init_score") is None
    data = lightgbm.Dataset(X, 2 * Y)
    with pytest.raises(ValueError, match="y_true must lie"):
        focalboost.lightgbm.train(LIGHTGBM_QUIET, data, 3, loss=FocalLoss())
    assert not data.params


def test_lightgbm_dart():
    loss, history = FocalLoss(2.0), {}
    data, same = lightgbm.Dataset(X, Y), lightgbm.Dataset(X, Y)
    params = {**LIGHTGBM_QUIET, "boosting": "dart"}
    booster = focalboost.lightgbm.train(
        params, data, 10, [same], loss=loss, callbacks=[lightgbm.record_evaluation(history)]
    )
    by_hand = loss(Y, booster.predict(X, raw_score=True))
    assert_allclose(history["valid_0"]["focal_loss"][-1], by_hand, rtol=1e-6)
    with pytest.raises(ValueError, match="valid_sets must not hold train_set where boosting"):
        focalboost.lightgbm.train(params, data, 10, [data], loss=loss)


def test_lightgbm_model_says_binary_everywhere():
    booster = focalboost.lightgbm.train(LIGHTGBM_QUIET, lightgbm.Dataset(X, Y), 5, loss=FocalLoss())
    loaded = lightgbm.Booster(model_str=booster.model_to_string())
    for model in (booster, loaded):
        text = model.model_to_string()
        assert "\nobjective=binary sigmoid:1\n" in text
        assert "\n[objective: binary]\n" in text
        if "objective" not in model.params:
            continue  # LightGBM before 4.2 does not read the parameters of a text, and shap asks it
        explainer = shap.TreeExplainer(model, data=X, model_output="probability")
        total = explainer.expected_value + explainer.shap_values(X).sum(axis=1)
        assert_allclose(total, model.predict(X), rtol=0, atol=1e-6)
    assert np.all(np.isfinite(loaded.refit(X, Y).predict(X)))


@pytest.mark.parametrize("params", ['{"num_leaves": 1}', '{"max_bin": 1}', '{"verbosity": -1}'])
def test_lightgbm_bad_parameter_is_an_error_not_a_crash(params, tmp_path):
    script = (
        "import lightgbm, numpy, focalboost.lightgbm\n"
        "from focalboost import FocalLoss\n"
        "data = lightgbm.Dataset(numpy.arange(100.)[:, None], numpy.arange(100) > 90)\n"
        "try:\n"
        f"    focalboost.lightgbm.train({params}, data, 2, loss=FocalLoss())\n"
        "except lightgbm.basic.LightGBMError:\n"
        "    assert not data.params"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True)


def test_early_stopping_lightgbm_is_on_the_loss_alone():
    rows, labels, new_rows, new_labels = noisy_data()
    best = {}
    for metric in ("None", "auc"):
        data = lightgbm.Dataset(rows, labels)
        best[metric] = focalboost.lightgbm.train(
            {**LIGHTGBM_QUIET, "early_stopping_round": 5, "metric": metric},
            data,
            200,
            [lightgbm.Dataset(new_rows, new_labels, reference=data)],
            loss=FocalLoss(2.0, 0.25),
        ).best_iteration
    assert best["auc"] == best["None"] < 200


def test_foreign_model_to_continue():
    unsealed = lightgbm.train(
        {**LIGHTGBM_QUIET, "objective": focalboost.lightgbm.objective(FocalLoss())},
        lightgbm.Dataset(X, Y), 2,
    )  # fmt: skip
    with pytest.raises(ValueError, match="init_model must be a binary model"):
        train_with(focalboost.lightgbm, Y, init_model=unsealed)
    regression = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(X, Y), 2)
    with pytest.raises(ValueError, match="xgb_model must be a binary:logistic model, got reg:sq"):
        train_with(focalboost.xgboost, Y, xgb_model=regression)
    params = {"loss_function": "MultiClass", "verbose": 0, "iterations": 2}
    classes = catboost.train(
        catboost.Pool(X, np.arange(len(Y)) % 3), {**params, "allow_writing_files": False}
    )
    with pytest.raises(ValueError, match=r"init_model must be .* 1 raw scores a row"):
        train_with(focalboost.catboost, Y, init_model=classes)


def test_xgboost_parameters_as_pairs():
    history, data = {}, xgboost.DMatrix(X, Y)
    focalboost.xgboost.train(
        [("eval_metric", "auc"), ("eval_metric", "aucpr"), ("nthread", 1)], data, 2,
        evals=[(data, "data")], evals_result=history, verbose_eval=False, loss=FocalLoss(),
    )  # fmt: skip
    assert list(history["data"]) == ["auc", "aucpr", "focal_loss"]


def test_xgboost_warns_of_a_start_score_that_it_cannot_store():
    weight = np.where(Y == 1, 1e-9, 1.0)
    with pytest.warns(UserWarning, match="XGBoost stores the start score -2"):
        focalboost.xgboost.train(
            {}, xgboost.DMatrix(X, Y, weight=weight), 1, loss=FocalLoss(0.0, max_step=None)
        )


def test_catboost_takes_files_and_categories(tmp_path):
    columns = np.column_stack([Y, X])
    np.savetxt(tmp_path / "train.tsv", columns, delimiter="\t", fmt="%.6g")
    params = {"iterations": 5, "learning_rate": 0.1, "verbose": 0, "allow_writing_files": False}
    loss, path = FocalLoss(2.0), str(tmp_path / "train.tsv")
    from_file = focalboost.catboost.train(catboost.Pool(path), params, eval_set=path, loss=loss)
    from_array = focalboost.catboost.train(catboost.Pool(X, Y), params, eval_set=(X, Y), loss=loss)
    assert_allclose(from_file.predict(X), from_array.predict(X), rtol=0, atol=1e-6)
    mixed = [[value, "ab"[int(value > 0)]] for value in X[:, 0]]
    pool = catboost.Pool(mixed, Y, cat_features=[1])
    model = focalboost.catboost.train(pool, params, eval_set=(mixed, Y), loss=loss)
    history = model.get_evals_result()["validation"]["MeanLoss"]
    raw = model.predict(pool, prediction_type="RawFormulaVal")
    assert_allclose(history[model.best_iteration_], loss(Y, raw), rtol=1e-6)


@pytest.mark.parametrize("backend", TRAINERS, ids=lambda backend: backend.name)
def test_subclass_gets_its_own_curvature(backend):
    ours = backend.fit(FocalLoss(2.0), X, Y, None, 5, backend.params).raw(X)
    half = backend.fit(HalfTheCurvature(2.0), X, Y, None, 5, backend.params).raw(X)
    assert np.max(np.abs(half - ours)) > 0.1


@pytest.mark.parametrize("module", [focalboost.lightgbm, focalboost.xgboost], ids=module_id)
def test_whole_numbers_as_scores(module):
    objective = module.objective(FocalLoss(2.0))
    for whole, real in zip(
        objective([0.5, 0.9], np.array([0, 0]), [0.5, 0.9]),
        objective([0.5, 0.9], np.array([0.0, 0.0]), [0.5, 0.9]),
        strict=True,
    ):
        assert_array_equal(whole, real)


def test_lightgbm_trains_where_columns_are_constant_after_construction():
    data = lightgbm.Dataset(np.ones((50, 2)), np.arange(50) % 2)
    booster = focalboost.lightgbm.train({"verbose": -1}, data, 2, loss=FocalLoss(2.0))
    assert_allclose(booster.predict(np.ones((1, 2))), 0.5, rtol=1e-12)


def test_catboost_pools_are_reusable():
    data = catboost.Pool(X, Y)
    params = {"iterations": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
    raw = [
        focalboost.catboost.train(data, params, eval_set=data, loss=FocalLoss(gamma)).predict(data)
        for gamma in (1.0, 2.0, 1.0)
    ]
    assert_array_equal(raw[0], raw[2])
    assert np.size(data.get_baseline()) == 0


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [0.25, 0.9])
def test_catboost_own_focal_is_the_same(gamma, alpha):
    # CatBoost's Focal gives the leaves the exact Hessian and starts at 0.
    params = {
        "iterations": 30, "learning_rate": 0.1, "depth": 3, "verbose": 0, "thread_count": 1,
        "boosting_type": "Plain", "leaf_estimation_method": "Newton",
        "leaf_estimation_iterations": 1, "bootstrap_type": "No", "allow_writing_files": False,
    }  # fmt: skip
    loss = ExactHessian(FocalLoss(gamma, alpha))
    data = catboost.Pool(X, Y)
    own = catboost.train(
        data, {**params, "loss_function": f"Focal:focal_alpha={alpha};focal_gamma={gamma}"}
    )
    objective, metric = focalboost.catboost.objective(loss), focalboost.catboost.metric(loss)
    ours = catboost.train(data, {**params, "loss_function": objective, "eval_metric": metric})
    assert np.ptp(own.predict(X)) > 0.1
    assert_allclose(ours.predict(X), own.predict(X), rtol=0, atol=1e-12)


def test_catboost_native():
    loss, params = (
        FocalLoss(2.0, 0.25),
        {**TRAINERS[2].params, "leaf_estimation_method": "Gradient"},
    )
    for w in (None, W):
        ours = focalboost.catboost.train(catboost.Pool(X, Y, weight=w), params, loss=loss)
        own = focalboost.catboost.train(
            catboost.Pool(X, Y, weight=w), params, loss=loss, native=True
        )
        assert_array_equal(own.classes_, [0, 1])
        assert own.get_scale_and_bias() == ours.get_scale_and_bias()
        for kind in ("RawFormulaVal", "Probability"):
            # CatBoost clamps p at 1e-13
            assert_allclose(own.predict(X, kind), ours.predict(X, kind), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("labels", "loss", "method", "message"),
    [
        (Y, FocalLoss(2.0), "Gradient", r"FocalLoss with gamma > 0 and an alpha, got FocalLoss"),
        (Y, FocalLoss(0.0, 0.25), "Gradient", r"FocalLoss with gamma > 0 and an alpha, got"),
        (Y, HalfBinomialLoss(), "Gradient", r"FocalLoss with gamma > 0 and an alpha, got"),
        (Y, FocalLoss(2.0, 0.25), "Newton", r"leaf_estimation_method is 'Gradient', got 'Newton'"),
        (Y / 2, FocalLoss(2.0, 0.25), "Gradient", r"native must be .* every label is 0 or 1"),
    ],
)
def test_catboost_native_is_not_the_same(labels, loss, method, message):
    params = {**TRAINERS[2].params, "leaf_estimation_method": method}
    with pytest.raises(ValueError, match=message):
        focalboost.catboost.train(catboost.Pool(X, labels), params, loss=loss, native=True)


def test_catboost_says_that_numba_is_missing(monkeypatch):
    monkeypatch.setattr("focalboost._compiled.gradient_curvature", lambda: None)
    rows, labels, _ = make_data(30_000)
    params = {"iterations": 1, "verbose": 0, "allow_writing_files": False}
    with pytest.warns(UserWarning, match="numba is not installed"):
        focalboost.catboost.train(catboost.Pool(rows, labels), params, loss=FocalLoss())
    focalboost.catboost.train(catboost.Pool(rows[:99], labels[:99]), params, loss=FocalLoss())


# Cross-validation and the scikit-learn way of handling objects.


def test_cv_lightgbm():
    loss = FocalLoss(2.0)
    data = lightgbm.Dataset(
        X, Y, init_score=np.full(len(Y), loss.init_score(Y)), free_raw_data=False
    )
    out = lightgbm.cv(
        {"objective": focalboost.lightgbm.objective(loss), "verbose": -1, "num_threads": 1},
        data, 5, nfold=3, feval=focalboost.lightgbm.metric(loss),
    )  # fmt: skip
    losses = out["valid focal_loss-mean"]
    assert losses[-1] < losses[0] < loss(Y, np.full(len(Y), loss.init_score(Y)))


def test_cv_xgboost():
    loss = FocalLoss(2.0)
    out = xgboost.cv(
        {
            "objective": "binary:logistic", "base_score": expit(loss.init_score(Y)), "nthread": 1,
            "disable_default_eval_metric": True, "min_child_weight": 0.1,
        },
        xgboost.DMatrix(X, Y), 5, nfold=3, as_pandas=False, seed=0,
        obj=focalboost.xgboost.objective(loss), custom_metric=focalboost.xgboost.metric(loss),
    )  # fmt: skip
    losses = out["test-focal_loss-mean"]
    assert losses[-1] < losses[0] < loss(Y, np.full(len(Y), loss.init_score(Y)))


def test_cv_catboost():
    loss = FocalLoss(2.0)
    out = catboost.cv(
        catboost.Pool(X, Y, baseline=np.full((len(Y), 1), loss.init_score(Y))),
        {
            "loss_function": focalboost.catboost.objective(loss), "learning_rate": 0.3,
            "eval_metric": focalboost.catboost.metric(loss), "iterations": 5, "thread_count": 1,
            "allow_writing_files": False,
        },
        fold_count=3, as_pandas=False, verbose=False,
    )  # fmt: skip
    losses = out["test-MeanLoss-mean"]
    assert losses[-1] < losses[0] < loss(Y, np.full(len(Y), loss.init_score(Y)))


@pytest.mark.parametrize("module", MODULES, ids=module_id)
@pytest.mark.parametrize("name", ["objective", "metric"])
def test_objects_are_values(module, name):
    make = getattr(module, name)
    one = make(FocalLoss(2.0, 0.25))
    for other in (make(FocalLoss(2, 0.25)), pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert other == one
        assert hash(other) == hash(one)
    assert one != make(FocalLoss(2.0, 0.3))
    assert repr(FocalLoss(2.0, 0.25)) in repr(one)


@pytest.mark.parametrize(
    ("module", "estimator", "parameter"),
    [
        (focalboost.lightgbm, lightgbm.LGBMClassifier, "objective"),
        (focalboost.xgboost, xgboost.XGBClassifier, "objective"),
        (focalboost.catboost, catboost.CatBoostClassifier, "loss_function"),
    ],
    ids=module_id,
)
def test_estimators_clone(module, estimator, parameter):
    objective = module.objective(FocalLoss(2.0, 0.25))
    copied = clone(estimator(**{parameter: objective}))
    assert copied.get_params()[parameter] == objective


# Bad input is named, and raised out of train.


def train_with(module, y, params=None, loss=None, **kwargs):
    loss = FocalLoss() if loss is None else loss
    if module is focalboost.lightgbm:
        params = {"verbose": -1, **(params or {})}
        return module.train(params, lightgbm.Dataset(X, y), 3, loss=loss, **kwargs)
    if module is focalboost.xgboost:
        return module.train(params or {}, xgboost.DMatrix(X, y), 3, loss=loss, **kwargs)
    params = {"iterations": 3, "verbose": 0, "allow_writing_files": False, **(params or {})}
    return module.train(catboost.Pool(X, y), params, loss=loss, **kwargs)


class NotANumber(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        gradient, curvature = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        return gradient * np.nan, curvature


class WrongShape(NotANumber):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        gradient, curvature = FocalLoss(2.0).gradient_curvature(y_true, raw_prediction)
        return gradient[:, np.newaxis], curvature


@pytest.mark.parametrize("module", MODULES, ids=module_id)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (Y * 2, r"y_true must lie in \[0, 1\], got 2(\.0)?\."),
        (Y - 1, r"y_true must lie in \[0, 1\], got -1(\.0)?\."),
        (np.zeros(len(Y)), "y_true must hold both classes"),
        (np.ones(len(Y)), "y_true must hold both classes"),
    ],
    ids=["two", "minus one", "zeros", "ones"],
)
def test_bad_labels(module, labels, message):
    with pytest.raises(ValueError, match=message):
        train_with(module, labels)


@pytest.mark.parametrize("module", [focalboost.lightgbm, focalboost.catboost], ids=module_id)
def test_missing_labels(module):
    # XGBoost refuses them itself, when the DMatrix is made.
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got nan"):
        train_with(module, np.where(Y == 1, np.nan, 0))


@pytest.mark.parametrize("module", MODULES, ids=module_id)
@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (NotANumber(), "loss must give a finite gradient, got NaN or inf"),
        (WrongShape(), r"loss must give a gradient of shape \(\d+,\), got \(\d+, 1\)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bad_derivatives(module, loss, message):
    with pytest.raises(ValueError, match=message):
        train_with(module, Y, loss=loss)


@pytest.mark.parametrize("module", MODULES, ids=module_id)
@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (FocalLoss, "loss must be an instance, got the class FocalLoss"),
        ("focal", "loss must have a method __call__, got 'focal'"),
        (len, "loss must have a method gradient_curvature or gradient_hessian"),
    ],
    ids=["class", "string", "function"],
)
def test_bad_loss(module, loss, message):
    for call in (module.objective, lambda bad: train_with(module, Y, loss=bad)):
        with pytest.raises(TypeError, match=message):
            call(loss)
    if loss is not len:
        with pytest.raises(TypeError, match=message):
            module.metric(loss)


@pytest.mark.parametrize(
    ("module", "params"),
    [
        (focalboost.lightgbm, {"scale_pos_weight": 10}),
        (focalboost.lightgbm, {"is_unbalance": True}),
        (focalboost.lightgbm, {"unbalance": True}),
        (focalboost.lightgbm, {"objective": "multiclass"}),
        (focalboost.lightgbm, {"app": "regression"}),
        (focalboost.lightgbm, {"num_class": 3}),
        (focalboost.lightgbm, {"boosting": "rf"}),
        (focalboost.lightgbm, {"sigmoid": 2.0}),
        (focalboost.lightgbm, {"boost_from_average": False}),
        (focalboost.lightgbm, {"neg_bagging_fraction": 0.5}),
        (focalboost.lightgbm, {"metric": "binary_logloss"}),
        (focalboost.lightgbm, {"metric": ["auc", "binary_error"]}),
        (focalboost.xgboost, {"scale_pos_weight": 10}),
        (focalboost.xgboost, {"base_score": 0.5}),
        (focalboost.xgboost, {"objective": "reg:squarederror"}),
        (focalboost.xgboost, {"num_class": 3}),
        (focalboost.catboost, {"scale_pos_weight": 10}),
        (focalboost.catboost, {"class_weights": [1, 10]}),
        (focalboost.catboost, {"auto_class_weights": "Balanced"}),
        (focalboost.catboost, {"loss_function": "MultiClass"}),
        (focalboost.catboost, {"boost_from_average": True}),
        (focalboost.catboost, {"model_shrink_rate": 0.1}),
    ],
)
def test_silently_disabled_option_is_refused(module, params):
    (name,) = params
    with pytest.raises(ValueError, match=rf"{name} must (be|not|left)"):
        train_with(module, Y, params)


@pytest.mark.parametrize(
    ("module", "params"),
    [
        (focalboost.lightgbm, {"objective": "binary", "metric": "auc,average_precision"}),
        (focalboost.lightgbm, {"scale_pos_weight": 1.0, "is_unbalance": False}),
        (focalboost.xgboost, {"objective": "binary:logistic", "eval_metric": ["auc", "aucpr"]}),
        (focalboost.catboost, {"loss_function": "Logloss", "eval_metric": "AUC"}),
        (focalboost.catboost, {"custom_metric": ["AUC", "Logloss"]}),
    ],
)
def test_harmless_option_is_taken(module, params):
    before = dict(params)
    train_with(module, Y, params)
    assert params == before


def test_own_start_scores_are_refused():
    margin = np.zeros(len(Y))
    with pytest.raises(ValueError, match="init_score must not be set"):
        focalboost.lightgbm.train({}, lightgbm.Dataset(X, Y, init_score=margin), loss=FocalLoss())
    with pytest.raises(ValueError, match="base_margin must not be set"):
        focalboost.xgboost.train({}, xgboost.DMatrix(X, Y, base_margin=margin), loss=FocalLoss())
    with pytest.raises(ValueError, match="baseline must not be set"):
        focalboost.catboost.train(catboost.Pool(X, Y, baseline=margin), {}, loss=FocalLoss())


def test_bad_call_lightgbm():
    with pytest.raises(ValueError, match="keep_training_booster must be False"):
        train_with(focalboost.lightgbm, Y, keep_training_booster=True)
    sealed = train_with(focalboost.lightgbm, Y)
    with pytest.raises(ValueError, match="is it sealed already"):
        focalboost.lightgbm.seal(sealed, 0.0)
    with pytest.raises(ValueError, match="init_score must be finite, got nan"):
        focalboost.lightgbm.seal(sealed, np.nan)


def test_bad_call_catboost():
    with pytest.raises(ValueError, match=r"pool must be a catboost\.Pool"):
        focalboost.catboost.train(loss=FocalLoss())
    with pytest.raises(ValueError, match="pool and dtrain must not both be given"):
        focalboost.catboost.train(1, {}, 2, loss=FocalLoss())


@pytest.mark.parametrize("module", [focalboost.lightgbm, focalboost.xgboost], ids=module_id)
def test_bad_rows_in_a_call(module):
    objective = module.objective(FocalLoss())
    with pytest.raises(ValueError, match=r"raw_prediction must have shape .* got \(2, 3\)"):
        objective([0, 1], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="raw_prediction must be finite, got nan"):
        objective([0, 1], [0.0, np.nan])
    with pytest.raises(ValueError, match=r"y_true must have the shape .* \(2,\), got \(1,\)"):
        objective([1], [0.0, 1.0])
    with pytest.raises(ValueError, match="sample_weight must be finite and >= 0, got -1"):
        module.metric(FocalLoss())([0, 1], [0.0, 1.0], [1, -1])


def test_bad_rows_in_a_call_catboost():
    objective = focalboost.catboost.objective(FocalLoss())
    with pytest.raises(ValueError, match="raw_prediction must be finite, got inf"):
        objective.calc_ders_range([0.0, np.inf], [0, 1], None)
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got 2"):
        objective.calc_ders_range([0.0, 0.0], [0, 2], None)


def test_multiclass_booster():
    objective = focalboost.lightgbm.objective(FocalLoss())
    with pytest.raises(ValueError, match="is num_class set"):
        lightgbm.train(
            {"objective": objective, "num_class": 3, "verbose": -1}, lightgbm.Dataset(X, Y), 2
        )
    objective = focalboost.xgboost.objective(FocalLoss())
    with pytest.raises(ValueError, match="is num_class set"):
        xgboost.train({"num_class": 3}, xgboost.DMatrix(X, Y), 2, obj=objective)
    metric = focalboost.catboost.metric(FocalLoss())
    with pytest.raises(ValueError, match=r"one score a row, got \(1, 2\)"):
        metric.evaluate([[0.0], [0.0]], [1], None)


def test_start_score_of_the_adapters_is_the_paper_s():
    # At gamma 0 it is the logit of the weighted prior, computed here by scipy.
    booster = focalboost.xgboost.train(
        {"max_depth": 1}, xgboost.DMatrix(X, Y, weight=W), 0, loss=FocalLoss(0.0)
    )
    prior = np.average(Y, weights=W)
    margin = booster.predict(xgboost.DMatrix(X), output_margin=True)
    # base_score is a probability in single precision
    assert_allclose(margin, logit(prior), rtol=1e-6)
