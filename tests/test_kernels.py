"""The kernels against their definitions: numbers, units of work, workers, machine code.

That each agrees with the reference is in test_properties.
"""

from __future__ import annotations

import re
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import binding
from numba import njit, prange
from numpy.typing import NDArray

from fastw2v.errors import OutputError
from fastw2v.kernels import intrinsics, jit, objectives, pair, scalar, units
from fastw2v.kernels.backend import KernelBackend, run_workers
from fastw2v.model.arrays import UNIT, Totals, Vectors, n_units
from fastw2v.model.plan import NegativeSampling, Schedule
from fastw2v.model.streams import epoch_key, noise_stream
from fastw2v.reference import losses
from fastw2v.reference import objectives as reference_objectives
from fastw2v.reference import units as reference_units
from fastw2v.training.matrices import aligned_zeros
from tests.conftest import start_vectors

Floats = NDArray[np.float32]


# --- functions of one number -------------------------------------------------------------------------------


def over(function: Any) -> Callable[[Floats], Floats]:
    """A kernel function of one float32, applied to each of an array."""

    def apply(xs: Any) -> Any:
        results = np.empty_like(xs)
        for i in range(len(xs)):
            results[i] = function(xs[i])
        return results

    compiled: Callable[[Floats], Floats] = njit(apply)
    return compiled


@pytest.fixture(scope="module")
def grid() -> Floats:
    """Two million float32 from −100 to 100, every power of two in the range of float32, and both zeros."""
    powers = np.float32(2) ** np.arange(-126, 128, dtype=np.float32)
    edges = np.array([0.0, -0.0, 1e4, -1e4, 79.99, 80.01])
    return np.concatenate([np.linspace(-100, 100, 2_000_001), powers, -powers, edges]).astype(np.float32)


def test_exp_minus_abs__error(grid: Floats) -> None:
    """Absolute error under 2e-7, as its docstring says; relative error under 1e-5 down to exp(−80)."""
    actual, exact = over(scalar.exp_minus_abs)(grid).astype(float), np.exp(-np.abs(grid.astype(float)))
    assert np.abs(actual - exact).max() < 2e-7
    clamped = np.abs(grid) > 80
    assert np.abs(actual / np.where(clamped, np.exp(-80), exact) - 1).max() < 1e-5


def test_sigmoid__error(grid: Floats) -> None:
    """Absolute error under 3e-7, and never outside 0..1."""
    actual = over(scalar.sigmoid)(grid).astype(float)
    assert np.abs(actual - losses.sigmoid(grid.astype(float))).max() < 3e-7
    assert actual.min() >= 0
    assert actual.max() <= 1


def test_softplus__error(grid: Floats) -> None:
    """Absolute error under 1e-6 beside float32 rounding of x, and never negative."""
    actual = over(scalar.softplus)(grid).astype(float)
    error = np.abs(actual - losses.softplus(grid.astype(float)))
    assert (error - np.spacing(np.abs(grid)) / 2).max() < 1e-6
    assert error[np.abs(grid) < 30].max() < 2e-6
    assert actual.min() >= 0


def test_sigmoid_and_softplus__limits() -> None:
    """±∞ have the limits' values, to 1e-34; NaN stays NaN, so that a diverged run shows."""
    xs = np.array([np.inf, -np.inf, np.nan], np.float32)
    sigmoids, softplusses = over(scalar.sigmoid)(xs), over(scalar.softplus)(xs)
    np.testing.assert_allclose(sigmoids, [1.0, 0.0, np.nan], atol=1e-34)
    np.testing.assert_allclose(softplusses, [np.inf, 0.0, np.nan], atol=1e-34)


def test_truncated__drops_the_fraction() -> None:
    xs = np.array([0.0, 0.99, 1.0, -0.99, -1.0, -115.4, 1e6 + 0.5, -(2.0**30)], np.float32)
    np.testing.assert_array_equal(over(intrinsics.truncated)(xs), np.trunc(xs))


def test_power_of_two__is_exact() -> None:
    xs = np.arange(-126, 128, dtype=np.float32)
    np.testing.assert_array_equal(over(intrinsics.power_of_two)(xs), np.ldexp(1.0, xs.astype(int)))


def test_prefetch_row__changes_nothing_and_may_point_past_the_end() -> None:
    def ask(matrix: Any) -> None:
        for row in range(matrix.shape[0] + 1000):
            intrinsics.prefetch_row(matrix, row, 16)

    matrix = np.arange(64, dtype=np.float32).reshape(2, 32)
    njit(ask)(matrix)
    np.testing.assert_array_equal(matrix.ravel(), np.arange(64))


def test_atomic_add__gives_every_number_once() -> None:
    """20,000 takers in parallel: every ticket from 5 on is given out once, and none is lost."""

    def take(counter: Any, tickets: Any) -> None:
        for i in prange(tickets.shape[0]):
            tickets[i] = intrinsics.atomic_add(counter, 1)

    counter, tickets = np.array([5, 77], np.int64), np.zeros(20_000, np.int64)
    njit(take, parallel=True)(counter, tickets)
    assert counter.tolist() == [20_005, 77]
    assert np.sort(tickets).tolist() == list(range(5, 20_005))


# --- a unit of work ----------------------------------------------------------------------------------------

SENTENCE_LENGTHS = st.one_of(
    st.integers(0, 4), st.integers(0, 60), st.sampled_from([UNIT - 1, UNIT, UNIT + 1, UNIT + 700])
)
CORPORA = st.lists(SENTENCE_LENGTHS, min_size=1, max_size=12).filter(lambda s: 0 < sum(s) < 3 * UNIT + 500)
GUARD, FILL = 64, -77


class GuardedKept:
    """Room for one unit between guards, as large as the kernel makes it, so a write beside it shows."""

    def __init__(self, architecture: Any) -> None:
        capacity = len(units.new_kept(architecture, None).ids)
        self.whole = [np.full(capacity + 2 * GUARD, FILL, np.int32) for _ in range(3)]
        self.kept = units.Kept(*(array[GUARD : GUARD + capacity] for array in self.whole))

    def guards(self) -> set[int]:
        return {int(x) for array in self.whole for x in (*array[:GUARD], *array[-GUARD:])}


def assert_unit_agrees(inputs: Any, unit: int) -> None:
    """The kernel's keep_unit and the reference's: words, sentences, radii, the centres' range."""
    tokens, architecture, _, schedule = inputs
    guarded = GuardedKept(architecture)
    kept = guarded.kept
    begin, end, size = units.keep_unit(tokens, architecture, schedule.epoch_key, unit, kept)
    expected, centers = reference_units.keep_unit(tokens, architecture, int(schedule.epoch_key), unit)
    assert (begin, end, size) == (centers.start, centers.stop, len(expected))
    assert kept.ids[:size].tolist() == [token.word for token in expected]
    sentences = [token.sentence for token in expected]
    assert kept.first[:size].tolist() == [sentences.index(sentence) for sentence in sentences]
    assert kept.radius[begin:end].tolist() == [expected[i].radius for i in centers]
    assert guarded.guards() == {FILL}


@given(
    CORPORA,
    st.one_of(st.integers(1, 12), st.sampled_from([300, UNIT + 7, 10**6])),
    st.integers(0, 1),
    st.sampled_from([0.0, 1e-2, 1e-3, 1e-5]),
    st.integers(0, 2**64 - 1),
)
@settings(max_examples=40)
def test_keep_unit__agrees_with_the_reference(
    make_inputs: Any, lengths: list[int], radius: int, fixed: int, sample: float, key: int
) -> None:
    """On corpora with empty, single-token and giant sentences, any window, any subsampling, any key."""
    inputs = make_inputs(lengths, 9, radius=radius, fixed=fixed, sample=sample)
    inputs = inputs._replace(schedule=inputs.schedule._replace(epoch_key=np.uint64(key)))
    for unit in range(n_units(sum(lengths))):
        assert_unit_agrees(inputs, unit)


@pytest.mark.parametrize(
    "lengths",
    [[UNIT, UNIT], [UNIT, 0, 0, 5], [0, 0, UNIT - 1, 0, 2, 0], [3 * UNIT + 1], [1] * (UNIT + 3), [UNIT + 1]],
    ids=["whole units", "empty at a border", "across a border", "giant", "single tokens", "one token over"],
)
@pytest.mark.parametrize("radius", [1, 5, UNIT + 100])
def test_keep_unit__agrees_at_the_borders_of_units(lengths: list[int], radius: int, make_inputs: Any) -> None:
    inputs = make_inputs(lengths, 9, radius=radius, sample=1e-3)
    for unit in range(n_units(sum(lengths))):
        assert_unit_agrees(inputs, unit)


def test_sentence_at__is_never_an_empty_one_before() -> None:
    """Offsets 0 0 0 2 2 5 5: sentences 2 (tokens 0, 1) and 4 (tokens 2, 3, 4)."""
    offsets = np.array([0, 0, 0, 2, 2, 5, 5])
    assert [units.sentence_at(offsets, p) for p in range(5)] == [2, 2, 4, 4, 4]


def test_learning_rate_at__agrees_with_the_reference() -> None:
    for before, position in [(0, 0), (0, 4096), (10**6, 4096 * 100), (10**9 - 5000, 4096)]:
        schedule = Schedule(np.uint64(0), before, 10**9, 0.025, 2.5e-6)
        expected = reference_units.learning_rate_at(schedule, position)
        assert units.learning_rate_at(schedule, position) == pytest.approx(expected, rel=1e-7)
    assert units.learning_rate_at(Schedule(np.uint64(0), 10**9, 10**9, 0.025, 0.5), 0) == 0.5


@pytest.mark.parametrize("n_words", [1, 2, 3, 50])
def test_draw_negatives__agrees_with_the_reference(n_words: int, make_inputs: Any) -> None:
    """The same words, and the state after the same number of draws, for outside words of all kinds."""
    objective = NegativeSampling(15, make_inputs([200], n_words).unigram_table)
    state = np.uint64(units.noise_stream(np.uint64(epoch_key(1, 0)), 3))
    draws = noise_stream(epoch_key(1, 0), 3)
    negatives = np.zeros(15, np.int64)
    for outside in range(min(n_words, 10)):
        state, n = objectives.draw_negatives(objective, np.uint64(state), outside, negatives)
        expected = reference_objectives.draw_negatives(objective, draws, outside)
        assert negatives[:n].tolist() == expected
        assert (n_words == 1) == (n == 0)


# --- kernel `pair` against the reference -------------------------------------------------------------------


def kernel_on(vectors: Vectors, inputs: Any, n_negatives: int = 5, n_workers: int = 1) -> KernelBackend:
    return KernelBackend(inputs.plan(n_negatives=n_negatives), vectors, n_workers)


# --- many workers ------------------------------------------------------------------------------------------

CLUSTERS, CLUSTER_WORDS, TOY_WORDS = 8, 10, 80


@pytest.fixture(scope="module")
def clustered(make_inputs: Any) -> Any:
    """80,000 tokens in sentences of 10, each from one of eight clusters of ten words."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(rng.integers(0, CLUSTERS, 8000), 10)
    return make_inputs([10] * 8000, TOY_WORDS, ids=rng.integers(0, CLUSTER_WORDS, 80_000) + 10 * cluster)


def trained_on(inputs: Any, n_workers: int) -> tuple[Vectors, list[Totals]]:
    """Vectors and totals of three epochs from word2vec's start: V small, U zero."""
    vectors = Vectors(aligned_zeros(TOY_WORDS, 16), aligned_zeros(TOY_WORDS, 16))
    vectors.center[:] = (np.random.default_rng(0).random((TOY_WORDS, 16)) - 0.5) / 16
    backend = kernel_on(vectors, inputs, n_workers=n_workers)
    end = n_units(len(inputs.tokens.ids))
    return vectors, [backend.train(inputs.tokens, inputs.epoch(epoch, 3), 0, end) for epoch in range(3)]


@pytest.fixture(scope="module")
def runs(clustered: Any) -> dict[int, tuple[Vectors, list[Totals]]]:
    """The same run by one worker and by four."""
    return {n_workers: trained_on(clustered, n_workers) for n_workers in (1, 4)}


def neighbours(vectors: Vectors) -> NDArray[np.intp]:
    """The nearest nine other words of each word by cosine, (TOY_WORDS, 9)."""
    unit = vectors.center / np.linalg.norm(vectors.center, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    return np.argsort(-cosines, axis=1)[:, : CLUSTER_WORDS - 1]


def test_pair__many_workers_reach_the_same_loss(runs: Any) -> None:
    """Mean loss of every epoch within 1 % of one worker's, falling from 6 ln 2 = 4.159 a pair."""
    one, four = ([totals.loss / totals.n_pairs for totals in runs[n][1]] for n in (1, 4))
    np.testing.assert_allclose(four, one, rtol=0.01)
    assert four[2] < four[1] < four[0] < 2


def test_pair__many_workers_find_the_same_neighbours(runs: Any) -> None:
    """The nearest nine words of each word are the others of its cluster, with one worker and with four."""
    own = np.arange(TOY_WORDS) // CLUSTER_WORDS
    for vectors, _ in runs.values():
        assert (own[neighbours(vectors)] == own[:, None]).all()


def test_kernel_backend__workers_have_rows_of_their_own(clustered: Any) -> None:
    """Four workers and one unit: one row of totals gets all, the others stay zero; unused columns too."""
    vectors = start_vectors(TOY_WORDS, 16)
    backend = kernel_on(vectors, clustered, n_workers=4)
    totals = backend.train(clustered.tokens, clustered.schedule, 2, 3)
    assert backend.totals.shape[0] == 4
    assert np.count_nonzero(backend.totals[:, :3].any(axis=1)) == 1
    assert backend.totals.sum(axis=0).tolist() == [*totals, 0, 0, 0, 0, 0]
    assert totals.n_kept == UNIT


def test_kernel_backend__rows_add_up_and_are_cleared_by_the_next_call(clustered: Any, runs: Any) -> None:
    """In the second call, when all units cost about the same, each row's loss and pairs are those it kept."""
    backend = kernel_on(start_vectors(TOY_WORDS, 16), clustered, n_workers=4)
    for _ in range(2):
        totals = backend.train(clustered.tokens, clustered.epoch(0, 3), 0, n_units(80_000))
        assert totals[1:] == runs[1][1][0][1:]
        assert not backend.totals[:, 3:].any()
    loss, pairs, kept = backend.totals.T[:3]
    np.testing.assert_array_equal(pairs, np.round(pairs))
    np.testing.assert_allclose(pairs, kept * totals.n_pairs / totals.n_kept, rtol=0.1)
    np.testing.assert_allclose(loss, pairs * totals.loss / totals.n_pairs, rtol=0.5)


# --- threads -----------------------------------------------------------------------------------------------


def test_run_workers__all_run_at_once_and_one_failure_is_raised() -> None:
    together, seen = threading.Barrier(5), set[int]()

    def work(worker: int) -> None:
        together.wait(10)
        seen.add(worker)
        if worker == 3:
            raise MemoryError

    with pytest.raises(MemoryError):
        run_workers(work, 5)
    assert seen == set(range(5))


def test_run_workers__begins_nothing_where_threads_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started, seen = threading.Thread.start, [], []

    def limited(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(OutputError, match="5 threads asked for, the system gives 3: lower --threads"):
        run_workers(seen.append, 5)
    assert seen == []
    assert not any(thread.is_alive() for thread in started)


# --- machine code ------------------------------------------------------------------------------------------


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Kernel `pair` compiled anew: Numba does not show the assembly of what it loads from its cache."""
    monkeypatch.setattr(jit, "CACHE_FOLDER", None)
    monkeypatch.setattr(jit, "READABLE", [])
    compiled = jit.decorator(fastmath=jit.FASTMATH)(pair.train_units.py_func)
    monkeypatch.setattr(pair, "train_units", compiled)
    return compiled


@pytest.mark.skipif(not binding.get_host_cpu_features().get("fma"), reason="this CPU has no FMA")
def test_pair__hot_loop_is_packed_fma(uncached: Any, make_inputs: Any) -> None:
    """The dot product and the update are fused multiply-adds of 8 or 16 float32 at a time."""
    inputs = make_inputs([60], 12)
    kernel_on(start_vectors(12, 100), inputs).compile(inputs.tokens)
    assembly = "\n".join(uncached.inspect_asm().values())
    packed = re.findall(r"\bvfn?m(?:add|sub)\d{3}ps\s[^\n]*%[yz]mm", assembly)
    assert len(packed) >= 6


# --- where machine code is cached --------------------------------------------------------------------------


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process that has no home folder and no variable that names a cache."""

    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    return monkeypatch


def test_find_cache_folder__is_the_users_own(no_home: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """~/.cache/fastw2v, XDG_CACHE_HOME before it, NUMBA_CACHE_DIR before both; nobody else may enter."""
    name = f"kernels-{jit.source_fingerprint()}-{jit.build()}"
    no_home.setattr(Path, "home", lambda: tmp_path / "home")
    assert jit.find_cache_folder() == str(tmp_path / "home" / ".cache" / "fastw2v" / name)
    no_home.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert jit.find_cache_folder() == str(tmp_path / "xdg" / "fastw2v" / name)
    no_home.setattr(numba.config, "CACHE_DIR", str(tmp_path / "numba"))
    assert jit.find_cache_folder() == str(tmp_path / "numba" / name)
    assert stat.S_IMODE((tmp_path / "numba" / name).stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("setting", "value"),
    [("BOUNDSCHECK", 1), ("OPT", 0), ("DEBUGINFO_DEFAULT", 1), ("LOOP_VECTORIZE", 0), ("DEBUG_NRT", 1)],
)
def test_cache_folders__are_others_for_settings_that_change_code(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: int
) -> None:
    """A build with bounds checks finds none without, and leaves none for the next ordinary run."""
    before = jit.cache_folders()
    monkeypatch.setattr(numba.config, setting, value)
    assert not set(before) & set(jit.cache_folders())


def test_cache_folders__are_absolute(no_home: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that changes its directory finds its code again; a relative XDG_CACHE_HOME counts as none."""
    no_home.chdir(tmp_path)
    no_home.setenv("XDG_CACHE_HOME", "relative")
    assert jit.cache_folders() == []
    no_home.setattr(numba.config, "CACHE_DIR", "relative")
    assert [folder.parent for folder in jit.cache_folders()] == [tmp_path / "relative"]


def test_find_cache_folder__is_none_where_there_is_no_home(no_home: pytest.MonkeyPatch) -> None:
    """As in a container run under a user id without an entry: kernels compile each time, nothing fails."""
    assert jit.find_cache_folder() is None


def test_find_cache_folder__is_none_on_a_full_disk(no_home: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Numba's own writing, when it runs out of space in the middle, would end the run."""
    no_home.setenv("XDG_CACHE_HOME", str(tmp_path))
    usage = shutil.disk_usage(tmp_path)
    no_home.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=jit.ENOUGH_FREE))
    assert jit.find_cache_folder() is None


def test_find_cache_folder__is_none_where_it_cannot_be_made(
    no_home: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    no_home.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert jit.find_cache_folder() is None


def test_source_fingerprint__changes_with_any_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba's own cache does not notice a change in an imported helper."""
    package = jit.PACKAGE
    for source in package.rglob("*.py"):
        copy = tmp_path / source.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
    monkeypatch.setattr(jit, "source_fingerprint", jit.source_fingerprint.__wrapped__)
    paths = [Path(*name.split(".")[1:]) for name in jit.jitted_sources()]
    sources = [path / "__init__.py" if (package / path).is_dir() else Path(f"{path}.py") for path in paths]
    assert Path("kernels/pair.py") in sources
    expected = jit.source_fingerprint()
    monkeypatch.setattr(jit, "PACKAGE", tmp_path)
    assert jit.source_fingerprint() == expected
    seen = {expected}
    new = Path("kernels/new/folder.py")
    (tmp_path / new).parent.mkdir()
    (tmp_path / new).write_text("from fastw2v.kernels.jit import jit\nfrom fastw2v.show import pages\n")
    for source in [*sources, new, Path("show/pages.py")]:  # the last one by what the new one imports
        with (tmp_path / source).open("ab") as file:
            file.write(b"# changed\n")
        seen.add(jit.source_fingerprint())
    assert len(seen) == 1 + len(sources) + 2
    (tmp_path / "show/report.py").write_text("# no kernel has a part in this one\n")
    assert jit.source_fingerprint() in seen


def test_source_fingerprint__needs_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is no folder of files would have one fingerprint for all states of its sources."""
    monkeypatch.setattr(jit, "source_fingerprint", jit.source_fingerprint.__wrapped__)
    monkeypatch.setattr(jit, "PACKAGE", tmp_path)
    with pytest.raises(FileNotFoundError, match="no file imports"):
        jit.source_fingerprint()
    assert jit.find_cache_folder() is None


def test_decorator__leaves_numbas_cache_setting() -> None:
    """Other packages' kernels keep their own cache; NaN and infinity stay visible to all of ours."""
    before = numba.config.CACHE_DIR
    is_nan = jit.decorator(fastmath=jit.FASTMATH)(lambda x: x != x)
    after = numba.config.CACHE_DIR
    assert after == before
    assert is_nan(np.float32("nan"))
    assert not {"nnan", "ninf", "fast"} & jit.FASTMATH
