"""Which options of training samples of a corpus are not trained with."""

from __future__ import annotations

# Samples are whole, made by count and compared by their vectors: nothing is kept out or judged on the way,
# nothing starts from other vectors, and no clock decides, so that one that is made again is the same.
LEFT_OUT = frozenset(
    ("minutes", "freeze", "holdout", "eval_every", "patience", "leave_last_out", "eval_next_item")
)
MOST_SAMPLES = 1_000
