"""A corpus read by several processes is the one that a single process reads."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastw2v.corpus import fingerprint, workers
from fastw2v.corpus.arrow import layouts
from fastw2v.corpus.files import pieces
from fastw2v.corpus.ids.memory import Budget, Memory
from fastw2v.corpus.ids.storage import pages_of
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.words import counter
from fastw2v.corpus.words import table as table_module
from fastw2v.distributed import fingerprint as shared_print
from fastw2v.distributed.communicator import SingleProcess
from fastw2v.distributed.merging import merge_everywhere
from fastw2v.distributed.portions import LARGEST_PORTION, SharedCorpus, portion_ends, portion_tokens
from fastw2v.distributed.shards import read_shared_corpus, readers
from fastw2v.distributed.simulation import ThreadCommunicator, run_ranks
from fastw2v.errors import CorpusError, FastW2VError, UsageError
from fastw2v.model.arrays import UNIT
from fastw2v.training.checkpoint.manifest import fingerprints
from tests.naive import NaiveCorpus, Row
from tests.parquet import as_plain, error_of, write, write_texts

SIZES = [1, 2, 3, 5]
texts = st.text(st.sampled_from("ab É\t\u3000"), max_size=20)
items = st.text(st.sampled_from("ab É"), max_size=4)
text_rows: st.SearchStrategy[list[Row]] = st.lists(st.none() | texts, max_size=14)
list_rows: st.SearchStrategy[list[Row]] = st.lists(
    st.none() | st.lists(st.none() | items, max_size=6), max_size=14
)


def shared(n_ranks: int, source: Any, **options: Any) -> list[SharedCorpus]:
    """What each of n processes reads."""
    return run_ranks(n_ranks, lambda communicator: read_shared_corpus(source, communicator, **options))


def together(parts: list[SharedCorpus]) -> NaiveCorpus:
    """What the processes hold, portion after portion; what they must agree on is the same."""
    ids: list[int] = []
    offsets, taken = [0], [[0, 0] for _ in parts]
    for rank, n_tokens, n_sentences in parts[0].portions.tolist():
        corpus, (first_id, first) = parts[rank].corpus, taken[rank]
        taken[rank] = [first_id + n_tokens, first + n_sentences]
        ends = corpus.offsets[first : first + n_sentences + 1]
        assert (ends[0], ends[-1]) == (first_id, first_id + n_tokens)
        offsets += (ends[1:] - first_id + len(ids)).tolist()
        ids += corpus.ids[first_id : first_id + n_tokens].tolist()
    assert taken == [[len(part.corpus.ids), len(part.corpus.offsets) - 1] for part in parts]
    plain = [as_plain(part.corpus)._replace(ids=ids, offsets=offsets) for part in parts]
    assert all(other == plain[0] for other in plain)
    for part in parts:
        assert part.portions.tolist() == parts[0].portions.tolist()
        assert (part.portions[:, 1:] > 0).all()
        assert part.fingerprint == parts[0].fingerprint
        assert (part.corpus.dropped, part.corpus.notes) == (parts[0].corpus.dropped, parts[0].corpus.notes)
    return plain[0]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of about three rows of text, in batches of two."""
    monkeypatch.setattr(pieces, "SHARD_BYTES", 64)
    monkeypatch.setattr(layouts, "BATCH_ROWS", 2)


def mixed_rows() -> list[str | None]:
    """Texts of frequent and rare words in both cases, some empty, some null."""
    rng = np.random.default_rng(7)
    words = [f"Word{n}" if n % 3 else f"word{n}-that-is-longer-than-sixteen-bytes" for n in range(50)]
    rows = [" ".join(words[n % 50] for n in rng.geometric(0.1, k)) for k in rng.integers(0, 9, 60)]
    return [None if n % 13 == 5 else row.lower() if n % 4 else row for n, row in enumerate(rows)]


# ---- The same as one process -------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_shards")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=text_rows | list_rows,
    n_ranks=st.sampled_from(SIZES),
    threads=st.integers(1, 2),
    min_count=st.integers(0, 3),
    max_vocab=st.none() | st.integers(2, 4),
    lowercase=st.booleans(),
    group=st.integers(1, 14),
)
def test_read_shared_corpus__equals_read_corpus(
    rows: list[Row], n_ranks: int, group: int, tmp_path_factory: pytest.TempPathFactory, **options: Any
) -> None:
    is_list = any(isinstance(row, list) for row in rows)
    array = pa.array(rows, pa.list_(pa.string()) if is_list else pa.string())
    path = write(tmp_path_factory.mktemp("corpus") / "c.parquet", array, row_group_size=group)
    try:
        expected = as_plain(read_corpus(path, **options))
    except UsageError:
        message = error_of(UsageError, path, **options)
        assert messages(n_ranks, lambda c: read_shared_corpus(path, c, **options)) == [message] * n_ranks
    else:
        assert together(shared(n_ranks, path, **options)) == expected


def one_big_group(folder: Path) -> Any:
    return write(folder / "c.parquet", mixed_rows())


def many_groups(folder: Path) -> Any:
    return write(folder / "c.parquet", mixed_rows(), row_group_size=4)


def folder_of_files(folder: Path) -> Any:
    rows = mixed_rows()
    write(folder / "a.parquet", rows[:7], row_group_size=2)
    write(folder / "b.parquet", rows[7:8])
    write(folder / "c" / "d.parquet", rows[8:])
    return folder


def token_lists(folder: Path) -> Any:
    rows = [None if row is None else [*row.split(), None, ""] for row in mixed_rows()]
    return write(folder / "c.parquet", pa.array(rows, pa.large_list(pa.string())), row_group_size=17)


def text_files(folder: Path) -> Any:
    text = "\n".join(filter(None, mixed_rows()))
    (folder / "a.txt").write_text(text)
    (folder / "b.txt.gz").write_bytes(gzip.compress(text.upper().encode()))
    return [folder / "a.txt", write_texts(folder / "c.parquet", "one word more"), folder / "b.txt.gz"]


def folder_of_texts(folder: Path) -> Any:
    """Without suffixes, one of them packed: looked at by each process."""
    text = "\n".join(filter(None, mixed_rows()))
    (folder / "1").write_text(text)
    (folder / "2").write_bytes(gzip.compress(text.upper().encode()))
    return folder


def one_file_twice(folder: Path) -> Any:
    return [write(folder / "c.parquet", mixed_rows())] * 2


KINDS: list[Callable[[Path], Any]] = [
    one_big_group,
    many_groups,
    folder_of_files,
    token_lists,
    text_files,
    folder_of_texts,
    one_file_twice,
]
OPTIONS: list[dict[str, Any]] = [
    {"min_count": 2, "threads": 2},
    {"min_count": 1, "lowercase": True, "stop_words": frozenset(["WORD2", "word4"]), "max_vocab": 20},
    {"vocabulary": Vocabulary(["Word4", "absent", "word2", "Word2"], np.array([9, 3, 2, 1]))},
    {"vocabulary": Vocabulary(["word2", "word4", "absent"], np.zeros(3, np.int64)), "lowercase": True},
]


@pytest.mark.slow
@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "lists", "given", "counted"])
@pytest.mark.parametrize("make", KINDS)
def test_read_shared_corpus__does_not_depend_on_how_many_read(
    tmp_path: Path, make: Callable[[Path], Any], options: dict[str, Any]
) -> None:
    source = make(tmp_path)
    expected = as_plain(read_corpus(source, **options))
    parts = [shared(n_ranks, source, **options) for n_ranks in SIZES]
    assert [together(part) for part in parts] == [expected] * len(SIZES)
    assert len({part[0].fingerprint for part in parts}) == 1
    assert len({part[0].portions[:, 1:].tobytes() for part in parts}) == 1


@pytest.mark.usefixtures("small_shards")
def test_read_shared_corpus__every_process_reads_its_share(tmp_path: Path) -> None:
    for make in (one_big_group, many_groups):
        parts = shared(3, make(tmp_path))
        n_tokens = [len(part.corpus.ids) for part in parts]
        assert min(n_tokens) > 0.25 * sum(n_tokens)


def test_read_shared_corpus__more_processes_than_shards(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "c.parquet", "a b", "b a")
    parts = shared(3, path, min_count=1)
    assert together(parts).ids == [0, 1, 1, 0]
    assert [len(part.corpus.ids) for part in parts] == [4, 0, 0]
    assert [part.corpus.offsets.tolist() for part in parts] == [[0, 2, 4], [0], [0]]


def test_read_shared_corpus__places_in_a_given_vocabulary(tmp_path: Path, small_shards: None) -> None:
    rows = [[n % 5, 4 - n % 5] for n in range(40)]
    given = Vocabulary(list("abcde"), np.array([5, 4, 3, 2, 1]))
    path = write(tmp_path / "c.parquet", pa.array(rows, pa.list_(pa.int16())))
    parts = shared(3, path, vocabulary=given)
    assert together(parts).ids == [n for row in rows for n in row]
    path = write(tmp_path / "c.parquet", pa.array([*rows, [5]], pa.list_(pa.int16())))
    with pytest.raises(UsageError, match="id 5 is no place in the given vocabulary"):
        shared(3, path, vocabulary=given)


@pytest.mark.usefixtures("small_shards")
def test_read_shared_corpus__merges_tables_that_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "FIRST_WORDS", 4)
    monkeypatch.setattr(table_module, "FIRST_BYTES", 8)
    rows: list[Row] = [f"w{n} longer-than-sixteen-bytes-{n} w{n // 2}" for n in range(100)]
    path = write(tmp_path / "c.parquet", rows)
    expected = as_plain(read_corpus(path, min_count=1))
    for n_ranks in (2, 5):
        assert together(shared(n_ranks, path, min_count=1, threads=2)) == expected


# ---- Portions and fingerprints -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_tokens", "expected"),
    [(1, UNIT), (1024 * UNIT, UNIT), (1024 * (UNIT + 1), 2 * UNIT), (1 << 40, LARGEST_PORTION)],
)
def test_portion_tokens__is_whole_units_within_limits(n_tokens: int, expected: int) -> None:
    assert portion_tokens(n_tokens) == expected
    assert portion_tokens(n_tokens) % UNIT == 0


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    most=st.integers(1, 25),
    ends=st.sets(st.integers(1, 40)),
)
def test_portion_ends__are_as_late_as_they_may(lengths: list[int], most: int, ends: set[int]) -> None:
    offsets = np.cumsum([0, *lengths])
    shard_ends = offsets[sorted({min(end, len(lengths)) for end in ends} | {len(lengths)})]
    expected, size = [], 0
    for end, length in zip(offsets[1:].tolist(), lengths, strict=True):
        if size and size + length > most:
            expected.append(end - length)
            size = 0
        inside = [end - length + most * k for k in range(1, (length - 1) // most + 1)]
        expected += inside
        size = end - inside[-1] if inside else size + length
        if end in shard_ends:
            expected.append(end)
            size = 0
    assert portion_ends(offsets, shard_ends, most).tolist() == expected


@pytest.mark.parametrize("n_ranks", SIZES)
@pytest.mark.parametrize("ids_bytes", [0, 1 << 30])
def test_read_shared_corpus__cuts_a_giant_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_ranks: int, ids_bytes: int
) -> None:
    rows = ["a b", "b " * 3000, "a a b " * 5000, "b a " * 1000, "b"]
    path = write(tmp_path / "c.parquet", rows, row_group_size=2)
    monkeypatch.setattr(workers, "budget", lambda limit, threads, *_, **__: Budget(ids_bytes, 1 << 30))
    parts = shared(n_ranks, path)
    expected, actual = as_plain(read_corpus(path)), together(parts)
    assert actual.ids == expected.ids
    assert set(expected.offsets) < set(actual.offsets)
    sizes = [3002, UNIT, UNIT, UNIT, 15_000 - 3 * UNIT, 2000, 1]
    assert parts[0].portions[:, 1].tolist() == sizes
    assert (pages_of(parts[0].corpus.ids) is None) == (ids_bytes > 0)


def test_fingerprint__tells_corpora_apart(tmp_path: Path) -> None:
    corpora = [
        ["a b a b", "b c"],
        ["a b b a", "b c"],  # a token
        ["a b a", "b b c"],  # the end of a sentence
        ["a b a b", "b c rare"],  # a word that is left out
        ["a b a b", "b c", ""],
    ]
    prints = []
    for rows in corpora:
        path = write(tmp_path / "c.parquet", rows)
        vocabulary = Vocabulary(["a", "b", "c"], np.array([3, 2, 1]))
        prints.append([shared(n, path, vocabulary=vocabulary)[0].fingerprint for n in (1, 2)])
    assert [one == two for one, two in prints] == [True] * 5
    assert [prints[0] == other for other in prints] == [True, False, False, False, True]
    assert len(bytes.fromhex(prints[0][0])) == 32


# ---- Shards ------------------------------------------------------------------------------------------------


@given(sizes=st.lists(st.floats(0, 1e6), max_size=30), n_ranks=st.integers(1, 8))
def test_readers__have_neighbouring_shards_of_about_one_size(sizes: list[float], n_ranks: int) -> None:
    ranks = readers(sizes, n_ranks)
    assert np.unique(ranks).tolist() == list(range(max(ranks, default=-1) + 1))
    assert (np.diff(ranks) >= 0).all()
    at_least_one = np.maximum(sizes, 1)
    most = at_least_one.sum() / n_ranks + at_least_one.max(initial=0)
    assert np.bincount(ranks, at_least_one, n_ranks).max() <= most * (1 + 1e-9)
    assert max(ranks, default=0) < n_ranks


def test_read_shared_corpus__decodes_a_row_group_once_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_shards: None
) -> None:
    decoded: list[int] = []
    read_group = pieces._read_group

    def watched(name: str, parquet: Any, group: int, column: Any) -> Any:
        for piece in read_group(name, parquet, group, column):
            decoded.append(piece.rows.num_rows)
            yield piece

    monkeypatch.setattr(pieces, "_read_group", watched)
    path = write(tmp_path / "c.parquet", [f"{n} a b c d e f" for n in range(100)])
    shared(2, path)
    assert sum(decoded) <= 100 + 52  # the first half, and all


# ---- What several processes cannot read --------------------------------------------------------------------


def messages(n_ranks: int, read: Callable[[ThreadCommunicator], Any]) -> list[str]:
    """The error of each process."""

    def message(communicator: ThreadCommunicator) -> str:
        with pytest.raises(FastW2VError) as caught:
            read(communicator)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return run_ranks(n_ranks, message)


@pytest.mark.parametrize("n_ranks", SIZES)
def test_read_shared_corpus__objects_and_grouped_rows_are_read_by_one_for_all(
    n_ranks: int, tmp_path: Path
) -> None:
    rows = [["a", "b"], ["b"], ["c", "a", "b"]]
    table = pa.table({"user": [1, 2, 1, 3, 3, 3], "item": ["a", "b", "b", "c", "a", "b"]})
    pq.write_table(table, tmp_path / "t.parquet")
    read = read_corpus(rows, min_count=1)
    cases: list[tuple[Any, dict[str, Any]]] = [
        (rows, {}),
        (table, {"group_by": "user"}),
        (tmp_path / "t.parquet", {"group_by": "user", "column": "item"}),
        (tmp_path / "t.parquet", {"group_by": "user", "column": "item", "memory": Memory(None, tmp_path)}),
        (read, {}),
    ]
    alone = read_shared_corpus(rows, SingleProcess(), min_count=1).fingerprint
    for source, options in cases:
        parts = shared(n_ranks, source, min_count=1, **options)
        assert together(parts) == as_plain(read)
        assert {part.fingerprint for part in parts} == {alone}


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
@pytest.mark.usefixtures("small_shards")
def test_read_shared_corpus__each_process_finds_its_part_again(n_ranks: int, tmp_path: Path) -> None:
    path = many_groups(tmp_path)
    expected, memory = shared(n_ranks, path), Memory(None, tmp_path / "cache")
    for _ in range(2):
        parts = shared(n_ranks, path, memory=memory)
        quiet = [part._replace(corpus=part.corpus._replace(notes=())) for part in parts]
        assert together(quiet) == together(expected)
        assert [part.portions.tolist() for part in parts] == [part.portions.tolist() for part in expected]
        assert {part.fingerprint for part in parts} == {expected[0].fingerprint}
    assert all("found the encoded corpus" in part.corpus.notes[0] for part in parts)
    assert len(list(memory.cache_dir.iterdir())) == n_ranks  # type: ignore[union-attr]


@pytest.mark.usefixtures("small_shards")
def test_read_shared_corpus__all_read_again_where_one_finds_nothing(tmp_path: Path) -> None:
    path, memory = many_groups(tmp_path), Memory(None, tmp_path / "cache")
    expected = together(shared(2, path, memory=memory))
    next(iter((tmp_path / "cache").iterdir())).unlink()
    parts = shared(2, path, memory=memory)
    assert together(parts) == expected
    assert not any("found" in note for part in parts for note in part.corpus.notes)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("n_chunk", [1, 3, 7, 64, 1 << 16])
def test_shared_fingerprint__is_that_of_one_process(
    n_chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fingerprint, shared_print):
        monkeypatch.setattr(module, "CHUNK_TOKENS", n_chunk)
    path = many_groups(tmp_path)
    corpus = read_corpus(path)
    expected = fingerprint.fingerprint_of(corpus.ids, corpus.offsets, corpus.n_words_read)
    for n_ranks in SIZES:
        assert {part.fingerprint for part in shared(n_ranks, path)} == {expected}
    others = [corpus.ids[::-1].copy(), np.roll(corpus.ids, 1)]
    prints = {fingerprint.fingerprint_of(ids, corpus.offsets, corpus.n_words_read) for ids in others}
    prints.add(fingerprint.fingerprint_of(corpus.ids, corpus.offsets[[0, -1]], corpus.n_words_read))
    assert expected not in prints


def test_read_shared_corpus__all_processes_see_the_same_files(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        write_texts(folder / "c.parquet", "a b")
    write_texts(folders[1] / "d.parquet", "a b")
    for message in messages(2, lambda c: read_shared_corpus(folders[c.rank], c)):
        assert "process 1 finds 2 files, process 0 1, not the same" in message


def test_read_shared_corpus__raises_what_one_process_does(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "c.parquet", "a a a b")
    for options in ({}, {"min_count": -1}, {"threads": 0}, {"ids": "places"}):
        expected = error_of(UsageError, path, **options)
        assert messages(2, lambda c, o=options: read_shared_corpus(path, c, **o)) == [expected] * 2
    with pytest.raises(UsageError, match="no column 'none'"):
        shared(2, path, column="none")
    (tmp_path / "d.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorpusError, match=r"d\.parquet: cannot be read as Parquet"):
        shared(2, tmp_path)


def test_read_shared_corpus__files_must_agree_on_the_column(tmp_path: Path) -> None:
    write_texts(tmp_path / "a.parquet", "a b")
    write(tmp_path / "b.parquet", [["a", "b"]])
    write_texts(tmp_path / "c.parquet", "a b")
    expected = error_of(UsageError, tmp_path)
    assert messages(2, lambda c: read_shared_corpus(tmp_path, c)) == [expected] * 2


# ---- Memory and progress -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_shards")
def test_read_shared_corpus__is_the_same_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = many_groups(tmp_path)
    expected = together(shared(2, path, threads=2))
    monkeypatch.setattr(workers, "budget", lambda limit, threads, *_, **__: Budget(0, 1 << 30))
    parts = shared(2, path, threads=2)
    assert together(parts) == expected
    assert all(pages_of(part.corpus.ids) is not None for part in parts)


@pytest.mark.usefixtures("small_shards")
def test_read_shared_corpus__says_everywhere_what_was_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "FIRST_WORDS", 4)
    monkeypatch.setattr(workers, "budget", lambda limit, threads, *_, **__: Budget(1 << 30, 0))
    rows = [f"a a rare{n} rare{n + 1000}" for n in range(50)]
    parts = shared(2, write_texts(tmp_path / "c.parquet", *rows), min_count=1)
    loss, [note] = parts[1].corpus.dropped, parts[1].corpus.notes
    assert together(parts).counts[0] == 100
    assert loss.n_dropped_tokens == 200 - len(together(parts).ids) > 50
    assert f"dropped {loss.n_dropped} rare ones" in note


def test_read_shared_corpus__tells_each_process_its_progress(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", ["a b c"] * 300, row_group_size=100)
    told: list[list[tuple[float, int]]] = [[], []]

    def read(communicator: ThreadCommunicator) -> SharedCorpus:
        own = told[communicator.rank]
        return read_shared_corpus(path, communicator, on_progress=lambda *progress: own.append(progress))

    parts = run_ranks(2, read)
    assert [own[-1] for own in told] == [(1.0, len(part.corpus.ids)) for part in parts]


def test_merge_everywhere__needs_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as the number of ranks can be halved, a table is sent, in three parts."""
    calls: list[int] = []
    exchange = ThreadCommunicator.exchange

    def counted(communicator: ThreadCommunicator, parts: Any) -> Any:
        calls.append(communicator.rank)
        return exchange(communicator, parts)

    def merge(communicator: ThreadCommunicator) -> list[int]:
        words = [f"w{communicator.rank}", "all"]
        table = counter.table_of(words)
        table.records[:2, table_module.COUNT] = 1
        whole, [entries] = merge_everywhere(communicator, 2, [table])
        assert table_module.words_of(whole, entries.astype(np.int64)) == words
        assert whole.n_words[0] == 6
        return whole.records[entries, table_module.COUNT].tolist()

    monkeypatch.setattr(ThreadCommunicator, "exchange", counted)
    assert run_ranks(5, merge) == [[1, 5]] * 5
    assert [calls.count(rank) for rank in range(5)] == [3 * 3] * 5


# ---- What sentences have beside their words ----------------------------------------------------------------


def beside_table(folder: Path, n_rows: int = 97) -> Path:
    """Rows of words in both cases, some empty or null, with weights and targets, in row groups of five."""
    rng = np.random.default_rng(3)
    texts = [" ".join(f"W{n}" for n in rng.geometric(0.2, k)) for k in rng.integers(0, 9, n_rows)]
    rows = [None if n % 13 == 5 else text.lower() if n % 2 else text for n, text in enumerate(texts)]
    targets = [f"Label {n % 5}" if n % 3 else None for n in range(n_rows)]
    weights = rng.random(n_rows).astype(np.float32) * (rng.random(n_rows) > 0.2)
    path = folder / "c.parquet"
    pq.write_table(pa.table({"text": rows, "w": weights, "t": targets}), path, row_group_size=5)
    return path


def beside_of(parts: list[SharedCorpus]) -> list[list[Any]]:
    columns = zip(*(part.corpus.beside for part in parts), strict=True)
    return [np.concatenate(column).tolist() for column in columns]


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("n_ranks", SIZES)
@pytest.mark.parametrize(
    "options",
    [{"weight": "w"}, {"global_context": "t"}, {"weight": "w", "global_context": "t", "lowercase": True}],
    ids=str,
)
def test_read_shared_corpus__has_the_weights_and_targets_of_one_process(
    n_ranks: int, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts by weight, notes and the fingerprint, too; read, found in a cache, and of an object."""
    for module in (fingerprint, shared_print):
        monkeypatch.setattr(module, "CHUNK_TOKENS", 17)
    path, memory = beside_table(tmp_path), Memory(None, tmp_path / "cache")
    options = {"column": "text", "min_count": 2, "threads": 2, **options}
    expected = read_corpus(path, **options)
    told = [own.tolist() for own in expected.beside]
    kept: dict[str, Any] = {"memory": memory}
    for source, more in ((path, {}), (path, kept), (path, kept), (expected, None)):
        parts = shared(n_ranks, source, **({} if more is None else {**options, **more}))
        if more is not None:  # a rank's own file of the cache apart
            notes = [part.corpus.notes[-len(expected.notes) :] for part in parts]
            assert notes == [expected.notes] * n_ranks
        parts = [part._replace(corpus=part.corpus._replace(notes=())) for part in parts]
        assert together(parts) == as_plain(expected)
        assert beside_of(parts) == told
        assert parts[0].fingerprint == fingerprints(expected).corpus
    changed = expected._replace(targets=None, weights=np.ones(len(expected.offsets) - 1, np.float32))
    assert fingerprints(changed).corpus != parts[0].fingerprint


def test_read_shared_corpus__cut_sentences_have_the_weight_of_the_whole(tmp_path: Path) -> None:
    rows = [["a", "b"], ["a"] * (2 * LARGEST_PORTION + 9), ["b"] * 5]
    corpus = read_corpus(rows, weight=[1, 2, 3], global_context=["a", "b", None], min_count=1)
    parts = shared(2, corpus)
    weights, targets = beside_of(parts)
    n_cut = len(weights) - 2
    assert n_cut > 2
    assert weights == [1, *[2] * n_cut, 3]
    assert targets == [0, *[1] * n_cut, -1]
    assert parts[0].fingerprint == fingerprints(corpus).corpus


@pytest.mark.usefixtures("small_shards")
def test_read_shared_corpus__names_the_row_of_a_weight_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    weights = [1.0] * 93 + [-1.0] + [1.0] * 3
    pq.write_table(pa.table({"text": ["a b"] * 97, "w": weights}), path, row_group_size=5)
    for n_ranks in (1, 3):
        with pytest.raises(CorpusError, match=r"row 93 of the corpus \(from 0\) has weight -1"):
            shared(n_ranks, path, column="text", weight="w", min_count=1)
