"""FocalClassifier, scikit-learn's conventions around a booster, and what trained models say."""

from focalboost.estimator.classifier import FocalClassifier
from focalboost.estimator.models import loss_of, predict_proba
from focalboost.estimator.weights import EffectiveNumber

__all__ = ["EffectiveNumber", "FocalClassifier", "loss_of", "predict_proba"]
