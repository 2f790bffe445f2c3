"""Pairs read: from files and objects, of two vocabularies, with weights, in memory or in a file."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v.corpus.ids.storage import pages_of
from fastw2v.corpus.pairs.read import Limits, ReadPairs, read_pairs, weights_of
from fastw2v.errors import CorpusError, FastW2VError, UsageError
from fastw2v.model.pairs import CHUNK_ROWS, LARGEST_WEIGHT
from fastw2v.reference import groups as reference
from fastw2v.training import pairing
from fastw2v.training.pairing import PairSource, corpus_of_pairs

ROWS = [("dog", "nsubj_barks"), ("dog", "#"), ("cat", '"'), ("dog", "nsubj_barks"), ("cat", "dog,")]


def read(source: Any, least: int = 1, others: int = 1, ids_bytes: int = 1 << 30, **limits: Any) -> ReadPairs:
    """With these least counts."""
    centers, outsides = Limits(least, limits.get("most")), Limits(others, limits.get("most_others"))
    return read_pairs(source, centers=centers, outsides=outsides, ids_bytes=ids_bytes)


def spelt(found: ReadPairs) -> list[tuple[str, str]]:
    """The rows by their words."""
    centers, others = found.centers.words, found.outsides.words
    return [(centers[row[0]], others[row[1]]) for row in found.rows.tolist()]


FILES: dict[str, bytes] = {
    "pairs.txt": b'dog nsubj_barks\ndog  #\n\n cat "\r\ndog\tnsubj_barks\ncat dog,\n',
    "pairs": b'dog\tnsubj_barks\ndog\t#\ncat\t"\ndog\tnsubj_barks\ncat\tdog,\n',
    "pairs.csv": b'context,word\nnsubj_barks,dog\n#,dog\n"""",cat\nnsubj_barks,dog\n"dog,",cat\n',
    "pairs.txt.gz": gzip.compress(b'dog nsubj_barks\ndog #\ncat "\ndog nsubj_barks\ncat dog,'),
}


@pytest.mark.parametrize("name", FILES)
def test_read_pairs__reads_text_as_word2vecf_does(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    found = read(tmp_path / name)
    assert spelt(found) == ROWS
    assert found.centers.words == ["dog", "cat"]
    assert found.centers.counts.tolist() == [3, 2]
    assert found.outsides.words == ["nsubj_barks", "#", '"', "dog,"]
    assert (found.n_pairs, found.n_rows, found.n_null, found.rows.shape) == (5, 5, 0, (5, 2))


WITHOUT_PANDAS = """
import sys
from fastw2v.corpus.pairs.read import Limits, read_pairs

found = read_pairs(sys.argv[1], centers=Limits(1, None), outsides=Limits(1, None), ids_bytes=1 << 30)
print(found.n_pairs, "pandas" in sys.modules)
"""


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()], ids=str)
def test_read_pairs__imports_no_pandas(kind: pa.DataType, tmp_path: Path) -> None:
    """Through Arrow, where it is installed: 33 MB."""
    pytest.importorskip("pandas")
    ends = pa.array([7, 7, -3, 10**12]).cast(kind)
    pq.write_table(pa.table({"center": ends, "outside": ends}), tmp_path / "pairs.parquet")
    command = [sys.executable, "-c", WITHOUT_PANDAS, str(tmp_path / "pairs.parquet")]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.stdout.split() == ["4", "False"], finished.stderr


def test_read_pairs__integers_are_words_by_their_digits(tmp_path: Path) -> None:
    """Also where a later file has texts."""
    for name, kind in (("a", pa.int64()), ("b", pa.string())):
        ends = pa.array([7, -3, 7]).cast(kind)
        pq.write_table(pa.table({"center": ends, "outside": ends}), tmp_path / f"{name}.parquet")
    found = read([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert (found.centers.words, found.centers.counts.tolist()) == (["7", "-3"], [4, 2])
    assert spelt(found) == [("7", "7"), ("-3", "-3"), ("7", "7")] * 2


def test_read_pairs__reads_tables_and_objects(tmp_path: Path) -> None:
    centers, others = zip(*ROWS, strict=True)
    table = pa.table({"x": [1] * 5, "outside": others, "center": pa.array(centers).dictionary_encode()})
    pq.write_table(table, tmp_path / "pairs.parquet")
    sources: list[Any] = [tmp_path / "pairs.parquet", table, ROWS, iter(ROWS), table.to_reader()]
    assert [spelt(read(source)) for source in sources] == [ROWS] * 5
    numbers = read(np.array([[7, 3], [7, 7], [8, 3]]))
    assert (numbers.centers.words, numbers.outsides.words) == (["7", "8"], ["3", "7"])
    mixed = pa.table({"word": [1, 2, None, 3], "context": ["a", None, "b", "c"]})
    assert (read(mixed).n_null, read(mixed).outsides.words) == (2, ["a", "c"])


def test_read_pairs__least_counts_are_of_each_vocabulary() -> None:
    rows = [(f"c{i % 3}", f"o{i % 7}") for i in range(30)] + [("rare", "o0"), ("c0", "few"), ("c1", "few")]
    found = read(rows, least=2, others=3)
    assert set(found.centers.words) == {"c0", "c1", "c2"}
    assert set(found.outsides.words) == {f"o{i}" for i in range(7)}
    assert (found.n_pairs, found.n_rows) == (30, 33)
    assert found.centers.counts.sum() == 32
    few = read(rows, most=2, most_others=4)
    assert (len(few.centers), len(few.outsides)) == (2, 4)


def test_read_pairs__a_weight_is_how_many_pairs_a_row_stands_for() -> None:
    rows = [("a", "x", 2.0), ("b", "y", 0.5), ("a", "y", 100.0), ("b", "x", 0.0)]
    found = read(rows, least=0, others=1)
    assert (found.n_pairs, found.n_rows) == (102, 4)
    assert dict(zip(found.centers.words, found.centers.counts.tolist(), strict=True)) == {"a": 102, "b": 1}
    weights = weights_of(found.rows)
    assert weights.max() <= LARGEST_WEIGHT
    sums = Counter[tuple[str, str]]()
    for pair, weight in zip(spelt(found), weights.tolist(), strict=True):
        sums[pair] += weight
    assert sums == pytest.approx({("a", "x"): 2.0, ("b", "y"): 0.5, ("a", "y"): 100.0}, rel=1e-6)


def test_read_pairs__beyond_the_memory_rows_are_in_a_file() -> None:
    draw = np.random.default_rng(0)
    rows = draw.integers(0, 50, (200_000, 2))
    here, there = read(rows, 2, 3), read(rows, 2, 3, ids_bytes=100_000)
    assert pages_of(here.rows) is None
    assert pages_of(there.rows) is not None
    assert here.rows.tobytes() == there.rows.tobytes()
    sources = [PairSource(found.rows, found.n_pairs, np.ones(50)) for found in (here, there)]
    assert sources[0].fingerprint() == sources[1].fingerprint()
    parts = [next(source.buffers(1, 0)).tokens.ids.tobytes() for source in sources]
    assert parts[0] == parts[1]


BAD: dict[str, tuple[Any, type[FastW2VError], str]] = {
    "empty": (b"\n\n", CorpusError, "holds no pair; give a centre and an outside word a row"),
    "one column": (b"a\nb\n", UsageError, "the first line has 1 columns"),
    "three words": (b"a b c\n", UsageError, "the first line has 3 columns"),
    "five columns": (b"a b 1 2 3\n", UsageError, "the first line has 5 columns"),
    "a later line": (b"a x\nb y z\n", CorpusError, "the pairs cannot be read"),
    "no number": (b"a x 1\nb y one\n", CorpusError, "the pairs cannot be read"),
    "negative": (b"a x 1\nb y -2\n", CorpusError, "the pair from 'b' to 'y' has weight -2"),
    "infinite": (b"a x 1\nb y inf\n", CorpusError, "has weight inf"),
    "no word": (b"a\tx\n\ty\n", CorpusError, "a pair with outside 'y' has no center"),
    "not UTF-8": (b"a x\nb \xff\n", CorpusError, "UTF8"),
    "one centre": (b"a x\na y\n", UsageError, "1 centre words have at least min_count = 1 pairs"),
    "one outside": (b"a x\nb x\n", UsageError, "1 outside words have at least outside_min_count = 1"),
    "weights of 0": (b"a x 0.2\nb y 0.3\n", UsageError, "its weights add up to 0.5"),
    "too heavy": (b"a x 1e11\nb y 1\n", UsageError, "divide all of them"),
}


@pytest.mark.parametrize("name", BAD)
def test_read_pairs__refuses_in_one_line(tmp_path: Path, name: str) -> None:
    content, kind, message = BAD[name]
    (tmp_path / "pairs.txt").write_bytes(content)
    least = 0 if name == "weights of 0" else 1
    with pytest.raises(kind) as caught:
        read(tmp_path / "pairs.txt", least, least)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (pa.table({"a": ["x"], "b": ["y"], "c": ["z"], "d": [1]}), "name the columns center and outside"),
        (pa.table({"center": [1.5], "outside": ["y"]}), "words are integers or texts"),
        ([("a", "b"), ("a",)], "each is a pair of words"),
        ({"a": "b"}, "pairs cannot be read from dict"),
        (np.ones((3, 3)), "pairs are integers of shape"),
    ],
)
def test_read_pairs__refuses_objects_that_are_none(source: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(source)


# ---- What an epoch is --------------------------------------------------------------------------------------


def source_of(n_rows: int = 20_000, weighted: bool = False, sample: float = 0.0) -> PairSource:
    """Pairs of 50 centres and 30 outside words."""
    draw = np.random.default_rng(0)
    words = draw.integers(0, 50, n_rows), draw.integers(0, 30, n_rows)
    columns = {"center": words[0], "outside": words[1]}
    table = pa.table(columns | ({"weight": draw.random(n_rows) * 3} if weighted else {}))
    source = corpus_of_pairs(read(table), sample).source
    assert isinstance(source, PairSource)
    return source


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch has several parts."""
    monkeypatch.setattr(pairing, "BUFFER_ROWS", 2 * CHUNK_ROWS)


def pairs_in(source: PairSource, epoch: int = 0) -> Counter[tuple[int, int]]:
    """How often an epoch meets each pair."""
    met = Counter[tuple[int, int]]()
    for buffer in source.buffers(1, epoch):
        ids, offsets = buffer.tokens[:2]
        for start, stop in itertools.pairwise(offsets):
            assert 2 <= stop - start <= source.longest
            met.update((int(ids[start]), outside) for outside in ids[start + 1 : stop].tolist())
    return met


def test_buffers__an_epoch_meets_every_pair_once_in_another_order(cut: None) -> None:
    source = source_of()
    expected = Counter(map(tuple, source.rows[:, :2].tolist()))
    assert pairs_in(source) == expected
    assert pairs_in(source, epoch=1) == expected
    orders = {next(source.buffers(*names)).tokens.ids.tobytes() for names in ((1, 0), (1, 1), (2, 0))}
    assert len(orders) == 3


def test_buffers__pairs_of_one_place_are_not_neighbours() -> None:
    """Rows that came sorted by centre and by place are met far apart."""
    n = 8_000
    rows = np.stack([np.arange(n) // 160, np.arange(n)], axis=1)
    source = corpus_of_pairs(read(rows), 0.0).source
    assert source is not None
    ids, offsets = next(iter(source.buffers(1, 0))).tokens[:2]
    centers = ids[offsets[:-1]]
    assert (centers[1:] == centers[:-1]).mean() < 0.05
    gaps = [abs(int(ids[start + 1]) - int(ids[start + 2])) for start in offsets[:-1].tolist()]
    assert np.mean(gaps) > 30


@pytest.mark.parametrize("weighted", [False, True])
def test_buffers__stand_for_an_epoch_and_begin_anywhere(weighted: bool, cut: None) -> None:
    source = source_of(weighted=weighted)
    whole = [(buffer, buffer.tokens.ids.copy()) for buffer in source.buffers(1, 0)]
    assert len(whole) > 2
    assert sum(buffer.n_tokens for buffer, _ in whole) == source.n_tokens
    assert [buffer.first_token for buffer, _ in whole] == np.cumsum(
        [0, *(buffer.n_tokens for buffer, _ in whole[:-1])]
    ).tolist()
    units = [buffer.first_unit for buffer, _ in whole]
    assert all(
        after - before > len(ids) // 4096
        for (before, after), (_, ids) in zip(itertools.pairwise(units), whole[:-1], strict=True)
    )
    last = list(source.buffers(1, 0, units[-1] + 1))
    assert len(last) == 1
    assert last[0].tokens.ids.tobytes() == whole[-1][1].tobytes()


def test_buffers__the_mean_over_epochs_is_weight_times_what_subsampling_keeps() -> None:
    source = source_of(4_000, weighted=True, sample=1e-3)
    assert source.shares.max() < 1
    met = Counter[tuple[int, int]]()
    n_epochs = 40
    for epoch in range(n_epochs):
        met.update(pairs_in(source, epoch))
    expected = Counter[tuple[int, int]]()
    weights = weights_of(source.rows).tolist()
    for (center, outside, _), weight in zip(source.rows.tolist(), weights, strict=True):
        expected[center, outside] += n_epochs * weight * float(source.shares[center])
    differences = [(met[pair] - mean) / np.sqrt(mean + 1) for pair, mean in expected.items()]
    assert abs(np.mean(differences)) < 0.1
    assert max(map(abs, differences)) < 6


@pytest.mark.parametrize("weighted", [False, True])
def test_group_pairs__is_the_reference_with_the_same_draws(weighted: bool) -> None:
    source, key = source_of(9_000, weighted, sample=3e-2), 12345
    for chunks in (np.array([2, 0]), np.array([1])):
        actual = pairing.group_pairs(source.rows, source.weights, chunks, source.shares, np.uint64(key), 5)
        expected = reference.group_pairs(source.rows, chunks, source.shares, key, 5)
        for mine, theirs in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert len(actual[1]) > 100
