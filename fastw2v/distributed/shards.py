"""One corpus read by several processes, each a part of it, all with the same words and ids.

    files ─► shards ─► each process counts its own ─► tables merged in a tree ─► vocabulary, for all the same
                                                                             └─► ids of its shards ─► portions

Together they hold what one process alone would read. How many there are shows only in who holds a portion.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import ReadConfig, check_given_words
from fastw2v.corpus.arrow.columns import Column, common_column, packed, unpacked
from fastw2v.corpus.arrow.layouts import Piece
from fastw2v.corpus.count import Workers, count_words, hired
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.files.mixed import mixed_notes
from fastw2v.corpus.files.pieces import Group, Opened, Shard, cut, name_of, read_footer, read_shards
from fastw2v.corpus.files.remote import File
from fastw2v.corpus.ids.memory import Memory
from fastw2v.corpus.ids.storage import forget
from fastw2v.corpus.number import number_words
from fastw2v.corpus.read import HALF_OF_FREE, Corpus, corpus_of, names_files, read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.where import left_out, places_named
from fastw2v.corpus.words.bytes import ALL_BITS
from fastw2v.corpus.words.table import COUNT, FIRST_SEEN, LENGTH_BITS, Table, merge_tables, new_table
from fastw2v.distributed.communicator import Communicator
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.arrays import UNIT

MANY_PORTIONS = 1024  # an epoch's share of any process is then even, and a portion small beside it
LARGEST_PORTION = 65_536  # tokens; a quarter of a megabyte of ids is long enough to send


class SharedCorpus(NamedTuple):
    """A corpus of which each process holds some portions: runs of tokens that are trained by one process.

    corpus       ids and offsets are of the portions held here, in the order of the corpus; its vocabulary,
                 numbers, loss and notes are of the whole, the same everywhere
    portions     int64 (n_portions, 3): rank that holds it, tokens, sentences; in the order of the corpus, the
                 same everywhere. Those of a rank back to back are its ids and offsets
    fingerprint  SHA-256 of all ids and sentences and the number of words read, in hexadecimal digits; the
                 same for any number of processes
    ids_bytes    what this process may keep in memory of ids and offsets, these ones or a share of an epoch

    Portions are never empty. A sentence longer than one is several here, cut where the portions are.
    """

    corpus: Corpus
    portions: NDArray[np.int64]
    fingerprint: str
    ids_bytes: int = sys.maxsize

    @property
    def n_tokens(self) -> int:
        """Of the whole corpus."""
        return int(self.portions[:, 1].sum())


def read_shared_corpus(
    source: Any,
    communicator: Communicator,
    *,
    vocabulary: Vocabulary | None = None,
    threads: int = 1,
    memory: Memory = HALF_OF_FREE,
    on_progress: Callable[[float, int], None] | None = None,
    **options: Any,
) -> SharedCorpus:
    """Read files as `read_corpus` does, with all processes of a communicator; every one of them calls it.

    threads, memory and on_progress are those of this process. One process alone reads also what several
    cannot: a table of one item a row, objects, and with a folder for encoded corpora; the fingerprint is then
    that of a corpus of one shard.

    Raises what `read_corpus` does, UsageError for what several processes cannot read, and CorpusError where
    they see different files. What only one process finds wrong is raised there alone.
    """
    config = ReadConfig(**options)
    if vocabulary is not None and vocabulary.counts.any():
        check_given_words(config)
    obstacle = _obstacle(source, config, memory)
    if obstacle and communicator.size > 1:
        raise UsageError(f"{communicator.size} processes cannot share {obstacle}")
    if obstacle:
        corpus = read_corpus(
            source,
            vocabulary=vocabulary,
            threads=threads,
            memory=memory,
            on_progress=on_progress,
            **options,
        )
        return _in_portions(corpus, np.array([len(corpus.ids)]), communicator)
    with hired(threads, memory, on_progress) as workers:
        corpus, shard_ends = _read(source, config, vocabulary, workers, communicator)
        shared = _in_portions(corpus, shard_ends, communicator)
        return shared._replace(ids_bytes=workers.ids_bytes)


def _obstacle(source: Any, config: ReadConfig, memory: Memory) -> str | None:
    """What only one process can read, and what to do about it."""
    if not names_files(source):
        return f"a corpus in memory ({type(source).__name__}): write it to a Parquet file and name that"
    if config.group_by is not None:
        return f"rows grouped by {config.group_by!r}, as a group may be at several: write lists, one a group"
    if memory.cache_dir is not None:
        return f"the cache_dir {memory.cache_dir}: leave out --cache-dir"
    return None


def _read(
    source: Any,
    config: ReadConfig,
    vocabulary: Vocabulary | None,
    workers: Workers,
    communicator: Communicator,
) -> tuple[Corpus, NDArray[np.int64]]:
    """The corpus with this rank's ids, and int64 (n_shards,): the ids up to the end of each of its shards."""
    files = find_files(source)
    _check_same_files(files, communicator)
    column, shards = _shards_of(files, config, communicator)
    ranks = readers([shard.n_bytes for shard in shards], communicator.size).tolist()
    own = OwnShards([shard for shard, rank in zip(shards, ranks, strict=True) if rank == communicator.rank])
    counted = count_words(own.opened(name_of(files)), column, config, vocabulary, workers)
    merge = functools.partial(merge_everywhere, communicator, counted.n_keys)
    with places_named(files, column):
        encoder, vocabulary = number_words(counted, config, workers, merge)
    notes = list(mixed_notes(source)) if communicator.rank == 0 else []
    notes += [left_out(bad, counted.name, files, column) for bad in counted.bad[: not communicator.rank]]
    told = communicator.gather(counted.numbers)
    numbers = {name: sum(of_rank[name] for of_rank in told) for name in counted.numbers}
    shard_ends = encoder.ids_before(np.cumsum(own.n_pieces))
    ids, offsets = encoder.stored(workers.ids_bytes)
    return corpus_of(ids, offsets, vocabulary, numbers, notes), shard_ends


# ---- Shards ------------------------------------------------------------------------------------------------


def _check_same_files(files: Sequence[File], communicator: Communicator) -> None:
    """Raise CorpusError, at all ranks, unless they found the same names."""
    names = "\n".join(file.name for file in files)
    told = communicator.gather([len(files), hashlib.sha256(names.encode()).hexdigest()])
    for rank, of_rank in enumerate(told):
        if of_rank != told[0]:
            raise CorpusError(
                f"{name_of(files)}: process {rank} finds {of_rank[0]:,} files, process 0 {told[0][0]:,}, not "
                "the same; name absolute paths in a folder that all machines share"
            )


def _shards_of(
    files: Sequence[File], config: ReadConfig, communicator: Communicator
) -> tuple[Column, list[Shard]]:
    """The column and all shards of the corpus; each rank reads some of the footers and tells the others."""
    rank, size = communicator.rank, communicator.size
    footers = [read_footer(file) for file in files[rank::size]]
    own = [[packed(footer.schema), footer.groups] for footer in footers]
    told = communicator.gather(own)
    in_order = [told[number % size][number // size] for number in range(len(files))]
    schemas, groups = zip(*in_order, strict=True)
    column = common_column(
        [(file.name, unpacked(schema)) for file, schema in zip(files, schemas, strict=True)], config
    )
    shards: list[Shard] = []
    for file, of_file in zip(files, groups, strict=True):
        shards += cut(file, [Group(*group) for group in of_file], column)
    return column, shards


def readers(sizes: Sequence[float], n_ranks: int) -> NDArray[np.int64]:
    """The rank that reads each shard, int64 (n_shards,): it rises, so that few ranks decode a row group.

    A shard goes to the rank in whose share of the bytes its middle is; ranks that get none are the last.
    """
    at_least_one = np.maximum(np.array(sizes, np.float64), 1)
    ends = np.cumsum(at_least_one)
    places = ((ends - at_least_one / 2) / ends[-1:] * n_ranks).astype(np.int64)
    return np.unique(places.clip(0, n_ranks - 1), return_inverse=True)[1]


class OwnShards:
    """Shards to be read by this process.

    n_pieces   int64 (n_shards,), pieces that were read of each
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.n_pieces = np.zeros(len(shards), np.int64)
        self._shards = shards

    def opened(self, name: str) -> Opened:
        """The shards as a source of that name."""
        return Opened(name, [], sum(shard.stop_row - shard.first_row for shard in self._shards), self._read)

    def _read(self, column: Column) -> Iterator[Piece]:
        for number, piece in read_shards(self._shards, column):
            self.n_pieces[number] += 1
            yield piece


# ---- Words -------------------------------------------------------------------------------------------------


def merge_everywhere(
    communicator: Communicator, n_keys: int, tables: Sequence[Table]
) -> tuple[Table, list[NDArray[np.int32]]]:
    """`merge_tables` of the tables of all ranks, with the entries of this rank's tables in the merged one.

    n_keys   this rank's keys are below it; those of the ranks before it come before them

    The merged table has the same entries everywhere. Two ranks merge theirs, then two pairs, and so on to
    rank 0, which sends the result to all: no rank ever holds more than two tables beside its own.
    """
    merged, entries = merge_tables(tables)
    own = _as_sent(merged)
    first_key = sum(communicator.gather(n_keys)[: communicator.rank])
    own.records[:, FIRST_SEEN] += first_key << LENGTH_BITS
    whole, _ = merge_tables([new_table(), _broadcast(_merged_at_0(merged, communicator), communicator)])
    own.records[:, COUNT] = 0  # they are in the whole already
    whole, (_, places) = merge_tables([whole, own])
    return whole, [places[of_worker] for of_worker in entries]


def _as_sent(table: Table) -> Table:
    """Views of a table without what is not in use, and without its slots: to be merged into another."""
    n_words = int(table.n_words[0])
    return _received(table.records[:n_words], table.ends[: n_words + 1], table.arena[: table.ends[n_words]])


def _received(records: NDArray[np.int64], ends: NDArray[np.int64], arena: NDArray[np.uint8]) -> Table:
    n_words = np.array([len(records)], np.int64)
    return Table(np.empty(0, np.int32), records, ends, arena, n_words, np.uint64(ALL_BITS))


def _parts(table: Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """What a table sends: records, ends, arena."""
    sent = _as_sent(table)
    return sent.records, sent.ends, sent.arena


def _merged_at_0(table: Table, communicator: Communicator) -> Table:
    """At rank 0 the words of all ranks; at another those of some."""
    rank, step = communicator.rank, 1
    while step < communicator.size:
        target = rank - step if rank % (2 * step) == step else None
        for other in _sent(table, target, communicator):
            table, _ = merge_tables([table, other])
        step *= 2
    return table


def _sent(table: Table, target: int | None, communicator: Communicator) -> list[Table]:
    """Send a table to a rank or to none; returns what was sent here."""
    ranks = range(communicator.size)
    received = [
        communicator.exchange([part if rank == target else part[:0] for rank in ranks])
        for part in _parts(table)
    ]
    return [_received(*parts) for parts in zip(*received, strict=True) if len(parts[1])]


def _broadcast(table: Table, communicator: Communicator) -> Table:
    """Rank 0's table at every rank."""
    records, ends, arena = _parts(table)
    n_words, n_bytes = communicator.broadcast([len(records), len(arena)])
    if communicator.rank > 0:
        records, ends = np.empty((n_words, 4), np.int64), np.empty(n_words + 1, np.int64)
        arena = np.empty(n_bytes, np.uint8)
    for part in (records, ends, arena):
        communicator.broadcast_array(part)
    return _received(records, ends, arena)


# ---- Portions ----------------------------------------------------------------------------------------------


def _in_portions(corpus: Corpus, shard_ends: NDArray[np.int64], communicator: Communicator) -> SharedCorpus:
    """Cut this rank's sentences into portions and learn of those of the others."""
    n_tokens = sum(communicator.gather(len(corpus.ids)))
    ends = portion_ends(corpus.offsets, shard_ends, portion_tokens(n_tokens))
    corpus = corpus._replace(offsets=_with_ends(corpus.offsets, ends))
    bounds = np.column_stack([ends, np.searchsorted(corpus.offsets, ends)])
    own = np.diff(bounds, axis=0, prepend=np.zeros((1, 2), np.int64))
    gathered = communicator.gather_arrays(own)
    ranks = np.repeat(np.arange(communicator.size), [len(of_rank) for of_rank in gathered])
    digest = hashlib.sha256(b"%d" % corpus.n_words_read)
    for of_rank in communicator.gather_arrays(_digests(corpus, own)):
        digest.update(of_rank.data)
    return SharedCorpus(corpus, np.column_stack([ranks, np.concatenate(gathered)]), digest.hexdigest())


def portion_tokens(n_tokens: int) -> int:
    """The most tokens of a portion, where the whole corpus has n_tokens."""
    whole_units = -(-(n_tokens // MANY_PORTIONS) // UNIT) * UNIT
    return min(max(whole_units, UNIT), LARGEST_PORTION)


def portion_ends(
    offsets: NDArray[np.int64], shard_ends: NDArray[np.int64], most_tokens: int
) -> NDArray[np.int64]:
    """Where portions end, in tokens, int64 (n_portions,): with every shard, and as late as they may.

    offsets     int64 (n_sentences + 1,); only a sentence longer than a portion is cut
    shard_ends  int64 (n_shards,), in tokens
    """
    start, ends = 0, []
    for shard_end in shard_ends.tolist():
        while start < shard_end:
            last = int(offsets[np.searchsorted(offsets, start + most_tokens, "right") - 1])
            start = min(last if last > start else start + most_tokens, shard_end)
            ends.append(start)
    return np.array(ends, np.int64)


def _with_ends(offsets: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Offsets to which the ends of portions belong; the same array where they do, else a copy in memory."""
    places = np.searchsorted(offsets, ends)
    is_inside = offsets[places] != ends
    if not is_inside.any():
        return offsets
    return np.insert(offsets, places[is_inside], ends[is_inside])


def _digests(corpus: Corpus, own: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The SHA-256 of each portion's size, sentence lengths and ids, uint8 (n_portions, 32).

    own   int64 (n_portions, 2), tokens and sentences
    """
    digests = np.empty((len(own), 32), np.uint8)
    first_id = first_sentence = 0
    for number, (n_tokens, n_sentences) in enumerate(own.tolist()):
        ids = corpus.ids[first_id : first_id + n_tokens]
        offsets = corpus.offsets[first_sentence : first_sentence + n_sentences + 1]
        digest = hashlib.sha256(own[number].astype("<i8").data)
        digest.update(np.diff(offsets).astype("<i8", copy=False).data)
        digest.update(ids.astype("<i4", copy=False).data)
        digests[number] = np.frombuffer(digest.digest(), np.uint8)
        forget(ids)
        first_id, first_sentence = first_id + n_tokens, first_sentence + n_sentences
    forget(corpus.offsets)
    return digests
