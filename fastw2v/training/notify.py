"""Telling hooks of a run, all in their order."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from fastw2v.system import interrupts
from fastw2v.training.hooks import Hook, Trained


def tell_stage(hooks: Sequence[Hook], stage: str) -> None:
    """Tell hooks that a stage begins."""
    for hook in hooks:
        hook.on_stage(stage)


def ended(trained: Trained, hooks: Sequence[Hook]) -> Trained:
    """What a run came to, after its hooks had it one after the other."""
    for hook in hooks:
        trained = hook.on_end(trained)
    return trained


def signals_of(hooks: Sequence[Hook]) -> contextlib.AbstractContextManager[None]:
    """Within the block signals wait for the end of a call, where a hook wants that."""
    if any(hook.defers_signals for hook in hooks):
        return interrupts.deferred()
    return contextlib.nullcontext()
