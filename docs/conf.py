"""The documentation site: pages in MyST Markdown, references made of the code. `make docs` builds it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fastw2v.version import __version__

sys.path.insert(0, str(Path(__file__).parent))  # option_tables, mathml
project = "fastw2v"
release = __version__
copyright = "the fastw2v authors, MIT licence"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "mathml", "option_tables"]
html_math_renderer = "mathml"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"fastw2v {release}"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
smartquotes = False  # they turn --dim into –dim
autodoc_mock_imports = ["gensim"]


def keep_layout(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Show docstrings as they are written: after the first paragraph, names and meanings in columns."""
    end = lines.index("") if "" in lines else len(lines)
    rest = [f"   {line}".rstrip() for line in lines[end:]]
    if any(rest):
        lines[end:] = ["", ".. code-block:: text", "", *rest, ""]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", keep_layout)
