"""Cross-validation: the number of rounds is the one that a loop of train finds."""

from importlib import import_module

import numpy as np
import pytest
from backends import QUIET, TRAINERS, make_data, needs
from numpy.testing import assert_allclose
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedKFold

from focalboost import FocalLoss, LinearGamma, ScheduledLoss, SoftmaxFocalLoss, predict_proba

# Small data and a large step: the mean curve turns within the rounds.
ROUNDS = 16
DATA = {k: make_data(200, seed=3, n_classes=k) for k in (2, 3)}
LOSSES = {2: FocalLoss(2.0, alpha=0.7), 3: SoftmaxFocalLoss(3, gamma=1.0)}
LOG_LOSSES = {2: FocalLoss(0.0), 3: SoftmaxFocalLoss(3, gamma=0.0)}
X, Y, W = DATA[2]
FOLDS = {
    k: list(StratifiedKFold(3, shuffle=True, random_state=0).split(DATA[k][0], DATA[k][1]))
    for k in DATA
}
PARAMS = {
    "lightgbm": {**QUIET["lightgbm"], "learning_rate": 0.5, "min_data_in_leaf": 5},
    "xgboost": {**QUIET["xgboost"], "eta": 0.8, "max_depth": 3, "min_child_weight": 0.0},
    "catboost": {**QUIET["catboost"], "learning_rate": 1.0, "depth": 6},
}
# The rounding of a mean loss: LightGBM adds the init score to its scores in another order, XGBoost
# and CatBoost compute the same.
ATOL = {"lightgbm": 1e-12, "xgboost": 1e-12, "catboost": 1e-12}
MEAN = {
    "lightgbm": "valid {}-mean",
    "xgboost": "test-{}-mean",
    "catboost": "test-{}-mean",
}


def curve(library, found, name):
    return found[MEAN[library].format("MeanLoss" if library == "catboost" else name)]


def data_of(library, X, y, w=None, **kwargs):
    if library == "lightgbm":
        return import_module("lightgbm").Dataset(X, y, weight=w, free_raw_data=False, **kwargs)
    data = {"xgboost": "DMatrix", "catboost": "Pool"}[library]
    return getattr(import_module(library), data)(X, y, weight=w, **kwargs)


def cv(library, data, folds, loss, params=None, rounds=ROUNDS, **kwargs):
    adapter = import_module(f"focalboost.{library}")
    params = {**PARAMS[library], **(params or {})}
    if library == "lightgbm":
        return adapter.cv(params, data, rounds, folds=folds, loss=loss, **kwargs)
    kwargs.setdefault("as_pandas", False)
    if library == "xgboost":
        return adapter.cv(params, data, rounds, folds=folds, loss=loss, **kwargs)
    return adapter.cv(data, params, iterations=rounds, folds=folds, loss=loss, **kwargs)


def trained(library, X, y, w, fold, loss):
    """Return the validation curve of a training on one fold, by train alone."""
    train = import_module(f"focalboost.{library}").train
    parts = [(X[rows], y[rows], None if w is None else w[rows]) for rows in fold]
    params, evals = PARAMS[library], {}
    if library == "lightgbm":
        # Bins are those of the whole data, as in lightgbm.cv.
        own = {"feature_pre_filter": False, **params}
        data = data_of(library, X, y, w, params=own).construct()
        first, second = (data.subset(sorted(rows)) for rows in fold)
        record = import_module("lightgbm").record_evaluation(evals)
        train(params, first, ROUNDS, [second], ["v"], callbacks=[record], loss=loss)
    elif library == "xgboost":
        first, second = (data_of(library, *part) for part in parts)
        evals_of = {"evals": [(second, "v")], "evals_result": evals, "verbose_eval": False}
        train(params, first, ROUNDS, **evals_of, loss=loss)
    else:
        first, second = (data_of(library, *part) for part in parts)
        params = {**params, "use_best_model": False}
        model = train(first, params, iterations=ROUNDS, eval_set=second, loss=loss)
        evals["v"] = model.get_evals_result()["validation"]
    return next(iter(evals["v"].values()))


@pytest.fixture(params=TRAINERS, ids=lambda backend: backend.library)
def library(request):
    needs(request.param)
    return request.param.library


def needs_classes(library, k):
    needs(next(b for b in TRAINERS if b.library == library), LOSSES[k])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_curve_is_that_of_a_loop_of_train(library, k, weighted):
    needs_classes(library, k)
    X, y, w = DATA[k]
    w = w if weighted else None
    loss = LOSSES[k]
    found = curve(library, cv(library, data_of(library, X, y, w), FOLDS[k], loss), loss.name)
    loop = np.mean([trained(library, X, y, w, fold, loss) for fold in FOLDS[k]], axis=0)
    assert_allclose(found, loop, rtol=0, atol=ATOL[library])
    assert np.argmin(found) == np.argmin(loop)
    # A curve that only falls or only rises would tell nothing of the rounds.
    assert 0 < np.argmin(loop) < ROUNDS - 1


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_lightgbm_agrees_with_its_own_cv_of_log_loss(k, weighted):
    lgb = pytest.importorskip("lightgbm")
    X, y, w = DATA[k]
    w = w if weighted else None
    own = {"objective": "binary"} if k == 2 else {"objective": "multiclass", "num_class": 3}
    built_in = lgb.cv(
        {**PARAMS["lightgbm"], **own, "feature_pre_filter": False},
        data_of("lightgbm", X, y, w), ROUNDS, folds=FOLDS[k],
    )  # fmt: skip
    loss = LOG_LOSSES[k]
    ours = cv("lightgbm", data_of("lightgbm", X, y, w), FOLDS[k], loss, max_step=None)
    name = "binary_logloss" if k == 2 else "multi_logloss"
    # Its start score is rounded otherwise, and its gradients are in single precision.
    for part in ("mean", "stdv"):
        assert_allclose(
            ours[f"valid {loss.name}-{part}"], built_in[f"valid {name}-{part}"], rtol=0, atol=1e-6
        )


def test_xgboost_agrees_with_its_own_cv_of_log_loss():
    xgb = pytest.importorskip("xgboost")

    def start(dtrain, dtest, param):
        mean = np.average(dtrain.get_label(), weights=dtrain.get_weight())
        return dtrain, dtest, {**param, "base_score": float(mean)}

    built_in = xgb.cv(
        {**PARAMS["xgboost"], "objective": "binary:logistic", "eval_metric": "logloss"},
        data_of("xgboost", X, Y, W), ROUNDS, folds=FOLDS[2], fpreproc=start, as_pandas=False,
    )  # fmt: skip
    ours = cv("xgboost", data_of("xgboost", X, Y, W), FOLDS[2], LOG_LOSSES[2], max_step=None)
    assert [*ours] == [name.replace("logloss", "focal_loss") for name in built_in]
    for name in built_in:
        # Text of six decimals, of single precision
        assert_allclose(
            ours[name.replace("logloss", "focal_loss")], built_in[name], rtol=0, atol=5e-6
        )


def test_catboost_agrees_with_its_own_cv_of_log_loss():
    cb = pytest.importorskip("catboost")
    # CatBoost starts every fold at the mean of all samples: each fold's mean is the same here.
    rows = np.sort(np.concatenate([np.flatnonzero(Y == 0)[:150], np.flatnonzero(Y)[:24]]))
    X_even, y_even = X[rows], Y[rows]
    folds = list(StratifiedKFold(3).split(X_even, y_even))
    params = {**PARAMS["catboost"], "loss_function": "Logloss", "boost_from_average": True}
    params["iterations"] = ROUNDS
    built_in = cb.cv(cb.Pool(X_even, y_even), params, folds=folds, as_pandas=False)
    ours = cv("catboost", cb.Pool(X_even, y_even), folds, LOG_LOSSES[2], max_step=None)
    assert [*ours] == [name.replace("Logloss", "MeanLoss") for name in built_in]
    for name in built_in:
        # The init score is a single precision number in a baseline. On the training parts CatBoost
        # computes its Logloss with a fast exponential, 3e-4 of the value beside the exact one.
        found = ours[name.replace("Logloss", "MeanLoss")]
        atol = 2e-4 if name.startswith("train") else 1e-6
        assert_allclose(found, built_in[name], rtol=0, atol=atol)


def test_a_metric_of_the_users_gets_probabilities(library):
    loss, data, brier = LOSSES[2], data_of(library, X, Y), []

    def metric(proba, validation):
        value = brier_score_loss(validation.get_label(), proba)
        return ("brier", value, False) if library == "lightgbm" else ("brier", value)

    if library == "lightgbm":
        found = cv(library, data, FOLDS[2], loss, rounds=3, feval=metric, return_cvbooster=True)
        models = found["cvbooster"].boosters
    elif library == "xgboost":
        found = cv(library, data, FOLDS[2], loss, rounds=3, custom_metric=metric)
        train = import_module("focalboost.xgboost").train
        parts = [data_of(library, X[rows], Y[rows]) for rows, _ in FOLDS[2]]
        models = [train(PARAMS[library], part, 3, loss=loss) for part in parts]
    else:
        # CatBoost takes objects for its own loss function's scores; Brier by name is ours.
        params = {"eval_metric": "BrierScore"}
        found, models = cv(library, data, FOLDS[2], loss, params, rounds=3, return_models=True)
    for model, (_, rows) in zip(models, FOLDS[2], strict=True):
        brier.append(brier_score_loss(Y[rows], predict_proba(model, X[rows])[:, 1]))
    name = {"catboost": "test-BrierScore-mean"}.get(library, MEAN[library].format("brier"))
    # Raw scores of XGBoost are in single precision.
    assert_allclose(found[name][-1], np.mean(brier), rtol=0, atol=1e-7)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_too_little_curvature_for_a_split_is_warned_of(library):
    pytest.importorskip(library)
    option = {"min_child_weight": 100.0}
    with pytest.warns(UserWarning, match=r"min_child_weight is 100, .* no tree can split"):
        found = cv(library, data_of(library, X, Y), FOLDS[2], LOSSES[2], option, rounds=2)
    means = curve(library, found, LOSSES[2].name)
    # The leaf of a tree without a split is the Newton step from the optimum: what single precision
    # leaves of 0.
    assert_allclose(means[1], means[0], rtol=0, atol=1e-9)
    learned = curve(library, cv(library, data_of(library, X, Y), FOLDS[2], LOSSES[2]), "focal_loss")
    assert learned[0] - learned[1] > 1e-3


def test_early_stopping_watches_the_mean_of_the_loss(library):
    loss = LOSSES[2]
    whole = curve(library, cv(library, data_of(library, X, Y), FOLDS[2], loss), loss.name)
    by_params = {"params": {"early_stopping_round": 2}}
    how = by_params if library == "lightgbm" else {"early_stopping_rounds": 2}
    if library == "lightgbm":
        how |= {"metrics": "auc", "eval_train_metric": True}
    stopped = curve(library, cv(library, data_of(library, X, Y), FOLDS[2], loss, **how), loss.name)
    best = int(np.argmin(whole))
    # CatBoost's own table goes on to the round where it stopped.
    n_rounds = best + 3 if library == "catboost" else best + 1
    assert len(stopped) == n_rounds < ROUNDS
    assert_allclose(stopped, whole[:n_rounds], rtol=0, atol=1e-12)


def test_xgboost_stops_on_a_loss_below_six_decimals():
    pytest.importorskip("xgboost")
    X, y = np.arange(60.0)[:, np.newaxis] % 2, np.arange(60) % 2
    folds = [(np.arange(40), np.arange(40, 60)), (np.arange(20, 60), np.arange(20))]
    params = {"lambda": 0.0, "eta": 0.8}
    found = cv("xgboost", data_of("xgboost", X, y), folds, FocalLoss(0.0), params, 20,
               early_stopping_rounds=2)  # fmt: skip
    means = found["test-focal_loss-mean"]
    # In text the last of these would be 0.000000, and training would have stopped there.
    assert len(means) == 20
    assert means[-1] < 1e-7
    assert np.all(np.diff(means) < 0)


def test_lightgbm_boosters_hold_the_init_score_of_their_fold():
    pytest.importorskip("lightgbm")
    from focalboost.lightgbm import train

    loss, data = LOSSES[2], data_of("lightgbm", X, Y, W)
    params = {"early_stopping_round": 2}
    found = cv("lightgbm", data, FOLDS[2], loss, params, return_cvbooster=True)
    packed = found["cvbooster"]
    n_rounds = len(found["valid focal_loss-mean"])
    assert packed.best_iteration == n_rounds < ROUNDS
    for (rows, _), booster in zip(FOLDS[2], packed.boosters, strict=True):
        one = train(PARAMS["lightgbm"], data.subset(sorted(rows)), n_rounds, loss=loss)
        assert booster.best_iteration == n_rounds
        assert booster.params["objective"] == "binary"
        assert_allclose(booster.predict(X), one.predict(X), rtol=0, atol=1e-12)


def test_catboost_models_hold_the_init_score_of_their_fold():
    pytest.importorskip("catboost")
    loss, data = LOSSES[2], data_of("catboost", X, Y, W)
    table, models = cv(
        "catboost", data, FOLDS[2], loss, early_stopping_rounds=2, return_models=True
    )
    raw = [m.predict(X, prediction_type="RawFormulaVal") for m in models]
    losses = [
        loss(Y[rows], scores[rows], W[rows])
        for scores, (_, rows) in zip(raw, FOLDS[2], strict=True)
    ]
    assert_allclose(np.mean(losses), table["test-MeanLoss-mean"][-1], rtol=1e-6)
    assert {m.tree_count_ for m in models} == {len(table["iterations"])}


def test_users_data_stay_as_they_were(library):
    data = data_of(library, X, Y, W)
    if library == "lightgbm":
        data.params = {"max_bin": 30, "feature_pre_filter": False}
        data.construct()
    cv(library, data, FOLDS[2], LOSSES[2], rounds=2)
    if library == "lightgbm":
        assert data.params == {"max_bin": 30, "feature_pre_filter": False}
        assert data.get_init_score() is None
        assert data.get_field("init_score") is None
    elif library == "xgboost":
        assert not len(data.get_base_margin())
    else:
        assert not np.size(data.get_baseline())
    # so that they serve once more
    cv(library, data, FOLDS[2], LOSSES[2], rounds=2)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_fpreproc_comes_before_the_init_score(library):
    pytest.importorskip(library)
    seen = []

    def double(dtrain, dtest, params):
        dtrain, dtest = ((d.construct() if library == "lightgbm" else d) for d in (dtrain, dtest))
        weight = np.where(dtrain.get_label() > 0, 5.0, 1.0)
        dtrain.set_weight(weight)
        seen.append(len(weight))
        rate = "learning_rate" if library == "lightgbm" else "eta"
        return dtrain, dtest, {**params, rate: 1e-9}

    loss = FocalLoss(0.0)
    kwargs = {"fpreproc": double, "rounds": 1}
    found = curve(library, cv(library, data_of(library, X, Y), FOLDS[2], loss, **kwargs), loss.name)
    assert seen == [len(rows) for rows, _ in FOLDS[2]]
    expected = [
        loss(Y[test], np.full(len(test), loss.init_score(Y[rows], np.where(Y[rows], 5.0, 1.0))))
        for rows, test in FOLDS[2]
    ]
    # XGBoost has the init score in single precision.
    assert_allclose(found, [np.mean(expected)], rtol=0, atol=1e-6)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("change", ["scale_pos_weight", "metric"])
def test_fpreproc_may_not_set_what_is_refused(library, change):
    pytest.importorskip(library)
    name = {"metric": {"lightgbm": "metric", "xgboost": "eval_metric"}[library]}.get(change, change)

    def fpreproc(dtrain, dtest, params):
        return dtrain, dtest, {**params, name: 3.0 if change != "metric" else "binary_logloss"}

    with pytest.raises(ValueError, match=name):
        cv(library, data_of(library, X, Y), FOLDS[2], LOSSES[2], fpreproc=fpreproc)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_a_schedule_is_told_the_round(library):
    pytest.importorskip(library)
    schedule = ScheduledLoss(FocalLoss(0.0), gamma=LinearGamma(0.0, 3.0, ROUNDS - 1))
    last = schedule.at(ROUNDS - 1)
    data = data_of(library, X, Y)
    found = curve(library, cv(library, data, FOLDS[2], schedule), last.name)
    loop = np.mean([trained(library, X, Y, None, fold, schedule) for fold in FOLDS[2]], axis=0)
    assert_allclose(found, loop, rtol=0, atol=ATOL[library])
    fixed = curve(library, cv(library, data, FOLDS[2], last), last.name)
    assert np.max(np.abs(np.subtract(found, fixed))) > 1e-4


def test_lightgbm_continues_a_model():
    pytest.importorskip("lightgbm")
    from focalboost.lightgbm import train

    loss = LOSSES[2]
    model = train(PARAMS["lightgbm"], data_of("lightgbm", X, Y), 2, loss=loss)
    found = cv("lightgbm", data_of("lightgbm", X, Y), FOLDS[2], loss, init_model=model, rounds=2,
               return_cvbooster=True)  # fmt: skip
    losses = [
        loss(Y[rows], booster.predict(X[rows], raw_score=True))
        for booster, (_, rows) in zip(found["cvbooster"].boosters, FOLDS[2], strict=True)
    ]
    assert_allclose(np.mean(losses), found["valid focal_loss-mean"][-1], rtol=1e-12)
    assert {b.current_iteration() for b in found["cvbooster"].boosters} == {4}


def test_options_are_refused_as_by_train(library):
    data = data_of(library, X, Y)
    with pytest.raises(ValueError, match="scale_pos_weight must be left out"):
        cv(library, data, FOLDS[2], LOSSES[2], {"scale_pos_weight": 3.0})
    labels = np.where(np.arange(len(Y)) == 7, 2.0, Y)
    with pytest.raises(ValueError, match="y_true must lie"):
        cv(library, data_of(library, X, labels), FOLDS[2], LOSSES[2])


def test_scores_of_the_users_own_are_refused(library):
    name = {"lightgbm": "init_score", "xgboost": "base_margin", "catboost": "baseline"}[library]
    scores = np.zeros((len(Y), 1)) if library == "catboost" else np.zeros(len(Y))
    with pytest.raises(ValueError, match=f"{name} must not be set"):
        cv(library, data_of(library, X, Y, **{name: scores}), FOLDS[2], LOSSES[2])


def test_lightgbm_stratifies_no_soft_labels():
    pytest.importorskip("lightgbm")
    soft = np.where(Y, 0.9, 0.1)
    with pytest.raises(ValueError, match="stratified must be False"):
        cv("lightgbm", data_of("lightgbm", X, soft), None, LOSSES[2])
    found = cv("lightgbm", data_of("lightgbm", X, soft), None, LOSSES[2], stratified=False)
    assert len(found["valid focal_loss-mean"]) == ROUNDS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"save_snapshot": True}, "save_snapshot must be left out"),
        ({"plot": True}, "plot must be left out"),
        ({"metric_period": 5}, "metric_period must be left out"),
        ({"params": {"od_type": "IncToDec"}}, "od_type must be left out"),
        (
            {"params": {"eval_metric": "AUC"}, "early_stopping_rounds": 2},
            "eval_metric must be left",
        ),
        ({"fold_count": 3}, "fold_count must be left out if folds"),
        ({"folds": None, "type": "Sideways"}, "type must be 'Classical'"),
        ({"folds": None, "fold_count": 3, "nfold": 3}, "fold_count and nfold must not both"),
    ],
)
def test_catboost_refuses_what_cv_cannot_do(options, message):
    pytest.importorskip("catboost")
    with pytest.raises(ValueError, match=message):
        cv("catboost", data_of("catboost", X, Y), loss=LOSSES[2], **{"folds": FOLDS[2], **options})


def test_catboost_refuses_a_schedule_and_groups():
    cb = pytest.importorskip("catboost")
    schedule = ScheduledLoss(FocalLoss(0.0), gamma=LinearGamma(0.0, 3.0, 5))
    with pytest.raises(TypeError, match="ScheduledLoss can only"):
        cv("catboost", data_of("catboost", X, Y), FOLDS[2], schedule)
    pool = cb.Pool(X, Y, group_id=np.repeat(np.arange(len(Y) // 4), 4))
    with pytest.raises(ValueError, match="folds must be given for a pool with groups"):
        cv("catboost", pool, None, LOSSES[2])


def test_catboost_makes_the_folds_that_are_asked_for(monkeypatch):
    pytest.importorskip("catboost")
    function = import_module("focalboost.catboost").cv
    sizes = []
    train = function.__globals__["train"]

    def record(pool, *args, eval_set, **kwargs):
        sizes.append((pool.num_row(), eval_set.num_row(), sum(eval_set.get_label())))
        return train(pool, *args, eval_set=eval_set, **kwargs)

    monkeypatch.setitem(function.__globals__, "train", record)
    data = data_of("catboost", X, Y)

    def folds(**options):
        sizes.clear()
        table = cv("catboost", data, None, LOSSES[2], rounds=1, **options)
        assert len(table["iterations"]) == 1
        return [*sizes]

    positives = Y.sum() / 4
    # stratified by default: as many positives in each part
    assert all(n == 150 and abs(p - positives) < 1 for n, _, p in folds(fold_count=4))
    assert [n for n, *_ in folds(nfold=4, inverted=True)] == [50] * 4
    assert [n for n, *_ in folds(nfold=4, type="Inverted")] == [50] * 4
    assert [n for n, *_ in folds(nfold=3, type="TimeSeries")] == [50, 100, 150]
    plain = {"nfold": 4, "stratified": False}
    in_order = [Y[i : i + 50].sum() for i in range(0, 200, 50)]
    assert [p for *_, p in folds(**plain, shuffle=False)] == in_order
    assert folds(**plain, seed=1) == folds(**plain, partition_random_seed=1) != folds(**plain)


def test_catboost_keeps_categories_and_a_frame():
    pd = pytest.importorskip("pandas")
    cb = pytest.importorskip("catboost")
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "u", "v")})
    table, models = cv("catboost", cb.Pool(frame, Y, cat_features=["b"]), FOLDS[2], LOSSES[2],
                       rounds=2, as_pandas=True, return_models=True)  # fmt: skip
    assert isinstance(table, pd.DataFrame)
    assert [*table.columns[:3]] == ["iterations", "test-MeanLoss-mean", "test-MeanLoss-std"]
    assert [m.get_cat_feature_indices() for m in models] == [[1]] * 3
