"""A trained model holds its loss: through files, copies and continuing."""

import copy
import json
import pickle
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from backends import QUIET, TRAINERS, make_data, needs
from numpy.testing import assert_allclose, assert_array_equal
from sklearn._loss import HalfBinomialLoss
from zoo import LOSSES, loss_id

import focalboost
from focalboost import (
    FocalClassifier,
    FocalLoss,
    LinearGamma,
    ModulatedLoss,
    ScheduledLoss,
    SoftmaxFocalLoss,
    loss_of,
    predict_proba,
)
from focalboost.losses import records
from focalboost.losses.foreign import as_loss

DATA = {k: make_data(n_classes=k) for k in (2, 3, 5)}
X, Y, W = DATA[2]
LIBRARIES = ["lightgbm", "xgboost", "catboost"]
# With everything that a record can hold.
SOFTMAX = SoftmaxFocalLoss(3, gamma=(0.0, 1.0, 2.0), alpha=(1.0, 2.0, 0.5))
ENDINGS = {"lightgbm": ["txt"], "xgboost": ["ubj", "json"], "catboost": ["cbm", "json"]}


def train(library, loss, X=X, y=Y, rounds=3, params=None, **kwargs):
    booster, module = pytest.importorskip(library), import_module(f"focalboost.{library}")
    params = {**QUIET[library], **(params or {})}
    if library == "lightgbm":
        return module.train(params, booster.Dataset(X, y), rounds, loss=loss, **kwargs)
    if library == "xgboost":
        data = booster.DMatrix(X, y)
        return module.train({"min_child_weight": 0.0, **params}, data, rounds, loss=loss, **kwargs)
    params = {"learning_rate": 0.1, "depth": 3, **params}
    return module.train(booster.Pool(X, y), params, iterations=rounds, loss=loss, **kwargs)


def loaded(library, path):
    booster = pytest.importorskip(library)
    if library == "lightgbm":
        return booster.Booster(model_file=path)
    if library == "xgboost":
        return booster.Booster(model_file=path)
    return booster.CatBoost().load_model(path, format=str(path).rpartition(".")[2])


def save(library, model, path):
    how = {"format": path.suffix[1:]} if library == "catboost" else {}
    model.save_model(str(path), **how)


def raw_of(library, model, X=X):
    if library == "xgboost":
        return model.predict(pytest.importorskip(library).DMatrix(X), output_margin=True)
    how = {"lightgbm": {"raw_score": True}, "catboost": {"prediction_type": "RawFormulaVal"}}
    return model.predict(X, **how[library])


@pytest.fixture(params=LIBRARIES)
def library(request):
    pytest.importorskip(request.param)
    return request.param


def of_package(loss):
    has_functions = isinstance(loss, ModulatedLoss) and not isinstance(loss.factor, str)
    return hasattr(focalboost, type(loss).__name__) and not has_functions


@pytest.mark.parametrize("loss", [*filter(of_package, LOSSES)], ids=loss_id)
def test_a_record_is_the_loss(loss):
    text = records.to_text(as_loss(loss))
    assert "\n" not in text
    again = records.loss_of_record(json.loads(text))
    assert again == loss
    assert type(again) is type(loss)
    assert records.describe(json.loads(text)) == repr(loss)


@pytest.mark.parametrize("loss", [FocalLoss(1.5, 0.25), SOFTMAX], ids=loss_id)
def test_files_hold_the_loss(library, loss, tmp_path):
    needs(next(b for b in TRAINERS if b.library == library), loss)
    X, y, _ = DATA[loss.kernel.classes.n_classes]
    model = train(library, loss, X, y)
    assert loss_of(model) == loss
    raw = raw_of(library, model, X)
    expected = loss.predict_proba(np.asarray(raw, dtype=np.float64))
    assert_array_equal(predict_proba(model, X), expected)
    for ending in ENDINGS[library]:
        paths = [tmp_path / f"{i}.{ending}" for i in range(2)]
        save(library, model, paths[0])
        save(library, loaded(library, paths[0]), paths[1])  # once more
        again = loaded(library, paths[1])
        assert loss_of(again) == loss
        # CatBoost's json rounds the init score.
        assert_allclose(raw_of(library, again, X), raw, rtol=0, atol=1e-15)
        assert_allclose(predict_proba(again, X), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    "make", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_hold_the_loss(library, make):
    model = train(library, FocalLoss(1.5))
    if make is copy.copy and library != "catboost":
        model = model if library == "lightgbm" else model.copy()
    else:
        model = make(model)
    assert loss_of(model) == FocalLoss(1.5)


def test_slices_of_xgboost_hold_the_loss():
    assert loss_of(train("xgboost", FocalLoss(1.5), rounds=4)[1:3]) == FocalLoss(1.5)


def test_a_record_changes_no_prediction(library):
    models = import_module(f"focalboost.{library}.models")
    model = train(library, FocalLoss(2.0))
    raw, proba = raw_of(library, model), model.predict
    other = models.write_record(model, records.to_text(FocalLoss(5.0)))
    assert loss_of(other) == FocalLoss(5.0)
    assert_array_equal(raw_of(library, other), raw)
    if library == "lightgbm":
        assert_array_equal(other.predict(X), proba(X))
        assert other.params == model.params
        # and nothing else in the text is another
        lines = [set(m.model_to_string().split("\n")) for m in (model, other)]
        assert all("focalboost" in line for line in lines[0] ^ lines[1])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("calibration", [None, "balance"])
def test_native_model_of_the_classifier(library, n_classes, calibration, tmp_path):
    booster = pytest.importorskip(library)
    needs(next(b for b in TRAINERS if b.library == library), SOFTMAX if n_classes == 3 else None)
    X, y, w = DATA[n_classes]
    name = {"lightgbm": "LGBMClassifier", "xgboost": "XGBClassifier"}
    quiet = QUIET["catboost"] if library == "catboost" else {"n_jobs": 1}
    if library == "lightgbm":
        quiet["verbose"] = -1
    estimator = getattr(booster, name.get(library, "CatBoostClassifier"))(n_estimators=5, **quiet)
    prior = None if n_classes == 3 else 0.05
    labels = np.array(["b", "a", "c"])[y]
    pos_label = None if n_classes == 3 else "a"
    model = FocalClassifier(
        estimator, calibration=calibration, prior=prior, pos_label=pos_label
    ).fit(X, labels, w)
    expected = model.predict_proba(X)
    assert_array_equal(predict_proba(model, X), expected)
    assert loss_of(model) == model.loss_
    own = model.estimator_
    # the booster's own classifier, its booster, and the file
    native = (
        own if library == "catboost" else import_module(f"focalboost.{library}.models").native(own)
    )
    path = tmp_path / f"model.{ENDINGS[library][0]}"
    save(library, native, path)
    for one in (own, native, loaded(library, path)):
        assert loss_of(one) == model.loss_
        assert_allclose(predict_proba(one, X), expected, rtol=0, atol=1e-15)
    record = json.loads(import_module(f"focalboost.{library}.models").read_record(native))
    assert record["labels"] == model.classes_.tolist()


def test_a_process_that_only_loads_the_file(library, tmp_path):
    model = train(library, FocalLoss(1.5, 0.25))
    path = tmp_path / f"model.{ENDINGS[library][0]}"
    save(library, model, path)
    np.save(tmp_path / "X.npy", X)
    load = {
        "lightgbm": "lightgbm.Booster(model_file=path)",
        "xgboost": "xgboost.Booster(model_file=path)",
        "catboost": "catboost.CatBoost().load_model(path)",
    }[library]
    script = (
        f"import numpy, {library}, focalboost; path = {str(path)!r}\n"
        f"model, X = {load}, numpy.load('X.npy')\n"
        "print(focalboost.loss_of(model)); numpy.save('p.npy', focalboost.predict_proba(model, X))"
    )
    run = [sys.executable, "-c", script]
    out = subprocess.run(run, check=True, cwd=tmp_path, capture_output=True, text=True)
    assert out.stdout.strip() == "FocalLoss(gamma=1.5, alpha=0.25)"
    assert_allclose(np.load(tmp_path / "p.npy"), predict_proba(model, X), rtol=0, atol=1e-15)


def test_what_holds_no_loss(library):
    booster = pytest.importorskip(library)
    if library == "lightgbm":
        plain = booster.train({**QUIET[library], "objective": "binary"}, booster.Dataset(X, Y), 2)
    elif library == "xgboost":
        plain = booster.train(QUIET[library], booster.DMatrix(X, Y), 2)
    else:
        plain = booster.train(booster.Pool(X, Y), {**QUIET[library], "iterations": 2,
                                                   "loss_function": "Logloss"})  # fmt: skip
    for function in (loss_of, lambda model: predict_proba(model, X)):
        with pytest.raises(ValueError, match="model must hold its loss"):
            function(plain)
        with pytest.raises(TypeError, match=r"model must be a trained model .*, got ndarray"):
            function(X)


def test_a_loss_that_no_file_can_hold(library):
    model = train(library, HalfBinomialLoss())
    with pytest.raises(ValueError, match=r"trained with .*HalfBinomialLoss.* cannot hold"):
        loss_of(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2, "focalboost": "9.1"}, r"written by focalboost 9\.1, in a format"),
        ({"class": "os.system"}, r"must be one of \['AsymmetricLoss', .*, got 'os.system'"),
        ({"class": "ScheduledLoss"}, r"must be one of .*, got 'ScheduledLoss'"),
        ({"parameters": {"gamma": -1.0, "alpha": None}}, "gamma must be >= 0, got -1"),
    ],
)
def test_bad_records(library, change, message):
    models = import_module(f"focalboost.{library}.models")
    record = {**records.record_of(FocalLoss()), **change}
    model = models.write_record(train(library, FocalLoss()), json.dumps(record))
    with pytest.raises(ValueError, match=message):
        loss_of(model)


def test_a_schedule_leaves_the_loss_of_its_last_round():
    for library in ("lightgbm", "xgboost"):
        schedule = ScheduledLoss(FocalLoss(0.0, 0.25), gamma=LinearGamma(0.0, 3.0, 4))
        assert loss_of(train(library, schedule, rounds=4)) == schedule.at(3)


# Continuing


def continued(library, loss, model, **kwargs):
    name = "xgb_model" if library == "xgboost" else "init_model"
    return train(library, loss, **{name: model}, **kwargs)


def test_training_goes_on_with_the_loss_of_the_model(library, tmp_path):
    loss = FocalLoss(1.5, 0.25)
    model = train(library, loss)
    path = tmp_path / f"model.{ENDINGS[library][0]}"
    save(library, model, path)
    given = raw_of(library, continued(library, loss, model))
    for start in (model, str(path)):
        again = continued(library, None, start)
        assert loss_of(again) == loss
        assert_allclose(raw_of(library, again), given, rtol=0, atol=1e-6)
    assert np.max(np.abs(given - raw_of(library, model))) > 1e-3
    name = "xgb_model" if library == "xgboost" else "init_model"
    wrong = (
        rf"loss must be that of {name}, FocalLoss\(gamma=1.5, alpha=0.25\), "
        r"got FocalLoss\(gamma=1.0, alpha=None\)"
    )
    with pytest.raises(ValueError, match=wrong):
        continued(library, FocalLoss(1.0), model)


def test_cv_goes_on_with_the_loss_of_the_model():
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import cv

    model = train("lightgbm", FocalLoss(1.5))
    found = cv(QUIET["lightgbm"], lightgbm.Dataset(X, Y), 2, init_model=model,
               return_cvbooster=True)  # fmt: skip
    assert {loss_of(booster) for booster in found["cvbooster"].boosters} == {FocalLoss(1.5)}
    with pytest.raises(ValueError, match="loss must be that of init_model"):
        cv(QUIET["lightgbm"], lightgbm.Dataset(X, Y), 2, init_model=model, loss=FocalLoss(2.0))


def test_without_a_loss_there_is_nothing_to_train(library):
    with pytest.raises(TypeError, match="loss must"):
        train(library, None)


def test_seal_writes_the_loss():
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import objective, seal

    loss = FocalLoss(1.5)
    start = loss.init_score(Y)
    data = lightgbm.Dataset(X, Y, init_score=np.full(len(Y), start))
    booster = lightgbm.train({**QUIET["lightgbm"], "objective": objective(loss)}, data, 3)
    assert loss_of(seal(booster, start, loss=loss)) == loss
    with pytest.raises(ValueError, match="must hold its loss"):
        loss_of(seal(booster, start))
