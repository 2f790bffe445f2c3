"""What a folder or pattern holds beside the files that are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fastw2v.corpus.files.find import Files, at_home, expand, texts_among, walk
from fastw2v.corpus.files.own import without_own
from fastw2v.corpus.files.remote import is_parquet
from fastw2v.errors import CorpusError


def mixed_notes(source: Files) -> Iterator[str]:
    """A line for each local folder or pattern whose Parquet files alone are read, and not its text files."""
    for name in [source] if isinstance(source, str | Path) else source:
        path = at_home(Path(name))
        if "://" in str(name) or (path.exists() and not path.is_dir()):
            continue
        with contextlib.suppress(OSError, CorpusError):
            found = sorted(walk(path)) if path.is_dir() else expand(path)
            texts = texts_among(without_own(found))
            if texts and any(is_parquet(one.name) for one in found):
                files = f"{len(texts):,} text files" if len(texts) > 1 else "1 text file"
                yield (
                    f"left out {files} of {path}, such as {texts[0]}, beside Parquet files: to read text, "
                    "name it or give a pattern for it alone, such as '*.txt'"
                )
