"""Bootstrap samples of a corpus, trained one after the other on what was read once.

A sample counts each sentence Poisson(1) times, and trains with first vectors, windows and noise of its own:
what differs between samples is what another text of the kind, trained with another seed, would change.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.config import TrainConfig
from fastw2v.corpus.ids.storage import forget
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import DivergedError, OutputError, UsageError
from fastw2v.model.bootstrap import poisson_weights
from fastw2v.model.streams import sample_seed
from fastw2v.options.stability import LEFT_OUT
from fastw2v.run.processes import Run
from fastw2v.run.resume import as_json
from fastw2v.system import interrupts
from fastw2v.system.files import TEMPORARY
from fastw2v.training import loop
from fastw2v.training.checkpoint.folder import Folder
from fastw2v.training.checkpoint.manifest import fingerprints
from fastw2v.training.hooks import Hook
from fastw2v.vectors import samples
from fastw2v.vectors.stability import Stability
from fastw2v.version import __version__

SENTENCES_AT_ONCE = 1 << 18
FEW_SENTENCES = 100

OnSample = Callable[[int, int], Sequence[Hook]]


def resampled(corpus: Corpus, seed: int, sample: int) -> Corpus:
    """The corpus as a sample counts it: weights of its sentences, and counts of the same words by them.

    Weights that the sentences have are multiplied. Memory is that of the weights and of some sentences.
    """
    n_sentences, n_words = len(corpus.offsets) - 1, len(corpus.vocabulary)
    weights = np.empty(n_sentences, np.float32)
    counts = np.zeros(n_words)
    for first in range(0, n_sentences, SENTENCES_AT_ONCE):
        bounds = corpus.offsets[first : first + SENTENCES_AT_ONCE + 1]
        n = len(bounds) - 1
        weights[first : first + n] = poisson_weights(seed, sample, first, n)
        if corpus.weights is not None:
            weights[first : first + n] *= corpus.weights[first : first + n]
        part = corpus.ids[bounds[0] : bounds[-1]]
        of_tokens = np.repeat(weights[first : first + n], np.diff(bounds))
        counts += np.bincount(part, weights=of_tokens, minlength=n_words)
        forget(part)
        if corpus.targets is not None:
            targets, own = corpus.targets[first : first + n], weights[first : first + n]
            there = targets >= 0
            counts += np.bincount(targets[there], weights=own[there], minlength=n_words)
    words = Vocabulary(corpus.vocabulary.words, np.rint(counts).astype(np.int64))
    return corpus._replace(weights=weights, vocabulary=words)


def make_samples(
    run: Run,
    path: Path,
    n_samples: int,
    on_sample: OnSample,
    say: Callable[[str], None] = lambda line: None,
) -> Stability:
    """Train the samples of a corpus that are not there yet, each written when it is trained.

    run        whose corpus was read
    path       folder of the samples; those that are there are kept if they are of this corpus and options
    on_sample  of the number of a sample, from 1, and how many there will be: hooks of its training
    say        a line for the user

    Raises UsageError for a folder of other samples and a corpus that has no sentences to draw, OutputError,
    CorpusError for a damaged folder, DivergedError, and what hooks raise.
    """
    corpus, config = run.settle(), run.training
    require_sentences(corpus)
    require_place(path)
    with Folder(path, "samples") as folder:
        known = begin(folder.path, corpus, identity_of(run), say)
        for number in range(1, n_samples + 1):
            done = sum(number in known["samples"] for number in map(str, range(1, n_samples + 1)))
            interrupts.set_outcome(f"{done} of {n_samples} samples are in {path}: the same command goes on")
            if str(number) in known["samples"]:
                continue
            seed = sample_seed(config.seed, number)
            hooks = on_sample(number, n_samples)
            try:
                trained = loop.train(
                    resampled(corpus, config.seed, number), replace(config, seed=seed), hooks
                )
            except DivergedError as error:
                raise DivergedError(f"sample {number}: {error}; {done} samples are in {path}") from None
            entry = samples.write_sample(folder.path, number, trained.embeddings.center_vectors)
            known["samples"] |= {str(number): entry}
            known["samples"] = dict(sorted(known["samples"].items(), key=lambda item: int(item[0])))
            samples.write_manifest(folder.path, known)
            del trained
    return Stability(path)


def identity_of(run: Run) -> dict[str, Any]:
    """The options that decide the samples, in JSON values: the number of threads is none of them."""
    options = {**vars(run.training), **vars(run.request.reading)}
    return {
        name: as_json(value) for name, value in options.items() if name != "threads" and name not in LEFT_OUT
    }


def begin(path: Path, corpus: Corpus, options: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """What is known of the samples in a folder: nothing but what they are of, or those that are there.

    Raises UsageError where they are of other options or of another corpus.
    """
    fields = {"fastw2v": __version__, "options": options, **fingerprints(corpus)._asdict(), "samples": {}}
    if not (path / samples.MANIFEST).exists():
        samples.write_words(path, corpus.vocabulary.words, corpus.vocabulary.counts)
        samples.write_manifest(path, fields)
        return fields
    found = samples.read_manifest(path)
    require_same(path, found, fields)
    good: dict[str, Any] = {}
    bad: list[str] = []
    for number, entry in found["samples"].items():
        file = samples.sample_path(path, int(number))
        is_good = file.is_file() and samples.entry_of(file) == entry
        good |= {number: entry} if is_good else {}
        bad += [] if is_good else [file.name]
    if bad:
        say(f"{path}: {', '.join(bad)} is damaged or gone and is made again")
    if good:
        say(f"{path} holds {len(good)} samples of this corpus and options: they stay")
    return {**found, "samples": good}


def require_same(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise UsageError where the samples in a folder are of other options, or of another corpus."""
    cure = "give another folder to -o, or remove this one"
    for name, value in wanted["options"].items():
        other = found["options"].get(name)
        if other != value:
            raise UsageError(
                f"{path} holds samples with {name} {other}, and {value} is asked for: {cure}", [name]
            )
    if (found.get("vocabulary"), found.get("corpus")) != (wanted["vocabulary"], wanted["corpus"]):
        raise UsageError(f"{path} holds samples of another corpus: {cure}")


def require_sentences(corpus: Corpus) -> None:
    """Raise UsageError where there are no sentences to draw, or too few to say anything by."""
    if corpus.source is not None:
        raise UsageError("samples are drawn of sentences, and a graph has none: give the sentences of walks")
    n_sentences = len(corpus.offsets) - 1
    if n_sentences < FEW_SENTENCES:
        raise UsageError(
            f"the corpus has {n_sentences:,} sentences, and samples are drawn of them: give at least "
            f"{FEW_SENTENCES}, such as --lines paragraphs for text in few long lines"
        )


def require_place(path: Path) -> None:
    """Raise OutputError where no samples can be written: only a folder of samples or an empty one is used.

    One that holds the words alone is of a run that was stopped before it wrote what they are of.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path}: is a file; give the name of a folder to -o")
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    own = {name for name in names if fnmatch.fnmatch(name, TEMPORARY)} | {samples.WORDS}
    if samples.MANIFEST not in names and names - own:
        raise OutputError(f"{path}: is a folder of other files; give another name to -o")


def size_line(n_samples: int, n_words: int, config: TrainConfig, path: Path) -> str:
    """What the samples take on the disk."""
    megabytes = n_samples * samples.sample_bytes(n_words, config.dim) / 1e6
    return f"{n_samples} samples of {n_words:,} words x {config.dim} take {megabytes:,.0f} MB in {path}"
