"""What a process does around training: forks, threads, environment, no home. No hang and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SECONDS = 60  # more is a hang
HEAD = """
import asyncio, atexit, concurrent.futures, multiprocessing, os, sys, threading, time
import fastw2v
rows = [[f"w{(i * 7 + j * j) % 40}" for j in range(20)] for i in range(200)]
OPTIONS = dict(dim=16, epochs=1, min_count=1, sample=0, threads=2, kernel="pair")
def train(source=rows):
    vectors = fastw2v.train(source, **OPTIONS)
    assert len(vectors.words) == 40
    assert len(vectors.nearest("w0", 3)) == 3
    return len(vectors.words)
def work(_=None):
    return train(rows) + train(sys.argv[1])
def forked(action):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
def together(n, action=work):
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        assert list(pool.map(action, range(n))) == [80] * n
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text column of 4,000 words, 40 different."""
    path = tmp_path_factory.mktemp("faults") / "c.parquet"
    rows = [" ".join(f"w{(i * 7 + j * j) % 40}" for j in range(20)) for i in range(200)]
    pq.write_table(pa.table({"text": rows}), path)
    return path


def run_python(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own; a hang is subprocess.TimeoutExpired."""
    command = [sys.executable, "-W", "ignore", "-c", HEAD + script, *arguments]
    own = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=own, timeout=SECONDS, check=False)


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "fastw2v", *arguments]
    own = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=own, timeout=SECONDS, check=False)


FORKS = {
    "os.fork": "work(); forked(work); work()",
    "child of a child": "work(); forked(lambda: forked(work))",
    "pool": """
work()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(work, [1, 2]) == [80, 80]
""",
    "executor": """
work()
context = multiprocessing.get_context("fork")
with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
    assert list(pool.map(work, [1, 2])) == [80, 80]
""",
    "while another thread trains": """
work()
is_over = threading.Event()
def on_and_on():
    while not is_over.is_set():
        work()
thread = threading.Thread(target=on_and_on)
thread.start()
for _ in range(3):
    forked(work)
is_over.set()
thread.join()
""",
    "from a thread while the main thread trains": """
work()
thread = threading.Thread(target=lambda: [forked(work) for _ in range(3)])
thread.start()
while thread.is_alive():
    work()
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("way", FORKS)
def test_fork__a_child_trains_reads_and_asks(corpus: Path, way: str) -> None:
    done = run_python(FORKS[way], str(corpus))
    assert (done.returncode, done.stderr) == (0, "")


THREADS = {
    "two": "together(2)",
    "four, twice": "together(4); together(4)",
    "not the main one": "t = threading.Thread(target=work); t.start(); t.join(); work()",
    "asyncio.to_thread": """
async def both():
    assert await asyncio.gather(asyncio.to_thread(work), asyncio.to_thread(work)) == [80, 80]
asyncio.run(both())
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("way", THREADS)
def test_threads__train_at_once(corpus: Path, way: str) -> None:
    """Each as the first that the process does, so that nothing is imported or loaded before."""
    done = run_python(THREADS[way], str(corpus))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_threads__train_at_once_on_any_layer(corpus: Path, layer: str) -> None:
    """All of them in one process: Numba's own threads, of which a layer is, train nothing."""
    done = run_python("\n".join(THREADS.values()), str(corpus), NUMBA_THREADING_LAYER=layer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "work()"])
def test_train__at_exit_says_so_in_one_line(corpus: Path, before: str) -> None:
    """Python starts no threads any more while it ends, and may refuse to import what would."""
    script = """
@atexit.register
def last():
    try:
        train()
    except Exception as error:
        print(type(error).__name__, error)
"""
    done = run_python(before + script, str(corpus))
    assert done.stdout.startswith("UsageError Python is ending")
    assert (done.returncode, done.stderr) == (0, "")


COMMANDS = {
    "help": ("--help",),
    "doctor": ("doctor",),
    "vocab": ("vocab", "CORPUS", "--min-count", "1", "-o", "OUT.tsv"),
    "train": (
        "train",
        "CORPUS",
        "-o",
        "OUT.w2v",
        "--min-count",
        "1",
        "--dim",
        "16",
        "--epochs",
        "1",
        "--threads",
        "2",
        "--kernel",
        "pair",
    ),
}
SETTINGS = [
    ("NUMBA_NUM_THREADS", "0"),
    ("NUMBA_NUM_THREADS", "abc"),
    ("NUMBA_NUM_THREADS", "1"),
    ("NUMBA_CPU_NAME", "no-such-processor"),
    ("NUMBA_CPU_FEATURES", "nonsense"),
    ("NUMBA_CPU_FEATURES", "+no-such-feature"),
    ("NUMBA_DISABLE_JIT", "1"),
    ("NUMBA_CAPTURED_ERRORS", "nonsense"),
    ("NUMBA_CACHE_DIR", "/proc/none"),
    ("NUMBA_CACHE_DIR", "/etc/hostname"),
    ("HOME", "/proc/none"),
    ("XDG_CACHE_HOME", "relative"),
    ("XDG_CACHE_HOME", "/proc/none"),
]


# Numba is told, and refuses or compiles for another processor: what `train` then ends with, `vocab` may do.
OF_COMPILER = {"NUMBA_NUM_THREADS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "command"),
    [
        (name, value, command)
        for name, value in SETTINGS
        for command in COMMANDS
        if command != "vocab" or name in OF_COMPILER  # where `train` reads as it does, and then trains
    ],
)
def test_environment__works_or_ends_in_one_line(
    corpus: Path, tmp_path: Path, command: str, name: str, value: str
) -> None:
    names = {"CORPUS": str(corpus), "OUT.tsv": str(tmp_path / "o.tsv"), "OUT.w2v": str(tmp_path / "o.txt")}
    done = run_command(*(names.get(word, word) for word in COMMANDS[command]), **{name: value})
    assert done.returncode in (0, 2, 5), done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert [line for line in done.stderr.splitlines() if line.startswith("Error: ")] != []
