"""Going on from a saved model with new text: whose options are taken, and what does not go together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.tally import Tally
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.options.together import refused
from fastw2v.run.arguments import Configs, configs_of
from fastw2v.run.processes import Run
from fastw2v.run.request import Request
from fastw2v.run.resume import LISTS, OF_THIS_CALL, as_json, asked, going_on
from fastw2v.run.saved_model import SavedModel, Training, read_model, require_place, write_model
from fastw2v.training.hooks import Trained
from fastw2v.training.new_words import with_new_words
from fastw2v.vectors.embeddings import Embeddings

# Options that the matrices are made for: those of the model, and no others.
AGREE = frozenset(("dim", "architecture", "loss", "subwords", "buckets"))
# The model's, where they are not given anew: what its words are, and how a step is made. The others are of
# one text or one run: where its sentences are, how often and how fast it is trained, how it is judged.
KEPT_TRAINING = (
    *("dim", "architecture", "loss", "subwords", "buckets"),
    *("window", "negatives", "sample", "ns_exponent"),
    *("dynamic_window", "window_weights", "cbow_gradient", "context"),
    *("kernel", "block_size", "shared_negatives", "precision"),
)
KEPT_READING = (
    *("min_count", "max_vocab", "lowercase", "tokenize", "keep_words", "stop_words"),
    *("kmers", "stride", "reverse_complement"),
)


def kept_options(training: TrainConfig, reading: ReadConfig) -> dict[str, Any]:
    """The options of a run that later trainings of its model take, in values that JSON can hold."""
    options = {name: getattr(training, name) for name in KEPT_TRAINING}
    options |= {name: getattr(reading, name) for name in KEPT_READING}
    return {name: as_json(value) for name, value in options.items()}


def model_of(continue_from: Path | None, save_model: Path | None) -> SavedModel | None:
    """The model to go on with, if there is one, once it is known that a new one can be written.

    Raises UsageError, OutputError, and CorpusError for a damaged model.
    """
    if save_model:
        require_place(save_model)
        if continue_from and save_model.resolve() == continue_from.resolve():
            raise refused(
                f"save_model {save_model} would replace the model that is gone on with: give another "
                "folder, and remove the old one once you have the new one",
                *("save_model", "continue_from"),
            )
    return read_model(continue_from) if continue_from else None


def options_with(
    model: SavedModel, given: Mapping[str, Any], explicit: Collection[str], way_out: Callable[[str], str]
) -> dict[str, Any]:
    """The options of a training that goes on with a model: those given, and for the rest the model's.

    given, explicit, way_out   as of `going_on`

    Raises UsageError for one that the model's matrices are not made for.
    """
    own = {name: value for name, value in model.options.items() if name in given}
    cures = (f"the model in {model.path}", "train a new model without --continue")
    return going_on(given, explicit, own, way_out, AGREE, cures)


def configs_with(model: SavedModel, configs: Configs) -> Configs:
    """The configurations of a training that goes on with a model. Raises UsageError."""
    merged = options_with(model, asked(configs), configs.given, lambda name: f"leave out {name}")
    merged |= {name: getattr(configs.running, name) for name in OF_THIS_CALL}
    return configs_of(merged, configs.given)


def lists_of(model: SavedModel | None, reading: ReadConfig) -> dict[str, Any]:
    """The model's lists of words, where no others are given: the command's options are files of them."""
    options = model.options if model else {}
    return {
        name: frozenset(options[name]) for name in LISTS if options.get(name) and not getattr(reading, name)
    }


def require_together(
    training: TrainConfig, continue_from: Path | None, save_model: Path | None, beside: Mapping[str, Any]
) -> None:
    """Raise UsageError for what does not go with a model that is saved, or gone on with.

    beside   by name what else gives words, counts, vectors or options, if it does
    """
    if save_model and training.loss == "hierarchical-softmax":
        raise refused(
            "save_model keeps outside vectors of words, and those of loss hierarchical-softmax are inner "
            "nodes of a tree that changes with the counts: leave save_model out, and start later from the "
            "vectors by init; or train with negative-sampling",
            *("save_model", "init", "loss"),
        )
    if beside.get("graph") and save_model:
        raise refused(
            "save_model keeps counts of words, and those of nodes follow from edges: leave save_model out",
            *("save_model", "graph"),
        )
    if beside.get("pairs") and save_model:
        raise refused(
            "save_model keeps one vocabulary, and pairs have two: leave save_model out, and start later from "
            "the vectors by init",
            *("save_model", "pairs", "init"),
        )
    if continue_from is None:
        return
    for name, value in beside.items():
        if value:
            raise refused(
                f"{name} does not go with continue_from: the model in {continue_from} has words, counts, "
                f"vectors and options of its own: leave {name} out",
                *(name, "continue_from"),
            )
    if training.minutes is not None and training.lr is None:
        raise refused(
            "lr auto of a model that goes on is chosen by the tokens of old and new text, and with minutes "
            "nobody knows them: give lr too, such as 0.025",
            *("lr", "minutes"),
        )


def require_uncounted(source: Any, continue_from: Path | None) -> None:
    """Raise UsageError for a corpus that was counted without the model's words."""
    if continue_from and isinstance(source, Corpus):
        raise refused(
            "the corpus is read already, and its words are not those of the model: give names of files, "
            "lists or a table, or leave continue_from out",
            "continue_from",
        )


def model_with(configs: Configs, *, resumed: bool) -> tuple[Configs, SavedModel | None]:
    """The configurations of a run that may go on with a model, and the model; of a kept run they are settled.

    Raises what `model_of`, `configs_with` and `require_together` do.
    """
    places = configs.running.continue_from, configs.running.save_model
    model = model_of(*places)
    if model and not resumed:
        configs = configs_with(model, configs)
    require_together(configs.training, *places, {})
    return configs, model


def request_with(request: Request, *, keeps: bool, model: SavedModel | None) -> Request:
    """The request with the counts of earlier texts, where there are some or they are to be kept."""
    is_counted = request.vocabulary is None and not isinstance(request.source, Corpus)
    if model:
        return request._replace(tally=model.tally(), n_tokens_before=model.n_tokens)
    return request._replace(tally=Tally()) if keeps and is_counted else request


def joined_line(model: SavedModel, vocabulary: Vocabulary) -> str:
    """What becomes of the words."""
    known = model.words()
    n_stay = sum(word in known for word in vocabulary.words)
    gone = f", {len(known) - n_stay:,} leave" if n_stay < len(known) else ""
    by = "n-grams and contexts" if model.options["subwords"] else "contexts"
    return (
        f"{n_stay:,} of {len(vocabulary):,} words start as in {model.path}, "
        f"{len(vocabulary) - n_stay:,} join from their {by}{gone}"
    )


def start_of(model: SavedModel, config: TrainConfig) -> Callable[[Corpus], Embeddings]:
    """What gives the vectors that a training of a corpus starts from: the model's, and those of new words."""

    def start(corpus: Corpus) -> Embeddings:  # reads them then: two matrices more for as short as can be
        return with_new_words(corpus, model.embeddings(), config)

    return start


def keep_model(path: Path, run: Run, trained: Trained, model: SavedModel | None) -> None:
    """Write what a run came to as a model. Raises OutputError."""
    n_words = run.corpus.n_words_read
    tokens = round(trained.words * run.n_tokens / max(n_words, 1))
    trainings = [*(model.trainings if model else []), Training(n_words, tokens, run.training.lr)]
    options = kept_options(run.training, run.request.reading)
    write_model(path, trained.embeddings, run.request.tally, options, trainings)
