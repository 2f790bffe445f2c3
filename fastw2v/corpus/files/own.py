"""What fastw2v itself wrote where a corpus is looked for: known by what it wrote beside it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

CONFIG_SUFFIX = ".config.toml"
CONFIG_HEAD = "# Trains the vectors beside this file again: fastw2v train --config "
OUTPUTS = ("output", "save-outside", "save-vocab")
MODEL_HEAD = b'{\n "model": {\n  "format": '
_CHECKPOINT = re.compile(r"checkpoint-\d+")


def own_config(path: Path) -> dict[str, Any] | None:
    """The options in a file that fastw2v wrote beside vectors; None where there is no such file."""
    import tomllib

    with contextlib.suppress(OSError, ValueError):  # not there, not UTF-8, not TOML
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
        if text.startswith(CONFIG_HEAD) and "version" in content:
            return content
    return None


def own_files(folders: Iterable[Path]) -> set[Path]:
    """What the configurations in these folders say that their runs wrote; real paths.

    A name counts beside the configuration too: a folder may have been moved since.
    """
    found = set()
    for folder in set(folders):
        for path in folder.glob(f"*{CONFIG_SUFFIX}"):
            content = own_config(path) or {}
            names = [content[key] for key in OUTPUTS if isinstance(content.get(key), str)]
            for output in map(Path, names):
                for place in (output, folder / output.name):
                    found |= {Path(os.path.realpath(file)) for file in _written_for(place)}
    return found


def _written_for(output: Path) -> Iterator[Path]:
    yield output
    if output.suffix.lower() == ".npy":
        yield output.with_suffix(".vocab.txt")


def without_own(found: Sequence[Path]) -> list[Path]:
    """The files that a pattern or folder covers, but for what fastw2v wrote among them."""
    own = own_files(path.parent for path in found)
    return [path for path in found if not is_own(path, own)]


def is_own(path: Path, own: set[Path]) -> bool:
    """Whether it is one of `own`, the vocabulary in a checkpoint, or the words of a model."""
    in_checkpoint = path.name == "center.vocab.txt" and _CHECKPOINT.fullmatch(path.parent.name)
    in_model = path.name == "words.parquet" and _is_model(path.with_name("model.json"))
    return bool(in_checkpoint) or in_model or Path(os.path.realpath(path)) in own


def _is_model(manifest: Path) -> bool:
    """Whether it is what --save-model wrote."""
    with contextlib.suppress(OSError), manifest.open("rb") as file:
        return file.read(len(MODEL_HEAD)) == MODEL_HEAD
    return False
