"""The builder of small corpora."""

from __future__ import annotations

import numpy as np

from corpora.small import corpus_of, ragged, zipfian


def test_corpus_of__cuts_and_counts() -> None:
    corpus = corpus_of([[2, 0, 2], [1, 2, 2]], 5, 4, least_count=2)
    assert corpus.ids.tolist() == [2, 0, 2, 1, 2, 2]
    assert corpus.offsets.tolist() == [0, 4, 6]
    assert corpus.vocabulary.words == ["w0", "w1", "w2", "w3", "w4"]
    assert corpus.vocabulary.counts.tolist() == [2, 2, 4, 2, 2]
    assert corpus[3:6] == (6, 2, 0)
    assert corpus_of([0, 1, 0], 2, [0, 2, 1]).offsets.tolist() == [0, 0, 2, 3]
    assert (corpus.ids.dtype, corpus.offsets.dtype) == (np.int32, np.int64)


def test_ragged__comes_to_the_number_of_tokens() -> None:
    for n_tokens in (1, 59, 60, 1_000):
        lengths = ragged(n_tokens)
        assert lengths.sum() == n_tokens
        assert 1 <= lengths.min() <= lengths.max() <= 60
    assert set(ragged(10_000, 3)) == {1, 2, 3}


def test_zipfian__falls_and_keeps_to_the_vocabulary() -> None:
    counts = np.bincount(zipfian(20, 10_000))
    assert len(counts) == 20
    assert counts[0] > 1.5 * counts[1] > counts[2] > counts[10]
