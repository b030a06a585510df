"""FocalClassifier, a scikit-learn classifier around a booster, and functions of trained models."""

from focalboost.estimator.classifier import FocalClassifier
from focalboost.estimator.models import loss_of, predict_proba
from focalboost.estimator.weights import EffectiveNumber

__all__ = ["EffectiveNumber", "FocalClassifier", "loss_of", "predict_proba"]
