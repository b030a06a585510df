"""What is particular to CatBoost: its pools, its callbacks, its own Focal."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from backends import QUIET, make_data, noisy_data
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn._loss import HalfBinomialLoss
from sklearn.metrics import roc_auc_score

from focalboost import FocalClassifier, FocalLoss, SoftmaxFocalLoss

catboost = pytest.importorskip("catboost")
focalboost = pytest.importorskip("focalboost")
pytest.importorskip("focalboost.catboost")
defaults = importlib.import_module("focalboost.catboost.options").defaults

X, Y, W = make_data()
PARAMS = {**QUIET["catboost"], "depth": 3, "learning_rate": 0.1}


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


def test_early_stopping():
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


@pytest.mark.parametrize("loss", [FocalLoss(2.0, 0.25), SoftmaxFocalLoss(3, 2.0)], ids=repr)
def test_training_goes_on(loss, tmp_path):
    rows, labels, _ = make_data(n_classes=loss.kernel.classes.n_classes)
    data = catboost.Pool(rows, labels)
    params = {
        "learning_rate": 0.1, "verbose": 0, "thread_count": 1, "allow_writing_files": False,
        "bootstrap_type": "No", "random_strength": 0, "boosting_type": "Plain",
    }  # fmt: skip
    whole = focalboost.catboost.train(data, params, iterations=10, loss=loss)
    part = focalboost.catboost.train(data, params, iterations=5, loss=loss)
    part.save_model(tmp_path / "part.cbm")
    # CatBoost itself continues from a model in memory in another way the second time.
    for model in (part, part, str(tmp_path / "part.cbm")):
        more = focalboost.catboost.train(data, params, iterations=5, init_model=model, loss=loss)
        assert more.tree_count_ == 10
        assert more.get_scale_and_bias() == whole.get_scale_and_bias()
        assert_allclose(more.predict(rows), whole.predict(rows), rtol=0, atol=1e-10)
        assert_array_equal(more.classes_, whole.classes_)
        kind = {"prediction_type": "Class"}
        assert_array_equal(more.predict(rows, **kind), whole.predict(rows, **kind))
    new = focalboost.catboost.train(
        catboost.Pool(rows[:90] + 1.0, labels[:90]), params, iterations=5, init_model=part
    )
    assert new.tree_count_ == 10


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("is_classifier", [False, True], ids=["train", "FocalClassifier"])
def test_training_goes_on_from_memory_as_from_a_file(is_classifier, n_classes, tmp_path):
    # also with trees that are drawn at random
    loss = FocalLoss(2.0) if n_classes == 2 else SoftmaxFocalLoss(3, 2.0)
    rows, labels, _ = make_data(n_classes=n_classes)
    data, params = catboost.Pool(rows, labels), {**PARAMS, "iterations": 5}
    if is_classifier:
        focal = FocalClassifier(catboost.CatBoostClassifier(**params), loss=loss, calibration=None)
        model = focal.fit(rows, labels).estimator_
    else:
        model = focalboost.catboost.train(data, params, loss=loss)
    model.save_model(tmp_path / "model.cbm")
    from_memory, from_file = (
        focalboost.catboost.train(data, params, init_model=given)
        for given in (model, tmp_path / "model.cbm")
    )
    assert_array_equal(from_memory.predict(rows), from_file.predict(rows))
    raw = model.predict(rows, prediction_type="RawFormulaVal")
    assert from_memory.get_evals_result()["learn"]["MeanLoss"][0] < loss(labels, raw)


@pytest.mark.parametrize("asked", ["AUC", "Focal:focal_alpha=0.25;focal_gamma=2"])
def test_metrics_of_its_own_see_the_init_score(asked):
    # The order of the scores does not need it; CatBoost's Focal reads it from a baseline.
    loss = FocalLoss(2.0, 0.25)
    model = focalboost.catboost.train(
        catboost.Pool(X, Y),
        {**PARAMS, "custom_metric": [asked]},
        iterations=3,
        eval_set=(X, Y),
        loss=loss,
    )
    history = model.get_evals_result()["validation"]
    raw = model.predict(X, prediction_type="RawFormulaVal")
    expected = roc_auc_score(Y, raw) if asked == "AUC" else loss(Y, raw)
    assert_allclose(history[asked][-1], expected, rtol=1e-6)
    assert_allclose(history["MeanLoss"][-1], loss(Y, raw), rtol=1e-12)


def test_takes_files_and_categories(tmp_path):
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


def test_pools_are_reusable():
    data = catboost.Pool(X, Y)
    params = {"iterations": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
    raw = [
        focalboost.catboost.train(data, params, eval_set=data, loss=FocalLoss(gamma)).predict(data)
        for gamma in (1.0, 2.0, 1.0)
    ]
    assert_array_equal(raw[0], raw[2])
    assert np.size(data.get_baseline()) == 0


@pytest.mark.parametrize("given", ["argument", "parameter", "classifier"])
def test_a_snapshot_goes_on_under_its_own_loss(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = {"save_snapshot": True, "snapshot_file": "half", "snapshot_interval": 0}

    def fit(loss, n_rounds, max_step=4.0, **how):
        params = {
            **PARAMS,
            "allow_writing_files": True,
            "iterations": n_rounds,
            "train_dir": "runs",
        }
        if given == "classifier":
            estimator = catboost.CatBoostClassifier(**params, **how)
            return FocalClassifier(estimator, loss=loss, max_step=max_step).fit(X, Y).estimator_
        by_params = how if given == "parameter" else {}
        by_argument = how if given == "argument" else {}
        return focalboost.catboost.train(
            catboost.Pool(X, Y),
            {**params, **by_params},
            loss=loss,
            max_step=max_step,
            **by_argument,
        )

    fit(FocalLoss(2.0), 4, **how)
    assert Path("runs", "half").exists()
    whole = fit(FocalLoss(2.0), 8, **how)
    assert_array_equal(
        whole.predict(X, "RawFormulaVal"), fit(FocalLoss(2.0), 8).predict(X, "RawFormulaVal")
    )
    wrong = (
        r"snapshot_file must be a snapshot of {}, got .* of "
        r"FocalLoss\(gamma=2.0, alpha=None\) with max_step=4"
    )
    with pytest.raises(ValueError, match=wrong.format("FocalLoss.*gamma=1.0.*")):
        fit(FocalLoss(1.0), 12, **how)
    with pytest.raises(ValueError, match=wrong.format("FocalLoss.* with max_step=8.0")):
        fit(FocalLoss(2.0), 12, max_step=8.0, **how)
    own = catboost.train(
        catboost.Pool(X, Y),
        {
            **PARAMS,
            "allow_writing_files": True,
            "loss_function": "Logloss",
            "iterations": 2,
            "save_snapshot": True,
            "snapshot_interval": 0,
            "snapshot_file": "own",
        },
    )
    assert own.tree_count_ == 2
    with pytest.raises(ValueError, match="of another training"):
        focalboost.catboost.train(
            catboost.Pool(X, Y),
            {**PARAMS, "allow_writing_files": True},
            save_snapshot=True,
            snapshot_file="own",
            loss=FocalLoss(),
        )


BY_GRADIENT = {"leaf_estimation_method": "Gradient"}


@pytest.mark.parametrize(
    ("n_classes", "n_columns", "iterations", "method"),
    [
        (2, 5, 20, {}),
        (2, 20, 20, {}),
        (2, 5, 200, {}),
        (2, 20, 20, BY_GRADIENT),
        (3, 20, 20, {}),
        (3, 20, 20, BY_GRADIENT),
    ],
)
def test_defaults_are_those_of_the_own_loss(n_classes, n_columns, iterations, method):
    rows = np.random.default_rng(0).normal(size=(300, n_columns))
    labels = np.clip(np.round(rows[:, 0] + rows[::-1, 0]), 0, n_classes - 1).astype(int)
    params = {
        "iterations": iterations, "learning_rate": 0.03, "depth": 2, "verbose": 0,
        "allow_writing_files": False, "thread_count": 1, **method,
    }  # fmt: skip
    own, loss = ("Logloss", FocalLoss(0.0))
    if n_classes == 3:
        own, loss = ("MultiClass", SoftmaxFocalLoss(3, gamma=0.0))
    ours = focalboost.catboost.train(catboost.Pool(rows, labels), params, loss=loss, max_step=None)
    start = np.tile(np.float32(loss.init_score(labels)), (300, 1))
    # Backtracking is no part of it: on training parts CatBoost computes its Logloss with a fast
    # exponential, whose error decides there once the steps are small.
    own_params = {**params, "loss_function": own, "leaf_estimation_backtracking": "No"}
    theirs = catboost.train(catboost.Pool(rows, labels, baseline=start), own_params)
    wanted = theirs.predict(rows, prediction_type="RawFormulaVal").reshape(start.shape) + start
    found = ours.predict(rows, prediction_type="RawFormulaVal").reshape(start.shape)
    wrapped = FocalClassifier(
        catboost.CatBoostClassifier(**params), gamma=0.0, max_step=None, calibration=None
    )
    # The rounding of some ten steps in each leaf
    assert_allclose(found, wanted, rtol=0, atol=1e-7)
    proba = expit(found)[:, 0] if n_classes == 2 else softmax(found, axis=1)
    again = wrapped.fit(rows, labels).predict_proba(rows)
    assert_allclose(again[:, 1] if n_classes == 2 else again, proba, rtol=0, atol=1e-12)
    settings, own_settings = ours.get_all_params(), theirs.get_all_params()
    differing = {name for name in own_settings if settings.get(name) != own_settings[name]}
    assert differing <= {"loss_function", "eval_metric"}


@pytest.mark.parametrize(("given", "used"), [({}, 1), ({"thread_count": 2}, 2)])
def test_several_classes_train_on_one_thread_by_default(given, used):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.arange(60) % 3
    params = {"iterations": 2, "verbose": 0, "allow_writing_files": False, **given}
    loss = SoftmaxFocalLoss(3, gamma=2.0)
    model = focalboost.catboost.train(catboost.Pool(rows, labels), params, loss=loss)
    assert model.get_params()["thread_count"] == used
    wrapped = FocalClassifier(catboost.CatBoostClassifier(**params)).fit(rows, labels)
    assert wrapped.estimator_.get_params()["thread_count"] == used
    binary = focalboost.catboost.train(
        catboost.Pool(rows, labels > 0), params, loss=FocalLoss(gamma=2.0)
    )
    assert binary.get_params().get("thread_count") == given.get("thread_count")
    # The search for splits takes longer than the derivatives do.
    wide = focalboost.catboost.train(catboost.Pool(np.tile(rows, 10), labels), params, loss=loss)
    assert wide.get_params().get("thread_count") == given.get("thread_count")


@pytest.mark.parametrize(
    ("shape", "n_cores", "given", "used"),
    [
        ((10_000, 5), 2, {}, 1),
        ((10_000, 5), 16, {}, None),
        ((10_000, 5), 2, {"thread_count": 2}, 2),
        ((9_999, 5), 2, {}, None),
        ((50_000, 8), 2, {}, None),
        ((50_000, 8), 2, {"leaf_estimation_iterations": 10}, 1),
        ((50_000, 80), 2, {"leaf_estimation_iterations": 10}, None),
        ((400_000, 8), 2, {"leaf_estimation_iterations": 10}, 1),
    ],
)
def test_two_classes_train_on_one_thread_where_two_would_wait(
    shape, n_cores, given, used, monkeypatch
):
    monkeypatch.setattr("focalboost.catboost.options.thread_count", lambda _: n_cores)
    found = defaults(given, 10, shape, FocalLoss().kernel.classes)
    assert {**found, **given}.get("thread_count") == used


def test_own_focal_keeps_its_threads(monkeypatch):
    monkeypatch.setattr("focalboost.catboost.options.thread_count", lambda _: 2)
    rows = np.random.default_rng(0).normal(size=(10_000, 2))
    params = {**PARAMS, "iterations": 1, "leaf_estimation_method": "Gradient"}
    del params["thread_count"]
    for native, used in ((False, 1), (True, None)):
        model = focalboost.catboost.train(
            catboost.Pool(rows, rows[:, 0] > 1), params, loss=FocalLoss(2.0, 0.25), native=native
        )
        assert model.get_params().get("thread_count") == used


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [0.25, 0.9])
def test_own_focal_is_the_same(gamma, alpha):
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
    objective, metric = (
        focalboost.catboost.objective(loss, max_step=None),
        focalboost.catboost.metric(loss),
    )
    ours = catboost.train(data, {**params, "loss_function": objective, "eval_metric": metric})
    assert np.ptp(own.predict(X)) > 0.1
    assert_allclose(ours.predict(X), own.predict(X), rtol=0, atol=1e-12)


def test_native():
    loss, params = (
        FocalLoss(2.0, 0.25),
        {**PARAMS, "leaf_estimation_method": "Gradient"},
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
def test_native_is_not_the_same(labels, loss, method, message):
    params = {**PARAMS, "leaf_estimation_method": method}
    with pytest.raises(ValueError, match=message):
        focalboost.catboost.train(catboost.Pool(X, labels), params, loss=loss, native=True)


def test_says_that_numba_is_missing(monkeypatch):
    monkeypatch.setattr("focalboost.losses._compiled.is_missing", lambda: True)
    rows, labels, _ = make_data(30_000)
    params = {"iterations": 1, "verbose": 0, "allow_writing_files": False}
    with pytest.warns(UserWarning, match="numba is not installed"):
        focalboost.catboost.train(catboost.Pool(rows, labels), params, loss=FocalLoss())
    focalboost.catboost.train(catboost.Pool(rows[:99], labels[:99]), params, loss=FocalLoss())


def test_cv():
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


def test_bad_call():
    with pytest.raises(ValueError, match=r"pool must be a catboost\.Pool"):
        focalboost.catboost.train(loss=FocalLoss())
    with pytest.raises(ValueError, match="pool and dtrain must not both be given"):
        focalboost.catboost.train(1, {}, 2, loss=FocalLoss())


def test_bad_samples_in_a_call():
    objective = focalboost.catboost.objective(FocalLoss())
    with pytest.raises(ValueError, match="raw_prediction must be finite, got inf"):
        objective.calc_ders_range([0.0, np.inf], [0, 1], None)
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got 2"):
        objective.calc_ders_range([0.0, 0.0], [0, 2], None)


def test_says_that_numba_is_missing_for_several_classes(monkeypatch):
    monkeypatch.setattr("focalboost.losses._compiled.is_missing", lambda: True)
    rows, labels, _ = make_data(n_classes=3)
    params = {**PARAMS, "iterations": 1}
    with pytest.warns(UserWarning, match="numba is not installed: .* a twentieth of the time"):
        focalboost.catboost.train(catboost.Pool(rows, labels), params, loss=SoftmaxFocalLoss(3))


def test_bad_samples_in_a_call_for_several_classes():
    objective = focalboost.catboost.objective(SoftmaxFocalLoss(3))
    with pytest.raises(ValueError, match=r"y_true must be a whole number from 0 to 2, got 0\.5"):
        objective.calc_ders_multi(np.zeros(3), 0.5, 1.0)
    with pytest.raises(ValueError, match="raw_prediction must be 3 finite scores"):
        objective.calc_ders_multi(np.array([0.0, np.nan, 0.0]), 0.0, 1.0)
    rows, labels, _ = make_data(n_classes=3)
    pool = catboost.Pool(rows, labels)
    with pytest.raises(ValueError, match="class_names must be left out"):
        focalboost.catboost.train(pool, {"class_names": [2, 1, 0]}, loss=SoftmaxFocalLoss(3))


def test_path_as_pool(tmp_path):
    path = tmp_path / "train.tsv"
    np.savetxt(path, np.column_stack([Y, X]), delimiter="\t", fmt="%.6g")
    params = {**PARAMS, "iterations": 3}
    from_path = focalboost.catboost.train(path, params, loss=FocalLoss())
    from_pool = focalboost.catboost.train(catboost.Pool(X, Y), params, loss=FocalLoss())
    assert_allclose(from_path.predict(X), from_pool.predict(X), rtol=0, atol=1e-6)


def test_columns_of_which_catboost_makes_other_features():
    words = [["good", "bad"][label] for label in Y]
    text = catboost.Pool([[w] for w in words], Y, text_features=[0])
    with pytest.raises(ValueError, match=r"no text features, got columns \[0\].*native=True"):
        focalboost.catboost.train(text, PARAMS, loss=FocalLoss())
    table = pd.DataFrame({"embedding": [*X]})
    embedding = catboost.Pool(table, Y, embedding_features=["embedding"])
    with pytest.raises(ValueError, match="no embedding features"):
        focalboost.catboost.train(embedding, PARAMS, loss=FocalLoss())


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"iterations": 3, "num_boost_round": 4}, "iterations and num_boost_round must not both"),
        ({"params": {"task_type": "GPU"}}, "task_type must be left out .* only on the CPU"),
        ({"params": {"target_border": 0.5}}, "target_border must be left out"),
    ],
)
def test_refused(kwargs, message):
    kwargs = {"params": PARAMS, **kwargs}
    with pytest.raises(ValueError, match=message):
        focalboost.catboost.train(catboost.Pool(X, Y), loss=FocalLoss(), **kwargs)
