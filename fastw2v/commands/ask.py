"""`fastw2v nearest`, `analogy`, `similarity` and `odd-one-out`: questions to vectors, one or many."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.kinds import READ, AtLeast
from fastw2v.commands.options import load_vectors, open_samples, stability_option, vectors_options
from fastw2v.errors import FastW2VError, UsageError
from fastw2v.options.spelling import as_typed
from fastw2v.system.marks import without_mark

if TYPE_CHECKING:
    from fastw2v.vectors.embeddings import Embeddings

Answer = Callable[["Embeddings", Sequence[str]], list[str]]  # lines to print, of the words of a question


@click.command(short_help="Print the words nearest to words.")
@click.argument("vectors", type=READ)
@click.argument("words", nargs=-1)
@click.option("-n", "--number", type=AtLeast(1), default=10, help="Neighbours of each word.")
@stability_option
@vectors_options
def nearest(vectors: str, words: tuple[str, ...], number: int, stability: str | None, **options: Any) -> None:
    """Print the words nearest to each of WORDS by cosine: word, neighbour, cosine, separated by tabs.

    With --stability a line goes on with the share of the samples in which the neighbour is among the nearest,
    and the interval of its cosine, low and high. Without WORDS, or for -, each line of standard input is a
    word.

    \b
    Examples:
      fastw2v nearest corpus.vectors.txt paris
      fastw2v nearest corpus.vectors.txt paris london -n 5
      fastw2v nearest corpus.vectors.txt -n 3 < words.txt
      fastw2v nearest corpus.vectors.txt paris --stability corpus.stability
    """
    from fastw2v.vectors import query

    samples = open_samples(stability)

    def sure_lines(embeddings: Embeddings, asked: Sequence[str]) -> list[str]:
        assert samples is not None
        found = [(word, near) for word in asked for near in samples.nearest(word, number, embeddings)]
        return ["\t".join([word, near.word, *(f"{x:.4f}" for x in near[1:])]) for word, near in found]

    def lines(embeddings: Embeddings, asked: Sequence[str]) -> list[str]:
        answers = [(word, query.nearest(embeddings, word, number)) for word in asked]
        return [f"{word}\t{near}\t{cosine:.4f}" for word, found in answers for near, cosine in found]

    ask(vectors, words, sure_lines if samples else lines, options, split=lambda line: [line])


@click.command(short_help="Print the words that are to C as B is to A.")
@click.argument("vectors", type=READ)
@click.argument("words", nargs=-1, metavar="[A B C]")
@click.option("-n", "--number", type=AtLeast(1), default=10, help="Answers to each question.")
@vectors_options
def analogy(vectors: str, words: tuple[str, ...], number: int, **options: Any) -> None:
    """Print the words that are to C as B is to A (3CosAdd): A, B, C, answer, cosine, separated by tabs.

    Without words, or for -, each line of standard input is a question of three.

    \b
    Examples:
      fastw2v analogy corpus.vectors.txt man king woman
      fastw2v analogy corpus.vectors.txt -n 1 < questions.txt
    """
    from fastw2v.vectors import query

    def lines(embeddings: Embeddings, asked: Sequence[str]) -> list[str]:
        require_words(asked, 3, "A B C")
        a, b, c = asked
        answers = query.analogy(embeddings, a, b, c, number)
        return [f"{a}\t{b}\t{c}\t{word}\t{cosine:.4f}" for word, cosine in answers]

    ask(vectors, words, lines, options)


@click.command(short_help="Print the cosine of two words.")
@click.argument("vectors", type=READ)
@click.argument("words", nargs=-1, metavar="[A B]")
@vectors_options
def similarity(vectors: str, words: tuple[str, ...], **options: Any) -> None:
    """Print the cosine of A and B: A, B, cosine, separated by tabs.

    Without words, or for -, each line of standard input is a pair.

    \b
    Examples:
      fastw2v similarity corpus.vectors.txt tea coffee
      fastw2v similarity corpus.vectors.txt < pairs.txt
    """
    from fastw2v.vectors import query

    def lines(embeddings: Embeddings, asked: Sequence[str]) -> list[str]:
        require_words(asked, 2, "A B")
        a, b = asked
        return [f"{a}\t{b}\t{query.similarity(embeddings, a, b):.4f}"]

    ask(vectors, words, lines, options)


@click.command(short_help="Print the word least like the others.")
@click.argument("vectors", type=READ)
@click.argument("words", nargs=-1)
@vectors_options
def odd_one_out(vectors: str, words: tuple[str, ...], **options: Any) -> None:
    """Print the one of WORDS least like their mean: the words, the odd one, its cosine, separated by tabs.

    Without WORDS, or for -, each line of standard input is a question.

    \b
    Examples:
      fastw2v odd-one-out corpus.vectors.txt breakfast cereal dinner lunch
      fastw2v odd-one-out corpus.vectors.txt < groups.txt
    """
    from fastw2v.vectors import query

    def lines(embeddings: Embeddings, asked: Sequence[str]) -> list[str]:
        odd, cosine = query.odd_one_out(embeddings, asked)
        return [f"{' '.join(asked)}\t{odd}\t{cosine:.4f}"]

    ask(vectors, words, lines, options)


def require_words(words: Sequence[str], number: int, names: str) -> None:
    """Raise UsageError where a question has not this many words."""
    if len(words) != number:
        raise UsageError(f"{len(words)} words were given; {number} are needed: {names}")


def fields(line: str) -> list[str]:
    """The words of a line, parted by tabs if it has any, so that they may hold spaces, else at spaces."""
    return [field.strip() for field in line.split("\t")] if "\t" in line else line.split()


def ask(
    vectors: str,
    words: tuple[str, ...],
    answer: Answer,
    options: dict[str, Any],
    split: Callable[[str], list[str]] = fields,
) -> None:
    """Answer the question on the command line, or one for each line of standard input."""
    from_stdin = words in ((), ("-",))
    if not words and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no words were given; name them, or - to read a question a line from the keyboard")
    if from_stdin and sys.stdin is None:
        raise UsageError("- is for standard input, which is closed: name the words")
    embeddings = load_vectors(vectors, **options)
    if from_stdin:
        answer_lines(embeddings, answer, split)
    else:
        click.echo("\n".join(answer(embeddings, words)))


def answer_lines(embeddings: Embeddings, answer: Answer, split: Callable[[str], list[str]]) -> None:
    """Answer line after line as they come; what is wrong with one goes to stderr and the next is answered.

    Raises FastW2VError at the end where a line went unanswered.
    """
    n_asked = n_failed = 0
    for number, raw in enumerate(stdin_lines(), 1):
        line = (without_mark(raw, "the questions") if number == 1 else raw).decode(errors="replace").strip()
        if not line:
            continue
        n_asked += 1
        try:
            click.echo("\n".join(answer(embeddings, split(line))))  # echo flushes
        except UsageError as error:
            n_failed += 1
            click.echo(f"line {number}: {as_typed(error)}", err=True)
    if n_failed:
        raise FastW2VError(f"{n_failed:,} of {n_asked:,} lines could not be answered")


def stdin_lines() -> Iterator[bytes]:
    """Lines as they come. Raises UsageError where they cannot be read, as of a folder."""
    try:
        yield from sys.stdin.buffer
    except OSError as error:
        raise UsageError(f"standard input cannot be read ({error.strerror}): name the words") from None
