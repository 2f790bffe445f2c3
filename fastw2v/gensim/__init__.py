"""gensim's classes of word vectors, trained by fastw2v: change one import.

    from fastw2v.gensim import Word2Vec  # was: from gensim.models import Word2Vec
    model = Word2Vec(sentences, vector_size=100, sg=1, workers=4)
    model.wv.most_similar("graph")

Names, defaults and order of arguments are gensim 4's. What means nothing here warns by name or is refused;
docs/gensim.md has the table. gensim is not needed; where it is installed, `model.wv` is its KeyedVectors.
"""

from __future__ import annotations

from fastw2v.gensim.callbacks import CallbackAny2Vec
from fastw2v.gensim.facebook import load_facebook_model, load_facebook_vectors, save_facebook_model
from fastw2v.gensim.fasttext import FastText
from fastw2v.gensim.faults import IdleArgumentWarning
from fastw2v.gensim.keyed_vectors import KeyedVectors
from fastw2v.gensim.ngram_vectors import FastTextKeyedVectors
from fastw2v.gensim.phrases import ENGLISH_CONNECTOR_WORDS, FrozenPhrases, Phraser, Phrases
from fastw2v.gensim.word2vec import Word2Vec

__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "CallbackAny2Vec",
    "FastText",
    "FastTextKeyedVectors",
    "FrozenPhrases",
    "IdleArgumentWarning",
    "KeyedVectors",
    "Phraser",
    "Phrases",
    "Word2Vec",
    "load_facebook_model",
    "load_facebook_vectors",
    "save_facebook_model",
]
