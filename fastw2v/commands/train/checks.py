"""What is checked of the options of `fastw2v train` before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fastw2v.commands.options import default_output
from fastw2v.commands.places import check_places, inputs_of, kept_config, named_output, train_outputs
from fastw2v.commands.train.settings import CONFIG, config_path
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.options.together import check_judging


def check_before_reading(options: dict[str, Any], config: TrainConfig, *, resumed: bool) -> None:
    """Raise UsageError or CorpusError for options that only what follows the reading of the corpus uses.

    resumed  whether vectors to start from are those of a checkpoint
    """
    from fastw2v.training.checkpoint.checkpointer import parse_interval
    from fastw2v.training.start import require_known
    from fastw2v.vectors import formats
    from fastw2v.vectors.components import require_components
    from fastw2v.vectors.embeddings import with_outside

    check_judging(config, by_files=bool(options["eval_similarity"] or options["eval_analogy"]))
    parse_interval(options["checkpoint_every"])
    require_formats(options, config)
    require_components(
        options["remove_components"], config.dim * (1 + (options["vectors"] == "concatenated"))
    )
    center, outside = options["init_vectors"], options["init_outside"]
    if outside and not center:
        raise UsageError("--init-outside needs --init-vectors: give both files of one training")
    if config.loss == "hierarchical-softmax":
        require_no_outside(options)
    if options["pairs"] and options["vectors"] in ("sum", "concatenated"):
        raise UsageError(
            f"--vectors {options['vectors']} is of both vectors of a word, and outside words of pairs are "
            "others: leave it out, and write them by --save-outside"
        )
    if resumed or options["continue_from"]:
        return
    init = formats.load(Path(center), unescape=options["escape"], limit=1) if center else None
    if init and outside:
        first = formats.load(Path(outside), unescape=options["escape"], limit=1)
        init = with_outside(init, first, apart=options["pairs"])
    require_known(config, init)


def require_formats(options: dict[str, Any], config: TrainConfig) -> None:
    """Raise UsageError for vectors that a format of n-grams cannot hold, and for codes."""
    from fastw2v.commands.declared import names_of
    from fastw2v.vectors import formats

    form = {name: options[name] for name in names_of("form")}
    places = [(options["output"], options["file_format"], form)]
    places += [(options["save_outside"], None, {**form, "vectors": "outside"})]
    for name, given, of_place in places:
        detected = formats.detect_format(Path(name or ""), given, default="text")
        if detected == "pq":  # training that took hours should not end at what codes need
            vectors = Path(name).with_suffix(".bin").name
            raise UsageError(
                f"{name}: codes are made of vectors that are there; train to {vectors}, then run: "
                f"fastw2v export {vectors} {Path(name).name}"
            )
        if formats.KINDS[detected].ngrams:
            formats.require_as_trained(detected, of_place, has_ngrams=config.subwords is not None)


def require_no_outside(options: dict[str, Any]) -> None:
    """Raise UsageError for options on outside vectors, where rows of U are inner nodes of a tree."""
    flags = {"save_outside": "--save-outside", "init_outside": "--init-outside"}
    given = [flag for name, flag in flags.items() if options[name]]
    given += [f"--vectors {options['vectors']}"] * (options["vectors"] != "center")
    for flag in given:
        raise UsageError(
            f"{flag} is of outside vectors, and those of loss hierarchical-softmax are inner nodes of its "
            "tree, not words: leave it out, or train with negative sampling"
        )


def check_outputs(options: dict[str, Any]) -> list[str]:
    """Lines on what of the corpus is left out; raises UsageError for an output that is an input."""
    context = click.get_current_context()
    named_output("--checkpoint", options["checkpoint"], streams=False)
    source = options["source"] or context.lookup_default("source") or ()
    if not source:
        return []  # which is told elsewhere
    named_output("-o", options["output"])
    named_output("--cache-dir", options["cache_dir"], streams=False)
    named_output("--save-model", options["save_model"], streams=False)
    target, config = Path(options["output"] or default_output(source)), context.meta.get(CONFIG)
    beside = kept_config(config_path(target) if options["save_config"] else None, config)[0]
    outputs = train_outputs(options, target, options["log_json"], beside)
    return check_places(source, inputs_of({**options, "config": config}), outputs)
