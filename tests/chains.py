"""A Markov chain over few words, and the exact loss of vectors on it: for tests of tiny vocabularies."""

from __future__ import annotations

import numpy as np

from corpora.small import corpus_of
from fastw2v.model.sampling import noise_probabilities
from fastw2v.reference.losses import log_softmax, softplus


def walk(n_words, n_tokens, seed):
    """Words of one long walk; the transitions depend on n_words only."""
    transitions = (
        np.random.default_rng(99 + n_words).dirichlet(np.full(n_words, 0.3), size=n_words).cumsum(axis=1)
    )
    transitions[:, -1] = 1.0
    draws = np.random.default_rng(seed).random(n_tokens)
    words = np.empty(n_tokens, np.int64)
    word = 0
    for position, draw in enumerate(draws):
        word = int(np.searchsorted(transitions[word], draw))
        words[position] = word
    return words


def chain_corpus(n_words, n_tokens):
    """A corpus of one walk, words by falling count, and 20,000 held-out ids of another walk."""
    words, held_out = walk(n_words, n_tokens, 1), walk(n_words, 20_000, 2)
    counts = np.bincount(words, minlength=n_words)
    order = np.argsort(-counts, kind="stable")
    number = np.empty(n_words, np.int64)
    number[order] = np.arange(n_words)
    return corpus_of(number[words], n_words, n_tokens, least_count=1), number[held_out]


def expected_pairs(held_out, n_words, window):
    """How often each word has each other in its window, in expectation over radii, (n_words, n_words)."""
    pairs = np.zeros((n_words, n_words))
    for distance in range(1, window + 1):
        share = (window - distance + 1) / window
        np.add.at(pairs, (held_out[:-distance], held_out[distance:]), share)
        np.add.at(pairs, (held_out[distance:], held_out[:-distance]), share)
    return pairs


def softmax_loss(embeddings, held_out, window):
    """Mean of J_naive-softmax over the pairs of held-out ids, in expectation over radii."""
    scores = embeddings.center_vectors.astype(np.float64) @ embeddings.outside_vectors.T
    pairs = expected_pairs(held_out, len(scores), window)
    return float(-(pairs * log_softmax(scores)).sum() / pairs.sum())


def expected_loss(embeddings, held_out, corpus, config):
    """Mean of J_neg-sample over the pairs of held-out ids, in expectation over radii and negatives."""
    pairs = expected_pairs(held_out, len(corpus.vocabulary), config.window)
    scores = embeddings.center_vectors.astype(np.float64) @ embeddings.outside_vectors.T
    noise = softplus(scores) * noise_probabilities(corpus.vocabulary.counts)
    losses = softplus(-scores) + config.negatives * (noise.sum(axis=1, keepdims=True) - noise)
    return float((pairs * losses).sum() / pairs.sum())
