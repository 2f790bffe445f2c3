"""One table: what every implementation of a plan must do. A new type of plan is a row by itself.

A row is a plan's types and a backend that `supports` it; where a processor that no tile fits has another
kernel, that one is a row too. Each property is a test, each row one of its cases. What only one of them must
do is tested in a file of its own.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from itertools import pairwise
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from corpora.small import corpus_of, zipfian
from fastw2v import backends
from fastw2v.backends import Backend, objective_of, plan_of, require_supported, supports
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.errors import UsageError
from fastw2v.kernels import backend as kernel_backend
from fastw2v.model import ngrams
from fastw2v.model.arrays import NOTHING, UNIT, Tokens, Totals, Vectors, n_units
from fastw2v.model.plan import (
    ROOT,
    BFloat16,
    Block,
    GivenPairs,
    GlobalContext,
    Lockstep,
    Operands,
    Panels,
    Plan,
    Schedule,
    Softmax,
    Subwords,
    Whole,
    n_buckets,
)
from fastw2v.model.sampling import as_limits, keep_probabilities, noise_probabilities, unigram_table
from fastw2v.model.streams import epoch_key
from fastw2v.reference.backend import ReferenceBackend
from fastw2v.reference.inputs import rows_of
from fastw2v.training.matrices import aligned_zeros

# ---- The rows ---------------------------------------------------------------------------------------------

WITHOUT_TILES = "numba, without tiles"
SAME_FOR_ALL_WORKERS = (Lockstep, Panels)  # estimators; with others workers race


class Form(NamedTuple):
    """A NamedTuple's type, and those of its fields that may be of several types."""

    kind: type
    inner: tuple[tuple[str, Form], ...] = ()

    def types(self) -> list[type]:
        """All of them, outermost first."""
        return [self.kind, *(kind for _, form in self.inner for kind in form.types())]


def forms_of(hint: Any) -> Iterator[Form]:
    """Every way to choose the types of a value: of a union's members, and of their fields that are unions."""
    for kind in get_args(hint) if get_origin(hint) in (UnionType, typing.Union) else (hint,):
        hints = get_type_hints(kind)
        unions = {name: list(forms_of(own)) for name, own in hints.items() if get_origin(own) is UnionType}
        for chosen in itertools.product(*unions.values()):
            yield Form(kind, tuple(zip(unions, chosen, strict=True)))


def made(form: Form, values: dict[str, Any]) -> Any:
    """A value of that form: its fields of these values, others of their defaults."""
    inner = {name: made(own, values) for name, own in form.inner}
    known = {name: values[name] for name in form.kind._fields if name in values}  # type: ignore[attr-defined]
    return form.kind(**known | inner)


class Row(NamedTuple):
    """An implementation: the forms of a plan's parts, and who trains it."""

    parts: tuple[Form, ...]
    backend: str

    def types(self) -> tuple[type, ...]:
        """Of the plan, in order."""
        return tuple(kind for part in self.parts for kind in part.types())

    def name(self) -> str:
        """For people."""
        return " ".join([*(kind.__name__ for kind in self.types()), f"({self.backend})"])

    def has(self, *kinds: type) -> bool:
        """Whether one of the types is a part of the plan."""
        return bool(set(kinds) & set(self.types()))


# Of fields of plans, sizes that are odd and cheap. A field that is not here needs a default.
SIZES: dict[str, Any] = {
    "radius": 5,
    "fixed": 0,
    "weighted": 0,
    "gradient": ROOT,
    "n_negatives": 5,
    "block_size": 7,
    "shared_negatives": 5,
    "lanes": 2,
    "spans": ngrams.Spans(2, 3, 40),  # so few buckets that some n-grams share one
}


def tree_of(counts: Any) -> dict[str, Any]:
    """Fields of the hierarchical softmax."""
    objective = objective_of(TrainConfig(loss="hierarchical-softmax"), counts)
    return objective._asdict()  # type: ignore[attr-defined]


def bags_of(corpus: Corpus, spans: ngrams.Spans) -> dict[str, Any]:
    """Fields of inputs with n-grams."""
    bags = ngrams.bags_of_words(corpus.vocabulary.words, spans)
    return {"starts": bags.offsets, "rows": bags.rows}


def plan_for(parts: tuple[Form, ...], corpus: Corpus, sample: float = 0.0, **sizes: Any) -> Plan:
    """The plan of these forms for a corpus."""
    counts, values = corpus.vocabulary.counts, SIZES | sizes
    tables = {
        "reach": max(1, min(values["radius"], int(np.diff(corpus.offsets).max()) - 1)),
        "keep_limits": as_limits(keep_probabilities(counts, sample)),
        "unigram_table": unigram_table(noise_probabilities(counts)),
        **tree_of(counts),
        **bags_of(corpus, values["spans"]),
    }
    return Plan(*(made(part, values | tables) for part in parts))


def rows() -> list[Row]:
    """Every legal one; precision bfloat16 of the kernels only where the processor has it."""
    corpus, found = corpus_of([0, 1, 1], 2), []
    for parts in itertools.product(*(forms_of(hint) for hint in get_type_hints(Plan).values())):
        plan = plan_for(parts, corpus)
        for backend in get_args(get_type_hints(TrainConfig)["backend"]):
            if supports(plan, backend) is None:
                found.append(Row(parts, backend))
        if Row(parts, "numba") in found and BFloat16 not in found[-1].types():
            with pytest.MonkeyPatch.context() as patch:
                usual = kernel_backend.kernel_of(plan)
                patch.setattr(kernel_backend, "HAS_TILES", False)
                if kernel_backend.kernel_of(plan) is not usual:
                    found.append(Row(parts, WITHOUT_TILES))
    return found


ROWS = rows()


def each_of(rows: list[Row]) -> pytest.MarkDecorator:
    """A test for each."""
    return pytest.mark.parametrize("row", rows, ids=Row.name)


each_row = each_of(ROWS)
each_kernel = each_of([row for row in ROWS if row.backend != "reference"])


PARTS = ("architecture", "subwords")
CHOICES = {"subwords": (None, "2-3")}  # of options that are no choice by their type


def test_rows__are_what_options_can_ask_for() -> None:
    """Every plan that a combination of options has, on every backend that takes it, and no other."""
    hints = get_type_hints(TrainConfig)
    choices = {
        field.name: CHOICES.get(field.name) or get_args(hints[field.name]) or (False, True)
        for field in fields(TrainConfig)
        if field.name in ("backend", "kernel", "loss", "precision", "deterministic", *PARTS)
    }
    expected = set()
    for values in itertools.product(*choices.values()):
        try:
            config = TrainConfig(**dict(zip(choices, values, strict=True)))
            require_supported(config)
        except UsageError:
            continue
        counts = np.ones(2, np.int64)
        plans = [
            plan_of(config, counts, 2),
            plan_of(config, counts, 2, outside_counts=counts),
            plan_of(config, counts, 2, has_targets=True),
        ]
        has_others = config.architecture == "skip-gram" and not config.subwords and config.loss != "softmax"
        for plan in plans[: 3 if has_others else 1]:
            inner = [field for part in plan for field in part if isinstance(field, Operands)]
            expected.add((*map(type, (*plan, *inner)), config.backend))
    assert {(*row.types(), row.backend) for row in ROWS if row.backend != WITHOUT_TILES} == expected


# ---- A row at work ----------------------------------------------------------------------------------------

GUARD, FILL = 64, -77.0  # rows before and after each matrix, and what is in them


class Problem(NamedTuple):
    """A row's plan on a corpus, with its two matrices between guards, and the backend that trains them."""

    corpus: Corpus
    backend: Backend
    dim: int
    whole: Vectors

    @property
    def tokens(self) -> Tokens:
        """The corpus, as the backend takes it; with targets where the plan takes them."""
        ids, offsets = self.corpus.ids, self.corpus.offsets
        if not isinstance(self.backend.plan.architecture, GlobalContext):
            return Tokens(ids, offsets)
        lengths = np.diff(offsets)
        targets = np.where(lengths > 1, ids[np.minimum(offsets[:-1], len(ids) - 1)], -1).astype(np.int32)
        targets[5::7] = -1  # some longer sentences have none, either
        return Tokens(ids, offsets, np.ones(len(lengths), np.float32), targets)

    @property
    def end(self) -> int:
        """All units."""
        return n_units(len(self.corpus.ids))

    def schedule(
        self, learning_rate: float = 0.05, epoch: int = 0, epochs: int = 2, **more: float
    ) -> Schedule:
        """Of one epoch."""
        n = len(self.corpus.ids)
        key = np.uint64(epoch_key(7, epoch))
        return Schedule(key, epoch * n, epochs * n, learning_rate, learning_rate * 1e-4, **more)

    def train(self, schedule: Schedule | None = None, cuts: tuple[int, ...] | None = None) -> Totals:
        """An epoch, in one call or from cut to cut."""
        schedule, totals = schedule or self.schedule(), NOTHING
        for first, end in pairwise(cuts or (0, self.end)):
            totals = totals.plus(self.backend.train(self.tokens, schedule, first, end))
        return totals

    def copied(self) -> Vectors:
        """The matrices as they are now."""
        return Vectors(*(matrix.copy() for matrix in self.backend.host()))

    def bytes(self) -> bytes:
        """Of both matrices and their guards."""
        return b"".join(matrix.tobytes() for matrix in self.whole)


def guarded(n_words: int, n_buckets: int, dim: int, scale: float) -> tuple[Vectors, Vectors]:
    """Two random matrices within larger ones, and the larger ones; rows on cache lines."""
    rng = np.random.default_rng(1)
    whole = Vectors(*(aligned_zeros(n_words + n + 2 * GUARD, dim) for n in (n_buckets, 0)))
    for matrix in whole:
        matrix[:] = FILL
        matrix[GUARD:-GUARD] = 0
        matrix[GUARD:-GUARD, :dim] = rng.normal(0, scale, (len(matrix) - 2 * GUARD, dim))
    return Vectors(*(matrix[GUARD:-GUARD] for matrix in whole)), whole


def new_problem(
    row: Row, corpus: Corpus, dim: int = 7, n_workers: int = 1, scale: float = 0.3, **sizes: Any
) -> Problem:
    """The row's backend on a corpus, with the sizes of the plan."""
    backend = "numba" if row.backend == WITHOUT_TILES else row.backend
    plan = plan_for(row.parts, corpus, **sizes)
    vectors, whole = guarded(len(corpus.vocabulary), n_buckets(plan.inputs), dim, scale)
    return Problem(corpus, backends.make(plan, vectors, backend, n_workers), dim, whole)


@pytest.fixture
def problem_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """problem_of(row, corpus, dim=, n_workers=, scale=, **of the plan): with the row's tiles or without."""

    def problem(row: Row, corpus: Corpus, **options: Any) -> Problem:
        if row.backend == WITHOUT_TILES:
            monkeypatch.setattr(kernel_backend, "HAS_TILES", False)
        return new_problem(row, corpus, **options)

    return problem


def twin_of(problem: Problem) -> Problem:
    """The reference in float64 on the same plan and vectors."""
    double = Vectors(*(matrix.astype(np.float64) for matrix in problem.backend.host()))
    return problem._replace(backend=ReferenceBackend(problem.backend.plan, double))


def assert_agree(actual: Totals, expected: Totals, problem: Problem, doubles: Vectors) -> None:
    """The same pairs, losses within 1e-6, vectors within 1e-5, and nothing beside them.

    Within 2e-5 of blocks: after long steps, which scores of neighbours are moved by, they end 1.1e-5 apart,
    and in lockstep, where sentences are as long as a unit, rows of length 3 1.6e-5; rows that words share are
    stepped for each of them, and end 2.7e-5 from those of the reference; a target is in the window of each
    centre of a sentence as long as a unit, and its row, of length 3, ends 3.6e-5 from it. One long step on
    all words leaves numbers of 23, whose last place is 2e-6, 1.05e-5 from the reference's.
    """
    plan = problem.backend.plan
    farthest = 2e-5 if isinstance(plan.estimator, Block | Lockstep | Whole | Panels) else 1e-5
    is_shared = isinstance(plan.architecture, GlobalContext) and isinstance(plan.estimator, Lockstep)
    farthest = 5e-5 if isinstance(plan.inputs, Subwords) or is_shared else farthest
    assert actual.n_kept == expected.n_kept
    assert actual.n_pairs == pytest.approx(expected.n_pairs, rel=1e-6)
    assert actual.loss == pytest.approx(expected.loss, rel=farthest / 10, abs=1e-6)
    for matrix, double in zip(problem.backend.host(), doubles, strict=True):
        np.testing.assert_allclose(matrix, double, rtol=0, atol=farthest)
    assert_nothing_beside(problem)


def assert_nothing_beside(problem: Problem) -> None:
    """Guards and padding are as they were, and all numbers are finite."""
    for matrix in problem.whole:
        assert (matrix[:GUARD] == FILL).all()
        assert (matrix[-GUARD:] == FILL).all()
        assert not matrix[GUARD:-GUARD, problem.dim :].any()
        assert np.isfinite(matrix).all()


SHORT = (7, 0, 1, 20, 2, 0, 33, 1, 1, 40, 11, 0)
GIANT = (5, 0, 2 * UNIT + 900, 0, 1, 300, 3)  # three units, of which samples keep a hundred tokens or so
LONG = (90,) * 220  # five units


def uniform(lengths: tuple[int, ...], n_words: int = 12) -> Corpus:
    """Sentences of these lengths of words drawn uniformly."""
    return corpus_of(np.random.default_rng(0).integers(0, n_words, sum(lengths)), n_words, lengths)


# ---- Properties -------------------------------------------------------------------------------------------

CASES: dict[str, dict[str, Any]] = {
    "one number a vector": {"dim": 1},
    "fixed window, one negative": {"fixed": 1, "n_negatives": 1, "block_size": 1, "shared_negatives": 1},
    "window 1, 300 numbers": {"dim": 300, "radius": 1, "block_size": 64, "shared_negatives": 48},
    "most tokens left out": {"dim": 16, "lengths": GIANT, "sample": 1e-5, "n_negatives": 15},
    "window beyond all sentences": {
        "dim": 33,
        "radius": 300,
        "lengths": (30, 0, 1, 20),
        "block_size": 33,
        "shared_negatives": 17,
    },
    "weighted window": {"fixed": 1, "weighted": 1, "dim": 20, "radius": 7, "sample": 2e-2},
    "window of several hundred": {"dim": 20, "radius": 300, "fixed": 1, "lengths": GIANT, "sample": 1e-6},
}
# Steps so long that almost every row is held back, which kernel pair does not do: it would be chaos.
HELD_BACK = {"dim": 100, "learning_rate": 2.0, "block_size": 32, "shared_negatives": 16}
# A difference of 1e-8 flips a rounding to bfloat16 here and there, which is one of 2^-9: a block, not many.
ONE_BLOCK = {"dim": 100, "learning_rate": 0.1, "lengths": (20, 1, 0, 20), "block_size": 41, "epochs": 1}


def cases_of(row: Row) -> dict[str, dict[str, Any]]:
    """Problems on which a row agrees with its twin."""
    if row.has(BFloat16):
        return {"one block": ONE_BLOCK, "one block, one number a vector": ONE_BLOCK | {"dim": 1}}
    if row.has(Whole, Panels):  # rows of V are not held back, so that there is no second block
        return CASES | {"one block of long steps": ONE_BLOCK | {"learning_rate": 3.0}}
    return CASES | ({"long steps": HELD_BACK} if row.has(Block, Lockstep) else {})


def prepared(problem: Any, row: Row, case: str) -> tuple[Problem, list[Schedule]]:
    """A case for a row, and its schedules, one an epoch."""
    options = {"learning_rate": 0.05, "lengths": SHORT, "epochs": 2} | cases_of(row)[case]
    learning_rate, epochs, lengths = (options.pop(name) for name in ("learning_rate", "epochs", "lengths"))
    made = problem(row, uniform(lengths), **options)
    return made, [made.schedule(learning_rate, epoch) for epoch in range(epochs)]


@cache
def twin_epochs(parts: tuple[Form, ...], case: str) -> list[tuple[Totals, Vectors]]:
    """What the twin makes of a case, after each epoch: once for all rows of a plan, whoever trains it."""
    problem, schedules = prepared(new_problem, Row(parts, "reference"), case)
    twin = twin_of(problem)
    return [(twin.train(schedule), twin.copied()) for schedule in schedules]


@pytest.mark.parametrize(
    ("row", "case"),
    [pytest.param(row, case, id=f"{row.name()} {case}") for row in ROWS for case in cases_of(row)],
)
def test_twins__agree_on_the_same_draws(row: Row, case: str, problem_of: Any) -> None:
    """Step for step over two epochs: pairs and loss of each, and the vectors at the end of it."""
    problem, schedules = prepared(problem_of, row, case)
    before = problem.copied()
    for schedule, (expected, doubles) in zip(schedules, twin_epochs(row.parts, case), strict=True):
        actual = problem.train(schedule)
        assert actual.n_pairs > 0
        assert_agree(actual, expected, problem, doubles)
    moved = [np.abs(now - was).max() for now, was in zip(problem.backend.host(), before, strict=True)]
    assert min(moved) > 1e-3


@each_row
def test_bytes__are_the_same_however_calls_are_cut(row: Row, problem_of: Any) -> None:
    """Once, again, and in calls that begin where they may, one of them empty."""
    corpus = uniform(LONG)
    problems = [problem_of(row, corpus, sample=5e-5) for _ in range(3)]
    assert problems[0].end == 5
    wholes = [problem.train() for problem in problems[:2]]
    parts = problems[2].train(cuts=(0, 2, 2, 4, 5))
    assert wholes[0] == wholes[1]
    assert parts[1:] == wholes[0][1:]
    assert parts.loss == pytest.approx(wholes[0].loss, rel=1e-12)
    assert len({problem.bytes() for problem in problems}) == 1


@each_kernel
def test_workers__train_the_same_pairs_to_about_the_same_loss(row: Row, problem_of: Any) -> None:
    """Or, in lockstep, to the same bytes; the reference has one worker."""
    corpus = corpus_of(zipfian(50, len(LONG) * 90), 50, LONG)
    problems = [problem_of(row, corpus, dim=33, n_workers=n, sample=2e-3) for n in (1, 2, 3)]
    totals = [problem.train() for problem in problems]
    assert len({each[1:] for each in totals}) == 1
    # Workers that meet on one of 50 words lose steps: three ended 2.9 % over one.
    assert [each.mean_loss for each in totals] == pytest.approx([totals[0].mean_loss] * 3, rel=0.06)
    for problem in problems:
        assert_nothing_beside(problem)
    if row.has(*SAME_FOR_ALL_WORKERS):
        assert len({problem.bytes() for problem in problems}) == 1


@pytest.mark.parametrize("n_words", [1, 2, 3])
@each_row
def test_tiny_vocabularies__agree_with_the_twin(row: Row, n_words: int, problem_of: Any) -> None:
    """One word has no negatives at all: every draw is the output word."""
    problem = problem_of(row, uniform((30, 1, 2, 0, 1), n_words), radius=2, fixed=1, block_size=41)
    twin = twin_of(problem)
    actual, expected = problem.train(), twin.train()
    assert actual.n_kept > 0 if row.has(GivenPairs) else actual.n_kept == 34
    assert_agree(actual, expected, problem, twin.backend.host())


@each_row
def test_sentences_of_one_word__train_nothing(row: Row, problem_of: Any) -> None:
    problem = problem_of(row, uniform((1,) * 40 + (0,)), radius=1)
    before = [matrix.copy() for matrix in problem.whole]
    totals = problem.train()
    assert totals.n_pairs == 0
    assert row.has(GivenPairs) or totals.n_kept == 40
    assert totals.loss < 1e-20  # of scores that do not count, nearly nothing
    for matrix, untrained in zip(problem.whole, before, strict=True):
        np.testing.assert_array_equal(matrix, untrained)  # which takes −0 for 0


@pytest.mark.parametrize("frozen", Vectors._fields)
@each_row
def test_frozen_matrix__stays_and_the_other_agrees(row: Row, frozen: str, problem_of: Any) -> None:
    problem = problem_of(row, uniform((20, 1, 0, 20)), block_size=41)
    twin, before = twin_of(problem), problem.copied()
    schedule = problem.schedule(**{f"{frozen}_share": 0.0})
    assert_agree(problem.train(schedule), twin.train(schedule), problem, twin.backend.host())
    changed = {
        name: getattr(problem.backend.host(), name).tobytes() != getattr(before, name).tobytes()
        for name in Vectors._fields
    }
    assert changed == {name: name != frozen for name in Vectors._fields}


@each_row
def test_no_step__changes_no_bit_and_tells_the_loss(row: Row, problem_of: Any) -> None:
    """A learning rate of zero, and what held-out loss relies on: the draws are those of training."""
    problem = problem_of(row, uniform(SHORT), n_workers=2, sample=0.05)
    before, schedule = problem.bytes(), problem.schedule(0.0)
    loss = problem.backend.loss(problem.tokens, int(schedule.epoch_key), problem.end)
    still = problem.train(schedule)
    assert problem.bytes() == before
    expected = twin_of(problem).train(schedule)
    for actual in (loss, still):
        assert actual[1:] == expected[1:]
        assert actual.loss == pytest.approx(expected.loss, rel=1e-4 if row.has(BFloat16) else 1e-6)
    assert problem.train().n_pairs == expected.n_pairs
    assert problem.bytes() != before


@each_row
def test_inputs__are_not_written_and_other_words_stay(row: Row, problem_of: Any) -> None:
    """Word 0 is noise, but never kept; words 10 to 19 are neither in the corpus nor in the noise."""
    ids = np.random.default_rng(0).integers(0, 10, 400)
    problem = problem_of(row, corpus_of(ids, 20), n_workers=2)
    plan = problem.backend.plan
    if not row.has(GivenPairs):  # of which none is dropped
        plan.architecture.keep_limits[0] = 0
    fields_of_all = itertools.chain(problem.tokens, *plan)
    arrays = [field for field in fields_of_all if isinstance(field, np.ndarray)]
    before, vectors = [array.copy() for array in arrays], problem.copied()
    problem.train()
    assert all((now == was).all() for now, was in zip(arrays, before, strict=True))
    center, outside = (
        np.flatnonzero((now != was).any(axis=1)).tolist()
        for now, was in zip(problem.backend.host(), vectors, strict=True)
    )
    bags = [rows_of(plan.inputs, word) for word in range(1, 10)]
    if row.has(GivenPairs):
        assert set(problem.tokens.ids[problem.tokens.offsets[:-1]]) >= set(center) != set()
    else:
        assert center == sorted(set(itertools.chain(*bags)))
    assert outside == list(range(20 if row.has(Softmax) else 10))


@each_row
def test_nan__shows_in_the_loss(row: Row, problem_of: Any) -> None:
    """LLVM may not assume that there is none: it is how a diverged run is found."""
    problem = problem_of(row, uniform(SHORT))
    problem.backend.host().outside[3, 2] = np.nan
    assert np.isnan(problem.train().loss)
    assert np.isnan(problem.backend.host().center).any()


@each_kernel
def test_no_units__train_nothing(row: Row, problem_of: Any) -> None:
    problem = problem_of(row, uniform(SHORT), n_workers=3)
    before = problem.bytes()
    problem.backend.compile(problem.tokens)
    for unit in (0, 1):
        assert problem.train(cuts=(unit, unit)) == NOTHING
    assert problem.bytes() == before
