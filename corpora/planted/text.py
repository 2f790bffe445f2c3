"""Sentences of a language with topics and relations; the formulas are in the package's text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from corpora.planted.draws import draw, invented_words, join, length_chunks, shuffled, zipf_frequencies
from corpora.planted.plan import (
    MAX_CELLS,
    MODEL,
    N_FUNCTION,
    SENTENCES,
    TRUTH,
    Floats,
    Integers,
    Material,
    Pair,
    Plan,
    Section,
)
from corpora.planted.truth import balanced_pairs, candidates, cosines, named_pairs
from fastw2v.errors import UsageError

N_SIDE_WORDS = 16  # for each of the two sides of a relation
# Entities share their attribute words: each has one in seven. Measured with gensim (dim 64, k 5, 5 epochs):
# 99 % of the analogies from the whole corpus, 6 % from a twentieth of it; with 4 of 480 words an entity it is
# 98 and 47 %. Overlap makes the questions a test of training.
ATTRIBUTES_OVER_OWN = 7
# Shares of a word's occurrences that lie in the kinds of its role; the rest follows its topics.
SIDE_SHARE, ATTRIBUTE_SHARE, ENTITY_SHARE = 0.9, 0.9, 0.95
TOPIC_SHARPNESS = 4  # power of the exponential draws: a word has about two topics of weight
N_CONTEXTS = 5_000
QUESTIONS_PER_RELATION = 200


class Relation(NamedTuple):
    """A relation's name, and what turns a into b; without a suffix the two are unrelated words."""

    name: str
    suffix: str = ""


# No invented word ends in a consonant or holds a y, so a word with a suffix is never one of the others.
RELATIONS = (Relation("capital"), Relation("currency"), Relation("plural", "s"), Relation("adverb", "ly"))


class Roles(NamedTuple):
    """Ranks of the words that carry the relations; int64.

    side       (n_relations, 2, N_SIDE_WORDS)
    attribute  (n_attributes,)
    entity     (n_relations · n_pairs, 2), the words a_i and b_i, relation by relation
    """

    side: Integers
    attribute: Integers
    entity: Integers


class Language(NamedTuple):
    """Words by rank, and how they are spread over kinds of sentence (the module's text has the formulas).

    words               n_words distinct strings
    frequencies         f, float64 (n_words,), descending
    kinds               θ, float64 (n_words, n_kinds), rows sum to 1
    kind_probabilities  P, float64 (n_kinds,)
    entity              int64 (n_relations, n_pairs, 2), ranks of a_i and b_i
    """

    words: list[str]
    frequencies: Floats
    kinds: Floats
    kind_probabilities: Floats
    entity: Integers


def plan_text(plan: Plan) -> Material:
    """Words, truth and sentences of a language with topics and relations."""
    language = build_language(plan)
    return Material(
        language.words,
        language.frequencies,
        word_similarities(language, plan),
        analogy_sections(language, plan),
        language_batches(language, plan),
    )


def build_language(plan: Plan) -> Language:
    """Words, frequencies and kinds of sentence for a plan.

    Raises UsageError when there are too few words for the relations, or too many for the memory.
    """
    n_kinds = plan.topics + 2 * plan.relations * plan.pairs
    if plan.words * n_kinds > MAX_CELLS:
        raise UsageError(
            f"--words {plan.words} times {n_kinds} kinds of sentence is over {MAX_CELLS:,}; "
            f"give at most {MAX_CELLS // n_kinds} words, or use --items"
        )
    rng = plan.stream(MODEL)
    frequencies = zipf_frequencies(plan.words)
    roles = assign_roles(plan, rng)
    kinds = spread_over_kinds(plan, roles, frequencies, rng)
    entity = roles.entity.reshape(plan.relations, plan.pairs, 2)
    words = name_relations(invented_words(plan.words, rng), entity)
    return Language(words, frequencies, kinds, frequencies @ kinds, entity)


def attribute_count(n_entities: int) -> int:
    """Attribute words that the entities share; 160 for the default 200 entities."""
    return 32 + 16 * n_entities // 25


def assign_roles(plan: Plan, rng: np.random.Generator) -> Roles:
    """Which ranks carry relations: side and attribute words from the middle, entities from the rarer ones.

    Raises UsageError when there are too few words for the relations and pairs.
    """
    n_entities = plan.relations * plan.pairs
    n_side, n_attributes = plan.relations * 2 * N_SIDE_WORDS, attribute_count(n_entities)
    needed = N_FUNCTION + n_side + n_attributes
    middle_stop = max(needed, plan.words * 3 // 20)
    entity_start = max(needed, plan.words * 9 // 40)
    if entity_start + 2 * n_entities > plan.words:
        least = max(needed + 2 * n_entities, -(-2 * n_entities * 40 // 31))
        raise UsageError(
            f"--words {plan.words} is too few for {plan.relations} relations of {plan.pairs} pairs; "
            f"give at least {least}, or fewer --pairs or --relations"
        )
    middle = N_FUNCTION + shuffled(middle_stop - N_FUNCTION, rng)
    side, attribute = middle[:n_side], middle[n_side : n_side + n_attributes]
    entity = entity_start + shuffled(2 * n_entities, rng)
    return Roles(side.reshape(-1, 2, N_SIDE_WORDS), attribute, entity.reshape(-1, 2))


def spread_over_kinds(plan: Plan, roles: Roles, frequencies: Floats, rng: np.random.Generator) -> Floats:
    """θ, float64 (n_words, n_kinds): kind plan.topics + 2e + side belongs to one word of entity e.

    Function words get the distribution of all other words together, which makes it P: they tell nothing.
    """
    n_entities, n_topics = len(roles.entity), plan.topics
    kinds = np.zeros((plan.words, n_topics + 2 * n_entities))
    kinds[:, :n_topics] = (-np.log1p(-rng.random((plan.words, n_topics)))) ** TOPIC_SHARPNESS
    kinds /= kinds.sum(axis=1, keepdims=True)
    share = frequencies[roles.entity]  # a frequent entity has more sentences
    for ranks, weights, of_role in role_weights(roles, share, rng):
        whole = np.zeros((len(ranks), kinds.shape[1]))
        whole[:, n_topics:] = weights / weights.sum(axis=1, keepdims=True)
        kinds[ranks] += of_role * (whole - kinds[ranks])
    others = frequencies[N_FUNCTION:] @ kinds[N_FUNCTION:]
    kinds[:N_FUNCTION] = others / others.sum()
    return kinds


def role_weights(
    roles: Roles, share: Floats, rng: np.random.Generator
) -> Iterator[tuple[Integers, Floats, float]]:
    """Ranks (n,), weights (n, 2 · n_entities) of these words over the entities' kinds, and share of the role.

    share   float64 (n_entities, 2), how much is said about each word of an entity
    """
    n_entities, n_relations = len(share), len(roles.side)
    attribute = np.zeros((len(roles.attribute), n_entities, 2))
    for entity in range(n_entities):
        own = shuffled(len(attribute), rng)[: len(attribute) // ATTRIBUTES_OVER_OWN]
        attribute[own, entity] = share[entity]
    unused = ~attribute.any(axis=(1, 2))
    attribute[unused] = share
    yield roles.attribute, attribute.reshape(len(attribute), -1), ATTRIBUTE_SHARE
    relation = np.arange(n_entities) // (n_entities // n_relations)
    for i, side in np.ndindex(n_relations, 2):
        weights = np.zeros_like(share)
        weights[relation == i, side] = share[relation == i, side]
        yield roles.side[i, side], np.tile(weights.ravel(), (N_SIDE_WORDS, 1)), SIDE_SHARE
    yield roles.entity.ravel(), np.eye(2 * n_entities), ENTITY_SHARE


def relation_at(i: int) -> Relation:
    """The i-th relation; beyond the named ones they are numbered."""
    return RELATIONS[i] if i < len(RELATIONS) else Relation(f"relation-{i + 1}")


def name_relations(words: list[str], entity: Integers) -> list[str]:
    """The words, with b_i spelt as a_i and a suffix where the relation has one."""
    named = list(words)
    for i, pairs in enumerate(entity):
        if suffix := relation_at(i).suffix:
            for a, b in pairs:
                named[b] = words[a] + suffix
    return named


def association(language: Language, rows: Integers, columns: Integers) -> Floats:
    """True positive pointwise mutual information, max(0, log P(w,c)/(P(w)P(c))), of some words and contexts.

    Returns float64 (n_rows, n_columns).
    """
    ratio = (language.kinds[rows] / language.kind_probabilities) @ language.kinds[columns].T
    positive: Floats = np.log(np.maximum(ratio, 1))
    return positive


def word_similarities(language: Language, plan: Plan) -> list[Pair]:
    """A balanced sample of word pairs with the cosine of their true association with the first contexts."""
    rng = plan.stream(TRUTH)
    ranks = candidates(language.frequencies, N_FUNCTION, plan.tokens, rng)
    contexts = np.arange(min(N_CONTEXTS, len(language.words)))
    similarity = cosines(association(language, ranks, contexts))
    return named_pairs(language.words, ranks, similarity, balanced_pairs(similarity, rng))


def analogy_sections(language: Language, plan: Plan) -> list[Section]:
    """At most QUESTIONS_PER_RELATION different questions of every relation."""
    rng = plan.stream(TRUTH + 1)
    sections = []
    for i, pairs in enumerate(language.entity):
        ordered = [(p, q) for p in range(len(pairs)) for q in range(len(pairs)) if p != q]
        chosen = np.sort(shuffled(len(ordered), rng)[:QUESTIONS_PER_RELATION])
        named = [[language.words[rank] for rank in pair] for pair in pairs]
        questions = [(*named[ordered[n][0]], *named[ordered[n][1]]) for n in chosen]
        sections.append(Section(relation_at(i).name, [(a, b, c, d) for a, b, c, d in questions]))
    return sections


def language_batches(language: Language, plan: Plan) -> Iterator[tuple[Integers, list[str]]]:
    """Word ids and the same as sentences, chunk by chunk."""
    rng = plan.stream(SENTENCES)
    cumulative = np.cumsum(language.kinds.T * language.frequencies, axis=1)
    words = np.array(language.words, dtype=object)
    for lengths in length_chunks(plan, rng):
        kinds = np.sort(draw(np.cumsum(language.kind_probabilities), len(lengths), rng))
        bounds = np.searchsorted(np.repeat(kinds, lengths), np.arange(len(cumulative) + 1))
        ids = np.concatenate([draw(row, n, rng) for row, n in zip(cumulative, np.diff(bounds), strict=True)])
        yield ids, join(words[ids], lengths, shuffled(len(lengths), rng))
