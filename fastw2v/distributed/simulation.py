"""Many processes of a run simulated in one: a thread each, that talk as MPI would have them talk."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from numpy.typing import NDArray

Result = TypeVar("Result")


class Board(NamedTuple):
    """What the threads share: a place for each to show something, and a barrier."""

    slots: list[Any]
    barrier: threading.Barrier


class ThreadCommunicator:
    """A `fastw2v.distributed.communicator.Communicator` of threads.

    Values go through JSON, arrays are copied.
    Arrays must be as the protocol says, even where threads could do with less.
    """

    def __init__(self, rank: int, board: Board) -> None:
        self.rank, self.size = rank, len(board.slots)
        self._board = board

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self._board.barrier.wait()

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value, at every rank."""
        with self._shown(json.dumps(value) if self.rank == 0 else None) as shown:
            return json.loads(shown[0])

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, by rank."""
        with self._shown(json.dumps(value)) as shown:
            return [json.loads(of_rank) for of_rank in shown]

    def broadcast_array(self, array: NDArray[Any]) -> None:
        """Fill the array with rank 0's."""
        with self._shown(array) as shown:
            _check_alike(shown)
            if self.rank > 0:
                assert shown[0].shape == array.shape, "arrays of different shapes"
                array[...] = shown[0]

    def gather_arrays(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """Every rank's array, by rank."""
        with self._shown(array) as shown:
            _check_alike(shown)
            return [of_rank.copy() for of_rank in shown]

    def exchange(self, parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """What each rank sent here, by rank."""
        with self._shown(parts) as shown:
            _check_alike([part for of_rank in shown for part in of_rank])
            assert all(len(of_rank) == self.size for of_rank in shown), "not one part for each rank"
            return [of_rank[self.rank].copy() for of_rank in shown]

    def abort(self, code: int) -> None:
        """End all threads at their next call, and this one now."""
        self._board.barrier.abort()
        raise SystemExit(code)

    @contextlib.contextmanager
    def _shown(self, value: Any) -> Iterator[list[Any]]:
        """What every rank shows, by rank; none goes on before all are done with it."""
        self._board.slots[self.rank] = value
        self._board.barrier.wait()
        yield list(self._board.slots)
        self._board.barrier.wait()


def _check_alike(arrays: Sequence[NDArray[Any]]) -> None:
    """MPI would send other bytes, or fail, for arrays that differ in type or are not contiguous."""
    assert all(array.flags.c_contiguous for array in arrays), "an array is not contiguous"
    kinds = {(array.dtype, array.shape[1:]) for array in arrays}
    assert len(kinds) == 1, f"arrays of different kinds: {kinds}"


def run_ranks(n_ranks: int, function: Callable[[ThreadCommunicator], Result]) -> list[Result]:
    """What the function returns at each rank, by rank; raises the first error that is a rank's own."""
    board = Board([None] * n_ranks, threading.Barrier(n_ranks))

    def run(rank: int) -> Result:
        try:
            return function(ThreadCommunicator(rank, board))
        except BaseException:
            board.barrier.abort()  # or the others would wait for ever
            raise

    with ThreadPoolExecutor(n_ranks, "rank") as pool:
        futures = [pool.submit(run, rank) for rank in range(n_ranks)]
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    return [future.result() for future in futures]
