"""`--kmers`: FASTA and texts that are sequences, as words of K letters; by plain twins of each step."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastw2v
from fastw2v import cli
from fastw2v.corpus.arrow.layouts import as_strings
from fastw2v.corpus.files.sequences import GOES_ON, NAME, TEXT, read_sequences
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.words import kmers
from fastw2v.corpus.words.cut import Cut
from fastw2v.corpus.words.kmers import in_parts, kmers_of, plain_kmers
from fastw2v.corpus.words.strings import Strings
from fastw2v.distributed.shards import read_shared_corpus
from fastw2v.distributed.simulation import run_ranks
from fastw2v.errors import CorpusError, UsageError
from tests.naive import Row, naive_corpus
from tests.parquet import as_plain, error_of

cuts = st.builds(Cut, st.integers(1, 5), st.integers(1, 7))
sequences = st.text(st.sampled_from("ACGTacgtNnU-*. \r\té"), max_size=40)


def split(texts: Strings) -> list[list[str]]:
    """The words of each text."""
    ends = zip(texts.offsets, texts.offsets[1:], strict=False)
    return [bytes(texts.data[start:stop]).decode().split() for start, stop in ends]


@given(st.lists(sequences), cuts)
def test_kmers_of__is_its_plain_twin(rows: list[str], cut: Cut) -> None:
    made = kmers_of(as_strings(pa.array(rows, pa.large_string())), cut)
    assert split(made) == [plain_kmers(row, cut) for row in rows]


@given(st.lists(sequences, min_size=1), cuts)
def test_in_parts__loses_no_kmer_and_has_none_twice(rows: list[str], cut: Cut) -> None:
    """Longer than 8 bytes is long."""
    joined: list[list[str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kmers, "LONGEST", 8)
        for part, goes_on in in_parts(as_strings(pa.array(rows, pa.large_string())), cut):
            first, *others = split(kmers_of(part, cut))
            joined = [*joined[:-1], joined[-1] + first] if goes_on else [*joined, first]
            joined += others
    assert joined == [plain_kmers(row, cut) for row in rows]


def in_blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def records_of(data: bytes, size: int, cut: Cut, longest: int) -> list[tuple[str | None, list[str]]]:
    """Names and k-mers of records, from blocks of a size; the rows of one joined."""
    records: list[tuple[str | None, list[str]]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastw2v.corpus.files.sequences.LONGEST", longest)
        for piece in read_sequences("here", in_blocks(data, size), cut):
            columns = {name: piece.rows.column(name) for name in piece.rows.schema.names}
            names = columns[NAME].to_pylist() if NAME in columns else [None] * piece.rows.num_rows
            rows = split(kmers_of(as_strings(columns[TEXT]), cut))
            for name, row, goes_on in zip(names, rows, columns[GOES_ON].to_pylist(), strict=True):
                if goes_on:
                    assert name == records[-1][0]
                    row = records.pop()[1] + row
                records.append((name, row))
    return records


bodies = st.lists(st.text(st.sampled_from("ACGTNacgt "), max_size=30), max_size=4)
headers = st.text(st.sampled_from("gene1é\t |"), max_size=12)


@given(st.lists(st.tuples(headers, bodies), min_size=1), st.integers(1, 50), cuts, st.integers(1, 20))
def test_read_sequences__of_fasta_are_its_records(
    records: list[tuple[str, list[str]]], size: int, cut: Cut, longest: int
) -> None:
    """However lines are wrapped, and blocks end: in headers, letters, between \\r and \\n."""
    text = "".join(
        f">{header}\r\n;a comment\n" + "".join(f"{line}\r\n" for line in body) for header, body in records
    )
    expected = [((header.split() or [""])[0], plain_kmers("".join(body), cut)) for header, body in records]
    assert records_of(text.encode(), size, cut, longest) == expected


@given(st.lists(st.text(st.sampled_from("ACGTN "), max_size=30)), st.integers(1, 50), cuts, st.booleans())
def test_read_sequences__of_other_text_are_its_lines(
    rows: list[str], size: int, cut: Cut, is_ended: bool
) -> None:
    text = "".join(f"{row}\n" for row in rows) if is_ended else "\n".join([*rows, "ACGT"])
    expected = rows if is_ended else [*rows, "ACGT"]
    assert records_of(text.encode(), size, cut, 9) == [(None, plain_kmers(row, cut)) for row in expected]


def test_read_sequences__refuses_a_header_that_does_not_end() -> None:
    with pytest.raises(CorpusError, match="here: a header of FASTA is over 64 KB long"):
        records_of(b">" + b"x" * 70_000, 1 << 12, Cut(3, 1), 99)


# ---- Corpora -----------------------------------------------------------------------------------------------

RNG = random.Random(1)
GENES = ["".join(RNG.choices("ACGTacgt", k=RNG.randrange(5, 300))) for _ in range(40)] + ["ACNNGT", "AC"]
FASTA = "".join(
    f">gene{number} of some kind\n" + "".join(f"{gene[i : i + 60]}\n" for i in range(0, len(gene), 60))
    for number, gene in enumerate(GENES)
)
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def canonical(kmer: str) -> str:
    return min(kmer, kmer.translate(COMPLEMENT)[::-1])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The genes in every form, in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genes.fasta").write_text(FASTA)
    (tmp_path / "called.txt").write_text(FASTA)
    (tmp_path / "genes.fa.gz").write_bytes(gzip.compress(FASTA.encode()))
    (tmp_path / "lines.txt").write_text("\n".join(GENES))
    pq.write_table(pa.table({"gene": GENES}), tmp_path / "genes.parquet", row_group_size=7)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "genes.fna").write_text(FASTA)
    (tmp_path / "folder" / "README.txt").write_text("These are genes.\n")
    (tmp_path / "proteins.faa").write_text(">p\nMEFILPQRSTVWYAX\n>q\nMKLLEFGHIKLMN*\n")
    return tmp_path


def naive(k: int, stride: int = 1, *, both_strands: bool = False) -> Any:
    """The corpus of the genes, plainly; k-mers with N are read and are no words."""
    rows: list[Row] = []
    for gene in GENES:
        found = plain_kmers(gene, Cut(k, stride))
        rows.append([canonical(word) if both_strands else word for word in found])
    words = naive_corpus(rows).words
    found = naive_corpus([[word for word in row or [] if word and "N" not in word] for row in rows])
    assert {word for word in words if "N" not in word} == set(found.words)
    return found._replace(n_words_read=sum(map(len, filter(None, rows))))


SOURCES = ["genes.fasta", "called.txt", "genes.fa.gz", "lines.txt", "genes.parquet", "folder"]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("source", SOURCES)
def test_read_corpus__reads_sequences_wherever_they_are(files: Path, source: str, threads: int) -> None:
    column = {"column": "gene"} if source == "genes.parquet" else {}
    corpus = read_corpus(source, kmers=3, min_count=1, threads=threads, **column)
    assert as_plain(corpus) == naive(3)
    n_bad = sum("N" in word for gene in GENES for word in plain_kmers(gene, Cut(3, 1)))
    line = f"left out {n_bad:,} of {corpus.n_words_read:,} k-mers: they have other letters than those of DNA"
    assert any(note.startswith(line) for note in corpus.notes)


def test_read_corpus__objects_and_strides_and_both_strands(files: Path) -> None:
    assert as_plain(read_corpus(iter(GENES), kmers=4, stride=3, min_count=1)) == naive(4, 3)
    both = read_corpus("genes.fasta", kmers=4, reverse_complement=True, min_count=1)
    assert as_plain(both) == naive(4, both_strands=True)
    turned = [gene.upper().translate(COMPLEMENT)[::-1] for gene in GENES]
    of_other = read_corpus(iter(turned), kmers=4, reverse_complement=True, min_count=1).vocabulary
    assert dict(zip(of_other.words, of_other.counts, strict=True)) == dict(
        zip(both.vocabulary.words, both.vocabulary.counts, strict=True)
    )


def test_read_corpus__given_words_and_lists_are_spelt_as_kmers(files: Path) -> None:
    options: dict[str, Any] = {"kmers": 2, "reverse_complement": True, "min_count": 1}
    every = read_corpus("genes.fasta", **options)
    kept = read_corpus("genes.fasta", keep_words={"gt", "tt", "CC"}, **options)
    assert sorted(kept.vocabulary.words) == ["AA", "AC", "CC"]
    given = read_corpus(
        "genes.fasta", vocabulary=Vocabulary(["GT", "TT", "CC"], np.ones(3, np.int64)), **options
    )
    assert sorted(given.vocabulary.words) == ["AA", "AC", "CC"]
    counts = dict(zip(every.vocabulary.words, every.vocabulary.counts.tolist(), strict=True))
    assert len(given.ids) == counts["AA"] + counts["AC"] + counts["CC"]


def test_read_corpus__u_is_t_on_both_strands_and_a_letter_on_one() -> None:
    assert read_corpus(iter(["AUGAUG"]), kmers=3, min_count=1).vocabulary.words == ["AUG", "UGA", "GAU"]
    both = read_corpus(iter(["AUGAUG", "CATCAT"]), kmers=3, min_count=1, reverse_complement=True)
    assert both.vocabulary.words[0] == "ATG"


def test_read_corpus__proteins_have_other_letters(files: Path) -> None:
    """X is any amino acid and * the end; N is asparagine."""
    corpus = read_corpus("proteins.faa", kmers=3, min_count=1)
    assert "LMN" in corpus.vocabulary.words
    assert not any(set("X*") & set(word) for word in corpus.vocabulary.words)
    assert any("left out 2 of 25 k-mers" in note and "protein" in note for note in corpus.notes)
    with pytest.raises(UsageError, match="reverse_complement is of DNA, and proteins"):
        read_corpus("proteins.faa", kmers=3, min_count=1, reverse_complement=True)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("genes.fasta", {}, "it is FASTA); give --kmers 6"),
        ("called.txt", {}, "is no text (it is FASTA); give --kmers 6"),
        ("genes.fa.gz", {}, "it is FASTA, packed by gzip"),
        ("reads.txt", {"kmers": 3}, "it is FASTQ); write it as FASTA: seqtk"),
        ("baskets.parquet", {"kmers": 3}, "kmers are of texts that are sequences, and column 'items' holds"),
        ("lines.txt", {"kmers": 40}, "kmers is 40: it must be from 1 to 31"),
        ("lines.txt", {"kmers": 0}, "kmers is 0"),
        ("lines.txt", {"stride": 2}, "stride is of k-mers, and there are none: set kmers to 6"),
        ("lines.txt", {"reverse_complement": True}, "reverse_complement is of k-mers"),
        ("lines.txt", {"kmers": 3, "lowercase": True}, "lowercase does nothing with kmers"),
        ("lines.txt", {"kmers": 3, "tokenize": "simple"}, "tokenize does nothing with kmers"),
        ("lines.txt", {"kmers": 3, "lines": "paragraphs"}, "lines does nothing with kmers"),
        ("lines.txt", {"kmers": 3, "group_by": "x"}, "group_by does nothing with kmers"),
        ("nothing.txt", {"kmers": 3}, "leave 0 of"),
    ],
)
def test_read_corpus__refuses_in_one_line(
    files: Path, source: str, options: dict[str, Any], message: str
) -> None:
    (files / "reads.txt").write_text("@r1\nACGTACGT\n+\nIIIIIIII\n")
    (files / "nothing.txt").write_text("NNNNNNRYS\n")
    pq.write_table(pa.table({"items": [["a", "b"]]}), files / "baskets.parquet")
    kind = CorpusError if message.startswith(("it is", "is no")) else UsageError
    assert message in error_of(kind, source, min_count=1, **options)


def test_read_corpus__fasta_meant_as_text_is_text(files: Path) -> None:
    assert ">gene0" in read_corpus("called.txt", input="text", min_count=1).vocabulary.words


def test_read_corpus__cache_has_the_same_corpus(files: Path) -> None:
    from fastw2v.corpus.ids.memory import Memory

    memory = Memory(cache_dir=files / "cache")
    first, again, other = (read_corpus("genes.fasta", kmers=k, min_count=1, memory=memory) for k in (3, 3, 4))
    assert as_plain(first) == as_plain(again) == naive(3)
    assert as_plain(other) == naive(4)


@pytest.mark.parametrize("source", ["genes.fasta", "genes.parquet", "folder"])
def test_read_shared_corpus__is_that_of_one_process(
    files: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a record a shard, cut into parts on the way."""
    monkeypatch.setattr(kmers, "LONGEST", 50)
    for number, gene in enumerate(GENES):
        (files / "folder" / f"{number:02}.fa").write_text(f">{number}\n{gene}\n")
    options: dict[str, Any] = {"kmers": 3, "reverse_complement": True, "min_count": 1}
    options |= {"column": "gene"} if source == "genes.parquet" else {}
    alone = as_plain(read_corpus(source, **options))
    parts = run_ranks(3, lambda communicator: read_shared_corpus(source, communicator, **options))
    pieces: dict[int, list[int]] = {}
    taken = [0, 0, 0]
    for number, (rank, n_tokens, _) in enumerate(parts[0].portions.tolist()):
        pieces[number] = parts[rank].corpus.ids[taken[rank] : taken[rank] + n_tokens].tolist()
        taken[rank] += n_tokens
    assert [i for number in sorted(pieces) for i in pieces[number]] == alone.ids
    assert {tuple(part.corpus.vocabulary.words) for part in parts} == {tuple(alone.words)}
    assert parts[0].corpus.notes
    assert len({part.corpus.n_words_read for part in parts}) == 1


@pytest.mark.parametrize("source", ["genes.fasta", "genes.parquet"])
def test_train__is_the_same_in_python_and_on_the_command_line(files: Path, source: str) -> None:
    column = ["--column", "gene"] if source == "genes.parquet" else []
    options = ["--kmers", "3", "--reverse-complement", "--dim", "4", "--epochs", "1", "--threads", "1"]
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", source, *column, *options, "-q", "--sample", "0"])
    assert stop.value.code == 0
    saved = fastw2v.load("genes.vectors.txt")
    made = fastw2v.train(
        source,
        kmers=3,
        reverse_complement=True,
        dim=4,
        epochs=1,
        threads=1,
        sample=0.0,
        **({"column": "gene"} if column else {}),
    )
    assert made.words == saved.words
    np.testing.assert_array_equal(made.center_vectors, saved.center_vectors)


def test_train__goes_on_to_the_same_bytes(files: Path) -> None:
    options: dict[str, Any] = {"kmers": 3, "reverse_complement": True, "dim": 4, "epochs": 2, "threads": 1}
    whole = fastw2v.train("genes.fa.gz", sample=0.0, **options)
    kept: dict[str, Any] = {"checkpoint": "kept", "checkpoint_every": "1 words", "on_epoch": lambda run: True}
    fastw2v.train("genes.fa.gz", sample=0.0, **kept, **options)
    again = fastw2v.train(resume=Path("kept"))
    assert again.words == whole.words
    np.testing.assert_array_equal(again.center_vectors, whole.center_vectors)
