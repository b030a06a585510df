"""What is particular to LightGBM: its data sets, its model text, its parameters."""

import subprocess
import sys

import numpy as np
import pytest
from backends import QUIET as ALL_QUIET
from backends import make_data, noisy_data
from numpy.testing import assert_allclose, assert_array_equal

from focalboost import FocalLoss, LinearGamma, ScheduledLoss

lightgbm = pytest.importorskip("lightgbm")
focalboost = pytest.importorskip("focalboost")
pytest.importorskip("focalboost.lightgbm")

X, Y, W = make_data()
QUIET = ALL_QUIET["lightgbm"]


@pytest.mark.parametrize("weight", [None, W], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"bagging_fraction": 0.6, "bagging_freq": 1, "feature_fraction": 0.5, "seed": 3},
        {"data_sample_strategy": "goss"},
        {"linear_tree": True},
        {"extra_trees": True, "path_smooth": 1.0},
    ],
    ids=lambda extra: ",".join(extra) or "plain",
)
def test_is_bit_equal_to_binary(extra, weight):
    params = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **extra}
    loss = FocalLoss(0.0)
    ours = focalboost.lightgbm.train(
        params, lightgbm.Dataset(X, Y, weight=weight), 15, loss=loss, max_step=None
    ).dump_model()["tree_info"]
    start = loss.init_score(Y, weight)
    data = lightgbm.Dataset(X, Y, weight=weight, init_score=np.full(len(Y), start))
    theirs = lightgbm.train({**params, "objective": "binary"}, data, 15).dump_model()["tree_info"]

    def nodes(tree, shift):
        if "leaf_value" in tree:
            constant = tree["leaf_const"] + shift if "leaf_const" in tree else None
            return [(tree["leaf_value"] + shift, constant, tree.get("leaf_coeff"))]
        split = [(tree["split_feature"], tree["threshold"], tree["split_gain"])]
        return split + nodes(tree["left_child"], shift) + nodes(tree["right_child"], shift)

    assert len(ours) == len(theirs) == 15
    splits = 0
    for i, (our_tree, their_tree) in enumerate(zip(ours, theirs, strict=True)):
        ours_here = nodes(our_tree["tree_structure"], 0.0)
        assert ours_here == nodes(their_tree["tree_structure"], start if i == 0 else 0.0)
        splits += len(ours_here) // 2
    assert splits > 50


def test_data_sets_are_reusable():
    data = lightgbm.Dataset(X, Y)
    valid = lightgbm.Dataset(X, Y, reference=data)
    params = {"verbose": -1, "num_threads": 1}
    raw = [
        focalboost.lightgbm.train(params, data, 3, [valid], loss=FocalLoss(gamma)).predict(X)
        for gamma in (1.0, 2.0, 1.0)
    ]
    assert_array_equal(raw[0], raw[2])
    assert data.get_init_score() is None
    assert valid.get_init_score() is None
    built_in = lightgbm.train({**params, "objective": "binary"}, data, 3).predict(X)
    fresh = lightgbm.train({**params, "objective": "binary"}, lightgbm.Dataset(X, Y), 3)
    assert_array_equal(built_in, fresh.predict(X))


def data_of_a_kind(kind, tmp_path):
    """Return a training set of one kind, and what else train gets with it."""
    if kind == "file":
        np.savetxt(tmp_path / "train.csv", np.column_stack([Y, X]), delimiter=",")
        return lightgbm.Dataset(str(tmp_path / "train.csv")), {}
    data = lightgbm.Dataset(X, Y, weight=W, free_raw_data=False)
    if kind == "constructed":
        return data.construct(), {}
    if kind == "subset":
        return data.subset(np.arange(0, len(Y), 2)), {}
    if kind in ("continued", "after continued"):
        first = focalboost.lightgbm.train(QUIET, data, 3, loss=FocalLoss(2.0))
        if kind == "continued":
            return data, {"init_model": first}
        focalboost.lightgbm.train(QUIET, data, 3, init_model=first, loss=FocalLoss(2.0))
    return data, {}


@pytest.mark.parametrize(
    "kind", ["fresh", "constructed", "subset", "file", "continued", "after continued"]
)
def test_seals_what_it_trained(kind, tmp_path):
    loss, history = FocalLoss(2.0), {}
    data, more = data_of_a_kind(kind, tmp_path)
    booster = focalboost.lightgbm.train(
        QUIET, data, 5, [data], ["data"], loss=loss,
        callbacks=[lightgbm.record_evaluation(history)], **more,
    )  # fmt: skip
    rows, labels, weight = X, Y, None if kind == "file" else W
    if kind == "subset":
        rows, labels, weight = X[::2], Y[::2], W[::2]
    by_hand = loss(labels, booster.predict(rows, raw_score=True), weight)
    assert_allclose(history["data"]["focal_loss"][-1], by_hand, rtol=1e-6)
    assert data.get_field("init_score") is None


def test_data_sets_are_as_before_after_an_error():
    def fail(env):
        raise RuntimeError("in the first round")

    data = lightgbm.Dataset(X, Y)
    with pytest.raises(RuntimeError, match="in the first round"):
        focalboost.lightgbm.train(QUIET, data, 3, callbacks=[fail], loss=FocalLoss())
    assert data.get_field("init_score") is None
    data = lightgbm.Dataset(X, 2 * Y)
    with pytest.raises(ValueError, match="y_true must lie"):
        focalboost.lightgbm.train(QUIET, data, 3, loss=FocalLoss())
    assert not data.params


def test_dart():
    loss, history = FocalLoss(2.0), {}
    data, same = lightgbm.Dataset(X, Y), lightgbm.Dataset(X, Y)
    params = {**QUIET, "boosting": "dart"}
    booster = focalboost.lightgbm.train(
        params, data, 10, [same], loss=loss, callbacks=[lightgbm.record_evaluation(history)]
    )
    by_hand = loss(Y, booster.predict(X, raw_score=True))
    assert_allclose(history["valid_0"]["focal_loss"][-1], by_hand, rtol=1e-6)
    for name in ("dart", "DART"):
        with pytest.raises(ValueError, match="valid_sets must not hold train_set if boosting"):
            focalboost.lightgbm.train({**params, "boosting": name}, data, 10, [data], loss=loss)


def test_model_says_binary_everywhere():
    booster = focalboost.lightgbm.train(QUIET, lightgbm.Dataset(X, Y), 5, loss=FocalLoss())
    loaded = lightgbm.Booster(model_str=booster.model_to_string())
    for model in (booster, loaded):
        text = model.model_to_string()
        assert "\nobjective=binary sigmoid:1\n" in text
        assert "\n[objective: binary]\n" in text
        if "objective" not in model.params:
            continue  # LightGBM before 4.2 does not read the parameters of a text, and shap asks it
        shap = pytest.importorskip("shap")
        explainer = shap.TreeExplainer(model, data=X, model_output="probability")
        total = explainer.expected_value + explainer.shap_values(X).sum(axis=1)
        assert_allclose(total, model.predict(X), rtol=0, atol=1e-6)
    assert np.all(np.isfinite(loaded.refit(X, Y).predict(X)))


def test_bad_parameter_is_an_error_not_a_crash(tmp_path):
    script = (
        "import lightgbm, numpy, focalboost.lightgbm\n"
        "from focalboost import FocalLoss\n"
        "for params in ({'num_leaves': 1}, {'max_bin': 1}, {'verbosity': -1}):\n"
        "    data = lightgbm.Dataset(numpy.arange(100.)[:, None], numpy.arange(100) > 90)\n"
        "    try:\n"
        "        focalboost.lightgbm.train(params, data, 2, loss=FocalLoss())\n"
        "    except lightgbm.basic.LightGBMError:\n"
        "        assert not data.params"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True)


def test_early_stopping():
    rows, labels, new_rows, new_labels = noisy_data()
    loss = FocalLoss(2.0, 0.25)
    data = lightgbm.Dataset(rows, labels)
    history = {}
    booster = focalboost.lightgbm.train(
        {"verbose": -1, "num_threads": 1, "early_stopping_round": 5},
        data,
        200,
        [lightgbm.Dataset(new_rows, new_labels, reference=data)],
        ["valid"],
        callbacks=[lightgbm.record_evaluation(history)],
        loss=loss,
    )
    losses = history["valid"]["focal_loss"]
    assert booster.best_iteration == np.argmin(losses) + 1 < len(losses) < 200
    raw = booster.predict(new_rows, raw_score=True)
    assert_allclose(loss(new_labels, raw), min(losses), rtol=1e-12)
    assert booster.best_score["valid"]["focal_loss"] == min(losses)


def test_early_stopping_is_on_the_loss_alone():
    rows, labels, new_rows, new_labels = noisy_data()
    best = {}
    for metric in ("None", "auc"):
        data = lightgbm.Dataset(rows, labels)
        best[metric] = focalboost.lightgbm.train(
            {**QUIET, "early_stopping_round": 5, "metric": metric},
            data,
            200,
            [lightgbm.Dataset(new_rows, new_labels, reference=data)],
            loss=FocalLoss(2.0, 0.25),
        ).best_iteration
    assert best["auc"] == best["None"] < 200


def test_trains_where_columns_are_constant_after_construction():
    data = lightgbm.Dataset(np.ones((50, 2)), np.arange(50) % 2)
    booster = focalboost.lightgbm.train({"verbose": -1}, data, 2, loss=FocalLoss(2.0))
    assert_allclose(booster.predict(np.ones((1, 2))), 0.5, rtol=1e-12)


def test_cv():
    loss = FocalLoss(2.0)
    data = lightgbm.Dataset(
        X, Y, init_score=np.full(len(Y), loss.init_score(Y)), free_raw_data=False
    )
    out = lightgbm.cv(
        {"objective": focalboost.lightgbm.objective(loss), "verbose": -1, "num_threads": 1},
        data, 5, nfold=3, feval=focalboost.lightgbm.metric(loss),
    )  # fmt: skip
    losses = out["valid focal_loss-mean"]
    assert losses[-1] < losses[0] < loss(Y, np.full(len(Y), loss.init_score(Y)))


def test_training_goes_on(tmp_path):
    loss, params = FocalLoss(2.0, 0.25), {"verbose": -1, "num_threads": 1}
    whole = focalboost.lightgbm.train(params, lightgbm.Dataset(X, Y), 10, loss=loss)
    part = focalboost.lightgbm.train(params, lightgbm.Dataset(X, Y), 5, loss=loss)
    part.save_model(tmp_path / "part.txt")
    for model in (part, tmp_path / "part.txt"):
        more = focalboost.lightgbm.train(
            params, lightgbm.Dataset(X, Y), 5, init_model=model, loss=loss
        )
        assert more.num_trees() == 10
        # The scores to start from are the saved trees', summed in another order.
        assert_allclose(more.predict(X), whole.predict(X), rtol=0, atol=1e-6)


def test_bad_call():
    data = lightgbm.Dataset(X, Y)
    with pytest.raises(ValueError, match="keep_training_booster must be False"):
        focalboost.lightgbm.train({}, data, 3, keep_training_booster=True, loss=FocalLoss())
    sealed = focalboost.lightgbm.train(QUIET, data, 3, loss=FocalLoss())
    with pytest.raises(ValueError, match="is it sealed already"):
        focalboost.lightgbm.seal(sealed, 0.0)
    with pytest.raises(ValueError, match="init_score must be finite, got nan"):
        focalboost.lightgbm.seal(sealed, np.nan)


def test_validation_set_without_labels():
    data = lightgbm.Dataset(X, Y)
    valid = lightgbm.Dataset(X, reference=data)
    with pytest.raises(ValueError, match="label must be set on train_set and valid_sets"):
        focalboost.lightgbm.train(QUIET, data, 3, [valid], loss=FocalLoss())


# LightGBM 4.0 says that it does.
@pytest.mark.filterwarnings("ignore:Found .* in params:UserWarning")
@pytest.mark.parametrize("name", ["num_iterations", "n_estimators", "num_round"])
def test_schedule_sees_the_rounds_of_the_parameters(name):
    schedule = ScheduledLoss(FocalLoss(), LinearGamma(4.0, 1.0, n_rounds=3))
    data, history = lightgbm.Dataset(X, Y), {}
    booster = focalboost.lightgbm.train(
        {**QUIET, name: 2}, data, 50, [data], ["data"], loss=schedule,
        callbacks=[lightgbm.record_evaluation(history)],
    )  # fmt: skip
    assert booster.current_iteration() == 2
    by_hand = schedule.at(1)(Y, booster.predict(X, raw_score=True))
    assert_allclose(history["data"]["focal_loss"][-1], by_hand, rtol=1e-6)


def test_model_to_continue_is_matched_as_a_whole():
    booster = focalboost.lightgbm.train(QUIET, lightgbm.Dataset(X, Y), 2, loss=FocalLoss())
    text = booster.model_to_string().replace("binary sigmoid:1\n", "binary sigmoid:10\n")
    other = lightgbm.Booster(model_str=text)
    with pytest.raises(ValueError, match="init_model must be a binary model"):
        focalboost.lightgbm.train(
            QUIET, lightgbm.Dataset(X, Y), 2, init_model=other, loss=FocalLoss()
        )
