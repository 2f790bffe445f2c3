"""Formulas as MathML, made when the site is built: browsers show it without a script, a font or a network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def mathml(formula: str, display: str = "inline") -> str:
    """MathML of LaTeX; a name such as log stands apart from what it is of."""
    found = convert(formula, display=display)
    return re.sub(r"(<mi>(?:log|exp)</mi>)(?=<m[is])", r'\1<mspace width="0.167em" />', found)


def inline(writer: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula that stands alone; a wide one scrolls, by site.css."""
    writer.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
