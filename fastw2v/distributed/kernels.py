"""Rows of a replica: which changed, their steps since the last combination, and the combination of steps.

A packet is float32 (n, 1 + dim): a step on a row of one of the two matrices, and before it the bits of an
int32 key, 2·row of V or 2·row + 1 of U. The twin of `combine_steps` is `adasum` in
`fastw2v.distributed.reference`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.jit import fast_jit, jit

HALF = np.float32(0.5)
ZERO = np.float32(0)
LAST_KEY = np.int32(2**31 - 1)


@jit
def changed_keys(vectors, base, rows, n_columns, keys):
    """Find which of some rows differ from base in one of the first columns; returns how many.

    rows     int32 (n,), of V; and of U, which may have fewer
    keys     int32 (2·n,), filled in the order of the rows
    """
    n = 0
    for i in range(rows.shape[0]):
        for side in range(2):
            matrix, old, row = side_of(vectors, side), side_of(base, side), rows[i]
            if row < matrix.shape[0]:
                for column in range(n_columns):
                    if matrix[row, column] != old[row, column]:
                        keys[n] = 2 * row + side
                        n += 1
                        break
    return n


@jit
def side_of(vectors, key):
    """The matrix that a key names a row of."""
    return vectors.center if key % 2 == 0 else vectors.outside


@jit
def pack(vectors, base, keys, packet):
    """Fill a packet with vectors − base in the rows that as many keys name."""
    dim = packet.shape[1] - 1
    own_keys = packet.view(np.int32)[:, 0]
    for i in range(packet.shape[0]):
        own_keys[i] = keys[i]
        matrix, old, row = side_of(vectors, keys[i]), side_of(base, keys[i]), keys[i] // 2
        for column in range(dim):
            packet[i, 1 + column] = matrix[row, column] - old[row, column]


@jit
def settle(vectors, base, packet):
    """Let the vectors be base plus the packet's steps, which rounding may have made differ."""
    dim = packet.shape[1] - 1
    keys = packet.view(np.int32)[:, 0]
    for i in range(keys.shape[0]):
        matrix, old, row = side_of(vectors, keys[i]), side_of(base, keys[i]), keys[i] // 2
        for column in range(dim):
            matrix[row, column] = old[row, column] + packet[i, 1 + column]


@jit
def apply(vectors, base, packet):
    """Add a packet's steps to base, and let the vectors be base in these rows."""
    dim = packet.shape[1] - 1
    keys = packet.view(np.int32)[:, 0]
    for i in range(keys.shape[0]):
        matrix, old, row = side_of(vectors, keys[i]), side_of(base, keys[i]), keys[i] // 2
        for column in range(dim):
            old[row, column] += packet[i, 1 + column]
            matrix[row, column] = old[row, column]


@jit
def apply_late(vectors, base, packet, own_rows, own):
    """Add a packet's steps to base, and to the vectors what their own steps lack of them.

    own_rows   int32 (n,), the row of `own`, the packet that was sent, with this rank's step, or −1
    A number that has not changed since becomes that of base, exactly: it would count as changed for ever.
    """
    dim = packet.shape[1] - 1
    keys = packet.view(np.int32)[:, 0]
    for i in range(keys.shape[0]):
        matrix, old, row = side_of(vectors, keys[i]), side_of(base, keys[i]), keys[i] // 2
        for column in range(dim):
            step = own[own_rows[i], 1 + column] if own_rows[i] >= 0 else ZERO
            before = old[row, column] + step
            old[row, column] += packet[i, 1 + column]
            if matrix[row, column] == before:
                matrix[row, column] = old[row, column]
            else:
                matrix[row, column] += packet[i, 1 + column] - step


@fast_jit
def add_adasum(packet, a, b):
    """Step a becomes the Adasum of steps a and b of a packet."""
    dim = packet.shape[1] - 1
    dot, square_a, square_b = ZERO, ZERO, ZERO
    for column in range(1, 1 + dim):
        dot += packet[a, column] * packet[b, column]
        square_a += packet[a, column] * packet[a, column]
        square_b += packet[b, column] * packet[b, column]
    share_a = np.float32(1) - (HALF * dot / square_a if square_a > ZERO else ZERO)
    share_b = np.float32(1) - (HALF * dot / square_b if square_b > ZERO else ZERO)
    for column in range(1, 1 + dim):
        packet[a, column] = share_a * packet[a, column] + share_b * packet[b, column]


@jit
def add_plainly(packet, a, b):
    """Step a becomes the sum of steps a and b of a packet."""
    for column in range(1, packet.shape[1]):
        packet[a, column] += packet[b, column]


@jit
def merge_keys(keys, ends, places):
    """Find each rank's step on every row that any of them has one on; returns the number of rows.

    keys     int32 (n,), those of every rank in rising order, rank after rank
    ends     int64 (n_ranks,), where those of each rank end
    places   int32 (n, n_ranks), filled: for each row, rising, where the rank's step is, or −1
    """
    n_ranks, n_rows = ends.shape[0], 0
    heads = np.empty(n_ranks, np.int64)
    for rank in range(n_ranks):
        heads[rank] = ends[rank - 1] if rank else 0
    while True:
        lowest = LAST_KEY
        for rank in range(n_ranks):
            if heads[rank] < ends[rank]:
                lowest = min(lowest, keys[heads[rank]])
        if lowest == LAST_KEY:
            return n_rows
        for rank in range(n_ranks):
            is_there = heads[rank] < ends[rank] and keys[heads[rank]] == lowest
            places[n_rows, rank] = heads[rank] if is_there else -1
            heads[rank] += is_there
        n_rows += 1


@jit
def combine_steps(packet, places, is_mean, combined):
    """Combine the steps of all ranks on each row, pairwise in the order of a fixed tree.

    packet    of all ranks; its steps are changed
    places    int32 (n_rows, n_ranks) of `merge_keys`; changed
    is_mean   1 divides the sum of the steps by the number of ranks; 0 is Adasum
    combined  packet of n_rows, filled
    """
    n_ranks = places.shape[1]
    for row in range(places.shape[0]):
        stride = 1
        while stride < n_ranks:
            for rank in range(0, n_ranks - stride, 2 * stride):
                a, b = places[row, rank], places[row, rank + stride]
                if a < 0:
                    places[row, rank] = b
                elif b >= 0:
                    if is_mean:
                        add_plainly(packet, a, b)
                    else:
                        add_adasum(packet, a, b)
            stride *= 2
        place = places[row, 0]
        if is_mean:
            for column in range(1, packet.shape[1]):
                packet[place, column] /= np.float32(n_ranks)
        for column in range(packet.shape[1]):
            combined[row, column] = packet[place, column]
