"""Every option of `fastw2v train`, once: flags, type, choices, section, help, and what else is known of it.

The command, the keys and types of configuration files, what a run that goes on must keep, and the table of
the documentation are made of these. Defaults and limits of numbers are those of the classes in `config`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from fastw2v.config import (
    Ids,
    Preset,
    ReadConfig,
    ReplicaConfig,
    RunConfig,
    TrainConfig,
    types_of,
)

Section = Literal[
    "Frequent",
    "Input",
    "Model",
    "Training",
    "Evaluation",
    "Output",
    "Resources",
    "Checkpoints",
    "Several processes",
    "Settings",
]
SECTIONS: tuple[Section, ...] = get_args(Section)
FORMATS = ("text", "binary", "npy", "parquet", "safetensors", "tsv")
VECTORS = ("center", "outside", "sum", "concatenated")


@dataclass(frozen=True)
class Option:
    """One option of the command.

    flags       as they are typed; the first long one, or the last word without dashes, names it
    section     the heading of --help that it stands under
    help        one line
    kind        int, float, bool or str
    default     where no configuration has one
    choices     the values that a text may have
    metavar     what the value is called
    shown       a default in words, where it is none of its kind
    is_path     names a file that moves with the run: written with its whole path
    is_multiple may be given several times
    is_once     of this call, not of the vectors: not kept in NAME.config.toml
    part        what it is of: `read` (how the corpus is read), `form` (what is written for a word),
                `output` (what is written where), `start` (what training starts from), or nothing of these
    """

    flags: tuple[str, ...]
    section: Section
    help: str
    kind: type = str
    default: Any = None
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    shown: str = ""
    is_path: bool = False
    is_multiple: bool = False
    is_once: bool = False
    part: Literal["", "read", "form", "output", "start"] = ""

    @property
    def name(self) -> str:
        """What the command's parameter is called, and Python's argument."""
        named = [flag for flag in self.flags if not flag.startswith("-")]
        long = named or [flag for flag in self.flags if flag.startswith("--")]
        return long[0].partition("/")[0].removeprefix("--").replace("-", "_")


_FIELDS = {
    field.name: field
    for kind in (TrainConfig, ReadConfig, ReplicaConfig)
    for field in dataclasses.fields(kind)
}


def _option(flags: str, section: Section, text: str, kind: type = str, **more: Any) -> Option:
    option = Option(tuple(flags.split()), section, text, kind, **more)
    if option.name in _FIELDS:
        return dataclasses.replace(option, default=_FIELDS[option.name].default)
    return dataclasses.replace(option, default=False) if kind is bool and option.default is None else option


def _declared(kind: type) -> Iterator[Option]:
    """The options of a configuration whose fields say what the command says of them."""
    hints = {name: hint for name, _, hint in types_of(kind)}
    for field in dataclasses.fields(kind):
        about = field.metadata
        flags = about.get("flags", f"--{field.name.replace('_', '-')}").split()
        choices = get_args(hints[field.name])  # of a Literal
        yield Option(
            tuple(flags),
            about["section"],
            about["text"],
            str if choices or hints[field.name] is Path else hints[field.name],
            field.default,
            choices,
            **{name: value for name, value in about.items() if name not in ("flags", "section", "text")},
        )


_RUN = {option.name: option for option in _declared(RunConfig)}


READING = (
    _option(
        "--read-vocab", "Input", "Use these words and counts.", metavar="FILE", is_multiple=True, part="read"
    ),
    _option("--column", "Input", "Column of the corpus.", shown="found by type and name", part="read"),
    _option(
        "--group-by",
        "Input",
        "Make a sentence of the rows equal here, an item each.",
        metavar="NAME",
        part="read",
    ),
    _option(
        "--order-by", "Input", "Order of a group's rows.", metavar="NAME", shown="as they come", part="read"
    ),
    _option(
        "--ids", "Input", "Integers are words, or places in --read-vocab.", choices=get_args(Ids), part="read"
    ),
    _option("--lowercase", "Input", "Put words in lower case.", bool, part="read"),
    _option(
        "--keep-list", "Input", "Only these words, one a line.", metavar="FILE", is_path=True, part="read"
    ),
    _option(
        "--stop-list", "Input", "Not these words, one a line.", metavar="FILE", is_path=True, part="read"
    ),
    _option("--min-count", "Frequent", "Drop words that occur less often.", int, part="read"),
    _option("--max-vocab", "Input", "Keep only this many of the most frequent words.", int, part="read"),
    _RUN["memory_limit"],
    _RUN["cache_dir"],
)
FORM = (
    _option(
        "--vectors",
        "Output",
        "Which vectors of a word to write.",
        default="center",
        choices=VECTORS,
        part="form",
    ),
    _option("--normalize", "Output", "Scale each vector to length 1.", bool, part="form"),
    _option("--float16", "Output", "Numbers of 16 bits (npy, parquet, safetensors).", bool, part="form"),
)
OUTPUT = (
    _option("-o --output", "Frequent", "Vectors file.", shown="NAME.vectors.txt here", is_path=True),
    _option(
        "--format file_format",
        "Output",
        "Format of the output.",
        choices=FORMATS,
        shown="by suffix",
        part="output",
    ),
    _option("--escape", "Output", "Write tokens that hold white space with backslashes.", bool, part="form"),
    _option(
        "--save-outside",
        "Output",
        "Also write the outside vectors.",
        metavar="FILE",
        is_path=True,
        part="output",
    ),
    _option(
        "--save-vocab",
        "Output",
        "Write the vocabulary, `word count` lines.",
        metavar="FILE",
        is_path=True,
        part="output",
    ),
)
TRAINING = (*_declared(TrainConfig), *_declared(ReplicaConfig))
START = (
    _option(
        "--init-vectors",
        "Training",
        "Start from these vectors, words matched by name.",
        metavar="FILE",
        is_path=True,
        part="start",
    ),
    _option(
        "--init-outside",
        "Training",
        "Start from these outside vectors of the same words.",
        metavar="FILE",
        is_path=True,
        part="start",
    ),
    _RUN["eval_similarity"],
    _RUN["eval_analogy"],
)
SETTINGS = (
    _option(
        "--config",
        "Settings",
        "Options from a TOML file, such as NAME.config.toml beside other vectors.",
        metavar="FILE",
    ),
    _option(
        "--preset",
        "Frequent",
        "Defaults for text, for items of sessions and baskets, for walks on graphs.",
        choices=get_args(Preset),
    ),
    _option(
        "--save-config/--no-save-config",
        "Settings",
        "Write NAME.config.toml.",
        bool,
        default=True,
        is_once=True,
        part="output",
    ),
)
RUNNING = (
    _RUN["checkpoint"],
    _RUN["checkpoint_every"],
    _RUN["resume"],
    _option(
        "--dry-run", "Settings", "Read the corpus, print what training takes, and stop.", bool, is_once=True
    ),
    _RUN["log_json"],
    _option(
        "-v --verbose", "Settings", "More lines: settings, and progress every second.", bool, is_once=True
    ),
    _option("-q --quiet", "Settings", "No lines but errors.", bool, is_once=True),
)
OPTIONS = (*OUTPUT, *READING, *FORM, *TRAINING, *START, *SETTINGS, *RUNNING)
BY_NAME = {option.name: option for option in OPTIONS}


def names_of(part: str) -> tuple[str, ...]:
    """The names of the options of a part, in their order."""
    return tuple(option.name for option in OPTIONS if option.part == part)


def fixed() -> set[str]:
    """The options that a run which goes on must keep: they decide its vectors."""
    return {name for name in _FIELDS if name != "threads"} | set(names_of("start"))
