"""The commands as a user runs them: real files in, files, exit codes and one-line errors out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v import cli
from fastw2v.commands.options import default_output
from fastw2v.vectors import formats

FAST = ["--dim", "8", "--epochs", "1", "--threads", "1", "--min-count", "1"]


@pytest.fixture
def corpus(tmp_path):
    """A small Parquet file of two topics."""
    rng = np.random.default_rng(0)
    rows = [" ".join(f"w{word + 10 * (row % 2)}" for word in rng.integers(0, 10, 30)) for row in range(60)]
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table({"text": rows}), path)
    return path


def run(capfd, *arguments):
    """Exit code, stdout, stderr of a command run in this process."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


def test_train__writes_vectors_and_a_summary(corpus, tmp_path, capfd):
    output = tmp_path / "v.txt"
    code, out, err = run(capfd, "train", corpus, "-o", output, *FAST)
    assert (code, out) == (0, "")
    embeddings = formats.load(output)
    assert sorted(embeddings.words) == sorted(f"w{i}" for i in range(20))
    assert embeddings.dim == 8
    assert "read 1,800 words in 60 rows" in err
    assert f"wrote 20 vectors of dim 8 to {output}" in err
    assert err.splitlines()[-1].startswith("trained 1,800 words in ")
    assert err.splitlines()[-1].endswith(" words/s")


def test_train__names_its_output_after_the_corpus(corpus, tmp_path, capfd, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run(capfd, "train", corpus, *FAST)[0] == 0
    expected = ["corpus.vectors.config.toml", "corpus.vectors.txt"]
    assert sorted(path.name for path in elsewhere.iterdir()) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a/corpus.parquet", "corpus.vectors.txt"),
        ("shards/", "shards.vectors.txt"),
        ("lines.txt", "lines.vectors.txt"),
        ("lines.txt.zst", "lines.vectors.txt"),
        ("logs-*.parquet", "logs.vectors.txt"),
        ("*.parquet", "corpus.vectors.txt"),
        ("s3://bucket/logs-*.parquet?region=eu", "logs.vectors.txt"),
    ],
)
def test_default_output__comes_from_the_source(source, expected):
    assert default_output([source]) == expected


def test_train__quiet_says_nothing(corpus, tmp_path, capfd):
    assert run(capfd, "train", corpus, "-q", "-o", tmp_path / "v.txt", *FAST) == (0, "", "")


def test_train__vocabulary_is_saved_and_read_back(corpus, tmp_path, capfd):
    vocabulary, outside = tmp_path / "vocab.txt", tmp_path / "outside.bin"
    extra = ["--save-vocab", vocabulary, "--save-outside", outside]
    assert run(capfd, "train", corpus, "-o", tmp_path / "a.txt", *FAST, *extra)[0] == 0
    assert len(vocabulary.read_text().splitlines()) == 20
    assert len(formats.load(outside)) == 20
    arguments = ["train", corpus, "-o", tmp_path / "b.txt", *FAST, "--read-vocab", vocabulary]
    assert run(capfd, *arguments)[0] == 0
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()


def test_train__reference_backend_with_softmax(corpus, tmp_path, capfd):
    extra = ["--backend", "reference", "--loss", "softmax", "--window", "1"]
    code, _, err = run(capfd, "train", corpus, "-o", tmp_path / "v.txt", *FAST, *extra)
    assert code == 0
    assert len(formats.load(tmp_path / "v.txt")) == 20
    assert "softmax about 0:01 an epoch: 20 words x 8 x 3" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--dim", "0"], 2, "Error: --dim is 0: it must be from 1"),
        (["-k", "0"], 2, "Error: --negatives is 0: it must be from 1"),
        (["--lr", "nan"], 2, "lr is nan"),
        (["--min-lr", "1"], 2, "Error: --min-lr is 1.0: it must be from 0 to --lr (auto, 0.025 or more)"),
        (
            ["--loss", "softmax", "--kernel", "pair"],
            2,
            "loss softmax goes pair by pair on the reference only: leave out --kernel pair",
        ),
        (["--min-count", "1000"], 2, "min"),
        (["--max-vocab", "1"], 2, "2"),
        (["--column", "nothing"], 2, "nothing"),
        (["--no-such-option"], 2, "train --help'"),
        (["-o", "/no/such/folder/v.txt"], 5, "/no/such/folder"),
        (["-o", "."], 5, "folder"),
        (["--read-vocab", "/no/such/vocab"], 3, "/no/such/vocab"),
        (["--save-vocab", "same", "-o", "same"], 2, "same name"),
    ],
)
def test_train__bad_options_are_one_line_and_a_code(
    corpus, capfd, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    actual, out, err = run(capfd, "train", corpus, *FAST, *arguments)
    last = err.splitlines()[-1]
    assert (actual, out) == (code, "")
    assert last.startswith("Error: ")
    assert message in last
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before


def test_train__corrupt_files_are_exit_3(corpus, tmp_path, capfd):
    data = corpus.read_bytes()
    broken = tmp_path / "broken.parquet"
    for content in (b"", b"not parquet at all", data[: len(data) // 2], data[:-8]):
        broken.write_bytes(content)
        code, _, err = run(capfd, "train", broken, "-o", tmp_path / "v.txt", *FAST)
        assert code == 3
        assert "broken.parquet" in err.splitlines()[-1]
    code, _, err = run(capfd, "train", tmp_path / "missing.parquet", *FAST)
    assert code == 3
    assert "missing.parquet" in err
    assert not (tmp_path / "v.txt").exists()


def test_train__divergence_is_exit_4_and_writes_nothing(corpus, tmp_path, capfd):
    output = tmp_path / "v.txt"
    code, _, err = run(capfd, "train", corpus, "-o", output, *FAST, "--lr", "1e6", "--kernel", "pair")
    assert code == 4
    assert "lower --lr" in err.splitlines()[-1]
    assert not output.exists()


def test_train__tokens_with_spaces_are_refused_before_training_or_escaped(tmp_path, capfd):
    path, output = tmp_path / "items.parquet", tmp_path / "v.txt"
    pq.write_table(pa.table({"tokens": [["new york", "paris"]] * 50}), path)
    code, _, err = run(capfd, "train", path, "-o", output, *FAST)
    assert code == 2
    assert "'new york'" in err
    assert "--escape" in err
    assert "compil" not in err
    assert run(capfd, "train", path, "-o", output, *FAST, "--escape", "--sample", "0")[0] == 0
    code, out, _ = run(capfd, "nearest", output, "new york", "--escape")
    assert code == 0
    assert out.startswith("new york\tparis\t")


def test_train__vectors_of_full_disk_are_exit_5(corpus, capfd):
    code, _, err = run(capfd, "train", corpus, "-o", "/dev/full", *FAST)
    assert code == 5
    assert "/dev/full" in err.splitlines()[-1]


def test_nearest__prints_tab_separated_lines_and_names_unknown_words(corpus, tmp_path, capfd):
    output = tmp_path / "v.txt"
    run(capfd, "train", corpus, "-o", output, *FAST)
    code, out, _ = run(capfd, "nearest", output, "w1", "w2", "-n", "3")
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["w1"] * 3 + ["w2"] * 3
    assert all(-1 <= float(row[2]) <= 1 for row in rows)
    code, out, err = run(capfd, "nearest", output, "w1", "nowhere")
    assert (code, out) == (2, "")
    assert "nowhere" in err


def test_export__round_trips_through_every_format(corpus, tmp_path, capfd):
    first = tmp_path / "v.txt"
    run(capfd, "train", corpus, "-o", first, *FAST)
    for source, target in (("v.txt", "v.bin"), ("v.bin", "v.npy"), ("v.npy", "w.txt")):
        assert run(capfd, "export", tmp_path / source, tmp_path / target)[0] == 0
    assert first.read_bytes() == (tmp_path / "w.txt").read_bytes()


def test_vocab__adds_vocabularies_up_and_chooses_from_them(tmp_path, capfd):
    (tmp_path / "a").write_text("the 5\nThe 2\ncat 1\n")
    (tmp_path / "b").write_text("cat 3\ndog 1\nof 4\n")
    (tmp_path / "stop").write_text("OF\n")
    both = ["--read-vocab", tmp_path / "a", "--read-vocab", tmp_path / "b"]
    assert run(capfd, "vocab", *both, "-q", "-o", tmp_path / "c")[0] == 0
    assert (tmp_path / "c").read_text() == "the 5\ncat 4\nof 4\nThe 2\ndog 1\n"
    options = ["--lowercase", "--stop-list", tmp_path / "stop", "--min-count", "2"]
    code, out, _ = run(capfd, "vocab", *both, "-o", tmp_path / "c", *options)
    assert (code, out.splitlines()[0]) == (0, "16 tokens, 2 words")
    assert (tmp_path / "c").read_text() == "the 7\ncat 4\n"


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("SVG", b"<?xml"), ("pdf", b"%PDF")])
def test_vocab__draws_a_picture(corpus, tmp_path, capfd, suffix, start):
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"zipf.{suffix}"
    assert run(capfd, "vocab", corpus, "-q", "--picture", picture) == (0, "", "")
    assert picture.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("picture", "code", "message"),
    [("zipf.gif", 2, "no picture is named '.gif'"), ("missing/zipf.png", 5, "there is no folder")],
)
def test_vocab__refuses_a_picture_before_it_counts(corpus, tmp_path, capfd, picture, code, message):
    actual, out, err = run(capfd, "vocab", corpus, "--picture", tmp_path / picture)
    assert (actual, out, len(err.splitlines())) == (code, "", 1)
    assert message in err


def test_vocab__says_that_matplotlib_is_missing(corpus, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run(capfd, "vocab", corpus, "--picture", tmp_path / "zipf.png")
    assert (code, "pip install 'fastw2v[picture]'" in err) == (2, True)


def test_train__vocabulary_options_reach_the_corpus(corpus, tmp_path, capfd):
    (tmp_path / "a").write_text("w1 5\nw2 2\nw11 0\n")
    (tmp_path / "b").write_text("w1 3\nw3 1\nw4 9\n")
    (tmp_path / "keep").write_text("W1\nw2\nw3\n")
    both = ["--read-vocab", tmp_path / "a", "--read-vocab", tmp_path / "b"]
    options = [*both, "--keep-list", tmp_path / "keep", "--lowercase", "--save-vocab", tmp_path / "c"]
    assert run(capfd, "train", corpus, "-o", tmp_path / "v.txt", *FAST, *options)[0] == 0
    assert (tmp_path / "c").read_text() == "w1 8\nw2 2\nw3 1\n"
    code, _, err = run(capfd, "train", corpus, *FAST, *both, "--ids", "places")
    assert (code, err) == (2, "Error: --ids places needs one --read-vocab, not 2: merge them first\n")
    code, _, err = run(capfd, "train", corpus, *FAST, "--stop-list", tmp_path / "none")
    assert (code, "none: cannot be read" in err) == (3, True)


def test_train__a_table_of_items_trains_to_the_vectors_of_its_lists(tmp_path, capfd):
    rng = np.random.default_rng(0)
    lists = [[f"i{n}" for n in rng.integers(0, 20, size)] for size in rng.integers(1, 30, 50)]
    rows = [(i, k, item) for i, row in enumerate(lists) for k, item in enumerate(row)]
    starts = [row for row in rows if row[1] == 0]  # sessions come in the order in which they begin
    others = [row for row in rows if row[1] > 0]
    shuffled = starts + [others[i] for i in rng.permutation(len(others))]
    names = ("session", "time", "item")
    pq.write_table(
        pa.table(dict(zip(names, zip(*shuffled, strict=True), strict=True))), tmp_path / "long.parquet"
    )
    pq.write_table(pa.table({"tokens": lists}), tmp_path / "lists.parquet")
    keys = ["--group-by", "session", "--order-by", "time"]
    assert run(capfd, "train", tmp_path / "long.parquet", "-o", tmp_path / "a.txt", *keys, *FAST)[0] == 0
    assert run(capfd, "train", tmp_path / "lists.parquet", "-o", tmp_path / "b.txt", *FAST)[0] == 0
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()


@pytest.mark.slow
def test_main__interrupt_is_exit_130(corpus, tmp_path):
    """Ctrl-C in the middle of a long run ends it within two seconds and leaves no file."""
    output = tmp_path / "v.txt"
    command = [sys.executable, "-m", "fastw2v", "train", corpus, "-v", "-o", output, *FAST[2:]]
    command += ["--dim", "64", "--epochs", "1000000"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr
        while not process.stderr.readline().startswith("training"):
            pass
        process.send_signal(2)
        last = process.stderr.readlines()[-1]
        assert process.wait(timeout=10) == 130
    assert last.startswith("Error: interrupted")
    assert list(tmp_path.iterdir()) == [corpus]


def test_main__no_traceback_when_the_reader_goes_away(corpus, tmp_path, capfd):
    output = tmp_path / "v.txt"
    run(capfd, "train", corpus, "-o", output, *FAST)
    command = f"{sys.executable} -m fastw2v nearest {output} w1 w2 w3 | head -n 1"
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.startswith("w1\t")
    assert "Traceback" not in done.stderr


ENDING = """
import atexit, os, sys

if sys.argv[1]:
    atexit.register(print, sys.argv[1])
leave = os._exit
os._exit = lambda code: (os.write(1, b"at once"), leave(code))
import fastw2v.cli as cli

main, sys.argv = cli.main, ["fastw2v", "--version"]
cli.main = lambda: (atexit.register(print, "later"), main())
cli.run()
"""


@pytest.mark.parametrize(("before", "expected"), [("", "at once"), ("before", "before")])
def test_run__ends_at_once_when_all_is_done_that_was_registered(before, expected):
    """But where somebody did so before, whose turn comes last."""
    command = [sys.executable, "-c", ENDING, before]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["later", expected]


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["train", "--help"]])
def test_main__help_and_version_are_exit_0(capfd, arguments):
    code, out, err = run(capfd, *arguments)
    assert (code, err) == (0, "")
    assert out


def test_help__every_command_has_an_example(capfd):
    for name in cli.cli.commands:
        out = run(capfd, name, "--help")[1]
        assert "Examples:" in out
        assert f"fastw2v {name} " in out


def test_vocab__shows_coverage_plot_and_words_and_writes_the_file(corpus, tmp_path, capfd):
    output = tmp_path / "words.txt"
    code, out, err = run(capfd, "vocab", corpus, "-o", output, "-n", 3)
    assert code == 0
    assert "read 1,800 words in 60 rows" in err
    lines = out.splitlines()
    assert lines[0] == "1,800 tokens, 20 words"
    assert lines[3].split() == ["1", "20", "1,800", "100.00%"]
    assert "rank" in out
    frequent = [line.split("\t") for line in lines[-3:]]
    assert [f"{word} {count}" for word, count in frequent] == output.read_text().splitlines()[:3]
    again = run(capfd, "vocab", "--read-vocab", output, "-n", 3)
    assert again == (0, out, "")
    assert run(capfd, "vocab", corpus, "-q", "-o", output) == (0, "", "")


PAIRS = ["--phrases", "1", "--phrase-threshold", "0.000001", "--phrase-min-count", "1"]


@pytest.mark.parametrize("options", [PAIRS, ["--cache-dir", "kept"]], ids=lambda options: options[0])
def test_vocab__makes_ids_for_who_needs_them(corpus, tmp_path, monkeypatch, capfd, options):
    """Phrases are found in ids, and a cache keeps them; else words are only counted."""
    monkeypatch.chdir(tmp_path)
    assert run(capfd, "vocab", corpus, "-q", "-o", "words.txt")[0] == 0
    plain = (tmp_path / "words.txt").read_text()
    for _ in range(2):
        assert run(capfd, "vocab", corpus, "-q", "-o", "words.txt", *options)[0] == 0
        assert ((tmp_path / "words.txt").read_text() == plain) == (options[0] == "--cache-dir")
    assert any((tmp_path / "kept").rglob("*")) == (options[0] == "--cache-dir")


def test_vocab__wants_one_thing_to_look_at(corpus, tmp_path, capfd):
    for arguments in ([], [corpus, "--read-vocab", corpus]):
        code, _, err = run(capfd, "vocab", *arguments)
        assert code == 2
        assert "give either a SOURCE to count or --read-vocab FILE" in err


def test_train__dry_run_estimates_and_writes_nothing(corpus, tmp_path, capfd):
    output = tmp_path / "v.bin"
    arguments = ["-o", output, "--save-vocab", tmp_path / "words.txt", "--dry-run", *FAST]
    code, out, _ = run(capfd, "train", corpus, *arguments)
    assert code == 0
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["vocabulary"] == "20 words"
    assert lines["tokens"] == "1,800 in it of 1,800 read; 1 epoch"
    assert lines["matrices"].startswith("0.0 MB of memory: 2 x 20 x 8 float32")
    assert list(tmp_path.iterdir()) == [corpus]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ([], "about 0:02 an epoch: 20 words x 10000 x 3 multiply-adds for each of 1,800 kept words"),
        (["--threads", "2"], "about 0:01 an epoch"),
        (["--backend", "reference"], "about 0:05 an epoch"),
        (["--backend", "reference", "--kernel", "pair", "--window", "1", "--fixed-window"], "about 0:11 an"),
    ],
)
def test_estimate__of_a_softmax_has_time_and_memory(extra, expected, corpus, tmp_path, capfd, monkeypatch):
    """3 x 20 x 10,000 x 1,800 multiply-adds, at .6 and .2 billion a second; two output words a centre."""
    monkeypatch.setattr("fastw2v.training.softmax_cost.RATES", {"numba": 6e8, "reference": 2e8})
    monkeypatch.setattr("fastw2v.training.softmax_cost.PAIR_BY_PAIR", 2e8)
    options = ["--loss", "softmax", "--sample", "0", "--dim", "10000", "--min-count", "1", "--dry-run"]
    threads = [] if "--threads" in extra else ["--threads", "1"]
    code, out, _ = run(capfd, "train", corpus, "-o", tmp_path / "v.txt", *options, *threads, *extra)
    assert code == 0
    line = next(line for line in out.splitlines() if line.startswith("softmax "))
    assert expected in line
    assert ("1.6 MB" if "reference" in extra else "0.0 MB") in line


def test_estimate__disk_is_near_the_file(corpus, tmp_path, capfd):
    for name, near in (("v.bin", 0.01), ("v.txt", 0.3)):
        run(capfd, "train", corpus, "-o", tmp_path / name, *FAST[2:], "--dim", "2000")
        out = run(capfd, "train", corpus, "-o", tmp_path / name, "--dry-run", "--dim", "2000", *FAST[2:])[1]
        megabytes = float(out.split("about ")[1].split()[0])
        assert megabytes * 1e6 == pytest.approx((tmp_path / name).stat().st_size, rel=near, abs=6e4)


def test_train__reads_once_with_a_cache(corpus, tmp_path, capfd):
    arguments = ["train", corpus, "--cache-dir", tmp_path / "cache", "--memory-limit", "1GB", *FAST]
    vectors = []
    for name in ("first", "second"):
        code, _, err = run(capfd, *arguments, "-o", tmp_path / f"{name}.txt")
        assert code == 0
        vectors.append((tmp_path / f"{name}.txt").read_text())
        assert ("nothing to read: found the encoded corpus in " in err) == (name == "second")
    assert vectors[0] == vectors[1]
    code, out, _ = run(capfd, *arguments, "--dry-run")
    assert code == 0
    assert "ids         0.0 MB of disk" in out


@pytest.mark.parametrize(
    ("limit", "message"),
    [("2 bytes", "'2 bytes' is not a size"), ("1MB", "--memory-limit is 1 MB: 1 workers need at least")],
)
def test_train__refuses_a_memory_limit_that_is_none(corpus, tmp_path, capfd, limit, message):
    code, _, err = run(capfd, "train", corpus, "--memory-limit", limit, "-o", tmp_path / "v.txt", *FAST)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_main__a_removed_working_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "c.txt", "-o", "v.txt", "--dim", "4"])
    assert stop.value.code in (3, 5)
    assert capfd.readouterr().err.count("Error: ") == 1
