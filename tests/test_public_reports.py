"""What users of other objectives ran into, as they reported it: each situation works here.

The id of a case has the threads, repository and number, and where it was once wrong here the
number of the fault. At gamma 0 the oracle is the booster's own log loss from the same init score.
"""

import json
from importlib import import_module

import numpy as np
import pytest
from backends import QUIET, TRAINERS, make_data, needs, release, shap_total
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit, softmax
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.metrics import brier_score_loss, f1_score, log_loss
from sklearn.model_selection import StratifiedKFold

from focalboost import FocalClassifier, FocalLoss, SoftmaxFocalLoss, check_objective

X, Y, W = make_data(200)
RATE = Y.mean()
X3, Y3, W3 = make_data(200, n_classes=3)
LOG_LOSS = FocalLoss(0.0)
FOCAL = FocalLoss(2.0, 0.8)  # its sigmoid is far from the probability
ROUNDS = 5
BACKENDS = {backend.library: backend for backend in TRAINERS}


def report(*threads, fault=None):
    """Give a test the threads as its id."""
    name = " ".join(threads) + (f" fault {fault}" if fault else "")
    return pytest.mark.parametrize((), [()], ids=[name])


def classifier(library, **params):
    """Return the library's own classifier, quiet and on one thread."""
    pytest.importorskip(library)
    name = {"lightgbm": "LGBM", "xgboost": "XGB", "catboost": "CatBoost"}[library] + "Classifier"
    quiet = {**QUIET[library], "n_estimators": 15}
    if library == "xgboost":
        quiet = {"n_jobs": 1, "n_estimators": 15, "max_depth": 3, "min_child_weight": 0.0}
    if library == "lightgbm":
        quiet = {"n_jobs": 1, "n_estimators": 15, "verbose": -1, "min_child_samples": 5}
    return getattr(import_module(library), name)(**{**quiet, **params})


@pytest.fixture(params=BACKENDS)
def library(request):
    pytest.importorskip(request.param)
    return request.param


def lightgbm_data(X, y, **kwargs):
    return pytest.importorskip("lightgbm").Dataset(X, y, free_raw_data=False, **kwargs)


# Log loss by a custom objective is not the built-in log loss.


def assert_same_as_builtin(backend, loss, X, y, w=None, params=None, atol=None):
    needs(backend, loss)
    params = {**backend.params, **(params or {})}
    init_score = loss.init_score(y, w)
    theirs = backend.fit_builtin(loss, init_score, X, y, w, rounds=ROUNDS, params=params)(X)
    ours = backend.fit(loss, X, y, w, rounds=ROUNDS, params=params, max_step=None).raw(X)
    # a model that has learned nothing would be the same too
    assert np.ptp(ours) > 0.5
    # the rounding of each booster, which its row states with its reason
    assert_allclose(
        ours, theirs, rtol=0, atol=backend.parity[loss.is_multiclass] if atol is None else atol
    )


@report("LightGBM#3312", "LightGBM#2136", "LightGBM#5373", "LightGBM#2558", "LightGBM#7193")
@pytest.mark.parametrize("weight", [None, W], ids=["", "weights"])
def test_custom_log_loss_is_the_built_in_one(trainer, weight):
    assert_same_as_builtin(trainer, LOG_LOSS, X, Y, weight)


@report("LightGBM#4629", "LightGBM#6389")
def test_predict_gives_no_negative_probabilities(trainer):
    fitted = trainer.fit(FOCAL, X, Y, rounds=ROUNDS, params=trainer.params)
    raw = fitted.raw(X)
    assert raw.min() < 0
    # single precision in XGBoost
    assert_allclose(fitted.predict(X), expit(raw), rtol=0, atol=1e-7)
    model = FocalClassifier(classifier(trainer.library)).fit(X, Y)
    proba = model.predict_proba(X)
    assert 0 < proba.min() < proba.max() < 1
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-15)
    assert_array_equal(model.predict(X), proba[:, 1] > 0.5)


@report("LightGBM#6219", "LightGBM#4211", "LightGBM#5114", "LightGBM#4077", "LightGBM#6040")
@pytest.mark.parametrize("params", [{}, {"feature_fraction": 0.5}], ids=["", "feature_fraction"])
def test_custom_softmax_is_the_built_in_one(params):
    pytest.importorskip("lightgbm")
    # LightGBM adds its init score in another order
    loss = SoftmaxFocalLoss(3, 0.0)
    assert_same_as_builtin(BACKENDS["lightgbm"], loss, X3, Y3, params=params, atol=1e-9)


@report("LightGBM#6219", "LightGBM#5114")
def test_leaf_values_of_a_custom_softmax():
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import train

    loss = SoftmaxFocalLoss(3, 0.0)
    params = {**BACKENDS["lightgbm"].params, "min_data_in_leaf": 10}
    ours = train(params, lightgbm.Dataset(X3, Y3), 3, loss=loss, max_step=None)
    own = {"objective": "multiclass", "num_class": 3, **params}
    theirs = lightgbm.train(own, lightgbm.Dataset(X3, Y3), 3)
    leaves = [leaf_values(booster) for booster in (ours, theirs)]
    assert len(leaves[0]) > 3 * 3 * 2
    # LightGBM's own softmax starts at the logarithms of the shares, ours where their mean is 0
    shift = loss.init_score(Y3) - np.log(np.bincount(Y3) / len(Y3))
    trees = [(tree, shift[tree] if tree < 3 else 0.0) for tree, _ in leaves[0]]
    expected = [value + moved for (_, value), (_, moved) in zip(leaves[1], trees, strict=True)]
    # gradients are summed from single precision
    assert_allclose([value for _, value in leaves[0]], expected, rtol=0, atol=1e-6)


def leaf_values(booster):
    """Return tree and value of each leaf."""

    def walk(node):
        if "leaf_value" in node:
            return [node["leaf_value"]]
        return walk(node["left_child"]) + walk(node["right_child"])

    trees = booster.dump_model()["tree_info"]
    return [(t["tree_index"], value) for t in trees for value in walk(t["tree_structure"])]


@report("xgboost#4682", "xgboost#3255", "xgboost#2995", "xgboost#799", "xgboost#4736")
def test_base_score_beside_an_objective_of_ones_own():
    xgboost = pytest.importorskip("xgboost")
    from focalboost.xgboost import train

    backend = BACKENDS["xgboost"]
    # the name of the objective, which gives predict its link, together with the loss
    params = {**backend.params, "objective": "binary:logistic"}
    data = xgboost.DMatrix(X, Y)
    ours = train(params, data, ROUNDS, loss=LOG_LOSS, max_step=None)
    theirs = xgboost.train({**params, "base_score": RATE}, data, ROUNDS)
    # scores in single precision
    assert_allclose(ours.predict(data), theirs.predict(data), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match=r"base_score must be left out.*got 0\.5"):
        train({**params, "base_score": 0.5}, data, ROUNDS, loss=LOG_LOSS)
    with pytest.raises(ValueError, match="objective must be left out or be 'binary:logistic', got"):
        train({**params, "objective": "reg:squarederror"}, data, ROUNDS, loss=LOG_LOSS)


@report("pytorch#150805", "onnxmltools#671")
def test_stored_base_score_is_the_init_score(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    from focalboost.xgboost import train

    booster = train(
        {**BACKENDS["xgboost"].params, "max_depth": 1}, xgboost.DMatrix(X, Y), 3, loss=FOCAL
    )
    path = tmp_path / "model.json"
    booster.save_model(path)
    learner = json.loads(path.read_text())["learner"]
    stored = learner["learner_model_param"]["base_score"]
    # Whoever converts the file computes so: the logit of the stored number, and a leaf a tree.
    raw = np.full(len(X), logit(float(stored.strip("[]"))))
    for tree in learner["gradient_booster"]["model"]["trees"]:
        column = X[:, tree["split_indices"][0]].astype(np.float32)
        is_left = column < np.float32(tree["split_conditions"][0])
        raw += np.where(is_left, *(tree["base_weights"][i] for i in (1, 2)))
    # numbers of single precision, written as text
    assert_allclose(booster.predict(xgboost.DMatrix(X), output_margin=True), raw, atol=1e-5)
    assert_allclose(raw[0], booster.predict(xgboost.DMatrix(X[:1]), output_margin=True), atol=1e-5)


@report("LightGBM#4065", "LightGBM#4234", "LightGBM#78")
def test_init_score_is_in_the_model_file(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import train

    params = BACKENDS["lightgbm"].params
    ours = train(params, lightgbm.Dataset(X, Y), ROUNDS, loss=LOG_LOSS, max_step=None)
    theirs = lightgbm.train({**params, "objective": "binary"}, lightgbm.Dataset(X, Y), ROUNDS)
    # where LightGBM's own boost_from_average has it: in the leaves of the first tree
    first = [[value for tree, value in leaf_values(b) if tree == 0] for b in (ours, theirs)]
    # the text has 17 digits; the init score is another sum of the same numbers
    assert_allclose(*first, rtol=0, atol=1e-12)
    assert np.mean(first[0]) < logit(RATE) + 1
    ours.save_model(tmp_path / "model.txt")
    loaded = lightgbm.Booster(model_file=tmp_path / "model.txt")
    assert_array_equal(loaded.predict(X), ours.predict(X))


# Options of a booster beside a custom objective.


@report("LightGBM#5405", "LightGBM#126")
def test_level_of_dart():
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import train

    params = {**QUIET["lightgbm"], "boosting": "dart", "min_data_in_leaf": 5, "drop_seed": 1}
    booster = train(params, lightgbm.Dataset(X, Y), 20, loss=FocalLoss(2.0))
    proba = FocalLoss(2.0).inverse_link(booster.predict(X, raw_score=True))
    # Trees are dropped by chance. From a start at 0, as in the report, the mean is twice the rate.
    assert abs(proba.mean() - RATE) < 0.02


@report("autogluon#3917")
@pytest.mark.parametrize(("loss", "y"), [(LOG_LOSS, Y), (SoftmaxFocalLoss(3, 0.0), Y3)])
def test_quantized_gradients(loss, y):
    if release(pytest.importorskip("lightgbm")) < (4, 1):
        pytest.skip("LightGBM 4.0 ends the process, with its own objective too")
    X = X3 if loss.is_multiclass else globals()["X"]
    params = {"use_quantized_grad": True, "num_grad_quant_bins": 4}
    # Gradients are rounded to a quarter of the largest, at random from the same seed.
    assert_same_as_builtin(BACKENDS["lightgbm"], loss, X, y, params=params, atol=1e-9)


@report("xgboost#4006", "xgboost#4909")
def test_boosted_forests():
    pytest.importorskip("xgboost")
    params = {"num_parallel_tree": 4, "subsample": 0.6, "colsample_bynode": 0.5, "seed": 3}
    assert_same_as_builtin(BACKENDS["xgboost"], LOG_LOSS, X, Y, params=params)


@report("xgboost#11878", "xgboost#10820")
def test_external_memory(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    from focalboost.xgboost import train

    class Batches(xgboost.DataIter):
        def __init__(self):
            self.parts = np.array_split(np.arange(len(X)), 3)
            self.i = 0
            super().__init__(cache_prefix=str(tmp_path / "cache"))

        def next(self, input_data):
            if self.i == len(self.parts):
                return 0
            rows = self.parts[self.i]
            input_data(data=X[rows], label=Y[rows], weight=W[rows])
            self.i += 1
            return 1

        def reset(self):
            self.i = 0

    params = {**BACKENDS["xgboost"].params, "tree_method": "hist"}
    data = xgboost.DMatrix(Batches())
    ours = train(params, data, ROUNDS, loss=LOG_LOSS, max_step=None)
    own = {
        **params, "objective": "binary:logistic", "base_score": np.average(Y, weights=W)
    }  # fmt: skip
    theirs = xgboost.train(own, data, ROUNDS)
    # scores in single precision
    assert_allclose(ours.predict(data), theirs.predict(data), rtol=0, atol=1e-6)


@report("LightGBM#3121", "LightGBM#3058")
def test_predict_by_ranges_of_rounds():
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import train

    booster = train(BACKENDS["lightgbm"].params, lightgbm.Dataset(X, Y), 6, loss=LOG_LOSS)
    ranges = [(0, 2), (2, 3), (5, 1)]
    parts = [
        booster.predict(X, raw_score=True, start_iteration=i, num_iteration=n) for i, n in ranges
    ]
    # a sum of six numbers in another order
    assert_allclose(sum(parts), booster.predict(X, raw_score=True), rtol=0, atol=1e-13)
    # The first range alone has the init score, beside which two trees at a rate of 0.1 are small.
    means = [part.mean() for part in parts]
    assert_allclose(means, [logit(RATE), 0, 0], rtol=0, atol=0.3)


@report("LightGBM#6639", "LightGBM#2214", fault=12)
@pytest.mark.parametrize("name", ["pos_bagging_fraction", "neg_bagging_fraction"])
def test_bagging_by_class(name):
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import train

    params = {name: 0.5, "bagging_freq": 1}
    message = rf"{name} must be left out or be 1, got 0\.5\. .* Use bagging_fraction"
    with pytest.raises(ValueError, match=message):
        train({**QUIET["lightgbm"], **params}, lightgbm.Dataset(X, Y), 1, loss=FOCAL)
    with pytest.raises(ValueError, match=message):
        FocalClassifier(classifier("lightgbm", **params)).fit(X, Y)


@report("LightGBM#6351", "LightGBM#6197", fault=42)
@pytest.mark.parametrize(
    ("name", "value"),
    [("machines", "127.0.0.1:1,127.0.0.1:2"), ("machine_list", "list.txt"), ("num_machines", 2)],
)
def test_machines_of_lightgbm(name, value):
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import cv, train

    params, data = {**QUIET["lightgbm"], name: value}, lightgbm.Dataset(X, Y)
    for call in (
        lambda: train(params, data, 1, loss=FOCAL),
        lambda: cv(params, data, 1, loss=FOCAL),
        lambda: FocalClassifier(classifier("lightgbm", **{name: value})).fit(X, Y),
    ):
        with pytest.raises(ValueError, match=rf"{name} must be left out .*focalboost.dask.train"):
            call()


@report("xgboost#6704", "xgboost#10249", fault=15)
@pytest.mark.parametrize("sign", [1, -1])
def test_monotone_constraints_by_name(sign):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    booster = classifier("xgboost", monotone_constraints={"b": sign})
    model = FocalClassifier(booster).fit(frame, Y)
    grid = frame.iloc[np.repeat([0, 5, 9], 50)].assign(b=np.tile(np.linspace(-3, 3, 50), 3))
    steps = np.diff(model.predict_proba(grid)[:, 1].reshape(3, 50), axis=1) * sign
    # The positives are at both ends of b, so that one constraint must bind.
    assert steps.min() >= 0
    assert steps.max() > 0.01
    free = FocalClassifier(classifier("xgboost")).fit(frame, Y)
    steps = np.diff(free.predict_proba(grid)[:, 1].reshape(3, 50), axis=1)
    assert steps.min() < 0 < steps.max()


@report("LightGBM#4805", "LightGBM#4842")
def test_early_stopping_with_dart():
    names = {"lightgbm": {"boosting_type": "dart"}, "xgboost": {"booster": "dart"}}
    for name, params in names.items():
        model = FocalClassifier(classifier(name, **params), early_stopping_rounds=2)
        with pytest.warns(UserWarning, match="dart"):
            model.fit(X[:100], Y[:100], X_val=X[100:], y_val=Y[100:])


# Several classes.


@report(
    "xgboost#687", "LightGBM#1308", "LightGBM#1644", "LightGBM#4981", "LightGBM#5839",
    "LightGBM#4046",
)  # fmt: skip
@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_gradients_of_several_classes(name):
    library = pytest.importorskip(name)
    make = library.Dataset if name == "lightgbm" else library.DMatrix
    data = make(X3, Y3)
    if name == "lightgbm":
        data.construct()
    raw = np.random.default_rng(0).normal(size=(len(Y3), 3))
    objective = import_module(f"focalboost.{name}").objective(SoftmaxFocalLoss(3, 0.0))
    gradient, hessian = objective(np.asfortranarray(raw), data)
    # one row a sample and one column a class, as the boosters want them; by hand p less the label
    assert gradient.shape == hessian.shape == (len(Y3), 3)
    assert_allclose(gradient, softmax(raw, axis=1) - np.eye(3)[Y3], rtol=0, atol=1e-14)
    assert hessian.min() > 0


@report("xgboost#687", "LightGBM#1308", "LightGBM#1644")
def test_model_of_several_classes(trainer):
    assert_same_as_builtin(trainer, SoftmaxFocalLoss(3, 0.0), X3, Y3)


# Metrics, and what stops.


def recorded_training(library, loss, rounds=ROUNDS, function=None, **params):
    """Return model and history of a training with validation data."""
    X_train, y_train, X_val, y_val = X[:120], Y[:120], X[120:], Y[120:]
    params, evals = {**BACKENDS[library].params, **params}, {}
    if library == "lightgbm":
        import lightgbm

        from focalboost.lightgbm import train

        data = lightgbm.Dataset(X_train, y_train)
        model = train(
            params, data, rounds, [lightgbm.Dataset(X_val, y_val, reference=data)], ["held"],
            feval=function, callbacks=[lightgbm.record_evaluation(evals)], loss=loss,
        )  # fmt: skip
        return model, evals["held"], model.predict(X_val, raw_score=True)
    if library == "xgboost":
        import xgboost

        from focalboost.xgboost import train

        held = xgboost.DMatrix(X_val, y_val)
        patience = params.pop("early_stopping_rounds", None)
        model = train(
            params, xgboost.DMatrix(X_train, y_train), rounds, evals=[(held, "held")], loss=loss,
            early_stopping_rounds=patience, evals_result=evals, verbose_eval=False,
            custom_metric=function,
        )  # fmt: skip
        return model, evals["held"], model.predict(held, output_margin=True)
    import catboost

    from focalboost.catboost import train

    patience = params.pop("early_stopping_rounds", None)
    held = catboost.Pool(X_val, y_val)
    model = train(
        catboost.Pool(X_train, y_train), params, iterations=rounds, eval_set=held, loss=loss,
        early_stopping_rounds=patience,
    )  # fmt: skip
    raw = model.predict(X_val, prediction_type="RawFormulaVal")
    return model, model.get_evals_result()["validation"], raw


@report(
    "LightGBM#1318", "LightGBM#1371", "LightGBM#6223", "LightGBM#6423", "LightGBM#7103", fault=8
)
def test_which_of_several_metrics_stops():
    pytest.importorskip("lightgbm")
    values = iter(range(100))

    def rises(predicted, data):
        return "rises", float(next(values)), False

    options = {
        "metric": ["auc", "binary_logloss"], "early_stopping_round": 3, "learning_rate": 0.8
    }  # fmt: skip
    model, history, _ = recorded_training("lightgbm", FOCAL, 40, rises, **options)
    best = int(np.argmin(history["focal_loss"]))
    assert {"rises", "auc", "binary_logloss", "focal_loss"} == {*history}
    assert model.best_iteration == best + 1
    assert best + 1 + 3 == len(history["focal_loss"]) < 40
    # not where the metric that only rises would have stopped, nor the best of the others
    assert best > 0
    # every metric, at the round that was best
    found = {name: curve[best] for name, curve in history.items()}
    assert dict(model.best_score["held"]) == found


@report("LightGBM#1230", "LightGBM#4211", "xgboost#7090", fault=6)
@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_custom_metric_gets_probabilities(name):
    pytest.importorskip(name)

    def f1(predicted, data):
        value = f1_score(data.get_label(), predicted > 0.25)
        return ("f1", value, True) if name == "lightgbm" else ("f1", value)

    _, history, raw = recorded_training(name, FOCAL, 10, f1, learning_rate=0.5)
    proba = FOCAL.inverse_link(raw)
    # of raw scores, and of their sigmoid, F1 is another number
    scores = [f1_score(Y[120:], values > 0.25) for values in (proba, raw, expit(raw))]
    assert scores[0] not in scores[1:]
    assert history["f1"][-1] == scores[0]


@report("LightGBM#1230", "xgboost#7090", "catboost#1853", fault=7)
@pytest.mark.parametrize(
    ("name", "option", "metric"),
    [
        ("lightgbm", "metric", "binary_logloss"),
        ("xgboost", "eval_metric", "logloss"),
        ("catboost", "eval_metric", "Logloss"),
    ],
)
def test_log_loss_by_name_is_of_probabilities(name, option, metric):
    pytest.importorskip(name)
    _, history, raw = recorded_training(name, FOCAL, **{option: metric})
    # single precision in XGBoost
    assert_allclose(history[metric][-1], log_loss(Y[120:], FOCAL.inverse_link(raw)), rtol=1e-5)
    assert abs(history[metric][-1] - log_loss(Y[120:], expit(raw))) > 0.01


@report("catboost#1853", "catboost#604", fault=7)
@pytest.mark.parametrize("metric", ["Logloss", "AUC", None])
def test_what_stops_in_catboost_and_which_round_is_best(metric):
    pytest.importorskip("catboost")
    asked = {} if metric is None else {"eval_metric": metric}
    model, history, raw = recorded_training(
        "catboost", FOCAL, 60, **asked, early_stopping_rounds=5, learning_rate=0.8
    )
    curve = history["MeanLoss" if metric is None else metric]
    best = int(np.argmax(curve) if metric == "AUC" else np.argmin(curve))
    assert model.get_best_iteration() == best
    assert best + 1 + 5 == len(curve) < 60
    # and the model is that of its best round
    assert model.tree_count_ == best + 1
    if metric == "Logloss":
        # the text of the history has 17 digits
        assert_allclose(log_loss(Y[120:], FOCAL.inverse_link(raw)), min(curve), rtol=1e-9)


@report("LightGBM#3204", "LightGBM#5000", fault=11)
def test_cv_and_its_boosters():
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import cv

    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, Y))
    params = {**BACKENDS["lightgbm"].params, "learning_rate": 0.5, "feature_pre_filter": False}
    ours = cv(
        params, lightgbm_data(X, Y), 15, folds=folds, return_cvbooster=True, loss=LOG_LOSS,
        max_step=None,
    )  # fmt: skip
    theirs = lightgbm.cv(
        {**params, "objective": "binary"}, lightgbm_data(X, Y), 15, folds=folds,
        return_cvbooster=True,
    )  # fmt: skip
    curve = ours["valid focal_loss-mean"]
    # another order of the same sums
    assert_allclose(curve, theirs["valid binary_logloss-mean"], rtol=0, atol=1e-9)
    assert 0 < np.argmin(curve) < 14
    pairs = zip(ours["cvbooster"].boosters, theirs["cvbooster"].boosters, strict=True)
    for one, other in pairs:
        assert_allclose(one.predict(X), other.predict(X), rtol=0, atol=1e-9)


@report(
    "xgboost#3663", "optuna#1237", "optuna#2921", "optuna#4634", "optuna#861", "optuna#1852",
    fault=9,
)  # fmt: skip
def test_pruning_through_the_classifier(library):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def callback(trial):
        def tell(value, i):
            trial.report(value, i)
            if trial.should_prune():
                raise optuna.TrialPruned

        if library == "lightgbm":
            return lambda env: tell(env.evaluation_result_list[0][2], env.iteration)
        if library == "xgboost":
            import xgboost

            class Tell(xgboost.callback.TrainingCallback):
                def after_iteration(self, model, epoch, evals_log):
                    tell(next(iter(evals_log["validation_0"].values()))[-1], epoch)
                    return False

            return Tell()

        class TellCatBoost:
            # An error would come out of CatBoost as another: it is told to stop.
            def after_iteration(self, info):
                trial.report(info.metrics["validation"]["MeanLoss"][-1], info.iteration - 1)
                return not trial.should_prune()

        return TellCatBoost()

    def objective(trial):
        # The second trial hardly learns, and is to be given up.
        booster = classifier(library, learning_rate=(0.3, 1e-4)[trial.number])
        model = FocalClassifier(booster, calibration=None, early_stopping_rounds=None)
        model.fit(
            X[:100], Y[:100], X_val=X[100:], y_val=Y[100:], callbacks=[callback(trial)]
        )  # fmt: skip
        if trial.should_prune():
            raise optuna.TrialPruned
        return log_loss(Y[100:], model.predict_proba(X[100:]))

    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=2)
    study = optuna.create_study(pruner=pruner)
    study.optimize(objective, n_trials=2)
    first, second = study.trials
    assert [t.state.name for t in study.trials] == ["COMPLETE", "PRUNED"]
    assert len(first.intermediate_values) == 15 > len(second.intermediate_values)
    # The study has the metric as it is: single precision in XGBoost.
    assert_allclose(first.intermediate_values[14], first.value, rtol=1e-5)


# Scores of one's own.


@report("LightGBM#6723", "LightGBM#4148", "LightGBM#6404")
def test_a_score_for_each_sample():
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import objective, train

    scores = np.linspace(-1, 1, len(Y))
    params = BACKENDS["lightgbm"].params
    with pytest.raises(
        ValueError, match=r"(?s)init_score must not be set.*call lightgbm\.train with objective\(lo"
    ):
        train(params, lightgbm.Dataset(X, Y, init_score=scores), ROUNDS, loss=LOG_LOSS)
    # the way round that the message names
    custom = {**params, "objective": objective(LOG_LOSS, max_step=None)}
    ours, theirs = (
        lightgbm.train(
            {**p, "feature_pre_filter": False}, lightgbm.Dataset(X, Y, init_score=scores), ROUNDS
        )
        for p in (custom, {**params, "objective": "binary"})
    )
    # bit by bit
    assert_array_equal(ours.predict(X), theirs.predict(X, raw_score=True))


# CatBoost.


@report("catboost#1440", "catboost#1221", fault=25)
@pytest.mark.parametrize("kind", ["text", "embedding"])
def test_text_and_embeddings_in_catboost(kind):
    catboost = pytest.importorskip("catboost")
    pandas = pytest.importorskip("pandas")
    from focalboost.catboost import train

    words = np.where(X[:, 1] > 0, "late loan", "loan paid")
    column = [*words] if kind == "text" else [[float(v), 1.0] for v in X[:, 1]]
    frame = pandas.DataFrame({"a": X[:, 0], "b": column})
    option = {f"{kind}_features": ["b"]}
    pool = catboost.Pool(frame, Y, **option)
    params = {**QUIET["catboost"], "leaf_estimation_method": "Gradient", "learning_rate": 0.3}
    with pytest.raises(ValueError, match=f"pool must have no {kind} features.*Use native=True"):
        train(pool, params, iterations=2, loss=FocalLoss(2.0, 0.25))
    # which has those features
    model = train(pool, params, iterations=10, loss=FocalLoss(2.0, 0.25), native=True)
    raw = model.predict(frame, prediction_type="RawFormulaVal")
    assert raw[Y == 1].mean() > raw[Y == 0].mean()
    with pytest.raises(ValueError, match=f"{kind}_features must be left out"):
        FocalClassifier(classifier("catboost", **option)).fit(frame, Y)


@report("catboost#1300")
def test_no_metric_need_be_named(trainer):
    # by the helper none is named; the history has the loss
    fitted = trainer.fit(FOCAL, X, Y, rounds=ROUNDS, params=trainer.params)
    # single precision in XGBoost
    assert_allclose(fitted.history[-1], FOCAL(Y, fitted.raw(X)), rtol=1e-5)


@report("catboost#112", "catboost#887")
def test_labels_that_are_strings(library):
    words = np.where(Y == 1, "yes", "no")
    model = FocalClassifier(classifier(library)).fit(X, words)
    numbers = FocalClassifier(classifier(library)).fit(X, Y)
    assert_array_equal(model.classes_, ["no", "yes"])
    assert_array_equal(model.predict_proba(X), numbers.predict_proba(X))
    assert_array_equal(model.predict(X) == "yes", numbers.predict(X))


@report("catboost#1283")
def test_class_in_place_of_an_object(trainer):
    with pytest.raises(TypeError, match="loss must be an instance, got the class FocalLoss"):
        trainer.fit(FocalLoss, X, Y, params=trainer.params)


# Class weights, resampling and probabilities.


@report("catboost#279", "catboost#776", "catboost#1135", "scikit-learn#14735", fault=2)
@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("weights", ["balanced", {0: 1.0, 1: 5.0}], ids=["balanced", "dict"])
def test_class_weights_do_not_spoil_probabilities(name, weights):
    booster = classifier(name, class_weight=weights, learning_rate=0.1)
    model = FocalClassifier(booster, calibration=None).fit(X, Y)
    plain = classifier("lightgbm", class_weight=weights, learning_rate=0.1).fit(X, Y)
    # The weights are taken out again; in LGBMClassifier's own probabilities they stay. The mean of
    # a focal model is near the rate and not at it, by construction.
    off = [abs(m.predict_proba(X)[:, 1].mean() - RATE) for m in (model, plain)]
    assert off[0] < 0.02 < 0.08 < off[1]
    # and they are there while it trains: the share of the positive class's weight
    share = 1 - RATE if weights == "balanced" else 5 / 6
    assert_allclose(model.loss_.alpha, share, rtol=1e-12)


@report("catboost#279", "catboost#776", "catboost#1135")
@pytest.mark.parametrize(
    "option",
    [{"class_weights": [1.0, 5.0]}, {"auto_class_weights": "Balanced"}],
    ids=["list", "auto"],
)
def test_class_weights_of_catboost_are_refused(option):
    catboost = pytest.importorskip("catboost")
    from focalboost.catboost import train

    (name,) = option
    message = f"{name} must be left out.*Pass alpha to the loss"
    with pytest.raises(ValueError, match=message):
        train(catboost.Pool(X, Y), {**QUIET["catboost"], **option}, iterations=1, loss=FOCAL)
    with pytest.raises(ValueError, match=message):
        FocalClassifier(classifier("catboost", **option)).fit(X, Y)


@report("imbalanced-learn#1128", "imbalanced-learn#1077", "LightGBM#1042")
def test_probabilities_after_resampling(library):
    kept = np.sort(np.concatenate([np.flatnonzero(Y), np.flatnonzero(Y == 0)[::4]]))
    X_kept, y_kept = X[kept], Y[kept]
    sampled = FocalClassifier(classifier(library)).fit(X_kept, y_kept)
    model = FocalClassifier(classifier(library), prior=RATE).fit(X_kept, y_kept)
    # Bayes: the odds times the ratio of the odds of the classes
    moved = logit(RATE) - logit(y_kept.mean())
    expected = expit(logit(sampled.predict_proba(X)[:, 1]) + moved)
    assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=1e-9)
    # nearer to the labels of the population, of which most were not trained on
    briers = [brier_score_loss(Y, m.predict_proba(X)[:, 1]) for m in (model, sampled)]
    assert briers[0] < briers[1]


@report("shap#1071", "shap#1151", "shap#1863")
def test_shap_values_sum_to_the_raw_score(trainer):
    fitted = trainer.fit(FOCAL, X, Y, rounds=ROUNDS, params=trainer.params)
    # single precision in XGBoost
    assert_allclose(shap_total(fitted.model, X[:20]), fitted.raw(X[:20]), rtol=0, atol=1e-5)


# scikit-learn's and pandas' habits.


@report("scikit-learn#7926", "scikit-learn#10291", "catboost#368", "LightGBM#1466", fault=14)
def test_feature_selection(library):
    # The first two columns make the labels, the others are noise.
    noise = np.random.default_rng(1).normal(size=(len(Y), 2)).round()
    table = np.column_stack([noise[:, 0], X[:, 0], noise[:, 1], X[:, 1]])
    model = FocalClassifier(classifier(library))
    assert_array_equal(RFE(model, n_features_to_select=2).fit(table, Y).support_, [0, 1, 0, 1])
    chosen = SelectFromModel(model, threshold=-np.inf, max_features=2).fit(table, Y)
    assert_array_equal(chosen.get_support(), [0, 1, 0, 1])


@report("LightGBM#6202", "LightGBM#2455", "autogluon#399", "pycaret#3181", fault=18)
def test_characters_of_json_in_column_names(library):
    pandas = pytest.importorskip("pandas")
    names = ['amount, "net"', "age [years]", "{id}", "a:b"]
    frame = pandas.DataFrame(X, columns=names)
    model = FocalClassifier(classifier(library)).fit(frame, Y)
    plain = FocalClassifier(classifier(library)).fit(X, Y)
    assert_array_equal(model.predict_proba(frame), plain.predict_proba(X))
    assert_array_equal(model.feature_names_in_, names)


@report("xgboost#6851", "xgboost#8213", "xgboost#8598", "xgboost#10454")
def test_nullable_and_arrow_columns(library):
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    is_missing = np.arange(len(Y)) % 7 == 0
    values = np.where(is_missing[:, np.newaxis], np.nan, (10 * X).round())
    frame = pandas.DataFrame(values, columns=["a", "b", "c", "d"])
    nullable = frame.astype({"a": "Int64", "b": "Float64", "c": "Int32"})
    arrow = frame.astype({"a": pandas.ArrowDtype(pyarrow.int32()), "b": "float64[pyarrow]"})
    expected = FocalClassifier(classifier(library)).fit(frame, Y).predict_proba(frame)
    for table in (nullable, arrow, pyarrow.table({name: frame[name] for name in frame})):
        model = FocalClassifier(classifier(library)).fit(table, Y)
        assert_array_equal(model.predict_proba(table), expected)


# The derivative itself.


@report("LightGBM#2052")
def test_no_logarithm_of_0():
    labels, scores = [1, 0, 1, 0], [-800.0, 800.0, 800.0, -800.0]
    # log loss: p less the label, and the distance from the right side
    assert_array_equal(LOG_LOSS.gradient(labels, scores), expit(scores) - labels)
    assert_array_equal(LOG_LOSS.loss(labels, scores), [800.0, 800.0, 0.0, 0.0])
    gradient, hessian = FocalLoss(2.0).gradient_hessian(labels, scores)
    assert np.all(np.isfinite([gradient, hessian]))


@report("LightGBM#2052", fault=41)
def test_derivative_in_the_probability_is_found_out():
    def by_probability(y_true, raw_prediction):
        p = expit(raw_prediction)
        return -y_true / p + (1 - y_true) / (1 - p), y_true / p**2 + (1 - y_true) / (1 - p) ** 2

    found = check_objective(by_probability)
    assert not found.ok
    assert "The derivative is taken in the probability and not in the raw score" in " ".join(
        found.causes
    )
