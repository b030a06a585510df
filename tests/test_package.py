"""What the package shows, and which way its modules depend on each other."""

import ast
import importlib
import importlib.metadata
import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from backends import BACKENDS
from zoo import LOSSES

import focalboost
import focalboost.estimator
import focalboost.inspection
import focalboost.losses

PACKAGE = Path(focalboost.__file__).parent
BOOSTERS = ("lightgbm", "xgboost", "catboost")
PUBLIC = [focalboost.losses, focalboost.estimator, focalboost.inspection]

# Data flow one way: each module may import those that come before it, and of the boosters' only
# those of its own folder.
LOSSES_ORDER = (
    "_types _checks _classes _formulas _softmax _softmax_blocks _blocks _compiled _kernels base "
    "margin focal variants robust calibrated schedules foreign records"
)
PORT_ORDER = "options cross_validation locks tracking objectives metrics port trees"
BOOSTER_ORDER = (
    "options data snapshots workers models trees objectives sealing refitting metrics training "
    "cross_validation classifier"
)
# What one booster alone has.
PARTICULAR = {"refitting", "sealing", "snapshots", "workers"}
ESTIMATOR_ORDER = "samples stopping tables weights calibration classifier own models"
INSPECTION_ORDER = "subjects causes checks doctor displays comparison comparison_display"
ORDER = [
    *(f"losses.{name}" for name in LOSSES_ORDER.split()),
    *(f"boosters.{name}" for name in PORT_ORDER.split()),
    *(f"{booster}.{name}" for booster in BOOSTERS for name in BOOSTER_ORDER.split()),
    *(f"estimator.{name}" for name in ESTIMATOR_ORDER.split()),
    *(f"dask.{name}" for name in ("training", "prediction")),
    *(f"onnx.{name}" for name in ("nodes", "posterior", "export", "pipelines")),
    *(f"inspection.{name}" for name in INSPECTION_ORDER.split()),
]

# What is in a pickle of a fitted FocalClassifier, of a loss or of an adapter's objects: these names
# must go on to load. docs/architecture.md has them too.
PERSISTED = [
    "boosters.objectives.Objective",
    "catboost.objectives.MeanLoss",
    "catboost.objectives.Objective",
    "estimator.calibration.Calibration",
    "estimator.classifier.FocalClassifier",
    "estimator.stopping.LogLoss",
    "estimator.weights.EffectiveNumber",
    "lightgbm.objectives.Metric",
    "losses.calibrated.CalibratedFocalLoss",
    "losses.focal.FocalLoss",
    "losses.focal.SoftmaxFocalLoss",
    "losses.foreign.ForeignLoss",
    "losses.foreign.PairLoss",
    "losses.robust.BrierLoss",
    "losses.robust.GeneralizedCrossEntropyLoss",
    "losses.robust.RobustFocalLoss",
    "losses.schedules.ExponentialGamma",
    "losses.schedules.LinearGamma",
    "losses.schedules.ScheduledLoss",
    "losses.variants.AsymmetricLoss",
    "losses.variants.FocalStarLoss",
    "losses.variants.ModulatedLoss",
    "losses.variants.PolyLoss",
    "losses.variants.VectorScalingLoss",
    "xgboost.objectives.Metric",
]


def imported_by(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def file_of(name):
    return PACKAGE / f"{name.replace('.', '/')}.py"


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_all_is_what_its_modules_define(module):
    folder = module.__name__.rpartition(".")[2]
    files = [name for name in ORDER if name.startswith(f"{folder}.")]
    shown = {
        name
        for file in files
        for name in getattr(importlib.import_module(f"focalboost.{file}"), "__all__", ())
        # what turns what people bring into a loss is for the adapters
        if not name.startswith("as_")
    }
    assert module.__all__ == sorted(shown)
    for name in shown - {"Loss", "Margin"}:
        assert inspect.getdoc(getattr(module, name)).count(">>>") >= 1, name


def test_all_of_the_package_is_there():
    assert sorted(focalboost.__all__) == sorted(
        name for module in PUBLIC for name in module.__all__
    )
    for name in focalboost.__all__:
        assert callable(getattr(focalboost, name))
        assert name in dir(focalboost)
    with pytest.raises(AttributeError, match="no attribute 'focal'"):
        _ = focalboost.focal


def test_version_is_that_of_the_distribution():
    assert focalboost.__version__ == importlib.metadata.version("focalboost")
    assert "__version__" in dir(focalboost)
    citation = (Path(__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {focalboost.__version__}\n" in citation


@pytest.mark.parametrize("name", ORDER)
def test_modules_import_only_what_comes_before(name):
    if not file_of(name).exists():
        pytest.skip("a booster that has no need of it")
    later = ORDER[ORDER.index(name) + 1 :]
    mine = {*imported_by(file_of(name))}
    assert not mine & {f"focalboost.{other}" for other in later}
    folder = name.partition(".")[0]
    # Dask is XGBoost's.
    others = set(BOOSTERS) - {folder, "xgboost" if folder == "dask" else folder}
    assert not {module.partition(".")[0] for module in mine if module} & others
    assert not {m for m in mine if m and m.startswith(tuple(f"focalboost.{o}." for o in others))}


def test_every_module_is_in_the_order():
    files = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
    }
    inits = {name for name in files if name.endswith("__init__")}
    assert files - inits <= {*ORDER}
    assert {name for name in ORDER if name.partition(".")[2] not in PARTICULAR} <= files


def test_boosters_folders_are_twins():
    for booster in BOOSTERS:
        files = {path.stem for path in (PACKAGE / booster).glob("*.py")}
        assert files - {"__init__", *PARTICULAR} == {*BOOSTER_ORDER.split()} - PARTICULAR


def test_zoo_is_complete():
    shown = [getattr(focalboost, name) for name in focalboost.losses.__all__]
    bases = {focalboost.Loss, focalboost.MarginLoss, focalboost.ScheduledLoss}
    public = {cls for cls in shown if issubclass(cls, focalboost.Loss)} - bases
    assert public <= {type(loss) for loss in LOSSES}
    assert {backend.library for backend in BACKENDS} == {*BOOSTERS}


def test_persisted_names_are_there_and_written_down():
    page = Path(__file__).parents[1] / "docs" / "architecture.md"
    text = page.read_text(encoding="utf-8")
    for name in PERSISTED:
        module, _, cls = name.rpartition(".")
        if module.partition(".")[0] in BOOSTERS:
            pytest.importorskip(module.partition(".")[0])
        found = getattr(importlib.import_module(f"focalboost.{module}"), cls)
        assert f"{found.__module__}.{found.__qualname__}" == f"focalboost.{name}"
        assert f"`focalboost.{name}`" in text, name
    of_losses = {name for name in PERSISTED if name.startswith("losses.")}
    defined = {f"{type(loss).__module__}.{type(loss).__qualname__}" for loss in LOSSES}
    ours = {name.partition(".")[2] for name in defined if name.startswith("focalboost.")}
    assert ours <= of_losses


def test_adapters_have_the_same_names():
    for name in BOOSTERS:
        pytest.importorskip(name)
        adapter = importlib.import_module(f"focalboost.{name}")
        assert {"objective", "metric", "train"} <= set(adapter.__all__)
        for shown in adapter.__all__:
            assert inspect.getdoc(getattr(adapter, shown)).count(">>>") >= 1


@pytest.mark.parametrize("name", BOOSTERS)
def test_train_has_the_booster_s_signature(name):
    theirs = inspect.signature(pytest.importorskip(name).train).parameters
    ours = inspect.signature(importlib.import_module(f"focalboost.{name}").train).parameters
    # What loss= stands in for, and what LightGBM dropped since its oldest release that we take.
    replaced = {"obj", "maximize", "feature_name", "categorical_feature", "feval"}
    assert [p for p in ours if p not in {"loss", "max_step", "native"} | replaced] == [
        p for p in theirs if p not in replaced
    ]
    assert ours["loss"].kind is ours["max_step"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(("module", "may_load"), [("", {}), (".inspection", {"pandas", "sklearn"})])
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
