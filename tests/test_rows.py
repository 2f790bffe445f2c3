"""The row of each sentence: what of a source makes none is passed over."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.corpus.arrow import layouts
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import UsageError
from tests.naive import naive_tokens

ROWS = [["a", "b"], None, ["stop"], [], [None], ["b", None], ["stop", "a"], ["stop"]]
lists = st.none() | st.lists(st.none() | st.sampled_from(["a", "b", "stop"]), max_size=4)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(lists, max_size=60), threads=st.integers(1, 3), size=st.sampled_from([1, 3, 1000]))
def test_read_corpus__tells_the_row_of_each_sentence(
    rows: list[list[str | None] | None], threads: int, size: int
) -> None:
    rows = ROWS + rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layouts, "BATCH_ROWS", size)
        table = pa.table({"tokens": pa.array(rows, pa.list_(pa.string()))})
        corpus = read_corpus(table, threads=threads, min_count=1, stop_words={"stop"}, with_rows=True)
    kept = [set(naive_tokens(row)) - {"stop"} for row in rows]
    assert corpus.rows is not None
    assert corpus.rows.tolist() == [number for number, words in enumerate(kept) if words]
    assert (corpus.keys, corpus.n_rows) == (None, len(rows))
    assert len(corpus.rows) == len(corpus.offsets) - 1


def test_read_corpus__tells_rows_where_it_is_asked_to_and_of_no_phrases() -> None:
    assert read_corpus([["a", "b"]], min_count=1).rows is None
    with pytest.raises(UsageError, match="phrases have no rows of their own"):
        read_corpus([["a", "b"]], min_count=1, with_rows=True, phrases=1)
