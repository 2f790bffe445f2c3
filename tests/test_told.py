"""What of a corpus is not read, and which options do nothing to it: told in one line, with the cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v import cli
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import UsageError


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m/inner").mkdir(parents=True)
    pq.write_table(pa.table({"text": ["a b a b"] * 9}), "m/c.parquet")
    for name in ("m/1.txt", "m/inner/2.TXT"):
        Path(name).write_text("c d c d\n" * 9)
    return tmp_path


@pytest.mark.parametrize(("source", "n_texts"), [("m", 2), ("m/", 2), ("m/*", 2), ("m/**/*", 2), (["m"], 2)])
def test_read_corpus__says_what_text_it_leaves_out(mixed: Path, source: Any, n_texts: int) -> None:
    corpus = read_corpus(source, min_count=1)
    assert corpus.vocabulary.words == ["a", "b"]
    [note] = corpus.notes
    assert note.startswith(f"left out {n_texts} text file")
    assert "such as m/1.txt" in note


@pytest.mark.parametrize("source", ["m/c.parquet", "m/*.parquet", "m/*.txt", ["m/c.parquet", "m/1.txt"]])
def test_read_corpus__leaves_out_nothing_that_is_named(mixed: Path, source: Any) -> None:
    assert read_corpus(source, min_count=1).notes == ()


def test_vocab__says_it_on_stderr(mixed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["vocab", "m"])
    assert "left out 2 text files of m, such as m/1.txt" in capfd.readouterr().err


EVENTS = {
    "session_id": pa.array([1, 1, 2]),
    "item_id": pa.array([5, 6, 7]),
    "price": pa.array([1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (["session_id", "item_id"], {}, "give --group-by session_id --column item_id"),
        (
            ["item_id", "session_id"],
            {"column": "item_id"},
            "give --group-by session_id --column item_id, or cast",
        ),
        (["item_id", "n"], {}, "give --group-by NAME, the column that a sentence's rows share"),
        (["session_id"], {"group_by": "session_id"}, "beside 'session_id', there is no string or integer"),
        (["session_id", "price"], {"group_by": "session_id"}, "price: double is no string or integer"),
        (
            ["session_id", "item_id", "n"],
            {"group_by": "session_id"},
            "could each be a row's item; choose with",
        ),
        (["price"], {}, "cast it to string"),
    ],
)
def test_read_corpus__names_what_groups_rows(
    tmp_path: Path, columns: list[str], options: dict[str, Any], message: str
) -> None:
    path = tmp_path / "events.parquet"
    pq.write_table(pa.table({name: EVENTS.get(name, EVENTS["item_id"]) for name in columns}), path)
    with pytest.raises(UsageError) as caught:
        read_corpus(path, min_count=1, **options)
    assert message in str(caught.value)
    if columns == ["session_id", "item_id"] and not options:
        corpus = read_corpus(path, min_count=1, group_by="session_id", column="item_id")
        assert sorted(corpus.vocabulary.words) == ["5", "6", "7"]


IDLE: list[dict[str, Any]] = [
    {"ids": "words"},
    {"column": "words"},
    {"group_by": "session"},
    {"group_by": "text", "order_by": "time"},
]


@pytest.mark.parametrize("options", IDLE, ids=str)
@pytest.mark.parametrize("kind", ["text file", "packed", "rows", "tokens", "texts of Parquet"])
def test_read_corpus__refuses_options_that_do_nothing(
    tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    path = tmp_path / "c.txt"
    path.write_text("a b\n" * 3)
    pq.write_table(pa.table({"text": ["a b"] * 3}), tmp_path / "c.parquet")
    with pa.output_stream(tmp_path / "c.TXT.gz", compression="gzip") as stream:
        stream.write(b"a b\n" * 3)
    sources = {
        "text file": path,
        "packed": tmp_path / "c.TXT.gz",
        "rows": (row for row in ["a b"] * 3),
        "tokens": [["a", "b"]] * 3,
        "texts of Parquet": tmp_path / "c.parquet",
    }
    with pytest.raises(UsageError) as caught:
        read_corpus(sources[kind], min_count=1, **options)
    named = [
        name for name in options if name in str(caught.value) or name.replace("_", "-") in str(caught.value)
    ]
    assert named
    assert "\n" not in str(caught.value)


def test_read_corpus__ids_of_a_sum_of_vocabularies_are_words(tmp_path: Path) -> None:
    """Whose places are nobody's ids."""
    words, counts = ["x", "y"], np.array([2, 1])
    ids = (np.array([0, 1, 0]), np.array([0, 3]))
    assert read_corpus(ids, vocabulary=Vocabulary(words, counts)).ids.tolist() == [0, 1, 0]
    with pytest.raises(UsageError, match="none of its 3 words is in the given vocabulary"):
        read_corpus(ids, vocabulary=Vocabulary(words, counts, is_sum=True))
