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

from focalboost import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    EffectiveNumber,
    ExponentialGamma,
    FocalClassifier,
    FocalLoss,
    FocalStarLoss,
    GeneralizedCrossEntropyLoss,
    LinearGamma,
    ModulatedLoss,
    PolyLoss,
    RobustFocalLoss,
    ScheduledLoss,
    SoftmaxFocalLoss,
    VectorScalingLoss,
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
CASES = {
    "losses": LOSSES,
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
