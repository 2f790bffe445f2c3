"""The page from shop events to recommendations does what it says."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from corpora import shop
from tests.documented import answers_of


@pytest.mark.slow
def test_shop_events__page_does_what_it_says(tmp_path: Path) -> None:
    sizes = ["--items", "400", "--categories", "20", "--sessions", "5000", "-o", str(tmp_path / "shop")]
    made = CliRunner().invoke(shop.main, sizes)
    assert made.exit_code == 0, made.output
    trained, judged, shown, *written = answers_of("shop-events", tmp_path)
    assert [trained, *written] == ["", "", ""]
    names, scores = (line.split() for line in judged.splitlines())
    row = dict(zip([*names[:-2], " ".join(names[-2:])], scores, strict=True))
    assert float(row["hit@10"]) > 2 * float(row["popular hit@10"]) > 0
    products = pq.read_table(tmp_path / "shop/products.parquet").to_pylist()
    titles = {product["item"]: product["title"] for product in products}
    rows = [line.split("\t") for line in shown.splitlines()]
    assert [row[2] for row in rows] == [titles[row[0]] for row in rows]
    assert len(rows) == 5
    assert not {"item_00001", "item_00002"} & {row[0] for row in rows}
    answers = pq.read_table(tmp_path / "next.parquet").to_pylist()
    assert {answer["session"] for answer in answers} == set(range(5000))
    assert all(answer["title"] == titles[answer["item"]] for answer in answers[:50])
    assert pq.read_table(tmp_path / "beside.parquet").num_rows > 10 * 300
