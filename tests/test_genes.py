"""The page from FASTA to vectors of genes does what it says."""

from __future__ import annotations

import random
import textwrap
from pathlib import Path

import pytest

from tests.documented import answers_of

FAMILIES = 4
CODONS = [first + second + third for first in "ACGT" for second in "ACGT" for third in "ACGT"]


def genes(draw: random.Random, n: int) -> str:
    """FASTA of genes whose family, the number's rest, prefers codons of its own; ACG is of the first."""
    others = [codon for codon in CODONS if codon != "ACG"]
    draw.shuffle(others)
    preferred = [others[8 * family : 8 * family + 8] for family in range(FAMILIES)]
    preferred[0].append("ACG")
    records = []
    for number in range(n):
        codons = draw.choices(preferred[number % FAMILIES], k=200) + draw.choices(CODONS, k=50)
        draw.shuffle(codons)
        lines = textwrap.wrap("".join(codons) + "NNNacgacg", 60)
        records += [f">gene{number} of some kind", *lines]
    return "\n".join(records) + "\n"


@pytest.mark.slow
def test_genes__page_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "genes.fasta").write_text(genes(random.Random(1), 200))
    counted, trained, near, written, alike, shown = answers_of("genes", tmp_path)
    assert "ACGACG\t" in counted
    assert (trained, written) == ("", "")
    assert all(set(line.split("\t")[1]) <= set("ACGT") for line in near.splitlines())
    found = [int(line.split("\t")[1].removeprefix("gene")) for line in alike.splitlines()]
    assert [number % FAMILIES for number in found] == [0, 0, 0]
    assert shown.startswith("200 fixed_size_list<")
