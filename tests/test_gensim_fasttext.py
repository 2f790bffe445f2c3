"""fastw2v.gensim.FastText and fastText's own files, with gensim's class of vectors and with ours."""

from __future__ import annotations

import gzip
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v.errors import CorpusError, UsageError
from fastw2v.gensim import (
    CallbackAny2Vec,
    FastText,
    FastTextKeyedVectors,
    IdleArgumentWarning,
    Word2Vec,
    load_facebook_model,
    load_facebook_vectors,
    save_facebook_model,
)
from fastw2v.gensim.arguments import FASTTEXT, config_of
from fastw2v.gensim.facebook import in_order
from fastw2v.gensim.ngram_vectors import word_means
from fastw2v.model.huffman import huffman_tree
from fastw2v.model.ngrams import Spans

SENTENCES = [["walk", "walks", "walked"], ["swim", "swims"], ["walk", "swim", "to"], ["rare", "walk"]] * 30
SETTINGS: dict[str, Any] = {
    "vector_size": 8,
    "min_count": 1,
    "sample": 0,
    "workers": 1,
    "epochs": 2,
    "bucket": 50,
}


@pytest.fixture(scope="module")
def model() -> FastText:
    return FastText(SENTENCES, sg=1, **SETTINGS)


# ---- arguments -------------------------------------------------------------------------------------------


def test_arguments__are_those_of_gensim_with_its_defaults() -> None:
    gensim = pytest.importorskip("gensim")
    theirs = inspect.signature(gensim.models.FastText).parameters
    assert {name: parameter.default for name, parameter in theirs.items()} == FASTTEXT
    assert list(theirs) == list(inspect.signature(FastText).parameters)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"word_ngrams": 2}, NotImplementedError, "word_ngrams=2: n-grams of words are for"),
        ({"bucket": -1}, ValueError, "bucket is -1"),
        ({"min_n": "3"}, ValueError, "min_n is '3'"),
        ({"max_n": 101}, ValueError, "min_n-max_n is '3-101'"),
        ({"compute_loss": True}, TypeError, "compute_loss"),
        ({"alpha": -1}, ValueError, "alpha is -1"),
    ],
)
def test_arguments__that_cannot_be_used_are_refused(
    given: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        FastText(**given)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"subwords": "3-6", "buckets": 2_000_000, "architecture": "cbow", "lr": 0.025}),
        ({"min_n": 0, "max_n": 2, "bucket": 9, "sg": 1}, {"subwords": "1-2", "buckets": 9, "lr": 0.025}),
        ({"min_n": 4, "max_n": 3}, {"subwords": None}),
        ({"bucket": 0}, {"subwords": None}),
    ],
)
def test_arguments__come_to_options_of_training(given: dict[str, Any], expected: dict[str, Any]) -> None:
    config = config_of(FastText(**given))
    assert {name: getattr(config, name) for name in expected} == pytest.approx(expected)


# ---- vectors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_gensim", [True, False])
def test_wv__has_vectors_of_unseen_words(has_gensim: bool, request: pytest.FixtureRequest) -> None:
    """By gensim's own class, which takes means in its own way, and by ours."""
    if has_gensim:
        kind = pytest.importorskip("gensim.models.fasttext").FastTextKeyedVectors
    else:
        kind = FastTextKeyedVectors
        request.getfixturevalue("no_gensim")
    model = FastText(SENTENCES, sg=1, **SETTINGS)
    wv = model.wv
    assert type(wv) is kind
    assert ("swam" in wv, "swam" in wv.key_to_index, "swim" in wv.key_to_index) == (True, False, True)
    assert wv["swam"].shape == (8,)
    assert wv.most_similar("swam", topn=3)[0][1] > -1
    before = wv.vectors.copy()
    wv.adjust_vectors()  # of gensim's: a mean in a loop of Python
    np.testing.assert_allclose(wv.vectors, before, rtol=1e-5, atol=1e-8)
    assert np.linalg.norm(wv.get_vector("swam", norm=True)) == pytest.approx(1, abs=1e-6)
    assert wv.vectors_vocab.shape == (len(wv), 8)
    assert wv.vectors_ngrams.shape == (50, 8)


@pytest.mark.usefixtures("no_gensim")
def test_wv__of_ours_is_zero_without_n_grams_and_unknown_without_buckets() -> None:
    wv = FastText(SENTENCES, sg=1, min_n=5, **SETTINGS).wv
    with pytest.warns(IdleArgumentWarning, match="'ab' is too short to have n-grams of 5"):
        assert not wv["ab"].any()
    assert wv.doesnt_match(["walk", "walks", "walking", "swim"]) in {"walk", "walks", "walking", "swim"}
    assert wv.get_sentence_vector(["walk", "walking"]).shape == (8,)
    assert np.array_equal(wv.embeddings()["walking"], wv["walking"])
    whole = FastText(SENTENCES, sg=1, **(SETTINGS | {"bucket": 0})).wv
    with pytest.raises(KeyError, match="walking"):
        whole["walking"]
    assert "walking" not in whole


def test_wv__agrees_with_gensims_in_every_question(model: FastText, request: pytest.FixtureRequest) -> None:
    """Buckets of each word, means and unseen vectors of the same rows, by both classes."""
    gensim_fasttext = pytest.importorskip("gensim.models.fasttext")
    theirs = model.wv
    for word, buckets in zip(theirs.index_to_key, theirs.buckets_word, strict=True):
        assert buckets.tolist() == gensim_fasttext.ft_ngram_hashes(word, 3, 6, 50)
    request.getfixturevalue("no_gensim")
    rows = np.concatenate([theirs.vectors_vocab, theirs.vectors_ngrams])
    counts = np.array([theirs.get_vecattr(word, "count") for word in theirs.index_to_key])
    ours = model.keyed(list(theirs.index_to_key), rows, counts)
    assert type(ours) is FastTextKeyedVectors
    for ask in (
        lambda wv: wv["swam"],
        lambda wv: wv["日本語"],
        lambda wv: wv[["walk", "walking"]],
        lambda wv: wv.similarity("walking", "walk"),
        lambda wv: wv.distances("walking"),
        lambda wv: wv.n_similarity(["walking"], ["swim", "swam"]),
        lambda wv: wv.get_sentence_vector(["walking", "swim"]),
        lambda wv: [cosine for _, cosine in wv.most_similar(["walking", "walk"], ["swam"], topn=4)],
    ):
        np.testing.assert_allclose(ask(ours), ask(theirs), rtol=1e-4, atol=1e-6)
    assert [w for w, _ in ours.most_similar("walking")] == [w for w, _ in theirs.most_similar("walking")]


def test_word_means__in_parts_and_of_words_without_n_grams(monkeypatch: pytest.MonkeyPatch, rng: Any) -> None:
    monkeypatch.setattr("fastw2v.gensim.ngram_vectors.WORDS_AT_ONCE", 2)
    words, spans = ["abcd", "a", "bcde", "b", "c"], Spans(4, 5, 7)
    own, ngrams = (rng.normal(size=(n, 3)).astype(np.float32) for n in (5, 7))
    means = word_means(words, own, ngrams, spans)
    assert np.array_equal(means[[1, 3, 4]], own[[1, 3, 4]])
    from fastw2v.model.ngrams import buckets_of

    for place in (0, 2):
        buckets, _ = buckets_of([words[place]], spans)
        expected = (own[place] + ngrams[buckets].sum(axis=0)) / (len(buckets) + 1)
        np.testing.assert_allclose(means[place], expected, rtol=1e-5)
    assert word_means(words, own, ngrams, None) is own


# ---- training --------------------------------------------------------------------------------------------


def test_training__is_that_of_fastw2v(model: FastText) -> None:
    """The same seed and options: the same rows, by another door."""
    options = {"dim": 8, "min_count": 1, "sample": 0, "threads": 1, "epochs": 2, "negatives": 5, "seed": 1}
    vectors = fastw2v.train(SENTENCES, lr=0.025, min_lr=1e-4, subwords="3-6", buckets=50, **options)
    assert vectors.words == model.wv.index_to_key
    assert vectors.made_of is not None
    assert np.array_equal(vectors.made_of.rows, np.concatenate(model.inputs()))
    np.testing.assert_allclose(vectors["walking"], model.wv["walking"], rtol=1e-5)


def test_build_vocab__adds_words_and_their_rows_are_found_by_place() -> None:
    """Words that were added are last in the model, and first by count in the corpus; n-grams stay."""
    model = FastText(SENTENCES, sg=1, **SETTINGS)
    before = [matrix.copy() for matrix in model.inputs()]
    model.build_vocab([["new", "newer"]] * 500, update=True)
    own, ngrams = model.inputs()
    assert np.array_equal(own[:-2], before[0])
    assert np.array_equal(ngrams, before[1])
    assert model.wv.index_to_key[-2:] == ["new", "newer"]
    untrained = own.copy()
    model.train([["new", "newer"]] * 500, total_examples=500, epochs=1)
    changed = np.flatnonzero((untrained != model.inputs()[0]).any(axis=1))
    assert changed.tolist() == [len(own) - 2, len(own) - 1]
    assert not np.array_equal(model.inputs()[1], before[1])


class Vectors(CallbackAny2Vec):
    """Notes the vector of an unseen word after each epoch, and that of a seen one."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    def on_epoch_end(self, model: FastText) -> None:
        self.found.append((model.wv["walking"].copy(), model.wv["walk"].copy()))


def test_callbacks__see_the_vectors_of_the_moment(model: FastText) -> None:
    told = Vectors()
    FastText(SENTENCES, sg=1, callbacks=[told], **SETTINGS)
    assert len(told.found) == 2
    for last, first, word in zip(told.found[1], told.found[0], ("walking", "walk"), strict=True):
        assert not np.array_equal(last, first)
        assert np.array_equal(last, model.wv[word])


def test_train__refuses_locked_rows(model: FastText) -> None:
    other = FastText(**SETTINGS)
    other.build_vocab(SENTENCES)
    other.wv.vectors_ngrams_lockf = np.zeros(50, np.float32)
    with pytest.raises(ValueError, match="vectors_ngrams_lockf"):
        other.train(SENTENCES, total_examples=4, epochs=1)


@pytest.mark.slow
@pytest.mark.parametrize("sg", [0, 1])
def test_training__learns_as_gensim_does(sg: int) -> None:
    """Words of two topics that never meet: near within a topic, far across, of both trainers."""
    gensim = pytest.importorskip("gensim")
    rng = np.random.default_rng(0)
    topics = [[f"{a}{b}{name}" for a in "abcd" for b in "efghi"] for name in "xy"]
    sentences = [list(rng.choice(topics[i % 2], 10)) for i in range(3000)]
    gaps = []
    for kind in (FastText, gensim.models.FastText):
        wv = kind(sentences, sg=sg, vector_size=20, sample=0, workers=1, bucket=10_000).wv
        unit = np.array([wv.get_vector(word, norm=True) for topic in topics for word in topic])
        cosines = unit @ unit.T
        gaps.append(cosines[:20, :20].mean() - cosines[:20, 20:].mean())
    assert gaps[0] > 0.8 * gaps[1] > 0.2


# ---- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hs", [0, 1])
def test_save__keeps_the_model_and_training_goes_on(hs: int, tmp_path: Path) -> None:
    model = FastText(SENTENCES, sg=1, hs=hs, **(SETTINGS | {"negative": 0 if hs else 5}))
    model.save(tmp_path / "m")
    loaded = FastText.load(tmp_path / "m")
    assert str(loaded) == "FastText<vocab=7, vector_size=8, alpha=0.025>"
    assert (loaded.min_n, loaded.max_n, loaded.bucket) == (3, 6, 50)
    for one in (model, loaded):
        one.train(SENTENCES, total_examples=4, epochs=1)
    for mine, theirs in zip(model.inputs(), loaded.inputs(), strict=True):
        assert np.array_equal(mine, theirs)
    assert np.array_equal(model.outside_vectors, loaded.outside_vectors)


def test_load__of_another_class_is_refused(model: FastText, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    with pytest.raises(CorpusError, match="is of format 'fastw2v gensim FastText 1': this class reads"):
        Word2Vec.load(tmp_path / "m")

    class Mine(FastText):
        """A class of a user's."""

    assert type(Mine.load(tmp_path / "m")) is Mine


@pytest.mark.parametrize("hs", [0, 1])
@pytest.mark.parametrize("sg", [0, 1])
def test_facebook__files_hold_the_whole_model(hs: int, sg: int, tmp_path: Path) -> None:
    """gensim reads them, too; what is read and written again is the same bytes."""
    model = FastText(SENTENCES, sg=sg, hs=hs, window=3, **(SETTINGS | {"negative": 0 if hs else 5}))
    first, second = tmp_path / "a.bin", tmp_path / "b.bin"
    save_facebook_model(model, first)
    loaded = load_facebook_model(first)
    save_facebook_model(loaded, str(second))
    assert first.read_bytes() == second.read_bytes()
    for name in ("vector_size", "window", "epochs", "negative", "hs", "sg", "bucket", "min_n", "max_n"):
        assert getattr(loaded, name) == getattr(model, name), name
    assert np.array_equal(loaded.outside_vectors, model.outside_vectors)
    assert np.array_equal(load_facebook_vectors(first)["walking"], model.wv["walking"])
    for one in (model, loaded):
        one.alpha, one.train_count = 0.02, 7
        one.train(SENTENCES, total_examples=4, epochs=1)
    assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
    gensim_fasttext = pytest.importorskip("gensim.models.fasttext")
    theirs = gensim_fasttext.load_facebook_vectors(str(first))
    np.testing.assert_allclose(theirs["walking"], load_facebook_vectors(first)["walking"], rtol=1e-5)


def gensims(name: str) -> Path:
    """A file that gensim's tests bring along."""
    gensim = pytest.importorskip("gensim")
    path = Path(gensim.__file__).parent / "test" / "test_data" / name
    if not path.exists():
        pytest.skip(f"gensim brings no {name}")
    return path


@pytest.mark.parametrize(
    ("name", "word", "options"),
    [
        ("lee_fasttext.bin", "hundred", {}),  # of before 2017
        ("lee_fasttext_new.bin", "hundred", {}),
        ("toy-model-pretrained.bin", "monarchist", {}),  # with an empty word
        ("cp852_fasttext.bin", "který", {"encoding": "cp852"}),
    ],
)
def test_facebook__files_of_fasttext_are_read_as_gensim_does(
    name: str, word: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = gensims(name)
    from gensim.models.fasttext import load_facebook_vectors as theirs

    expected, found = theirs(str(path), **options), load_facebook_vectors(path, **options)
    assert found.index_to_key == expected.index_to_key
    is_word = np.array(expected.index_to_key) != "</s>"  # has n-grams in gensim, none in fastText
    np.testing.assert_allclose(found.vectors[is_word], expected.vectors[is_word], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[f"{word}x"], expected[f"{word}x"], rtol=1e-4, atol=1e-6)
    packed = tmp_path / "p.bin.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    assert np.array_equal(load_facebook_vectors(packed, **options).vectors, found.vectors)


def test_facebook__says_what_it_cannot_take(model: FastText, tmp_path: Path) -> None:
    with pytest.warns(IdleArgumentWarning, match="words are not of utf-8, such as"):
        load_facebook_vectors(gensims("cp852_fasttext.bin"))
    for kind in (CorpusError, NotImplementedError):  # the latter is gensim's
        with pytest.raises(kind, match="is a classifier"):
            load_facebook_model(gensims("pang_lee_polarity_fasttext.bin"))
    with pytest.raises(CorpusError, match="cannot be read"):
        load_facebook_model(tmp_path / "none.bin")
    with pytest.raises(ValueError, match="encoding='martian' is not known"):
        load_facebook_model(tmp_path / "none.bin", encoding="martian")
    with pytest.raises(ValueError, match="of UTF-8"):
        save_facebook_model(model, tmp_path / "x.bin", encoding="cp852")
    with pytest.raises(RuntimeError, match="no words to write"):
        save_facebook_model(FastText(**SETTINGS), tmp_path / "x.bin")
    assert not list(tmp_path.iterdir())


def paths_of_fasttext(counts: list[int]) -> list[list[tuple[int, bool]]]:
    """The rows of U and the labels of each word, as fastText's hierarchical softmax finds them.

    By hand: words in falling order of counts; the two least are merged, each the last word or, where that is
    not below it, the next node; the second is labelled true, and rows are numbered as nodes are made.
    """
    n = len(counts)
    weights, parent, label = [*counts], {}, {}
    leaf, node = n - 1, n
    while len(weights) < 2 * n - 1:
        pair = []
        for _ in range(2):
            if leaf >= 0 and (node >= len(weights) or weights[leaf] < weights[node]):
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(node)
                node += 1
        parent |= dict.fromkeys(pair, len(weights))
        label |= {pair[0]: False, pair[1]: True}
        weights.append(weights[pair[0]] + weights[pair[1]])
    found = []
    for word in range(n):
        path = []
        while word in parent:
            path.append((parent[word] - n, label[word]))
            word = parent[word]
        found.append(path)
    return found


@pytest.mark.parametrize("counts", [[5, 2, 1, 1], [1, 1], [9, 8, 7, 7, 7, 3, 2, 2, 1, 1, 1], [4] * 9])
def test_in_order__makes_the_inner_nodes_those_of_fasttext(counts: list[int]) -> None:
    """A node here has the row there that the same words pass, and a code of 1 is a label of false."""
    tree = huffman_tree(np.array(counts))
    rows = in_order(np.arange(len(counts))[:, np.newaxis], True)[:, 0]  # the node of each row
    row_of = {int(node): row for row, node in enumerate(rows)}
    for word, expected in enumerate(paths_of_fasttext(counts)):
        part = slice(tree.offsets[word], tree.offsets[word + 1])
        steps = zip(tree.nodes[part].tolist(), tree.codes[part].tolist(), strict=True)
        assert [(row_of[node], code == 0) for node, code in steps] == expected[::-1]
