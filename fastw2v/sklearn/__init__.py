"""fastw2v in scikit-learn: texts to vectors, in pipelines and searches. Needs scikit-learn.

from fastw2v.sklearn import Word2VecTransformer
make_pipeline(Word2VecTransformer(dim=100, weighting="tfidf"), LogisticRegression()).fit(texts, labels)
"""

from __future__ import annotations

from fastw2v.sklearn.transformer import Word2VecTransformer

__all__ = ["Word2VecTransformer"]
