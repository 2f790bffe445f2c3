"""Every option of reading and of training, its default and its limits, once."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from fastw2v.errors import UsageError
from fastw2v.options import checks

Backend = Literal["numba", "reference"]
Architecture = Literal["skip-gram", "cbow"]
Kernel = Literal["block", "pair"]
Precision = Literal["float32", "bfloat16"]
Loss = Literal["negative-sampling", "softmax"]
Ids = Literal["words", "places"]
Matrix = Literal["center", "outside"]
Combine = Literal["adasum", "mean"]
Preset = Literal["text", "items", "graph"]

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
MAX_FLOAT = sys.float_info.max

# Words that a thread of several processes trains between two combinations. 4 ranks of one thread, dim 300,
# 5 epochs of 17 M words, lr .05: analogies 39.6 % with 65,536, 39.9 % with 131,072, 39.4 % with 262,144 and
# 29 % of the bytes of the first; one process at lr .025 scores 38.0 %.
SYNC_WORDS = 262_144
DEFAULT_INTERVAL = "5m"  # between checkpoints
SYNC_UNIT = 4_096  # model.arrays.UNIT: whole units are trained between two combinations


def option(default: Any, section: str, text: str, **more: Any) -> Any:
    """A field of a configuration, and what the command says of it.

    section  the heading of --help that it stands under
    text     one line
    more     flags, where they are not --name; shown, a default in words where None stands for one; further
             fields of `commands.declared.Option`
    """
    return field(default=default, metadata={"section": section, "text": text, **more})


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
    architecture    skip-gram: a word predicts each of its neighbours; cbow: their mean predicts the word
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

    dim: int = option(100, "Frequent", "Length of a vector.")
    window: int = option(5, "Frequent", "Largest window radius, in tokens.")
    negatives: int = option(5, "Frequent", "Noise words for each pair.", flags="-k --negatives")
    epochs: int = option(5, "Frequent", "Passes over the corpus.")
    lr: float = option(0.025, "Frequent", "Step size at the start.", flags="--lr --alpha lr")
    min_lr: float | None = option(None, "Training", "Floor of the step size.", shown="lr/10000")
    sample: float = option(1e-3, "Frequent", "Subsampling of frequent words; 0 is off.")
    ns_exponent: float = option(0.75, "Model", "Noise ∝ count^exponent, any real.")
    dynamic_window: bool = option(
        True,
        "Model",
        "Draw each radius from 1..window, or always use window.",
        flags="--dynamic-window/--fixed-window",
    )
    threads: int | None = option(None, "Frequent", "Threads that work at once.", shown="every usable core")
    seed: int = option(1, "Training", "Seed of the initial vectors and all draws.")
    shuffle: bool = option(False, "Training", "Take the sentences in another order each epoch.")
    deterministic: bool = option(False, "Training", "The same vectors for any number of threads; slower.")
    backend: Backend = option("numba", "Model", "Compiled kernels, or NumPy: slow, one thread.")
    architecture: Architecture = option(
        "skip-gram", "Model", "A word predicts its neighbours, or their mean the word (cbow, kernel pair)."
    )
    kernel: Kernel = option("block", "Model", "Weighted noise that centres share (fast), or the textbook.")
    block_size: int = option(32, "Model", "Centres that share noise (kernel block).")
    shared_negatives: int = option(32, "Model", "Noise words that a block shares (kernel block).")
    precision: Precision = option("float32", "Model", "Numbers of products with noise (kernel block).")
    loss: Loss = option("negative-sampling", "Model", "What is minimised; softmax needs backend reference.")
    freeze: Matrix | None = option(None, "Training", "Leave these vectors as they start.")
    holdout: float = option(0.0, "Evaluation", "Share of sentences to keep out and judge by; 0 is off.")
    eval_every: float = option(1.0, "Evaluation", "Judge after so many epochs, such as 0.5.")
    patience: int | None = option(None, "Evaluation", "Stop after so many judgements that are no better.")

    def __post_init__(self) -> None:
        """Check every limit.

        Raises UsageError naming the option, its value and the limit.
        """
        settle(self)
        if self.min_lr is not None and self.min_lr > self.lr:
            raise refused(f"min_lr is {self.min_lr}: it must be from 0 to lr ({self.lr})", "min_lr", "lr")
        if self.patience is not None and not self.holdout:
            raise refused("patience needs sentences to judge by: set holdout to 0.01", "patience", "holdout")
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

    sync_words: int | None = option(
        None,
        "Several processes",
        "Words that several processes train between two combinations; 0 adapts it to the network.",
        shown="262144 a thread",
    )
    combine: Combine = option(
        "adasum", "Several processes", "How steps of several processes on one row are combined."
    )
    overlap: bool = option(False, "Several processes", "Combine processes while the next step is trained.")

    def __post_init__(self) -> None:
        """Check the limits; raises UsageError."""
        settle(self)
        if self.sync_words and self.sync_words < SYNC_UNIT:
            raise refused(
                f"sync_words is {self.sync_words}: it must be 0 (adapted) or {SYNC_UNIT:,} or more",
                "sync_words",
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
        settle(self)
        if self.order_by is not None and self.group_by is None:
            raise refused(
                f"order_by is {checks.shown(self.order_by)}: it orders the rows of a group, set group_by too",
                *("order_by", "group_by"),
            )


@dataclass(frozen=True)
class RunConfig:
    """Options of a run that do not name its vectors: its memory, what it keeps, what it is judged by.

    memory_limit      beside the matrices, like 2GB; the rest goes to temporary files. None: half of the free
    cache_dir         folder that keeps the encoded corpus for the next run
    checkpoint        folder that keeps the run as it goes on
    checkpoint_every  at least this between two: 30s, 5m (minutes), 2h, or '1000000 words'
    resume            folder of a run to go on with, with its options
    eval_similarity   file of pairs of words and scores to judge the run by
    eval_analogy      file of questions of four words to judge it by
    log_json          file for a JSON object a line: settings, progress, evaluations, result
    """

    memory_limit: str | None = option(
        None,
        "Resources",
        "Memory beside the matrices, like 2GB; the rest is in files.",
        metavar="SIZE",
        shown="half of the free",
        part="read",
    )
    cache_dir: Path | None = option(
        None, "Resources", "Keep the encoded corpus here for the next run.", metavar="DIR", part="read"
    )
    checkpoint: Path | None = option(
        None, "Checkpoints", "Keep the run in this folder as it goes on.", metavar="DIR"
    )
    checkpoint_every: str = option(
        DEFAULT_INTERVAL, "Checkpoints", "Like 30s, 5m (minutes), 2h, '1000000 words'.", is_once=True
    )
    resume: Path | None = option(
        None, "Checkpoints", "Go on with the run kept there, with its options.", metavar="DIR"
    )
    eval_similarity: Path | None = option(
        None, "Evaluation", "Judge by these pairs of words and scores, too.", metavar="FILE", is_path=True
    )
    eval_analogy: Path | None = option(
        None, "Evaluation", "Judge by these questions of four words, too.", metavar="FILE", is_path=True
    )
    log_json: Path | None = option(
        None,
        "Output",
        "Write a JSON object a line: settings, progress, result.",
        metavar="FILE",
        is_once=True,
    )

    def __post_init__(self) -> None:
        """Make values plain; raises UsageError."""
        settle(self)


# Of every number that a configuration takes: the limits, and what a message says of them.
WHOLES: dict[str, tuple[int, int, str]] = {
    "dim": (1, MAX_DIM, ""),
    "window": (1, MAX_WINDOW, ""),
    "negatives": (1, MAX_NEGATIVES, ""),
    "epochs": (1, 1_000_000, ""),
    "threads": (1, MAX_THREADS, ""),
    "seed": (0, 2**64 - 1, ""),
    "block_size": (1, MAX_BLOCK, ""),
    "shared_negatives": (1, MAX_BLOCK, ""),
    "patience": (1, 1_000_000, ""),
    "sync_words": (0, 2**40, ""),
    "min_count": (0, checks.NO_LIMIT, "; 1 keeps every word"),
    "max_vocab": (2, checks.NO_LIMIT, "; negative sampling needs two words"),
}
ABOVE_0 = 5e-324  # the least float there is
REALS: dict[str, tuple[str, float, float]] = {
    "lr": ("above 0", ABOVE_0, MAX_FLOAT),
    "min_lr": ("from 0 to lr", 0.0, MAX_FLOAT),
    "sample": ("0 (off) or more, usually 1e-5 to 1e-3", 0.0, MAX_FLOAT),
    "ns_exponent": ("finite", -MAX_FLOAT, MAX_FLOAT),
    "holdout": ("from 0 (off) to 0.5", 0.0, 0.5),
    "eval_every": ("above 0, in epochs", ABOVE_0, MAX_FLOAT),
}


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


def settle(config: TrainConfig | ReplicaConfig | ReadConfig | RunConfig) -> None:
    """Make every value of a new configuration plain, by the type and the limits of its field.

    Raises UsageError naming the option, its value and the limit.
    """
    for name, (is_optional, check) in _checks_of(type(config)).items():  # type: ignore[arg-type]
        value = getattr(config, name)
        if not (value is None and is_optional):
            object.__setattr__(config, name, check(value))


def refused(message: str, *options: str) -> UsageError:
    """The error for options that do not go together, which the message names."""
    return UsageError(message, options)


def types_of(kind: Any) -> Iterator[tuple[str, bool, Any]]:
    """Of each field of a configuration: its name, whether it may be None, the type of its other values."""
    for name, hint in get_type_hints(kind).items():
        is_union = get_origin(hint) is types.UnionType or type(None) in get_args(hint)
        kinds = [part for part in get_args(hint) if part is not type(None)] if is_union else [hint]
        yield name, is_union, kinds[0]


@functools.cache
def _checks_of(kind: Hashable) -> dict[str, tuple[bool, Callable[[Any], Any]]]:
    """For each field of a configuration: whether it may be None, and what makes its value plain."""
    return {name: (is_optional, _check_for(name, hint)) for name, is_optional, hint in types_of(kind)}


def _check_for(name: str, hint: Any) -> Callable[[Any], Any]:
    """What makes a value of a field plain; a number without limits is a KeyError when it is first made."""
    if get_origin(hint) is Literal:
        return functools.partial(checks.choice, name, choices=get_args(hint))
    if hint is int:
        lowest, highest, why = WHOLES[name]
        return functools.partial(checks.whole, name, lowest=lowest, highest=highest, why=why)
    if hint is float:
        limit, least, most = REALS[name]
        return functools.partial(checks.real, name, limit=limit, lowest=least, highest=most)
    plain: dict[Any, Callable[[str, Any], Any]] = {bool: checks.flag, str: checks.text, Path: checks.path}
    return functools.partial(plain.get(hint, checks.words), name)
