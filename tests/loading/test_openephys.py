"""Open Ephys spikes files and recording folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError
from neuralsorter.loading import BUNDLED
from tests.loading.recorders import open_ephys, open_ephys_binary


@pytest.mark.parametrize("version", ["0.4", "0.2"])
def test_open_ephys_spikes_are_read(tmp_path: Path, version: str) -> None:
    uv = open_ephys(tmp_path / "TT0.spikes", version)
    spikes = ns.load(tmp_path / "TT0.spikes")
    np.testing.assert_allclose(spikes.waveforms, uv, atol=1e-2)
    np.testing.assert_allclose(spikes.times_s, np.arange(9) / 10)
    assert spikes.segment.tolist() == [0] * 6 + [1] * 3
    assert set(spikes.channel.tolist()) == {5}
    assert spikes.unit.tolist() == ([3, 1, 2] * 3 if version == "0.4" else [1] * 9)
    assert "unsorted" in spikes.labels.values()
    assert (spikes.sampling_rate, spikes.pre_samples) == (30_000.0, 8)


def test_a_folder_of_open_ephys_spikes_is_one_table(tmp_path: Path) -> None:
    open_ephys(tmp_path / "TT0.spikes")
    open_ephys(tmp_path / "TT1.spikes")
    spikes = BUNDLED["openephys"]().load(tmp_path)
    assert {c: sum(u.values()) for c, u in spikes.unit_counts().items()} == {1: 9, 2: 9}


@pytest.mark.parametrize("old", [False, True])
def test_an_open_ephys_recording_folder_is_read(tmp_path: Path, *, old: bool) -> None:
    uv = open_ephys_binary(tmp_path / "node" / "experiment1" / "recording1", old=old)
    spikes = (BUNDLED["openephys_binary"]() if old else ns).load(tmp_path / "node")
    one = spikes.take(np.flatnonzero(spikes.channel == 1))
    np.testing.assert_allclose(one.waveforms, uv, rtol=1e-5)
    np.testing.assert_allclose(one.times_s, np.arange(6) / 10 + (0 if old else 0.25))
    assert one.unit.tolist() == [3, 1, 1, 3, 2, 1]
    assert (len(spikes), spikes.pre_samples, spikes.sampling_rate) == (12, 8, 40_000.0)
    assert spikes.triggers["code"].tolist() == [1, -1, 4]
    file = tmp_path / "node" / "experiment1" / "recording1" / "structure.oebin"
    np.testing.assert_array_equal(ns.load(file).raw, spikes.raw)


@pytest.mark.parametrize("link", ["spikes/Detector-104", "events/Reader-100"])
def test_no_reader_follows_a_link_out_of_its_folder(tmp_path: Path, link: str) -> None:
    open_ephys_binary(tmp_path / "rec")
    open_ephys_binary(tmp_path / "elsewhere")
    place = tmp_path / "rec" / link
    place.rename(tmp_path / "gone")
    place.symlink_to(tmp_path / "elsewhere" / link)
    if link.startswith("spikes"):
        with pytest.raises(LoadError, match="points outside itself"):
            BUNDLED["openephys_binary"]().load(tmp_path / "rec")
    else:
        assert not len(BUNDLED["openephys_binary"]().load(tmp_path / "rec").triggers)


def test_names_in_a_structure_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    open_ephys_binary(tmp_path / "rec")
    open_ephys_binary(tmp_path / "other")
    file = tmp_path / "rec" / "structure.oebin"
    for escape in ("../../other/spikes/Detector-104/Stereotrode 1", str(tmp_path / "other/spikes/Detector-104")):
        told = json.loads(file.read_text())
        told["spikes"][0]["folder"] = escape
        file.write_text(json.dumps(told))
        with pytest.raises(LoadError, match=r"points outside itself|lacks spikes"):
            BUNDLED["openephys_binary"]().load(tmp_path / "rec")
