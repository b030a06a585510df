"""Metrics beside the loss: on probabilities, as beside a booster's own objective."""

import copy
import pickle

import numpy as np
import pytest
from backends import QUIET, TRAINERS, make_data, needs
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, zero_one_loss

from focalboost import BrierLoss, FocalLoss, SoftmaxFocalLoss

X, Y, W = make_data(n=200)
LOSS = FocalLoss(2.0, 0.8)  # its sigmoid is far from the probability
ROUNDS = 4


class Recorded:
    """A metric in the form of each library, which keeps what it is given."""

    def __init__(self, library):
        self.library = library
        self.given = []

    def __call__(self, predicted, data):
        self.given.append(np.array(predicted))
        value = brier_score_loss(data.get_label(), predicted)
        return ("brier", value, False) if self.library == "lightgbm" else ("brier", value)


class brier:  # noqa: N801 (CatBoost's history takes the name)
    """The same as CatBoost calls for it: beside Logloss it is given log-odds."""

    def __init__(self):
        self.given = []

    def is_max_optimal(self):
        return False

    def evaluate(self, approxes, target, weight):
        self.given.append(expit(approxes[0]))
        return brier_score_loss(target, self.given[-1]) * len(target), len(target)

    def get_final_error(self, error, weight):
        return error / weight


def train(library, params, metric=None, loss=LOSS, y=Y, weight=None, rounds=ROUNDS, **kwargs):
    """Return a model and the history of its training data."""
    pytest.importorskip(library)
    params = {**QUIET[library], **params}
    evals = {}
    if library == "lightgbm":
        import lightgbm

        import focalboost.lightgbm

        data = lightgbm.Dataset(X, y, weight=weight)
        held = lightgbm.Dataset(X, y, weight=weight, reference=data)
        record = lightgbm.record_evaluation(evals)
        model = focalboost.lightgbm.train(
            params, data, rounds, [held], ["data"], feval=metric, loss=loss,
            callbacks=[record, *kwargs.pop("callbacks", [])], **kwargs,
        )  # fmt: skip
    elif library == "xgboost":
        import xgboost

        import focalboost.xgboost

        data = xgboost.DMatrix(X, y, weight=weight)
        model = focalboost.xgboost.train(
            {"min_child_weight": 0, **params}, data, rounds, evals=[(data, "data")], loss=loss,
            evals_result=evals, verbose_eval=False, custom_metric=metric, **kwargs,
        )  # fmt: skip
    else:
        import catboost

        import focalboost.catboost

        data = catboost.Pool(X, y, weight=weight)
        metrics = {} if metric is None else {"eval_metric": metric}
        model = focalboost.catboost.train(
            data, {**params, "use_best_model": False, **metrics}, iterations=rounds,
            eval_set=data, loss=loss, **kwargs,
        )  # fmt: skip
        evals["data"] = model.get_evals_result()["validation"]
    return model, dict(evals["data"])


def raw_of(library, model):
    if library == "lightgbm":
        return model.predict(X, raw_score=True)
    if library == "xgboost":
        import xgboost

        return model.predict(xgboost.DMatrix(X), output_margin=True)
    return model.predict(X, prediction_type="RawFormulaVal")


@pytest.fixture(params=["lightgbm", "xgboost", "catboost"])
def library(request):
    pytest.importorskip(request.param)
    return request.param


def test_metric_of_the_user_is_given_probabilities(library):
    metric = brier() if library == "catboost" else Recorded(library)
    model, history = train(library, {}, metric)
    proba = LOSS.inverse_link(raw_of(library, model))
    # XGBoost's are in single precision
    assert_allclose(metric.given[-1], proba, rtol=1e-5, atol=1e-7)
    assert_allclose(history["brier"][-1], brier_score_loss(Y, proba), rtol=1e-5)
    sigmoid = expit(raw_of(library, model))
    assert abs(brier_score_loss(Y, proba) - brier_score_loss(Y, sigmoid)) > 0.01


def test_own_metric_is_given_raw_scores(library):
    module = __import__(f"focalboost.{library}", fromlist=["metric"])
    model, history = train(library, {}, module.metric(BrierLoss()))
    value = next(iter(history.values()))[-1]
    assert_allclose(value, brier_score_loss(Y, expit(raw_of(library, model))), rtol=1e-5)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_the_same_loss_is_in_the_history_once(library):
    module = pytest.importorskip(f"focalboost.{library}")
    _, history = train(library, {}, module.metric(LOSS))
    assert {name: len(values) for name, values in history.items()} == {"focal_loss": ROUNDS}
    with pytest.raises(ValueError, match="another name in the history than the training loss"):
        train(library, {}, module.metric(FocalLoss(1.0)))


def error_at_02(y, proba, sample_weight=None):
    return zero_one_loss(y, proba > 0.2, sample_weight=sample_weight)


def error(y, proba, sample_weight=None):
    return zero_one_loss(y, proba > 0.5, sample_weight=sample_weight)


@pytest.mark.parametrize(
    ("library", "name", "oracle"),
    [
        ("lightgbm", "binary_logloss", log_loss),
        ("lightgbm", "cross_entropy", log_loss),
        ("lightgbm", "binary_error", error),
        ("lightgbm", "average_precision", average_precision_score),
        ("xgboost", "logloss", log_loss),
        ("xgboost", "error", error),
        ("xgboost", "error@0.2", error_at_02),
        ("catboost", "Logloss", log_loss),
        ("catboost", "CrossEntropy", log_loss),
        ("catboost", "BrierScore", brier_score_loss),
        ("catboost", "ZeroOneLoss", error),
    ],
)
@pytest.mark.parametrize("weight", [None, W], ids=["", "weights"])
def test_metric_by_name(library, name, oracle, weight):
    key = {"lightgbm": "metric", "xgboost": "eval_metric", "catboost": "eval_metric"}[library]
    model, history = train(library, {key: name}, weight=weight)
    proba = LOSS.inverse_link(raw_of(library, model))
    # scores and sums in single precision in XGBoost
    assert_allclose(history[name][-1], oracle(Y, proba, sample_weight=weight), rtol=1e-5)


@pytest.mark.parametrize(
    ("library", "name", "oracle"),
    [
        ("lightgbm", "multi_logloss", log_loss),
        ("lightgbm", "multi_error", None),
        ("xgboost", "mlogloss", log_loss),
        ("xgboost", "merror", None),
        ("catboost", "MultiClass", log_loss),
        ("catboost", "ZeroOneLoss", None),
    ],
)
def test_metric_by_name_of_several_classes(library, name, oracle):
    loss = SoftmaxFocalLoss(3, 2.0, (0.3, 1.0, 1.7))
    (backend,) = (b for b in TRAINERS if b.library == library)
    needs(backend, loss)
    y = Y + (X[:, 2] > 0.8)
    key = "metric" if library == "lightgbm" else "eval_metric"
    model, history = train(library, {key: name}, loss=loss, y=y)
    proba = loss.predict_proba(raw_of(library, model)).astype(float)
    proba /= proba.sum(axis=1, keepdims=True)
    expected = oracle(y, proba) if oracle else zero_one_loss(y, proba.argmax(axis=1))
    assert_allclose(history[name][-1], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("library", "params"),
    [
        ("lightgbm", {"metric": "l2"}),
        ("lightgbm", {"metrics": "auc,fair"}),
        ("xgboost", {"eval_metric": "rmse"}),
        ("xgboost", {"eval_metric": ["auc", "gamma-deviance"]}),
        ("xgboost", {"eval_metric": "logloss@0.5"}),
        ("catboost", {"eval_metric": "F1"}),
        ("catboost", {"custom_metric": ["AUC", "Logloss"]}),
    ],
)
def test_other_metrics_are_refused(library, params):
    with pytest.raises(ValueError, match=r"metric must be .* it would be computed on raw scores"):
        train(library, params)


# Which metric stops.


def rises(*args):
    """A metric that is best in the first round."""
    rises.value += 1.0
    return ("rises", rises.value, False) if rises.library == "lightgbm" else ("rises", rises.value)


class Rises(brier):
    def evaluate(self, approxes, target, weight):
        self.given.append(0)
        return float(len(self.given)), 1.0


def test_early_stopping_watches_the_loss(library):
    rises.value, rises.library = 0.0, library
    if library == "catboost":
        # there the metric that is named watches, as natively
        model, _ = train(library, {}, Rises(), rounds=9, early_stopping_rounds=2)
        assert model.best_iteration_ == 0
        assert model.tree_count_ == 3
        model, _ = train(library, {}, rounds=9, early_stopping_rounds=2)
        assert model.tree_count_ == 9
        return
    if library == "xgboost":
        import xgboost

        model, _ = train(library, {}, rises, rounds=9, early_stopping_rounds=2)
        assert model.num_boosted_rounds() == 9
        stop = xgboost.callback.EarlyStopping(2, metric_name="rises", maximize=False)
        model, _ = train(library, {}, rises, rounds=9, callbacks=[stop])
        assert model.best_iteration == 0
        return
    params = {"early_stopping_round": 2}
    model, _ = train(library, params, rises, rounds=9)
    assert model.best_iteration == 9
    model, history = train(library, {**params, "first_metric_only": True}, rises, rounds=9)
    assert model.best_iteration == 1
    # every metric at the best round, as natively
    assert {name: values[0] for name, values in history.items()} == dict(model.best_score["data"])
    assert [*history] == ["rises", "focal_loss"]


def test_lightgbm_keeps_the_parameters_of_native_training():
    lightgbm = pytest.importorskip("lightgbm")
    params = {"metric": ["auc", "binary_logloss"], "early_stopping_rounds": 3}
    model, _ = train("lightgbm", params)
    data = lightgbm.Dataset(X, Y)
    held = lightgbm.Dataset(X, Y, reference=data)
    native = lightgbm.train(
        {**QUIET["lightgbm"], **params, "objective": "binary"}, data, ROUNDS, [held], ["data"]
    )
    assert {k: v for k, v in model.params.items() if k in native.params} == native.params
    assert set(model.best_score["data"]) == {*native.best_score["data"], "focal_loss"}


@pytest.mark.parametrize("value", ["None", "none", None, 0, -1])
def test_no_early_stopping_in_lightgbm(value):
    pytest.importorskip("lightgbm")
    model, _ = train("lightgbm", {"early_stopping_round": value})
    assert model.best_iteration == 0


@pytest.mark.parametrize("value", [True, 2.5, "often"])
def test_bad_early_stopping_in_lightgbm(value):
    pytest.importorskip("lightgbm")
    with pytest.raises(ValueError, match="early_stopping_round must be a whole number >= 1, got"):
        train("lightgbm", {"early_stopping_round": value})


def test_named_metrics_of_catboost_are_values():
    catboost = pytest.importorskip("catboost")
    model, history = train("catboost", {"eval_metric": "Logloss"})
    assert [*history] == ["Logloss"]
    same = pickle.loads(pickle.dumps(model))
    assert_allclose(same.predict(X), model.predict(X), rtol=0)
    assert isinstance(copy.deepcopy(model), catboost.CatBoost)
