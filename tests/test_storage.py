"""Ids beyond the memory limit: in files, whose pages do not stay."""

from __future__ import annotations

import re
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from numba import typeof

from fastw2v.corpus.ids.storage import (
    CorpusBuffer,
    FileBuffer,
    FileSlice,
    Slice,
    SpillBuffer,
    forget,
    mapped_corpus,
    new_pages,
    pages_of,
)
from fastw2v.errors import OutputError
from fastw2v.system.portable import map_file, write_at


def resident_kilobytes(address: int) -> int:
    """Memory in use of the mapping that holds an address."""
    found = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            found = int(bounds[1], 16) <= address < int(bounds[2], 16)
        elif found and line.startswith("Rss:"):
            return int(line.split()[1])
    raise AssertionError("not mapped")


def test_shelf__keeps_in_memory_then_in_a_file() -> None:
    spill = SpillBuffer(n_bytes=4 * 8)
    first = spill.new_block(8)
    first[:] = range(8)
    kept, free = spill.keep(first, 5)
    assert isinstance(kept, np.ndarray)
    assert len(free) == 3
    second = spill.new_block(8)
    second[:6] = range(10, 16)
    stored, free = spill.keep(second, 6)
    assert isinstance(stored, FileSlice)
    assert free is second
    second[:2] = [7, 8]
    later, _ = spill.keep(second, 2)
    for ids, expected in ((kept, range(5)), (stored, range(10, 16)), (later, [7, 8])):
        assert spill.ids_of(ids).tolist() == list(expected)
    spill.close()


def test_shelf__says_what_to_do_where_it_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    spill = SpillBuffer(n_bytes=0)
    with pytest.raises(OutputError, match=r"/nowhere: .* set TMPDIR to a larger folder or raise --memory"):
        spill.keep(spill.new_block(1), 1)


@pytest.mark.parametrize("n_ids", [0, 1, 5, 6])
def test_file_room__holds_what_memory_does(n_ids: int) -> None:
    ids = np.arange(n_ids, dtype=np.int32)
    places = [Slice(0, n_ids // 2, 0, 1, False), Slice(n_ids // 2, n_ids - n_ids // 2, 1, 0, True)]
    with tempfile.TemporaryFile() as file:
        rooms = CorpusBuffer(n_ids, 1), FileBuffer(file.fileno(), n_ids, 1)
        for buffer in rooms:
            for place in reversed(places):
                own, ends = buffer.open(place)
                own[:] = ids[place.first_id :][: place.n_ids]
                ends[:] = n_ids
                buffer.close(place, own, ends)
        mapped = mapped_corpus(file.fileno(), n_ids, 1)
        for expected, actual in zip((rooms[0].ids, rooms[0].offsets), mapped, strict=True):
            assert actual.tolist() == expected.tolist()
            assert typeof(actual) == typeof(expected)  # or kernels are compiled twice
        file.seek(0)
        data = file.read()
    pieces = sorted(rooms[1].pieces)
    assert all(zlib.crc32(data[p.position :][: p.n_bytes]) == p.checksum for p in pieces)
    assert sum(piece.n_bytes for piece in pieces) == len(data) - 4096


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="no memory of one mapping here")
def test_forget__gives_back_pages_of_a_file_only() -> None:
    numbers = np.arange(1 << 20, dtype=np.int32)
    with tempfile.TemporaryFile() as file:
        write_at(file.fileno(), numbers, 0)
        array = np.frombuffer(map_file(file.fileno()), np.int32)
    expected = int(numbers.sum(dtype=np.int64))
    assert array.sum(dtype=np.int64) == expected
    assert resident_kilobytes(array.ctypes.data) == 4096
    forget(array[1 << 19 :])
    assert resident_kilobytes(array.ctypes.data) == 2048
    forget(array[1000:][:0])
    forget(array)
    assert resident_kilobytes(array.ctypes.data) == 0
    assert array.sum(dtype=np.int64) == expected


def test_forget__leaves_memory_alone() -> None:
    in_memory = new_pages(10_000, np.int32)
    in_memory[:] = 7
    assert pages_of(in_memory[5:]) is None
    forget(in_memory)
    assert (in_memory == 7).all()
