"""MATLAB files: two real ones, and files written by scipy with the variables that wave_clus and Spike2 document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import neuralsorter as ns
from neuralsorter.errors import LoadError
from neuralsorter.loading import load_with_notes
from neuralsorter.loading.matlab import MatlabLoader

SharedData = Callable[[str], Path]
RAW = np.random.default_rng(0).normal(0, 30, (6, 64))


def saved(path: Path, **variables: Any) -> ns.Spikes:
    savemat(path, variables)
    return MatlabLoader().load(path)


def test_a_real_matrix_of_spikes_is_read_and_what_was_assumed_is_said(shared_data: SharedData) -> None:
    path = shared_data("vendor/waveclus_like_spikes_C_Difficult2_noise01.mat")
    spikes, notes = load_with_notes(path)
    assert (len(spikes), spikes.n_samples, spikes.sampling_rate, spikes.pre_samples) == (3115, 64, 24_000.0, 19)
    assert np.isnan(spikes.times_s).all()
    assert any("24000 Hz is assumed" in note for note in notes)
    assert any("states no times" in note for note in notes)


def test_a_real_spike2_export_is_read_with_its_triggers(shared_data: SharedData) -> None:
    spikes, notes = load_with_notes(shared_data("vendor/spike2_mlib_pigeon2.mat"))
    expected = np.load(shared_data("events/mlib_pigeon2_spike2.npz"))
    np.testing.assert_array_equal(spikes.waveforms, expected["waveforms"])
    np.testing.assert_array_equal(spikes.times_s, expected["timestamps"])
    assert len(spikes.triggers) == 6561
    assert any("16666.7 Hz is assumed" in note for note in notes)


def test_wave_clus_times_have_classes_times_and_rate(tmp_path: Path) -> None:
    classes = np.array([[1, 10.5], [0, 11.0], [2, 12.0], [1, 13.0], [0, 14.0], [2, 15.0]])
    par = {"sr": 30_000.0, "w_pre": 20.0, "w_post": 44.0}
    spikes = saved(tmp_path / "times_a.mat", spikes=RAW, cluster_class=classes, par=par)
    assert spikes.unit.tolist() == [1, 3, 2, 1, 3, 2]
    assert spikes.labels == {(1, 3): "unsorted"}
    np.testing.assert_allclose(spikes.times_s, classes[:, 1] / 1000)
    assert (spikes.sampling_rate, spikes.pre_samples) == (30_000.0, 19)
    np.testing.assert_allclose(spikes.waveforms, RAW, rtol=1e-6)


def test_wave_clus_spikes_have_an_index_in_ms(tmp_path: Path) -> None:
    spikes = saved(tmp_path / "a_spikes.mat", spikes=RAW, index=np.arange(6.0) * 5, sr=24_000.0)
    np.testing.assert_allclose(spikes.times_s, np.arange(6) * 0.005)
    assert set(spikes.labels.values()) == {"unsorted"}


def test_a_spike2_wavemark_struct_has_codes_and_volts(tmp_path: Path) -> None:
    codes = np.zeros((6, 4), np.uint8)
    codes[:, 0] = 1, 2, 0, 1, 2, 0
    mark = {"title": "sp", "interval": 4e-5, "units": " volt", "trigger": 10.0, "times": np.arange(6.0), "codes": codes}
    spikes = saved(tmp_path / "a.mat", ch3=mark | {"values": RAW * 1e-6})
    assert spikes.sampling_rate == pytest.approx(25_000.0)
    assert spikes.unit.tolist() == [1, 2, 3, 1, 2, 3]
    assert spikes.pre_samples == 10
    np.testing.assert_allclose(spikes.waveforms, RAW, rtol=1e-5)


def test_a_version_7_3_file_is_read_as_the_others_are(tmp_path: Path) -> None:
    path = tmp_path / "v73.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["spikes"] = RAW.T  # MATLAB writes columns first
        file["cluster_class"] = np.c_[[1, 1, 2, 2, 1, 1], np.arange(6.0)].T
        file["par/sr"] = np.array([[24_000.0]])
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512, b" ") + content[512:])
    spikes = MatlabLoader().load(path)
    np.testing.assert_allclose(spikes.waveforms, RAW, rtol=1e-6)
    assert spikes.unit.tolist() == [1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"x": RAW}, "holds no spikes under a name known here .it holds x"),
        ({"spikes": RAW, "cluster_class": np.zeros((5, 2))}, "6 spikes and cluster_class of shape .5, 2."),
        ({"spikes": "text"}, "something else than a matrix"),
        ({"spikes": np.full((3, 64), np.nan)}, "Row 0 is all NaN"),
        ({"ChannelID": np.ones(3), "Waveforms": RAW}, "equally long"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, variables: dict[str, Any], told: str) -> None:
    with pytest.raises(LoadError, match=rf"bad\.mat: .*{told}"):
        saved(tmp_path / "bad.mat", **variables)


def test_a_file_that_crashes_its_reader_ends_in_the_worker(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"spikes": RAW})
    content = bytearray((tmp_path / "a.mat").read_bytes())
    content[128:] = np.random.default_rng(0).bytes(len(content) - 128)
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ns.NeuralSorterError, match=r"^[^\n]*$"):
        ns.load(tmp_path / "a.mat")
