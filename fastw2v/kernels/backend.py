"""The door to the kernels: plain arguments in, one typed answer out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from fastw2v.errors import OutputError
from fastw2v.kernels import lockstep, pair, panels, paths, whole
from fastw2v.kernels.block import plain, step
from fastw2v.kernels.domains import Domains, on_cores
from fastw2v.kernels.jit import is_kept, require_jit
from fastw2v.kernels.tiles.registers import HAS_TILES
from fastw2v.model.arrays import FLOATS_PER_LINE, Tokens, Totals, Vectors, Work, new_totals, summed
from fastw2v.model.plan import Block, Lockstep, Pair, Panels, Paths, Plan, Schedule, Whole, no_steps

NO_SCRATCH = "no memory for a worker's scratch: lower --threads, --window or --dim"
NO_LANES = "no memory for the scratch of all lanes: lower --window or --dim"
# Of estimators whose result is the same for any number of workers, what makes the room that these share.
SHARED: dict[type, Any] = {Lockstep: lockstep.new_lanes, Panels: panels.new_shared_room}


def run_workers(work: Callable[[int], None], n_workers: int) -> None:
    """work(worker) for all workers at once, each in a thread of its own: worker 0 in this one.

    Python's threads, made for each call: those that Numba keeps do not outlive a fork, end the process when
    two threads use them (layer workqueue), and may be fewer than are asked for. No worker begins before all
    threads are there, because workers may wait for one another.

    Raises OutputError where the system gives no more threads, else what a worker raises.
    """
    begin, failures, is_cancelled = threading.Event(), list[BaseException](), False

    def run(worker: int) -> None:
        begin.wait()
        if is_cancelled:
            return
        try:
            work(worker)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,), name=f"fastw2v-{i}") for i in range(1, n_workers)]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError) as error:
        is_cancelled = True
        n_threads = len(started) + 1
        raise OutputError(
            f"{n_workers} threads asked for, the system gives {n_threads}: lower --threads"
        ) from error
    finally:
        begin.set()
        if not is_cancelled:
            run(0)
        for thread in started:
            thread.join()
    if failures:
        raise failures[0]


def kernel_of(plan: Plan) -> Any:
    """The kernel for the plan's estimator: `train_units` of one of the files here."""
    block = step.train_units if HAS_TILES else plain.train_units
    kernels = {
        Pair: pair.train_units,
        Paths: paths.train_units,
        Whole: whole.train_units,
        Panels: whole.train_together,
        Block: block,
        Lockstep: lockstep.train_units,
    }
    return kernels[type(plan.estimator)]


def is_compiled(plan: Plan, vectors: Vectors, tokens: Tokens) -> bool:
    """Whether there is code of the plan's kernel for arguments of these types. Nothing is compiled."""
    lanes = None
    if new_shared := SHARED.get(type(plan.estimator)):
        if not is_kept(new_shared, (vectors, plan, tokens.weights)):
            return False
        lanes = new_shared(vectors, plan, tokens.weights)
    work = Work(np.zeros(2, np.int64), 0, 1, lanes)
    return is_kept(kernel_of(plan), (vectors, tokens, plan, no_steps(0), work, new_totals(1)))


class KernelBackend:
    """Trains units with Numba's machine code; the matrices in `vectors` change in place.

    Workers race on them (Hogwild), unless the estimator is Lockstep or Panels: then the result is the same
    for any number of workers.

    vectors        float32 (n_words, padded dim) each, rows 64-byte aligned
    n_workers      a thread each
    units_at_once  how many a call takes together: calls begin at multiples of it
    least_groups   so many of them in a call keep all workers busy: one each, where workers share none
    domains        Domains of these matrices, whose workers have copies of the hottest rows; None without
    """

    def __init__(self, plan: Plan, vectors: Vectors, n_workers: int, domains: Domains | None = None) -> None:
        require_jit()
        self.plan, self.vectors, self.domains = plan, vectors, domains
        self.kernel = kernel_of(plan)
        self.units_at_once, self.lanes = 1, None  # made once it is known whether sentences have weights
        if isinstance(plan.estimator, Lockstep):
            self.units_at_once = plan.estimator.lanes
            n_lines = vectors.center.shape[1] // FLOATS_PER_LINE
            n_workers = min(n_workers, max(self.units_at_once, n_lines))  # more would find nothing to do
        elif isinstance(plan.estimator, Panels):
            n_workers = min(n_workers, panels.count_panels(len(vectors.outside)))
        self.totals = new_totals(n_workers)
        self.least_groups = 1 if type(plan.estimator) in SHARED else n_workers

    def compile(self, tokens: Tokens) -> None:
        """Compile the kernel for tokens of these types, or load it from the cache."""
        self.train(tokens, no_steps(0), 0, 0)

    def train(self, tokens: Tokens, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end of the tokens.

        Raises OutputError when a worker's scratch, or that of all lanes, cannot be had.
        """
        new_shared = SHARED.get(type(self.plan.estimator))
        if self.lanes is None and new_shared:
            try:
                self.lanes = new_shared(self.vectors, self.plan, tokens.weights)
            except MemoryError as error:
                raise OutputError(NO_LANES) from error
        self.totals[:] = 0
        queue, n_workers, domains = np.array([first, end], np.int64), len(self.totals), self.domains
        plans = domains.plans(self.plan, n_workers) if domains else [self.plan] * n_workers
        vectors = domains.vectors if domains else self.vectors

        def work(worker: int) -> None:
            shift = Work(queue, worker, n_workers, self.lanes)
            with on_cores(domains.cores[domains.of(worker, n_workers)]) if domains else nullcontext():
                self.kernel(vectors, tokens, plans[worker], schedule, shift, self.totals)

        with domains.merged() if domains else nullcontext():
            try:
                run_workers(work, n_workers)
            except MemoryError as error:
                raise OutputError(NO_SCRATCH) from error
        return summed(self.totals)

    def loss(self, tokens: Tokens, epoch_key: int, end: int) -> Totals:
        """The loss of units 0 ≤ u < end with the draws of that key; no vector is written."""
        return self.train(tokens, no_steps(epoch_key), 0, end)

    def host(self) -> Vectors:
        """The matrices."""
        return self.vectors
