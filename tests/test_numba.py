"""numba: where it is missing, broken or out of date, the results are numpy's."""

import os
import shutil
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

import broken
import numpy as np
import pytest
import zoo
from numpy.testing import assert_allclose, assert_array_equal

import focalboost
from focalboost import FocalLoss, MarginLoss, SoftmaxFocalLoss
from focalboost.losses import _compiled, _kernels

PACKAGE = Path(focalboost.__file__).parent


@pytest.fixture
def fresh(monkeypatch):
    """Forget what was compiled, and whether numba works, for one test."""
    for name in ("is_ready", "_function"):
        monkeypatch.setattr(_compiled, name, cache(getattr(_compiled, name).__wrapped__))


def many(loss):
    """Return derivatives of so many samples that the compiled loop is asked for."""
    y, z, w = zoo.mild(loss, 1000)
    return loss.gradient_curvature(y, z, w, max_step=4.0)


def matrix():
    return SoftmaxFocalLoss(3).gradient_matrix()(1, np.array([0.5, -1.0, 0.0]))[:2]


@pytest.fixture
def is_as_numpy(monkeypatch):
    """Return a function that asserts that all results are numpy's, to the bit."""
    with monkeypatch.context() as patch:
        patch.setattr(_kernels, "use_compiled", lambda _: False)
        patch.setattr(_compiled, "negative_rows", lambda *_: None)
        expected = many(FocalLoss())
        expected_matrix = matrix()
    monkeypatch.setattr(_kernels, "use_compiled", lambda _: True)

    def check():
        for got, want in zip(many(FocalLoss()), expected, strict=True):
            assert_array_equal(got, want)
        for got, want in zip(matrix(), expected_matrix, strict=True):
            assert_array_equal(got, want)

    return check


def caught(call):
    """Return the messages of the warnings that several calls give."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
        call()
    return [str(warning.message) for warning in found]


# numba does not work.


@pytest.mark.usefixtures("fresh")
def test_without_numba(monkeypatch, is_as_numpy):
    # Nothing is said: what a loss needs no compiler for is no fault, and an adapter that would
    # gain by one says so itself.
    monkeypatch.setattr(_compiled, "find_spec", lambda name: None)
    assert _compiled.is_missing()
    assert caught(is_as_numpy) == []
    assert not _compiled.is_ready()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    "error", [ImportError, SystemError, AttributeError, OSError, RuntimeError, AssertionError]
)
def test_numba_that_fails_at_import(error, monkeypatch, tmp_path, is_as_numpy):
    # numba's own errors at import: a numpy that is too new for it, or a library without its files.
    text = f"raise {error.__name__}('Numba needs NumPy 2.3 or less')\n"
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [*sys.modules]:
        if name.partition(".")[0] == "numba":
            monkeypatch.delitem(sys.modules, name)
    (message,) = caught(is_as_numpy)
    assert message == (
        f"numba is installed but does not work here ({error.__name__}: Numba needs NumPy 2.3 or "
        "less). focalboost computes the same with numpy, more slowly."
    )
    assert not _compiled.is_missing()


@pytest.mark.usefixtures("fresh")
def test_numba_that_does_not_compile(monkeypatch, is_as_numpy):
    pytest.importorskip("numba")

    def fails(*_):
        raise ValueError("no target for this processor")

    monkeypatch.setattr("numba.njit", lambda *_, **__: fails)
    (message,) = caught(is_as_numpy)
    assert message.startswith("numba is installed but does not work here (ValueError: no target")


@pytest.mark.usefixtures("fresh")
def test_numba_that_is_switched_off(monkeypatch, is_as_numpy):
    # As NUMBA_DISABLE_JIT=1 does, with which a compiled loop is a loop of Python's.
    monkeypatch.setattr(pytest.importorskip("numba").config, "DISABLE_JIT", 1)
    assert caught(is_as_numpy) == []
    assert not _compiled.is_ready()


# The cache on disk, in processes of their own.

SCRIPT = """
import warnings
import numpy as np
import focalboost
from focalboost import FocalLoss
from focalboost.losses import _compiled, _kernels
assert focalboost.__file__.startswith({package!r})
loss, z = FocalLoss(), np.linspace(-3.0, 3.0, {n})
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    many = loss.gradient_curvature(np.ones(len(z)), z)
assert _compiled.is_ready() == {is_compiled}
assert [str(warning.message) for warning in found] == []
_kernels.use_compiled = lambda _: False
few = loss.gradient_curvature(np.ones(10), z[:10])
for one, other in zip(many, few):
    np.testing.assert_allclose(one[:10], other, rtol=1e-13)
print(float(few[0][0]).hex())
"""


def run(cache_dir, package=PACKAGE.parent, is_compiled=True, **environment):
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(cache_dir),
        "PYTHONPATH": os.pathsep.join([str(package), *sys.path]),
        # Python's own cache asks for the date and the size of a file alone
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    n = _kernels._COMPILED_FROM
    script = SCRIPT.format(n=n, is_compiled=is_compiled, package=str(package))
    # From a folder in which there is nothing to import.
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=Path(__file__).parent / "data",
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return float.fromhex(done.stdout)


# The gradient of a positive sample at the raw score -3, from the textbook.
P = 1 / (1 + np.exp(3.0))
EXPECTED = -((1 - P) ** 2) * (2 * P * -np.log(P) + 1 - P)


@pytest.fixture(scope="module")
def full_cache(tmp_path_factory):
    pytest.importorskip("numba")
    folder = tmp_path_factory.mktemp("cache")
    # 1 - p at -3 loses no digit to speak of
    assert_allclose(run(folder), EXPECTED, rtol=1e-14)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "share"), [(".nbi", 0.5), (".nbc", 0.0)])
def test_cache_that_was_cut_off(suffix, share, full_cache, tmp_path):
    shutil.copytree(full_cache, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.rglob(f"*{suffix}"):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
    assert_allclose(run(tmp_path), EXPECTED, rtol=1e-14)


@pytest.mark.slow
def test_cache_that_cannot_be_written(tmp_path):
    pytest.importorskip("numba")
    (tmp_path / "file").write_text("not a folder")
    assert_allclose(run(tmp_path / "file" / "cache"), EXPECTED, rtol=1e-14)


@pytest.mark.slow
def test_disk_that_is_full(monkeypatch, fresh, is_as_numpy):
    caching = pytest.importorskip("numba.core.caching")

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", fails)
    monkeypatch.setattr(caching.IndexDataCacheFile, "load", lambda *_: None)
    assert caught(lambda: many(FocalLoss())) == []
    assert _compiled.is_ready()


@pytest.mark.slow
def test_switched_off_by_the_environment(tmp_path):
    pytest.importorskip("numba")
    assert_allclose(run(tmp_path, is_compiled=False, NUMBA_DISABLE_JIT="1"), EXPECTED, rtol=1e-14)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_cache_asks_for_the_text_of_the_formulas(tmp_path):
    pytest.importorskip("numba")
    package, folder = tmp_path / "package", tmp_path / "cache"
    shutil.copytree(PACKAGE, package / "focalboost", ignore=shutil.ignore_patterns("__pycache__"))
    assert_allclose(run(folder, package), EXPECTED, rtol=1e-14)
    # A formula that is another, in a file of the same date and size.
    path = package / "focalboost" / "losses" / "_formulas.py"
    text, date = path.read_text(), path.stat()
    gradient = "(1.0 - y) * slope0 - y * slope1"
    changed = text.replace(gradient, "3 * ((1 - y)*slope0 - y*slope1)")
    assert len(changed) == len(text)
    assert changed != text
    path.write_text(changed)
    os.utime(path, ns=(date.st_atime_ns, date.st_mtime_ns))
    # run compares the many samples, which are compiled, with the few
    assert_allclose(run(folder, package), 3 * EXPECTED, rtol=1e-14)


# Which losses are compiled.


@pytest.mark.parametrize("loss", zoo.LOSSES, ids=zoo.loss_id)
def test_who_gains_by_numba(loss):
    assert loss.kernel.has_compiled() == isinstance(loss, FocalLoss | SoftmaxFocalLoss)


@pytest.mark.parametrize("loss", [FocalLoss(), SoftmaxFocalLoss(3)], ids=zoo.loss_id)
def test_which_arrays_are_compiled(loss, monkeypatch):
    seen = []
    for name in ("fill", "softmax", "sum_of_losses", "softmax_loss"):
        monkeypatch.setattr(_compiled, name, lambda *_: seen.append(1))
    n = _kernels._COMPILED_FROM
    assert n == 200_000
    y, z = np.zeros(n), np.zeros(loss.kernel.classes.shape(n))
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    loss.gradient_curvature(y[1:], z[1:])
    loss(y[1:], z[1:])
    assert seen == []
    loss.gradient_curvature(y, z)
    loss(y, z)
    assert seen == [1, 1]
    # Where it is imported already, it is used for few as well.
    monkeypatch.setitem(sys.modules, "numba", object())
    loss.gradient_curvature(y[:1], z[:1])
    loss(y[:1], z[:1])
    assert seen == [1, 1, 1, 1]


class HalfOfFocalLoss(MarginLoss):
    """A subclass by the documented way."""

    def value(self, margin, positive):
        return FocalLoss().kernel.formula.value(margin, positive) / 2

    def slope_and_bend(self, margin, positive):
        slope, bend = FocalLoss().kernel.formula.slope_and_bend(margin, positive)
        return slope / 2, bend / 2


def _halved(right, z):
    return tuple(part / 2 for part in right(z))


@pytest.mark.parametrize(
    "loss",
    [HalfOfFocalLoss(), broken.in_kernel(FocalLoss(), "HalfOfFocalLoss", slopes_and_bends=_halved)],
    ids=["margin", "kernel"],
)
def test_subclass_has_its_own_formula_at_any_size(loss):
    y, z = np.ones(200_000), np.linspace(-3, 3, 200_000)
    many_g, many_h = loss.gradient_curvature(y, z)
    few_g, few_h = loss.gradient_curvature(y[:10], z[:10])
    assert_array_equal(many_g[:10], few_g)
    assert_array_equal(many_h[:10], few_h)
    # halves are exact
    assert_array_equal(few_g, FocalLoss().gradient(y[:10], z[:10]) / 2)
