"""The README's code runs and checks itself."""

import re
from pathlib import Path

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
