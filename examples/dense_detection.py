"""Dense detection with boosted trees: the setting that focal loss was made for.

    python examples/dense_detection.py
    python examples/dense_detection.py --scenes 150 --held-out 150 --seeds 4

Scenes of 192 x 192 pixels hold up to two digits among strokes and halves of digits. LightGBM
classifies windows at every place, of three heights and three shapes, as digit or background, from
histograms of oriented gradients and from brightness. About 1 window in 1,000 is a digit. The arms
differ in how they keep the other 999 windows from dominating the training: by the loss, by a choice
of samples in each round, or by two stages.

The protocol is that of Lin et al., "Focal Loss for Dense Object Detection" (2017,
arXiv:1708.02002). Windows whose intersection over union (IoU) with a digit is at least 0.5 are
positive, windows below 0.4 are background, and windows between are ignored. The loss is summed and
divided by the number of positives. In each scene a regression moves the 1,000 windows with the best
scores above 0.05; of windows that overlap by an IoU of 0.5 only the best scored stays. Training,
validation and held-out scenes show different digits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import powerboxes
from joblib import Parallel, delayed
from matplotlib.patheffects import withStroke
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter
from scipy.special import expit, logit
from skimage.draw import bezier_curve
from skimage.feature import hog
from skimage.transform import resize
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

import focalboost.lightgbm
from focalboost import FocalLoss

Array = np.ndarray[Any, Any]

# ---------------------------------------------------------------- scenes

SIDE = 192
SMALLEST, LARGEST = 16, 40  # heights of digits, in pixels


def split_digits() -> dict[str, Array]:
    """Return scikit-learn's digits in three parts, which share no digit."""
    digits = load_digits().images / 16.0
    train, rest = train_test_split(digits, train_size=0.5, random_state=0)
    valid, test = train_test_split(rest, train_size=0.4, random_state=0)
    return {"train": train, "valid": valid, "test": test}


def paste(image: Array, patch: Array, height: float, width: float, rng: Any) -> Array:
    """Draw the patch at a random place, where it is brighter than the image; return its box."""
    h, w = round(height), max(round(width), 4)
    y, x = rng.integers(SIDE - h), rng.integers(SIDE - w)
    place = image[y : y + h, x : x + w]
    # Stretched digits of 8 x 8 pixels are grey blocks; this sharpens them to strokes.
    strokes = expit(12 * (resize(patch, (h, w), order=3, mode="constant") - 0.5))
    np.maximum(place, rng.uniform(0.5, 1.0) * strokes, out=place)
    return np.array([x, y, x + w, y + h], dtype=float)


def draw_digit(image: Array, digit: Array, rng: Any, half: bool = False) -> Array:
    """Draw a digit of a random size and shape, or half a digit as clutter."""
    columns = np.flatnonzero((digit > 0.2).any(axis=0))
    digit = digit[:, columns[0] : columns[-1] + 1]
    height = np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))
    width = height * digit.shape[1] / len(digit) * np.exp(rng.uniform(-0.2, 0.3))
    if half:
        height /= 2
        digit = digit[:4] if rng.integers(2) else digit[4:]
    return paste(image, digit, height, width, rng)


def compose(digits: Array, rng: Any) -> tuple[Array, Array]:
    """Return a scene and the boxes (left, top, right, bottom) of its digits."""
    image = 0.15 + 0.6 * gaussian_filter(rng.normal(size=(SIDE, SIDE)), 3)
    strokes = np.zeros_like(image)
    for _ in range(14):
        start = rng.integers(SIDE, size=2)
        ends = np.clip(start + rng.integers(-30, 31, size=(2, 2)), 0, SIDE - 1)
        rows, columns = bezier_curve(*start, *ends[0], *ends[1], weight=1, shape=image.shape)
        strokes[rows, columns] = rng.uniform(0.5, 1)
    image = np.maximum(image, 3 * gaussian_filter(strokes, 1.0))
    for digit in digits[rng.integers(len(digits), size=8)]:
        draw_digit(image, digit, rng, half=True)
    boxes: list[Array] = []
    for digit in digits[rng.integers(len(digits), size=rng.binomial(2, 0.4))]:
        drawn = image.copy()
        box = draw_digit(drawn, digit, rng)
        # Digits may touch clutter, but not each other.
        if not boxes or overlap(np.array(boxes), box[None]).max() == 0:
            image, boxes = drawn, [*boxes, box]
    image = image + rng.normal(scale=0.02, size=image.shape)
    return np.clip(image, 0, 1), np.array(boxes).reshape(-1, 4)


# ---------------------------------------------------------------- windows

# A window is 6 x 6 cells of gradients, and the next window is 3 cells, half a window, away.
CELLS, STEP, PIXELS, ORIENTATIONS = 6, 3, 4, 6
HEIGHTS, SHAPES = (18.0, 25.5, 36.0), (0.5, 0.7, 1.0)


def grids() -> Iterator[tuple[int, int]]:
    """Yield the cells of a whole scene, down and across, for each height and shape of a window."""
    for height in HEIGHTS:
        for shape in SHAPES:
            yield round(SIDE * CELLS / height), round(SIDE * CELLS / (height * shape))


def window_boxes() -> Array:
    """Return the boxes of all windows of a scene, which are the same in every scene."""
    boxes = []
    for down, across in grids():
        h, w = SIDE / down, SIDE / across
        top, left = np.meshgrid(
            np.arange(0, down - CELLS + 1, STEP) * h,
            np.arange(0, across - CELLS + 1, STEP) * w,
            indexing="ij",
        )
        boxes.append(np.stack([left, top, left + CELLS * w, top + CELLS * h], -1).reshape(-1, 4))
    return np.concatenate(boxes)


def features(image: Array) -> Array:
    """Return the oriented gradients of all windows, in the order of `window_boxes`.

    The scene is stretched once for each kind of window, and windows share its cells. Each cell is
    normalised by the 3 x 3 cells around it.
    """
    found = []
    for down, across in grids():
        stretched = resize(image, (down * PIXELS, across * PIXELS), order=1)
        cells = hog(
            stretched,
            orientations=ORIENTATIONS,
            pixels_per_cell=(PIXELS, PIXELS),
            cells_per_block=(down, across),  # one block: contrast is relative to the scene's
            block_norm="L2",
            feature_vector=False,
        )[0, 0]
        light = resize(stretched, (down, across, 1), order=1, anti_aliasing=True)
        cells = np.concatenate([cells, light], axis=2)
        windows = sliding_window_view(cells, (CELLS, CELLS), axis=(0, 1))[::STEP, ::STEP]
        found.append(windows.reshape(-1, windows[0, 0].size).astype(np.float32))
    return np.concatenate(found)


def overlap(boxes: Array, others: Array) -> Array:
    """Return the intersection over union of each box with each other."""
    if not len(boxes) or not len(others):
        return np.zeros((len(boxes), len(others)))
    return 1 - powerboxes.iou_distance(np.ascontiguousarray(boxes), np.ascontiguousarray(others))


def offsets(boxes: Array, truth: Array) -> Array:
    """Return how to move and stretch the boxes to the true boxes, in units of their size."""
    size, true_size = boxes[:, 2:] - boxes[:, :2], truth[:, 2:] - truth[:, :2]
    moved = (truth[:, :2] + truth[:, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2 / size
    return np.hstack([moved, np.log(true_size / size)])


def decode(boxes: Array, offset: Array) -> Array:
    """Return the boxes moved and stretched by offsets: the inverse of `offsets`."""
    size = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + offset[:, :2] * size
    half = size * np.exp(np.clip(offset[:, 2:], -1, 1)) / 2
    return np.hstack([centre - half, centre + half])


@dataclass
class Scenes:
    """Scenes with the features and labels of all their windows."""

    images: list[Array]
    truth: list[Array]
    X: Array
    y: Array  # 1 digit, 0 background, -1 ignored
    offsets: Array  # to the nearest digit


def make_scenes(digits: Array, n: int, seed: int, threads: int = 1) -> Scenes:
    rng, boxes = np.random.default_rng(seed), window_boxes()
    images, truth = zip(*(compose(digits, rng) for _ in range(n)), strict=True)
    y = np.zeros((n, len(boxes)), dtype=int)
    to_nearest = np.zeros((n, len(boxes), 4))
    for i, true_boxes in enumerate(truth):
        if len(true_boxes):
            iou = overlap(boxes, true_boxes)
            best = iou.max(axis=1)
            y[i] = np.where(best >= 0.5, 1, np.where(best < 0.4, 0, -1))
            to_nearest[i] = offsets(boxes, true_boxes[iou.argmax(axis=1)])
    X = np.stack(Parallel(threads)(delayed(features)(image) for image in images))
    return Scenes(list(images), list(truth), X, y, to_nearest)


# ---------------------------------------------------------------- detections and their score


Detections = list[tuple[Array, Array]]  # boxes and scores of each scene, best first


def detect(scenes: Scenes, score: Array, regression: Ridge) -> Detections:
    """Return the boxes that are left after the regression and non-maximum suppression."""
    boxes, detections = window_boxes(), []
    for X, one in zip(scenes.X, score, strict=True):
        top = np.argsort(-one, kind="stable")[:1000]
        top = top[np.isfinite(one[top])]
        moved = decode(boxes[top], regression.predict(X[top]))
        # A threshold on the score gives the same result before and after: a box is only ever
        # removed by a better box.
        kept = powerboxes.nms(moved, one[top], 0.5, -np.inf).astype(int)
        detections.append((moved[kept], one[top][kept]))
    return detections


def find_hits(detections: Detections, truth: list[Array]) -> list[Array]:
    """Return which detections are right: an IoU of 0.5 with a digit, and its best scored."""
    hits = []
    for (boxes, _), true_boxes in zip(detections, truth, strict=True):
        iou, hit = overlap(boxes, true_boxes), np.zeros(len(boxes), dtype=bool)
        for i in range(len(boxes)) if len(true_boxes) else []:
            nearest = iou[i].argmax()
            hit[i] = iou[i, nearest] >= 0.5
            if hit[i]:
                iou[:, nearest] = 0
        hits.append(hit)
    return hits


def average_precision(
    detections: Detections, truth: list[Array], threshold: float = -np.inf
) -> float:
    """Return the average precision at an IoU of 0.5, over all scenes.

    It is the sum of precision times gain in recall, without interpolation; a digit that is not
    found adds nothing.
    """
    hit = np.concatenate(find_hits(detections, truth))
    score = np.concatenate([score for _, score in detections])
    hit, score = hit[score > threshold], score[score > threshold]
    if not hit.any():
        return 0.0
    return float(average_precision_score(hit, score) * hit.sum() / sum(map(len, truth)))


# ---------------------------------------------------------------- arms

Choice = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class OnSome(FocalLoss):
    """Cross entropy on the samples that ``choose(y_true, loss)`` picks anew in each round.

    `focalboost.lightgbm.train` sees that a method of the loss is overridden, and calls it with
    labels, raw scores and weights; `train` itself applies the bound on a sample's step.
    """

    gamma: float = 0.0
    _: KW_ONLY
    choose: Choice

    def gradient_curvature(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None, **kwargs: Any
    ) -> Any:
        picked = self.choose(np.asarray(y_true), self.loss(y_true, raw_prediction))
        gradient, curvature = super().gradient_curvature(
            y_true, raw_prediction, sample_weight, **kwargs
        )
        return gradient * picked, curvature * picked


def largest(values: Array, n: int) -> Array:
    """Return a mask of the n largest values, with ties broken at random.

    In the first round all windows of background have the same loss; without the random choice, all
    picked windows would be from the first scenes.
    """
    tie_breaker = 1 + 1e-9 * np.random.default_rng(0).random(len(values))
    picked = np.zeros(len(values), dtype=bool)
    picked[np.argpartition(values * tie_breaker, -n)[-n:]] = True
    return picked


def hardest(share: float) -> Choice:
    """Online hard example mining: the share of all samples with the largest loss."""
    return lambda y_true, loss: largest(loss, round(share * len(loss)))


def hardest_per_positive(ratio: float) -> Choice:
    """Online hard example mining: all positives, and a fixed ratio of hard negatives to them."""

    def choose(y_true: Array, loss: Array) -> Array:
        n = round(ratio * y_true.sum())
        return (y_true == 1) | largest(np.where(y_true == 1, -1.0, loss), n)

    return choose


def sampled_per_positive(ratio: float) -> Choice:
    """Biased minibatches: all positives, and a fixed ratio of random negatives to them."""
    rng = np.random.default_rng(0)

    def choose(y_true: Array, loss: Array) -> Array:
        chance = ratio * y_true.sum() / max((y_true == 0).sum(), 1)
        return (y_true == 1) | (rng.random(len(y_true)) < chance)

    return choose


@dataclass(frozen=True)
class Hinge:
    """max(0, 1 - margin). It has no curvature; a constant makes every step a mean of gradients."""

    def __call__(self, y_true: Any, raw_prediction: Any, sample_weight: Any = None) -> float:
        margin = (2 * y_true - 1) * raw_prediction
        return float(np.average(np.maximum(0, 1 - margin), weights=sample_weight))

    def gradient_curvature(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Any:
        sign = 2 * y_true - 1
        weight = np.ones_like(raw_prediction) if sample_weight is None else sample_weight
        return -sign * (sign * raw_prediction < 1) * weight, weight

    def init_score(self, y_true: Any, sample_weight: Any = None) -> float:
        return float(np.sign(np.average(2 * y_true - 1, weights=sample_weight)))


@dataclass(frozen=True)
class Arm:
    """A loss with one setting, the values tried for it and for the learning rate, and the choice.

    The setting is a parameter of the loss, or an option of `Detector.fit`. The choice has the best
    average precision on validation scenes, without a threshold, as ``--tune --scenes 80 --held-out
    120`` finds it.
    """

    loss: Callable[[Any], Any]
    values: tuple[Any, ...]
    chosen: tuple[Any, float]
    rates: tuple[float, ...] = (0.05, 0.1, 0.2)
    start: float | None = None  # a raw score; None is the loss's best constant
    stages: int = 1
    options: Callable[[Any], dict[str, Any]] = lambda _: {}  # of `Detector.fit`


PRIOR = float(logit(0.01))


def own(values: tuple[float, ...], chosen: tuple[float, float]) -> Arm:
    """LightGBM's own log loss, tuned by the least sum of Hessians in a leaf, 1e-3 by default."""
    return Arm(
        lambda _: FocalLoss(0.0),
        values,
        chosen,
        options=lambda least: {"max_step": None, "least_hessian": least},
    )


def bounded(chosen: tuple[float, float], start: float | None = None) -> Arm:
    """Cross entropy, tuned by the bound on the Newton step of a single sample."""
    return Arm(
        lambda _: FocalLoss(0.0),
        (1.0, 4.0),
        chosen,
        start=start,
        options=lambda bound: {"max_step": bound},
    )


def focal(gamma: float, chosen: tuple[float, float], start: float | None = None) -> Arm:
    """Focal loss, tuned by the weight of the positives."""
    return Arm(lambda alpha: FocalLoss(gamma, alpha), (0.25, 0.5, 0.75), chosen, start=start)


ARMS = {
    "cross entropy, LightGBM's defaults": own((1e-3,), (1e-3, 0.1)),
    "cross entropy, LightGBM's tuned": own((1.0, 10.0, 30.0), (30.0, 0.1)),
    "cross entropy": bounded((1.0, 0.2)),
    "cross entropy, start 0.01": bounded((1.0, 0.2), start=PRIOR),
    "alpha-balanced (focal, gamma 0)": focal(0.0, (0.25, 0.1)),
    "focal, gamma 0.5": focal(0.5, (0.5, 0.1)),
    "focal, gamma 1": focal(1.0, (0.25, 0.2)),
    "focal, gamma 2": focal(2.0, (0.75, 0.2)),
    "focal, gamma 2, start 0.01": focal(2.0, (0.75, 0.2), start=PRIOR),
    "focal, gamma 5": focal(5.0, (0.25, 0.1)),
    "hinge": Arm(lambda _: Hinge(), (None,), (None, 0.1), rates=(0.1, 0.3, 1.0)),
    "OHEM": Arm(lambda share: OnSome(choose=hardest(share)), (0.005, 0.02, 0.08), (0.02, 0.05)),
    "OHEM, 1:3": Arm(lambda ratio: OnSome(choose=hardest_per_positive(ratio)), (3.0,), (3.0, 0.1)),
    "two stages, 1:3": Arm(
        lambda _: OnSome(choose=sampled_per_positive(3.0)), (50, 100, 200), (50, 0.05), stages=2
    ),
}
ROUNDS = 100
PARAMS = {
    "num_leaves": 15,
    "feature_fraction": 0.3,
    "max_bin": 63,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


class Detector:
    """LightGBM on the windows of the training scenes, and the regression of boxes for all arms."""

    def __init__(self, scenes: Scenes, threads: int) -> None:
        self.scenes, self.threads = scenes, threads
        self.windows = scenes.y >= 0
        self.data = self._data(self.windows)
        positive = scenes.y == 1
        self.regression = Ridge(1.0).fit(scenes.X[positive], scenes.offsets[positive])

    def _data(self, windows: Array) -> lightgbm.Dataset:
        y = self.scenes.y[windows]
        # The sum of losses over windows, divided by the number of positives.
        weight = np.full(len(y), 1 / (y == 1).sum())
        return lightgbm.Dataset(
            self.scenes.X[windows], y, weight=weight, params=self._params()
        ).construct()

    def _params(self) -> dict[str, Any]:
        return {**PARAMS, "num_threads": self.threads}

    def fit(
        self,
        data: lightgbm.Dataset,
        loss: Any,
        rate: float,
        *,
        start: float | None = None,
        rounds: int = ROUNDS,
        max_step: float | None = 4.0,
        least_hessian: float = 1e-3,
    ) -> lightgbm.Booster:
        params = {**self._params(), "learning_rate": rate}
        # LightGBM compares sums of Hessians with this constant. Scaled with the weights it means
        # the same at every number of positives; lambda_l2, the other such constant, is 0.
        params["min_sum_hessian_in_leaf"] = least_hessian * float(data.get_weight()[0])
        if start is None:
            return focalboost.lightgbm.train(params, data, rounds, loss=loss, max_step=max_step)
        # Another start is set as LightGBM's init_score, and `seal` embeds it in the model.
        data.set_init_score(np.full(data.num_data(), start))
        params["objective"] = focalboost.lightgbm.objective(loss, max_step=max_step)
        booster = lightgbm.train(params, data, rounds)
        data.set_init_score(None)
        data.set_field("init_score", None)
        return focalboost.lightgbm.seal(booster, start)

    def train(self, arm: Arm, setting: tuple[Any, float]) -> Callable[[Scenes], Array]:
        """Return the function from scenes to the raw scores of their windows."""
        value, rate = setting
        if arm.stages == 1:
            options = arm.options(value)
            booster = self.fit(self.data, arm.loss(value), rate, start=arm.start, **options)
            return lambda scenes: self._raw(booster, scenes)
        # The first stage is a quick model that picks windows; the second stage sees only those.
        first = self.fit(self.data, FocalLoss(0.0), 0.2, rounds=ROUNDS // 4)

        def proposed(scenes: Scenes) -> Array:
            raw = self._raw(first, scenes)
            return raw >= np.partition(raw, -value, axis=1)[:, [-value]]

        windows = self.windows & (proposed(self.scenes) | (self.scenes.y == 1))
        second = self.fit(self._data(windows), arm.loss(value), rate)
        return lambda scenes: np.where(proposed(scenes), self._raw(second, scenes), -np.inf)

    def _raw(self, booster: lightgbm.Booster, scenes: Scenes) -> Array:
        rows = scenes.X.reshape(-1, scenes.X.shape[-1])
        raw = booster.predict(rows, raw_score=True, num_threads=self.threads)
        return np.asarray(raw).reshape(scenes.y.shape)

    def detect(self, scenes: Scenes, raw: Array) -> Detections:
        return detect(scenes, expit(raw), self.regression)


# ---------------------------------------------------------------- the experiment

THRESHOLD = 0.05
SHOWN = ("cross entropy", "OHEM", "focal, gamma 2")


def tune(detector: Detector, valid: Scenes) -> pd.DataFrame:
    """Return the average precision on validation scenes of every setting of every arm."""
    rows = []
    for name, arm in ARMS.items():
        if arm.start is not None:
            continue  # it uses the setting of the arm that it is compared with
        for setting in product(arm.values, arm.rates):
            found = detector.detect(valid, detector.train(arm, setting)(valid))
            ap = average_precision(found, valid.truth)
            rows.append({"arm": name, "value": setting[0], "rate": setting[1], "AP": ap})
    return pd.DataFrame(rows)


@dataclass
class Run:
    """The results of the arms on held-out scenes."""

    table: pd.DataFrame
    test: Scenes
    detections: dict[str, Detections]


def compare(detector: Detector, test: Scenes) -> Run:
    """Train every arm and score it on held-out scenes."""
    rows, detections = [], {}
    for name, arm in ARMS.items():
        start = time.perf_counter()
        score = detector.train(arm, arm.chosen)
        seconds = time.perf_counter() - start
        found = detections[name] = detector.detect(test, score(test))
        over = sum(int((score > THRESHOLD).sum()) for _, score in found)
        rows.append(
            {
                "arm": name,
                "AP": average_precision(found, test.truth, THRESHOLD),
                "AP, no threshold": average_precision(found, test.truth),
                "detections a scene": over / len(test.truth),
                "seconds": seconds,
            }
        )
    return Run(pd.DataFrame(rows), test, detections)


def draw_scene(ax: Any, image: Array, truth: Array) -> None:
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    for box in truth:
        draw_box(ax, box, color="white", linestyle=":", linewidth=1.2)


def draw_box(ax: Any, box: Array, **style: Any) -> None:
    left, top, right, bottom = box - 0.5
    ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, **style))


def plot(result: Run, arms: tuple[str, ...] = SHOWN, n_scenes: int = 2) -> Any:
    """Draw the best detections of some arms on the first held-out scenes with two digits.

    Each arm shows as many detections over all scenes as there are digits, so that the pictures
    compare the order of the scores, not their scale.
    """
    truth = result.test.truth
    shown = [i for i, boxes in enumerate(truth) if len(boxes) == 2][:n_scenes]
    figure, axes = plt.subplots(
        len(shown), len(arms), figsize=(3.6 * len(arms), 3.8 * len(shown)), layout="constrained"
    )
    for column, name in enumerate(arms):
        found = result.detections[name]
        hits = find_hits(found, truth)
        least = np.sort(np.concatenate([score for _, score in found]))[-sum(map(len, truth))]
        for ax, i in zip(axes[:, column], shown, strict=True):
            draw_scene(ax, result.test.images[i], truth[i])
            for box, score, hit in zip(*found[i], hits[i], strict=True):
                if score >= least:
                    color = "limegreen" if hit else "orangered"
                    draw_box(ax, box, color=color, linewidth=1.5)
                    ax.text(
                        box[0], max(box[1] - 2, 8), f"{score:.2f}", color=color, fontsize=9,
                        path_effects=[withStroke(linewidth=2, foreground="black")],
                    )  # fmt: skip
        axes[0, column].set_title(name)
    return figure


def summary(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the mean over seeds, with the standard deviation where there are several."""
    by_arm = pd.concat(tables).groupby("arm", sort=False)
    digits = {"AP": 3, "AP, no threshold": 3, "detections a scene": 1, "seconds": 1}
    text = {}
    for column, n in digits.items():
        text[column] = by_arm[column].mean().map(f"{{:.{n}f}}".format)
        if len(tables) > 1 and column.startswith("AP"):
            text[column] += by_arm[column].std().map(" ({:.3f})".format)
    return pd.DataFrame(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=35, help="training scenes in each run")
    parser.add_argument("--held-out", type=int, default=60, help="number of held-out scenes")
    parser.add_argument("--seeds", type=int, default=1, help="number of runs, each on new scenes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tune", action="store_true", help="print the scores of all settings")
    parser.add_argument("--figure", type=Path, default=Path(__file__).with_suffix(".png"))
    options = parser.parse_args()

    digits, n_windows = split_digits(), len(window_boxes())
    print(f"{options.scenes} scenes for training, {options.scenes * n_windows:,} windows")
    if options.tune:
        # Separate seeds: tuning sees no scene and no digit of the held-out scenes.
        train = make_scenes(digits["train"], options.scenes, 100, options.threads)
        valid = make_scenes(digits["valid"], options.held_out, 500, options.threads)
        print(tune(Detector(train, options.threads), valid).to_string(index=False))
        return
    runs = []
    for seed in range(options.seeds):
        print(f"run {seed + 1} of {options.seeds}", flush=True)
        train = make_scenes(digits["train"], options.scenes, seed, options.threads)
        test = make_scenes(digits["test"], options.held_out, 1000 + seed, options.threads)
        runs.append(compare(Detector(train, options.threads), test))
    print(f"\nheld-out scenes, mean of {options.seeds} runs")
    print(summary([one.table for one in runs]).to_string())
    options.figure.parent.mkdir(parents=True, exist_ok=True)
    plot(runs[0]).savefig(options.figure, dpi=110)
    print(f"\nfigure: {options.figure}")


if __name__ == "__main__":
    main()
