"""Parquet files, and text files of lines, to ids: the only module that knows Arrow.

    files ─► batches of Arrow buffers ─► workers split, count and number words ─► vocabulary ─► ids, offsets

One pass over the text. A batch goes, in the order of the corpus, to whichever worker is free; the result does
not depend on which that was.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.files import atomic_writer
from fastw2v.tokenizer import (
    COUNT,
    FIRST_SEEN,
    Lists,
    Strings,
    Table,
    WordCounter,
    encode,
    merge_tables,
    most_tokens,
    read_only,
    table_of,
    words_of,
)
from fastw2v.vocabulary import Vocabulary, ranked

LINE_FILES = (".txt", ".txt.gz", ".txt.bz2", ".txt.zst", ".txt.lz4")  # one sentence a line
GUESSED_LINE = 100  # bytes on disk; for the progress shown only
USUAL_NAMES = ("text", "tokens", "words", "sentence", "input_ids")
BATCH_BYTES = 4 << 20  # long enough to hide a call's cost, short enough for many workers' memory
BATCH_ROWS = 8192
LIST_EXPANSION = 8  # bytes of decoded lists for a byte on disk: their items are mostly dictionary-encoded
PROGRESS_SECONDS = 0.1
WRITE_ROWS = 128  # rows between two looks at the page size: 1,024 long documents would make one giant page

Source = str | Path | Sequence[str | Path]
Batch = Strings | Lists


class Corpus(NamedTuple):
    """Text as numbers.

    ids           int32 (n_tokens,), place of each token's word in the vocabulary; other words are left out
    offsets       int64 (n_sentences + 1,): sentence s is ids[offsets[s]:offsets[s + 1]], never empty
    vocabulary    Vocabulary
    n_words_read  all tokens, also those outside the vocabulary
    n_rows        all rows, also null and empty ones
    n_null        null rows and null list items, which are skipped
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: Vocabulary
    n_words_read: int
    n_rows: int
    n_null: int


def read_corpus(
    source: Source,
    *,
    column: str | None = None,
    min_count: int = 5,
    max_vocab: int | None = None,
    vocabulary: Vocabulary | None = None,
    threads: int = 1,
    on_progress: Callable[[float, int], None] | None = None,
) -> Corpus:
    """Read Parquet files into ids, one sentence a row.

    source       a file, a folder (its *.parquet, recursively), a pattern with *, or several of these; also
                 text files of a sentence a line, by suffix: .txt, .txt.gz, .txt.zst …
    column       of strings, split at white space as str.split() does, or of lists of strings, taken as they
                 are; default: by type and usual names
    min_count    words rarer than this are left out
    max_vocab    only the so many most frequent words are kept
    vocabulary   use this one, with its counts, instead of counting; min_count and max_vocab do not apply
    threads      workers; the result does not depend on it
    on_progress  called about ten times a second with the share of rows handed out and the words read so far

    Raises UsageError for options, columns or vocabularies that cannot be used, CorpusError for files that
    cannot be read or are corrupt, OutputError when memory ends.
    """
    _check_options(min_count, max_vocab, vocabulary, threads)
    try:
        shards = [_read_footer(path) for path in find_files(source)]
        feed = Feed(_read_batches(shards, _common_column(shards, column)), sum(s.n_rows for s in shards))
        counters = _count(feed, threads, on_progress)
        numbering = _number(_name(shards), counters, vocabulary, min_count, max_vocab)
        n_null = sum(counter.n_null for counter in counters)
        segments = [segment for counter in counters for segment in counter.segments]
        del counters  # `encode` gives the segments back one by one
        ids, offsets = encode(segments, numbering.final_ids, numbering.n_ids, feed.n_rows)
    except MemoryError as error:
        raise OutputError("memory ended while reading the corpus; read fewer files at a time") from error
    finally:
        pa.default_memory_pool().release_unused()
    return Corpus(ids, offsets, numbering.vocabulary, numbering.n_words_read, feed.n_rows, n_null)


def _check_options(
    min_count: int, max_vocab: int | None, vocabulary: Vocabulary | None, threads: int
) -> None:
    if min_count < 0:
        raise UsageError(f"min_count = {min_count}: must be at least 0; 1 keeps every word")
    if max_vocab is not None and max_vocab < 2:
        raise UsageError(f"max_vocab = {max_vocab}: must be at least 2; negative sampling needs two words")
    if threads < 1:
        raise UsageError(f"threads = {threads}: must be at least 1")
    if vocabulary is not None and len(vocabulary) < 2:
        raise UsageError(
            f"the given vocabulary has {len(vocabulary)} words; negative sampling needs at least 2: add words"
        )


# ---- Files -------------------------------------------------------------------------------------------------


def find_files(source: Source) -> list[Path]:
    """The files that a source names, in reading order: as given, and sorted within a folder or pattern.

    Raises CorpusError for a name without any file.
    """
    names = [source] if isinstance(source, str | Path) else source
    if not names:
        raise UsageError("no corpus given: name a Parquet file, a folder or a pattern")
    return [path for name in names for path in _find(Path(name))]


def _find(path: Path) -> list[Path]:
    try:
        return _expand(path)
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be read ({error.strerror}); check the name and permissions"
        ) from error


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(
            inner for inner in path.rglob("*.parquet") if inner.is_file() and _is_data(inner, path)
        )
        if not found:
            raise CorpusError(f"{path}: the folder holds no *.parquet file; give another folder or a file")
        return found
    if path.exists() or not _has_pattern(str(path)):
        return [path]
    matches = sorted(_match(path))
    if not matches:
        raise CorpusError(f"{path}: no file matches the pattern; check it, and quote it in a shell")
    expanded = [inner for match in matches for inner in _expand(match)]
    return list(dict.fromkeys(expanded))


def _is_data(path: Path, folder: Path) -> bool:
    """False for what engines leave beside the data and skip: _temporary/, _metadata, .hidden."""
    return not any(part[0] in "._" for part in path.relative_to(folder).parts)


def _has_pattern(text: str) -> bool:
    return any(character in text for character in "*?[")


def _match(pattern: Path) -> Iterator[Path]:
    n_plain = next(i for i, part in enumerate(pattern.parts) if _has_pattern(part))
    folder = Path(*pattern.parts[:n_plain])
    matches = folder.glob(str(Path(*pattern.parts[n_plain:])))
    return (match for match in matches if _is_data(match, folder))


class Shard(NamedTuple):
    """A file of the corpus, as its footer describes it; of lines, the number of rows is a guess."""

    path: Path
    schema: pa.Schema
    n_rows: int
    is_lines: bool = False


def _name(shards: Sequence[Shard]) -> str:
    """The corpus as a message names it."""
    first = shards[0].path
    return str(first) if len(shards) == 1 else f"{first} and {len(shards) - 1} more"


def _read_footer(path: Path) -> Shard:
    """Raises CorpusError for a file that is missing, is not Parquet, or has no complete footer."""
    if not path.is_file():
        raise CorpusError(f"{path}: no such file; check the name")
    if path.name.lower().endswith(LINE_FILES):
        n_rows = path.stat().st_size // GUESSED_LINE + 1
        return Shard(path, pa.schema([("text", pa.string())]), n_rows, is_lines=True)
    with _open(path) as file, _arrow_errors(f"{path}: the footer is corrupt"):
        n_rows = sum(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
        if n_rows != file.metadata.num_rows:
            raise ValueError(f"{file.metadata.num_rows:,} rows in all, {n_rows:,} in its row groups")
        return Shard(path, file.schema_arrow, n_rows)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file set to read in little memory and to verify what checksums it has."""
    with contextlib.ExitStack() as stack:
        with _arrow_errors(f"{path}: cannot be read as Parquet"):
            file = pq.ParquetFile(path, pre_buffer=False, buffer_size=65536, page_checksum_verification=True)
            stack.enter_context(file)
        yield file


@contextlib.contextmanager
def _arrow_errors(what: str) -> Iterator[None]:
    """Turn whatever Arrow raises on bad bytes into a CorpusError of one line."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, MemoryError):
            raise
        reason = " ".join(str(error).split())[:160]
        raise CorpusError(f"{what} ({reason}); write or download it again") from error


# ---- Columns -----------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """The column to read and its layout: `text` to be split, or `tokens`."""

    name: str
    layout: str


def _layout(arrow_type: pa.DataType) -> str | None:
    """`text` for strings and bytes, `tokens` for lists of them or of integers; None for the rest."""
    if _is_text(arrow_type):
        return "text"
    is_list = any(test(arrow_type) for test in LIST_TESTS)
    is_items = is_list and (_is_text(arrow_type.value_type) or _is_integer(arrow_type.value_type))
    return "tokens" if is_items else None


STRING_TESTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
BYTES_TESTS = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
TEXT_TESTS = STRING_TESTS + BYTES_TESTS
LIST_TESTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def _value_type(arrow_type: pa.DataType) -> pa.DataType:
    """What a dictionary-encoded column stands for."""
    return arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type


def _is_text(arrow_type: pa.DataType) -> bool:
    return any(test(_value_type(arrow_type)) for test in TEXT_TESTS)


def _is_string(arrow_type: pa.DataType) -> bool:
    """Whether it is of strings, or of lists of them: not of bytes or integers."""
    item = _value_type(arrow_type.value_type if any(test(arrow_type) for test in LIST_TESTS) else arrow_type)
    return any(test(item) for test in STRING_TESTS)


def _is_integer(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(_value_type(arrow_type)))


def _common_column(shards: Sequence[Shard], wanted: str | None) -> Column:
    """The column that all files share; raises UsageError naming the file that differs from most."""
    columns = [_find_column(shard, wanted) for shard in shards]
    [(common, n_files)] = Counter(columns).most_common(1)
    for shard, column in zip(shards, columns, strict=True):
        if column != common:
            raise UsageError(
                f"{shard.path}: column {column.name!r} holds {column.layout}, but {n_files} of {len(shards)} "
                f"files have {common.layout} in {common.name!r}; name a --column they share or leave it out"
            )
    return common


def _find_column(shard: Shard, wanted: str | None) -> Column:
    """The column named, else the first usual name that is usable, else the only usable column.

    Bytes and integers may be anything, so they are not considered beside strings unless their name is usual.
    """
    usable = {field.name: layout for field in shard.schema if (layout := _layout(field.type))}
    if wanted is not None:
        _check_column(shard, wanted)
        return Column(wanted, usable[wanted])
    usual = [name for name in USUAL_NAMES if name in usable]
    strings = [field.name for field in shard.schema if field.name in usable and _is_string(field.type)]
    candidates = usual[:1] or list(dict.fromkeys(strings)) or list(usable)
    if len(candidates) == 1:
        _check_column(shard, candidates[0])
        return Column(candidates[0], usable[candidates[0]])
    if candidates:
        raise UsageError(f"{shard.path}: {_listed(candidates)} could each be the text; choose with --column")
    types = [f"{field.name}: {_shown(field.type)}" for field in shard.schema]
    cure = _cure(shard.schema[0].type) if len(types) == 1 else "convert one of them"
    raise UsageError(f"{shard.path}: no column of type string or list<string> among {_listed(types)}; {cure}")


def _check_column(shard: Shard, name: str) -> None:
    """Raises UsageError for a column that is not there, is there twice, or is of no usable type."""
    indices = shard.schema.get_all_field_indices(name)
    if not indices:
        raise UsageError(f"{shard.path}: no column {name!r}; --column may be {_listed(shard.schema.names)}")
    if len(indices) > 1:
        raise UsageError(f"{shard.path}: {len(indices)} columns are named {name!r}; rename all but one")
    arrow_type = shard.schema.field(indices[0]).type
    if _layout(arrow_type) is None:
        raise UsageError(
            f"{shard.path}: column {name!r} is {_shown(arrow_type)}, not string or list<string>; "
            f"{_cure(arrow_type)}"
        )


def _cure(arrow_type: pa.DataType) -> str:
    if pa.types.is_struct(arrow_type):
        return "make a column of the field that holds the text"
    if not pa.types.is_nested(arrow_type):
        return "cast it to string"
    if pa.types.is_nested(getattr(arrow_type, "value_type", pa.null())):
        return "flatten it to one list of strings a row"
    return "cast it to list<string>"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _shown(arrow_type: pa.DataType) -> str:
    """The type as a message shows it; a struct may be pages long."""
    text = str(arrow_type)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---- Batches -----------------------------------------------------------------------------------------------


def _read_batches(shards: Iterable[Shard], column: Column) -> Iterator[Batch]:
    for shard in shards:
        if shard.is_lines:
            yield from _read_lines(shard.path)
            continue
        with _open(shard.path) as file:
            for group in range(file.num_row_groups):
                yield from _read_group(shard.path, file, group, column)


def _read_group(path: Path, file: pq.ParquetFile, group: int, column: Column) -> Iterator[Batch]:
    """Batches of one row group, so that an error can name it."""
    as_batch = as_strings if column.layout == "text" else as_lists
    place = f"{path}: row group {group} (of {file.num_row_groups}, from 0)"
    n_rows = 0
    with _arrow_errors(f"{place} is corrupt"):
        metadata = file.metadata.row_group(group)
        batches = file.iter_batches(
            _rows_a_batch(metadata, column.layout), [group], columns=[column.name], use_threads=False
        )
        for batch in batches:
            n_rows += batch.num_rows
            yield as_batch(batch.column(column.name))
        if n_rows != metadata.num_rows:
            raise ValueError(f"{n_rows:,} rows instead of {metadata.num_rows:,}")


def _read_lines(path: Path) -> Iterator[Batch]:
    """Batches of whole lines, some BATCH_BYTES each, from a file that may be compressed."""
    kept: list[bytes] = []  # of a line that is not complete yet
    with (
        _arrow_errors(f"{path}: cannot be read as lines of text"),
        pa.input_stream(str(path), compression="detect", buffer_size=65536) as stream,
    ):
        while chunk := stream.read(BATCH_BYTES):
            end = chunk.rfind(b"\n") + 1
            if end:
                yield _lines(b"".join([*kept, chunk[:end]]))
                kept = []
            kept.append(chunk[end:])
        if last := b"".join(kept):
            yield _lines(last)


def _lines(data: bytes) -> Strings:
    """One string a line, its end included, which is white space like any other."""
    numbers = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(numbers == ord("\n")) + 1
    is_open = not len(ends) or ends[-1] != len(data)
    offsets = np.concatenate([[0], ends, [len(data)] if is_open else []]).astype(np.int64)
    return Strings(read_only(numbers), read_only(offsets), read_only(np.empty(0, np.uint8)), 0)


def _rows_a_batch(group: pq.RowGroupMetaData, layout: str) -> int:
    """Rows that decode to about BATCH_BYTES; one at least, however long it is.

    Sizes of single columns would be exact, but asking for them ends the process where a footer is damaged
    (pyarrow 26 does not catch the C++ exception).
    """
    expansion = LIST_EXPANSION if layout == "tokens" else 1
    row_bytes = group.total_byte_size * expansion / max(group.num_rows, 1)
    return int(np.clip(BATCH_BYTES / max(row_bytes, 1), 1, BATCH_ROWS))


def as_strings(array: pa.Array) -> Strings:
    """Any Arrow array of strings, bytes or integers, without copying bytes that Arrow has in one piece.

    Integers become their decimal digits, so that an id is a word like any other.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary.cast(pa.large_string()).take(array.indices)
    elif not any(test(array.type) for test in PLAIN_TEXT):
        array = array.cast(pa.large_binary() if pa.types.is_binary_view(array.type) else pa.large_string())
    validity, offsets, data = array.buffers()
    is_short = pa.types.is_string(array.type) or pa.types.is_binary(array.type)
    return Strings(
        data=_as_numpy(data, np.uint8),
        offsets=read_only(
            _offsets(offsets, np.int32 if is_short else np.int64, array).astype(np.int64, copy=False)
        ),
        validity=_as_numpy(validity if array.null_count else None, np.uint8),
        first_bit=array.offset,
    )


PLAIN_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def as_lists(array: pa.Array) -> Lists:
    """Any Arrow array of lists of strings, bytes or integers."""
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        array = array.cast(pa.large_list(array.type.value_type))
    validity, offsets = array.buffers()[:2]
    offset_type = np.int32 if pa.types.is_list(array.type) else np.int64
    item_offsets = _offsets(offsets, offset_type, array).astype(np.int64)
    first, last = int(item_offsets[0]), int(item_offsets[-1])
    return Lists(
        offsets=read_only(item_offsets - first),
        validity=_as_numpy(validity if array.null_count else None, np.uint8),
        first_bit=array.offset,
        items=as_strings(array.values.slice(first, last - first)),
    )


def _offsets(buffer: pa.Buffer | None, dtype: Any, array: pa.Array) -> NDArray[Any]:
    """The len(array) + 1 offsets of an array that may be a slice; Arrow may have none for an empty one."""
    if not len(array):
        return np.zeros(1, dtype)
    return _as_numpy(buffer, dtype)[array.offset : array.offset + len(array) + 1]


def _as_numpy(buffer: pa.Buffer | None, dtype: Any) -> NDArray[Any]:
    """A buffer's contents, zero-copy; empty where there is none."""
    return read_only(np.frombuffer(buffer, dtype) if buffer else np.empty(0, dtype))


# ---- Counting ----------------------------------------------------------------------------------------------


class Ticket(NamedTuple):
    """A batch for a worker, its place in the corpus, and the first of the keys that order its words."""

    batch: Batch
    ordinal: int
    first_key: int


class Feed:
    """Hands batches to workers, one by one, in the order of the corpus.

    Whoever asks decodes: a worker that splits and one that decodes keep two cores busy without a queue.
    """

    def __init__(self, batches: Iterator[Batch], expected_rows: int) -> None:
        self.n_rows = 0
        self._expected_rows = max(expected_rows, 1)
        self._batches = batches
        self._lock = threading.Lock()
        self._next = (0, 0)

    def take(self) -> Ticket | None:
        """The next batch, or None after the last one and after `stop`."""
        with self._lock:
            batch = next(self._batches, None)
            if batch is None:
                return None
            ordinal, first_key = self._next
            self._next = ordinal + 1, first_key + most_tokens(batch)
            self.n_rows += len(batch.offsets) - 1
            return Ticket(batch, ordinal, first_key)

    @property
    def share(self) -> float:
        """Share of the rows handed out."""
        return min(1.0, self.n_rows / self._expected_rows)

    def stop(self) -> None:
        """Let no worker start another batch."""
        with self._lock:
            self._batches = iter(())


def _count(feed: Feed, threads: int, on_progress: Callable[[float, int], None] | None) -> list[WordCounter]:
    """Split, count and number all words in the given number of threads, one table each."""
    counters = [WordCounter(worker) for worker in range(threads)]

    def report() -> None:
        if on_progress:
            on_progress(feed.share, sum(counter.n_tokens for counter in counters))

    with ThreadPoolExecutor(threads, "fastw2v-reader") as pool:
        try:
            futures = [pool.submit(_work, feed, counter) for counter in counters]
            while wait(futures, PROGRESS_SECONDS).not_done:
                report()
        finally:
            feed.stop()
    for future in futures:
        future.result()
    report()
    return counters


def _work(feed: Feed, counter: WordCounter) -> None:
    try:
        while ticket := feed.take():
            counter.read(*ticket)
    finally:
        feed.stop()


# ---- Numbering ---------------------------------------------------------------------------------------------


class Numbering(NamedTuple):
    """What the words' numbers are.

    vocabulary    Vocabulary
    final_ids     for each worker int32 (n_words,): entry of its table to id, or -1
    n_ids         tokens that have an id
    n_words_read  tokens
    """

    vocabulary: Vocabulary
    final_ids: list[NDArray[np.int32]]
    n_ids: int
    n_words_read: int


def _number(
    name: str,
    counters: Sequence[WordCounter],
    vocabulary: Vocabulary | None,
    min_count: int,
    max_vocab: int | None,
) -> Numbering:
    """Merge the workers' words and give those of the vocabulary their ids."""
    tables = [counter.table for counter in counters]
    if vocabulary is not None:
        return _number_known(name, tables, vocabulary)
    merged, entries = merge_tables(tables)
    records = merged.records[: merged.n_words[0]]
    counts = records[:, COUNT]
    kept = ranked(counts, records[:, FIRST_SEEN], min_count, max_vocab)
    _check_counts(name, counts, len(kept), min_count)
    vocabulary = Vocabulary(_decoded(name, merged, kept), counts[kept])
    final = np.full(len(counts), -1, np.int32)
    final[kept] = np.arange(len(kept), dtype=np.int32)
    final_ids = [final[of_worker] for of_worker in entries]
    return Numbering(vocabulary, final_ids, int(vocabulary.counts.sum()), int(counts.sum()))


def _number_known(name: str, tables: Sequence[Table], vocabulary: Vocabulary) -> Numbering:
    """Number the words of a given vocabulary: they come first in the merged table, so entries are ids."""
    merged, (_, *entries) = merge_tables([table_of(vocabulary.words), *tables])
    counts = merged.records[: merged.n_words[0], COUNT]
    n_ids = int(counts[: len(vocabulary)].sum())
    if n_ids == 0:
        raise UsageError(
            f"{name}: none of its {counts.sum():,} words is in the given vocabulary of {len(vocabulary):,}; "
            "give the vocabulary of this corpus or none"
        )
    final_ids = [np.where(of_worker < len(vocabulary), of_worker, np.int32(-1)) for of_worker in entries]
    return Numbering(vocabulary, final_ids, n_ids, int(counts.sum()))


def _check_counts(name: str, counts: NDArray[np.int64], n_kept: int, min_count: int) -> None:
    """Raises UsageError for a vocabulary of 0 words or 1."""
    if n_kept >= 2:
        return
    if len(counts) < 2:
        found = "only 1 distinct word" if len(counts) else "no word"
        raise UsageError(f"{name}: holds {found}; negative sampling needs at least 2: give more text")
    second = np.sort(counts)[-2]
    raise UsageError(
        f"{name}: {n_kept} of {len(counts):,} distinct words occur at least min_count = {min_count} times; "
        f"negative sampling needs 2: lower --min-count to {second} or give more text"
    )


def _decoded(name: str, table: Table, entries: NDArray[np.int64]) -> list[str]:
    try:
        return words_of(table, entries)
    except UnicodeDecodeError as error:
        word = bytes(error.object)[:40]
        raise CorpusError(f"{name}: the word {word!r} is not UTF-8; convert the corpus to UTF-8") from None


# ---- Writing -----------------------------------------------------------------------------------------------


def write_text_parquet(
    path: str | Path, rows: Iterable[str], column: str = "text", rows_per_group: int = 8192
) -> None:
    """Write one string column as Parquet, row group by row group, complete or not at all.

    With page checksums: without them four of five flipped bits were read back as other words, unnoticed.

    Raises OutputError if the file cannot be written, UsageError for a row that is not Unicode text,
    CorpusError if the rows' own source fails.
    """
    schema = pa.schema([(column, pa.string())])
    options = {"compression": "zstd", "write_page_checksum": True, "write_batch_size": WRITE_ROWS}
    with atomic_writer(Path(path)) as file, pq.ParquetWriter(file, schema, **options) as writer:
        for group in _groups(rows, rows_per_group):
            writer.write_table(pa.table([group], schema=schema))


def _groups(rows: Iterable[str], n_rows: int) -> Iterator[pa.Array]:
    rows = iter(rows)
    while True:
        try:
            group = list(islice(rows, n_rows))
        except OSError as error:  # else the writer around would take it for its own
            raise CorpusError(f"the rows cannot be read ({error})") from error
        if not group:
            return
        yield _as_array(group)


def _as_array(rows: list[str]) -> pa.Array:
    try:
        return pa.array(rows, pa.string())
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"a row is not Unicode text ({reason}); clean the text") from error
