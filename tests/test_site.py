"""The documentation site, built once: what it shows needs no network, is not cut, and can be copied."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED = ("sphinx", "furo", "myst_parser", "sphinx_copybutton", "latex2mathml")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, with warnings as errors."""
    for name in NEEDED:
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_site__loads_nothing_from_elsewhere_and_shows_formulas(site: Path) -> None:
    """Scripts, styles, fonts and pictures come with it; links may lead away."""
    away = re.compile(
        r"<(?:script|img|iframe)[^>]*src=\"(?:https?:)?//|<link[^>]*rel=\"stylesheet\"[^>]*href=\"(?:https?:)?//"
    )
    pages = sorted(site.glob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert not away.search(page.read_text("utf-8")), page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", style.read_text("utf-8")), style.name
    formulas = (site / "mathematics.html").read_text("utf-8")
    assert formulas.count("<math ") > 50
    assert formulas.count('<div class="formula"><math ') > 5
    assert "MathJax" not in formulas


@pytest.mark.slow
def test_site__has_a_copy_button_and_room_for_tables(site: Path) -> None:
    page = (site / "commands.html").read_text("utf-8")
    assert "copybutton.js" in page
    assert "site.css" in page
    assert "overflow-x: auto" in (site / "_static" / "site.css").read_text("utf-8")
