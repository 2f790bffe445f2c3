"""Every option of reading and of training, its default and its limits, once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from fastw2v.errors import UsageError

Backend = Literal["numba", "reference"]
Kernel = Literal["block", "pair"]
Precision = Literal["float32", "bfloat16"]
Loss = Literal["negative-sampling", "softmax"]
Ids = Literal["words", "places"]
Matrix = Literal["center", "outside"]
Combine = Literal["adasum", "mean"]

# Defaults by the kind of data. Where a study gives a value it is named; README and the docs say why.
PRESETS: dict[str, dict[str, Any]] = {
    # Mikolov et al. 2013: frequent words say little of their neighbours, rare ones are often misspelt.
    "text": {"window": 5, "sample": 1e-3, "ns_exponent": 0.75, "min_count": 5, "epochs": 5},
    # Caselles-Dupré et al. 2018 (arXiv 1804.04212): exponent, epochs, subsampling and window decide, and
    # their best values are not those of text. Barkan & Koenigstein 2016: order within a session says little.
    "items": {"window": 10, "sample": 1e-4, "ns_exponent": -0.5, "epochs": 20},
    # Perozzi et al. 2014, Grover & Leskovec 2016: 128 dimensions, window 10; rare nodes count too.
    "graph": {"dim": 128, "window": 10, "sample": 0.0, "min_count": 1},
}

MAX_DIM = 65_536
MAX_WINDOW = 10_000
MAX_NEGATIVES = 10_000
MAX_BLOCK = 1_024
MAX_THREADS = 4_096

# Words that a thread of several processes trains between two combinations. 4 ranks of one thread, dim 300,
# 5 epochs of 17 M words, lr .05: analogies 39.6 % with 65,536, 39.9 % with 131,072, 39.4 % with 262,144 and
# 29 % of the bytes of the first; one process at lr .025 scores 38.0 %.
SYNC_WORDS = 262_144
SYNC_UNIT = 4_096  # layout.UNIT: whole units are trained between two combinations


@dataclass(frozen=True)
class TrainConfig:
    """Options of `fastw2v train`; names and defaults are word2vec's.

    dim             length of a vector
    window          largest window radius, tokens on either side
    negatives       K, noise words for each (centre, outside) pair
    epochs          passes over the corpus
    lr              step size at the start; falls linearly over the whole run
    min_lr          floor of the step size; None means lr/10,000
    sample          subsampling threshold t; 0 keeps every token
    ns_exponent     noise distribution ∝ count^ns_exponent, any real
    dynamic_window  draw the radius uniformly from 1..window, else always window
    threads         workers; None means every core the process may use
    seed            of the initial vectors and of every draw
    shuffle         each epoch meets the sentences in another order, drawn from the seed
    deterministic   the same vectors for any number of threads (kernel block)
    backend         numba, or the NumPy reference
    kernel          estimator: block (shared, weighted noise), or pair (the textbook)
    block_size      T, centres that share noise words (kernel block)
    shared_negatives  S, noise words they share (kernel block)
    precision       of the factors in kernel block's products with the noise: float32, or bfloat16, which some
                    processors multiply twice as fast. Vectors and sums are float32 in any case
    loss            negative-sampling, or softmax (reference backend only)
    freeze          the matrix to leave as it starts: center or outside
    holdout         share of the sentences, drawn from the seed, to keep out of training and judge it by
    eval_every      epochs from one judgement to the next
    patience        stop after so many judgements without a lower held-out loss, keep the best vectors; None:
                    train to the end, keep the last
    """

    dim: int = 100
    window: int = 5
    negatives: int = 5
    epochs: int = 5
    lr: float = 0.025
    min_lr: float | None = None
    sample: float = 1e-3
    ns_exponent: float = 0.75
    dynamic_window: bool = True
    threads: int | None = None
    seed: int = 1
    shuffle: bool = False
    deterministic: bool = False
    backend: Backend = "numba"
    kernel: Kernel = "block"
    block_size: int = 32
    shared_negatives: int = 32
    precision: Precision = "float32"
    loss: Loss = "negative-sampling"
    freeze: Matrix | None = None
    holdout: float = 0.0
    eval_every: float = 1.0
    patience: int | None = None

    def __post_init__(self) -> None:
        """Check every limit.

        Raises UsageError naming the option, its value and the limit.
        """
        check_whole("dim", self.dim, 1, MAX_DIM)
        check_whole("window", self.window, 1, MAX_WINDOW)
        check_whole("negatives", self.negatives, 1, MAX_NEGATIVES)
        check_whole("block-size", self.block_size, 1, MAX_BLOCK)
        check_whole("shared-negatives", self.shared_negatives, 1, MAX_BLOCK)
        check_whole("epochs", self.epochs, 1, 1_000_000)
        if self.threads is not None:
            check_whole("threads", self.threads, 1, MAX_THREADS)
        check_whole("seed", self.seed, 0, 2**64 - 1)
        check_real("lr", self.lr, self.lr > 0, "above 0")
        if self.min_lr is not None:
            check_real("min-lr", self.min_lr, 0 <= self.min_lr <= self.lr, f"from 0 to lr ({self.lr})")
        check_real("sample", self.sample, self.sample >= 0, "0 (off) or more, usually 1e-5 to 1e-3")
        check_real("ns-exponent", self.ns_exponent, True, "a real number")
        check_real("holdout", self.holdout, 0 <= self.holdout <= 0.5, "from 0 (off) to 0.5")
        check_real("eval-every", self.eval_every, self.eval_every > 0, "above 0, in epochs")
        if self.patience is not None:
            check_whole("patience", self.patience, 1, 1_000_000)
            if not self.holdout:
                raise UsageError("patience needs sentences to judge by: add --holdout 0.01")
        if self.deterministic and self.kernel != "block":
            raise UsageError(
                "deterministic needs kernel block: leave kernel pair out, or set threads to 1 instead of "
                "deterministic",
                ("deterministic", "kernel", "threads"),
            )
        if self.loss == "softmax" and self.backend != "reference":
            raise UsageError("loss softmax runs on the reference backend only: add --backend reference")
        check_combination(self)

    @property
    def min_learning_rate(self) -> float:
        """The floor of the step size."""
        return self.lr * 1e-4 if self.min_lr is None else self.min_lr


@dataclass(frozen=True)
class ReplicaConfig:
    """Options of a run in several processes, each with its own replica of the vectors.

    sync_words  corpus tokens that each process trains between two combinations of what they learned; 0 adapts
                the number so that combining takes less than a tenth of the time; None means 262,144 a thread
    combine     how steps on one row are combined: adasum (adds those that differ in direction, averages those
                that agree), or their mean
    overlap     combine in a thread of its own while the next step is trained
    """

    sync_words: int | None = None
    combine: Combine = "adasum"
    overlap: bool = False

    def __post_init__(self) -> None:
        """Check the limits; raises UsageError."""
        if self.sync_words is not None:
            check_whole("sync-words", self.sync_words, 0, 2**40)
            if 0 < self.sync_words < SYNC_UNIT:
                raise UsageError(
                    f"sync_words is {self.sync_words}: it must be 0 (adapted) or {SYNC_UNIT:,} or more",
                    ("sync_words",),
                )


@dataclass(frozen=True)
class ReadConfig:
    """Options of reading a corpus.

    column      of strings, split at white space as str.split() does, or of lists of strings, taken as they
                are; None: found by type and usual names
    group_by    for a table of one item a row: the column that says which rows make a sentence
    order_by    the column that orders them; None: as they come
    ids         what integers are: `words`, their digits; `places` from 0 in the given vocabulary; None:
                places if a vocabulary is given and not all its words are integers themselves
    min_count   words rarer than this are left out
    max_vocab   only the so many most frequent words are kept
    lowercase   map every character by Unicode's simple lower-case mapping, without regard to its neighbours
    keep_words  only these words may be in the vocabulary; None: all
    stop_words  these may not. All words that are left out leave the text, so that others become neighbours
    """

    column: str | None = None
    group_by: str | None = None
    order_by: str | None = None
    ids: Ids | None = None
    min_count: int = 5
    max_vocab: int | None = None
    lowercase: bool = False
    keep_words: frozenset[str] | None = None
    stop_words: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check every limit.

        Raises UsageError naming the option, its value and the limit.
        """
        if self.min_count < 0:
            raise UsageError(f"min_count = {self.min_count}: must be at least 0; 1 keeps every word")
        if self.max_vocab is not None and self.max_vocab < 2:
            raise UsageError(
                f"max_vocab = {self.max_vocab}: must be at least 2; negative sampling needs two words"
            )
        if self.order_by is not None and self.group_by is None:
            raise UsageError(f"order_by = {self.order_by!r} orders the rows of a group: give group_by too")


_NOISE = ("negatives", "ns_exponent", "kernel", "block_size", "shared_negatives", "precision")
# What an option's value leaves without effect: options that may only have their defaults then, and why.
WITHOUT_EFFECT: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("loss", "softmax"): (
        (*_NOISE, "deterministic"),
        "draws no noise words",
    ),
    ("kernel", "pair"): (("block_size", "shared_negatives", "precision"), "has no blocks"),
}


def check_combination(config: TrainConfig) -> None:
    """Refuse options that another one leaves without effect; those with their defaults harm nobody.

    Raises UsageError naming both, and what cures it.
    """
    for (option, value), (idle, why) in WITHOUT_EFFECT.items():
        if getattr(config, option) != value:
            continue
        for name in idle:
            given, default = getattr(config, name), TrainConfig.__dataclass_fields__[name].default
            if given != default:
                raise UsageError(
                    f"{name} is {given}, but {option} {value} {why}: leave {name} out ({default} is its "
                    f"default), or {option} {value}",
                    (name, option),
                )
    if config.backend == "reference" and (config.threads or 1) > 1:
        raise UsageError(
            f"threads is {config.threads}, but backend reference trains in one: leave threads out, or set "
            "threads to 1",
            ("threads", "backend"),
        )


def check_judging(config: TrainConfig, *, by_files: bool) -> None:
    """Refuse eval_every where there is nothing to judge by: no holdout, and no files of pairs or questions.

    Raises UsageError.
    """
    if config.eval_every != TrainConfig.eval_every and not (config.holdout or by_files):
        raise UsageError(
            f"eval_every is {config.eval_every:g}, but there is nothing to judge by: set holdout to 0.01, or "
            "leave eval_every out",
            ("eval_every", "holdout"),
        )


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


def check_whole(option: str, value: int, lowest: int, highest: int) -> None:
    """Raise UsageError unless lowest ≤ value ≤ highest."""
    if not lowest <= value <= highest:
        raise UsageError(f"{option} is {value}: it must be from {lowest:,} to {highest:,}")


def check_real(option: str, value: float, allowed: bool, limit: str) -> None:
    """Raise UsageError unless value is finite and allowed."""
    if not (math.isfinite(value) and allowed):
        raise UsageError(f"{option} is {value}: it must be {limit}")
