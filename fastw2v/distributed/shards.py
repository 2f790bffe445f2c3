"""One corpus read by several processes, each a part of it, all with the same words and ids.

    files ─► shards ─► each process counts its own ─► tables merged in a tree ─► vocabulary, for all the same
                                                                             └─► ids of its shards ─► portions

Together they hold what one process alone would read. How many there are shows only in who holds a portion.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import Column, common_column, packed, unpacked
from fastw2v.corpus.arrow.layouts import Piece
from fastw2v.corpus.count import count_words
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.files.mixed import mixed_notes
from fastw2v.corpus.files.pieces import OpenSource, RowGroup, Shard, cut, name_of, read_footer, read_shards
from fastw2v.corpus.files.remote import File
from fastw2v.corpus.ids.cache import Cache, Extra
from fastw2v.corpus.ids.memory import Memory
from fastw2v.corpus.ids.segments import Dropped
from fastw2v.corpus.number import number_words
from fastw2v.corpus.phrases.find import OnPass
from fastw2v.corpus.read import (
    HALF_OF_FREE,
    Corpus,
    cache_of,
    check_given_words,
    corpus_of,
    names_files,
    read_corpus,
    require_counting,
)
from fastw2v.corpus.tally import Tally
from fastw2v.corpus.targets import marks_of, note_of_targets
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.weights import WeightSums, note_of, sums_of
from fastw2v.corpus.where import left_out, places_named
from fastw2v.corpus.workers import WorkerPool, worker_pool
from fastw2v.distributed.communicator import Communicator
from fastw2v.distributed.merging import add_everywhere, merge_everywhere
from fastw2v.distributed.portions import Part, SharedCorpus, in_portions
from fastw2v.errors import CorpusError
from fastw2v.training.start import settled


class Reading(NamedTuple):
    """What is read, and how: the source, the options of reading it, the words to use if they are given."""

    source: Any
    config: ReadConfig
    vocabulary: Vocabulary | None


def read_shared_corpus(source: Any, communicator: Communicator, **options: Any) -> SharedCorpus:
    """`read_part` in portions: what processes train on that keep nothing out."""
    return in_portions(read_part(source, communicator, **options), communicator)


def read_part(
    source: Any,
    communicator: Communicator,
    *,
    vocabulary: Vocabulary | None = None,
    threads: int = 1,
    memory: Memory = HALF_OF_FREE,
    on_progress: Callable[[float, int], None] | None = None,
    on_pass: OnPass | None = None,
    tally: Tally | None = None,
    **options: Any,
) -> Part:
    """Read a corpus as `read_corpus` does, with all processes of a communicator; every one of them calls it.

    source  as there, or a Corpus that is read already; of an object, of rows that are grouped, as a group
            may be in several files, and of phrases, which are those of the whole corpus, rank 0 reads all,
            and the others get theirs when portions are dealt

    threads, memory, on_progress and on_pass are those of this process, and tally is rank 0's. With a cache
    each process finds its own part again, where as many read the same files.

    Raises what `read_corpus` does, and CorpusError where processes see different files. What only one process
    finds wrong is raised there alone.
    """
    reading = Reading(source, ReadConfig(**options), vocabulary)
    if vocabulary is not None and vocabulary.counts.any():
        check_given_words(reading.config)
    if tally is not None:
        require_counting(reading.config, vocabulary, memory)
    if not names_files(source) or reading.config.group_by is not None or reading.config.phrases:
        if communicator.rank:
            return _part_of_others(communicator)
        if isinstance(source, Corpus):
            corpus = settled(source)
        else:
            known: dict[str, Any] = {"vocabulary": vocabulary, "threads": threads, "memory": memory}
            known |= {"on_progress": on_progress, "on_pass": on_pass, "tally": tally}
            corpus = read_corpus(source, **known, **options)
        return _part_of_all(corpus, communicator)
    with worker_pool(threads, memory, on_progress) as workers:
        place = (communicator.rank, communicator.size)
        cache = cache_of(source, reading.config, vocabulary, memory.cache_dir, place)
        kept = cache.load(threads) if cache else None
        if cache and all(communicator.gather(kept is not None)) and kept:
            corpus = corpus_of(kept.ids, kept.offsets, kept.vocabulary, kept.numbers, [cache.note])
            return Part(
                with_shared(corpus, kept.extra, communicator), kept.extra.shard_ends, workers.ids_bytes
            )
        return _read(reading, workers, communicator, cache, tally)


def _part_of_all(corpus: Corpus, communicator: Communicator) -> Part:
    """Rank 0's part where it read all; tells the others what they need of it."""
    words, counts = corpus.vocabulary.words, np.asarray(corpus.vocabulary.counts).tolist()
    beside = [corpus.weights is not None, corpus.targets is not None]
    communicator.broadcast(
        [words, counts, corpus.n_words_read, corpus.n_rows, corpus.n_null, list(corpus.dropped), beside]
    )
    return Part(corpus, np.array([len(corpus.ids)], np.int64))


def _part_of_others(communicator: Communicator) -> Part:
    """Another rank's part where rank 0 read all: no token, but the words and the numbers."""
    words, counts, n_words_read, n_rows, n_null, dropped, beside = communicator.broadcast(None)
    vocabulary = Vocabulary(words, np.array(counts, np.int64))
    ids, offsets = np.empty(0, np.int32), np.zeros(1, np.int64)
    corpus = Corpus(ids, offsets, vocabulary, n_words_read, n_rows, n_null, Dropped(*dropped))
    weights, targets = np.empty(0, np.float32) if beside[0] else None, ids if beside[1] else None
    return Part(corpus._replace(weights=weights, targets=targets), np.empty(0, np.int64))


def _read(
    reading: Reading,
    workers: WorkerPool,
    communicator: Communicator,
    cache: Cache | None,
    tally: Tally | None,
) -> Part:
    """This rank's part, read from its shards of the files."""
    source, config, vocabulary = reading
    files = find_files(source, config)
    _check_same_files(files, communicator)
    column, shards = _shards_of(files, config, communicator)
    ranks = readers([shard.n_bytes for shard in shards], communicator.size).tolist()
    own = OwnShards(shards, ranks, communicator.rank)
    counted = count_words(own.opened(name_of(files)), column, config, vocabulary, workers)
    counted = counted._replace(tally=tally)
    merge = functools.partial(merge_everywhere, communicator, counted.n_keys)
    add = functools.partial(add_everywhere, communicator)
    with places_named(files, column):
        encoder, vocabulary = number_words(counted, config, workers, merge, add)
    notes = list(mixed_notes(source, config)) if communicator.rank == 0 else []
    if communicator.rank == 0:
        notes += [left_out(bad, counted.name, files, column) for bad in counted.bad] + counted.notes
    told = communicator.gather(counted.numbers)
    numbers = {name: sum(of_rank[name] for of_rank in told) for name in counted.numbers}
    batches_a_piece = 2 if column.target else 1
    extra = counted.extra(encoder.ids_before(np.cumsum(own.n_pieces) * batches_a_piece))
    if cache and not numbers["n_dropped"]:
        ids, offsets = cache.save(encoder, vocabulary, numbers, extra)
    else:
        ids, offsets = encoder.stored(workers.ids_bytes)
    corpus = corpus_of(ids, offsets, vocabulary, numbers, notes)
    return Part(with_shared(corpus, extra, communicator), extra.shard_ends, workers.ids_bytes)


def with_shared(corpus: Corpus, extra: Extra, communicator: Communicator) -> Corpus:
    """This rank's part with weights and targets of its sentences, and a line on those of all ranks."""
    _, weights, targets = extra
    notes, n_words = list(corpus.notes), len(corpus.vocabulary)
    if weights is not None:
        notes.append(note_of([WeightSums(*told) for told in communicator.gather(sums_of(weights))]))
    if targets is not None:
        told = communicator.gather([int((targets >= 0).sum()), len(targets)])
        marks = marks_of(targets, corpus.ids, n_words).astype(np.int64)
        everywhere = add_everywhere(communicator, marks.reshape(-1)).reshape(2, -1) > 0
        n_there, n_sentences = (sum(column) for column in zip(*told, strict=True))
        notes.append(note_of_targets(n_there, n_sentences, everywhere))
    return corpus._replace(weights=weights, targets=targets, notes=tuple(notes))


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
        shards += cut(file, [RowGroup(*group) for group in of_file], column)
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

    def __init__(self, shards: Sequence[Shard], ranks: Sequence[int], rank: int) -> None:
        """shards   of all, with the ranks that read them, which rise"""
        self._shards = [shard for shard, reader in zip(shards, ranks, strict=True) if reader == rank]
        self.n_pieces = np.zeros(len(self._shards), np.int64)
        before = [shard for shard, reader in zip(shards, ranks, strict=True) if reader < rank]
        self._rows_before = sum(shard.stop_row - shard.first_row for shard in before)

    def opened(self, name: str) -> OpenSource:
        """The shards as a source of that name."""
        n_rows = sum(shard.stop_row - shard.first_row for shard in self._shards)
        files = [shard.file for shard in self._shards]
        return OpenSource(name, [], n_rows, self._read, files, self._rows_before)

    def _read(self, column: Column) -> Iterator[Piece]:
        for number, piece in read_shards(self._shards, column):
            self.n_pieces[number] += 1
            yield piece
