"""Statistics of paired differences between two arms, per set and over sets."""

import numpy as np
from scipy import stats

from focalboost.inspection.comparison import corrected_error


def corrected_t_test(differences, test_share):
    """Return mean, standard error and p-value of the corrected resampled t test.

    ``test_share`` is ``n_test / n_train``; see `focalboost.compare_losses`.
    """
    differences = np.asarray(differences, dtype=float)
    n = len(differences)
    mean = np.mean(differences)
    error = corrected_error(differences, test_share) if n > 1 else np.nan
    if error == 0:
        return mean, error, 1.0 if mean == 0 else 0.0
    return mean, error, 2 * stats.t.sf(abs(mean) / error, n - 1)


def wilcoxon(differences):
    """Return the p-value of the signed-rank test over sets."""
    differences = np.asarray(differences, dtype=float)
    return 1.0 if np.all(differences == 0) else stats.wilcoxon(differences).pvalue


def bootstrap_interval(values, seed=0):
    """Return the 95 % interval of the mean over sets, which are drawn with replacement."""
    values = np.asarray(values, dtype=float)
    if np.ptp(values) == 0:
        return values[0], values[0]
    found = stats.bootstrap((values,), np.mean, n_resamples=2_000, rng=seed, method="percentile")
    return tuple(found.confidence_interval)


def wins(differences, tolerance=0.0):
    """Return how many differences are above, within and below the tolerance."""
    differences = np.asarray(differences, dtype=float)
    above, below = np.sum(differences > tolerance), np.sum(differences < -tolerance)
    return int(above), int(len(differences) - above - below), int(below)
