"""The statistics of benchmarks/evidence, against oracles that are not ours."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, matthews_corrcoef

FOLDER = Path(__file__).parents[1] / "benchmarks" / "evidence"


@pytest.fixture(scope="module")
def modules():
    sys.path.insert(0, str(FOLDER))
    import comparison
    import measures

    sys.path.remove(str(FOLDER))
    return comparison, measures


def test_corrected_t_test_without_its_correction_is_the_t_test(modules):
    differences = np.random.default_rng(0).normal(0.3, 1.0, size=10)
    mean, error, p = modules[0].corrected_t_test(differences, 0.0)
    expected = stats.ttest_1samp(differences, 0.0)
    # The same formula in double precision.
    np.testing.assert_allclose([mean / error, p], [expected.statistic, expected.pvalue], rtol=1e-12)


def test_corrected_t_test_of_ten_folds_has_the_variance_of_nadeau_and_bengio(modules):
    # Ten folds of ten: 1 / 10 + 1 / 9 in the place of 1 / 10, their equation for n2 / n1 = 1 / 9.
    differences = np.random.default_rng(1).normal(0.3, 1.0, size=10)
    plain = stats.ttest_1samp(differences, 0.0).statistic
    mean, error, p = modules[0].corrected_t_test(differences, 1 / 9)
    statistic = plain * np.sqrt((1 / 10) / (1 / 10 + 1 / 9))
    expected = [statistic, 2 * stats.t.sf(abs(statistic), 9)]
    np.testing.assert_allclose([mean / error, p], expected, rtol=1e-12)


def test_calibration_slope_is_the_coefficient_of_a_logistic_regression(modules):
    # Hours of study and whether the exam was passed, with the coefficient that Wikipedia's article
    # on logistic regression prints to four decimals.
    hours = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 1.75, 2, 2.25, 2.5]
    hours += [2.75, 3, 3.25, 3.5, 4, 4.25, 4.5, 4.75, 5, 5.5]
    passed = [0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1]
    slope = modules[1].calibration_slope(np.array(passed), np.array(hours))
    assert slope == pytest.approx(1.5046, abs=1e-4)


@pytest.mark.parametrize("score", ["f1", "mcc"])
def test_best_threshold_is_that_of_a_search_through_all(modules, score):
    rng = np.random.default_rng(2)
    y = (rng.uniform(size=200) < 0.2).astype(int)
    z = np.round(y + rng.normal(size=200), 1)  # with ties
    theirs = {"f1": f1_score, "mcc": matthews_corrcoef}[score]
    ours = {"f1": modules[1].f1_of_counts, "mcc": modules[1].mcc_of_counts}[score]
    best = max(theirs(y, z >= value) for value in np.unique(z))
    found = theirs(y, z >= modules[1].best_threshold(y, z, ours))
    assert found == pytest.approx(best, rel=1e-12)  # the same counts


def test_calibration_error_of_a_hand_checked_case(modules):
    # Ten bins of two neighbours, each with one positive.
    p = np.linspace(0.2, 0.3, 20)
    y = np.tile([0, 1], 10)
    sums = p.reshape(10, 2).sum(axis=1)
    expected = np.mean(np.abs(1 - sums)) / 2
    assert modules[1].calibration_error(y, p) == pytest.approx(expected, rel=1e-12)
