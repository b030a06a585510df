"""XGBoost on several workers: as on one process, and an error on one is the end on all."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from workers import CASES, FAULTS, PARAMS, SOFTMAX, Case, data_of, on_two_workers, train

import focalboost

xgboost = pytest.importorskip("xgboost")
import focalboost.xgboost  # noqa: E402

pytestmark = pytest.mark.slow

if tuple(map(int, xgboost.__version__.split(".")[:2])) < (3, 1):
    CASES = [case for case in CASES if case.loss != SOFTMAX]


@pytest.fixture(scope="module")
def found():
    # All of them in one pair of processes, which take seconds to start.
    return on_two_workers([*CASES, *FAULTS])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_workers_are_one(found, case):
    raw, history, n_rounds = train(case)
    for rank in range(2):
        its_raw, its_history, its_rounds = found[case.name, rank]
        # Equal but for the order of sums, which moves splits of equal gain nowhere here.
        assert_allclose(its_raw, raw, rtol=0, atol=1e-6)
        assert its_rounds == n_rounds
        assert its_history.keys() == history.keys()
        for name, values in history.items():
            assert_allclose(its_history[name], values, rtol=1e-9, err_msg=name)
    assert np.ptp(raw) > 1


OTHERS = {
    "label": (r"y_true must lie in \[0, 1\], got 2.0", "Another worker refused its samples"),
    "loss": (
        r"got FocalLoss\(gamma=1.0, .*\) with max_step=4.0 on worker 1, and FocalLoss\(gamma=2.0",
        r"got FocalLoss\(gamma=2.0, .*\) with max_step=4.0 on worker 0, and different ones",
    ),
    "max_step": ("with max_step=2.0 on worker 1", "with max_step=4.0 on worker 0"),
    "round": ("RuntimeError: in round 3", "XGBoostError"),
    "cv": ("cv must run in one process, got 2 workers",) * 2,
    "classifier": ("FocalClassifier must run in one process, got 2 workers",) * 2,
}


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.name)
def test_an_error_on_one_worker_ends_all(found, case):
    for rank, message in zip((1, 0), OTHERS[case.fault], strict=True):
        with pytest.raises(RuntimeError, match=message):
            raise RuntimeError(found[case.name, rank])


def test_a_dead_worker_ends_the_other_and_a_retry_completes():
    death, retry = Case("death", fault="death"), Case("retry")
    found = on_two_workers([death])
    assert set(found) == {("death", 0)}
    assert found["death", 0].startswith("XGBoostError")
    found = on_two_workers([retry])
    assert_allclose(found["retry", 1][0], train(retry)[0], rtol=0, atol=1e-6)


def test_a_checkpoint_holds_the_loss(tmp_path):
    case = Case("label-sorted")
    X, y, _ = data_of(case)[0]
    model = focalboost.FocalClassifier(xgboost.XGBClassifier(n_estimators=6), loss=case.loss)
    for name, fit in {
        "train": lambda callbacks: focalboost.xgboost.train(
            PARAMS, xgboost.DMatrix(X, y), 6, callbacks=callbacks, loss=case.loss
        ),
        "FocalClassifier": lambda callbacks: model.fit(X, y, callbacks=callbacks),
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        fit([xgboost.callback.TrainingCheckPoint(folder, interval=5)])
        files = [*folder.iterdir()]
        assert files
        for path in files:
            assert focalboost.loss_of(xgboost.Booster(model_file=path)) == case.loss
