"""The site: what Sphinx reads. Built by ``sphinx-build -W --keep-going -n docs docs/_build/html``.

With ``-t online`` the names of other libraries link to their sites, which takes the network.
"""

import ast
import importlib
import os
import pkgutil
import re
import shutil
from importlib.metadata import version as installed
from pathlib import Path

from sphinx.util.logging import getLogger

import focalboost

logger = getLogger(__name__)
# What runs while the site is built: more threads than free cores would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
# What the repository holds elsewhere, and the site shows as pages: laid beside the pages as it
# lies in the repository, so that its relative links hold.
GALLERY = ROOT / "docs" / "gallery"

project = "focalboost"
author = project_copyright = "The focalboost developers"
release = version = installed("focalboost")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]

# Reference: a page for each name in ``__all__``, from its docstring.
default_role = "autolink"
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # the docstrings have them
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the pages have them in full
nitpick_ignore_regex = [
    # What docstrings name of other libraries, and of the modules that are not public.
    ("py:.*", r"(catboost|dask|lightgbm|numpy|onnx|pandas|scipy|shap|sklearn|xgboost)\b.*"),
]

# Guides, notebooks and examples.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_excludepatterns = ["gallery/notebooks/dense_detection.ipynb"]  # takes minutes
nb_merge_streams = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = "focalboost"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"mathematics": []}  # it has no pages below it
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "github_url": "https://github.com/focalboost/focalboost",
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
linkcheck_timeout = 30
# Publishers that answer 403 to programs.
linkcheck_ignore = [r"https://doi\.org/.*"]

if tags.has("online"):  # noqa: F821
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "lightgbm": ("https://lightgbm.readthedocs.io/en/stable", None),
        "xgboost": ("https://xgboost.readthedocs.io/en/stable", None),
    }

# Examples that the site shows without running them: they take minutes, draw what the repository
# holds already, or need Ray or Spark. The others run when the site is built.
NOT_RUN = {"dense_detection", "figures", "quickstart", "ray_train", "spark", "tuning"}

HEADER = """\
---
file_format: mystnb
kernelspec:
  name: python3
---
"""
EXAMPLE = """\
# {title}

{description}
{output}
## The script

{{download}}`{name} <{name}>`

```{{literalinclude}} {name}
:language: python
```
"""
OUTPUT = """
## What it prints

```{{code-cell}} ipython3
:tags: [remove-input]
import subprocess, sys

run = subprocess.run([sys.executable, "{name}"], capture_output=True, text=True)
assert run.returncode == 0, run.stderr
print(run.stdout)
```
"""


def page_of(script):
    """Return the page of an example: its docstring, its figure, what it prints, and its source."""
    title, _, text = ast.get_docstring(ast.parse(script.read_text("utf-8"))).partition("\n")
    description = text.strip("\n") + "\n"
    if script.with_suffix(".png").exists():
        description += f"\n![What it draws]({script.stem}.png)\n"
    is_run = script.stem not in NOT_RUN
    page = EXAMPLE.format(
        title=title.rstrip("."),
        description=description,
        output=OUTPUT.format(name=script.name) if is_run else "",
        name=script.name,
    )
    return HEADER + page if is_run else page


def write(path, text):
    """Write a page where it changed, so that Sphinx does not run it again."""
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def fill_gallery(app):
    """Lay notebooks, examples and results among the pages."""
    for pattern in ("examples/**/*.p[yn]*", "notebooks/*.ipynb", "benchmarks/*.md"):
        for source in ROOT.glob(pattern):
            target = GALLERY / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)  # with its date, by which Sphinx knows what changed
            if source.suffix == ".py":
                write(target.with_suffix(".md"), page_of(source))


def link_to_gallery(app, docname, content):
    """Turn links to files of the repository, which lead there too, into links to their pages."""
    if docname.startswith("gallery/"):
        return
    up = "../" * docname.count("/")
    content[0] = re.sub(
        r"(?<=\]\()(?:\.\./)+((?:benchmarks|examples|notebooks)/[^)#]+?)(?:\.py)?(?=[)#])",
        lambda match: f"{up}gallery/{match[1]}" + (".md" if match[0].endswith(".py") else ""),
        content[0],
    )


def check_every_name_has_its_page(app, env):
    """Warn of a name in ``__all__`` of a public module that no page documents."""
    documented = env.domains["py"].objects
    for module in pkgutil.walk_packages(focalboost.__path__, "focalboost."):
        package = importlib.import_module(module.name) if module.ispkg else None
        for name in getattr(package, "__all__", []):
            if f"{module.name}.{name}" in documented:
                continue
            if f"focalboost.{name}" not in documented or name not in focalboost.__all__:
                logger.warning("%s.%s has no page", module.name, name)
    for name in focalboost.__all__:
        if f"focalboost.{name}" not in documented:
            logger.warning("focalboost.%s has no page", name)


def setup(app):
    app.connect("builder-inited", fill_gallery, priority=100)
    app.connect("source-read", link_to_gallery)
    app.connect("env-check-consistency", check_every_name_has_its_page)
