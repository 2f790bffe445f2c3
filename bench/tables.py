"""A table, and what stands under it."""

from __future__ import annotations

from collections.abc import Iterable

from bench.rows import Row


def table(head: list[str], lines: Iterable[list[str]]) -> str:
    """Cells as a table of Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def machine_of(row: Row) -> str:
    """The processor, and its widest instructions that kernels use."""
    return f"{row['cpu']} ({row['instructions']})"


def caption(row: Row, *more: str) -> str:
    """What was measured, on what."""
    settings = f"dim {row['dim']}, k {row['negatives']}, window {row['window']}, sample {row['sample']:g}"
    parts = [
        f"`{row['corpus']}`, {row['n_words']:,} words, min-count {row['min_count']}",
        settings,
        *more,
        f"{machine_of(row)}, {row['cores']} cores",
        f"Python {row['python']}, numba {row['numba']}, numpy {row['numpy']}",
        f"commit {row['commit']}",
    ]
    return "*" + "; ".join(parts) + "*"
