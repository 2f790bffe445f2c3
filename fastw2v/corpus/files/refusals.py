"""What cannot be read, named as what it is, with a cure: pipes, other formats, tables that have a log."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.fs as pafs

from fastw2v.corpus.files.remote import LOCAL, File
from fastw2v.errors import CorpusError

SNIFFED_BYTES = 1 << 16
PARQUET = "write it as Parquet"
# What files begin with, what they are, and what to do about it; {name} is the file's name.
STARTS = [
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"ARROW1", "an Arrow IPC (Feather) file", PARQUET + ": pyarrow.feather.read_table, then write_table"),
    (b"FEA1", "a Feather file", PARQUET + ": pyarrow.feather.read_table, then write_table"),
    (b"ORC", "an ORC file", PARQUET + ": pyarrow.orc.read_table, then write_table"),
    (b"Obj\x01", "an Avro file", PARQUET),
    (b"PK\x03\x04", "a zip archive", "unzip it, and give the files in it"),
    (b"\xfd7zXZ\x00", "packed by xz", "unpack it: xz -dk '{name}'"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it, and give the files in it"),
    (b"\x1f\x8b", "packed by gzip", "if it is text of a sentence a line, rename it to {stem}.txt.gz"),
    (b"BZh", "packed by bzip2", "if it is text of a sentence a line, rename it to {stem}.txt.bz2"),
    (
        b"\x28\xb5\x2f\xfd",
        "packed by zstd",
        "if it is text of a sentence a line, rename it to {stem}.txt.zst",
    ),
    (b"\x04\x22\x4d\x18", "packed by lz4", "if it is text of a sentence a line, rename it to {stem}.txt.lz4"),
    (b"%PDF", "a PDF file", "give its text, a sentence a line, in a .txt file"),
    (b"SQLite format 3", "an SQLite database", PARQUET),
    (b"\x89HDF", "an HDF5 file", PARQUET),
    (b"\x93NUMPY", "a NumPy file", "in Python, give read_corpus (ids, offsets)"),
]
TABULAR = {".csv": "CSV", ".tsv": "CSV", ".jsonl": "JSON", ".ndjson": "JSON", ".json": "JSON"}
PACKED = (".gz", ".bz2", ".zst", ".lz4")


def refuse_non_file(path: str) -> None:
    """Raise CorpusError for a local pipe, socket, device or broken link: none is opened, so none can hang."""
    if path == "-" and not Path(path).exists():
        raise CorpusError("-: standard input is a pipe and is read twice; write it to a file, and give that")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise CorpusError(f"{ascii(path)[1:-1]}: the name is not UTF-8; rename the file") from None
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        if Path(path).is_symlink():
            target = Path(path).readlink()
            raise CorpusError(
                f"{path}: is a link to {target}, which is not there; mend or remove it"
            ) from None
        return
    for test, what in ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket")):
        if test(mode):
            raise CorpusError(f"{path}: is {what}; write its text to a file, and give that")
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise CorpusError(f"{path}: is a device; give a file")


def other_kind(file: File) -> tuple[str, str] | None:
    """What a file that Parquet's reader refuses is, and the cure; None for Parquet, damaged or not."""
    with file.system.open_input_stream(file.path, compression=None) as stream:
        start = stream.read(SNIFFED_BYTES)
    if not start:
        return "it is empty", "leave it out, or write it again"
    if start.startswith(b"PAR1"):
        return None
    path = PurePosixPath(file.name.partition("?")[0])
    bare = path.with_suffix("") if path.suffix.lower() in PACKED else path
    stem = str(bare.with_suffix("")) if bare.suffix in (".parquet", ".txt") else str(bare)
    for magic, what, cure in STARTS:
        if start.startswith(magic):
            return f"it is {what}", cure.format(name=file.name, stem=stem)
    text = start.rstrip(b"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f")
    if b"\0" in text:
        return "it is not Parquet, nor text", "give Parquet, or text in UTF-8 of a sentence a line"
    table = TABULAR.get(path.suffix.lower()) or ("JSON" if start.lstrip()[:1] == b"{" else None)
    rename = f"if it is text of a sentence a line, rename it to {stem}.txt"
    if table:
        reader = {"CSV": "pyarrow.csv.read_csv", "JSON": "pyarrow.json.read_json"}[table]
        return f"it is {table}", f"write it as Parquet ({reader}, pyarrow.parquet.write_table), or {rename}"
    return "it is not Parquet", rename


def is_encrypted(error: BaseException) -> bool:
    """Whether Arrow refused a Parquet file as it has no key for it."""
    return "encrypt" in str(error).lower() or "decrypt" in str(error).lower()


def encrypted(file: File) -> CorpusError:
    """What is said of such a file."""
    return CorpusError(
        f"{file.name}: cannot be read as Parquet (it is encrypted); write it without encryption"
    )


# ---- Tables ------------------------------------------------------------------------------------------------


LOGS = {
    "_delta_log": (
        "a Delta table",
        "give its current files: deltalake.DeltaTable(…).file_uris(), or in Python .to_pyarrow_table()",
    ),
    ".hoodie": ("a Hudi table", "write its current rows to Parquet files with Spark"),
}
ICEBERG = (
    "an Iceberg table",
    "give its current rows: in Python, pyiceberg's table.scan().to_arrow()",
)


def refuse_tables(files: Sequence[File]) -> None:
    """Raise CorpusError for files found in a table whose log, not its folder, says which rows are current."""
    seen: set[str] = set()
    for file in files:
        if file.name.startswith(("http://", "https://")):
            continue  # no folders, and a request for each
        for folder in _folders_of(file):
            if folder in seen:
                break
            seen.add(folder)
            if found := _table_in(file.system, folder):
                what, cure = found
                raise CorpusError(
                    f"{folder}: is {what}: its log says which files and rows count, not its folder; {cure}"
                )


def _folders_of(file: File) -> Iterator[str]:
    """The folders that a file is in, the innermost first."""
    if file.system == LOCAL:
        yield from map(str, Path(file.path).absolute().parents)
    else:
        yield from (str(folder) for folder in PurePosixPath(file.path).parents if str(folder) not in "./")


def _table_in(system: pafs.FileSystem, folder: str) -> tuple[str, str] | None:
    try:
        places = [f"{folder.rstrip('/')}/{name}" for name in (*LOGS, "metadata")]
        *logs, metadata = (info.type == pafs.FileType.Directory for info in system.get_file_info(places))
        for is_there, found in zip(logs, LOGS.values(), strict=True):
            if is_there:
                return found
        if metadata:
            inner = system.get_file_info(pafs.FileSelector(places[-1]))
            if any(info.path.endswith(".metadata.json") for info in inner):
                return ICEBERG
    except (OSError, pa.ArrowException):  # a folder above that may not be looked into
        pass
    return None
