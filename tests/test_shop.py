"""`python -m corpora.shop`: its events and products are what its description says."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from click.testing import CliRunner

from corpora import shop

SIZES = ["--items", "300", "--categories", "10", "--sessions", "2000", "--seed", "3"]


def test_sessions__go_on_as_the_description_says() -> None:
    """Complements 25 %, the same category 55 %: of 18,000 steps, known to .01 (three deviations)."""
    rng = np.random.default_rng(3)
    made = shop.shop_of(300, 10, rng)
    assert set(made.category.tolist()) == set(range(10))
    steps = [pair for basket in shop.sessions(made, 2000, rng) for pair in itertools.pairwise(basket)]
    is_complement = np.array([after in made.complements[before] for before, after in steps])
    by_chance = 0.75 * shop.N_COMPLEMENTS / 300
    assert abs(is_complement.mean() - shop.COMPLEMENT - by_chance) < 0.015
    others = [pair for pair, known in zip(steps, is_complement, strict=True) if not known]
    same = np.mean([made.category[before] == made.category[after] for before, after in others])
    assert (
        same > shop.SAME / (1 - shop.COMPLEMENT) - 0.3
    )  # a session's category, not always that of its last item


def test_command__writes_events_in_the_order_of_time(tmp_path: Path) -> None:
    for folder in ("one", "again"):
        made = CliRunner().invoke(shop.main, [*SIZES, "-o", str(tmp_path / folder)])
        assert made.exit_code == 0, made.output
    events = pq.read_table(tmp_path / "one" / "events.parquet")
    assert events.column_names == ["session", "time", "item"]
    assert (np.diff(events["time"].to_numpy()) >= 0).all()
    assert set(events["session"].to_pylist()) == set(range(2000))
    assert (np.diff(events["session"].to_numpy()) < 0).any()  # sessions overlap
    products = pq.read_table(tmp_path / "one" / "products.parquet")
    assert set(events["item"].to_pylist()) <= set(products["item"].to_pylist())
    for name in ("events.parquet", "products.parquet"):
        assert pq.read_table(tmp_path / "one" / name) == pq.read_table(tmp_path / "again" / name)
