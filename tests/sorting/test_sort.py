from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

import neuralsorter as ns
from neuralsorter.errors import Cancelled, DataError, PluginError
from neuralsorter.plugins import Sorter
from neuralsorter.simulate import DEVELOPMENT_SEEDS, simulate
from neuralsorter.sorting import BUNDLED, AutoencoderGmm, SortResult, sort, sort_channel, stability

RATE = 20_000.0


def shapes(n_units: int, seed: int = 0) -> NDArray[np.float64]:
    """Spikes of different widths and tails, trough at sample 22."""
    rng = np.random.default_rng(seed)
    time = np.arange(60) - 22.0
    made = []
    for unit in range(n_units):
        width, after = 2.0 + 1.3 * unit, 0.1 + 0.25 * (unit % 3)
        made.append(
            -np.exp(-0.5 * (time / width) ** 2) + after * np.exp(-0.5 * ((time - 4 * width) / (2 * width)) ** 2)
        )
    return np.array(made) * rng.uniform(100, 160, n_units)[:, None]


def events(n: int, n_units: int = 3, noise_uv: float = 10.0, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    unit = rng.integers(0, n_units, n)
    waves = shapes(n_units)[unit] * rng.normal(1, 0.04, n)[:, None] + noise_uv * rng.normal(size=(n, 60))
    return waves.astype(np.float32), unit


def spikes(waves: NDArray[Any], **columns: Any) -> ns.Spikes:
    n = len(waves)
    given = {"times_s": np.arange(n) * 0.02, "channel": np.zeros(n), "unit": np.ones(n), "experiment": np.zeros(n)}
    return ns.Spikes(raw=waves, **{**given, **columns}, sampling_rate=RATE, pre_samples=20)


def accuracy(truth: NDArray[Any], labels: NDArray[Any]) -> float:
    table = np.zeros((truth.max() + 1, labels.max() + 1))
    np.add.at(table, (truth, labels), 1)
    return float(table[linear_sum_assignment(-table)].sum() / len(truth))


def test_the_units_of_a_channel_are_found() -> None:
    waves, unit = events(1500)
    found = sort(spikes(waves))
    assert set(found) == {1, 2, 3}
    assert accuracy(unit, found) > 0.995


@pytest.mark.parametrize("name", ["quiroga2004_C_Difficult2_noise005", "quiroga2004_C_Difficult2_noise01"])
def test_three_units_too_alike_for_others_are_told_apart(name: str, shared_data: Callable[[str], Path]) -> None:
    with np.load(shared_data(f"events/{name}.npz")) as file:
        waves, truth, rate = file["waveforms"], file["truth"], float(file["fs"])
    for seed in range(5):
        result = sort_channel(waves, np.full(len(waves), np.nan), rate, 19, seed)
        assert result.n_units == 3
        scored = truth > 0
        assert accuracy(truth[scored] - 1, result.labels[scored]) >= 0.998


def test_a_simulated_channel_is_sorted_better_than_by_principal_axes() -> None:
    made = simulate(1, 120.0, DEVELOPMENT_SEEDS[0], 5, polarity="negative", artefact_rate_hz=0.0, common_rate_hz=0.0)
    scored = (made.truth_unit > 0) & (made.truth_unit < 100) & ~made.overlap
    truth = np.unique(made.truth_unit[scored], return_inverse=True)[1]
    ours = accuracy(truth, sort(made.spikes)[scored])
    assert ours > 0.85
    assert ours > accuracy(truth, sort(made.spikes, sorter="pca_gmm")[scored])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 40])
@pytest.mark.parametrize("kind", ["noise", "flat", "constant", "padded", "missing"])
def test_few_and_odd_events_are_sorted_too(n: int, kind: str) -> None:
    waves = events(n)[0]
    if kind == "flat":
        waves[:] = 0
    elif kind == "constant":
        waves[:] = np.arange(60)
    elif kind == "padded":
        waves[:, :8], waves[:, 50:] = np.nan, np.nan
    elif kind == "missing":
        waves[:] = np.nan
    for name in ("autoencoder_gmm", "pca_gmm"):
        found = sort(spikes(waves), sorter=name)
        assert found.shape == (n,)
        assert (found > 0).all()


@pytest.mark.parametrize("n_samples", [1, 2, 4, 32, 120])
def test_windows_of_any_length_are_sorted(n_samples: int) -> None:
    waves = np.random.default_rng(0).normal(size=(60, n_samples)).astype(np.float32)
    assert sort_channel(waves, np.arange(60.0), 16_667.0, 0).n_units >= 1


def test_the_unit_of_amplitude_does_not_matter() -> None:
    waves, _ = events(900)
    plain = sort_channel(waves, np.arange(900.0), RATE, 20)
    np.testing.assert_array_equal(plain.labels, sort_channel(waves * 1e-6, np.arange(900.0), RATE, 20).labels)


def test_one_unit_is_left_as_one() -> None:
    counts = [sort_channel(events(800, 1, seed=s)[0], np.arange(800.0), RATE, 20).n_units for s in range(8)]
    assert counts == [1] * 8


def test_the_background_of_distant_cells_is_one_unit_and_flagged() -> None:
    made = simulate(2, 120.0, DEVELOPMENT_SEEDS[1], 0, polarity="negative", artefact_rate_hz=0.0, common_rate_hz=0.0)
    for channel in (1, 2):
        part = made.take((made.spikes.channel == channel) & (made.truth_unit == 100)).spikes
        result = sort_channel(part.waveforms, part.times_s, RATE, part.pre_samples)
        assert result.n_units == 1
        assert result.mua[0]
    assert not sort_channel(events(500, 1)[0], np.arange(500.0), RATE, 20).mua[0]


def test_distant_cells_of_two_shapes_are_one_background_and_near_ones_two_units() -> None:
    rng = np.random.default_rng(8)
    unit = rng.integers(0, 2, 2000)
    shape = np.array([s / np.abs(s).max() for s in shapes(2)])[unit]
    noise = 4 * rng.normal(size=(2000, 60))
    far = (rng.exponential(12, 2000) + 30)[:, None] * shape + noise
    far = far[far[:, 22] < -40].astype(np.float32)  # what crosses a threshold
    result = sort_channel(far, np.arange(len(far)), RATE, 20)
    assert result.mua.tolist() == [True]
    assert "pile up" in result.why(0)[0].reason
    assert result.expected_false_positives[0] == pytest.approx(0, abs=1e-6)
    near = rng.normal(90, 5, 2000)[:, None] * shape + noise
    labels = sort_channel(near.astype(np.float32), np.arange(2000.0), RATE, 20).labels
    assert labels.max() == 1
    assert accuracy(unit, labels) > 0.99


def test_two_units_of_one_shape_are_told_apart_by_amplitude() -> None:
    rng = np.random.default_rng(3)
    unit = rng.integers(0, 2, 1200)
    waves = shapes(1)[0] * (1 + 0.5 * unit[:, None]) * rng.normal(1, 0.05, (1200, 1)) + 10 * rng.normal(size=(1200, 60))
    result = sort_channel(waves.astype(np.float32), np.arange(1200.0), RATE, 20)
    assert result.n_units == 2
    assert accuracy(unit, result.labels) > 0.98


def test_a_unit_with_a_flat_trough_is_not_cut_where_noise_moved_its_events() -> None:
    """The trough of this shape is flat for 0.25 ms, so that noise decides where in it the extremum is found."""
    rng = np.random.default_rng(0)
    shape = next(iter(simulate(1, 5.0, 3017, 1).shapes_uv.values()))[0]
    unit = rng.integers(0, 2, 1500)
    size = (1 + 0.5 * unit) * rng.normal(1, 0.05, 1500) * 80 / np.abs(shape).max()
    waves = (size[:, None] * shape + 10 * rng.normal(size=(1500, len(shape)))).astype(np.float32)
    labels = sort_channel(waves, np.arange(1500.0), 20_000.0, 20).labels
    assert labels.max() == 1
    assert max(np.mean(labels == unit), np.mean(labels != unit)) > 0.99


def test_the_same_seed_gives_the_same_units_whatever_the_jobs() -> None:
    waves, _ = events(1200)
    both = spikes(waves, channel=np.arange(1200) % 2)
    once = sort(both, seed=4)
    np.testing.assert_array_equal(once, sort(both, seed=4))
    np.testing.assert_array_equal(once, sort(both, seed=4, jobs=2))


def test_noise_stays_noise_and_nothing_becomes_noise() -> None:
    waves, _ = events(600)
    noise = np.arange(600) % 5 == 0
    found = sort(spikes(waves, unit=np.where(noise, 0, 1)))
    np.testing.assert_array_equal(found == 0, noise)


def test_rows_left_out_keep_their_unit_and_its_number() -> None:
    waves, unit = events(900)
    before = np.where(unit == 0, 2, 1)
    found = sort(spikes(waves, unit=before), rows=np.flatnonzero(before == 1))
    assert (found[before == 2] == 2).all()
    assert set(found[before == 1]) == {1, 3}
    with pytest.raises(DataError, match="one value per event"):
        sort(spikes(waves), rows=np.ones(3, bool))


def test_a_channel_of_two_experiments_is_sorted_as_one() -> None:
    waves, unit = events(1000)
    experiment = np.repeat([0, 1], 500)
    found = sort(spikes(waves, experiment=experiment, times_s=np.tile(np.arange(500) * 0.02, 2)))
    assert accuracy(unit, found) > 0.99


def test_tetrode_events_are_sorted_by_all_their_channels() -> None:
    rng = np.random.default_rng(0)
    unit = rng.integers(0, 2, 800)
    gain = np.array([[1.0, 0.2, 0.5, 0.1], [1.0, 0.6, 0.1, 0.4]])[unit]
    waves = gain[:, :, None] * shapes(1)[0] + 10 * rng.normal(size=(800, 4, 60))
    assert accuracy(unit, sort_channel(waves.astype(np.float32), np.arange(800.0), RATE, 20).labels) > 0.99


def test_strays_go_to_the_likeliest_unit_and_are_flagged() -> None:
    waves, unit = events(1200, 2)
    waves[:12] = 400 * np.random.default_rng(1).normal(size=(12, 60))
    result = sort_channel(waves, np.arange(1200.0), RATE, 20)
    assert result.n_units == 2
    assert result.outlier[:12].all()
    assert result.outlier[12:].mean() < 0.02
    assert accuracy(unit[12:], result.labels[12:]) > 0.99
    by_contract = AutoencoderGmm().sort(waves, np.arange(1200.0), RATE, 20, 0)
    np.testing.assert_array_equal(by_contract == -1, result.outlier)
    assert (sort(spikes(waves)) > 0).all()


def test_events_not_learned_from_are_assigned() -> None:
    waves, unit = events(4000)
    result = sort_channel(waves, np.arange(4000.0), RATE, 20, learn_from=500)
    assert accuracy(unit, result.labels) > 0.99


def test_expected_errors_are_near_the_true_ones() -> None:
    rng = np.random.default_rng(5)
    unit = rng.integers(0, 2, 4000)
    axis = shapes(2)[1] - shapes(2)[0]
    waves = shapes(2)[0] + unit[:, None] * axis * 40.0 / np.linalg.norm(axis) + 10 * rng.normal(size=(4000, 60))
    result = sort_channel(waves.astype(np.float32), np.arange(4000.0), RATE, 20)
    assert result.n_units == 2
    match = [int(np.bincount(unit[result.labels == c]).argmax()) for c in range(2)]
    for c in range(2):
        given, true = result.labels == c, unit == match[c]
        errors = ((given & ~true).sum() + (~given & true).sum()) / given.sum()
        expected = result.expected_false_positives[c] + result.expected_false_negatives[c]
        assert expected == pytest.approx(errors, abs=0.05)


def test_a_result_tells_how_it_came_about() -> None:
    waves, _ = events(1500)
    result = sort_channel(waves, np.arange(1500.0), RATE, 20)
    assert len(result.bic) >= 3
    assert any(not merge.merged and merge.p < 0.2 for merge in result.merges)
    assert result.latent.shape[0] == 1500
    assert result.certainty.min() > 0.3
    assert list(result.table().columns[:3]) == ["events", "outliers", "mua"]
    assert stability(result, waves, np.arange(1500.0), RATE, 20).min() > 0.99


def test_sorting_stops_when_cancelled_and_says_how_far_it_is() -> None:
    waves, _ = events(300)
    seen: list[tuple[int, int]] = []
    sort(spikes(waves, channel=np.arange(300) % 3), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        sort(spikes(waves), cancel=cancel)


class Halves(Sorter):
    """Splits by time, and calls every tenth event an outlier."""

    def sort(
        self, waveforms: NDArray[Any], times_s: NDArray[Any], sampling_rate: float, pre_samples: int, seed: int
    ) -> NDArray[Any]:
        del sampling_rate, pre_samples, seed
        labels = (times_s > np.median(times_s)).astype(int)
        labels[::10] = -1
        return labels[: len(waveforms)]


class Short(Sorter):
    """Returns too few labels."""

    def sort(self, *_: Any) -> NDArray[Any]:
        return np.zeros(3, int)


def test_another_sorter_takes_its_place() -> None:
    waves, _ = events(400)
    assert set(sort(spikes(waves), sorter=Halves())) == {1, 2}
    with pytest.raises(PluginError, match="a label per event"):
        sort(spikes(waves), sorter=Short())


@pytest.mark.parametrize("name", ["isosplit6", "hdbscan"])
def test_adapters_work_or_say_what_to_install(name: str) -> None:
    waves, unit = events(600)
    try:
        labels = BUNDLED[name]().sort(waves, np.arange(600.0), RATE, 20, 0)
    except PluginError as error:
        assert f"pip install {name}" in str(error)  # noqa: PT017 - both outcomes are right, by what is installed
        return
    assert accuracy(unit[labels >= 0], labels[labels >= 0]) > 0.9


def test_a_result_without_events_is_empty() -> None:
    assert SortResult.single(0).n_units == 0
    assert len(SortResult.single(0).table()) == 0
