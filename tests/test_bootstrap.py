"""Weights of sentences in a bootstrap, and samples of a corpus: what they are of, kept, resumed, refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastw2v
from corpora.small import corpus_of, grouped
from fastw2v import cli
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.model.bootstrap import LIMITS, poisson_weights
from fastw2v.model.streams import GAMMA, MASK, mix64, sample_key, sample_seed
from fastw2v.run.stability import require_place, resampled
from fastw2v.show.sampling import sample_line
from fastw2v.vectors import samples
from fastw2v.vectors.stability import Stability

# The NumPy reference: nothing is compiled.
OPTIONS: dict[str, Any] = {"dim": 4, "epochs": 1, "backend": "reference", "sample": 0.0, "lr": 0.05}


def test_weights__are_those_of_python_integers() -> None:
    key = sample_key(7, 3)
    expected = []
    for sentence in range(200):
        uniform = (mix64((key + sentence * GAMMA) & MASK) >> 11) * 2.0**-53
        expected.append(sum(uniform >= limit for limit in LIMITS))
    assert poisson_weights(7, 3, 0, 200).tolist() == expected
    assert poisson_weights(7, 3, 50, 20).tolist() == expected[50:70]


def test_weights__are_poisson_and_differ_by_seed_and_sample() -> None:
    n = 200_000
    weights = poisson_weights(1, 1, 0, n)
    for count in range(6):
        share = math.exp(-1) / math.factorial(count)
        assert abs((weights == count).mean() - share) < 4 * math.sqrt(share / n)
    for other in (poisson_weights(1, 2, 0, n), poisson_weights(2, 1, 0, n)):
        assert abs(np.corrcoef(weights, other)[0, 1]) < 4 / math.sqrt(n)


def test_seeds__of_samples_are_different_and_fit_an_option() -> None:
    seeds = [sample_seed(seed, sample) for seed in (1, 2) for sample in range(1, 100)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize("at_once", [3, 1 << 18])
def test_resampled__counts_words_by_the_weights(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("fastw2v.run.stability.SENTENCES_AT_ONCE", at_once)
    corpus = corpus_of([0, 1, 0, 2, 2, 1, 0, 1, 2, 2, 2], 3, [2, 3, 1, 1, 4])
    drawn = resampled(corpus, 5, 2)
    weights = poisson_weights(5, 2, 0, 5)
    assert drawn.weights is not None
    assert drawn.weights.tolist() == weights.tolist()
    expected = np.zeros(3)
    for sentence, weight in enumerate(weights):
        for word in corpus.ids[corpus.offsets[sentence] : corpus.offsets[sentence + 1]]:
            expected[word] += weight
    assert drawn.vocabulary.counts.tolist() == expected.tolist()
    assert drawn.vocabulary.words == corpus.vocabulary.words
    given = corpus._replace(weights=np.full(5, 2, np.float32))
    again = resampled(given, 5, 2)
    assert again.weights is not None
    assert again.weights.tolist() == (2 * weights).tolist()


@pytest.fixture(scope="module", name="made")
def fixture_made(tmp_path_factory: pytest.TempPathFactory) -> Stability:
    """Three samples of four groups of words."""
    path = tmp_path_factory.mktemp("samples") / "groups.stability"
    return fastw2v.stability(grouped(4, 150), path, samples=3, **OPTIONS)


def digests(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_samples__are_vectors_of_length_1(made: Stability) -> None:
    assert repr(made) == "<Stability of 3 samples of 20 words x 4>"
    for sample in made.samples:
        assert (sample.dtype, sample.shape) == (np.float16, (20, 4))
        assert np.abs(np.linalg.norm(sample.astype(np.float64), axis=1) - 1).max() < 2e-3
    assert not np.array_equal(made.samples[0], made.samples[1])
    assert made.options["dim"] == 4


def test_samples__are_what_training_on_the_weights_gives(made: Stability) -> None:
    """The second sample, by the pieces that it is made of."""
    from fastw2v.config import TrainConfig
    from fastw2v.training.loop import train

    config = TrainConfig(**OPTIONS, seed=sample_seed(TrainConfig.seed, 2))
    vectors = train(resampled(grouped(4, 150), TrainConfig.seed, 2), config).embeddings.center_vectors
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(made.samples[1] - unit).max() < 1e-3


def test_samples__go_on_to_the_same_bytes(made: Stability, tmp_path: Path) -> None:
    """Two first, then all three; a sample that was damaged meanwhile is made again, others stay."""
    path, corpus = tmp_path / "s", grouped(4, 150)
    fastw2v.stability(corpus, path, samples=2, **OPTIONS)
    kept = samples.sample_path(path, 2).stat().st_mtime_ns
    samples.sample_path(path, 1).write_bytes(b"damage")
    fastw2v.stability(corpus, path, samples=3, **OPTIONS)
    assert samples.sample_path(path, 2).stat().st_mtime_ns == kept
    assert digests(path) == digests(made.path)


def test_samples__after_a_stop(made: Stability, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, corpus, write = tmp_path / "s", grouped(4, 150), samples.write_sample

    def stop(folder: Path, number: int, vectors: Any) -> Any:
        if number == 2:
            raise KeyboardInterrupt
        return write(folder, number, vectors)

    monkeypatch.setattr(samples, "write_sample", stop)
    with pytest.raises(KeyboardInterrupt):
        fastw2v.stability(corpus, path, samples=3, **OPTIONS)
    monkeypatch.undo()
    assert len(Stability(path)) == 1
    fastw2v.stability(corpus, path, samples=3, **OPTIONS)
    assert digests(path) == digests(made.path)


def test_samples__of_other_options_or_another_corpus_are_refused(made: Stability) -> None:
    with pytest.raises(UsageError, match=r"holds samples with dim 4, and 5 is asked for: give another"):
        fastw2v.stability(grouped(4, 150), made.path, samples=3, **OPTIONS | {"dim": 5})
    with pytest.raises(UsageError, match="holds samples of another corpus"):
        fastw2v.stability(grouped(4, 151), made.path, samples=3, **OPTIONS)


def test_samples__begin_again_where_only_words_were_written(tmp_path: Path) -> None:
    """As a process that was killed may leave it, with what it was writing."""
    (tmp_path / samples.WORDS).write_text("[")
    (tmp_path / ".fastw2v-0123456789ab.tmp").write_text("")
    require_place(tmp_path)
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(OutputError, match="is a folder of other files"):
        require_place(tmp_path)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "minutes": ({"minutes": 1}, "minutes"),
    "holdout": ({"holdout": 0.1}, "holdout"),
    "resume": ({"resume": "x"}, "resume"),
    "graph": ({"graph": True}, "graph"),
    "samples": ({"samples": 1}, "samples is 1: it must be from 2 to 1,000"),
    "dim": ({"dim": 0}, "dim is 0"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_stability__refuses(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fastw2v.stability(grouped(4, 150), tmp_path / "s", **{**OPTIONS, **options})
    assert not (tmp_path / "s").exists()


def test_stability__of_few_sentences(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the corpus has 20 sentences, and samples are drawn of them"):
        fastw2v.stability(grouped(4, 20), tmp_path / "s", **OPTIONS)


def test_stability__leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is a folder of other files"):
        fastw2v.stability(grouped(4, 150), tmp_path, **OPTIONS)
    with pytest.raises(OutputError, match="is a file"):
        fastw2v.stability(grouped(4, 150), tmp_path / "notes.txt", **OPTIONS)


def break_words(folder: Path) -> None:
    (folder / samples.WORDS).write_text("{}")


def break_manifest(folder: Path) -> None:
    (folder / samples.MANIFEST).write_text('{"format": 1')


def break_format(folder: Path) -> None:
    fields = json.loads((folder / samples.MANIFEST).read_text())
    (folder / samples.MANIFEST).write_text(json.dumps(fields | {"format": 99}))


def break_sample(folder: Path) -> None:
    samples.sample_path(folder, 1).write_bytes(samples.sample_path(folder, 1).read_bytes()[:200])


def pickle_sample(folder: Path) -> None:
    np.save(samples.sample_path(folder, 1), np.array([{}], object), allow_pickle=True)


def lose_sample(folder: Path) -> None:
    samples.sample_path(folder, 1).unlink()


BROKEN = (break_words, break_manifest, break_format, break_sample, pickle_sample, lose_sample)


@pytest.mark.parametrize("damage", BROKEN, ids=lambda damage: damage.__name__)
def test_open__damaged(made: Stability, tmp_path: Path, damage: Any) -> None:
    for path in made.path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damage(tmp_path)
    with pytest.raises(CorpusError) as found:
        Stability(tmp_path)
    assert str(tmp_path) in str(found.value)
    assert "\n" not in str(found.value)


def test_open__of_no_samples(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no samples"):
        Stability(tmp_path)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    return int(stop.value.code or 0)


FLAGS = ["--dim=4", "--epochs=1", "--backend=reference", "--sample=0", "--lr=0.05", "--min-count=1"]


def text_of(path: Path) -> Path:
    corpus = grouped(4, 150)
    rows = corpus.ids.reshape(-1, 12)
    path.write_text("\n".join(" ".join(f"w{i}" for i in row) for row in rows))
    return path


def test_sample_line__says_which_and_how_long_the_rest_takes() -> None:
    progress: Any = SimpleNamespace(share=0.25, seconds=30.0, seconds_left=90.0, rate=1e5, mean_loss=2.5)
    line = sample_line(progress, 3, 5)
    assert line.startswith("sample 3 of 5  25.0%  100,000 words/s  loss 2.5000  ETA 1:30, all 5:30")


def test_command__trains_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text_of(tmp_path / "groups.txt")
    assert run("stability", "groups.txt", "--samples", "2", "-v", *FLAGS) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "2 samples of 20 words x 4 take 0 MB in groups.stability" in told.err
    assert "2 samples are in groups.stability" in told.err
    before = digests(tmp_path / "groups.stability")
    assert run("stability", "groups.txt", "--samples", "2", *FLAGS) == 0
    assert "holds 2 samples of this corpus and options: they stay" in capsys.readouterr().err
    assert digests(tmp_path / "groups.stability") == before
    assert run("stability", "groups.txt", "--samples", "1", *FLAGS) == 2
    assert "samples is 1: it must be from 2 to 1,000" in capsys.readouterr().err
    assert run("stability", *FLAGS) == 2
    assert "no corpus given" in capsys.readouterr().err
