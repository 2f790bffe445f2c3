"""What a run is: architecture, inputs, objective and estimator, each a tuple whose TYPE chooses the code.

A kind of model is a type here, a function or two for it in `reference` and in `kernels`, where the parts of
a plan are looked up by type, and a line in `fastw2v.backends`, which knows what goes with what.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.ngrams import Spans

# A block's step on a word is held back where its noise could move one of its scores by more than this, in
# nats (`fastw2v.reference.block.limit_steps`). Chains of 2, 20 and 400 words end the same with 8 and with 16;
# with 4 one of 2 words ended .030 over kernel `pair`, as attraction outruns the noise. 17 M words, 1 epoch at
# .1, with 64, 16, 8, 4: SimLex .169, .201, .225, .247 and MEN .538, .542, .547, .530 (bench/README.md).
LARGEST_MOVE = np.float32(8.0)
# A block takes its centres from so many places of a unit, a run of consecutive ones from each. Against
# consecutive ones, one run each: SimLex .274 and .266, syntactic analogies 36.7 and 35.9 % (bench/README.md).
PLACES, RUN = 8, 4
# A word may be expected so often among the centres of a block: see `fastw2v.backends.centers_at_once`.
REPEATS = 2
# Units in lockstep: more lanes keep more workers busy, but all lanes of a round start from the same vectors.
LANES = 8
# Each of several cache domains has copies of so many words' rows, and merges each once in so many units.
# Simulated: twice the rows make 64 workers 4 % faster and 16 none; half as often costs scores of 8 domains.
HOT_WORDS, UNITS_TO_MERGE = 256, 4
FEW_LANES, FEW_WORDS = 1, 1_000  # of fewer words than that, rows move too fast to be a control variate


BY_PLACE = 2  # of kept tokens: what a word counts is said of its place, its distance included


class SkipGram(NamedTuple):
    """Each centre word predicts each outside word of its window, one after the other.

    radius       of the window, the largest, in tokens on either side
    fixed        1 where the radius is not drawn from 1..radius but always the largest
    reach        the smaller of radius and what the longest sentence can fill: sizes buffers
    keep_limits  uint32 (n_words,), of subsampling: see `fastw2v.model.sampling.as_limits`
    side         where the window is: −1 left of the centre, 1 right of it, 0 on both sides
    weighted     1 where a word d tokens away counts (radius + 1 − d) / radius, the share of the drawn radii
                 that reach it: what a radius drawn each time is in expectation, without its variance
    """

    radius: int
    fixed: int
    reach: int
    keep_limits: NDArray[np.uint32]
    side: int = 0
    weighted: int = 0


# What of ∂J/∂h each of the n rows of a mean is stepped by: n to the power of −1, −1/2 and 0 of it.
EXACT, ROOT, ALL_OF_IT = 2, 1, 0


class Cbow(NamedTuple):
    """The outside words of a window together predict its centre word; the fields are those of SkipGram.

    h is the mean of their rows of V. The gradient of each of the n rows is ∂J/∂v_j = ∂J/∂h / n (İrsoy,
    Benton, Stratos 2021, arXiv 2012.15332). word2vec.c, gensim and fastText step each by ∂J/∂h whole, which
    is n times its gradient. A centre without an outside word is no case.

    weighted     0: the mean of a whole window is another model, with vectors that were worse
    gradient     EXACT: each row is stepped by its gradient; ALL_OF_IT: by n times that; ROOT: by √n times
    """

    radius: int
    fixed: int
    reach: int
    keep_limits: NDArray[np.uint32]
    side: int = 0
    weighted: int = 0
    gradient: int = EXACT


class GlobalContext(NamedTuple):
    """Skip-gram whose centres predict the target of their sentence, too: the fields are those of SkipGram.

    Grbovic and Cheng 2018 (*Real-time personalization using embeddings for search ranking at Airbnb*, KDD,
    section 3.1): the listing that a session ends with, booked, is a global context, in the window of each
    listing that was clicked, as far from it as may be. It counts as a word beside the centre does.

    A unit's kept tokens are groups: a centre, the words of its window, and the target, where there is one.
    """

    radius: int
    fixed: int
    reach: int
    keep_limits: NDArray[np.uint32]
    side: int = 0
    weighted: int = 0


class GivenPairs(NamedTuple):
    """Each centre word predicts the outside words that it is given with: of another vocabulary, as may be.

    A sentence of the tokens is a group: a centre word, and then its outside words, which are numbered by
    themselves, as rows of U.

    reach   the most outside words of a group; what is beyond them is left out
    side    1: the outside words come after their centre
    weighted  0: all of them count alike
    """

    reach: int
    side: int = 1
    weighted: int = 0


class Words(NamedTuple):
    """The input row of a word is its own row of V, and nothing else."""


class Subwords(NamedTuple):
    """A word stands for the mean of n rows of V: its own, and those of its n-grams, which others share.

    Bojanowski et al. 2017 (arXiv 1607.04606). Each row is stepped by ∂J/∂h whole, as fastText does, which is
    n times its gradient: h then moves as far as the row of a whole word does, and a step size means the same
    with n-grams and without. By the gradient itself it would move 1/n as far; with n-grams of 3 to 6
    characters n is 15 for a word of 5 letters.

    starts  int64 (n_words + 1,): word w has the rows[starts[w]:starts[w + 1]]
    rows    int32, of V (`fastw2v.model.ngrams.bags_of_words`)
    spans   Spans of the n-grams; the rows of their buckets come after those of words
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    spans: Spans


class Copies(NamedTuple):
    """A worker's own rows of the hottest words, which come first: those of all workers of its cache domain.

    first   row of both matrices where they begin, behind the last word's; behind them as many rows are what
            they were when they were last merged (`fastw2v.reference.copies`)
    n_rows  H, words that have one
    units   int64 (8,), the first of it how many units the workers of the domain have done
    locks   int64 (n_parts, 8), the first of each above 0 while somebody merges this part of the rows
    """

    first: int
    n_rows: int
    units: NDArray[np.int64]
    locks: NDArray[np.int64]


NO_COPIES = Copies(0, 0, np.zeros(8, np.int64), np.zeros((1, 8), np.int64))  # of no word: the type alone


class NegativeSampling(NamedTuple):
    """J_neg-sample: the output word against noise words.

    n_negatives    K, noise words for each pair
    unigram_table  uint64 (n_words,), to draw them with: see `fastw2v.model.sampling.unigram_table`
    copies         Copies that stand for the first words' rows, None where there are none, without any cost
    """

    n_negatives: int
    unigram_table: NDArray[np.uint64]
    copies: Any = None

    def untrained_loss(self, n_words: int) -> float:
        """J of a pair where all scores are 0: (K + 1) ln 2."""
        return (self.n_negatives + 1) * math.log(2)


class HierarchicalSoftmax(NamedTuple):
    """J_hierarchical: the path of the output word through a tree, a decision at each inner node.

    Row n of U is inner node n, and stands for no word; the last of the n_words rows is not used.

    offsets    int64 (n_words + 1,): word w meets nodes[offsets[w]:offsets[w + 1]] (`fastw2v.model.huffman`)
    nodes      int32 (n_steps,)
    codes      uint8 (n_steps,), the branch that leads on, 0 or 1
    longest    steps of the longest path
    mean_path  steps of a word in the mean, by its count
    """

    offsets: NDArray[np.int64]
    nodes: NDArray[np.int32]
    codes: NDArray[np.uint8]
    longest: int
    mean_path: float

    def untrained_loss(self, n_words: int) -> float:
        """J of a pair where all scores are 0: ln 2 for each step of a path."""
        return self.mean_path * math.log(2)


class Softmax(NamedTuple):
    """J_naive-softmax: the output word against all words."""

    def untrained_loss(self, n_words: int) -> float:
        """J of a pair where all scores are 0: ln |V|."""
        return math.log(n_words)


class Float32(NamedTuple):
    """Operands of a block's products with the noise are as they are."""


class BFloat16(NamedTuple):
    """They are rounded to bfloat16, which some processors multiply twice as fast; sums are float32 always."""


Operands = Float32 | BFloat16
FLOAT32, BFLOAT16 = Float32(), BFloat16()
WORDS = Words()


class Pair(NamedTuple):
    """The textbook: a step for each pair, one after the other, with fresh noise."""


class Paths(NamedTuple):
    """The paths of a hierarchical softmax, those of neighbouring centres' windows at once."""


class Whole(NamedTuple):
    """A step for T cases together, with all words as outputs: those of a window share one softmax.

    block_size  T
    """

    block_size: int


class Panels(NamedTuple):
    """The same, so that no result depends on the number of workers: all are at one block, each at some words.

    block_size   as in Whole
    """

    block_size: int


class Block(NamedTuple):
    """Pairs window after window, and the noise of T centres, which share S weighted draws, at once.

    block_size        T
    shared_negatives  S
    operands          Float32 or BFloat16
    control           1 where the mean of the rows that a unit has drawn is a control variate of its noise
    """

    block_size: int
    shared_negatives: int
    operands: Operands = FLOAT32
    control: int = 1


class Lockstep(NamedTuple):
    """A step for a block of each of several units, so that no result depends on the number of workers.

    block_size, shared_negatives, operands, control   as in Block
    lanes                                             units that advance together
    """

    block_size: int
    shared_negatives: int
    operands: Operands = FLOAT32
    control: int = 1
    lanes: int = LANES


Architecture = SkipGram | Cbow | GlobalContext | GivenPairs
Inputs = Words | Subwords
Objective = NegativeSampling | HierarchicalSoftmax | Softmax
Estimator = Pair | Paths | Whole | Panels | Block | Lockstep


def n_buckets(inputs: Inputs) -> int:
    """Rows of V beside those of words."""
    return inputs.spans.n_buckets if isinstance(inputs, Subwords) else 0


def rows_behind(n_domains: int, n_hot: int = HOT_WORDS) -> int:
    """Rows that a matrix has behind those of words for the copies of so many domains."""
    return 2 * n_hot * n_domains


def with_copies(plan: Plan, copies: Copies) -> Plan:
    """The plan, its noise and its words in rows of copies."""
    assert isinstance(plan.objective, NegativeSampling)
    return plan._replace(objective=plan.objective._replace(copies=copies))


def outside_is_of_words(objective: Objective) -> bool:
    """Whether row w of U stands for word w."""
    return not isinstance(objective, HierarchicalSoftmax)


class Plan(NamedTuple):
    """How a run trains.

    architecture  how tokens become cases: a bag of input words, and output words that it predicts
    inputs        which rows of V stand for an input word
    objective     what the loss of a case is; owns the tables it draws with
    estimator     which steps are taken on it
    """

    architecture: Architecture
    inputs: Inputs
    objective: Objective
    estimator: Estimator


class Schedule(NamedTuple):
    """What all units of one epoch share.

    epoch_key      uint64, names the random streams of this epoch (`fastw2v.model.streams.epoch_key`)
    words_before   tokens trained in earlier epochs
    words_total    tokens of the whole run, all epochs
    learning_rate  at the start of the run; falls linearly with the words done, never below min_learning_rate
    center_share   of the learning rate that rows of V are stepped with: 0 freezes them, else 1
    outside_share  the same for rows of U
    """

    epoch_key: np.uint64
    words_before: int
    words_total: int
    learning_rate: float
    min_learning_rate: float
    center_share: float = 1.0
    outside_share: float = 1.0


def no_steps(epoch_key: int) -> Schedule:
    """The schedule by which a loss is taken: no step at all."""
    return Schedule(np.uint64(epoch_key), 0, 1, 0.0, 0.0)
