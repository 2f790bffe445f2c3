"""Coverage of a vocabulary, and its plot."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.show.zipf import Coverage, coverage, zipf_plot


def test_coverage__words_and_tokens_that_a_minimum_count_keeps():
    counts = np.array([50, 5, 5, 2, 1, 1])
    rows = {row.min_count: row for row in coverage(counts, 100)}
    assert list(rows) == [1, 2, 3, 5, 10, 20, 50]
    assert rows[1] == Coverage(1, 6, 64, 0.64)
    assert rows[5] == Coverage(5, 3, 60, 0.6)
    assert rows[50] == Coverage(50, 1, 50, 0.5)


def test_coverage__leaves_out_what_is_cut_already():
    assert [row.min_count for row in coverage(np.array([9, 5, 5]), 30)] == [1, 5]
    assert coverage(np.array([], np.int64), 0) == []


def test_zipf_plot__is_a_falling_line_under_zipfs_law():
    counts = (1_000_000 / np.arange(1, 100_001)).astype(np.int64)
    lines = zipf_plot(counts, width=40, height=10)
    body = lines[:10]
    assert body[0].startswith("1,000,000 |*")
    assert body[-1].startswith("       10 |")
    ends = [line.rindex("*") for line in body]
    assert ends == sorted(ends)
    assert ends[0] < ends[4] < ends[9]
    assert "100,000  rank" in lines[-1]


@pytest.mark.parametrize("counts", [[], [0], [3], [2, 2, 2], [5, 0, 0]])
def test_zipf_plot__of_few_or_equal_counts(counts):
    lines = zipf_plot(np.array(counts, np.int64))
    assert len(lines) == (18 if any(counts) else 0)
