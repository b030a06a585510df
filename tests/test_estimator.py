"""FocalClassifier: scikit-learn's own checks, then what it promises, on every booster."""

import pickle
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
import optuna
import pandas as pd
import polars
import pyarrow
import pytest
import skops.io
import xgboost
from backends import make_data, shap_total
from catboost import CatBoostClassifier
from imblearn.ensemble import BalancedBaggingClassifier, EasyEnsembleClassifier
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_imbalanced_pipeline
from lightgbm import LGBMClassifier, LGBMRanker, LGBMRegressor
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn import config_context
from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    fbeta_score,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks
from xgboost import XGBClassifier, XGBRFClassifier
from xgboost.callback import TrainingCallback

from focalboost import (
    AsymmetricLoss,
    CalibratedFocalLoss,
    EffectiveNumber,
    FocalClassifier,
    FocalLoss,
    FocalStarLoss,
    ModulatedLoss,
    PolyLoss,
    RobustFocalLoss,
    SoftmaxFocalLoss,
)
from focalboost.boosters.port import find_adapter
from focalboost.losses import _classes

BOOSTERS = {
    "lightgbm": LGBMClassifier(n_estimators=15, n_jobs=1, verbose=-1),
    "xgboost": XGBClassifier(n_estimators=15, n_jobs=1, max_depth=3),
    "catboost": CatBoostClassifier(
        n_estimators=15, thread_count=1, verbose=0, learning_rate=0.3, depth=4
    ),
}
X, Y, W = make_data(400)
WORDS = np.where(Y == 1, "fraud", "legit")


@pytest.fixture(params=BOOSTERS)
def booster(request):
    return clone(BOOSTERS[request.param])


@pytest.fixture
def model(booster):
    return FocalClassifier(booster)


@pytest.fixture
def several(model):
    """Return a model for more than two classes."""
    if not model.__sklearn_tags__().classifier_tags.multi_class:
        pytest.skip("needs XGBoost 3.1")
    return model


def expected_failures(estimator):
    is_old = tuple(map(int, xgboost.__version__.split(".")[:2])) < (3, 1)
    is_old_xgboost = is_old and isinstance(estimator.estimator, XGBClassifier)
    if not (is_old_xgboost or isinstance(estimator.estimator, CatBoostClassifier)):
        return {}
    # Weights and repeated samples give other trees, in the boosters' own classifiers too.
    reason = "the booster itself does not take weights for repeated samples"
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


CHECKS = parametrize_with_checks(
    [FocalClassifier(estimator) for estimator in BOOSTERS.values()],
    expected_failed_checks=expected_failures,
)


def name_of(argument):
    # scikit-learn names an estimator by its repr, which of an old CatBoost is its address:
    # another one in each process, and pytest-xdist wants the same names in all.
    if isinstance(argument, FocalClassifier):
        return type(argument.estimator).__name__
    return CHECKS.kwargs["ids"](argument)


@pytest.mark.parametrize(*CHECKS.args, ids=name_of)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Probabilities, labels, weights.


@pytest.mark.parametrize(("name", "tolerance"), [("lightgbm", 1e-12), ("xgboost", 1e-6)])
@pytest.mark.parametrize("weight", [None, W / W.mean()], ids=["unweighted", "weighted"])
def test_is_the_booster_at_gamma_0(name, tolerance, weight):
    extra = {"colsample_bytree": 0.5, "subsample": 0.7, "random_state": 3}
    if name == "lightgbm":
        extra["subsample_freq"] = 1
    plain = clone(BOOSTERS[name]).set_params(**extra)
    ours = FocalClassifier(plain, gamma=0.0, max_step=None, calibration=None).fit(X, Y, weight)
    if name == "xgboost":
        # XGBoost's own start score is one Newton step from 0, not the optimum.
        plain.set_params(base_score=float(np.average(Y, weights=weight)))
    theirs = plain.fit(X, Y, sample_weight=weight).predict_proba(X)
    assert_allclose(ours.predict_proba(X), theirs, rtol=0, atol=tolerance)


def test_is_catboost_at_gamma_0():
    # Of its own accord CatBoostClassifier starts at 0, and not at the best constant.
    plain = clone(BOOSTERS["catboost"])
    ours = FocalClassifier(plain, gamma=0.0, max_step=None, calibration=None).fit(X, Y)
    theirs = plain.set_params(boost_from_average=True).fit(X, Y)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-6)


def test_three_outputs(model):
    model.set_params(gamma=2.0, alpha=0.25).fit(X, Y)
    raw = model.raw_prediction(X)
    log_odds = model.loss_.log_odds(raw)
    assert_array_equal(model.decision_function(X), model.calibration_(log_odds))
    assert_array_equal(model.predict_proba(X)[:, 1], expit(model.decision_function(X)))
    assert_array_equal(model.predict(X), model.predict_proba(X)[:, 1] > 0.5)
    assert model.loss_ == FocalLoss(2.0, 0.25)
    assert model.init_score_ == model.loss_.init_score(Y)
    assert model.best_iteration_ == 15
    assert model.evals_result_ == {}
    # the posterior is nearer to the truth than the sigmoid
    assert log_loss(Y, model.predict_proba(X)) < log_loss(Y, expit(raw))


def test_the_booster_inside_predicts_alone(model):
    model.fit(X, Y, W, X_val=X, y_val=Y)
    alone = model.estimator_
    # single precision in XGBoost
    assert_allclose(alone.predict_proba(X)[:, 1], expit(model.raw_prediction(X)), atol=1e-6)
    assert_array_equal(alone.predict(X), (model.raw_prediction(X) > 0).astype(int))
    assert_allclose(shap_total(alone, X), model.raw_prediction(X), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "kwargs"),
    [
        (WORDS, {"pos_label": "fraud", "alpha": 0.75}),
        (WORDS.astype(object), {"pos_label": "fraud", "alpha": 0.75}),
        (WORDS, {"pos_label": "legit", "alpha": 0.25}),
        (WORDS, {"alpha": {"fraud": 3, "legit": 1}}),
        (Y == 1, {"alpha": 0.75}),
        (Y + 1, {"alpha": {1: 0.25, 2: 0.75}}),
        (-Y, {"alpha": 0.25}),
        (pd.Series(WORDS), {"alpha": {"fraud": 0.3, "legit": 0.1}}),
    ],
)
def test_any_labels(model, labels, kwargs):
    truth = clone(model).set_params(alpha=0.75).fit(X, Y).predict_proba(X)[:, 1]
    model.set_params(**kwargs).fit(X, labels)
    rare = np.asarray(labels)[np.argmax(Y)]
    assert_array_equal(model.classes_, np.unique(np.asarray(labels)))
    column = int(model.classes_[1] == rare)
    # the mirrored loss gives the mirrored trees, but for rounding in single precision
    assert_allclose(model.predict_proba(X)[:, column], truth, rtol=0, atol=2e-4)
    assert_array_equal(model.predict(X) == rare, truth > 0.5)
    assert np.all((model.decision_function(X) > 0) == (model.predict(X) == model.classes_[1]))


def test_balanced_alpha(model):
    model.set_params(alpha="balanced").fit(X, Y, W)
    # boosters hold weights in single precision
    assert_allclose(model.loss_.alpha, 1 - np.average(Y, weights=W), rtol=1e-7)


def test_alpha_by_effective_number(model):
    rule = EffectiveNumber(beta=0.99)
    model.set_params(alpha=rule).fit(X, Y)
    # the formula of the paper, with its cancellation
    n = np.bincount(Y)
    by_hand = (1 - 0.99) / (1 - 0.99**n)
    assert_allclose(rule(n), by_hand, rtol=1e-12)
    assert_allclose(model.loss_.alpha, by_hand[1] / by_hand.sum(), rtol=1e-12)
    # its two ends: nothing, and the balanced weights
    assert_array_equal(EffectiveNumber(0.0)(n), [1.0, 1.0])
    nearly = EffectiveNumber(1 - 1e-12)(n)
    assert_allclose(nearly / nearly.sum(), (1 / n) / (1 / n).sum(), rtol=1e-9)
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got 1\."):
        EffectiveNumber(1.0)


CLASSES = Y + (X[:, 0] + X[:, 1] > 1)


@pytest.mark.parametrize("labels", [CLASSES, np.array(["no", "so", "yes"])[CLASSES]])
def test_three_classes(several, labels):
    several.set_params(calibration=None)
    valid = {"X_val": X[:100], "y_val": labels[:100], "sample_weight_val": W[:100]}
    several.fit(X, labels, W, **valid)
    proba = several.predict_proba(X)
    assert_array_equal(several.classes_, np.unique(labels))
    assert several.loss_ == SoftmaxFocalLoss(3)
    assert proba.shape == several.raw_prediction(X).shape == (400, 3)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert_allclose(proba, expit(several.decision_function(X)), rtol=1e-12)
    assert_array_equal(several.predict(X), several.classes_[proba.argmax(axis=1)])
    assert several.score(X, labels) > 0.8 > np.bincount(CLASSES).max() / 400
    # what early stopping watched is scikit-learn's log loss of the probabilities
    (history,) = several.evals_result_["validation"].values()
    last = log_loss(labels[:100], proba[:100], sample_weight=W[:100])
    assert_allclose(history[several.best_iteration_ - 1], last, rtol=1e-5)
    assert_array_equal(pickle.loads(pickle.dumps(several)).predict_proba(X), proba)


def test_three_classes_and_alpha(several):
    counts = np.bincount(CLASSES)
    several.set_params(alpha="balanced").fit(X, CLASSES)
    # as scikit-learn's "balanced"
    assert_allclose(several.loss_.alpha, 400 / (3 * counts), rtol=1e-12)
    by_hand = clone(several).set_params(alpha=dict(enumerate(1 / counts))).fit(X, CLASSES)
    assert_allclose(by_hand.predict_proba(X), several.predict_proba(X), rtol=1e-12)
    # the weights are taken out again
    assert_allclose(several.predict_proba(X).mean(axis=0), counts / 400, atol=0.05)


def test_rare_class(several):
    labels = np.where(np.arange(400) < 5, 2, Y)
    proba = several.fit(X, labels).predict_proba(X)
    assert np.all(np.isfinite(proba))
    assert proba[:, 2].mean() < 0.1


@pytest.mark.parametrize(
    "loss",
    [
        AsymmetricLoss(1.0, 4.0, 0.05),
        ModulatedLoss("exp"),
        FocalStarLoss(),
        CalibratedFocalLoss(),
        FocalLoss(5.0),
        PolyLoss(),
        RobustFocalLoss(),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_any_loss(model, loss):
    model.set_params(loss=loss, alpha=0.25, calibration=None).fit(X, Y)
    assert model.loss_ == replace(loss, alpha=0.25)
    proba = model.predict_proba(X)[:, 1]
    assert_allclose(proba, model.loss_.inverse_link(model.raw_prediction(X)), rtol=1e-12)
    assert abs(proba.mean() - Y.mean()) < 0.05
    assert roc_auc_score(Y, model.decision_function(X)) > 0.88
    again = clone(model).set_params(alpha=None)
    assert again.get_params()["loss"] == loss
    assert again.fit(X, Y).loss_ == loss


def test_raw_scores_of_the_calibrated_loss_are_log_odds(model):
    model.set_params(loss=CalibratedFocalLoss(), calibration=None).fit(X, Y)
    # so the booster's own classifier is calibrated
    ours, own = model.predict_proba(X), model.estimator_.predict_proba(X)
    assert_allclose(ours, own, rtol=0, atol=1e-6)


@dataclass(frozen=True)
class SmallestContract:
    """What a loss of somebody else's has at the least, for the focal loss of a gamma."""

    gamma: float = 2.0

    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return FocalLoss(self.gamma)(y_true, raw_prediction, sample_weight)

    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        return FocalLoss(self.gamma).gradient_curvature(y_true, raw_prediction, sample_weight)

    def init_score(self, y_true, sample_weight=None):
        return FocalLoss(self.gamma).init_score(y_true, sample_weight)


def test_loss_of_somebody_else(model):
    ours = clone(model).set_params(gamma=2.0).fit(X, Y, W, X_val=X, y_val=Y)
    theirs = model.set_params(loss=SmallestContract()).fit(X, Y, W, X_val=X, y_val=Y)
    # its probabilities follow from its gradients; the bound is that of the training
    assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=0, atol=1e-6)
    assert_allclose(
        theirs.evals_result_["validation"]["log_loss"],
        ours.evals_result_["validation"]["log_loss"],
        rtol=1e-6,
    )
    assert_array_equal(pickle.loads(pickle.dumps(theirs)).predict_proba(X), theirs.predict_proba(X))
    assert clone(theirs).get_params()["loss"] == SmallestContract()
    assert theirs.loss_.source == SmallestContract()


def test_losses_of_scikit_learn(several):
    for loss, ours, labels in (
        (HalfBinomialLoss(), FocalLoss(0.0), Y),
        (HalfMultinomialLoss(n_classes=3), SoftmaxFocalLoss(3, 0.0), CLASSES),
    ):
        theirs = clone(several).set_params(loss=loss).fit(X, labels).predict_proba(X)
        proba = clone(several).set_params(loss=ours).fit(X, labels).predict_proba(X)
        if labels is CLASSES and isinstance(several.estimator, CatBoostClassifier):
            # which has the whole Hessian of ours, and the diagonal of scikit-learn's
            assert log_loss(labels, theirs) < 1.1 * log_loss(labels, proba)
        else:
            assert_allclose(theirs, proba, rtol=0, atol=1e-5)


def test_probabilities_of_a_loss_are_its_own(model):
    class WithLink(SmallestContract):
        def inverse_link(self, raw_prediction):
            return expit(2.0 * raw_prediction)

    model.set_params(loss=WithLink(), calibration=None).fit(X, Y)
    expected = expit(2.0 * model.raw_prediction(X))
    assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=1e-12)


class WithoutStart(SmallestContract):
    init_score = None


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        ("focal", TypeError, "loss must have a method __call__, got 'focal'"),
        (WithoutStart(), TypeError, "loss must have a method init_score or fit_intercept_only"),
        (FocalLoss, TypeError, "loss must be an instance, got the class FocalLoss"),
    ],
    ids=["text", "without a start", "class"],
)
def test_loss_that_lacks_something(model, loss, error, message):
    with pytest.raises(error, match=message):
        model.set_params(loss=loss).fit(X, Y)


def test_alpha_of_a_loss_without_alpha(model):
    with pytest.raises(
        ValueError, match="alpha must be None where the loss has no parameter alpha"
    ):
        model.set_params(loss=SmallestContract(), alpha="balanced").fit(X, Y)


def test_bound_with_any_loss(model):
    free = clone(model).set_params(loss=HalfBinomialLoss(), max_step=None).fit(X, Y)
    bound = model.set_params(loss=HalfBinomialLoss(), max_step=0.5).fit(X, Y)
    assert np.max(np.abs(bound.raw_prediction(X) - free.raw_prediction(X))) > 0.1


def test_several_labels_a_row(booster):
    rows, labels = make_multilabel_classification(400, n_classes=3, random_state=0)
    several = MultiOutputClassifier(FocalClassifier(booster, alpha="balanced")).fit(rows, labels)
    assert several.predict(rows).shape == labels.shape
    for k, (proba, one) in enumerate(
        zip(several.predict_proba(rows), several.estimators_, strict=True)
    ):
        alone = clone(several.estimator).fit(rows, labels[:, k])
        assert_array_equal(proba, alone.predict_proba(rows))
        assert_allclose(one.loss_.alpha, 1 - labels[:, k].mean(), rtol=1e-6)


@pytest.mark.skipif(find_spec("river") is None, reason="the package river holds the data")
def test_yeast():
    # 2,417 genes with 14 labels, the rarest on 34 genes (Elisseeff and Weston 2002). The data are
    # read as a file: importing river is of no use here.
    (folder,) = find_spec("river").submodule_search_locations
    table = pd.read_csv(Path(folder) / "datasets" / "yeast.csv.gz")
    labels = table.filter(like="Class").to_numpy(dtype=int)
    rows = table.filter(like="Att").to_numpy()
    booster = LGBMClassifier(n_estimators=30, num_leaves=8, n_jobs=1, verbose=-1)
    scores = {}
    for name, one in (("own", booster), ("focal", FocalClassifier(booster))):
        several = MultiOutputClassifier(one).fit(rows[:1500], labels[:1500])
        proba = np.stack([p[:, 1] for p in several.predict_proba(rows[1500:])], axis=1)
        truth = labels[1500:]
        scores[name] = (
            average_precision_score(truth, proba, average="macro"),
            np.mean([log_loss(t, p) for t, p in zip(truth.T, proba.T, strict=True)]),
        )
    # chance is the mean share of a label
    assert scores["focal"][0] > 1.4 * labels[1500:].mean()
    # as good as log loss but for what a seed changes
    assert scores["focal"][0] > scores["own"][0] - 0.02
    assert scores["focal"][1] < 1.1 * scores["own"][1]


def test_small_weights_and_zero_weights(model):
    # boosters hold weights in single precision
    full = clone(model).fit(X, Y, W / W.mean()).predict_proba(X)
    tiny = clone(model).fit(X, Y, W / W.sum() / 1e3).predict_proba(X)
    assert_allclose(tiny, full, rtol=1e-5)
    zeros = np.concatenate([W, np.zeros(50)])
    more = clone(model).fit(np.vstack([X, X[:50]]), np.concatenate([Y, 1 - Y[:50]]), zeros)
    assert_allclose(more.predict_proba(X), clone(model).fit(X, Y, W).predict_proba(X), rtol=1e-12)


def test_weight_of_two_is_a_sample_twice():
    # no limits and no histograms, which the booster's own classifier needs for it too
    inner = XGBClassifier(
        n_estimators=15, n_jobs=1, max_depth=3, tree_method="exact", min_child_weight=0
    )
    times = W.astype(int)
    weighted = FocalClassifier(inner).fit(X, Y, W)
    repeated = FocalClassifier(inner).fit(np.repeat(X, times, axis=0), np.repeat(Y, times))
    # sums of single precision numbers in another order
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=0, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_bad_weights(model, bad):
    with pytest.raises(ValueError, match=r"(?i)sample.weight|NaN|infinity"):
        model.fit(X, Y, np.where(np.arange(400) == 7, bad, 1.0))


def test_weights_that_no_booster_holds(model):
    with pytest.raises(ValueError, match=r"sample_weight must be at most 3\.4e\+38.*got 1e\+308"):
        model.fit(X, Y, np.full(400, 1e308))


@pytest.mark.parametrize("metric", ["log_loss", "focal_loss"])
def test_labels_are_checked_once_a_training(booster, metric, monkeypatch):
    calls, check = [], _classes.check_probabilities
    monkeypatch.setattr(
        _classes, "check_probabilities", lambda *args: calls.append(args) or check(*args)
    )
    counts = []
    for rounds in (2, 10):
        calls.clear()
        model = FocalClassifier(booster.set_params(n_estimators=rounds), stopping_metric=metric)
        model.fit(X, Y, W, X_val=X, y_val=Y)
        counts.append(len(calls))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("weights", [{"fraud": 5.0, "legit": 1.0}, {"fraud": 5.0}, "balanced"])
def test_class_weight_is_alpha(name, weights):
    inner = clone(BOOSTERS[name]).set_params(class_weight=weights)
    ours = FocalClassifier(inner).fit(X, WORDS)
    alpha = {"legit": 1.0, **weights} if isinstance(weights, dict) else weights
    by_alpha = FocalClassifier(BOOSTERS[name], alpha=alpha).fit(X, WORDS)
    assert ours.loss_ == by_alpha.loss_
    assert_array_equal(ours.predict_proba(X), by_alpha.predict_proba(X))
    # so that the probabilities take it out again: on the training samples they have the rate
    assert abs(ours.predict_proba(X)[:, 0].mean() - Y.mean()) < 0.05
    with pytest.raises(ValueError, match="class_weight of the estimator must be None where alpha"):
        FocalClassifier(inner, alpha="balanced").fit(X, WORDS)


@pytest.mark.parametrize("labels", ["two", "three"])
def test_class_weights_have_mean_1_over_samples(several, labels, monkeypatch):
    y = Y if labels == "two" else CLASSES
    seen = {}
    adapter = find_adapter(several.estimator)
    monkeypatch.setattr(
        type(adapter), "fit", lambda self, estimator, job: seen.update(job=job) or job.stop
    )
    with pytest.raises(AttributeError, match="stop"):
        several.set_params(alpha="balanced").fit(X, y)
    job = seen["job"]
    # scikit-learn's own "balanced" weights
    wanted = compute_sample_weight("balanced", y)
    alpha = job.loss.alpha if labels == "three" else (1 - job.loss.alpha, job.loss.alpha)
    weight = 1.0 if job.training.weight is None else job.training.weight
    # in single precision
    assert_allclose(weight * np.asarray(alpha)[y], wanted, rtol=1e-6)


# Early stopping.


def noisy_data():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(600, 5))
    return rows, (rows[:, 0] + 2 * rng.normal(size=600) > 2.5).astype(int)


@pytest.mark.parametrize("metric", ["log_loss", "focal_loss"])
def test_early_stopping(booster, metric):
    rows, labels = noisy_data()
    booster.set_params(n_estimators=300)
    model = FocalClassifier(
        booster, stopping_metric=metric, early_stopping_rounds=5, calibration=None
    )
    weight = np.arange(300) % 2 + 1.0
    model.fit(rows[:300], labels[:300], None, rows[300:], labels[300:], weight)
    history = model.evals_result_["validation"][metric]
    assert model.best_iteration_ == np.argmin(history) + 1 == len(history) - 5
    if metric == "log_loss":
        best = log_loss(labels[300:], model.predict_proba(rows[300:]), sample_weight=weight)
    else:
        best = model.loss_(labels[300:], model.raw_prediction(rows[300:]), weight)
    # XGBoost's scores are in single precision
    assert_allclose(best, min(history), rtol=1e-5)


def f2(y_true, proba, sample_weight=None):
    return fbeta_score(y_true, proba > 0.2, beta=2, sample_weight=sample_weight)


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        ("average_precision", average_precision_score),
        ("roc_auc", roc_auc_score),
        ("neg_brier_score", lambda *args, **kwargs: -brier_score_loss(*args, **kwargs)),
        (f2, f2),
    ],
)
def test_stopping_on_a_score(booster, metric, score):
    rows, labels = noisy_data()
    words = np.array(["no", "yes"])[labels]
    weight = np.arange(300) % 2 + 1.0
    booster.set_params(n_estimators=300)
    model = FocalClassifier(
        booster, stopping_metric=metric, early_stopping_rounds=5, calibration=None
    )
    model.fit(rows[:300], words[:300], None, rows[300:], words[300:], weight)
    ((name, history),) = model.evals_result_["validation"].items()
    assert name == getattr(metric, "__name__", metric)
    assert model.best_iteration_ == np.argmax(history) + 1 == len(history) - 5
    proba = model.predict_proba(rows[300:])[:, 1]
    # XGBoost's scores are in single precision
    best = score(labels[300:], proba, sample_weight=weight)
    assert_allclose(best, max(history), rtol=1e-5)


def test_stopping_on_a_score_of_several_classes(several):
    rows, labels = noisy_data()
    labels = labels + (rows[:, 1] > 1)
    model = several.set_params(stopping_metric="roc_auc_ovr", calibration=None)
    model.fit(rows[:300], labels[:300], X_val=rows[300:], y_val=labels[300:])
    history = model.evals_result_["validation"]["roc_auc_ovr"]
    best = roc_auc_score(labels[300:], model.predict_proba(rows[300:]), multi_class="ovr")
    assert_allclose(best, max(history), rtol=1e-5)


class Stop:
    """A callback of each library, which keeps the metric and stops in the third round."""

    def __init__(self):
        self.seen = []

    def __call__(self, env):
        (result,) = env.evaluation_result_list
        self.seen.append(result[2])
        if len(self.seen) == 3:
            raise KeyError("pruned")

    def after_iteration(self, info):
        self.seen.append(info.metrics["validation"]["MeanLoss"][-1])
        return len(self.seen) < 3


class StopInXGBoost(Stop, TrainingCallback):
    def after_iteration(self, model, epoch, evals_log):
        self.seen.append(evals_log["validation_0"]["log_loss"][-1])
        return len(self.seen) == 3


def test_callbacks_hear_of_the_training(booster):
    rows, labels = noisy_data()
    data = {"X_val": rows[300:], "y_val": labels[300:]}
    model = FocalClassifier(booster)
    library = type(booster).__module__.partition(".")[0]
    whole = clone(model).fit(rows[:300], labels[:300], **data)
    callback = StopInXGBoost() if library == "xgboost" else Stop()
    if library == "lightgbm":
        with pytest.raises(KeyError, match="pruned"):
            model.fit(rows[:300], labels[:300], **data, callbacks=[callback])
    else:
        model.fit(rows[:300], labels[:300], **data, callbacks=[callback])
    assert len(callback.seen) == 3
    # XGBoost's metric comes through text of twelve decimals
    assert_allclose(callback.seen, whole.evals_result_["validation"]["log_loss"][:3], rtol=1e-9)


def test_callbacks_of_the_estimator_are_the_user_s():
    rows, labels = noisy_data()
    callback = StopInXGBoost()
    booster = clone(BOOSTERS["xgboost"]).set_params(callbacks=[callback])
    model = FocalClassifier(booster)
    model.fit(rows[:300], labels[:300], X_val=rows[300:], y_val=labels[300:])
    assert len(callback.seen) == 3
    assert callback.seen[0] < 1


def test_the_booster_inside_has_its_history():
    rows, labels = noisy_data()
    booster = clone(BOOSTERS["xgboost"]).set_params(n_estimators=300)
    model = FocalClassifier(booster, early_stopping_rounds=5)
    model.fit(rows[:300], labels[:300], X_val=rows[300:], y_val=labels[300:])
    history = model.evals_result_["validation"]["log_loss"]
    assert model.estimator_.evals_result() == {"validation_0": {"log_loss": history}}
    assert_allclose(model.estimator_.best_score, min(history))
    assert model.estimator_.get_params()["objective"] == "binary:logistic"


def test_no_early_stopping(booster):
    rows, labels = noisy_data()
    model = FocalClassifier(booster.set_params(n_estimators=60), early_stopping_rounds=None)
    model.fit(rows[:300], labels[:300], X_val=rows[300:], y_val=labels[300:])
    assert model.best_iteration_ == len(model.evals_result_["validation"]["log_loss"]) == 60


def test_failed_refit_leaves_the_model(model):
    proba = model.fit(X, WORDS).predict_proba(X)
    with pytest.raises(ValueError, match="y_val must hold labels of y only"):
        model.fit(X, 1 - Y, X_val=X, y_val=Y + 5)
    assert_array_equal(model.predict_proba(X), proba)
    assert_array_equal(model.classes_, ["fraud", "legit"])


def test_failed_refit_leaves_the_columns(model):
    table = pd.DataFrame(X, columns=list("abcd"))
    proba = model.fit(table, Y).predict_proba(table)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(table[list("dcba")], np.where(Y == 1, np.nan, 0))
    assert_array_equal(model.feature_names_in_, list("abcd"))
    assert_array_equal(model.predict_proba(table), proba)
    with pytest.raises(ValueError, match="same order"):
        model.predict(table[list("dcba")])


def test_failed_first_fit_is_not_fitted(model):
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, np.full(400, np.nan))
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not hasattr(model, "feature_importances_")


def test_feature_importances(model):
    model.fit(X, Y)
    assert_array_equal(model.feature_importances_, model.estimator_.feature_importances_)
    assert model.feature_importances_.shape == (4,)
    # of the four columns the first two say the most
    chosen = SelectFromModel(model, max_features=2, threshold=-np.inf).fit(X, Y)
    assert_array_equal(chosen.get_support(), [True, True, False, False])
    assert RFE(model, n_features_to_select=2).fit(X, Y).support_.sum() == 2


@pytest.mark.parametrize("rounds", [0, -1, 2.5, np.nan, True, "5"])
def test_bad_early_stopping_rounds(model, rounds):
    model.set_params(early_stopping_rounds=rounds)
    with pytest.raises(ValueError, match="early_stopping_rounds must be a whole number >= 1, got"):
        model.fit(X, Y, X_val=X, y_val=Y)


def test_rounds_of_a_grid(model):
    rows, labels = noisy_data()
    valid = {"X_val": rows[300:], "y_val": labels[300:]}
    ours = clone(model).set_params(early_stopping_rounds=3).fit(rows[:300], labels[:300], **valid)
    grid = model.set_params(early_stopping_rounds=np.int64(3)).fit(
        rows[:300], labels[:300], **valid
    )
    assert grid.best_iteration_ == ours.best_iteration_


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_pos_label_does_not_turn_constraints(name):
    inner = clone(BOOSTERS[name]).set_params(monotone_constraints=(1, 0, 0, 0))
    labels = np.where(X[:, 0] > 0, "z", "a")
    for pos_label, alpha in (("z", 0.75), ("a", 0.25)):
        model = FocalClassifier(inner, pos_label=pos_label, alpha=alpha).fit(X, labels)
        assert model.loss_.alpha == 0.75
        assert np.ptp(model.predict_proba(X)[:, 1]) > 0.5


def test_validation_data_in_a_pipeline(model):
    rows, labels = noisy_data()
    rows = rows * 100 + 7
    with config_context(enable_metadata_routing=True):
        routed = model.set_fit_request(X_val=True, y_val=True)
        routed.set_params(early_stopping_rounds=3, calibration=None)
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("model", routed)], transform_input=["X_val"]
        )
        pipeline.fit(rows[:300], labels[:300], X_val=rows[300:], y_val=labels[300:])
        history = pipeline[-1].evals_result_["validation"]["log_loss"]
        assert_allclose(
            log_loss(labels[300:], pipeline.predict_proba(rows[300:])), min(history), rtol=1e-5
        )


# Tables.


def mixed_table():
    rng = np.random.default_rng(9)
    city = rng.choice(["Paris", "Rome", "Oslo"], 400).astype(object)
    city[::17] = None
    return pd.DataFrame(
        {
            "amount": np.where(rng.random(400) < 0.1, np.nan, X[:, 0]),
            "city": pd.Categorical(city),
            "count": pd.array(np.where(np.arange(400) % 11, X[:, 1] * 10, 0), dtype="Int64"),
            "new": pd.array(X[:, 2] > 0, dtype="boolean"),
            "old": X[:, 3] > 0,
        }
    )


def test_pandas(model):
    table = mixed_table()
    table.loc[3, ["count", "new"]] = pd.NA
    before = table.copy()
    model.fit(table, Y)
    pd.testing.assert_frame_equal(table, before)
    assert_array_equal(model.feature_names_in_, table.columns)
    proba = model.predict_proba(table)
    # The same rows give the same, whatever categories the frame at hand happens to hold.
    some = table[table["city"] == "Rome"].copy()
    some["city"] = some["city"].cat.remove_unused_categories()
    assert_allclose(model.predict_proba(some), proba[table["city"] == "Rome"], rtol=1e-12)
    unseen = table.iloc[:5].assign(city=pd.Categorical(["Lima"] * 5))
    missing = table.iloc[:5].assign(city=pd.Categorical([None] * 5, ["Oslo"]))
    assert_array_equal(model.predict_proba(unseen), model.predict_proba(missing))
    assert np.ptp(model.predict_proba(table.assign(city=pd.Categorical(["Oslo"] * 400)))) > 0


def test_polars_is_pandas(model):
    table = mixed_table()
    frame = polars.DataFrame(
        {
            "amount": polars.Series(table["amount"].to_numpy(), nan_to_null=True),
            "city": polars.Series(
                table["city"].astype(object).where(table["city"].notna(), None).tolist()
            ).cast(polars.Categorical),
            "count": table["count"].tolist(),
            "new": table["new"].tolist(),
            "old": table["old"].tolist(),
        }
    )
    by_pandas = clone(model).fit(table, Y).predict_proba(table)
    by_polars = clone(model).fit(frame, Y)
    assert_allclose(by_polars.predict_proba(frame), by_pandas, rtol=0, atol=1e-15)
    assert_array_equal(by_polars.feature_names_in_, frame.columns)


def test_sparse(model):
    rows = np.where(np.abs(X) > 0.5, X, 0.0)
    sparse = clone(model).fit(csr_matrix(rows), Y).predict_proba(csr_matrix(rows))
    # XGBoost reads an absent entry as missing, the others as 0: each as its own classifier does.
    dense = np.where(rows == 0, np.nan, rows) if type(model.estimator) is XGBClassifier else rows
    assert_allclose(sparse, model.fit(dense, Y).predict_proba(dense), rtol=0, atol=1e-12)


def test_columns_in_another_order(model):
    table = pd.DataFrame(X, columns=list("abcd"))
    model.fit(table, Y)
    with pytest.raises(ValueError, match=r"(?s)same order.*\['a', 'b', 'c', 'd'\], got \['d', 'c'"):
        model.predict(table[list("dcba")])


def test_text_column(model):
    text = {"amount": X[:, 0], "city": ["Paris", "Rome"] * 200}
    with pytest.raises(ValueError, match=r"X column 'city' must be .*astype\('category'\)"):
        model.fit(pd.DataFrame(text), Y)
    with pytest.raises(ValueError, match=r"X column 'city' must be .*cast text to Categorical"):
        model.fit(polars.DataFrame(text), Y)
    with pytest.raises(TypeError, match=r"got a polars LazyFrame: collect\(\) it"):
        model.fit(polars.LazyFrame(text), Y)
    with pytest.raises(ValueError, match=r"got dtype datetime64.* encode it as numbers"):
        model.fit(pd.DataFrame({"day": pd.date_range("2026-01-01", periods=400)}), Y)


@pytest.mark.parametrize(
    "values",
    [
        [10, 20],
        pd.array([10, 20], dtype="Int64"),
        [True, False],
        [1.5, 2.5],
        ["a", 2],
        [None, None],
        pd.to_datetime(["2026-01-01", "2026-01-02"]),
    ],
    ids=str,
)
def test_categories_of_any_kind(model, values):
    column = pd.Categorical(pd.Series(values)).take(np.where(X[:, 0] > 0, 1, 0))
    table = pd.DataFrame({"kind": column, "number": X[:, 1]})
    proba = model.fit(table, (X[:, 0] > 0).astype(int)).predict_proba(table)[:, 1]
    has_kinds = len(column.categories) == 2
    assert (proba[X[:, 0] > 0].min() > proba[X[:, 0] <= 0].max()) == has_kinds


def test_category_column_of_another_kind(model):
    table = pd.DataFrame({"kind": pd.Categorical(np.where(Y == 1, 20, 10)), "number": X[:, 1]})
    model.fit(table, Y)
    with pytest.raises(ValueError, match="'kind' must hold categories of the kind in fit, integer"):
        model.predict(table.assign(kind=table["kind"].astype(str)))
    with pytest.raises(ValueError, match="'kind' must be of dtype category as in fit, got dtype f"):
        model.predict(table.assign(kind=1.5))
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match="X must be a table with columns of dtype category"),
    ):
        model.predict(table.astype(float).to_numpy())


class OwnFrame(pd.DataFrame):
    @property
    def _constructor(self):
        return OwnFrame


@pytest.mark.parametrize("make", [OwnFrame, pyarrow.Table.from_pandas], ids=["subclass", "arrow"])
def test_other_tables_have_names_too(model, make):
    table = pd.DataFrame(X, columns=list("abcd"))
    proba = model.fit(make(table), Y).predict_proba(make(table))
    assert_array_equal(proba, clone(model).fit(table, Y).predict_proba(table))
    with pytest.raises(ValueError, match="same order"):
        model.predict(make(table[list("dcba")]))


def test_reordered_columns_with_a_category(model):
    table = mixed_table()[["amount", "city", "old"]]
    model.fit(table, Y)
    with pytest.raises(ValueError, match=r"(?s)same order.*got \['city', 'amount', 'old'\]"):
        model.predict(table[["city", "amount", "old"]])


def test_words_of_a_text(model):
    documents = [f"loan {word}" for word in np.where(X[:, 0] > 0, "good", "late")]
    pipeline = make_pipeline(CountVectorizer(), model).fit(documents, X[:, 0] > 0)
    assert pipeline.score(documents, X[:, 0] > 0) == 1


def test_validation_array_beside_a_frame(model):
    table = pd.DataFrame(X, columns=list("abcd"))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.fit(table, Y, X_val=X, y_val=Y)
    assert len(model.evals_result_["validation"]["log_loss"]) == 15


def test_catboost_features():
    table = mixed_table()[["count", "city"]].assign(count=lambda t: t["count"].astype(int))
    inner = CatBoostClassifier(
        n_estimators=15, learning_rate=0.3, verbose=0, cat_features=["count"],
        monotone_constraints=None, allow_writing_files=False,
    )  # fmt: skip
    model = clone(FocalClassifier(inner)).fit(table, Y)
    assert model.estimator_.get_cat_feature_indices() == [0, 1]
    search = GridSearchCV(FocalClassifier(inner), {"gamma": [1.0, 2.0]}, cv=2).fit(table, Y)
    assert search.best_score_ > 0.5


def test_category_where_fit_had_numbers(model):
    model.fit(pd.DataFrame({"a": X[:, 0]}), Y)
    with pytest.raises(ValueError, match="X column 'a' must be numeric as in fit"):
        model.predict(pd.DataFrame({"a": pd.Categorical(["x", "y"])}))


# Among scikit-learn and its neighbours.


def test_grid_search(model):
    parameter = "estimator__learning_rate"
    grid = {"gamma": [0.5, 2.0], "alpha": [None, "balanced"], parameter: [0.1, 0.3]}
    search = GridSearchCV(model, grid, scoring="average_precision", cv=2, error_score="raise")
    search.fit(X, Y)
    assert set(search.best_params_) == set(grid)
    assert search.best_estimator_.loss_.gamma == search.best_params_["gamma"]
    scores = search.cv_results_["mean_test_score"]
    assert len(np.unique(scores)) > 2


def test_xgboost_gamma_is_its_own():
    # min_split_loss of 1e6 allows no split
    inner = clone(BOOSTERS["xgboost"]).set_params(gamma=1e6)
    assert np.ptp(FocalClassifier(inner, gamma=0.5).fit(X, Y).decision_function(X)) < 1e-6
    ours = FocalClassifier(BOOSTERS["xgboost"], gamma=5.0).fit(X, Y)
    assert ours.estimator_.get_params()["gamma"] is None


def test_column_transformer(model):
    table = mixed_table()
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"]),
        remainder="passthrough",
    )
    pipeline = make_pipeline(encode, model).fit(table[["amount", "city", "old"]], WORDS)
    assert pipeline.score(table[["amount", "city", "old"]], WORDS) > 0.7


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_calibrated_classifier(model, method):
    if method not in str(CalibratedClassifierCV._parameter_constraints["method"]):
        pytest.skip("this scikit-learn has no temperature scaling")
    calibrated = CalibratedClassifierCV(model, method=method, cv=3).fit(X, WORDS)
    assert log_loss(WORDS, calibrated.predict_proba(X)) < log_loss(
        WORDS, [[Y.mean(), 1 - Y.mean()]] * 400
    )


def test_thresholds(model):
    tuned = TunedThresholdClassifierCV(model, scoring="balanced_accuracy", cv=3).fit(X, Y)
    assert tuned.best_threshold_ < 0.5  # one in five is positive
    fixed = FixedThresholdClassifier(model, threshold=0.1).fit(X, Y)
    assert_array_equal(fixed.predict(X), fixed.estimator_.predict_proba(X)[:, 1] >= 0.1)


def test_cross_validation(model):
    proba = cross_val_predict(model, X, WORDS, cv=3, method="predict_proba")
    assert log_loss(Y == 0, proba) < log_loss(Y, np.full(400, Y.mean()))
    scores = cross_validate(model, X, Y, cv=3, scoring=["neg_log_loss", "roc_auc"], n_jobs=2)
    assert np.all(scores["test_roc_auc"] > 0.7)


def test_imbalanced_learn(model):
    sampled = make_imbalanced_pipeline(RandomOverSampler(random_state=0), model).fit(X, WORDS)
    assert sampled.score(X, WORDS) > 0.8
    for ensemble in (BalancedBaggingClassifier, EasyEnsembleClassifier):
        bag = ensemble(estimator=model, n_estimators=2, random_state=0).fit(X, WORDS)
        assert bag.score(X, WORDS) > 0.7


def test_ensembles(model):
    for ensemble in (
        BaggingClassifier(model, n_estimators=2, random_state=0),
        AdaBoostClassifier(model, n_estimators=2, random_state=0),
        VotingClassifier([("focal", model), ("linear", LogisticRegression())], voting="soft"),
        StackingClassifier([("focal", model)], LogisticRegression(), cv=2),
    ):
        assert ensemble.fit(X, WORDS).score(X, WORDS) > 0.8
    # AdaBoost's weights sum to 1, at which plain XGBoost could not split.
    importance = permutation_importance(model.fit(X, Y), X, Y, n_repeats=2, random_state=0)
    assert importance.importances_mean[:2].min() > importance.importances_mean[2:].max()


def test_optuna(model):
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        trial_model = clone(model).set_params(gamma=trial.suggest_float("gamma", 0, 5))
        proba = cross_val_predict(trial_model, X, Y, cv=2, method="predict_proba")
        return log_loss(Y, proba)

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=2)
    assert study.best_value < log_loss(Y, np.full(400, Y.mean()))


def test_html(model):
    assert "FocalClassifier" in model._repr_html_()
    assert type(model.estimator).__name__ in model._repr_html_()


# Saving.


def test_saving(model, tmp_path):
    model.fit(X, WORDS, X_val=X[:50], y_val=WORDS[:50])
    proba = model.predict_proba(X)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), proba)
    joblib.dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "X.npy", X)
    script = (
        "import joblib, numpy\n"
        "model = joblib.load('model.joblib')\n"
        "numpy.save('proba.npy', model.predict_proba(numpy.load('X.npy')))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    assert_array_equal(np.load(tmp_path / "proba.npy"), proba)
    again = clone(model).fit(X, WORDS, X_val=X[:50], y_val=WORDS[:50])
    assert_array_equal(again.predict_proba(X), proba)


def test_skops(model):
    table = mixed_table()[["amount", "city"]]
    model.fit(table, WORDS)
    data = skops.io.dumps(model)
    unknown = skops.io.get_untrusted_types(data=data)
    published = re.findall(r"``([\w.]+\.\w+)``", FocalClassifier.__doc__)
    assert "focalboost.estimator.classifier.FocalClassifier" in unknown
    assert set(unknown) <= set(published)
    loaded = skops.io.loads(data, trusted=unknown)
    assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))


def test_another_release_says_so_at_load(monkeypatch):
    model = FocalClassifier().fit(X, WORDS)
    data, by_skops = pickle.dumps(model), skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=by_skops)
    monkeypatch.setattr("focalboost.estimator.classifier.version", lambda name: "0.2.0")
    message = f"saved by focalboost {version('focalboost')}, and this is 0.2.0"
    for load in (
        lambda: pickle.loads(data),
        lambda: skops.io.loads(by_skops, trusted=trusted),
    ):
        with pytest.warns(UserWarning, match=message):
            loaded = load()
        assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert vars(pickle.loads(pickle.dumps(model))).keys() == vars(model).keys()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_pickle_of_the_first_release():
    # Made by tests/make_pickle.py; every later release must load it.
    folder = Path(__file__).parent / "data"
    with (folder / "focal_classifier_0.1.0.pickle").open("rb") as file:
        model, rows, proba = pickle.load(file)
    assert_allclose(model.predict_proba(rows), proba, rtol=1e-12)
    assert model.loss_ == FocalLoss(2.0, 0.75)


# Bad input.


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LGBMRegressor(), "LGBMClassifier, XGBClassifier or CatBoostClassifier, got LGBMRegressor"),
        (LGBMRanker(), "got LGBMRanker: others can take objective"),
        (XGBRFClassifier(), "got XGBRFClassifier"),
        (LogisticRegression(), "got LogisticRegression"),
        (make_pipeline(LGBMClassifier()), "got Pipeline: put FocalClassifier inside the Pipeline"),
    ],
)
def test_bad_estimator(estimator, message):
    with pytest.raises(TypeError, match=message):
        FocalClassifier(estimator).fit(X, Y)


def test_dask_is_refused():
    class DaskLGBMClassifier(LGBMClassifier):
        pass

    with pytest.raises(TypeError, match=r"got DaskLGBMClassifier: .*focalboost.dask.train"):
        FocalClassifier(DaskLGBMClassifier()).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("lightgbm", {"is_unbalance": True}),
        ("lightgbm", {"scale_pos_weight": 5}),
        ("lightgbm", {"objective": "regression"}),
        ("lightgbm", {"boosting_type": "rf"}),
        ("xgboost", {"scale_pos_weight": 5}),
        ("xgboost", {"base_score": 0.5}),
        ("catboost", {"scale_pos_weight": 5}),
        ("catboost", {"auto_class_weights": "Balanced"}),
        ("catboost", {"loss_function": "CrossEntropy"}),
        ("lightgbm", {"app": "binary"}),
        ("lightgbm", {"metric": "auc"}),
        ("lightgbm", {"early_stopping_rounds": 5}),
        ("xgboost", {"eval_metric": "aucpr"}),
        ("xgboost", {"early_stopping_rounds": 5}),
        ("xgboost", {"booster": "gblinear"}),
        ("catboost", {"eval_metric": "AUC"}),
        ("catboost", {"custom_metric": "AUC"}),
        ("catboost", {"od_wait": 5}),
        ("catboost", {"eval_fraction": 0.1}),
        ("catboost", {"text_features": (0,)}),
    ],
)
def test_silently_disabled_option_is_refused(name, params):
    estimator = clone(BOOSTERS[name]).set_params(**params)
    (option,) = params
    with pytest.raises(ValueError, match=f"{option} must be left out"):
        FocalClassifier(estimator).fit(X, Y)


@pytest.mark.parametrize(
    ("params", "labels", "kwargs", "message"),
    [
        ({"alpha": 0.9}, WORDS, {}, "pos_label must be given where alpha is a number"),
        ({"pos_label": "spam"}, WORDS, {}, r"pos_label must be a label of y, .* got 'spam'"),
        ({"alpha": {"fraud": 1}}, WORDS, {}, "alpha must have a weight for each label"),
        ({"alpha": {0: 1, 1: -1}}, Y, {}, r"alpha\[1\] must be > 0, got -1"),
        ({"alpha": "balance"}, Y, {}, "alpha must be a number, 'balanced', a callable, a dict or"),
        (
            {"alpha": lambda n: n[:1]},
            Y,
            {},
            "alpha must return 2 weights, one for each class, got 1",
        ),
        ({"alpha": 0.5}, Y + Y * (X[:, 0] > 1), {}, "got 0.5: a number is for two"),
        ({"loss": SoftmaxFocalLoss(3)}, Y, {}, "loss must be for 2 classes, as y has, got S"),
        ({"loss": FocalLoss()}, np.arange(400) % 3, {}, "loss must be for 3 classes, as y has"),
        ({"loss": FocalLoss(), "gamma": 1.0}, Y, {}, "gamma must be left out where loss is given"),
        ({"loss": SoftmaxFocalLoss(2)}, Y, {}, "loss must have one raw score for two classes"),
        ({"max_step": 0}, Y, {}, "max_step must be None or > 0, got 0"),
        ({"alpha": 2.0}, Y, {}, r"alpha must be None or in \(0, 1\), got 2.0"),
        ({"gamma": -1}, Y, {}, "gamma must be >= 0, got -1"),
        ({"stopping_metric": "auc"}, Y, {}, "stopping_metric must be .* got 'auc'"),
        ({"stopping_metric": 3}, Y, {}, "stopping_metric must be .* got 3"),
        ({}, Y * 0.5 + 0.1, {}, "Soft labels are for the native adapters"),
        ({}, np.stack([Y, Y], axis=1), {}, "wrap FocalClassifier in sklearn.multioutput.MultiOu"),
        ({}, np.zeros(400), {}, "y must hold two classes of positive weight, got one class"),
        ({}, Y, {"sample_weight": 1.0 * (Y == 0)}, "got one class"),
        ({}, Y, {"sample_weight": np.zeros(400)}, "(?i)sample.weights? must (have|contain)"),
        ({}, Y, {"sample_weight": -W}, "sample_weight must be finite and >= 0"),
        ({}, Y, {"X_val": X}, "X_val and y_val must be given together"),
        ({}, Y, {"X_val": X, "y_val": Y + 1}, "y_val must hold labels of y only, got 2"),
    ],
)
def test_bad_fit(model, params, labels, kwargs, message):
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(X, labels, **kwargs)


def test_no_booster_installed(monkeypatch):
    monkeypatch.setattr("focalboost.boosters.port.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="install lightgbm, xgboost or catboost"):
        FocalClassifier().fit(X, Y)


def test_default_estimator_is_the_first_installed():
    assert isinstance(FocalClassifier().fit(X, Y).estimator_, LGBMClassifier)


# Tables that a booster alone reads wrongly or not at all.


def same_as_plain(model, table):
    """Assert that a table trains the model that its plain numbers train."""
    expected = clone(model).fit(X, Y).predict_proba(X)
    assert_array_equal(clone(model).fit(table, Y).predict_proba(table), expected)


def test_big_endian_numbers(model):
    same_as_plain(model, X.astype(">f8"))
    same_as_plain(model, pd.DataFrame(X, columns=list("abcd")).astype(">f8"))


def test_masked_arrays(model):
    masked = np.ma.masked_array(X, X > 1)
    with_nan = np.where(X > 1, np.nan, X)
    proba = clone(model).fit(masked, Y).predict_proba(masked)
    assert_array_equal(proba, clone(model).fit(with_nan, Y).predict_proba(with_nan))
    assert np.max(np.abs(proba - clone(model).fit(X, Y).predict_proba(X))) > 1e-3


def test_names_with_characters_of_json(model):
    same_as_plain(model, pd.DataFrame(X, columns=['a"b', "a:b", "[c]", "d<e,{}"]))


@pytest.mark.parametrize(
    "table",
    [
        np.array(X * 1e9, dtype="datetime64[ns]"),
        np.array(X * 1e9, dtype="timedelta64[ns]"),
        X * 1j,
        pd.DataFrame(X * 1j, columns=list("abcd")),
    ],
    ids=["dates", "durations", "complex", "complex frame"],
)
def test_what_is_no_number_is_refused(model, table):
    with pytest.raises(ValueError, match=r"X must hold numbers|must be numeric|Complex data"):
        model.fit(table, Y)


def test_constraints_by_name_in_xgboost():
    table = pd.DataFrame(X, columns=list("abcd"))
    falls = clone(BOOSTERS["xgboost"]).set_params(monotone_constraints={"a": -1})
    model = FocalClassifier(falls).fit(table, Y)
    steps = np.linspace(-3, 3, 50)
    rows = pd.DataFrame(np.tile(X[:1], (50, 1)), columns=list("abcd")).assign(a=steps)
    scores = model.decision_function(rows)
    assert np.all(np.diff(scores) <= 0)
    free = FocalClassifier(clone(BOOSTERS["xgboost"])).fit(table, Y).decision_function(rows)
    assert np.any(np.diff(free) > 0)


def test_cat_features_of_catboost_may_be_text():
    table = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(
        word=np.where(X[:, 2] > 0, "high", "low")
    )
    booster = clone(BOOSTERS["catboost"]).set_params(cat_features=["word"])
    as_text = FocalClassifier(booster).fit(table, Y)
    as_category = FocalClassifier(BOOSTERS["catboost"]).fit(table.astype({"word": "category"}), Y)
    assert_array_equal(
        as_text.predict_proba(table),
        as_category.predict_proba(table.astype({"word": "category"})),
    )
    for name in ("text_features", "embedding_features"):
        booster = clone(BOOSTERS["catboost"]).set_params(**{name: ["word"]})
        with pytest.raises(ValueError, match=f"{name} must be left out .* other features"):
            FocalClassifier(booster).fit(table, Y)


def test_arguments_of_the_booster_s_fit(model):
    with pytest.raises(TypeError, match=r"unexpected argument 'eval_set'. Pass validation data"):
        model.fit(X, Y, eval_set=[(X, Y)])


def test_pos_label_is_for_two_classes(several):
    with pytest.raises(ValueError, match="pos_label must be None with 3 classes, got 1"):
        several.set_params(pos_label=1).fit(X, Y + (X[:, 2] > 0.8))
