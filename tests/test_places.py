"""Outputs and inputs of every command: nothing of the user's is replaced, nothing of our own is read."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v import cli
from fastw2v.vectors import formats

FAST = ["--dim", "4", "--epochs", "1", "--threads", "1", "--min-count", "1", "--backend", "reference"]
FAST += ["--sample", "0"]
INPUTS = {
    "c.txt": "the cat sat on the mat\n" * 20,
    "words.txt": "the\ncat\nmat\n",
    "vocab.txt": "the 3\ncat 2\n",
    "pairs.txt": "the cat 3\ncat mat 1\n",
    "questions.txt": "the cat mat sat\n",
    "v.txt": "3 2\nthe 1 0\ncat 0 1\nmat 1 1\n",
    "u.txt": "3 2\nthe 1 0\ncat 0 1\nmat 1 1\n",
    "mine.toml": "# mine\nsource = 'c.txt'\n",
    "run.html": '{"event": "start", "time": 1, "settings": {}}\n',
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working folder, with one file of every kind that is read."""
    monkeypatch.chdir(tmp_path)
    for name, text in INPUTS.items():
        Path(name).write_text(text)
    Path("texts").mkdir()
    Path("texts/c.txt").write_text(INPUTS["c.txt"])
    pq.write_table(pa.table({"text": ["the cat sat"] * 20}), "texts/c.parquet")
    Path("link.txt").symlink_to("c.txt")
    os.link("c.txt", "hard.txt")
    Path("there").symlink_to("texts")
    return tmp_path


def run(capfd, *arguments):
    """Exit code and stderr of a command run in this process."""
    with pytest.raises(SystemExit) as stop:
        cli.main(list(map(str, arguments)))
    return stop.value.code, capfd.readouterr().err


def contents():
    """Every file below the working folder, with its bytes."""
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


SOURCES = [  # what is read, and a name of a file that it covers
    ("c.txt", "c.txt"),
    ("c.txt", "./texts/../c.txt"),
    ("c.txt", "link.txt"),
    ("link.txt", "c.txt"),
    ("c.txt", "hard.txt"),
    ("c*.txt", "c.txt"),
    ("texts", "texts/c.parquet"),
    ("texts", "there/c.parquet"),
    ("there", "texts/c.parquet"),
    ("texts", "texts/c.txt"),
    ("texts/*", "texts/c.txt"),
    ("**/*.txt", "texts/c.txt"),
]
TRAIN_INPUTS = [
    ("--keep-list", "words.txt"),
    ("--stop-list", "words.txt"),
    ("--read-vocab", "vocab.txt"),
    ("--init-vectors", "v.txt"),
    ("--init-outside", "u.txt"),
    ("--eval-similarity", "pairs.txt"),
    ("--eval-analogy", "questions.txt"),
    ("--config", "mine.toml"),
]
TRAIN_OUTPUTS = ["-o", "--save-outside", "--save-vocab", "--log-json"]


def refused(capfd, output, name, *arguments):
    """Check that a command is refused with one line that names the output, and leaves every file as it is."""
    before = contents()
    code, err = run(capfd, *arguments)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert f"{output} {name}" in err.replace("./", "").replace("texts/../", "") or output in err
    assert contents() == before
    return err


@pytest.mark.parametrize("output", TRAIN_OUTPUTS)
@pytest.mark.parametrize(("source", "name"), SOURCES)
def test_train__refuses_an_output_that_is_the_corpus(capfd, source, name, output):
    elsewhere = [] if output == "-o" else ["-o", "new.txt"]
    refused(capfd, output, name, "train", source, output, name, *elsewhere, *FAST)


@pytest.mark.parametrize("output", TRAIN_OUTPUTS)
@pytest.mark.parametrize(("option", "name"), TRAIN_INPUTS)
def test_train__refuses_an_output_that_is_another_input(capfd, option, name, output):
    elsewhere = [] if output == "-o" else ["-o", "new.txt"]
    err = refused(capfd, output, name, "train", "c.txt", option, name, output, name, *elsewhere, *FAST)
    assert output == "--log-json" or f"{option} {name}" in err


@pytest.mark.parametrize("output", ["-o", "--picture"])
@pytest.mark.parametrize(("source", "name"), SOURCES)
def test_vocab__refuses_an_output_that_is_the_corpus(capfd, source, name, output):
    refused(capfd, output, name, "vocab", source, output, name)


@pytest.mark.parametrize(("option", "name"), TRAIN_INPUTS[:3])
def test_vocab__refuses_an_output_that_is_another_input(capfd, option, name):
    source = [] if option == "--read-vocab" else ["c.txt"]
    refused(capfd, "-o", name, "vocab", *source, option, name, "-o", name)


@pytest.mark.parametrize(
    ("output", "name", "arguments"),
    [
        ("TARGET", "v.txt", ["export", "v.txt", "v.txt"]),
        ("TARGET", "u.txt", ["export", "v.txt", "u.txt", "--outside", "u.txt", "--vectors", "sum"]),
        ("TARGET", "vocab.txt", ["export", "v.txt", "vocab.npy", "--read-vocab", "vocab.txt"]),
        ("-o", "run.html", ["map", "run.html", "--format", "text", "-o", "run.html"]),
        ("-o", "run.html", ["report", "v.txt", "--log", "run.html", "-o", "run.html"]),
        ("-o", "run.html", ["report", "run.html", "--format", "text", "-o", "run.html"]),
        ("-o", "run.html", ["report", "v.txt", "--similarity", "run.html", "-o", "run.html"]),
        ("-o", "run.html", ["report", "v.txt", "--analogy", "run.html", "-o", "run.html"]),
    ],
)
def test_others__refuse_an_output_that_is_an_input(capfd, output, name, arguments):
    if arguments[1:3] == ["v.txt", "vocab.npy"]:
        Path("vocab.vocab.txt").write_text("mine\n")
    refused(capfd, output, name, *arguments)


@pytest.mark.parametrize("source", ["environment", "file"])
def test_train__refuses_outputs_from_elsewhere(capfd, monkeypatch, source):
    if source == "environment":
        monkeypatch.setenv("FASTW2V_TRAIN_OUTPUT", "c.txt")
        refused(capfd, "-o", "c.txt", "train", "c.txt", *FAST)
    else:
        Path("mine.toml").write_text("source = 'c.txt'\nsave-vocab = 'c.txt'\n")
        refused(capfd, "--save-vocab", "c.txt", "train", "--config", "mine.toml", *FAST)


@pytest.mark.parametrize("name", ["-", ""])
@pytest.mark.parametrize("output", [*TRAIN_OUTPUTS, "--checkpoint", "--cache-dir"])
def test_train__refuses_names_of_nothing(capfd, output, name):
    if (output, name) == ("-o", "-"):
        return  # is the standard output
    err = refused(capfd, output, name, "train", "c.txt", output, name, *FAST)
    assert ("/dev/stdout" in err) == (name == "-" and output in TRAIN_OUTPUTS)


@pytest.mark.parametrize("name", ["-", ""])
@pytest.mark.parametrize(
    "arguments",
    [["vocab", "c.txt", "-o"], ["vocab", "c.txt", "--picture"], ["map", "v.txt", "-o"]],
)
def test_others__refuse_names_of_nothing(capfd, arguments, name):
    refused(capfd, "", "", *arguments, name)


def test_export__refuses_two_outputs_or_files_beside_that_belong_to_others(capfd):
    for name in ("config.json", "new.vocab.txt", "new.metadata.tsv"):
        Path(name).write_text("mine")
    for target in ("model.safetensors", "new.npy", "new.tsv"):
        refused(capfd, "TARGET", target, "export", "v.txt", target)
    refused(capfd, "--picture", "z.png", "vocab", "c.txt", "-o", "z.png", "--picture", "z.png")


@pytest.mark.parametrize("text", ["my notes\n", '{"event": "mine"}\n', "{}"])
def test_log_json__replaces_logs_only(capfd, text):
    Path("run.jsonl").write_text(text)
    refused(capfd, "--log-json", "run.jsonl", "train", "c.txt", "--log-json", "run.jsonl", *FAST)
    Path("run.jsonl").write_text("")
    for _ in range(2):
        actual, _ = run(capfd, "train", "c.txt", "--log-json", "run.jsonl", *FAST)
        assert actual == 0


@pytest.mark.parametrize("given", [[], ["--config", "new.config.toml"]])
def test_config__of_the_user_stays(capfd, given):
    expected = "# my notes\nsource = 'c.txt'\n"
    Path("new.config.toml").write_text(expected)
    code, err = run(capfd, "train", "c.txt", *given, "-o", "new.txt", *FAST)
    assert (code, Path("new.config.toml").read_text()) == (0, expected)
    assert "the configuration is not saved: new.config.toml" in err
    assert Path("new.txt").exists()


def test_config__of_ours_is_replaced_unless_it_is_the_one_given(capfd):
    run(capfd, "train", "c.txt", "-o", "new.txt", *FAST)
    first = Path("new.config.toml").read_text()
    again = ["train", "--config", "new.config.toml"]
    code, err = run(capfd, *again)
    assert (code, "not saved" in err) == (0, False)
    code, err = run(capfd, *again, "--dim", "5")
    assert (code, "not saved" in err, Path("new.config.toml").read_text()) == (0, True, first)
    run(capfd, "train", "c.txt", "-o", "new.txt", *FAST, "--dim", "6")
    assert "dim = 6" in Path("new.config.toml").read_text()


PATTERNS = [
    (["texts/*.txt", "-o", "texts/new.txt", "--save-vocab", "texts/words.txt"], "texts/new.txt"),
    (["texts", "-o", "texts/new.parquet", "--save-outside", "texts/u.parquet"], "texts/new.parquet"),
    (["texts/*.txt", "-o", "texts/new.npy"], "texts/new.npy"),
]


@pytest.mark.parametrize(("arguments", "output"), PATTERNS)
def test_train__a_second_run_gives_the_same_vectors(capfd, arguments, output):
    assert run(capfd, "train", *arguments, *FAST)[0] == 0
    expected = formats.load(Path(output))
    code, err = run(capfd, "train", *arguments, *FAST)
    actual = formats.load(Path(output))
    assert code == 0, err
    assert "left out texts/" in err
    assert actual.words == expected.words
    assert (actual.center_vectors == expected.center_vectors).all()


def test_patterns__leave_out_what_is_ours_in_every_command(capfd):
    run(capfd, "train", "texts/*.txt", "-o", "texts/new.txt", *FAST)
    code, err = run(capfd, "vocab", "texts/*.txt")
    assert (code, "left out texts/new.txt" in err) == (0, True)
    code, err = run(capfd, "evaluate", "texts/new.txt", "--next-item", "texts/*.txt", "--no-cache")
    assert (code, "left out texts/new.txt" in err) == (0, True)
    assert run(capfd, "vocab", "texts/new.txt", "-q", "-o", "words-of-new.txt")[0] == 0
    assert "4" in Path("words-of-new.txt").read_text().split()  # a file that is named is read
    Path("alone").mkdir()
    Path("texts/new.txt").rename("alone/new.txt")
    Path("texts/new.config.toml").rename("alone/new.config.toml")
    code, err = run(capfd, "vocab", "alone/*.txt")
    assert (code, "holds only what fastw2v wrote" in err) == (3, True)


def test_patterns__take_what_a_configuration_of_others_names(capfd):
    Path("texts/mine.config.toml").write_text("version = '1'\noutput = 'texts/c.txt'\n")
    code, err = run(capfd, "vocab", "texts/*.txt")
    assert (code, "left out" in err) == (0, False)


def test_resume__refuses_an_output_that_is_the_corpus_of_the_run(capfd):
    kept = ["--checkpoint", "kept", "-o", "new.txt"]
    assert run(capfd, "train", "c.txt", *kept, *FAST)[0] == 0
    refused(capfd, "-o", "c.txt", "train", "--resume", "kept", "-o", "c.txt")
    assert run(capfd, "train", "--resume", "kept")[0] == 0


def test_train__refused_leaves_no_folder_for_checkpoints(capfd):
    refused(capfd, "-o", "c.txt", "train", "c.txt", "-o", "c.txt", "--checkpoint", "kept")
    assert not Path("kept").exists()


def test_folders__leave_out_the_vocabulary_of_a_checkpoint(capfd):
    arguments = ["train", "**/*.txt", "-o", "new.bin", "--no-save-config", *FAST]
    assert run(capfd, *arguments, "--checkpoint", "kept")[0] == 0
    expected = formats.load(Path("new.bin"))
    assert run(capfd, *arguments)[0] == 0
    actual = formats.load(Path("new.bin"))
    assert (actual.center_vectors == expected.center_vectors).all()


def test_places__devices_replace_nothing(capfd):
    arguments = ["--config", "/dev/null", "--save-vocab", "/dev/null", "--log-json", "/dev/null"]
    assert run(capfd, "train", "c.txt", *arguments, "-o", "/dev/null", *FAST)[0] == 0
