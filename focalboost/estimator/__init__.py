"""FocalClassifier: scikit-learn's conventions around a booster's own classifier."""

from focalboost.estimator.classifier import FocalClassifier
from focalboost.estimator.weights import EffectiveNumber

__all__ = ["EffectiveNumber", "FocalClassifier"]
