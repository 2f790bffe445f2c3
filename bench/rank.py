"""One rank of a measured run, started by mpirun: `python -m bench.rank SETTINGS`, a JSON object in a file.

Rank 0 prints what came of it, a JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import TrainConfig
from fastw2v.distributed.communicator import Communicator, SingleProcess
from fastw2v.distributed.loop import train_replicas
from fastw2v.distributed.mpi import MpiCommunicator
from fastw2v.distributed.shards import read_shared_corpus
from fastw2v.options.replicas import ReplicaConfig

PROBE_BYTES = 8 << 20
PROBES = 9


@dataclass
class SlowNetwork:
    """A communicator whose arrays take as long as on a network of this speed, after what they take anyway.

    Each rank's link carries so many bytes a second in each direction.
    """

    inner: Communicator
    bytes_per_second: float

    def __post_init__(self) -> None:
        self.rank, self.size = self.inner.rank, self.inner.size
        self.broadcast, self.gather, self.abort = self.inner.broadcast, self.inner.gather, self.inner.abort
        self.broadcast_array, self.barrier = self.inner.broadcast_array, self.inner.barrier

    def gather_arrays(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """What a rank receives passes its link."""
        arrays = self.inner.gather_arrays(array)
        self.wait(sum(one.nbytes for rank, one in enumerate(arrays) if rank != self.rank))
        return arrays

    def exchange(self, parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """What a rank sends and receives passes its link, the larger of the two counts."""
        received = self.inner.exchange(parts)
        sent, got = (
            sum(part.nbytes for rank, part in enumerate(both) if rank != self.rank)
            for both in (parts, received)
        )
        self.wait(max(sent, got))
        return received

    def wait(self, n_bytes: int) -> None:
        """Sleep as long as so many bytes take."""
        time.sleep(n_bytes / self.bytes_per_second)


def probe(communicator: Communicator) -> dict[str, float]:
    """Seconds of the smallest exchange, and bytes a second that a rank sends in a large one; medians."""
    seconds = []
    for n_bytes in (1, PROBE_BYTES):
        parts = [np.zeros(n_bytes, np.uint8) for _ in range(communicator.size)]
        times = []
        for _ in range(PROBES):
            communicator.gather(None)
            started = time.perf_counter()
            communicator.exchange(parts)
            times.append(time.perf_counter() - started)
        seconds.append(float(np.median(times)))
    others = communicator.size - 1
    rate = others * PROBE_BYTES / max(seconds[1] - seconds[0], 1e-9)
    return {"exchange_seconds": seconds[0], "bytes_per_second": rate}


def main(path: str) -> None:
    """Train as the file says."""
    spec = json.loads(Path(path).read_text())
    config = TrainConfig(**spec["config"])
    communicator: Communicator = MpiCommunicator() if spec["n_ranks"] > 1 else SingleProcess()
    if spec["bytes_per_second"]:
        communicator = SlowNetwork(communicator, spec["bytes_per_second"])
    shared = read_shared_corpus(spec["corpus"], communicator, **spec["reading"])
    network = probe(communicator) if communicator.size > 1 else {}
    trained, effort = train_replicas(shared, config, ReplicaConfig(**spec["plan"]), communicator)
    efforts = communicator.gather(effort._asdict())
    if communicator.rank == 0:
        rate = trained.words / trained.train_seconds
        print(json.dumps({"rate": rate, "words": trained.words, "efforts": efforts, **network}))


if __name__ == "__main__":
    main(sys.argv[1])
