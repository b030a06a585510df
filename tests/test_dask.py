"""Training and probabilities on a Dask cluster: as on one process."""

import numpy as np
import pytest
import workers
from numpy.testing import assert_allclose, assert_array_equal
from workers import CASES, SOFTMAX, Case, data_of

import focalboost
from focalboost import FocalClassifier, FocalLoss, loss_of

xgboost = pytest.importorskip("xgboost")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
import focalboost.dask  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # Dask's own, and XGBoost's of threads that Dask gives it
    pytest.mark.filterwarnings("ignore:::distributed|dask|xgboost|tornado|asyncio"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

if tuple(map(int, xgboost.__version__.split(".")[:2])) < (3, 1):
    CASES = [case for case in CASES if case.loss != SOFTMAX]
# A part for each worker here; that a worker has none is the affair of test_workers.py.
CASES = [case for case in CASES if case.cut and case.evals_cut]


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def collection(values, cut):
    """Return a Dask array of two parts, or None."""
    if values is None:
        return None
    chunks = ((cut, len(values) - cut), *((values.shape[1],) if values.ndim > 1 else ()))
    return da.from_array(values, chunks=chunks)


def dask_data(client, data, cut, kind=None, **kwargs):
    X, y, w = (collection(values, cut) for values in data)
    return (kind or xgboost.dask.DaskDMatrix)(client, X, y, weight=w, **kwargs)


def train(client, case, change_labels=0, **more):
    training, validation = data_of(case)
    X, y, w = training
    kind = xgboost.dask.DaskQuantileDMatrix if case.quantiles else None
    data = dask_data(client, (X, y + change_labels, w), case.cut, kind)
    reference = {"ref": data} if case.quantiles else {}
    evals = [(dask_data(client, validation, case.evals_cut, kind, **reference), "val")]
    options = {"num_boost_round": 20, **case.options, **more}
    params = {**workers.PARAMS, **options.pop("params", {})}
    return focalboost.dask.train(
        client, params, data, evals=evals, verbose_eval=False, loss=case.loss, **options
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_cluster_is_one_process(client, case):
    raw, history, n_rounds = workers.train(case)
    found = train(client, case)
    booster = found["booster"]
    X = np.concatenate([X for X, _, _ in data_of(case)])
    its_raw = booster.predict(xgboost.DMatrix(X), output_margin=True)
    # Equal but for the order of sums, which moves splits of equal gain nowhere here.
    assert_allclose(its_raw, raw, rtol=0, atol=1e-6)
    assert booster.num_boosted_rounds() == n_rounds
    assert found["history"]["val"].keys() == history.keys()
    for name, values in history.items():
        assert_allclose(found["history"]["val"][name], values, rtol=1e-9, err_msg=name)
    # on the partitions, and not before it is asked for
    proba = focalboost.dask.predict_proba(client, found, da.from_array(X, chunks=(1300, 4)))
    k = 3 if case.loss == SOFTMAX else 2
    assert proba.chunks == ((1300, 1300), (k,))
    assert_array_equal(proba.compute(), focalboost.predict_proba(booster, X))


def test_frames_and_continuing(client):
    case = Case("frames", FocalLoss(1.5))
    (X, y, _), _ = data_of(case)
    table = dd.from_dask_array(collection(X, 1000), columns=[*"abcd"])
    data = xgboost.dask.DaskDMatrix(client, table, collection(y, 1000))
    options = {"params": workers.PARAMS, "verbose_eval": False}
    part = focalboost.dask.train(None, dtrain=data, num_boost_round=4, loss=case.loss, **options)
    assert part["history"] == {}
    whole = focalboost.dask.train(
        client, dtrain=data, num_boost_round=4, xgb_model=part["booster"], **options
    )["booster"]
    assert loss_of(whole) == case.loss
    assert whole.num_boosted_rounds() == 8
    once = focalboost.dask.train(client, dtrain=data, num_boost_round=8, loss=case.loss, **options)
    rows = xgboost.DMatrix(X, feature_names=[*"abcd"])
    assert_allclose(whole.predict(rows), once["booster"].predict(rows), rtol=1e-5)
    proba = focalboost.dask.predict_proba(client, whole, table).compute()
    assert_array_equal(proba, focalboost.predict_proba(whole, rows))
    with pytest.raises(ValueError, match="loss must be that of xgb_model"):
        focalboost.dask.train(
            client, dtrain=data, xgb_model=part["booster"], loss=FocalLoss(), **options
        )


def test_bad_input(client):
    case = Case("label-sorted")
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got [23].0"):
        train(client, case, change_labels=2)
    with pytest.raises(ValueError, match="scale_pos_weight must be left out"):
        train(client, case, params={"scale_pos_weight": 3})
    (X, y, _), _ = data_of(case)
    X, y = collection(X, 1000), collection(y, 1000)
    for options, message in [
        ({}, "label must be set on dtrain"),
        ({"label": y, "base_margin": y}, "base_margin must not be set on dtrain"),
    ]:
        data = xgboost.dask.DaskDMatrix(client, X, **options)
        with pytest.raises(ValueError, match=message):
            focalboost.dask.train(client, {}, data, loss=FocalLoss())
    with pytest.raises(TypeError, match=r"dtrain must be an xgboost.dask.DaskDMatrix, got Array"):
        focalboost.dask.train(client, {}, X, loss=FocalLoss())
    for arguments in [(X, y), (X, y.compute()), (X.compute(), y)]:
        with pytest.raises(TypeError, match="must be in memory, got a Dask"):
            FocalClassifier().fit(*arguments)
    model = FocalClassifier().fit(X.compute(), y.compute())
    with pytest.raises(TypeError, match=r"X must be in memory.*focalboost.dask.predict_proba"):
        model.predict_proba(X)
