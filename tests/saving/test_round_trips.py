"""Write, read back, compare: whatever a format can hold comes back, and what it cannot hold is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neuralsorter as ns
from neuralsorter.errors import SaveError
from neuralsorter.loading import BUNDLED
from neuralsorter.loading.nev import NevLoader
from neuralsorter.plugins import Loader
from neuralsorter.saving import save_with_notes

LOADERS: dict[str, type[Loader]] = {suffix: loader for loader in BUNDLED.values() for suffix in loader.suffixes}
ORDERED = (".npz", ".pkl", ".npy", ".csv", ".parquet", ".mat", ".nwb", ".nev", ".plx")
HOLDS_NOISE = (".npz", ".pkl", ".npy", ".csv", ".parquet", ".mat", ".nwb", ".nev")
HOLDS_LABELS = (".npz", ".csv", ".parquet", ".mat", ".nwb")


@st.composite
def recordings(draw: st.DrawFn) -> ns.Spikes:
    """Draw sorted recordings of one experiment: any channels, units with gaps, noise, unsorted and labelled units."""
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rate = draw(st.sampled_from([20_000.0, 24_000.0, 30_000.0]))
    n_samples = draw(st.integers(2, 64))
    channel = rng.choice(draw(st.lists(st.integers(1, 200), min_size=1, max_size=5, unique=True)), n)
    unit = rng.choice(draw(st.lists(st.integers(0, 20), min_size=1, max_size=4, unique=True)), n)
    pairs = sorted(set(zip(channel.tolist(), unit.tolist(), strict=True)))
    labels = {
        pair: text for pair in pairs if pair[1] and (text := draw(st.sampled_from(["", "", "good", "mua", "axon 2"])))
    }
    return ns.Spikes(
        raw=rng.integers(-500, 500, (n, n_samples)).astype(np.int16),
        times_s=np.sort(rng.integers(0, 10**7, n)) / rate,
        channel=channel.astype(np.int32),
        unit=unit.astype(np.int32),
        experiment=np.zeros(n, np.int32),
        sampling_rate=rate,
        pre_samples=draw(st.integers(0, n_samples - 1)),
        uv_per_bit=draw(st.sampled_from([0.25, 1.0])),
        labels=labels,
    )


def there_and_back(spikes: ns.Spikes, path: Path) -> tuple[ns.Spikes, str]:
    path.unlink(missing_ok=True)
    notes = save_with_notes(spikes, path)
    return LOADERS[path.suffix]().load(path), " ".join(notes)


def in_time(spikes: ns.Spikes) -> ns.Spikes:
    return spikes.take(np.lexsort((*spikes.raw.T[:2], spikes.channel, spikes.times_s)))


@pytest.mark.parametrize("suffix", [*ORDERED, ".nex"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spikes=recordings())
def test_every_field_that_a_format_holds_comes_back(tmp_path: Path, suffix: str, spikes: ns.Spikes) -> None:
    again, notes = there_and_back(spikes, tmp_path / f"a{suffix}")
    if suffix not in ORDERED:
        spikes, again = in_time(spikes), in_time(again)
    np.testing.assert_allclose(again.waveforms, spikes.waveforms, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(again.times_s, spikes.times_s, atol=1e-9)
    np.testing.assert_array_equal(again.channel, spikes.channel)
    assert (again.sampling_rate, again.n_samples) == (spikes.sampling_rate, spikes.n_samples)
    assert again.pre_samples == spikes.pre_samples
    if suffix in HOLDS_NOISE:
        np.testing.assert_array_equal(again.unit, spikes.unit)
    else:
        kept = spikes.unit != 0
        np.testing.assert_array_equal(again.unit[kept], spikes.unit[kept])
        assert len(set(again.unit[~kept])) <= 1  # noise is one unit of its own, and this is said
        assert ("no code for noise" in notes) == (~kept).any()
    if suffix in HOLDS_LABELS:
        assert again.labels == spikes.labels
    else:
        assert ("labels" in notes) == bool(spikes.labels)


@pytest.mark.parametrize("suffix", [".nev", ".plx", ".nex", ".nwb", ".npz", ".mat"])
def test_unsorted_events_stay_unsorted(tmp_path: Path, suffix: str) -> None:
    spikes = ns.Spikes(
        raw=np.arange(180, dtype=np.int16).reshape(6, 30),
        times_s=np.arange(6) / 10,
        channel=np.array([1, 1, 1, 2, 2, 2], np.int32),
        unit=np.array([1, 1, 2, 1, 1, 1], np.int32),
        experiment=np.zeros(6, np.int32),
        labels={(1, 2): "unsorted", (2, 1): "unsorted"},
    )
    again, _ = there_and_back(spikes, tmp_path / f"a{suffix}")
    assert again.unit.tolist() == spikes.unit.tolist()
    assert again.labels == spikes.labels


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".nwb"])
def test_tetrodes_stay_together(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    spikes = ns.Spikes(
        raw=rng.normal(0, 50, (9, 4, 32)).astype(np.float32),
        times_s=np.arange(9) / 10,
        channel=np.repeat(np.array([1, 5, 9], np.int32), 3),
        unit=np.tile(np.array([0, 1, 2], np.int32), 3),
        experiment=np.zeros(9, np.int32),
        pre_samples=8,
    )
    again, _ = there_and_back(spikes, tmp_path / f"a{suffix}")
    np.testing.assert_allclose(again.waveforms, spikes.waveforms, rtol=1e-6)
    np.testing.assert_array_equal(again.channel, spikes.channel)
    np.testing.assert_array_equal(again.unit, spikes.unit)


@pytest.mark.parametrize("suffix", [".nev", ".plx", ".nex", ".phy"])
def test_tetrodes_are_refused_where_they_cannot_be_held(tmp_path: Path, suffix: str) -> None:
    none = np.zeros(1, np.int32)
    spikes = ns.Spikes(np.zeros((1, 4, 32), np.float32), np.zeros(1), none + 1, none + 1, none)
    with pytest.raises(SaveError, match=r"tetrodes|several together"):
        ns.save(spikes, tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".npz", ".nwb"])
def test_positions_thresholds_triggers_segments_and_experiments_come_back(tmp_path: Path, suffix: str) -> None:
    spikes = ns.Spikes(
        raw=np.arange(120, dtype=np.int16).reshape(4, 30),
        times_s=np.array([0.5, 0.1, 0.7, 0.2]),
        channel=np.array([7, 7, 8, 7], np.int32),
        unit=np.array([1, 1, 1, 0], np.int32),
        experiment=np.array([0, 0, 1, 1], np.int32),
        segment=np.array([0, 1, 0, 0], np.int32),
        old_unit=np.array([-1, 2, -1, 1], np.int32),
        channels=pd.DataFrame(
            {"id": [7, 8], "x_um": [0.0, 400.0], "y_um": [400.0, 0.0], "threshold_uv": [-30.0, np.nan]}
        ),
        triggers=pd.DataFrame({"time_s": [0.25, 0.5], "code": [1, 700]}),
    )
    again, _ = there_and_back(spikes, tmp_path / f"a{suffix}")
    for name in ("times_s", "channel", "unit", "experiment", "segment", "old_unit"):
        np.testing.assert_array_equal(getattr(again, name), getattr(spikes, name), err_msg=name)
    pd.testing.assert_frame_equal(again.channels, spikes.channels)
    pd.testing.assert_frame_equal(again.triggers[["time_s", "code"]], spikes.triggers)


def test_wave_clus_gets_a_file_for_one_channel(tmp_path: Path) -> None:
    one = ns.Spikes(
        raw=np.arange(320, dtype=np.float32).reshape(5, 64),
        times_s=np.arange(5) / 7,
        channel=np.ones(5, np.int32),
        unit=np.array([1, 2, 0, 3, 2], np.int32),
        experiment=np.zeros(5, np.int32),
        sampling_rate=24_000.0,
        pre_samples=19,
        labels={(1, 3): "unsorted"},
    )
    again, notes = there_and_back(one, tmp_path / "times_ch1.mat")
    assert "1 events are left out" in notes
    kept = one.take([0, 1, 3, 4])
    np.testing.assert_allclose(again.times_s, kept.times_s)
    np.testing.assert_array_equal(again.waveforms, kept.waveforms)
    assert again.unit.tolist() == [1, 2, 3, 2]
    assert again.labels == {(1, 3): "unsorted"}
    assert (again.sampling_rate, again.pre_samples) == (24_000.0, 19)
    two = replace(one, channel=np.array([1, 2, 1, 2, 1], np.int32))
    with pytest.raises(SaveError, match="a file for each electrode"):
        ns.save(two, tmp_path / "times_two.mat")


def test_missing_samples_are_repeated_where_they_cannot_be_held(tmp_path: Path) -> None:
    raw = np.full((2, 10), np.nan, np.float32)
    raw[:, 3:8] = 10, 20, 30, 20, 10
    ones = np.ones(2, np.int32)
    spikes = ns.Spikes(raw, np.arange(2) / 10, ones, ones, ones * 0, pre_samples=5)
    assert "nearest sample was repeated" in " ".join(save_with_notes(spikes, tmp_path / "a.nev"))
    np.testing.assert_allclose(NevLoader().load(tmp_path / "a.nev").waveforms[0, [0, 5, 9]], [10, 30, 10], atol=0.01)
    ns.save(spikes, tmp_path / "a.npz")
    np.testing.assert_array_equal(ns.load(tmp_path / "a.npz").waveforms, raw)
