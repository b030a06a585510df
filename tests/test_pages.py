"""The code on the site's pages runs, page by page, and gives what the pages say."""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser
from threadpoolctl import threadpool_limits

DOCS = Path(__file__).parents[1] / "docs"
READER = Sybil(parsers=[PythonCodeBlockParser()], path=str(DOCS))
WITH_CODE = sorted(
    str(path.relative_to(DOCS))
    for path in DOCS.rglob("*.md")
    if "```python" in path.read_text(encoding="utf-8")
    # the gallery runs when the site is built, with which it is made
    and path.relative_to(DOCS).parts[0] not in {"gallery", "_build"}
)


@pytest.mark.parametrize("page", WITH_CODE)
def test_code_of_page_runs(page, tmp_path, monkeypatch):
    for booster in ("lightgbm", "xgboost", "catboost"):
        pytest.importorskip(booster)
    monkeypatch.chdir(tmp_path)  # pages write files
    examples = list(READER.parse(DOCS / page).examples())
    assert examples
    # More threads than free cores would wait for each other.
    with threadpool_limits(1):
        for example in examples:
            example.evaluate()
