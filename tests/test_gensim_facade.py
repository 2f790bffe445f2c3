"""fastw2v.gensim: gensim's classes, trained here, with its KeyedVectors and with those of the package."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.errors import CorpusError, NoPairWarning, UsageError
from fastw2v.gensim import (
    CallbackAny2Vec,
    FrozenPhrases,
    IdleArgumentWarning,
    KeyedVectors,
    Phrases,
    Word2Vec,
)
from fastw2v.gensim.arguments import CONSTRUCTOR, IDLE, config_of

SENTENCES = [["a", "b", "c"], ["a", "b"], ["a", "d", "c"], ["rare", "a"]] * 60
SETTINGS: dict[str, Any] = {"vector_size": 8, "min_count": 1, "sample": 0, "workers": 1, "epochs": 2}


@pytest.fixture(scope="module")
def model() -> Word2Vec:
    return Word2Vec(SENTENCES, sg=1, **SETTINGS)


def words_of(model: Word2Vec) -> dict[str, int]:
    return {word: int(model.wv.get_vecattr(word, "count")) for word in model.wv.index_to_key}


# ---- arguments -------------------------------------------------------------------------------------------


def test_arguments__are_those_of_gensim_with_its_defaults() -> None:
    gensim = pytest.importorskip("gensim")
    import inspect

    theirs = inspect.signature(gensim.models.Word2Vec).parameters
    assert {name: parameter.default for name, parameter in theirs.items()} == CONSTRUCTOR
    assert list(theirs) == list(inspect.signature(Word2Vec).parameters)


@pytest.mark.parametrize("name", sorted(IDLE.keys() & CONSTRUCTOR.keys()))
def test_arguments__without_effect_warn_by_name(name: str) -> None:
    given = {"hashfxn": len, "sorted_vocab": 0}.get(name, 7)
    with pytest.warns(IdleArgumentWarning, match=f"^{name}=") as warned:
        Word2Vec(**{name: given})
    assert [warning.filename for warning in warned] == [__file__]  # the line to change is the caller's


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"vector_size": 0}, ValueError, "vector_size is 0"),
        ({"alpha": -1}, ValueError, "alpha is -1"),
        ({"workers": 0}, ValueError, "workers is 0"),
        ({"cbow_mean": 0}, ValueError, "cbow_mean=0"),
        ({"negative": 0}, ValueError, "leave nothing to train"),
        ({"null_word": 1}, ValueError, "null_word=1"),
        ({"size": 100}, TypeError, "no argument size: since gensim 4 it is vector_size"),
        ({"windows": 5}, TypeError, "windows"),
        ({"sentences": "a text"}, TypeError, "corpus_file"),
        ({"sentences": (s for s in SENTENCES)}, TypeError, "generator"),
        ({"sentences": SENTENCES, "corpus_file": "c.txt"}, TypeError, "both"),
        ({"sentences": [[1, 2]]}, TypeError, "word 1 is a int"),
        ({"sentences": []}, RuntimeError, "no sentence"),
        ({"sentences": SENTENCES, "min_count": 1000}, RuntimeError, "no vocabulary"),
    ],
)
def test_arguments__that_cannot_be_used_are_refused_as_gensim_does(
    given: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        Word2Vec(**given)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sg": 1}, {"architecture": "skip-gram", "lr": 0.025, "min_lr": 1e-4, "negatives": 5, "seed": 1}),
        (
            {},
            {
                "architecture": "cbow",
                "cbow_gradient": "whole",
                "lr": 0.025,
                "min_lr": 1e-4,
                "loss": "negative-sampling",
            },
        ),
        ({"hs": 1, "negative": 0, "sg": 1}, {"loss": "hierarchical-softmax", "lr": 0.025}),
        ({"window": 3, "shrink_windows": False}, {"window": 3, "dynamic_window": False}),
        ({"workers": 2, "seed": 9, "ns_exponent": -1.0}, {"threads": 2, "seed": 9, "ns_exponent": -1.0}),
        ({"sample": 10}, {"sample": 26 / 1000}),  # 10 times the square of the golden section, of 1,000 words
    ],
)
def test_arguments__come_to_options_of_training(given: dict[str, Any], expected: dict[str, Any]) -> None:
    config = config_of(Word2Vec(**given), n_words=1000)
    assert {name: getattr(config, name) for name in expected} == pytest.approx(expected)


def test_hierarchical_softmax__says_that_it_is_alone() -> None:
    with pytest.warns(IdleArgumentWarning, match="hs=1 leaves negative=5 without effect") as warned:
        Word2Vec(hs=1)
    assert [warning.filename for warning in warned] == [__file__]


# ---- words -----------------------------------------------------------------------------------------------


def discard_a(word: str, count: int, min_count: int) -> int:
    return {"a": 1, "rare": 2}.get(word, 0)


@pytest.mark.parametrize(
    ("given", "rule", "expected"),
    [
        ({}, None, {"a": 240, "b": 120, "c": 120, "d": 60, "rare": 60}),
        ({"min_count": 61}, None, {"a": 240, "b": 120, "c": 120}),
        ({"min_count": 61}, discard_a, {"b": 120, "c": 120, "rare": 60}),
        ({"max_final_vocab": 3}, None, {"a": 240, "b": 120, "c": 120}),
        ({"max_final_vocab": 2}, None, {"a": 240}),  # of equal counts all go, as in gensim
    ],
)
def test_build_vocab__keeps_what_gensim_keeps(
    given: dict[str, Any], rule: Any, expected: dict[str, int]
) -> None:
    gensim = pytest.importorskip("gensim")
    found = []
    for kind in (Word2Vec, gensim.models.Word2Vec):
        model = kind(**{**SETTINGS, **given})
        model.build_vocab(SENTENCES, trim_rule=rule)
        found.append(
            (words_of(model), model.corpus_count, model.corpus_total_words, model.effective_min_count)
        )
    assert found[0] == found[1]
    assert found[0][0] == expected


@pytest.mark.parametrize("reads", ["sentences", "frequencies", "file"])
def test_build_vocab__adds_words_whose_vectors_stay(reads: str, tmp_path: Path) -> None:
    model = Word2Vec(SENTENCES, sg=1, **SETTINGS)
    before = model.wv["d"].copy(), model.syn1neg[3].copy()
    if reads == "frequencies":
        model.build_vocab_from_freq({"d": 900, "new": 1000}, update=True)
    elif reads == "file":
        path = tmp_path / "more"
        path.write_text("new new d d d new new\n")
        model.build_vocab(corpus_file=str(path), update=True)
    else:
        model.build_vocab([["new"] * 4, ["d"] * 3], update=True)
    assert model.wv.index_to_key == ["a", "b", "c", "d", "rare", "new"]
    assert words_of(model)["d"] > 60
    assert np.array_equal(model.wv["d"], before[0])
    assert np.array_equal(model.syn1neg[3], before[1])


def test_train__steps_the_rows_of_its_words_after_an_update() -> None:
    """Words that were added are last in the model, and first by count in the corpus."""
    model = Word2Vec(SENTENCES, sg=1, **SETTINGS)
    model.build_vocab([["new", "newer"]] * 500, update=True)
    before = model.wv.vectors.copy()
    model.train([["new", "newer"]] * 500, total_examples=500, epochs=1)
    changed = np.flatnonzero((before != model.wv.vectors).any(axis=1))
    assert {model.wv.index_to_key[place] for place in changed} == {"new", "newer"}


def test_sentences__of_texts_are_letters_with_a_warning() -> None:
    model = Word2Vec(**SETTINGS)
    with pytest.warns(IdleArgumentWarning, match="'human', read by letters"):
        model.build_vocab(["human", "mine"])
    assert set(model.wv.index_to_key) == set("humanmine")


# ---- training --------------------------------------------------------------------------------------------


def test_train__in_two_steps_is_training_at_once(model: Word2Vec) -> None:
    again = Word2Vec(sg=1, **SETTINGS)
    again.build_vocab(SENTENCES)
    trained = again.train(iter(SENTENCES), total_examples=again.corpus_count, epochs=again.epochs)
    assert trained == (1200, 1200)
    assert np.array_equal(again.wv.vectors, model.wv.vectors)
    assert np.array_equal(again.syn1neg, model.syn1neg)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"epochs": 1}, ValueError, "total_examples"),
        ({"total_examples": 4}, ValueError, "epochs"),
        ({"total_examples": 4, "epochs": 0}, ValueError, "epochs is 0"),
        ({"total_examples": 4, "epochs": 1}, RuntimeError, "no vocabulary"),
    ],
)
def test_train__asks_for_what_gensim_asks_for(
    given: dict[str, Any], kind: type[Exception], message: str
) -> None:
    empty = Word2Vec(**SETTINGS)
    if "no vocabulary" not in message:
        empty.build_vocab(SENTENCES)
    with pytest.raises(kind, match=message):
        empty.train(SENTENCES, **given)


def test_train__refuses_locked_words_and_foreign_vectors() -> None:
    model = Word2Vec(**SETTINGS)
    model.build_vocab(SENTENCES)
    model.wv.vectors_lockf = np.array([0, 1, 1, 1, 1], np.float32)
    with pytest.raises(ValueError, match="vectors_lockf"):
        model.train(SENTENCES, total_examples=4, epochs=1)
    model.wv = KeyedVectors.of(["a"], np.ones((1, 8), np.float32))
    with pytest.raises(RuntimeError, match="build_vocab"):
        model.train(SENTENCES, total_examples=4, epochs=1)


def test_train__of_a_toy_that_is_subsampled_away_warns() -> None:
    with pytest.warns(NoPairWarning, match="sample=1e-06"):
        model = Word2Vec([["a", "b"]] * 3, **(SETTINGS | {"sample": 1e-6}))
    assert model.wv.vectors.shape == (2, 8)


class Told(CallbackAny2Vec):
    """Notes what it is told, and what the model is then."""

    def __init__(self) -> None:
        self.moments: list[str] = []
        self.vectors: list[Any] = []
        self.losses: list[float] = []

    def on_train_begin(self, model: Word2Vec) -> None:
        self.moments.append("train begins")

    def on_epoch_begin(self, model: Word2Vec) -> None:
        self.moments.append("epoch begins")

    def on_epoch_end(self, model: Word2Vec) -> None:
        self.moments.append("epoch ends")
        self.vectors.append(model.wv.vectors.copy())
        self.losses.append(model.get_latest_training_loss())

    def on_train_end(self, model: Word2Vec) -> None:
        self.moments.append("train ends")


def test_callbacks__are_told_at_their_moments(model: Word2Vec) -> None:
    told = Told()
    again = Word2Vec(SENTENCES, sg=1, callbacks=[told], compute_loss=True, **SETTINGS)
    epoch = ["epoch begins", "epoch ends"]
    assert told.moments == ["train begins", *epoch, *epoch, "train ends"]
    assert not np.array_equal(*told.vectors)
    assert np.array_equal(told.vectors[1], model.wv.vectors)
    assert 0 < told.losses[0] < told.losses[1] == again.get_latest_training_loss()
    assert model.get_latest_training_loss() == 0  # it was not asked for


@pytest.mark.slow
@pytest.mark.parametrize("sg", [0, 1])
@pytest.mark.parametrize("hs", [0, 1])
def test_training__goes_on_from_where_it_was_saved(sg: int, hs: int, tmp_path: Path) -> None:
    """Also the inner nodes of hierarchical softmax, which are no vectors of words."""
    settings = SETTINGS | {"sg": sg, "hs": hs, "negative": 0 if hs else 5}
    model = Word2Vec(SENTENCES, **settings)
    assert (model.syn1 if hs else model.syn1neg).any()
    model.save(tmp_path / "m")
    loaded = Word2Vec.load(tmp_path / "m")
    more = {"total_examples": model.corpus_count, "epochs": 1}
    assert model.train(SENTENCES, **more) == loaded.train(SENTENCES, **more)
    assert np.array_equal(model.wv.vectors, loaded.wv.vectors)
    assert np.array_equal(model.outside_vectors, loaded.outside_vectors)


@pytest.mark.slow
@pytest.mark.parametrize("sg", [0, 1])
def test_training__learns_as_gensim_does(sg: int) -> None:
    """Words of two topics that never meet: near within a topic, far across, of both trainers."""
    gensim = pytest.importorskip("gensim")
    rng = np.random.default_rng(0)
    topics = [[f"{name}{i}" for i in range(20)] for name in "xy"]
    sentences = [list(rng.choice(topics[i % 2], 10)) for i in range(3000)]
    gaps = []
    for kind in (Word2Vec, gensim.models.Word2Vec):
        wv = kind(sentences, sg=sg, vector_size=20, sample=0, workers=1).wv
        unit = np.array([wv.get_vector(word, norm=True) for topic in topics for word in topic])
        cosines = unit @ unit.T
        gaps.append(cosines[:20, :20].mean() - cosines[:20, 20:].mean())
    assert gaps[0] > 0.8 * gaps[1] > 0.4


# ---- files -----------------------------------------------------------------------------------------------


def test_save__keeps_the_model_without_pickle(model: Word2Vec, tmp_path: Path) -> None:
    path = tmp_path / "word2vec.model"
    with pytest.warns(IdleArgumentWarning, match="sep_limit"):
        model.save(path, sep_limit=0)
    with warnings.catch_warnings(), np.load(path, allow_pickle=False) as stored:
        assert {stored[name].dtype.kind for name in stored.files} <= set("fiu")
    loaded = Word2Vec.load(str(path))
    assert str(loaded) == str(model) == "Word2Vec<vocab=5, vector_size=8, alpha=0.025>"
    assert words_of(loaded) == words_of(model)
    assert np.array_equal(loaded.syn1neg, model.syn1neg)


def test_load__refuses_a_pickle_and_other_files(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(CorpusError, match="pickles, which run code") as caught:
        Word2Vec.load(path)
    assert isinstance(caught.value, AttributeError)  # gensim's, where the file holds vectors alone
    with pytest.raises(CorpusError, match="cannot be read"):
        Word2Vec.load(tmp_path / "none")


# ---- vectors ---------------------------------------------------------------------------------------------


def test_wv__is_gensims_where_it_is_installed(model: Word2Vec) -> None:
    gensim = pytest.importorskip("gensim")
    assert isinstance(model.wv, gensim.models.KeyedVectors)


@pytest.mark.usefixtures("no_gensim")
def test_wv__is_our_own_where_it_is_not() -> None:
    model = Word2Vec(SENTENCES, sg=1, **SETTINGS)
    assert type(model.wv) is KeyedVectors
    assert model.wv.most_similar("a", topn=2)[0][0] in {"b", "c", "d", "rare"}
    assert "gensim.models" not in sys.modules


QUESTIONS = [
    ("most_similar", (["w1"],), {"topn": 4}),
    ("most_similar", ("w1",), {"topn": 4, "restrict_vocab": 10}),
    ("most_similar", (["w1", ("w2", 0.5)], ["w3"]), {}),
    ("most_similar", (), {"positive": [3, "w4"], "negative": "w5", "clip_start": 2, "clip_end": 12}),
    ("most_similar", ("w1",), {"topn": None}),
    ("similar_by_word", ("w2",), {"topn": 3}),
    ("similar_by_key", ("w2",), {"topn": 3}),
    ("similarity", ("w1", "w2"), {}),
    ("distance", ("w1", "w2"), {}),
    ("distances", ("w1", ["w2", "w3"]), {}),
    ("distances", ("w1",), {}),
    ("n_similarity", (["w1", "w2"], ["w3"]), {}),
    ("doesnt_match", (["w1", "w2", "w3", "w9"],), {}),
    ("rank", ("w1", "w2"), {}),
    ("closer_than", ("w1", "w2"), {}),
    ("get_vector", ("w1",), {"norm": True}),
    ("get_mean_vector", (["w1", "w2"],), {}),
    ("get_index", ("w7",), {}),
    ("has_index_for", ("unknown",), {}),
    ("get_vecattr", ("w7", "count"), {}),
    ("get_normed_vectors", (), {}),
    ("__getitem__", (["w1", "w2"],), {}),
    ("__contains__", ("w1",), {}),
    ("__len__", (), {}),
]


def keyed() -> tuple[KeyedVectors, Any]:
    """The same vectors as ours and as gensim's."""
    gensim = pytest.importorskip("gensim")
    words, counts = [f"w{i}" for i in range(20)], np.arange(40, 20, -1)
    matrix = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    theirs = gensim.models.KeyedVectors(6)
    theirs.add_vectors(words, matrix)
    for word, count in zip(words, counts.tolist(), strict=True):
        theirs.set_vecattr(word, "count", count)
    return KeyedVectors.of(words, matrix, counts), theirs


def parted(answer: Any) -> tuple[list[str], Any]:
    """The words of an answer, and its numbers."""
    if not isinstance(answer, list):
        return [], answer
    pairs = [one if isinstance(one, tuple) else (one, 0.0) for one in answer]
    return [word for word, _ in pairs], [score for _, score in pairs]


@pytest.mark.parametrize(("method", "arguments", "named"), QUESTIONS)
def test_keyed_vectors__answer_as_gensims(method: str, arguments: Any, named: dict[str, Any]) -> None:
    ours, theirs = (getattr(vectors, method)(*arguments, **named) for vectors in keyed())
    words, scores = parted(ours)
    expected_words, expected_scores = parted(theirs)
    assert words == expected_words
    assert scores == pytest.approx(expected_scores, abs=1e-6)


def test_keyed_vectors__write_files_that_both_read(tmp_path: Path) -> None:
    ours, theirs = keyed()
    path = tmp_path / "v.bin"
    ours.save_word2vec_format(path, tmp_path / "v.vocab", binary=True)
    loaded = type(theirs).load_word2vec_format(path, str(tmp_path / "v.vocab"), binary=True)
    assert np.array_equal(loaded.vectors, ours.vectors)
    assert loaded.get_vecattr("w7", "count") == ours.get_vecattr("w7", "count") == 33
    assert KeyedVectors.load_word2vec_format(path, binary=True, limit=3).index_to_key == ["w0", "w1", "w2"]


def test_keyed_vectors__judge_as_gensims(tmp_path: Path) -> None:
    ours, theirs = keyed()
    pairs, questions = tmp_path / "pairs.tsv", tmp_path / "questions.txt"
    pairs.write_text("w1\tw2\t3\nw3\tw4\t1\nw5\tw6\t2\nw7\tnone\t2\n")
    questions.write_text(": all\n" + "".join(f"w{i} w{i + 1} w{i + 2} w{i + 3}\n" for i in range(15)))
    found, expected = (vectors.evaluate_word_pairs(str(pairs)) for vectors in (ours, theirs))
    assert found[1][0] == pytest.approx(expected[1][0])
    assert found[2] == pytest.approx(expected[2]) == 25
    found, expected = (vectors.evaluate_word_analogies(str(questions)) for vectors in (ours, theirs))
    assert found[0] == pytest.approx(expected[0])


def test_predict_output_word__is_the_softmax_of_the_mean(model: Word2Vec) -> None:
    found = dict(model.predict_output_word(["a", "c", "unknown"], topn=5))
    scores = model.syn1neg @ model.wv[["a", "c"]].mean(axis=0)
    expected = np.exp(scores) / np.exp(scores).sum()
    assert [found[word] for word in model.wv.index_to_key] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="score"):
        model.score(SENTENCES)
    with pytest.warns(IdleArgumentWarning, match="none of the context words"):
        assert model.predict_output_word(["unknown"]) is None


# ---- phrases ---------------------------------------------------------------------------------------------

TEXTS = [["new", "york", "is", "big"], ["in", "new", "york"], ["bank", "of", "england", "in", "york"]] * 8


@pytest.mark.parametrize(
    "given",
    [
        {"min_count": 1, "threshold": 0.5},
        {"min_count": 1, "threshold": 0.1, "scoring": "npmi"},
        {"min_count": 1, "threshold": 0.5, "connector_words": frozenset(["of"]), "delimiter": "+"},
    ],
)
def test_phrases__are_gensims(given: dict[str, Any], tmp_path: Path) -> None:
    gensim = pytest.importorskip("gensim")
    ours, theirs = Phrases(TEXTS, **given), gensim.models.Phrases(TEXTS, **given)
    assert ours.export_phrases() == pytest.approx(theirs.export_phrases())
    assert ours.vocab == theirs.vocab
    assert ours[TEXTS[0]] == theirs[TEXTS[0]]
    assert list(ours[TEXTS]) == list(theirs[TEXTS]) == list(ours[iter(TEXTS)])
    assert ours.find_phrases(TEXTS[:1]) == pytest.approx(theirs.find_phrases(TEXTS[:1]))
    for kind, joiner in ((Phrases, ours), (FrozenPhrases, ours.freeze())):
        joiner.save(tmp_path / "p")
        loaded = kind.load(tmp_path / "p")
        assert loaded.phrasegrams == ours.export_phrases()
        assert list(loaded[TEXTS]) == list(ours[TEXTS])


def test_phrases__are_those_of_all_sentences_that_were_added() -> None:
    parts = Phrases(min_count=1, threshold=0.5)
    parts.add_vocab(TEXTS[:7])
    parts.add_vocab(TEXTS[7:])
    assert parts.export_phrases() == Phrases(TEXTS, min_count=1, threshold=0.5).export_phrases()
    assert parts.vocab == {**Phrases(TEXTS).vocab}
    parts.add_vocab([["york", "new_york", "york"]])
    assert (parts.vocab["york"], parts.vocab["new_york"]) == (26, 17)
    assert Phrases().vocab == {}
    parts.threshold = 1000.0
    assert parts.export_phrases() == {}


def test_phrases__refuse_what_they_do_not_do() -> None:
    with pytest.raises(ValueError, match="scoring is"):
        Phrases(TEXTS, scoring=len)
    with pytest.warns(IdleArgumentWarning, match="max_vocab_size"):
        Phrases(TEXTS, max_vocab_size=10)
    with pytest.raises(TypeError, match="no sentence"):
        Phrases(TEXTS)["a text"]
