"""URIs as a corpus: a file system in memory, and a server on this machine."""

from __future__ import annotations

import http.server
import lzma
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpora.parquet import write_text_parquet
from fastw2v.corpus.files import remote
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError, UsageError
from tests.naive import Row, naive_corpus
from tests.parquet import as_plain, error_of, write_texts

ROWS: dict[str, str] = {name: f"{name} shard" for name in ("a/10.parquet", "a/9.parquet", "b.parquet")}
NOT_DATA = ("_temporary/0.parquet", ".hidden.parquet", "a/_metadata.parquet", "notes.txt")


@pytest.fixture
def memory() -> Iterator[str]:
    """URI of a folder in memory: three shards, and what must not be read."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    for name in (*ROWS, *NOT_DATA):
        system.makedirs(f"/data/{name}".rpartition("/")[0], exist_ok=True)
        with system.open(f"/data/{name}", "wb") as file:
            pq.write_table(pa.table({"text": [ROWS.get(name, "never read")]}), file)
    yield "memory://data"
    system.rm("/data", recursive=True)


@pytest.mark.parametrize("uri", ["memory://data", "memory://data/", "memory://data/**"])
def test_read_corpus__reads_a_remote_folder(memory: str, uri: str) -> None:
    expected: list[Row] = list(ROWS.values())
    assert as_plain(read_corpus(uri, min_count=1, threads=2)) == naive_corpus(expected)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("b.parquet", ["b.parquet"]),
        ("*.parquet", ["b.parquet"]),
        ("a/[0-9].parquet", ["a/9.parquet"]),
        ("**/*0.parquet", ["a/10.parquet"]),
        ("*/9*", ["a/9.parquet"]),
        ("[ab]*", ["a/10.parquet", "a/9.parquet", "b.parquet"]),
        ("notes*", ["notes.txt"]),
    ],
)
def test_find_files__of_a_remote_pattern(memory: str, pattern: str, names: list[str]) -> None:
    files = find_files(f"{memory}/{pattern}")
    assert [file.name for file in files] == [f"{memory}/{name}" for name in names]
    assert [file.path for file in files] == [f"/data/{name}" for name in names]


def test_read_corpus__mixes_remote_and_local_files(memory: str, tmp_path: Path) -> None:
    path = write_texts(tmp_path / "c d.parquet", "b c")
    local = f"file://{tmp_path}/c%20d.parquet"
    actual = read_corpus([local, f"{memory}/b.parquet", path], min_count=1)
    assert as_plain(actual) == naive_corpus(["b c", "b.parquet shard", "b c"])
    assert as_plain(read_corpus(f"file://{tmp_path}/*.parquet", min_count=1)) == naive_corpus(["b c"])


def test_read_corpus__of_a_remote_folder_of_texts(memory: str) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for name, text in (("1", "a b\n"), ("s/2.xz", "b c\n"), ("_tmp/3", "never\n"), ("4.png", "\0\0")):
        data = lzma.compress(text.encode()) if "xz" in name else text.encode()
        system.pipe(f"/data/texts/{name}", data)
    assert as_plain(read_corpus(f"{memory}/texts", min_count=1)) == naive_corpus(["a b", "b c"])
    for name in ("texts/s/2.xz", "texts/s/*.xz", "texts/*/2*"):
        assert as_plain(read_corpus(f"{memory}/{name}", min_count=1)) == naive_corpus(["b c"])
    assert "it is not Parquet, nor text" in error_of(CorpusError, f"{memory}/texts/4.png")


def test_read_corpus__names_what_is_wrong_with_a_remote_file(memory: str) -> None:
    import fsspec

    assert error_of(CorpusError, f"{memory}/x.parquet") == f"{memory}/x.parquet: no such file; check the name"
    assert "no file matches the pattern" in error_of(CorpusError, f"{memory}/x*")
    fsspec.filesystem("memory").makedirs("/data/empty")
    assert "memory://data/empty: the folder holds no Parquet" in error_of(CorpusError, f"{memory}/empty")
    with fsspec.open(f"{memory}/b.parquet", "wb") as file:
        file.write(b"PAR1 no")
    assert error_of(CorpusError, memory).startswith(f"{memory}/b.parquet: cannot be read as Parquet (")


def test_read_corpus__names_the_remote_row_group_that_is_corrupt(memory: str, tmp_path: Path) -> None:
    import fsspec

    path = tmp_path / "c.parquet"
    write_text_parquet(path, [f"word{i} again" for i in range(4000)], rows_per_group=1000)
    content = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(2).column(0)
    content[chunk.data_page_offset + chunk.total_compressed_size // 4] ^= 1
    with fsspec.open(f"{memory}/b.parquet", "wb") as file:
        file.write(content)
    message = error_of(CorpusError, f"{memory}/b.parquet", min_count=1)
    assert message.startswith(f"{memory}/b.parquet: row group 2 (of 4, from 0) is corrupt (")


@pytest.mark.parametrize(
    ("uri", "kind", "message"),
    [
        ("nothing://a", UsageError, "nothing:// cannot be read (Protocol not known: nothing); pip install"),
        ("http://127.0.0.1:1/x.parquet", CorpusError, "127.0.0.1:1/x.parquet: "),
        ("s3://key:secret:more@/x", CorpusError, "cannot be reached ("),
    ],
)
def test_find_files__one_line_for_what_cannot_be_reached(uri: str, kind: Any, message: str) -> None:
    pytest.importorskip("fsspec")
    assert message in error_of(kind, uri)


def test_find_files__says_that_fsspec_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    assert "memory:// cannot be read" in error_of(UsageError, "memory://data")
    assert "pip install fsspec" in error_of(UsageError, "memory://data")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://bucket/a/b", ("s3://bucket/a/b", [])),
        ("s3://bucket/a/*/b", ("s3://bucket/a", ["*", "b"])),
        ("http://[::1]:80/a[0-9]", ("http://[::1]:80", ["a[0-9]"])),
    ],
)
def test_split_pattern__leaves_the_host_alone(address: str, expected: tuple[str, list[str]]) -> None:
    assert remote._split_pattern(address) == expected


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, also parts of them."""

    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        first, last = 0, len(content) - 1
        if wanted := self.headers.get("Range"):
            low, high = wanted.removeprefix("bytes=").split("-")
            first, last = int(low), min(int(high or last), last)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    def handler(*arguments: Any) -> RangeHandler:
        return RangeHandler(*arguments, directory=str(tmp_path))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.filterwarnings("ignore:unclosed")
def test_read_corpus__reads_over_http(server: str, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    rows: list[Row] = [f"w{i % 7} w{i % 11}" for i in range(300)]
    write_text_parquet(tmp_path / "c.parquet", [str(row) for row in rows], rows_per_group=100)
    (tmp_path / "c.txt").write_text("\n".join(map(str, rows)))
    assert as_plain(read_corpus(f"{server}/c.parquet", min_count=1)) == naive_corpus(rows)
    with pa.output_stream(str(tmp_path / "c.txt.gz"), compression="gzip") as stream:
        stream.write((tmp_path / "c.txt").read_bytes())
    for name in ("c.txt?signed=1", "c.txt.gz?signed=1", "c.txt.gz"):
        assert as_plain(read_corpus(f"{server}/{name}", min_count=1)) == naive_corpus(rows)
    assert "no such file" in error_of(CorpusError, f"{server}/x.parquet")
