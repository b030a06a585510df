"""What is measured on held-out samples, from their log-odds or class probabilities."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    roc_auc_score,
)

from focalboost import FocalLoss
from focalboost.boosters.port import Samples
from focalboost.estimator.calibration import fit_calibration

# log_loss clips probabilities just inside 0 and 1; this bound does the same for log-odds.
LARGEST_LOG_ODDS = 36.0
BINS = 10


def calibrated(method, z_valid, y_valid, z):
    """Return log-odds z after "balance", "temperature" or "platt", fitted on validation samples.

    Log-odds are the raw scores of log loss, so that FocalClassifier's calibration takes the
    log-odds of any model.
    """
    samples = Samples(bounded(z_valid), y_valid, None)
    calibration = fit_calibration(method, FocalLoss(0.0), lambda raw: raw, samples, samples)
    return calibration(bounded(z))


def tempered(log_proba_valid, y_valid, log_proba):
    """Return log-probabilities after one temperature, fitted on validation samples."""
    valid = np.maximum(log_proba_valid, -LARGEST_LOG_ODDS)
    found = minimize_scalar(
        lambda t: log_loss_of_several(y_valid, np.exp(t) * valid), bounds=(-3, 3), method="bounded"
    )
    return np.exp(found.x) * np.maximum(log_proba, -LARGEST_LOG_ODDS)


def log_loss_of_binary(y, z):
    return log_loss(y, expit(bounded(z)), labels=[0, 1])


def log_loss_of_several(y, log_proba):
    p = softmax(np.maximum(log_proba, -LARGEST_LOG_ODDS), axis=1)
    return log_loss(y, p, labels=np.arange(p.shape[1]))


def of_binary(y, z, z_valid, y_valid):
    """Return the measures; the thresholds are chosen on the validation samples."""
    z, z_valid = bounded(z), bounded(z_valid)
    p = expit(z)
    best = {
        score: best_threshold(y_valid, z_valid, function)
        for score, function in (("f1", f1_of_counts), ("mcc", mcc_of_counts))
    }
    return {
        "average_precision": average_precision_score(y, z),
        "roc_auc": roc_auc_score(y, z),
        "log_loss": log_loss_of_binary(y, z),
        "brier": np.mean((p - y) ** 2),
        "calibration_slope": calibration_slope(y, z),
        "calibration_error": calibration_error(y, p),
        "f1": f1_score(y, z >= 0, zero_division=0),
        "mcc": matthews_corrcoef(y, z >= 0),
        "f1_tuned": f1_score(y, z >= best["f1"], zero_division=0),
        "mcc_tuned": matthews_corrcoef(y, z >= best["mcc"]),
        "mean_over_rate": np.mean(p) / np.mean(y),
    }


def of_multiclass(y, log_proba):
    """Return the measures of log-probabilities; average precision is the macro mean."""
    p = softmax(np.maximum(log_proba, -LARGEST_LOG_ODDS), axis=1)
    one_hot = np.eye(p.shape[1])[y]
    return {
        "average_precision": average_precision_score(one_hot, p, average="macro"),
        "roc_auc": roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "log_loss": log_loss_of_several(y, log_proba),
        "brier": np.mean(np.sum((p - one_hot) ** 2, axis=1)),
        "f1": f1_score(y, np.argmax(p, axis=1), average="macro"),
        "mcc": matthews_corrcoef(y, np.argmax(p, axis=1)),
    }


def calibration_slope(y, z):
    """Return the slope of the labels' log-odds on the model's, which is 1 if calibrated.

    It is NaN if the log-odds separate the labels or are all the same.
    """
    separated = np.min(z[y == 1]) >= np.max(z[y == 0]) or np.max(z[y == 1]) <= np.min(z[y == 0])
    if separated or np.ptp(z) == 0:
        return np.nan
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    return float(model.fit(z[:, np.newaxis], y).coef_[0, 0])


def calibration_error(y, p):
    """Return the mean distance of labels and probabilities over ten bins of equal size.

    With a rare class and bins of equal width, the first bin would hold nearly all samples.
    """
    order = np.argsort(p, kind="stable")
    bins = [rows for rows in np.array_split(order, BINS) if len(rows)]
    return sum(abs(np.sum(y[rows] - p[rows])) for rows in bins) / len(y)


def best_threshold(y, z, score):
    """Return the threshold on log-odds with the best score.

    It lies half way to the next smaller log-odds, so that no validation sample lies on it.
    """
    values = np.unique(z)[::-1]
    order = np.argsort(-z, kind="stable")
    last = np.searchsorted(-z[order], -values, side="right") - 1
    true = np.cumsum(y[order])[last]
    called = last + 1
    best = np.argmax(score(true, called, np.sum(y), len(y)))
    return values[best] if best == len(values) - 1 else (values[best] + values[best + 1]) / 2


def f1_of_counts(true, called, positives, n):
    return 2 * true / (called + positives)


def mcc_of_counts(true, called, positives, n):
    spread = np.sqrt(called * (n - called) * positives * (n - positives))
    return (n * true - called * positives) / np.where(spread == 0, np.inf, spread)


def bounded(z):
    return np.clip(np.asarray(z, dtype=float), -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
