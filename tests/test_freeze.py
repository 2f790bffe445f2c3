"""Which matrix an option freezes; that it stays, in every trainer, is in test_properties."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.config import TrainConfig
from fastw2v.training import train
from fastw2v.training.start import make_schedule
from fastw2v.vectors.embeddings import Embeddings
from tests.chains import chain_corpus


@pytest.mark.parametrize(
    ("freeze", "expected"), [(None, (1.0, 1.0)), ("center", (0.0, 1.0)), ("outside", (1.0, 0.0))]
)
def test_make_schedule__a_frozen_matrix_has_no_share_of_a_step(freeze, expected):
    assert make_schedule(TrainConfig(freeze=freeze), 100)[-2:] == expected


def test_train__of_given_vectors_leaves_those_that_are_frozen():
    corpus, _ = chain_corpus(30, 2_000)
    rng = np.random.default_rng(0)
    center, outside = rng.normal(0, 0.3, (2, 30, 20)).astype(np.float32)
    given = Embeddings(corpus.vocabulary.words, center, outside, corpus.vocabulary.counts)
    after = train(corpus, TrainConfig(dim=20, sample=0, freeze="outside"), init=given).embeddings
    np.testing.assert_array_equal(after.outside_vectors, outside)
    assert np.abs(after.center_vectors - center).max() > 0.05
