"""Byte order marks: no part of the first word in UTF-8, and the sign of a text that is not UTF-8."""

from __future__ import annotations

import codecs
from pathlib import Path

from fastw2v.errors import CorpusError

MARK_BYTES = 4  # of the longest mark
# UTF-32's mark begins with UTF-16's.
WIDE = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def without_mark(start: bytes, name: str | Path) -> bytes:
    """The first bytes of a text, MARK_BYTES or more if it has them, without the mark of UTF-8.

    Raises CorpusError for the mark of UTF-16 or UTF-32.
    """
    for mark, encoding in WIDE.items():
        if start.startswith(mark):
            raise CorpusError(
                f"{name}: is {encoding.upper()} text, not UTF-8; convert it: iconv -f {encoding} -t utf-8"
            )
    return start.removeprefix(codecs.BOM_UTF8)
