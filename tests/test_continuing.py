"""`--save-model` and `--continue`: a model goes on with new text, from the command line and from Python."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError, FastW2VError, OutputError, UsageError
from fastw2v.run.saved_model import FILES, KEY, MANIFEST, read_model
from fastw2v.training import budget, spans
from fastw2v.training.checkpoint.sealed import checksum
from fastw2v.training.step_size import auto_learning_rate, continued_learning_rate

QUICK: dict[str, Any] = {"dim": 6, "epochs": 2, "threads": 1, "sample": 0.0, "window": 3}
OPTIONS = ["--dim", "6", "--epochs", "2", "--threads", "1", "--sample", "0", "--window", "3", "-q"]
AGAIN = ["--epochs", "2", "--threads", "1", "-q"]


def rows_of(seed: int, n_words: int, first: int = 0) -> list[list[str]]:
    """Sentences of words w0, w1, ..., the low ones more frequent."""
    rng = np.random.default_rng(seed)
    numbers = (n_words * rng.random((150, 12)) ** 3).astype(int) + first
    return [[f"w{number}" for number in row] for row in numbers]


OLD, NEW = rows_of(1, 300), rows_of(2, 300, first=20)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with old and new text and a model of the old one."""
    monkeypatch.chdir(tmp_path)
    for name, rows in (("old", OLD), ("new", NEW)):
        pq.write_table(pa.table({"text": [" ".join(row) for row in rows]}), f"{name}.parquet")
    shutil.copytree(model_of_old(tmp_path), "model")
    return tmp_path


MADE: list[Path] = []


def model_of_old(tmp_path: Path) -> Path:
    """A folder with a model of the old text, made once."""
    if not MADE:
        fastw2v.train(OLD, save_model=tmp_path / "made", **QUICK)
        MADE.append(tmp_path / "made")
    return MADE[0]


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str]:
    """Exit code and stderr of `fastw2v train` in this process."""
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", *map(str, arguments)])
    captured = capfd.readouterr()
    assert captured.out == ""
    return stop.value.code, captured.err


def same(first: fastw2v.Embeddings, second: fastw2v.Embeddings) -> bool:
    return first.words == second.words and all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("center_vectors", "outside_vectors", "counts")
    )


def counted(*texts: list[list[str]]) -> Counter[str]:
    return Counter(word for rows in texts for row in rows for word in row)


# --- what is kept -------------------------------------------------------------------------------------------


def test_save_model__holds_all_there_is(folder: Path) -> None:
    embeddings = fastw2v.train(OLD, save_model="second", **QUICK)
    model = read_model(Path("second"))
    assert same(model.embeddings(), embeddings)
    tally = model.tally()
    assert dict(zip(tally.words.to_pylist(), tally.counts.tolist(), strict=True)) == counted(OLD)
    assert len(tally) > len(embeddings)
    assert model.options["window"] == 3
    n_tokens = int(embeddings.counts.sum()) if embeddings.counts is not None else 0
    assert [training[:3] for training in model.trainings] == [(1800, 2 * n_tokens, 0.1)]
    assert sorted(path.name for path in Path("second").iterdir()) == sorted([*FILES, MANIFEST])
    np.testing.assert_array_equal(np.load("second/center.npy"), embeddings.center_vectors)


def test_continue__adds_counts_and_lets_words_join(folder: Path) -> None:
    """The words and counts of both texts at once; what was too rare in each of them is there."""
    embeddings = fastw2v.train(NEW, continue_from="model", save_model="second", epochs=2, threads=1)
    expected = {word: n for word, n in counted(OLD, NEW).items() if n >= 5}
    assert embeddings.counts is not None
    assert dict(zip(embeddings.words, embeddings.counts.tolist(), strict=True)) == expected
    rare = {word for word in expected if counted(OLD)[word] < 5 and counted(NEW)[word] < 5}
    assert len(rare) > 5
    second, first = read_model(Path("second")), read_model(Path("model"))
    assert second.trainings[:-1] == first.trainings
    assert second.n_tokens > first.n_tokens
    tally = second.tally()
    assert dict(zip(tally.words.to_pylist(), tally.counts.tolist(), strict=True)) == counted(OLD, NEW)


def test_continue__starts_where_the_model_ended(folder: Path) -> None:
    """With a step of next to nothing; words that are not in the new text are where they were, too."""
    before = read_model(Path("model")).embeddings()
    after = fastw2v.train(NEW, continue_from="model", epochs=1, threads=1, lr=1e-12, min_lr=0.0)
    assert len(after) > len(before)
    for word in before.words:
        np.testing.assert_allclose(after[word], before[word], atol=1e-6)
    assert after.outside_vectors is not None
    joined = [after.index[word] for word in after.words if word not in before]
    assert np.linalg.norm(after.outside_vectors[joined], axis=1).min() > 1e-3  # as their contexts say


def test_continue__command_and_python_are_the_same(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "old.parquet", "--save-model", "mine", "-o", "old.npy", *OPTIONS) == (0, "")
    assert same(read_model(Path("mine")).embeddings(), read_model(Path("model")).embeddings())
    code, _ = run(capfd, "new.parquet", "--continue", "mine", "--save-model", "next", "-o", "v.bin", *AGAIN)
    assert code == 0
    again = fastw2v.train("new.parquet", continue_from="model", save_model="third", epochs=2, threads=1)
    assert same(read_model(Path("next")).embeddings(), again)
    assert same(read_model(Path("third")).embeddings(), again)
    assert np.array_equal(fastw2v.load("v.bin").center_vectors, again.center_vectors)
    code, _ = run(capfd, "--config", "v.config.toml", "-o", "w.bin", "-q")  # which names the model
    assert Path("w.bin").read_bytes() == Path("v.bin").read_bytes()


def test_continue__says_what_becomes_of_the_words(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, err = run(capfd, "new.parquet", "--continue", "model", "--epochs", "1", "--min-count", "8")
    n_before = len(read_model(Path("model")).embeddings())
    words = {word for word, n in counted(OLD, NEW).items() if n >= 8}
    stay = words & set(read_model(Path("model")).embeddings().words)
    line = (
        f"{len(stay)} of {len(words)} words start as in model, {len(words - stay)} join from their contexts, "
        f"{n_before - len(stay)} leave"
    )
    assert (code, line in err) == (0, True), err
    assert "in all epochs after " in err
    assert "are few for" not in err


def test_continue__options_of_the_model_are_taken_and_new_ones_go_before(folder: Path) -> None:
    lists: dict[str, Any] = {"stop_words": {"w3"}, "lowercase": True, "min_count": 2, "negatives": 3}
    fastw2v.train(OLD, save_model="first", **QUICK, **lists)
    fastw2v.train(NEW, continue_from="first", save_model="second", negatives=4, threads=1, epochs=1)
    options = read_model(Path("second")).options
    assert [options[name] for name in ("dim", "window", "stop_words", "lowercase", "min_count")] == [
        *(6, 3, ["w3"], True, 2)
    ]
    assert options["negatives"] == 4


def test_continue__the_command_takes_lists_of_the_model(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("stop.txt").write_text("w21\nw22\n")
    lists = ["--stop-list", "stop.txt"]
    assert run(capfd, "old.parquet", "--save-model", "first", "-o", "a.txt", *OPTIONS, *lists)[0] == 0
    assert run(capfd, "new.parquet", "--continue", "first", "-o", "b.txt", *AGAIN)[0] == 0
    assert not {"w21", "w22"} & set(fastw2v.load("b.txt").words)


@pytest.mark.parametrize("options", [{"architecture": "cbow"}, {"loss": "softmax"}, {"kernel": "pair"}])
def test_continue__goes_with_every_loss_that_has_vectors_of_words(
    folder: Path, options: dict[str, Any]
) -> None:
    fastw2v.train(OLD, save_model="first", **QUICK, **options)
    embeddings = fastw2v.train(NEW, continue_from="first", epochs=1, threads=1)
    assert np.isfinite(embeddings.center_vectors).all()


def test_save_model__replaces_a_model_and_nothing_else(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = read_model(Path("model"))
    fastw2v.train(NEW, save_model="model", seed=7, **QUICK)
    assert read_model(Path("model")).n_words != before.n_words
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years")
    for target, message in (("mine", "is a folder of other files"), ("old.parquet", "is a file")):
        with pytest.raises(OutputError, match=message):
            fastw2v.train(OLD, save_model=target, **QUICK)
    assert Path("mine/thesis.txt").read_text() == "years"


def test_save_model__follows_a_link(folder: Path) -> None:
    Path("today").symlink_to("model")
    fastw2v.train(NEW, save_model="today", seed=7, **QUICK)
    assert Path("today").is_symlink()
    assert read_model(Path("model")).trainings == read_model(Path("today")).trainings
    assert not list(folder.glob(".fastw2v-*"))


def test_saved_model__that_was_replaced_meanwhile_is_an_error(folder: Path) -> None:
    model = read_model(Path("model"))
    fastw2v.train(OLD, save_model="model", **{**QUICK, "epochs": 1})
    with pytest.raises(CorpusError, match="it was replaced by another one while the text was read"):
        model.embeddings()


def test_save_model__without_counting_holds_the_words_of_the_vocabulary(folder: Path) -> None:
    corpus = read_corpus(OLD, min_count=9)
    for source, more in ((corpus, {}), (OLD, {"vocabulary": corpus.vocabulary})):
        fastw2v.train(source, save_model="first", **QUICK, **more)  # type: ignore[arg-type]
        assert read_model(Path("first")).tally().words.to_pylist() == corpus.vocabulary.words


def test_save_model__in_the_folder_of_the_corpus_is_no_text(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A manifest of the user's own beside words makes no model."""
    Path("days/mine").mkdir(parents=True)
    for name in ("days/old.parquet", "days/mine/words.parquet"):
        shutil.copy("old.parquet", name)
    Path("days/mine/model.json").write_text('{"model": {}}')
    assert run(capfd, "days", "--save-model", "days/model", "-o", "a.txt", *OPTIONS)[0] == 0
    code, err = run(capfd, "days", "-o", "b.txt", "--save-vocab", "b.vocab.txt", *OPTIONS[:-1])
    assert (code, "left out days/model/words.parquet: fastw2v wrote it" in err) == (0, True), err
    assert f"read {2 * 1800:,} words" in err


# --- step size ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_tokens", "n_before", "expected"),
    [(40e6, 45e6, 0.024), (1e6, 84e6, 0.0025), (80e6, 5e6, 0.047), (1e6, 1e6, 0.05)],
)
def test_continued_learning_rate__is_where_one_run_would_be(
    n_tokens: float, n_before: float, expected: float
) -> None:
    assert continued_learning_rate(n_tokens, n_before) == expected
    assert continued_learning_rate(n_tokens, 0) == auto_learning_rate(n_tokens)


# --- refused ------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, int, str]] = [
    ("--continue model --dim 7", 2, "dim is 7, but the model in model has 6: leave it out, or train a new"),
    ("--continue model --architecture cbow", 2, "architecture is cbow, but the model in model has skip-gram"),
    ("--continue model --loss softmax", 2, "loss is softmax, but the model"),
    ("--continue model --preset items", 2, "--preset does not go with --continue"),
    ("--continue model --init-vectors v.txt", 2, "--init-vectors does not go with --continue"),
    ("--continue model --read-vocab v.txt", 2, "--read-vocab does not go with --continue"),
    ("--continue model --minutes 1", 2, "with --minutes nobody knows them: give --lr too"),
    ("--continue model --phrases", 2, "join them first, by 'fastw2v phrases'"),
    ("--continue model --cache-dir kept", 2, "--cache-dir keeps no counts"),
    ("--save-model new --cache-dir kept", 2, "--cache-dir keeps no counts"),
    ("--save-model new --loss hierarchical-softmax", 2, "leave --save-model out"),
    ("--continue model --subwords 3-6", 2, "subwords is 3-6, but the model in model has None"),
    ("--continue ngrams --subwords 3-6", 2, "subwords is 3-6, but the model in ngrams has 2-4: leave it out"),
    (
        "--continue ngrams --subwords 2-4 --buckets 9",
        2,
        "buckets is 9, but the model in ngrams has 300",
    ),
    ("--save-model new --graph", 2, "leave --save-model out"),
    ("--continue model --save-model model", 2, "would replace what is read"),
    ("--continue old.parquet", 2, "holds no model (model.json): give a folder that --save-model wrote"),
    ("--continue absent", 2, "absent holds no model"),
    ("--save-model no/such", 5, "there is no folder no"),
    ("--save-model new.parquet", 2, "would replace what is read"),
    ("--save-model .", 5, "is a folder of other files"),
    ("--continue model --freeze center --lr 0.1 --min-lr 0.2", 2, "--min-lr is 0.2"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REFUSED, ids=[line[0] for line in REFUSED])
def test_train__what_does_not_go_together_is_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], arguments: str, code: int, message: str
) -> None:
    if "ngrams" in arguments:
        fastw2v.train(OLD, save_model="ngrams", **QUICK, **NGRAMS)
    before = sorted(folder.rglob("*"))
    actual, err = run(capfd, "new.parquet", "-q", *arguments.split())
    assert (actual, err.count("\n")) == (code, 1), err
    assert message in err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"continue_from": "model", "dim": 7}, "dim is 7, but the model in model has 6: leave out dim"),
        ({"continue_from": "model", "preset": "items"}, "preset does not go with continue_from"),
        ({"save_model": "new", "loss": "hierarchical-softmax"}, "leave save_model out"),
        ({"continue_from": "model", "save_model": "./model"}, "would replace the model that is gone on with"),
    ],
)
def test_train__python_refuses_the_same(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fastw2v.train(NEW, **options)


def test_train__a_corpus_that_is_read_has_not_the_words_of_the_model(folder: Path) -> None:
    with pytest.raises(UsageError, match="the corpus is read already"):
        fastw2v.train(read_corpus(NEW), continue_from="model")


# --- n-grams ------------------------------------------------------------------------------------------------

NGRAMS: dict[str, Any] = {"subwords": "2-4", "buckets": 300}
STILL: dict[str, Any] = {"epochs": 1, "threads": 1, "lr": 1e-12, "min_lr": 0.0}  # next to no step


def rows_by_word(vectors: fastw2v.Embeddings) -> dict[str, Any]:
    """The own rows of words, and all rows of n-grams as ""."""
    assert vectors.made_of is not None
    rows = vectors.made_of.rows
    return dict(zip(vectors.words, rows, strict=False)) | {"": rows[len(vectors) :]}


def test_save_model__holds_rows_of_ngrams(folder: Path) -> None:
    vectors = fastw2v.train(OLD, save_model="second", **QUICK, **NGRAMS)
    found = read_model(Path("second")).embeddings()
    assert same(found, vectors)
    assert found.made_of is not None
    assert vectors.made_of is not None
    assert found.made_of.spans == vectors.made_of.spans == (2, 4, 300)
    np.testing.assert_array_equal(found.made_of.rows, vectors.made_of.rows)
    assert sorted(path.name for path in Path("second").iterdir()) == sorted([*FILES, MANIFEST, "ngrams.npy"])
    np.testing.assert_array_equal(np.load("second/ngrams.npy"), vectors.made_of.rows)


@pytest.mark.parametrize("options", [{}, {"architecture": "cbow"}, {"kernel": "pair"}], ids=str)
def test_continue__of_ngrams_starts_where_the_model_ended(folder: Path, options: dict[str, Any]) -> None:
    """To the bit where nothing is stepped; words that join start as the vectors that the model gave them."""
    fastw2v.train(OLD, save_model="first", **QUICK, **NGRAMS, **options)
    before = read_model(Path("first")).embeddings()
    after = fastw2v.train(NEW, continue_from="first", save_model="second", freeze="center", **STILL)
    old, new = rows_by_word(before), rows_by_word(after)
    for word in ("", *before.words):
        np.testing.assert_array_equal(new[word], old[word])
    joined = [word for word in after.words if word not in before]
    assert len(joined) > 5
    for word in joined:
        np.testing.assert_allclose(after[word], before[word], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(new[word], before[word], rtol=1e-5, atol=1e-7)
    outside = after.of_outside()
    assert np.linalg.norm([outside[word] for word in joined], axis=1).min() > 1e-3  # as their contexts say
    again = rows_by_word(fastw2v.train(NEW, continue_from="second", freeze="center", **STILL))
    for word in new:
        np.testing.assert_array_equal(again[word], new[word])
    assert read_model(Path("second")).options["buckets"] == 300


def test_continue__of_ngrams_a_word_without_any_starts_at_random(folder: Path) -> None:
    """</s> has none."""
    fastw2v.train(OLD, save_model="first", **QUICK, **NGRAMS)
    rows = [[*row, "</s>"] for row in NEW]
    own = rows_by_word(fastw2v.train(rows, continue_from="first", freeze="center", **STILL))["</s>"]
    assert 0 < np.abs(own).max() <= 0.5 / 6


def test_continue__of_ngrams_says_where_words_start(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fastw2v.train(OLD, save_model="first", **QUICK, **NGRAMS)
    code, err = run(capfd, "new.parquet", "--continue", "first", "-o", "v.fasttext", *AGAIN[:-1])
    assert (code, " join from their n-grams and contexts" in err) == (0, True), err
    assert fastw2v.load("v.fasttext").made_of is not None


def test_train__starts_from_ngrams_that_are_given(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By a file of fastText's, too; of others than these n-grams it is refused."""
    before = fastw2v.train(OLD, **QUICK, **NGRAMS)
    before.save("v.fasttext")
    still: dict[str, Any] = {**STILL, "freeze": "center", "dim": 6, "sample": 0.0}
    after = fastw2v.train(NEW, init=before, **still, **NGRAMS)
    for word, own in rows_by_word(after).items():
        expected = rows_by_word(before)[word] if not word or word in before else before[word]
        np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-7)
    loaded = fastw2v.train(NEW, init=fastw2v.load("v.fasttext"), **still, **NGRAMS)
    assert same(loaded, after)
    whole = fastw2v.train(NEW, init=before, **still)
    assert all(np.array_equal(whole[word], before[word]) for word in whole.words if word in before)
    arguments = ["new.parquet", "--init-vectors", "v.fasttext", "--dim", "6", "-o", "w.txt", "-q"]
    code, err = run(capfd, *arguments, "--subwords", "3-6")
    assert (code, err.count("\n")) == (2, 1), err
    assert "have n-grams of 2-4 characters in 300 --buckets: set --subwords to 2-4 and --buckets to" in err
    assert run(capfd, *arguments, "--subwords", "2-4", "--buckets", "300")[0] == 0
    before.made_of.rows[-1] = np.nan  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="NaN or infinity in a row of n-grams"):
        fastw2v.train(NEW, init=before, **still, **NGRAMS)


def test_train__endless_does_not_go_on_with_ngrams(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fastw2v.train(OLD, save_model="first", **QUICK, **NGRAMS)
    fastw2v.train(OLD, save_model="second", loss="softmax", **QUICK)
    for name, option in (("first", "--subwords 2-4"), ("second", "--loss softmax")):
        code, err = run(capfd, "new.parquet", "--endless", "--continue", name, "-o", "v.txt", "-q")
        assert (code, err.count("\n")) == (2, 1), err
        assert f"the model has {option}" in err


# --- damage -------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def renew(path: Path) -> None:
    """A later version's manifest, with a right checksum."""
    fields = json.loads(path.read_text())[KEY] | {"format": 2}
    path.write_text(json.dumps({KEY: fields, "sha256": checksum(fields)}))


def forge(path: Path) -> None:
    """More rows than words, with a right checksum."""
    fields = json.loads(path.read_text())[KEY] | {"n_words": 10**6}
    path.write_text(json.dumps({KEY: fields, "sha256": checksum(fields)}))


DAMAGES: list[tuple[Any, str, str]] = [
    *((damage, name, name) for name in FILES for damage in (flip, cut)),
    *((Path.unlink, name, "cannot be read (No such file") for name in FILES),
    (flip, MANIFEST, "is damaged"),
    (renew, MANIFEST, "format 2 is not 1, use the fastw2v that wrote it"),
    (forge, MANIFEST, "1000000 rows of"),
]


@pytest.mark.parametrize(
    ("damage", "name", "message"),
    DAMAGES,
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_continue__a_damaged_model_is_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], damage: Any, name: str, message: str
) -> None:
    damage(Path("model") / name)
    code, err = run(capfd, "new.parquet", "--continue", "model", "--save-model", "second", "-q")
    assert (code, err.count("\n")) == (3, 1), err
    assert "model: the model" in err
    assert message in err
    assert not Path("second").exists()


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_continue__damaged_rows_of_ngrams_are_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], damage: Any
) -> None:
    fastw2v.train(OLD, save_model="first", **QUICK, **NGRAMS)
    damage(Path("first/ngrams.npy"))
    code, err = run(capfd, "new.parquet", "--continue", "first", "--save-model", "second", "-q")
    assert (code, err.count("\n")) == (3, 1), err
    assert "first: the model" in err
    assert not Path("second").exists()


# --- going on with a run that goes on -----------------------------------------------------------------------


def test_resume__of_a_continued_run_gives_the_same_bytes(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["new.parquet", "--continue", "model", "--epochs", "3", "--threads", "1", "--save-model"]
    assert run(capfd, *options, "whole", "-o", "whole.bin", "-q")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(spans, "CALL_SECONDS", 0.0)
        plain = budget.Epochs.progress

        def progress(epochs: Any, position: Any, *arguments: Any) -> Any:
            if position.epoch == 2:
                raise KeyError("stop")  # anything that is not expected
            return plain(epochs, position, *arguments)

        patch.setattr(budget.Epochs, "progress", progress)
        every = ["--checkpoint", "kept", "--checkpoint-every", "1 words"]
        with pytest.raises(KeyError):
            cli.main(["train", *options, "part", "-o", "part.bin", "-q", *every])
    capfd.readouterr()
    assert not Path("part").exists()
    assert run(capfd, "--resume", "kept", "-q") == (0, "")
    assert Path("part.bin").read_bytes() == Path("whole.bin").read_bytes()
    for name in FILES:
        assert (Path("part") / name).read_bytes() == (Path("whole") / name).read_bytes()
    assert read_model(Path("part")).trainings == read_model(Path("whole")).trainings
    shutil.copytree("model", "other")
    code, err = run(capfd, "--resume", "kept", "--continue", "other", "-q")
    assert (code, "but the run to go on with has" in err) == (2, True)
    fastw2v.train(NEW, save_model="model", **QUICK)  # the model is another one
    code, err = run(capfd, "--resume", "kept", "-q")
    assert (code, "the vocabulary is not that of the run" in err) == (2, True)


def test_resume__in_python_goes_on_with_the_model(folder: Path) -> None:
    options: dict[str, Any] = {"continue_from": "model", "epochs": 2, "threads": 1, "save_model": "second"}
    whole = fastw2v.train("new.parquet", **options)

    def stop(moment: fastw2v.Moment) -> bool:
        return moment.epoch == 1

    fastw2v.train("new.parquet", checkpoint="kept", checkpoint_every="1 words", on_epoch=stop, **options)
    assert same(fastw2v.train(resume="kept"), whole)
    assert same(read_model(Path("second")).embeddings(), whole)


def test_train__errors_are_its_own(folder: Path) -> None:
    with pytest.raises(FastW2VError, match="nowhere holds no model"):
        fastw2v.train(NEW, continue_from="nowhere")
