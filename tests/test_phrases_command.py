"""Phrases from the command line, in Python, and on the way to vectors: the same everywhere."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.config import ReadConfig
from fastw2v.corpus.read import read_corpus
from fastw2v.distributed.communicator import SingleProcess
from fastw2v.distributed.shards import read_shared_corpus
from fastw2v.distributed.simulation import run_ranks
from fastw2v.errors import UsageError
from fastw2v.options.phrases import SHORT
from fastw2v.run.arguments import PhraseArguments
from fastw2v.training import spans
from fastw2v.training.hooks import Moment

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "phrases.md").read_text(encoding="utf-8")


def sentences_with_phrases(n: int = 500, seed: int = 0) -> list[list[str]]:
    """Sentences of words drawn uniformly, with one of twelve pairs in each, and triples in every third."""
    rng = np.random.default_rng(seed)
    sentences = []
    for number in range(n):
        words = [f"w{i}" for i in rng.integers(0, 200, 12).tolist()]
        pair = int(rng.integers(0, 12))
        words[3:5] = [f"p{pair}", f"q{pair}"]
        words[5:6] = [f"r{pair}"] if number % 3 == 0 else []
        words[8:8] = ["bank", "of", "the", f"west{pair % 2}"] if number % 5 == 0 else ["of"]
        sentences.append(words)
    return sentences


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a corpus in text and in Parquet."""
    monkeypatch.chdir(tmp_path)
    rows = sentences_with_phrases()
    (tmp_path / "joined").mkdir()
    (tmp_path / "corpus.txt").write_text("\n".join(map(" ".join, rows)) + "\n")
    pq.write_table(pa.table({"text": [" ".join(row) for row in rows]}), "corpus.parquet")
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


OPTIONS: dict[str, Any] = {"threshold": 20.0, "passes": 2, "connector_words": "of the", "delimiter": "~"}
TYPED = [part for name, value in OPTIONS.items() for part in (f"--{name.replace('_', '-')}", str(value))]


# ---- The command and the function --------------------------------------------------------------------------


def test_phrases__command_and_python_give_the_same(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["phrases", "corpus.txt", "-o", "joined/a.parquet", "--save-phrases", "a.txt", *TYPED]
    code, out, err = run(capfd, *arguments)
    assert (code, out) == (0, "")
    assert "wrote 500 sentences to joined/a.parquet" in err
    found = fastw2v.phrases(sentences_with_phrases(), **OPTIONS)
    assert pq.read_table("joined/a.parquet")["tokens"].to_pylist() == list(found)
    assert len(found) == 500
    lines = [line.split("\t") for line in Path("a.txt").read_text().splitlines()]
    assert [(phrase, int(count), float(score)) for phrase, count, score in lines] == found.found
    assert "bank~of~the~west0" in dict(zip(*list(zip(*lines, strict=True))[:2], strict=True))
    assert any(phrase.phrase.count("~") == 2 and phrase.phrase[0] == "p" for phrase in found.found)
    assert repr(found).startswith("<Phrases: 500 sentences with ")
    found.save("joined/b.parquet")
    found.save_list(Path("b.txt"))
    assert Path("joined/b.parquet").read_bytes() == Path("joined/a.parquet").read_bytes()
    assert Path("b.txt").read_bytes() == Path("a.txt").read_bytes()


def test_phrases__writes_what_train_reads(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fastw2v.phrases("corpus.parquet", "joined/c.parquet", threshold=20)
    assert pq.ParquetFile("joined/c.parquet").schema_arrow.field("tokens").type == pa.list_(
        pa.field("element", pa.string())
    )
    corpus = read_corpus("joined/c.parquet", min_count=1)
    tokens = [corpus.vocabulary.words[i] for i in corpus.ids.tolist()]
    assert tokens == [token for sentence in found for token in sentence]


SOURCES: dict[str, Any] = {
    "lists": lambda rows: pa.table({"tokens": rows}),
    "texts": lambda rows: pa.table({"text": [" ".join(row) for row in rows]}),
    "groups": lambda rows: pa.table(
        {
            "session": [n for n, row in enumerate(rows) for _ in row],
            "word": [word for row in rows for word in row],
        }
    ),
    "objects": lambda rows: iter(rows),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_phrases__of_any_source(kind: str) -> None:
    rows = sentences_with_phrases(200)
    expected = list(fastw2v.phrases(rows, threshold=20))
    grouping = {"group_by": "session"} if kind == "groups" else {}
    assert list(fastw2v.phrases(SOURCES[kind](rows), threshold=20, **grouping)) == expected
    assert expected != rows


def test_phrases__leaves_out_empty_rows_and_stop_words() -> None:
    rows = [["A", "b"], [], ["x"], ["a", "x", "B"]] * 9
    found = fastw2v.phrases(rows, threshold=0.1, min_count=1, lowercase=True, stop_words=["x"])
    assert list(found) == [["a_b"], ["a_b"]] * 9


def test_phrases__without_any_says_so(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--threshold", "1e9", "--save-phrases", "p.txt", "-o", "joined/n.parquet"]
    code, _, err = run(capfd, "phrases", "corpus.txt", *arguments)
    assert code == 0
    assert "no pair of words scores enough" in err
    assert Path("p.txt").read_text() == ""
    assert pq.read_table("joined/n.parquet")["tokens"].to_pylist() == sentences_with_phrases()


def test_phrases__quiet_says_nothing_and_streams_go_on(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capfd, "phrases", "corpus.txt", "--save-phrases", "/dev/stdout", "-q")
    assert (code, err) == (0, "")
    assert out.startswith("p")
    assert out.splitlines()[0].count("\t") == 2


def test_phrases__takes_every_option_of_reading() -> None:
    """Python and the command, by the short names of those of phrases."""
    fields = set(ReadConfig.__dataclass_fields__) - {"min_count", "max_vocab", "ids"}  # of a vocabulary
    fields -= {"weight", "global_context"}  # phrases are of a corpus without either
    expected = {SHORT.get(name, name) for name in fields}
    assert set(PhraseArguments.__annotations__) == expected
    files = {"keep_list": "keep_words", "stop_list": "stop_words"}
    taken = {
        files.get(parameter.name or "", parameter.name) for parameter in cli.cli.commands["phrases"].params
    }
    assert expected <= taken


REFUSED = {
    "no corpus given": [],
    "nothing to write": ["corpus.txt"],
    "give a name that ends in .parquet": ["corpus.txt", "-o", "a.txt"],
    "-o corpus.parquet would replace what is read as": ["corpus.parquet", "-o", "corpus.parquet"],
    "-o a.parquet would be part of the corpus .,": [".", "-o", "a.parquet"],
    "-o joined/a.parquet would be part of the corpus *": ["joined/../*/*.parquet", "-o", "joined/a.parquet"],
    "two outputs have the same name": ["corpus.txt", "-o", "a.parquet", "--save-phrases", "a.parquet"],
    "there is no folder no": ["corpus.txt", "-o", "no/a.parquet"],
    "--passes is 0: it must be from 1 to 10": ["corpus.txt", "-o", "a.parquet", "--passes", "0"],
    "--min-count is 0: it must be at least 1": ["corpus.txt", "-o", "a.parquet", "--min-count", "0"],
    "--threshold is -1: it must be above 0 with --scoring word2phrase": [
        *("corpus.txt", "-o", "a.parquet", "--threshold", "-1"),
    ],
    "scores of --scoring npmi are from -1 to 1": [
        *("absent.txt", "-o", "a.parquet", "--threshold", "2", "--scoring", "npmi"),
    ],
    "-o - names no file": ["corpus.txt", "-o", "-"],
    "4 workers need at least": [
        *("corpus.txt", "-o", "a.parquet", "--memory-limit", "1MB", "--threads", "4"),
    ],
    "did you mean --delimiter?": ["corpus.txt", "-o", "a.parquet", "--glue", "-"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_phrases__refuses_in_one_line(folder: Path, capfd: pytest.CaptureFixture[str], message: str) -> None:
    before = sorted(folder.rglob("*"))
    code, out, err = run(capfd, "phrases", *REFUSED[message])
    assert code in (2, 5)
    assert (out, err.count("\n")) == ("", 1)
    assert message.replace("corpus *", "corpus joined/../*/*.parquet") in err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passes": 0}, "passes is 0: it must be from 1 to 10"),
        ({"threshold": -1}, "threshold is -1: it must be above 0 with scoring word2phrase"),
        ({"scoring": "pmi"}, "scoring is 'pmi': it must be one of word2phrase, gensim, npmi"),
        ({"common_terms": ["of"]}, "common_terms is no option of phrases; did you mean connector_words?"),
        ({"connector_words": ["of the"]}, "a word of connector_words is 'of the'"),
        ({"connector_words": 3}, "connector_words is 3: it must be a text"),
        ({"verbose": 1}, "verbose is 1"),
        ({"threads": 0}, "threads is 0"),
        ({"output": "no/x.parquet"}, "there is no folder no"),
    ],
)
def test_phrases__refuses_in_python(options: dict[str, Any], message: str) -> None:
    with pytest.raises(fastw2v.errors.FastW2VError) as caught:
        fastw2v.phrases([["a", "b"]], **options)
    assert message in str(caught.value)


def test_save_list__refuses_what_parts_a_line(tmp_path: Path) -> None:
    found = fastw2v.phrases([["a\tb", "c"]] * 9, threshold=0.1, min_count=1)
    with pytest.raises(UsageError, match="leave out save_phrases"):
        found.save_list(tmp_path / "p.txt")
    assert list(tmp_path.iterdir()) == []


def test_phrases__connector_words_are_a_text_or_a_set() -> None:
    rows = sentences_with_phrases(200)
    expected = fastw2v.phrases(rows, threshold=20, connector_words="of the").found
    assert fastw2v.phrases(rows, threshold=20, connector_words={"the", "of"}).found == expected
    assert fastw2v.phrases(rows, threshold=20, connector_words="english").found == expected
    assert fastw2v.phrases(rows, threshold=20).found != expected


def test_phrases__in_little_memory_are_the_same(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, more in (
        ("a", []),
        ("b", ["--memory-limit", "440MB", "--threads", "2", "--cache-dir", "kept"]),
    ):
        assert run(capfd, "phrases", "corpus.txt", "-o", f"joined/{name}.parquet", *TYPED, *more)[0] == 0
    assert Path("joined/a.parquet").read_bytes() == Path("joined/b.parquet").read_bytes()
    _, _, err = run(capfd, "phrases", "corpus.txt", "-o", "joined/c.parquet", *TYPED, "--cache-dir", "kept")
    assert "found the encoded corpus" in err
    assert Path("joined/a.parquet").read_bytes() == Path("joined/c.parquet").read_bytes()


# ---- On the way to vectors ---------------------------------------------------------------------------------

SMALL: dict[str, Any] = {"dim": 4, "epochs": 2, "threads": 1, "backend": "reference", "sample": 0.0}
PHRASES: dict[str, Any] = {
    "phrases": 2,
    "phrase_threshold": 20.0,
    "connector_words": "of the",
    "phrase_delimiter": "~",
}


@pytest.mark.slow
@pytest.mark.parametrize("min_count", [1, 12])
def test_train__with_phrases_is_training_on_the_joined_corpus(
    folder: Path, capfd: pytest.CaptureFixture[str], min_count: int
) -> None:
    """To the byte, and so the words and their order, too."""
    options = SMALL | {"min_count": min_count}
    fastw2v.phrases("corpus.txt", "joined/a.parquet", **OPTIONS)
    expected = fastw2v.train("joined/a.parquet", **options)
    actual = fastw2v.train("corpus.txt", **options, **PHRASES)
    assert actual.words == expected.words
    assert any("~" in word for word in actual.words)
    assert actual.center_vectors.tobytes() == expected.center_vectors.tobytes()
    typed = [f"--{name.replace('_', '-')}={value}" for name, value in (options | PHRASES).items()]
    assert run(capfd, "train", "corpus.txt", "-o", "v.npy", *typed)[0] == 0
    assert np.load("v.npy").tobytes() == expected.center_vectors.tobytes()


def test_train__phrases_alone_are_one_pass(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capfd, "train", "corpus.txt", "--phrases", "--dry-run", "--phrase-threshold", "20")
    assert code == 0
    assert "joined " in err
    assert run(capfd, "vocab", "corpus.txt", "--phrases", "--phrase-threshold", "20", "-n", "300")[1].count(
        "p1_q1"
    )


@pytest.mark.parametrize("options", [{}, {"max_vocab": 20}, {"min_count": 12}])
def test_read_corpus__limits_are_of_words_and_phrases(options: dict[str, Any]) -> None:
    rows = sentences_with_phrases()
    joined = list(fastw2v.phrases(rows, threshold=20))
    options = {"min_count": 1} | options
    expected = read_corpus(joined, **options)
    actual = read_corpus(rows, phrases=1, phrase_threshold=20, **options)
    assert actual.vocabulary.words == expected.vocabulary.words
    assert actual.vocabulary.counts.tolist() == expected.vocabulary.counts.tolist()
    assert actual.ids.tobytes() == expected.ids.tobytes()
    assert actual.offsets.tobytes() == expected.offsets.tobytes()
    assert actual.n_words_read == expected.n_words_read


@pytest.mark.slow
def test_train__with_phrases_resumes_to_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "CALL_SECONDS", 0.0)
    options = SMALL | PHRASES | {"min_count": 1}
    expected = fastw2v.train("corpus.txt", **options)

    def stop(moment: Moment) -> bool:
        return moment.progress.share > 0.3

    fastw2v.train("corpus.txt", checkpoint="kept", checkpoint_every="500 words", on_epoch=stop, **options)
    with pytest.raises(UsageError, match="phrases is 1, but the run to go on with has 2"):
        fastw2v.train(resume="kept", phrases=1)
    actual = fastw2v.train(resume="kept")
    assert actual.words == expected.words
    assert actual.center_vectors.tobytes() == expected.center_vectors.tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phrase_threshold": 5}, "phrase_threshold is 5.0, but phrases is 0: set phrases to 1, or leave"),
        ({"connector_words": "of"}, "connector_words is 'of', but phrases is 0"),
        (
            {"phrases": 1, "phrase_scoring": "npmi", "phrase_threshold": 1.5},
            "phrase_threshold is 1.5: scores",
        ),
        ({"phrases": 11}, "phrases is 11: it must be from 0 to 10"),
        (
            {"phrases": 1, "vocabulary": fastw2v.vocabulary.Vocabulary(["a", "b"], np.array([2, 1]))},
            "the given vocabulary has not",
        ),
    ],
)
def test_train__refuses_phrases_that_come_to_nothing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        fastw2v.train([["a", "b"]] * 9, **SMALL, min_count=1, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_read_shared_corpus__phrases_are_those_of_one_process(n_ranks: int, folder: Path) -> None:
    options: dict[str, Any] = {"min_count": 1, "phrases": 1, "phrase_threshold": 20}
    expected = read_corpus("corpus.parquet", **options)
    parts = run_ranks(n_ranks, lambda one: read_shared_corpus("corpus.parquet", one, **options))
    alone = read_shared_corpus(expected, SingleProcess()).fingerprint
    assert {part.fingerprint for part in parts} == {alone}
    assert all(part.corpus.vocabulary.words == expected.vocabulary.words for part in parts)
    assert sum(len(part.corpus.ids) for part in parts) == len(expected.ids)


def test_train__phrases_that_leave_one_word_are_told() -> None:
    with pytest.raises(UsageError, match="1 words and phrases occur at least min_count = 5 times"):
        fastw2v.train([["a", "b"]] * 30, **SMALL, phrases=1, phrase_threshold=0.1)


@pytest.mark.parametrize("options", [{}, {"connector_words": "of the"}, OPTIONS], ids=str)
def test_join__does_to_any_sentence_what_was_done_to_the_corpus(options: dict[str, Any]) -> None:
    rows = sentences_with_phrases()
    found = fastw2v.phrases(rows, **{"threshold": 20} | options)
    assert [found.join(row) for row in rows] == list(found) != rows
    assert found.join(()) == []
    pair = found.join(("unknown", "p1", "q1"))
    assert pair in (["unknown", "p1_q1"], ["unknown", "p1~q1"])


def test_phrases__of_a_corpus_that_is_read() -> None:
    rows = sentences_with_phrases(100)
    corpus = read_corpus(rows, min_count=1)
    assert list(fastw2v.phrases(corpus, threshold=20)) == list(fastw2v.phrases(rows, threshold=20))
    with pytest.raises(UsageError, match="lowercase is of reading"):
        fastw2v.phrases(corpus, lowercase=True)


@pytest.mark.slow
def test_train__the_configuration_beside_vectors_joins_them_again(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = [f"--{name.replace('_', '-')}={value}" for name, value in (SMALL | PHRASES).items()]
    assert run(capfd, "train", "corpus.txt", "-o", "v.npy", *typed)[0] == 0
    assert run(capfd, "train", "--config", "v.config.toml", "-o", "w.npy")[0] == 0
    assert Path("v.npy").read_bytes() == Path("w.npy").read_bytes()
    monkeypatch.setenv("FASTW2V_TRAIN_PHRASES", "2")
    typed = [option for option in typed if not option.startswith("--phrases")]
    assert run(capfd, "train", "corpus.txt", "-o", "x.npy", *typed)[0] == 0
    assert Path("v.npy").read_bytes() == Path("x.npy").read_bytes()


def test_train__a_corpus_that_is_read_takes_no_phrases() -> None:
    with pytest.raises(UsageError, match="phrases is of reading"):
        fastw2v.train(read_corpus([["a", "b"]] * 9, min_count=1), **SMALL, phrases=1)


# ---- The page ----------------------------------------------------------------------------------------------

COMMANDS = [shlex.split(line, comments=True) for line in PAGE.splitlines() if line.startswith("    fastw2v ")]


def test_page__commands_do_what_they_say(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One after the other, as the page has them."""
    assert len(COMMANDS) > 6
    for command in COMMANDS:
        more = ["--dim", "4", "--epochs", "1", "--threads", "1"] if command[1] == "train" else []
        code, _, err = run(capfd, *command[1:], *more)
        assert code == 0, err
    assert "p1_q1" in Path("phrases.txt").read_text()


def test_page__python_does_what_it_says(folder: Path) -> None:
    [snippet] = [part.partition("```")[0] for part in PAGE.split("```python\n")[1:]]
    names: dict[str, Any] = {"fastw2v": fastw2v}
    exec(
        snippet.replace("passes=2,", "passes=2, threshold=20,").replace("phrases=2,", "phrases=1, dim=4,"),
        names,
    )
    assert names["sentences"] == pq.read_table("joined.parquet")["tokens"].to_pylist()
