"""The catalogue of broken losses: each is wrong in one way, and fails the properties named with it.

A loss breaks in its kernel, where every method that follows from it breaks with it, or in a public
method. Most ways are said once, and break a loss of two classes and one of three.
"""

from dataclasses import fields, replace
from functools import partial

import numpy as np
import properties as of
from scipy.special import expit, logit, softmax

from focalboost import FocalLoss, SoftmaxFocalLoss

TWO, SEVERAL = FocalLoss(2.0, 0.25), SoftmaxFocalLoss(3, 2.0, (0.5, 1.0, 0.25))
SOUND = (TWO, SEVERAL)


def _subclass(cls, name, changes):
    """Return a class whose methods are ``change(right_method, *args)``."""

    def change_of(method, change):
        return lambda self, *args, **kwargs: change(partial(method, self), *args, **kwargs)

    return type(name, (cls,), {n: change_of(getattr(cls, n), c) for n, c in changes.items()})


def _values(dataclass):
    return [getattr(dataclass, field.name) for field in fields(dataclass)]


def in_kernel(loss, name, /, **changes):
    """Return the loss with methods of its kernel changed."""

    def kernel(self):
        right = type(loss).kernel.fget(self)
        return _subclass(type(right), name, changes)(*_values(right))

    return type(name, (type(loss),), {"kernel": property(kernel)})(*_values(loss))


def in_method(loss, name, /, **changes):
    """Return the loss with public methods changed."""
    return _subclass(type(loss), name, changes)(*_values(loss))


def both(breaks, name, /, **changes):
    return [breaks(loss, name, **changes) for loss in SOUND]


def computes_like(loss, name, other, *methods):
    """Return the loss with methods of its kernel that are those of another loss."""

    def of_other(method):
        return lambda _, *args, **kwargs: getattr(other.kernel, method)(*args, **kwargs)

    return in_kernel(loss, name, **{method: of_other(method) for method in methods})


def negated(right, *args):
    gradient, second = right(*args)
    return -gradient, second


WRONG_SIGN = both(in_kernel, "WrongSign", gradient_hessian=negated, gradient_curvature=negated)


def _with_hessian_of(other):
    def gradient_hessian(right, y, z):
        return right(y, z)[0], other.kernel.gradient_hessian(y, z)[1]

    return gradient_hessian


HESSIAN_OF_ANOTHER_GAMMA = [
    in_kernel(
        loss, "HessianOfAnotherGamma", gradient_hessian=_with_hessian_of(replace(loss, gamma=2.5))
    )
    for loss in SOUND
]

CLIPPED_TAIL = both(
    in_kernel, "ClippedTail", loss=lambda right, y, z: right(y, np.clip(z, -34.5, 34.5))
)


def _textbook(right, y, z):
    if z.ndim == 1:
        p = 1 / (1 + np.exp(-z))
        p_true = np.where(y == 1, p, 1 - p)
    else:
        p_true = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))[
            np.arange(len(y)), y.astype(int)
        ]
    return -((1 - p_true) ** 2) * np.log(p_true)


TEXTBOOK_TAIL = both(in_kernel, "TextbookTail", loss=_textbook)

SINGLE_PRECISION_FORGOTTEN = both(
    in_method, "SinglePrecisionForgotten", loss=lambda right, *args: right(*args).astype(float)
)

NO_WEIGHTS = both(
    in_kernel,
    "NoWeights",
    weighted_derivatives=lambda right, y, z, w, *args: right(y, z, None, *args),
)

HARD_LABELS_ONLY = [
    in_kernel(TWO, "HardLabelsOnly", loss=lambda right, y, z: right(np.round(y), z))
]


def _plain(right, z):
    return z if z.ndim == 1 else logit(softmax(z, axis=1))


SIGMOID_LINK = both(in_kernel, "SigmoidLink", log_odds=_plain)

FORGETS_ALPHA = [
    computes_like(loss, "ForgetsAlpha", replace(loss, alpha=None), "log_odds") for loss in SOUND
]


class AlphaOnPositivesOnly(FocalLoss):
    @property
    def kernel(self):
        right = super().kernel
        weights = property(lambda kernel: (kernel.alpha or 1.0, 1.0))
        return type("Kernel", (type(right),), {"weights": weights})(right.formula, right.alpha)


ALPHA_ON_SOME_CLASSES = [
    AlphaOnPositivesOnly(2.0, 0.25),
    computes_like(
        SEVERAL, "AlphaOnSomeClasses", replace(SEVERAL, alpha=(0.5, 1.0, 1.0)),
        "loss", "gradient_hessian", "gradient_curvature", "log_odds",
    ),
]  # fmt: skip

HALF_OF_LOG_LOSS = both(in_kernel, "HalfOfLogLoss", loss=lambda right, y, z: 0.5 * right(y, z))


def _prior(right, proba):
    if proba.ndim < 2:
        return logit(proba)
    return np.log(proba) - np.log(proba).mean(axis=1, keepdims=True)


STARTS_AT_THE_PRIOR = both(in_kernel, "StartsAtThePrior", link=_prior)

EXACT_HESSIAN_AS_CURVATURE = [
    in_kernel(
        loss,
        "ExactHessianAsCurvature",
        gradient_curvature=lambda right, y, z, max_step, k=loss.kernel: k.gradient_hessian(y, z),
    )
    for loss in SOUND
]


def _floored(right, y, z, max_step):
    gradient, curvature = right(y, z, max_step=max_step)
    return gradient, np.maximum(curvature, 1e-3)


CONSTANT_FLOOR = both(in_kernel, "ConstantFloor", gradient_curvature=_floored)

NO_BOUND = both(
    in_kernel,
    "NoBound",
    gradient_curvature=lambda right, y, z, max_step: right(y, z, max_step=None),
)


def _of_sample(change):
    def gradient_matrix(right, max_step):
        def of_sample(label, z):
            gradient, matrix = right(max_step)(label, z)[:2]
            return gradient, change(matrix)

        return of_sample

    return gradient_matrix


MATRIX_OF_THE_DIAGONAL = [
    in_kernel(
        SEVERAL,
        "MatrixOfTheDiagonal",
        gradient_matrix=_of_sample(lambda matrix: np.diag(np.diag(matrix))),
    )
]
MATRIX_WITHOUT_BOUND = [
    in_kernel(SEVERAL, "MatrixWithoutBound", gradient_matrix=lambda right, max_step: right(None))
]

SUM_NOT_MEAN = both(in_kernel, "SumNotMean", mean=lambda right, y, z, w: len(y) * right(y, z, w))
UNWEIGHTED_MEAN = both(in_kernel, "UnweightedMean", mean=lambda right, y, z, w: right(y, z, None))


def _turned_up(right, y, z):
    if z.ndim == 1:
        p_true = expit(np.where(y == 1, z, -z))
        return p_true**2 * LOG_LOSSES[0].kernel.loss(y, z)
    p_true = softmax(z, axis=1)[np.arange(len(y)), y.astype(int)]
    return p_true**2 * LOG_LOSSES[1].kernel.loss(y, z)


LOG_LOSSES = tuple(replace(loss, gamma=0.0) for loss in SOUND)
TURNS_DOWN_THE_HARD_SAMPLES = both(in_kernel, "TurnsDownTheHardSamples", loss=_turned_up)


def _writes(right, y, z, max_step):
    results = right(y, z, max_step=max_step)
    if z.flags.writeable:
        z += 1.0
    return results


WRITES_INTO_ITS_INPUT = both(in_kernel, "WritesIntoItsInput", gradient_curvature=_writes)

CENTRES_ITS_BATCH = both(
    in_kernel,
    "CentresItsBatch",
    gradient_curvature=lambda right, y, z, max_step: right(y, z * (1 + z.std()), max_step=max_step),
)


class _EqualByIdentity:
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class EqualByIdentity(_EqualByIdentity, FocalLoss):
    pass


class EqualByIdentityOfSeveral(_EqualByIdentity, SoftmaxFocalLoss):
    pass


class Mutable(FocalLoss):
    __setattr__ = object.__setattr__


EQUAL_BY_IDENTITY = [
    EqualByIdentity(*_values(TWO)),
    EqualByIdentityOfSeveral(*_values(SEVERAL)),
    Mutable(*_values(TWO)),
]

LAST_CLASS_IS_ANOTHER = [
    in_kernel(
        SEVERAL,
        "LastClassIsAnother",
        gradient_hessian=lambda right, y, z: (right(y, z)[0] * [1, 1, 1.01], right(y, z)[1]),
    )
]

CLIPPED_SCORES = [
    in_kernel(SEVERAL, "ClippedScores", loss=lambda right, y, z: right(y, np.clip(z, -700, 700)))
]

PLAIN_PROBABILITIES = [
    in_method(TWO, "PlainProbabilities", predict_proba=lambda right, z: np.stack(
        [expit(-np.asarray(z)), expit(z)], axis=1
    )),
    in_method(SEVERAL, "PlainProbabilities", predict_proba=lambda right, z: softmax(z, axis=1)),
]  # fmt: skip

LOGARITHM_OF_A_PROBABILITY = [
    in_method(
        loss,
        "LogarithmOfAProbability",
        log_proba=lambda right, z, loss=loss: np.log(np.maximum(loss.inverse_link(z), 1e-300)),
    )
    for loss in SOUND
]

LOST_AT_INFINITY = both(
    in_kernel, "LostAtInfinity", log_odds=lambda right, z: np.where(np.isinf(z), np.nan, right(z))
)


def _clipped_share(right, label_sum, weight_sum):
    share = np.clip(np.asarray(label_sum) / weight_sum, 1e-3, 1 - 1e-3)
    return right(share / np.sum(share) if share.ndim else share, 1.0)


CLIPPED_SHARE = both(in_kernel, "ClippedShare", init_score_from_sums=_clipped_share)

COLUMN_IN_COLUMN_OUT = [
    in_method(
        TWO,
        "ColumnInColumnOut",
        gradient_curvature=lambda right, y, z, *args, **kwargs: tuple(
            result.reshape(np.shape(z)) for result in right(y, z, *args, **kwargs)
        ),
    )
]


def _in_order_of_memory(right, y, z, *args, **kwargs):
    z = np.asarray(z)
    return right(y, z.ravel(order="K").reshape(z.shape), *args, **kwargs)


IN_ORDER_OF_MEMORY = [in_method(SEVERAL, "InOrderOfMemory", gradient_curvature=_in_order_of_memory)]

AT_LEAST_ONE_DIMENSION = [
    in_method(TWO, "AtLeastOneDimension", loss=lambda right, *args: np.atleast_1d(right(*args)))
]


def _compiled_as(sound, name, **changed):
    kernel = sound.kernel
    methods = (
        "has_compiled", "fill", "sum_of_losses", "negative_pairs", "compiled_formula",
        "compiled_loss",
    )  # fmt: skip
    replaced = {method: getattr(kernel, method) for method in methods} | changed
    return in_kernel(
        sound,
        name,
        **{key: lambda _, *args, run=run: run(*args) for key, run in replaced.items()},
    )


def _without_bound(sound):
    def fill(y, z, w, max_step, *args):
        return sound.kernel.fill(y, z, w, None, *args)

    def formula(_):
        return sound.kernel.compiled_formula(None)

    return _compiled_as(sound, "CompiledWithoutBound", fill=fill, compiled_formula=formula)


COMPILED_AS_ANOTHER = [
    _without_bound(TWO),
    _without_bound(SEVERAL),
    _compiled_as(TWO, "LossOfGamma0", sum_of_losses=FocalLoss(0.0).kernel.sum_of_losses),
    _compiled_as(SEVERAL, "LossForLogLoss", compiled_loss=lambda _: SEVERAL.kernel.compiled_loss()),
    _compiled_as(
        TWO,
        "OtherSign",
        negative_pairs=lambda max_step, _: (
            lambda y, z, w: (-TWO.kernel.negative_pairs(max_step, 0.0)(y, z, w)[0], True)
        ),
    ),
]

BROKEN = {
    of.equals_mpmath: [
        *WRONG_SIGN, *CLIPPED_TAIL, *HESSIAN_OF_ANOTHER_GAMMA, *ALPHA_ON_SOME_CLASSES,
        *LAST_CLASS_IS_ANOTHER,
    ],
    of.equals_mpmath_in_single_precision: [*SINGLE_PRECISION_FORGOTTEN, *WRONG_SIGN],
    of.probability_equals_mpmath: [
        *SIGMOID_LINK, *FORGETS_ALPHA, *PLAIN_PROBABILITIES, *LOGARITHM_OF_A_PROBABILITY[:1],
    ],
    of.curvature_is_the_bounded_expected_hessian: [
        *EXACT_HESSIAN_AS_CURVATURE, *CONSTANT_FLOOR, *NO_BOUND,
    ],
    of.gradient_matrix_is_the_expected_hessian: [*MATRIX_OF_THE_DIAGONAL, *MATRIX_WITHOUT_BOUND],
    of.derivatives_are_derivatives: [*WRONG_SIGN, *HESSIAN_OF_ANOTHER_GAMMA],
    of.methods_agree: [*SUM_NOT_MEAN, *UNWEIGHTED_MEAN, *NO_WEIGHTS],
    of.probabilities_agree: [*PLAIN_PROBABILITIES, *LOGARITHM_OF_A_PROBABILITY],
    of.weights_multiply: [*NO_WEIGHTS],
    of.integer_weights_are_repeated_samples: [*NO_WEIGHTS, *UNWEIGHTED_MEAN],
    of.soft_labels_are_mixtures: [*HARD_LABELS_ONLY],
    of.probability_minimises_the_expected_loss: [*SIGMOID_LINK, *FORGETS_ALPHA],
    of.link_inverts: [*SIGMOID_LINK[1:], *STARTS_AT_THE_PRIOR],
    of.init_score_is_the_best_constant: [*STARTS_AT_THE_PRIOR],
    of.one_class_has_no_init_score: [*CLIPPED_SHARE],
    of.alpha_weights_the_classes: [*ALPHA_ON_SOME_CLASSES],
    of.gamma_0_is_scikit_learn_s: [*WRONG_SIGN, *HALF_OF_LOG_LOSS],
    of.is_cross_entropy_turned_down: [*TURNS_DOWN_THE_HARD_SAMPLES],
    of.classes_are_alike: [*ALPHA_ON_SOME_CLASSES, *TEXTBOOK_TAIL[:1], *LAST_CLASS_IS_ANOTHER],
    of.does_not_see_a_shift: [*LAST_CLASS_IS_ANOTHER, *TEXTBOOK_TAIL[1:], *CLIPPED_SCORES],
    of.two_classes_are_focal_loss: [*HALF_OF_LOG_LOSS[1:], *WRONG_SIGN[1:]],
    of.finite_everywhere: [*TEXTBOOK_TAIL, *EXACT_HESSIAN_AS_CURVATURE],
    of.has_its_limits_at_infinity: [*TEXTBOOK_TAIL[1:], *LOST_AT_INFINITY],
    of.keeps_dtype: [*SINGLE_PRECISION_FORGOTTEN],
    of.takes_any_layout: [*COLUMN_IN_COLUMN_OUT, *IN_ORDER_OF_MEMORY],
    of.takes_one_number: [*AT_LEAST_ONE_DIMENSION],
    of.leaves_its_arguments_alone: [*WRITES_INTO_ITS_INPUT],
    of.samples_are_independent: [*CENTRES_ITS_BATCH],
    of.is_a_value: [*EQUAL_BY_IDENTITY],
    of.compiled_loop_is_the_same: [*COMPILED_AS_ANOTHER],
}  # fmt: skip
