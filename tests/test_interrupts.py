"""Signals: an exception where that loses nothing, noted elsewhere, and an end in any case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fastw2v.system import interrupts
from fastw2v.system.interrupts import Interrupted

ROOT = Path(__file__).parent.parent


def handlers():
    return [signal.getsignal(signum) for signum in interrupts.SIGNALS]


def kill(signum):
    os.kill(os.getpid(), signum)
    time.sleep(0.01)  # until the handler has run


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_handled__a_signal_is_an_exception_with_its_code(signum, code):
    before = handlers()
    with pytest.raises(Interrupted, match="interrupted: nothing was written") as caught, interrupts.handled():
        kill(signum)
    assert caught.value.exit_code == code
    assert handlers() == before
    assert not any(thread.name == "fastw2v-signals" for thread in threading.enumerate())


def test_handled__without_a_signal_changes_nothing():
    before = handlers(), len(list(Path("/proc/self/fd").iterdir()))
    with interrupts.handled():
        assert handlers() != before[0]
    assert (handlers(), len(list(Path("/proc/self/fd").iterdir()))) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_handled__does_nothing_in_another_thread():
    before = handlers()
    seen = []

    def work():
        with interrupts.handled():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def work_deferred(seen):
    with interrupts.deferred():
        kill(signal.SIGTERM)
        seen.append(interrupts.received())


def test_deferred__notes_the_signal_until_it_is_asked_for():
    seen = []
    with interrupts.handled():
        interrupts.set_outcome("half is kept")
        with pytest.raises(Interrupted, match="half is kept"):
            work_deferred(seen)
    assert seen == [signal.SIGTERM]
    assert interrupts.received() is None


def test_set_outcome__is_forgotten_by_the_next_command():
    interrupts.set_outcome("half is kept")  # as a Python program's run does, or the command before
    with pytest.raises(Interrupted, match="nothing was written"), interrupts.handled():
        kill(signal.SIGINT)


# The main thread sleeps in C with the signals blocked, as it would within LLVM.
STUCK = """
import signal, sys, time; from pathlib import Path; from fastw2v.system import files, interrupts
with interrupts.handled(), files.atomic_writer(Path(sys.argv[1])):
    interrupts.set_outcome("half is kept")
    {defer}
    signal.pthread_sigmask(signal.SIG_BLOCK, interrupts.SIGNALS)
    print(flush=True)
    time.sleep(60)
"""


def run_stuck(folder, defer, signums):
    """Exit code, stderr and seconds of a stuck process that gets these signals, half a second apart."""
    program = STUCK.format(defer=defer)
    command = [sys.executable, "-c", program, str(folder / "v.txt")]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, cwd=ROOT) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.2)  # until it sleeps
        started = time.monotonic()
        for signum in signums:
            process.send_signal(signum)
            time.sleep(0.1)
        _, err = process.communicate(timeout=20)
        return process.returncode, err, time.monotonic() - started


@pytest.mark.slow
def test_handled__a_stuck_main_thread_ends_within_two_seconds(tmp_path):
    code, err, seconds = run_stuck(tmp_path, "", [signal.SIGTERM])
    assert (code, err.strip()) == (143, "Error: interrupted: half is kept")
    assert 1 < seconds < 2
    assert list(tmp_path.iterdir()) == []


def test_handled__a_second_signal_ends_at_once_even_if_deferred(tmp_path):
    defer = "interrupts.deferred().__enter__()"
    code, err, seconds = run_stuck(tmp_path, defer, [signal.SIGINT, signal.SIGINT])
    assert (code, err.strip()) == (130, "Error: interrupted: half is kept")
    assert seconds < 1
    assert list(tmp_path.iterdir()) == []


def test_handled__further_hangups_are_no_second_signal(tmp_path):
    """The shell and the kernel each send one: the first is at work on its checkpoint."""
    defer = "interrupts.deferred().__enter__()"
    code, err, seconds = run_stuck(
        tmp_path, defer, [signal.SIGHUP, signal.SIGHUP, signal.SIGHUP, signal.SIGTERM]
    )
    assert (code, err.strip()) == (129, "Error: interrupted: half is kept")
    assert seconds > 0.3


def test_handled__an_ignored_hangup_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts.handled():
            kill(signal.SIGHUP)
            actual = interrupts.received()
        assert (actual, signal.getsignal(signal.SIGHUP)) == (None, signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGHUP, before)
