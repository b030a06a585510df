"""compare_losses: the folds, the trainings and the interval are those of others.

The oracles are loops of the plain boosters and of scikit-learn, and SciPy's t interval.
"""

import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import xgboost
from backends import make_data, release
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier, early_stopping
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    fbeta_score,
    log_loss,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import RepeatedStratifiedKFold, ShuffleSplit, train_test_split
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

from focalboost import (
    BrierLoss,
    FocalClassifier,
    FocalLoss,
    LossComparison,
    LossComparisonDisplay,
    compare_losses,
)
from focalboost.estimator.own import OwnLossClassifier
from focalboost.inspection.comparison import corrected_interval

PATIENCE = 4
LGBM = LGBMClassifier(n_estimators=30, num_leaves=4, learning_rate=0.3, n_jobs=1, verbose=-1)
XGB = XGBClassifier(n_estimators=30, max_depth=2, learning_rate=0.3, n_jobs=1)
CATBOOST = CatBoostClassifier(
    n_estimators=30, depth=3, learning_rate=0.3, thread_count=1, verbose=0, random_seed=0
)
X, Y, W = make_data(400)
TO_SCORE = ["average_precision", "roc_auc", "neg_log_loss", "neg_brier_score"]


@pytest.fixture(autouse=True)
def _one_thread():
    with threadpool_limits(1):  # more than free cores would wait for each other
        yield


def made(scores, losses=("own log loss", "gamma=2"), test_share=0.25, **kwargs):
    scores = {name: np.asarray(values) for name, values in scores.items()}
    times = np.ones_like(next(iter(scores.values())))
    return LossComparison("LGBMClassifier", losses, scores, times, test_share, **kwargs)


# The interval.


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_interval_is_that_of_nadeau_and_bengio(level):
    rng = np.random.default_rng(0)
    own, focal = rng.normal(0.5, 0.01, size=(2, 10))
    row = made({"roc_auc": [own, focal]}, confidence_level=level).rows[1]
    plain = stats.ttest_1samp(focal - own, 0.0).confidence_interval(level)
    # Five folds twice: 1 / 10 + 1 / 4 in the place of 1 / 10, their equation for n2 / n1 = 1 / 4.
    half = (plain.high - plain.low) / 2 * np.sqrt((1 / 10 + 1 / 4) / (1 / 10))
    mean = np.mean(focal - own)
    # The same formula in double precision.
    assert_allclose([row.difference, row.low, row.high], [mean, mean - half, mean + half], 1e-12)
    assert row.mean == pytest.approx(np.mean(focal))


def test_interval_without_the_training_samples_in_common_is_scipy_s():
    differences = np.random.default_rng(1).normal(0.3, 1.0, size=8)
    plain = stats.ttest_1samp(differences, 0.0).confidence_interval(0.95)
    assert_allclose(corrected_interval(differences, 0.0, 0.95)[1:], plain, rtol=1e-12)


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.1, "better"), (-0.1, "worse"), (0.0, "no difference seen")]
)
def test_verdict_is_where_the_interval_lies(shift, verdict):
    own = np.linspace(0.4, 0.6, 10)
    noise = np.tile([-0.01, 0.01], 5)
    reference, row = made({"roc_auc": [own, own + noise + shift]}).rows
    assert reference.verdict == "reference"
    assert row.verdict == verdict
    assert (row.low > 0, row.high < 0) == (verdict == "better", verdict == "worse")


def test_rounding_of_single_precision_is_no_difference():
    own = np.linspace(0.4, 0.6, 10)
    row = made({"roc_auc": [own, own * (1 + 3e-7)]}).rows[1]
    assert (row.difference, row.low, row.high) == (0.0, 0.0, 0.0)
    assert row.verdict == "no difference seen"
    # A difference of 1e-5 everywhere is one.
    assert made({"roc_auc": [own, own * (1 + 1e-5)]}).rows[1].verdict == "better"


# The trainings.


def train_lightgbm(model, fit, valid):
    X_valid, y_valid, w_valid = valid
    return model.fit(
        fit[0], fit[1], sample_weight=fit[2], eval_set=[(X_valid, y_valid)],
        eval_sample_weight=[w_valid], callbacks=[early_stopping(PATIENCE, verbose=False)],
    )  # fmt: skip


def train_xgboost(model, fit, valid):
    model.set_params(early_stopping_rounds=PATIENCE)
    weights = {} if valid[2] is None else {"sample_weight_eval_set": [valid[2]]}
    return model.fit(
        fit[0], fit[1], sample_weight=fit[2], eval_set=[valid[:2]], verbose=False, **weights
    )


def train_catboost(model, fit, valid):
    return model.fit(
        fit[0], fit[1], sample_weight=fit[2], eval_set=valid[:2], early_stopping_rounds=PATIENCE
    )


TRAINERS = {
    LGBMClassifier: train_lightgbm,
    XGBClassifier: train_xgboost,
    CatBoostClassifier: train_catboost,
}


def loop(train, X, y, w, folds):
    """Yield models and test samples of a loop over folds with a part for early stopping."""
    for train_rows, test_rows in folds:
        fit, valid = train_test_split(
            train_rows, test_size=0.2, stratify=y[train_rows], random_state=0
        )
        parts = [(X[rows], y[rows], None if w is None else w[rows]) for rows in (fit, valid)]
        yield train(*parts), X[test_rows], y[test_rows], None if w is None else w[test_rows]


def scores_of(model, X, y, w):
    proba = model.predict_proba(X)
    weight = {} if w is None else {"sample_weight": w}
    if proba.shape[1] > 2:
        one_hot = np.eye(proba.shape[1])[y]
        return [
            average_precision_score(one_hot, proba),
            roc_auc_score(y, proba, multi_class="ovr"),
            -log_loss(y, proba),
        ]
    return [
        average_precision_score(y, proba[:, 1], **weight),
        roc_auc_score(y, proba[:, 1], **weight),
        -log_loss(y, proba, **weight),
        -brier_score_loss(y, proba[:, 1], **weight),
    ]


@pytest.mark.parametrize(
    ("booster", "is_weighted", "n_classes"),
    [(LGBM, False, 2), (LGBM, True, 2), (XGB, True, 2), (CATBOOST, False, 2),
     (LGBM, False, 3), (XGB, False, 3), (CATBOOST, False, 3)],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else value,
)  # fmt: skip
def test_scores_are_those_of_a_loop_of_the_plain_booster(booster, is_weighted, n_classes):
    if n_classes > 2 and not get_tags(FocalClassifier(booster)).classifier_tags.multi_class:
        pytest.skip("several classes need XGBoost 3.1")
    X, y, w = make_data(400, n_classes=n_classes)
    w = w if is_weighted else None
    folds = [*RepeatedStratifiedKFold(n_splits=2, n_repeats=1, random_state=0).split(X, y)]
    model = FocalClassifier(booster, early_stopping_rounds=PATIENCE)
    found = compare_losses(model, X, y, losses=[2.0], cv=folds, sample_weight=w)

    def fresh():
        return type(booster)(**booster.get_params())

    own = [*loop(lambda *parts: TRAINERS[type(booster)](fresh(), *parts), X, y, w, folds)]
    focal = [
        *loop(
            lambda fit, valid: FocalClassifier(fresh(), early_stopping_rounds=PATIENCE).fit(
                *fit, *valid
            ),
            X, y, w, folds,
        )
    ]  # fmt: skip
    for held, expected in ((0, own), (1, focal)):
        expected = np.transpose([scores_of(*test) for test in expected])
        got = np.array([scores[held] for scores in found.scores.values()])
        # XGBoost and CatBoost return probabilities in single precision, whose ties and roundings
        # are not those of raw scores: here they move a metric by up to 1e-6.
        assert_allclose(got, expected, rtol=0, atol=1e-6)
    # Early stopping is seen at work, and the losses are not the same.
    rounds = [m.best_iteration if booster is XGB else m.best_iteration_ for m, *_ in own]
    assert min(rounds) < 29
    assert not np.allclose(got, [scores[0] for scores in found.scores.values()], atol=1e-4)
    assert [*found.scores] == (
        TO_SCORE if n_classes == 2 else ["average_precision", "roc_auc_ovr", "neg_log_loss"]
    )
    assert found.test_share == 1.0
    assert found.fit_time.shape == (2, 2)


def test_folds_are_the_same_for_all_losses():
    cv = ShuffleSplit(3, test_size=0.3)  # draws other folds whenever it is asked
    found = compare_losses(
        LGBM, X, Y, losses={"a": 2.0, "b": FocalLoss(2.0)}, cv=cv, scoring=["roc_auc"],
        random_state=None,
    )  # fmt: skip
    for _, a, b in found.scores.values():
        assert_array_equal(a, b)
        assert len({*a}) == 3


@pytest.mark.parametrize("booster", [LGBM, XGB], ids=["lightgbm", "xgboost"])
def test_log_loss_is_not_different_from_itself(booster):
    if booster is XGB and release(xgboost) < (3, 1):
        pytest.skip("before 3.1 XGBoost's own log loss starts at a probability of 0.5")
    model = FocalClassifier(booster, max_step=None, calibration=None)
    found = compare_losses(model, X, Y, losses=[0.0], cv=3)
    for row in found.rows[1::2]:
        assert (row.difference, row.low, row.high) == (0.0, 0.0, 0.0)
        assert row.verdict == "no difference seen"


def test_default_folds_are_five_twice_for_each_loss(monkeypatch):
    seen = []

    def spy(*args, cv, **kwargs):
        seen.append(cv)
        return {"test_roc_auc": np.zeros(10), "fit_time": np.zeros(10)}

    monkeypatch.setattr("focalboost.inspection.comparison.cross_validate", spy)
    found = compare_losses(LGBM, X, Y, losses=[2.0, 5.0], scoring="roc_auc", random_state=3)
    expected = [*RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=3).split(X, Y)]
    assert len(seen) == 3
    for folds in seen:
        for fold, of_scikit_learn in zip(folds, expected, strict=True):
            assert_array_equal(np.concatenate(fold), np.concatenate(of_scikit_learn))
    assert found.test_share == pytest.approx(1 / 4)


def slow(y_true, raw_prediction):
    """Log loss, whose Hessian is a thousand times too large: nothing is learnt in 30 rounds."""
    p = expit(raw_prediction)
    return p - y_true, 1000 * p * (1 - p)


def slow_value(y_true, raw_prediction):
    return np.logaddexp(0.0, np.where(y_true == 1, -raw_prediction, raw_prediction))


def test_worse_and_better_losses_are_found_out():
    losses = {"slow": (slow_value, slow)}
    found = compare_losses(LGBM, X, Y, losses=losses, scoring="neg_brier_score", cv=5)
    assert found.rows[1].verdict == "worse"
    # A loss that learns nothing is better than log loss on labels that tell nothing.
    noise = np.random.default_rng(0).permutation(Y)
    wild = LGBMClassifier(
        n_estimators=30, learning_rate=1.0, min_child_samples=2, n_jobs=1, verbose=-1
    )
    found = compare_losses(
        wild, X, noise, losses=losses, scoring="neg_brier_score", cv=5, validation_fraction=None
    )
    assert found.rows[1].verdict == "better"


def test_every_round_is_trained_without_validation_samples():
    folds = RepeatedStratifiedKFold(n_splits=2, n_repeats=1, random_state=0).split(X, Y)
    found = compare_losses(
        LGBM, X, Y, losses=[1.0], cv=(folds := [*folds]), scoring="neg_log_loss",
        validation_fraction=None,
    )  # fmt: skip
    params = LGBM.get_params()
    expected = [
        -log_loss(Y[test], LGBMClassifier(**params).fit(X[train], Y[train]).predict_proba(X[test]))
        for train, test in folds
    ]
    assert_allclose(found.scores["neg_log_loss"][0], expected, rtol=1e-12)


def test_temperature_of_own_log_loss_is_the_best_on_the_validation_samples():
    X_val, y_val = X[300:], Y[300:]
    model = OwnLossClassifier(
        LGBM, gamma=0.0, calibration="temperature", early_stopping_rounds=None
    )
    model.fit(X[:300], Y[:300], X_val=X_val, y_val=y_val)
    plain = LGBMClassifier(**LGBM.get_params()).fit(X[:300], Y[:300])
    raw = plain.predict(X_val, raw_score=True)
    best = minimize_scalar(lambda t: log_loss(y_val, expit(t * raw)), bounds=(0.1, 5.0))
    assert model.calibration_.factor == pytest.approx(best.x, abs=1e-4)  # of SciPy's search
    assert_allclose(model.raw_prediction(X_val), raw, rtol=1e-12)
    found = [
        compare_losses(
            FocalClassifier(LGBM, calibration=name), X, Y, losses=[2.0], cv=2,
            scoring=["neg_log_loss", "roc_auc"],
        ).scores
        for name in (None, "balance", "temperature")
    ]  # fmt: skip
    none, balance, temperature = (scores["neg_log_loss"][0] for scores in found)
    assert_array_equal(none, balance)
    assert np.all(none != temperature)
    # a factor changes no order
    assert_allclose(found[0]["roc_auc"][0], found[2]["roc_auc"][0], rtol=1e-12)


def test_tables_and_labels_are_those_of_focal_classifier():
    frame = pd.DataFrame(X, columns=[*"abcd"])
    frame["a"] = pd.Categorical(np.where(frame["a"] > 0, "high", "low"))
    words = pd.Series(np.where(Y == 1, "legit", "fraud"))
    numbers = frame.assign(a=frame["a"].cat.codes.astype("category"))
    for booster in (LGBM, CATBOOST):
        booster = type(booster)(**{**booster.get_params(), "n_estimators": 5})
        model = FocalClassifier(booster, alpha={"fraud": 1.0, "legit": 3.0})
        got = compare_losses(model, frame, words, losses=[2.0], cv=2, scoring="average_precision")
        model = FocalClassifier(booster, alpha={0: 1.0, 1: 3.0})
        expected = compare_losses(
            model, numbers, Y, losses=[2.0], cv=2, scoring="average_precision"
        )
        assert_array_equal(got.scores["average_precision"], expected.scores["average_precision"])


def test_scorers_of_one_s_own_and_threads():
    def share_of_positives(estimator, X, y):
        return np.mean(estimator.predict(X))

    scoring = {"f2": make_scorer(fbeta_score, beta=2), "share": share_of_positives}
    kwargs = {"losses": [BrierLoss()], "cv": 2, "scoring": scoring, "sample_weight": W}
    found = compare_losses(LGBM, X, Y, **kwargs)
    assert found.losses == ("own log loss", "BrierLoss()")
    assert [*found.scores] == ["f2", "share"]
    with joblib.parallel_backend("threading"):
        threads = compare_losses(LGBM, X, Y, n_jobs=2, **kwargs)
    for name, scores in found.scores.items():
        assert_array_equal(threads.scores[name], scores)
    unweighted = compare_losses(LGBM, X, Y, **{**kwargs, "sample_weight": None})
    assert not np.array_equal(unweighted.scores["f2"], found.scores["f2"])
    # The caller's scorer is as it was.
    assert "sample_weight" not in repr(scoring["f2"])


def test_estimator_stays_as_it_was():
    booster = LGBMClassifier(**LGBM.get_params())
    before = booster.get_params()
    compare_losses(booster, X, Y, losses=[2.0], cv=2, scoring="roc_auc")
    assert booster.get_params() == before
    assert not hasattr(booster, "classes_")


# The report and the display.

SCORES = {
    "roc_auc": [[0.50, 0.52, 0.48, 0.50], [0.56, 0.59, 0.55, 0.58], [0.51, 0.51, 0.48, 0.50]],
    "neg_log_loss": [[-0.5, -0.6, -0.5, -0.6], [-0.9, -1.1, -0.9, -1.0], [-0.5, -0.6, -0.5, -0.6]],
}
LOSSES = ("own log loss", "gamma=2", "gamma=5")


def test_table_has_the_numbers_of_the_rows():
    comparison = made(SCORES, LOSSES)
    lines = str(comparison).splitlines()
    assert lines[0].startswith("LGBMClassifier on 4 folds: differences to own log loss, with 95 %")
    for row in comparison.rows[1:3] + comparison.rows[4:]:
        (line,) = [
            line for line in lines
            if row.loss in line and f"{row.difference:+.4f}  [{row.low:+.4f}" in line
        ]  # fmt: skip
        assert line.endswith(row.verdict)
        assert f"{row.mean:.4f}" in line
    assert lines[-2].startswith("4 comparisons")
    assert "about 0.2 of them" in lines[-1]


def test_frame_has_the_rows(monkeypatch):
    comparison = made(SCORES, LOSSES)
    frame = comparison.to_frame()
    fields = ["metric", "loss", "mean", "difference", "low", "high", "verdict"]
    assert [*frame.columns] == fields
    assert [*frame.itertuples(index=False, name=None)] == [*map(tuple, comparison.rows)]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"^to_frame needs pandas: install pandas, or use"):
        comparison.to_frame()


def test_display_draws_the_rows():
    comparison = made(SCORES, LOSSES)
    display = LossComparisonDisplay.from_comparison(comparison)
    assert display.intervals_.shape == (2, 2)
    compared = [row for row in comparison.rows if row.verdict != "reference"]
    colours = {"better": "tab:blue", "worse": "tab:red", "no difference seen": "0.5"}
    assert {row.verdict for row in compared} == {*colours}
    for row, container in zip(compared, display.intervals_.ravel(), strict=True):
        point, caps, (bar,) = container.lines
        assert_allclose(point.get_xdata(orig=False), [row.difference])
        assert_allclose(
            [cap.get_xdata(orig=False)[0] for cap in caps], [row.low, row.high], atol=1e-15
        )
        assert_allclose(bar.get_segments()[0][:, 0], [row.low, row.high], atol=1e-15)
        assert point.get_color() == colours[row.verdict]
    for axes, zero, metric in zip(display.axes_, display.zeros_, SCORES, strict=True):
        assert_array_equal(zero.get_xdata(), [0, 0])
        assert axes.get_title() == metric
        assert [label.get_text() for label in axes.get_yticklabels()] == [*LOSSES[1:]]
        assert axes.yaxis_inverted()  # the first loss is at the top
    again = LossComparisonDisplay.from_comparison(
        comparison, metrics=["neg_log_loss"], ax=display.axes_[0]
    )
    assert again.figure_ is display.figure_
    assert [*again.rows] == ["neg_log_loss"]
