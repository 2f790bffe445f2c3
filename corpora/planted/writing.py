"""The files, and whether they hold what was intended."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpora import CountMismatch, rows_per_group
from corpora.parquet import write_text_parquet
from corpora.planted.draws import length_range
from corpora.planted.items import plan_items
from corpora.planted.plan import EXPECTED, N_FUNCTION, Counts, Floats, Integers, Pair, Plan, Section
from corpora.planted.text import QUESTIONS_PER_RELATION, plan_text
from corpora.planted.truth import N_PAIRS, candidate_stop
from fastw2v.system.files import atomic_writer


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
