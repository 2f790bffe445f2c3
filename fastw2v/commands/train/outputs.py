"""What a run writes, and what it says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.places import kept_config, reader_may_leave
from fastw2v.commands.train.settings import CONFIG, config_path, differs

if TYPE_CHECKING:
    from fastw2v.corpus.read import Corpus
    from fastw2v.distributed.pace import Effort
    from fastw2v.run.processes import Run
    from fastw2v.show.progress import Display
    from fastw2v.show.run_log import RunLog
    from fastw2v.training.hooks import Trained
    from fastw2v.vectors.embeddings import Embeddings

TEXT_BYTES = 12  # a component in a text file, with its space: 11.9 measured on 24 M of them
TEXT_FORMATS = ("text", "tsv")


class Outputs:
    """Where a run writes, checked before anything is computed and before anything is trained."""

    def __init__(
        self,
        target: Path,
        log: str | None,
        form: dict[str, Any],
        file_format: str | None,
        outside: str | None,
        vocabulary: str | None,
        with_config: bool,
    ) -> None:
        from fastw2v.vectors import formats

        self.target, self.form = target, form
        self.format = formats.detect_format(target, file_format, default="text")
        if form["float16"]:
            formats.require_halves(self.format)
        self.outside = Path(outside) if outside else None
        self.vocabulary = Path(vocabulary) if vocabulary else None
        self.config = config_path(target) if with_config else None
        self.log = Path(log) if log else None
        self.paths = formats.output_paths(target, self.format)
        self.outside_format = formats.detect_format(self.outside, default="text") if self.outside else None
        if self.outside:
            self.paths += formats.output_paths(self.outside, self.outside_format)

    def require_writable(self) -> None:
        """Raise OutputError for a place that cannot be written."""
        from fastw2v.system.files import require_writable

        for path in [*self.paths, self.vocabulary, self.config, self.log]:
            if path:
                require_writable(path)

    def keep_config(self, settings: dict[str, Any], notes: list[str], display: Display) -> None:
        """Let a configuration stay that is the user's; say the notes, and this where it differs."""
        context, path = click.get_current_context(), self.config
        self.config, note = kept_config(path, context.meta.get(CONFIG))
        if path and note and differs(path, settings, context.command):
            notes = [*notes, note]
        for line in notes:
            display.say(line)

    def require_writable_words(self, corpus: Corpus) -> None:
        """Raise UsageError for a word that a format cannot carry."""
        from fastw2v.vectors.formats import check_words

        words, others = corpus.vocabulary.words, (corpus.outside_vocabulary or corpus.vocabulary).words
        named = others if self.form["vectors"] == "outside" else words
        check_words(named, self.format, escape=self.form["escape"])
        if self.outside_format:
            check_words(others, self.outside_format, escape=self.form["escape"])

    def component_bytes(self) -> int:
        """Bytes on disk for each of the dim numbers of a word, in all files."""
        binary = 1 if self.format == "int8" else 2 if self.form["float16"] else 4
        size = TEXT_BYTES if self.format in TEXT_FORMATS else binary
        size *= 2 if self.form["vectors"] == "concatenated" else 1
        return size + (TEXT_BYTES if self.outside_format in TEXT_FORMATS else 4 if self.outside else 0)

    def save_vocabulary(self, corpus: Corpus) -> None:
        """Write the vocabulary if it was asked for: before training, so it is there even if that stops."""
        from fastw2v.corpus.vocabulary import write_vocabulary

        if self.vocabulary:
            write_vocabulary(self.vocabulary, corpus.vocabulary)

    def save(self, embeddings: Embeddings) -> None:
        """Write the vectors."""
        from fastw2v.vectors import formats

        with reader_may_leave(self.target):
            formats.save(self.target, embeddings, format=self.format, **self.form)
        if self.outside:
            formats.save(
                self.outside,
                embeddings,
                format=self.outside_format,
                escape=self.form["escape"],
                vectors="outside",
            )


def estimate(corpus: Corpus, run: Run, outputs: Outputs) -> list[str]:
    """What a run on this corpus takes: tokens, memory, disk; of several processes, ids and memory of one."""
    from fastw2v.backends import n_buckets_of
    from fastw2v.training.matrices import matrix_bytes

    n_words, config, n_buckets = len(corpus.vocabulary), run.training, n_buckets_of(run.training)
    epochs = f"{config.epochs} epoch{'s' * (config.epochs > 1)}"
    if config.minutes is not None:
        epochs = f"as many epochs as {config.minutes:g} minutes allow"
    others = corpus.outside_vocabulary
    n_outside = n_words if others is None else len(others)
    matrices = matrix_bytes(n_words, config.dim, n_buckets, n_outside)
    disk = sum(len(word) + 1 for word in corpus.vocabulary.words) * (2 if outputs.outside else 1)
    disk += max(n_words, n_outside) * config.dim * outputs.component_bytes()
    disk += 4 * (n_words + n_buckets) * config.dim if outputs.format == "fasttext" else 0
    rows = f"2 x {n_words:,}" if not n_buckets else f"(2 x {n_words:,} + {n_buckets:,} buckets)"
    rows = rows if others is None else f"({n_words:,} + {n_outside:,})"
    return [
        f"vocabulary  {n_words:,} words" + (f", {n_outside:,} outside words" if others is not None else ""),
        f"tokens      {run.n_tokens:,} in it of {corpus.n_words_read:,} read; {epochs}"
        if others is None
        else f"training    {run.n_tokens:,} pairs an epoch; {epochs}",
        f"matrices    {matrices / 1e6:,.1f} MB of memory: {rows} x {config.dim} float32, padded",
        ids_line(corpus),
        *softmax_lines(corpus, run),
        f"output      about {disk / 1e6:,.1f} MB of disk: {outputs.target}, {outputs.format}",
    ]


def softmax_lines(corpus: Corpus, run: Run) -> list[str]:
    """The time and memory of a softmax over all words; nothing of another loss."""
    from fastw2v.show.progress import clock
    from fastw2v.training.softmax_cost import kept_words, scratch_bytes, softmax_seconds

    config, counts = run.training, corpus.vocabulary.counts
    if config.loss != "softmax" or corpus.outside_vocabulary:  # whose pairs are no windows
        return []
    seconds = softmax_seconds(config, counts, run.communicator.size)
    return [
        f"softmax     about {clock(max(seconds, 1.0))} an epoch: {len(counts):,} words x {config.dim} x 3 "
        f"multiply-adds for each of {kept_words(config, counts):,.0f} kept words, and "
        f"{scratch_bytes(config, counts) / 1e6:,.1f} MB beside the matrices; fewer words (--max-vocab) "
        "take less"
    ]


def ids_line(corpus: Corpus) -> str:
    """Where the encoded corpus is, or the graph, and how much it takes."""
    if corpus.outside_vocabulary and corpus.source:
        return f"pairs       {corpus.source.nbytes / 1e6:,.1f} MB of memory, or of disk beyond --memory-limit"
    if corpus.source:
        return f"graph       {corpus.source.nbytes / 1e6:,.1f} MB of memory"
    from fastw2v.corpus.ids.storage import pages_of

    megabytes = (corpus.ids.nbytes + corpus.offsets.nbytes) / 1e6
    if pages_of(corpus.ids) is None:
        return f"ids         {megabytes:,.1f} MB of memory"
    while_reading = 4 * (corpus.n_words_read + corpus.n_rows) / 1e6
    return (
        f"ids         {megabytes:,.1f} MB of disk, and up to {while_reading:,.1f} MB more in "
        "the folder for temporary files while reading"
    )


def summarise(
    trained: Trained, effort: Effort | None, target: Path, display: Display, log: RunLog, what: str = "words"
) -> None:
    """The closing lines and record: pairs, loss, seconds, place, and last the speed of training alone.

    what   was trained: words, or given pairs
    """
    from fastw2v.show.progress import significant

    display.say(
        f"{trained.pairs:,} pairs of {trained.kept_words:,} kept words, mean loss {trained.mean_loss:.4f}; "
        f"compile {trained.compile_seconds:.1f} s"
    )
    if effort:
        display.say(
            f"replicas combined {effort.n_syncs:,} times, in {effort.sync_share:.1%} of the time; "
            f"the first sent {effort.bytes_sent / 1e6:,.0f} MB"
        )
        log.record("replicas", **effort._asdict())
    embeddings = trained.embeddings
    display.say(f"wrote {len(embeddings):,} vectors of dim {embeddings.dim} to {target}")
    log.end(trained, output=str(target))
    rate = significant(trained.words / max(trained.train_seconds, 1e-9))
    display.say(f"trained {trained.words:,} {what} in {trained.train_seconds:.1f} s: {rate} {what}/s")
