"""What the displays hold is what others compute, what they draw is what they hold, and it looks so.

The images are compared by ``pytest --mpl``; after a change that is meant, look at what
``pytest --mpl-generate-path=tests/baseline tests/test_displays.py`` draws.
"""

import sys

import mpmath as mp
import numpy as np
import pytest
import reference
from backends import make_data
from lightgbm import LGBMClassifier
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.calibration import calibration_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from focalboost import (
    AsymmetricLoss,
    CumulativeLossDisplay,
    FocalClassifier,
    FocalLoss,
    FocalLossDisplay,
    FocalStarLoss,
    LossComparison,
    LossComparisonDisplay,
    ModulatedLoss,
    ProbabilityDisplay,
)

X, Y, W = make_data(400)
RNG = np.random.default_rng(0)
RAW = RNG.normal(-1.0, 1.2, size=400)
LABELS = (RNG.random(400) < FocalLoss(2.0).inverse_link(RAW)).astype(int)


class Halved:
    """A loss of nobody's: the squared distance from the label's side, with no parameters."""

    def loss(self, y_true, raw_prediction, sample_weight=None):
        return 0.5 * (raw_prediction - np.where(y_true == 1, 7.0, -7.0)) ** 2

    def gradient(self, y_true, raw_prediction, sample_weight=None):
        return raw_prediction - np.where(y_true == 1, 7.0, -7.0)

    def inverse_link(self, raw_prediction):
        return (np.asarray(raw_prediction) + 7.0) / 14.0

    def __repr__(self):
        return "Halved()"


def legend(display):
    return [text.get_text() for text in display.axes_[0].get_legend().get_texts()]


@pytest.fixture(scope="module")
def model():
    words = np.where(Y == 1, "fraud", "legit")  # the second class, legit, is the positive one
    return FocalClassifier(LGBMClassifier(n_estimators=15, n_jobs=1, verbose=-1)).fit(X, words)


# The loss.


@pytest.mark.parametrize("y_true", [0, 1])
@pytest.mark.parametrize(
    "losses",
    [
        None,
        [FocalLoss(1.5, 0.25), FocalLoss(0.5, 0.9)],
        [AsymmetricLoss(1.0, 4.0, 0.25), FocalStarLoss(2.0, 1.0), ModulatedLoss("exp")],
    ],
)
def test_curves_equal_mpmath(losses, y_true):
    display = FocalLossDisplay.from_losses(losses, y_true=y_true)
    if losses is None:
        losses = [FocalLoss(gamma) for gamma in (0, 0.5, 1, 2, 5)]
    assert [*display.values] == ["loss", "gradient", "hessian", "curvature"]
    points = [0, 100, 300, 433, 600]
    scores = [-6.0, -4.0, 0.0, 2.66, 6.0]
    assert_allclose(display.raw_prediction[points], scores, rtol=1e-13)
    assert_allclose(
        display.p_true[points],
        [float(1 / (1 + mp.exp(-z if y_true else z))) for z in scores],
        rtol=1e-12,  # exp multiplies the rounding of a score of 6
    )
    z = display.raw_prediction[points]
    for i, loss in enumerate(losses):
        value, gradient, hessian = reference.derivatives(loss, [y_true] * len(z), z)
        curvature = np.maximum(reference.expected_hessian(loss, z), np.abs(gradient) / 4)
        held = [display.values[name][i, points] for name in display.values]
        # the Hessian's terms cancel, to a thousandth of their size here
        assert_allclose(held, [value, gradient, hessian, curvature], rtol=1e-10)


@pytest.mark.parametrize("x", ["p_true", "raw_prediction"])
@pytest.mark.parametrize("y_true", [0, 1])
def test_loss_display_draws_what_it_holds(x, y_true):
    display = FocalLossDisplay.from_losses(y_true=y_true, x=x)
    assert display.lines_.shape == (4, 5)
    for lines, values in zip(display.lines_, display.values.values(), strict=True):
        for line, row in zip(lines, values, strict=True):
            abscissa = display.p_true if x == "p_true" else display.raw_prediction
            assert_array_equal(line.get_xdata(), abscissa)
            assert_array_equal(line.get_ydata(), row)
    for axes, name in zip(display.axes_, display.values, strict=True):
        assert name.lower() in axes.get_ylabel().lower()
        assert axes.get_xlabel() == (
            "$p_t$" if x == "p_true" else f"raw score of a sample with y = {y_true}"
        )
    assert (
        legend(display)
        == display.names
        == [f"gamma={gamma}" for gamma in (0.0, 0.5, 1.0, 2.0, 5.0)]
    )


def zero_of_the_hessian(loss):
    def hessian(z):
        return mp.diff(lambda t: reference.value_of_label(loss, 1, t), z, 2)

    with mp.workdps(30):
        return float(mp.findroot(hessian, (-5, -2), solver="anderson"))


@pytest.mark.parametrize("y_true", [0, 1])
def test_shades_are_where_the_hessian_is_negative(y_true):
    display = FocalLossDisplay.from_losses(y_true=y_true, x="raw_prediction")
    none, *others = display.shades_
    assert not none.get_paths()  # log loss is convex
    for shade, gamma in zip(others, (0.5, 1.0, 2.0, 5.0), strict=True):
        root = zero_of_the_hessian(FocalLoss(gamma))
        (path,) = shade.get_paths()
        low, high = path.vertices[:, 0].min(), path.vertices[:, 0].max()
        ends = (-6.0, root) if y_true else (-root, 6.0)
        assert_allclose([low, high], ends, rtol=0, atol=0.02)  # the distance of two scores
    # The shades leave the limits to the curves, from -.12 to .70.
    low, high = display.axes_[2].get_ylim()
    assert -0.2 < low < -0.12
    assert 0.70 < high < 0.8


def test_names_tell_the_losses_apart():
    def names(*losses):
        return FocalLossDisplay.from_losses([*losses], values=["loss"]).names

    assert names(FocalLoss(2.0), FocalLoss(1.0, 0.25)) == [
        "gamma=2.0, alpha=None",
        "gamma=1.0, alpha=0.25",
    ]
    assert names(FocalLoss(2.0, 0.25)) == ["FocalLoss(alpha=0.25)"]
    assert names(FocalLoss(1.0), AsymmetricLoss(margin=0.2), AsymmetricLoss(), Halved()) == [
        "FocalLoss(gamma=1.0)",
        "AsymmetricLoss(margin=0.2)",
        "AsymmetricLoss()",
        "Halved()",
    ]


def test_any_loss_with_the_methods_is_shown():
    display = FocalLossDisplay.from_losses([Halved()], values=("gradient", "loss"))
    assert [*display.values] == ["gradient", "loss"]
    assert_array_equal(display.values["gradient"], [display.raw_prediction - 7.0])
    assert display.lines_.shape == (2, 1)
    assert display.shades_ == []
    spread = CumulativeLossDisplay.from_predictions(LABELS, RAW, losses=[Halved()])
    assert spread.names == ["Halved()"]
    display = ProbabilityDisplay.from_predictions(LABELS, RAW, Halved())
    assert_array_equal(display.probability, (display.raw_prediction + 7.0) / 14.0)


# Where the loss lies.


def share_of_the_lowest(loss):
    ascending = np.sort(loss)
    return np.concatenate([[0], np.cumsum(ascending)]) / ascending.sum()


@pytest.mark.parametrize("losses", [None, [FocalLoss(3.0), FocalLoss(1.0, 0.9)]])
def test_cumulative_loss_is_the_sum_of_the_sorted(losses):
    display = CumulativeLossDisplay.from_predictions(LABELS, RAW, losses=losses)
    gammas = (0, 0.5, 1, 2) if losses is None else (3, 1)
    for label in (0, 1):
        raw = RAW[label == LABELS]
        p_true = expit(raw if label else -raw)
        for i, gamma in enumerate(gammas):
            # The paper's formula; alpha is a factor of all.
            expected = share_of_the_lowest(-((1 - p_true) ** gamma) * np.log(p_true))
            assert_allclose(display.cumulative_loss[label][i], expected, rtol=1e-11)
            assert_allclose(display.fraction[label][i], np.linspace(0, 1, len(raw) + 1), rtol=1e-14)
    assert display.lines_.shape == (2, len(gammas))
    for lines, label in zip(display.lines_, (1, 0), strict=True):
        for i, line in enumerate(lines):
            assert_array_equal(line.get_xdata(), display.fraction[label][i])
            assert_array_equal(line.get_ydata(), display.cumulative_loss[label][i])
    assert legend(display) == display.names
    assert [axes.get_xlabel() for axes in display.axes_] == [
        "fraction of positives",
        "fraction of negatives",
    ]


def test_focal_loss_gathers_the_loss_of_the_negatives():
    display = CumulativeLossDisplay.from_predictions(LABELS, RAW)
    half = display.cumulative_loss[0][:, (LABELS == 0).sum() // 2]
    assert np.all(np.diff(half) < 0)


def test_cumulative_loss_with_weights_is_that_of_repeated_rows():
    weight = RNG.integers(0, 4, size=400)
    weighted = CumulativeLossDisplay.from_predictions(LABELS, RAW, sample_weight=weight)
    repeated = CumulativeLossDisplay.from_predictions(
        np.repeat(LABELS, weight), np.repeat(RAW, weight)
    )
    for label in (0, 1):
        for i in range(4):
            # Where the repetitions of a row end, in order of its loss.
            at = np.interp(
                weighted.fraction[label][i],
                repeated.fraction[label][i],
                repeated.cumulative_loss[label][i],
            )
            assert_allclose(weighted.cumulative_loss[label][i], at, atol=1e-12)


def test_cumulative_loss_of_an_estimator(model):
    words = np.where(Y == 1, "fraud", "legit")
    got = CumulativeLossDisplay.from_estimator(
        model, X, words, losses=[FocalLoss(2.0)], sample_weight=W
    )
    expected = CumulativeLossDisplay.from_predictions(
        1 - Y, model.raw_prediction(X), losses=[FocalLoss(2.0)], sample_weight=W
    )
    for label in (0, 1):
        assert_array_equal(got.cumulative_loss[label], expected.cumulative_loss[label])
        assert_array_equal(got.fraction[label], expected.fraction[label])
    assert len(got.cumulative_loss[1][0]) == 1 + np.sum(Y == 0)


# The probability.


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
@pytest.mark.parametrize("loss", [FocalLoss(2.0), FocalLoss(1.0, 0.75)])
def test_probability_equals_mpmath_and_scikit_learn(loss, strategy):
    display = ProbabilityDisplay.from_predictions(LABELS, RAW, loss, n_bins=7, strategy=strategy)

    def proba(scores):
        return reference.proba(loss, scores)[:, 1]

    assert_allclose(display.raw_prediction[[0, -1]], [RAW.min(), RAW.max()])
    assert_allclose(display.probability[::50], proba(display.raw_prediction[::50]), rtol=1e-11)
    assert_allclose(display.sigmoid, expit(display.raw_prediction))
    for held, predicted in (
        (display.sigmoid_reliability, expit(RAW)),
        (display.probability_reliability, proba(RAW)),
    ):
        expected = calibration_curve(LABELS, predicted, n_bins=7, strategy=strategy)
        assert_allclose(held[0], expected[0])
        assert_allclose(held[1], expected[1], rtol=1e-11)


def test_probability_display_draws_what_it_holds():
    display = ProbabilityDisplay.from_predictions(LABELS, RAW, FocalLoss(2.0))
    for (link, reliability), curve, (share, mean), name in zip(
        display.lines_.T,
        (display.sigmoid, display.probability),
        (display.sigmoid_reliability, display.probability_reliability),
        ("sigmoid", "probability"),
        strict=True,
    ):
        assert len(share) == 10
        assert_array_equal(link.get_xdata(), display.raw_prediction)
        assert_array_equal(link.get_ydata(), curve)
        assert_array_equal(reliability.get_xdata(), mean)
        assert_array_equal(reliability.get_ydata(), share)
        assert name in link.get_label()
        assert name in reliability.get_label()
        assert link.get_color() == reliability.get_color()
    assert legend(display) == [line.get_label() for line in display.lines_[1]]
    assert_array_equal(display.diagonal_.get_xydata(), [[0, 0], [1, 1]])


def test_probability_of_an_estimator(model):
    words = np.where(Y == 1, "fraud", "legit")
    # the probability is that of the loss
    model = clone(model).set_params(calibration=None).fit(X, words)
    display = ProbabilityDisplay.from_estimator(model, X, words, n_bins=4, strategy="uniform")
    assert_array_equal(
        display.probability_reliability,
        calibration_curve(Y == 0, model.predict_proba(X)[:, 1], n_bins=4),
    )


# The convention, and bad input.


def make_displays(ax_of):
    return [
        FocalLossDisplay.from_losses(ax=ax_of(4)),
        CumulativeLossDisplay.from_predictions(LABELS, RAW, ax=ax_of(2)),
        ProbabilityDisplay.from_predictions(LABELS, RAW, FocalLoss(2.0), ax=ax_of(2)),
    ]


def test_draws_on_given_axes_and_again():
    figure = Figure()
    for display in make_displays(lambda n: figure.subplots(n // 2, 2)):
        assert display.figure_ is figure
        assert {*display.axes_} <= {*figure.axes}
        first = display.axes_
        assert display.plot() is display
        assert display.figure_ is not figure
        assert not {*first} & {*display.axes_}
    one = Figure().subplots()
    assert FocalLossDisplay.from_losses(values=["loss"], ax=one).axes_.tolist() == [one]
    with pytest.raises(ValueError, match=r"^ax must hold 2 axes, got 1\.$"):
        CumulativeLossDisplay.from_predictions(LABELS, RAW, ax=one)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"install matplotlib, .*focalboost\[plot\]"):
        FocalLossDisplay.from_losses()


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"losses": []}, ValueError, "losses must be a sequence of one loss or more, got []."),
        (
            {"losses": FocalLoss(2.0)},
            ValueError,
            f"losses must be a sequence of one loss or more, got {FocalLoss(2.0)}.",
        ),
        ({"losses": [2.0]}, TypeError, "losses must have the method loss, got 2.0."),
        ({"losses": [Halved()]}, TypeError, "losses must have the method hessian, got Halved()."),
        ({"y_true": 0.5}, ValueError, "y_true must be 0 or 1, got 0.5."),
        (
            {"values": ["loss", "link"]},
            ValueError,
            "values must hold some of ['loss', 'gradient', 'hessian', 'curvature'], "
            "got ['loss', 'link'].",
        ),
        (
            {"values": []},
            ValueError,
            "values must hold some of ['loss', 'gradient', 'hessian', 'curvature'], got [].",
        ),
        ({"x": "p_t"}, ValueError, "x must be 'p_true' or 'raw_prediction', got 'p_t'."),
    ],
)
def test_loss_display_refuses(kwargs, error, message):
    with pytest.raises(error) as caught:
        FocalLossDisplay.from_losses(**kwargs)
    assert str(caught.value) == message


@pytest.mark.parametrize("make", [CumulativeLossDisplay, ProbabilityDisplay])
@pytest.mark.parametrize(
    ("y_true", "raw", "message"),
    [
        ([0, 1, 1], [0.0, 1.0], "y_true must have the shape of raw_prediction, (2,), got (3,)."),
        ([0, 2], [0.0, 1.0], "y_true must hold both labels, 0 and 1, got [0, 2]."),
        ([0, 0], [0.0, 1.0], "y_true must hold both labels, 0 and 1, got [0]."),
        (["a", "b"], [0.0, 1.0], "y_true must be numeric, got dtype <U1."),
        ([0, 1], [0.0, np.nan], "raw_prediction must be finite, got nan."),
        ([0, 1], [0.0, -np.inf], "raw_prediction must be finite, got -inf."),
        ([0, 1], [[0.0, 1.0]], "raw_prediction must have shape (n,) or (n, 1), got (1, 2)."),
    ],
)
def test_predictions_are_checked(make, y_true, raw, message):
    positional = [FocalLoss(2.0)] if make is ProbabilityDisplay else []
    with pytest.raises(ValueError, match="must") as caught:
        make.from_predictions(y_true, raw, *positional)
    assert str(caught.value) == message


def test_cumulative_loss_refuses():
    class Margin(Halved):
        def loss(self, y_true, raw_prediction, sample_weight=None):
            return np.where(y_true == 1, np.maximum(0.0, 1.0 - raw_prediction), 0.0)

    make = CumulativeLossDisplay.from_predictions
    with pytest.raises(ValueError, match=r"positive sum in each class, got 0 where y_true is 1\.$"):
        make([0, 1], [0.0, 1.0], sample_weight=[1.0, 0.0])
    with pytest.raises(ValueError, match=r"^sample_weight must be finite and >= 0, got -1"):
        make([0, 1], [0.0, 1.0], sample_weight=[1.0, -1.0])
    with pytest.raises(
        ValueError, match=r"on each class, got 0 of Halved\(\) where y_true is 0\.$"
    ):
        make([0, 1], [0.0, 0.5], losses=[Margin()])
    with pytest.raises(TypeError, match=r"^losses must have the method loss, got 'focal'\.$"):
        make([0, 1], [0.0, 1.0], losses=["focal"])


def test_probability_display_refuses():
    with pytest.raises(TypeError, match=r"^loss must have the method inverse_link, got 2\.0\.$"):
        ProbabilityDisplay.from_predictions(LABELS, RAW, 2.0)
    with pytest.raises(ValueError, match="'strategy' parameter of calibration_curve must be"):
        ProbabilityDisplay.from_predictions(LABELS, RAW, FocalLoss(2.0), strategy="even")


@pytest.mark.parametrize("make", [CumulativeLossDisplay, ProbabilityDisplay])
def test_estimators_are_checked(make, model):
    words = np.where(Y == 1, "fraud", "legit")
    with pytest.raises(ValueError, match=r"^y must hold labels .*\['fraud', 'legit'\], got 'odd'"):
        make.from_estimator(model, X, np.where(Y == 1, "odd", words))
    with pytest.raises(TypeError, match=r"FocalClassifier, got Pipeline: .* model\[-1\]"):
        make.from_estimator(make_pipeline(StandardScaler(), model), X, words)
    with pytest.raises(ValueError, match="not fitted yet"):
        make.from_estimator(FocalClassifier(), X, words)


# How it looks. Without letters, whose shapes change between releases of Matplotlib, and without the
# layout, which changes with them.

image = pytest.mark.mpl_image_compare(
    baseline_dir="baseline",
    style="default",
    remove_text=True,
    savefig_kwargs={"dpi": 50},
    tolerance=1,
)


def without_letters(display):
    for axes in display.axes_:
        axes.set(xlabel="", ylabel="")
        if axes.get_legend():
            axes.get_legend().remove()  # its box has the size of letters
    display.figure_.set_layout_engine("none")
    return display.figure_


@image
def test_loss_looks():
    return without_letters(FocalLossDisplay.from_losses())


@image
def test_loss_of_a_negative_against_raw_score_looks():
    return without_letters(FocalLossDisplay.from_losses(y_true=0, x="raw_prediction"))


@image
def test_cumulative_loss_looks():
    return without_letters(CumulativeLossDisplay.from_predictions(LABELS, RAW))


@image
def test_comparison_looks():
    rng = np.random.default_rng(0)
    own = rng.normal(0.5, 0.05, size=10)
    scores = [own, own + 0.02, own - 0.01, own]
    scores = np.stack([scores, -np.square(scores)]) + rng.normal(0.0, 0.005, size=(2, 4, 10))
    display = LossComparisonDisplay.from_comparison(
        LossComparison(
            "LGBMClassifier", ("own log loss", "a", "b", "c"),
            dict(zip(("roc_auc", "neg_log_loss"), scores, strict=True)), np.ones((4, 10)), 0.25,
        )
    )  # fmt: skip
    assert {row.verdict for rows in display.rows.values() for row in rows} == {
        "better", "worse", "no difference seen",
    }  # fmt: skip
    return without_letters(display)


@image
def test_probability_looks():
    return without_letters(ProbabilityDisplay.from_predictions(LABELS, RAW, FocalLoss(2.0)))


def test_nothing_is_left_open_or_cut_off():
    long = CumulativeLossDisplay.from_predictions(
        LABELS, RAW, losses=[AsymmetricLoss(0.5, 3.0, 0.05, 0.25), Halved()]
    )
    for display in (*make_displays(lambda n: None), long):
        display.figure_.canvas.draw()
        width, height = display.figure_.canvas.get_width_height()
        for axes in display.axes_:
            assert axes.get_window_extent().width > width / 8  # not squeezed by a long name
            box = axes.get_tightbbox()
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= width
            assert box.y1 <= height
    assert len(plt.get_fignums()) == 4  # earlier tests' figures are closed
