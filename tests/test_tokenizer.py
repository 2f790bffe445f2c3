from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastw2v.corpus.ids import encoding
from fastw2v.corpus.ids.encoding import Encoder
from fastw2v.corpus.ids.segments import ROW_END
from fastw2v.corpus.ids.storage import SpillBuffer, new_pages
from fastw2v.corpus.vocabulary import ranked
from fastw2v.corpus.words import bytes as bytes_module
from fastw2v.corpus.words import counter as counter_module
from fastw2v.corpus.words import queue as queue_module
from fastw2v.corpus.words import table as table_module
from fastw2v.corpus.words.bytes import ALL_BITS
from fastw2v.corpus.words.counter import WordCounter, table_of
from fastw2v.corpus.words.queue import most_tokens
from fastw2v.corpus.words.strings import Lists, Strings, read_only
from fastw2v.corpus.words.table import COUNT, FIRST_SEEN, merge_tables, words_of
from fastw2v.errors import UsageError
from tests.naive import NaiveCorpus, Row, naive_corpus

WHITE_SPACE = [chr(i) for i in range(sys.maxunicode) if chr(i).isspace()]
LOOKALIKES = [
    *"\0\b\x0e\x1b!\x7f",
    *"\x86\x9f¡¢ᚁ᙭\u200b\u200c\u2027\u202a\u2030\u2058\u2060\u3001ぁ",
    "é",
    "я",
    "中",
    "🙂",
]
CHARACTERS = [*"abc", *WHITE_SPACE, *LOOKALIKES]
MASKS = [ALL_BITS, 0, 1, 0xF, 1 << 63]

texts = st.text(st.sampled_from(CHARACTERS), max_size=40) | st.text(max_size=20)
words = st.text(st.sampled_from("ab\0 é"), max_size=3) | st.text(
    st.sampled_from("ab"), min_size=6, max_size=20
)
text_rows: st.SearchStrategy[list[Row]] = st.lists(st.none() | texts, max_size=12)
list_rows: st.SearchStrategy[list[Row]] = st.lists(
    st.none() | st.lists(st.none() | words, max_size=8), max_size=12
)


@pytest.fixture
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that must grow for the second word."""
    monkeypatch.setattr(table_module, "FIRST_WORDS", 1)
    monkeypatch.setattr(table_module, "FIRST_BYTES", 1)


def bitmap(values: Sequence[object | None], first_bit: int) -> NDArray[np.uint8]:
    """Arrow's validity bitmap after first_bit other bits."""
    bits = np.array([True] * first_bit + [value is not None for value in values])
    return read_only(np.packbits(bits, bitorder="little"))


def as_strings(values: Sequence[str | bytes | None], before: bytes = b"", first_bit: int = 0) -> Strings:
    """Strings as a slice of an Arrow array: `before` are bytes and `first_bit` bits of others."""
    encoded = [value if isinstance(value, bytes) else (value or "").encode() for value in values]
    offsets = np.cumsum([len(before), *map(len, encoded)])
    data = np.frombuffer(bytearray(before + b"".join(encoded)), np.uint8)
    return Strings(read_only(data), read_only(offsets), bitmap(values, first_bit), first_bit)


def as_lists(values: Sequence[list[str | None] | None], first_bit: int = 0) -> Lists:
    """Lists as a slice of an Arrow array."""
    offsets = np.cumsum([0, *(len(value or []) for value in values)])
    items = [item for value in values for item in value or []]
    return Lists(read_only(offsets), bitmap(values, first_bit), first_bit, as_strings(items, b"", first_bit))


def as_batch(rows: Sequence[Row]) -> Strings | Lists:
    """Rows of texts or of lists."""
    if any(isinstance(row, list) for row in rows):
        return as_lists(rows, first_bit=3)  # type: ignore[arg-type]
    return as_strings(rows, b"a b", first_bit=3)  # type: ignore[arg-type]


def read_rows(
    batches: list[list[Row]], n_workers: int = 1, hash_mask: int = ALL_BITS, block_ids: int = 1 << 10
) -> NaiveCorpus:
    """What `read_corpus` does with rows in batches; the last worker gets the first one."""
    spill = SpillBuffer()
    counters = [
        WordCounter(worker, spill=spill, hash_mask=hash_mask, block_ids=block_ids)
        for worker in range(n_workers)
    ]
    parts = [as_batch(rows) for rows in batches]
    keys = np.cumsum([0, *map(most_tokens, parts)])
    for ordinal, part in enumerate(parts):
        counters[-1 - ordinal % n_workers].read(part, ordinal, int(keys[ordinal]))
    merged, entries = merge_tables([counter.table for counter in counters])
    records = merged.records[: merged.n_words[0]]
    order = ranked(records[:, COUNT], records[:, FIRST_SEEN], 1, None)
    final = np.empty(len(records), np.int32)
    final[order] = np.arange(len(order))
    segments = [segment for counter in counters for segment in counter.segments]
    n_words = int(records[:, COUNT].sum())
    final_ids = [counter.final_ids(final[own]) for counter, own in zip(counters, entries, strict=True)]
    ids, offsets = Encoder(segments, final_ids, spill, n_workers).stored(sys.maxsize)
    assert sum(counter.n_tokens for counter in counters) == n_words
    return NaiveCorpus(
        ids=ids.tolist(),
        offsets=offsets.tolist(),
        words=words_of(merged, order),
        counts=records[order, COUNT].tolist(),
        n_words_read=n_words,
        n_rows=sum(map(len, batches)),
        n_null=sum(counter.n_null for counter in counters),
    )


def tokens_of(*rows: str | bytes) -> list[list[bytes]]:
    """The tokens of each row, as bytes."""
    counter = WordCounter()
    batch = as_strings(rows)
    counter.read(batch)
    arena, ends = counter.table.arena.tobytes(), counter.table.ends
    found: list[list[bytes]] = [[]]
    for segment in counter.segments:
        for entry in segment.ids:
            if entry == ROW_END:
                found.append([])
            else:
                found[-1].append(arena[ends[entry] : ends[entry + 1]])
    return found[:-1]


def in_batches(rows: list[Row], n_batches: int) -> list[list[Row]]:
    """Consecutive rows in n_batches batches, the last of which may be empty."""
    size = -(-len(rows) // n_batches)
    return [rows[i * size : (i + 1) * size] for i in range(n_batches)]


def test_read__splits_every_character_as_python_does() -> None:
    codes = [*range(0xD800), *range(0xE000, 0x10000), *range(0x10000, sys.maxunicode + 1, 61)]
    characters = [chr(code) for code in codes]
    rows = [f"a{character}b" for character in characters]
    counter = WordCounter()
    counter.read(as_strings(rows))
    ids = np.concatenate([segment.ids for segment in counter.segments])
    ends = np.flatnonzero(ids == ROW_END)
    actual = np.diff(ends, prepend=-1) - 1
    expected = np.array([len(row.split()) for row in rows])
    different = [characters[i] for i in np.flatnonzero(actual != expected)]
    assert different == []


@pytest.mark.parametrize("character", [*WHITE_SPACE, *LOOKALIKES])
def test_read__white_space_at_any_place_of_a_word(character: str) -> None:
    places = [*range(18), *range(59, 70), *range(125, 129)]  # about the ends of what is looked at together
    rows = ["x" * before + character + "y" * after for before in places for after in (0, 1, 9, 60)]
    expected = [[token.encode() for token in row.split()] for row in rows]
    assert tokens_of(*rows) == expected


@pytest.mark.parametrize("n_bytes", [0, 1, 7, 63, 64, 65, 127, 128, 129])
def test_read__rows_and_data_of_any_length(n_bytes: int) -> None:
    row = ("a " * n_bytes)[:n_bytes]
    token = "b" * n_bytes
    for rows in ([row], [token], [row, token, "", token, "c"]):
        assert tokens_of(*rows) == [[part.encode() for part in text.split()] for text in rows]


def test_read__white_space_cut_by_the_end_of_a_row_is_none() -> None:
    rows = [b"a\xe2\x80", b"\x80b", b"c\xc2", b"\xa0d", b"e\xe3", b"\x80\x80"]
    expected = [[row] for row in rows]
    assert tokens_of(*rows) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("small_tables")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=text_rows | list_rows,
    n_batches=st.integers(1, 4),
    n_workers=st.integers(1, 3),
    hash_mask=st.sampled_from(MASKS),
    block_ids=st.sampled_from([1, 2, 5, 1000]),
)
def test_read__equals_naive(
    rows: list[Row], n_batches: int, n_workers: int, hash_mask: int, block_ids: int
) -> None:
    expected = naive_corpus(rows)
    actual = read_rows(in_batches(rows, n_batches), n_workers, hash_mask, block_ids)
    assert actual == expected


@pytest.mark.parametrize("hash_mask", MASKS)
def test_read__a_weak_hash_changes_nothing(hash_mask: int, rng: np.random.Generator) -> None:
    rows: list[Row] = [" ".join(map(str, rng.geometric(0.01, 50))) for _ in range(40)]
    expected = naive_corpus(rows)
    assert len(expected.words) > 200
    assert read_rows(in_batches(rows, 3), 2, hash_mask) == expected


def test_read__many_words_in_many_blocks(rng: np.random.Generator) -> None:
    numbers = rng.integers(0, 10**12, 60_000)
    rows: list[Row] = [" ".join(map(str, part)) for part in np.split(numbers % 10 ** (numbers % 12), 60)]
    actual = read_rows(in_batches(rows, 5), n_workers=2)
    assert len(actual.words) > table_module.FIRST_WORDS
    assert actual == naive_corpus(rows)


@pytest.mark.parametrize("n_bytes", [7, 8, 9, 15, 16, 17, 1_000_003])
def test_read__words_that_differ_in_one_byte_only(n_bytes: int) -> None:
    places = sorted({0, 6, 7, 8, n_bytes // 2, n_bytes - 1} & set(range(n_bytes)))
    longest = ["a" * n_bytes, *("a" * i + "b" + "a" * (n_bytes - i - 1) for i in places)]
    rows: list[Row] = [" ".join(longest), longest[-1], "a" * (n_bytes - 1), "a" * (n_bytes + 1), longest[0]]
    expected = naive_corpus(rows)
    for hash_mask in (ALL_BITS, 0):
        assert read_rows([rows], hash_mask=hash_mask) == expected


def test_read__null_characters_are_bytes_like_others() -> None:
    rows: list[Row] = ["a a\0 a\0\0 \0 \0\0", "a\0 aaaaaaaa aaaaaaaa\0"]
    actual = read_rows([rows])
    assert actual == naive_corpus(rows)
    assert len(actual.words) == 7


def test_read__empty_items_are_words() -> None:
    rows: list[Row] = [["", "New York", ""], [], [""], None, [None, "New York"]]
    actual = read_rows([rows])
    assert actual == naive_corpus(rows)
    assert actual.words == ["", "New York"]


def test_read__nulls_may_have_bytes_or_items() -> None:
    texts = as_strings(["a", "hidden words", "b"])
    only_first_and_last = read_only(np.array([0b101], np.uint8))
    counter = WordCounter()
    counter.read(texts._replace(validity=only_first_and_last))
    items = as_strings(["a", "hidden", "hidden", "b", "hidden"])
    items = items._replace(validity=read_only(np.array([0b01111], np.uint8)))
    counter.read(Lists(read_only(np.array([0, 1, 3, 5])), only_first_and_last, 0, items), 1, 99)
    assert counter.n_null == 3
    assert words_of(counter.table, np.arange(counter.table.n_words[0])) == ["a", "b"]
    assert [segment.ids.tolist() for segment in counter.segments] == [[0, ROW_END, 1, ROW_END]] * 2


def test_read__no_rows() -> None:
    assert read_rows([[]]) == naive_corpus([])


# --- tables that outgrow their memory ---


def read_pruned(rows: list[Row], table_bytes: int, known: Sequence[str] = ()) -> WordCounter:
    """One worker's counter with little room for words, after rows in batches of five."""
    counter = WordCounter(table_bytes=table_bytes, known=table_of(known) if known else None, block_ids=7)
    key = 0
    for first in range(0, len(rows), 5):
        batch = as_batch(rows[first : first + 5])
        counter.read(batch, first, key)
        key += most_tokens(batch)
    return counter


def assert_consistent(counter: WordCounter, rows: list[Row]) -> None:
    """Ids say what counts say; counts lack no more than they are said to; no token is lost untold."""
    table = counter.table
    n_words = int(table.n_words[0])
    words = words_of(table, np.arange(n_words))
    counts = table.records[:n_words, COUNT].tolist()
    final_ids = counter.final_ids(np.arange(n_words, dtype=np.int32))
    ids, offsets = Encoder(counter.segments, [final_ids], SpillBuffer()).stored(sys.maxsize)
    assert np.bincount(ids, minlength=n_words).tolist() == counts
    expected = naive_corpus(rows)
    true = dict(zip(expected.words, expected.counts, strict=True))
    assert counter.n_tokens == expected.n_words_read == sum(counts) + counter.dropped.n_dropped_tokens
    for word, count in zip(words, counts, strict=True):
        assert true.get(word, 0) - counter.dropped.short_by <= count <= true.get(word, 0)
    assert all(true[word] <= counter.dropped.short_by for word in true.keys() - set(words))
    remaining = iter([token for row in rows for token in str(row).split()])
    assert all(words[i] in remaining for i in ids)  # a subsequence of the text
    assert offsets[-1] == len(ids)


@pytest.mark.usefixtures("small_tables")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(0, 60), max_size=300),
    table_bytes=st.sampled_from([0, 500, 1000, 3000]),
    row=st.integers(1, 40),
)
def test_read__drops_rare_words_where_the_table_is_full(
    numbers: list[int], table_bytes: int, row: int
) -> None:
    tokens = [f"{number * number:o}" for number in numbers]
    rows: list[Row] = [" ".join(tokens[first : first + row]) for first in range(0, len(tokens), row)]
    assert_consistent(read_pruned(rows, table_bytes), rows)


def test_read__keeps_frequent_words_where_the_table_is_full(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "FIRST_WORDS", 64)
    monkeypatch.setattr(table_module, "FIRST_BYTES", 1024)
    rows: list[Row] = [" ".join(map(str, rng.zipf(1.2, 200) % 10**6)) for _ in range(50)]
    counter = read_pruned(rows, table_module.bytes_of(table_module.new_table()) * 5)
    assert counter.dropped.n_dropped > 500
    assert counter.dropped.short_by < 200
    assert_consistent(counter, rows)
    again = read_pruned(rows, table_module.bytes_of(table_module.new_table()) * 5)
    assert again.dropped == counter.dropped
    words = words_of(counter.table, np.arange(counter.table.n_words[0]))
    frequent = naive_corpus(rows, min_count=counter.dropped.short_by + 1).words
    assert len(frequent) > 5
    assert set(frequent) <= set(words)
    assert len(words) < 1000


@pytest.mark.usefixtures("small_tables")
def test_read__never_drops_known_words() -> None:
    known = [f"known{i}" for i in range(20)]
    rows: list[Row] = [f"{word} a{i} b{i} known3" for i, word in enumerate(known * 3)]
    counter = read_pruned(rows, 0, known)
    assert counter.dropped.n_dropped > 10
    assert words_of(counter.table, np.arange(20)) == known
    assert counter.table.records[:20, COUNT].tolist() == [63 if i == 3 else 3 for i in range(20)]


def test_with_more_words__refuses_more_than_ids_can_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "FIRST_WORDS", 4)
    monkeypatch.setattr(table_module, "MAX_WORDS", 7)
    counter = WordCounter()
    counter.read(as_strings(["a b c d e f g h"]))
    with pytest.raises(UsageError, match="more than 8 distinct words, but word ids end at 7"):
        counter.read(as_strings(["i"]))


def test_new_pages__says_when_memory_ends() -> None:
    with pytest.raises(MemoryError, match="no 1,152,921,504,606,846,976 bytes"):
        new_pages(2**60, np.uint8)


def test_merge_tables__the_first_table_keeps_its_numbers() -> None:
    tables = [table_of(["b", "a", "long " * 5]), table_of(["c", "a"]), table_of(["d", "b", "c"])]
    merged, entries = merge_tables(tables)
    words = words_of(merged, np.arange(merged.n_words[0]))
    assert words == ["b", "a", "long " * 5, "c", "d"]
    assert [own.tolist() for own in entries] == [[0, 1, 2], [3, 1], [4, 0, 3]]


def test_merge_tables__grows_the_first_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "FIRST_WORDS", 1)
    monkeypatch.setattr(table_module, "FIRST_BYTES", 1)
    expected = [f"word number {i}" for i in range(100)]
    merged, _ = merge_tables([table_of(expected[:1]), table_of(expected[:60]), table_of(expected)])
    assert words_of(merged, np.arange(100)) == expected


def test_table_of__entries_are_places_and_nothing_is_counted() -> None:
    table = table_of(["the", "", "a b", "é"])
    assert words_of(table, np.arange(4)) == ["the", "", "a b", "é"]
    assert table.records[:4, COUNT].tolist() == [0, 0, 0, 0]


def test_words_of__names_the_word_that_is_not_utf_8() -> None:
    counter = WordCounter()
    counter.read(as_strings([b"good bad\xff\xfe good"]))
    assert words_of(counter.table, np.array([0])) == ["good"]
    with pytest.raises(UnicodeDecodeError) as caught:
        words_of(counter.table, np.array([0, 1]))
    assert caught.value.object == b"bad\xff\xfe"


def test_encode__gives_back_segments_and_leaves_out_words_and_empty_rows() -> None:
    counter = WordCounter(block_ids=2)
    counter.read(as_strings(["x x", "a x b", "", "x", "b a a"]))
    segments = list(counter.segments)
    ids, offsets = Encoder(segments, [[np.array([-1, 1, 0], np.int32)]], SpillBuffer(), 2).stored(sys.maxsize)
    assert segments == []
    assert ids.dtype == np.int32
    assert ids.tolist() == [1, 0, 0, 1, 1]
    assert offsets.dtype == np.int64
    assert offsets.tolist() == [0, 2, 5]


def kernels() -> Iterator[object]:
    for value in {
        **vars(bytes_module),
        **vars(table_module),
        **vars(queue_module),
        **vars(counter_module),
        **vars(encoding),
    }.values():
        if hasattr(value, "signatures"):
            yield value


def test_kernels__are_compiled_for_one_signature() -> None:
    rows: list[list[Row]] = [["a b", None], [["a", None]]]
    read_rows(rows, n_workers=2)
    compiled = {kernel.py_func.__name__: len(kernel.signatures) for kernel in kernels()}  # type: ignore[attr-defined]
    assert compiled["number_texts"] == 1
    assert compiled["number_lists"] == 1
    assert compiled["tally_segment"] == 1
    assert compiled["place_segment"] == 1
