"""The training loop and what goes with it; `train` is its door."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastw2v.training.hooks import Moment, Progress, Trained
    from fastw2v.training.loop import train

__all__ = ["Moment", "Progress", "Trained", "train"]


def __getattr__(name: str) -> Any:
    """The names of `loop` and `hooks`, imported when first used: that takes half a second."""
    if name not in __all__:
        raise AttributeError(f"module 'fastw2v.training' has no attribute {name!r}")
    return getattr(import_module(f"fastw2v.training.{'loop' if name == 'train' else 'hooks'}"), name)
