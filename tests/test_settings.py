"""Options from files, the environment and presets: who wins, what is refused, what a run leaves behind."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from fastw2v import cli
from fastw2v.commands.train.settings import config_path, read_config, shown
from fastw2v.config import PRESETS, TrainConfig
from fastw2v.errors import UsageError
from fastw2v.vectors import formats

QUICK = ["--threads", "1", "--epochs", "1", "--backend", "reference", "--sample", "0"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"a b c d{i % 3} a c b\n" for i in range(30)))
    return path


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


def settings_of(
    capfd: pytest.CaptureFixture[str], corpus: Path, *arguments: object
) -> dict[str, int | float | str]:
    """What a run with these arguments writes down."""
    output = corpus.with_name("v.txt")
    code, _, err = run(capfd, "train", corpus, "-q", "-o", output, *QUICK, *arguments)
    assert (code, err) == (0, "")
    return tomllib.loads(output.with_suffix(".config.toml").read_text())


def test_precedence__command_line_environment_file_preset_default(
    corpus: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """items has window 10, sample 1e-4, exponent -0.5; each later source takes one of its options over."""
    file = corpus.with_name("run.toml")
    file.write_text('preset = "items"\ndim = 6\nnegatives = 3\nns-exponent = 0.5\nmin_count = 1\n')
    monkeypatch.setenv("FASTW2V_TRAIN_DIM", "7")
    monkeypatch.setenv("FASTW2V_TRAIN_NEGATIVES", "4")
    actual = settings_of(capfd, corpus, "--config", file, "-k", "2")
    expected = {
        "negatives": 2,  # command line, over the environment and the file
        "dim": 7,  # environment, over the file
        "ns-exponent": 0.5,  # file, over its preset
        "window": 10,  # preset
        "lr": "auto",  # default
        "sample": 0.0,  # command line, over the preset
        "min-count": 1,  # a key with an underscore
    }
    assert {key: actual[key] for key in expected} == expected


@pytest.mark.parametrize("before", [True, False])
def test_precedence__a_preset_on_the_command_line_goes_before_the_file(
    corpus: Path, capfd: pytest.CaptureFixture[str], before: bool
) -> None:
    file = corpus.with_name("run.toml")
    file.write_text('preset = "items"\nwindow = 3\ndim = 4\nnegatives = 2\nmin-count = 1\n')
    options = [["--preset", "graph"], ["--config", file]]
    actual = settings_of(capfd, corpus, *options[not before], *options[before])
    assert (actual["window"], actual["dim"], actual["negatives"]) == (10, 128, 2)


def test_train__saved_settings_train_the_same_bytes(
    corpus: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another folder, without the environment and the preset of the first run."""
    output = corpus.with_name("v.bin")
    monkeypatch.chdir(corpus.parent)
    monkeypatch.setenv("FASTW2V_TRAIN_SEED", "5")
    options = ["--preset", "graph", "--dim", "9", "--threads", "1", "-o", output.name]
    assert run(capfd, "train", corpus.name, "-q", *options)[0] == 0
    expected = output.read_bytes()
    settings = output.with_suffix(".config.toml")
    first_settings = settings.read_text()
    output.unlink()
    monkeypatch.delenv("FASTW2V_TRAIN_SEED")
    elsewhere = corpus.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run(capfd, "train", "--config", settings, "-q")[0] == 0
    assert output.read_bytes() == expected
    assert settings.read_text() == first_settings
    written = tomllib.loads(first_settings)
    assert (written["version"], written["seed"]) == (cli.__version__, 5)
    assert written["source"] == [str(corpus)]
    assert len(formats.load(output)) == 6


def test_train__no_settings_where_they_are_not_wanted(
    corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = corpus.with_name("v.txt")
    options = ["-q", "--no-save-config", "--min-count", "1", "--dim", "4", *QUICK]
    assert run(capfd, "train", corpus, "-o", output, *options)[0] == 0
    assert sorted(path.name for path in corpus.parent.iterdir()) == ["corpus.txt", "v.txt"]
    assert config_path(Path("/dev/stdout")) is None
    assert config_path(corpus.with_name("new.npy")) == corpus.with_name("new.config.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dmi = 3", "run.toml: dmi is no option of 'train'; did you mean dim?"),
        ("zzz = 3", "run.toml: zzz is no option of 'train'; see 'fastw2v train --help'"),
        ("config = 'x'", "run.toml: config is no option of 'train'"),
        ("help = true", "run.toml: help is no option of 'train'"),
        ('dim = "3"', 'run.toml: dim is "3": it must be a whole number'),
        ("dim = 3.0", "run.toml: dim is 3.0: it must be a whole number"),
        ("dim = true", "run.toml: dim is true: it must be a whole number"),
        ("lr = 'x'", 'run.toml: lr is "x": it must be a number'),
        ("escape = 1", "run.toml: escape is 1: it must be true or false"),
        ("column = 1", "run.toml: column is 1: it must be a text in quotes"),
        ("kernel = 'x'", 'run.toml: kernel is "x": it must be one of block, pair'),
        ("source = [1]", "run.toml: source is [1]: it must be a name or a list of names"),
        ("[train]\ndim = 3", "run.toml: train is no option of 'train'"),
        ("dim = ", "run.toml: is not TOML: Invalid value"),
        ("dim = 0", "dim is 0: it must be from 1"),
        (b"\xff", "run.toml: is not TOML"),
        (None, "run.toml: cannot be read (No such file or directory)"),
    ],
)
def test_train__bad_files_are_one_line_that_names_the_key(
    corpus: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    content: str | bytes | None,
    message: str,
) -> None:
    monkeypatch.chdir(corpus.parent)
    if content is not None:
        Path("run.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = run(capfd, "train", corpus, "--config", "run.toml")
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert message in err
    assert err.count("\n") == 1


def test_train__whole_numbers_are_reals_too(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = corpus.with_name("run.toml")
    file.write_text(
        "ns-exponent = 1\nsource = 'elsewhere.parquet'\nmin-count = 1\ndim = 4\nfixed-window = true\n"
    )
    with pytest.raises(UsageError, match="fixed-window"):
        read_config(file, cli.cli.commands["train"])
    file.write_text(file.read_text().replace("fixed-window = true", "dynamic-window = false"))
    actual = settings_of(capfd, corpus, "--config", file)
    assert (actual["ns-exponent"], actual["dynamic-window"], actual["source"]) == (1.0, False, [str(corpus)])


def test_environment__bad_values_and_names_are_told(
    corpus: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTW2V_TRAIN_DIM", "many")
    monkeypatch.setenv("FASTW2V_DIM", "3")
    code, _, err = run(capfd, "train", corpus)
    assert code == 2
    warning, error = err.splitlines()
    assert warning == "Warning: FASTW2V_DIM in the environment is no option; did you mean FASTW2V_TRAIN_DIM?"
    assert "'many' is not a valid integer" in error
    assert "FASTW2V_TRAIN_DIM" in error


def test_environment__names_are_those_of_the_options(
    corpus: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTW2V_TRAIN_FORMAT", "binary")
    monkeypatch.setenv("FASTW2V_TRAIN_DYNAMIC_WINDOW", "false")
    actual = settings_of(capfd, corpus, "--dim", "4", "--min-count", "1")
    assert (actual["format"], actual["dynamic-window"]) == ("binary", False)


@pytest.mark.parametrize("name", PRESETS)
def test_presets__are_options_within_limits(name: str) -> None:
    options = {key: value for key, value in PRESETS[name].items() if key != "min_count"}
    made = TrainConfig(**options)
    assert {key: getattr(made, key) for key in options} == options


def test_presets__text_is_the_default() -> None:
    options = {key: value for key, value in PRESETS["text"].items() if key != "min_count"}
    assert TrainConfig(**options) == TrainConfig()
    assert PRESETS["text"]["min_count"] == 5


@pytest.mark.parametrize(
    "value", [5, -0.5, 1e-05, 1e300, True, 'quote " and \\', "tab\tand\x7f\x01", "naïve 😀", ["a", "b"]]
)
def test_shown__is_read_back_by_toml(value: object) -> None:
    assert tomllib.loads(f"key = {shown(value)}") == {"key": value}
    assert json.dumps(value)  # the values above are those a command line can hold


def test_read_config__a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    path = tmp_path / "c.toml"
    path.write_text('source = ["~/c.txt", "s3://~/c.txt"]\noutput = "~/v.txt"\ncolumn = "~/a"\n')
    expected = {"source": ("/home/me/c.txt", "s3://~/c.txt"), "output": "/home/me/v.txt", "column": "~/a"}
    assert read_config(path, cli.cli.commands["train"]) == expected


def test_as_typed_line__leaves_idle_options_out() -> None:
    from fastw2v.commands.train.settings import as_typed_line

    config = TrainConfig(subwords="3-6", buckets=100)
    assert "--buckets 100" in as_typed_line(config)
    assert "--buckets" not in as_typed_line(config, {"buckets"})
