"""Rows of groups sorted on disk, by DuckDB, in as much memory as it is given.

    rows ─► a table in a temporary folder ─► the first row of each group ─► sorted by it, order, row ─► parts

The row number settles all ties, so that the result is that of `sorting`, whatever DuckDB's threads do.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fastw2v.corpus.arrow.comparable import group_values, of_group_values, order_values
from fastw2v.corpus.arrow.sorting import Rows, Sorted
from fastw2v.errors import OutputError, UsageError
from fastw2v.system.files import temporary_folder

if TYPE_CHECKING:
    import duckdb

INSERTED = 1 << 20  # rows of one INSERT: eight row groups of DuckDB, which are written without a log
INSERTED_BYTES = 1 << 26  # at most about, of long strings
PART_ROWS = 1 << 17
STREAMS = 2  # the version from which on a result is not held in memory
SMALLEST = 64 << 20  # bytes for a thread of DuckDB
# It takes some 200 MB more than its limit, where that is 600 MB: of 30 million rows 930 MB, all told.
SHARE_OF_ROOM = 0.75
SQL_TYPES = {pa.int64(): "BIGINT", pa.uint64(): "UBIGINT", pa.float64(): "DOUBLE", pa.large_binary(): "BLOB"}
# What part of the time the steps take, of 30 million rows: to read them, to find the groups, to sort.
READ, GROUPED = 0.35, 0.5


def is_there() -> bool:
    """Whether DuckDB is installed."""
    return importlib.util.find_spec("duckdb") is not None


class DiskSort:
    """One sort on disk.

    share   how much of it is done, from 0 to 1, but for the rows still to be read
    """

    def __init__(self, n_bytes: int, threads: int, folder: Path | None) -> None:
        """n_bytes   of memory for DuckDB; folder   where the temporary one is made"""
        self._limit = max(int(n_bytes * SHARE_OF_ROOM), SMALLEST)
        self._threads = max(1, min(threads, self._limit // SMALLEST))
        self._folder = folder
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._steps = (0.0, READ)
        self._is_stopped = False

    @property
    def share(self) -> float:
        """From READ on, the part that is done."""
        start, stop = self._steps
        done = 0.0
        if self._connection is not None:
            with contextlib.suppress(Exception):  # it is between two statements, or closed meanwhile
                done = max(self._connection.query_progress(), 0.0) / 100
        return start + (stop - start) * min(done, 1.0)

    def stop(self) -> None:
        """End what DuckDB does now, from any thread."""
        self._is_stopped = True
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.interrupt()

    def sort(self, parts: Iterable[Rows], with_keys: bool) -> Iterator[Sorted]:
        """The rows in parts of PART_ROWS. Raises OutputError where disk or memory do not suffice."""
        import duckdb

        if int(duckdb.__version__.partition(".")[0]) < STREAMS:
            raise UsageError(
                f"duckdb {duckdb.__version__} is too old to sort rows on disk: pip install 'fastw2v[duckdb]'"
            )
        with temporary_folder(self._folder) as folder, self._errors(folder.parent):
            settings: dict[str, str | bool | int | float | list[str]] = {
                "memory_limit": f"{self._limit // 1000}KB",
                "threads": self._threads,
                "temp_directory": str(folder / "spilled"),
                "preserve_insertion_order": False,
            }
            connection = duckdb.connect(str(folder / "rows.duckdb"), config=settings)
            with contextlib.closing(connection):
                for name, value in (("enable_progress_bar", True), ("enable_progress_bar_print", False)):
                    connection.sql(f"SET {name} = {value}")  # without it nobody is told how far a query is
                self._connection = connection
                try:
                    yield from self._sorted(connection, parts, with_keys)
                finally:
                    self._connection = None

    def _sorted(
        self, connection: duckdb.DuckDBPyConnection, parts: Iterable[Rows], with_keys: bool
    ) -> Iterator[Sorted]:
        self._steps = (READ, READ)
        kind = self._insert(connection, parts)
        if kind is None or self._is_stopped:
            return
        self._steps = (READ, GROUPED)
        connection.sql("CREATE TABLE heads AS SELECT g, min(n) AS f FROM rows GROUP BY g")
        self._steps = (GROUPED, 1.0)
        there = connection.sql("FROM rows").columns
        further = [name for name in ("w", "t") if name in there]
        columns = ", ".join(["f", "i", *(["g"] if with_keys else []), *further])
        order = "f, o, n" if "o" in there else "f, n"
        query = f"SELECT {columns} FROM rows JOIN heads USING (g) ORDER BY {order}"
        reader = connection.sql(query).to_arrow_reader(PART_ROWS)
        self._steps = (1.0, 1.0)
        with contextlib.closing(reader):
            for batch in reader:
                keys = of_group_values(batch.column("g"), kind) if with_keys else None
                weights = np.asarray(batch.column("w")) if "w" in there else None
                targets = batch.column("t") if "t" in there else None
                yield Sorted(np.asarray(batch.column(0)), batch.column(1), keys, weights, targets)

    def _insert(self, connection: duckdb.DuckDBPyConnection, parts: Iterable[Rows]) -> pa.DataType | None:
        """Put all rows into a table; the groups' type, or None of no rows."""
        waiting: list[pa.RecordBatch] = []
        n_rows = n_waiting = n_bytes = 0
        kind = None

        def insert() -> None:
            table = pa.Table.from_batches(waiting)
            if kind is not None and n_rows == n_waiting:
                types = ", ".join(f"{field.name} {SQL_TYPES[field.type]}" for field in table.schema)
                connection.sql(f"CREATE TABLE rows ({types})")
            connection.register("waiting", table)
            connection.sql("INSERT INTO rows FROM waiting")
            connection.unregister("waiting")
            waiting.clear()

        for part in parts:
            if self._is_stopped:
                return None
            kind = part.group.type
            waiting.append(_numbered(part, n_rows))
            n_rows += len(part.group)
            n_waiting += len(part.group)
            n_bytes += waiting[-1].nbytes
            if n_waiting >= INSERTED or n_bytes >= INSERTED_BYTES:
                insert()
                n_waiting = n_bytes = 0
        if waiting:
            insert()
        return kind

    @contextlib.contextmanager
    def _errors(self, place: Path) -> Iterator[None]:
        """One line for what DuckDB raises."""
        import duckdb

        try:
            yield
        except duckdb.InterruptException:
            if not self._is_stopped:
                raise
        except duckdb.OutOfMemoryException as error:
            raise OutputError(
                f"{self._limit / 1e6:,.0f} MB are too little to sort the rows of --group-by in; raise "
                "--memory-limit, or lower --threads"
            ) from error
        except duckdb.Error as error:
            reason = " ".join(str(error).split())[:160]
            raise OutputError(
                f"{place}: rows that exceed the memory limit cannot be sorted there ({reason}); set TMPDIR "
                "to a larger folder or raise --memory-limit"
            ) from error


def _numbered(rows: Rows, first: int) -> pa.RecordBatch:
    """n, g, i and perhaps o, w, t: a row's number from first on, its group, item, order, weight, target."""
    group, item, order, weight, target = rows
    number = pa.array(np.arange(first, first + len(group)))
    columns: dict[str, Any] = {"n": number, "g": group_values(group), "i": order_values(item)}
    columns |= {} if order is None else {"o": order_values(order)}
    columns |= {} if weight is None else {"w": weight}
    columns |= {} if target is None else {"t": order_values(target)}
    return pa.record_batch(list(columns.values()), list(columns))
