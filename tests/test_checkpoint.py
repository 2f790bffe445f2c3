"""A run that stops anywhere goes on from its checkpoint as if it had not, or is refused with one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastw2v.config import TrainConfig
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError, DivergedError, OutputError, UsageError
from fastw2v.model.arrays import UNIT, Totals, Vectors
from fastw2v.model.plan import NegativeSampling, Softmax
from fastw2v.training import loop, spans
from fastw2v.training.checkpoint import manifest, matrices, sealed
from fastw2v.training.checkpoint.checkpointer import Checkpointer, Interval, RunIdentity, parse_interval
from fastw2v.training.checkpoint.folder import Folder
from fastw2v.training.checkpoint.manifest import fingerprints
from fastw2v.training.hooks import Position, Progress
from fastw2v.training.matrices import aligned_zeros
from fastw2v.vectors import formats
from tests.chains import chain_corpus

CORPUS = chain_corpus(40, 3 * UNIT + 100)[0]
OBJECTIVE = NegativeSampling(5, np.zeros(0, np.uint64))
EVERY_CALL = Interval(words=1)


class Stop(Exception):
    """The end of a run in the middle."""


class Stopping(Checkpointer):
    """Writes checkpoints of a run that stops at a position."""

    stop = (-1, -1)

    def is_due(self, progress):
        return True

    def when_due(self, moment, position):
        if super().is_due(moment.progress):
            super().when_due(moment, position)
        if (position.epoch, position.unit) == self.stop:
            raise Stop


@pytest.fixture(autouse=True)
def _calls_of_one_unit(monkeypatch):
    monkeypatch.setattr(spans, "CALL_SECONDS", 0.0)


def run_of(config, corpus=CORPUS, **options):
    return RunIdentity(config, corpus, fingerprints(corpus), options)


def train_in(path, config, corpus=CORPUS, *, stop=(-1, -1), interval=EVERY_CALL):
    """Train with checkpoints in a folder, from the newest there if there is one."""
    with Folder(path) as folder:
        saved = folder.newest(pytest.fail) if folder.checkpoints() else None
        checkpointer = Stopping(folder, interval, run_of(config, corpus), saved)
        checkpointer.stop = stop
        return loop.train(corpus, config, [checkpointer])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def same_bytes(actual, expected):
    return (
        actual.center_vectors.tobytes() == expected.center_vectors.tobytes()
        and actual.outside_vectors.tobytes() == expected.outside_vectors.tobytes()
    )


@pytest.fixture
def kept(tmp_path):
    """A folder with the two newest checkpoints of a run that was stopped."""
    with pytest.raises(Stop):
        train_in(tmp_path / "kept", TrainConfig(dim=8, threads=1, epochs=2), stop=(0, 3))
    return tmp_path / "kept"


def open_newest(path):
    """The checkpoint that a resumed run would take, and what it would warn of."""
    warnings = []
    with Folder(path) as folder:
        return folder.newest(warnings.append), warnings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", Interval(seconds=30)),
        ("5m", Interval(seconds=300)),
        ("2h", Interval(seconds=7200)),
        ("1000000 words", Interval(words=1_000_000)),
        (" 7words ", Interval(words=7)),
    ],
)
def test_parse_interval__units(text, expected):
    assert parse_interval(text) == expected


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "0m", "-1s", "1.5m", "m", "5M", "9" * 30 + "s"])
def test_parse_interval__shows_the_grammar(text):
    with pytest.raises(UsageError, match=r"must be like 30s, 5m \(minutes\), 2h or '1000000 words'"):
        parse_interval(text)


@pytest.mark.parametrize("kernel", ["pair", "block"])
def test_checkpoints__a_run_stopped_anywhere_ends_with_the_same_bytes(tmp_path, kernel):
    config = TrainConfig(dim=20, threads=1, epochs=2, kernel=kernel)
    expected = loop.train(CORPUS, config)
    for stop in [(0, 1), (0, 4), (1, 2), (1, 4)]:
        path = tmp_path / f"{stop}"
        with pytest.raises(Stop):
            train_in(path, config, stop=stop)
        actual = train_in(path, config)
        assert same_bytes(actual.embeddings, expected.embeddings), stop
        assert (actual.pairs, actual.kept_words) == (expected.pairs, expected.kept_words)


@pytest.mark.slow
def test_checkpoints__a_deterministic_run_goes_on_with_other_threads_to_the_same_bytes(tmp_path):
    config = TrainConfig(dim=20, threads=2, epochs=2, deterministic=True)
    corpus = chain_corpus(40, 20 * UNIT)[0]
    with pytest.raises(Stop):
        train_in(tmp_path / "kept", config, corpus, stop=(0, 16))
    actual = train_in(tmp_path / "kept", replace(config, threads=1), corpus)
    assert same_bytes(actual.embeddings, loop.train(corpus, config).embeddings)


def test_checkpoints__a_run_stopped_at_every_unit_ends_with_the_same_bytes(tmp_path):
    config = TrainConfig(dim=5, threads=1, epochs=1, backend="reference", kernel="block")
    corpus = chain_corpus(20, 2 * UNIT + 1)[0]
    for unit in (1, 2):
        with pytest.raises(Stop):
            train_in(tmp_path / "kept", config, corpus, stop=(0, unit))
    actual = train_in(tmp_path / "kept", config, corpus)
    assert same_bytes(actual.embeddings, loop.train(corpus, config).embeddings)


def test_checkpoints__padding_is_restored_as_zeros(kept):
    saved, _ = open_newest(kept)
    config = TrainConfig(dim=8, threads=1, epochs=2)
    with Folder(kept) as folder:
        vectors = Vectors(*(aligned_zeros(40, 8) for _ in range(2)))
        position = Checkpointer(folder, EVERY_CALL, run_of(config), saved).restore(vectors)
    assert (position.epoch, position.unit) == (0, 3)
    for matrix in vectors:
        assert matrix[:, :8].any()
        assert not matrix[:, 8:].any()


def test_checkpoints__two_newest_are_kept_and_nothing_else(kept):
    assert names(kept) == ["checkpoint-000002", "checkpoint-000003"]
    for path in kept.iterdir():
        assert names(path) == ["center.npy", "center.vocab.txt", "manifest.json", "outside.npy"]


def test_checkpoints__interval_in_words_and_the_end_of_the_run(tmp_path):
    config = TrainConfig(dim=8, threads=1, epochs=2)
    train_in(tmp_path / "kept", config, interval=Interval(words=2 * UNIT))
    assert names(tmp_path / "kept") == ["checkpoint-000003", "checkpoint-000004"]
    train_in(tmp_path / "end", config, interval=Interval(seconds=3600))
    assert names(tmp_path / "end") == ["checkpoint-000001"]


def test_checkpoints__a_finished_run_trains_nothing_more(tmp_path):
    config = TrainConfig(dim=8, threads=1, epochs=1)
    expected = train_in(tmp_path / "kept", config)
    before = names(tmp_path / "kept")
    actual = train_in(tmp_path / "kept", config)
    assert same_bytes(actual.embeddings, expected.embeddings)
    assert actual.train_seconds == expected.train_seconds
    assert names(tmp_path / "kept") == before


def test_checkpoints__vectors_are_a_file_that_others_read(kept):
    embeddings = formats.load(kept / "checkpoint-000003" / "center.npy")
    assert embeddings.words == CORPUS.vocabulary.words
    np.testing.assert_array_equal(
        embeddings.center_vectors, np.load(kept / "checkpoint-000003" / "center.npy", allow_pickle=False)
    )


def test_checkpoints__words_with_spaces_are_escaped(tmp_path):
    vocabulary = Vocabulary(["new york", *CORPUS.vocabulary.words[1:]], CORPUS.vocabulary.counts)
    config = TrainConfig(dim=4, threads=1, epochs=1)
    train_in(tmp_path / "kept", config, CORPUS._replace(vocabulary=vocabulary), interval=Interval(3600))
    path = tmp_path / "kept" / "checkpoint-000001" / "center.npy"
    assert formats.load(path, unescape=True).words[0] == "new york"


# --- damage ------------------------------------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def nest(path):
    path.write_text("[" * 100_000)


def swell(path):
    path.write_bytes(b" " * (sealed.MAX_BYTES + 1))


def forge(path):
    """A manifest with a right checksum and a position that is none."""
    fields = json.loads(path.read_text())["run"]
    fields["position"]["unit"] = -1
    path.write_text(json.dumps({"run": fields, "sha256": sealed.checksum(fields)}))


def renew(path):
    fields = json.loads(path.read_text())["run"] | {"format": 2}
    path.write_text(json.dumps({"run": fields, "sha256": sealed.checksum(fields)}))


@pytest.mark.parametrize(
    ("damage", "name", "reason"),
    [
        (cut, "center.npy", r"center\.npy has 1,407 bytes instead of 1,408"),
        (flip, "outside.npy", r"outside\.npy differs from its checksum"),
        (flip, "center.vocab.txt", r"center\.vocab\.txt differs from its checksum"),
        (flip, "manifest.json", "damaged"),
        (cut, "manifest.json", ""),
        (Path.unlink, "outside.npy", "cannot be read"),
        (Path.unlink, "manifest.json", "cannot be read"),
        (nest, "manifest.json", "damaged"),
        (swell, "manifest.json", "more than 1,048,576 bytes"),
        (forge, "manifest.json", "position"),
        (renew, "manifest.json", "format 2 is not 1, use the fastw2v that wrote it"),
    ],
)
def test_newest__damage_falls_back_to_the_one_before(kept, damage, name, reason):
    damage(kept / "checkpoint-000003" / name)
    if damage is cut and name == "manifest.json":  # only its line break went
        assert open_newest(kept)[0].path.name == "checkpoint-000003"
        return
    saved, warnings = open_newest(kept)
    assert saved.path.name == "checkpoint-000002"
    [warning] = warnings
    assert "checkpoint-000003" in warning
    assert "going on from checkpoint-000002" in warning
    with pytest.raises(CorpusError, match=reason):
        manifest.read_checkpoint(kept / "checkpoint-000003")


def test_newest__after_a_fallback_the_good_one_is_kept_not_the_damaged(kept):
    flip(kept / "checkpoint-000003" / "center.npy")
    config = TrainConfig(dim=8, threads=1, epochs=2)
    saved, _ = open_newest(kept)
    with Folder(kept) as folder:
        checkpointer = Stopping(folder, EVERY_CALL, run_of(config), saved)
        checkpointer.stop = (0, 3)
        with pytest.raises(Stop):
            loop.train(CORPUS, config, [checkpointer])
    assert names(kept) == ["checkpoint-000002", "checkpoint-000004"]
    assert same_bytes(train_in(kept, config).embeddings, loop.train(CORPUS, config).embeddings)


def test_newest__none_usable_is_one_line(kept, tmp_path):
    for path in kept.iterdir():
        flip(path / "center.npy")
    with pytest.raises(CorpusError, match=r"checkpoint-000003.*start again") as caught:
        open_newest(kept)
    assert "\n" not in str(caught.value)
    with pytest.raises(CorpusError, match="holds no checkpoint"):
        open_newest(tmp_path)


def test_read_matrix__refuses_other_shapes_types_and_pickles(tmp_path):
    matrix = np.zeros((3, 4), np.float32)
    for stored in (np.zeros((3, 5), "<f4"), np.zeros((3, 4), "<f8"), np.array([{}] * 3, dtype=object)):
        np.save(tmp_path / "m.npy", stored, allow_pickle=True)
        with pytest.raises(CorpusError, match=r"m\.npy: no matrix of this run"):
            matrices.read_matrix(tmp_path / "m.npy", matrix)
    np.save(tmp_path / "m.npy", np.ones((3, 4), "<f4"))
    cut(tmp_path / "m.npy")
    with pytest.raises(CorpusError, match="no matrix"):
        matrices.read_matrix(tmp_path / "m.npy", matrix)


# --- what must not change ----------------------------------------------------------------------------------


def test_fingerprints__tell_every_change():
    first, second = CORPUS.vocabulary.words[:2]
    rest, counts = CORPUS.vocabulary.words[2:], CORPUS.vocabulary.counts
    other_counts = counts + np.eye(1, 40, 39, dtype=np.int64)[0]
    vocabularies = [
        Vocabulary([second, first, *rest], counts),
        Vocabulary([first + second[0], second[1:], *rest], counts),  # the same letters
        Vocabulary([first, second, *rest], other_counts),
    ]
    corpora = [
        CORPUS._replace(ids=CORPUS.ids[::-1].copy()),
        CORPUS._replace(offsets=np.array([0, 5, len(CORPUS.ids)])),
        CORPUS._replace(n_words_read=1),
    ]
    expected = fingerprints(CORPUS)
    prints = [fingerprints(CORPUS._replace(vocabulary=vocabulary)) for vocabulary in vocabularies]
    assert {one.corpus for one in prints} == {expected.corpus}
    assert len({expected.vocabulary, *(one.vocabulary for one in prints)}) == 4
    prints = [fingerprints(corpus) for corpus in corpora]
    assert {one.vocabulary for one in prints} == {expected.vocabulary}
    assert len({expected.corpus, *(one.corpus for one in prints)}) == 4


@pytest.mark.parametrize("name", ["vocabulary", "corpus"])
def test_checkpoints__refuse_another_corpus_or_vocabulary(kept, name):
    saved, _ = open_newest(kept)
    run = run_of(TrainConfig(dim=8))
    run = run._replace(fingerprints=run.fingerprints._replace(**{name: "other"}))
    with Folder(kept) as folder, pytest.raises(UsageError, match=f"the {name} is not that of the run in"):
        Checkpointer(folder, EVERY_CALL, run, saved)


# --- the folder --------------------------------------------------------------------------------------------


def test_folder__is_of_one_process_at_a_time(tmp_path):
    with Folder(tmp_path), pytest.raises(OutputError, match="another run writes its checkpoints there"):
        Folder(tmp_path)
    with Folder(tmp_path):
        pass


def test_folder__a_new_run_does_not_take_the_place_of_another(kept):
    with Folder(kept) as folder, pytest.raises(UsageError, match=r"go on with it by --resume"):
        folder.require_unused()


def test_folder__removes_what_a_dead_run_left(tmp_path):
    leftover = tmp_path / ".fastw2v-0123456789ab.tmp"
    leftover.mkdir()
    (leftover / "center.npy").write_bytes(b"half")
    with Folder(tmp_path):
        assert names(tmp_path) == ["in-use"]
    assert names(tmp_path) == []


def test_folder__that_cannot_be_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "no" / "kept", Path("/proc/kept")):
        with pytest.raises(OutputError, match="cannot be a folder for checkpoints"):
            Folder(path)


# --- divergence --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e6])
def test_save__never_keeps_vectors_that_are_not_healthy(kept, wrong):
    before = {path: path.read_bytes() for path in kept.glob("*/*")}
    saved, _ = open_newest(kept)
    vectors = Vectors(*(aligned_zeros(40, 8) for _ in range(2)))
    vectors.outside[39, 7] = wrong
    with Folder(kept) as folder:
        checkpointer = Checkpointer(folder, EVERY_CALL, run_of(TrainConfig(dim=8)), saved)
        with pytest.raises(DivergedError):
            checkpointer.save(
                vectors, Position(0, 3, Totals(1.0, 1, 1)), Progress(5, 10, 1.0, 0.1, 1.0), OBJECTIVE
            )
    assert {path: path.read_bytes() for path in kept.glob("*/*")} == before


def test_require_healthy__sees_every_row_in_turn():
    vectors = Vectors(np.zeros((5000, 16), np.float32), np.zeros((5000, 16), np.float32))
    vectors.center[4999, 3] = np.nan
    found = []
    for n_calls in range(5):
        try:
            loop.require_healthy(vectors, 1.0, Softmax(), 0.1, n_calls)
        except DivergedError:
            found.append(n_calls)
    assert found == [4]
