"""Axona tetrodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError
from neuralsorter.loading import BUNDLED, load_with_notes
from tests.loading.recorders import axona


def test_an_axona_tetrode_is_read_with_its_gains_and_cut(tmp_path: Path) -> None:
    samples, times = axona(tmp_path / "trial.2")
    spikes = ns.load(tmp_path / "trial.2")
    scale = 1500 * 1000 / 128 / (1000 * np.arange(1, 5))
    np.testing.assert_allclose(spikes.waveforms, samples * scale[:, None], rtol=1e-6)
    np.testing.assert_allclose(spikes.times_s, times)
    assert spikes.channel.tolist() == [2] * 12
    assert spikes.unit.tolist() == [3, 1, 2] * 4
    assert spikes.labels == {(2, 3): "unsorted"}
    assert (spikes.sampling_rate, spikes.pre_samples) == (48_000.0, 10)
    np.testing.assert_array_equal(ns.load(tmp_path / "trial.set").raw, spikes.raw)


def test_axona_without_gains_says_so_and_a_cut_of_another_trial_is_refused(tmp_path: Path) -> None:
    axona(tmp_path / "trial.2", cut=False)
    (tmp_path / "trial.set").unlink()
    assert "are taken for µV" in " ".join(load_with_notes(tmp_path / "trial.2")[1])
    (tmp_path / "trial_2.cut").write_text("Exact_cut_for: trial spikes: 3\n1 2 3\n")
    with pytest.raises(LoadError, match="3 cluster numbers for the 12 spikes"):
        BUNDLED["axona"]().load(tmp_path / "trial.2")
