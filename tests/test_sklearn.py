"""fastw2v.sklearn: documents to vectors as scikit-learn's estimators do it."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from fastw2v.errors import UsageError
from fastw2v.sklearn import Word2VecTransformer
from fastw2v.sklearn.transformer import NOT_HERE, PARAMETERS

SETTINGS: dict[str, Any] = {"dim": 8, "min_count": 1, "epochs": 2, "sample": 0, "threads": 1}
TEXTS = [*["the cat sat on the mat", "the dog sat", "a cat and a dog"] * 20, "Mat 42"]


@pytest.fixture(scope="module")
def fitted() -> Word2VecTransformer:
    return Word2VecTransformer(**SETTINGS).fit(TEXTS)


def test_parameters__are_the_options_of_training() -> None:
    from fastw2v.config import TrainConfig

    expected = set(TrainConfig.__dataclass_fields__) - set(NOT_HERE)
    assert expected <= Word2VecTransformer().get_params().keys() == PARAMETERS.keys()
    with pytest.raises(TypeError, match="size"):
        Word2VecTransformer(size=3)
    with pytest.raises(UsageError, match="dim is 0"):
        Word2VecTransformer(dim=0).fit(TEXTS)


# Those of check_estimator that ask an estimator of texts for no rows of numbers. It leaves nearly all of them
# out where tags say that the input is no matrix, so they are run one by one.
CHECKS = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_n_features_in_after_fitting",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_output_transform",
    "check_set_params",
    "check_transformer_get_feature_names_out",
    "check_valid_tag_types",
]
# These give rows of numbers, which are no documents, and say so by the error that they meet.
OF_NUMBERS = ["check_fit_score_takes_y", "check_positive_only_tag_during_fit", "check_transformer_general"]


def test_estimator__passes_check_estimator() -> None:
    with pytest.warns(SkipTestWarning, match="string=True"):
        check_estimator(Word2VecTransformer(**SETTINGS))


@pytest.mark.parametrize("check", CHECKS)
def test_estimator__passes_each_check_of_texts(check: str) -> None:
    getattr(estimator_checks, check)("Word2VecTransformer", Word2VecTransformer())


@pytest.mark.parametrize("check", OF_NUMBERS)
def test_estimator__refuses_rows_of_numbers(check: str) -> None:
    with pytest.raises((ValueError, AssertionError), match=r"document 0 is no text|raised InputError"):
        getattr(estimator_checks, check)("Word2VecTransformer", Word2VecTransformer())


def test_transform__is_the_mean_of_the_words(fitted: Word2VecTransformer) -> None:
    vectors = fitted.vectors_
    found = fitted.transform(["the cat the unknown", "unknown words", ""])
    assert found.dtype == np.float32
    assert found[0] == pytest.approx((2 * vectors["the"] + vectors["cat"]) / 3, rel=1e-5)
    assert not found[1:].any()


def test_transform__weighs_as_scikit_learns_tfidf() -> None:
    ours = Word2VecTransformer(weighting="tfidf", **SETTINGS).fit(TEXTS)
    tfidf = TfidfVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False, norm="l1").fit(TEXTS)
    weights = tfidf.transform(TEXTS) @ ours.vectors_[list(tfidf.get_feature_names_out())]
    assert ours.transform(TEXTS) == pytest.approx(weights, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "documents", "words"),
    [
        ({}, TEXTS, {"Mat", "42"}),
        ({"lowercase": True}, TEXTS, {"mat", "42"}),
        ({"tokenize": "simple"}, TEXTS, {"mat", "cat"}),
        ({}, [text.split() for text in TEXTS], {"Mat", "42"}),
        ({"stop_words": frozenset(["42"])}, np.array(TEXTS, object), {"Mat"}),
    ],
)
def test_fit__takes_texts_and_tokens(given: dict[str, Any], documents: Any, words: set[str]) -> None:
    fitted = Word2VecTransformer(**SETTINGS, **given).fit(documents)
    assert words <= set(fitted.vectors_.words)
    assert ("42" in fitted.vectors_) == ("42" in words)
    assert fitted.transform(documents).any(axis=1).all()


@pytest.mark.parametrize("documents", ["a text", b"bytes", {"a": 1}, 5, [], [5, "a b"], [["a", 5]], [None]])
def test_fit__refuses_what_are_no_documents(documents: Any) -> None:
    with pytest.raises(ValueError, match=r"^(X|document 0) ") as caught:
        Word2VecTransformer(**SETTINGS).fit(documents)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize("given", [{"weighting": "sum"}, {"tokenize": "words"}, {"lowercase": 3}])
def test_fit__refuses_values_by_name(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(given))):
        Word2VecTransformer(**SETTINGS, **given).fit(TEXTS)


def test_transform__needs_fit_and_survives_pickle(fitted: Word2VecTransformer) -> None:
    with pytest.raises(NotFittedError):
        clone(fitted).transform(TEXTS)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.transform(TEXTS), fitted.transform(TEXTS))


def test_output__has_names_and_is_a_frame_where_asked(fitted: Word2VecTransformer) -> None:
    pytest.importorskip("pandas")
    names = [f"word2vectransformer{i}" for i in range(8)]
    assert fitted.get_feature_names_out().tolist() == names
    frame = clone(fitted).set_output(transform="pandas").fit_transform(TEXTS)
    assert frame.columns.tolist() == names
    assert np.array_equal(frame.to_numpy(), fitted.transform(TEXTS))


@pytest.mark.slow
def test_pipeline__is_searched_over_the_options_of_training() -> None:
    """Texts of two topics, of words that never meet: any setting tells them apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    texts = [" ".join(f"{'xy'[label]}{i}" for i in rng.integers(0, 30, 12)) for label in labels]
    pipeline = Pipeline([("vectors", Word2VecTransformer(**SETTINGS)), ("classes", LogisticRegression())])
    grid = {"vectors__window": [2, 5], "vectors__weighting": ["mean", "tfidf"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(texts, labels)
    assert search.best_score_ > 0.95
    assert len({tuple(params.values()) for params in search.cv_results_["params"]}) == 4
    assert search.best_estimator_["vectors"].vectors_.dim == 8
