"""The scripts that make corpora: what they write is what they say, and the planted structure is there."""

from __future__ import annotations

import gzip
import re
import tracemalloc
import zipfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from corpora import CountMismatch, convert, planted, rows_per_group, text8
from corpora.planted import Plan, command, draws, writing
from corpora.planted import items as catalogues
from corpora.planted import plan as plans
from corpora.planted import text as languages
from fastw2v.errors import CorpusError, UsageError
from fastw2v.vectors.evaluation import read_analogies, read_similarity, spearman

SMALL = Plan(words=300, tokens=20_000, relations=2, pairs=10, topics=5)
SMALL_OPTIONS = ["--words", "300", "--tokens", "20000", "--relations", "2", "--pairs", "10", "--topics", "5"]
SMALL_ITEMS = Plan(
    items=True, words=500, tokens=200_000, sentence_length=12, relations=0, pairs=0, topics=100
)
FEW_ITEMS = replace(SMALL_ITEMS, topics=20)


class Made(NamedTuple):
    """A generated corpus, read back."""

    folder: Path
    counts: planted.Counts
    sentences: list[list[str]]

    def path(self, ending: str) -> Path:
        return next(self.folder.glob(f"*.{ending}"))


def read_rows(path, column="text"):
    return pq.read_table(path).column(column).to_pylist()


def options(plan):
    """What asks the command for a plan."""
    names = ("words", "tokens", "relations", "pairs", "topics")
    return [text for name in names for text in (f"--{name}", str(getattr(plan, name)))]


def make(plan, folder):
    counts, _ = planted.generate(plan, folder)
    made = Made(folder, counts, [])
    return made._replace(sentences=[row.split(" ") for row in read_rows(made.path("parquet"))])


def run(command, *arguments, stdin=None):
    return CliRunner().invoke(command, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """The corpus of `make demo`."""
    return make(Plan(), tmp_path_factory.mktemp("default"))


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return make(SMALL_ITEMS, tmp_path_factory.mktemp("items"))


@pytest.fixture(scope="module")
def language():
    return languages.build_language(Plan())


# planted: the files


@pytest.mark.slow
def test_generate__default_counts_are_those_expected_and_those_on_disk(default):
    words = Counter(word for sentence in default.sentences for word in sentence)
    n_questions = len(read_analogies(default.path("analogies.txt")))
    n_pairs = len(read_similarity(default.path("similarity.txt")))
    actual = planted.Counts(words.total(), len(words), len(default.sentences), n_pairs, n_questions)
    assert actual == default.counts == planted.EXPECTED[Plan()]


def test_generate__default_items_have_the_expected_counts(tmp_path):
    result = run(command.main, "--items", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert f"{planted.EXPECTED[planted.ITEM_PLAN].sentences:,} sentences" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.parquet", "items.similarity.txt"]


@pytest.mark.parametrize("plan", [SMALL, SMALL_ITEMS], ids=["words", "items"])
def test_generate__same_seed_same_bytes(plan, tmp_path):
    folders = [tmp_path / name for name in ("first", "second", "other")]
    for folder, seed in zip(folders, [1, 1, 2], strict=True):
        folder.mkdir()
        planted.generate(replace(plan, seed=seed), folder)
    names = sorted(path.name for path in folders[0].iterdir())
    first, second, other = [[(folder / name).read_bytes() for name in names] for folder in folders]
    assert first == second
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_generate__more_tokens_are_of_the_same_language(tmp_path):
    planted.generate(SMALL, tmp_path)
    expected = (tmp_path / "planted.analogies.txt").read_bytes()
    planted.generate(replace(SMALL, tokens=30_000), tmp_path)
    assert (tmp_path / "planted.analogies.txt").read_bytes() == expected


def test_generate__sentences_have_the_lengths_asked_for(default):
    lengths = np.array([len(sentence) for sentence in default.sentences])
    assert lengths.max() == 30
    assert (lengths < 10).sum() <= 1  # the last one is cut
    assert lengths.mean() == pytest.approx(20, abs=0.1)


def test_generate__long_sentences_are_made_in_bounded_chunks():
    plan = replace(SMALL, tokens=3_000_000, sentence_length=600_000)
    lengths = [chunk.sum() for chunk in draws.length_chunks(plan, plan.stream(plans.SENTENCES))]
    assert sum(lengths) == 3_000_000
    assert max(lengths) <= 1_200_000


# planted: the words


def test_words__are_distinct_pronounceable_and_short_when_frequent(language):
    syllable = f"[{draws.CONSONANTS}][{draws.VOWELS}]"
    assert len(set(language.words)) == 4_000
    assert all(re.fullmatch(f"(?:{syllable})+(?:s|ly)?", word) for word in language.words)
    assert max(len(word) for word in language.words[:20]) == 2
    assert min(len(word) for word in language.words[2_000:]) >= 5


def test_words__plurals_and_adverbs_carry_their_suffix(default):
    questions = read_analogies(default.path("analogies.txt"))
    suffix = {"plural": "s", "adverb": "ly"}
    inflected = [question for question in questions if question.section in suffix]
    assert len(inflected) == 400
    assert all(q.b == q.a + suffix[q.section] and q.d == q.c + suffix[q.section] for q in inflected)


def test_relation_at__numbers_relations_beyond_the_named_ones():
    assert [languages.relation_at(i).name for i in (0, 3, 4)] == ["capital", "adverb", "relation-5"]


def test_frequencies__follow_zipf_in_the_text(default):
    counts = np.array(sorted(Counter(w for s in default.sentences for w in s).values(), reverse=True))
    ranks = np.arange(1, len(counts) + 1)
    slope, _ = np.polyfit(np.log(ranks[10:2_000]), np.log(counts[10:2_000]), 1)
    assert slope == pytest.approx(-1, abs=0.05)


def test_frequencies__are_those_of_the_language(default, language):
    counts = Counter(word for sentence in default.sentences for word in sentence)
    actual = np.array([counts[word] for word in language.words]) / default.counts.tokens
    assert np.abs(actual - language.frequencies).sum() < 0.045


def test_kinds__are_distributions_and_function_words_tell_nothing(language):
    assert language.kinds.sum(axis=1) == pytest.approx(np.ones(4_000))
    assert language.kind_probabilities.sum() == pytest.approx(1)
    everything = languages.association(language, np.arange(plans.N_FUNCTION), np.arange(4_000))
    assert everything.max() < 1e-9


# planted: the truth


def test_similarities__are_spread_evenly_over_known_words(default, language):
    pairs = read_similarity(default.path("similarity.txt"))
    scores = np.array([pair.score for pair in pairs])
    assert {word for pair in pairs for word in (pair.first, pair.second)} <= set(language.words)
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == len(pairs) == 500
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert np.histogram(scores, bins=10)[0].min() >= 40


def test_analogies__ask_different_questions_of_every_relation(default):
    questions = read_analogies(default.path("analogies.txt"))
    expected = dict.fromkeys(["capital", "currency", "plural", "adverb"], 200)
    assert Counter(question.section for question in questions) == expected
    assert len(set(questions)) == 800
    assert all(len(set(question[1:])) == 4 for question in questions)


def accuracy(vectors, words, questions):
    """Share of the questions that 3CosAdd answers; every word of the corpus may be the answer."""
    index = {word: i for i, word in enumerate(words)}
    asked = np.array([[index[word] for word in question[1:]] for question in questions])
    unit = (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    scores = (unit[asked[:, 1]] - unit[asked[:, 0]] + unit[asked[:, 2]]) @ unit.T
    np.put_along_axis(scores, asked[:, :3], -np.inf, axis=1)
    return float((scores.argmax(axis=1) == asked[:, 3]).mean())


def counted_association(sentences, words, window=5):
    """Positive pointwise mutual information of the pairs within a window; float32 (n_words, n_words)."""
    index = {word: i for i, word in enumerate(words)}
    ids = np.array([index[word] for sentence in sentences for word in sentence])
    sentence = np.repeat(np.arange(len(sentences)), [len(s) for s in sentences])
    cells = np.concatenate(
        [
            (ids[:-step] * len(words) + ids[step:])[sentence[:-step] == sentence[step:]]
            for step in range(1, window + 1)
        ]
    )
    pairs = np.bincount(cells, minlength=len(words) ** 2).reshape(len(words), -1).astype(np.float32)
    pairs += pairs.T
    share = pairs.sum(axis=1) / pairs.sum()
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(pairs / pairs.sum()) - np.log(np.outer(share, share)), 0)


@pytest.mark.slow
def test_structure__true_distributions_answer_every_analogy(default, language):
    everything = np.arange(len(language.words))
    questions = read_analogies(default.path("analogies.txt"))
    truth = languages.association(language, everything, everything)
    assert accuracy(truth, language.words, questions) >= 0.99


@pytest.mark.slow
def test_structure__is_in_the_text_and_not_in_the_same_words_shuffled(default, language, rng):
    questions = read_analogies(default.path("analogies.txt"))
    pairs = read_similarity(default.path("similarity.txt"))
    vectors = counted_association(default.sentences, language.words)
    assert accuracy(vectors, language.words, questions) >= 0.8

    index = {word: i for i, word in enumerate(language.words)}
    first, second = np.array([(index[pair.first], index[pair.second]) for pair in pairs]).T
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (unit[first] * unit[second]).sum(axis=1)
    assert spearman(cosines, [pair.score for pair in pairs]) >= 0.8

    flat = rng.permutation([word for sentence in default.sentences for word in sentence]).reshape(-1, 20)
    assert accuracy(counted_association(flat, language.words), language.words, questions) < 0.1


def test_structure__entities_have_their_own_kind_and_share_attributes(language):
    of_entity = language.kinds[:, 20:]  # after the topics, two kinds for each entity
    a, b = language.entity.reshape(-1, 2).T
    assert of_entity[a].argmax(axis=1).tolist() == list(range(0, 400, 2))
    assert of_entity[b].argmax(axis=1).tolist() == list(range(1, 400, 2))
    assert of_entity[a].max(axis=1).min() >= languages.ENTITY_SHARE


# planted: items


def test_items__stay_walk_and_jump_between_categories_as_stated(tmp_path):
    catalogue = catalogues.build_catalogue(FEW_ITEMS)
    category = dict(zip(catalogue.words, catalogue.category, strict=True))
    sessions = make(FEW_ITEMS, tmp_path).sentences
    steps = np.array([(category[x], category[y]) for session in sessions for x, y in pairwise(session)])
    counted = np.zeros((20, 20))
    np.add.at(counted, tuple(steps.T), 1)
    actual = counted / counted.sum(axis=1, keepdims=True)
    assert np.abs(actual - catalogues.transitions(catalogue)).max() < 0.03
    assert (steps[:, 0] == steps[:, 1]).mean() > catalogues.STAY


def test_items__have_their_frequencies(items):
    catalogue = catalogues.build_catalogue(SMALL_ITEMS)
    counts = Counter(item for session in items.sentences for item in session)
    actual = np.array([counts[word] for word in catalogue.words]) / items.counts.tokens
    assert np.abs(actual - catalogue.frequencies).sum() < 0.05


def test_items__similarity_is_that_of_their_categories(items):
    catalogue = catalogues.build_catalogue(SMALL_ITEMS)
    category = dict(zip(catalogue.words, catalogue.category.tolist(), strict=True))
    levels = {"same": [], "near": [], "far": []}
    for pair in read_similarity(items.path("similarity.txt")):
        x, y = category[pair.first], category[pair.second]
        levels["same" if x == y else "near" if x // 10 == y // 10 else "far"].append(pair.score)
    assert all(len(scores) >= 50 for scores in levels.values())
    assert min(levels["same"]) == 1
    assert max(levels["far"]) < min(levels["near"]) <= max(levels["near"]) < 1


def test_items__are_named_by_number(items):
    assert all(re.fullmatch(r"item_\d{6}", item) for session in items.sentences for item in session)


# planted: bad input


def test_check__wrong_counts_name_the_count_and_exit_with_1(tmp_path, monkeypatch):
    expected = planted.Counts(20_000, 300, 1_001, 500, 181)
    monkeypatch.setitem(planted.EXPECTED, SMALL, expected)
    result = run(command.main, *options(SMALL), "-o", tmp_path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "Error: 180 questions were made, not 181; do not compare results on this corpus"
    ]


@pytest.mark.parametrize("name", planted.Counts._fields)
def test_check__every_count_counts(name):
    counts = planted.Counts(20_000, 300, 1_001, 500, 180)
    intended = writing.intended_ranges(SMALL, draws.zipf_frequencies(300))
    writing.check(counts, intended)
    with pytest.raises(CountMismatch, match=f"{name} were made"):
        writing.check(counts._replace(**{name: getattr(counts, name) // 2}), intended)


def test_assign_roles__names_the_fewest_words_that_suffice(rng):
    plan = Plan(words=100)
    with pytest.raises(UsageError, match="at least") as error:
        languages.assign_roles(plan, rng)
    least = int(re.search(r"at least (\d+)", str(error.value)).group(1))
    roles = languages.assign_roles(replace(plan, words=least), rng)
    ranks = np.concatenate([roles.side.ravel(), roles.attribute, roles.entity.ravel()])
    assert len(np.unique(ranks)) == len(ranks)
    assert ranks.min() >= plans.N_FUNCTION
    assert ranks.max() == least - 1
    with pytest.raises(UsageError, match="too few"):
        languages.assign_roles(replace(plan, words=least - 1), rng)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--words", "100"], "--words 100 is too few"),
        (["--words", "900000"], "is over 30,000,000"),
        (["--items", "--pairs", "9"], "--pairs 9 has no meaning with --items"),
        (["--items", "--words", "30", "--topics", "31"], "--topics 31 is more than 30 items"),
        (["--items", "--words", "9000", "--topics", "9000"], "give fewer"),
    ],
)
def test_planted__an_impossible_plan_is_one_line(arguments, message, tmp_path):
    result = run(command.main, *arguments, "-o", tmp_path)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_planted__a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    result = run(command.main, *options(SMALL), "-o", tmp_path / "file" / "folder")
    assert result.exit_code == 5
    assert "choose another folder" in result.output


# convert


def converted(tmp_path, *arguments, stdin=None):
    result = run(convert.main, *arguments, "-o", tmp_path / "out.parquet", stdin=stdin)
    assert result.exit_code == 0, result.output
    return read_rows(tmp_path / "out.parquet")


def refused(tmp_path, *arguments, stdin=None):
    """The one line that says why; nothing may be written."""
    result = run(convert.main, *arguments, "-o", tmp_path / "out.parquet", stdin=stdin)
    assert result.exit_code == 3, result.output
    assert result.output.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if "out" in path.name or "tmp" in path.name]
    return result.output


def test_convert__one_line_is_one_row_as_it_stands(tmp_path):
    text = "\ufeffDie  Straße\r\n\n\tein\u2028Wort\x0b \nlast"
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert converted(tmp_path, tmp_path / "a.txt") == ["Die  Straße", "", "\tein\u2028Wort\x0b ", "last"]


def test_convert__folders_are_read_in_order_with_gz_and_without_hidden_files(tmp_path):
    folder = tmp_path / "texts"
    (folder / "deep").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "b.txt").write_text("second\n")
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"first\n"))
    (folder / "deep" / "c").write_text("third")
    (folder / ".git" / "config").write_bytes(b"\xff")
    output = folder / "out.parquet"
    for _ in range(2):  # the second time the output is in the folder
        result = run(convert.main, folder, "-o", output)
        assert read_rows(output) == ["first", "second", "third"]
    assert result.output == f"{output}: 3 rows, 3 words from 3 files\n"


def test_convert__reads_standard_input(tmp_path):
    assert converted(tmp_path, "-", stdin=b"one two\nthree\n") == ["one two", "three"]


def test_convert__lowercase_column_and_words_per_row(tmp_path):
    (tmp_path / "a").write_text("A B Ç\nD E\nF G H I J")
    result = run(
        convert.main,
        tmp_path / "a",
        "-o",
        tmp_path / "o",
        "--lowercase",
        "--words-per-row",
        2,
        "--column",
        "t",
    )
    assert read_rows(tmp_path / "o", "t") == ["a b", "ç", "d e", "f g", "h i", "j"]
    assert "6 rows, 10 words" in result.output


def test_convert__document_is_one_row_for_a_file(tmp_path):
    (tmp_path / "a").write_text("one\n\ntwo " * 2_000)
    (tmp_path / "b").write_text("")
    expected = ["one\n\ntwo " * 2_000]
    assert converted(tmp_path, "--document", tmp_path / "a", tmp_path / "b") == [*expected, ""]


def test_convert__bad_bytes_name_file_and_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\n" * 300_000 + b"caf\xe9 noir\n")
    for option in ([], ["--document"]):
        assert f"{path}: line 300001: bytes e9 are not UTF-8" in refused(tmp_path, path, *option)
    rows = converted(tmp_path, path, "--errors", "replace")
    assert rows[-1] == "caf\ufffd noir"


def test_convert__bad_bytes_in_a_giant_line_name_its_number(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x\n" + b"word " * 500_000 + b"\xc3\x28")
    assert "a.txt: line 2: bytes c3 are not UTF-8" in refused(tmp_path, tmp_path / "a.txt")


def test_convert__a_cut_gzip_file_is_named(tmp_path):
    packed = gzip.compress(np.random.default_rng(0).bytes(1_000).hex().encode())
    (tmp_path / "cut.gz").write_bytes(packed[:400])
    (tmp_path / "no.gz").write_text("plain")
    for name in ("cut.gz", "no.gz"):
        assert f"{name}: is not a whole gzip file" in refused(tmp_path, tmp_path / name)


def test_convert__missing_and_empty_sources_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "none.txt: there is no such file" in refused(tmp_path, tmp_path / "none.txt")
    assert "empty: holds no files" in refused(tmp_path, tmp_path / "empty")


def test_convert__a_word_without_end_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * (18 << 20))
    assert "line 1: a word is over 16 MB" in refused(tmp_path, tmp_path / "a.txt")


def test_cut_blocks__a_giant_line_takes_bounded_memory():
    word = b"w" * 999 + b" "
    blocks = (word * 1_000 for _ in range(60))  # 60 MB without a line feed
    tracemalloc.start()
    rows = sum(len(row.split()) == 100 for row in convert.cut_blocks(blocks, "giant", convert.Rules(100)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 600
    assert peak < 16e6


LINES = st.lists(st.lists(st.text("aé€𝄞", min_size=1, max_size=6), max_size=40), max_size=6)


@given(LINES, st.integers(1, 50), st.integers(1, 12), st.booleans())
def test_cut_blocks__no_cut_changes_the_words(lines, block_bytes, words_per_row, final_line_feed):
    text = "\n".join(" ".join(line) for line in lines) + ("\n" if final_line_feed else "")
    raw = text.encode()
    blocks = [raw[i : i + block_bytes] for i in range(0, len(raw), block_bytes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "BLOCK_BYTES", 40)  # a line longer than this is taken for a giant
        rows = list(convert.cut_blocks(blocks, "text", convert.Rules(words_per_row)))
    expected = [
        " ".join(line[i : i + words_per_row])
        for line in lines
        for i in range(0, max(len(line), 1), words_per_row)
    ]
    assert [row for row in rows if row] == [row for row in expected if row]
    assert len(rows) == len(expected) - (bool(lines) and not lines[-1] and not final_line_feed) + (
        not lines and final_line_feed
    )


def test_rows_per_group__bounds_the_words_held_in_memory():
    assert [rows_per_group(n) for n in (1, 1_000, 10_000, 10**9)] == [8_192, 8_192, 819, 1]


# text8

TEXT = b" anarchism originated as a term of abuse as a term" * 50
COUNTS = text8.Counts(bytes=2_500, words=500, distinct=7)


def zipped(path, *names, text=TEXT):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, text)
    return path


@pytest.fixture(params=["text8.zip", "text8", "text8.gz"])
def source(request, tmp_path):
    path = tmp_path / request.param
    if path.suffix == ".zip":
        return zipped(path, "text8")
    path.write_bytes(gzip.compress(TEXT) if path.suffix == ".gz" else TEXT)
    return path


def test_text8__writes_a_local_file_unchecked(source, tmp_path):
    output = tmp_path / "text8.parquet"
    result = run(text8.main, "--from", source, "--no-check", "-o", output)
    assert result.exit_code == 0, result.output
    assert "2,500 bytes, 500 words, 7 distinct, 1 rows, not checked" in result.output
    assert [row.split() for row in read_rows(output)] == [TEXT.decode().split()]


def test_text8__wrong_counts_exit_with_1_and_leave_nothing(source, tmp_path):
    result = run(text8.main, "--from", source, "-o", tmp_path / "text8.parquet")
    assert result.exit_code == 1
    assert result.output == (
        f"Error: {source}: 2,500 bytes, not 100,000,000; fetch it again or give --no-check\n"
    )
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("name", text8.Counts._fields)
def test_convert_text8__accepts_the_right_counts_only(name, tmp_path):
    source, output = zipped(tmp_path / "t.zip", "text8"), tmp_path / "o.parquet"
    wrong = COUNTS._replace(**{name: getattr(COUNTS, name) + 1})
    with pytest.raises(CountMismatch, match=f"{getattr(COUNTS, name):,} {name}, not"):
        text8.convert(source, output, wrong)
    assert text8.convert(source, output, COUNTS).counts == COUNTS


def test_text8__fetches_from_an_address(tmp_path):
    address = zipped(tmp_path / "there.zip", "text8").as_uri()
    result = run(text8.main, "--url", address, "--no-check", "-o", tmp_path / "o.parquet")
    assert result.exit_code == 0, result.output
    assert f"fetching {address}" in result.output
    assert len(read_rows(tmp_path / "o.parquet")) == 1


@pytest.mark.parametrize("address", ["file:///nowhere/text8.zip", "http://127.0.0.1:9/text8.zip", "nonsense"])
def test_text8__an_address_that_fails_names_the_way_out(address, tmp_path):
    result = run(text8.main, "--url", address, "-o", tmp_path / "o.parquet")
    assert result.exit_code == 3
    assert "fetch it by hand and give --from FILE" in result.output.splitlines()[-1]


def test_text8__a_damaged_or_crowded_zip_is_named(tmp_path):
    damaged = zipped(tmp_path / "damaged.zip", "text8")
    content = bytearray(damaged.read_bytes())
    content[60] ^= 0xFF
    damaged.write_bytes(content)
    crowded = zipped(tmp_path / "crowded.zip", "one", "two")
    for path, message in [(damaged, "is not a whole zip file"), (crowded, "holds 2 files, not 1")]:
        result = run(text8.main, "--from", path, "--no-check", "-o", tmp_path / "o.parquet")
        assert result.exit_code == 3
        assert message in result.output
    assert not (tmp_path / "o.parquet").exists()


def test_text8__a_missing_file_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"none\.zip: cannot be read"):
        text8.convert(tmp_path / "none.zip", tmp_path / "o.parquet", None)
