"""What a folder or pattern holds beside the files that are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fastw2v.config import ReadConfig
from fastw2v.corpus.files.find import Files, at_home, expand, of_input, texts_among, walk
from fastw2v.corpus.files.own import without_own
from fastw2v.corpus.files.pipes import is_pipe
from fastw2v.corpus.files.remote import is_parquet
from fastw2v.errors import CorpusError


def mixed_notes(source: Files, config: ReadConfig) -> Iterator[str]:
    """A line for each local folder or pattern that is read in part: text beside Parquet, or other files."""
    for name in [source] if isinstance(source, str | Path) else source:
        path = at_home(Path(name))
        if "://" in str(name) or is_pipe(name) or (path.exists() and not path.is_dir()):
            continue
        with contextlib.suppress(OSError, CorpusError):
            read = expand(path, config)
            found = sorted(walk(path)) if path.is_dir() else read
            read = read if path.is_dir() else of_input(read, config)
            real = {one.resolve() for one in read}
            rest = without_own([one for one in found if one.resolve() not in real])
            yield from _note(path, rest, read)


def _note(path: Path, rest: list[Path], read: list[Path]) -> Iterator[str]:
    if not rest:
        return
    tables, texts = [one for one in rest if is_parquet(one.name)], texts_among(rest)
    if any(is_parquet(one.name) for one in read):
        if texts:
            yield f"{_left_out(texts, 'text file', path)}, beside Parquet files: --input text reads text"
    elif tables:
        yield f"{_left_out(tables, 'Parquet file', path)}, beside text: --input parquet reads Parquet"
    else:
        yield f"{_left_out(rest, 'file', path)}: not called .txt, or no text"


def _left_out(paths: list[Path], kind: str, folder: Path) -> str:
    return f"left out {len(paths):,} {kind}{'s' if len(paths) > 1 else ''} of {folder}, such as {paths[0]}"
