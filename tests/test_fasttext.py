"""fastText's files: ours as fastText and gensim read them, theirs as they are read here, and damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.model.ngrams import Spans
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.ngrams import InputRows

WORDS = ["the", "naïve", "日本語", "</s>", "walking"]
UNSEEN = ["walked", "日本人", "naivety", "x" * 40]
SPANS = Spans(3, 6, 211)


def made(seed: int = 0, n_words: int = len(WORDS)) -> Embeddings:
    """Random vectors of words with n-grams."""
    rng = np.random.default_rng(seed)
    made_of = InputRows(SPANS, rng.normal(size=(n_words + SPANS.n_buckets, 6)).astype(np.float32))
    outside = rng.normal(size=(n_words, 6)).astype(np.float32)
    counts = np.arange(n_words, 0, -1) * 10
    return Embeddings(WORDS[:n_words], made_of.seen(WORDS[:n_words]), outside, counts, made_of)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of them, by the suffix that fastText itself uses."""
    made().save(tmp_path / "v.bin", format="fasttext")
    return tmp_path / "v.bin"


def test_file__is_read_back_as_it_was(path: Path) -> None:
    """Found by what it begins with; word2vec's binary has the same suffix."""
    expected = made()
    for options in ({}, {"format": "fasttext"}):
        actual = fastw2v.load(path, **options)  # type: ignore[arg-type]
        assert actual.words == WORDS
        for name in ("center_vectors", "outside_vectors", "counts"):
            np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name))
        assert actual.made_of is not None
        assert actual.made_of.spans == SPANS
        np.testing.assert_array_equal(actual.made_of.rows, expected.made_of.rows)  # type: ignore[union-attr]
    copy = path.with_suffix(".fasttext")
    actual.save(copy)
    assert copy.read_bytes() == path.read_bytes()


def test_file__limit_leaves_words_out_and_all_ngrams_in(path: Path) -> None:
    whole, some = fastw2v.load(path), fastw2v.load(path, limit=2)
    assert some.words == WORDS[:2]
    np.testing.assert_array_equal(some.center_vectors, whole.center_vectors[:2])
    np.testing.assert_array_equal(some.outside_vectors, whole.outside_vectors[:2])  # type: ignore[index]
    for word in UNSEEN:
        np.testing.assert_array_equal(some[word], whole[word])


def test_file__is_gensims(path: Path, tmp_path: Path) -> None:
    """gensim has n-grams of </s>, fastText none."""
    fasttext = pytest.importorskip("gensim.models.fasttext")
    theirs = fasttext.load_facebook_vectors(str(path))
    ours = fastw2v.load(path)
    assert theirs.index_to_key == WORDS
    for word in {*WORDS, *UNSEEN} - {"</s>"}:
        np.testing.assert_allclose(theirs[word], ours[word], rtol=1e-5, atol=1e-6)
    model = fasttext.load_facebook_model(str(path))
    np.testing.assert_array_equal(model.syn1neg, ours.outside_vectors)
    fasttext.save_facebook_model(model, str(tmp_path / "again.bin"))
    again = fastw2v.load(tmp_path / "again.bin")
    for word in {*WORDS, *UNSEEN} - {"</s>"}:
        np.testing.assert_allclose(again[word], ours[word], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [{"sg": 1}, {"sg": 0, "hs": 1, "negative": 0}, {"max_n": 0}])
def test_file__of_gensim_loads(tmp_path: Path, options: dict[str, Any]) -> None:
    """Skip-gram, CBOW with a hierarchical softmax, whose outside vectors are of no words, and no n-grams."""
    fasttext = pytest.importorskip("gensim.models.fasttext")
    rows = [["walk", "walks", "talk", "talks"], ["chair", "chairs", "table"]] * 20
    known = {"vector_size": 8, "min_count": 1, "bucket": 100, "workers": 1} | options
    model = fasttext.FastText(rows, **known)
    fasttext.save_facebook_model(model, str(tmp_path / "g.bin"))
    vectors = fastw2v.load(tmp_path / "g.bin")
    assert vectors.words == model.wv.index_to_key
    assert (vectors.outside_vectors is None) == ("hs" in options)
    unseen = [] if "max_n" in options else ["walked", "stable"]
    for word in [*vectors.words, *unseen]:
        np.testing.assert_allclose(vectors[word], model.wv[word], rtol=1e-4, atol=1e-6)
    if not unseen:
        with pytest.raises(KeyError):
            vectors["walked"]


TENTHS = (
    10  # of (9 words + 100 n-grams) x 10: fastText 0.9.3 fills one a thread, and takes the rest as memory was
)


def test_file__is_fasttexts(path: Path, tmp_path: Path) -> None:
    """And one that it trained, the same to the last bits."""
    fasttext = pytest.importorskip("fasttext")
    ours, theirs = fastw2v.load(path), fasttext.load_model(str(path))
    assert theirs.get_words() == WORDS
    for word in WORDS + UNSEEN:
        np.testing.assert_allclose(theirs.get_word_vector(word), ours[word], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(theirs.get_output_matrix(), ours.outside_vectors)
    (tmp_path / "c.txt").write_text("walk walks talk naïve talks\nchair chairs 日本 table\n" * 50)
    for model in ("skipgram", "cbow"):
        theirs = fasttext.train_unsupervised(
            str(tmp_path / "c.txt"), model, dim=10, minCount=1, bucket=100, thread=TENTHS, verbose=0
        )
        theirs.save_model(str(tmp_path / "t.bin"))
        ours = fastw2v.load(tmp_path / "t.bin")
        assert ours.words == theirs.get_words()
        for word in [*ours.words, "walking", "日本語"]:
            np.testing.assert_allclose(ours[word], theirs.get_word_vector(word), rtol=1e-5, atol=1e-6)


HEAD = 64  # bytes before the sizes of the dictionary


def changed(content: bytes, place: int, kind: str, value: object) -> bytes:
    """The bytes with another number at a place."""
    raw = struct.pack(f"<{kind}", value)
    return content[:place] + raw + content[place + len(raw) :]


DAMAGES: dict[str, tuple[Any, str]] = {
    "is no file of fastText": (lambda b: b"x" + b[1:], "with format text"),
    "is of version 13": (lambda b: changed(b, 4, "i", 13), "use its .vec"),
    "is a classifier": (lambda b: changed(b, 36, "i", 3), "skipgram or cbow"),
    "declares 5 words of dim 600": (lambda b: changed(b, 8, "i", 600), "cut short or damaged"),
    "declares -5 words": (lambda b: changed(changed(b, HEAD, "i", -5), HEAD + 4, "i", -5), "damaged"),
    "n-grams up to 2,147,483,647": (lambda b: changed(b, 48, "i", 2**31 - 1), "damaged"),
    "V is of 216 x 6 where 217 x 6 fit": (lambda b: changed(b, 40, "i", 212), ""),
    "ends within U": (lambda b: b[:-1], "cut short"),
    "goes on after its last matrix": (lambda b: b + b"\0", "damaged"),
    "row 5 of U is not finite": (lambda b: changed(b, len(b) - 4, "f", np.nan), "damaged"),
    "word 1: b'\\xff": (lambda b: b[:92] + b"\xff" + b[93:], "is not UTF-8"),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_damaged_files__are_refused_in_one_line(path: Path, message: str) -> None:
    damage, cure = DAMAGES[message]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorpusError) as caught:
        fastw2v.load(path, format="fasttext")
    assert message in str(caught.value)
    assert cure in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 0.5, 0.9])
def test_files_cut_short__are_refused(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CorpusError):
        fastw2v.load(path, format="fasttext")


def test_quantised__is_refused(path: Path) -> None:
    content = path.read_bytes()
    place = content.index(struct.pack("<?2q", False, len(WORDS) + SPANS.n_buckets, 6))
    path.write_bytes(changed(content, place, "?", True))
    with pytest.raises(CorpusError, match="V is quantised; use the"):
        fastw2v.load(path)


def test_save__refuses_what_the_format_cannot_hold(tmp_path: Path) -> None:
    vectors = made()
    for options in ({"normalize": True}, {"vectors": "sum"}, {"remove_components": 1}, {"escape": True}):
        with pytest.raises(UsageError, match="holds what was trained as it is"):
            vectors.save(tmp_path / "x.fasttext", **options)
    plain = Embeddings(WORDS, vectors.center_vectors)
    with pytest.raises(UsageError, match="these are of whole words"):
        plain.save(tmp_path / "x.fasttext")
    for word in ("new york", "a\0b", ""):
        spoilt = Embeddings([word, *WORDS[1:]], vectors.center_vectors, made_of=vectors.made_of)
        with pytest.raises(UsageError, match="is empty, or holds white space or a zero"):
            spoilt.save(tmp_path / "x.fasttext")
    vectors.made_of.rows[-1, 0] = np.inf  # type: ignore[union-attr]
    with pytest.raises(OutputError, match="not finite"):
        vectors.save(tmp_path / "x.fasttext")
    assert not list(tmp_path.iterdir())


def test_save__without_counts_and_outside_vectors(tmp_path: Path) -> None:
    vectors = made()
    Embeddings(WORDS, vectors.center_vectors, made_of=vectors.made_of).save(tmp_path / "x.fasttext")
    read = fastw2v.load(tmp_path / "x.fasttext")
    assert read.counts is not None
    assert read.counts.tolist() == [1] * len(WORDS)
    np.testing.assert_array_equal(read.center_vectors, vectors.center_vectors)
