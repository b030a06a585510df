"""FocalClassifier: a booster's own classifier, trained with focal loss."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from inspect import signature

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from focalboost.boosters.port import (
    Adapter,
    Estimator,
    Job,
    Samples,
    Table,
    Trained,
    find_adapter,
    first_installed,
)
from focalboost.estimator.calibration import check_calibration, fit_calibration, prior_shift
from focalboost.estimator.samples import (
    as_labels,
    encode_labels,
    in_single_precision,
    plain,
    weighted,
)
from focalboost.estimator.stopping import check_stopping_metric, stopping_metric
from focalboost.estimator.tables import categories_of, encode, read
from focalboost.estimator.weights import as_alpha, mean_factor, of_estimator
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss
from focalboost.losses._checks import as_list, check_whole, kind_of
from focalboost.losses._types import Array, Foreign, Function
from focalboost.losses.foreign import as_loss
from focalboost.losses.records import to_text

__all__ = ["FocalClassifier"]


class FocalClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier that trains a booster with focal loss and gives calibrated probabilities.

    It clones a classifier of LightGBM, XGBoost or CatBoost and trains the clone with `FocalLoss`,
    or with `SoftmaxFocalLoss` if there are more than two classes, starting from the loss's optimal
    constant. Parameters of the booster are tuned as ``estimator__...``.

    Parameters
    ----------
    estimator : LGBMClassifier, XGBClassifier or CatBoostClassifier, default=None
        The booster; it is cloned. None is the first of the three that is installed, with its
        defaults. Parameters that a Python objective would switch off, such as ``scale_pos_weight``,
        are refused, and so are the booster's own metrics and early stopping, which FocalClassifier
        has its own parameters for. The booster's ``class_weight`` takes the place of ``alpha``. A
        CatBoostClassifier without a ``learning_rate`` trains at 0.03: CatBoost fits the rate to the
        data only for its own losses.
    gamma : float, default=2.0
        Focusing parameter of the loss, >= 0. This is not XGBoost's ``gamma``, which is
        ``estimator__gamma``.
    alpha : float, "balanced", EffectiveNumber, callable, dict or None, default=None
        Weights of the classes in the loss, for which the probabilities are corrected. A float in
        (0, 1) weights the positive class, and 1 - alpha the negative one. "balanced" uses inverse
        class frequencies of the weighted samples, and `EffectiveNumber` a rule between "balanced"
        and None. A callable is given the weighted number of samples of each class, and returns a
        weight for each class. A dict maps each label to a weight. Whatever the rule, the mean of
        the class weights over the samples is 1, so that the booster's own constants keep their
        meaning. With None all classes have the weight 1.
    max_step : float or None, default=4.0
        Bound on the Newton step of a single sample, with any loss; see `Loss.curvature`. Use None
        for parity with a booster's own log loss at gamma = 0.
    loss : Loss, another object with the contract of a loss, or None, default=None
        Another loss to train with: a loss of focalboost such as `AsymmetricLoss`, a loss derived
        from `MarginLoss`, a loss of scikit-learn, or an object of your own with
        ``gradient_hessian`` (or ``gradient_curvature``) and ``init_score`` (or
        ``fit_intercept_only``), whose call is the weighted mean loss. Its positive class is the
        second of the sorted labels. Its own ``inverse_link`` or ``predict_proba`` gives the
        probabilities; a loss without either has the probabilities at which its expected gradient is
        0. Leave ``gamma`` out then, as the loss has its own. If ``alpha`` is not None, it replaces
        the alpha of the loss.
    pos_label : label, default=None
        The class that a float as ``alpha`` weights and a float as ``prior`` is the share of, with
        two classes. None is the second of the sorted labels. If the labels are strings, it must be
        given with such an ``alpha`` or ``prior``.
    early_stopping_rounds : int or None, default=50
        Training stops after this many rounds without a better ``stopping_metric`` on ``X_val``.
        Without ``X_val`` every round is trained.
    stopping_metric : {"log_loss", "focal_loss"}, str or callable, default="log_loss"
        The metric that early stopping watches: the log loss of the probabilities, the training
        loss, or a scikit-learn scorer by its name, such as "average_precision", "roc_auc" or
        "neg_brier_score". A callable is given labels and probabilities (with two classes, the
        probabilities of ``classes_[1]``), and ``sample_weight`` where there are weights; larger
        values must be better. Labels are positions in ``classes_``, for scorers too. The
        probabilities are those before ``calibration``.
    calibration : {"balance", "temperature", "platt"} or None, default="balance"
        Correction of the log-odds of the loss that minimises the weighted log loss. "balance" adds
        one shift (with K classes, K - 1 shifts), fitted on the training samples: the weighted mean
        of their probabilities is then the weighted mean of the labels, as with log loss.
        "temperature" multiplies the log-odds (with K > 2 classes, the log-probabilities) by one
        factor, fitted on ``X_val`` [2]_. "platt" fits both the factor and the shifts on ``X_val``
        [3]_. The weights are the sample weights, without ``alpha``. The log-odds stay unchanged
        where no finite shift or factor above 0 is the best: where the booster separates the samples
        of ``X_val``, or where it is so sure of its training samples that a shift of 36 would not be
        enough. None leaves the log-odds unchanged; use it for parity with a booster's own log loss
        at gamma = 0.
    prior : float, dict or None, default=None
        Class shares in the population, for training samples that are resampled, for example with
        undersampled negatives. A float is the share of the positives, which are the samples of
        ``pos_label`` as with ``alpha``. A dict maps each label to its share. After ``calibration``,
        each class's odds are multiplied by the ratio of this share to the class's share of the
        weighted training samples. ``X_val`` must be resampled as ``X`` is.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The sorted labels.
    loss_ : Loss
        The loss. Its alpha is the weight of ``classes_[1]``, or with K > 2 classes the weights of
        all classes. If ``loss`` is an object of your own, it is the ``source`` of this loss.
    init_score_ : float or ndarray of shape (K,)
        Raw score at which training began.
    calibration_ : Calibration
        What ``calibration`` and ``prior`` do to log-odds, as a function of log-odds. It has the
        number ``factor`` and the tuple ``shift``, with one number for each class, where the first
        is 0.
    estimator_ : LGBMClassifier, XGBClassifier or CatBoostClassifier
        The fitted clone. It holds the init score, so that it can predict on its own and its SHAP
        values sum to the raw score. Its own ``predict_proba`` is the *sigmoid* of the raw score,
        which is not the probability. Its class 1 is ``classes_[1]``, and its categories are
        positions in the categories of ``fit``. A pickled CatBoostClassifier needs focalboost to
        load.
    best_iteration_ : int
        Number of boosting rounds that prediction uses.
    evals_result_ : dict
        ``{"validation": {stopping_metric: values}}``, with one value for each round. A callable is
        listed under its name. Empty without ``X_val``.
    feature_importances_ : ndarray of shape (n_features,)
        The booster's own importances of the columns.
    n_features_in_ : int
        Number of columns in ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where they are strings.

    See Also
    --------
    FocalLoss : The loss, and its probabilities in closed form.

    Notes
    -----
    There are three outputs. `raw_prediction` is the booster's score. `decision_function` is the
    log-odds that the score stands for, in closed form [1]_, after ``calibration`` and ``prior``.
    `predict_proba` is the probabilities of these log-odds.

    Minimising focal loss, or any loss with a bound on the step, does not make the mean probability
    equal to the share of the positives. ``calibration="balance"`` does so on the training samples,
    at the cost of one more prediction on them. It does not undo overfitting.

    Sample weights with a mean below 1 are scaled to the mean 1, since boosters compare sums of
    Hessians with constants. Other weights stay as they are, so that a weight of 2 counts a sample
    twice. Samples of weight 0 are left out before training. For several labels per sample, wrap the
    classifier in scikit-learn's ``MultiOutputClassifier``, which trains one classifier for each
    label. Soft labels are for the native adapters, such as ``focalboost.lightgbm.train``.

    Fitted models can be pickled. For ``skops``, trust
    ``focalboost.estimator.classifier.FocalClassifier``,
    ``focalboost.estimator.calibration.Calibration``, ``focalboost.losses.focal.FocalLoss`` or the
    class of another ``loss_``, and for LightGBM ``collections.OrderedDict``,
    ``lightgbm.basic.Booster``, ``lightgbm.sklearn.LGBMClassifier``; for XGBoost
    ``xgboost.core.Booster``, ``xgboost.sklearn.XGBClassifier``; for CatBoost
    ``catboost.core.CatBoostClassifier``, ``focalboost.catboost.objectives.MeanLoss``,
    ``focalboost.catboost.objectives.Objective``, ``focalboost.estimator.stopping.LogLoss``,
    ``focalboost.losses.foreign.ForeignLoss``.

    References
    ----------
    .. [1] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_.
    .. [2] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017, `arXiv:1706.04599 <https://arxiv.org/abs/1706.04599>`_.
    .. [3] J. Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to
       Regularized Likelihood Methods", Advances in Large Margin Classifiers, 1999.

    Examples
    --------
    >>> from lightgbm import LGBMClassifier
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalClassifier
    >>> X, y = make_classification(2000, weights=[0.95], random_state=0)
    >>> model = FocalClassifier(LGBMClassifier(n_estimators=30, verbose=-1), gamma=2.0)
    >>> proba = model.fit(X, y).predict_proba(X)[:, 1]
    >>> bool(abs(proba.mean() - y.mean()) < 0.01)
    True
    """

    def __init__(
        self,
        estimator: Estimator = None,
        *,
        gamma: float = 2.0,
        alpha: float | str | Function | Mapping[Foreign, float] | None = None,
        max_step: float | None = 4.0,
        loss: Foreign = None,
        pos_label: Foreign = None,
        early_stopping_rounds: int | None = 50,
        stopping_metric: str | Function = "log_loss",
        calibration: str | None = "balance",
        prior: float | Mapping[Foreign, float] | None = None,
    ) -> None:
        self.estimator = estimator
        self.gamma = gamma
        self.alpha = alpha
        self.max_step = max_step
        self.loss = loss
        self.pos_label = pos_label
        self.early_stopping_rounds = early_stopping_rounds
        self.stopping_metric = stopping_metric
        self.calibration = calibration
        self.prior = prior

    def __sklearn_tags__(self) -> Foreign:
        tags = super().__sklearn_tags__()
        adapter = find_adapter(self.estimator)
        tags.classifier_tags.multi_class = adapter is None or adapter.takes_several_classes
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags

    def fit(
        self,
        X: Table,
        y: Foreign,
        sample_weight: Foreign = None,
        X_val: Table = None,
        y_val: Foreign = None,
        sample_weight_val: Foreign = None,
        *,
        callbacks: Sequence[Foreign] | None = None,
        **others: Foreign,
    ) -> FocalClassifier:
        """Train the booster.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Numbers, booleans and categories; missing values are allowed.
        y : array-like of shape (n_samples,)
            Two or more classes of any label type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        X_val, y_val, sample_weight_val : default=None
            Data for early stopping and for ``calibration``, of the same kinds as the first three
            arguments. In a pipeline, ``Pipeline(transform_input=["X_val"])`` passes ``X_val``
            through the earlier steps.
        callbacks : list, default=None
            The booster's own callbacks, such as Optuna's for pruning. They see the metric of
            ``stopping_metric`` under the name that it has in ``evals_result_`` (``focal_loss``
            under the name of the loss), and ``X_val`` as the booster's classifier calls it:
            "valid_0" in LightGBM, "validation_0" in XGBoost. CatBoost calls every metric MeanLoss.

        Returns
        -------
        FocalClassifier
            The classifier itself, fitted.

        Raises
        ------
        ValueError
            If a column, label, weight or parameter breaks its rule; the message names it.
        TypeError
            If ``estimator`` is not a classifier of one of the three boosters, or if ``fit`` gets an
            argument that only the booster's own ``fit`` has.

        Warns
        -----
        UserWarning
            If early stopping is used with dart, in which later rounds change earlier trees.
        """
        if others:
            raise TypeError(
                f"fit got an unexpected argument {next(iter(others))!r}. Pass "
                "validation data as X_val, y_val and sample_weight_val, and the booster's other "
                "options as parameters of the estimator."
            )
        before = dict(self.__dict__)
        try:
            self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val, callbacks)
        except BaseException:
            # An earlier fit stays as it was, including the names of its columns.
            self.__dict__ = before
            raise
        return self

    def _fit(
        self,
        X: Table,
        y: Foreign,
        sample_weight: Foreign,
        X_val: Table,
        y_val: Foreign,
        sample_weight_val: Foreign,
        callbacks: Sequence[Foreign] | None,
    ) -> None:
        adapter, estimator = self._copied()
        patience = self.early_stopping_rounds
        if patience is not None:
            patience = check_whole("early_stopping_rounds", patience, 1)
        check_stopping_metric(self.stopping_metric)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together, got one without the other.")
        if X_val is None and sample_weight_val is not None:
            raise ValueError(
                "sample_weight_val must be given together with X_val and y_val, got it alone."
            )
        callbacks = as_list("callbacks", callbacks, object, "a list")

        table = read(X)
        self._check_columns(table, reset=True)
        categories = categories_of(table, estimator.get_params().get("cat_features") or ())
        samples = weighted(encode(table, categories), as_labels(y), sample_weight)
        classes = np.unique(samples.y)
        if len(classes) < 2:
            raise ValueError(
                f"y must hold two classes of positive weight, got one class, {classes[0]}."
            )
        training = replace(samples, y=encode_labels(samples.y, classes))
        counts = np.bincount(training.y.astype(int), training.weight)
        class_weight = estimator.get_params().get("class_weight")
        alpha = of_estimator(self.alpha, class_weight, classes)
        alpha = as_alpha(alpha, self.pos_label, classes, counts)
        loss = self._make_loss(len(classes), alpha)
        training = _of_mean_factor_1(training, mean_factor(alpha, counts))
        init_score = loss.init_score(training.y, training.weight)
        validation = None
        if X_val is not None:
            validation = self._validation(X_val, y_val, sample_weight_val, categories, classes)
        check_calibration(self.calibration, validation, classes)
        to_population = prior_shift(self.prior, self.pos_label, classes, counts)

        metric, is_score = stopping_metric(self.stopping_metric, loss)
        trained = self._train(
            adapter,
            estimator,
            Job(
                loss,
                self.max_step,
                init_score,
                training,
                validation,
                metric,
                is_score,
                patience,
                callbacks=tuple(callbacks),
                categories=tuple(categories),
            ),
        )
        calibration = fit_calibration(
            self.calibration, loss, trained.raw_prediction, training, validation
        )
        calibration = calibration.shifted(to_population)
        record = to_text(loss, calibration=asdict(calibration), labels=plain(classes))
        trained.finish(record)
        self.estimator_ = trained.estimator
        self.best_iteration_ = trained.n_rounds
        name = metric.name if is_score else self.stopping_metric
        self.evals_result_ = {"validation": {name: trained.history}} if validation else {}
        self._categories = categories
        self.classes_ = classes
        self.loss_ = loss
        self.init_score_ = init_score
        self.calibration_ = calibration

    def _train(self, adapter: Adapter, estimator: Estimator, job: Job) -> Trained:
        return adapter.fit(estimator, job)

    @property
    def feature_importances_(self) -> Array:
        """The booster's own importances of the columns, of shape (n_features,)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.feature_importances_)

    def raw_prediction(self, X: Table) -> Array:
        """Return the booster's raw scores, init score included.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Samples with the columns of ``fit``, in their order.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, K)
            Raw scores of ``classes_[1]``, or with more than two classes of each class.
        """
        check_is_fitted(self)
        table = self._table(X, self._categories)
        raw = _adapter_of(self.estimator_).raw_prediction(self.estimator_, table)
        return np.asarray(raw, dtype=np.float64)

    def decision_function(self, X: Table) -> Array:
        """Return the log-odds of ``classes_[1]``, or with more than two classes of each class.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, K)
            With two classes, above 0 where the probability of ``classes_[1]`` is above 0.5. With
            more classes, the most probable class has the largest log-odds.
        """
        raw = self.raw_prediction(X)
        return np.asarray(self.calibration_(self.loss_.log_odds(raw)))

    def predict_proba(self, X: Table) -> Array:
        """Return the probabilities of all classes, from the log-odds of `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, K)
            One column for each class, in the order of ``classes_``.
        """
        log_odds = self.decision_function(X)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(self.loss_.kernel.classes.proba(log_odds))

    def predict(self, X: Table) -> Array:
        """Return the most probable class.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        log_odds = self.decision_function(X)
        codes = self.loss_.kernel.classes.codes(log_odds)
        return np.asarray(self.classes_[codes])

    def __getstate__(self) -> Foreign:
        return {**super().__getstate__(), "_focalboost_version": version("focalboost")}

    def __setstate__(self, state: Foreign) -> None:
        state = dict(state)
        written, here = state.pop("_focalboost_version", None), version("focalboost")
        if written not in (None, here):
            warnings.warn(
                f"This FocalClassifier was saved by focalboost {written}, and this is {here}: its "
                "predictions may differ. For a model that lasts, save its booster, estimator_, to "
                "a file: focalboost.predict_proba takes the booster.",
                stacklevel=2,
            )
        super().__setstate__(state)

    def __sklearn_clone__(self) -> FocalClassifier:
        # clone itself refuses CatBoost's classifiers where a parameter is a list.
        params = self.get_params(deep=False)
        estimator = params.pop("estimator")
        adapter = find_adapter(estimator)
        copied = type(self)(
            clone(estimator, safe=False) if adapter is None else adapter.copy(estimator),
            **{name: copy.deepcopy(value) for name, value in params.items()},
        )
        if hasattr(self, "_metadata_request"):
            # what set_fit_request keeps; scikit-learn has no public name for it
            copied._metadata_request = copy.deepcopy(self._metadata_request)  # noqa: SLF001
        return copied

    def _table(self, X: Table, categories: dict[int, list[Foreign]]) -> Table:
        table = read(X)
        self._check_columns(table, reset=False)
        table = encode(table, categories)
        if isinstance(table, np.ndarray) and hasattr(self, "feature_names_in_"):
            import pandas as pd

            # XGBoost needs the names that it was trained with.
            table = pd.DataFrame(table, columns=self.feature_names_in_)
        return table

    def _check_columns(self, table: Table, reset: bool) -> None:
        try:
            validate_data(self, table, reset=reset, skip_check_array=True)
        except ValueError as error:
            expected = getattr(self, "feature_names_in_", None)
            if reset or expected is None or not hasattr(table, "columns"):
                raise
            raise ValueError(
                f"{error}Expected the columns {[*expected]}, got {[*table.columns]}."
            ) from None

    def _copied(self) -> tuple[Adapter, Foreign]:
        """Return the booster's adapter, and an estimator to train."""
        if self.estimator is not None:
            adapter = _adapter_of(self.estimator)
            return adapter, adapter.copy(self.estimator)
        first = first_installed()
        if first is None:
            raise ImportError(
                "FocalClassifier needs a booster: install lightgbm, xgboost or catboost, "
                'for example by pip install "focalboost[lightgbm]".'
            )
        return first, first.default()

    def _validation(
        self,
        X: Table,
        y: Foreign,
        sample_weight: Foreign,
        categories: dict[int, list[Foreign]],
        classes: Array,
    ) -> Samples:
        labels = as_labels(y)
        unknown = np.setdiff1d(labels, classes)
        if len(unknown):
            raise ValueError(f"y_val must hold labels of y only, got {unknown[0]}.")
        samples = weighted(self._table(X, categories), labels, sample_weight)
        return replace(samples, y=encode_labels(samples.y, classes))

    def _make_loss(self, k: int, alpha: Foreign) -> Loss:
        """Return the loss of k classes to train with."""
        if self.loss is None:
            if k == 2:
                return FocalLoss(self.gamma, alpha)
            return SoftmaxFocalLoss(k, self.gamma, alpha)
        default = signature(type(self)).parameters["gamma"].default
        if self.gamma != default:
            raise ValueError(
                f"gamma must be left out where loss is given, got {self.gamma!r}: the loss has its "
                "own."
            )
        loss = as_loss(self.loss)
        if loss.kernel.classes.n_classes != k:
            raise ValueError(f"loss must be for {k} classes, as y has, got {self.loss!r}.")
        if loss.is_multiclass and k == 2:
            raise ValueError(
                f"loss must have one raw score for two classes, got {self.loss!r}. FocalLoss "
                "equals SoftmaxFocalLoss(2)."
            )
        if alpha is None:
            return loss
        if not hasattr(self.loss, "alpha"):
            raise ValueError(
                f"alpha must be None where the loss has no parameter alpha, got {self.alpha!r} "
                f"with {self.loss!r}. Pass sample_weight to weight the classes."
            )
        return as_loss(replace(self.loss, alpha=alpha))


def _of_mean_factor_1(samples: Samples, factor: float) -> Samples:
    """Return the samples with weights divided by ``factor``, the mean class weight."""
    if factor == 1:
        return samples
    weight = np.ones(len(samples.y)) if samples.weight is None else samples.weight
    return replace(samples, weight=in_single_precision(weight / factor))


def _adapter_of(estimator: Estimator) -> Adapter:
    adapter = find_adapter(estimator)
    if adapter is not None:
        return adapter
    if isinstance(estimator, Pipeline):
        hint = "put FocalClassifier inside the Pipeline"
    elif type(estimator).__name__.startswith("Dask"):
        hint = "on a Dask cluster use focalboost.dask.train"
    else:
        hint = "others can take objective(loss) of focalboost.lightgbm, xgboost or catboost"
    raise TypeError(
        "estimator must be an LGBMClassifier, XGBClassifier or CatBoostClassifier, "
        f"got {kind_of(estimator)}: {hint}."
    )
