"""Machine code on disk: read where it can be read, kept where it can be kept, never a reason to fail.

Numba's own cache ends a run on a damaged file, does not notice a flipped bit, does not read what it may not
write, and can give one signature's code for another's when two processes number their files at once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.core.registry import cpu_target

DIGEST_BYTES = 32


@functools.cache
def import_without_scipy() -> None:
    """Import what Numba has for NumPy's functions without loading scipy.linalg, a quarter of a second.

    Numba loads it to see whether it is there. Whether it can be loaded is seen where a function of linear
    algebra is compiled, as always.
    """
    if "numba.np.arraymath" in sys.modules:
        return
    from numba.np import linalg

    loads = linalg.ensure_blas
    linalg.ensure_blas = lambda: None
    try:
        from numba.np import arraymath
    finally:
        linalg.ensure_blas = loads
    arraymath._HAVE_BLAS = find_spec("scipy") is not None


def digest(content: bytes) -> bytes:
    """What ends a file of that content."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


class CheckedFile(IndexDataCacheFile):  # type: ignore[misc]
    """Numba's files of one function, each with a digest at its end, where pickle does not look.

    A file that is damaged, cut or unreadable counts as missing, so that it is written anew.
    """

    def load(self, key: Any) -> Any:
        """The code kept for a key, or None."""
        known = super().load(key)
        if not (isinstance(known, tuple) and len(known) == 2 and known[0] == repr(key)):
            return None  # of another signature: its process was ended between the index and the code
        return known[1]

    def save(self, key: Any, data: Any) -> None:
        """Keep code for a key."""
        super().save(key, (repr(key), data))

    def kept(self) -> Collection[Any]:
        """The signatures and processors that code is kept for."""
        try:
            return self._load_index()  # type: ignore[no-any-return]
        except Exception:  # whatever is wrong with it, there is no code then
            return ()

    def _load_index(self) -> Any:
        return super()._load_index() if self._is_whole(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        return super()._load_data(name) if self._is_whole(self._data_path(name)) else None

    @staticmethod
    def _is_whole(path: str) -> bool:
        try:
            content = Path(path).read_bytes()
        except OSError:
            return False
        return content[-DIGEST_BYTES:] == digest(content[:-DIGEST_BYTES])

    @contextlib.contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        buffer = io.BytesIO()
        yield buffer
        with super()._open_for_write(filepath) as file:
            file.write(buffer.getvalue() + digest(buffer.getvalue()))


class Place(_CacheLocator):  # type: ignore[misc]
    """Where a function's code lies; the folder's name holds the state of the sources, so no stamp."""

    def __init__(self, folder: str, function: Any) -> None:
        self.folder = str(Path(folder, function.__module__))
        self.line = function.__code__.co_firstlineno

    def ensure_cache_path(self) -> None:
        """Make the folder. Raises OSError."""
        Path(self.folder).mkdir(mode=0o700, parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        """The folder."""
        return self.folder

    def get_source_stamp(self) -> str:
        """Nothing changes within the folder."""
        return ""

    def get_disambiguator(self) -> str:
        """The line of the function, for two of one name."""
        return str(self.line)


class Code(CompileResultCacheImpl):  # type: ignore[misc]
    """How code becomes bytes, as Numba does it, in the place for it."""

    def __init__(self, function: Any, place: Place) -> None:
        self._lineno = place.line
        self._locator = place
        self._filename_base = self.get_filename_base(function.__qualname__, getattr(sys, "abiflags", ""))


class CodeCache(FunctionCache):  # type: ignore[misc]
    """The cache of one function.

    folder             to keep code in; None to keep none
    readable           folders to look in, the first first
    counts_references  whether code needs Numba's runtime, which takes a sixth of a second to set up

    Trouble with files is no error: the code is compiled. `compiled` counts how often, over all functions;
    `announce` is called once, before the next time.
    """

    compiled = 0
    announce: Callable[[], None] | None = None

    def __init__(
        self, function: Any, folder: str | None, readable: Sequence[str], *, counts_references: bool = True
    ) -> None:
        self._name = repr(function)
        self._py_func = function
        self._folder = folder
        self._counts_references = counts_references
        places = [Place(name, function) for name in dict.fromkeys([*([folder] if folder else []), *readable])]
        self._impl = Code(function, places[0])
        self._cache_path = places[0].folder
        self._files = [CheckedFile(place.folder, self._impl.filename_base, "") for place in places]
        self._cache_file = self._files[0]
        self.enable()

    def holds(self, sig: Any) -> bool:
        """Whether code for a signature is kept, as far as indices tell."""
        key = self._index_key(sig, cpu_target.target_context.codegen())
        return any(key in file.kept() for file in self._files)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for a signature, or None where it is not kept."""
        if self._counts_references:
            import_without_scipy()
            target_context.refresh()
        key = self._index_key(sig, target_context.codegen())
        for file in self._files:
            try:
                data = file.load(key)
                if data is not None:
                    return self._impl.rebuild(target_context, data)
            except Exception:  # whatever is wrong with it, it can be compiled
                continue
        import_without_scipy()
        CodeCache.compiled += 1
        announce, CodeCache.announce = CodeCache.announce, None
        if announce:
            announce()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, where there is a folder and space for it."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)
