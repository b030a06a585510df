"""The README's code runs and checks itself; the notebooks are what their scripts say."""

import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[1]


def test_readme_code_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    assert text[: text.index("```python")].count("\n") < 15
    for block in blocks:
        assert "assert" in block
        exec(compile(block, "README.md", "exec"), {})


def test_readme_links_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def notebooks(ext):
    return sorted((ROOT / "notebooks").glob(f"*.{ext}"))


def test_every_notebook_has_its_script():
    stems = [path.stem for path in notebooks("py")]
    assert {"quickstart", "focal_loss_explained"} <= {*stems}
    assert [path.stem for path in notebooks("ipynb")] == stems


@pytest.mark.parametrize("script", notebooks("py"), ids=lambda path: path.stem)
def test_notebook_is_made_from_its_script_and_has_no_output(script):
    # Made by: jupytext --update --to ipynb notebooks/*.py
    made, kept = jupytext.read(script), jupytext.read(script.with_suffix(".ipynb"))
    assert kept.metadata.kernelspec == made.metadata.kernelspec
    # Ids are drawn at random each time that a notebook is made.
    assert [{**cell, "id": None} for cell in kept.cells] == [
        {**cell, "id": None} for cell in made.cells
    ]
    for cell in kept.cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert any("assert " in cell.source for cell in kept.cells)
