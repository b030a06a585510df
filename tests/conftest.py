import os
import sys

import pytest
from registry import ADAPTER_LOSSES, BACKENDS, LOSSES, loss_id

# Before anything imports Matplotlib: no windows.
os.environ["MPLBACKEND"] = "Agg"


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(params=LOSSES, ids=loss_id)
def loss(request):
    return request.param


@pytest.fixture(params=ADAPTER_LOSSES, ids=loss_id)
def adapter_loss(request):
    return request.param


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request):
    return request.param
