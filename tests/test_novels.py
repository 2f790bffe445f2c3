"""The page from a folder of novels to gensim does what it says, in at most six commands."""

from __future__ import annotations

import gzip
import random
import textwrap
from pathlib import Path

import pytest

from tests.documented import answers_of

SEA = ["captain", "ship", "sail", "mate", "harbour", "anchor", "storm", "crew"]
HOUSE = ["lady", "parlour", "carriage", "ball", "letter", "sister", "garden", "tea"]


def novel(draw: random.Random, number: int) -> str:
    """Paragraphs about the sea or about a house, wrapped, with punctuation and capitals."""
    paragraphs = []
    for _ in range(150):
        words = draw.choices(draw.choice((SEA, HOUSE)), k=40)
        first, last = ", the ".join(words[:20]), " ".join(words[21:]).title()
        sentence = f"The {first}; {words[20].upper()} \u2014 \u201c{last}!\u201d"
        paragraphs.append(textwrap.fill(sentence, 72))
    return f"\ufeffCHAPTER {number}.\r\n\r\n" + "\r\n\r\n".join(paragraphs).replace("\n", "\r\n") + "\r\n"


@pytest.mark.slow
def test_novels__page_does_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    draw = random.Random(1)
    (tmp_path / "novels").mkdir()
    for number in range(5):
        (tmp_path / "novels" / f"{number}.txt").write_bytes(novel(draw, number).encode())
    counted, trained, near, in_gensim, piped = answers_of("novels", tmp_path)
    assert "captain\t" in counted
    assert (trained, piped) == ("", "")
    words = [row.split("\t")[1] for row in near.splitlines()]
    assert set(words) < set(SEA)
    assert words == in_gensim.split()
    again = gzip.decompress((tmp_path / "again.txt.gz").read_bytes()).decode()
    assert again.splitlines()[0] == (tmp_path / "novels.vectors.txt").read_text().splitlines()[0]
