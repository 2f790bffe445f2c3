"""`fastw2v evaluate`: how good vectors are, one file or several side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from fastw2v.commands.declared import OF_CORPUS
from fastw2v.commands.effects import refuse_idle
from fastw2v.commands.kinds import READ, AtLeast
from fastw2v.commands.options import declared, load_vectors, require_vectors, vectors_options, waiting
from fastw2v.commands.places import check_places
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fastw2v.vectors.embeddings import Embeddings
    from fastw2v.vectors.evaluation import AnalogyQuestion, AnalogyResult, SimilarityPair

METHODS = {"add": "3cosadd", "mul": "3cosmul"}
READ_BY = tuple(option.name for option in OF_CORPUS)


def word_test_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The files of pairs and of questions, and how they are asked; arguments of `read_tests`."""
    options = [
        click.option(
            "--similarity",
            type=READ,
            multiple=True,
            metavar="FILE",
            help="Word pairs with scores; may be repeated.",
        ),
        click.option(
            "--analogy",
            type=READ,
            multiple=True,
            metavar="FILE",
            help="Questions of four words; may be repeated.",
        ),
        click.option(
            "--restrict-vocab",
            type=AtLeast(0, ", which is all words"),
            default=30_000,
            help="Most frequent words in analogies; 0 is all.",
        ),
        click.option("--case-sensitive", is_flag=True, help="Words that differ in case are different words."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Judge vectors by similarity, analogies or next items.")
@click.argument("vectors", type=READ, nargs=-1, required=True)
@word_test_options
@click.option("--next-item", metavar="CORPUS", help="Sequences whose last item is held out and guessed.")
@declared(*OF_CORPUS)
@click.option("--outside", type=READ, metavar="FILE", help="Outside vectors to score next items by.")
@click.option("--context", type=AtLeast(1), default=1, help="Items before the last that make the query.")
@click.option("-k", "--top", type=AtLeast(1), default=10, help="Guesses that count as a hit.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@vectors_options
def evaluate(
    vectors: tuple[str, ...],
    outside: str | None,
    next_item: str | None,
    as_json: bool,
    file_format: str | None,
    escape: bool,
    no_cache: bool,
    **options: Any,
) -> None:
    """Judge VECTORS by what people find similar, by analogies, or by the next item of sequences.

    Prints a row for each file: Spearman's correlation with the scores (rho), analogies answered by 3CosAdd
    and 3CosMul in per cent, and how many pairs or questions of the file had vectors.

    \b
    Examples:
      fastw2v evaluate corpus.vectors.txt --similarity wordsim353.txt \\
        --analogy questions-words.txt
      fastw2v evaluate small.bin large.bin --similarity men.txt \\
        --similarity simlex999.txt
      fastw2v evaluate items.bin --outside outside.bin \\
        --next-item sessions.parquet -k 20 --json
    """
    from fastw2v.vectors.embeddings import with_outside

    if not next_item:
        of_items = ("outside", "context", "top", *READ_BY)
        refuse_idle(of_items, "without --next-item", "add --next-item CORPUS")
    refuse_idle_tests(options["similarity"], options["analogy"])
    if outside and len(vectors) > 1:
        raise UsageError(f"--outside belongs to one file of vectors, {len(vectors)} were given; give one")
    for path in vectors:
        require_vectors(path, file_format)
    if outside:
        require_vectors(outside, None)
    tests = read_tests(next_item, **options)
    results = []
    for path in vectors:
        embeddings = load_vectors(path, file_format, escape, no_cache)
        if outside:
            embeddings = with_outside(embeddings, load_vectors(outside, None, escape, no_cache))
        with waiting(f"judging {path}"):
            results.append({"vectors": path, **judge(embeddings, tests)})
    if as_json:
        import json

        click.echo(json.dumps(results, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(aligned([table_row(result) for result in results])))
    if len(results) == 1:
        for name, result in results[0]["analogy"].items():
            click.echo("\n" + "\n".join(aligned(section_rows(name, result))))


class Sequences(NamedTuple):
    """Items as numbers: places in `items`, int32 (n,), and where each sequence begins and ends."""

    items: list[str]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]


class TestSets(NamedTuple):
    """What vectors are judged by, and how."""

    similarity: dict[str, list[SimilarityPair]]
    analogy: dict[str, list[AnalogyQuestion]]
    sequences: Sequences | None
    restrict: int | None
    case_insensitive: bool
    k: int
    context: int


def refuse_idle_tests(similarity: Sequence[str], analogy: Sequence[str]) -> None:
    """Raise UsageError for an option on how to judge by files that are not given."""
    if not analogy:
        refuse_idle(["restrict_vocab"], "without --analogy", "add --analogy FILE")
    if not (analogy or similarity):
        files = "--similarity or --analogy"
        refuse_idle(["case_sensitive"], f"without {files}", "add --similarity FILE")


def read_tests(
    next_item: str | None,
    *,
    similarity: Sequence[str],
    analogy: Sequence[str],
    restrict_vocab: int,
    case_sensitive: bool,
    top: int = 1,
    context: int = 1,
    **reading: Any,
) -> TestSets:
    """Read every file before the first vectors are, so that a bad one is told at once."""
    from fastw2v.vectors.evaluation import read_analogies, read_similarity

    if not (similarity or analogy or next_item):
        raise UsageError("nothing to judge by: give --similarity FILE, --analogy FILE or --next-item CORPUS")
    return TestSets(
        {name: read_similarity(Path(name)) for name in similarity},
        {name: read_analogies(Path(name)) for name in analogy},
        read_sequences(next_item, reading) if next_item else None,
        restrict_vocab or None,
        not case_sensitive,
        top,
        context,
    )


def read_sequences(source: str, reading: dict[str, Any]) -> Sequences:
    """The sequences of a corpus with all their items, also those that will prove to have no vector.

    reading   options of ReadConfig
    """
    from fastw2v.corpus.read import read_corpus

    for note in check_places([source], (), ()):
        click.echo(note, err=True)
    corpus = read_corpus(source, min_count=1, **reading)
    return Sequences(corpus.vocabulary.words, corpus.ids, corpus.offsets)


def judge(embeddings: Embeddings, tests: TestSets) -> dict[str, Any]:
    """All results for some vectors, as JSON has them: numbers that are not defined are None."""
    from fastw2v.vectors.evaluation import evaluate_analogies, evaluate_similarity

    results: dict[str, Any] = {"words": len(embeddings), "dim": embeddings.dim}
    results["similarity"] = {}
    for name, pairs in tests.similarity.items():
        found = evaluate_similarity(embeddings, pairs, tests.case_insensitive)
        if not (found.n_found or tests.case_insensitive) and evaluate_similarity(embeddings, pairs).n_found:
            click.echo(f"{name}: no pair is known as it is spelt: leave out --case-sensitive", err=True)
        results["similarity"][name] = {
            "rho": defined(found.rho),
            "found": found.n_found,
            "pairs": found.n_pairs,
        }
    results["analogy"] = {}
    for name, questions in tests.analogy.items():
        results["analogy"][name] = {
            short: analogy_result(
                evaluate_analogies(
                    embeddings,
                    questions,
                    tests.restrict,
                    case_insensitive=tests.case_insensitive,
                    method=method,  # type: ignore[arg-type]
                )
            )
            for short, method in METHODS.items()
        }
    if tests.sequences:
        results["next_item"] = next_item_result(embeddings, tests.sequences, tests)
    return results


def analogy_result(result: AnalogyResult) -> dict[str, Any]:
    """All questions together, and each section."""
    total = {
        "accuracy": defined(result.accuracy),
        "correct": result.n_correct,
        "asked": result.n_asked,
        "questions": result.n_questions,
    }
    sections = [
        {
            "section": section.name,
            "accuracy": defined(section.accuracy),
            "correct": section.n_correct,
            "asked": section.n_asked,
            "questions": section.n_questions,
        }
        for section in result.sections
    ]
    return {**total, "sections": sections}


def next_item_result(embeddings: Embeddings, sequences: Sequences, tests: TestSets) -> dict[str, Any]:
    """Held-out last items, of the sequences whose items have vectors."""
    import numpy as np

    from fastw2v.vectors.next_item import evaluate_next_item

    rows = np.array([embeddings.index.get(item, -1) for item in sequences.items], dtype=np.int64)
    result = evaluate_next_item(
        embeddings, rows[sequences.ids], sequences.offsets, k=tests.k, context=tests.context
    )
    return {
        "k": result.k,
        "hit_rate": defined(result.hit_rate),
        "ndcg": defined(result.ndcg),
        "mrr": defined(result.mrr),
        "popular": {
            name: defined(value)
            for name, value in zip(("hit_rate", "ndcg", "mrr"), result.popular, strict=True)
        },
        "asked": result.n_asked,
        "sequences": result.n_sequences,
    }


def defined(value: float) -> float | None:
    """JSON has no nan."""
    return None if math.isnan(value) else value


# ---- Tables ------------------------------------------------------------------------------------------------


def table_row(result: dict[str, Any]) -> dict[str, str]:
    """One file of vectors: the columns and what is in them."""
    row = {"vectors": Path(result["vectors"]).name}
    for name, scores in result["similarity"].items():
        stem = Path(name).stem
        row[f"{stem} rho"] = number(scores["rho"])
        row[f"{stem} found"] = f"{scores['found']}/{scores['pairs']}"
    for name, scores in result["analogy"].items():
        stem = Path(name).stem
        for short in METHODS:
            row[f"{stem} {short} %"] = percent(scores[short]["accuracy"])
        row[f"{stem} asked"] = f"{scores['add']['asked']}/{scores['add']['questions']}"
    if scores := result.get("next_item"):
        row[f"hit@{scores['k']}"] = number(scores["hit_rate"])
        row[f"ndcg@{scores['k']}"] = number(scores["ndcg"])
        row["mrr"] = number(scores["mrr"])
        row["asked"] = f"{scores['asked']}/{scores['sequences']}"
        row[f"popular hit@{scores['k']}"] = number(scores["popular"]["hit_rate"])
    return row


def section_rows(name: str, result: dict[str, Any]) -> list[dict[str, str]]:
    """The sections of a file of analogies."""
    pairs = zip(*(result[short]["sections"] for short in METHODS), strict=True)
    return [
        {
            Path(name).stem: add["section"] or "(no section)",
            "add %": percent(add["accuracy"]),
            "mul %": percent(mul["accuracy"]),
            "asked": f"{add['asked']}/{add['questions']}",
        }
        for add, mul in pairs
    ]


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def aligned(rows: Sequence[dict[str, str]]) -> list[str]:
    """Lines of a table with the keys of the first row as its head, the first column to the left."""
    table = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *others in table:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return lines
