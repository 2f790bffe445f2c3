"""Sizes as people write them, and what a limit is divided into."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastw2v.corpus.ids import memory
from fastw2v.corpus.ids.memory import LIBRARIES, SMALLEST, WORKER, budget, parse_size
from fastw2v.errors import UsageError
from fastw2v.system import machine


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2GB", 2_000_000_000),
        ("512MiB", 512 << 20),
        ("1.5g", 1_500_000_000),
        ("3 Gi", 3 << 30),
        ("64K", 64_000),
        ("1000", 1000),
        ("7b", 7),
    ],
)
def test_parse_size__takes_what_people_write(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "2 bytes", "1e9", "i", "5ib", "٣GB "])
def test_parse_size__names_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size: write for example 2GB"):
        parse_size(text)


def test_budget__is_all_of_the_limit_in_use() -> None:
    """Ids, and in each thread a table, the smaller one it grows from, and its share of the merged one."""
    room = budget(2_000_000_000, 2)
    expected = 2_000_000_000 - LIBRARIES - 2 * WORKER
    assert expected - 10 < room.ids + 2 * 3 * room.table <= expected


def test_budget__is_of_words_alone_where_no_ids_are_kept() -> None:
    both = budget(2_000_000_000, 2)
    assert budget(2_000_000_000, 2, keeps_ids=False) == (0, both.ids // 6 + both.table)


def test_budget__names_the_least_it_needs() -> None:
    least = LIBRARIES + 4 * WORKER + SMALLEST
    assert budget(least, 4).ids == SMALLEST // 2
    with pytest.raises(UsageError, match=f"4 workers need at least {least / 1e6:,.0f} MB, raise it"):
        budget(least - 1, 4)


def test_budget__defaults_to_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 6_000_000_000)
    assert budget(None, 2) == budget(3_000_000_000, 2)
    assert budget(None, 2, n_sharing=3) == budget(1_000_000_000, 2)
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert budget(None, 2).ids == SMALLEST // 2


def test_free_memory__is_within_the_limit_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CONTAINER", tmp_path)
    outside = machine.free_memory()
    (tmp_path / "memory.current").write_text("100\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (machine.free_memory() is None) == (outside is None)
    (tmp_path / "memory.max").write_text("1124\n")
    assert machine.free_memory() == 1024
