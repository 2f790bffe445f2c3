"""Word-vector files that other tools read: word2vec text, word2vec binary, and npy with a vocabulary.

text    `n_words dim`, then a line `word v1 … vd` for each word; no trailing space
binary  `n_words dim` as text, then for each word its bytes, a space, dim little-endian float32, a line break
npy     X.npy, float32 (n_words, dim), with the words in X.vocab.txt, `word count` a line

Numbers in text are the shortest decimals that read back as the same float32. Readers take nothing on trust:
sizes are checked against the file before memory is taken, nothing is unpickled, and whatever does not fit is
a CorpusError that says where.
"""

from __future__ import annotations

import itertools
import math
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from fastw2v.embeddings import Embeddings
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.files import atomic_writer
from fastw2v.vocabulary import Vocabulary, read_vocabulary, write_vocabulary

Format = Literal["text", "binary", "npy"]
Which = Literal["center", "outside"]

SUFFIXES: dict[str, Format] = {".txt": "text", ".vec": "text", ".bin": "binary", ".npy": "npy"}

MAX_WORD_CHARACTERS = 1 << 17
MAX_WORD_BYTES = 6 * MAX_WORD_CHARACTERS  # an escaped character is at most \uxxxx
MAX_NUMBER_BYTES = 64
READ_BYTES = 1 << 20
CHUNK_NUMBERS = 12_288  # the dozen arrays of a chunk stay in the second-level cache: 100 ns a number, not 150


# ---- Which file is what ------------------------------------------------------------------------------------


def detect_format(path: Path, format: str | None = None, default: Format | None = None) -> Format:
    """`format` if given, else by the suffix: .txt and .vec text, .bin binary, .npy npy; else `default`.

    Raises UsageError for another suffix where there is no default.
    """
    known: tuple[Format, ...] = get_args(Format)
    if format is not None and format not in known:
        raise UsageError(f"format {format!r} is unknown; use {', '.join(known)}")
    detected = format or SUFFIXES.get(path.suffix.lower(), default)
    if detected is None:
        raise UsageError(
            f"{path}: the suffix {path.suffix!r} names no format; use {', '.join(SUFFIXES)} or give --format"
        )
    return detected


def output_paths(path: Path, format: str | None = None) -> list[Path]:
    """Every file that `save` writes for `path`, to be probed before training."""
    return [path, _vocabulary_path(path)] if detect_format(path, format) == "npy" else [path]


def _vocabulary_path(path: Path) -> Path:
    return path.with_suffix(".vocab.txt")


# ---- Tokens that a format cannot carry ---------------------------------------------------------------------

# White space as str.split() has it: gensim's reader cuts at the space, strips the line break, and reads a
# vocabulary with split(); other readers split vectors so too. Lone surrogates have no UTF-8.
_UNSAFE = re.compile(r"[\s\ud800-\udfff]")
_TO_ESCAPE = re.compile(r"[\s\\\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(?:u([0-9a-f]{4})|(.?))", re.DOTALL)
_ESCAPES = {"\\": "\\", " ": "s", "\t": "t", "\n": "n", "\r": "r"}
_UNESCAPES = {letter: character for character, letter in _ESCAPES.items()}


def check_tokens(words: Sequence[str], *, escape: bool = False) -> None:
    """Raise UsageError naming the first word that no format can carry; to be called before training.

    Empty words and words with white space (as str.isspace has it) need `escape`; repeated words and words
    of over 131,072 characters cannot be written at all.
    """
    for word in words:
        if len(word) > MAX_WORD_CHARACTERS:
            raise UsageError(
                f"token {_shown(word)} has {len(word):,} characters, at most {MAX_WORD_CHARACTERS:,} can be "
                "written; split it or raise --min-count"
            )
        if not escape and (not word or _UNSAFE.search(word)):
            raise UsageError(
                f"token {_shown(word)} is empty or holds white space, which vector files cannot carry; "
                f"add --escape to write it as {escape_token(word)[:60]}"
            )
    if (repeated := _first_repeated(words)) is not None:
        raise UsageError(f"token {_shown(words[repeated[1]])} occurs twice; give each word once")


def escape_token(word: str) -> str:
    r"""A word without white space that `unescape_token` turns back; different words stay different.

    `\s` space, `\t` `\n` `\r`, `\\` backslash, `\u00a0` other white space and lone surrogates, `\e` the
    empty word.

    >>> print(escape_token("New York\\"))
    New\sYork\\
    """
    return _TO_ESCAPE.sub(_escape_character, word) if word else r"\e"


def _escape_character(match: re.Match[str]) -> str:
    character = match[0]
    return f"\\{_ESCAPES[character]}" if character in _ESCAPES else f"\\u{ord(character):04x}"


def unescape_token(text: str) -> str:
    r"""The word that `escape_token` wrote. Raises CorpusError for a backslash that begins no escape.

    >>> unescape_token(r"New\sYork")
    'New York'
    """
    return "" if text == r"\e" else _ESCAPED.sub(_unescape_character, text)


def _unescape_character(match: re.Match[str]) -> str:
    hexadecimal, letter = match.groups()
    if hexadecimal is not None:
        return chr(int(hexadecimal, 16))
    if letter not in _UNESCAPES:
        raise CorpusError(
            f"{_shown(match.string)} holds {match[0]!r}, which is no escape; read it without --escape"
        )
    return _UNESCAPES[letter]


def _first_repeated(words: Sequence[str]) -> tuple[int, int] | None:
    """Places of a word that is there before, or None."""
    if len(set(words)) == len(words):
        return None
    seen: dict[str, int] = {}
    return next((seen[word], i) for i, word in enumerate(words) if seen.setdefault(word, i) != i)


def _shown(word: str) -> str:
    return repr(word) if len(word) <= 60 else repr(word[:57]) + "…"


# ---- Writing -----------------------------------------------------------------------------------------------


def save(
    path: Path,
    embeddings: Embeddings,
    *,
    format: str | None = None,
    escape: bool = False,
    which: Which = "center",
) -> None:
    """Write word vectors; each file appears complete or not at all.

    format   text, binary or npy; by default from the suffix
    escape   write white space in words as backslash escapes
    which    the matrix to write: center or outside

    Raises UsageError for words the format cannot carry or a missing matrix, OutputError for numbers that
    are not finite and for everything the disk refuses.
    """
    detected = detect_format(path, format)
    matrix = embeddings.center_vectors if which == "center" else embeddings.outside_vectors
    if matrix is None:
        raise UsageError(
            "outside vectors were not kept; train with --save-outside or write the centre vectors"
        )
    check_tokens(embeddings.words, escape=escape)
    _require_finite(path, embeddings.words, matrix)
    words = [escape_token(word) for word in embeddings.words] if escape else embeddings.words
    if detected == "text":
        _write_text(path, words, matrix)
    elif detected == "binary":
        _write_binary(path, words, matrix)
    else:
        _write_npy(path, words, matrix, embeddings.counts)


def _require_finite(path: Path, words: Sequence[str], matrix: NDArray[np.float32]) -> None:
    for start, chunk in _chunks(matrix):
        finite = np.isfinite(chunk).all(axis=1)
        if not finite.all():
            word = words[start + int(np.argmin(finite))]
            raise OutputError(f"{path}: the vector of {_shown(word)} is not finite; train with a lower --lr")


def _chunks(matrix: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Consecutive rows, about CHUNK_NUMBERS numbers at a time, each with the index of its first row."""
    rows = max(1, CHUNK_NUMBERS // matrix.shape[1])
    for start in range(0, len(matrix), rows):
        yield start, matrix[start : start + rows]


def _header(matrix: NDArray[np.float32]) -> bytes:
    return b"%d %d\n" % matrix.shape


def _write_text(path: Path, words: Sequence[str], matrix: NDArray[np.float32]) -> None:
    with atomic_writer(path) as file:
        file.write(_header(matrix))
        for start, chunk in _chunks(matrix):
            for word, numbers in zip(words[start : start + len(chunk)], format_rows(chunk), strict=True):
                file.write(word.encode() + numbers + b"\n")


def _write_binary(path: Path, words: Sequence[str], matrix: NDArray[np.float32]) -> None:
    n_words, dim = matrix.shape
    size = len(_header(matrix)) + n_words * (4 * dim + 2) + sum(len(word.encode()) for word in words)
    with atomic_writer(path, size=size) as file:
        file.write(_header(matrix))
        for word, row in zip(words, matrix, strict=True):
            file.write(b"%b %b\n" % (word.encode(), row.astype("<f4", copy=False).tobytes()))


def _write_npy(
    path: Path, words: Sequence[str], matrix: NDArray[np.float32], counts: NDArray[np.int64] | None
) -> None:
    """Both files, the words once the matrix has found room, so that a full disk leaves an old pair a pair.

    The matrix goes without numpy's tofile, whose error on a full disk hides that it is one.
    """
    if counts is None:  # unknown counts are written as 0
        counts = np.zeros(len(words), dtype=np.int64)
    with atomic_writer(path, size=128 + matrix.nbytes) as file:
        description = np.lib.format.header_data_from_array_1_0(matrix)
        np.lib.format.write_array_header_1_0(file, description)
        for _, chunk in _chunks(matrix):
            file.write(chunk.tobytes())
        file.flush()
        write_vocabulary(_vocabulary_path(path), Vocabulary(list(words), counts))


# ---- Reading -----------------------------------------------------------------------------------------------


class _Source(NamedTuple):
    """A file being read, and how to read its words."""

    path: Path
    file: BinaryIO
    size: int
    unescape: bool
    limit: int | None

    def word(self, raw: bytes, place: str) -> str:
        """The word in the raw bytes; `place` says where they are."""
        try:
            word = raw.decode()
        except UnicodeDecodeError as error:
            raise self.error(
                f"{place}: {raw[:60]!r} is not UTF-8 ({error.reason}); convert the file to UTF-8"
            ) from error
        if not word:
            raise self.error(f"{place}: the word is missing; give each vector one")
        return self.unescaped(word, place)

    def unescaped(self, word: str, place: str) -> str:
        if not self.unescape:
            return word
        try:
            return unescape_token(word)
        except CorpusError as error:
            raise self.error(f"{place}: {error}") from error

    def error(self, message: str) -> CorpusError:
        return CorpusError(f"{self.path}: {message}")


def load(
    path: Path, *, format: str | None = None, unescape: bool = False, limit: int | None = None
) -> Embeddings:
    """Read word vectors that `save`, word2vec or gensim wrote.

    format     text, binary or npy; by default from the suffix
    unescape   undo the escapes of `save(escape=True)`
    limit      read the first `limit` words only

    Raises CorpusError, saying where, for a file that is missing, cut short, longer than it says, holds a
    word twice, no UTF-8, or numbers that are not finite float32; UsageError for an unknown format;
    OutputError when the memory cannot be had.
    """
    detected = detect_format(path, format)
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit}: it must be at least 1")
    read = {"text": _read_text, "binary": _read_binary, "npy": _read_npy}[detected]
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CorpusError(f"{path}: is not a file; store the vectors in a file first")
        with path.open("rb", buffering=READ_BYTES) as file:
            embeddings = read(_Source(path, file, status.st_size, unescape, limit))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    if (repeated := _first_repeated(embeddings.words)) is not None:
        first, second = (place + 1 for place in repeated)
        word = _shown(embeddings.words[second - 1])
        raise CorpusError(f"{path}: {word} is word {first:,} and again word {second:,}; keep one of them")
    return embeddings


def _read_header(source: _Source, bytes_per_number: int) -> tuple[int, int, NDArray[np.float32]]:
    """n_words as declared, the number to read, and a matrix for them, once the file proves big enough."""
    line = source.file.readline(64)
    match = re.fullmatch(rb"([0-9]{1,18}) +([0-9]{1,18}) *\r?\n", line)
    if match is None:
        raise source.error(
            f"line 1 is {line[:40]!r}; 'n_words dim' is needed, and --format where it is not text"
        )
    n_words, dim = map(int, match.groups())
    smallest = n_words * (2 + dim * bytes_per_number) - 1  # one-byte words, no end of the last line
    if n_words < 1 or dim < 1 or smallest > source.size - len(line):
        raise source.error(
            f"line 1 declares {n_words:,} words of dim {dim:,}, which {source.size:,} bytes cannot hold; "
            "the file is empty, cut short or of another format"
        )
    n_read = n_words if source.limit is None else min(n_words, source.limit)
    return n_words, n_read, _allocate(n_read, dim)


def _allocate(n_words: int, dim: int) -> NDArray[np.float32]:
    try:
        return np.empty((n_words, dim), dtype=np.float32)
    except MemoryError as error:
        raise OutputError(
            f"{4 * n_words * dim:,} bytes of memory cannot be had; read fewer words with a limit"
        ) from error


def _read_text(source: _Source) -> Embeddings:
    n_words, n_read, matrix = _read_header(source, bytes_per_number=2)
    words: list[str] = []
    for start, rows in _chunks(matrix):
        lines = [_read_line(source, start + i + 2, rows.shape[1]) for i in range(len(rows))]
        words.extend(source.word(word, f"line {start + i + 2}") for i, (word, _) in enumerate(lines))
        numbers = b" ".join([numbers for _, numbers in lines])
        rows.reshape(-1)[:] = parse_numbers(numbers)
        if not np.isfinite(rows).all():
            place = int(np.argmin(np.isfinite(rows)))
            wrong = numbers.split(b" ")[place][:40].decode(errors="backslashreplace")
            raise source.error(f"line {start + place // rows.shape[1] + 2}: {wrong!r} is no finite float32")
    if n_read == n_words and source.file.read(1):
        raise source.error(f"goes on after the {n_words:,} words that line 1 declares; correct one of them")
    return Embeddings(words, matrix)


def _read_line(source: _Source, number: int, dim: int) -> tuple[bytes, bytes]:
    """Word and numbers of a line, once it has the right number of fields."""
    longest = MAX_WORD_BYTES + dim * MAX_NUMBER_BYTES
    line = source.file.readline(longest)
    if not line:
        raise source.error(
            f"ends before line {number}; the file is cut short or line 1 declares too many words"
        )
    if len(line) == longest:
        raise source.error(f"line {number} is longer than {longest:,} bytes; is this a text file?")
    line = line.rstrip(b" \r\n")
    word, _, numbers = line.partition(b" ")
    n_fields = numbers.count(b" ") + 2
    if n_fields == dim + 1 and numbers:
        return word, numbers
    if n_fields > dim + 1:
        spaced = line.rsplit(b" ", dim)[0][:60].decode(errors="backslashreplace")
        cure = f"is {spaced!r} a word with a space? Write it with --escape"
    else:
        cure = "the line is cut short or line 1 declares another dim"
    raise source.error(
        f"line {number} has {line.count(b' ') + 1} fields, a word and {dim} numbers are needed; {cure}"
    )


def _read_binary(source: _Source) -> Embeddings:
    n_words, n_read, matrix = _read_header(source, bytes_per_number=4)
    records = _binary_records(source, 4 * matrix.shape[1])
    words: list[str] = []
    for start, rows in _chunks(matrix):
        chunk = [record for record in itertools.islice(records, len(rows)) if record.vector]
        if len(chunk) < len(rows):
            last = start + len(chunk) + 1
            raise source.error(f"ends within word {last:,} of {n_words:,}; the file is cut short")
        words.extend(source.word(record.word, f"word {i:,}") for i, record in enumerate(chunk, start + 1))
        rows.reshape(-1)[:] = np.frombuffer(b"".join([record.vector for record in chunk]), dtype="<f4")
        _check_finite(source, words, start, rows)
    if n_read == n_words and next(records) != _Record(b"", b""):
        raise source.error(f"goes on after the {n_words:,} words that line 1 declares; correct one of them")
    return Embeddings(words, matrix)


def _check_finite(source: _Source, words: Sequence[str], start: int, rows: NDArray[np.float32]) -> None:
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        word = _shown(words[start + int(np.argmin(finite))])
        raise source.error(f"the vector of {word} is not finite in float32; the file is damaged")


class _Record(NamedTuple):
    """Bytes of a word and of its vector."""

    word: bytes
    vector: bytes


def _binary_records(source: _Source, vector_bytes: int) -> Iterator[_Record]:
    """The records of a binary file, and at its end what is left, as a word: empty when all is well.

    word2vec.c ends a record with a line break, gensim does not: one is taken off the front of a word.
    """
    buffer, start = b"", 0
    while True:
        space = buffer.find(b" ", start, start + MAX_WORD_BYTES + 2)
        end = space + 1 + vector_bytes
        if space >= 0 and end <= len(buffer):
            yield _Record(buffer[start:space].removeprefix(b"\n"), buffer[space + 1 : end])
            start = end
            continue
        if space < 0 and len(buffer) - start > MAX_WORD_BYTES:
            raise source.error(
                f"holds a word of over {MAX_WORD_BYTES:,} bytes; is this a binary vector file?"
            )
        more = source.file.read(max(READ_BYTES, vector_bytes))
        if not more:
            yield _Record(buffer[start:].removeprefix(b"\n"), b"")
            return
        buffer, start = buffer[start:] + more, 0


def _read_npy(source: _Source) -> Embeddings:
    stored = _map_npy(source)
    words, counts = _read_words(source, len(stored))
    n_read = len(stored) if source.limit is None else min(len(stored), source.limit)
    words = [source.unescaped(word, f"word {i:,}") for i, word in enumerate(words[:n_read], 1)]
    matrix = _allocate(n_read, stored.shape[1])
    for start, rows in _chunks(matrix):
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, found below
            rows[...] = stored[start : start + len(rows)]
        _check_finite(source, words, start, rows)
    return Embeddings(words, matrix, counts=counts[:n_read] if counts.any() else None)


def _read_words(source: _Source, n_vectors: int) -> tuple[list[str], NDArray[np.int64]]:
    """Words and counts in the order of the lines, as the vectors are; a Vocabulary is ordered by count."""
    path = _vocabulary_path(source.path)
    vocabulary = read_vocabulary(path)
    if len(vocabulary) != n_vectors:
        raise source.error(
            f"has {n_vectors:,} vectors but {path} {len(vocabulary):,} words; give the one written with it"
        )
    with path.open(encoding="utf-8", newline="\n") as file:
        words = [line.rsplit(maxsplit=1)[0] for line in file]
    return words, vocabulary.counts[[vocabulary.index[word] for word in words]]


def _map_npy(source: _Source) -> NDArray[Any]:
    """The stored matrix, memory-mapped: numpy checks its size against the file, and nothing is unpickled."""
    try:
        stored = np.lib.format.open_memmap(source.path, mode="r")
    except Exception as error:  # a damaged header fails in numpy's reader, in ast or in tokenize
        reason = str(error).partition("\n")[0][:100]
        raise source.error(f"is not a readable npy file ({reason}); the file is damaged") from error
    if stored.dtype.kind != "f" or stored.ndim != 2 or stored.shape[1] < 1:
        raise source.error(f"holds {stored.dtype} of shape {stored.shape}; a matrix of floats is needed")
    return cast(NDArray[Any], stored)


# ---- Decimals: the shortest that read back, a chunk of numbers at a time -----------------------------------

# Measured for 24.3 million numbers on two loaded cores. Writing: '%.9g' on whole rows 11 s (and nine digits
# for 0.1), repr of float32 29 s, astype('U') 46 s, format_rows 2.4 s. Reading: np.fromstring 5.6 s,
# np.loadtxt 9 s, np.array(line.split()) 13 s, parse_numbers 1.4 s.

_POWERS = np.array([float(10**i) for i in range(23)])  # exact, which numpy's vectorised power need not be
_MAGNITUDE = np.array([math.floor(math.log10(2.0 ** (i - 127))) for i in range(256)])  # by exponent bits
_NEXT_POWER = np.array([float(f"1e{i + 1}") for i in _MAGNITUDE])
_MIDDLE = 127  # exponent bits of 1.0

_FOUR_DIGITS = np.frombuffer(b"".join(b"%04d" % i for i in range(10_000)), "<u4").astype(np.uint64)
_ZEROS = np.uint64(int.from_bytes(b"0" * 8, "little"))
_CELL_BYTES = 24


def _cell_starts() -> NDArray[np.uint64]:
    """Space, sign, up to three digits and a point as eight bytes, absent ones NUL; uint64 (2 × 1000 × 2,)."""
    texts = (
        b" " + sign + b"%d" % units + point
        for sign in (b"", b"-")
        for units in range(1000)
        for point in (b"", b".")
    )
    return np.frombuffer(b"".join(text.ljust(8, b"\0") for text in texts), "<u8").astype(np.uint64)


_CELL_STARTS = _cell_starts()


def _byte_masks(end: Literal["front", "back"]) -> NDArray[np.uint64]:
    """Masks that keep 0..16 of sixteen characters, at the front or at the back; uint64 (2, 17), two words."""
    kept = [b"\xff" * n for n in range(17)]
    masks = [mask.ljust(16, b"\0") if end == "front" else mask.rjust(16, b"\0") for mask in kept]
    return np.frombuffer(b"".join(masks), "<u8").astype(np.uint64).reshape(17, 2).T.copy()


_FRONT_MASKS, _BACK_MASKS = _byte_masks("front"), _byte_masks("back")


def format_rows(matrix: NDArray[np.float32]) -> list[bytes]:
    """Each row as text, ` v1 … vd`, every number the shortest decimal that reads back as the same float32.

    matrix   float32 (n_rows, dim), finite, few rows at a time: takes some 200 bytes a number

    A number becomes a cell of 24 bytes, three words: space, sign, whole part and point; eight decimals; eight
    more. NUL bytes stand for what a number does not have, and go out when a row is cut off. Zero and
    magnitudes from 1e-7 to 1000 are laid out by arrays, the others by numpy's own printing, 20 times slower.
    """
    numbers = matrix.reshape(-1)
    magnitude, bits = np.abs(numbers), numbers.view(np.uint32)
    exponent = (bits >> np.uint32(23) & np.uint32(0xFF)).astype(np.int64)
    regular = (magnitude >= np.float32(1e-7)) & (magnitude < np.float32(1000))
    magnitude[~regular], exponent[~regular] = 0, _MIDDLE
    cells = _cells(bits >> np.uint32(31), *_shortest(magnitude, exponent))
    if (rest := np.flatnonzero(~regular & (numbers != 0))).size:
        texts = [f" {number!s}".removesuffix(".0") for number in numbers[rest]]
        cells[rest] = np.array(texts, dtype=f"S{_CELL_BYTES}").view("<u8").reshape(-1, 3)
    text, row = cells.tobytes(), _CELL_BYTES * matrix.shape[1]
    return [text[i : i + row].translate(None, b"\0") for i in range(0, len(text), row)]


def _shortest(
    magnitude: NDArray[np.float32], exponent: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Integer digits and number of decimals, magnitude = digits / 10^decimals with the fewest digits.

    magnitude   float32 (n,), 0 or from 1e-7 to 1000
    exponent    int64 (n,), its exponent bits; those of 1.0 for 0

    Nine significant digits always read back as the same float32; one is taken away as long as the nearest
    decimal still does. Judging that in float64 is exact: with at most eight digits m and a midpoint o/2^k
    between two float32 (o < 2^25), m/10^f lies at least 1/(m o) > 2^-53 away from it, relatively.
    Below a power of two the next float32 is half as far, so that the nearest decimal need not be the one with
    the fewest digits; it is for all 33 powers of two in this range, as a test shows.
    """
    exact = magnitude.astype(np.float64)
    decimals = 8 - _MAGNITUDE[exponent] - (exact >= _NEXT_POWER[exponent])
    digits = np.rint(exact * _POWERS[decimals])
    for _ in range(2):  # most numbers lose one digit, many two: all at once is faster than picking them out
        scale = _POWERS[decimals - 1]
        fewer = np.rint(exact * scale)
        fits = (fewer / scale).astype(np.float32) == magnitude
        digits = np.where(fits, fewer, digits)
        decimals = decimals - fits
    shrinking = np.flatnonzero(fits)
    while shrinking.size:
        scale = _POWERS[decimals[shrinking] - 1]
        fewer = np.rint(exact[shrinking] * scale)
        fits = (fewer / scale).astype(np.float32) == magnitude[shrinking]
        fits &= decimals[shrinking] > 0
        shrinking = shrinking[fits]
        digits[shrinking] = fewer[fits]
        decimals[shrinking] -= 1
    return digits, decimals


def _cells(
    negative: NDArray[np.uint32], digits: NDArray[np.float64], decimals: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The numbers ±digits / 10^decimals as text, uint64 (n, 3) in little-endian order of bytes."""
    scale = _POWERS[decimals]
    whole = np.floor(digits / scale)
    fraction = ((digits - whole * scale) * _POWERS[16 - decimals]).astype(np.int64)  # sixteen digits, exact
    front = fraction // 10**8
    cells = np.empty((len(digits), 3), dtype="<u8")
    start = (negative * 1000 + whole).astype(np.int64) * 2 + (decimals > 0)
    cells[:, 0] = _CELL_STARTS[start]
    for column, eight in enumerate((front, fraction - front * 10**8)):
        upper = eight // 10**4
        text = _FOUR_DIGITS[upper] | _FOUR_DIGITS[eight - upper * 10**4] << np.uint64(32)
        cells[:, 1 + column] = text & _FRONT_MASKS[column, decimals]
    return cells


def parse_numbers(text: bytes) -> NDArray[np.float32]:
    """Numbers parted by single spaces, float32 (n,); nan for each that is no number or not finite.

    Numbers of the form [-]d or [-]d.ddd with up to 16 decimals are read by arrays, eight digits at a time in
    one 64-bit word; all others, larger ones and those with an exponent, by float(), 20 times slower. Both
    round to float64 and then to float32.
    """
    text = b"0" * 16 + text + b"  "
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(characters[:-1] == ord(" "))
    starts = np.concatenate(([16], ends[:-1] + 1))
    negative = characters[starts] == ord("-")
    units = characters[starts + negative] - np.uint8(ord("0"))
    decimals = ends - starts - negative - 2
    pointed = (characters[starts + negative + 1] == ord(".")) & (decimals >= 1) & (decimals <= 16)
    decimals = np.where(pointed, decimals, 0)
    front, back = _eight_digits(text, ends - 16, 0, decimals), _eight_digits(text, ends - 8, 1, decimals)
    scale = _POWERS[decimals]
    digits = units * scale.astype(np.uint64) + front * np.uint64(10**8) + back
    regular = (pointed | (ends - starts - negative == 1)) & (units <= 9)
    regular &= (np.maximum(front, back) < 10**8) & (digits < 2**53)  # beyond that float64 is not exact
    numbers: NDArray[np.float32] = (digits / scale).astype(np.float32)
    np.negative(numbers, out=numbers, where=negative)
    for i in np.flatnonzero(~regular).tolist():
        numbers[i] = _parse_one(text[starts[i] : ends[i]])
    return numbers


def _eight_digits(
    text: bytes, places: NDArray[np.int64], column: int, decimals: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The eight characters from each place as a number, uint64 (n,), at least 10^8 where one is no digit.

    Characters before the first decimal count as zeros. Neighbouring digits, pairs and fours are joined by
    one multiplication each, all four, two and one of them in a word at once.
    """
    words = np.ndarray(len(text) - 7, dtype="<u8", buffer=text, strides=(1,))
    digits: NDArray[np.uint64] = (words[places] ^ _ZEROS) & _BACK_MASKS[column, decimals]
    wrong = ((digits + np.uint64(0x7676767676767676)) | digits) & np.uint64(0x8080808080808080)
    pairs = (digits * np.uint64(10 * 2**8 + 1) >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(100 * 2**16 + 1) >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    eight: NDArray[np.uint64] = fours * np.uint64(10_000 * 2**32 + 1) >> np.uint64(32)
    eight[wrong != 0] = 10**8
    return eight


_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def _parse_one(text: bytes) -> np.float32:
    if not _NUMBER.fullmatch(text):
        return np.float32(np.nan)
    with np.errstate(over="ignore"):
        return np.float32(float(text))
