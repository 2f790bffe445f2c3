"""What `fastw2v.train` takes, and the configurations that it makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict, get_args

from numpy.typing import ArrayLike

from fastw2v.config import (
    GRAPH_DEFAULTS,
    PRESETS,
    Architecture,
    Backend,
    CbowGradient,
    Context,
    Ids,
    Kernel,
    Loss,
    MatrixName,
    Precision,
    Preset,
    ReadConfig,
    RunConfig,
    TrainConfig,
    WindowWeights,
)
from fastw2v.errors import UsageError
from fastw2v.options import checks, synonyms
from fastw2v.options.endless import EndlessConfig
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.pairs import PAIR_DEFAULTS, PairConfig
from fastw2v.options.phrases import Scoring
from fastw2v.options.replicas import Combine, ReplicaConfig
from fastw2v.options.text import DecodingErrors, Input, Lines, Tokenize
from fastw2v.options.together import refuse_epochs
from fastw2v.vectors.embeddings import Embeddings

# Arguments of `fastw2v.train` beside the options.
ARGUMENTS = (
    "corpus",
    "preset",
    "vocabulary",
    "init",
    "on_chunk",
    "on_epoch",
    "on_evaluation",
    "verbose",
)


class Options(TypedDict, total=False):
    """What `train` takes beside its own arguments: the fields of all seven configurations."""

    dim: int
    window: int
    negatives: int
    epochs: int
    minutes: float | None
    lr: float | Literal["auto"] | None
    min_lr: float | None
    sample: float
    ns_exponent: float
    dynamic_window: bool
    window_weights: WindowWeights
    threads: int | None
    seed: int
    shuffle: bool
    deterministic: bool
    backend: Backend
    architecture: Architecture
    cbow_gradient: CbowGradient
    context: Context
    kernel: Kernel
    block_size: int
    shared_negatives: int | Literal["auto"] | None
    precision: Precision
    loss: Loss
    subwords: str | tuple[int, int] | None
    buckets: int
    freeze: MatrixName | None
    holdout: float
    eval_every: float
    patience: int | None
    leave_last_out: bool
    eval_next_item: bool
    weight: str | ArrayLike | None
    global_context: str | ArrayLike | None
    phrases: int
    phrase_scoring: Scoring
    phrase_threshold: float | None
    phrase_min_count: int
    phrase_delimiter: str
    connector_words: str | Iterable[str]
    input: Input | None
    tokenize: Tokenize
    lines: Lines
    encoding: str
    errors: DecodingErrors
    kmers: int | None
    stride: int
    reverse_complement: bool
    column: str | None
    group_by: str | None
    order_by: str | None
    ids: Ids | None
    min_count: int
    max_vocab: int | None
    lowercase: bool
    keep_words: frozenset[str] | None
    stop_words: frozenset[str]
    graph: bool
    walks: int
    walk_length: int
    return_parameter: float
    in_out_parameter: float
    directed: bool
    pairs: bool
    outside_min_count: int | None
    outside_max_vocab: int | None
    endless: bool
    vocabulary_size: int
    save_every: int
    chunk_words: int
    sync_words: int | None
    combine: Combine
    overlap: bool
    memory_limit: str | None
    cache_dir: Path | None
    checkpoint: Path | None
    checkpoint_every: str
    resume: Path | None
    save_model: Path | None
    continue_from: Path | None
    eval_similarity: Path | None
    eval_analogy: Path | None
    log_json: Path | None
    alone: bool


class PhraseArguments(TypedDict, total=False):
    """What `phrases` takes beside its own arguments: how phrases are found, and what is read."""

    passes: int
    scoring: Scoring
    threshold: float | None
    min_count: int
    delimiter: str
    connector_words: str | Iterable[str]
    column: str | None
    group_by: str | None
    order_by: str | None
    lowercase: bool
    input: Input | None
    tokenize: Tokenize
    lines: Lines
    encoding: str
    errors: DecodingErrors
    kmers: int | None
    stride: int
    reverse_complement: bool
    keep_words: frozenset[str] | None
    stop_words: frozenset[str]


class SequenceArguments(TypedDict, total=False):
    """What `sequences` takes beside its own arguments: what is read."""

    column: str | None
    group_by: str | None
    order_by: str | None
    lowercase: bool
    input: Input | None
    tokenize: Tokenize
    lines: Lines
    encoding: str
    errors: DecodingErrors
    kmers: int | None
    stride: int
    reverse_complement: bool


# The configurations of a run.
KINDS = (TrainConfig, ReadConfig, GraphConfig, PairConfig, EndlessConfig, ReplicaConfig, RunConfig)


class Configs(NamedTuple):
    """The seven configurations of a run, and the names of the options that were given."""

    training: TrainConfig
    reading: ReadConfig
    graph: GraphConfig
    pairs: PairConfig
    endless: EndlessConfig
    replicas: ReplicaConfig
    running: RunConfig
    given: frozenset[str]


def configure(preset: str | None, options: dict[str, Any], init: Embeddings | None) -> Configs:
    """The configurations of a run; dim is that of the vectors to start from, unless it is given.

    Raises UsageError for a preset or an option that there is not, and for a value that it cannot have.
    """
    given = frozenset(options)
    by_clock = options.get("minutes") is not None
    if by_clock and "epochs" in given:
        refuse_epochs(options["epochs"], options["minutes"])
    chosen = dict(GRAPH_DEFAULTS) if options.get("graph") is True else {}
    if preset is not None:
        chosen |= PRESETS[checks.choice("preset", preset, get_args(Preset))]
    if options.get("pairs") is True:
        chosen = {name: value for name, value in (PAIR_DEFAULTS | chosen).items() if name != "window"}
    if chosen:
        options = {name: chosen[name] for name in chosen if not (by_clock and name == "epochs")} | options
    if init is not None and not isinstance(init, Embeddings):
        raise checks.refuse("init", init, "Embeddings, which fastw2v.load(path) and fastw2v.train give")
    if init is not None and "dim" not in given:
        options = options | {"dim": init.dim}
    synonyms.require_known(options, [*Options.__annotations__, *ARGUMENTS], "train")
    return configs_of(options, given)


def configs_of(options: dict[str, Any], given: frozenset[str]) -> Configs:
    """The configurations of options by name; what none of them has is left out. Raises UsageError."""

    def of(kind: Any) -> Any:
        names = {field.name for field in fields(kind)}
        return kind(**{name: value for name, value in options.items() if name in names})

    return Configs._make([*map(of, KINDS), given])


def require_unread(vocabulary: Any, given: frozenset[str]) -> None:
    """Raise UsageError for options of reading beside a corpus that is read already."""
    reading = [field.name for field in fields(ReadConfig) if field.name in given]
    reading += [name for name in ("memory_limit", "cache_dir") if name in given]
    for name in ["vocabulary"] * (vocabulary is not None) + reading:
        raise UsageError(f"{name} is of reading, and this corpus is read: give it to read_corpus", [name])
