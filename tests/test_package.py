"""What the package shows, and which way its modules depend on each other."""

import ast
import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from registry import BACKENDS, LOSSES, SOFTMAX_LOSSES

import focalboost
import focalboost.catboost
import focalboost.displays
import focalboost.doctor
import focalboost.estimator
import focalboost.lightgbm
import focalboost.losses
import focalboost.multiclass
import focalboost.schedules
import focalboost.xgboost

PACKAGE = Path(focalboost.__file__).parent
BOOSTERS = ("lightgbm", "xgboost", "catboost")
PUBLIC = [
    focalboost.losses,
    focalboost.multiclass,
    focalboost.schedules,
    focalboost.estimator,
    focalboost.displays,
    focalboost.doctor,
    *(getattr(focalboost, name) for name in BOOSTERS),
]

# Data flow one way: each module may import those that come before it.
ORDER = [
    "_checks",
    "_formulas",
    "_softmax",
    "_compiled",
    "_binary",
    "losses",
    "multiclass",
    "schedules",
    "displays",
    "_tables",
    "_contract",
    "doctor",
    *BOOSTERS,
    "estimator",
]


def imported_by(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_all_is_what_the_module_defines(module):
    # CatBoost shows the metric's class in its history, so that the class has a public name.
    # FocalClassifier pickles the metric that it stopped on.
    hidden = {"MeanLoss", "LogLoss"}
    defined = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and name not in hidden
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    }
    assert sorted(module.__all__) == module.__all__ == sorted(defined)
    for name in module.__all__:
        assert inspect.getdoc(getattr(module, name)).count(">>>") >= 1


def test_all_of_the_package_is_there():
    # All but the adapters' names, which are the same three times.
    modules = [module for module in PUBLIC if module.__name__.partition(".")[2] not in BOOSTERS]
    assert focalboost.__all__ == sorted(name for module in modules for name in module.__all__)
    for name in focalboost.__all__:
        assert callable(getattr(focalboost, name))
    with pytest.raises(AttributeError, match="no attribute 'focal'"):
        _ = focalboost.focal


@pytest.mark.parametrize("name", ORDER)
def test_modules_import_only_what_comes_before(name):
    later = ORDER[ORDER.index(name) + 1 :]
    mine = {*imported_by(PACKAGE / f"{name}.py")}
    assert not mine & {f"focalboost.{other}" for other in later}
    others = set(BOOSTERS) - {name}
    assert not {module.partition(".")[0] for module in mine if module} & others
    # An adapter knows the contract, not the loss.
    assert name not in BOOSTERS or "focalboost.losses" not in mine


def test_every_module_is_in_the_order():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {*ORDER, "__init__"}


def test_registry_is_complete():
    for module, listed in (
        (focalboost.losses, LOSSES),
        (focalboost.multiclass, SOFTMAX_LOSSES),
    ):
        assert {type(loss) for loss in listed} == {getattr(module, n) for n in module.__all__}
    assert {backend.name.partition("-")[0] for backend in BACKENDS} == set(BOOSTERS)


def test_adapters_have_the_same_names():
    for name in BOOSTERS:
        assert {"objective", "metric", "train"} <= set(getattr(focalboost, name).__all__)


@pytest.mark.parametrize("name", BOOSTERS)
def test_train_has_the_booster_s_signature(name):
    ours = inspect.signature(getattr(focalboost, name).train).parameters
    theirs = inspect.signature(sys.modules[name].train).parameters
    # What loss= stands in for, and what LightGBM dropped since its oldest release that we take.
    replaced = {"obj", "maximize", "feature_name", "categorical_feature", "feval"}
    assert [p for p in ours if p not in {"loss", "native"} | replaced] == [
        p for p in theirs if p not in replaced
    ]
    assert ours["loss"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(("module", "may_load"), [("", {}), (".displays", {"pandas", "sklearn"})])
def test_import_loads_no_booster(module, may_load):
    script = f"import sys, focalboost{module}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = {module.partition(".")[0] for module in out.stdout.split()}
    assert "focalboost" in loaded
    unwanted = {*BOOSTERS, "numba", "pandas", "matplotlib", "sklearn"}
    assert not loaded & unwanted.difference(may_load)


def function_of(module, call):
    names = {"__name__": module, "call": call}
    exec("def function(*args): call(*args)", names)
    return names["function"]


# conftest.py sees to it.
@pytest.mark.parametrize("category", [FutureWarning, DeprecationWarning, UserWarning])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_warnings_that_the_package_gives_or_provokes_are_errors(category, level):
    library = function_of("library.core", warnings.warn)
    ours = function_of("focalboost.losses", warnings.warn)
    provoking = function_of("focalboost.losses", library)
    for warns in (ours, provoking):
        with pytest.raises(category, match="to come"):
            warns("to come", category, level)
    if category is not UserWarning:
        library("to come", category, level)
        # one library's call of another, at our request
        function_of("focalboost.losses", function_of("other", library))("to come", category, 1)
