"""`fastw2v recommend` and `evaluate --next-item`: what may come next, from vectors to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from fastw2v.cli import cli, main
from fastw2v.errors import UsageError
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.next_item import evaluate_next_item
from fastw2v.vectors.recommend import recommend, recommend_one

WORDS = [f"i{n}" for n in range(30)]


def embeddings(seed: int = 0, outside: bool = True) -> Embeddings:
    rng = np.random.default_rng(seed)
    center, u = (rng.normal(size=(30, 6)).astype(np.float32) for _ in range(2))
    return Embeddings(WORDS, center, u if outside else None)


def plain(found: Embeddings, basket: list[int], n: int) -> list[tuple[int, float]]:
    """The definition, item by item."""
    u = found.outside_vectors
    if u is None:
        u = v = found.center_vectors / np.linalg.norm(found.center_vectors, axis=1, keepdims=True)
    else:
        v = found.center_vectors
    query = v[basket].mean(axis=0)
    scored = [(float(u[i] @ query), -i) for i in range(len(u)) if i not in basket]
    return [(-i, score) for score, i in sorted(scored, reverse=True)[:n]]


@pytest.mark.parametrize("outside", [True, False])
def test_recommend__is_the_definition(outside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Baskets of all sizes, some without a known item, cut into parts."""
    monkeypatch.setattr("fastw2v.vectors.recommend.SCORE_NUMBERS", 120)
    found, rng = embeddings(outside=outside), np.random.default_rng(1)
    baskets = [rng.integers(-1, 30, size).tolist() for size in (3, 1, 0, 7, 2, 1, 1, 12, 4)] + [[-1, -1]]
    ids = np.array([item for basket in baskets for item in basket], np.int64)
    offsets = np.cumsum([0, *map(len, baskets)])
    parts = list(recommend(found, ids, offsets, 5))
    assert len(parts) > 1
    assert [part.first for part in parts] == np.cumsum([0, *(len(part.items) for part in parts)])[
        :-1
    ].tolist()
    items, scores = np.concatenate([p.items for p in parts]), np.concatenate([p.scores for p in parts])
    for basket, row, score in zip(baskets, items, scores, strict=True):
        known = [item for item in basket if item >= 0]
        expected = plain(found, known, 5) if known else []
        assert row[row >= 0].tolist() == [item for item, _ in expected]
        np.testing.assert_allclose(score[row >= 0], [value for _, value in expected], rtol=1e-5)


def test_recommend__gives_fewer_where_there_are_no_more() -> None:
    assert len(recommend_one(embeddings(), WORDS[:28], 10)) == 2
    with pytest.raises(UsageError, match="no vector for 'milk'"):
        recommend_one(embeddings(), ["i1", "milk"])
    with pytest.raises(UsageError, match="the basket is empty"):
        recommend_one(embeddings(), [])


def test_evaluate_next_item__popular_items_are_the_baseline() -> None:
    """Item 0 ends no other sequence's guess: it is the most frequent, and the held-out one of three."""
    found = embeddings()
    rows = [[1, 2, 0], [3, 0, 4], [5, 0], [6, 7, 0], [0, 8, 0]]
    ids, offsets = np.array([i for row in rows for i in row]), np.cumsum([0, *map(len, rows)])
    result = evaluate_next_item(found, ids, offsets, k=1, context=3)
    assert result.popular[0] == pytest.approx(3 / 5)  # not 4, and no guess is in its own query
    assert result.n_asked == 5


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Vectors, outside vectors, baskets as lists and as events, and titles."""
    found = embeddings()
    formats.save(tmp_path / "v.bin", found)
    formats.save(tmp_path / "u.bin", Embeddings(WORDS, found.outside_vectors))  # type: ignore[arg-type]
    baskets = [["i1", "i2"], ["unknown"], ["i3", "unknown", "i4"]]
    pq.write_table(pa.table({"items": baskets}), tmp_path / "baskets.parquet")
    events = [(key, item) for key, basket in enumerate(baskets) for item in basket]
    table = {"session": [key for key, _ in events], "item": [item for _, item in events]}
    pq.write_table(pa.table(table), tmp_path / "events.parquet")
    pq.write_table(pa.table({"id": WORDS, "name": [f"Item {w}" for w in WORDS]}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("item,title\n" + "".join(f"{w},Item {w}\n" for w in WORDS))
    return tmp_path


def run(folder: Path, *arguments: Any) -> Result:
    """`fastw2v recommend` in a folder."""
    names = [str(folder / a) if str(a).endswith((".bin", ".parquet", ".csv")) else str(a) for a in arguments]
    return CliRunner().invoke(cli, ["recommend", *names])


def test_command__prints_what_comes_next_with_titles(files: Path) -> None:
    expected = recommend_one(embeddings(), ["i1", "i2"], 3)
    shown = run(files, "v.bin", "i1", "i2", "--outside", "u.bin", "-n", 3, "--titles", "t.csv")
    assert shown.exit_code == 0, shown.output
    lines = [line.split("\t") for line in shown.stdout.splitlines()]
    assert lines == [[item, f"{score:.4f}", f"Item {item}"] for item, score in expected]


@pytest.mark.parametrize("source", [("baskets.parquet",), ("events.parquet", "--group-by", "session")])
def test_command__writes_the_answers_of_all_baskets(files: Path, source: tuple[str, ...]) -> None:
    column = "session" if "session" in source else "basket"
    titles = ("--titles", "t.parquet", "--item-column", "id", "--title-column", "name")
    shown = run(
        files, "v.bin", "--outside", "u.bin", "-n", 2, "--baskets", *source, "-o", "next.parquet", *titles
    )
    assert shown.exit_code == 0, shown.output
    rows = pq.read_table(files / "next.parquet").to_pylist()
    assert [(row[column], row["rank"]) for row in rows] == [(0, 1), (0, 2), (2, 1), (2, 2)]
    assert list(rows[0]) == [column, "rank", "item", "score", "title"]
    expected = recommend_one(embeddings(), ["i3", "i4"], 2)
    assert [row["item"] for row in rows[2:]] == [item for item, _ in expected]
    assert rows[0]["title"] == f"Item {rows[0]['item']}"


KEYED = [
    ({"user": ["z", "z", "é", "é"], "item": ["i1", "i2", "nobody's", "i3"]}, "user", ["z", "é"]),
    ({"user": [9, 9, -1, 9], "item": ["i1", "i2", "i3", "i4"]}, "user", [9, -1]),
    ({"score": [0.5, 0.5, 0.25, 0.25], "item": ["i1", "i2", "nobody's", "i3"]}, "basket", [0.5, 0.25]),
]


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(("events", "column", "keys"), KEYED)
def test_command__names_baskets_by_the_keys_of_their_groups(
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    events: dict[str, Any],
    column: str,
    keys: list[Any],
    on_disk: bool,
) -> None:
    """In the order in which groups begin; where the answers have a column of that name, as baskets."""
    if on_disk:
        monkeypatch.setattr("fastw2v.corpus.arrow.grouping.ROW_BYTES", 1 << 60)
    pq.write_table(pa.table(events), files / "e.parquet")
    source = ("--baskets", "e.parquet", "--group-by", next(iter(events)), "--column", "item")
    shown = run(files, "v.bin", *source, "-n", 1, "-o", "next.parquet")
    assert shown.exit_code == 0, shown.output
    assert pq.read_table(files / "next.parquet")[column].to_pylist() == keys


def test_command__numbers_baskets_by_their_rows(files: Path) -> None:
    """A row that is null or empty has a number, and no answer."""
    rows = pa.array([None, ["i1"], [], [None], ["i2", None]], pa.list_(pa.string()))
    pq.write_table(pa.table({"items": rows}), files / "b.parquet")
    assert run(files, "v.bin", "--baskets", "b.parquet", "-n", 1, "-o", "next.parquet").exit_code == 0
    assert pq.read_table(files / "next.parquet")["basket"].to_pylist() == [1, 4]


def test_command__answers_for_every_item(files: Path) -> None:
    assert run(files, "v.bin", "--every-item", "-n", 4, "-o", "next.parquet").exit_code == 0
    table = pq.read_table(files / "next.parquet")
    assert table.column_names == ["basket", "rank", "item", "score"]
    assert table.num_rows == 30 * 4
    assert table.slice(8, 4)["item"].to_pylist() == [
        i for i, _ in recommend_one(embeddings(outside=False), ["i2"], 4)
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["v.bin"], 2, "nothing to go by: name items"),
        (["v.bin", "i1", "--every-item"], 2, "ITEMS and --every-item are two questions"),
        (["v.bin", "--every-item"], 2, "add -o FILE.parquet"),
        (["v.bin", "i1", "-o", "x.parquet"], 2, "is for --baskets and --every-item"),
        (["v.bin", "--every-item", "-o", "x.txt"], 2, "name a .parquet file"),
        (["v.bin", "milk"], 2, "no vector for 'milk'"),
        (["v.bin", "i1", "--group-by", "s"], 2, "--group-by does nothing without --baskets"),
        (["v.bin", "i1", "--item-column", "id"], 2, "--item-column does nothing without --titles"),
        (["v.bin", "i1", "--titles", "t.parquet"], 3, "name --item-column and --title-column"),
        (["v.bin", "--every-item", "-o", "v.bin.parquet", "--titles", "no.parquet"], 3, "cannot be read"),
        (["v.bin", "--baskets", "baskets.parquet", "-o", "baskets.parquet"], 2, "baskets.parquet"),
    ],
)
def test_command__bad_input_is_one_line(
    files: Path, arguments: list[str], code: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [str(files / a) if a.endswith((".bin", ".parquet")) else a for a in arguments]
    with pytest.raises(SystemExit) as stop:
        main(["recommend", *names])
    assert stop.value.code == code
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_evaluate__reads_what_train_reads(files: Path) -> None:
    """Events of a session are a sequence; popularity stands beside."""
    rows = [(s, t, f"i{(s + t) % 9}") for s in range(12) for t in range(4)]
    np.random.default_rng(0).shuffle(rows)
    columns = {"s": [int(r[0]) for r in rows], "t": [int(r[1]) for r in rows], "item": [r[2] for r in rows]}
    pq.write_table(pa.table(columns), files / "long.parquet")
    lists = [[f"i{(s + t) % 9}" for t in range(4)] for s in dict.fromkeys(columns["s"])]
    pq.write_table(pa.table({"items": lists}), files / "lists.parquet")
    answers = []
    for source in (["long.parquet", "--group-by", "s", "--order-by", "t"], ["lists.parquet"]):
        arguments = [str(files / source[0]), *source[1:], "--json"]
        shown = CliRunner().invoke(cli, ["evaluate", str(files / "v.bin"), "--next-item", *arguments])
        assert shown.exit_code == 0, shown.output
        answers.append(json.loads(shown.stdout)[0]["next_item"])
    assert answers[0] == answers[1]
    assert answers[0]["asked"] == 12
    assert 0 <= answers[0]["popular"]["hit_rate"] <= 1
