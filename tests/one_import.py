"""A plugin of pytest that puts our classes in the place of gensim's, for the tests that gensim brings along.

    python -m pytest -p tests.one_import -c /dev/null --rootdir . --pyargs gensim.test.test_fasttext

Some of them need testfixtures. docs/gensim.md has the share that passes. gensim's test modules take the names
when they are imported, later.
"""

from __future__ import annotations

import gensim.models
import gensim.models.fasttext
import gensim.models.phrases
import gensim.models.word2vec
import pytest

import fastw2v.gensim as ours

PLACES = {
    gensim.models: ("Word2Vec", "FastText", "Phrases"),
    gensim.models.word2vec: ("Word2Vec",),
    gensim.models.fasttext: (
        *("FastText", "load_facebook_model", "load_facebook_vectors", "save_facebook_model"),
    ),
    gensim.models.phrases: ("Phrases", "FrozenPhrases", "Phraser", "ENGLISH_CONNECTOR_WORDS"),
}
for module, names in PLACES.items():
    for name in names:
        setattr(module, name, getattr(ours, name))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Some of the tests write into the current folder."""
    monkeypatch.chdir(tmp_path)
