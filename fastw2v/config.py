"""Every option of reading and of training, its default and its limits, once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from fastw2v.options import checks, subwords
from fastw2v.options.checks import Real, Whole
from fastw2v.options.endless import EndlessConfig
from fastw2v.options.fields import described, option, settle
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.kmers import KmerOptions, check_kmers
from fastw2v.options.pairs import PairConfig
from fastw2v.options.phrases import PhraseOptions, check_phrases, spelt
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.options.rows import RowOptions, check_rows
from fastw2v.options.text import TextOptions, check_text
from fastw2v.options.together import check_clock, check_combination, refused

Backend = Literal["numba", "reference"]
Architecture = Literal["skip-gram", "cbow"]
Context = Literal["both", "left", "right"]
Kernel = Literal["block", "pair"]
Precision = Literal["float32", "bfloat16"]
Loss = Literal["negative-sampling", "hierarchical-softmax", "softmax"]
Ids = Literal["words", "places"]
MatrixName = Literal["center", "outside"]
WindowWeights = Literal["auto", "exact", "drawn"]
CbowGradient = Literal["root", "exact", "whole"]
Preset = Literal["text", "relatedness", "similarity", "items", "graph"]

# Defaults by the kind of data. Where a study gives a value it is named; README and the docs say why.
PRESETS: dict[str, dict[str, Any]] = {
    # Mikolov et al. 2013: frequent words say little of their neighbours, rare ones are often misspelt.
    "text": {"window": 5, "sample": 1e-3, "ns_exponent": 0.75, "min_count": 5, "epochs": 5},
    # Text, for what occurs together and for what can take another's place: docs/options.md has the figures.
    "relatedness": {"window": 10, "lr": 0.05},
    "similarity": {"window": 5, "lr": 0.05},
    # Caselles-Dupré et al. 2018 (arXiv 1804.04212): exponent, epochs, subsampling and window decide, and
    # their best values are not those of text. Barkan & Koenigstein 2016: order within a session says little.
    # 40 epochs by the hit rate of `evaluate --next-item`: docs/options.md has the figures.
    "items": {"window": 10, "sample": 1e-4, "ns_exponent": -0.5, "epochs": 40},
    # Perozzi et al. 2014, Grover & Leskovec 2016: 128 dimensions, window 10; rare nodes count too.
    "graph": {"dim": 128, "window": 10, "sample": 0.0, "min_count": 1},
}

# With --graph: those of the preset, and one epoch, for the next one draws new walks.
GRAPH_DEFAULTS: dict[str, Any] = {**PRESETS["graph"], "epochs": 1}

MAX_DIM = 65_536
MAX_WINDOW = 10_000
MAX_NEGATIVES = 10_000
MAX_BLOCK = 1_024
MAX_THREADS = 4_096
MAX_BUCKETS = 2**30  # with as many words, rows are numbered by 32 bits
ABOVE_0 = 5e-324  # the least float there is

# Draws that a block shares up to a step size, and above it, where their variance costs more than time. 17 M
# words, 1 epoch at .075: WS-353 .577 for .537, analogies 22.1 for 18.2 %, for 1.4 x the time (bench/README).
# Few words would be drawn over and over: 20 words at .1 end .019 nats over kernel pair with 64 draws.
FEW_DRAWS, MORE_DRAWS, STEP_OF_MORE, WORDS_OF_MORE = 32, 64, 0.05, 1_000

DEFAULT_INTERVAL = "5m"  # between checkpoints


@described
@dataclass(frozen=True)
class TrainConfig:
    """Options of `fastw2v train`; names and defaults are word2vec's."""

    dim: int = option(100, "Frequent", "Length of a vector.", limits=Whole(1, MAX_DIM))
    window: int = option(
        5, "Frequent", "Largest window radius, in tokens on either side.", limits=Whole(1, MAX_WINDOW)
    )
    negatives: int = option(
        5, "Frequent", "Noise words for each pair.", limits=Whole(1, MAX_NEGATIVES), flags="-k --negatives"
    )
    epochs: int = option(5, "Frequent", "Passes over the corpus.", limits=Whole(1, 1_000_000))
    minutes: float | None = option(
        None,
        "Training",
        "Instead of --epochs: train so long, reading, compiling and writing not counted.",
        limits=Real("above 0 and at most 5e5", ABOVE_0, 5e5),
    )
    lr: float | None = option(
        None,
        "Frequent",
        "Step size at the start, or auto; falls linearly over the run.",
        limits=Real("above 0, or auto", ABOVE_0),
        flags="--lr --alpha lr",
        shown="auto, by tokens and epochs",
        auto=True,
    )
    min_lr: float | None = option(
        None, "Training", "Floor of the step size.", limits=Real("from 0 to lr", 0.0), shown="lr/10000"
    )
    sample: float = option(
        1e-3,
        "Frequent",
        "Subsampling of frequent words; 0 is off.",
        limits=Real("0 (off) or more, usually 1e-5 to 1e-3", 0.0),
    )
    ns_exponent: float = option(0.75, "Model", "Noise ∝ count^exponent, any real.", limits=Real("finite"))
    dynamic_window: bool = option(
        True,
        "Model",
        "Draw each radius from 1..window, or always use window.",
        flags="--dynamic-window/--fixed-window",
    )
    window_weights: WindowWeights = option(
        "auto",
        "Model",
        "Count a window's words by how many radii reach them, or draw one; auto: exact, but cbow.",
    )
    threads: int | None = option(
        None,
        "Frequent",
        "Threads that work at once.",
        limits=Whole(1, MAX_THREADS),
        shown="every usable core",
    )
    seed: int = option(
        1, "Training", "Seed of the initial vectors and all draws.", limits=Whole(0, 2**64 - 1)
    )
    shuffle: bool = option(False, "Training", "Take the sentences in another order each epoch.")
    deterministic: bool = option(
        False, "Training", "The same vectors for any number of threads (kernel block); slower."
    )
    backend: Backend = option("numba", "Model", "Compiled kernels, or NumPy: slow, one thread.")
    architecture: Architecture = option(
        "skip-gram", "Model", "A word predicts its neighbours, or their mean the word (cbow)."
    )
    cbow_gradient: CbowGradient = option(
        "root", "Model", "What each of a mean's n words takes of its gradient: 1/√n, 1/n, or all (cbow)."
    )
    context: Context = option(
        "both", "Model", "Words of the window that belong to a word: on both sides of it, or on one."
    )
    kernel: Kernel = option("block", "Model", "Weighted noise that centres share (fast), or the textbook.")
    block_size: int = option(
        32, "Model", "Most centres that step together (kernel block).", limits=Whole(1, MAX_BLOCK)
    )
    shared_negatives: int | None = option(
        None,
        "Model",
        "Noise words that a block shares, or auto (kernel block).",
        limits=Whole(1, MAX_BLOCK),
        shown=f"auto: {FEW_DRAWS}; skip-gram above --lr {STEP_OF_MORE} {MORE_DRAWS}",
        auto=True,
    )
    precision: Precision = option("float32", "Model", "Numbers of products with noise (kernel block).")
    loss: Loss = option(
        "negative-sampling", "Model", "What is minimised; softmax takes time in proportion to the vocabulary."
    )
    subwords: str | None = option(
        None,
        "Model",
        "Make words of their n-grams of these lengths too, such as 3-6.",
        metavar="MIN-MAX",
        shown="off",
    )
    buckets: int = option(
        2_000_000, "Model", "Rows that all n-grams share (subwords).", limits=Whole(1, MAX_BUCKETS)
    )
    freeze: MatrixName | None = option(None, "Training", "Leave these vectors as they start.")
    holdout: float = option(
        0.0,
        "Evaluation",
        "Share of sentences, drawn from the seed, to keep out and judge by; 0 is off.",
        limits=Real("from 0 (off) to 0.5", 0.0, 0.5),
    )
    eval_every: float = option(
        1.0,
        "Evaluation",
        "Judge after so many epochs, such as 0.5, and at the end.",
        limits=Real("above 0, in epochs", ABOVE_0),
    )
    patience: int | None = option(
        None,
        "Evaluation",
        "Stop after so many judgements without a lower held-out loss; keep the best vectors.",
        limits=Whole(1, 1_000_000),
    )
    leave_last_out: bool = option(
        False, "Evaluation", "Train without the last item of each sequence of two or more."
    )
    eval_next_item: bool = option(
        False, "Evaluation", "Judge by these items: the share that is among the first 10 guesses."
    )

    def __post_init__(self) -> None:
        """Check every limit.

        Raises UsageError naming the option, its value and the limit.
        """
        object.__setattr__(self, "subwords", subwords.spelt(self.subwords))
        settle(self)
        subwords.check_subwords(self)
        if self.eval_next_item and not self.leave_last_out:
            raise refused(
                "eval_next_item would judge by items that were trained: set leave_last_out too",
                *("eval_next_item", "leave_last_out"),
            )
        if self.min_lr is not None and self.min_lr > self.learning_rate:
            most = f"auto, {self.learning_rate} or more" if self.lr is None else f"{self.lr}"
            raise refused(f"min_lr is {self.min_lr}: it must be from 0 to lr ({most})", "min_lr", "lr")
        if self.patience is not None and not self.holdout:
            raise refused("patience needs sentences to judge by: set holdout to 0.01", "patience", "holdout")
        if self.freeze == "outside" and self.loss == "hierarchical-softmax":
            raise refused(
                "freeze outside would leave the inner nodes of the tree at zero, which are all the outside "
                "rows that loss hierarchical-softmax has: leave freeze out",
                *("freeze", "loss"),
            )
        check_clock(self)
        check_combination(self)

    @property
    def learning_rate(self) -> float:
        """The step size at the start; of auto the least that `training.step_size` chooses."""
        return 0.025 if self.lr is None else self.lr

    def shared_draws(self, n_words: int) -> int:
        """Noise words that a block shares; of auto, by the step size, of which CBOW's rows get a part."""
        if self.shared_negatives is not None:
            return self.shared_negatives
        is_long = self.architecture == "skip-gram" and self.learning_rate > STEP_OF_MORE
        return MORE_DRAWS if is_long and n_words >= WORDS_OF_MORE else FEW_DRAWS

    @property
    def min_learning_rate(self) -> float:
        """The floor of the step size."""
        return self.learning_rate * 1e-4 if self.min_lr is None else self.min_lr


@described
@dataclass(frozen=True)
class ReadConfig(KmerOptions, TextOptions, PhraseOptions, RowOptions):
    """Options of reading a corpus. Words that are left out leave the text: others become neighbours."""

    column: str | None = option(
        None,
        "Input",
        "Column of texts, split at white space, or of lists, taken as they are.",
        shown="found by type and usual names",
    )
    group_by: str | None = option(
        None, "Input", "Make a sentence of the rows equal here, an item each.", metavar="NAME"
    )
    order_by: str | None = option(
        None,
        "Input",
        "Order of a group's rows; equal ones stay as they come.",
        metavar="NAME",
        shown="as they come",
    )
    ids: Ids | None = option(
        None,
        "Input",
        "Integers are words by their digits, or places from 0 in --read-vocab.",
        shown="by the words there",
    )
    min_count: int = option(
        5, "Frequent", "Drop words that occur less often.", limits=Whole(0, why="; 1 keeps every word")
    )
    max_vocab: int | None = option(
        None,
        "Input",
        "Keep only this many of the most frequent words.",
        limits=Whole(2, why="; negative sampling needs two words"),
    )
    lowercase: bool = option(False, "Input", "Put words in lower case, character by character.")
    keep_words: frozenset[str] | None = option(
        None, "Input", "Only these words, one a line.", flags="--keep-list", metavar="FILE", file="read"
    )
    stop_words: frozenset[str] = option(
        frozenset(), "Input", "Not these words, one a line.", flags="--stop-list", metavar="FILE", file="read"
    )

    def __post_init__(self) -> None:
        """Check every limit; raises UsageError naming the option, its value and the limit."""
        object.__setattr__(self, "connector_words", spelt(self.connector_words))
        settle(self)
        check_phrases(self)
        object.__setattr__(self, "encoding", checks.encoding("encoding", self.encoding))
        check_text(self, self.lowercase)
        check_kmers(self)
        check_rows(self)
        if self.order_by is not None and self.group_by is None:
            raise refused(
                f"order_by is {checks.shown(self.order_by)}: it orders the rows of a group, set group_by too",
                *("order_by", "group_by"),
            )


@described
@dataclass(frozen=True)
class RunConfig:
    """Options of a run that do not name its vectors: its memory, what it keeps, what it is judged by."""

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
    save_model: Path | None = option(
        None,
        "Output",
        "Write a folder that --continue goes on with: both matrices, all counts, options.",
        metavar="DIR",
        file="write",
    )
    continue_from: Path | None = option(
        None,
        "Training",
        "Go on with a model that --save-model wrote: counts are added, words join.",
        flags="--continue continue_from",
        metavar="DIR",
        file="read",
    )
    eval_similarity: Path | None = option(
        None, "Evaluation", "Judge by these pairs of words and scores, too.", metavar="FILE", file="read"
    )
    eval_analogy: Path | None = option(
        None, "Evaluation", "Judge by these questions of four words, too.", metavar="FILE", file="read"
    )
    log_json: Path | None = option(
        None,
        "Output",
        "Write a JSON object a line: settings, progress, result.",
        metavar="FILE",
        file="write",
        is_once=True,
    )
    alone: bool = option(
        False,
        "Several processes",
        "Train by itself each process that a launcher started, as for a sweep of options.",
        is_once=True,
    )

    def __post_init__(self) -> None:
        """Make values plain; raises UsageError."""
        settle(self)


_KINDS = (TrainConfig, ReadConfig, GraphConfig, PairConfig, EndlessConfig, ReplicaConfig)
# Options that decide the vectors: a run that goes on must keep them.
FIXED = {field.name for kind in _KINDS for field in fields(kind)} - {"threads"} | {"continue_from"}
