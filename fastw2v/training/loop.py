"""The training loop: epochs × calls of at most half a second; the only place that knows their order."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastw2v.backends import Backend, make, plan_of, require_supported
from fastw2v.config import TrainConfig
from fastw2v.corpus.ids.storage import forget
from fastw2v.corpus.read import Corpus
from fastw2v.model.arrays import UNIT, Tokens, n_units
from fastw2v.training.health import require_healthy, require_neighbours
from fastw2v.training.hooks import (
    NOBODY,
    START,
    Keeper,
    Moment,
    Position,
    Progress,
    Trained,
    Watchers,
    is_stopped,
)
from fastw2v.training.shuffling import epoch_parts
from fastw2v.training.start import (
    begin,
    compile_kernels,
    finish,
    longest_sentence,
    make_schedule,
    require_usable,
    settled,
)
from fastw2v.vectors.embeddings import Embeddings

CALL_SECONDS = 0.4  # a kernel cannot be interrupted, so no call may last longer than a user waits for Ctrl-C


def train(
    corpus: Corpus,
    config: TrainConfig,
    on_progress: Callable[[Progress], None] | None = None,
    on_stage: Callable[[str], None] | None = None,
    keeper: Keeper | None = None,
    init: Embeddings | None = None,
    watchers: Watchers = NOBODY,
) -> Trained:
    """Train vectors on an encoded corpus.

    on_progress is called after each call of the backend (at most half a second apart for the kernels),
    on_stage with "compile" and "train" as they begin, keeper before the first call and after each. Words of
    init start with their vectors there, other words as usual. What the watchers get is a Moment; where one
    returns True the run ends after that call.

    Raises UsageError (vocabulary under two words, arrays that are no corpus), CorpusError (no word with a
    neighbour), DivergedError, OutputError (memory), and what keeper raises.
    """
    require_supported(config)
    corpus = settled(corpus)
    require_usable(corpus)
    longest = longest_sentence(corpus.offsets)
    require_neighbours(longest)
    vectors, start = begin(corpus, config, keeper, init)
    plan = plan_of(config, corpus.vocabulary.counts, longest)
    backend = make(plan, vectors, config.backend, config.threads)
    stage = on_stage or (lambda name: None)
    stage("compile")
    compile_seconds = compile_kernels(backend, corpus)

    words = corpus.n_words_read * config.epochs

    def after_call(position: Position, progress: Progress) -> bool:
        if on_progress:
            on_progress(progress)
        if keeper:
            keeper.after_call(backend.host(), position, progress)
        nonlocal words
        words = progress.words
        moment = Moment(position.epoch + 1, progress, corpus.vocabulary, backend.host(), config.dim)
        is_epoch = words == moment.epoch * corpus.n_words_read
        called = [watchers.on_chunk, watchers.on_epoch if is_epoch else None]
        return is_stopped(called, moment)

    stage("train")
    end = run_epochs(backend, corpus, config, after_call, start)
    return finish(corpus, config, backend, end, words, compile_seconds)


def run_epochs(
    backend: Backend,
    corpus: Corpus,
    config: TrainConfig,
    after_call: Callable[[Position, Progress], bool],
    position: Position = START,
) -> Position:
    """Every epoch from a position on, in calls of about CALL_SECONDS; returns where it ends.

    That is where after_call, told of each call, returns True, or at the end of the last epoch.

    Where it is cut into calls does not change what is trained.
    """
    tokens, n_tokens = Tokens(corpus.ids, corpus.offsets), len(corpus.ids)
    started = time.perf_counter() - position.seconds
    size, n_calls = 1, 0
    for epoch in range(position.epoch, config.epochs):
        resumed = position.unit if epoch == position.epoch else 0
        for part in epoch_parts(tokens, config.seed, epoch, config.shuffle, resumed):
            words_before = epoch * n_tokens + part.first_token
            schedule = make_schedule(config, n_tokens, part.key, words_before)
            first, end = max(0, resumed - part.first_unit), n_units(len(part.tokens.ids))
            while first < end:
                last = min(first + size * backend.units_at_once, end)
                call_started = time.perf_counter()
                totals = backend.train(part.tokens, schedule, first, last)
                now = time.perf_counter()
                forget(corpus.ids)
                forget(corpus.offsets)
                mean_loss = totals.mean_loss
                require_healthy(backend.host(), mean_loss, backend.plan.objective, config.lr, n_calls)
                unit = part.first_unit + last
                position = Position(epoch, unit, position.totals.plus(totals), now - started)
                n_done = words_before + min(last * UNIT, len(part.tokens.ids))
                sizes = (n_tokens, corpus.n_words_read)
                if after_call(position, progress_at(position, n_done, mean_loss, sizes, config)):
                    return position
                n_groups = -(-(last - first) // backend.units_at_once)
                size = next_size(n_groups, now - call_started)
                first, n_calls = last, n_calls + 1
    return position


def progress_at(
    position: Position, n_done: int, mean_loss: float, corpus_words: tuple[int, int], config: TrainConfig
) -> Progress:
    """What is told after n_done tokens, of all epochs, and a call whose pairs had that mean loss.

    corpus_words   of one epoch: tokens in the vocabulary, and all
    """
    n_tokens, n_words = corpus_words
    decayed = config.lr * (1 - n_done / (config.epochs * n_tokens))
    return Progress(
        words=round(n_done * n_words / n_tokens),
        words_total=n_words * config.epochs,
        seconds=position.seconds,
        learning_rate=max(decayed, config.min_learning_rate),
        mean_loss=mean_loss,
    )


def next_size(size: int, seconds: float) -> int:
    """Units for the next call so that it lasts about CALL_SECONDS; grows at most fourfold at a time."""
    return max(1, min(4 * size, round(size * CALL_SECONDS / max(seconds, 1e-6))))
