"""Sentences copied in another order."""

from __future__ import annotations

from fastw2v.kernels.jit import jit


@jit
def take_sentences(ids, offsets, order, taken_ids, taken_offsets):
    """Copy the sentences `order` of (ids, offsets), one after the other, to arrays that have room."""
    n = 0
    taken_offsets[0] = 0
    for k in range(order.shape[0]):
        start, stop = offsets[order[k]], offsets[order[k] + 1]
        for i in range(stop - start):  # a slice assigned would bring the text of its error, 2 s to compile
            taken_ids[n + i] = ids[start + i]
        n += stop - start
        taken_offsets[k + 1] = n
