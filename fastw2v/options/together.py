"""Options of training that do not go together: what one of them leaves without effect is refused.

Each takes a TrainConfig, and raises UsageError naming both options and what cures it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from fastw2v.errors import UsageError
from fastw2v.options.checks import shown

_NOISE = ("negatives", "ns_exponent", "kernel", "block_size", "shared_negatives", "precision")
# What an option's value leaves without effect: options that may only have their defaults then, and why.
WITHOUT_EFFECT: dict[tuple[str, str | bool], tuple[tuple[str, ...], str]] = {
    ("loss", "hierarchical-softmax"): (
        (*(name for name in _NOISE if name != "kernel"), "deterministic"),
        "draws no noise words",
    ),
    ("loss", "softmax"): (
        tuple(name for name in _NOISE if name not in ("kernel", "block_size")),
        "draws no noise words",
    ),
    ("dynamic_window", False): (("window_weights",), "counts every word of the window once"),
    ("architecture", "skip-gram"): (("cbow_gradient",), "has no mean of words"),
    ("architecture", "cbow"): (("window_weights",), "draws every radius"),
    ("freeze", "center"): (("cbow_gradient",), "leaves the words of a mean as they start"),
    ("kernel", "pair"): (("block_size", "shared_negatives", "precision"), "has no blocks"),
}


def check_combination(config: Any) -> None:
    """Refuse options that another one leaves without effect; those with their defaults harm nobody.

    Raises UsageError naming both, and what cures it.
    """
    for (cause, value), (idle, why) in WITHOUT_EFFECT.items():
        if getattr(config, cause) != value:
            continue
        for name in idle:
            given, default = getattr(config, name), type(config).__dataclass_fields__[name].default
            if given != default:
                instead = "; with threads 1 it comes to the same vectors each time"
                raise UsageError(
                    f"{name} is {given}, but {cause} {value} {why}: leave {name} out ({default} is its "
                    f"default), or {cause} {value}{instead if name == 'deterministic' else ''}",
                    (name, cause),
                )
    if config.backend == "reference" and (config.threads or 1) > 1:
        raise UsageError(
            f"threads is {config.threads}, but backend reference trains in one: leave threads out, or set "
            "threads to 1",
            ("threads", "backend"),
        )


def refuse_epochs(epochs: int, minutes: float) -> None:
    """Raise UsageError for epochs beside minutes."""
    raise refused(
        f"epochs is {epochs}, but minutes {minutes:g} decides how many there are: leave one of them out",
        *("epochs", "minutes"),
    )


def check_clock(config: Any) -> None:
    """Refuse what minutes leave without effect: a number of epochs, and the same vectors in each run.

    Raises UsageError.
    """
    if config.minutes is None:
        return
    if config.epochs != type(config).epochs:
        refuse_epochs(config.epochs, config.minutes)
    if config.deterministic:
        raise refused(
            f"minutes {config.minutes:g} lets the clock decide what is trained, so deterministic cannot "
            "hold: leave one of them out, or give epochs",
            *("deterministic", "minutes"),
        )


def is_judged(config: Any, *, by_files: bool) -> bool:
    """Whether there is anything to judge a run by; by_files: pairs or questions."""
    return bool(config.holdout or config.eval_next_item or by_files)


def without_effect(config: Any, *, by_files: bool) -> set[str]:
    """The options of a TrainConfig that its others leave without effect, whatever their values.

    by_files   whether files of pairs or questions judge the run
    """
    idle = set() if config.subwords else {"buckets"}
    idle |= {"epochs"} if config.minutes is not None else set()
    idle |= set() if is_judged(config, by_files=by_files) else {"eval_every"}
    for (cause, value), (names, _) in WITHOUT_EFFECT.items():
        idle |= set(names) if getattr(config, cause) == value else set()
    return idle


def check_judging(config: Any, *, by_files: bool) -> None:
    """Refuse eval_every where there is nothing to judge by: no holdout, and no files of pairs or questions.

    Raises UsageError.
    """
    if config.eval_every != type(config).eval_every and not is_judged(config, by_files=by_files):
        raise UsageError(
            f"eval_every is {config.eval_every:g}, but there is nothing to judge by: set holdout to 0.01, or "
            "leave eval_every out",
            ("eval_every", "holdout"),
        )


def refused(message: str, *options: str) -> UsageError:
    """The error for options that do not go together, which the message names."""
    return UsageError(message, options)


def check_switch(config: Any, switch: str, what: str) -> None:
    """Refuse other options of a configuration than their defaults where its switch is off.

    what   they are for
    """
    for field in fields(config):
        value = getattr(config, field.name)
        if not getattr(config, switch) and value != field.default:
            raise UsageError(
                f"{field.name} is {value}: that is for {what}: set {switch}, or leave {field.name} out",
                (field.name, switch),
            )


def refuse_idle(
    idle: Iterable[tuple[str, Any, str]], option: str, beside: str = "", instead: Sequence[str] = ()
) -> None:
    """Raise UsageError for the first option that another one leaves without effect.

    idle     of each option that is given nevertheless its name, its value, and why it means nothing
    beside   what is said of its value
    instead  other options that a reason may name
    """
    for name, value, why in idle:
        is_flag = value is True
        given = f"{name} does nothing with {option}" if is_flag else f"{name} is {shown(value)}{beside}"
        named = [name, option, *(other for other in instead if other in why)]
        raise UsageError(f"{given}: {why}; leave {name} out", named)
