"""Corpora whose structure is known, so that what a trainer recovers of it is a number.

Every word w has a Zipf frequency f(w) and a distribution θ(w, ·) over *kinds* of sentence. A kind s has the
probability P(s) = Σ_w f(w) θ(w,s), and its words are drawn independently from φ_s(w) = f(w) θ(w,s) / P(s).
So the truth is known exactly: P(w) = f(w), and for two tokens of one sentence, however far apart,

  P(w,c) = Σ_s P(s) φ_s(w) φ_s(c) = f(w) f(c) Σ_s θ(w,s) θ(c,s) / P(s).

The kinds are the topics and, for every pair (a_i, b_i) of a relation, one for a_i and one for b_i. Both hold
the attribute words of the entity i; all kinds of the a side hold the side words of a, and so for b. That
makes v(b_i) − v(a_i) the same for all i. Similarity is the cosine of rows of positive pointwise mutual
information, the matrix that skip-gram with negative sampling factorises (Levy & Goldberg 2014).

`--items` makes sequences of item ids instead: a session walks between categories, see `Catalogue`.

Uniform numbers are the only random input, because numpy keeps their stream from release to release.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from corpora import SETTINGS, CountMismatch, Script, make_folder, rows_per_group
from corpora.parquet import write_text_parquet
from fastw2v.errors import UsageError
from fastw2v.system.files import atomic_writer

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Option = Callable[[Callable[..., None]], Callable[..., None]]

ZIPF_OFFSET = 2.7  # Mandelbrot's: flattens the first ranks as English has them
N_FUNCTION = 20  # most frequent words, as likely in one kind of sentence as in any other
N_SIDE_WORDS = 16  # for each of the two sides of a relation
# Entities share their attribute words: each has one in seven. Measured with gensim (dim 64, k 5, 5 epochs):
# 99 % of the analogies from the whole corpus, 6 % from a twentieth of it; with 4 of 480 words an entity it is
# 98 and 47 %. Overlap makes the questions a test of training.
ATTRIBUTES_OVER_OWN = 7
# Shares of a word's occurrences that lie in the kinds of its role; the rest follows its topics.
SIDE_SHARE, ATTRIBUTE_SHARE, ENTITY_SHARE = 0.9, 0.9, 0.95
TOPIC_SHARPNESS = 4  # power of the exponential draws: a word has about two topics of weight
N_CANDIDATES = 600
FREQUENT = 100  # expected occurrences of a word whose similarities are asked
N_CONTEXTS = 5_000
N_PAIRS, N_BINS = 500, 10
QUESTIONS_PER_RELATION = 200
CHUNK_TOKENS = 1_000_000
MAX_CELLS = 30_000_000  # of θ, in float64: the generator's memory is about four times that

CATEGORIES_PER_DEPARTMENT = 10
STAY, NEAR = 0.7, 0.2  # a session's next item: same category, same department, else anywhere
STEP_WEIGHTS = np.array([5, 4, 3, 2, 1]) / 15  # how often word2vec's window of 5 pairs items 1…5 steps apart

CONSONANTS, VOWELS = "bdgjklmnrstv", "aeiou"
MODEL, SENTENCES, TRUTH = 0, 1, 2  # streams of one seed: more tokens do not change the language


@dataclass(frozen=True)
class Plan:
    """What is to be generated.

    words            distinct words, or items
    sentence_length  mean; lengths are uniform between about half and one and a half of it
    pairs            of words in each relation
    topics           or categories of items
    """

    items: bool = False
    words: int = 4_000
    tokens: int = 1_500_000
    sentence_length: int = 20
    relations: int = 4
    pairs: int = 50
    topics: int = 20
    seed: int = 1

    @property
    def name(self) -> str:
        """Of the output files."""
        return "items" if self.items else "planted"

    def stream(self, purpose: int) -> np.random.Generator:
        """Random numbers for one purpose."""
        return np.random.default_rng([self.seed, purpose])


ITEM_PLAN = Plan(items=True, words=10_000, sentence_length=12, relations=0, pairs=0, topics=100)


class Counts(NamedTuple):
    """What a corpus holds; `words` are distinct ones."""

    tokens: int
    words: int
    sentences: int
    pairs: int
    questions: int


EXPECTED = {
    Plan(): Counts(1_500_000, 4_000, 74_961, 500, 800),
    ITEM_PLAN: Counts(1_500_000, 10_000, 124_940, 500, 0),
}


class Pair(NamedTuple):
    """Two words and their true similarity."""

    first: str
    second: str
    similarity: float


class Section(NamedTuple):
    """A relation by name, and questions: b is to a as d is to c."""

    name: str
    questions: list[tuple[str, str, str, str]]


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


class Material(NamedTuple):
    """All that goes into the files: words by rank, their frequencies, the truth, and the text in batches."""

    words: list[str]
    frequencies: Floats
    pairs: list[Pair]
    sections: list[Section]
    batches: Iterator[tuple[Integers, list[str]]]


@dataclass
class Tally:
    """Counts what passes on its way to the file.

    occurrences  int64 (n_words,)
    fingerprint  CRC-32 of the sentences, each followed by a line feed
    """

    occurrences: Integers
    sentences: int = 0
    fingerprint: int = 0

    def over(self, batches: Iterable[tuple[Integers, list[str]]]) -> Iterator[str]:
        """Hand on the sentences of batches of (word ids, sentences)."""
        for ids, sentences in batches:
            self.occurrences += np.bincount(ids, minlength=len(self.occurrences))
            self.sentences += len(sentences)
            self.fingerprint = zlib.crc32("".join(f"{s}\n" for s in sentences).encode(), self.fingerprint)
            yield from sentences


def zipf_frequencies(n_words: int) -> Floats:
    """Shares of the tokens by rank, f ∝ 1/(rank + ZIPF_OFFSET) with rank from 1 (Mandelbrot 1953)."""
    weights: Floats = 1 / (np.arange(1, n_words + 1) + ZIPF_OFFSET)
    return weights / float(weights.sum())


def shuffled(n: int, rng: np.random.Generator) -> Integers:
    """A permutation of 0..n-1."""
    return np.argsort(rng.random(n), kind="stable")


def draw(cumulative: Floats, n: int, rng: np.random.Generator) -> Integers:
    """n indices with the probabilities whose running sums are given (their total may be other than 1)."""
    found = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    indices: Integers = np.minimum(found, len(cumulative) - 1)
    return indices


def invented_words(n_words: int, rng: np.random.Generator) -> list[str]:
    """Distinct pronounceable words of consonant-vowel syllables; earlier ones are not longer than later ones.

    A third of the one-syllable words and at most half of the longer ones are used, as in real languages most
    possible words are not.
    """
    syllables = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
    words: list[str] = []
    length = 1
    while len(words) < n_words:
        n_possible = len(syllables) ** length
        n_taken = min(n_words - len(words), n_possible // (3 if length == 1 else 2))
        words += [_spell(number, length, syllables) for number in _distinct(n_taken, n_possible, rng)]
        length += 1
    return words


def _spell(number: int, length: int, syllables: list[str]) -> str:
    """The digits of a number in base len(syllables)."""
    word = ""
    for _ in range(length):
        number, digit = divmod(number, len(syllables))
        word += syllables[digit]
    return word


def _distinct(n: int, n_possible: int, rng: np.random.Generator) -> list[int]:
    """n different numbers below n_possible, n at most half of it, in the order drawn."""
    numbers: dict[int, None] = {}
    while len(numbers) < n:
        numbers[int(rng.random() * n_possible)] = None
    return list(numbers)


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


def cosines(rows: Floats) -> Floats:
    """Cosine of every two rows; float64 (n_rows, n_rows)."""
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    similarity: Floats = unit @ unit.T
    return similarity


def candidates(frequencies: Floats, first: int, n_tokens: int, rng: np.random.Generator) -> Integers:
    """Ranks, from `first` on, of at most N_CANDIDATES words frequent enough to be learnt; ascending."""
    n = candidate_stop(frequencies, first, n_tokens) - first
    return np.sort(first + shuffled(n, rng)[:N_CANDIDATES])


def candidate_stop(frequencies: Floats, first: int, n_tokens: int) -> int:
    """The first rank that is too rare; at least FREQUENT ranks are not, if there are as many."""
    n_frequent = int((frequencies * n_tokens >= FREQUENT).sum())
    return min(max(n_frequent, first + FREQUENT), len(frequencies))


def balanced_pairs(similarity: Floats, rng: np.random.Generator) -> Integers:
    """N_PAIRS pairs (i, j), i < j, spread evenly over the range of similarities; int64 (n_pairs, 2).

    The range is cut in N_BINS; each that is not empty gives the same number, what lacks is drawn from all.
    """
    first, second = np.triu_indices(len(similarity), k=1)
    order = shuffled(len(first), rng)
    first, second = first[order], second[order]
    values = similarity[first, second]
    edges = np.linspace(values.min(), values.max(), N_BINS + 1)[1:-1]
    bins = np.digitize(values, edges)
    chosen = np.zeros(len(values), dtype=bool)
    for i in np.unique(bins):
        chosen[np.flatnonzero(bins == i)[: N_PAIRS // len(np.unique(bins))]] = True
    chosen[np.flatnonzero(~chosen)[: N_PAIRS - int(chosen.sum())]] = True
    return np.stack([first[chosen], second[chosen]], axis=1)


def named_pairs(words: list[str], ranks: Integers, similarity: Floats, pairs: Integers) -> list[Pair]:
    """Pairs of rows of a similarity matrix as words; rows stand for `ranks`."""
    return [Pair(words[ranks[i]], words[ranks[j]], float(similarity[i, j])) for i, j in pairs]


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


def length_chunks(plan: Plan, rng: np.random.Generator) -> Iterator[Integers]:
    """Lengths of sentences, in chunks, that add up to plan.tokens exactly; the last one is cut to fit."""
    low, high = length_range(plan)
    n = max(1, CHUNK_TOKENS // plan.sentence_length)
    missing = plan.tokens
    while missing:
        lengths = low + (rng.random(n) * (high - low + 1)).astype(np.int64)
        ends = np.minimum(np.cumsum(lengths), missing)
        lengths = np.diff(ends, prepend=0)
        missing -= int(ends[-1])
        yield lengths[lengths > 0]


def length_range(plan: Plan) -> tuple[int, int]:
    """Shortest and longest sentence; uniform between them, the mean is plan.sentence_length."""
    low = (plan.sentence_length + 1) // 2
    return low, 2 * plan.sentence_length - low


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


def join(tokens: NDArray[Any], lengths: Integers, order: Integers) -> list[str]:
    """Sentences of the given lengths cut from `tokens` (strings), in a new order."""
    listed = tokens.tolist()
    ends = np.cumsum(lengths)
    return [" ".join(listed[ends[i] - lengths[i] : ends[i]]) for i in order]


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


def write_similarities(path: Path, pairs: list[Pair]) -> None:
    """`word1 <tab> word2 <tab> similarity` lines."""
    lines = (f"{pair.first}\t{pair.second}\t{pair.similarity:.4f}\n" for pair in pairs)
    with atomic_writer(path) as file:
        file.write("".join(lines).encode())


def write_analogies(path: Path, sections: list[Section]) -> None:
    """The layout of word2vec's questions-words.txt: `: section` lines, then four words a line."""
    with atomic_writer(path) as file:
        for section in sections:
            file.write(f": {section.name}\n".encode())
            file.write("".join(" ".join(words) + "\n" for words in section.questions).encode())


def intended_ranges(plan: Plan, frequencies: Floats) -> dict[str, tuple[int, int]]:
    """Lowest and highest count that is no reason to worry; for the defaults the exact counts are known.

    Words clump in sentences, so the number of distinct ones is only near Σ(1 − exp(−tokens · f)); the number
    of sentences is normal, and six standard deviations are allowed.
    """
    if plan in EXPECTED:
        return {name: (count, count) for name, count in EXPECTED[plan]._asdict().items()}
    distinct = float((1 - np.exp(-plan.tokens * frequencies)).sum())
    low, high = length_range(plan)
    mean = plan.tokens / plan.sentence_length
    spread = 6 * np.sqrt(mean * ((high - low + 1) ** 2 - 1) / 12) / plan.sentence_length + 1
    first = 0 if plan.items else N_FUNCTION
    n_candidates = candidate_stop(frequencies, first, plan.tokens) - first
    pairs = min(N_PAIRS, n_candidates * (n_candidates - 1) // 2)
    questions = plan.relations * min(QUESTIONS_PER_RELATION, plan.pairs * (plan.pairs - 1))
    return {
        "tokens": (plan.tokens, plan.tokens),
        "words": (int(0.9 * distinct) - 5, min(plan.words, int(1.05 * distinct) + 5)),
        "sentences": (int(mean - spread), int(mean + spread) + 1),
        "pairs": (pairs, pairs),
        "questions": (questions, questions),
    }


def check(counts: Counts, intended: dict[str, tuple[int, int]]) -> None:
    """Raise CountMismatch when a count is outside its range."""
    for name, count in counts._asdict().items():
        low, high = intended[name]
        if not low <= count <= high:
            wanted = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            raise CountMismatch(
                f"{count:,} {name} were made, not {wanted}; do not compare results on this corpus"
            )


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


def generate(plan: Plan, folder: Path) -> tuple[Counts, int]:
    """Write the corpus and its ground truth in `folder`; returns the counts and the text's CRC-32.

    Raises UsageError for an impossible plan, OutputError, and CountMismatch.
    """
    material = plan_items(plan) if plan.items else plan_text(plan)
    tally = Tally(np.zeros(len(material.words), dtype=np.int64))
    rows = rows_per_group(plan.sentence_length)
    write_text_parquet(folder / f"{plan.name}.parquet", tally.over(material.batches), rows_per_group=rows)
    write_similarities(folder / f"{plan.name}.similarity.txt", material.pairs)
    if material.sections:
        write_analogies(folder / f"{plan.name}.analogies.txt", material.sections)
    counts = Counts(
        tokens=int(tally.occurrences.sum()),
        words=int((tally.occurrences > 0).sum()),
        sentences=tally.sentences,
        pairs=len(material.pairs),
        questions=sum(len(section.questions) for section in material.sections),
    )
    check(counts, intended_ranges(plan, material.frequencies))
    return counts, tally.fingerprint


def chosen_plan(items: bool, options: dict[str, int | None]) -> Plan:
    """The defaults of the kind of corpus, with the options that were given.

    Raises UsageError when relations are asked of items.
    """
    given = {name: value for name, value in options.items() if value is not None}
    misplaced = sorted(given.keys() & {"relations", "pairs"}) if items else []
    if misplaced:
        raise UsageError(f"--{misplaced[0]} {given[misplaced[0]]} has no meaning with --items; leave it out")
    plan = asdict(ITEM_PLAN if items else Plan())
    return Plan(**(plan | given))


def size_option(name: str, text: str, low: int = 1, high: int | None = None) -> Option:
    """An integer option whose default depends on the kind of corpus."""
    default = getattr(Plan(), name.replace("-", "_"))
    of_items = getattr(ITEM_PLAN, name.replace("-", "_"))
    shown = f"{default}" if of_items in (0, default) else f"{default}; items {of_items}"
    return click.option(f"--{name}", type=click.IntRange(low, high), help=f"{text}  [default: {shown}]")


@click.command(cls=Script, context_settings=SETTINGS)
@click.option("--items", is_flag=True, help="Sessions of item ids instead of sentences of words.")
@size_option("words", "Distinct words, or items.", low=N_FUNCTION + 2, high=1_000_000)
@size_option("tokens", "Words in all.")
@size_option("sentence-length", "Mean; lengths are uniform from half to one and a half of it.")
@size_option("relations", "Relations of the kind capital of a country.")
@size_option("pairs", "Pairs of words in each relation.", low=2)
@size_option("topics", "Topics, or categories of items.")
@size_option("seed", "Of the language and of all draws.", low=0)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder for the files; made if missing.",
)
def main(items: bool, output: Path, **options: int | None) -> None:
    """Make a corpus with planted structure, and its ground truth.

    \b
    Writes planted.parquet, planted.similarity.txt, planted.analogies.txt
    (with --items: items.parquet, items.similarity.txt).

    \b
    Examples:
      python -m corpora.planted -o demo
      python -m corpora.planted --tokens 20000000 --seed 2 -o bench/data
      python -m corpora.planted --items --words 200000 --tokens 10000000 -o bench/data
    """
    started = time.perf_counter()
    plan = chosen_plan(items, options)
    make_folder(output)
    counts, fingerprint = generate(plan, output)
    click.echo(
        f"{output / plan.name}.parquet: {counts.tokens:,} tokens, {counts.words:,} distinct words, "
        f"{counts.sentences:,} sentences, {counts.pairs:,} similarity pairs, "
        f"{counts.questions:,} analogy questions, as intended; "
        f"fingerprint {fingerprint:08x}, {time.perf_counter() - started:.1f} s"
    )


if __name__ == "__main__":
    main()
