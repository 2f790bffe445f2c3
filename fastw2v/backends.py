"""The seam: which plan an options' run has, which combinations there are, and who trains them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.model.arrays import Tokens, Totals, Vectors
from fastw2v.model.huffman import huffman_tree
from fastw2v.model.ngrams import Spans, bags_of_words
from fastw2v.model.plan import (
    ALL_OF_IT,
    BFLOAT16,
    EXACT,
    FEW_LANES,
    FEW_WORDS,
    FLOAT32,
    HOT_WORDS,
    LANES,
    NO_COPIES,
    REPEATS,
    ROOT,
    WORDS,
    BFloat16,
    Block,
    Cbow,
    Estimator,
    GivenPairs,
    GlobalContext,
    HierarchicalSoftmax,
    Inputs,
    Lockstep,
    NegativeSampling,
    Objective,
    Pair,
    Panels,
    Paths,
    Plan,
    Schedule,
    SkipGram,
    Softmax,
    Subwords,
    Whole,
    Words,
    with_copies,
)
from fastw2v.model.sampling import as_limits, keep_probabilities, noise_probabilities, unigram_table
from fastw2v.options.subwords import lengths_of
from fastw2v.system.machine import cache_domains, can_bind, usable_cores

FEWEST_WORDS = 16  # of a vocabulary for each hot one
MOST_COPIES = 8  # beyond it domains share copies: 16 cost 4 M words 2 points of analogies (bench/README.md)
FEWEST_CORES = 4  # of a cache domain in the mean: to some virtual machines each core seems to have a cache


class Backend(Protocol):
    """Owns the two matrices of a run and trains them.

    A call names its tokens, because a shuffled epoch has others for each of its parts, and a rank for each of
    its shares.

    plan           Plan
    units_at_once  how many units a call takes together: calls begin at multiples of it
    least_groups   so many of them in a call keep all workers busy
    """

    plan: Plan
    units_at_once: int
    least_groups: int

    def compile(self, tokens: Tokens) -> None:
        """Make ready what trains tokens of these types; trains nothing."""

    def train(self, tokens: Tokens, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end of the tokens."""

    def loss(self, tokens: Tokens, epoch_key: int, end: int) -> Totals:
        """The loss of units 0 ≤ u < end with the draws of that key, without a step."""

    def host(self) -> Vectors:
        """The matrices as they are now, in the memory of the process."""


GRADIENTS = {"exact": EXACT, "root": ROOT, "whole": ALL_OF_IT}
SIDES = {"left": -1, "both": 0, "right": 1}
ARCHITECTURES: dict[str, type[SkipGram | Cbow | GlobalContext]] = {"skip-gram": SkipGram, "cbow": Cbow}


def has_exact_weights(config: TrainConfig) -> bool:
    """Whether a window's words are weighed by the radii that reach them, where one could be drawn instead."""
    is_asked = config.window_weights != "drawn" and config.architecture == "skip-gram"
    return is_asked and config.dynamic_window


def plan_of(
    config: TrainConfig,
    counts: NDArray[np.int64],
    longest: int,
    words: Sequence[str] = (),
    outside_counts: NDArray[np.int64] | None = None,
    has_targets: bool = False,
) -> Plan:
    """The plan that config names for a vocabulary of these counts and sentences of at most `longest`.

    words           of the vocabulary, of which n-grams are made; without them the plan has its types, but no
                    bags
    outside_counts  of the outside words of given pairs, whose sentences are centres with their outside words
    has_targets     whether sentences have a target, which each of their centres predicts, too
    """
    if outside_counts is not None:
        return Plan(
            GivenPairs(max(1, longest - 1)),
            inputs_of(config, words),
            objective_of(config, outside_counts),
            estimator_of(config, counts, len(outside_counts)),
        )
    weighted = int(has_exact_weights(config))
    kind = GlobalContext if has_targets else ARCHITECTURES[config.architecture]
    of_kind = {"gradient": GRADIENTS[config.cbow_gradient]} if kind is Cbow else {}
    architecture = kind(
        config.window,
        int(weighted or not config.dynamic_window),
        max(1, min(config.window, longest - 1)),
        as_limits(keep_probabilities(counts, config.sample)),
        SIDES[config.context],
        weighted,
        **of_kind,
    )
    return Plan(
        architecture, inputs_of(config, words), objective_of(config, counts), estimator_of(config, counts)
    )


def spans_of(config: TrainConfig) -> Spans | None:
    """The n-grams that config makes words of; None where they are whole words."""
    return None if config.subwords is None else Spans(*lengths_of(config.subwords), config.buckets)


def n_buckets_of(config: TrainConfig) -> int:
    """Rows of V beside those of words."""
    return 0 if config.subwords is None else config.buckets


def inputs_of(config: TrainConfig, words: Sequence[str]) -> Inputs:
    """The rows of V that stand for these words, as config has it."""
    spans = spans_of(config)
    return WORDS if spans is None else Subwords(*bags_of_words(words, spans), spans)


def objective_of(config: TrainConfig, counts: NDArray[np.int64]) -> Objective:
    """The objective that config names for a vocabulary of these counts."""
    if config.loss == "softmax":
        return Softmax()
    if config.loss == "hierarchical-softmax":
        tree = huffman_tree(counts)
        lengths = np.diff(tree.offsets)
        mean_path = float((lengths * counts).sum() / max(int(counts.sum()), 1))
        return HierarchicalSoftmax(*tree, int(lengths.max()), mean_path)
    table = unigram_table(noise_probabilities(counts, config.ns_exponent))
    return NegativeSampling(config.negatives, table)


def centers_at_once(config: TrainConfig, counts: NDArray[np.int64]) -> int:
    """The centres of a block: as config has it, or so few that no word is expected over REPEATS times.

    Few words learn less in a large block, because what its centres share is scored at one place.
    """
    kept = counts * keep_probabilities(counts, config.sample)
    return max(1, min(config.block_size, int(REPEATS * kept.sum() / kept.max())))


def estimator_of(config: TrainConfig, counts: NDArray[np.int64], n_outside: int | None = None) -> Estimator:
    """The estimator that config names for a vocabulary of these counts, and so many outside words.

    Without noise to share, a hierarchical softmax shares the nodes of its paths, or goes pair by pair: CBOW's
    cases have a path each.

    Raises UsageError for a deterministic kernel pair, which there is not.
    """
    if config.loss == "hierarchical-softmax":
        in_windows = config.kernel == "block" and config.architecture == "skip-gram" and not config.subwords
        return Paths() if in_windows else Pair()
    if config.kernel == "pair":
        if config.deterministic:
            raise UsageError(
                "deterministic needs kernel block: leave out --kernel pair, or use --threads 1 "
                "instead of --deterministic"
            )
        return Pair()
    n_outside = len(counts) if n_outside is None else n_outside
    if config.loss == "softmax":
        return (Panels if config.deterministic else Whole)(centers_at_once(config, counts))
    sizes = (centers_at_once(config, counts), config.shared_draws(n_outside))
    operands = FLOAT32 if config.precision == "float32" else BFLOAT16
    few = n_outside < FEW_WORDS
    if config.deterministic:
        return Lockstep(*sizes, operands, int(not few), FEW_LANES if few else LANES)
    return Block(*sizes, operands, int(not few))


def supports(plan: Plan, backend: str) -> str | None:
    """Why a backend cannot train a plan, with the cure; None where it can. Nothing else knows."""
    is_shared = isinstance(plan.estimator, Block | Lockstep)
    if isinstance(plan.architecture, GivenPairs) and isinstance(plan.inputs, Subwords):
        return "words of given pairs are whole: leave subwords out"
    if isinstance(plan.architecture, GlobalContext) and isinstance(plan.inputs, Subwords):
        return "global_context is of whole words: leave subwords out, or global_context"
    if isinstance(plan.architecture, GlobalContext) and isinstance(plan.objective, Softmax):
        return "loss softmax takes no global_context: leave --loss out, or global_context"
    if isinstance(plan.architecture, GivenPairs) and isinstance(plan.objective, Softmax):
        return "loss softmax is of windows, and given pairs have none: leave --loss out"
    if isinstance(plan.estimator, Paths):
        of_paths = isinstance(plan.objective, HierarchicalSoftmax) and isinstance(plan.inputs, Words)
        if not of_paths or isinstance(plan.architecture, Cbow):
            return "only the hierarchical softmax of whole words has paths in windows: leave out --kernel"
    if is_shared and not isinstance(plan.objective, NegativeSampling):
        return "a softmax has no noise for a block to share: leave out --kernel"
    if isinstance(plan.estimator, Whole | Panels) and not isinstance(plan.objective, Softmax):
        return "only loss softmax has all words as outputs: leave out --kernel"
    if backend == "reference":
        return None
    if isinstance(plan.objective, Softmax) and isinstance(plan.estimator, Pair):
        return (
            "loss softmax goes pair by pair on the reference only: leave out --kernel pair, or add "
            "--backend reference"
        )
    if isinstance(plan.estimator, Block | Lockstep) and isinstance(plan.estimator.operands, BFloat16):
        from fastw2v.kernels.tiles import bfloat16

        if not bfloat16.HAS_BFLOAT16:
            return "precision bfloat16 needs a processor with AVX512-BF16: use float32"
    return None


def require_supported(config: TrainConfig, has_targets: bool = False) -> None:
    """Raise UsageError where no backend trains what config names: known before anything is read.

    has_targets   whether sentences have a target
    """
    if has_targets and config.architecture != "skip-gram":
        raise UsageError(
            f"global_context is of skip-gram, whose centres predict it, and architecture is "
            f"{config.architecture}: leave one of them out",
            ["architecture", "global_context"],
        )
    plan = plan_of(config, np.ones(2, np.int64), 2, has_targets=has_targets)
    if why_not := supports(plan, config.backend):
        raise UsageError(why_not)


def needs_compiling(plan: Plan, vectors: Vectors, tokens: Tokens, backend: str) -> bool:
    """Whether a backend would have to compile for arguments of these types, and could keep the code."""
    if backend == "reference":
        return False
    from fastw2v.kernels import jit
    from fastw2v.kernels.backend import is_compiled

    if jit.CACHE_FOLDER is None or jit.is_off():
        return False
    return not is_compiled(plan, vectors, tokens)


def spanned_domains(plan: Plan, backend: str, n_wanted: int | None) -> list[list[int]]:
    """Cores of each cache domain, or of several, that are to have copies of a plan's hot rows; mostly none.

    None where one domain has cores for all workers, for estimators without noise or without races, and where
    a row is not the same word's in both matrices.
    """
    can = isinstance(plan.objective, NegativeSampling) and isinstance(plan.estimator, Pair | Block)
    can = can and isinstance(plan.inputs, Words) and not isinstance(plan.architecture, GivenPairs)
    n_workers, chosen = n_wanted or usable_cores(), list[list[int]]()
    if backend == "reference" or not can or not can_bind() or n_workers < 2 * FEWEST_CORES:
        return []  # before the caches are looked up, some files for each core
    for cores in sorted(cache_domains(), key=len, reverse=True):
        if sum(map(len, chosen)) < n_workers:
            chosen.append(cores)
    size = max(1, -(-len(chosen) // MOST_COPIES))
    together = [list(chain(*chosen[i : i + size])) for i in range(0, len(chosen), size)]
    return together if 1 < len(together) <= n_workers // FEWEST_CORES else []


def domains_for(plan: Plan, n_words: int, backend: str, n_wanted: int | None) -> list[list[int]]:
    """Those whose workers are to have copies of the hottest rows: none of so few words that most are hot."""
    return spanned_domains(plan, backend, n_wanted) if n_words >= FEWEST_WORDS * HOT_WORDS else []


def as_compiled(plan: Plan, backend: str, n_wanted: int | None) -> Plan:
    """The plan with the type of copies that other runs on this machine have: one kernel to compile."""
    return with_copies(plan, NO_COPIES) if spanned_domains(plan, backend, n_wanted) else plan


def make(
    plan: Plan,
    vectors: Vectors,
    backend: str,
    n_workers: int | None = None,
    domains: Sequence[Sequence[int]] = (),
) -> Backend:
    """The backend of that name, which owns the matrices from now on.

    vectors    float32 (n_words, padded dim) each, rows 64-byte aligned
    n_workers  None: one for each core that the process may use
    domains    of `domains_for`: with them matrices have `rows_behind`

    Raises UsageError for a plan that it does not support.
    """
    if why_not := supports(plan, backend):
        raise UsageError(why_not)
    if backend == "reference":
        from fastw2v.reference.backend import ReferenceBackend

        return ReferenceBackend(plan, vectors)
    from fastw2v.kernels.backend import KernelBackend
    from fastw2v.kernels.domains import Domains

    plan = plan if domains else as_compiled(plan, backend, n_workers)
    n_workers = workers_of(plan, n_workers or usable_cores())
    return KernelBackend(plan, vectors, n_workers, Domains(vectors, domains) if domains else None)


def workers_of(plan: Plan, n_wanted: int) -> int:
    """How many work at once: of so many one, where few words share the rows of their n-grams.

    They would meet on all of them: of 50 words two workers ended 13 % over one, or diverged.
    """
    is_shared = isinstance(plan.inputs, Subwords) and share_ngrams(len(plan.inputs.starts) - 1)
    return 1 if is_shared else n_wanted


def share_ngrams(n_words: int) -> bool:
    """Whether so few words share nearly all rows of their n-grams."""
    return n_words < FEW_WORDS
