"""Where the options of `fastw2v train` come from beside the command line, and the file they are kept in.

command line > environment (FASTW2V_TRAIN_…) > --config FILE > --preset > defaults. A preset named on the
command line or in the environment goes before the file, as the user's later word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from fastw2v.commands.declared import BY_NAME, OPTIONS, SETTINGS
from fastw2v.commands.options import click_option
from fastw2v.config import PRESETS, TrainConfig
from fastw2v.corpus.files.own import CONFIG_HEAD, CONFIG_SUFFIX, own_config
from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.fields import AUTO
from fastw2v.options.synonyms import hint
from fastw2v.system.marks import without_mark
from fastw2v.version import __version__

CONFIG = "fastw2v.config"  # in the meta of a context: the file of --config
NOT_IN_FILES = {"config", "help"}
SHOWN = {int: "a whole number", float: "a number", bool: "true or false", str: "a text in quotes"}


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--config, --preset and --no-save-config."""
    own: dict[str, dict[str, Any]] = {
        "config": {"is_eager": True, "expose_value": False, "callback": use_file},
        "preset": {"is_eager": True, "callback": use_preset},
    }
    for option in reversed(SETTINGS):
        command = click_option(option, **own.get(option.name, {}))(command)
    return command


def use_file(context: click.Context, parameter: click.Parameter, name: str | None) -> None:
    """Let the values of a file be the defaults; a preset that came before on the command line stays."""
    if name:
        context.meta[CONFIG] = name
        context.default_map = {**read_config(Path(name), context.command), **(context.default_map or {})}


def use_preset(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """Let the values of a preset be the defaults."""
    from_file = context.get_parameter_source("preset") is ParameterSource.DEFAULT_MAP
    preset, given = PRESETS[name] if name else {}, context.default_map or {}
    context.default_map = {**preset, **given} if from_file else {**given, **preset}
    return name


def read_config(path: Path, command: click.Command) -> dict[str, Any]:
    """Options of a TOML file, by the names of the command's parameters.

    Raises UsageError, naming file and key, for a file that cannot be read, a key that is no option, and a
    value of the wrong type.
    """
    content = read_toml(path)
    keys = dict(keys_of(command))
    if (version := content.pop("version", None)) is not None:
        tell_version(path, version)
    for key in content:
        if key.replace("_", "-") not in keys:
            cure = hint(key, keys, f"see 'fastw2v {command.name} --help'")
            raise UsageError(f"{path}: {key} is no option of '{command.name}'; {cure}")
    read = {key: keys[key.replace("_", "-")] for key in content}
    return {
        parameter.name or "": at_home(parameter.name, checked(path, key, parameter, content[key]))
        for key, parameter in read.items()
    }


def at_home(name: str | None, value: Any) -> Any:
    """The value of an option; of one that names files with the home folder for ~, as no shell saw it."""
    if isinstance(value, tuple):
        return tuple(at_home(name, one) for one in value)
    is_file = name == "source" or (name in BY_NAME and BY_NAME[name].file)
    return str(Path(value).expanduser()) if is_file and str(value).startswith(("~/", f"~{os.sep}")) else value


def tell_version(path: Path, version: Any) -> None:
    """Warn of a file that a later version wrote, whose options may mean something else here.

    Raises UsageError for what is no version.
    """
    if not (isinstance(version, str) and re.match(r"\d+(\.\d+)*", version)):
        raise UsageError(f'{path}: version is {shown(version)}: it must be like "{__version__}"')
    if numbers(version) > numbers(__version__):
        click.echo(
            f"Warning: {path} is of fastw2v {version}, this is {__version__}: it may train other vectors",
            err=True,
        )


def numbers(version: str) -> list[int]:
    """The numbers that a version begins with: [1, 10] of 1.10rc1."""
    found = re.match(r"\d+(\.\d+)*", version)
    return [int(number) for number in found[0].split(".")] if found else []


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file of options holds, as it is. Raises UsageError where it cannot be read."""
    import tomllib

    try:
        return tomllib.loads(without_mark(path.read_bytes(), path).decode())
    except CorpusError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a TOML file of options") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise UsageError(f"{path}: is not TOML: {error}; a line is: dim = 300") from None


def keys_of(command: click.Command) -> Iterator[tuple[str, click.Parameter]]:
    """Keys that a file may have: the long names of options, and of arguments."""
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            yield parameter.name or "", parameter
        elif parameter.name not in NOT_IN_FILES:
            long = [flag.removeprefix("--") for flag in parameter.opts if flag.startswith("--")]
            yield from ((flag, parameter) for flag in long)


def checked(path: Path, key: str, parameter: click.Parameter, value: Any) -> Any:
    """The value, if it is of the parameter's type: TOML has types, so "5" is no number."""
    if parameter.nargs == -1 or getattr(parameter, "multiple", False):
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(one, str) for one in values):
            return tuple(values)
        raise UsageError(f"{path}: {key} is {shown(value)}: it must be a name or a list of names")
    option = BY_NAME[parameter.name or ""]
    fits = type(value) is option.kind or (option.kind is float and type(value) is int)
    fits = fits or (option.auto and value == AUTO)
    wanted = SHOWN[option.kind]
    if option.choices:
        fits, wanted = value in option.choices, f"one of {', '.join(option.choices)}"
    if not fits:
        raise UsageError(f"{path}: {key} is {shown(value)}: it must be {wanted}")
    return value


def shown(value: Any) -> str:
    """A value as TOML has it; lists and texts are written as in JSON, but for one character."""
    if isinstance(value, float):
        return repr(value)
    import json

    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")


def config_path(target: Path) -> Path | None:
    """NAME.config.toml beside the vectors; None where they go to a pipe or a device."""
    from fastw2v.system.files import is_direct

    has_place = target.name and not is_direct(target)
    return target.with_suffix(CONFIG_SUFFIX) if has_place else None


def resolved(options: dict[str, Any], config: TrainConfig, target: Path, threads: int) -> dict[str, Any]:
    """Every option of a run, with absolute paths and the number of threads.

    options  all parameters of the command, by name
    """
    values = options | {"output": str(target), "threads": threads}
    values |= {option.name: AUTO for option in OPTIONS if option.auto and values.get(option.name) is None}
    values |= {"lr": AUTO} if config.lr is None else {"min_lr": config.min_learning_rate}
    values = with_absolute_paths(values)
    once = {option.name for option in OPTIONS if option.is_once}
    once |= {"epochs"} if config.minutes is not None else set()  # the clock decides how many there are
    return {name: value for name, value in values.items() if value not in (None, []) and name not in once}


def with_absolute_paths(options: dict[str, Any]) -> dict[str, Any]:
    """The options with absolute paths, so that the run can be made or gone on with from any folder."""
    named = [option for option in OPTIONS if option.file]
    one = [option.name for option in named if not option.is_multiple and options.get(option.name)]
    several = ["source", *(option.name for option in named if option.is_multiple)]
    files = {name: str(Path(options[name]).absolute()) for name in one}
    return options | files | {name: [absolute(path) for path in options[name]] for name in several}


def absolute(source: str) -> str:
    """A file or pattern with its whole path; URIs and - stay."""
    return source if "://" in source or source == "-" else str(Path(source).absolute())


def differs(path: Path, values: dict[str, Any], command: click.Command) -> bool:
    """Whether a file of options says other than the options of a run."""
    content = own_config(path) or {}
    content.pop("version", None)
    keys = {parameter.name: key for key, parameter in reversed(list(keys_of(command)))}
    expected = {keys[name]: shown(value) for name, value in values.items() if name in keys}
    return {key: shown(value) for key, value in content.items()} != expected


def as_typed_line(config: TrainConfig, idle: Collection[str] = ()) -> str:
    """The options of training in one line, as they are typed, but for idle ones, which have no effect."""
    words = []
    for name, value in vars(config).items():
        flag = name.replace("_", "-")
        if name in idle:
            continue
        if name == "dynamic_window" and not value:
            words.append("--fixed-window")
        elif value is True:
            words.append(f"--{flag}")
        elif value is not None and value is not False:
            words.append(f"--{flag} {value}")
    return " ".join(words)


def copies_lines(config: TrainConfig, n_words: int, *, pairs: bool = False) -> list[str]:
    """In a line, which cache domains have copies of the hottest rows; no line where none has.

    pairs   whether the corpus is of given pairs
    """
    import numpy as np

    from fastw2v.backends import domains_for, plan_of
    from fastw2v.model.plan import HOT_WORDS

    counts = np.ones(2, np.int64)
    plan = plan_of(config, counts, 2, outside_counts=counts if pairs else None)
    domains = domains_for(plan, n_words, config.backend, config.threads)
    return [f"{len(domains)} cache domains have copies of {HOT_WORDS} words' rows"] if domains else []


def write_config(path: Path, values: dict[str, Any], command: click.Command, chosen: dict[str, Any]) -> None:
    """Write the options of a run so that `fastw2v train --config` runs it again, complete or not at all.

    chosen  by key what auto was; None where a clock decided it on the way

    Raises OutputError, and UsageError for file names that are not Unicode.
    """
    from fastw2v.system.files import atomic_writer

    keys = {parameter.name: key for key, parameter in reversed(list(keys_of(command)))}
    lines = [f"{CONFIG_HEAD}{path.name}"]
    lines += [f'version = "{__version__}"']
    names = [parameter.name or "" for parameter in command.params]
    lines += [f"{keys[name]} = {shown(values[name])}" for name in names if name in keys and name in values]
    for key, number in chosen.items():
        line = f'{key} = "{AUTO}"'
        if number is not None and line in lines:
            lines[lines.index(line)] = f"{line}  # {number:g} in this run"
    try:
        text = ("\n".join(lines) + "\n").encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{os.fsencode(path)!r}: a TOML file holds Unicode names: add --no-save-config"
        ) from None
    with atomic_writer(path) as file:
        file.write(text)
