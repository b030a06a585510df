"""Every property of every way to train, over losses that we wrote and some that we did not."""

import copy
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import numpy as np
import pytest
from backends import BACKENDS, QUIET, TRAINERS, init_score_of, make_data, needs, shap_total
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss
from sklearn.base import clone
from zoo import LOSSES as ZOO
from zoo import loss_id

from focalboost import FocalClassifier, FocalLoss, SoftmaxFocalLoss
from focalboost.boosters.options import thread_count
from focalboost.losses import _classes as classes_of_losses
from focalboost.losses._kernels import FocalKernel
from focalboost.losses.foreign import as_loss

K = 3
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
DATA = {k: make_data(n_classes=k) for k in (2, K)}
X, Y, W = DATA[2]


def data_for(loss):
    return DATA[as_loss(loss).kernel.classes.n_classes]


def module_of(library):
    pytest.importorskip(library)
    return import_module(f"focalboost.{library}")


@pytest.fixture(params=["lightgbm", "xgboost", "catboost"])
def module(request):
    return module_of(request.param)


class NoWeights(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None, **kwargs):
        return super().gradient_curvature(y_true, raw_prediction, **kwargs)


class HalfTheCurvature(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None, **kwargs):
        gradient, curvature = super().gradient_curvature(
            y_true, raw_prediction, sample_weight, **kwargs
        )
        return gradient, curvature / 2


class GradientUphill(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None, **kwargs):
        gradient, curvature = super().gradient_curvature(
            y_true, raw_prediction, sample_weight, **kwargs
        )
        return -gradient, curvature


class MetricOfAnotherLoss(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return FocalLoss(self.gamma + 1)(y_true, raw_prediction, sample_weight)


# Properties that every backend has with every loss.


def equals_the_built_in_loss(backend, loss):
    X, y, w = data_for(loss)
    for weight in (None, w):
        fitted = backend.fit(loss, X, y, weight, 20, backend.params, max_step=None)
        built_in = backend.fit_builtin(
            loss, init_score_of(loss, y, weight), X, y, weight, 20, backend.params
        )
        assert np.ptp(fitted.raw(X)) > 1
        # scikit-learn's gradient differs from the booster's by an ulp of single precision.
        is_several = as_loss(loss).is_multiclass
        parity = backend.parity[is_several]
        atol = max(parity, 1e-6) if "sklearn" in type(loss).__module__ else parity
        assert_allclose(fitted.raw(X), built_in(X), rtol=0, atol=atol)


def a_stump_takes_newton_steps(backend, loss):
    X, y, _ = data_for(loss)
    fitted = backend.fit(loss, X, y, rounds=1, params=backend.stump)
    raw, init = fitted.raw(X), np.full(len(y), init_score_of(loss, y))
    gradient, curvature = as_loss(loss).kernel.weighted_derivatives(
        y.astype(float), init, None, 4.0, 1
    )[:2]
    leaves = np.unique(raw)
    assert len(leaves) == 2
    for value in leaves:
        leaf = raw == value
        step = -gradient[leaf].sum() / (curvature[leaf].sum() + 1.0)
        assert_allclose(value - init[0], step, rtol=1e-5, atol=backend.atol)


def integer_weights_are_repeated_samples(backend, loss):
    X, y, w = data_for(loss)
    weighted = backend.fit(loss, X, y, w, 5, backend.free)
    times = w.astype(int)
    repeated = backend.fit(
        loss, np.repeat(X, times, axis=0), np.repeat(y, times), None, 5, backend.free
    )
    # sums of other terms in another order, in single precision for the first two boosters
    assert_allclose(weighted.raw(X), repeated.raw(X), rtol=0, atol=20 * backend.atol)


def predicts_alone(backend, loss):
    X, y, w = data_for(loss)
    fitted = backend.fit(loss, X, y, w, 5, backend.params)
    raw = fitted.raw(X)
    # XGBoost predicts in single precision
    tolerance = 1e-6 if backend.library == "xgboost" else 1e-12
    link = expit(raw) if raw.ndim == 1 else softmax(raw, axis=1)
    assert_allclose(fitted.predict(X), link, rtol=0, atol=tolerance)
    total = fitted.contributions(X).sum(axis=-1)
    assert_allclose(total, raw, rtol=0, atol=10 * backend.atol)


def init_score_is_inside(backend, loss):
    X, y, w = data_for(loss)
    for weight in (None, w):
        fitted = backend.fit(loss, X, y, weight, 1, {**backend.params, backend.rate: 1e-5})
        init = np.broadcast_to(init_score_of(loss, y, weight), fitted.raw(X).shape)
        # a first step is at most about 10
        assert_allclose(fitted.raw(X), init, rtol=0, atol=1e-4)


def is_the_init_score_on_constant_columns(backend, loss):
    if backend.library == "catboost":
        pytest.skip("CatBoost refuses data whose columns are all constant")
    _, y, w = data_for(loss)
    constant = np.ones((len(y), 2))
    raw = backend.fit(loss, constant, y, w, 2, backend.params).raw(constant)
    # the one leaf that a booster may keep steps by the rounding of a sum of gradients
    init = np.broadcast_to(init_score_of(loss, y, w), raw.shape)
    assert_allclose(raw, init, rtol=0, atol=10 * backend.atol)


def history_is_the_weighted_mean_loss(backend, loss):
    X, y, w = data_for(loss)
    for weight in (None, w):
        fitted = backend.fit(loss, X, y, weight, 4, backend.params)
        truth = FocalLoss(loss.gamma, loss.alpha) if isinstance(loss, FocalLoss) else loss
        by_hand = truth(y.astype(float), fitted.raw(X).astype(float), weight)
        # six decimals are what XGBoost passes to XGBClassifier
        tolerance = 1e-6 if backend.name == "xgboost-sklearn" else 1e-9
        assert_allclose(fitted.history[-1], by_hand, rtol=1e-6, atol=tolerance)


def training_loss_never_rises(backend, loss):
    X, y, w = data_for(loss)
    history = backend.fit(loss, X, y, w, 30, {**backend.params, backend.rate: 0.05}).history
    # the last of the six decimals
    assert np.all(np.diff(history) <= (1e-6 if backend.name == "xgboost-sklearn" else 1e-9))
    assert history[-1] < history[0]


def is_unchanged_by_training(backend, loss):
    X, y, w = data_for(loss)
    before, arrays = copy.deepcopy(loss), (X.copy(), y.copy(), w.copy())
    backend.fit(loss, *arrays, 2, backend.params)
    assert before == loss or not isinstance(loss, FocalLoss)
    for now, then in zip(arrays, (X, y, w), strict=True):
        assert_array_equal(now, then)


PROPERTIES = [
    a_stump_takes_newton_steps,
    integer_weights_are_repeated_samples,
    predicts_alone,
    init_score_is_inside,
    is_the_init_score_on_constant_columns,
    history_is_the_weighted_mean_loss,
    training_loss_never_rises,
    is_unchanged_by_training,
]
# The adapters cannot tell losses apart, but for the number of classes and for who wrote them.
LOSSES = [FocalLoss(2.0, 0.25), HalfBinomialLoss(), SoftmaxFocalLoss(K, 1.0, (1.0, 0.5, 2.0))]


def cases():
    for backend in BACKENDS:
        for loss in LOSSES:
            is_several = as_loss(loss).is_multiclass
            for holds in PROPERTIES:
                # A leaf of several classes has a step for each, of Hessians that boosters scale.
                if not (
                    is_several and (holds is a_stump_takes_newton_steps or not backend.is_train)
                ):
                    name = f"{holds.__name__}-{backend.name}-{loss_id(loss)}"
                    yield pytest.param(holds, backend, loss, id=name)


@pytest.mark.parametrize(("holds", "backend", "loss"), [*cases()])
def test_property(holds, backend, loss):
    needs(backend, loss)
    holds(backend, loss)


@pytest.mark.parametrize(
    "loss",
    [
        FocalLoss(0.0),
        HalfBinomialLoss(),
        SoftmaxFocalLoss(K, 0.0),
        HalfMultinomialLoss(n_classes=K),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_parity(backend, loss):
    needs(backend, loss)
    if as_loss(loss).is_multiclass and not backend.is_train:
        pytest.skip("the same objective as in train")
    if backend.library == "catboost" and isinstance(loss, HalfMultinomialLoss):
        pytest.skip("CatBoost's own loss has the whole Hessian, of which this one has the diagonal")
    equals_the_built_in_loss(backend, loss)


@pytest.mark.parametrize(
    ("holds", "broken"),
    [
        (equals_the_built_in_loss, NoWeights(0.0)),
        (equals_the_built_in_loss, HalfTheCurvature(0.0)),
        (equals_the_built_in_loss, FocalLoss(0.1)),
        (equals_the_built_in_loss, SoftmaxFocalLoss(K, 0.1)),
        (a_stump_takes_newton_steps, None),
        (integer_weights_are_repeated_samples, NoWeights(2.0)),
        (history_is_the_weighted_mean_loss, MetricOfAnotherLoss(2.0)),
        (training_loss_never_rises, GradientUphill(2.0)),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_broken_loss_fails(holds, broken, trainer, monkeypatch):
    needs(trainer, broken)
    if broken is None:  # of a stump: what the booster got had another bound
        broken = FocalLoss(2.0, 0.25)
        fit = trainer.fit
        trainer = copy.copy(trainer)
        object.__setattr__(
            trainer, "fit", lambda *args, **kwargs: fit(*args, max_step=0.1, **kwargs)
        )
    with pytest.raises(AssertionError):
        holds(trainer, broken)


# CatBoost has one score for two classes, whatever the loss.
ONE_OF_EACH = {type(loss): loss for loss in reversed(ZOO) if loss != SoftmaxFocalLoss(2)}


@pytest.mark.parametrize("loss", [*ONE_OF_EACH.values()], ids=loss_id)
def test_every_loss_in_every_booster(trainer, loss):
    needs(trainer, loss)
    k = as_loss(loss).kernel.classes.n_classes
    X, y, w = DATA.get(k) or make_data(n_classes=k)
    y = np.minimum(y, k - 1)
    fitted = trainer.fit(loss, X, y, w, 10, trainer.params)
    raw = fitted.raw(X).astype(float)
    assert_allclose(fitted.history[-1], loss(y, raw, w), rtol=1e-6)
    assert np.all(np.diff(fitted.history) < 0)
    # calibrated on its own samples, which the plain link of most losses is not
    share = np.array([np.average(c == y, weights=w) for c in range(k)])
    assert_allclose(np.average(loss.predict_proba(raw), axis=0, weights=w), share, atol=0.04)


@pytest.mark.parametrize("loss", [FocalLoss(2.0, 0.25), HalfBinomialLoss()], ids=loss_id)
@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_native_and_sklearn_give_the_same_model(library, loss):
    native, wrapped = (b for b in BACKENDS if b.library == library)
    needs(native)
    ours = native.fit(loss, X, Y, W, 10, native.params).raw(X)
    theirs = wrapped.fit(loss, X, Y, W, 10, native.params).raw(X)
    assert_allclose(ours, theirs, rtol=0, atol=max(native.parity[0], 1e-14))


# Losses that people bring.


def log_loss_value(y, z):
    return np.logaddexp(0, z) - y * z


def log_loss_derivatives(y, z):
    p = expit(z)
    return p - y, p * (1 - p)


def test_a_pair_of_functions_is_a_loss(trainer):
    pair = (log_loss_value, log_loss_derivatives)
    ours = trainer.fit(pair, X, Y, W, 10, trainer.params, max_step=None).raw(X)
    theirs = trainer.fit(FocalLoss(0.0), X, Y, W, 10, trainer.params, max_step=None).raw(X)
    # p - y cancels, in single precision scores in XGBoost
    assert_allclose(ours, theirs, rtol=0, atol=10 * trainer.atol)


def test_bound_is_of_the_training(trainer):
    # the bound of scikit-learn's loss is that of ours at gamma 0
    for bound in (4.0, 0.5):
        ours = trainer.fit(FocalLoss(0.0), X, Y, W, 10, trainer.params, max_step=bound).raw(X)
        theirs = trainer.fit(HalfBinomialLoss(), X, Y, W, 10, trainer.params, max_step=bound).raw(X)
        assert_allclose(ours, theirs, rtol=0, atol=10 * trainer.atol)
        free = trainer.fit(FocalLoss(0.0), X, Y, W, 10, trainer.params, max_step=None).raw(X)
        assert np.max(np.abs(ours - free)) > 0.01


class ArrayOfAnotherLibrary:
    """What numpy reads and boosters refuse, as JAX's arrays are."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        values = np.asarray(self.values, dtype=dtype).copy()
        values.setflags(write=False)
        return values


def test_arrays_of_another_library(trainer):
    def derivatives(y, z):
        return tuple(map(ArrayOfAnotherLibrary, log_loss_derivatives(y, z)))

    ours = trainer.fit((log_loss_value, derivatives), X, Y, None, 5, trainer.params).raw(X)
    pair = (log_loss_value, log_loss_derivatives)
    assert_array_equal(ours, trainer.fit(pair, X, Y, None, 5, trainer.params).raw(X))


def test_subclass_gets_its_own_curvature(trainer):
    ours = trainer.fit(FocalLoss(2.0), X, Y, None, 5, trainer.params).raw(X)
    half = trainer.fit(HalfTheCurvature(2.0), X, Y, None, 5, trainer.params).raw(X)
    assert np.max(np.abs(half - ours)) > 0.1


# Soft labels, one sample, continuing: what only train does.


def test_labels_are_checked_once_a_training(trainer, monkeypatch):
    calls, check = [], classes_of_losses.check_probabilities
    monkeypatch.setattr(
        classes_of_losses, "check_probabilities", lambda *args: calls.append(args) or check(*args)
    )
    counts = []
    for rounds in (1, 10):
        calls.clear()
        trainer.fit(FocalLoss(), X, Y, W, rounds, trainer.params)
        counts.append(len(calls))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize(
    ("value", "count"), [(3, 3), ("3", 3), (None, CORES), (0, CORES), (-1, CORES)]
)
def test_threads_are_the_booster_s(value, count):
    assert thread_count(value) == count


@pytest.mark.parametrize("is_classifier", [False, True], ids=["train", "FocalClassifier"])
@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_loss_and_metric_have_the_threads_of_the_booster(library, is_classifier, monkeypatch):
    module, seen = module_of(library), set()
    mean, derivatives = FocalKernel.mean, FocalKernel.weighted_derivatives

    def mean_seen(kernel, y, z, w, n_threads=1):
        seen.add(("mean", n_threads))
        return mean(kernel, y, z, w, n_threads)

    def derivatives_seen(kernel, y, z, w, max_step, n_threads, *others):
        # a sample of each class stands for all in a check before training
        if len(y) == len(Y):
            seen.add(("derivatives", n_threads))
        return derivatives(kernel, y, z, w, max_step, n_threads, *others)

    monkeypatch.setattr(FocalKernel, "mean", mean_seen)
    monkeypatch.setattr(FocalKernel, "weighted_derivatives", derivatives_seen)
    booster = import_module(library)
    if is_classifier:
        cls = booster.LGBMClassifier if library == "lightgbm" else booster.XGBClassifier
        estimator = cls(
            n_estimators=1, n_jobs=3, **({"verbose": -1} if library == "lightgbm" else {})
        )
        focal = FocalClassifier(estimator, stopping_metric="focal_loss", early_stopping_rounds=1)
        focal.fit(X, Y, X_val=X, y_val=Y)
    elif library == "lightgbm":
        data = booster.Dataset(X, Y)
        params = {"verbose": -1, "num_threads": 3}
        module.train(params, data, 1, valid_sets=[data], loss=FocalLoss(2.0))
    else:
        data = booster.DMatrix(X, Y)
        params = {"nthread": 3}
        module.train(
            params, data, 1, evals=[(data, "train")], verbose_eval=False, loss=FocalLoss(2.0)
        )
    assert seen == {("mean", 3), ("derivatives", 3)}


def test_soft_labels_are_mixtures(trainer):
    if trainer.library == "catboost":
        pytest.skip("CatBoost's L2 is in units of the mean weight, which differs here")
    soft = np.where(Y == 1, 0.75, 0.25)
    mixture = np.concatenate([np.ones(len(Y)), np.zeros(len(Y))])
    shares = np.concatenate([soft, 1 - soft])
    loss = FocalLoss(2.0, 0.25)
    ours = trainer.fit(loss, X, soft, None, 5, trainer.free)
    theirs = trainer.fit(loss, np.concatenate([X, X]), mixture, shares, 5, trainer.free)
    assert_allclose(ours.raw(X), theirs.raw(X), rtol=0, atol=20 * trainer.atol)


@pytest.mark.parametrize("loss", LOSSES[:2], ids=loss_id)
def test_trains_on_one_sample(trainer, loss):
    if trainer.library == "catboost":
        pytest.skip("CatBoost refuses data whose columns are all constant")
    sample, label = np.array([[1.0, 2.0]]), np.array([0.25])
    fitted = trainer.fit(loss, sample, label, None, 2, trainer.params)
    assert_allclose(fitted.raw(sample), init_score_of(loss, label), rtol=0, atol=trainer.atol)


@pytest.mark.parametrize("loss", [FocalLoss(2.0), SoftmaxFocalLoss(K)], ids=loss_id)
def test_training_goes_on(trainer, loss, tmp_path):
    needs(trainer, loss)
    X, y, _ = data_for(loss)
    part = trainer.fit(loss, X, y, None, 5, trainer.params).model
    path = str(tmp_path / ("part.cbm" if trainer.library == "catboost" else "part.json"))
    part.save_model(path)
    whole = trainer.fit(loss, X, y, None, 10, trainer.params).raw(X)
    name = trainer.init_model
    more = trainer.fit(loss, X, y, None, 5, trainer.params, **{name: part}).raw(X)
    # LightGBM and XGBoost sum the leaves in another order, from single precision
    assert_allclose(more, whole, rtol=0, atol=1e-9 if trainer.library == "catboost" else 1e-5)
    from_file = trainer.fit(loss, X, y, None, 5, trainer.params, **{name: path}).raw(X)
    assert_allclose(from_file, more, rtol=0, atol=1e-5)
    another, (X2, y2, _) = SoftmaxFocalLoss(4), make_data(n_classes=3)
    needs(trainer, another)
    with pytest.raises(ValueError, match=f"loss must be that of {name}"):
        trainer.fit(another, X2, y2 + (X2[:, 3] > 1), None, 1, trainer.params, **{name: part})


# A sealed file in a process that has no focalboost.

VANILLA = {
    "lightgbm": (
        "m = lightgbm.Booster(model_file=path)\n"
        "    out = m.predict(X), m.predict(X, raw_score=True), m.predict(X, pred_contrib=True)"
    ),
    "xgboost": (
        "m = xgboost.Booster(model_file=path); D = xgboost.DMatrix(X)\n"
        "    out = m.predict(D), m.predict(D, output_margin=True), m.predict(D, pred_contribs=True)"
    ),
    "catboost": (
        "m = catboost.CatBoostClassifier().load_model(path)\n"
        "    out = (m.predict_proba(X)[:, 1], m.predict(X, prediction_type='RawFormulaVal'),\n"
        "           m.get_feature_importance(catboost.Pool(X), type='ShapValues'))"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_saved_model_predicts_without_focalboost(library, tmp_path):
    pytest.importorskip(library)
    fitted = {
        backend.name: backend.fit(FocalLoss(2.0, 0.25), X, Y, W, 10, backend.params)
        for backend in BACKENDS
        if backend.library == library
    }
    assert len(fitted) == 2
    end = {"lightgbm": "txt", "xgboost": "ubj", "catboost": "cbm"}[library]
    for name, of_backend in fitted.items():
        of_backend.model.save_model(str(tmp_path / f"{name}.{end}"))
    np.save(tmp_path / "X.npy", X)
    script = (
        "import sys; sys.modules['focalboost'] = None\n"
        f"import numpy, {library}\n"
        "X = numpy.load('X.npy')\n"
        f"for name in {[*fitted]}:\n"
        f"    path = name + '.{end}'\n"
        f"    {VANILLA[library]}\n"
        "    numpy.savez(name + '.npz', *out)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    tolerance = 1e-6 if library == "xgboost" else 1e-12
    for name, of_backend in fitted.items():
        out = np.load(tmp_path / f"{name}.npz")
        predicted, raw, contributions = (out[key] for key in out.files)
        assert_allclose(raw, of_backend.raw(X), rtol=0, atol=tolerance)
        assert_allclose(predicted, expit(of_backend.raw(X)), rtol=0, atol=tolerance)
        # single precision sums of 5 contributions in XGBoost
        assert_allclose(contributions.sum(axis=1), raw, rtol=0, atol=1e-5)


def test_shap_values_sum_to_the_raw_score(trainer):
    fitted = trainer.fit(FocalLoss(2.0, 0.25), X, Y, None, 10, trainer.params)
    assert_allclose(shap_total(fitted.model, X), fitted.raw(X), rtol=0, atol=1e-5)


# Objects as scikit-learn and pickle handle them.


@pytest.mark.parametrize("name", ["objective", "metric"])
def test_objects_are_values(module, name):
    make = getattr(module, name)
    one = make(FocalLoss(2.0, 0.25))
    for other in (make(FocalLoss(2, 0.25)), pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert other == one
        assert hash(other) == hash(one)
    assert one != make(FocalLoss(2.0, 0.3))
    assert name == "metric" or one != make(FocalLoss(2.0, 0.25), max_step=2.0)
    assert repr(FocalLoss(2.0, 0.25)) in repr(one)


@pytest.mark.parametrize(
    ("library", "estimator", "parameter"),
    [
        ("lightgbm", "LGBMClassifier", "objective"),
        ("xgboost", "XGBClassifier", "objective"),
        ("catboost", "CatBoostClassifier", "loss_function"),
    ],
)
def test_estimators_clone(library, estimator, parameter):
    objective = module_of(library).objective(FocalLoss(2.0, 0.25))
    cls = getattr(pytest.importorskip(library), estimator)
    assert clone(cls(**{parameter: objective})).get_params()[parameter] == objective


# Bad input is named, and raised out of train.


def train_with(library, y=Y, params=None, loss=None, weight=None, **kwargs):
    (backend,) = (b for b in TRAINERS if b.library == library)
    loss = FocalLoss() if loss is None else loss
    return backend.fit(loss, X, y, weight, 3, {**QUIET[library], **(params or {})}, **kwargs)


LIBRARIES = ["lightgbm", "xgboost", "catboost"]


@pytest.fixture(params=LIBRARIES)
def library(request):
    pytest.importorskip(request.param)
    return request.param


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (Y * 2, r"y_true must lie in \[0, 1\], got 2(\.0)?\."),
        (Y - 1, r"y_true must lie in \[0, 1\], got -1(\.0)?\."),
        (np.zeros(len(Y)), "y_true must hold both classes"),
        (np.ones(len(Y)), "y_true must hold both classes"),
    ],
    ids=["two", "minus one", "zeros", "ones"],
)
def test_bad_labels(library, labels, message):
    with pytest.raises(ValueError, match=message):
        train_with(library, labels)


def test_bad_labels_of_several_classes(library):
    loss = SoftmaxFocalLoss(K)
    (backend,) = (b for b in TRAINERS if b.library == library)
    needs(backend, loss)
    with pytest.raises(ValueError, match="y_true must hold whole numbers from 0 to 2, got 3"):
        train_with(library, DATA[K][1] + 1, loss=loss)


@pytest.mark.parametrize("library", ["lightgbm", "catboost"])
def test_missing_labels(library):
    # XGBoost refuses them itself, when the DMatrix is made.
    pytest.importorskip(library)
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got nan"):
        train_with(library, np.where(Y == 1, np.nan, 0))


def not_a_number(y, z):
    return np.nan * z, 0 * z + 1


def of_wrong_shape(y, z):
    return z[:, np.newaxis], z


@pytest.mark.parametrize(
    ("derivatives", "message"),
    [
        (not_a_number, "loss must give a finite gradient, got NaN or inf"),
        (of_wrong_shape, r"loss must give a gradient of shape \(\d+,\), got \(\d+, 1\)"),
    ],
)
def test_bad_derivatives(library, derivatives, message):
    class Bad(FocalLoss):
        def gradient_curvature(self, y_true, raw_prediction, sample_weight=None, **kwargs):
            return derivatives(y_true, raw_prediction)

    with pytest.raises(ValueError, match=message):
        train_with(library, loss=Bad(), max_step=None)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (FocalLoss, "loss must be an instance, got the class FocalLoss"),
        ("focal", "loss must have a method __call__, got 'focal'"),
        (len, "loss must have a method gradient_curvature or gradient_hessian"),
    ],
    ids=["class", "string", "function"],
)
def test_bad_loss(library, loss, message):
    module = module_of(library)
    for call in (module.objective, lambda bad: train_with(library, loss=bad)):
        with pytest.raises(TypeError, match=message):
            call(loss)
    if loss is not len:
        with pytest.raises(TypeError, match=message):
            module.metric(loss)


def test_bad_bound(module):
    for bound, error in (
        (0, ValueError),
        (-1.0, ValueError),
        (np.nan, ValueError),
        ("4", TypeError),
    ):
        with pytest.raises(error, match="max_step must be "):
            module.objective(FocalLoss(), max_step=bound)


@pytest.mark.parametrize(
    ("library", "params"),
    [
        ("lightgbm", {"scale_pos_weight": 10}),
        ("lightgbm", {"is_unbalance": True}),
        ("lightgbm", {"unbalance": True}),
        ("lightgbm", {"objective": "multiclass"}),
        ("lightgbm", {"app": "regression"}),
        ("lightgbm", {"num_class": 3}),
        ("lightgbm", {"boosting": "rf"}),
        ("lightgbm", {"sigmoid": 2.0}),
        ("lightgbm", {"boost_from_average": False}),
        ("lightgbm", {"neg_bagging_fraction": 0.5}),
        ("xgboost", {"scale_pos_weight": 10}),
        ("xgboost", {"base_score": 0.5}),
        ("xgboost", {"objective": "reg:squarederror"}),
        ("xgboost", {"num_class": 3}),
        ("catboost", {"scale_pos_weight": 10}),
        ("catboost", {"class_weights": [1, 10]}),
        ("catboost", {"auto_class_weights": "Balanced"}),
        ("catboost", {"loss_function": "MultiClass"}),
        ("catboost", {"boost_from_average": True}),
        ("catboost", {"model_shrink_rate": 0.1}),
    ],
)
def test_silently_disabled_option_is_refused(library, params):
    pytest.importorskip(library)
    (name,) = params
    with pytest.raises(ValueError, match=rf"{name} must be "):
        train_with(library, params=params)


@pytest.mark.parametrize(
    ("library", "params"),
    [
        ("lightgbm", {"objective": "multiclass", "num_class": 4}),
        ("lightgbm", {"metric": "auc"}),
        ("lightgbm", {"objective": "binary"}),
        ("xgboost", {"objective": "binary:logistic"}),
        ("catboost", {"loss_function": "Logloss"}),
    ],
)
def test_option_of_another_number_of_classes_is_refused(library, params):
    pytest.importorskip(library)
    (backend,) = (b for b in TRAINERS if b.library == library)
    needs(backend, SoftmaxFocalLoss(K))
    with pytest.raises(ValueError, match=rf"{[*params][-1]} must be "):
        train_with(library, DATA[K][1], params, SoftmaxFocalLoss(K))


@pytest.mark.parametrize(
    ("option", "value"),
    [("scale_pos_weight", 9.0), ("is_unbalance", True), ("pos_bagging_fraction", 0.5)],
)
@pytest.mark.parametrize("function", ["train", "cv"])
def test_option_without_effect_is_warned_of(function, option, value):
    lightgbm, module = pytest.importorskip("lightgbm"), module_of("lightgbm")
    objective = module.objective(FocalLoss())
    params = {**QUIET["lightgbm"], "objective": objective, option: value}
    with pytest.warns(UserWarning, match=f"{option} must be left out or be "):
        getattr(lightgbm, function)(params, lightgbm.Dataset(X, Y), 1)


GIVE_OBJECTIVE = r"Give a booster objective\(loss\) as its objective and metric\(loss\)"


def native(library, objective, metric):
    """Train with the booster's own function, in the way of its documentation."""
    booster = pytest.importorskip(library)
    if library == "lightgbm":
        data = booster.Dataset(X, Y)
        params = {**QUIET[library], "objective": objective}
        return booster.train(params, data, 1, [data], feval=metric)
    if library == "xgboost":
        data = booster.DMatrix(X, Y)
        how = {"obj": objective, "custom_metric": metric, "evals": [(data, "v")]}
        return booster.train(QUIET[library], data, 1, verbose_eval=False, **how)
    params = {"loss_function": objective, "eval_metric": metric, "iterations": 1}
    return booster.train(booster.Pool(X, Y), {**QUIET[library], **params})


@pytest.mark.parametrize("name", ["objective", "metric"])
@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_the_loss_itself_is_no_objective(library, name):
    module, loss = module_of(library), FocalLoss()
    right = {"objective": module.objective(loss), "metric": module.metric(loss)}
    native(library, **right)
    # CatBoost wraps it in an error of its own.
    error = pytest.importorskip("catboost").CatBoostError if library == "catboost" else TypeError
    with pytest.raises(error, match=GIVE_OBJECTIVE):
        native(library, **{**right, name: loss})


# What makes the curvature small: the loss, or the weights, which FocalClassifier raises to mean 1.
@pytest.mark.parametrize(
    ("library", "gamma", "weight", "option"),
    [
        ("lightgbm", 60.0, None, "min_child_weight"),
        ("lightgbm", 2.0, 1e-6, "min_sum_hessian_in_leaf"),
        ("xgboost", 5.0, None, "min_child_weight"),
        ("xgboost", 2.0, 1e-3, "min_child_weight"),
    ],
)
def test_too_little_curvature_for_a_split_is_warned_of(library, gamma, weight, option):
    module_of(library)
    (backend,) = (b for b in TRAINERS if b.library == library)
    w = None if weight is None else np.full(len(Y), weight)
    loss = FocalLoss(gamma)
    start = np.full(len(Y), loss.init_score(Y))
    total = loss.curvature(Y, start, w, max_step=4.0).sum()
    params = {**QUIET[library], option: 0.51 * total}
    with pytest.warns(UserWarning, match=f"{option} is .* no tree can split"):
        model = backend.fit(loss, X, Y, w, 3, params)
    assert np.ptp(model.raw(X)) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backend.fit(loss, X, Y, w, 3, {**params, option: 0.49 * total})
        model = backend.fit(loss, X, Y, w, 3, {**params, option: 0.0})
    assert np.ptp(model.raw(X)) > 0


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_classifier_warns_of_too_little_curvature(library):
    booster = pytest.importorskip(library)
    name = {"lightgbm": "LGBMClassifier", "xgboost": "XGBClassifier"}[library]
    quiet = {"lightgbm": {"verbose": -1}, "xgboost": {}}[library]
    estimator = getattr(booster, name)(n_estimators=3, n_jobs=1, min_child_weight=50.0, **quiet)
    with pytest.warns(UserWarning, match="min_child_weight is 50, .* no tree can split"):
        model = FocalClassifier(estimator, gamma=2.0).fit(X, Y)
    assert np.ptp(model.raw_prediction(X)) == 0


@pytest.mark.parametrize(
    ("library", "params"),
    [
        ("lightgbm", {"objective": "binary", "scale_pos_weight": 1.0, "is_unbalance": False}),
        ("xgboost", {"objective": "binary:logistic", "num_class": 0}),
        ("catboost", {"loss_function": "Logloss", "custom_metric": ["AUC", "PRAUC"]}),
    ],
)
def test_harmless_option_is_taken(library, params):
    pytest.importorskip(library)
    before = dict(params)
    (backend,) = (b for b in TRAINERS if b.library == library)
    data = X, Y
    if library == "catboost":
        catboost, module = pytest.importorskip("catboost"), module_of(library)
        quiet = {**QUIET[library], **params, "iterations": 2}
        module.train(catboost.Pool(*data), quiet, loss=FocalLoss())
    else:
        backend.fit(FocalLoss(), *data, None, 2, params)
    assert params == before


def test_own_init_scores_are_refused():
    margin = np.zeros(len(Y))
    if lightgbm := pytest.importorskip("lightgbm"):
        with pytest.raises(ValueError, match="init_score must not be set"):
            module_of("lightgbm").train(
                {}, lightgbm.Dataset(X, Y, init_score=margin), loss=FocalLoss()
            )
    if xgboost := pytest.importorskip("xgboost"):
        with pytest.raises(ValueError, match="base_margin must not be set"):
            module_of("xgboost").train(
                {}, xgboost.DMatrix(X, Y, base_margin=margin), loss=FocalLoss()
            )
    if catboost := pytest.importorskip("catboost"):
        with pytest.raises(ValueError, match="baseline must not be set"):
            module_of("catboost").train(catboost.Pool(X, Y, baseline=margin), {}, loss=FocalLoss())


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_bad_samples_in_a_call(library):
    module = module_of(library)
    objective = module.objective(FocalLoss())
    with pytest.raises(ValueError, match=r"raw_prediction must have shape .* got \(2, 3\)"):
        objective([0, 1], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="raw_prediction must be finite, got nan"):
        objective([0, 1], [0.0, np.nan])
    with pytest.raises(ValueError, match=r"y_true must have the shape .* \(2,\), got \(1,\)"):
        objective([1], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"raw_prediction must have shape \(n, 3\) .*\(2,\)"):
        module.objective(SoftmaxFocalLoss(3))([0, 1], [0.0, 0.0])
    with pytest.raises(ValueError, match="sample_weight must be finite and >= 0, got -1"):
        module.metric(FocalLoss())([0, 1], [0.0, 1.0], [1, -1])


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_whole_numbers_as_scores(library):
    objective = module_of(library).objective(FocalLoss(2.0))
    for whole, real in zip(
        objective([0.5, 0.9], np.array([0, 0]), [0.5, 0.9]),
        objective([0.5, 0.9], np.array([0.0, 0.0]), [0.5, 0.9]),
        strict=True,
    ):
        assert_array_equal(whole, real)


def test_booster_of_several_classes_with_a_binary_loss():
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    objective = module_of("lightgbm").objective(FocalLoss())
    with pytest.raises(ValueError, match="is num_class set to 1"):
        lightgbm.train(
            {"objective": objective, "num_class": 3, "verbose": -1}, lightgbm.Dataset(X, Y), 2
        )
    objective = module_of("xgboost").objective(FocalLoss())
    with pytest.raises(ValueError, match="is num_class set to 1"):
        xgboost.train({"num_class": 3}, xgboost.DMatrix(X, Y), 2, obj=objective)


def test_softmax_of_two_classes_in_catboost():
    pytest.importorskip("catboost")
    with pytest.raises(ValueError, match="CatBoost has one raw score for two classes"):
        train_with("catboost", loss=SoftmaxFocalLoss(2))


def test_old_xgboost(monkeypatch):
    module_of("xgboost")
    monkeypatch.setattr("focalboost.xgboost.options.TAKES_SEVERAL_CLASSES", False)
    with pytest.raises(ValueError, match=r"Only binary .* needs XGBoost 3\.1 or newer"):
        train_with("xgboost", DATA[K][1], loss=SoftmaxFocalLoss(K))


def test_model_of_another_objective_to_continue():
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    objective = module_of("lightgbm").objective(FocalLoss())
    params = {**QUIET["lightgbm"], "objective": objective}
    unsealed = lightgbm.train(params, lightgbm.Dataset(X, Y), 2)
    with pytest.raises(ValueError, match="init_model must be a binary model"):
        train_with("lightgbm", init_model=unsealed)
    regression = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(X, Y), 2)
    with pytest.raises(ValueError, match="xgb_model must be a binary:logistic model, got reg:sq"):
        train_with("xgboost", xgb_model=regression)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_threads_train_on_one_data_set(library):
    module = module_of(library)
    booster = pytest.importorskip(library)
    losses = [FocalLoss(0.5), FocalLoss(4.0)] * 8
    params = {**QUIET[library], **({"iterations": 5} if library == "catboost" else {})}
    if library == "lightgbm":
        data = booster.Dataset(X, Y).construct()
        fit = lambda loss: module.train(params, data, 5, loss=loss).predict(X)  # noqa: E731
    elif library == "xgboost":
        data = booster.DMatrix(X, Y)
        fit = lambda loss: module.train(params, data, 5, loss=loss).predict(data)  # noqa: E731
    else:
        data = booster.Pool(X, Y)
        fit = lambda loss: module.train(data, params, loss=loss).predict(X)  # noqa: E731
    expected = [fit(loss) for loss in losses[:2]]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fit, losses))
    for i, values in enumerate(found):
        assert_array_equal(values, expected[i % 2])


class HardestSamples:
    """Log loss of the 100 samples that have the most of it, as in online hard example mining."""

    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return float(np.mean(np.sort(self.loss(y_true, raw_prediction))[-100:]))

    def loss(self, y_true, raw_prediction):
        return np.logaddexp(0, raw_prediction) - y_true * raw_prediction

    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        chosen = np.zeros(len(y_true))
        chosen[np.argpartition(self.loss(y_true, raw_prediction), -100)[-100:]] = 1.0
        p = expit(raw_prediction)
        return chosen * (p - y_true), chosen * p * (1 - p)

    def init_score(self, y_true, sample_weight=None):
        return -1.0


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_a_loss_that_looks_at_all_samples(library):
    fitted = train_with(library, loss=HardestSamples())
    assert np.ptp(fitted.raw(X)) > 0
