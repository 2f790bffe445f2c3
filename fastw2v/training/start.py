"""How a run starts: vectors to start from, and whether all of it is usable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.backends import Backend, n_buckets_of, spans_of
from fastw2v.config import TrainConfig
from fastw2v.corpus.ids.storage import in_parts
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.arrays import Vectors
from fastw2v.model.ngrams import WORDS_AT_ONCE
from fastw2v.model.plan import Schedule, rows_behind
from fastw2v.options.checks import shown
from fastw2v.system.portable import return_free_memory
from fastw2v.training.health import require_healthy
from fastw2v.training.hooks import START, Hook, Position, Trained, embeddings_of
from fastw2v.training.matrices import aligned_zeros, require_memory, unpadded
from fastw2v.vectors.embeddings import Embeddings, fill_initial
from fastw2v.vectors.formats.common import first_not_finite
from fastw2v.vectors.ngrams import InputRows

FEW_READ = 1000  # words of a run, all epochs, of which subsampling may well leave no pair
COPIED_ROWS = 65_536  # at once, so that copying takes little memory beside the matrices


def longest_sentence(offsets: NDArray[np.int64]) -> int:
    """Tokens of the longest sentence, at least 1."""
    return max((int(np.diff(part).max(initial=1)) for part in in_parts(offsets, overlap=1)), default=1)


def make_schedule(config: TrainConfig, n_tokens: int, key: int = 0, words_before: int = 0) -> Schedule:
    """What the units of one part of an epoch share; n_tokens are those of the corpus."""
    return schedule_of(config, config.epochs * n_tokens, key, words_before)


def schedule_of(config: TrainConfig, words_total: int, key: int, words_before: int) -> Schedule:
    """The same of a run of so many tokens."""
    return Schedule(
        epoch_key=np.uint64(key),
        words_before=words_before,
        words_total=words_total,
        learning_rate=config.learning_rate,
        min_learning_rate=config.min_learning_rate,
        center_share=float(config.freeze != "center"),
        outside_share=float(config.freeze != "outside"),
    )


def settled(corpus: Corpus) -> Corpus:
    """The corpus with arrays of the types that kernels are compiled for; of any other they would be anew.

    Integers of other sizes and byte orders, and what is not contiguous, are copied. What may not be written
    is taken as if it might: no kernel does. What cannot be taken stays, for `require_usable` to refuse.
    """
    ids, offsets = plain(corpus.ids, np.int32), plain(corpus.offsets, np.int64)
    counts = plain(corpus.vocabulary.counts, np.int64)
    return corpus._replace(
        ids=ids,
        offsets=offsets,
        vocabulary=Vocabulary(list(corpus.vocabulary.words), counts),
        weights=None if corpus.weights is None else plain_weights(corpus.weights),
        targets=None if corpus.targets is None else plain(corpus.targets, np.int32),
    )


def plain_weights(given: Any) -> NDArray[np.float32]:
    """Weights of sentences as a contiguous array of float32; what cannot be taken stays."""
    array: NDArray[Any] = np.asarray(given)
    if array.dtype.kind not in "fiub":
        return array
    array = np.require(array, np.float32, ["C", "A"])
    return array if array.flags.writeable else np.array(_Writable(array), copy=False)


def plain(given: Any, dtype: type[np.integer[Any]]) -> NDArray[Any]:
    """Integers (n,) as a contiguous, writable array of a type, copied only where they must be."""
    array: NDArray[Any] = np.asarray(given)
    limits = np.iinfo(dtype)
    if array.dtype != dtype:
        fits = (
            array.dtype.kind in "iu" and array.size and limits.min <= array.min() <= array.max() <= limits.max
        )
        if not fits:
            return array
    array = np.require(array, dtype, ["C", "A"])
    return array if array.flags.writeable else np.array(_Writable(array), copy=False)


class _Writable:
    """An array's memory as NumPy takes it from others, said to be writable."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array  # keeps the memory
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = array.__array_interface__ | {"data": (address, False)}


def require_usable(corpus: Corpus, *, is_part: bool = False) -> None:
    """Raise UsageError for a corpus that the kernels, which check nothing, must not see.

    is_part   it is what one of several processes has: all weights may be 0 in it
    """
    words, counts = corpus.vocabulary.words, corpus.vocabulary.counts
    if len(words) < 2:
        raise UsageError(f"the vocabulary has {len(words)} words: negative sampling needs at least 2")
    if counts.shape != (len(words),) or not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0:
        raise UsageError(
            f"counts are {counts.dtype} of shape {counts.shape}: each of {len(words):,} words needs one, "
            "0 or more"
        )
    if not counts.any():
        raise UsageError(
            f"all {len(words):,} words of the vocabulary have count 0: noise words need counts; count again"
        )
    for name, array, dtype in (("ids", corpus.ids, np.int32), ("offsets", corpus.offsets, np.int64)):
        if array.dtype != dtype or array.ndim != 1 or not array.flags.c_contiguous:
            raise UsageError(
                f"{name} are {array.dtype} of shape {array.shape}: a contiguous array of {np.dtype(dtype)} "
                "with one axis is needed"
            )
    for part in in_parts(corpus.ids):
        if not (part.min() >= 0 and part.max() < len(words)):
            raise UsageError(
                f"ids are from {part.min()} to {part.max()}: they are places in the vocabulary, "
                f"from 0 to {len(words) - 1}"
            )
    ends = corpus.offsets[[0, -1]].tolist() if len(corpus.offsets) else []
    if ends != [0, len(corpus.ids)] or any(
        (part[1:] < part[:-1]).any() for part in in_parts(corpus.offsets, overlap=1)
    ):
        raise UsageError(
            f"offsets must rise from 0 to the number of ids, {len(corpus.ids):,}: sentence s is "
            "ids[offsets[s]:offsets[s + 1]]"
        )
    require_weights(corpus.weights, len(corpus.offsets) - 1)
    if not is_part:
        require_some_weight(*counting_sentences(corpus))
    require_targets(corpus.targets, len(corpus.offsets) - 1, len(words))


def require_targets(targets: NDArray[np.int32] | None, n_sentences: int, n_words: int) -> None:
    """Raise UsageError for targets of sentences that are none."""
    if targets is None:
        return
    if targets.dtype != np.int32 or targets.shape != (n_sentences,):
        raise UsageError(
            f"targets are {targets.dtype} of shape {targets.shape}: each of {n_sentences:,} sentences needs "
            "a place in the vocabulary, or -1"
        )
    if targets.min(initial=-1) < -1 or targets.max(initial=-1) >= n_words:
        raise UsageError(
            f"targets are from {targets.min()} to {targets.max()}: they are places in the vocabulary, from 0 "
            f"to {n_words - 1}, or -1 for none"
        )


def require_weights(weights: NDArray[np.float32] | None, n_sentences: int) -> None:
    """Raise UsageError for weights of sentences that are none."""
    if weights is None:
        return
    if weights.dtype != np.float32 or weights.shape != (n_sentences,):
        raise UsageError(
            f"weights are {weights.dtype} of shape {weights.shape}: each of {n_sentences:,} sentences needs "
            "a number"
        )
    is_bad = ~(np.isfinite(weights) & (weights >= 0))
    if is_bad.any():
        place = int(is_bad.argmax())
        raise UsageError(
            f"the weight of sentence {place} is {weights[place]}: a number of 0 or more is needed; 0 leaves "
            "a sentence out"
        )


def require_some_weight(n_counting: int, n_sentences: int) -> None:
    """Raise UsageError where all sentences have the weight 0."""
    if n_sentences and not n_counting:
        raise UsageError(f"the weights of all {n_sentences:,} sentences are 0: nothing is left to train on")


def counting_sentences(corpus: Corpus) -> tuple[int, int]:
    """How many sentences have another weight than 0, and how many there are."""
    n_sentences = len(corpus.offsets) - 1
    return n_sentences if corpus.weights is None else int(np.count_nonzero(corpus.weights)), n_sentences


def require_known(config: TrainConfig, init: Embeddings | None) -> None:
    """Raise UsageError for vectors to start from that do not fit the run."""
    if init is not None and config.subwords and init.made_of is None:
        raise UsageError(
            "the vectors to start from are of words, and with subwords those are made of n-grams: leave one "
            "of them out, or start from a file of fastText's",
            ["subwords"],
        )
    if init is not None and init.made_of is not None and spans_of(config) not in (None, init.made_of.spans):
        shortest, longest, n_buckets = init.made_of.spans
        raise UsageError(
            f"the vectors to start from have n-grams of {shortest}-{longest} characters in {n_buckets:,} "
            f"buckets: set subwords to {shortest}-{longest} and buckets to {n_buckets}, or leave both out",
            ["subwords", "buckets"],
        )
    if init is not None and init.dim != config.dim:
        raise UsageError(f"the vectors to start from have dim {init.dim}: set dim to it, not to {config.dim}")
    require_finite(init)
    if config.freeze == "outside" and (init is None or init.outside_vectors is None):
        raise UsageError(
            "freeze outside would leave the outside vectors zero: start from vectors with outside ones"
        )


def require_finite(init: Embeddings | None) -> None:
    """Raise UsageError for vectors to start from that are not finite."""
    if init is None:
        return
    words, others = init.words, init.outside_words
    matrices = [(init.center_vectors, words), (init.outside_vectors, words if others is None else others)]
    matrices += [(init.made_of.rows, words)] if init.made_of else []
    for matrix, own in matrices:
        if matrix is not None and (row := first_not_finite(matrix)) is not None:
            which = f"the vector of {shown(own[row])}" if row < len(own) else "a row of n-grams"
            cure = "leave that word out" if row < len(own) else "start from others"
            raise UsageError(f"init holds NaN or infinity in {which}: {cure}")


def fill_known(
    vectors: Vectors,
    words: Sequence[str],
    init: Embeddings,
    dim: int,
    outside_words: Sequence[str] | None = None,
) -> None:
    """Copy the vectors of the words that init has; its outside vectors only if it has them.

    outside_words   of the run, where they are not its words

    Of words made of n-grams these are copied, too, and other words start from theirs.

    Raises UsageError where it has none of the words.
    """
    made_of = init.made_of if len(vectors.center) > len(words) else None
    own_rows = made_of.rows if made_of else init.center_vectors
    n_known = copy_known(vectors.center, words, own_rows, init.index, dim)
    if made_of:
        vectors.center[len(words) :, :dim] = made_of.rows[len(init) :]
        start_from_ngrams(vectors.center, words, init.index, made_of)
    if not n_known:
        raise UsageError(f"none of the {len(words):,} words is among the {len(init):,} to start from")
    if init.outside_vectors is not None:
        own = init.outside_words
        index = init.index if own is None else {word: i for i, word in enumerate(own)}
        copy_known(vectors.outside, outside_words or words, init.outside_vectors, index, dim)


def start_from_ngrams(
    matrix: NDArray[np.float32], words: Sequence[str], index: Mapping[str, int], made_of: InputRows
) -> None:
    """Set the own rows of the words that an index lacks to the means of their n-grams' rows.

    So the mean of all rows of a word, too, is the vector that it had unseen. One without n-grams stays.
    """
    new = np.array([i for i, word in enumerate(words) if word not in index], np.int64)
    for start in range(0, len(new), WORDS_AT_ONCE):
        some = new[start : start + WORDS_AT_ONCE]
        means, is_made = made_of.of_ngrams([words[i] for i in some.tolist()])
        matrix[some[is_made], : means.shape[1]] = means


def copy_known(
    matrix: NDArray[np.float32],
    words: Sequence[str],
    known: NDArray[np.float32],
    index: Mapping[str, int],
    dim: int,
) -> int:
    """Copy the rows of the words that an index has; returns how many there are."""
    rows = np.array([i for i, word in enumerate(words) if word in index], np.int64)
    places = np.array([index[words[i]] for i in rows], np.int64)
    for start in range(0, len(rows), COPIED_ROWS):
        part = slice(start, start + COPIED_ROWS)
        matrix[rows[part], :dim] = known[places[part]]
    return len(rows)


def begin(
    corpus: Corpus,
    config: TrainConfig,
    hooks: Sequence[Hook],
    init: Embeddings | None,
    n_copies: int = 1,
    n_domains: int = 0,
) -> tuple[Vectors, Position]:
    """The matrices as they start, and where: as a hook restores them, as init has them, or drawn.

    n_domains   of cache, for whose copies their memory has rows behind them, of which nobody else knows

    Raises OutputError where so many copies of them do not fit the memory.
    """
    n_words, n_buckets = len(corpus.vocabulary), n_buckets_of(config)
    others = corpus.outside_vocabulary
    n_outside = n_words if others is None else len(others)
    require_memory(n_words, config.dim, n_copies, n_buckets, None if others is None else n_outside)
    return_free_memory()  # of reading, and of the plan
    n_rows, n_behind = n_words + n_buckets, rows_behind(n_domains)
    vectors = Vectors(
        aligned_zeros(n_rows, config.dim, n_behind), aligned_zeros(n_outside, config.dim, n_behind)
    )
    for start in filter(None, (hook.restore(vectors) for hook in hooks)):
        return vectors, start
    fill_initial(vectors.center[:, : config.dim], config.seed)
    require_known(config, init)
    if init:
        if config.loss == "hierarchical-softmax":  # whose rows of U stand for no words
            init = replace(init, outside_vectors=None, outside_words=None, outside_counts=None)
        outside_words = None if others is None else others.words
        fill_known(vectors, corpus.vocabulary.words, init, config.dim, outside_words)
    return vectors, START


def no_pair_line(n_pairs: float, n_kept: int, words: int, sample: float) -> str | None:
    """What to say where no pair was trained of so many words read; None where one was."""
    if n_pairs:
        return None
    return (
        f"no pair was trained: subsampling left {n_kept:,} of {words:,} words read, and none of them a "
        f"neighbour, at --sample {sample:g}; raise --sample, or set it to 0 to keep all"
    )


def finish(
    corpus: Corpus, config: TrainConfig, backend: Backend, end: Position, words: int, compile_seconds: float
) -> Trained:
    """What a run that ended there came to.

    Raises DivergedError where a vector is not finite or is huge, CorpusError where no pair was trained: of a
    few words none may come by chance, and the vectors are as they were drawn.
    """
    n_kept = end.totals.n_kept
    line = no_pair_line(end.totals.n_pairs, n_kept, words, config.sample)
    if line and (words >= FEW_READ or not n_kept):
        raise CorpusError(line)
    vectors, mean_loss = backend.host(), end.totals.mean_loss
    require_healthy(vectors, mean_loss, backend.plan.objective, config.learning_rate)
    vectors = Vectors(*(unpadded(matrix, config.dim) for matrix in vectors))
    return Trained(
        embeddings=embeddings_of(
            corpus.vocabulary, vectors, backend.plan.inputs, backend.plan.objective, corpus.outside_vocabulary
        ),
        words=words,
        kept_words=end.totals.n_kept,
        pairs=round(end.totals.n_pairs),
        mean_loss=mean_loss,
        compile_seconds=compile_seconds,
        train_seconds=end.seconds,
    )
