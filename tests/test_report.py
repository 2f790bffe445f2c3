"""Reports: what is in the page, what is left out and why, words and settings that stay in their places."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import cli
from fastw2v.show.report import Curve, chart, charts, content_words, speeds, thinned, ticks
from fastw2v.show.run_log import read_log
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings
from tests.pages import Elements

EVIL = ["</td><script>alert(1)</script>", '"><img/src=x>', "a&amp;b", "@body@", "cosine", "日本語"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "dl", "dt", "dd", "bdi"),
    *(
        "table",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "b",
        "svg",
        "g",
        "path",
        "text",
        "polyline",
        "circle",
    ),
}


class Page(Elements):
    """The elements of a page, and the text in each."""

    def __init__(self, text: str) -> None:
        self.texts: list[str] = []
        super().__init__(text)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def value(self, name: str) -> str:
        """The text after a name."""
        return self.texts[self.texts.index(name) + 1]


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """v.parquet with hostile words among sixty, a log of its run, pairs and questions."""
    monkeypatch.chdir(tmp_path)
    words = [*(f"w{i}" for i in range(60 - len(EVIL))), *EVIL]
    formats.save(Path("v.parquet"), Embeddings(words, rng.normal(size=(60, 8)).astype(np.float32)))
    records = [
        {"event": "start", "settings": {"epochs": 2, "min_lr": 1e-6, "column": "<i>text"}},
        *({"event": "progress", **fields} for fields in progress()),
        {"event": "evaluation", "epochs": 1.0, "loss": 2.75},
        {"event": "end", "words": 4000, "train_seconds": 4.0, "mean_loss": 2.5},
    ]
    Path("run.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    Path("pairs.txt").write_text("w1 w2 3\nw3 w4 1\nw5 w6 2\nw5 absent 2\n")
    Path("questions.txt").write_text(": <u>family\nw1 w2 w3 w4\n")
    return tmp_path


def progress() -> list[dict[str, float]]:
    """A record near the start and one a second after it, at 1,000 words a second."""
    done = [(0.001, 4, 0.2, 9.0), (0.25, 1000, 1.0, 3.0), (0.5, 2000, 2.0, 2.5), (1.0, 4000, 4.0, 2.0)]
    return [
        {"share": share, "words": words, "seconds": seconds, "mean_loss": loss}
        for share, words, seconds, loss in done
    ]


def page_of(path: str) -> Page:
    return Page(Path(path).read_text(encoding="utf-8"))


ALL = ["--log", "run.jsonl", "--similarity", "pairs.txt", "--analogy", "questions.txt"]


@pytest.mark.usefixtures("folder")
def test_report__has_what_evaluate_and_nearest_and_the_log_say(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "report", "v.parquet", "-o", "r.html", *ALL, "--word", "w7", "-n", 3)
    assert (code, out, err) == (0, "", "wrote a report of 60 words to r.html\n")
    page = page_of("r.html")
    scores = json.loads(run(capfd, "evaluate", "v.parquet", *ALL[2:], "--json")[1])[0]
    assert page.value("pairs rho") == f"{scores['similarity']['pairs.txt']['rho']:.4f}"
    assert page.value("pairs found") == "3/4"
    assert page.value("questions asked") == "1/1"
    assert "<u>family" in page.texts
    for line in run(capfd, "nearest", "v.parquet", "w7", "-n", 3)[1].splitlines():
        _, near, cosine = line.split("\t")
        assert page.value(near) == f"{float(cosine):.3f}"
    assert [page.value(name) for name in ("Words", "Dimensions", "Time")] == ["60", "8", "0:04"]
    assert [page.value(name) for name in ("Words trained", "Words a second", "Mean loss")] == [
        "4,000",
        "1,000",
        "2.5000",
    ]
    assert (page.value("min-lr"), page.value("column")) == ("1e-06", "<i>text")
    assert {"2.75 after 1 passes", "2.5 after 1 passes", "1,000 after 2 passes"} <= set(page.texts)


@pytest.mark.usefixtures("folder")
def test_report__words_and_settings_stay_in_their_places(capfd: pytest.CaptureFixture[str]) -> None:
    Path("v.config.toml").write_text(
        'column = "</dd><script>1</script>"\nsource = ["<a>", "@title@"]\n"<s>" = 1\n'
    )
    asked = [argument for word in EVIL for argument in ("--word", word)]
    assert run(capfd, "report", "v.parquet", "-o", "r.html", *ALL, *asked, "-n", 59)[0] == 0
    text = Path("r.html").read_text(encoding="utf-8")
    page = Page(text)
    assert set(page.tags) == TAGS
    assert all(page.texts.count(word) >= len(EVIL) for word in EVIL)
    assert page.value("column") == "</dd><script>1</script>"
    assert page.value("source") == "<a>, @title@"
    assert page.value("<s>") == "1"
    assert "min-lr" not in page.texts  # the file goes before the log
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "onload", "onclick", "xmlns"}
    assert not re.search(r"https?:|url\(|@import", text)
    assert "default-src 'none'" in text


@pytest.mark.usefixtures("folder")
def test_report__says_why_parts_are_missing(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "report", "v.parquet", "-o", "r.html")[0] == 0
    page = page_of("r.html")
    assert page.value("Training") == "Left out: no log: train with --log-json FILE, give --log FILE."
    assert (
        page.value("Evaluation") == "Left out: nothing to judge by: give --similarity FILE or --analogy FILE."
    )
    assert (
        page.value("Settings") == "Left out: v.config.toml is not beside the vectors, and no log was given."
    )
    assert page.value("Neighbours") in {f"w{i}" for i in range(2, 6)}
    assert "svg" not in page.tags
    Path("v.config.toml").write_text("dim = ")
    assert run(capfd, "report", "v.parquet", "-o", "r.html")[0] == 0
    assert page_of("r.html").value("Settings").startswith("Left out: v.config.toml: is not TOML")


@pytest.mark.usefixtures("folder")
def test_report__of_runs_that_did_not_end(capfd: pytest.CaptureFixture[str]) -> None:
    start, *others, _ = Path("run.jsonl").read_text().splitlines(keepends=True)
    Path("cut.jsonl").write_text("".join([start, *others]) + '{"event": "prog')
    Path("failed.jsonl").write_text(start + json.dumps({"event": "error", "message": "<b>diverged"}) + "\n")
    for log, expected in [
        ("cut", "The log has no end: the run goes on, or was killed."),
        ("failed", "The run failed: <b>diverged"),
    ]:
        assert run(capfd, "report", "v.parquet", "-o", "r.html", "--log", f"{log}.jsonl")[0] == 0
        assert expected in page_of("r.html").texts
    assert "Loss a pair: nothing of it is in the log." in page_of("r.html").texts


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "v.parquet"], 2, "v.parquet: a report is a page; name it v.html"),
        (["-o", "no/r.html"], 5, "no/r.html: there is no folder"),
        (["-o", "r.html", "--word", "absent"], 2, "'absent' is not among the 60 words"),
        (["-o", "r.html", "-n", "0"], 2, "Error: --number is 0: it must be at least 1"),
        (["-o", "r.html", "--log", "none"], 2, "none: cannot be read"),
        (["-o", "r.html", "--log", "pairs.txt"], 2, "pairs.txt: is no log; give a file of train --log-json"),
        (["-o", "r.html", "--log", "half.jsonl"], 2, "half.jsonl: does not begin with the settings"),
        (["-o", "r.html", "--similarity", "none"], 3, "none: cannot be read"),
    ],
)
def test_report__what_cannot_be_done_is_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    Path("half.jsonl").write_text('{"event": "progress"}\n')
    before = Path("v.parquet").read_bytes()
    actual, out, err = run(capfd, "report", "v.parquet", *arguments)
    assert (actual, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert not Path("r.html").exists()
    assert Path("v.parquet").read_bytes() == before


def test_report__reads_the_log_that_train_writes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.txt").write_text("a b c d a c b\n" * 30)
    options = ["-q", "--dim", "4", "--threads", "1", "--epochs", "2", "--min-count", "1", "--holdout", "0.2"]
    options += ["--sample", "0"]
    assert run(capfd, "train", "c.txt", "-o", "v.txt", "--log-json", "run.jsonl", *options)[0] == 0
    assert run(capfd, "report", "v.txt", "-o", "r.html", "--log", "run.jsonl")[0] == 0
    page, last = page_of("r.html"), read_log(Path("run.jsonl"))[-1]
    assert page.value("Mean loss") == f"{last['mean_loss']:.4f}"
    assert page.value("From v.config.toml.") == "version"
    assert page.value("holdout") == "0.2"
    assert page.tags.count("polyline") == 3


# ---- Charts and words --------------------------------------------------------------------------------------


def test_charts__leave_out_the_first_hundredth_and_what_is_no_number() -> None:
    start = {"event": "start", "settings": {"epochs": "two"}}
    bad = [{"event": "progress", "share": 0.7, "mean_loss": value} for value in (None, math.inf, "<x>")]
    page = Page(charts([start, *({"event": "progress", **fields} for fields in progress()), *bad]))
    assert [text for text in page.texts if text.endswith("passes")] == [
        f"{value} after {passes} passes"
        for values in (("3", "2.5", "2"), ("1,000", "1,000", "1,000"))
        for value, passes in zip(values, ("0.25", "0.5", "1"), strict=True)
    ]


def test_speeds__of_each_second_and_none_of_a_short_last_one() -> None:
    records = [
        {"share": share, "words": words, "seconds": seconds}
        for share, words, seconds in [(0.2, 200, 1.0), (0.8, 800, 2.0), (0.9, 900, 4.0), (1.0, 1200, 4.1)]
    ]
    assert speeds(records) == [(0.2, 200.0), (0.8, 600.0), (1.0, pytest.approx(400 / 2.1))]
    assert speeds(records[-1:]) == [(1.0, pytest.approx(1200 / 4.1))]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.0, 15.0), [0, 5, 10, 15]),
        ((1.83, 2.08), [1.8, 1.85, 1.9, 1.95, 2.0, 2.05, 2.1]),
        ((0.0,), [0, 1e-9]),
        ((-3.0, 1.0), [-3, -2, -1, 0, 1]),
        ((2.0, 2.0 + 1e-12), [2.0, 2.5]),
    ],
)
def test_ticks__are_round_and_hold_all_values(values: tuple[float, ...], expected: list[float]) -> None:
    assert ticks(*values) == pytest.approx(expected)


def test_chart__places_lie_where_the_axes_say() -> None:
    page = Page(chart('"><t', [Curve("", [(0.0, 0.0), (5.0, 50.0), (10.0, 100.0)])]))
    centres = [value for name, value in page.attributes if name in ("cx", "cy")]
    assert centres == ["68.0", "186.0", "267.0", "98.0", "466.0", "10.0"]
    assert ("aria-label", '"><t') in page.attributes


def test_thinned__keeps_the_mean() -> None:
    places = [(float(i), float(i % 7)) for i in range(4800)]
    few = thinned(places)
    assert len(few) == 240
    assert np.mean(few, axis=0) == pytest.approx(np.mean(places, axis=0))
    assert thinned(places[:240]) == places[:240]


def test_content_words__are_spread_over_the_ranks() -> None:
    words = [f"w{i}" for i in range(100_000)]
    ranks = [int(word[1:]) for word in content_words(words, 5)]
    assert (ranks[0], ranks[-1]) == (100, 4999)
    assert np.diff(np.log(np.array(ranks) + 1)) == pytest.approx(np.log(4999 / 100) / 4, rel=0.03)
    assert content_words(["the", ",", "--", "tea"], 8) == ["the", "tea"]
    assert content_words(["!", "?"], 8) == []
    assert content_words([], 8) == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.usefixtures("folder")
def test_report__opens_in_chromium(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked = [argument for word in EVIL for argument in ("--word", word)]
    assert run(capfd, "report", "v.parquet", "-o", "r.html", *ALL, *asked)[0] == 0
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=1000"]
    command += [f"--user-data-dir={folder / 'profile'}", "--dump-dom", (folder / "r.html").as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    shown = Page(done.stdout.decode())
    assert set(shown.tags) - {"tbody"} == TAGS
    assert set(EVIL) <= set(shown.texts)
