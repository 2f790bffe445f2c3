"""`fastw2v report`: a run and its vectors as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.evaluate import (
    TestSets,
    judge,
    read_tests,
    refuse_idle_tests,
    section_rows,
    table_row,
    word_test_options,
)
from fastw2v.commands.kinds import READ, WRITE, AtLeast
from fastw2v.commands.options import (
    load_vectors,
    open_samples,
    require_vectors,
    stability_option,
    vectors_options,
    waiting,
)
from fastw2v.commands.places import NamedFile, check_places, inputs_of
from fastw2v.commands.train.settings import config_path, read_toml, shown
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    from fastw2v.show.report import Record
    from fastw2v.vectors.embeddings import Embeddings
    from fastw2v.vectors.stability import Stability


@click.command(short_help="Write a page on a run and its vectors.")
@click.argument("vectors", type=READ)
@click.option("-o", "--output", type=WRITE, required=True, help="The page, NAME.html.")
@click.option(
    "--log", type=READ, metavar="FILE", help="The run, as train --log-json wrote it: loss and speed."
)
@word_test_options
@click.option("--word", "words", multiple=True, help="Show its neighbours; may be repeated.  [default: some]")
@click.option("-n", "--number", type=AtLeast(1), default=8, help="Neighbours of each word.")
@stability_option
@vectors_options
def report(
    vectors: str,
    output: str,
    log: str | None,
    words: tuple[str, ...],
    number: int,
    stability: str | None,
    **options: Any,
) -> None:
    """Write a page on VECTORS: loss and speed of the run, evaluation, neighbours of words, settings.

    The page needs no other file and no network. Settings are those of NAME.config.toml beside the vectors,
    else of the log. What is not there is left out, and the page says why.

    \b
    Examples:
      fastw2v train corpus.parquet --log-json run.jsonl
      fastw2v report corpus.vectors.txt -o report.html --log run.jsonl
      fastw2v report corpus.vectors.txt -o report.html --similarity men.txt \\
        --word tea --word paris
    """
    from fastw2v.show.report import charts, write_report
    from fastw2v.show.run_log import read_log
    from fastw2v.system.files import require_writable

    path, of_vectors = Path(output), ("file_format", "escape", "no_cache")
    tests = {name: value for name, value in options.items() if name not in of_vectors}
    if path.suffix.lower() != ".html":
        raise UsageError(f"{output}: a report is a page; name it {path.stem or 'report'}.html")
    refuse_idle_tests(tests["similarity"], tests["analogy"])
    check_places((), inputs_of({"vectors": vectors, "log": log, **tests}), [NamedFile("-o", path)])
    require_vectors(vectors, options["file_format"])
    require_writable(path)
    records = read_log(Path(log)) if log else []
    asked = read_tests(None, **tests) if tests["similarity"] or tests["analogy"] else None
    samples = open_samples(stability)
    embeddings = load_vectors(vectors, *(options[name] for name in of_vectors))
    with waiting(f"writing {output}"):
        sections = {
            "": summary(embeddings, records),
            "Training": charts(records)
            if records
            else missing("no log: train with --log-json FILE, give --log FILE"),
            "Evaluation": evaluation(embeddings, asked),
            "Neighbours": nearest_words(embeddings, words, number, samples),
            "Settings": settings(Path(vectors), records),
        }
        write_report(path, Path(vectors).name, sections)
    click.echo(f"wrote a report of {len(embeddings):,} words to {output}", err=True)


def missing(why: str) -> str:
    """In place of a part."""
    from fastw2v.show.report import paragraph

    return paragraph(f"Left out: {why}.")


def summary(embeddings: Embeddings, records: Sequence[Record]) -> str:
    """Size of the vectors, and what the last record says of the run."""
    from fastw2v.show.progress import clock, significant
    from fastw2v.show.report import facts, number, paragraph

    found = {"Words": f"{len(embeddings):,}", "Dimensions": f"{embeddings.dim}"}
    last = records[-1] if records else {}
    words, seconds, loss = (number(last, key) for key in ("words", "train_seconds", "mean_loss"))
    if last.get("event") == "end" and words is not None and seconds is not None:
        found |= {"Words trained": f"{words:,.0f}", "Time": clock(seconds)}
        found["Words a second"] = significant(words / max(seconds, 1e-9))
        if loss is not None:
            found["Mean loss"] = f"{loss:.4f}"
    how = {"end": "", "error": f"The run failed: {last.get('message')}"}
    note = (
        how.get(str(last.get("event")), "The log has no end: the run goes on, or was killed.") if last else ""
    )
    return facts(found) + (paragraph(note) if note else "")


def evaluation(embeddings: Embeddings, tests: TestSets | None) -> str:
    """What `fastw2v evaluate` prints."""
    from fastw2v.show.report import table

    if tests is None:
        return missing("nothing to judge by: give --similarity FILE or --analogy FILE")
    results = judge(embeddings, tests)
    scores = table_row({"vectors": "", **results})
    del scores["vectors"]
    parts = [table(["scores", ""], scores.items())]
    tables = [section_rows(name, result) for name, result in results["analogy"].items()]
    parts += [table(list(rows[0]), [list(row.values()) for row in rows]) for rows in tables]
    return f'<div class="side">{"".join(parts)}</div>'


def nearest_words(
    embeddings: Embeddings, words: Sequence[str], number: int, samples: Stability | None
) -> str:
    """Neighbours of the words asked for, or of some, and how sure they are where there are samples."""
    from fastw2v.show.report import content_words, neighbours

    words = words or content_words(embeddings.words)
    if not words:
        return missing("no frequent word has a letter or digit; give --word WORD")
    return neighbours(embeddings, words, number, samples)


def settings(vectors: Path, records: Sequence[Record]) -> str:
    """Of the file beside the vectors, else of the log."""
    from fastw2v.show.report import facts, paragraph

    path = config_path(vectors)
    if path is not None and path.exists():
        try:
            found, source = read_toml(path), path.name
        except UsageError as error:
            return missing(str(error))
    elif records:
        found, source = records[0]["settings"], "the log"
    else:
        return missing(
            f"{path.name if path else 'NAME.config.toml'} is not beside the vectors, and no log was given"
        )
    values = {key.replace("_", "-"): plain(value) for key, value in found.items()}
    return paragraph(f"From {source}.") + facts(values)


def plain(value: Any) -> str:
    """A value for people: texts without quotes, names of a list one after the other."""
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return value if isinstance(value, str) else shown(value)
