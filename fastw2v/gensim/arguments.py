"""gensim's arguments: their names, order and defaults, and what becomes of each here."""

from __future__ import annotations

import inspect
from typing import Any

from fastw2v.config import TrainConfig
from fastw2v.gensim.faults import ArgumentError, ArgumentTypeError, gensim_names, warn

# Of the constructor, in gensim 4's order. Those from vector_size on are attributes of the model, too.
CONSTRUCTOR: dict[str, Any] = {
    "sentences": None,
    "corpus_file": None,
    "vector_size": 100,
    "alpha": 0.025,
    "window": 5,
    "min_count": 5,
    "max_vocab_size": None,
    "sample": 1e-3,
    "seed": 1,
    "workers": 3,
    "min_alpha": 1e-4,
    "sg": 0,
    "hs": 0,
    "negative": 5,
    "ns_exponent": 0.75,
    "cbow_mean": 1,
    "hashfxn": hash,
    "epochs": 5,
    "null_word": 0,
    "trim_rule": None,
    "sorted_vocab": 1,
    "batch_words": 10_000,
    "compute_loss": False,
    "callbacks": (),
    "comment": None,
    "max_final_vocab": None,
    "shrink_windows": True,
}
# Of FastText, in its own order; what only it has follows.
ORDER = (
    *(
        "sentences",
        "corpus_file",
        "sg",
        "hs",
        "vector_size",
        "alpha",
        "window",
        "min_count",
        "max_vocab_size",
    ),
    *("word_ngrams", "sample", "seed", "workers", "min_alpha", "negative", "ns_exponent", "cbow_mean"),
    *("hashfxn", "epochs", "null_word", "min_n", "max_n", "sorted_vocab", "bucket", "trim_rule"),
    *("batch_words", "callbacks", "max_final_vocab", "shrink_windows"),
)
OF_NGRAMS = {"word_ngrams": 1, "min_n": 3, "max_n": 6, "bucket": 2_000_000}
FASTTEXT: dict[str, Any] = {name: (CONSTRUCTOR | OF_NGRAMS)[name] for name in ORDER}
BUILD: dict[str, Any] = {
    "corpus_iterable": None,
    "corpus_file": None,
    "update": False,
    "progress_per": 10_000,
    "keep_raw_vocab": False,
    "trim_rule": None,
}
TRAIN: dict[str, Any] = {
    "corpus_iterable": None,
    "corpus_file": None,
    "total_examples": None,
    "total_words": None,
    "epochs": None,
    "start_alpha": None,
    "end_alpha": None,
    "word_count": 0,
    "queue_factor": 2,
    "report_delay": 1.0,
    "compute_loss": False,
    "callbacks": (),
}
# Arguments that warn when they are not what they are by default, and why.
IDLE = {
    "max_vocab_size": "no word is pruned while counting, which is exact; max_final_vocab bounds the result",
    "hashfxn": "vectors start from seed alone, whatever a word hashes to",
    "sorted_vocab": "words are always in the order of their counts",
    "batch_words": "work is shared out by whole units of the corpus, and no text is cut",
    "progress_per": "there is no log of the counting; fastw2v vocab shows it",
    "keep_raw_vocab": "counts of words that are left out are not kept",
    "word_count": "the step size is that of a run from its start; set start_alpha to go on lower",
    "queue_factor": "there is no queue",
    "report_delay": "there is no log of the training; use callbacks, or fastw2v.train(verbose=True)",
}
RENAMED = {"size": "vector_size", "iter": "epochs", "sentences": "corpus_iterable"}
NOT_SAVED = ("sentences", "corpus_file", "hashfxn", "trim_rule", "callbacks")


def saved(arguments: dict[str, Any]) -> list[str]:
    """The arguments of a constructor that are settings of a model."""
    return [name for name in arguments if name not in NOT_SAVED]


def signature(arguments: dict[str, Any]) -> inspect.Signature:
    """The signature of these arguments, by position or by name."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind, default=arguments[name]) for name in arguments])


def bound(
    name: str, arguments: dict[str, Any], given: tuple[Any, ...], named: dict[str, Any]
) -> dict[str, Any]:
    """Every argument of a method by name, as given or by default; those of no effect warn.

    Raises ArgumentTypeError for a name that there is not.
    """
    for old in RENAMED.keys() & named.keys() - arguments.keys():
        raise ArgumentTypeError(f"{name} has no argument {old}: since gensim 4 it is {RENAMED[old]}")
    try:
        values = signature(arguments).bind(*given, **named)
    except TypeError as error:
        raise ArgumentTypeError(f"{name}: {error}; it takes {', '.join(arguments)}") from None
    values.apply_defaults()
    for argument in IDLE.keys() & values.arguments.keys():
        value = values.arguments[argument]
        if value is not arguments[argument] and value != arguments[argument]:
            warn(f"{argument}={value!r} has no effect: {IDLE[argument]}", 4)
    return dict(values.arguments)


def config_of(model: Any, n_words: int = 0, epochs: int | None = None) -> TrainConfig:
    """What a training of a model by gensim's settings is here.

    n_words   of the corpus in the vocabulary, which a sample of 1 or more counts by

    Raises ArgumentError for a value that cannot be used, by gensim's name.
    """
    if not model.hs and not model.negative:
        raise ArgumentError("hs=0 and negative=0 leave nothing to train: set one of them above 0")
    if not model.sg and not model.cbow_mean:
        raise ArgumentError("cbow_mean=0, the sum, is not here: set cbow_mean=1, the mean, or sg=1")
    if model.null_word:
        raise ArgumentError("null_word=1 is for gensim's Doc2Vec, which is not here: set null_word=0")
    sample = model.sample
    if sample >= 1:  # gensim's shorthand: subsample words that occur more often than this
        sample = int(sample * (3 + 5**0.5) / 2) / max(n_words, 1)
    options: dict[str, Any] = (
        {} if model.hs else {"negatives": model.negative, "ns_exponent": model.ns_exponent}
    )
    with gensim_names():
        return TrainConfig(
            dim=model.vector_size,
            window=model.window,
            epochs=model.epochs if epochs is None else epochs,
            lr=model.alpha,
            min_lr=min(model.min_alpha, model.alpha),
            sample=sample,
            dynamic_window=bool(model.shrink_windows),
            threads=model.workers,
            # Each training draws anew, as gensim's generator goes on; the first by the seed itself.
            seed=model.seed
            if not model.train_count
            else (model.seed + 1_000_003 * model.train_count) % 2**64,
            architecture="skip-gram" if model.sg else "cbow",
            cbow_gradient="root" if model.sg else "whole",  # gensim's, which skip-gram has no use for
            loss="hierarchical-softmax" if model.hs else "negative-sampling",
            **options,
            **model.ngram_options(),
        )
