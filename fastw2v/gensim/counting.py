"""Which words a model has: counted, trimmed by gensim's rules, and added to those that it had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import GeneratorType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.gensim.faults import ArgumentError, ArgumentTypeError, VocabularyError, warn

Rule = Callable[[str, int, int], int]
DISCARD, KEEP = 1, 2  # what gensim.utils calls RULE_DISCARD and RULE_KEEP; 0 is RULE_DEFAULT


class Counts(NamedTuple):
    """Words of a corpus with their counts int64 (n,), most frequent first, and its sizes."""

    words: list[str]
    counts: NDArray[np.int64]
    n_sentences: int | None
    n_words: int


def source_of(corpus: Any, file: Any, *, once: bool = False) -> Any:
    """What `read_corpus` takes for a corpus or a file of gensim's; None without either.

    once   a generator will do

    Raises ArgumentTypeError for both, and for what gensim takes for no corpus.
    """
    if corpus is not None and file is not None:
        raise ArgumentTypeError("both a corpus and corpus_file were given: leave one of them out")
    if file is not None:
        if not isinstance(file, str | Path):
            raise ArgumentTypeError(f"corpus_file is a {type(file).__name__}: give the name of a file")
        return file
    if corpus is None:
        return None
    if isinstance(corpus, str | Path):
        raise ArgumentTypeError(f"sentences is {str(corpus)[:60]!r}: give a file's name as corpus_file")
    if isinstance(corpus, GeneratorType) and not once:
        raise ArgumentTypeError("sentences is a generator, which gives them once: give a list of them")
    if not isinstance(corpus, Iterable):
        raise ArgumentTypeError(f"sentences is a {type(corpus).__name__}: give lists of words")
    is_table = any(hasattr(corpus, name) for name in ("__arrow_c_stream__", "__arrow_c_array__"))
    return corpus if is_table else sentences_of(corpus)


def sentences_of(corpus: Iterable[Any]) -> Iterator[Any]:
    """The sentences; one that is a text is its characters, as in gensim, with a warning.

    Raises ArgumentTypeError for words that are no str: to gensim keys may be numbers.
    """
    is_known = has_warned = False
    for number, sentence in enumerate(corpus):
        if isinstance(sentence, str):
            if not has_warned:
                warn(f"sentence {number} is the text {sentence[:40]!r}, read by letters: give lists of words")
            has_warned, sentence = True, list(sentence)
        elif not is_known and not hasattr(sentence, "__len__"):
            sentence = list(sentence)
        if not is_known and len(sentence):
            word, is_known = next(iter(sentence)), True
            if not isinstance(word, str):
                raise ArgumentTypeError(
                    f"word {word!r} is a {type(word).__name__}: give [str(w) for w in sentence]"
                )
        yield sentence


def read(source: Any, threads: int, vocabulary: Vocabulary | None = None) -> Corpus:
    """A corpus, with all of its words or those of a vocabulary; its ids are by count, whatever the order."""
    is_text = isinstance(source, str | Path) and Path(source).suffix != ".parquet"
    options: dict[str, Any] = {"input": "text"} if is_text else {}
    return read_corpus(source, vocabulary=vocabulary, threads=threads, min_count=1, **options)


def count(source: Any, threads: int) -> Counts:
    """Every word of a corpus. Raises VocabularyError where there are not two."""
    first = None
    if isinstance(source, Iterator):
        first = next(source, None)
        if first is None:
            raise VocabularyError("the corpus holds no sentence: give lists of words")
        source = chained(first, source)
    corpus = read(source, threads)
    known = corpus.vocabulary
    return Counts(known.words, known.counts, corpus.n_rows, corpus.n_words_read)


def chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    """The first sentence, then the others."""
    yield first
    yield from rest


def counts_of(frequencies: Mapping[str, int], n_sentences: int | None) -> Counts:
    """Counts that are given, most frequent first. Raises ArgumentError for a count that is none."""
    for word, n in frequencies.items():
        if not isinstance(word, str) or isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise ArgumentError(f"word_freq has {word!r}: {n!r}: give counts, 0 or more, by word (str)")
    words = sorted(frequencies, key=lambda word: -frequencies[word])
    counts = np.array([frequencies[word] for word in words], np.int64)
    return Counts(words, counts, n_sentences, int(counts.sum()))


def least_count(counted: Counts, least: int, max_final_vocab: int | None) -> int:
    """min_count, or the lowest one above it that leaves no more than max_final_vocab words."""
    if max_final_vocab is None or max_final_vocab >= len(counted.words):
        return least
    return max(least, int(counted.counts[max_final_vocab]) + 1)


def kept(counted: Counts, least: int, rule: Rule | None) -> Vocabulary:
    """The words that stay: those of min_count, unless a rule keeps or discards them."""
    if rule is None:
        n = int((counted.counts >= least).sum())
        return Vocabulary(counted.words[:n], counted.counts[:n])
    places = []
    for place, (word, n) in enumerate(zip(counted.words, counted.counts.tolist(), strict=True)):
        verdict = rule(word, n, least)
        if verdict == KEEP or (verdict != DISCARD and n >= least):
            places.append(place)
    return Vocabulary([counted.words[place] for place in places], counted.counts[places])


def added(known: Vocabulary, more: Vocabulary) -> Vocabulary:
    """The known words with what was counted more of them, then the new ones."""
    counts = known.counts.copy()
    fresh = []
    for place, word in enumerate(more.words):
        if word in known.index:
            counts[known.index[word]] += more.counts[place]
        else:
            fresh.append(place)
    words = [*known.words, *(more.words[place] for place in fresh)]
    return Vocabulary(words, np.concatenate([counts, more.counts[fresh]]))
