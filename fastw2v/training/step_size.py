"""The step size of `--lr auto`, from how much a run trains."""

from __future__ import annotations

from dataclasses import replace

from fastw2v.config import TrainConfig

# lr = MIDDLE·(MIDDLE_TOKENS / tokens)^(1/4) within limits, tokens those of all epochs. From runs on 1, 4 and
# 17 M words of Wikipedia, 1, 5 and 15 epochs, at .025 to .4, and on planted corpora (bench/README.md).
MIDDLE, MIDDLE_TOKENS, POWER = 0.05, 85e6, 0.25
LEAST, MOST = 0.025, 0.1
# A row of a window of P is stepped by ∂J/∂h whole with CBOW's whole gradient, by 1/√P of it and by 1/P with
# the others, so their steps are so many times longer. 17 M words, 5 epochs, the mean of MEN, SimLex, WS-353
# and analogies: root .467 at .1, .464 at .15; exact .456 at .15, .465 at .25 (bench/README.md).
CBOW_TIMES = {"exact": 3.0, "root": 2.0, "whole": 1.0}
# With a hierarchical softmax. 4 M words, 5 epochs, the same mean: root .288 at .05, .305 at .07, .309 at .1,
# .283 at .14; exact .296 at .11, .242 at .3; whole .280 at .025, .310 at .05.
TREE_TIMES = {"exact": 1.5, "root": 1.0, "whole": 0.7}
# Of a model that goes on. A seventh more of 4 M words: analogies of old words 16.6 % before, 17.5 after steps
# from .0025 and 15.7 from .0125; those with a word that joined 5.2 and 3.4 %.
LEAST_ON = 0.0025
# Under so many tokens, all epochs, more epochs help more than any step size: 1 M words of Wikipedia give MEN
# .09 to .19 after 1 epoch, .28 to .45 after 5 and .44 to .48 after 15.
FEW_TOKENS, ENOUGH_TOKENS = 10_000_000, 20_000_000
MOST_EPOCHS = 50


def times_of(config: TrainConfig) -> float:
    """How many times as long as those of skip-gram the steps of a configuration are."""
    if config.architecture != "cbow":
        return 1.0
    return (TREE_TIMES if config.loss == "hierarchical-softmax" else CBOW_TIMES)[config.cbow_gradient]


def auto_learning_rate(n_tokens: float, times: float = 1.0) -> float:
    """The step size at the start of a run of so many tokens, all epochs; two digits of it."""
    wanted = MIDDLE * (MIDDLE_TOKENS / max(n_tokens, 1)) ** POWER
    return float(f"{times * min(max(wanted, LEAST), MOST):.2g}")


def continued_learning_rate(n_tokens: float, n_before: float, times: float = 1.0) -> float:
    """The step size at the start of a run of so many tokens, all epochs, after others that the model saw.

    What one run over both would have come down to where the new ones begin, but no less than LEAST_ON.
    """
    n_all = n_before + n_tokens
    wanted = auto_learning_rate(n_all, times) * n_tokens / max(n_all, 1)
    return max(float(f"{wanted:.2g}"), LEAST_ON * times)


def with_learning_rate(config: TrainConfig, n_tokens: int, n_before: int = 0) -> TrainConfig:
    """The configuration with a number for auto, for a corpus of so many tokens.

    n_before   tokens that the model was trained on before, all epochs

    With minutes it stays auto: how much they train is known once they run (`training.budget.Clock`).
    """
    if config.lr is not None or config.minutes is not None:
        return config
    n_tokens *= config.epochs
    times = times_of(config)
    chosen = (
        continued_learning_rate(n_tokens, n_before, times)
        if n_before
        else auto_learning_rate(n_tokens, times)
    )
    return replace(config, lr=chosen)


def chosen_line(config: TrainConfig, n_tokens: int, n_words: int, what: str = "tokens") -> str:
    """What to tell of a step size chosen for so many tokens an epoch, and of the draws for so many words.

    what   they are: tokens, or given pairs
    """
    is_shared = config.kernel == "block" and config.loss == "negative-sampling"
    draws = f" and {config.shared_draws(n_words)} shared negatives" if is_shared else ""
    return f"lr {config.lr:g}{draws}, for {n_tokens * config.epochs:,} {what} in all epochs"


def few_epochs_line(config: TrainConfig, n_tokens: int, what: str = "tokens") -> str | None:
    """What to tell of a run that more epochs would help; None of a longer one, and where a clock ends it.

    what   as of `chosen_line`
    """
    if config.minutes is not None or not 0 < config.epochs * n_tokens < FEW_TOKENS:
        return None
    wanted = min(-(-ENOUGH_TOKENS // n_tokens), MOST_EPOCHS)
    if wanted <= config.epochs:
        return None
    return (
        f"{n_tokens:,} {what} are few for {config.epochs} epochs: vectors are usually better after more, "
        f"such as --epochs {wanted}"
    )
