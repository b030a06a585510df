"""The loss among the parameters that MLflow's autologging notes."""

from contextlib import contextmanager
from importlib import import_module

import pytest
from test_models import LIBRARIES, X, Y, train

from focalboost import FocalClassifier, FocalLoss, LinearGamma, ScheduledLoss

pytestmark = [
    pytest.mark.slow,
    # MLflow's own
    pytest.mark.filterwarnings("ignore:::mlflow|pydantic|google"),
]
LOSS = FocalLoss(1.5, 0.25)
NOTED = {"loss": "FocalLoss", "loss_gamma": "1.5", "loss_alpha": "0.25"}


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(tmp_path.as_uri())
    mlflow.set_experiment("tests")
    return mlflow


@contextmanager
def autologging(mlflow, library):
    autolog = import_module(f"mlflow.{library}").autolog
    autolog(log_models=False, silent=True)
    try:
        yield
    finally:
        autolog(disable=True)


def noted(mlflow, train):
    """Return what a run has of the loss, and all that it has as one text."""
    with mlflow.start_run() as run:
        train()
    parameters = mlflow.get_run(run.info.run_id).data.params
    return {k: v for k, v in parameters.items() if k.startswith("loss")}, str(parameters)


@pytest.mark.parametrize("library", LIBRARIES[:2])
def test_autologging_notes_the_loss(mlflow, library):
    estimators = {"lightgbm": "LGBMClassifier", "xgboost": "XGBClassifier"}
    estimator = getattr(pytest.importorskip(library), estimators[library])(n_estimators=3)
    with autologging(mlflow, library):
        found, everything = noted(mlflow, lambda: train(library, LOSS))
        assert found == NOTED
        assert "array(" not in everything  # no sample of the training data
        model = FocalClassifier(estimator, loss=LOSS)
        assert noted(mlflow, lambda: model.fit(X, Y))[0] == NOTED
        schedule = ScheduledLoss(LOSS, gamma=LinearGamma(0.5, 1.5, 3))
        assert noted(mlflow, lambda: train(library, schedule))[0] == NOTED
        # parameters of a run cannot change
        with mlflow.start_run():
            train(library, LOSS)
            with pytest.warns(UserWarning, match="MLflow did not take"):
                train(library, FocalLoss(2.0))
    assert noted(mlflow, lambda: train(library, LOSS))[0] == {}
