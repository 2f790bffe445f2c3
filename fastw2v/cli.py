"""The command line: arguments in, one library call, an answer or a one-line error out.

Only click is imported here at the top; numba and pyarrow are imported by the command that needs them, so
`fastw2v --help` answers in a tenth of a second.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import click

from fastw2v import __version__
from fastw2v.config import Backend, Kernel, Loss, Precision, TrainConfig
from fastw2v.errors import FastW2VError, OutputError, UsageError

if TYPE_CHECKING:
    from fastw2v.corpus import Corpus
    from fastw2v.embeddings import Embeddings
    from fastw2v.progress import Display
    from fastw2v.training import Trained
    from fastw2v.vocabulary import Vocabulary

SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}
DEFAULTS = TrainConfig()
FORMATS = ("text", "binary", "npy")
INTERRUPTED = 130


@click.group(context_settings=SETTINGS)
@click.version_option(__version__, "-V", "--version", prog_name="fastw2v")
def cli() -> None:
    """Skip-gram word vectors with negative sampling, from Parquet, at the speed of the machine.

    \b
    Examples:
      fastw2v train corpus.parquet --dim 300 -k 10
      fastw2v nearest corpus.vectors.txt paris
      fastw2v export corpus.vectors.txt corpus.vectors.bin
    """


def config_option(*flags: str, text: str, **settings: Any) -> Callable[..., Any]:
    """An option for the field of TrainConfig that its first long flag names, with that field's default."""
    name = next(flag for flag in flags if flag.startswith("--")).split("/")[0]
    default = getattr(DEFAULTS, name.removeprefix("--").replace("-", "_"))
    settings.setdefault("type", None if isinstance(default, bool) else type(default))
    return click.option(*flags, default=default, help=text, **settings)


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that become a TrainConfig, with its defaults."""
    kinds = (Backend, Kernel, Precision, Loss)
    backends, kernels, precisions, losses = (click.Choice(get_args(kind)) for kind in kinds)
    options = [
        config_option("--dim", text="Length of a vector."),
        config_option("--window", text="Largest window radius, in tokens."),
        config_option("-k", "--negatives", text="Noise words for each pair."),
        config_option("--epochs", text="Passes over the corpus."),
        config_option("--lr", "--alpha", "lr", text="Step size at the start."),
        click.option("--min-lr", type=float, help="Floor of the step size.  [default: lr/10000]"),
        config_option("--sample", text="Subsampling of frequent words; 0 is off."),
        config_option("--ns-exponent", text="Noise ∝ count^exponent, any real."),
        config_option(
            "--dynamic-window/--fixed-window", text="Draw each radius from 1..window, or always use window."
        ),
        click.option("--threads", type=int, help="Workers.  [default: every usable core]"),
        config_option("--seed", text="Of the initial vectors and all draws."),
        config_option("--backend", type=backends, text="Compiled kernels, or the slow NumPy reference."),
        config_option("--kernel", type=kernels, text="Shared weighted noise (fast), or the textbook."),
        config_option("--block-size", text="Centres that share noise (kernel block)."),
        config_option("--shared-negatives", text="Noise words they share (kernel block)."),
        config_option("--precision", type=precisions, text="Of the products with the noise (kernel block)."),
        config_option("--loss", type=losses, text="softmax runs on the reference backend only."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@click.argument("source", nargs=-1, required=True)
@click.option("-o", "--output", help="Vectors file.  [default: NAME.vectors.txt here]")
@click.option(
    "--format", "file_format", type=click.Choice(FORMATS), help="Of the output.  [default: by suffix]"
)
@click.option("--escape", is_flag=True, help="Write tokens that hold white space with backslashes.")
@click.option("--save-outside", metavar="FILE", help="Also write the outside vectors.")
@click.option("--save-vocab", metavar="FILE", help="Write the vocabulary, `word count` lines.")
@click.option("--read-vocab", metavar="FILE", help="Use this vocabulary instead of counting.")
@click.option("--column", help="Column of the corpus.  [default: found by type and name]")
@click.option("--min-count", type=int, default=5, help="Drop words that occur less often.")
@click.option("--max-vocab", type=int, help="Keep only this many of the most frequent words.")
@training_options
@click.option("--dry-run", is_flag=True, help="Read the corpus, print what training takes, and stop.")
@click.option("-v", "--verbose", is_flag=True, help="More lines: settings, and progress every second.")
@click.option("-q", "--quiet", is_flag=True, help="No lines but errors.")
def train(
    source: tuple[str, ...],
    output: str | None,
    file_format: str | None,
    escape: bool,
    save_outside: str | None,
    dry_run: bool,
    verbose: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train vectors on SOURCE: Parquet files, folders of them, or glob patterns.

    \b
    Examples:
      fastw2v train corpus.parquet --dim 300 -k 10
      fastw2v train shards/ --column tokens --min-count 1 -o items.vectors.bin
      fastw2v train 'logs-*.parquet' --window 10 --sample 1e-5 --threads 8
    """
    corpus_options = {name: options.pop(name) for name in CORPUS_OPTIONS}
    config = TrainConfig(**options)
    use_threads(config.threads)
    from fastw2v.progress import Display

    display = Display(sys.stderr, quiet=quiet, verbose=verbose)
    target = Path(output or default_output(source))
    outputs = Outputs(target, file_format, escape, save_outside, corpus_options.pop("save_vocab"))
    outputs.require_writable()
    corpus = load_corpus(source, config, display, **corpus_options)
    outputs.require_writable_words(corpus.vocabulary.words)
    if dry_run:
        display.close()
        click.echo("\n".join(estimate(corpus, config, outputs)))
        return
    outputs.save_vocabulary(corpus)
    trained = run_training(corpus, config, display)
    outputs.save(trained.embeddings)
    summarise(trained, target, display)


CORPUS_OPTIONS = ("column", "min_count", "max_vocab", "read_vocab", "save_vocab")


def use_threads(threads: int | None) -> None:
    """Let Numba start as many threads as are asked for; it reads this once, when it is imported."""
    if threads and "numba" not in sys.modules and "NUMBA_NUM_THREADS" not in os.environ:
        os.environ["NUMBA_NUM_THREADS"] = str(max(threads, os.cpu_count() or 1))


def default_output(source: Sequence[str]) -> str:
    """NAME.vectors.txt in the working folder, NAME from the first source: corpus.parquet, shards/, logs-*."""
    name = Path(source[0]).name or Path(source[0]).resolve().name
    name = re.sub(r"[*?\[\]]+", "", name.removesuffix(".parquet")).strip("-_. ")
    return f"{name or 'corpus'}.vectors.txt"


class Outputs:
    """Where a run writes, checked before anything is computed and before anything is trained."""

    def __init__(
        self,
        target: Path,
        file_format: str | None,
        escape: bool,
        outside: str | None,
        vocabulary: str | None,
    ) -> None:
        from fastw2v import formats

        self.target, self.escape = target, escape
        self.format = file_format or formats.detect_format(target, default="text")
        self.outside = Path(outside) if outside else None
        self.vocabulary = Path(vocabulary) if vocabulary else None
        self.paths = formats.output_paths(target, self.format)
        if self.outside:
            self.outside_format = formats.detect_format(self.outside, default="text")
            self.paths += formats.output_paths(self.outside, self.outside_format)
        if self.vocabulary:
            self.paths += [self.vocabulary]

    def require_writable(self) -> None:
        """Raise OutputError for a place that cannot be written, UsageError where two outputs are one file."""
        from fastw2v.files import require_writable

        for path in self.paths:
            require_writable(path)
        if len({path.resolve() for path in self.paths}) < len(self.paths):
            raise UsageError("two outputs have the same name: give --save-outside and --save-vocab their own")

    def require_writable_words(self, words: list[str]) -> None:
        """Raise UsageError for a word that the format cannot carry."""
        from fastw2v.formats import check_tokens

        check_tokens(words, escape=self.escape)

    def save_vocabulary(self, corpus: Corpus) -> None:
        """Write the vocabulary if it was asked for: before training, so it is there even if that stops."""
        from fastw2v.vocabulary import write_vocabulary

        if self.vocabulary:
            write_vocabulary(self.vocabulary, corpus.vocabulary)

    def save(self, embeddings: Embeddings) -> None:
        """Write the vectors."""
        from fastw2v import formats

        formats.save(self.target, embeddings, format=self.format, escape=self.escape)
        if self.outside:
            formats.save(
                self.outside,
                embeddings,
                format=self.outside_format,
                escape=self.escape,
                which="outside",
            )


def load_corpus(
    source: Sequence[str],
    config: TrainConfig,
    display: Display,
    *,
    read_vocab: str | None,
    **options: Any,
) -> Corpus:
    """Read and encode the corpus, telling the user how far it is."""
    from fastw2v.corpus import read_corpus
    from fastw2v.progress import significant
    from fastw2v.training import usable_cores
    from fastw2v.vocabulary import read_vocabulary

    vocabulary = read_vocabulary(Path(read_vocab)) if read_vocab else None
    started = time.perf_counter()
    corpus = read_corpus(
        source if len(source) > 1 else source[0],
        vocabulary=vocabulary,
        threads=config.threads or usable_cores(),
        on_progress=lambda share, words: display.update(f"reading {share:6.1%}  {words:,} words"),
        **options,
    )
    seconds = time.perf_counter() - started
    rate = significant(corpus.n_words_read / max(seconds, 1e-9))
    display.say(
        f"read {corpus.n_words_read:,} words in {corpus.n_rows:,} rows in {seconds:.1f} s ({rate} words/s); "
        f"vocabulary {len(corpus.vocabulary):,} words, {len(corpus.ids):,} tokens in it"
    )
    if corpus.n_null:
        display.say(f"skipped {corpus.n_null:,} nulls")
    return corpus


def run_training(corpus: Corpus, config: TrainConfig, display: Display) -> Trained:
    """Train, telling the user how it goes."""
    from fastw2v import training
    from fastw2v.progress import training_line

    if display.verbose:
        display.say(str(config))
    stages = {"compile": "compiling the kernel (the first run for a size takes some seconds)"}
    trained = training.train(
        corpus,
        config,
        on_progress=lambda progress: display.update(training_line(progress)),
        on_stage=lambda stage: display.update(stages.get(stage, stage), final=stage in stages),
    )
    display.close()
    return trained


TEXT_BYTES = 12  # a component in a text file, with its space: 11.9 measured on 24 M of them


def estimate(corpus: Corpus, config: TrainConfig, outputs: Outputs) -> list[str]:
    """What a run on this corpus takes: tokens, memory, disk."""
    from fastw2v.training import matrix_bytes

    n_words = len(corpus.vocabulary)
    matrices = matrix_bytes(n_words, config.dim)
    ids = corpus.ids.nbytes + corpus.offsets.nbytes
    n_files = 2 if outputs.outside else 1
    component = TEXT_BYTES if outputs.format == "text" else 4
    disk = n_files * (
        n_words * config.dim * component + sum(len(word) + 1 for word in corpus.vocabulary.words)
    )
    return [
        f"vocabulary  {n_words:,} words",
        f"tokens      {len(corpus.ids):,} in it of {corpus.n_words_read:,} read; {config.epochs} epochs",
        f"matrices    {matrices / 1e6:,.1f} MB of memory: 2 x {n_words:,} x {config.dim} float32, padded",
        f"ids         {ids / 1e6:,.1f} MB of memory",
        f"output      about {disk / 1e6:,.1f} MB of disk: {outputs.target}, {outputs.format}",
    ]


def summarise(trained: Trained, target: Path, display: Display) -> None:
    """The closing lines: pairs, loss, seconds, place, and last the speed of training alone."""
    from fastw2v.progress import significant

    display.say(
        f"{trained.pairs:,} pairs of {trained.kept_words:,} kept words, mean loss {trained.mean_loss:.4f}; "
        f"compile {trained.compile_seconds:.1f} s"
    )
    embeddings = trained.embeddings
    display.say(f"wrote {len(embeddings):,} vectors of dim {embeddings.dim} to {target}")
    rate = significant(trained.words / max(trained.train_seconds, 1e-9))
    display.say(f"trained {trained.words:,} words in {trained.train_seconds:.1f} s: {rate} words/s")


@cli.command()
@click.argument("source", nargs=-1)
@click.option("-o", "--output", help="Write the vocabulary here, `word count` lines.")
@click.option("--read-vocab", metavar="FILE", help="Look at this vocabulary file instead of a corpus.")
@click.option("--column", help="Column of the corpus.  [default: found by type and name]")
@click.option("--min-count", type=int, default=1, help="Drop words that occur less often.")
@click.option("--max-vocab", type=int, help="Keep only this many of the most frequent words.")
@click.option("--threads", type=int, help="Workers.  [default: every usable core]")
@click.option("-n", "--number", type=int, default=10, help="Show this many of the most frequent words.")
@click.option("-q", "--quiet", is_flag=True, help="Only write the file.")
def vocab(source: tuple[str, ...], output: str | None, number: int, quiet: bool, **options: Any) -> None:
    """Count the words of SOURCE, or look at a vocabulary: sizes, coverage, Zipf's plot, frequent words.

    \b
    Examples:
      fastw2v vocab corpus.parquet
      fastw2v vocab shards/ --min-count 5 -o corpus.vocab.txt
      fastw2v vocab --read-vocab corpus.vocab.txt -n 50
    """
    from fastw2v.files import require_writable
    from fastw2v.progress import Display
    from fastw2v.vocabulary import read_vocabulary, write_vocabulary

    read_vocab = options.pop("read_vocab")
    if bool(source) == bool(read_vocab):
        raise UsageError("give either a SOURCE to count or --read-vocab FILE to look at")
    if output:
        require_writable(Path(output))
    if read_vocab:
        vocabulary = read_vocabulary(Path(read_vocab))
        n_tokens = int(vocabulary.counts.sum())
    else:
        config = TrainConfig(threads=options.pop("threads"))
        use_threads(config.threads)
        display = Display(sys.stderr, quiet=quiet, verbose=False)
        corpus = load_corpus(source, config, display, read_vocab=None, **options)
        display.close()
        vocabulary, n_tokens = corpus.vocabulary, corpus.n_words_read
    if output:
        write_vocabulary(Path(output), vocabulary)
    if not quiet:
        show_vocabulary(vocabulary, n_tokens, number)


def show_vocabulary(vocabulary: Vocabulary, n_tokens: int, number: int) -> None:
    """Coverage by minimum count, Zipf's plot and the most frequent words, on stdout."""
    from fastw2v.zipf import coverage, zipf_plot

    click.echo(f"{n_tokens:,} tokens, {len(vocabulary):,} words\n")
    click.echo("min-count       words          tokens  coverage")
    for row in coverage(vocabulary.counts, n_tokens):
        click.echo(f"{row.min_count:>9,}  {row.n_words:>10,}  {row.n_tokens:>14,}  {row.share:>8.2%}")
    click.echo("\n" + "\n".join(zipf_plot(vocabulary.counts)) + "\n")
    for word, count in zip(vocabulary.words[:number], vocabulary.counts[:number].tolist(), strict=True):
        click.echo(f"{word}\t{count}")


@cli.command()
@click.argument("vectors")
@click.argument("words", nargs=-1, required=True)
@click.option("-n", "--number", type=int, default=10, help="Neighbours of each word.")
@click.option(
    "--format", "file_format", type=click.Choice(FORMATS), help="Of the file.  [default: by suffix]"
)
@click.option("--escape", is_flag=True, help="The file's tokens were written with --escape.")
def nearest(vectors: str, words: tuple[str, ...], number: int, file_format: str | None, escape: bool) -> None:
    """Print the words nearest to each of WORDS by cosine: word, neighbour, cosine, separated by tabs.

    \b
    Examples:
      fastw2v nearest corpus.vectors.txt paris
      fastw2v nearest corpus.vectors.txt paris london -n 5
    """
    from fastw2v import formats, query

    embeddings = formats.load(Path(vectors), format=file_format, unescape=escape)
    answers = {word: query.nearest(embeddings, word, number) for word in words}
    for word, neighbours in answers.items():
        for neighbour, cosine in neighbours:
            click.echo(f"{word}\t{neighbour}\t{cosine:.4f}")


@cli.command()
@click.argument("source")
@click.argument("target")
@click.option("--from", "source_format", type=click.Choice(FORMATS), help="Of SOURCE.  [default: by suffix]")
@click.option("--to", "target_format", type=click.Choice(FORMATS), help="Of TARGET.  [default: by suffix]")
@click.option("--escape", is_flag=True, help="Tokens in text and binary files are escaped with backslashes.")
def export(
    source: str, target: str, source_format: str | None, target_format: str | None, escape: bool
) -> None:
    """Convert vectors from SOURCE to TARGET: word2vec text (.txt, .vec), binary (.bin), or .npy + vocabulary.

    \b
    Examples:
      fastw2v export corpus.vectors.txt corpus.vectors.bin
      fastw2v export corpus.vectors.bin corpus.npy
    """
    from fastw2v import formats
    from fastw2v.files import require_writable

    for path in formats.output_paths(Path(target), target_format or formats.detect_format(Path(target))):
        require_writable(path)
    embeddings = formats.load(Path(source), format=source_format, unescape=escape)
    formats.save(Path(target), embeddings, format=target_format, escape=escape)
    click.echo(f"wrote {len(embeddings):,} vectors of dim {embeddings.dim} to {target}", err=True)


def fail(message: str, code: int) -> NoReturn:
    """One line on stderr, and out."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; every error a user can meet is one line and a stable exit code.

    0 done, 2 usage or unusable schema, 3 corpus unreadable or corrupt, 4 diverged, 5 output or memory,
    130 interrupted.
    """
    try:
        code = cli.main(args=arguments, standalone_mode=False)
    except FastW2VError as error:
        fail(str(error), error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        fail("interrupted: nothing was written", INTERRUPTED)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "fastw2v"
        fail(f"{error.format_message()} (see '{command} --help')", UsageError.exit_code)
    except click.ClickException as error:
        fail(error.format_message(), error.exit_code)
    except MemoryError:
        fail("out of memory: lower --dim or --max-vocab, or raise --min-count", OutputError.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
