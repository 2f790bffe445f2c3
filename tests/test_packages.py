"""What is in the wheel and in the sdist, and what both say of the package."""

from __future__ import annotations

import email
import subprocess
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from fastw2v.version import __version__

ROOT = Path(__file__).parent.parent
BUILD = pytest.importorskip("hatchling.build")
FOR_THE_HOUSE = {
    ".ci",
    ".github",
    "conda",
    ".gitignore",
    "SECURITY.md",
}  # of the repository, not of a release


def tracked() -> set[str]:
    """The files of the repository. Skips where there is none, as in an unpacked sdist."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git, or no repository")
    return {name for name in listed.split("\0") if name and (ROOT / name).exists()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist."""
    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        BUILD.build_wheel(str(folder))
        BUILD.build_sdist(str(folder))
    return folder


def metadata(built: Path) -> Message:
    with zipfile.ZipFile(built / f"fastw2v-{__version__}-py3-none-any.whl") as wheel:
        return email.message_from_bytes(wheel.read(f"fastw2v-{__version__}.dist-info/METADATA"))


@pytest.mark.slow
def test_wheel__has_the_package_and_nothing_beside(built: Path) -> None:
    with zipfile.ZipFile(built / f"fastw2v-{__version__}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
    package = {name for name in tracked() if name.startswith("fastw2v/")}
    assert {name for name in names if ".dist-info/" not in name} == package
    inner = {name.partition(".dist-info/")[2] for name in names - package}
    assert inner == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


@pytest.mark.slow
def test_sdist__has_all_that_builds_tests_and_explains_it(built: Path) -> None:
    with tarfile.open(built / f"fastw2v-{__version__}.tar.gz") as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = {name for name in tracked() if name.partition("/")[0] not in FOR_THE_HOUSE}
    assert names - {"PKG-INFO", ".gitignore", "SECURITY.md"} == expected
    assert {"tests/conftest.py", "bench/README.md", "docs/index.md", "corpora/demo.py", "Makefile"} <= names


@pytest.mark.slow
def test_metadata__names_the_project(built: Path) -> None:
    said = metadata(built)
    urls = dict(entry.split(", ", 1) for entry in said.get_all("Project-URL", []))
    assert set(urls) == {"Homepage", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith("https://") for url in urls.values())
    pythons = {
        entry.rpartition(" ")[2]
        for entry in said.get_all("Classifier", [])
        if entry.startswith("Programming Language :: Python :: 3.")
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    tried = next(line for line in makefile.splitlines() if line.startswith("PYTHONS ?= "))
    assert pythons == set(tried.partition("= ")[2].split())


def test_extras__need_no_gensim_where_it_has_no_wheel() -> None:
    """gensim has none for 3.14: without the marker pip builds it there, or takes one of 2013."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [need for needs in project["optional-dependencies"].values() for need in needs]
    assert {need for need in named if need.startswith("gensim")} == {"gensim>=4.4; python_version < '3.14'"}


@pytest.mark.parametrize("name", ["CITATION.cff", "conda/recipe.yaml"])
def test_files_beside__say_what_pyproject_says(name: str) -> None:
    path = ROOT / name
    if not path.exists():
        pytest.skip("the recipe is not in an sdist")
    text = path.read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["urls"]["Homepage"] in text
    if name == "CITATION.cff":
        assert f"\nversion: {__version__}\n" in text
    else:
        assert f'\n  version: "{__version__}"\n' in text
        assert f'\n  python_min: "{project["requires-python"].removeprefix(">=")}"\n' in text
        needed = [need.partition(";")[0].replace(">=", " >=") for need in project["dependencies"]]
        assert [need for need in needed if f"\n    - {need}\n" not in text] == []
