"""Sessions of items: a walk between categories."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from corpora.planted.draws import draw, join, length_chunks, shuffled, zipf_frequencies
from corpora.planted.plan import MAX_CELLS, MODEL, SENTENCES, TRUTH, Floats, Integers, Material, Pair, Plan
from corpora.planted.truth import balanced_pairs, candidates, cosines, named_pairs
from fastw2v.errors import UsageError

CATEGORIES_PER_DEPARTMENT = 10
STAY, NEAR = 0.7, 0.2  # a session's next item: same category, same department, else anywhere
STEP_WEIGHTS = np.array([5, 4, 3, 2, 1]) / 15  # how often word2vec's window of 5 pairs items 1…5 steps apart


class Catalogue(NamedTuple):
    """Items in categories, categories in departments.

    A session's first category c is drawn by its mass m(c). The next one is the same with probability STAY,
    drawn by mass from the same department with NEAR, else by mass from all: m is stationary, so an item's
    share of the tokens is its frequency, exactly.

    words         n_items ids in the order of popularity
    frequencies   float64 (n_items,), descending
    category      int64 (n_items,)
    department    int64 (n_categories,), ascending
    """

    words: list[str]
    frequencies: Floats
    category: Integers
    department: Integers


def plan_items(plan: Plan) -> Material:
    """Items, truth and sessions of a catalogue."""
    catalogue = build_catalogue(plan)
    return Material(
        catalogue.words,
        catalogue.frequencies,
        item_similarities(catalogue, plan),
        [],
        item_batches(catalogue, plan),
    )


def build_catalogue(plan: Plan) -> Catalogue:
    """Items with Zipf popularity and a random category each; no category is empty.

    Raises UsageError when there are more categories than items, or too many for the memory.
    """
    if plan.topics > plan.words:
        raise UsageError(
            f"--topics {plan.topics} is more than {plan.words} items; give fewer, or more --words"
        )
    if plan.topics**2 > MAX_CELLS:
        raise UsageError(f"--topics {plan.topics} is over {math.isqrt(MAX_CELLS)} categories; give fewer")
    rng = plan.stream(MODEL)
    category = (rng.random(plan.words) * plan.topics).astype(np.int64)
    category[: plan.topics] = shuffled(plan.topics, rng)
    words = [f"item_{number:06d}" for number in shuffled(plan.words, rng)]
    department = np.arange(plan.topics) // CATEGORIES_PER_DEPARTMENT
    return Catalogue(words, zipf_frequencies(plan.words), category, department)


def category_masses(catalogue: Catalogue) -> Floats:
    """m, float64 (n_categories,): share of the tokens."""
    masses = np.zeros(len(catalogue.department))
    np.add.at(masses, catalogue.category, catalogue.frequencies)
    return masses


def transitions(catalogue: Catalogue) -> Floats:
    """Probability of the next item's category (column) after a category (row)."""
    masses = category_masses(catalogue)
    same = catalogue.department[:, None] == catalogue.department
    near = same * masses / (same * masses).sum(axis=1, keepdims=True)
    step: Floats = STAY * np.eye(len(masses)) + NEAR * near + (1 - STAY - NEAR) * masses / masses.sum()
    return step


def item_similarities(catalogue: Catalogue, plan: Plan) -> list[Pair]:
    """A balanced sample of item pairs with the cosine of their true association in a window of five.

    Items of one category are alike, so the cosine over items is that over categories weighted by their size.
    """
    rng = plan.stream(TRUTH)
    masses, step = category_masses(catalogue), transitions(catalogue)
    within = sum(w * np.linalg.matrix_power(step, n) for n, w in enumerate(STEP_WEIGHTS, start=1))
    n_items = np.bincount(catalogue.category, minlength=len(masses))
    weighted = np.log(np.maximum(within / masses, 1)) * np.sqrt(n_items)
    ranks = candidates(catalogue.frequencies, 0, plan.tokens, rng)
    similarity = cosines(weighted[catalogue.category[ranks]])
    return named_pairs(catalogue.words, ranks, similarity, balanced_pairs(similarity, rng))


def item_batches(catalogue: Catalogue, plan: Plan) -> Iterator[tuple[Integers, list[str]]]:
    """Item ranks and the same as sessions, chunk by chunk."""
    rng = plan.stream(SENTENCES)
    words = np.array(catalogue.words, dtype=object)
    by_category = np.argsort(catalogue.category, kind="stable")
    shelf = np.concatenate([[0.0], np.cumsum(catalogue.frequencies[by_category])])
    edges = shelf[np.searchsorted(catalogue.category[by_category], np.arange(len(catalogue.department) + 1))]
    for lengths in length_chunks(plan, rng):
        path = walk(catalogue, edges, len(lengths), int(lengths.max()), rng)
        visited = path[np.arange(path.shape[1]) < lengths[:, None]]
        position = edges[visited] + rng.random(len(visited)) * (edges[visited + 1] - edges[visited])
        ids = by_category[np.clip(np.searchsorted(shelf, position, side="right") - 1, 0, len(words) - 1)]
        yield ids, join(words[ids], lengths, np.arange(len(lengths)))


def walk(catalogue: Catalogue, edges: Floats, n: int, steps: int, rng: np.random.Generator) -> Integers:
    """Categories of n sessions; int64 (n, steps).

    edges   float64 (n_categories + 1,), running sums of the categories' masses
    """
    n_categories = len(catalogue.department)
    department_edges = np.searchsorted(catalogue.department, np.arange(catalogue.department[-1] + 2))
    path = np.empty((n, steps), dtype=np.int64)
    path[:, 0] = draw(edges[1:], n, rng)
    for i in range(1, steps):
        here, choice = path[:, i - 1], rng.random(n)
        near = choice < STAY + NEAR
        home = catalogue.department[here]
        start = np.where(near, edges[department_edges[home]], 0)
        stop = np.where(near, edges[department_edges[home + 1]], edges[-1])
        moved = np.searchsorted(edges, start + rng.random(n) * (stop - start), side="right") - 1
        path[:, i] = np.where(choice < STAY, here, np.clip(moved, 0, n_categories - 1))
    return path
