"""`--subwords` on the command line: trained, asked, taken away, gone on with, refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import fastw2v
from fastw2v import cli
from tests.parquet import write_texts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a small corpus of inflected words."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    stems = [["walk", "swim", "talk"], ["table", "chair", "shelf"]]
    rows = [
        " ".join(rng.choice(stems[i % 2]) + rng.choice(["", "s", "er"]) for _ in range(8)) for i in range(300)
    ]
    write_texts(tmp_path / "c.parquet", *rows)
    return tmp_path


TRAIN = ["train", "c.parquet", "--dim", "8", "--sample", "0", "--threads", "1", "--subwords", "3-6"]
TRAIN += ["--buckets", "500", "--kernel", "pair"]


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


def test_command__trains_writes_and_asks_unseen_words(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capfd, *TRAIN, "-o", "v.fasttext")
    assert code == 0, err
    assert "n-grams of 3-6 characters in 500 buckets: matrices of" in err
    vectors = fastw2v.load("v.fasttext")
    assert "swimmers" not in vectors
    out = run(capfd, "nearest", "v.fasttext", "swimmers", "-n", "3")[1]
    assert [line.split("\t")[0] for line in out.splitlines()] == ["swimmers"] * 3
    out = run(capfd, "similarity", "v.fasttext", "walkings", "walk")[1]
    assert float(out.split("\t")[2]) == pytest.approx(vectors.similarity("walkings", "walk"), abs=1e-4)
    Path("words.txt").write_text("swimmers\nwalk\n\nswimmers\n")
    code, _, err = run(capfd, "export", "v.fasttext", "w.npy", "--words", "words.txt")
    assert (code, "n-grams are" in err) == (0, False)
    chosen = fastw2v.load("w.npy")
    assert chosen.words == ["swimmers", "walk"]
    np.testing.assert_array_equal(chosen.center_vectors, vectors[["swimmers", "walk"]])
    assert chosen.counts is not None
    assert chosen.counts[0] == 0 < chosen.counts[1]
    code, _, err = run(capfd, "export", "v.fasttext", "plain.txt")
    assert "format text leaves n-grams out: with --format fasttext unseen words have vectors too" in err
    code, _, err = run(capfd, "export", "plain.txt", "x.npy", "--words", "words.txt")
    assert (code, err.strip()) == (2, "Error: 'swimmers' has no vector: it is not among the 18 words")


def test_command__goes_on_to_the_same_bytes(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = ["--epochs", "2", "--checkpoint", "kept", "--checkpoint-every", "2400 words"]
    assert run(capfd, *TRAIN, *whole, "-o", "a.fasttext")[0] == 0
    newest = max(Path("kept").glob("checkpoint-*"))
    shutil.rmtree(newest)  # the one before is amid the run
    assert run(capfd, "train", "--resume", "kept", "-o", "b.fasttext")[0] == 0
    assert Path("a.fasttext").read_bytes() == Path("b.fasttext").read_bytes()


def test_command__estimates_memory_and_disk(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = run(capfd, *TRAIN, "--dry-run", "--buckets", "2000000", "--format", "fasttext")[1]
    assert "128.0 MB of memory: (2 x 18 + 2,000,000 buckets) x 8 float32, padded" in out
    assert "about 64.0 MB of disk" in out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--format", "fasttext", "--normalize"], "holds what was trained as it is: leave --normalize out"),
        (["-o", "x.fasttext", "--vectors", "sum"], "leave --vectors sum out"),
        (["-o", "x.fasttext", "--escape"], "leave --escape out"),
        (["-o", "x.fasttext", "--float16"], "format fasttext holds no float16"),
        (["--save-outside", "u.fasttext"], "leave --vectors outside out"),
        (["--init-vectors", "v.txt"], "with --subwords those are made of n-grams"),
        (["--subwords", "6-3"], "--subwords is '6-3': it must be the lengths of n-grams"),
    ],
)
def test_command__refuses_before_reading(
    folder: Path, capfd: pytest.CaptureFixture[str], given: list[str], message: str
) -> None:
    Path("v.txt").write_text("2 8\na 1 2 3 4 5 6 7 8\nb 2 1 3 4 5 6 7 8\n")
    code, _, err = run(capfd, *TRAIN, *given)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not list(folder.glob("*vectors*"))


def test_command__refuses_fasttext_without_ngrams(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capfd, "train", "c.parquet", "-o", "v.fasttext")
    assert (code, "these are of whole words: train with --subwords 3-6" in err) == (2, True)


def test_command__says_that_few_words_train_in_one_thread(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = "words share nearly all n-grams: one thread trains them"
    assert line not in run(capfd, *TRAIN, "-o", "v.txt")[2]
    assert line in run(capfd, *TRAIN, "-o", "v.txt", "--threads", "2")[2]
