"""Phrases: scores by hand, and what is found and joined, against a plain twin and gensim."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.config import ReadConfig
from fastw2v.corpus.ids.memory import Budget
from fastw2v.corpus.phrases import chains, count, find, join, table
from fastw2v.corpus.phrases.find import Joined, find_phrases
from fastw2v.corpus.phrases.score import Totals, scores_of
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import OutputError, UsageError
from fastw2v.options.phrases import CONNECTOR_WORDS
from tests.naive import NaivePhrases, naive_phrases

ROOM = Budget(1 << 26, 1 << 24)


def generated(n_tokens: int = 20_000, n_words: int = 300, seed: int = 0) -> list[list[str]]:
    """Sentences of Zipf's words, connector words among them, with some pairs and triples more often."""
    rng = np.random.default_rng(seed)
    words = ["the", "of", "and", "in", "a", *(f"w{i}" for i in range(n_words))]
    draws = np.minimum(rng.zipf(1.3, n_tokens) - 1, len(words) - 1)
    tokens = [words[i] for i in draws.tolist()]
    for place in range(0, n_tokens - 10, 10):
        i = int(rng.integers(0, 20))
        tokens[place : place + 4] = [
            f"p{i}",
            f"q{i}",
            *(["of", f"r{i % 7}"] if i % 2 else [f"r{i % 7}", "the"]),
        ]
    ends = np.sort(rng.integers(0, n_tokens, n_tokens // 15)).tolist()
    sentences = [tokens[i:j] for i, j in itertools.pairwise([0, *ends, n_tokens])]
    return [sentence for sentence in sentences if sentence]


def phrases_of(
    sentences: list[list[str]], *, threads: int = 1, room: Budget = ROOM, **options: Any
) -> Joined:
    """What is found in sentences, with options of ReadConfig without their prefix."""
    prefixed = {
        name if name == "connector_words" else f"phrase_{name}": value for name, value in options.items()
    }
    prefixed["phrases"] = prefixed.pop("phrase_passes", 1)
    corpus = read_corpus(sentences, min_count=1)
    return find_phrases(corpus[:3], ReadConfig(**prefixed).phrase_settings, room=room, threads=threads)


def sentences_of(joined: Joined) -> list[list[str]]:
    """The sentences of a corpus, in words."""
    tokens = [joined.vocabulary.words[i] for i in joined.ids.tolist()]
    edges = joined.offsets.tolist()
    return [tokens[i:j] for i, j in itertools.pairwise(edges)]


def scores_found(joined: Joined) -> dict[str, float]:
    return {phrase.phrase: phrase.score for phrase in joined.phrases}


# ---- Scores ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scoring", "expected"),
    [
        ("word2phrase", (10 - 5) / (20 * 50) * 1000),
        ("gensim", (10 - 5) / (20 * 50) * 300),
        ("npmi", math.log(0.01 / (0.02 * 0.05)) / -math.log(0.01)),
    ],
)
def test_scores_of__are_the_formulas(scoring: str, expected: float) -> None:
    counts = (np.array([n]) for n in (10, 20, 50))
    actual = scores_of(scoring, *counts, 5, Totals(n_tokens=1000, n_entries=300))
    np.testing.assert_allclose(actual, [expected], rtol=1e-15)


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 500))
def test_npmi__is_from_minus_1_to_1(ab: int, more_a: int, more_b: int, others: int) -> None:
    """Of every pair that a text can have: both words as often as the pair, and more."""
    n = 2 * ab + more_a + more_b + others
    counts = (np.array([count]) for count in (ab, ab + more_a, ab + more_b))
    [score] = scores_of("npmi", *counts, 1, Totals(n, 0))
    assert -1 <= score <= 1


def test_npmi__of_words_that_are_never_apart_is_1_and_of_rare_pairs_nothing() -> None:
    together = (np.array([4]) for _ in range(3))
    assert scores_of("npmi", *together, 4, Totals(100, 0)).tolist() == [1.0]
    together = (np.array([3]) for _ in range(3))
    assert scores_of("npmi", *together, 4, Totals(100, 0)).tolist() == [-math.inf]


def test_find_phrases__scores_by_hand() -> None:
    """`a b` 3 times, a 4 times, b 3 times, of 9 tokens; gensim's table has 4 words and 4 pairs."""
    sentences = [["a", "b"], ["a", "b", "c"], ["a", "b"], ["a", "d"]]
    expected = {"word2phrase": (3 - 1) / 12 * 9, "gensim": (3 - 1) / 12 * (4 + 3)}
    for scoring, score in expected.items():
        joined = phrases_of(sentences, scoring=scoring, min_count=1, threshold=0.001)
        assert scores_found(joined) == {"a_b": score}
        assert joined.phrases[0].occurrences == 3
        assert sentences_of(joined) == [["a_b"], ["a_b", "c"], ["a_b"], ["a", "d"]]
    assert phrases_of(sentences, min_count=1, threshold=1.5).phrases == []  # the score must exceed it


# ---- Against the plain twin --------------------------------------------------------------------------------

SETTINGS = [
    {"scoring": "word2phrase", "threshold": 5.0},
    {"scoring": "word2phrase", "threshold": 2.0, "passes": 3, "min_count": 2},
    {"scoring": "gensim", "threshold": 10.0, "passes": 2},
    {"scoring": "npmi", "threshold": 0.3, "passes": 2},
    {"scoring": "npmi", "threshold": -1.0, "min_count": 1},
    {"scoring": "gensim", "threshold": 3.0, "passes": 2, "connector_words": "english", "delimiter": " "},
    {"scoring": "word2phrase", "threshold": 3.0, "connector_words": "of the", "delimiter": ""},
    {"scoring": "npmi", "threshold": 0.2, "passes": 3, "connector_words": "english", "min_count": 3},
]


def twin(sentences: list[list[str]], options: dict[str, Any]) -> tuple[list[list[str]], dict[str, float]]:
    how = {"passes": 1, "min_count": 5, "delimiter": "_", "connector_words": ""} | options
    words = CONNECTOR_WORDS.get(how["connector_words"], how["connector_words"])
    return naive_phrases(sentences, NaivePhrases(**how | {"connector_words": frozenset(words.split())}))


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_find_phrases__equals_naive(options: dict[str, Any]) -> None:
    sentences = generated()
    expected, scores = twin(sentences, options)
    actual = phrases_of(sentences, threads=2, **options)
    assert sentences_of(actual) == expected
    assert sentences_of(actual) != sentences
    assert scores_found(actual) == pytest.approx(scores, rel=1e-12)
    in_order = [phrase.score for phrase in actual.phrases]
    assert in_order == sorted(in_order, reverse=True)


@pytest.mark.slow
@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "c", "d", "a_b", "o"]), min_size=1, max_size=8),
        min_size=3,
        max_size=20,
    ),
    st.sampled_from(["word2phrase", "gensim", "npmi"]),
    st.integers(1, 3),
    st.sampled_from(["", "o", "o d"]),
)
def test_find_phrases__of_anything_equals_naive(
    sentences: list[list[str]], scoring: str, passes: int, connector_words: str
) -> None:
    options = {"scoring": scoring, "threshold": 0.2, "passes": passes, "min_count": 1}
    options["connector_words"] = connector_words
    if len({word for sentence in sentences for word in sentence}) < 2:
        return
    expected, scores = twin(sentences, options)
    actual = phrases_of(sentences, **options)
    assert sentences_of(actual) == expected
    assert scores_found(actual) == pytest.approx(scores, rel=1e-12)
    words = [word for sentence in expected for word in sentence]
    counted = dict(zip(actual.vocabulary.words, actual.vocabulary.counts.tolist(), strict=True))
    assert counted == {word: words.count(word) for word in set(words)}
    assert actual.n_tokens == len(words)


def in_gensim(
    sentences: list[list[str]], options: dict[str, Any]
) -> tuple[list[list[str]], dict[str, float]]:
    """What gensim finds, and how it joins."""
    phrases = pytest.importorskip("gensim.models.phrases")
    how = {"passes": 1, "min_count": 5, "delimiter": "_", "connector_words": ""} | options
    passes, named = how.pop("passes"), how.pop("connector_words")
    words = frozenset(CONNECTOR_WORDS.get(named, named).split())
    how["scoring"] = {"gensim": "default"}.get(how["scoring"], how["scoring"])
    found: dict[str, float] = {}
    for _ in range(passes):
        model = phrases.Phrases(sentences, connector_words=words, **how)
        found = model.find_phrases(sentences) | found
        sentences = [model[sentence] for sentence in sentences]
    return sentences, found


@pytest.mark.parametrize(
    "options",
    [
        {"scoring": "gensim", "threshold": 10.0},
        {"scoring": "gensim", "threshold": 2.0, "min_count": 1},
        {"scoring": "gensim", "threshold": 10.0, "passes": 2, "delimiter": "-"},
        {"scoring": "gensim", "threshold": 5.0, "connector_words": "english"},
        {"scoring": "npmi", "threshold": 0.5},
        {"scoring": "npmi", "threshold": 0.3, "passes": 2, "connector_words": "of the"},
    ],
    ids=str,
)
def test_find_phrases__equals_gensim(options: dict[str, Any]) -> None:
    """Scores are of all phrases here, gensim tells those that it joins somewhere."""
    sentences = generated()
    expected, scores = in_gensim(sentences, options)
    actual = phrases_of(sentences, threads=2, **options)
    assert sentences_of(actual) == expected
    assert sentences_of(actual) != sentences
    found = scores_found(actual)
    assert {phrase: found[phrase] for phrase in scores} == pytest.approx(scores, rel=1e-12)


def test_connector_words__of_english_are_gensims() -> None:
    phrases = pytest.importorskip("gensim.models.phrases")
    assert set(CONNECTOR_WORDS["english"].split()) == phrases.ENGLISH_CONNECTOR_WORDS


# ---- What is joined ----------------------------------------------------------------------------------------


def test_find_phrases__never_over_the_end_of_a_sentence() -> None:
    sentences = [["x", "new"], ["york", "y"]] * 50
    assert phrases_of(sentences, threshold=0.01, min_count=1).phrases[0].phrase in ("x_new", "york_y")
    assert "new_york" not in scores_found(phrases_of(sentences, threshold=0.01, min_count=1))
    with_connector = [["new", "of"], ["york", "y"]] * 50
    found = scores_found(phrases_of(with_connector, threshold=0.01, min_count=1, connector_words="of"))
    assert set(found) == {"york_y"}


def test_find_phrases__the_first_of_two_that_overlap_is_joined() -> None:
    sentences = [["a", "b", "c"], ["x", "a", "b"], ["b", "c", "y"]] * 9
    joined = phrases_of(sentences, threshold=0.01, min_count=1)
    assert sentences_of(joined)[0] == ["a_b", "c"]


def test_find_phrases__passes_join_phrases_of_phrases() -> None:
    sentences = [["new", "york", "times", f"w{i % 40}"] for i in range(80)] + [
        ["new"],
        ["york"],
        ["times"],
    ] * 5
    once, twice = (sentences_of(phrases_of(sentences, threshold=1.0, passes=n)) for n in (1, 2))
    assert once[0][:2] == ["new_york", "times"]
    assert twice[0][0] == "new_york_times"


def test_find_phrases__ends_with_the_pass_that_finds_none() -> None:
    joined = phrases_of([["a", "b"], ["a", "b", "c"]] * 9, threshold=0.1, passes=9, min_count=1)
    assert joined.n_joined[-1] == 0
    assert len(joined.n_joined) < 9


def test_find_phrases__connector_words_stand_within_and_never_at_the_ends() -> None:
    sentences = [["the", "bank", "of", "the", "west", "of", f"w{i % 40}"] for i in range(80)]
    joined = phrases_of(sentences, threshold=5.0, connector_words="of the", delimiter="-")
    assert sentences_of(joined)[0] == ["the", "bank-of-the-west", "of", "w0"]


def test_find_phrases__a_phrase_spelt_like_a_word_is_that_word() -> None:
    sentences = [["a", "b"]] * 20 + [["a_b", "c"], ["a_b", "d"]]
    joined = phrases_of(sentences, threshold=0.01, min_count=1)
    assert joined.vocabulary.words[0] == "a_b"
    assert joined.vocabulary.counts[0] == 22
    assert sentences_of(joined)[-1][0] == "a_b"


def test_find_phrases__without_any_leaves_the_text() -> None:
    sentences = [["a", "b", "c"], ["c", "b", "a"]]
    joined = phrases_of(sentences)
    assert sentences_of(joined) == sentences
    assert joined.phrases == []
    assert joined.note.startswith("no pair of words scores enough")


# ---- Pieces, memory, threads -------------------------------------------------------------------------------


def same(first: Joined, second: Joined) -> bool:
    """Whether two results are the same, to the byte."""
    return (
        first.ids.tobytes() == second.ids.tobytes()
        and first.offsets.tobytes() == second.offsets.tobytes()
        and first.vocabulary.words == second.vocabulary.words
        and first.phrases == second.phrases
    )


TWICE = {"scoring": "gensim", "threshold": 3.0, "passes": 2, "connector_words": "english"}


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("tokens", [1, 7, 1000])
def test_find_phrases__of_pieces_is_the_same(
    monkeypatch: pytest.MonkeyPatch, threads: int, tokens: int
) -> None:
    """Words wait from one range to the next, sentences are longer than ranges, tables grow."""
    sentences = generated(3000)
    sentences = [[word for sentence in sentences[:40] for word in sentence], *sentences[40:]]
    expected = phrases_of(sentences, **TWICE)
    for module in (chains, join):
        monkeypatch.setattr(module, "RANGE_TOKENS", tokens)
    monkeypatch.setattr(count, "TOKENS_A_PAIR", 1000)
    assert same(phrases_of(sentences, threads=threads, **TWICE), expected)


def test_find_phrases__in_little_memory_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are cut until their pairs fit, and ids are in files."""
    sentences = generated(30_000, 3000)
    expected = phrases_of(sentences, **TWICE)
    parts: list[Any] = []
    cut = count.PairCounter._cut

    def counted(self: Any, *part: int) -> None:
        parts.append(part)
        cut(self, *part)

    monkeypatch.setattr(count.PairCounter, "_cut", counted)
    small = phrases_of(sentences, room=Budget(ids=0, table=1), threads=2, **TWICE)
    assert same(small, expected)
    assert len(parts) > 2


def test_pair_counter__that_cannot_be_cut_says_so() -> None:
    text = chains.Text(np.zeros(2, np.int32), np.array([0, 2]), np.zeros(1, np.uint8))
    counter = count.PairCounter(
        text, table.new_pairs(), lambda pairs: pairs.counts > 0, threads=1, table_bytes=1
    )
    with pytest.raises(OutputError, match="raise --memory-limit"):
        counter._cut(5, 6)


def test_find_phrases__an_end_of_memory_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(n_pairs: int = 0) -> None:
        raise MemoryError

    monkeypatch.setattr(count, "new_pairs", fail)
    with pytest.raises(OutputError, match="memory ended while finding phrases: raise the threshold"):
        phrases_of([["a", "b"]])


def test_chains__too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "MOST_CHAINS", 4)
    rng = np.random.default_rng(0)
    sentences = [["a", *rng.choice(list("wxyz"), 9).tolist()] for _ in range(400)]
    with pytest.raises(UsageError, match="in more than 2 ways: give fewer connector_words"):
        phrases_of(sentences, connector_words="w x y z")
    monkeypatch.undo()
    assert phrases_of(sentences, connector_words="w x y z").phrases == []


def test_table__grows_and_finds_pairs_whatever_their_order(rng: np.random.Generator) -> None:
    pairs = np.unique(rng.integers(0, 300, (6000, 3)), axis=0)
    rng.shuffle(pairs)
    pairs_table = table.table_of_pairs(*np.ascontiguousarray(pairs.T))
    larger = table.grown(pairs_table)
    for one in (pairs_table, larger):
        found = [table_number(one, *pair) for pair in pairs[:50].tolist()]
        assert found == list(range(50))
        assert table_number(one, 300, 0, 0) == -1
    assert len(larger.records) == 2 * len(pairs_table.records)


def table_number(pairs: table.PairTable, first: int, second: int, chain: int) -> int:
    """The number of a pair in a table, by Python."""
    records = pairs.records[pairs.records[:, table.KEY] == (first << 32 | second) + 1]
    numbers = records[records[:, table.NUMBER] >> table.NUMBER_BITS == chain, table.NUMBER]
    return int(numbers[0] & ((1 << table.NUMBER_BITS) - 1)) if len(numbers) else -1


def test_find_phrases__tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(join, "PROGRESS_SECONDS", 0.0)
    told: list[tuple[int, float]] = []
    corpus = read_corpus(generated(200_000), min_count=1)
    settings = ReadConfig(phrases=2, phrase_threshold=3.0).phrase_settings
    find.find_phrases(corpus[:3], settings, room=ROOM, on_pass=lambda *where: told.append(where))
    assert {number for number, _ in told} == {1, 2}
    assert all(0 <= share <= 1 for _, share in told)
    assert told == sorted(told)
