"""A corpus to ids: words counted and numbered in several threads, in one pass.

    files ─► batches of Arrow buffers ─► workers split, count and number words ─► vocabulary ─► ids, offsets

One pass over the text. A batch goes, in the order of the corpus, to whichever worker is free; the result does
not depend on which that was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import MAX_THREADS, ReadConfig
from fastw2v.corpus.arrow.columns import common_column
from fastw2v.corpus.arrow.objects import are_texts, open_object
from fastw2v.corpus.beside import Beside, with_given
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.files.mixed import mixed_notes
from fastw2v.corpus.files.pieces import OpenSource, open_files
from fastw2v.corpus.files.pipes import require_no_pipe
from fastw2v.corpus.ids.cache import Cache, Extra
from fastw2v.corpus.ids.memory import Memory, budget
from fastw2v.corpus.ids.segments import Dropped
from fastw2v.corpus.tally import Tally
from fastw2v.corpus.targets import marks_of, note_of_targets
from fastw2v.corpus.vocabulary import Vocabulary, checked
from fastw2v.corpus.weights import note_of, sums_of
from fastw2v.corpus.workers import worker_pool
from fastw2v.errors import UsageError
from fastw2v.model.arrays import Tokens
from fastw2v.model.sources import TokenSource
from fastw2v.options.checks import whole
from fastw2v.options.phrases import PhraseOptions
from fastw2v.options.rows import GIVEN
from fastw2v.options.synonyms import require_known

if TYPE_CHECKING:
    from fastw2v.corpus.phrases.find import OnPass

HALF_OF_FREE = Memory()
READING = (*ReadConfig.__dataclass_fields__, "vocabulary", "threads", "memory", "tally")


class Corpus(NamedTuple):
    """Text as numbers.

    ids           int32 (n_tokens,), place of each token's word in the vocabulary; other words are left out
    offsets       int64 (n_sentences + 1,): sentence s is ids[offsets[s]:offsets[s + 1]], never empty
    vocabulary    Vocabulary
    n_words_read  all tokens, also those outside the vocabulary
    n_rows        all rows, also null and empty ones; of a table of one item a row, the groups
    n_null        null rows and null list items, which are skipped, and rows without item, group or order
    dropped          what was dropped while counting, where memory did not suffice for all words
    notes         lines for the user: what was found in the cache, or dropped
    weights       float32 (n_sentences,), times which each sentence counts, in its steps and in the counts of
                  the vocabulary; 0 leaves it out. None where all are 1
    source        what makes the tokens of each epoch anew, as of walks on a graph: ids are empty then, and
                  rows are edges, or of given pairs; None where ids are all there is
    outside_vocabulary   of the outside words, where they are not those of the vocabulary: of given pairs
    targets       int32 (n_sentences,), the word that all centres of a sentence predict beside their windows,
                  −1 for none; None where there are none

    Arrays that exceed the memory limit are in a file; `storage.forget` gives back what was read of them.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: Vocabulary
    n_words_read: int
    n_rows: int
    n_null: int
    dropped: Dropped = Dropped()
    notes: tuple[str, ...] = ()
    source: TokenSource | None = None
    weights: NDArray[np.float32] | None = None
    outside_vocabulary: Vocabulary | None = None
    targets: NDArray[np.int32] | None = None

    @property
    def tokens(self) -> Tokens:
        """As trainers take them."""
        if self.targets is None or self.weights is not None:
            return Tokens(self.ids, self.offsets, self.weights, self.targets)
        return Tokens(self.ids, self.offsets, np.ones(len(self.targets), np.float32), self.targets)

    @property
    def beside(self) -> tuple[NDArray[Any], ...]:
        """What sentences have beside their words: weights and targets, (n_sentences,), if they have some."""
        return tuple(array for array in (self.weights, self.targets) if array is not None)

    @property
    def n_tokens(self) -> int:
        """Of an epoch."""
        return self.source.n_tokens if self.source else len(self.ids)

    @property
    def outside_counts(self) -> NDArray[np.int64] | None:
        """Of the outside words, where they have a vocabulary of their own."""
        return None if self.outside_vocabulary is None else self.outside_vocabulary.counts


def read_corpus(
    source: Any,
    *,
    vocabulary: Vocabulary | None = None,
    threads: int = 1,
    memory: Memory = HALF_OF_FREE,
    on_progress: Callable[[float, int], None] | None = None,
    on_pass: OnPass | None = None,
    tally: Tally | None = None,
    on_open: Callable[[], None] = lambda: None,
    **options: Any,
) -> Corpus:
    """Read files of Parquet or text, or an object that holds a corpus, into ids, one sentence a row.

    source       a file, a folder (its *.parquet, recursively, or else its text), a pattern with *, a URI, a
                 pipe (- is standard input), or a list of these; or one of `objects`. Text is of a sentence a
                 line, and may be packed
    vocabulary   use this one, in any order, with its counts, instead of counting; min_count and max_vocab do
                 not apply. Counts of 0 alone are replaced by those of the corpus, and then both apply
    threads      workers; the result does not depend on it (but where words had to be dropped, see `dropped`)
    memory       how much to use, a folder that keeps the ids of files for the next run, or that ids are not
                 wanted: then those of the Corpus are none
    on_progress  called about ten times a second with the share of rows handed out, 0 where it is not known,
                 and the words read so far; before the first word, of groups, with the share that is sorted
    on_pass      the same of phrases, with the number of the pass and its share
    tally        counts of earlier texts, of which and of this one's the vocabulary is made; holds their sum
                 in the end, also of words too rare for the vocabulary
    on_open      called once the source is known to be there and to have what is read of it, before Numba is
                 loaded and a word is read
    options      of `ReadConfig`: column, min_count, max_vocab …; weight may also be an array, of a number for
                 each row of the source, and global_context one of words

    Raises UsageError for options, columns or vocabularies that cannot be used, CorpusError for files that
    cannot be read or are corrupt, OutputError when memory ends.
    """
    require_known(options, READING, "read_corpus")
    source, options = with_given(source, options)
    config = ReadConfig(**options)
    threads = whole("threads", threads, 1, MAX_THREADS)
    vocabulary = None if vocabulary is None else checked(vocabulary)
    if vocabulary is not None and vocabulary.counts.any():
        check_given_words(config)
    if tally is not None:
        require_counting(config, vocabulary, memory)
    if any(getattr(config, name) for name in GIVEN):
        memory = memory._replace(keeps_ids=True)  # by which rows are known
    if config.phrases:
        reading: dict[str, Any] = {"threads": threads, "memory": memory, "on_progress": on_progress}
        reading["on_open"] = on_open
        return with_phrases(source, config, vocabulary, reading, on_pass)
    with worker_pool(threads, memory, on_progress) as workers:
        cache = cache_of(source, config, vocabulary, memory.cache_dir)
        if cache and (kept := cache.load(threads)):
            on_open()
            corpus = corpus_of(kept.ids, kept.offsets, kept.vocabulary, kept.numbers, [cache.note])
            return with_extra(corpus, kept.extra)
        opened = open_source(source, config)
        column = common_column(opened.schemas, config)
        notes = list(mixed_notes(source, config)) if names_files(source) else []
        on_open()
        from fastw2v.corpus.number import (
            numbered,  # and Numba, 0.2 s: what is wrong with a corpus comes first
        )

        given = vocabulary, tally
        counted, vocabulary, ids, offsets = numbered(opened, column, config, given, workers, cache)
    notes += [*counted.notes, *([cache.note] if cache and cache.note else [])]
    return with_extra(corpus_of(ids, offsets, vocabulary, counted.numbers, notes), counted.extra())


def with_extra(corpus: Corpus, extra: Extra) -> Corpus:
    """The corpus with weights and targets of its sentences, if there are some, and a line on each."""
    _, weights, targets = extra
    notes = [] if weights is None else [note_of([sums_of(weights)])]
    if targets is not None:
        marks = marks_of(targets, corpus.ids, len(corpus.vocabulary))
        notes.append(note_of_targets(int((targets >= 0).sum()), len(targets), marks))
    return corpus._replace(weights=weights, targets=targets, notes=(*corpus.notes, *notes))


def check_given_words(config: ReadConfig) -> None:
    """Refuse limits of counts where a vocabulary is given: its words are used, whatever their counts.

    Defaults of presets pass: 5, and what keeps every word. Raises UsageError.
    """
    if config.max_vocab is None and config.min_count in (0, 1, ReadConfig.min_count):
        return
    name = "min_count" if config.max_vocab is None else "max_vocab"
    raise UsageError(
        f"{name} is {getattr(config, name)}, but the words of the given vocabulary are used whatever their "
        f"counts: leave {name} out, and choose them with 'fastw2v vocab' first",
        (name,),
    )


def require_counting(config: ReadConfig, vocabulary: Vocabulary | None, memory: Memory) -> None:
    """Raise UsageError for what leaves words uncounted, whose counts are to be kept or added to."""
    if config.phrases:
        raise UsageError(
            "phrases are found in one text, and a model goes on with others: join them first, by "
            "'fastw2v phrases', and train on what that writes",
            ["phrases"],
        )
    if memory.cache_dir is not None:
        raise UsageError(
            "cache_dir keeps no counts of rare words, which a model goes on with: leave cache_dir out",
            ["cache_dir"],
        )
    if vocabulary is not None:
        raise UsageError(
            "vocabulary gives the counts, and a model goes on with those of its texts: leave vocabulary out",
            ["vocabulary"],
        )


def with_phrases(
    source: Any,
    config: ReadConfig,
    vocabulary: Vocabulary | None,
    reading: Mapping[str, Any],
    on_pass: OnPass | None,
) -> Corpus:
    """What `read_corpus` gives where phrases are asked for: read as it is, and joined then.

    Words that are rare by themselves may be frequent in a phrase, so that all of them are read; min_count and
    max_vocab are of words and phrases alike.

    reading   threads, memory, on_progress and on_open of `read_corpus`
    """
    if vocabulary is not None:
        raise UsageError(
            "phrases are words that the given vocabulary has not: leave vocabulary out, or phrases",
            ("phrases", "vocabulary"),
        )
    corpus = plain_corpus(source, config, reading)
    from fastw2v.corpus.phrases.find import find_phrases

    threads, memory = reading["threads"], reading["memory"]
    joined = find_phrases(
        corpus[:3],
        config.phrase_settings,
        limits=(config.min_count, config.max_vocab),
        room=budget(memory.limit, threads, memory.n_sharing),
        threads=threads,
        on_pass=on_pass,
    )
    if len(joined.vocabulary) < 2:
        raise UsageError(
            f"{len(joined.vocabulary)} words and phrases occur at least min_count = {config.min_count} "
            "times; negative sampling needs 2: lower min_count, or raise phrase_threshold",
            ("min_count", "phrase_threshold"),
        )
    return corpus._replace(
        ids=joined.ids,
        offsets=joined.offsets,
        vocabulary=joined.vocabulary,
        n_words_read=joined.n_tokens,
        notes=(*corpus.notes, joined.note),
    )


def plain_corpus(source: Any, config: ReadConfig, reading: Mapping[str, Any]) -> Corpus:
    """The corpus that phrases are found in: all its words, and none joined yet; source may be a Corpus."""
    if isinstance(source, Corpus):
        for name, beside in (("weight", source.weights), ("global_context", source.targets)):
            if beside is not None:
                raise UsageError(f"phrases are of words alone: leave {name} out where the corpus is read")
        return source
    without: dict[str, Any] = {field.name: field.default for field in fields(PhraseOptions)}
    plain = replace(config, min_count=1, max_vocab=None, **without)
    return read_corpus(source, **reading, **vars(plain))


def cache_of(
    source: Any,
    config: ReadConfig,
    vocabulary: Vocabulary | None,
    folder: Path | None,
    place: tuple[int, int] | None = None,
) -> Cache | None:
    """The place of a corpus in the cache; None without a folder, and for an object.

    Raises UsageError for arrays of what its rows have beside their words.

    place   rank and number of processes, where each of several reads a part
    """
    if folder is not None and isinstance(source, Beside):
        raise UsageError(
            f"{source.option} is an array, and cache_dir keeps what files hold: leave cache_dir out, or give "
            f"{source.option} as a column",
            ["cache_dir", source.option],
        )
    if folder is None or not names_files(source):
        return None
    require_no_pipe(source, "its ids cannot be found again in cache_dir", "cache_dir")
    options = vars(config) | {
        "keep_words": None if config.keep_words is None else sorted(config.keep_words),
        "stop_words": sorted(config.stop_words),
        "vocabulary": vocabulary and [vocabulary.words, vocabulary.counts.tolist(), vocabulary.is_sum],
    }
    if place:
        options["place"] = list(place)
    return Cache(folder, find_files(source, config), options)


def corpus_of(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    vocabulary: Vocabulary,
    numbers: Mapping[str, int],
    notes: Sequence[str] = (),
) -> Corpus:
    """A Corpus from its arrays and its numbers, those of Dropped included; a note says what was dropped."""
    dropped = Dropped(*(numbers[name] for name in Dropped._fields))
    if dropped.n_dropped:
        notes = [
            *notes,
            f"the words exceeded the memory limit: dropped {dropped.n_dropped:,} rare ones with "
            f"{dropped.n_dropped_tokens:,} tokens while counting; a word's count may be short by up to "
            f"{dropped.short_by:,}: raise --memory-limit to count exactly",
        ]
    n_words_read, n_rows, n_null = (numbers[name] for name in ("n_words_read", "n_rows", "n_null"))
    return Corpus(ids, offsets, vocabulary, n_words_read, n_rows, n_null, dropped, tuple(notes))


def names_files(source: Any) -> bool:
    """Whether a source is names of files, not an object that holds a corpus, as a list of texts does."""
    names = source if isinstance(source, list | tuple) else [source]
    return not are_texts(source) and all(isinstance(name, str | Path) for name in names)


def open_source(source: Any, config: ReadConfig) -> OpenSource:
    """Names of files, or else an object that holds the corpus. Raises UsageError for --input of an object."""
    if isinstance(source, Beside):
        return source.opened(open_source(source.source, config))
    if names_files(source):
        return open_files(source, config)
    if config.input:
        raise UsageError(
            f"input {config.input} is for files, and the corpus is none: leave it out", ["input"]
        )
    return open_object(source)
