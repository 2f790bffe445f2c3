"""Every option of `fastw2v train`, once: flags, type, choices, section, help, and what else is known of it.

The command, the keys and types of configuration files, what a run that goes on must keep, and the tables of
the documentation are made of these. Those that set a field of a configuration are declared in `config`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from fastw2v.config import FIXED, Preset, ReadConfig, RunConfig, TrainConfig
from fastw2v.options.checks import Real, Whole
from fastw2v.options.endless import EndlessConfig
from fastw2v.options.fields import types_of
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.kmers import KmerOptions
from fastw2v.options.pairs import PairConfig
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.options.text import TextOptions

Section = Literal[
    "Frequent",
    "Input",
    "Phrases",
    "Graph",
    "Pairs",
    "Stream",
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
FORMATS = ("text", "binary", "fasttext", "npy", "int8", "pq", "parquet", "safetensors", "tsv")
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
    file        names a file that the command reads or writes; it has its whole path in NAME.config.toml
    alone       the value where it is given without one
    auto        a number that may be `auto`
    is_multiple may be given several times
    is_once     of this call, not of the vectors: not kept in NAME.config.toml
    part        what it is of: `read` (how the corpus is read), `form` (what is written for a word),
                `output` (what is written where), `start` (what training starts from), or nothing of these
    limits      of a number
    field       the field of a configuration that it sets
    """

    flags: tuple[str, ...]
    section: Section
    help: str
    kind: type = str
    default: Any = None
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    shown: str = ""
    file: Literal["", "read", "write"] = ""
    alone: int | None = None
    auto: bool = False
    is_multiple: bool = False
    is_once: bool = False
    part: Literal["", "read", "form", "output", "start"] = ""
    limits: Whole | Real | None = None
    field: str = ""

    @property
    def name(self) -> str:
        """What the command's parameter is called."""
        named = [flag for flag in self.flags if not flag.startswith("-")]
        long = named or [flag for flag in self.flags if flag.startswith("--")]
        return long[0].partition("/")[0].removeprefix("--").replace("-", "_")


def _option(flags: str, section: Section, text: str, kind: type = str, **more: Any) -> Option:
    option = Option(tuple(flags.split()), section, text, kind, **more)
    return dataclasses.replace(option, default=False) if kind is bool and option.default is None else option


def _declared(kind: type, **more: Any) -> Iterator[Option]:
    """The options of a configuration, whose fields say what the command says of them; more is said of all."""
    hints = {name: hint for name, _, hint in types_of(kind)}
    for field in dataclasses.fields(kind):
        about, hint = dict(field.metadata), hints[field.name]
        flags = about.pop("flags", f"--{field.name.replace('_', '-')}").split()
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        is_plain = hint in (int, float, bool)
        default = None if get_origin(hint) is frozenset else field.default  # words come from a file
        known = {"choices": choices, "field": field.name, **more}
        section, text = about.pop("section"), about.pop("text")
        yield Option(tuple(flags), section, text, hint if is_plain else str, default, **known, **about)


_RUN = {option.name: option for option in _declared(RunConfig)}
READING = (
    _option(
        "--read-vocab",
        "Input",
        "Use these words and counts; those of several files are added.",
        metavar="FILE",
        file="read",
        is_multiple=True,
        part="read",
    ),
    *sorted(_declared(ReadConfig, part="read"), key=lambda option: option.section == "Phrases"),
    _RUN["memory_limit"],
    _RUN["cache_dir"],
)
OF_TEXT = tuple(
    option for option in READING if option.field in {field.name for field in dataclasses.fields(TextOptions)}
)
OF_KMERS = tuple(
    option for option in READING if option.field in {field.name for field in dataclasses.fields(KmerOptions)}
)
# How a command reads sequences that it does not train on.
OF_CORPUS = (
    *(option for option in READING if option.name in ("column", "group_by", "order_by")),
    *OF_TEXT,
    *OF_KMERS,
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
    _option(
        "--remove-components",
        "Output",
        "Subtract the mean of all vectors and so many of their principal components; 0: the mean alone.",
        int,
        shown="nothing is subtracted",
        limits=Whole(0, why=" and less than --dim"),
        part="form",
    ),
    _option("--normalize", "Output", "Scale each vector to length 1.", bool, part="form"),
    _option("--float16", "Output", "Numbers of 16 bits (npy, parquet, safetensors).", bool, part="form"),
)
OUTPUT = (
    _option("-o --output", "Frequent", "Vectors file.", shown="NAME.vectors.txt here", file="write"),
    _option(
        "--format file_format",
        "Output",
        "Format of the output.",
        choices=tuple(name for name in FORMATS if name != "pq"),  # codes are made of vectors that are there
        shown="by suffix",
        part="output",
    ),
    _option("--escape", "Output", "Write tokens that hold white space with backslashes.", bool, part="form"),
    _option(
        "--save-outside",
        "Output",
        "Also write the outside vectors, as they are.",
        metavar="FILE",
        file="write",
        part="output",
    ),
    _option(
        "--save-vocab",
        "Output",
        "Write the vocabulary, `word count` lines.",
        metavar="FILE",
        file="write",
        part="output",
    ),
    _RUN["save_model"],
)
TRAINING = tuple(
    option
    for kind in (TrainConfig, GraphConfig, PairConfig, EndlessConfig, ReplicaConfig)
    for option in _declared(kind)
)
START = (
    _option(
        "--init-vectors",
        "Training",
        "Start from these vectors, words matched by name.",
        metavar="FILE",
        file="read",
        part="start",
    ),
    _option(
        "--init-outside",
        "Training",
        "Start from these outside vectors of the same words.",
        metavar="FILE",
        file="read",
        part="start",
    ),
    _RUN["continue_from"],
    _RUN["eval_similarity"],
    _RUN["eval_analogy"],
)
SETTINGS = (
    _option(
        "--config",
        "Settings",
        "Options from a TOML file, such as NAME.config.toml beside other vectors.",
        metavar="FILE",
        file="read",
    ),
    _option(
        "--preset",
        "Frequent",
        "Defaults for text, for relatedness or similarity of its words, for items of sessions and baskets, "
        "for walks on graphs.",
        choices=get_args(Preset),
    ),
    _option(
        "--save-config/--no-save-config",
        "Settings",
        "Write every option to NAME.config.toml beside the vectors.",
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
    _RUN["alone"],
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
    return {*FIXED, *names_of("start")}
