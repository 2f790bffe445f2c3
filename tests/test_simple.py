"""`--tokenize simple`: the tokens of gensim's simple_preprocess, by a plain twin and by gensim itself."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.corpus.arrow.layouts import as_strings
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.words.simple import simple, simple_tokens
from fastw2v.errors import CorpusError
from tests.naive import Row, naive_corpus
from tests.parquet import as_plain, error_of

# Letters of every width, those whose lower case is longer, shorter, two, or hangs on neighbours; digits.
LETTERS = "abcZ_09 .,'éÉ́ßẞΣσςİıǅ٣५²½Ⅷⓐ中文字🎉𐐀ÅKȺȾﬁ-\n\t"
texts = st.lists(st.text(st.one_of(st.sampled_from(LETTERS), st.characters(exclude_categories=["Cs"]))))


def tokens_of(rows: list[str]) -> list[list[str]]:
    """What the kernel makes of texts."""
    made = simple(as_strings(pa.array(rows, pa.large_string())))
    parts = [
        bytes(made.data[start:stop]) for start, stop in zip(made.offsets, made.offsets[1:], strict=False)
    ]
    return [part.decode().split() for part in parts]


@given(texts)
def test_simple__is_its_plain_twin(rows: list[str]) -> None:
    assert tokens_of(rows) == [simple_tokens(row) for row in rows]


@pytest.mark.slow
def test_simple__is_its_plain_twin_for_every_character() -> None:
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    rows = [f"a{chr(code)}b{chr(code)}{chr(code)} {chr(code)}" for code in codes]
    assert tokens_of(rows) == [simple_tokens(row) for row in rows]


def test_simple__is_that_of_gensim() -> None:
    utils = pytest.importorskip("gensim.utils")
    generator = random.Random(0)
    rows = ["".join(generator.choices(LETTERS, k=generator.randrange(60))) for _ in range(3000)]
    rows += ["Don't stop_me _now 2nd 3.5 MP3s", "a" * 15 + " " + "b" * 16, "ΟΔΟΣ Σ ΣΑΣ. İstanbul"]
    assert tokens_of(rows) == [utils.simple_preprocess(row) for row in rows]


ROWS: list[Row] = ["The cat, the CAT; Élan!", None, "", "ΟΔΟΣ x a-b2c", "_no no"]


@pytest.mark.parametrize("threads", [1, 3])
def test_read_corpus__simple_tokens_of_texts(tmp_path: Path, threads: int) -> None:
    pq.write_table(pa.table({"text": ROWS * 50}), tmp_path / "c.parquet", row_group_size=7)
    plain: list[Row] = [row if row is None else list(simple_tokens(str(row))) for row in ROWS * 50]
    actual = read_corpus(tmp_path / "c.parquet", min_count=1, tokenize="simple", threads=threads)
    assert as_plain(actual) == naive_corpus(plain)
    stopped = read_corpus(tmp_path / "c.parquet", min_count=1, tokenize="simple", stop_words={"The", "ΟΔΟΣ"})
    assert stopped.vocabulary.words == ["cat", "élan", "no"]


def test_read_corpus__simple_names_a_word_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes(b"Good words\nand (BAD\xff\xff!\n")
    assert error_of(CorpusError, path, min_count=1, tokenize="simple") == (
        rf"{path}: line 2: the word b'bad\xff\xff' is not UTF-8; convert the file to UTF-8"
    )
    assert read_corpus(path, min_count=1, tokenize="simple", errors="ignore").vocabulary.words == [
        *("good", "words", "and", "bad")
    ]
