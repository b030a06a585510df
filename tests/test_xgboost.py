"""What is particular to XGBoost: its callbacks, its history, its base_score."""

import re

import numpy as np
import pytest
from backends import make_data, noisy_data
from numpy.testing import assert_allclose
from scipy.special import expit, logit

from focalboost import FocalLoss

xgboost = pytest.importorskip("xgboost")
focalboost = pytest.importorskip("focalboost")
pytest.importorskip("focalboost.xgboost")

X, Y, W = make_data()


def test_early_stopping():
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


def test_callbacks(capsys):
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


def test_parameters_as_pairs():
    history, data = {}, xgboost.DMatrix(X, Y)
    focalboost.xgboost.train(
        [("eval_metric", "auc"), ("eval_metric", "aucpr"), ("nthread", 1)], data, 2,
        evals=[(data, "data")], evals_result=history, verbose_eval=False, loss=FocalLoss(),
    )  # fmt: skip
    assert list(history["data"]) == ["auc", "aucpr", "focal_loss"]


def test_warns_of_a_init_score_that_it_cannot_store():
    weight = np.where(Y == 1, 1e-9, 1.0)
    data, params = xgboost.DMatrix(X, Y, weight=weight), {"min_child_weight": 0.0}
    with pytest.warns(UserWarning, match="XGBoost stores the init score -2"):
        focalboost.xgboost.train(params, data, 1, loss=FocalLoss(0.0))


@pytest.mark.parametrize(
    "params", [{}, {"rate_drop": 0.9}, {"one_drop": True}, {"booster": "dart", "rate_drop": 0.9}]
)
def test_dropout_is_known_as_what_it_is(params):
    from focalboost.xgboost.options import is_dropout

    own = {"objective": "binary:logistic", "nthread": 1, "verbosity": 0}
    model = xgboost.train({**own, **params}, xgboost.DMatrix(X, Y), 5)
    found = re.search(rb'"weight_drop":\[([^]]*)\]', bytes(model.save_raw("json")))
    weights = [] if found is None else [float(weight) for weight in found[1].split(b",")]
    assert is_dropout(params) == any(weight != 1 for weight in weights)


def test_cv():
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


def test_training_goes_on():
    loss, data = FocalLoss(2.0, 0.25), xgboost.DMatrix(X, Y)
    params = {"nthread": 1, "min_child_weight": 0.1}
    whole = focalboost.xgboost.train(params, data, 10, loss=loss)
    part = focalboost.xgboost.train(params, data, 5, loss=loss)
    more = focalboost.xgboost.train(params, xgboost.DMatrix(X, Y), 5, xgb_model=part, loss=loss)
    assert more.num_boosted_rounds() == 10
    assert_allclose(more.predict(data), whole.predict(data), rtol=0, atol=1e-5)


def test_init_score_is_the_paper_s():
    # At gamma 0 it is the logit of the weighted prior, computed here by scipy.
    booster = focalboost.xgboost.train(
        {"max_depth": 1}, xgboost.DMatrix(X, Y, weight=W), 0, loss=FocalLoss(0.0)
    )
    prior = np.average(Y, weights=W)
    margin = booster.predict(xgboost.DMatrix(X), output_margin=True)
    # base_score is a probability in single precision
    assert_allclose(margin, logit(prior), rtol=1e-6)
