"""The arms: what is compared, each as its users would train it.

An arm draws its own parameters from an Optuna trial, and is fitted with them and with those of the
trees. A fit returns a function from samples to the log-odds (with several classes, to the
log-probabilities) in each view of the arm; the view "as is" holds the probabilities that the arm
gives its users. Packages are imported in the arms, so that a run without a package has an error in
its rows and goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import boosters
import lightgbm
import numpy as np
from boosters import PATIENCE, ROUNDS
from scipy.special import log_softmax, logit

from focalboost import (
    BrierLoss,
    CalibratedFocalLoss,
    FocalClassifier,
    FocalLoss,
    GeneralizedCrossEntropyLoss,
    ModulatedLoss,
    RobustFocalLoss,
)

AS_IS = "as is"
UNCORRECTED = "uncorrected"  # by the closed form, or for the weight of the positives
CLOSED_FORM = "closed form"
ALL = ("lightgbm", "xgboost", "catboost")
GAMMA = (0.0, 5.0)
# for the other packages, whose gamma must be above 0
GAMMA_ABOVE_0 = (0.1, 5.0)
GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Arm:
    """`fit` is given booster, parameters of the trees, own parameters, data and a seed."""

    name: str
    fit: Callable
    suggest: Callable = lambda trial, data: {}
    boosters: tuple = ALL
    several_classes: bool = False
    # values of gamma that inner folds choose from, after the trees
    gammas: tuple = ()
    more_trials: int = 0
    fixed: dict = field(default_factory=dict)


def _own(booster, tree, own, data, seed):
    raw = boosters.fit_own(booster, {**tree, **own}, data, seed)
    if data.n_classes > 2:
        return lambda X: {AS_IS: log_softmax(raw(X), axis=1)}
    return lambda X: {AS_IS: raw(X)}


def _suggest_bound(booster):
    return lambda trial, data: boosters.bound_leaves(booster, trial, {})


def _weighted(booster, tree, own, data, seed):
    """Train with a weight of the positives, and remove it from the log-odds again."""
    weighted, shift = {**tree, "scale_pos_weight": own["weight"]}, np.log(own["weight"])
    raw = boosters.fit_own(booster, weighted, data, seed, shift)
    return lambda X: {AS_IS: raw(X) - shift, UNCORRECTED: raw(X)}


def focal(loss=None, alpha=None):
    """Return the fit of FocalClassifier, with ``loss(**own)`` or with the gamma of ``own``."""

    def fit(booster, tree, own, data, seed):
        how = {"loss": loss(**own)} if loss else own
        model = FocalClassifier(
            boosters.make(booster, tree, seed),
            alpha=alpha,
            early_stopping_rounds=PATIENCE,
            calibration=None,
            **how,
        )
        model.fit(data.X, data.y, X_val=data.X_valid, y_val=data.y_valid)
        if data.n_classes > 2:
            return lambda X: {
                AS_IS: _log(model.predict_proba(X)),
                UNCORRECTED: log_softmax(model.raw_prediction(X), axis=1),
            }
        return lambda X: {AS_IS: model.decision_function(X), UNCORRECTED: model.raw_prediction(X)}

    return fit


def _gamma(low_high):
    return lambda trial, data: {"gamma": trial.suggest_float("gamma", *low_high)}


def _one(p):
    return 1.0 + 0.0 * p


def _one_plus(p):
    return 1.0 + p


def _zero(p):
    return 0.0 * p


def one_plus_p():
    return ModulatedLoss((_one_plus, _one, _zero))


def robust():
    return RobustFocalLoss(r=0.5, k=0.3)


def _textbook(booster, tree, own, data, seed):
    """Train as the blogs do: exact Hessian, init score by hand, the sigmoid as the probability."""
    loss = FocalLoss(**own)
    start = loss.init_score(data.y)

    def objective(raw_prediction, samples):
        return loss.gradient_hessian(samples.get_label(), raw_prediction)

    def metric(raw_prediction, samples):
        return "focal_loss", loss(samples.get_label(), raw_prediction), False

    train, valid = _lightgbm_data(data, start)
    model = _lightgbm(tree, seed, train, valid, objective, metric)
    return lambda X: {AS_IS: start + model.predict(X)}


def _suggest_textbook(trial, data):
    return {
        "gamma": trial.suggest_float("gamma", *GAMMA),
        "alpha": trial.suggest_float("alpha", 0.1, 0.9),
    }


def _catboost_focal(booster, tree, own, data, seed):
    name = "Focal:focal_alpha={alpha};focal_gamma={gamma}".format(**own)
    model = boosters.make(booster, tree, seed)
    model.set_params(loss_function=name, early_stopping_rounds=PATIENCE)
    model.fit(data.X, data.y, eval_set=(data.X_valid, data.y_valid))
    loss = FocalLoss(**own)

    def views(X):
        raw = model.predict(X, prediction_type="RawFormulaVal")
        return {AS_IS: raw, CLOSED_FORM: loss.log_odds(raw)}

    return views


def _imlightgbm(booster, tree, own, data, seed):
    from imlightgbm.sklearn import ImbalancedLGBMClassifier

    several = data.n_classes > 2
    model = ImbalancedLGBMClassifier(
        objective="multiclass_focal" if several else "binary_focal",
        num_class=data.n_classes if several else None,
        n_estimators=ROUNDS, n_jobs=1, verbose=-1, random_state=seed, **own, **tree,
    )  # fmt: skip
    model.fit(
        data.X, data.y, eval_set=[(data.X_valid, data.y_valid)],
        eval_metric="multi_logloss" if several else "binary_logloss",
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )  # fmt: skip
    if several:
        return lambda X: {AS_IS: _log(model.predict_proba(X))}
    return lambda X: {AS_IS: logit(model.predict_proba(X)[:, 1])}


def _bokbokbok(booster, tree, own, data, seed):
    from bokbokbok.eval_metrics.classification import WeightedFocalMetric
    from bokbokbok.loss_functions.classification import WeightedFocalLoss
    from bokbokbok.utils import clip_sigmoid

    objective = WeightedFocalLoss(alpha=1.0, **own)
    metric = WeightedFocalMetric(alpha=1.0, **own, XGBoost=booster == "xgboost")
    if booster == "lightgbm":
        model = _lightgbm(tree, seed, *_lightgbm_data(data), objective, metric)
        return lambda X: {AS_IS: logit(clip_sigmoid(model.predict(X)))}
    import xgboost

    model = xgboost.train(
        {"nthread": 1, "seed": seed, "verbosity": 0, "disable_default_eval_metric": 1, **tree},
        xgboost.DMatrix(data.X, data.y), ROUNDS, obj=objective, custom_metric=metric,
        evals=[(xgboost.DMatrix(data.X_valid, data.y_valid), "valid")],
        early_stopping_rounds=PATIENCE, verbose_eval=False,
    )  # fmt: skip
    n_rounds = (0, model.best_iteration + 1)
    return lambda X: {
        AS_IS: logit(
            clip_sigmoid(
                model.predict(xgboost.DMatrix(X), output_margin=True, iteration_range=n_rounds)
            )
        )
    }


def _gbdtcbl(booster, tree, own, data, seed):
    from gbdtCBL.binary import FLLoss

    model = boosters.make(booster, tree, seed)
    model.set_params(objective=FLLoss(r1=own["gamma"]))
    valid = [(data.X_valid, data.y_valid)]
    # The booster's own AUC ranks the raw scores as the package's example does in Python.
    if booster == "lightgbm":
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        model.fit(data.X, data.y, eval_set=valid, eval_metric="auc", callbacks=[stop])
        return lambda X: {AS_IS: model.predict(X, raw_score=True)}
    model.set_params(eval_metric="auc", early_stopping_rounds=PATIENCE)
    model.fit(data.X, data.y, eval_set=valid, verbose=False)
    return lambda X: {AS_IS: model.predict(X, output_margin=True)}


def _undersampled(booster, tree, own, data, seed):
    """Bag ten boosters, each on as many negatives as positives, and correct for that."""
    from imblearn.ensemble import BalancedBaggingClassifier

    member = boosters.make(booster, {**tree, **own}, seed)
    model = BalancedBaggingClassifier(member, n_estimators=10, random_state=seed, n_jobs=1)
    model.fit(data.X, data.y)
    shift = np.log(boosters.largest_weight(data.y))

    def views(X):
        raw = _log_odds(model.predict_proba(X))
        return {AS_IS: raw - shift, UNCORRECTED: raw}

    return views


def _suggest_members(trial, data):
    return {"n_estimators": trial.suggest_int("n_estimators", 10, 100, log=True)}


def _lightgbm_data(data, init_score=None):
    starts = [
        None if init_score is None else np.full(len(y), init_score) for y in (data.y, data.y_valid)
    ]
    train = lightgbm.Dataset(data.X, data.y, init_score=starts[0])
    valid = lightgbm.Dataset(data.X_valid, data.y_valid, init_score=starts[1], reference=train)
    return train, valid


def _lightgbm(tree, seed, train, valid, objective, metric):
    params = {"num_threads": 1, "verbose": -1, "seed": seed, "objective": objective, **tree}
    return lightgbm.train(
        params, train, ROUNDS, [valid], feval=metric,
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )  # fmt: skip


def _log(proba):
    with np.errstate(divide="ignore"):
        return np.log(proba)


def _log_odds(proba):
    return _log(proba[:, 1]) - _log(proba[:, 0])


OWN = Arm("own", _own, several_classes=True)
BINARY = [
    OWN,
    Arm("own, 5 more trials", _own, more_trials=5),
    *(
        Arm("own, leaf bound", _own, _suggest_bound(booster), (booster,), booster == "lightgbm")
        for booster in boosters.LEAF_BOUND
    ),
    Arm(
        "own, class weight",
        _weighted,
        lambda trial, data: {
            "weight": trial.suggest_float("weight", 1.0, boosters.largest_weight(data.y), log=True)
        },
        ("lightgbm", "xgboost"),
    ),
    Arm("gamma 0", focal(), several_classes=True, fixed={"gamma": 0.0}),
    Arm("focal", focal(), _gamma(GAMMA), several_classes=True),
    Arm(
        "focal, gamma by inner folds",
        focal(),
        several_classes=True,
        gammas=GAMMAS,
        fixed={"gamma": 1.0},
    ),
    # In CatBoost's small batches the table of this loss takes ten times as long as focal loss.
    Arm("calibrated focal", focal(CalibratedFocalLoss), _gamma(GAMMA), ("lightgbm", "xgboost")),
    Arm("robust focal", focal(robust)),
    Arm("1 + p", focal(one_plus_p)),
    Arm("focal, alpha 0.25", focal(alpha=0.25), _gamma(GAMMA)),
    Arm("focal, balanced", focal(alpha="balanced"), _gamma(GAMMA)),
    Arm("textbook focal", _textbook, _suggest_textbook, ("lightgbm",)),
    Arm("CatBoost's Focal", _catboost_focal, _suggest_textbook, ("catboost",)),
    Arm("imlightgbm", _imlightgbm, _gamma(GAMMA_ABOVE_0), ("lightgbm",), several_classes=True),
    Arm("bokbokbok", _bokbokbok, _gamma(GAMMA_ABOVE_0), ("lightgbm", "xgboost")),
    Arm("gbdtCBL", _gbdtcbl, _gamma(GAMMA_ABOVE_0), ("lightgbm", "xgboost")),
    Arm("undersampling", _undersampled, _suggest_members, ("lightgbm",)),
]
FOREIGN = ["CatBoost's Focal", "imlightgbm", "bokbokbok", "gbdtCBL", "textbook focal"]
NOISE = [
    OWN,
    Arm("focal, gamma 2", focal(), fixed={"gamma": 2.0}),
    Arm("robust focal", focal(robust)),
    Arm("1 + p", focal(one_plus_p)),
    Arm("generalized cross entropy", focal(GeneralizedCrossEntropyLoss)),
    Arm("Brier", focal(BrierLoss)),
]


def of(booster, n_classes=2):
    """Return the arms of the main tables for a booster."""
    return [
        arm for arm in BINARY if booster in arm.boosters and (n_classes == 2 or arm.several_classes)
    ]
