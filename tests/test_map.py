"""Maps: the plane worked by hand, a page that parses and draws, pictures that matplotlib reads back."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import cli
from fastw2v.errors import UsageError
from fastw2v.show import progress
from fastw2v.show.maps.page import write_page
from fastw2v.show.maps.picture import labelled, write_picture
from fastw2v.show.maps.projection import WordMap, lay_out
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings
from tests.pages import Elements

EVIL = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '"quoted"',
    "a&amp;b",
    "\\u003c",
    "$x_1$",
    "日本語",
    "@data@",
]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def groups(rng: np.random.Generator) -> Embeddings:
    """Sixty words around three directions that are 90 degrees apart, in ten dimensions."""
    centres = np.eye(10)[np.arange(60) % 3]
    vectors = (centres + 0.1 * rng.normal(size=(60, 10))) * rng.uniform(0.5, 5, (60, 1))
    words = [*EVIL, *(f"w{i}" for i in range(60 - len(EVIL)))]
    return Embeddings(words, vectors.astype(np.float32), counts=np.arange(60, 0, -1))


def spread(places: Any) -> tuple[float, float]:
    """Mean distance from the centre of one's own group, and between the centres of groups."""
    centres = np.stack([places[group::3].mean(axis=0) for group in range(3)])
    own = np.linalg.norm(places - centres[np.arange(len(places)) % 3], axis=1).mean()
    return float(own), float(np.linalg.norm(centres - np.roll(centres, 1, axis=0), axis=1).min())


# ---- The plane ---------------------------------------------------------------------------------------------


def test_lay_out__principal_components_by_hand() -> None:
    """Four words on a cross: the longer arm lies along x, all in the unit square."""
    angles = np.deg2rad([30, -30, 10, -10])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[3], [1], [2], [1]]
    word_map = lay_out(Embeddings(list("abcd"), vectors.astype(np.float32)), 10, "pca", 1)
    x, y = word_map.places.T
    assert x.tolist() == pytest.approx([1, 0, 0.5 + np.sin(np.pi / 18), 0.5 - np.sin(np.pi / 18)], abs=1e-6)
    assert y[0] == pytest.approx(y[1])
    assert abs(y[2] - y[0]) == pytest.approx(np.cos(np.pi / 18) - np.cos(np.pi / 6), abs=1e-6)
    assert word_map.neighbours.tolist() == [[2, 3, 1], [3, 2, 0], [0, 3, 1], [1, 2, 0]]
    assert word_map.cosines[0].tolist() == pytest.approx(np.cos(np.deg2rad([20, 40, 60])))


def test_lay_out__is_the_projection_with_the_greatest_variance(groups: Embeddings) -> None:
    unit = groups.center_vectors / np.linalg.norm(groups.center_vectors, axis=1, keepdims=True)
    values = np.sort(np.linalg.svd(unit - unit.mean(axis=0))[1])[::-1]
    centred = lay_out(groups, 60, "pca", 1).places
    centred = centred - centred.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    assert lengths[1] / lengths[0] == pytest.approx(values[1] / values[0], rel=1e-5)
    assert centred[:, 0] @ centred[:, 1] == pytest.approx(0, abs=1e-8)


COMPILES = [pytest.mark.slow, pytest.mark.timeout(900)]  # 24 s of processor time; on a busy machine minutes


@pytest.mark.parametrize("method", ["pca", "tsne", pytest.param("umap", marks=COMPILES)])
def test_lay_out__parts_groups(groups: Embeddings, method: Any) -> None:
    if method == "tsne":
        pytest.importorskip("sklearn.manifold")
    if method == "umap":
        pytest.importorskip("umap.umap_")
    word_map = lay_out(groups, 60, method, 1)
    own, between = spread(word_map.places)
    assert own < between / 3
    assert word_map.places.min() == pytest.approx(0)
    assert word_map.places.max() == pytest.approx(1)
    assert all((word_map.neighbours[i] % 3 == i % 3).all() for i in range(60))


@pytest.mark.parametrize(("n_words", "dim"), [(1, 1), (1, 5), (2, 1), (3, 2)])
def test_lay_out__of_hardly_any_words(n_words: int, dim: int) -> None:
    vectors = np.arange(n_words * dim, dtype=np.float32).reshape(n_words, dim)
    word_map = lay_out(Embeddings(list("abc")[:n_words], vectors), 100, "pca", 1)
    assert np.isfinite(word_map.places).all()
    assert word_map.neighbours.shape == (n_words, n_words - 1)


def test_lay_out__neighbours_do_not_depend_on_batches(
    groups: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lay_out(groups, 60, "pca", 1)
    monkeypatch.setattr("fastw2v.show.maps.projection.PLACES_AT_ONCE", 60 * 7)
    assert np.array_equal(lay_out(groups, 60, "pca", 1).neighbours, expected.neighbours)


def test_lay_out__refuses(groups: Embeddings) -> None:
    with pytest.raises(UsageError, match="0 words were asked for"):
        lay_out(groups, 0, "pca", 1)
    with pytest.raises(UsageError, match="use pca, tsne, umap"):
        lay_out(groups, 5, "lda", 1)  # type: ignore[arg-type]


# ---- The page ----------------------------------------------------------------------------------------------


class Page(Elements):
    """The elements of a page and the texts in them."""

    def __init__(self, text: str) -> None:
        self.texts: list[tuple[str, str]] = []
        super().__init__(text)

    def handle_data(self, data: str) -> None:
        self.texts.append((self.tags[-1] if self.tags else "", data))


@pytest.fixture
def page(tmp_path: Path, groups: Embeddings) -> Path:
    path = tmp_path / "map.html"
    write_page(path, lay_out(groups, 60, "pca", 1), "<b>title</b> @data@", "a & b")
    return path


def test_write_page__words_cannot_leave_the_data(page: Path, groups: Embeddings) -> None:
    parsed = Page(page.read_text(encoding="utf-8"))
    assert parsed.tags.count("script") == 2
    assert "b" not in parsed.tags
    [data] = [json.loads(text) for tag, text in parsed.texts if tag == "script" and text.startswith("{")]
    assert data["words"] == groups.words
    assert data["counts"] == list(range(60, 0, -1))
    assert len(data["x"]) == len(data["y"]) == len(data["near"]) == 60
    assert ("title", "<b>title</b> @data@") in parsed.texts


def test_write_page__needs_nothing_else(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = {name for name, _ in Page(text).attributes}
    assert not names & {"src", "href", "srcset", "action", "data", "onload", "onclick"}
    assert not re.search(r"https?:|//[a-z]+\.|import\s*\(|fetch\(|XMLHttp|innerHTML|eval\(", text)
    assert "default-src 'none'" in text


TRY = """<script>
search.value = "W1";
search.dispatchEvent(new Event("input"));
document.body.dataset.found = found.innerText.split(/\\s+/)[0];
const scale = view.scale, place = [screenX(9), screenY(9)].map(Math.round);
canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -1500, clientX: place[0], clientY: place[1] }));
document.body.dataset.zoomed = (view.scale / scale).toFixed(2);
document.body.dataset.moved = Math.hypot(screenX(9) - place[0], screenY(9) - place[1]).toFixed();
canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: screenX(9), clientY: screenY(9) }));
document.body.dataset.hovered = card.querySelector("h2").textContent;
</script>"""


def in_chromium(page: Path) -> str:
    """The page as it stands after its scripts, and TRY, have run, opened at the word w3."""
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", TRY + "</body>"), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,800"]
    command += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=2000", "--dump-dom"]
    done = subprocess.run([*command, f"{page.as_uri()}#w3"], capture_output=True, timeout=60, check=True)
    return done.stdout.decode()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_write_page__opens_finds_zooms_and_hovers_in_chromium(page: Path, groups: Embeddings) -> None:
    shown = Page(in_chromium(page))
    data = {name: value for name, value in shown.attributes if name.startswith("data-")}
    assert int(data["data-labels"] or 0) > 1
    assert data["data-found"] == "w1"
    assert data["data-zoomed"] == "9.49"  # e to the power of 2.25
    assert int(data["data-moved"] or 99) < 8  # what was under the pointer stays there, to a pixel before it
    assert data["data-hovered"] == groups.words[9]
    assert ("h2", groups.words[9]) in shown.texts
    assert shown.tags.count("script") == 3  # none of the words'


# ---- Pictures ----------------------------------------------------------------------------------------------


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.fixture
def vectors(tmp_path: Path, groups: Embeddings) -> Path:
    formats.save(tmp_path / "v.parquet", groups)
    return tmp_path / "v.parquet"


def test_map__png_is_read_back(vectors: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("matplotlib.image")
    output = tmp_path / "m.png"
    assert run(capfd, "map", vectors, "-o", output) == (0, "", f"wrote a map of 60 words to {output}\n")
    pixels = image.imread(output)
    assert pixels.shape[:2] == (1350, 1800)
    assert pixels[..., :3].std() > 0.01


def test_map__svg_has_the_words_escaped(
    vectors: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    output = tmp_path / "m.svg"
    assert run(capfd, "map", vectors, "-o", output, "-n", 20)[0] == 0
    texts = [
        "".join(node.itertext()).strip() for node in ET.parse(output).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert texts[-1] == "v.parquet"
    assert len(texts) > 5
    assert EVIL[0][:30] in texts
    before = output.read_bytes()
    run(capfd, "map", vectors, "-o", output, "-n", 20)
    assert output.read_bytes() == before


def test_write_picture__a_word_is_no_formula(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ["$x_1$", "$\\bad", "c"]
    word_map = lay_out(Embeddings(words, np.eye(3, dtype=np.float32)), 3, "pca", 1)
    write_picture(tmp_path / "m.svg", word_map, "$title$", "svg")
    text = (tmp_path / "m.svg").read_text(encoding="utf-8")
    assert all(f">{word}</text>" in text for word in [*words, "$title$"])


def test_labelled__labels_do_not_cover_one_another() -> None:
    places = np.array([[0, 0], [0.01, 0.001], [0.5, 0.5], [0.01, 0.2]])
    nothing = np.empty((4, 0))
    word_map = WordMap(["first", "covered", "far", "below"], None, places, nothing.astype(np.int64), nothing)
    assert labelled(word_map) == [0, 2, 3]


def test_map__page_from_the_command_line(
    vectors: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "m.html"
    assert run(capfd, "map", vectors, "-o", output, "-n", 7)[0] == 0
    assert "The 7 most frequent words, by principal components" in output.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "map.pdf"], 2, "'.pdf' names no kind of map; use .html, .png, .svg"),
        (["-o", "m.html", "-n", "0"], 2, "--number is 0: it must be at least 1"),
        (["-o", "no/m.html"], 5, "no/m.html: there is no folder"),
        ([], 2, "Missing option '-o'"),
    ],
)
def test_map__what_cannot_be_done_is_one_line(
    vectors: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    actual, out, err = run(capfd, "map", vectors, *arguments)
    assert (actual, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [vectors]


@pytest.mark.parametrize(
    ("library", "arguments", "message"),
    [
        ("matplotlib", ["-o", "m.png"], "m.png: a picture needs matplotlib; pip install 'fastw2v[map]'"),
        (
            "sklearn.manifold",
            ["-o", "m.html", "--method", "tsne"],
            "method tsne needs scikit-learn; pip install",
        ),
        ("umap", ["-o", "m.html", "--method", "umap"], "method umap needs umap-learn; pip install"),
    ],
)
def test_map__a_missing_library_is_one_line(
    vectors: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, library, None)
    code, _, err = run(capfd, "map", vectors, *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == [vectors]


# ---- Progress ----------------------------------------------------------------------------------------------


def test_lay_out__tells_what_it_does(groups: Embeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.show.maps.projection.PLACES_AT_ONCE", 60 * 20)
    told: list[str] = []
    lay_out(groups, 60, "pca", 1, on_progress=told.append)
    shares = [f"finding neighbours {share}" for share in ("  0.0%", " 33.3%", " 66.7%")]
    assert told == ["laying out 60 words", *shares]


@pytest.mark.parametrize("after", [0.0, 3600.0])
def test_map__shows_progress_where_it_takes_long(
    after: float,
    groups: Embeddings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One that is quick says nothing; one that is not, here for it waits until it is shown, does."""
    shown = threading.Event()
    update = progress.Display.update

    def seen(self: progress.Display, line: str, *, final: bool = False) -> None:
        update(self, line, final=final)
        shown.set()

    def slow(unit: Any, seed: int) -> Any:
        assert after or shown.wait(60)
        return np.array(unit[:, :2], np.float64)

    monkeypatch.setattr(progress, "WAITING_SECONDS", after)
    monkeypatch.setattr(progress.Display, "update", seen)
    monkeypatch.setattr("fastw2v.show.maps.projection._pca", slow)
    formats.save(tmp_path / "v.parquet", groups)
    with pytest.raises(SystemExit) as stop:
        cli.main(["map", str(tmp_path / "v.parquet"), "-o", str(tmp_path / "m.html")])
    said = capfd.readouterr().err
    assert stop.value.code == 0
    assert (re.search(r"^(reading v.parquet|laying out 60 words)  \d", said) is not None) is (not after)
    assert said.endswith(f"wrote a map of 60 words to {tmp_path / 'm.html'}\n")
