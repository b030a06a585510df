"""Focal loss for two classes, and for several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from focalboost.losses._checks import check_real, check_whole
from focalboost.losses._kernels import FocalFormula, FocalKernel, SoftmaxKernel
from focalboost.losses._types import Array, Values
from focalboost.losses.base import Loss, check_training, real, weight

__all__ = ["FocalLoss", "SoftmaxFocalLoss"]


@dataclass(frozen=True)
class FocalLoss(Loss):
    r"""Binary focal loss on raw scores.

    With raw score :math:`z`, :math:`p = 1 / (1 + e^{-z})` and label :math:`y`, the loss of a sample
    is

    .. math:: -\alpha\, y\, (1 - p)^\gamma \log p - (1 - \alpha)(1 - y)\, p^\gamma \log(1 - p)

    where both class weights are 1 if ``alpha`` is None. It is the log loss times a factor that is
    near 0 for samples that the model already gets right. Its minimiser is not the probability of
    the positive class, but that probability is known in closed form [2]_: `log_odds`,
    `inverse_link` and `predict_proba` give it. ``expit(raw_prediction)`` is *not* a probability
    unless gamma is 0 and alpha None.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing parameter, any real >= 0. 0 gives log loss.
    alpha : float or None, default=None
        Weight of the positive class, in (0, 1); the negative class has the weight 1 - alpha. With 0
        or 1, one class would have no weight, and no init score would be finite. Up to an overall
        factor, alpha is a ``pos_weight`` (``scale_pos_weight``) of ``alpha / (1 - alpha)``. With
        None both classes have the weight 1, which is twice the loss of ``alpha=0.5``. The
        closed-form probability corrects for the weights.

    See Also
    --------
    Loss : The methods, and the arrays that they take.

    Notes
    -----
    With :math:`q = 1 - p`, :math:`L = -\log p` and a positive sample of weight 1,

    .. math::
        \text{gradient} &= -q^\gamma (\gamma p L + q) \\
        \text{hessian} &= q^\gamma p\, (\gamma^2 p L + (2\gamma + 1) q - \gamma q L)

    The Hessian is negative where p is small (below 0.058 at gamma 2), which is where rare positives
    start. Boosters get `curvature` instead.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal Loss for Dense Object
       Detection", ICCV 2017, `arXiv:1708.02002 <https://arxiv.org/abs/1708.02002>`_.
    .. [2] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import FocalLoss
    >>> loss = FocalLoss(gamma=2.0, alpha=0.25)
    >>> raw_prediction = np.log([0.95 / 0.05, 0.05 / 0.95])  # p = 0.95 and p = 0.05
    >>> loss.loss([1, 1], raw_prediction).round(7)  # an easy sample and a hard one
    array([3.210000e-05, 6.759121e-01])
    >>> init_score = loss.init_score([0, 0, 0, 1])
    >>> print(round(float(loss.inverse_link(init_score)), 12))
    0.25
    """

    gamma: float = real(2.0, ">= 0", lambda v: v >= 0)
    alpha: float | None = weight()

    @property
    def kernel(self) -> FocalKernel:
        """The mathematics, on checked arrays."""
        return FocalKernel(FocalFormula(self.gamma), self.alpha)


@dataclass(frozen=True)
class SoftmaxFocalLoss(Loss):
    r"""Focal loss of several classes on raw scores.

    With raw scores :math:`z_j`, :math:`p = \operatorname{softmax}(z)` and label c, the loss of a
    sample is

    .. math:: -\alpha_c (1 - p_c)^{\gamma_c} \log p_c

    where every class weight is 1 if ``alpha`` is None. With two classes and the scores
    :math:`(-z/2, z/2)` it is `FocalLoss`. As with `FocalLoss`, the softmax of the raw scores is
    *not* the probability unless gamma is 0 and alpha None; `predict_proba` gives the probability in
    closed form.

    Parameters
    ----------
    n_classes : int
        Number of classes K, >= 2. Labels are 0 to K - 1.
    gamma : float or sequence of K floats, default=2.0
        Focusing parameter, any real >= 0, for all classes or for each. A smaller gamma for a rare
        class keeps more of its samples in the training (equalized focal loss [3]_). 0 gives the log
        loss of a softmax.
    alpha : sequence of K floats or None, default=None
        Weights of the classes, each > 0. `predict_proba` corrects for them.

    See Also
    --------
    Loss : The methods, and the arrays that they take.

    Notes
    -----
    With :math:`m = z_c - \log \sum_{j \ne c} e^{z_j}` the softmax of class c is the sigmoid of
    m, so that a sample's loss is the binary loss at the margin m. With its slope there (minus the
    gradient of `FocalLoss`), its bend (the Hessian), and r the softmax of the other classes,

    .. math::
        \text{gradient}_c &= -\text{slope}, \quad & \text{gradient}_j &= \text{slope}\, r_j \\
        \text{hessian}_{cc} &= \text{bend}, \quad
        & \text{hessian}_{jj} &= \text{bend}\, r_j^2 + \text{slope}\, r_j (1 - r_j)

    With :math:`\phi = \text{slope} / (1 - p)` each class has the probability
    :math:`p_j / (\alpha_j \phi_j(p_j))`, up to a factor that is the same for all classes.

    The adapters multiply `curvature` by K / (K - 1) for LightGBM and by 2 for XGBoost, as these
    boosters do with their own losses.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal Loss for Dense Object
       Detection", ICCV 2017, `arXiv:1708.02002 <https://arxiv.org/abs/1708.02002>`_.
    .. [2] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_.
    .. [3] B. Li, Y. Yao, J. Tan, G. Zhang, F. Yu, J. Lu, Y. Luo, "Equalized Focal Loss for Dense
       Long-Tailed Object Detection", CVPR 2022,
       `arXiv:2201.02593 <https://arxiv.org/abs/2201.02593>`_.

    Examples
    --------
    >>> from focalboost import SoftmaxFocalLoss
    >>> loss = SoftmaxFocalLoss(3, gamma=2.0)
    >>> loss.loss([0, 2], [[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]]).round(6)
    array([0.010869, 1.787895])
    >>> loss.predict_proba([[2.0, 0.0, 0.0]]).round(6)
    array([[0.97297 , 0.013515, 0.013515]])
    >>> loss.init_score([0, 0, 0, 1, 1, 2]).round(6)
    array([ 0.293333,  0.086694, -0.380028])
    """

    n_classes: int
    gamma: float | Sequence[float] = 2.0
    alpha: Sequence[float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_classes", check_whole("n_classes", self.n_classes, 2))
        # dtype object, since numpy makes no array of parts of different lengths
        if np.ndim(np.asarray(self.gamma, dtype=object)):
            object.__setattr__(self, "gamma", self._by_class("gamma", ">= 0", lambda v: v >= 0))
        else:
            gamma = check_real("gamma", self.gamma, ">= 0", lambda v: v >= 0)
            object.__setattr__(self, "gamma", gamma)
        if self.alpha is not None:
            object.__setattr__(self, "alpha", self._by_class("alpha", "> 0", lambda v: v > 0))

    def gradient_matrix(self, *, max_step: float | None = None) -> Callable[[int, Array], Values]:
        """Return a function of one sample, for boosters that take the whole Hessian (CatBoost).

        Parameters
        ----------
        max_step : float > 0 or None, default=None
            See `curvature`.

        Returns
        -------
        callable
            The first two results of ``f(label, raw_prediction)`` are the gradient, of shape (K,),
            and the expected Hessian with the bound on its diagonal, of shape (K, K).
            ``raw_prediction`` is a float64 array of shape (K,); nothing is checked. With numba
            installed, the function is compiled, and about fifty times faster.

        Examples
        --------
        >>> import numpy as np
        >>> from focalboost import SoftmaxFocalLoss
        >>> derivatives = SoftmaxFocalLoss(3, gamma=0.0).gradient_matrix()
        >>> derivatives(0, np.zeros(3))[1].round(3)
        array([[ 0.222, -0.111, -0.111],
               [-0.111,  0.222, -0.111],
               [-0.111, -0.111,  0.222]])
        """
        return self.kernel.gradient_matrix(check_training(max_step, 1)[0])

    @property
    def kernel(self) -> SoftmaxKernel:
        """The mathematics, on checked arrays."""
        k = self.n_classes
        gamma = (self.gamma,) * k if isinstance(self.gamma, float) else (*self.gamma,)
        return SoftmaxKernel(gamma, (1.0,) * k if self.alpha is None else (*self.alpha,))

    def _by_class(self, name: str, rule: str, holds: Callable[[float], bool]) -> tuple[float, ...]:
        values = [*np.atleast_1d(np.asarray(getattr(self, name), dtype=object))]
        if len(values) != self.n_classes:
            raise ValueError(
                f"{name} must have {self.n_classes} values, one for each class, got "
                f"{getattr(self, name)!r}."
            )
        return tuple(check_real(f"{name}[{c}]", v, rule, holds) for c, v in enumerate(values))
