"""The readers of published sorting simulations, on small files in the published layout."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.io import savemat

RATE = 24_000.0


@pytest.fixture(scope="module")
def sets() -> ModuleType:
    return importlib.import_module("benchmarks.sorting_data")


def trace(onset: np.ndarray, classes: np.ndarray, n: int = 48_000) -> np.ndarray:
    """Noise, with spikes whose trough comes 0.5 ms after the onset; class c is c times as large."""
    rng = np.random.default_rng(0)
    data = 0.02 * rng.normal(size=n)
    shape = -np.exp(-0.5 * ((np.arange(40) - 12) / 3.0) ** 2)
    for at, size in zip(onset, classes, strict=True):
        data[at : at + 40] += max(int(size), 1) * shape
    return data


def test_the_sixteen_of_2004_are_read(sets: ModuleType, tmp_path: Path) -> None:
    onset = np.arange(600, 46_000, 800)
    classes = np.tile([1, 2, 3], len(onset))[: len(onset)]
    overlap = np.arange(len(onset)) % 10 == 0
    cell = np.empty((1, 1), object)
    cell[0, 0] = onset[None, :]
    marks = np.empty((1, 3), object)
    marks[0, 0], marks[0, 1], marks[0, 2] = classes[None, :], overlap[None, :].astype(float), overlap[None, :] * 0.0
    (tmp_path / "Easy1").mkdir()
    savemat(
        tmp_path / "Easy1" / "C_Easy1_noise005.mat",
        {"data": trace(onset, classes)[None, :], "spike_times": cell, "spike_class": marks,
         "samplingInterval": 1000 / RATE, "startData": 0.0},
    )  # fmt: skip
    (found,) = sets.quiroga(tmp_path)
    assert found.name == "C_Easy1_noise005"
    assert found.rate_hz == pytest.approx(RATE)
    np.testing.assert_array_equal(found.truth, np.where(overlap, -1, classes))
    np.testing.assert_array_equal(found.scored, ~overlap)
    trough = found.waveforms[:, found.pre_samples]
    assert np.abs(found.waveforms.argmin(axis=1) - found.pre_samples).max() <= 1
    np.testing.assert_allclose(trough[classes == 3].mean() / trough[classes == 1].mean(), 3, rtol=0.1)
    np.testing.assert_allclose(found.times_s, (onset + 12) / RATE, atol=2 / RATE)


def test_the_ninety_five_of_2012_are_read(sets: ModuleType, tmp_path: Path) -> None:
    times, truths = np.empty((1, 2), object), np.empty((1, 2), object)
    for number in (1, 2):
        onset = np.arange(500 * number, 46_000, 700)
        classes = np.arange(len(onset)) % 4
        times[0, number - 1], truths[0, number - 1] = onset[None, :], classes[None, :]
        savemat(tmp_path / f"simulation_{number}.mat", {"data": trace(onset, classes)[None, :]})
    savemat(tmp_path / "ground_truth.mat", {"spike_first_sample": times, "spike_classes": truths})
    found = list(sets.pedreira(tmp_path))
    assert [one.name for one in found] == ["simulation_1", "simulation_2"]
    for one, classes in zip(found, truths[0], strict=True):
        np.testing.assert_array_equal(one.truth, np.where(classes[0] == 0, sets.BACKGROUND, classes[0]))
        assert one.scored.all()
        assert one.waveforms.shape[1] == 64
