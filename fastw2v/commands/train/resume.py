"""`--checkpoint` and `--resume` of `fastw2v train`: the options a run started with, and its folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from fastw2v.commands.declared import fixed
from fastw2v.commands.train.settings import with_absolute_paths
from fastw2v.config import GRAPH_DEFAULTS, PRESETS, TrainConfig
from fastw2v.errors import UsageError
from fastw2v.options.pairs import PAIR_DEFAULTS
from fastw2v.options.together import refuse_epochs
from fastw2v.run.checkpoints import RunFolder, open_checkpoints, require_no_patience
from fastw2v.run.continuing import model_of, options_with, require_together
from fastw2v.run.resume import going_on, require_rereadable
from fastw2v.run.saved_model import SavedModel

OF_THIS_CALL = ("checkpoint", "resume", "alone", "dry_run", "verbose", "quiet", "log_json")


def run_folder(options: dict[str, Any]) -> contextlib.AbstractContextManager[RunFolder | None]:
    """The folder of --checkpoint for a new run, or of --resume; None without either, and for a dry run."""
    checkpoint = None if options["dry_run"] else options["checkpoint"]
    kept, resumed = (Path(name) if name else None for name in (checkpoint, options["resume"]))

    def warn(line: str) -> None:
        click.echo(f"Warning: {line}", err=True)

    return open_checkpoints(kept, resumed, options["checkpoint_every"], warn)


def settled(given: dict[str, Any], kept: RunFolder | None) -> dict[str, Any]:
    """The options of this run: those given, and for the rest those of the run that goes on, or defaults.

    Raises UsageError for one that differs from the run's and must not, for patience in a run that is kept,
    and for a missing SOURCE.
    """
    saved = kept.saved.options if kept and kept.saved else {}
    context = click.get_current_context()
    given["source"] = given["source"] or context.lookup_default("source") or ()
    of_run = {name: value for name, value in given.items() if name not in OF_THIS_CALL}
    source_of = context.get_parameter_source
    explicit = {name for name in of_run if source_of(name) is not ParameterSource.DEFAULT}
    compared = with_absolute_paths(of_run)
    for name in explicit & fixed() & saved.keys():
        if compared[name] == saved[name]:
            explicit.discard(name)  # it is the run's, however it was typed
    options = going_on(of_run, explicit, saved, lambda name: way_out(context, name), fixed())
    if "checkpoint_every" in explicit and not (kept or given["checkpoint"]):
        raise UsageError("--checkpoint-every needs --checkpoint DIR")
    require_no_patience(kept, options["patience"])
    if not options["source"]:
        raise UsageError("no corpus given: name a file, a folder or a pattern, or - for standard input")
    if not given["source"]:
        require_rereadable(options["source"])
    return given | options


def with_model(options: dict[str, Any], *, resumed: bool) -> tuple[dict[str, Any], SavedModel | None]:
    """The options of a run that goes on with a model, and the model; of one that was kept they are settled.

    Raises UsageError for options that do not go with it, OutputError where --save-model cannot be written,
    CorpusError for a damaged model.
    """
    place, target = (
        Path(options[name]) if options[name] else None for name in ("continue_from", "save_model")
    )
    training = {name: options[name] for name in TrainConfig.__dataclass_fields__}
    beside = {
        name: options[name]
        for name in ("init_vectors", "init_outside", "read_vocab", "preset", "graph", "pairs")
    }
    require_together(TrainConfig(**training), place, target, beside)
    model = model_of(place, target)
    if model and not resumed:
        context = click.get_current_context()
        explicit = {
            name for name in options if context.get_parameter_source(name) is not ParameterSource.DEFAULT
        }
        options = options | options_with(model, options, explicit, lambda name: way_out(context, name))
    return options, model


def let_graph_decide(options: dict[str, Any]) -> None:
    """Let the defaults of a graph stand where nothing else is given: on the line, in files, by a preset."""
    source_of = click.get_current_context().get_parameter_source
    for name, value in GRAPH_DEFAULTS.items() if options["graph"] else ():
        by_clock = name == "epochs" and options["minutes"] is not None
        if source_of(name) is ParameterSource.DEFAULT and not by_clock:
            options[name] = value


def let_pairs_decide(options: dict[str, Any]) -> None:
    """Let the defaults of pairs stand where nothing else is given, and no window where a preset gives one."""
    if not options["pairs"]:
        return
    source_of = click.get_current_context().get_parameter_source
    for name, value in PAIR_DEFAULTS.items():
        if source_of(name) is ParameterSource.DEFAULT:
            options[name] = value
    is_given = source_of("window") in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    if not is_given and options["window"] == PRESETS.get(options["preset"], {}).get("window"):
        options["window"] = TrainConfig.window


def let_minutes_decide(options: dict[str, Any]) -> None:
    """Let minutes stand in the place of a preset's epochs; raises UsageError for epochs that a user gave."""
    if options["minutes"] is None:
        return
    source = click.get_current_context().get_parameter_source("epochs")
    if source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
        refuse_epochs(options["epochs"], options["minutes"])
    if options["epochs"] == PRESETS.get(options["preset"], {}).get("epochs"):
        options["epochs"] = TrainConfig.epochs


def way_out(context: click.Context, name: str) -> str:
    """How to give an option no more, by where it came from."""
    source = context.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return f"unset {f'{context.auto_envvar_prefix}_{name}'.upper()}"
    return "leave it out of the file" if source is ParameterSource.DEFAULT_MAP else "leave it out"
