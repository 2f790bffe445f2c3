"""Other programs' names for the options lead to ours, in Python and on the command line."""

from __future__ import annotations

import pytest

from fastw2v.options.synonyms import ABSENT, MEANT, absent, bare, hint, likely

PYTHON = ["dim", "window", "negatives", "epochs", "lr", "min_lr", "threads", "min_count", "init"]
FLAGS = [f"--{name.replace('_', '-')}" for name in PYTHON]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("vector_size", "dim"),
        ("size", "dim"),
        ("workers", "threads"),
        ("iter", "epochs"),
        ("alpha", "lr"),
        ("min_alpha", "min_lr"),
        ("negative", "negatives"),
        ("minCount", "min_count"),
        ("ws", "window"),
        ("MIN_COUNT", "min_count"),
        ("min-count", "min_count"),
        ("widnow", "window"),
        ("init_vectors", "init"),
    ],
)
def test_likely__finds_other_programs_names_and_misspellings(given: str, expected: str) -> None:
    """Spelt as Python spells it, and as the command line does."""
    flag = f"--{expected.replace('_', '-')}"
    assert likely(given, PYTHON) == expected
    assert likely(f"--{given.replace('_', '-')}", FLAGS) == flag
    assert likely(f"-{given}", FLAGS) == flag


@pytest.mark.parametrize("name", ABSENT)
def test_likely__suggests_nothing_for_what_is_not_there(name: str) -> None:
    """Nor does a misspelling of it lead astray: the message says what to do instead."""
    assert likely(name, PYTHON) is None
    assert hint(f"--{name}", FLAGS, "see --help") == absent(name)


def test_hint__says_what_else_to_do_where_nothing_is_near() -> None:
    """A name like none gives no suggestion."""
    assert hint("xyzzy", PYTHON, "see --help") == "see --help"
    assert hint("vektor_size", PYTHON, "see --help") == "did you mean dim?"


def test_meant__has_no_name_for_two_options_of_one_interface() -> None:
    """A name that two options claim is one that only one interface has, as corpus and source."""
    pairs = {frozenset(pair) for pair in (("stop_words", "stop_list"), ("keep_words", "keep_list"))}
    pairs |= {frozenset(("init", "init_vectors")), frozenset(("vocabulary", "read_vocab"))}
    pairs |= {frozenset(("corpus", "source")), frozenset(("continue", "continue_from"))}
    owners: dict[str, set[str]] = {}
    for own, others in MEANT.items():
        for other in others.split():
            owners.setdefault(bare(other), set()).add(own)
    actual = {frozenset(own) for own in owners.values() if len(own) > 1}
    assert actual <= pairs
