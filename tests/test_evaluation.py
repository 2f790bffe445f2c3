"""The same numbers as scipy and gensim, on made-up words with case variants, ties and unknown words."""

from __future__ import annotations

import itertools
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.errors import CorpusError, UsageError
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.evaluation import (
    AnalogyMethod,
    AnalogyQuestion,
    SimilarityPair,
    evaluate_analogies,
    evaluate_similarity,
    read_analogies,
    read_similarity,
    spearman,
)

CONSONANTS, VOWELS = "bdfgklmnprst", "aeiou"


def made_up_words(number: int) -> list[str]:
    syllables = ["".join(pair) for pair in itertools.product(CONSONANTS, VOWELS)]
    return ["".join(parts) for parts in itertools.islice(itertools.product(syllables, repeat=2), number)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def embeddings(rng: np.random.Generator) -> Embeddings:
    """600 words: 40 relations a:b with a common offset and much noise, and case variants of some words."""
    words = made_up_words(560)
    words[100:560:20] = [word.upper() for word in words[0:460:20]]  # the same words, less frequent
    words[7], words[9] = words[7].capitalize(), words[9].upper()
    words += ["straße", "STRASSE", "ñandú", "Ñandú"] + [f"x{i}" for i in range(36)]
    vectors = rng.normal(size=(600, 16))
    offset = rng.normal(size=16) * 2
    vectors[40:80] = vectors[:40] + offset + rng.normal(size=(40, 16)) * 0.55
    return Embeddings(words, vectors.astype(np.float32))


@pytest.fixture
def pairs_file(tmp_path: Path, embeddings: Embeddings, rng: np.random.Generator) -> Path:
    words = embeddings.words
    lines = ["# made up", "straße\tñandú\t3", "strasse\tbaba\t4", "Unknown\tbaba\t5"]
    for i, j in rng.integers(600, size=(200, 2)):
        first = words[i].title() if i % 3 == 0 else words[i]
        lines.append(f"{first}\t{words[j]}\t{rng.integers(10)}")  # few scores: many ties
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def questions_file(tmp_path: Path, embeddings: Embeddings, rng: np.random.Generator) -> Path:
    words, lines = embeddings.words, []
    for section, (first, last) in {"low": (0, 20), "gram8-high": (20, 40), "odd ones": (0, 40)}.items():
        lines.append(f": {section}")
        for i, j in itertools.permutations(range(first, last), 2):
            if rng.random() < 0.3:
                lines.append(f"{words[i]} {words[i + 40].upper()} {words[j].title()} {words[j + 40]}")
        lines.append(f"{words[first]} unknown {words[last]} {words[last + 1]}")
    lines.append(f"{words[1]} {words[41]} {words[2]} {words[41]}")  # the answer is one of the question
    path = tmp_path / "questions.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def in_gensim(embeddings: Embeddings) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        KeyedVectors = pytest.importorskip("gensim.models").KeyedVectors
    vectors = KeyedVectors(embeddings.dim)
    vectors.add_vectors(embeddings.words, embeddings.center_vectors)
    return vectors


# ---- Spearman ----------------------------------------------------------------------------------------------


def test_spearman__worked_by_hand() -> None:
    # ranks 1 2.5 2.5 4 and 1 3 2 4: covariance 4.5, variances 4.5 and 5
    assert spearman([1, 5, 5, 9], [10, 30, 20, 40]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert spearman([1, 2, 3], [1, 10, 100]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


@given(st.lists(st.tuples(st.integers(-3, 3), st.floats(-9, 9)), min_size=2, max_size=30))
def test_spearman__is_scipys(values: list[tuple[int, float]]) -> None:
    from scipy import stats  # type: ignore[import-untyped]

    x, y = zip(*values, strict=True)
    actual = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(actual)
    else:
        assert actual == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0]])
def test_spearman__is_nan_where_undefined(values: list[float]) -> None:
    assert math.isnan(spearman(values, values))


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1]), ([[1, 2]], [[1, 2]]), ([1, math.nan], [1, 2])])
def test_spearman__refuses(x: Any, y: Any) -> None:
    with pytest.raises(UsageError):
        spearman(x, y)


# ---- Files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "sun\tsunlight\t50.0\nnew york\tcity\t7\n",
        "# comment\n\nsun\tsunlight\t50.0\r\nnew york\tcity\t7\r\n",
        "Word 1\tWord 2\tHuman (mean)\nsun\tsunlight\t50.0\nnew york\tcity\t7",
        "Word 1,Word 2,Human (mean)\nsun,sunlight,50.0\nnew york, city, 7\n",
        "\ufeffsun\tsunlight\t50.0\nnew york\tcity\t7\n",
    ],
)
def test_read_similarity__tabs_or_commas_with_or_without_header(tmp_path: Path, text: str) -> None:
    (tmp_path / "pairs").write_text(text, encoding="utf-8", newline="")
    expected = [SimilarityPair("sun", "sunlight", 50.0), SimilarityPair("new york", "city", 7.0)]
    assert read_similarity(tmp_path / "pairs") == expected


def test_read_similarity__spaces(tmp_path: Path) -> None:
    (tmp_path / "pairs").write_text("word1 word2 score\nsun  sunlight 50.0\n")
    assert read_similarity(tmp_path / "pairs") == [SimilarityPair("sun", "sunlight", 50.0)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no word pairs"),
        (b"# only\n\nword1 word2 score\n", "holds no word pairs"),
        (b"a b 1\na b\n", "line 2 is 'a b'"),
        (b"word1 word2 score\na b 1\na b x\n", "line 3 is 'a b x'"),
        (b"a b 1\na b nan\n", "line 2 is"),
        (b"a\tb\t1\na\t\t1\n", "line 2 is"),
        (b"a b 1\n\xff b 1\n", "is not UTF-8"),
    ],
)
def test_read_similarity__names_what_is_wrong(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "pairs").write_bytes(content)
    with pytest.raises(CorpusError, match=reason):
        read_similarity(tmp_path / "pairs")


def test_read_analogies__sections(tmp_path: Path) -> None:
    (tmp_path / "questions").write_text("a b c d\n: family\n\nboy girl son daughter\n:gram\nx y z w\n")
    expected = [
        AnalogyQuestion("", "a", "b", "c", "d"),
        AnalogyQuestion("family", "boy", "girl", "son", "daughter"),
        AnalogyQuestion("gram", "x", "y", "z", "w"),
    ]
    assert read_analogies(tmp_path / "questions") == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b": family\n", "holds no questions"), (b": family\na b c\n", "line 2 has 3 words; a question has 4")],
)
def test_read_analogies__names_what_is_wrong(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "questions").write_bytes(content)
    with pytest.raises(CorpusError, match=reason):
        read_analogies(tmp_path / "questions")


@pytest.mark.parametrize("read", [read_similarity, read_analogies])
def test_read_similarity__missing_file(tmp_path: Path, read: Any) -> None:
    with pytest.raises(CorpusError, match=r"missing: cannot be read \(No such file"):
        read(tmp_path / "missing")


# ---- Similarity --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case_insensitive", [True, False])
@pytest.mark.parametrize("restrict", [None, 300])
def test_evaluate_similarity__is_gensims(
    embeddings: Embeddings, pairs_file: Path, case_insensitive: bool, restrict: int | None
) -> None:
    _, expected, unknown_percent = in_gensim(embeddings).evaluate_word_pairs(
        str(pairs_file), case_insensitive=case_insensitive, restrict_vocab=restrict or 300_000
    )
    pairs = read_similarity(pairs_file)
    actual = evaluate_similarity(embeddings, pairs, case_insensitive=case_insensitive, restrict=restrict)
    assert actual.rho == pytest.approx(expected.statistic, abs=1e-4)
    assert actual.n_pairs == 203
    assert 100 * (1 - actual.n_found / actual.n_pairs) == pytest.approx(unknown_percent)
    assert 20 < actual.n_found < 203


def test_evaluate_similarity__case_variants_are_the_first_word() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0.1], [1, 1]], dtype=np.float32)
    embeddings = Embeddings(["Paris", "paris", "rome", "oslo"], vectors)
    pairs = [
        SimilarityPair("paris", "ROME", 9),
        SimilarityPair("PARIS", "oslo", 5),
        SimilarityPair("rome", "oslo", 6),
    ]
    actual = evaluate_similarity(embeddings, pairs)
    assert actual.rho == pytest.approx(1)
    assert (actual.n_found, actual.n_pairs) == (3, 3)
    assert evaluate_similarity(embeddings, pairs, case_insensitive=False).n_found == 1


def test_evaluate_similarity__nothing_found(embeddings: Embeddings) -> None:
    rho, n_found, n_pairs = evaluate_similarity(embeddings, [SimilarityPair("absent", "gone", 1)])
    assert math.isnan(rho)
    assert (n_found, n_pairs) == (0, 1)


# ---- Analogies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case_insensitive", [True, False])
@pytest.mark.parametrize("restrict", [30_000, 70])
def test_evaluate_analogies__is_gensims(
    embeddings: Embeddings, questions_file: Path, case_insensitive: bool, restrict: int
) -> None:
    score, sections = in_gensim(embeddings).evaluate_word_analogies(
        str(questions_file), restrict_vocab=restrict, case_insensitive=case_insensitive
    )
    questions = read_analogies(questions_file)
    actual = evaluate_analogies(embeddings, questions, restrict, case_insensitive=case_insensitive)
    expected = {s["section"]: (len(s["correct"]), len(s["incorrect"])) for s in sections}
    total = expected.pop("Total accuracy")
    assert {s.name: (s.n_correct, s.n_asked - s.n_correct) for s in actual.sections} == expected
    assert (actual.n_correct, actual.n_asked) == (total[0], sum(total))
    assert actual.n_questions == len(questions)
    if total[0] + total[1]:
        assert actual.accuracy == pytest.approx(score, abs=1e-4)
    assert case_insensitive is False or 0.2 < actual.accuracy < 0.95


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning")
def test_evaluate_analogies__3cosmul_is_gensims(embeddings: Embeddings, questions_file: Path) -> None:
    gensim = in_gensim(embeddings)
    everything = [
        AnalogyQuestion(q.section, *(word.lower() for word in q[1:])) for q in read_analogies(questions_file)
    ]
    questions = [question for question in everything if all(word in gensim for word in question[1:])]
    answers = [
        gensim.most_similar_cosmul(positive=[q.b, q.c], negative=[q.a], topn=1)[0][0] for q in questions
    ]
    expected = sum(answer == q.d for answer, q in zip(answers, questions, strict=True))
    actual = evaluate_analogies(embeddings, questions, case_insensitive=False, method="3cosmul")
    assert actual.n_asked == len(questions) > 200
    assert actual.n_correct == expected > 30
    assert evaluate_analogies(embeddings, questions, case_insensitive=False).n_correct != expected


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_evaluate_analogies__does_not_depend_on_batches(
    embeddings: Embeddings, questions_file: Path, monkeypatch: pytest.MonkeyPatch, method: AnalogyMethod
) -> None:
    questions = read_analogies(questions_file)
    expected = evaluate_analogies(embeddings, questions, method=method)
    monkeypatch.setattr("fastw2v.vectors.evaluation.SCORE_NUMBERS", 600 * 7)
    assert evaluate_analogies(embeddings, questions, method=method) == expected


def test_evaluate_analogies__accuracy_by_section() -> None:
    vectors = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [0, 0, 0]], dtype=np.float32)
    embeddings = Embeddings(["man", "king", "woman", "queen", "nothing"], vectors)
    questions = [
        AnalogyQuestion("royal", "man", "king", "woman", "queen"),
        AnalogyQuestion("royal", "man", "king", "woman", "nothing"),
        AnalogyQuestion("none", "man", "king", "woman", "unknown"),
    ]
    actual = evaluate_analogies(embeddings, questions)
    assert (actual.accuracy, actual.n_correct, actual.n_asked, actual.n_questions) == (0.5, 1, 2, 3)
    royal, none = actual.sections
    assert royal == ("royal", 1, 2, 2)
    assert royal.accuracy == 0.5
    assert none == ("none", 0, 0, 1)
    assert math.isnan(none.accuracy)


def test_evaluate_analogies__case_variants_of_the_question_are_no_answer() -> None:
    vectors = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 0.9], [-0.3, 1, 0.7]], dtype=np.float32)
    embeddings = Embeddings(["man", "king", "woman", "queen", "KING"], vectors)
    questions = [AnalogyQuestion("royal", "man", "king", "woman", "Queen")]
    assert evaluate_analogies(embeddings, questions).n_correct == 1
    strict = [AnalogyQuestion("royal", "man", "king", "woman", "queen")]
    assert evaluate_analogies(embeddings, strict, case_insensitive=False).n_correct == 0


def test_evaluate_analogies__the_question_holds_its_own_answer() -> None:
    embeddings = Embeddings(["a", "b"], np.eye(2, dtype=np.float32))
    actual = evaluate_analogies(embeddings, [AnalogyQuestion("s", "b", "b", "a", "a")])
    assert (actual.n_correct, actual.n_asked) == (0, 1)


def test_evaluate_analogies__nothing_asked(embeddings: Embeddings) -> None:
    actual = evaluate_analogies(embeddings, [AnalogyQuestion("s", "no", "such", "words", "here")])
    assert math.isnan(actual.accuracy)
    assert actual.n_asked == 0


def test_evaluate_analogies__leaves_the_vectors_alone(embeddings: Embeddings, questions_file: Path) -> None:
    before = embeddings.center_vectors.copy()
    evaluate_analogies(embeddings, read_analogies(questions_file), restrict=None)
    assert np.array_equal(embeddings.center_vectors, before)


def test_evaluate_analogies__refuses(embeddings: Embeddings) -> None:
    with pytest.raises(UsageError, match="restrict is 0"):
        evaluate_analogies(embeddings, [], restrict=0)
    with pytest.raises(UsageError, match="method is '3cosdiv': it must be one of 3cosadd, 3cosmul"):
        evaluate_analogies(embeddings, [], method="3cosdiv")  # type: ignore[arg-type]
