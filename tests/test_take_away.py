"""Vectors taken to other tools: each format is read back by the tool it is for."""

from __future__ import annotations

import csv
import itertools
import json
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from fastw2v import cli
from fastw2v.commands.declared import FORMATS, VECTORS
from fastw2v.errors import CorpusError, FastW2VError, OutputError, UsageError
from fastw2v.vectors import components
from fastw2v.vectors.embeddings import Embeddings, Which, select_vectors, with_outside
from fastw2v.vectors.formats import Format, check_words, load, output_paths, save

NEW = ["parquet", "safetensors"]
NAMES = {"parquet": "v.parquet", "safetensors": "model.safetensors", "npy": "v.npy", "tsv": "v.tsv"}


@pytest.fixture
def embeddings(rng: np.random.Generator) -> Embeddings:
    words = [f"word{i}" for i in range(97)] + ["日本語", "naïve", "😀", 'quo"ted', "a\\b"]
    center, outside = rng.normal(0, 0.2, (2, len(words), 7)).astype(np.float32)
    center[3] = outside[3] = 0
    return Embeddings(words, center, outside, np.arange(len(words), 0, -1))


# ---- What is written for a word ----------------------------------------------------------------------------


def test_select_vectors__each_choice(embeddings: Embeddings) -> None:
    center, outside = embeddings.center_vectors, embeddings.outside_vectors
    assert outside is not None
    assert select_vectors(embeddings) is center
    assert select_vectors(embeddings, "outside") is outside
    assert np.array_equal(select_vectors(embeddings, "sum"), center + outside)
    both = select_vectors(embeddings, "concatenated")
    assert np.array_equal(both, np.concatenate([center, outside], axis=1))
    assert both.flags.c_contiguous


@pytest.mark.parametrize("which", VECTORS)
def test_select_vectors__of_length_one(embeddings: Embeddings, which: Which) -> None:
    raw = select_vectors(embeddings, which).astype(np.float64)
    actual = select_vectors(embeddings, which, normalize=True)
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(actual, raw / np.where(lengths > 0, lengths, 1), atol=1e-7)
    assert not actual[3].any()
    assert embeddings.center_vectors[0].tolist() == pytest.approx(
        embeddings[embeddings.words[0]].tolist()
    )  # the embeddings' own vectors are left alone


@pytest.mark.parametrize("which", ["outside", "sum", "concatenated"])
def test_select_vectors__without_outside_vectors(which: Which) -> None:
    with pytest.raises(UsageError, match=f"{which} vectors need the outside vectors"):
        select_vectors(Embeddings(["a"], np.ones((1, 1), dtype=np.float32)), which)


def test_options__are_those_of_the_library() -> None:
    assert get_args(Format) == FORMATS
    assert get_args(Which) == VECTORS


# ---- Parquet -----------------------------------------------------------------------------------------------


def test_parquet__pyarrow_reads_it_with_checksums(tmp_path: Path, embeddings: Embeddings) -> None:
    save(tmp_path / "v.parquet", embeddings)
    actual = pq.read_table(tmp_path / "v.parquet", page_checksum_verification=True)
    assert actual.schema.names == ["word", "count", "vector"]
    assert [str(kind) for kind in actual.schema.types[:2]] == ["string", "int64"]
    assert actual.schema.field("vector").type.list_size == 7
    assert actual.schema.field("vector").type.value_type == pa.float32()
    assert actual["word"].to_pylist() == embeddings.words
    assert actual["count"].to_pylist() == list(range(102, 0, -1))
    assert np.array_equal(np.stack(actual["vector"].to_numpy()), embeddings.center_vectors)


def test_parquet__a_flipped_bit_is_found(tmp_path: Path, embeddings: Embeddings) -> None:
    path = tmp_path / "v.parquet"
    save(path, embeddings)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="cannot be read as Parquet"):
        load(path)


def test_parquet__row_groups_and_unknown_counts(
    tmp_path: Path, embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastw2v.vectors.formats.parquet.GROUP_NUMBERS", 70)
    monkeypatch.setattr("fastw2v.vectors.formats.parquet.BATCH_NUMBERS", 21)
    path = tmp_path / "v.parquet"
    save(path, Embeddings(embeddings.words, embeddings.center_vectors))
    assert pq.ParquetFile(path).num_row_groups == 11
    assert pq.read_table(path)["count"].null_count == 102
    actual = load(path)
    assert actual.words == embeddings.words
    assert np.array_equal(actual.center_vectors, embeddings.center_vectors)
    assert actual.counts is None
    assert load(path, limit=5).words == embeddings.words[:5]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float16(), 2)]
)
def test_parquet__of_other_tools(tmp_path: Path, kind: pa.DataType) -> None:
    vectors = pa.array([np.array([1, 2], np.float16), np.array([0.5, -1], np.float16)]).cast(kind)
    pq.write_table(pa.table({"vector": vectors, "word": ["new york", "b"]}), tmp_path / "v.parquet")
    actual = load(tmp_path / "v.parquet")
    assert actual.words == ["new york", "b"]
    assert actual.center_vectors.tolist() == [[1, 2], [0.5, -1]]


def vectors_of(*rows: Any) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32()))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"word": ["a"]}, "columns word; one 'vector' is needed"),
        ({"word": ["a"], "vector": [1.0]}, "'vector' is of double; lists of floats"),
        ({"word": [1], "vector": vectors_of([1])}, "'word' is of int64; strings are needed"),
        ({"word": ["a", None], "vector": vectors_of([1], [2])}, "a word from row 1 on is null"),
        ({"word": ["a", "b"], "vector": vectors_of([1], [2, 3])}, "has other than 1 numbers"),
        ({"word": ["a", "b"], "vector": vectors_of([1], None)}, "is null or has other"),
        ({"word": ["a", "b"], "vector": vectors_of([1], [None])}, "is null or has other"),
        ({"word": ["a", "b"], "vector": vectors_of([1], [np.nan])}, "vector of 'b' is not finite"),
        ({"word": ["a", "a"], "vector": vectors_of([1], [2])}, "'a' is word 1 and again word 2"),
        ({"word": pa.array([], pa.string()), "vector": vectors_of()}, "holds no vectors"),
        ({"word": ["a"], "vector": vectors_of([])}, "holds no vectors"),
    ],
)
def test_parquet__that_does_not_fit(tmp_path: Path, columns: dict[str, Any], reason: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "v.parquet")
    with pytest.raises(CorpusError, match=reason):
        load(tmp_path / "v.parquet")


# ---- safetensors -------------------------------------------------------------------------------------------


def test_safetensors__the_library_reads_it(tmp_path: Path, embeddings: Embeddings) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    save(tmp_path / "model.safetensors", embeddings)
    actual = numpy.load_file(tmp_path / "model.safetensors")
    assert set(actual) == {"embeddings"}
    assert np.array_equal(actual["embeddings"][:-1], embeddings.center_vectors)
    assert not actual["embeddings"][-1].any()


@pytest.mark.parametrize("float16", [False, True])
def test_safetensors__model2vec_averages_the_words(
    tmp_path: Path, embeddings: Embeddings, float16: bool
) -> None:
    model2vec = pytest.importorskip("model2vec")
    save(tmp_path / "model.safetensors", embeddings, float16=float16)
    model = model2vec.StaticModel.from_pretrained(tmp_path)
    texts = ["word1", "日本語 naïve", 'quo"ted  unheard-of\tword2', "a\\b", "unheard-of"]
    known = [["word1"], ["日本語", "naïve"], ['quo"ted', "word2"], ["a\\b"], []]
    expected = [np.mean([embeddings[w] for w in words], axis=0) if words else np.zeros(7) for words in known]
    np.testing.assert_allclose(model.encode(texts), expected, atol=1e-3 if float16 else 1e-6)
    long = " ".join(["word1"] * 600 + ["word2"] * 600)
    middle = (embeddings["word1"] + embeddings["word2"]) / 2
    np.testing.assert_allclose(model.encode(long), middle, atol=1e-3 if float16 else 1e-5)


@pytest.mark.filterwarnings("ignore")  # of torch, when it is imported
def test_safetensors__sentence_transformers_averages_the_words(
    tmp_path: Path, embeddings: Embeddings
) -> None:
    transformers = pytest.importorskip("sentence_transformers")
    save(tmp_path / "model.safetensors", embeddings)
    model = transformers.SentenceTransformer(str(tmp_path), device="cpu")
    actual = model.encode(["word1 日本語", "word1 never"])
    one, other = embeddings["word1"], embeddings["日本語"]
    np.testing.assert_allclose(actual, [(one + other) / 2, one / 2], atol=1e-6)


def test_safetensors__tokenizers_gives_each_word_its_row(tmp_path: Path, embeddings: Embeddings) -> None:
    """What sentence-transformers' StaticEmbedding does: encode_batch without special tokens, then look up."""
    tokenizers = pytest.importorskip("tokenizers")
    save(tmp_path / "model.safetensors", embeddings)
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    [encoding] = tokenizer.encode_batch([" ".join([*embeddings.words, "Word1"])], add_special_tokens=False)
    assert encoding.ids == list(range(103))
    modules = json.loads((tmp_path / "modules.json").read_text())
    assert modules[0]["type"] == "sentence_transformers.models.StaticEmbedding"
    assert modules[0]["path"] == "."


@pytest.mark.parametrize("key", ["embeddings", "embedding.weight"])
def test_safetensors__written_by_the_library(tmp_path: Path, embeddings: Embeddings, key: str) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    save(tmp_path / "model.safetensors", embeddings)
    rows = np.vstack([embeddings.center_vectors, np.zeros((1, 7), np.float32)])
    numpy.save_file({"other": np.ones(3), key: rows}, tmp_path / "model.safetensors")
    actual = load(tmp_path / "model.safetensors")
    assert actual.words == embeddings.words
    assert np.array_equal(actual.center_vectors, embeddings.center_vectors)


def test_safetensors__a_corpus_with_its_own_unknown_word(tmp_path: Path) -> None:
    expected = Embeddings(["[UNK]", "b"], np.eye(2, dtype=np.float32))
    save(tmp_path / "model.safetensors", expected)
    actual = load(tmp_path / "model.safetensors")
    assert actual.words == expected.words
    assert np.array_equal(actual.center_vectors, expected.center_vectors)


def test_safetensors__a_model_card_beside_that_gives_way_to_others(
    tmp_path: Path, embeddings: Embeddings
) -> None:
    save(tmp_path / "model.safetensors", embeddings)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: model2vec\n")
    assert "102 words of 7 numbers (float32)" in card
    save(tmp_path / "model.safetensors", embeddings, float16=True)
    assert "102 words of 7 numbers (float16)" in (tmp_path / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text("# Mine\n")
    save(tmp_path / "model.safetensors", embeddings)
    assert (tmp_path / "README.md").read_text() == "# Mine\n"


def test_safetensors__another_name_is_loaded_by_nobody(embeddings: Embeddings) -> None:
    with pytest.raises(UsageError, match=r"use v/model\.safetensors"):
        output_paths(Path("v.safetensors"))
    assert len(output_paths(Path("folder/model.safetensors"))) == 4


def header(text: str, numbers: bytes = bytes(8)) -> Callable[[Path], None]:
    content = struct.pack("<Q", len(text)) + text.encode() + numbers
    return lambda folder: (folder / "model.safetensors").write_bytes(content) and None


def tensor(shape: str = "[2,1]", offsets: str = "[0,8]", dtype: str = "F32") -> str:
    return f'{{"embeddings":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}'


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (header("[]"), "is no safetensors file"),
        (header("{}"), "is no safetensors file"),
        (header("{" * 2000), "is no safetensors file"),
        (header(tensor(dtype="I8")), "is no safetensors file"),
        (header(tensor(shape="[2]")), "is no safetensors file"),
        (header(tensor(shape="[0,1]", offsets="[0,0]")), "shape 0 x 1"),
        (header(tensor(shape="[9,9]")), "shape 9 x 9"),
        (header(tensor(offsets="[8,16]")), "bytes 8 to 16"),
        (header(tensor(offsets="[-8,0]")), "bytes -8 to 0"),
        (header(tensor(shape="[3,1]", offsets="[0,12]"), bytes(12)), "2 words for 3 rows"),
        (header(tensor(), struct.pack("<2f", 1, np.inf)), "vector of '.UNK.' is not finite"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 20), "is no safetensors file"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "is no safetensors file"),
        (lambda folder: (folder / "tokenizer.json").write_bytes(b"{}"), r"tokenizer\.json beside it"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be read"),
    ],
)
def test_safetensors__that_does_not_fit(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    save(tmp_path / "model.safetensors", Embeddings(["a"], np.ones((1, 1), dtype=np.float32)))
    damage(tmp_path)
    with pytest.raises(CorpusError, match=reason) as caught:
        load(tmp_path / "model.safetensors")
    assert "\n" not in str(caught.value)


# ---- Every new format --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", NEW)
def test_load__gives_back_what_was_saved(tmp_path: Path, embeddings: Embeddings, format: str) -> None:
    save(tmp_path / NAMES[format], embeddings)
    actual = load(tmp_path / NAMES[format])
    assert actual.words == embeddings.words
    assert np.array_equal(actual.center_vectors, embeddings.center_vectors)
    assert load(tmp_path / NAMES[format], limit=4).words == embeddings.words[:4]


@pytest.mark.parametrize("format", ["parquet", "safetensors", "npy"])
def test_save__float16(tmp_path: Path, embeddings: Embeddings, format: str) -> None:
    path = tmp_path / NAMES[format]
    save(path, embeddings)
    full = path.stat().st_size
    save(path, embeddings, float16=True)
    assert path.stat().st_size < full - 102 * 7
    expected = embeddings.center_vectors.astype(np.float16)
    assert np.array_equal(load(path).center_vectors, expected)
    if format == "npy":
        assert np.load(path).dtype == np.float16


def test_save__float16_where_it_does_not_fit(tmp_path: Path) -> None:
    huge = Embeddings(["a", "b"], np.array([[1], [1e6]], dtype=np.float32))
    with pytest.raises(UsageError, match="format text holds no float16; use npy, parquet, safetensors"):
        save(tmp_path / "v.txt", huge, float16=True)
    with pytest.raises(OutputError, match="vector of 'b' is not finite in float16; leave out --float16"):
        save(tmp_path / "v.npy", huge, float16=True)
    assert list(tmp_path.iterdir()) == []


def test_check_words__each_format_has_its_own_limits(tmp_path: Path) -> None:
    embeddings = Embeddings(["New York", "b"], np.eye(2, dtype=np.float32))
    save(tmp_path / "v.parquet", embeddings)
    assert load(tmp_path / "v.parquet").words == embeddings.words
    save(tmp_path / "v.tsv", embeddings)
    for word, format in (("a\tb", "tsv"), ("\ud800", "parquet"), ("", "parquet"), ("a b", "safetensors")):
        with pytest.raises(UsageError, match="--escape"):
            check_words([word], format)  # type: ignore[arg-type]


@pytest.mark.parametrize("format", [*NEW, "tsv"])
def test_save__full_disk(embeddings: Embeddings, tmp_path: Path, format: str) -> None:
    path = tmp_path / NAMES[format]
    path.symlink_to("/dev/full")
    with pytest.raises(OutputError, match="disk full"):
        save(path, embeddings)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("victim", ["v.parquet", "model.safetensors", "tokenizer.json"])
def test_load__damaged_files_give_an_error_line_or_fit_vectors(
    tmp_path: Path, embeddings: Embeddings, rng: np.random.Generator, victim: str
) -> None:
    name = "v.parquet" if victim == "v.parquet" else "model.safetensors"
    save(tmp_path / name, embeddings)
    content, n_errors = (tmp_path / victim).read_bytes(), 0
    for _ in range(100):
        damaged = bytearray(content)
        place = int(rng.integers(len(content)))
        damaged[place] = int(rng.integers(256))
        (tmp_path / victim).write_bytes(damaged[: place if rng.integers(2) else None])
        try:
            actual = load(tmp_path / name)
        except FastW2VError as error:
            n_errors += 1
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert np.isfinite(actual.center_vectors).all()
            assert len(set(actual.words)) == len(actual) == len(actual.center_vectors)
    assert n_errors > 25


# ---- TensorBoard's projector -------------------------------------------------------------------------------


def test_projector__a_line_a_word_and_a_header_with_the_counts(
    tmp_path: Path, embeddings: Embeddings
) -> None:
    save(tmp_path / "v.tsv", embeddings)
    assert np.array_equal(
        np.loadtxt(tmp_path / "v.tsv", delimiter="\t", dtype=np.float32), embeddings.center_vectors
    )
    with (tmp_path / "v.metadata.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows[0] == ["word", "count"]
    assert rows[1:] == [[word, str(102 - i)] for i, word in enumerate(embeddings.words)]


def test_projector__one_column_has_no_header(tmp_path: Path) -> None:
    save(tmp_path / "v.tsv", Embeddings(["a", "b"], np.eye(2, dtype=np.float32)))
    assert (tmp_path / "v.tsv").read_text() == "1\t0\n0\t1\n"
    assert (tmp_path / "v.metadata.tsv").read_text() == "a\nb\n"
    with pytest.raises(UsageError, match="only written"):
        load(tmp_path / "v.tsv")


# ---- export ------------------------------------------------------------------------------------------------


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.mark.parametrize("which", VECTORS)
def test_export__sum_normalised_in_gensim(
    tmp_path: Path, embeddings: Embeddings, capfd: pytest.CaptureFixture[str], which: Which
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        KeyedVectors = pytest.importorskip("gensim.models").KeyedVectors
    v, u, target = tmp_path / "v.bin", tmp_path / "u.txt", tmp_path / "target.bin"
    save(v, embeddings)
    save(u, embeddings, vectors="outside")
    outside = [] if which == "center" else ["--outside", u]
    arguments = ["export", v, target, *outside, "--vectors", which, "--normalize"]
    assert run(capfd, *arguments) == (0, "", f"wrote 102 vectors to {target}\n")
    actual = KeyedVectors.load_word2vec_format(str(target), binary=True)
    assert actual.index_to_key == embeddings.words
    assert np.array_equal(actual.vectors, select_vectors(embeddings, which, normalize=True))


def test_export__through_every_format_and_back(
    tmp_path: Path, embeddings: Embeddings, capfd: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "v.txt", embeddings)
    names = ["v.txt", "v.bin", "v.npy", "v.parquet", "model.safetensors", "w.txt"]
    for source, target in itertools.pairwise(names):
        assert run(capfd, "export", tmp_path / source, tmp_path / target)[0] == 0
    assert (tmp_path / "v.txt").read_bytes() == (tmp_path / "w.txt").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.txt", "--float16"], "format text holds no float16"),
        (["x.safetensors"], "use x/model.safetensors"),
        (["x.bin", "--vectors", "sum"], "sum vectors need the outside vectors"),
        (
            ["x.bin", "--outside", "other.bin", "--vectors", "sum"],
            "have other words (1) than the centre vectors (102)",
        ),
    ],
)
def test_export__what_cannot_be_done_is_one_line(
    tmp_path: Path,
    embeddings: Embeddings,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("v.bin"), embeddings)
    save(Path("other.bin"), Embeddings(["a"], np.ones((1, 7), dtype=np.float32)))
    code, out, err = run(capfd, "export", "v.bin", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.bin", "v.bin"]


def test_export__a_nearest_neighbour_library_finds_the_same(
    tmp_path: Path, rng: np.random.Generator, capfd: pytest.CaptureFixture[str]
) -> None:
    index_module = pytest.importorskip("usearch.index")
    matrix = rng.normal(size=(300, 16)).astype(np.float32)
    save(tmp_path / "v.bin", Embeddings([f"w{i}" for i in range(300)], matrix))
    assert run(capfd, "export", tmp_path / "v.bin", tmp_path / "v.npy", "--normalize")[0] == 0
    stored: NDArray[np.float32] = np.load(tmp_path / "v.npy", mmap_mode="r")
    words = [line.split()[0] for line in (tmp_path / "v.vocab.txt").read_text().splitlines()]
    index = index_module.Index(ndim=16, metric="ip", dtype="f32")
    index.add(np.arange(300), np.ascontiguousarray(stored))
    found = [words[key] for key in index.search(stored[7], 6, exact=True).keys]
    assert found[0] == "w7"
    _, out, _ = run(capfd, "nearest", tmp_path / "v.bin", "w7", "-n", 5)
    assert [line.split("\t")[1] for line in out.splitlines()] == found[1:]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_without_components__leaves_what_is_not_shared(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    """The mean is zero, the N widest directions have no width, the others keep theirs; in any chunks."""
    matrix = (rng.normal(0, [9, 5, 3, 1, 1, 0.5], (200, 6)) + 4).astype(np.float32)
    monkeypatch.setattr(components, "CHUNK_NUMBERS", 6 * 7)
    actual = components.without_components(matrix, n).astype(np.float64)
    np.testing.assert_allclose(actual.mean(axis=0), 0, atol=1e-5)
    expected = np.linalg.svd(matrix - matrix.mean(axis=0), compute_uv=False)
    expected[:n] = 0
    found = np.sort(np.linalg.svd(actual, compute_uv=False))[::-1]
    np.testing.assert_allclose(found, np.sort(expected)[::-1], rtol=1e-4, atol=1e-3)


def test_export__without_components_before_lengths_of_one(
    tmp_path: Path, embeddings: Embeddings, capfd: pytest.CaptureFixture[str]
) -> None:
    """As save does in Python, of the vectors that are chosen, in any format."""
    v, u = tmp_path / "v.npy", tmp_path / "u.bin"
    save(v, embeddings, escape=True)
    save(u, embeddings, vectors="outside", escape=True)
    form = ["--outside", u, "--vectors", "sum", "--remove-components", 2, "--normalize", "--escape"]
    assert run(capfd, "export", v, tmp_path / "w.parquet", *form)[0] == 0
    expected = select_vectors(embeddings, "sum", remove_components=2)
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(load(tmp_path / "w.parquet").center_vectors, expected, atol=1e-6)
    save(tmp_path / "w.bin", embeddings, escape=True, vectors="sum", remove_components=2, normalize=True)
    np.testing.assert_allclose(load(tmp_path / "w.bin").center_vectors, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (7, "--remove-components is 7, and the vectors have dim 7: give 0 (the mean alone) to 6"),
        (-1, "at least 0"),
    ],
)
def test_export__refuses_components_that_are_not_there(
    tmp_path: Path, embeddings: Embeddings, capfd: pytest.CaptureFixture[str], n: int, message: str
) -> None:
    save(tmp_path / "v.npy", embeddings)
    code, out, err = run(capfd, "export", tmp_path / "v.npy", tmp_path / "w.npy", "--remove-components", n)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "w.npy").exists()


def test_save__names_the_vector_that_is_not_finite(tmp_path: Path, embeddings: Embeddings) -> None:
    """It has no part in a mean or component."""
    embeddings.center_vectors[5, 2] = np.nan
    with pytest.raises(OutputError, match="word5"):
        save(tmp_path / "v.npy", embeddings, remove_components=1)


# ---- train -------------------------------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path: Path, rng: np.random.Generator) -> Path:
    rows = [[f"item {number}" for number in row] for row in rng.integers(0, 20, (60, 10)).tolist()]
    pq.write_table(pa.table({"tokens": rows}), tmp_path / "corpus.parquet")
    return tmp_path / "corpus.parquet"


FAST = ["--dim", "8", "--epochs", "1", "--threads", "1", "--min-count", "1", "-q", "--no-save-config"]


def test_train__writes_what_export_would(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Sums and pairs of both matrices, and words with spaces in Parquet."""
    raw, both, outside = tmp_path / "v.parquet", tmp_path / "both.parquet", tmp_path / "u.parquet"
    form = ["--vectors", "concatenated", "--remove-components", 9, "--normalize", "--float16"]
    assert run(capfd, "train", corpus, "-o", raw, *FAST, "--save-outside", outside) == (0, "", "")
    assert run(capfd, "train", corpus, "-o", both, *FAST, *form) == (0, "", "")
    embeddings = with_outside(load(raw), load(outside))
    expected = select_vectors(embeddings, "concatenated", remove_components=9, normalize=True)
    expected = expected.astype(np.float16)
    assert np.array_equal(load(both).center_vectors, expected)
    assert load(both).words[0].startswith("item ")


def test_train__what_cannot_be_written_is_told_before_training(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        (["-o", tmp_path / "v.bin", "--float16"], "format binary holds no float16"),
        (
            ["-o", tmp_path / "v.bin", "--remove-components", 8],
            "--remove-components is 8, and the vectors have",
        ),
        (["-o", tmp_path / "v.safetensors"], "use v/model.safetensors"),
        (["-o", tmp_path / "v.parquet", "--save-outside", tmp_path / "u.txt"], "--escape"),
    ):
        code, _, err = run(capfd, "train", corpus, *FAST, *arguments)
        assert code == 2
        assert message in err
    assert list(tmp_path.iterdir()) == [corpus]


@pytest.mark.parametrize(
    ("name", "form"), [("v.npy", ["--float16"]), ("v.npy", ["--vectors", "concatenated"]), ("v.npy", [])]
)
def test_train__dry_run_knows_the_size(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, form: list[str]
) -> None:
    arguments = ["train", corpus, "-o", tmp_path / name, *FAST, "--escape", "--dim", "2000", *form]
    estimated = float(run(capfd, *arguments, "--dry-run")[1].split("about ")[1].split()[0]) * 1e6
    assert run(capfd, *arguments)[0] == 0
    assert estimated == pytest.approx((tmp_path / name).stat().st_size, rel=0.02, abs=6e4)
