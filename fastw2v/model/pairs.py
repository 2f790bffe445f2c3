"""Given pairs: how rows of them are kept, and how many of a centre are trained together."""

from __future__ import annotations

# Rows that are read together, in the order of the source: 32 KB, long enough for a file. An epoch takes the
# chunks in a drawn order, and draws the order of the pairs of as many of them as BUFFER_ROWS hold.
CHUNK_ROWS = 1 << 12
BUFFER_ROWS = 1 << 21
# Outside words of a centre that are stepped at once, drawn among the pairs of BUFFER_ROWS rows: about as many
# as a window of text holds.
GROUP = 8
# A row of a larger weight is kept as several, so that no part of an epoch is much longer than others.
LARGEST_WEIGHT = 16.0
