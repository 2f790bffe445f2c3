from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpora.parquet import write_text_parquet
from fastw2v.errors import CorpusError, OutputError, UsageError
from tests.parquet import error_of


def test_write_text_parquet__streams_rows_into_groups(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    rows = [f"row {i}" for i in range(25)]
    write_text_parquet(path, iter(rows), column="words", rows_per_group=10)
    file = pq.ParquetFile(path, page_checksum_verification=True)
    assert file.read().to_pydict() == {"words": rows}
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [10, 10, 5]


def test_write_text_parquet__takes_no_rows_at_all(tmp_path: Path) -> None:
    write_text_parquet(tmp_path / "c.parquet", [])
    assert "holds no word" in error_of(UsageError, tmp_path / "c.parquet")


def failing_rows(error: Exception) -> Iterator[str]:
    yield from ["a"] * 20
    raise error


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        (["fine", "\ud800"], UsageError, "a row is not Unicode text"),
        (["fine", 3], UsageError, "a row is not Unicode text"),
        (failing_rows(OSError("disk gone")), CorpusError, r"the rows cannot be read \(disk gone\)"),
        (failing_rows(RuntimeError("bug")), RuntimeError, "bug"),
    ],
)
def test_write_text_parquet__leaves_the_old_file_on_failure(
    tmp_path: Path, rows: Any, kind: type[Exception], message: str
) -> None:
    path = tmp_path / "c.parquet"
    path.write_bytes(b"old")
    with pytest.raises(kind, match=message):
        write_text_parquet(path, rows, rows_per_group=8)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_text_parquet__names_the_place_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="missing"):
        write_text_parquet(tmp_path / "missing" / "c.parquet", ["a"])
