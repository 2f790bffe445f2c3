"""`fastw2v evaluate`: tables and JSON of real files."""

from __future__ import annotations

import itertools
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v import cli
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings

PAIRS = [(f"w{i}", f"w{j}") for i, j in itertools.combinations(range(8), 2)]


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """a.bin, b.txt: 60 words, in a with a common offset from w0..w19 to w20..w39; pairs, questions."""
    monkeypatch.chdir(tmp_path)
    words, vectors = [f"w{i}" for i in range(60)], rng.normal(size=(60, 12))
    vectors[20:40] = vectors[:20] + 2 * rng.normal(size=12) + 0.8 * rng.normal(size=(20, 12))
    formats.save(Path("a.bin"), Embeddings(words, vectors.astype(np.float32)))
    formats.save(Path("b.txt"), Embeddings(words, rng.normal(size=(60, 12)).astype(np.float32)))
    lines = [f"{first}\t{second}\t{rng.integers(10)}" for first, second in PAIRS]
    Path("pairs.txt").write_text("\n".join([*lines, "w0\tabsent\t3"]) + "\n")
    questions = [
        f"{': ' + name}\n"
        + "\n".join(f"w{i} w{i + 20} w{j} w{j + 20}" for i, j in itertools.permutations(part, 2))
        for name, part in (("low", range(8)), ("high", range(12, 18)))
    ]
    Path("questions.txt").write_text("\n".join([*questions, "w0 w20 w1 absent", "w0 w20 w50 w51"]) + "\n")
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


def in_gensim(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        KeyedVectors = pytest.importorskip("gensim.models").KeyedVectors

        return KeyedVectors.load_word2vec_format(name, binary=True)


@pytest.mark.usefixtures("folder")
def test_evaluate__json_has_gensims_numbers(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["a.bin", "--similarity", "pairs.txt", "--analogy", "questions.txt", "--restrict-vocab", 45]
    code, out, err = run(capfd, "evaluate", *arguments, "--json")
    assert (code, err) == (0, "")
    [actual] = json.loads(out)
    assert (actual["vectors"], actual["words"], actual["dim"]) == ("a.bin", 60, 12)
    gensim = in_gensim("a.bin")
    _, expected, unknown_percent = gensim.evaluate_word_pairs("pairs.txt")
    similarity = actual["similarity"]["pairs.txt"]
    assert similarity["rho"] == pytest.approx(expected.statistic, abs=1e-4)
    assert (similarity["found"], similarity["pairs"]) == (28, 29)
    assert unknown_percent == pytest.approx(100 / 29)
    score, sections = gensim.evaluate_word_analogies("questions.txt", restrict_vocab=45)
    add = actual["analogy"]["questions.txt"]["add"]
    assert add["accuracy"] == pytest.approx(score, abs=1e-4)
    assert 0.2 < score < 0.95
    assert (add["asked"], add["questions"]) == (86, 88)
    assert [(s["section"], s["correct"]) for s in add["sections"]] == [
        (s["section"], len(s["correct"])) for s in sections[:-1]
    ]
    assert actual["analogy"]["questions.txt"]["mul"]["correct"] != add["correct"]


@pytest.mark.usefixtures("folder")
def test_evaluate__one_file_shows_its_sections(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "evaluate", "a.bin", "--similarity", "pairs.txt", "--analogy", "questions.txt")
    assert code == 0
    head, row, blank, section_head, low, high = out.splitlines()
    assert head.split("  ")[0] == "vectors"
    assert "pairs rho" in head
    assert "questions mul %" in head
    assert row.split()[0] == "a.bin"
    assert row.split()[2] == "28/29"
    assert row.split()[-1] == "87/88"
    assert blank == ""
    assert section_head.split() == ["questions", "add", "%", "mul", "%", "asked"]
    assert low.split()[0] == "low"
    assert low.split()[-1] == "56/56"
    assert high.split()[0] == "high"
    assert len({len(line) for line in (head, row)}) == 1


@pytest.mark.usefixtures("folder")
def test_evaluate__several_files_are_one_table(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "evaluate", "a.bin", "b.txt", "--analogy", "questions.txt")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["vectors", "a.bin", "b.txt"]
    a, b = (float(line.split()[1]) for line in out.splitlines()[1:])
    assert a > b


@pytest.mark.usefixtures("folder")
def test_evaluate__case_and_what_is_not_defined(capfd: pytest.CaptureFixture[str]) -> None:
    Path("upper.txt").write_text("W0 W1 3\nW2 W3 5\n")
    _, out, _ = run(capfd, "evaluate", "a.bin", "--similarity", "upper.txt", "--json")
    assert json.loads(out)[0]["similarity"]["upper.txt"]["found"] == 2
    arguments = ["evaluate", "a.bin", "--similarity", "upper.txt", "--case-sensitive"]
    assert json.loads(run(capfd, *arguments, "--json")[1])[0]["similarity"]["upper.txt"] == {
        "rho": None,
        "found": 0,
        "pairs": 2,
    }
    assert run(capfd, *arguments)[1].splitlines()[1].split() == ["a.bin", "-", "0/2"]


@pytest.mark.usefixtures("folder")
def test_evaluate__next_item_of_sequences(capfd: pytest.CaptureFixture[str]) -> None:
    """Sequences whose last item is nearest to the one before, one with an item of no vector."""
    nearest = {word: in_gensim("a.bin").most_similar(word, topn=1)[0][0] for word in ("w1", "w5", "w7")}
    rows = [["w3", word, near] for word, near in nearest.items()] + [["w1", "absent"]]
    pq.write_table(pa.table({"tokens": rows}), "sessions.parquet")
    code, out, _ = run(capfd, "evaluate", "a.bin", "--next-item", "sessions.parquet", "-k", "1")
    assert code == 0
    head = ["vectors", "hit@1", "ndcg@1", "mrr", "asked", "popular", "hit@1"]
    assert out.split()[:-1] == [*head, "a.bin", *["1.0000"] * 3, "3/4"]
    assert 0 <= float(out.split()[-1]) < 1
    _, out, _ = run(
        capfd, "evaluate", "a.bin", "--next-item", "sessions.parquet", "--outside", "b.txt", "--json"
    )
    assert json.loads(out)[0]["next_item"]["mrr"] < 0.9


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.bin"], 2, "nothing to judge by"),
        (["a.bin", "b.txt", "--outside", "b.txt", "--next-item", "x"], 2, "belongs to one file of vectors"),
        (["a.bin", "--similarity", "questions.txt"], 3, "questions.txt"),
        (["a.bin", "--similarity", "missing.txt"], 3, "missing.txt: cannot be read"),
        (["missing.bin", "--similarity", "pairs.txt"], 3, "missing.bin: cannot be read"),
        (["a.bin", "--analogy", "questions.txt", "--restrict-vocab", "-1"], 2, "--restrict-vocab is -1"),
        (["a.bin", "--next-item", "missing.parquet"], 3, "missing.parquet"),
    ],
)
def test_evaluate__what_cannot_be_done_is_one_line(
    capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    actual, out, err = run(capfd, "evaluate", *arguments)
    assert (actual, out) == (code, "")
    assert err.startswith("Error: ")
    assert message in err
    assert err.count("\n") == 1
