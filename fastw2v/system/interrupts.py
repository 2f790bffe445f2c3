"""SIGINT, SIGTERM and SIGHUP for the commands: an exception where that loses nothing, else noted.

Python runs handlers in the main thread between two bytecodes, so never while a kernel or LLVM runs there. A
thread of ours hears of a signal at once, through a pair of sockets, as Windows cannot wait for a pipe, and
ends the process where the main thread cannot.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

from fastw2v.system.files import remove_temporaries

# The terminal or its connection went away; on Windows its window, or Ctrl-Break.
HANGUP = getattr(signal, "SIGHUP", getattr(signal, "SIGBREAK", signal.SIGTERM))
SIGNALS = tuple(dict.fromkeys((signal.SIGINT, signal.SIGTERM, HANGUP)))
GRACE_SECONDS = 1.5  # LLVM may keep the main thread for longer than a user waits
STDERR = 2
NOTHING = "nothing was written"


class Interrupted(BaseException):
    """A signal asked this command to end; str() says what became of its work.

    No KeyboardInterrupt, which libraries on the way turn into errors of their own.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted: {_State.outcome}")
        self.exit_code = 128 + signum  # as shells report it: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP


class _State:
    """One a process, as handlers are: the signal that came, whether it waits for `received`, what to say."""

    received: int | None = None
    deferred = False
    outcome = NOTHING


def received() -> int | None:
    """The number of the signal that came, or None."""
    return _State.received


def set_outcome(outcome: str) -> None:
    """What a user is told if a signal ends the command from now on."""
    _State.outcome = outcome


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Within the block a first signal does not raise Interrupted: the one who works there asks `received`.

    If nobody did, it is raised at the end.
    """
    _State.deferred = True
    try:
        yield
    finally:
        _State.deferred = False
    if _State.received:
        raise Interrupted(_State.received)


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Within the block SIGNALS raise Interrupted, and a second SIGINT or SIGTERM ends the process at once.

    A SIGHUP that is ignored, as nohup does, stays so. Several may come of one hangup, from the shell and from
    the kernel, so that another is no second signal.

    So does the first where the main thread has not ended within GRACE_SECONDS, unless it is deferred.
    Afterwards the handlers of before are back. Outside the main thread, which alone has any, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _State.received, _State.outcome = None, NOTHING
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    watcher = threading.Thread(target=_watch, args=(reader,), name="fastw2v-signals", daemon=True)
    watcher.start()
    wakeup_before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    is_hangup_ignored = signal.getsignal(HANGUP) == signal.SIG_IGN
    taken = [signum for signum in SIGNALS if signum != HANGUP or not is_hangup_ignored]
    handlers_before = {signum: signal.signal(signum, _on_signal) for signum in taken}
    try:
        yield
    finally:
        for signum, handler in handlers_before.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(wakeup_before)
        writer.close()  # the watcher reads the end, and ends
        watcher.join()
        reader.close()
        _State.received = None


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """For programs: within the block a first Ctrl-C waits for the one who asks `received`.

    A second one is Python's again. Outside the main thread, and where a program handles SIGINT itself, it
    does nothing.
    """
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or before is not signal.default_int_handler:
        yield
        return

    def note(signum: int, frame: FrameType | None) -> None:
        _State.received = signum
        signal.signal(signum, before)

    _State.received, _State.outcome = None, NOTHING
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _State.received = None


def _on_signal(signum: int, frame: FrameType | None) -> None:
    is_first = _State.received is None
    _State.received = _State.received or signum
    if is_first and not _State.deferred:
        raise Interrupted(signum)


def _watch(reader: socket.socket) -> None:
    """End the process at a second signal, or at a first that the main thread does not answer in time."""
    if not (first := _read_signal(reader)):
        return
    while True:
        was_deferred = _State.deferred
        if select.select([reader], [], [], GRACE_SECONDS)[0]:
            if not (later := _read_signal(reader)):
                return
            if later == HANGUP:
                continue
            break
        if not (was_deferred or _State.deferred):
            break
    remove_temporaries()
    with contextlib.suppress(OSError):  # of a terminal that went away
        os.write(STDERR, f"\nError: interrupted: {_State.outcome}\n".encode())
    os._exit(128 + first)


def _read_signal(reader: socket.socket) -> int:
    """The next of SIGNALS that comes, or 0 once the other end is closed."""
    while byte := reader.recv(1):
        if byte[0] in SIGNALS:
            return byte[0]
    return 0
