"""Every option of `train` is declared once, and all that knows options is made of that."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest

from fastw2v import api, cli
from fastw2v.commands.declared import BY_NAME, OPTIONS, SECTIONS, fixed, names_of
from fastw2v.commands.kinds import FileToRead, FileToWrite
from fastw2v.config import ReadConfig, RunConfig, TrainConfig
from fastw2v.options.endless import EndlessConfig
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.pairs import PairConfig
from fastw2v.options.replicas import ReplicaConfig

OF_FILES = {"keep_words": "keep_list", "stop_words": "stop_list"}  # what the command reads from files


def test_options__are_all_the_parameters_of_the_command() -> None:
    train = cli.cli.commands["train"]
    parameters = [option for option in train.params if isinstance(option, click.Option)]
    assert sorted(option.name or "" for option in parameters) == sorted(BY_NAME)
    assert len(BY_NAME) == len(OPTIONS)
    for option in parameters:
        assert [*option.opts, *option.secondary_opts][0] in " ".join(BY_NAME[option.name or ""].flags)


def test_options__hold_every_field_of_a_configuration_with_its_default() -> None:
    for kind in (TrainConfig, ReadConfig, GraphConfig, PairConfig, EndlessConfig, ReplicaConfig):
        for field in fields(kind):
            option = BY_NAME[OF_FILES.get(field.name, field.name)]
            assert field.name in OF_FILES or option.default == field.default


def test_options__of_python_are_the_fields_of_the_configurations() -> None:
    expected = {
        field.name
        for kind in (
            TrainConfig,
            ReadConfig,
            GraphConfig,
            PairConfig,
            EndlessConfig,
            ReplicaConfig,
            RunConfig,
        )
        for field in fields(kind)
    }
    assert set(api.Options.__annotations__) == expected


def test_sections__show_the_ten_that_matter_first() -> None:
    frequent = [option.name for option in OPTIONS if option.section == SECTIONS[0]]
    assert len(frequent) == 10
    assert {option.section for option in OPTIONS} == set(SECTIONS)
    train = cli.cli.commands["train"]
    with click.Context(train) as context:
        help_text = train.get_help(context)
    places = [help_text.index(f"\n{section}:\n") for section in SECTIONS]
    assert places == sorted(places)
    assert help_text.index("--dim") < places[1] < help_text.index("--group-by")


@pytest.mark.parametrize("name", sorted(cli.cli.commands))
def test_help__fits_80_columns_and_says_a_default_once(name: str) -> None:
    """Whatever the version of click, of which some show empty defaults and arguments of their own accord."""
    command = cli.cli.commands[name]
    with click.Context(command, info_name=name, terminal_width=80, show_default=True) as context:
        lines = command.get_help(context).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    options = " ".join("\n".join(lines).split()).split(" --")
    assert [option for option in options if option.count("[default:") > 1] == []
    assert [line for line in lines if line.startswith("  [")] == []


def test_fixed__are_what_decides_the_vectors_of_a_run() -> None:
    assert {"dim", "seed", "column", "init_vectors", "combine"} <= fixed()
    assert not {"threads", "output", "log_json", "verbose"} & fixed()
    assert set(names_of("form")) == {"escape", "vectors", "remove_components", "normalize", "float16"}


def test_options__that_name_a_file_say_whether_it_is_read_or_written() -> None:
    """No output may replace what is read, which is known by the kind of the parameter."""
    parameters = [parameter for command in cli.cli.commands.values() for parameter in command.params]
    of_files = [one for one in parameters if getattr(one, "metavar", None) == "FILE" or one.name == "output"]
    of_files += [
        one for one in parameters if isinstance(one, click.Argument) and one.name in ("vectors", "target")
    ]
    assert len(of_files) > 20
    assert [one.name for one in of_files if not isinstance(one.type, FileToRead | FileToWrite)] == []
