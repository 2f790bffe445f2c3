"""`fastw2v sequences`: a vector for each text, gene or basket, by a plain twin; named, asked like words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import fastw2v
from fastw2v import cli
from fastw2v.corpus import rows as rows_module
from fastw2v.corpus.arrow import layouts
from fastw2v.corpus.files import sequences as sequences_module
from fastw2v.corpus.files import text as text_module
from fastw2v.corpus.words import kmers
from fastw2v.corpus.words.cut import Cut
from fastw2v.corpus.words.kmers import plain_kmers
from fastw2v.vectors import formats
from fastw2v.vectors import sequences as means_module
from fastw2v.vectors.embeddings import Embeddings

WORDS = ["a", "b", "the", "é", "longer-than-eight-bytes"]
TEXTS = ["a b the", None, "", "x y", "the the x é", "longer-than-eight-bytes", " a\u00a0a "] * 5
Vector = NDArray[np.float64]


def vectors_of(words: Sequence[str], counts: Sequence[int] | None = None) -> Embeddings:
    matrix = np.random.default_rng(len(words)).normal(size=(len(words), 6)).astype(np.float32)
    return Embeddings(list(words), matrix, counts=None if counts is None else np.array(counts, np.int64))


VECTORS = vectors_of(WORDS, [50, 30, 900, 15, 5])


def plain(vectors: Embeddings, rows: Sequence[Sequence[str] | None], sif: bool = False) -> dict[str, Vector]:
    """The definition: by the number of each row with a known word, their mean."""
    found = {}
    for number, row in enumerate(rows):
        known = [word for word in row or [] if word in vectors]
        if known:
            assert vectors.counts is not None or not sif
            share = {w: vectors.counts[vectors.index[w]] / vectors.counts.sum() for w in known} if sif else {}
            weighted = [vectors[word] * (1e-3 / (1e-3 + share[word]) if sif else 1.0) for word in known]
            found[str(number)] = np.mean(weighted, axis=0, dtype=np.float64)
    return found


def require_same(made: Embeddings | None, expected: dict[str, Vector]) -> None:
    assert made is not None
    assert made.words == list(expected)
    np.testing.assert_allclose(made.center_vectors, list(expected.values()), rtol=1e-5, atol=1e-6)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Vectors and sequences in the working folder; batches are of three rows, chunks of two words."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(layouts, "BATCH_ROWS", 3)
    monkeypatch.setattr(means_module, "CHUNK_NUMBERS", 12)
    formats.save(Path("v.parquet"), VECTORS)
    ids = pa.array(range(100, 100 + len(TEXTS)), pa.int16())
    names = [f"n{number}" for number in range(len(TEXTS))]
    pq.write_table(pa.table({"text": TEXTS, "id": ids, "name": names}), "texts.parquet", row_group_size=8)
    Path("texts.txt").write_text("".join(f"{text or ''}\n" for text in TEXTS))
    return tmp_path


SPLIT = [None if text is None else text.split() for text in TEXTS]


@pytest.mark.parametrize("source", ["texts.parquet", "texts.txt"])
@pytest.mark.parametrize("weighting", ["mean", "sif"])
def test_sequences__are_the_definition(folder: Path, source: str, weighting: Any) -> None:
    column = {"column": "text"} if source == "texts.parquet" else {}
    made = fastw2v.sequences(VECTORS, source, weighting=weighting, **column)
    require_same(made, plain(VECTORS, SPLIT, weighting == "sif"))
    assert made is not None
    assert made.counts is not None
    assert made.counts.tolist() == [
        len([w for w in row if w in WORDS]) for row in SPLIT if row and set(row) & set(WORDS)
    ]


def test_sequences__of_objects_and_lists(folder: Path) -> None:
    lists = [row or [] for row in SPLIT]
    require_same(fastw2v.sequences(VECTORS, iter(lists)), plain(VECTORS, SPLIT))
    require_same(fastw2v.sequences("v.parquet", pa.table({"tokens": SPLIT})), plain(VECTORS, SPLIT))
    loud = [text and text.upper() for text in TEXTS]
    require_same(fastw2v.sequences(VECTORS, pa.table({"text": loud}), lowercase=True), plain(VECTORS, SPLIT))


def test_sequences__many_distinct_words_are_not_all_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "MOST_WORDS", 2)
    require_same(fastw2v.sequences(VECTORS, "texts.txt"), plain(VECTORS, SPLIT))


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(["sequences", *map(str, arguments)])
    captured = capfd.readouterr()
    assert captured.out == ""
    return stop.value.code, captured.err


def test_command__writes_what_python_returns_and_is_asked_like_words(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, told = run(capfd, "v.parquet", "texts.parquet", "--column", "text", "-o", "s.parquet")
    assert code == 0
    assert "20 vectors of 35 sequences, by 45 of 60 words; 15 sequences without" in told
    table = pq.read_table("s.parquet")
    assert table.column_names == ["word", "count", "vector"]
    assert table.schema.field("vector").type.list_size == 6
    loaded = fastw2v.load("s.parquet")
    made = fastw2v.sequences(VECTORS, "texts.parquet", column="text")
    assert made is not None
    assert loaded.words == made.words
    np.testing.assert_array_equal(loaded.center_vectors, made.center_vectors)
    assert loaded.nearest("0", 1) == [("7", pytest.approx(1))]
    fastw2v.sequences(VECTORS, "texts.parquet", "again.parquet", column="text")
    assert pq.read_table("again.parquet") == table


@pytest.mark.parametrize(("column", "kind"), [("id", pa.int16()), ("name", pa.string())])
def test_command__carries_a_column_along(
    folder: Path, capfd: pytest.CaptureFixture[str], column: str, kind: pa.DataType
) -> None:
    arguments = ["v.parquet", "texts.parquet", "--column", "text", "--id-column", column, "-o", "s.parquet"]
    assert run(capfd, *arguments, "-q") == (0, "")
    table = pq.read_table("s.parquet")
    names = pq.read_table("texts.parquet")[column].to_pylist()
    expected = [names[int(number)] for number in plain(VECTORS, SPLIT)]
    assert table[column].type == kind
    assert table[column].to_pylist() == expected
    assert table["word"].to_pylist() == list(map(str, expected))


def test_sequences__of_groups_are_called_by_their_keys(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the order in which groups begin; rows without item, key or order are none."""
    events = [
        ("u9", 3, "the"),
        ("u1", 1, "a"),
        (None, 1, "a"),
        ("u7", 1, None),
        ("u9", None, "b"),
        ("u1", 0, "b"),
    ]
    events += [("u7", 5, "x"), ("u9", 1, "é"), ("u2", 0, "the")]
    columns = dict(zip(("user", "time", "item"), map(list, zip(*events, strict=True)), strict=True))
    pq.write_table(pa.table(columns), "events.parquet", row_group_size=2)
    options = {"column": "item", "group_by": "user", "order_by": "time"}
    made = fastw2v.sequences(VECTORS, "events.parquet", **options)  # type: ignore[arg-type]
    expected = plain(VECTORS, [["the", "é"], ["a", "b"], ["x"], ["the"]])
    names = {"0": "u9", "1": "u1", "3": "u2"}
    require_same(made, {names[number]: vector for number, vector in expected.items()})
    flags = ["--column", "item", "--group-by", "user", "--order-by", "time"]
    assert run(capfd, "v.parquet", "events.parquet", *flags, "-o", "s.parquet", "-q") == (0, "")
    assert pq.read_table("s.parquet")["user"].to_pylist() == ["u9", "u1", "u2"]


# ---- k-mers ------------------------------------------------------------------------------------------------

LETTERS = np.random.default_rng(5).choice(list("ACGT"), 900)
GENES = {"long": "".join(LETTERS[:700]), "short": "AC", "gap": "ACGTNNACGT", "last": "".join(LETTERS[700:])}
KMERS = vectors_of(["".join(pair) for pair in ("AC", "CG", "GT", "TT", "TA", "GA", "CA")], [1] * 7)


@pytest.mark.parametrize("form", ["fasta", "one line", "lines", "parquet", "rows"])
@pytest.mark.parametrize("stride", [1, 3])
def test_sequences__of_long_records_are_whole(
    folder: Path, form: str, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are cut on the way: blocks are of 64 bytes, parts of 50 letters."""
    monkeypatch.setattr(text_module, "BATCH_BYTES", 64)
    for module in (sequences_module, kmers):
        monkeypatch.setattr(module, "LONGEST", 50)
    width = 60 if form == "fasta" else 10_000
    wrapped = {
        name: [gene[i : i + width] for i in range(0, len(gene), width)] for name, gene in GENES.items()
    }
    fasta = "".join(f">{name} of\n" + "\n".join(lines) + "\n" for name, lines in wrapped.items())
    Path("genes.fa").write_text(fasta)
    Path("genes.txt").write_text("\n".join(GENES.values()))
    pq.write_table(pa.table({"text": list(GENES.values())}), "genes.parquet")
    sources = {"lines": "genes.txt", "parquet": "genes.parquet", "rows": iter(GENES.values())}
    made = fastw2v.sequences(KMERS, sources.get(form, "genes.fa"), kmers=2, stride=stride)
    expected = plain(KMERS, [plain_kmers(gene, Cut(2, stride)) for gene in GENES.values()])
    if form in ("fasta", "one line"):
        expected = {list(GENES)[int(number)]: vector for number, vector in expected.items()}
    require_same(made, expected)


def test_sequences__are_the_same_for_both_strands(folder: Path) -> None:
    turned = {name: gene.translate(str.maketrans("ACGT", "TGCA"))[::-1] for name, gene in GENES.items()}
    options: dict[str, Any] = {"kmers": 2, "reverse_complement": True}
    one, other = (fastw2v.sequences(KMERS, iter(genes.values()), **options) for genes in (GENES, turned))
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one.center_vectors, other.center_vectors, rtol=1e-5, atol=1e-6)


def test_sequences__of_a_long_line_of_words_are_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BATCH_BYTES", 64)
    monkeypatch.setattr(text_module, "LONGEST_ROW", 32)
    rows = [["a", "b", "the"] * 40, ["é"], ["b"] * 30]
    Path("long.txt").write_text("\n".join(" ".join(row) for row in rows))
    require_same(fastw2v.sequences(VECTORS, "long.txt"), plain(VECTORS, rows))


# ---- Refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("v.parquet texts.txt -o s.txt", 2, "name a .parquet file"),
        ("v.parquet texts.txt -o no/s.parquet", 5, "there is no folder no"),
        ("v.parquet absent.txt -o s.parquet", 3, "absent.txt: no such file"),
        ("absent.bin texts.txt -o s.parquet", 3, "absent.bin: cannot be read"),
        ("v.parquet texts.parquet --column text -o texts.parquet", 2, "would replace what is read as"),
        ("v.parquet texts.parquet --column text -o v.parquet", 2, "would replace what is read as"),
        ("v.bin texts.txt -o s.parquet --weighting sif", 2, "--weighting sif goes by the counts of words"),
        ("v.parquet texts.txt -o s.parquet --id-column id", 2, "has rows and no columns"),
        (
            "v.parquet texts.parquet --column text -o s.parquet --id-column x",
            2,
            "no column 'x'; --id-column may",
        ),
        ("v.parquet texts.parquet -o s.parquet --group-by id --id-column id", 2, "--id-column id is of rows"),
        ("v.parquet other.txt -o s.parquet", 3, "other.txt: none of its 3 words has a vector; read it with"),
        ("v.parquet texts.txt -o s.parquet --stride 2", 2, "--stride is of k-mers"),
    ],
)
def test_command__bad_input_is_one_line_and_leaves_nothing(
    folder: Path, arguments: str, code: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("other.txt").write_text("no words known\n")
    formats.save(Path("v.bin"), VECTORS)
    before = sorted(folder.iterdir())
    stopped, told = run(capfd, *arguments.split(), "-q")
    assert stopped == code, told
    assert message in told
    assert told.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_python__refuses_what_it_cannot_use(folder: Path) -> None:
    with pytest.raises(fastw2v.errors.UsageError, match="a Corpus is read already"):
        fastw2v.sequences(VECTORS, fastw2v.corpus.read_corpus("texts.txt", min_count=1))
    with pytest.raises(fastw2v.errors.UsageError, match="min_count is no option of sequences"):
        fastw2v.sequences(VECTORS, "texts.txt", min_count=1)  # type: ignore[call-arg]
    with pytest.raises(fastw2v.errors.UsageError, match="weighting is 'idf': it must be one of mean, sif"):
        fastw2v.sequences(VECTORS, "texts.txt", weighting="idf")  # type: ignore[arg-type]
