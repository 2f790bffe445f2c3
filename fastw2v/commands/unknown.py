"""What to say of names that no option, command or variable has: the one that a person would mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import click

from fastw2v.options.synonyms import MEANT, absent, bare, hint, likely

# Kubernetes and Docker set these for a service or a container called fastw2v: they are nobody's options.
OF_SERVICES = re.compile(
    r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$"
)
COMMANDS = {
    "nearest": "most_similar neighbours neighbors nn similar knn",
    "odd-one-out": "doesnt_match odd outlier",
    "evaluate": "eval test score accuracy benchmark judge",
    "train": "fit skipgram word2vec learn run build",
    "phrases": "word2phrase phrase phraser bigrams collocations ngrams",
    "vocab": "vocabulary count words counts build_vocab",
    "stability": "bootstrap intervals confidence error-bars uncertainty variance",
    "diff": "changes change drift shift procrustes align semantic-change",
    "export": "convert save write dump",
    "analogy": "analogies compute_accuracy",
    "similarity": "cosine distance compare wmd",
    "map": "plot draw visualize visualise tsne umap pca projector",
    "report": "page summary html",
    "doctor": "info check diagnose system env",
}
ANSWERS = {"topn", "topk", "top", "n", "k", "count", "neighbours", "neighbors"}
SINGLE_DASH = re.compile(r"-[A-Za-z][A-Za-z_-]+")
COMING_FROM = "options have two dashes here (docs/coming-from.md lists those of other programs)"


def flags_of(command: click.Command) -> list[str]:
    """The long flags of a command, with those that turn an option off."""
    options = (option for option in command.params if isinstance(option, click.Option))
    flags = (flag for option in options for flag in (*option.opts, *option.secondary_opts))
    return [flag for flag in (*flags, "--help") if flag.startswith("--")]


def option_message(command: click.Command, flag: str) -> str:
    """One line on an option that a command has not."""
    otherwise = (
        f"'fastw2v {command.name} --help' lists those there are" if command.name != "cli" else "see --help"
    )
    flags = flags_of(command)
    if "--number" in flags and bare(flag) in ANSWERS:
        otherwise = "did you mean --number?"
    return f"No such option: {flag}; {hint(flag, flags, otherwise)}"


def command_message(name: str, commands: Sequence[str]) -> str:
    """One line on a command that there is not."""
    meant = {bare(other): own for own, others in COMMANDS.items() for other in others.split()}
    near = meant.get(bare(name)) or likely(name, commands)
    return f"No such command {name!r}; " + (f"did you mean {near}?" if near else f"use {', '.join(commands)}")


def refuse_single_dashes(context: click.Context, command: click.Command, arguments: Sequence[str]) -> None:
    """Raise UsageError for word2vec.c's `-size 100`, of which click would take each letter for an option.

    So `-output v.txt` would write to a file called utput.
    """
    known = {bare(flag) for flag in flags_of(command)} | {"train"}
    for argument in arguments:
        if argument == "--":
            return
        if not SINGLE_DASH.fullmatch(argument):
            continue
        if bare(argument) == "train" and command.name == "train":
            cure = "name the corpus without an option, as in: fastw2v train corpus.txt"
            raise click.UsageError(f"No such option: {argument}; {cure}", context)
        is_other = absent(argument) or _is_synonym(argument, flags_of(command))
        if bare(argument) in known or is_other:
            raise click.UsageError(f"{option_message(command, argument)}; {COMING_FROM}", context)


def _is_synonym(name: str, flags: Sequence[str]) -> bool:
    """Whether it is, letter by letter, another program's name for a flag."""
    own = {bare(flag) for flag in flags}
    return any(bare(name) in map(bare, others.split()) for key, others in MEANT.items() if bare(key) in own)


def variable_message(name: str, prefix: str, commands: Mapping[str, click.Command]) -> str | None:
    """One line on a variable in the environment that is no option; None for those of services."""
    if OF_SERVICES.search(name):
        return None
    rest = name.removeprefix(f"{prefix}_")
    for command in _addressed(rest, commands):
        own = rest.removeprefix(_stem(command) + "_")
        variables = dict(_variables_of(command, prefix))
        near = likely(own, variables)
        if own and near:
            return f"{name} in the environment is no option; did you mean {variables[near]}?"
        if own and (cure := absent(own)):
            return f"{name} in the environment is no option; {cure}"
    return f"{name} in the environment is no option; options are named like {prefix}_TRAIN_DIM"


def _stem(command: click.Command) -> str:
    return str(command.name).upper().replace("-", "_")


def _addressed(rest: str, commands: Mapping[str, click.Command]) -> list[click.Command]:
    """The command that a variable names, or all, in their order."""
    named = [command for command in commands.values() if f"{rest}_".startswith(f"{_stem(command)}_")]
    return named or list(commands.values())


def _variables_of(command: click.Command, prefix: str) -> Iterator[tuple[str, str]]:
    """The names of a command's options, of every flag of theirs, and what to write in the environment."""
    for option in command.params:
        if not isinstance(option, click.Option):
            continue
        variable = str(option.envvar or f"{prefix}_{_stem(command)}_{option.name}".upper())
        for flag in option.opts:
            yield flag.lstrip("-"), variable
        for flag in option.secondary_opts:
            yield flag.lstrip("-"), f"{variable}=false"
