"""Odd inputs at every public entry point: each is refused by the argument's name, rule and value.

What a booster or numpy would say of them speaks of their insides.
"""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import pytest
from backends import QUIET, make_data
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from focalboost import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    CumulativeLossDisplay,
    EffectiveNumber,
    ExponentialGamma,
    FocalClassifier,
    FocalLoss,
    FocalLossDisplay,
    FocalStarLoss,
    GeneralizedCrossEntropyLoss,
    LinearGamma,
    LossComparison,
    LossComparisonDisplay,
    ModulatedLoss,
    PolyLoss,
    ProbabilityDisplay,
    RobustFocalLoss,
    ScheduledLoss,
    SoftmaxFocalLoss,
    VectorScalingLoss,
    check_objective,
    compare_losses,
)

X, Y, W = make_data(60)
LOSS = FocalLoss(2.0)
SOFTMAX = SoftmaxFocalLoss(3)
ROWS = [[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]]
DATES = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")
RAGGED = [[1.0], [1.0, 2.0]]
LIBRARIES = ("lightgbm", "xgboost", "catboost")

# What errors say that were not raised for the user: they name no argument.
INSIDES = (
    r"argument must be a string|has no attribute|unhashable|multiple values|not subscriptable|"
    r"not iterable|object is not callable|not supported between|unsupported operand|"
    r"ufunc '\w+' did|could not convert|invalid literal|missing \d required|unexpected keyword|"
    r"inhomogeneous|"
    r"truth value|cannot unpack|not enough values|too many values|index out of|cannot reshape|"
    r"Stack trace|\[\d\d:\d\d:\d\d\]|CHECK|broadcast together|sequence item|dictionary update|"
    r"can't multiply|takes \d|expected str, bytes|object cannot be interpreted"
)


class Bare:
    """An object that nobody expects, with a repr that can be searched for."""

    def __repr__(self):
        return "Bare()"


def entry(library, name):
    pytest.importorskip(library)
    return getattr(import_module(f"focalboost.{library}"), name)


def data_of(library, X=X, y=Y, **kwargs):
    name = {"lightgbm": "Dataset", "xgboost": "DMatrix", "catboost": "Pool"}[library]
    return getattr(pytest.importorskip(library), name)(X, y, **kwargs)


def train(library, function="train", **kwargs):
    """Call `train` or `cv` of an adapter with good arguments, but for those that are given."""
    function = entry(library, function)
    data = {"lightgbm": "train_set", "xgboost": "dtrain", "catboost": "pool"}[library]
    rounds = "iterations" if library == "catboost" else "num_boost_round"
    kwargs = {"params": QUIET[library], rounds: 1, "loss": LOSS, **kwargs}
    if not {data, "dtrain"} & {*kwargs}:
        kwargs[data] = data_of(library)
    return function(**kwargs)


def classifier(library="lightgbm", **params):
    lib = pytest.importorskip(library)
    name = {"lightgbm": "LGBM", "xgboost": "XGB", "catboost": "CatBoost"}[library] + "Classifier"
    quiet = {
        "lightgbm": {"verbose": -1, "n_jobs": 1},
        "xgboost": {"n_jobs": 1},
        "catboost": {"verbose": 0, "thread_count": 1},
    }
    return getattr(lib, name)(n_estimators=2, **quiet[library], **params)


def focal(X=X, y=Y, /, *args, estimator=None, params=None, **kwargs):
    """Fit FocalClassifier with these parameters, and these arguments of `fit`."""
    if estimator is None:
        estimator = classifier()
    return FocalClassifier(estimator, **(params or {})).fit(X, y, *args, **kwargs)


class C(NamedTuple):
    """A case: a call, its odd argument, and what the message must say was given, and of the rule.

    All but the call are patterns.
    """

    call: Callable[[], Any]
    name: str
    got: str
    rule: str = "must "


LOSSES = [
    C(lambda: FocalLoss(gamma=-1), "gamma", "got -1", ">= 0"),
    C(lambda: FocalLoss(gamma=np.inf), "gamma", "got inf", "finite"),
    C(lambda: FocalLoss(gamma=-np.inf), "gamma", "got -inf"),
    C(lambda: FocalLoss(gamma=np.nan), "gamma", "got nan", "finite"),
    C(lambda: FocalLoss(gamma="2"), "gamma", "got '2'", "real number"),
    C(lambda: FocalLoss(gamma=None), "gamma", "got None", "real number"),
    C(lambda: FocalLoss(gamma=[2.0]), "gamma", r"got \[2\.0\]", "real number"),
    C(lambda: FocalLoss(gamma=np.array([1.0, 2.0])), "gamma", r"got array\(", "real number"),
    C(lambda: FocalLoss(gamma=True), "gamma", "got True", "real number"),
    C(lambda: FocalLoss(gamma=2j), "gamma", "got 2j", "real number"),
    C(lambda: FocalLoss(gamma=DATES[0]), "gamma", "got .*2020-01-01", "real number"),
    C(lambda: FocalLoss(alpha=0), "alpha", "got 0", r"None or in \(0, 1\)"),
    C(lambda: FocalLoss(alpha=1.5), "alpha", r"got 1\.5", r"\(0, 1\)"),
    C(lambda: FocalLoss(alpha=np.nan), "alpha", "got nan", r"\(0, 1\)"),
    C(lambda: FocalLoss(alpha="balanced"), "alpha", "got 'balanced'", "None or a real number"),
    C(lambda: FocalLoss(alpha=[0.25, 0.75]), "alpha", r"got \[0\.25, 0\.75\]"),
    C(lambda: FocalLoss(alpha={0: 0.25}), "alpha", "got {0: 0.25}"),
    C(lambda: CalibratedFocalLoss(gamma=Bare), "gamma", "got <class"),
    C(lambda: AsymmetricLoss(gamma_positive=-0.5), "gamma_positive", r"got -0\.5", ">= 0"),
    C(lambda: AsymmetricLoss(gamma_negative="4"), "gamma_negative", "got '4'"),
    C(lambda: AsymmetricLoss(margin=1.0), "margin", r"got 1\.0", r"in \[0, 1\)"),
    C(lambda: AsymmetricLoss(1.0, 0.5, 0.05), "gamma_negative", r"got 0\.5", ">= 1 where margin"),
    C(lambda: FocalStarLoss(gamma=0), "gamma", "got 0", "> 0"),
    C(lambda: FocalStarLoss(beta=np.inf), "beta", "got inf", "finite"),
    C(lambda: PolyLoss(epsilon="1"), "epsilon", "got '1'"),
    C(lambda: PolyLoss(epsilon=-5), "epsilon", "got -5"),
    C(lambda: RobustFocalLoss(k=1), "k", "got 1", r"in \(0, 1\)"),
    C(lambda: RobustFocalLoss(r=None), "r", "got None"),
    C(lambda: GeneralizedCrossEntropyLoss(k=0), "k", "got 0", r"in \(0, 1\)"),
    C(lambda: BrierLoss(alpha=2), "alpha", "got 2"),
    C(lambda: VectorScalingLoss(scale=1.0), "scale", r"got 1\.0"),
    C(lambda: VectorScalingLoss(scale=(1.0, -1.0)), "scale", r"got -1\.0", "> 0"),
    C(lambda: VectorScalingLoss(scale=(1.0, 2.0, 3.0)), "scale", r"got \(1\.0"),
    C(lambda: VectorScalingLoss(shift="ab"), "shift", "got 'a"),
    C(lambda: VectorScalingLoss(shift=None), "shift", "got None"),
    C(lambda: VectorScalingLoss(shift=(0.0, np.nan)), "shift", "got nan", "finite"),
    C(lambda: VectorScalingLoss(shift={0.0, 1.0}), "shift", "got {"),
    C(lambda: ModulatedLoss("sin"), "factor", "got 'sin'", "one of"),
    C(lambda: ModulatedLoss(None), "factor", "got None"),
    C(lambda: ModulatedLoss([np.cos, np.sin, np.cos]), "factor", r"got \[<ufunc", "tuple"),
    C(lambda: ModulatedLoss({"cos"}), "factor", "got {'cos'}"),
    C(lambda: ModulatedLoss((np.cos, np.sin)), "factor", r"got \(<ufunc"),
    C(lambda: ModulatedLoss((np.cos, np.sin, 1.0)), "factor", r"got \(<ufunc"),
    C(lambda: ModulatedLoss((np.sin, np.cos, np.cos)), "factor", "raw score", "log-odds"),
    C(lambda: ModulatedLoss((lambda p: "x", np.cos, np.cos)), "factor", "got dtype <U1", "numeric"),
    C(lambda: ModulatedLoss((lambda p: p[:2], np.cos, np.cos)), "factor", r"got .*\(2,\)"),
    C(lambda: FocalLoss(10**400), "gamma", "got 1000", "finite"),
    C(lambda: SoftmaxFocalLoss(1), "n_classes", "got 1", ">= 2"),
    C(lambda: SoftmaxFocalLoss("3"), "n_classes", "got '3'", "whole number"),
    C(lambda: SoftmaxFocalLoss(3.0), "n_classes", r"got 3\.0", "whole number"),
    C(lambda: SoftmaxFocalLoss(None), "n_classes", "got None"),
    C(lambda: SoftmaxFocalLoss(True), "n_classes", "got True"),
    C(lambda: SoftmaxFocalLoss(3, "2"), "gamma", "got '2'"),
    C(lambda: SoftmaxFocalLoss(3, [1.0, 2.0]), "gamma", r"got \[1\.0, 2\.0\]", "3 values"),
    C(lambda: SoftmaxFocalLoss(3, RAGGED), "gamma", r"got \[\[1\.0\]", "3 values"),
    C(lambda: SoftmaxFocalLoss(3, [1.0, -2.0, 1.0]), r"gamma\[1\]", r"got -2\.0", ">= 0"),
    C(lambda: SoftmaxFocalLoss(3, np.ones((3, 3))), r"gamma\[0\]", "got array"),
    C(lambda: SoftmaxFocalLoss(3, alpha=0.25), "alpha", r"got 0\.25", "3 values"),
    C(lambda: SoftmaxFocalLoss(3, alpha={0: 1, 1: 2, 2: 1}), "alpha", "got {0: 1"),
    C(lambda: SoftmaxFocalLoss(3, alpha=[1, 2, np.inf]), r"alpha\[2\]", "got inf", "finite"),
    C(lambda: LinearGamma("5", 1.0, 3), "start", "got '5'"),
    C(lambda: LinearGamma(5.0, -1.0, 3), "stop", r"got -1\.0", ">= 0"),
    C(lambda: LinearGamma(5.0, 1.0, 2.5), "n_rounds", r"got 2\.5", "whole number"),
    C(lambda: LinearGamma(5.0, 1.0, 3)("1"), "i", "got '1'", "whole number"),
    C(lambda: LinearGamma(5.0, 1.0, 3)(-1), "i", "got -1", ">= 0"),
    C(lambda: ExponentialGamma(0.0, 1.0, 3), "start", r"got 0\.0", "> 0"),
    C(lambda: ExponentialGamma(1.0, 1.0, None), "n_rounds", "got None"),
    C(lambda: ScheduledLoss(2.0, LinearGamma(5, 1, 3)), "loss", r"got 2\.0"),
    C(lambda: ScheduledLoss(FocalLoss, LinearGamma(5, 1, 3)), "loss", "got <class"),
    C(lambda: ScheduledLoss(BrierLoss(), LinearGamma(5, 1, 3)), "loss", r"got BrierLoss\("),
    C(lambda: ScheduledLoss(LOSS, 2.0), "gamma", r"got 2\.0", "function of the round"),
    C(lambda: ScheduledLoss(LOSS, lambda i: "5").at(0), "gamma", "got '5'"),
    C(lambda: ScheduledLoss(LOSS, lambda i: -i).at(3), "gamma", "got -3", ">= 0"),
    C(lambda: EffectiveNumber(1.0), "beta", r"got 1\.0", r"in \[0, 1\)"),
    C(lambda: EffectiveNumber("0.9"), "beta", "got '0.9'"),
    C(lambda: EffectiveNumber(0.9)(["a", "b"]), "counts", "got dtype <U1", "numeric"),
    C(lambda: EffectiveNumber(0.9)([5, -1]), "counts", "got -1", "> 0"),
    C(lambda: EffectiveNumber(0.9)([5, 0]), "counts", "got 0", "> 0"),
    C(lambda: EffectiveNumber(0.9)([5, np.nan]), "counts", "got nan", "> 0"),
    C(lambda: EffectiveNumber(0.9)(None), "counts", "got dtype object", "numeric"),
]

# Each of these is asked of every method that takes labels, scores and weights.
ARRAYS = [
    ("y_true", ["a", "b"], [0.0, 1.0], None, "got dtype <U1", "numeric"),
    ("y_true", None, [0.0, 1.0], None, "got dtype object", "numeric"),
    ("y_true", [0, 2], [0.0, 1.0], None, "got 2", r"in \[0, 1\]"),
    ("y_true", [0, np.nan], [0.0, 1.0], None, "got nan", r"in \[0, 1\]"),
    ("y_true", [0, 1, 1], [0.0, 1.0], None, r"got \(3,\)", "shape of raw_prediction"),
    ("y_true", [[0, 1]], [0.0, 1.0], None, r"got \(1, 2\)", "shape"),
    ("y_true", RAGGED, [0.0, 1.0], None, "different lengths", "numeric"),
    ("raw_prediction", [0, 1], ["0", "1"], None, "got dtype <U1", "numeric"),
    ("raw_prediction", [0, 1], [0j, 1j], None, "got dtype complex128", "numeric"),
    ("raw_prediction", [0, 1], DATES, None, "got dtype datetime64", "numeric"),
    ("raw_prediction", [0, 1], [[0.0, 1.0], [1.0, 0.0]], None, r"got \(2, 2\)", r"shape \(n,\)"),
    ("raw_prediction", [0, 1], {0.0, 1.0}, None, "got dtype object", "numeric"),
    ("sample_weight", [0, 1], [0.0, 1.0], [1, -1], "got -1", "finite and >= 0"),
    ("sample_weight", [0, 1], [0.0, 1.0], [1, np.inf], "got inf", "finite"),
    ("sample_weight", [0, 1], [0.0, 1.0], [1, 1, 1], r"got \(3,\)", "shape"),
    ("sample_weight", [0, 1], [0.0, 1.0], "ones", "got dtype <U4", "numeric"),
]
METHODS = (
    "__call__", "loss", "gradient", "hessian", "gradient_hessian", "curvature",
    "gradient_curvature",
)  # fmt: skip
LOSSES += [
    C(lambda m=METHODS[i % 7], a=(y, z, w): getattr(LOSS, m)(*a), name, got, rule)
    for i, (name, y, z, w, got, rule) in enumerate([*ARRAYS, *ARRAYS[::2]])
]
LOSSES += [
    C(lambda: LOSS([], []), "y_true", "got 0", "at least one sample"),
    C(lambda: LOSS([0, 1], [0.0, 1.0], [0, 0]), "sample_weight", "got 0", "positive"),
    C(lambda: SOFTMAX([0, 1], [0.0, 1.0]), "raw_prediction", r"got \(2,\)", r"\(n, 3\)"),
    C(lambda: SOFTMAX([0, 3], ROWS), "y_true", "got 3", "0 to 2"),
    C(lambda: SOFTMAX([0, 0.5], ROWS), "y_true", r"got 0\.5", "whole numbers"),
    C(lambda: SOFTMAX([-1, 0], ROWS), "y_true", "got -1", "0 to 2"),
    C(lambda: SOFTMAX.loss([0, 1], RAGGED), "raw_prediction", "different lengths", "numeric"),
    C(lambda: LOSS.curvature([1], [0.0], max_step=0), "max_step", "got 0", "None or > 0"),
    C(lambda: LOSS.curvature([1], [0.0], max_step=-1), "max_step", "got -1"),
    C(lambda: LOSS.curvature([1], [0.0], max_step=np.nan), "max_step", "got nan", "finite"),
    C(lambda: LOSS.curvature([1], [0.0], max_step="4"), "max_step", "got '4'"),
    C(lambda: SOFTMAX.curvature([0, 1], ROWS, max_step=[4]), "max_step", r"got \[4\]"),
    C(lambda: LOSS.gradient_curvature([1], [0.0], n_threads=0), "n_threads", "got 0", ">= 1"),
    C(lambda: LOSS.gradient_curvature([1], [0.0], n_threads="2"), "n_threads", "got '2'"),
    C(lambda: SOFTMAX.gradient_matrix(max_step=0), "max_step", "got 0"),
    C(lambda: SOFTMAX.gradient_matrix(max_step="4"), "max_step", "got '4'"),
    C(lambda: LOSS.link(2.0), "proba", r"got 2\.0", r"in \[0, 1\]"),
    C(lambda: LOSS.link([0.5, np.nan]), "proba", "got nan", r"in \[0, 1\]"),
    C(lambda: LOSS.link("0.5"), "proba", "got dtype <U3", "numeric"),
    C(lambda: LOSS.link(None), "proba", "got dtype object", "numeric"),
    C(lambda: SOFTMAX.link([0.2, 0.3, 0.5]), "proba", r"got \(3,\)", "shape"),
    C(lambda: SOFTMAX.link([[0.2, 0.3, 0.1]]), "proba", r"got \[0\.2, 0\.3, 0\.1\]", "sum to 1"),
    C(lambda: SOFTMAX.link([[0.0, 0.5, 0.5]]), "proba", r"got \[0\.0, 0\.5", "positive"),
    C(lambda: LOSS.inverse_link("a"), "raw_prediction", "got dtype <U1", "numeric"),
    C(lambda: LOSS.inverse_link([1j]), "raw_prediction", "got dtype complex128"),
    C(lambda: LOSS.inverse_link(RAGGED), "raw_prediction", "different lengths", "numeric"),
    C(lambda: LOSS.log_odds(ROWS), "raw_prediction", r"got \(2, 3\)", "shape"),
    C(lambda: LOSS.log_proba(DATES), "raw_prediction", "got dtype datetime64"),
    C(lambda: LOSS.predict_proba(None), "raw_prediction", "got dtype object"),
    C(lambda: SOFTMAX.predict_proba([0.0, 1.0, 2.0]), "raw_prediction", r"got \(3,\)"),
    C(lambda: LOSS.init_score([0, 0]), "y_true", "got 0", "both classes"),
    C(lambda: LOSS.init_score([]), "y_true", "got 0", "both classes|at least one sample"),
    C(lambda: LOSS.init_score(["yes", "no"]), "y_true", "got dtype <U3", "numeric"),
    C(lambda: LOSS.init_score([0, 3]), "y_true", "got 3", r"in \[0, 1\]"),
    C(lambda: LOSS.init_score([0, 1], [1, -1]), "sample_weight", "got -1"),
    C(lambda: LOSS.init_score([0, 1], [1]), "sample_weight", r"got \(1,\)", "shape of y_true"),
    C(lambda: LOSS.init_score([0, 1], [1, 1e30]), "sample_weight", r"1e\+30", "differ so much"),
    C(lambda: SOFTMAX.init_score([]), "y_true", "got none", "at least one sample"),
    C(lambda: SOFTMAX.init_score([0, 5]), "y_true", "got 5", "0 to 2"),
    C(lambda: LOSS.init_score_from_sums("1", 2), "label_sum", "got dtype <U1", "numeric"),
    C(lambda: LOSS.init_score_from_sums(1, "2"), "weight_sum", "got '2'"),
    C(lambda: LOSS.init_score_from_sums(1, -2), "weight_sum", "got -2", ">= 0"),
    C(lambda: LOSS.init_score_from_sums(3, 2), "label_sum", "got 3"),
    C(lambda: LOSS.init_score_from_sums(np.nan, 2), "label_sum", "got nan"),
    C(lambda: LOSS.init_score_from_sums([1, 2], 2), "label_sum", r"got \(2,\)", "shape"),
    C(lambda: SOFTMAX.init_score_from_sums([1, 2], 3), "label_sum", r"got \(2,\)", r"shape \(3,\)"),
    C(lambda: SOFTMAX.init_score_from_sums([1, 2, -3], 3), "label_sum", "got -3", ">= 0"),
    C(lambda: SOFTMAX.init_score_from_sums([0, 0, 0], 0), "y_true", "got none", "positive"),
]

# What each adapter is asked in the same way.
ODD_LOSSES = [
    ("focal", "got 'focal'"),
    (FocalLoss, "got the class FocalLoss"),
    (None, "got None"),
    ([LOSS], r"got \[FocalLoss"),
    (lambda y, z: (y, z), "got <function"),  # a metric may be one
]
ODD_STEPS = [(0, "got 0"), (-1, "got -1"), (np.nan, "got nan"), ("4", "got '4'"), ([4], r"got \[4")]
ODD_PARAMS = [("binary", "got str"), ([1, 2], "got list"), (5, "got int")]
ADAPTERS = [
    C(lambda f=(lib, f), v=v: entry(*f)(v), "loss", got)
    for lib in LIBRARIES
    for f in ("objective", "metric")
    for v, got in ODD_LOSSES[: 5 if f == "objective" else 4]
]
ADAPTERS += [
    C(lambda lib=lib, v=v: entry(lib, "objective")(LOSS, max_step=v), "max_step", got, "None or")
    for lib in LIBRARIES
    for v, got in ODD_STEPS
]
ADAPTERS += [
    C(lambda lib=lib, v=v: entry(lib, "objective")(LOSS, n_threads=v), "n_threads", got, ">= 1")
    for lib in LIBRARIES[:2]
    for v, got in [(0, "got 0"), (1.5, r"got 1\.5"), ("2", "got '2'"), (None, "got None")]
]
for _lib in LIBRARIES:
    _first = {"lightgbm": "train_set", "xgboost": "dtrain", "catboost": "pool"}[_lib]
    _kind = {"lightgbm": "Dataset", "xgboost": "DMatrix", "catboost": "Pool"}[_lib]
    for _function in ("train", "cv"):
        _f = (_lib, _function)
        ADAPTERS += [
            C(lambda f=_f, v=v: train(*f, loss=v), "loss", got) for v, got in ODD_LOSSES[:2]
        ]
        ADAPTERS += [
            C(lambda f=_f, v=v: train(*f, max_step=v), "max_step", got, "None or")
            for v, got in ODD_STEPS[3:4]
        ]
        ADAPTERS += [
            C(lambda f=_f, v=v: train(*f, params=v), "params", got, "dict") for v, got in ODD_PARAMS
        ]
        ADAPTERS += [
            C(lambda f=_f, n=_first, v=v: train(*f, **{n: v}), _first, f"got {got}", _kind)
            for v, got in [(X, "ndarray"), (None, "NoneType"), ((X, Y), "tuple")]
        ]
        _rounds = "iterations" if _lib == "catboost" else "num_boost_round"
        ADAPTERS += [
            C(lambda f=_f, n=_rounds, v=v: train(*f, **{n: v}), _rounds, got, "whole number >= ")
            for v, got in [
                (-1, "got -1"), (2.5, r"got 2\.5"), ("10", "got '10'"), (True, "got True"),
                (np.nan, "got nan"),
            ]
        ]  # fmt: skip
        ADAPTERS += [
            C(lambda f=_f, v=v: train(*f, **{_data_name(f): data_of(f[0], y=v)}), name, got, rule)
            for v, name, got, rule in [
                (Y + 1.0, "y_true", r"got 2\.0", r"in \[0, 1\]"),
                (None, "label", "got [Nn]one", "be set"),
                (np.zeros(60), "y_true", r"got 0\.0 and \d\d", "both classes"),
            ]
        ]


def _data_name(f):
    return {"lightgbm": "train_set", "xgboost": "dtrain", "catboost": "pool"}[f[0]]


def lgb(**kwargs):
    return train("lightgbm", **kwargs)


def xgb(**kwargs):
    return train("xgboost", **kwargs)


def cat(**kwargs):
    return train("catboost", **kwargs)


def seal(booster=None, init_score=0.0):
    if booster is None:
        booster = lgb()
    return entry("lightgbm", "seal")(booster, init_score)


LIGHTGBM = [
    C(lambda: lgb(valid_sets=[X]), "valid_sets", "got ndarray", "Dataset"),
    C(lambda: lgb(valid_sets=X), "valid_sets", "got ndarray", "Dataset"),
    C(lambda: lgb(valid_sets=[(X, Y)]), "valid_sets", "got tuple", "Dataset"),
    C(lambda: lgb(valid_sets=5), "valid_sets", "got int"),
    C(lambda: lgb(valid_sets=[data_of("lightgbm")], valid_names=[1]), "valid_names", "got int"),
    C(lambda: lgb(valid_sets=[data_of("lightgbm")], valid_names=5), "valid_names", "got int"),
    C(lambda: lgb(feval="auc"), "feval", "got str", "function"),
    C(lambda: lgb(feval=["auc"]), "feval", "got str", "function"),
    C(lambda: lgb(feval=5), "feval", "got int", "function"),
    C(lambda: lgb(callbacks=["stop"]), "callbacks", "got str", "function"),
    C(lambda: lgb(callbacks=5), "callbacks", "got int", "list"),
    C(lambda: lgb(init_model=5), "init_model", "got int", "Booster"),
    C(lambda: lgb(init_model=X), "init_model", "got ndarray", "Booster"),
    C(lambda: lgb(init_model="no_such_file.txt"), "init_model", "no_such_file.txt"),
    C(lambda: lgb(keep_training_booster=True), "keep_training_booster", "got True", "False"),
    C(lambda: lgb(params={"early_stopping_round": "often"}), "early_stopping_round", "got 'often'"),
    C(lambda: lgb(params={"early_stopping_round": 2.5}), "early_stopping_round", r"got 2\.5"),
    C(lambda: lgb(params={"num_iterations": "ten"}), "num_iterations", "got 'ten'", "whole"),
    C(lambda: lgb(params={"n_estimators": -3}), "n_estimators", "got -3", "whole"),
    C(lambda: lgb(params={"metric": 5}), "metric", "got int", "name"),
    C(lambda: lgb(params={"num_threads": "many"}), "num_threads", "got 'many'", "whole number"),
    C(lambda: lgb(params={"metric": "f1"}), "metric", "got 'f1'", "raw scores"),
    C(lambda: lgb(params={"objective": LOSS}), "objective", r"got FocalLoss", "'binary'"),
    C(lambda: lgb(params={"boosting": "rf"}), "boosting", "got 'rf'", "gbdt"),
    C(lambda: train("lightgbm", "cv", nfold=1), "nfold", "got 1", "whole number >= 2"),
    C(lambda: train("lightgbm", "cv", nfold="5"), "nfold", "got '5'", "whole number >= 2"),
    C(lambda: train("lightgbm", "cv", folds=5), "folds", "got int", "pairs"),
    C(lambda: train("lightgbm", "cv", folds=[(1, 2, 3)]), "folds", "got tuple of length 3"),
    C(lambda: train("lightgbm", "cv", folds="auto"), "folds", "got str", "pairs"),
    C(lambda: train("lightgbm", "cv", metrics=5), "metric", "got int", "name"),
    C(lambda: train("lightgbm", "cv", feval="auc"), "feval", "got str", "function"),
    C(lambda: train("lightgbm", "cv", fpreproc="scale"), "fpreproc", "got str", "function"),
    C(lambda: train("lightgbm", "cv", callbacks=[5]), "callbacks", "got int", "function"),
    C(lambda: train("lightgbm", "cv", init_model=5), "init_model", "got int", "Booster"),
    C(lambda: seal(booster=X), "booster", "got ndarray", "Booster"),
    C(lambda: seal(booster="model.txt"), "booster", "got str", "Booster"),
    C(lambda: seal(init_score=np.nan), "init_score", "got nan", "finite"),
    C(lambda: seal(init_score="0"), "init_score", "got dtype <U1", "numeric"),
    C(lambda: seal(init_score=[0.0, 1.0]), "init_score", r"got shape \(2,\)"),
    C(lambda: seal(init_score=None), "init_score", "got dtype object", "numeric"),
    C(lambda: seal(), "booster", "sealed", "objective of its own"),
]  # fmt: skip

XGBOOST = [
    C(lambda: xgb(evals=data_of("xgboost")), "evals", "got DMatrix", "pairs"),
    C(lambda: xgb(evals=[data_of("xgboost")]), "evals", "got DMatrix", "pairs"),
    C(lambda: xgb(evals=[(X, "a")]), "evals", "got ndarray", "DMatrix"),
    C(lambda: xgb(evals=[(X, Y)]), "evals", "got ndarray", "DMatrix"),
    C(lambda: xgb(evals=5), "evals", "got int", "pairs"),
    C(lambda: xgb(evals_result=[]), "evals_result", "got list", "dict"),
    C(lambda: xgb(custom_metric="auc"), "custom_metric", "got str", "function"),
    C(
        lambda: xgb(custom_metric=[lambda z, d: ("a", 1.0)]),
        "custom_metric",
        "got list",
        "function",
    ),
    C(lambda: xgb(callbacks=["stop"]), "callbacks", "got str", "TrainingCallback"),
    C(lambda: xgb(callbacks=[print]), "callbacks", "got builtin_function", "TrainingCallback"),
    C(lambda: xgb(callbacks=5), "callbacks", "got int", "list"),
    C(lambda: xgb(xgb_model=5), "xgb_model", "got int", "Booster"),
    C(lambda: xgb(xgb_model=X), "xgb_model", "got ndarray", "Booster"),
    C(lambda: xgb(xgb_model="no_such_file.json"), "xgb_model", "no_such_file.json"),
    C(lambda: xgb(params={"eval_metric": 5}), "eval_metric", "got int", "name"),
    C(lambda: xgb(params={"eval_metric": "error@x"}), "eval_metric", "got 'error@x'"),
    C(lambda: xgb(params={"eval_metric": len}), "eval_metric", "got builtin_function", "name"),
    C(lambda: xgb(params={"objective": LOSS}), "objective", "got FocalLoss"),
    C(lambda: xgb(params={"nthread": [2]}), "nthread", r"got \[2\]", "whole number"),
    C(lambda: xgb(verbose_eval="yes"), "verbose_eval", "got str", "whole number"),
    C(lambda: xgb(params={"base_score": "0.5"}), "base_score", "got '0.5'"),
    C(lambda: train("xgboost", "cv", nfold=1), "nfold", "got 1", "whole number >= 2"),
    C(lambda: train("xgboost", "cv", nfold="3"), "nfold", "got '3'", "whole number >= 2"),
    C(lambda: train("xgboost", "cv", folds=5), "folds", "got int", "pairs"),
    C(lambda: train("xgboost", "cv", folds=[5]), "folds", "got int", "pairs"),
    C(lambda: train("xgboost", "cv", metrics=5), "eval_metric", "got int", "name"),
    C(lambda: train("xgboost", "cv", custom_metric="auc"), "custom_metric", "got str", "function"),
    C(lambda: train("xgboost", "cv", fpreproc=5), "fpreproc", "got int", "function"),
    C(lambda: train("xgboost", "cv", callbacks=[print]), "callbacks", "got builtin_function"),
]
XGBOOST += [
    C(lambda f=f, v=v: train("xgboost", f, early_stopping_rounds=v), "early_stopping_rounds",
      got, "whole number >= 1")
    for f in ("train", "cv")
    for v, got in [(-1, "got -1"), (2.5, r"got 2\.5"), ("5", "got '5'"), (True, "got True")]
]  # fmt: skip

CATBOOST = [
    C(lambda: cat(eval_set=X), "eval_set", "got ndarray", "Pool"),
    C(lambda: cat(eval_set=[X]), "eval_set", "got ndarray", "Pool"),
    C(lambda: cat(eval_set=5), "eval_set", "got int", "Pool"),
    C(lambda: cat(eval_set=(X,)), "eval_set", "got tuple of length 1", "Pool"),
    C(lambda: cat(eval_set=(X, Y, W, W)), "eval_set", "got tuple of length 4", "Pool"),
    C(lambda: cat(eval_set=data_of("catboost"), evals=data_of("catboost")), "eval_set",
      "evals", "not both"),
    C(lambda: cat(iterations=1, num_boost_round=2), "iterations", "num_boost_round", "not both"),
    C(lambda: cat(init_model=5), "init_model", "got int", "CatBoost"),
    C(lambda: cat(init_model=X), "init_model", "got ndarray", "CatBoost"),
    C(lambda: cat(init_model="no_such_file.cbm"), "init_model", "no_such_file.cbm"),
    C(lambda: cat(params={"eval_metric": "F1"}), "eval_metric", "got 'F1'", "raw scores"),
    C(lambda: cat(params={"eval_metric": 5}), "eval_metric", "got int", "evaluate"),
    C(lambda: cat(params={"eval_metric": len}), "eval_metric", "got builtin_function", "evaluate"),
    C(lambda: cat(params={"custom_metric": 5}), "custom_metric", "got int", "name"),
    C(lambda: cat(params={"loss_function": LOSS}), "loss_function", "got FocalLoss"),
    C(lambda: cat(native=True), "native", "got FocalLoss", "False"),
    C(lambda: cat(loss=ScheduledLoss(LOSS, LinearGamma(5, 1, 3))), "ScheduledLoss", "got Sched",
      "only be used with"),
    C(lambda: cat(loss=SoftmaxFocalLoss(2)), "loss", "got a loss with two", "one raw score"),
    C(lambda: train("catboost", "cv", fold_count=1), "fold_count", "got 1", "whole number >= 2"),
    C(lambda: train("catboost", "cv", nfold=2.5), "nfold", r"got 2\.5", "whole number >= 2"),
    C(lambda: train("catboost", "cv", folds=5), "folds", "got int", "pairs"),
    C(lambda: train("catboost", "cv", folds=[(1, 2, 3)]), "folds", "got tuple of length 3"),
    C(lambda: train("catboost", "cv", folds=KFold), "folds", "got the class KFold", "pairs"),
    C(lambda: train("catboost", "cv", folds=[]), "folds", "got none", "at least one"),
    C(lambda: train("catboost", "cv", type="Sideways"), "type", "got 'Sideways'", "'Classical'"),
    C(lambda: train("catboost", "cv", plot=True), "plot", "got True"),
]  # fmt: skip
CATBOOST += [
    C(lambda f=f, v=v: train("catboost", f, early_stopping_rounds=v), "early_stopping_rounds",
      got, "whole number >= 1")
    for f in ("train", "cv")
    for v, got in [(-1, "got -1"), (2.5, r"got 2\.5"), ("5", "got '5'"), (True, "got True")]
]  # fmt: skip
ADAPTERS += [
    C(lambda lib=lib, f=f, args=args: entry(lib, f)(LOSS)(*args), name, got, rule)
    for lib in LIBRARIES[:2]
    for f in ("objective", "metric")
    for args, name, got, rule in [
        ((Y, X), "raw_prediction", r"got \(60, 4\)", r"shape \(n,\)"),
        ((Y, ["a"] * 60), "raw_prediction", "got dtype <U1", "numeric"),
        ((Y[:5], np.zeros(60)), "y_true", r"got \(5,\)", "shape of raw_prediction"),
        ((Y, np.zeros(60), -W), "sample_weight", "got -", ">= 0"),
    ]
]
# XGBoost takes 0 rounds of train for a model of the init score alone.
ADAPTERS += [
    C(lambda: lgb(num_boost_round=0), "num_boost_round", "got 0", "whole number >= 1"),
    C(lambda: cat(iterations=0), "iterations", "got 0", "whole number >= 1"),
    C(lambda: train("xgboost", "cv", num_boost_round=0), "num_boost_round", "got 0", ">= 1"),
]

# FocalClassifier, the displays and the doctor.

NAN = np.where(np.arange(60) == 3, np.nan, 1.0)
INF = np.where(np.arange(60) == 3, np.inf, 1.0)
THREE = np.arange(60) % 3


def fitted(y=Y):
    return focal(X, y)


def odd(**params):
    """Fit FocalClassifier with one odd parameter."""
    return focal(params=params)


def lgb_class(name="LGBMClassifier"):
    return getattr(pytest.importorskip("lightgbm"), name)


CLASSIFIER = [
    C(lambda: focal(estimator=RandomForestClassifier()), "estimator", "got RandomForestClass"),
    C(lambda: focal(estimator=lgb_class()), "estimator", "got the class LGBMClassifier"),
    C(lambda: focal(estimator=lgb_class("LGBMRegressor")()), "estimator", "got LGBMRegressor"),
    C(lambda: focal(estimator="lightgbm"), "estimator", "got str"),
    C(lambda: focal(estimator=make_pipeline(StandardScaler(), classifier())), "estimator",
      "got Pipeline", "put FocalClassifier inside"),
    C(lambda: focal(estimator=fitted()), "estimator", "got FocalClassifier"),
    C(lambda: odd(gamma="2"), "gamma", "got '2'", "real number >= 0"),
    C(lambda: odd(gamma=-1), "gamma", "got -1", ">= 0"),
    C(lambda: odd(gamma=np.nan), "gamma", "got nan", "finite"),
    C(lambda: odd(gamma=np.array([1.0, 2.0])), "gamma", r"got array\("),
    C(lambda: odd(gamma=None), "gamma", "got None"),
    C(lambda: odd(gamma=1.0, loss=LOSS), "gamma", r"got 1\.0", "left out where loss is given"),
    C(lambda: odd(alpha="inverse"), "alpha", "got 'inverse'", "'balanced'"),
    C(lambda: odd(alpha=1.5), "alpha", r"got 1\.5", r"\(0, 1\)"),
    C(lambda: odd(alpha=[0.3, 0.7]), "alpha", r"got \[0\.3, 0\.7\]"),
    C(lambda: odd(alpha=Bare()), "alpha", r"got Bare\(\)"),
    C(lambda: odd(alpha=EffectiveNumber), "alpha", "got the class EffectiveNumber", "instance"),
    C(lambda: odd(alpha={0: 1.0}), "alpha", r"got {0: 1\.0}", "each label"),
    C(lambda: odd(alpha={0: 1.0, 1: -1.0}), r"alpha\[1\]", r"got -1\.0", "> 0"),
    C(lambda: odd(alpha={0: "a", 1: 1.0}), r"alpha\[0\]", "got 'a'", "real number"),
    C(lambda: odd(alpha=lambda n: [1.0]), "alpha", "got 1", "2 weights"),
    C(lambda: odd(alpha=lambda n: None), "alpha", "got 1", "2 weights"),
    C(lambda: odd(alpha=lambda n: n - n), r"alpha\[0\]", "got .*0", "> 0"),
    C(lambda: odd(max_step=0), "max_step", "got 0", "None or > 0"),
    C(lambda: odd(max_step="4"), "max_step", "got '4'", "None or a real number"),
    C(lambda: odd(max_step=np.nan), "max_step", "got nan", "finite"),
    C(lambda: odd(loss="focal"), "loss", "got 'focal'"),
    C(lambda: odd(loss=FocalLoss), "loss", "got the class FocalLoss", "instance"),
    C(lambda: odd(loss=lambda y, z: (y, z)), "loss", "got <function", "method"),
    C(lambda: odd(loss=SOFTMAX), "loss", r"got SoftmaxFocalLoss\(", "2 classes"),
    C(lambda: odd(loss=ScheduledLoss(LOSS, LinearGamma(5, 1, 3))), "ScheduledLoss", "got Sched",
      "only be used with"),
    C(lambda: odd(pos_label=5), "pos_label", "got 5", "label of y"),
    C(lambda: odd(pos_label="1"), "pos_label", "got '1'", "label of y"),
    C(lambda: odd(pos_label=np.array([0, 1])), "pos_label", r"got array\(", "label of y"),
    C(lambda: odd(pos_label=[1]), "pos_label", r"got \[1\]", "label of y"),
    C(lambda: odd(early_stopping_rounds=0), "early_stopping_rounds", "got 0", "whole number"),
    C(lambda: odd(early_stopping_rounds=2.5), "early_stopping_rounds", r"got 2\.5"),
    C(lambda: odd(early_stopping_rounds="10"), "early_stopping_rounds", "got '10'"),
    C(lambda: odd(early_stopping_rounds=[5]), "early_stopping_rounds", r"got \[5\]"),
    C(lambda: odd(stopping_metric="f2"), "stopping_metric", "got 'f2'", "scorer"),
    C(lambda: odd(stopping_metric=None), "stopping_metric", "got None", "scorer"),
    C(lambda: odd(stopping_metric=5), "stopping_metric", "got 5", "scorer"),
    C(lambda: odd(stopping_metric=["log_loss"]), "stopping_metric", r"got \['log_loss'\]"),
    C(lambda: odd(stopping_metric=np.array(["f1", "auc"])), "stopping_metric", r"got array\("),
    C(lambda: odd(calibration="sigmoid"), "calibration", "got 'sigmoid'", "'platt'"),
    C(lambda: odd(calibration=True), "calibration", "got True", "'platt'"),
    C(lambda: odd(calibration=["balance"]), "calibration", r"got \['balance'\]"),
    C(lambda: odd(calibration=np.array(["a", "b"])), "calibration", r"got array\("),
    C(lambda: odd(calibration="platt"), "calibration", "got 'platt'", "X_val is not given"),
    C(lambda: odd(prior=0), "prior", "got 0", r"\(0, 1\)"),
    C(lambda: odd(prior=1.5), "prior", r"got 1\.5", r"\(0, 1\)"),
    C(lambda: odd(prior="0.1"), "prior", "got '0.1'", "real number"),
    C(lambda: odd(prior=np.nan), "prior", "got nan", r"\(0, 1\)"),
    C(lambda: odd(prior=[0.1, 0.9]), "prior", r"got \[0\.1, 0\.9\]"),
    C(lambda: odd(prior={0: 0.5}), "prior", r"got {0: 0\.5}", "each label"),
    C(lambda: odd(prior={0: 0.5, 1: 0.6}), "prior", r"1\.1", "sum to 1"),
    C(lambda: odd(prior={0: "a", 1: 0.6}), r"prior\[0\]", "got 'a'", "real number"),
    C(lambda: focal(DATES, Y), "X", "got dtype datetime64", "numbers"),
    C(lambda: focal(X.astype(str)), "X", "got dtype <U", "numbers"),
    C(lambda: focal(X * 1j), "X|data", "(?i)complex", "numbers|not supported"),
    C(lambda: focal(X[:10]), "inconsistent", r"\[10, 60\]", "numbers of samples"),
    C(lambda: focal(X, None), "y", r"shape \(\)", "1d array"),
    C(lambda: focal(X, np.zeros(60)), "y", "one class", "two classes"),
    C(lambda: focal(X, NAN), "y", "NaN", "contains"),
    C(lambda: focal(X, Y + 0.5), "label type", "continuous", "Unknown"),
    C(lambda: focal(X, np.column_stack([Y, Y])), "y", r"\(60, 2\)", "1d"),
    C(lambda: focal(X, np.full(60, 0.3)), "y", "between 0 and 1", "hold classes"),
    C(lambda: focal(X, Y, "heavy"), "sample_weight", "got dtype <U5", "numeric"),
    C(lambda: focal(X, Y, -W), "sample_weight", r"got -", ">= 0"),
    C(lambda: focal(X, Y, NAN), "sample_weight", "NaN", "contains"),
    C(lambda: focal(X, Y, INF), "sample_weight", "infinity", "contains"),
    C(lambda: focal(X, Y, W[:5]), "sample_weight", r"\(5,\)", "shape"),
    C(lambda: focal(X, Y, 0 * W), "[Ss]ample.weights?", "0|zero"),
    C(lambda: focal(X, Y, np.where(Y, 1e30, 1.0)), "sample_weight", r"e\+30", "differ so much"),
    C(lambda: focal(X, Y, 1e300 * W), "sample_weight", r"got .*e\+300", "at most"),
    C(lambda: focal(X_val=X), "X_val", "one without the other", "together"),
    C(lambda: focal(y_val=Y), "y_val", "one without the other", "together"),
    C(lambda: focal(sample_weight_val=W), "sample_weight_val", "X_val", "together"),
    C(lambda: focal(X_val=X[:, :2], y_val=Y), "X", "2 features", "expecting 4"),
    C(lambda: focal(X_val=X, y_val=Y + 1), "y_val", "got 2", "labels of y"),
    C(lambda: focal(X_val=X, y_val=Y[:5]), "inconsistent", r"\[60, 5\]", "numbers of samples"),
    C(lambda: focal(eval_set=[(X, Y)]), "eval_set", "unexpected argument", "X_val"),
    C(lambda: focal(callbacks=5), "callbacks", "got int", "list"),
    C(lambda: focal(callbacks="stop"), "callbacks", "got str", "list"),
    C(lambda: focal(callbacks=["stop"]), "callbacks", "got str", "functions"),
    C(lambda: focal(estimator=classifier("xgboost"), callbacks=[print]), "callbacks",
      "got builtin_function", "TrainingCallback"),
    C(lambda: focal(estimator=classifier("catboost"), callbacks=[print]), "callbacks",
      "got builtin_function", "after_iteration"),
    C(lambda: FocalClassifier(classifier()).predict(X), "FocalClassifier", "not fitted", "Call"),
    C(lambda: fitted().predict(X[:, :3]), "X", "3 features", "expecting 4"),
    C(lambda: fitted().predict_proba(DATES), "X", "got dtype datetime64", "numbers"),
]  # fmt: skip


DISPLAYS = [
    C(lambda: FocalLossDisplay.from_losses(5), "losses", "got 5", "sequence"),
    C(lambda: FocalLossDisplay.from_losses([]), "losses", r"got \[\]", "one loss or more"),
    C(lambda: FocalLossDisplay.from_losses("focal"), "losses", "got 'f'", "method"),
    C(lambda: FocalLossDisplay.from_losses([FocalLoss]), "losses", "got the class", "instance"),
    C(lambda: FocalLossDisplay.from_losses([2.0]), "losses", r"got 2\.0", "method"),
    C(lambda: FocalLossDisplay.from_losses(LOSS), "losses", "got FocalLoss", "sequence"),
    C(lambda: FocalLossDisplay.from_losses(y_true=2), "y_true", "got 2", "0 or 1"),
    C(lambda: FocalLossDisplay.from_losses(y_true=[0, 1]), "y_true", r"got \[0, 1\]", "0 or 1"),
    C(lambda: FocalLossDisplay.from_losses(y_true=Y), "y_true", r"got array\(", "0 or 1"),
    C(lambda: FocalLossDisplay.from_losses(values=5), "values", "got int", "list"),
    C(lambda: FocalLossDisplay.from_losses(values="loss"), "values", "got str", "list"),
    C(lambda: FocalLossDisplay.from_losses(values=["value"]), "values", r"got \['value'\]"),
    C(lambda: FocalLossDisplay.from_losses(values=[["loss"]]), "values", "got list", "some of"),
    C(lambda: FocalLossDisplay.from_losses(values=[]), "values", r"got \[\]", "some of"),
    C(lambda: FocalLossDisplay.from_losses(x="p"), "x", "got 'p'", "'p_true'"),
    C(lambda: FocalLossDisplay.from_losses(x=None), "x", "got None", "'p_true'"),
    C(lambda: FocalLossDisplay.from_losses(x=Y), "x", r"got array\(", "'p_true'"),
    C(lambda: FocalLossDisplay.from_losses(ax=5), "ax", "got 1", "4 axes"),
    C(lambda: FocalLossDisplay.from_losses(ax=[1, 2, 3, 4]), "ax", "got int", "Axes"),
    C(lambda: FocalLossDisplay.from_losses(ax=[1]), "ax", "got 1", "4 axes"),
    C(lambda: CumulativeLossDisplay.from_predictions(Y, W, losses=5), "losses", "got 5"),
    C(lambda: CumulativeLossDisplay.from_predictions(Y, W[:5]), "y_true", r"got \(60,\)"),
    C(lambda: CumulativeLossDisplay.from_predictions(Y + 1, W), "y_true", r"got \[1", "0 and 1"),
    C(lambda: CumulativeLossDisplay.from_predictions(["a"] * 60, W), "y_true", "got dtype <U1"),
    C(lambda: CumulativeLossDisplay.from_predictions(Y, NAN), "raw_prediction", "got nan"),
    C(lambda: CumulativeLossDisplay.from_predictions(Y, ["a"] * 60), "raw_prediction", "got dtype"),
    C(lambda: CumulativeLossDisplay.from_predictions(Y, W, sample_weight=-W), "sample_weight",
      "got -"),
    C(lambda: CumulativeLossDisplay.from_predictions(Y, W, sample_weight="a"), "sample_weight",
      "got dtype <U1"),
    C(lambda: CumulativeLossDisplay.from_predictions(Y, W, sample_weight=1 - Y), "sample_weight",
      "got 0 where y_true is 1", "positive"),
    C(lambda: CumulativeLossDisplay.from_estimator(classifier(), X, Y), "estimator", "got LGBMCla"),
    C(lambda: CumulativeLossDisplay.from_estimator(FocalClassifier, X, Y), "estimator",
      "got the class FocalClassifier"),
    C(lambda: CumulativeLossDisplay.from_estimator(FocalClassifier(), X, Y), "FocalClassifier",
      "not fitted", "Call"),
    C(lambda: CumulativeLossDisplay.from_estimator(fitted(), X, Y + 1), "y", "got 2", "labels"),
    C(lambda: CumulativeLossDisplay.from_estimator(fitted(THREE), X, THREE), "estimator",
      "got 3", "two classes"),
    C(lambda: CumulativeLossDisplay.from_estimator(fitted(), X[:, :2], Y), "X", "2 features",
      "expecting 4"),
    C(lambda: ProbabilityDisplay.from_predictions(Y, W, "focal"), "loss", "got 'focal'", "method"),
    C(lambda: ProbabilityDisplay.from_predictions(Y, W, FocalLoss), "loss", "got the class",
      "instance"),
    C(lambda: ProbabilityDisplay.from_predictions(Y, W, None), "loss", "got None", "method"),
    C(lambda: ProbabilityDisplay.from_predictions(Y, W, SOFTMAX), "loss", "got SoftmaxFocalLoss",
      "two classes"),
    C(lambda: ProbabilityDisplay.from_predictions(Y, W, LOSS, n_bins=0), "n_bins", "Got 0"),
    C(lambda: ProbabilityDisplay.from_predictions(Y, W, LOSS, n_bins="5"), "n_bins", "Got '5'"),
    C(lambda: ProbabilityDisplay.from_predictions(Y, W, LOSS, strategy="even"), "strategy", "even"),
    C(lambda: ProbabilityDisplay.from_predictions(Y, W, LOSS, ax=[1, 2]), "ax", "got int", "Axes"),
    C(lambda: ProbabilityDisplay.from_predictions(0 * Y, W, LOSS), "y_true", r"got \[0\]", "both"),
    C(lambda: ProbabilityDisplay.from_estimator("model", X, Y), "estimator", "got str"),
    C(lambda: check_objective("focal"), "objective", "got str", "loss"),
    C(lambda: check_objective(None), "objective", "got NoneType", "loss"),
    C(lambda: check_objective(5), "objective", "got int", "loss"),
    C(lambda: check_objective(FocalLoss), "objective", "got the class FocalLoss", "instance"),
    C(lambda: check_objective(LOSS, value=len), "value", "got <built-in", "None where"),
    C(lambda: check_objective(lambda y, z: (z, z), value=5), "value", "got int", "function"),
    C(lambda: check_objective(lambda y, z: z), "objective", "got ndarray", "gradient and Hessian"),
    C(lambda: check_objective(lambda y, z: None), "objective", "got NoneType", "gradient and Hess"),
    C(lambda: check_objective(lambda y, z: (z, z, z)), "objective", "got tuple of length 3",
      "gradient and Hessian"),
    C(lambda: check_objective(lambda y: (y, y)), "objective", r"a function of \(y\)", "y_true"),
]  # fmt: skip


def compare(estimator=None, X=X, y=Y, /, **kwargs):
    """Compare losses with good arguments, but for those that are given."""
    return compare_losses(classifier() if estimator is None else estimator, X, y, **kwargs)


COMPARISON = [
    C(lambda: compare("lightgbm"), "estimator", "got str", "FocalClassifier"),
    C(lambda: compare(RandomForestClassifier()), "estimator", "got RandomForestClassifier"),
    C(lambda: compare(make_pipeline(StandardScaler(), classifier())), "estimator", "got Pipeline"),
    C(lambda: compare(classifier(class_weight="balanced")), "class_weight", "got 'balanced'",
      "must be None"),
    C(lambda: compare(classifier(is_unbalance=True)), "is_unbalance", "got True", "left out"),
    C(lambda: compare(classifier(scale_pos_weight=9)), "scale_pos_weight", "got 9", "left out"),
    C(lambda: compare(classifier("xgboost", scale_pos_weight=9)), "scale_pos_weight", "got 9"),
    C(lambda: compare(classifier("xgboost", eval_metric="auc")), "eval_metric", "got 'auc'"),
    C(lambda: compare(classifier("catboost", auto_class_weights="Balanced", learning_rate=0.1)),
      "auto_class_weights", "got 'Balanced'"),
    C(lambda: compare(classifier("catboost")), "learning_rate", "got None", "must be given"),
    C(lambda: compare(FocalClassifier(classifier(), prior=0.01)), "prior", r"got 0\.01",
      "must be None"),
    C(lambda: compare(FocalClassifier(classifier(), stopping_metric="roc_auc")),
      "stopping_metric", "got 'roc_auc'", "must be 'log_loss'"),
    C(lambda: compare(losses=2.0), "losses", r"got 2\.0", "sequence of gammas"),
    C(lambda: compare(losses="focal"), "losses", "got 'focal'", "sequence of gammas"),
    C(lambda: compare(losses=["focal"]), "losses", "got 'focal'", "sequence of gammas"),
    C(lambda: compare(losses=[None]), "losses", "got None", "sequence of gammas"),
    C(lambda: compare(losses=[]), "losses", r"got \[\]", "one loss or more"),
    C(lambda: compare(losses=[-1.0]), "losses", r"got -1\.0", ">= 0"),
    C(lambda: compare(losses=[np.nan]), "losses", "got nan", "finite"),
    C(lambda: compare(losses=[True]), "losses", "got True", "real number"),
    C(lambda: compare(losses=[2, 2.0]), "losses", "got 'gamma=2'", "different names"),
    C(lambda: compare(losses={"own log loss": 2.0}), "losses", "got 'own log loss'", "and none"),
    C(lambda: compare(losses={2: 2.0}), "losses", "got 2", "strings"),
    C(lambda: compare(losses=[FocalLoss]), "loss", "got the class FocalLoss", "instance"),
    C(lambda: compare(losses=[Bare()]), "loss", r"got Bare\(\)", "method"),
    C(lambda: compare(losses=[SOFTMAX]), "losses", "got SoftmaxFocalLoss.* for 3", "2 classes"),
    C(lambda: compare(scoring="focal_loss"), "scoring", "got 'focal_loss'", "cannot be compared"),
    C(lambda: compare(scoring=["roc_auc", 5]), "scoring", "got 5"),
    C(lambda: compare(scoring=5), "scoring", "got 5", "scorers"),
    C(lambda: compare(scoring={"auc": 5}), "scoring", "got 'auc': 5", "scorers"),
    C(lambda: compare(scoring=[]), "scoring", r"got \[\]", "one scorer or more"),
    C(lambda: compare(cv=[(np.arange(30), np.arange(30, 60))]), "cv", "got 1", "two folds"),
    C(lambda: compare(cv="five"), "cv", "Got five", "[Ee]xpected"),
    C(lambda: compare(validation_fraction=0), "validation_fraction", "got 0", r"in \(0, 1\)"),
    C(lambda: compare(validation_fraction="a"), "validation_fraction", "got 'a'", r"\(0, 1\)"),
    C(lambda: compare(confidence_level=95), "confidence_level", "got 95", r"in \(0, 1\)"),
    C(lambda: compare(random_state="a"), "seed", "'a' cannot", "cannot be used"),
    C(lambda: compare(sample_weight=-W), "sample_weight", "got -", ">= 0"),
    C(lambda: compare(sample_weight=W[:5]), "sample_weight", r"got \(5,\)", "shape of y"),
    C(lambda: compare(sample_weight="a"), "sample_weight", "got dtype <U1", "numeric"),
    C(lambda: compare(None, X, Y[:5]), "samples", "60, 5", "inconsistent"),
    C(lambda: compare(None, X, 0 * Y), "y", "got one class, 0", "two classes"),
    C(lambda: compare(None, X, W + 0.5), "Unknown label type", "continuous", "continuous"),
    C(lambda: LossComparisonDisplay.from_comparison("x"), "comparison", "got str"),
    C(lambda: LossComparisonDisplay.from_comparison(COMPARED, metrics=["auc"]), "metrics",
      r"got \['auc'\]", "roc_auc"),
    C(lambda: LossComparisonDisplay.from_comparison(COMPARED, metrics="roc_auc"), "metrics",
      "got str", "list"),
    C(lambda: LossComparisonDisplay.from_comparison(COMPARED, ax=[1, 2]), "ax", "got 2", "1 axes"),
]  # fmt: skip
COMPARED = LossComparison("", ("own log loss", "a"), {"roc_auc": np.eye(2)}, np.eye(2), 1.0)

CASES = {
    "losses": LOSSES, "adapters": ADAPTERS, "lightgbm": LIGHTGBM, "xgboost": XGBOOST,
    "catboost": CATBOOST, "classifier": CLASSIFIER, "displays": DISPLAYS,
    "comparison": COMPARISON,
}  # fmt: skip


def params_of():
    for group, cases in CASES.items():
        for i, case in enumerate(cases):
            got = re.sub(r"[^ -Z^-~]", "", case.got)
            yield pytest.param(case, id=f"{group}{i} {case.name} {got}")


@pytest.mark.parametrize("case", [*params_of()])
def test_message(case):
    with pytest.raises((ValueError, TypeError)) as found:
        case.call()
    message = str(found.value)
    assert type(found.value).__module__.partition(".")[0] not in LIBRARIES
    assert not re.search(INSIDES, message), message
    assert re.search(rf"\b{case.name}(\b|$|\s)", message), message
    assert re.search(case.got, message, re.DOTALL), message
    assert re.search(case.rule, message), message
