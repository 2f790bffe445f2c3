"""A unit of work: its tokens subsampled, and its draws replayed with Python integers.

The twin of `fastw2v.kernels.units`.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import UNIT, Tokens
from fastw2v.model.plan import BY_PLACE, Architecture, Cbow, GivenPairs, GlobalContext, Schedule, SkipGram
from fastw2v.model.streams import token_bits
from fastw2v.reference.architectures import Kept, KeptToken, share_of, window_of

LOW_32 = 0xFFFFFFFF
Rates = tuple[float, float]  # learning rates of rows of V and of U: equal, or 0 for a matrix that is frozen
Windowed = SkipGram | Cbow | GlobalContext  # those whose windows are of neighbouring tokens


def learning_rate_at(schedule: Schedule, position: int) -> float:
    """Linear decay over the whole run with a floor, for a unit whose first token is at `position`."""
    done = (schedule.words_before + position) / schedule.words_total
    return max(schedule.learning_rate * (1 - done), schedule.min_learning_rate)


def rates_at(schedule: Schedule, position: int) -> Rates:
    """The learning rates of rows of V and of U."""
    rate = learning_rate_at(schedule, position)
    return rate * schedule.center_share, rate * schedule.outside_share


def sentence_at(offsets: NDArray[np.int64], position: int) -> int:
    """The last sentence that starts at or before a position (so never an empty one before it)."""
    return int(np.searchsorted(offsets, position, side="right")) - 1


def keep_token(tokens: Tokens, architecture: Windowed, epoch_key: int, p: int) -> KeptToken | None:
    """The token at position p with its radius, or None where subsampling or a weight of 0 drops it."""
    word, bits = int(tokens.ids[p]), token_bits(epoch_key, p)
    if bits >> 32 > int(architecture.keep_limits[word]):
        return None
    drawn = (((bits & LOW_32) * architecture.radius) >> 32) + 1
    radius = architecture.radius if architecture.fixed else drawn
    sentence = sentence_at(tokens.offsets, p)
    weight = 1.0 if tokens.weights is None else float(tokens.weights[sentence])
    side, weighted = architecture.side, architecture.weighted
    return KeptToken(word, sentence, radius, side, weighted, weight) if weight > 0 else None


def keep_some(tokens: Tokens, architecture: Windowed, epoch_key: int, positions: range, count: int) -> Kept:
    """The first `count` tokens at these positions that subsampling leaves."""
    candidates = (keep_token(tokens, architecture, epoch_key, p) for p in positions)
    return list(islice((token for token in candidates if token), count))


def keep_before(tokens: Tokens, architecture: Windowed, epoch_key: int, position: int) -> Kept:
    """The last `radius` kept tokens of the sentence before a position."""
    sentence_start = int(tokens.offsets[sentence_at(tokens.offsets, position)])
    before = range(position - 1, sentence_start - 1, -1)
    return keep_some(tokens, architecture, epoch_key, before, architecture.radius)[::-1]


def keep_groups(tokens: Tokens, architecture: GivenPairs, unit: int) -> Kept:
    """The groups of pairs that begin in a unit: centres, each with its outside words as its window."""
    stop, kept = min((unit + 1) * UNIT, int(tokens.offsets[-1])), Kept()
    group = int(np.searchsorted(tokens.offsets, unit * UNIT))
    while group < len(tokens.offsets) - 1 and tokens.offsets[group] < stop:
        words = tokens.ids[tokens.offsets[group] : tokens.offsets[group + 1]][: 1 + architecture.reach]
        radii = [len(words) - 1, *[0] * (len(words) - 1)]
        pairs = zip(words.tolist(), radii, strict=False)
        said = architecture.side, architecture.weighted
        kept += [KeptToken(word, group, radius, *said) for word, radius in pairs]
        group += 1
    return kept


def keep_windowed(tokens: Tokens, architecture: Windowed, epoch_key: int, unit: int) -> tuple[Kept, range]:
    """The same where windows are of neighbouring tokens."""
    start = unit * UNIT
    stop = min(start + UNIT, int(tokens.offsets[-1]))
    kept = keep_before(tokens, architecture, epoch_key, start)
    begin = len(kept)
    kept += keep_some(tokens, architecture, epoch_key, range(start, stop), UNIT)
    end = len(kept)
    sentence_stop = int(tokens.offsets[sentence_at(tokens.offsets, stop - 1) + 1])
    after = range(stop, sentence_stop)
    kept += keep_some(tokens, architecture, epoch_key, after, architecture.radius)
    return kept, range(begin, end)


def with_targets(tokens: Tokens, kept: Kept, span: range) -> Kept:
    """Each centre with the words of its window and the target of its sentence, where it has one, after it."""
    assert tokens.targets is not None
    groups = Kept()
    for i in span:
        token, target = kept[i], int(tokens.targets[kept[i].sentence])
        words = [(kept[j].word, share_of(kept, i, j)) for j in window_of(kept, i) if j != i]
        words += [(target, token.weight)] if target >= 0 else []
        group = [(token.word, token.weight), *words]
        radii = [len(words), *[0] * len(words)]
        groups += [
            KeptToken(word, len(groups), radius, 1, BY_PLACE, weight)
            for (word, weight), radius in zip(group, radii, strict=True)
        ]
    return groups


def keep_unit(tokens: Tokens, architecture: Architecture, epoch_key: int, unit: int) -> tuple[Kept, range]:
    """Kept tokens of a unit, `radius` more of its outer sentences on either side, and the centres' range.

    With targets the kept tokens are groups, and the range is as long as there are.
    """
    if isinstance(architecture, GivenPairs):
        kept = keep_groups(tokens, architecture, unit)
        return kept, range(len(kept))
    kept, span = keep_windowed(tokens, architecture, epoch_key, unit)
    if isinstance(architecture, GlobalContext):
        return with_targets(tokens, kept, span), range(len(span))
    return kept, span


def centers_in(architecture: Architecture, kept: Kept, span: range) -> list[int]:
    """The places of a unit's centres, in order; of given pairs also those of words without a window."""
    if isinstance(architecture, GlobalContext):
        return [i for i, token in enumerate(kept) if i == 0 or token.sentence != kept[i - 1].sentence]
    return list(span)
