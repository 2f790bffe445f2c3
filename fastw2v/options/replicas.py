"""How several processes that train one model combine what they learn: the options of a run under mpirun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastw2v.options.checks import Whole
from fastw2v.options.fields import described, option, settle
from fastw2v.options.together import refused

Combine = Literal["adasum", "mean"]

# Words that a thread of several processes trains between two combinations. 4 ranks of one thread, dim 300,
# 5 epochs of 17 M words, lr .05: analogies 39.6 % with 65,536, 39.9 % with 131,072, 39.4 % with 262,144 and
# 29 % of the bytes of the first; one process at lr .025 scores 38.0 %.
SYNC_WORDS = 262_144
SYNC_UNIT = 4_096  # model.arrays.UNIT: whole units are trained between two combinations


@described
@dataclass(frozen=True)
class ReplicaConfig:
    """Options of a run in several processes, each with its own replica of the vectors."""

    sync_words: int | None = option(
        None,
        "Several processes",
        "Words that each trains between two combinations; 0 adapts it to the network.",
        limits=Whole(0, 2**40),
        shown="262144 a thread",
    )
    combine: Combine = option(
        "adasum",
        "Several processes",
        "How their steps on one row are combined: adasum adds those that differ in direction and averages "
        "those that agree.",
    )
    overlap: bool = option(
        False, "Several processes", "Combine while the next step is trained: for slow networks."
    )

    def __post_init__(self) -> None:
        """Check the limits; raises UsageError."""
        settle(self)
        if self.sync_words and self.sync_words < SYNC_UNIT:
            raise refused(
                f"sync_words is {self.sync_words}: it must be 0 (adapted) or {SYNC_UNIT:,} or more",
                "sync_words",
            )
