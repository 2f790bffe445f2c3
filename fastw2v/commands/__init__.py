"""The commands of `fastw2v`, a module for each group of them; `fastw2v.cli` puts them together."""

from __future__ import annotations

from collections import UserDict
from importlib import import_module
from typing import Any

import click

# By name, where each is in this folder.
COMMANDS = {
    "train": "train.command.train",
    "stability": "stability.stability",
    "phrases": "phrases.phrases",
    "vocab": "vocab.vocab",
    "evaluate": "evaluate.evaluate",
    "nearest": "ask.nearest",
    "analogy": "ask.analogy",
    "similarity": "ask.similarity",
    "odd-one-out": "ask.odd_one_out",
    "diff": "diff.diff",
    "recommend": "recommend.recommend",
    "sequences": "sequences.sequences",
    "map": "map.draw_map",
    "report": "report.report",
    "export": "export.export",
    "doctor": "doctor.doctor",
    "warm-up": "warm_up.warm_up",
    "cache": "cache.cache",
}


class Imported(UserDict[str, Any]):
    """Commands by name, of which one is imported when it is first asked for: all of them take 0.1 s."""

    def __getitem__(self, name: str) -> click.Command:
        command = self.data[name]
        if isinstance(command, str):
            module, _, function = command.rpartition(".")
            command = self.data[name] = getattr(import_module(f"fastw2v.commands.{module}"), function)
        assert isinstance(command, click.Command)
        return command
