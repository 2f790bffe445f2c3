"""The harness: tables from results, peers and judges that are there or not, and a small run of everything."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from llvmlite import binding

import bench.__main__ as command
from bench import (
    distributed,
    ingest,
    judges,
    narrow,
    peak,
    phases,
    reached,
    report,
    scaling,
    sharing,
    trainers,
)
from bench.rows import headline_of, label
from corpora.planted import Plan, generate
from fastw2v.kernels.tiles import registers

ROOT = Path(__file__).parent.parent
COMMON = {
    "run": "one",
    "corpus": "text",
    "n_words": 1000,
    "min_count": 5,
    "threads": 2,
    "dim": 300,
    "window": 5,
    "negatives": 10,
    "sample": 1e-3,
    "lr": 0.025,
    "block_size": 32,
    "shared_negatives": 32,
    "precision": "float32",
    "window_weights": "exact",
    "cpu": "a CPU",
    "cores": 2,
    "python": "3",
    "numba": "0",
    "numpy": "2",
    "commit": "c0ffee",
}


def trained(trainer, seed, seconds, *, scores=None, bench="throughput", epochs=1, **changes):
    return {
        **COMMON,
        "bench": bench,
        "trainer": trainer,
        "seed": seed,
        "epochs": epochs,
        "words": 1000 * epochs,
        "seconds": seconds,
        "scores": scores or {},
        **changes,
    }


def cells(text, first):
    """The cells of the line whose first cell is `first`."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_throughput__forms_ratios_within_a_round_and_takes_their_median():
    rows = [
        *(trained("fastw2v block", seed, seconds) for seed, seconds in ((1, 1.0), (2, 2.0), (3, 1.0))),
        *(trained("slow", seed, seconds) for seed, seconds in ((1, 10.0), (2, 40.0), (3, 30.0))),
        trained("NumPy reference, pair", 1, 100.0),
    ]
    text = report.throughput(rows)
    assert cells(text, "slow")[1:3] == ["33", "20.0 x (10.0 to 30.0)"]
    assert cells(text, "NumPy reference, pair")[2] == "100.0 x (50.0 to 100.0)"
    assert text.index("fastw2v block") < text.index("slow") < text.index("NumPy")


def test_tables__are_of_one_machine_each():
    """Two processors may have one name; the instructions of results that do not tell are AVX-512."""
    rows = [
        trained("fastw2v block", 1, 1.0),
        trained("slow", 1, 10.0),
        trained("fastw2v block", 1, 4.0, run="two", instructions="AVX2"),
        trained("slow", 1, 8.0, run="two", instructions="AVX2"),
    ]
    text = report.throughput(rows)
    assert "| slow | 100 | 10.0 x |" in text
    assert "| slow | 125 | 2.0 x |" in text
    assert text.index("a CPU (AVX-512), 2 cores") < text.index("a CPU (AVX2), 2 cores")


def test_throughput__uses_the_last_command_only():
    rows = [
        trained("fastw2v block", 1, 1.0),
        trained("slow", 1, 10.0),
        trained("fastw2v block", 1, 4.0, run="two"),
        trained("slow", 1, 8.0, run="two"),
        trained("slow", 1, 7.0, run="elsewhere", dim=100),
    ]
    assert "| slow | 125 | 2.0 x |" in report.throughput(rows)


def test_label__names_windows_that_were_drawn_and_results_of_before_the_choice():
    drawn, older = {**COMMON, "window_weights": "drawn"}, dict(COMMON)
    del older["window_weights"]
    for trainer in ("fastw2v block", "fastw2v pair"):
        told = [label({**row, "trainer": trainer}) for row in (COMMON, drawn, older)]
        assert told == [trainer, f"{trainer}, drawn windows", f"{trainer}, drawn windows"]
    assert label({**older, "trainer": "gensim"}) == "gensim"


def test_quality__means_over_seeds_and_names_other_blocks():
    rows = [
        trained("fastw2v block", 1, 1.0, bench="quality", epochs=5, scores={"MEN": 0.5, "analogy %": 30.0}),
        trained("fastw2v block", 2, 1.0, bench="quality", epochs=5, scores={"MEN": 0.6, "analogy %": 32.0}),
        trained(
            "fastw2v block",
            1,
            1.0,
            bench="quality",
            epochs=5,
            shared_negatives=16,
            scores={"MEN": 0.25, "analogy %": 20.0},
        ),
    ]
    text = report.quality(rows)
    assert cells(text, "fastw2v block") == ["fastw2v block", "2", "0.550 ± 0.071", "31.0 ± 1.4"]
    assert cells(text, "fastw2v block, T=32 S=16")[1:] == ["1", "0.250", "20.0"]


def tried(trainer, lr, epochs, seconds, men, analogy, **changes):
    scores = {"MEN": men, "analogy %": analogy}
    more = {"bench": "time-to-quality", "lr": lr, "epochs": epochs, "scores": scores, "targets": {}}
    return trained(trainer, 1, seconds, **more | changes)


TRIED = [
    tried("slow", 0.025, 5, 500.0, 0.50, 20.0),
    tried("slow", 0.05, 5, 510.0, 0.60, 30.0),  # the best peer: .570 and 28.5 are wanted
    tried("slow", 0.05, 1, 100.0, 0.40, 15.0),
    tried("slower", 0.05, 5, 900.0, 0.55, 30.0),
    tried("fastw2v block", 0.05, 5, 50.0, 0.61, 31.0),
    tried("fastw2v block", 0.1, 3, 30.0, 0.58, 29.0),
    tried("fastw2v block", 0.025, 3, 20.0, 0.60, 28.0),
    tried("fastw2v block", 0.025, 5, 55.0, 0.60, 29.0),
]


def test_time_to_quality__is_of_the_fastest_run_that_reaches_all_scores():
    text = reached.time_to_quality(TRIED)
    assert "To MEN 0.570, analogy % 28.5 (95% of slow after 5 epochs at lr 0.05):" in text
    assert cells(text, "fastw2v block") == ["fastw2v block", "30.0", "", "0.1", "3", "0.580", "29.0"]
    assert cells(text, "slow")[1:5] == ["510.0", "17.0 x", "0.05", "5"]
    assert cells(text, "slower")[1] == "not reached"
    assert "lr 0.025, 0.05, 0.1 and 1, 3, 5 epochs tried" in text
    given = [row | {"targets": {"MEN": 0.6}} for row in TRIED]
    assert cells(reached.time_to_quality(given), "fastw2v block")[1:5] == ["20.0", "", "0.025", "3"]
    assert "To MEN 0.600 (as given)" in reached.time_to_quality(given)


def test_front__drops_what_a_faster_run_equals():
    own = [row for row in TRIED if row["trainer"] == "fastw2v block"]
    assert [row["seconds"] for row in reached.front(own)] == [20.0, 50.0]
    assert reached.mean_score(own[0]) == pytest.approx((0.61 + 0.31) / 2)


def test_time_to_quality__leaves_out_judges_without_a_word():
    rows = [{**row, "scores": {**row["scores"], "none": float("nan")}} for row in TRIED]
    assert reached.time_to_quality(rows) == reached.time_to_quality(TRIED)
    assert reached.time_to_quality([{**row, "scores": {"none": float("nan")}} for row in TRIED]) == ""


def test_time_to_quality__uses_the_last_command_and_ours_where_there_is_no_peer():
    ours = [row | {"run": "two"} for row in TRIED if row["trainer"] == "fastw2v block"]
    text = reached.time_to_quality([*TRIED, *ours])
    assert "95% of fastw2v block after 5 epochs at lr 0.05" in text
    assert "slow" not in text


def test_main__time_to_quality_tries_every_setting_and_draws(tmp_path, monkeypatch):
    """With a peer that writes four vectors at once, and scores to reach that are given."""
    generate(Plan(tokens=20_000, words=300, relations=2, pairs=8), tmp_path)
    peer = tmp_path / "peer"
    peer.touch()
    told = []

    def trainer(material, config, folder):
        told.append((config.lr, config.epochs))
        path = folder / "v.txt"
        path.write_text(f"3 2\nw00000 1 0\nw00001 1 {config.lr}\nw00002 0 1\n")
        return trainers.Run(config.epochs / 10, 0.0, path)

    monkeypatch.setattr("bench.options.trainers.ours", lambda **changes: trainer)
    monkeypatch.setattr("bench.options.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("bench.options.trainers.word2vec_like", lambda path: trainer)
    judges_folder = tmp_path / "sets"
    judges_folder.mkdir()
    (judges_folder / "men3000.txt").write_text("w00000 w00001 3\nw00000 w00002 1\nw00001 w00002 2\n")
    results, drawn = tmp_path / "r.jsonl", tmp_path / "figures"
    arguments = ["time-to-quality", "--corpus", tmp_path / "planted.parquet", "--eval", judges_folder]
    arguments += ["--pword2vec", peer, "--try-lr", 0.1, "--try-lr", 0.2, "--try-epochs", 1, "--try-epochs", 3]
    arguments += ["--json", results, "--figures", drawn]
    result = CliRunner().invoke(command.main, [*map(str, arguments), "--target", "MEN=0.9"])
    assert result.exit_code == 0, result.output
    assert told == [(lr, epochs) for lr in (0.1, 0.2) for epochs in (1, 3) for _ in range(2)]
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert {(row["trainer"], row["lr"], row["epochs"]) for row in rows} == {
        (name, *pair) for name in ("fastw2v block", "pWord2Vec") for pair in told
    }
    assert cells(result.output, "pWord2Vec")[1:5] == ["0.1", "1.0 x", "0.1", "1"]
    assert [path.name for path in drawn.iterdir()] == ["time-to-quality.png"]
    result = CliRunner().invoke(command.main, [*map(str, arguments), "--target", "MAN=0.9"])
    assert (result.exit_code, "--target 'MAN' is none of 'MEN'" in result.output) == (2, True)
    result = CliRunner().invoke(command.main, [*map(str, arguments), "--target", "0.9"])
    assert "'0.9' is no JUDGE=SCORE, such as MEN=0.55" in result.output


def test_headline__joins_speeds_and_scores_of_the_newest_measurement_that_has_scores():
    scores = {"MEN": 0.5}
    rows = [
        *(trained("fastw2v block", seed, 1.0) for seed in (1, 2)),
        *(trained("slow", seed, 10.0 * seed) for seed in (1, 2)),
        trained("fastw2v block", 1, 1.0, run="two", corpus="other", n_words=10),
        trained("slow", 1, 5.0, run="two", corpus="other", n_words=10),
        trained("slow", 1, 9.0, bench="quality", epochs=5, scores=scores),
        trained("slow", 1, 9.0, bench="quality", epochs=1, scores={"MEN": 0.1}),
    ]
    rows.append(trained("fastw2v block", 1, 1.0, scores={"MEN": 0.99}, bench="quality", epochs=9, lr=0.1))
    found = headline_of(rows)
    assert found is not None
    assert found.speeds["slow"] == {1: 100.0, 2: 50.0}
    assert (found.epochs, [row["scores"] for row in found.scored["slow"]]) == (5, [scores])
    assert {row["corpus"] for row in found.rows} == {"text"}
    without = [row for row in rows if row["bench"] == "throughput"]
    assert headline_of(without).rows[0]["corpus"] == "other"
    assert headline_of([]) is None


def test_throughput__a_ratio_is_of_the_last_command_that_ran_both():
    """A trainer that the newest command left out keeps its ratio: no two commands are compared."""
    rows = [
        trained("fastw2v block", 1, 1.0, run="old"),
        trained("slow", 1, 10.0, run="old"),
        trained("slower", 1, 30.0, run="old"),
        trained("fastw2v block", 1, 2.0, run="new"),
        trained("slow", 1, 8.0, run="new"),
    ]
    text = report.throughput(rows)
    assert cells(text, "slow")[2] == "4.0 x"
    assert cells(text, "slower")[2] == "30.0 x"
    assert cells(text, "fastw2v block")[1] == cells(report.throughput(rows[3:]), "fastw2v block")[1]


def test_model__follows_the_formulas_of_the_docs():
    """Rows of docs/several-machines.md; efficiency falls with ranks and a slower network, never to 0."""
    model = distributed.Model(100_000, 300, 262_144, 1e6, 2.4e9, 0.0005, 1.25e9)
    assert model.rows() == 13_365
    assert model._replace(n_words=1_000_000).rows() == 20_290.25
    assert model._replace(n_words=300).rows() == 300
    assert model.efficiency(1) == 1
    assert 1 > model.efficiency(2) > model.efficiency(8) > model.efficiency(64) > 0.5
    slow = model._replace(bandwidth=0.125e9)
    assert 0 < slow.efficiency(2) < model.efficiency(2)
    payload = 2 * 13_365 * 300 * 4
    sync = payload / 0.125e9 + payload / 2.4e9 + 0.0005
    assert 0.262144 / (0.262144 * 1.04 + sync) < slow.efficiency(2) < 0.262144 / (0.262144 + sync)


def test_kernels__rates_are_of_useful_work():
    phase = {
        **COMMON,
        "bench": "kernels",
        "operands": "float32",
        "row_bytes": 0.0,
        "peak_gflops": 100.0,
        "copy_gigabytes": 10.0,
    }
    rows = [
        {**phase, "phase": "noise scores", "nanoseconds": 100.0, "flops": 8000.0, "dense": True},
        {
            **phase,
            "phase": "gather rows",
            "nanoseconds": 100.0,
            "flops": 0.0,
            "dense": False,
            "row_bytes": 400.0,
        },
    ]
    text = report.kernels(rows)
    assert "| noise scores | 100 | 50% | 80 | 80% |" in text
    assert "| **all** | 200 | 100% | 40 | 40% |" in text
    assert "written back: 4.0 GB/s" in text
    narrow = [{**row, "vector_bits": 256, "run": "another", "nanoseconds": 200.0} for row in rows]
    assert report.kernels(rows + narrow) == f"{text}\n\n{report.kernels(narrow)}"
    assert "in registers of 256 bits" in report.kernels(narrow)


def test_without_avx512__begins_the_process_anew_once(monkeypatch: pytest.MonkeyPatch):
    begun: list[list[str]] = []
    monkeypatch.setattr(narrow.os, "execv", lambda program, command: begun.append(command))
    monkeypatch.setattr(narrow.sys, "argv", ["bench", "kernels", "--without-avx512"])
    monkeypatch.setenv(narrow.FEATURES, "")  # or what is set here would stay
    monkeypatch.delenv(narrow.FEATURES)
    for _ in range(2):  # the second as in the process that begun anew
        narrow.go_on_without_avx512()
    assert [command[1:] for command in begun] == [["-m", "bench", "kernels", "--without-avx512"]]
    features = dict(binding.get_host_cpu_features())
    told = registers.features(None, os.environ[narrow.FEATURES])
    assert told == {name: has and not name.startswith("avx512") for name, has in features.items()}


def test_ingest__is_one_table_of_speeds_shares_and_memory():
    row = {**COMMON, "bench": "ingest"}
    reads = [("ours", 1, 1.0), ("slow", 1, 10.0), ("ours", 2, 2.0), ("slow", 2, 40.0)]
    rows = [{**row, "reader": n, "seed": seed, "words": 1000, "seconds": s} for n, seed, s in reads]
    rows.append({**row, "epochs": 5, "wall_seconds": 20.0, "training_seconds": 17.0})
    rows.append({**row, "row_group_bytes": 4e8, "peak_bytes": 7e7})
    text = report.ingest(rows)
    assert "ours, is faster by" in text
    assert cells(text, "ours, words/s")[1:] == ["750", ""]
    assert cells(text, "slow, words/s")[1:] == ["62", "15.0 x (10.0 to 20.0)"]
    assert cells(text, "everything but training, 5 epochs")[1] == "15.0% of the run"
    assert cells(text, "peak memory, one row group of 400 MB")[1] == "70 MB"


def test_marked__fills_named_tables_and_nothing_else():
    rows = [trained("fastw2v block", 1, 1.0), trained("slow", 1, 10.0)]
    page = "before\n<!-- generated: throughput -->\nold\n<!-- end -->\nafter\n"
    once = report.marked(page, rows)
    assert once.startswith("before\n")
    assert once.endswith("<!-- end -->\nafter\n")
    assert "old" not in once
    assert "| slow | 100 | 10.0 x |" in once
    assert report.marked(once, rows) == once
    with pytest.raises(click.UsageError, match="no '<!-- end -->'"):
        report.marked("<!-- generated: throughput -->\nold", rows)
    with pytest.raises(click.UsageError, match="no table is called 'speed'"):
        report.marked("<!-- generated: speed -->\n<!-- end -->", rows)


PAGES = ("README.md", "bench/README.md", "docs/going-on.md", "docs/graphs.md", "docs/stability.md")


@pytest.mark.parametrize("page", PAGES)
def test_pages__hold_the_tables_made_of_the_committed_results(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = command.read_records(ROOT / "bench" / "results.jsonl")
    assert "<!-- generated:" in text
    assert report.marked(text, rows) == text


def test_read_records__names_the_broken_line(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"bench": "quality"}\nnonsense\n')
    with pytest.raises(click.BadParameter, match="line 2 is no JSON object"):
        command.read_records(path)


def test_find_judges__takes_the_corpus_own_files_then_a_folder_eval(tmp_path):
    corpus = tmp_path / "corpora" / "text.parquet"
    corpus.parent.mkdir()
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "men3000.txt").write_text("a b 1\nc d 2\n")
    (tmp_path / "eval" / "questions-words.txt").write_text(": section\na b c d\n")
    found = judges.find_judges(corpus, None)
    assert list(found.similarity) == ["MEN"]
    assert list(found.analogy) == ["analogy %"]
    (corpus.parent / "text.similarity.txt").write_text("a b 1\n")
    assert list(judges.find_judges(corpus, None).similarity) == ["similarity"]
    assert list(judges.find_judges(corpus, tmp_path / "eval").similarity) == ["MEN"]


def test_report__needs_a_file_of_results():
    result = CliRunner().invoke(command.main, ["report"])
    assert result.exit_code == 2
    assert "give --json FILE" in result.output


def test_watched__times_a_program_from_its_vocabulary_to_its_last_progress(tmp_path):
    program = tmp_path / "slow"
    program.write_text(
        "#!/bin/sh\necho Words in train file: 1\nsleep 0.3\nprintf 'Progress: 100%%'\nsleep 0.3\n"
    )
    program.chmod(0o755)
    assert 0.25 < trainers.watched([str(program)], "Words in", "Progress") < 0.55
    program.write_text("#!/bin/sh\necho broken\nexit 3\n")
    with pytest.raises(RuntimeError, match=re.escape("ended with 3: broken")):
        trainers.watched([str(program)], "Words in", "Progress")


def test_simulate__tells_own_rows_from_shared_ones():
    warm, steps = 20, 24
    private = [[np.array([worker]) for _ in range(steps)] for worker in range(3)]
    found = sharing.simulate(private, 2, warm)
    assert found.shares.tolist() == [1, 0, 0, 0, 0]
    assert found.hottest == 1
    hot = [[np.array([7]) for _ in range(steps)] for _ in range(4)]
    found = sharing.simulate(hot, 2, warm)  # 0 and 1 are one domain, 2 and 3 another
    assert found.shares.tolist() == [0, 0.5, 0.5, 0, 0]
    assert found.hottest == 4
    assert found.passed == (2, 2)
    copied = [[sharing.with_copies(rows, n // 2, 8, 100) for rows in hot[n]] for n in range(4)]
    assert sharing.simulate(copied, 2, warm).shares.tolist() == [0, 1, 0, 0, 0]
    fresh = [[np.array([1000 * worker + step]) for step in range(steps)] for worker in range(3)]
    assert sharing.simulate(fresh, 2, warm).shares.tolist() == [0, 0, 0, 0, 1]
    seldom = [[np.array([step % 10]) for step in range(steps)]]
    assert sharing.simulate(seldom, 2, warm).shares.tolist() == [0, 0, 0, 1, 0]


def test_word_ns__counts_where_rows_are_and_what_the_hottest_takes():
    costs = sharing.Costs(word=1000, near=200, far=900, memory=100)
    found = sharing.Found(np.array([0.5, 0.2, 0.1, 0.1, 0.1]), 2.0, 3.0, (2.0, 1.0))
    assert sharing.word_ns(found, costs, merging=5) == pytest.approx(1000 + 5 + 80 + 180 + 20)
    assert sharing.round_ns(found, costs) == 2 * 200 + 900


# What is measured together, and the figures that this makes: three tests, which workers can share.
TOGETHER = {
    ("throughput", "quality", "time-to-quality", "scaling"): {
        "scaling.png",
        "speed-and-quality.png",
        "time-to-quality.png",
    },
    ("models", "kernels", "sharing", "ingest"): set(),
    ("continue", "stability", "distributed"): set(),
}


@pytest.mark.slow
@pytest.mark.timeout(900)  # it compiles kernels anew
@pytest.mark.parametrize(("measures", "figures"), TOGETHER.items(), ids=lambda item: " ".join(sorted(item)))
def test_main__runs_measures_on_a_small_corpus(measures, figures, tmp_path, monkeypatch):
    generate(Plan(tokens=60_000, words=400, relations=2, pairs=8), tmp_path)
    monkeypatch.setattr(scaling, "TOKENS", 20_000)
    monkeypatch.setattr(scaling, "VOCABULARIES", (100, 1_000))
    monkeypatch.setattr(scaling, "DIMS", (8, 16))
    monkeypatch.setattr(ingest, "ROW_GROUP_BYTES", 1_000_000)
    monkeypatch.setattr(ingest, "RUN_OPTIONS", ("--dim", "16"))
    monkeypatch.setattr(phases, "UNITS", 4)
    monkeypatch.setattr(peak, "COLUMN_BYTES", 1 << 20)
    monkeypatch.setattr(sharing, "LAST_LEVEL", 600)
    monkeypatch.setattr(sharing, "WORKERS", (1, 16))
    results, drawn = tmp_path / "results.jsonl", tmp_path / "figures"
    arguments = [*measures, "--corpus", tmp_path / "planted.parquet", "--dim", 16, "--epochs", 2]
    arguments += ["--try-lr", 0.05, "--try-epochs", 1, "--rounds", 1, "--seeds", 2]
    arguments += ["--json", results, "--figures", drawn]
    result = CliRunner().invoke(command.main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    if "throughput" in measures:
        assert "word2vec: not measured, give --word2vec PATH" in result.output
    for measure in measures:
        assert f"## {measure.capitalize()}" in result.output
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert {row["bench"] for row in rows} == set(measures)
    of_kernels = [row for row in rows if row["bench"] == "kernels"]
    assert min([row["peak_gflops"] for row in of_kernels], default=2) > 1
    assert all(row["nanoseconds"] > 0 for row in of_kernels)
    assert {path.name for path in drawn.glob("*")} == figures


def test_main__is_tried_with_every_measure():
    assert sorted(measure for measures in TOGETHER for measure in measures) == sorted(command.MEASURES)
