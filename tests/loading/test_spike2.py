"""Spike2 WaveMark channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import neuralsorter as ns
from tests.loading.recorders import smr


def test_spike2_wavemarks_are_read_with_their_codes(tmp_path: Path) -> None:
    raw = smr(tmp_path / "a.smr")
    spikes = ns.load(tmp_path / "a.smr")
    np.testing.assert_allclose(spikes.waveforms, raw / 6553.6 * 1e6, rtol=1e-5)
    np.testing.assert_allclose(spikes.times_s, (np.arange(8) * 1000 + 500) * 1e-5)
    assert spikes.unit.tolist() == [3, 1, 2, 1, 3, 1, 2, 2]
    assert spikes.labels == {(1, 3): "unsorted"}
    assert (round(spikes.sampling_rate, 1), spikes.pre_samples) == (16_666.7, 8)
    assert spikes.triggers["code"].tolist() == [65, 66, 65]
    np.testing.assert_allclose(spikes.triggers["time_s"], [0.001, 0.02, 0.04])
