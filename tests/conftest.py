import os
import sys
import warnings

import pytest
from backends import BACKENDS, TRAINERS, needs

# Before anything imports Matplotlib: no windows.
os.environ["MPLBACKEND"] = "Agg"

# What libraries announce of their releases to come.
ANNOUNCEMENTS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


def refuse_our_announcements(message, category, filename, lineno, file=None, line=None):
    """Raise the announcement if focalboost gives it, or calls the library that gives it."""
    callers, frame = [], sys._getframe(1)
    while frame is not None:
        callers.append(frame.f_globals.get("__name__", "").partition(".")[0])
        frame = frame.f_back
    callers = [caller for caller in callers if caller not in {"warnings", "_py_warnings"}]
    outside = next((caller for caller in callers if caller != callers[0]), None)
    if issubclass(category, ANNOUNCEMENTS) and "focalboost" in (callers[0], outside):
        raise message


def pytest_configure():
    # An assert of theirs that fails then says what it compared.
    pytest.register_assert_rewrite("properties")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Make each warning in a test an error, but for announcements that others give to others.

    These come and go with the releases of the libraries around us, and none of ours can act on
    them. A filter could not tell: it knows the module that a warning is attributed to, which is
    most often the library's own, whoever called it. A test's own filters come before these.
    """
    for category in ANNOUNCEMENTS:
        warnings.simplefilter("always", category, append=True)
    warnings.simplefilter("error", append=True)
    # pytest sets it back after the test.
    warnings.showwarning = refuse_our_announcements
    return (yield)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request):
    needs(request.param)
    return request.param


@pytest.fixture(params=TRAINERS, ids=lambda backend: backend.name)
def trainer(request):
    needs(request.param)
    return request.param
