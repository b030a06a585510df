"""Redraw every figure that the README shows.

    python examples/figures.py
    python examples/figures.py --folder ELSEWHERE

The quickstart draws its own figure, and prints its table too. The other figure shows the loss
(figure 1 of the focal loss paper), and how the loss of held-out samples of Satimage is spread over
the positives and over the negatives (figure 4 of the paper).
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import quickstart
from lightgbm import LGBMClassifier
from sklearn.model_selection import train_test_split

from focalboost import CumulativeLossDisplay, FocalClassifier, FocalLossDisplay


def plot_focal_loss(path):
    X, y = quickstart.load(None, None)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    # The defaults, with more and smaller leaves, are over-confident on so few samples.
    booster = LGBMClassifier(
        n_estimators=200,
        learning_rate=0.05,
        num_leaves=15,
        min_child_samples=100,
        colsample_bytree=0.3,
        n_jobs=1,
        verbose=-1,
    )
    model = FocalClassifier(booster).fit(X_train, y_train)
    figure, (loss, *shares) = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    FocalLossDisplay.from_losses(values=["loss"], ax=loss)
    CumulativeLossDisplay.from_estimator(model, X_test, y_test, ax=shares)
    loss.set_title("Loss of a sample")
    for axes in shares:
        axes.set_title("Held-out samples, lowest loss first")
    figure.savefig(path, dpi=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    plot_focal_loss(folder / "focal_loss.png")
    quickstart.main(["--figure", str(folder / "quickstart.png")])


if __name__ == "__main__":
    main()
