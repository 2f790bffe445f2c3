"""Options take effect or are refused, and what is wrong with them is found before anything is read."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.commands.unknown import flags_of, variable_message
from fastw2v.config import TrainConfig
from fastw2v.corpus import read_corpus
from fastw2v.corpus.read import Corpus
from fastw2v.errors import DivergedError, UsageError
from fastw2v.kernels.backend import KernelBackend
from fastw2v.kernels.domains import Domains
from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16
from fastw2v.model.arrays import UNIT, Vectors
from fastw2v.model.plan import Lockstep, Plan
from fastw2v.options import replicas, together
from fastw2v.vectors.embeddings import Embeddings

# 7,500 random words in sentences of 25: two units, which lanes part, also less those held out; and nothing to
# learn, so that judgements soon are no better. What NumPy trains pair by pair has the first eight of them.
ROWS = [[f"w{i}" for i in row] for row in np.random.default_rng(0).integers(0, 40, (300, 25))]
SMALL: dict[str, Any] = {"dim": 8, "epochs": 2, "threads": 1, "sample": 0.0, "lr": 0.05, "min_lr": 0.045}
OTHERS: dict[str, Any] = {
    "dim": 5,
    "window": 2,
    "negatives": 3,
    "epochs": 9,
    "minutes": 0.0005,
    "lr": 0.06,
    "min_lr": 0.049,
    "sample": 1e-2,
    "ns_exponent": 0.0,
    "dynamic_window": False,
    "window_weights": "drawn",
    "threads": 2,
    "seed": 2,
    "shuffle": True,
    "deterministic": True,
    "architecture": "cbow",
    "cbow_gradient": "whole",
    "context": "right",
    "kernel": "pair",
    "block_size": 3,
    "shared_negatives": 2,
    "precision": "bfloat16",
    "loss": "softmax",
    "subwords": "1-2",
    "buckets": 60,
    "freeze": "center",
    "holdout": 0.3,
    "eval_every": 2.0,
    "patience": 1,
    "leave_last_out": True,
    "eval_next_item": True,
    "backend": "reference",
}
# What an option needs beside it to be of use, or to show; a pair that is refused with it is tried without.
NEEDS: dict[str, dict[str, Any]] = {
    "cbow_gradient": {"architecture": "cbow"},
    "deterministic": {"dim": 32},  # few words are one lane, which threads part by cache lines
    "subwords": {"kernel": "pair"},
    "buckets": {"subwords": "2-3", "kernel": "pair"},
    "eval_every": {"holdout": 0.2},
    "patience": {"holdout": 0.2, "epochs": 10},
    "eval_next_item": {"leave_last_out": True},
    "freeze": {"lr": 0.5, "min_lr": 0.45},  # beside small vectors that stay, the others learn slowly
}


class Outcome(NamedTuple):
    """What a run came to: bytes of both matrices, judgements that it told, threads that it was given."""

    vectors: bytes
    judgements: int
    workers: int


WORKERS: list[int] = []


class Watched(KernelBackend):
    """Notes how many workers it was given; where they would race, one does the work, to the same bytes."""

    def __init__(self, plan: Plan, vectors: Vectors, n_workers: int, domains: Domains | None = None) -> None:
        super().__init__(plan, vectors, n_workers, domains)
        WORKERS.append(len(self.totals))
        if not isinstance(plan.estimator, Lockstep):
            self.totals = self.totals[:1]


@pytest.fixture(scope="module", autouse=True)
def watched() -> Iterator[None]:
    """All runs of this file are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastw2v.kernels.backend.KernelBackend", Watched)
        yield


def outcome_of(trained: Callable[[], Embeddings]) -> Outcome:
    """Of a run that tells its judgements on stderr."""
    WORKERS.clear()
    with contextlib.redirect_stderr(io.StringIO()) as told:
        embeddings = trained()
    assert embeddings.outside_vectors is not None
    vectors = embeddings.center_vectors.tobytes() + embeddings.outside_vectors.tobytes()
    return Outcome(
        vectors,
        told.getvalue().count("held-out loss") + told.getvalue().count("next item"),
        max(WORKERS, default=0),
    )


@functools.cache
def corpus_of(n_rows: int) -> Corpus:
    """The first rows, read once."""
    return read_corpus(ROWS[:n_rows], min_count=1)


def is_slow(options: dict[str, Any]) -> bool:
    """Whether NumPy takes a step for each pair, or trains in lockstep, where a unit takes it a second."""
    by_numpy = options.get("backend") == "reference"
    return by_numpy and (options.get("kernel") == "pair" or bool(options.get("deterministic")))


@functools.cache
def _outcome(options: tuple[tuple[str, Any], ...]) -> Outcome | str:
    """What training comes to, or the line that refuses the options."""
    given = SMALL | dict(options)
    if "minutes" in given and "epochs" not in dict(options):
        del given["epochs"]
    corpus = corpus_of(8 if is_slow(given) else len(ROWS))
    try:
        return outcome_of(lambda: fastw2v.train(corpus, verbose=True, **given))
    except (UsageError, DivergedError) as error:  # the step that a freeze needs is too long for a softmax
        return str(error)


def outcome(*names: str, needs: dict[str, Any]) -> Outcome | str:
    """With the other values of these options, of each set of options once."""
    return _outcome(tuple(sorted((needs | {name: OTHERS[name] for name in names}).items())))


def needs_of(*names: str) -> dict[str, Any]:
    """What these options need beside them."""
    return {name: value for own in names for name, value in NEEDS.get(own, {}).items()}


def test_others__are_all_options_of_training() -> None:
    """A new option gets a value here, so that it is tried with every other."""
    assert set(OTHERS) == set(TrainConfig.__dataclass_fields__)


@pytest.mark.parametrize("name", OTHERS)
def test_train__every_option_takes_effect(name: str) -> None:
    """Beside what it needs, where the processor has what it needs."""
    needs = needs_of(name)
    actual, expected = outcome(name, needs=needs), outcome(needs=needs)
    if name == "precision" and not HAS_BFLOAT16:
        assert "AVX512-BF16" in str(actual)
        return
    assert isinstance(actual, Outcome), actual
    assert actual != expected or name == "minutes"


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(OTHERS, 2)), ids=str)
def test_train__every_pair_takes_effect_or_is_refused(first: str, second: str) -> None:
    """With both, the outcome is neither that of the first alone nor that of the second alone."""
    for needs in (needs_of(first, second), needs_of(first), needs_of(second), {}):
        both = outcome(first, second, needs=needs)
        if isinstance(both, Outcome):
            break
        assert both.count("\n") == 0
    else:
        return
    if "minutes" in (first, second):
        return  # the clock decides the bytes; test_budget sees the effect
    if "threads" in (first, second) and {"subwords", "buckets"} & {first, second}:
        return  # so few words of n-grams as here are trained in one thread, and a line says so
    if {"deterministic", "loss"} == {first, second}:
        return  # one thread, as here, takes the same steps over all words without; test_whole sees the effect
    for alone, other in ((first, second), (second, first)):
        if needs.get(other) == OTHERS[other]:
            continue  # without it the first one is refused
        assert both != outcome(alone, needs=needs), f"{other} does nothing beside {alone}"


def test_train__threads_change_no_byte_where_it_is_deterministic() -> None:
    """That they take effect shows in the number of workers only."""
    needs = needs_of("deterministic")
    one, two = (outcome("deterministic", *threads, needs=needs) for threads in ([], ["threads"]))
    assert isinstance(one, Outcome)
    assert isinstance(two, Outcome)
    assert (one.vectors, one.workers, two.workers) == (two.vectors, 1, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": "pair", "block_size": 16},
        {"kernel": "pair", "shared_negatives": 8},
        {"kernel": "pair", "precision": "bfloat16"},
        *({"loss": "softmax", name: OTHERS[name]} for name in together.WITHOUT_EFFECT["loss", "softmax"][0]),
        {"backend": "reference", "threads": 2},
        {"minutes": 1.5, "epochs": 7},
    ],
    ids=lambda options: ",".join(map(str, options)),
)
def test_check_combination__refuses_by_name_and_defaults_pass(options: dict[str, Any]) -> None:
    """A file of settings names every option, with defaults."""
    name, value = list(options.items())[-1]
    with pytest.raises(UsageError) as caught:
        TrainConfig(**options)
    assert name in caught.value.options
    assert str(caught.value).startswith(f"{name} is {value}, but ")
    default = TrainConfig.__dataclass_fields__[name].default
    assert getattr(TrainConfig(**{**options, name: default}), name) == default


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"minutes": 1.5},
        {"loss": "softmax"},
        {"loss": "hierarchical-softmax"},
        {"kernel": "pair"},
        {"architecture": "cbow"},
        {"dynamic_window": False},
        {"subwords": "2-3"},
        {"holdout": 0.2},
    ],
    ids=str,
)
def test_without_effect__names_what_has_a_default_and_is_refused_otherwise(beside: dict[str, Any]) -> None:
    named = {field.name for field in dataclasses.fields(TrainConfig) if field.default not in (None, False)}
    refused = set()
    for name in named - beside.keys():
        try:
            together.check_judging(TrainConfig(**beside, **{name: OTHERS[name]}), by_files=False)
        except UsageError:
            refused.add(name)
    assert together.without_effect(TrainConfig(**beside), by_files=False) & named == refused


def test_sync_unit__is_that_of_training() -> None:
    assert replicas.SYNC_UNIT == UNIT
    with pytest.raises(UsageError, match="4,096 or more"):
        replicas.ReplicaConfig(sync_words=UNIT - 1)


def test_train__a_given_vocabulary_has_no_limits_of_counts(tmp_path: Path) -> None:
    embeddings = fastw2v.train(ROWS, **SMALL)
    from fastw2v.corpus.vocabulary import Vocabulary

    vocabulary = Vocabulary(embeddings.words, np.full(len(embeddings), 9))
    for name in ("min_count", "max_vocab"):
        with pytest.raises(UsageError, match=f"{name} is 3, but the words of the given vocabulary"):
            fastw2v.train(ROWS, vocabulary=vocabulary, **{**SMALL, name: 3})


# ---- The command line -------------------------------------------------------------------------------------


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("v.txt").write_text("3 2\na 1 2\nb 2 1\nc 1 1\n")
    Path("w.vocab.txt").write_text("a 3\nb 2\n")
    Path("pairs.txt").write_text("a b 3\nb c 1\n")
    return tmp_path


BAD = {
    "--checkpoint-every needs": ["--checkpoint-every", "5m"],
    "--checkpoint-every is '200000'": ["--checkpoint", "kept", "--checkpoint-every", "200000"],
    "is not a size": ["--memory-limit", "2x"],
    "--phrase-threshold is 5.0, but --phrases is 0": ["--phrase-threshold", "5"],
    "--phrase-threshold is 2: scores": [
        "--phrases",
        "1",
        "--phrase-scoring",
        "npmi",
        "--phrase-threshold",
        "2",
    ],
    "--phrases are words that the given": ["--phrases", "1", "--read-vocab", "w.vocab.txt"],
    "no.keep: cannot be read": ["--keep-list", "no.keep"],
    "no.stop: cannot be read": ["--stop-list", "no.stop"],
    "no.vocab: cannot be read": ["--read-vocab", "no.vocab"],
    "no.vectors.txt: cannot be read": ["--init-vectors", "no.vectors.txt"],
    "have dim 2": ["--init-vectors", "v.txt", "--dim", "3"],
    "--init-outside needs": ["--init-outside", "v.txt"],
    "freeze outside would": ["--freeze", "outside"],
    "v.txt holds no model": ["--continue", "v.txt"],
    "v.txt: is a file": ["--save-model", "v.txt"],
    "leave --save-model out": ["--save-model", "m", "--loss", "hierarchical-softmax"],
    "no.pairs: cannot be read": ["--eval-similarity", "no.pairs"],
    "no.questions: cannot be read": ["--eval-analogy", "no.questions"],
    "there is no folder": ["-o", "no/v.txt"],
    "holds no float16": ["-o", "x.txt", "--float16"],
    "-o x.txt and --log-json x.txt: two outputs have the same name": ["-o", "x.txt", "--log-json", "x.txt"],
    "--block-size is 16": ["--kernel", "pair", "--block-size", "16"],
    "--eval-every is 0.5": ["--eval-every", "0.5"],
    "--epochs is 5, but --minutes 2 decides": ["--minutes", "2", "--epochs", "5"],
    "so --deterministic cannot hold": ["--minutes", "2", "--deterministic"],
    "--minutes is 0.0: it must be above 0": ["--minutes", "0"],
    "--sync-words is 8192": ["--sync-words", "8192"],
    "--combine is mean": ["--combine", "mean"],
    "--overlap is for several processes": ["--overlap"],
    "--verbose and --quiet": ["-v", "-q"],
    "--threads is 2, but": ["--backend", "reference", "--threads", "2"],
    "use --threads 1 instead of --deterministic": ["--deterministic", "--kernel", "pair"],
    "--encoding is 'klingon'": ["--encoding", "klingon"],
    "--lowercase does nothing with --tokenize simple": ["--lowercase", "--tokenize", "simple"],
    "--lowercase does nothing with --kmers": ["--lowercase", "--kmers", "6"],
    "--reverse-complement is of k-mers": ["--reverse-complement"],
    "--kmers is 32: it must be": ["--kmers", "32"],
    "-o - is for text and binary": ["-o", "-", "--format", "npy"],
    "'1e3' is not a valid integer": ["--dim", "1e3"],
    "'5.0' is not a valid integer": ["--epochs", "5.0"],
    "'' is not a valid float": ["--lr", ""],
}


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["", "dry"])
@pytest.mark.parametrize("message", BAD)
def test_train__options_come_before_the_corpus(
    folder: Path, capfd: pytest.CaptureFixture[str], message: str, dry: list[str]
) -> None:
    """The corpus is not there, and that is not what is said; nor is anything left behind."""
    before = sorted(folder.iterdir())
    code, out, err = run(capfd, "train", "absent.txt", *BAD[message], *dry)
    assert code in (2, 3, 5)
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("evaluate v.txt --similarity pairs.txt --top 20", "--top does nothing without --next-item"),
        ("evaluate v.txt --similarity pairs.txt --context 2", "--context does nothing without --next-item"),
        ("evaluate v.txt --similarity pairs.txt --column x", "--column does nothing without --next-item"),
        ("evaluate v.txt --similarity pairs.txt --outside v.txt", "--outside does nothing without"),
        ("evaluate v.txt --similarity pairs.txt --restrict-vocab 5", "does nothing without --analogy"),
        ("evaluate v.txt --next-item x --case-sensitive", "--case-sensitive does nothing without"),
        ("evaluate v.txt --next-item absent.txt --context 0", "--context is 0: it must be at least 1"),
        ("evaluate absent.bin --next-item absent.txt", "absent.bin: cannot be read"),
        ("report v.txt -o r.html --restrict-vocab 5", "--restrict-vocab does nothing without --analogy"),
        ("report v.txt -o r.html --case-sensitive", "--case-sensitive does nothing without"),
        ("map v.txt -o m.html --seed 3", "--seed does nothing with --method pca"),
        ("export v.txt x.bin --outside v.txt", "--outside does nothing with --vectors center"),
        ("export v.txt x.xyz", "or give --to"),
        ("export v.xyz x.bin", "or give --from"),
        ("vocab --read-vocab w.vocab.txt --threads 2", "--threads does nothing with --read-vocab"),
        ("vocab --read-vocab w.vocab.txt --column x", "--column does nothing with --read-vocab"),
        ("vocab --read-vocab w.vocab.txt --memory-limit 2GB", "--memory-limit does nothing with"),
        ("vocab --read-vocab w.vocab.txt --tokenize simple", "--tokenize does nothing with --read-vocab"),
        ("evaluate v.txt --similarity pairs.txt --lines paragraphs", "--lines does nothing without --next"),
        ("evaluate v.txt --similarity pairs.txt --input text", "--input does nothing without --next-item"),
        ("vocab absent.txt -q -n 3", "--number does nothing with --quiet"),
        ("vocab absent.txt -n -1", "--number is -1: it must be at least 0"),
        ("nearest absent.txt a -n 0", "--number is 0: it must be at least 1"),
    ],
)
def test_commands__idle_options_are_refused(
    folder: Path, capfd: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    code, out, err = run(capfd, *arguments.split())
    assert (code in (2, 3), out, err.count("\n")) == (True, "", 1)
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("train c --size 3", "--dim?"),
        ("train c --vector-size 3", "--dim?"),
        ("train c --workers 3", "--threads?"),
        ("train c --iter 3", "--epochs?"),
        ("train c --negative 3", "--negatives?"),
        ("train c --min_count 3", "--min-count?"),
        ("train c --cbow 0", "CBOW is architecture cbow"),
        ("train c -size 3", "--dim?"),
        ("train c -hs 0", "loss hierarchical-softmax"),
        ("train -train c", "name the corpus without an option"),
        ("train -output x c", "--output?"),
        ("train c -min-count 3", "--min-count?"),
        ("nearest v.txt a --topn 3", "--number?"),
        ("trian c", "train?"),
        ("most-similar v.txt a", "nearest?"),
        ("doesnt_match v.txt a", "odd-one-out?"),
    ],
)
def test_unknown__names_lead_to_what_is_meant(
    folder: Path, capfd: pytest.CaptureFixture[str], arguments: str, meant: str
) -> None:
    before = sorted(folder.iterdir())
    code, out, err = run(capfd, *arguments.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert meant in err
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FASTW2V_TRAIN_K", "FASTW2V_TRAIN_NEGATIVES?"),
        ("FASTW2V_TRAIN_ALPHA", "FASTW2V_TRAIN_LR?"),
        ("FASTW2V_TRAIN_FIXED_WINDOW", "FASTW2V_TRAIN_DYNAMIC_WINDOW=false?"),
        ("FASTW2V_TRAIN_NO_SAVE_CONFIG", "FASTW2V_TRAIN_SAVE_CONFIG=false?"),
        ("FASTW2V_WORKERS", "FASTW2V_TRAIN_THREADS?"),
        ("FASTW2V_TRAIN_SIZE", "FASTW2V_TRAIN_DIM?"),
    ],
)
def test_variable_message__leads_to_what_is_meant(name: str, meant: str) -> None:
    message = variable_message(name, cli.PREFIX, cli.cli.commands)
    assert message == f"{name} in the environment is no option; did you mean {meant}"


@pytest.mark.parametrize(
    "name",
    ["PORT", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_80_TCP", "PORT_80_TCP_ADDR"],
)
def test_variable_message__passes_over_services(name: str) -> None:
    for prefix in ("FASTW2V_", "FASTW2V_WEB_"):
        assert variable_message(prefix + name, cli.PREFIX, cli.cli.commands) is None


def test_fastw2v__alone_prints_help(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd)
    assert (code, err) == (2, "")
    assert out.startswith("Usage:")
    assert "..." not in out.partition("Commands:")[2]


def test_config__of_a_later_version_is_told(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("run.toml").write_text('version = "99.9"\nsource = "absent.txt"\n')
    err = run(capfd, "train", "--config", "run.toml")[2]
    assert err.startswith("Warning: run.toml is of fastw2v 99.9, this is ")
    Path("run.toml").write_text("version = 9\n")
    assert "version is 9: it must be like" in run(capfd, "train", "--config", "run.toml")[2]


def test_flags_of__are_long() -> None:
    flags = flags_of(cli.cli.commands["train"])
    assert {"--dim", "--fixed-window", "--help"} <= set(flags)
    assert len(dataclasses.fields(TrainConfig)) < len(flags)
