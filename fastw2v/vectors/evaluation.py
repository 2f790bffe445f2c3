"""How good word vectors are: human similarity judgements and analogy questions.

The numbers are those of gensim's `evaluate_word_pairs` and `evaluate_word_analogies`.
"""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.checks import NO_LIMIT, choice, flag, refuse, whole
from fastw2v.system.marks import MARK_BYTES, without_mark
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.query import similarity

AnalogyMethod = Literal["3cosadd", "3cosmul"]

SCORE_NUMBERS = 1 << 23  # cosines held at once: 32 MB for each float32 array in flight
COSMUL_EPSILON = 1e-6  # keeps 3CosMul's division finite; gensim's value (Levy & Goldberg 2014 use 1e-3)


class SimilarityPair(NamedTuple):
    """Two words and how similar people find them."""

    first: str
    second: str
    score: float


class SimilarityResult(NamedTuple):
    """Agreement with people: rho is nan when fewer than two pairs were found or all are alike."""

    rho: float
    n_found: int
    n_pairs: int


class AnalogyQuestion(NamedTuple):
    """a is to b as c is to d, in a named section."""

    section: str
    a: str
    b: str
    c: str
    d: str


Row = TypeVar("Row", SimilarityPair, AnalogyQuestion)


class SectionResult(NamedTuple):
    """Questions of one section: those whose four words are known are asked."""

    name: str
    n_correct: int
    n_asked: int
    n_questions: int

    @property
    def accuracy(self) -> float:
        """Share of the asked questions answered correctly; nan when none was asked."""
        return self.n_correct / self.n_asked if self.n_asked else math.nan


class AnalogyResult(NamedTuple):
    """All questions together, and by section in the order of the file."""

    accuracy: float
    n_correct: int
    n_asked: int
    n_questions: int
    sections: list[SectionResult]


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Rank correlation ρ of two equally long lists; ties share the mean of their ranks.

    Pearson's correlation of the ranks. nan when it is undefined: fewer than two values, or all alike.
    Raises UsageError when the lengths differ or a value is not finite.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise UsageError(f"shapes {x.shape} and {y.shape} cannot be correlated; give two lists of one length")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UsageError("values that are not finite have no rank; leave them out")
    rank_x, rank_y = _centered_ranks(x), _centered_ranks(y)
    scale = math.sqrt(float(rank_x @ rank_x) * float(rank_y @ rank_y))
    return float(rank_x @ rank_y) / scale if scale > 0 else math.nan


def _centered_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks 0..n-1, ties averaged, minus their mean (n−1)/2; float64 (n,)."""
    _, group, size = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(size) - 1.0
    ranks: NDArray[np.float64] = (last - (size - 1) / 2)[group] - (len(values) - 1) / 2
    return ranks


def read_similarity(path: str | Path) -> list[SimilarityPair]:
    """Word pairs with scores: `word1 word2 score` a line, parted by tabs, commas or spaces.

    A first line whose last field is no number is taken as a header; empty lines and lines that begin with
    `#` are passed over. Raises CorpusError naming the line that does not fit, or when no pair is there.
    """
    pairs: list[SimilarityPair] = []
    header_allowed = True
    for number, line in _lines(path):
        if not line or line.startswith("#"):
            continue
        pair = _pair(line)
        if pair is None and not header_allowed:
            raise CorpusError(f"{path}: line {number} is {line[:60]!r}; 'word1 word2 score' is needed")
        if pair is not None:
            pairs.append(pair)
        header_allowed = False
    if not pairs:
        raise CorpusError(f"{path}: holds no word pairs; give lines of 'word1 word2 score'")
    return pairs


def _pair(line: str) -> SimilarityPair | None:
    fields = re.split("\t" if "\t" in line else "," if "," in line else r"\s+", line)
    if len(fields) != 3:
        return None
    first, second, score = (field.strip() for field in fields)
    try:
        value = float(score)
    except ValueError:
        return None
    return SimilarityPair(first, second, value) if first and second and math.isfinite(value) else None


def read_analogies(path: str | Path) -> list[AnalogyQuestion]:
    """Questions of four words a line, in sections that begin with a line `: name`.

    Empty lines are passed over; questions before the first section belong to the section "".
    Raises CorpusError naming the line that does not fit, or when no question is there.
    """
    questions: list[AnalogyQuestion] = []
    section = ""
    for number, line in _lines(path):
        if line.startswith(":"):
            section = line[1:].strip()
        elif line:
            words = line.split()
            if len(words) != 4:
                raise CorpusError(f"{path}: line {number} has {len(words)} words; a question has 4")
            questions.append(AnalogyQuestion(section, *words))
    if not questions:
        raise CorpusError(f"{path}: holds no questions; give lines of four words")
    return questions


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without the white space around them."""
    try:
        with Path(path).open("rb") as file:
            without_mark(file.peek(MARK_BYTES)[:MARK_BYTES], path)
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n")
            for number, line in enumerate(text, start=1):
                yield number, line.strip()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is not UTF-8 text ({error.reason}); convert it to UTF-8") from error


def evaluate_similarity(
    embeddings: Embeddings,
    pairs: Sequence[SimilarityPair],
    case_insensitive: bool = True,
    restrict: int | None = None,
) -> SimilarityResult:
    """Spearman's ρ between cosines and human scores, over the pairs whose words are both known.

    Where vectors are made of n-grams and nothing is restricted, unseen words are known, too.

    case_insensitive   words differing in case only are one word: the first, most frequent, is used
    restrict           only the first `restrict` words are known; None means all
    """
    pairs = _rows("pairs", pairs, SimilarityPair, "read_similarity(path)")
    known = _KnownWords(embeddings, case_insensitive, restrict)
    ids = [(known.find(pair.first), known.find(pair.second)) for pair in pairs]
    found = [i for i, both in enumerate(ids) if None not in both]
    first, second = np.array([ids[i] for i in found], dtype=np.int64).reshape(-1, 2).T
    cosines = (_unit_rows(embeddings, first) * _unit_rows(embeddings, second)).sum(axis=1)
    if embeddings.made_of is not None and restrict is None:
        more = {i: _of_unseen(embeddings, pairs[i], ids[i]) for i in range(len(pairs)) if None in ids[i]}
        unseen = {i: cosine for i, cosine in more.items() if cosine is not None}
        found, cosines = [*found, *unseen], np.append(cosines, list(unseen.values()))
    return SimilarityResult(spearman(cosines, [pairs[i].score for i in found]), len(found), len(pairs))


def _of_unseen(
    embeddings: Embeddings, pair: SimilarityPair, ids: tuple[int | None, int | None]
) -> float | None:
    """The cosine of a pair of which not both words were seen; None where one has no n-grams."""
    words = [word if i is None else embeddings.words[i] for word, i in zip(pair[:2], ids, strict=True)]
    try:
        return similarity(embeddings, words[0], words[1])
    except UsageError:
        return None


def evaluate_analogies(
    embeddings: Embeddings,
    questions: Sequence[AnalogyQuestion],
    restrict: int | None = 30_000,
    *,
    case_insensitive: bool = True,
    method: AnalogyMethod = "3cosadd",
) -> AnalogyResult:
    """Share of questions whose best answer, a, b and c excluded, is the expected word.

    A question with a word outside the first `restrict` words (None: all) is not asked, and answers come from
    these words only. Over unit vectors (Levy & Goldberg 2014):
      3cosadd   argmax_d  d·b − d·a + d·c
      3cosmul   argmax_d  s(d·b) s(d·c) / (s(d·a) + ε),  s(x) = (1 + x)/2

    Holds a normalised copy of the restricted vectors and some 100 MB.
    """
    choice("method", method, get_args(AnalogyMethod))
    questions = _rows("questions", questions, AnalogyQuestion, "read_analogies(path)")
    known = _KnownWords(embeddings, case_insensitive, restrict)
    ids = [[known.find(word) for word in question[1:]] for question in questions]
    asked = [i for i, quadruple in enumerate(ids) if None not in quadruple]
    quadruples = np.array([ids[i] for i in asked], dtype=np.int64).reshape(-1, 4)
    correct = _correct(_unit_rows(embeddings, slice(known.n_words)), quadruples, known, method)
    sections = _by_section(questions, asked, correct)
    n_correct = int(correct.sum())
    accuracy = n_correct / len(asked) if asked else math.nan
    return AnalogyResult(accuracy, n_correct, len(asked), len(questions), sections)


def _rows(name: str, rows: Iterable[Any], kind: type[Row], reader: str) -> list[Row]:
    """Rows that were given, as the named tuples they stand for; raises UsageError for one that is none."""
    limit = f"a list of {kind.__name__}, such as {reader} gives"
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise refuse(name, rows, limit)
    given = list(rows)
    for row in given:
        if not isinstance(row, tuple | list) or len(row) != len(kind._fields):
            raise refuse(f"one of {name}", row, f"a {kind.__name__}{kind._fields}")
    return [kind(*row) for row in given]


class _KnownWords:
    """The words that may be asked for and answered: the first `restrict`, with case variants as one word.

    first      folded word to the id of its first, most frequent, spelling
    variants   that id to the ids of all spellings
    """

    def __init__(self, embeddings: Embeddings, case_insensitive: bool, restrict: int | None) -> None:
        if not isinstance(embeddings, Embeddings):
            raise refuse("embeddings", embeddings, "Embeddings, which fastw2v.load and fastw2v.train give")
        if restrict is not None:
            restrict = whole("restrict", restrict, 1, NO_LIMIT, ", or None for all words")
        case_insensitive = flag("case_insensitive", case_insensitive)
        words = embeddings.words[:restrict]
        self.n_words = len(words)
        self.case_insensitive = case_insensitive
        self.first: dict[str, int] = {}
        self.variants: dict[int, list[int]] = {}
        for i, word in enumerate(words):
            self.variants.setdefault(self.first.setdefault(self._fold(word), i), []).append(i)

    def _fold(self, word: str) -> str:
        return word.upper() if self.case_insensitive else word  # upper, not casefold: as gensim does

    def find(self, word: str) -> int | None:
        return self.first.get(self._fold(word))


def _unit_rows(embeddings: Embeddings, ids: slice | NDArray[np.int64]) -> NDArray[np.float32]:
    """A copy of the centre vectors of some words as unit vectors; a zero vector stays zero."""
    norms = embeddings.norms[ids, np.newaxis]
    unit: NDArray[np.float32] = embeddings.center_vectors[ids].copy()
    np.divide(unit, norms, out=unit, where=norms > 0, casting="same_kind")
    return unit


def _correct(
    unit: NDArray[np.float32], quadruples: NDArray[np.int64], known: _KnownWords, method: AnalogyMethod
) -> NDArray[np.bool_]:
    """Which questions are answered correctly, bool (n_asked,).

    unit         float32 (n_known, dim)
    quadruples   int64 (n_asked, 4), ids of a, b, c and the expected d
    """
    score = _cosadd if method == "3cosadd" else _cosmul
    correct = np.zeros(len(quadruples), dtype=np.bool_)
    rows = max(1, SCORE_NUMBERS // max(1, len(unit)))
    for start in range(0, len(quadruples), rows):
        batch = quadruples[start : start + rows]
        scores = score(unit, batch)
        for row, given in enumerate(batch[:, :3].tolist()):
            scores[row, [i for word in given for i in known.variants[word]]] = -np.inf
        answers = scores.argmax(axis=1).tolist()
        correct[start : start + rows] = [
            answer in known.variants[expected] and expected not in given
            for answer, (*given, expected) in zip(answers, batch.tolist(), strict=True)
        ]
    return correct


def _cosadd(unit: NDArray[np.float32], batch: NDArray[np.int64]) -> NDArray[np.float32]:
    """3CosAdd scores of every word for every question, float32 (n_batch, n_known)."""
    a, b, c, _ = batch.T
    scores: NDArray[np.float32] = (unit[b] - unit[a] + unit[c]) @ unit.T
    return scores


def _cosmul(unit: NDArray[np.float32], batch: NDArray[np.int64]) -> NDArray[np.float32]:
    """3CosMul scores of every word for every question, float32 (n_batch, n_known)."""
    ids, place = np.unique(batch[:, :3], return_inverse=True)  # neighbouring questions share most words
    shifted: NDArray[np.float32] = unit[ids] @ unit.T
    shifted += 1
    shifted /= 2
    a, b, c = place.reshape(-1, 3).T
    scores: NDArray[np.float32] = shifted[b]
    scores *= shifted[c]
    scores /= shifted[a] + np.float32(COSMUL_EPSILON)
    return scores


def _by_section(
    questions: Sequence[AnalogyQuestion], asked: Sequence[int], correct: NDArray[np.bool_]
) -> list[SectionResult]:
    n_questions = Counter(question.section for question in questions)
    n_asked = Counter(questions[i].section for i in asked)
    n_correct = Counter(questions[i].section for i, right in zip(asked, correct, strict=True) if right)
    return [SectionResult(name, n_correct[name], n_asked[name], n) for name, n in n_questions.items()]
