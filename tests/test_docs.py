"""README, the pages of the documentation and the commands say the same."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import itertools
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from fastw2v import cli

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def page_of(name):
    """The text of a page of the documentation."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def tables():
    """The module that makes the tables; docs is no package."""
    found = importlib.util.spec_from_file_location("option_tables", ROOT / "docs" / "option_tables.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


TABLES = tables()
COMMANDS_PAGE = TABLES.filled(page_of("commands"))  # as it is on the site
OPTIONS = [
    (name, flag)
    for name, command in cli.cli.commands.items()
    for option in command.params
    if isinstance(option, click.Option)
    for flag in [*option.opts, *option.secondary_opts]
]
# Options of mpirun, sbatch and srun.
PIPS = {"--dry-run", "--only-binary", "--platform", "--python-version"}  # and mypy's
LAUNCHERS = {
    *("--bind-to", "--hostfile", "--map-by", "--report-bindings"),
    *("--nodes", "--ntasks-per-node", "--cpus-per-task", "--time", "--signal", "--mpi", "--kill-on-bad-exit"),
}


def test_readme__shows_every_command_on_two_screens():
    assert [name for name in cli.cli.commands if f"fastw2v {name}" not in README] == []
    assert len(README.splitlines()) <= 150


def test_commands__shows_every_option_and_its_variable():
    assert [(name, flag) for name, flag in OPTIONS if f"`{flag}`" not in COMMANDS_PAGE] == []
    variables = [variable for command in cli.cli.commands.values() for variable in cli.variables_of(command)]
    assert [variable for variable in variables if f"`{variable}`" not in COMMANDS_PAGE] == []


def test_commands__shows_each_option_of_train_once():
    training = COMMANDS_PAGE.partition("\n## Counting\n")[0]
    rows = [
        line.split(" | ")[0].removeprefix("| ") for line in training.splitlines() if line.startswith("| `-")
    ]
    params = cli.cli.commands["train"].params
    expected = {TABLES.row_of(option).flags for option in params if isinstance(option, click.Option)}
    assert sorted(rows) == sorted(expected)


@pytest.mark.parametrize(
    "expected",
    [
        "| `-k`, `--negatives` | whole number, from 1 to 10,000 | 5 | Noise words for each pair. "
        "| `negatives`<br>`negatives`<br>`FASTW2V_TRAIN_NEGATIVES` |",
        "| `--min-lr` | number, from 0 to lr | lr/10000 | Floor of the step size. "
        "| `min-lr`<br>`min_lr`<br>`FASTW2V_TRAIN_MIN_LR` |",
        "| `--keep-list` | file to read | – | Only these words, one a line. "
        "| `keep-list`<br>`keep_words`<br>`FASTW2V_TRAIN_KEEP_LIST` |",
        "| `--method` | `pca`, `tsne`, `umap` | pca | How to lay them out; tsne needs scikit-learn, umap "
        "umap-learn. | `FASTW2V_MAP_METHOD` |",
        "| `-n`, `--number` | whole number, at least 1 | 10 | Answers to each question. "
        "| `FASTW2V_ANALOGY_NUMBER` |",
        "| `graph` | `--dim 128 --window 10 --sample 0 --min-count 1` |",
    ],
)
def test_tables__say_all_that_is_declared(expected):
    assert expected in COMMANDS_PAGE.splitlines()


def test_tables__refuse_options_that_nobody_has():
    with pytest.raises(ValueError, match="no command has options of 'train: Inputs'"):
        TABLES.filled("```{options} train: Inputs\n```")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages__have_no_table_of_options_by_hand(page):
    """A default, a limit or a meaning that is written twice is wrong one day."""
    lines = page.read_text(encoding="utf-8").splitlines()
    heads = [line for line, below in itertools.pairwise(lines) if below.startswith("|---")]
    assert [head for head in heads if "| option |" in head and re.search(r"default|meaning", head)] == []
    assert page.stem != "commands" or [line for line in lines if line.startswith("| `-")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages__name_options_that_there_are(page):
    known = {flag for _, flag in OPTIONS} | {"--version", "--help"}
    known |= {"several-machines": LAUNCHERS, "platforms": PIPS}.get(page.stem, set())
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", page.read_text(encoding="utf-8")))
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages__include_parts_that_are_there_and_link_to_no_neighbours(page):
    """A link relative to README leads nowhere on the site, where `make docs` refuses it."""
    text = page.read_text(encoding="utf-8")
    pattern = r'```{include} (\S+)\n:start-after: "(.+)"\n:end-before: "(.+)"\n'
    for name, start, end in re.findall(pattern, text):
        whole = (page.parent / name).read_text(encoding="utf-8")
        assert start in whole
        part, found, _ = whole.split(start, 1)[1].partition(end)
        assert found
        assert not re.findall(r"\]\((?!https?://)[^)]*\)", part)


def test_pages__are_all_in_the_contents():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert len(PAGES) > 8
    assert all(page.stem == "index" or f"\n{page.stem}\n" in index for page in PAGES)


def test_coming_from__has_every_flag_of_word2vec():
    """Those that its usage text lists."""
    page = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
    flags = "train output size window sample hs negative threads iter min-count alpha classes debug binary"
    for flag in [*flags.split(), "save-vocab", "read-vocab", "cbow"]:
        assert f"| `-{flag}" in page


CORPORA = page_of("corpora").partition("## One command each\n")[2].partition("\n## ")[0]
COMMANDS = [
    shlex.split(line, comments=True) for line in CORPORA.splitlines() if line.startswith("    fastw2v ")
]
ON_DISK = page_of("corpora").partition("### Sorting on disk\n")[2].strip().splitlines()[0]
COMMANDS.append(shlex.split(ON_DISK))
IN_PYTHON = page_of("corpora").partition("## In Python\n")[2].partition("```python\n")[2].partition("```")[0]
SNIPPETS = [ast.unparse(node) for node in ast.parse(IN_PYTHON).body if isinstance(node, ast.Expr)]


@pytest.fixture
def corpora(tmp_path, monkeypatch):
    """The files that the section names, in the working folder."""
    monkeypatch.chdir(tmp_path)
    texts, lists, numbers = ["a b c a", "b c"], [["a", "b", "c", "a"], ["b", "c"]], [[0, 1, 2, 0], [1, 2]]
    texts, lists, numbers = texts * 500, lists * 500, numbers * 500  # subsampling leaves some pairs
    rows = {"session": [1, 2, 1, 1, 2, 1], "time": [1, 2, 2, 3, 3, 4], "item": list("abbcca")}
    rows = {name: values * 500 for name, values in rows.items()}
    for name in ("corpus", "monday", "tuesday", "shards/part-0", "shards/part-1"):
        (tmp_path / "shards").mkdir(exist_ok=True)
        pq.write_table(pa.table({"text": texts}), f"{name}.parquet")
    pq.write_table(pa.table({"products": lists, "tags": lists}), "baskets.parquet")
    pq.write_table(pa.table({"products": numbers}), "numbers.parquet")
    pq.write_table(pa.table({"input_ids": numbers}), "encoded.parquet")
    pq.write_table(pa.table(rows), "events.parquet")
    pq.write_to_dataset(pa.table(rows), "visits", partition_cols=["session"])
    write_deltalake("lake/events", pa.table(rows))
    Path("tokens.vocab.txt").write_text("a 0\nb 0\nc 0\n")
    Path("lines.txt").write_text("\n".join(texts))
    Path("text8").write_text("\n".join(texts))
    Path("genes.fasta").write_text(">gene\nACGTA\nCG\n" * 500)
    Path("novels").mkdir()
    Path("novels/a.txt").write_text("aa, bb, cc. Aa!\nbb cc\n\n" * 500)
    with pa.output_stream("lines.txt.zst", compression="zstd") as stream:
        stream.write("\n".join(texts).encode())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_corpora__command_of_each_corpus_trains(corpora, command):
    if "://" in command[2]:
        pytest.skip("no network")
    options = ["--dim", "4", "--epochs", "1", "--threads", "1", "--min-count", "1", "-q", "-o", "v.txt"]
    with pytest.raises(SystemExit) as stop:
        cli.main([*command[1:], *options])
    assert stop.value.code == 0
    words = {line.split()[0] for line in Path("v.txt").read_text().splitlines()[1:]}
    expected = set("012") if "numbers.parquet" in command else set("abc")
    if "genes.fasta" in command:
        expected = {"ACGTAC", "CGTACG"}
    if "novels/" in command:
        expected = {"aa", "bb", "cc"} if "simple" in command else {"aa,", "bb,", "cc.", "Aa!", "bb", "cc"}
    assert words == expected


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # which Dask uses, of pandas 3.1
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_corpora__snippet_of_each_object_reads(corpora, snippet):
    from fastw2v.corpus.read import read_corpus

    names = {"read_corpus": read_corpus, "pyarrow": pa, "ids": np.arange(4), "offsets": np.array([0, 2, 4])}

    names["pyarrow"] = importlib.import_module("pyarrow.dataset") and pa
    for library in ("pandas", "polars", "duckdb", "datasets", "dask", "deltalake"):
        if re.search(rf"\({library}\.", snippet):
            names[library] = pytest.importorskip(library)
    if "dask" in names:
        pytest.importorskip("dask.dataframe")
    assert len(eval(snippet.partition("  #")[0], names).ids) > 0


def trainings(page):
    """The commands and the snippets of a page that train."""
    lines = page_of(page).splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("    fastw2v train")]
    return commands, [line for line in lines if line.startswith("vectors = fastw2v.train(")]


GRAPHS, GRAPH_SNIPPETS = trainings("graphs")


@pytest.fixture
def graphs(tmp_path, monkeypatch):
    """The files and objects that the page on graphs names: a ring of nine nodes."""
    monkeypatch.chdir(tmp_path)
    sources, targets = list(range(9)), [*range(1, 9), 0]
    table = pa.table({"source": sources, "target": targets})
    pq.write_table(table, "edges.parquet")
    lines = [f"{source},{target}" for source, target in zip(sources, targets, strict=True)]
    Path("edges.csv").write_text("\n".join(["source,target", *lines]))
    Path("edges.txt").write_text("\n".join(lines).replace(",", " "))
    return table


@pytest.mark.parametrize("command", GRAPHS, ids=" ".join)
def test_graphs__command_of_the_page_trains(graphs, command):
    options = ["--dim", "4", "--threads", "1", "-q", *([] if "-o" in command else ["-o", "v.txt"])]
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, *options])
    assert stop.value.code == 0
    output = command[command.index("-o") + 1] if "-o" in command else "v.txt"
    words = {line.split()[0] for line in Path(output).read_text().splitlines()[1:]}
    assert words == set("012345678")


@pytest.mark.parametrize("snippet", GRAPH_SNIPPETS)
def test_graphs__snippet_of_the_page_trains(graphs, snippet):
    import fastw2v

    sparse = pytest.importorskip("scipy.sparse") if "matrix" in snippet else None
    ends = np.arange(9), (np.arange(9) + 1) % 9
    both = np.concatenate(ends), np.concatenate(ends[::-1])
    indices = np.stack([(np.arange(9) - 1) % 9, (np.arange(9) + 1) % 9], axis=1).reshape(-1)
    names = {
        "fastw2v": fastw2v,
        "table": graphs,
        "matrix": sparse and sparse.coo_array((np.ones(18), both), shape=(9, 9)),
        "indptr": np.arange(0, 19, 2),
        "indices": indices,
    }
    call = snippet.partition("  #")[0].replace("graph=True", "graph=True, dim=4, threads=1")
    exec(call, names)
    assert set(names["vectors"].words) == ({"ann", "bob", "eve"} if "ann" in snippet else set("012345678"))


def test_graphs__page_has_commands_and_snippets():
    assert (len(GRAPHS), len(GRAPH_SNIPPETS)) == (4, 5)


PAIRS, PAIR_SNIPPETS = trainings("pairs")


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    """The files and objects that the page on pairs names: nine words with each of ten contexts."""
    monkeypatch.chdir(tmp_path)
    rows = [(f"w{i % 9}", f"c{i % 10}") for i in range(90)]
    table = pa.table(dict(zip(("center", "outside"), zip(*rows, strict=True), strict=True)))
    pq.write_table(table, "pairs.parquet")
    Path("pairs.txt").write_text("".join(f"{center} {outside}\n" for center, outside in rows))
    Path("pairs.csv").write_text("".join(f"{center},{outside}\n" for center, outside in rows))
    return table


@pytest.mark.parametrize("command", PAIRS, ids=" ".join)
def test_pairs__command_of_the_page_trains(pairs, command):
    options = ["--dim", "4", "--threads", "1", "-q", *([] if "-o" in command else ["-o", "words.txt"])]
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, *options, "--kernel", "pair"])
    assert stop.value.code == 0
    words = {line.split()[0] for line in Path("words.txt").read_text().splitlines()[1:]}
    assert words == {f"w{i}" for i in range(9)}
    if "--save-outside" in command:
        contexts = {line.split()[0] for line in Path("contexts.txt").read_text().splitlines()[1:]}
        assert contexts == {f"c{i}" for i in range(10)}


@pytest.mark.parametrize("snippet", PAIR_SNIPPETS)
def test_pairs__snippet_of_the_page_trains(pairs, snippet):
    import fastw2v

    names = {"fastw2v": fastw2v, "table": pairs}
    options = 'pairs=True, dim=4, threads=1, kernel="pair"'
    exec(snippet.partition("  #")[0].replace("pairs=True", options), names)
    assert len(names["vectors"].of_outside()) == (2 if "dog" in snippet else 10)


def test_pairs__page_has_commands_and_snippets():
    assert (len(PAIRS), len(PAIR_SNIPPETS)) == (4, 3)
