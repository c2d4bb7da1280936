"""What goes to phy and SpikeInterface, read by those libraries where they are installed."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError, SaveError
from neuralsorter.loading.curation import apply_curation


@pytest.fixture
def spikes() -> ns.Spikes:
    rng = np.random.default_rng(0)
    return ns.Spikes(
        raw=rng.normal(0, 50, (90, 40)).astype(np.float32),
        times_s=np.sort(rng.uniform(0, 9, 90)),
        channel=np.repeat(np.array([3, 5, 9], np.int32), 30),
        unit=np.tile(np.array([0, 1, 2], np.int32), 30),
        experiment=np.zeros(90, np.int32),
        labels={(3, 1): "good", (5, 2): "mua", (9, 1): "bursting"},
    )


def test_a_phy_folder_holds_every_event(tmp_path: Path, spikes: ns.Spikes) -> None:
    ns.save(spikes, tmp_path / "a.phy")
    read = {path.stem: np.load(path) for path in (tmp_path / "a.phy").glob("*.npy")}
    order = np.argsort(spikes.times_s, kind="stable")
    np.testing.assert_array_equal(read["spike_times"], np.round(spikes.times_s[order] * 20_000))
    lines = (tmp_path / "a.phy" / "cluster_group.tsv").read_text().splitlines()
    assert lines[:3] == ["cluster_id\tgroup", "0\tnoise", "1\tgood"]
    assert len(lines) == 10
    with pytest.raises(SaveError, match="is there already"):
        ns.save(spikes, tmp_path / "a.phy")


def test_phylib_opens_the_folder(tmp_path: Path, spikes: ns.Spikes) -> None:
    model = pytest.importorskip("phylib.io.model")
    ns.save(spikes, tmp_path / "a.phy")
    opened = model.load_model(tmp_path / "a.phy" / "params.py")
    assert opened.n_spikes == 90
    assert opened.n_channels == 3
    np.testing.assert_allclose(opened.spike_times, np.sort(spikes.times_s), atol=5e-5)
    first = opened.get_waveforms([0], [0, 1, 2])[0]
    row = int(np.argmin(spikes.times_s))
    np.testing.assert_allclose(
        first[:, list(np.unique(spikes.channel)).index(spikes.channel[row])], spikes.waveforms[row]
    )
    opened.close()


def test_spikeinterface_loads_the_sorting(tmp_path: Path, spikes: ns.Spikes) -> None:
    core = pytest.importorskip("spikeinterface.core")
    ns.save(replace(spikes, segment=(spikes.times_s > 5).astype(np.int32)), tmp_path / "a.sorting")
    sorting = core.NumpySorting.from_sorting(core.load(tmp_path / "a.sorting"), with_metadata=True)
    assert (sorting.sampling_frequency, sorting.get_num_segments()) == (20_000.0, 2)
    assert sorting.count_total_num_spikes() == 90
    for name, channel, unit, quality in zip(
        sorting.unit_ids, *(sorting.get_property(key) for key in ("channel", "unit", "quality")), strict=True
    ):
        rows = (spikes.channel == channel) & (spikes.unit == unit)
        assert name == f"{channel}_{unit}"
        assert quality == ("noise" if unit == 0 else spikes.labels.get((channel, unit), ""))
        for segment, inside in enumerate((spikes.times_s <= 5, spikes.times_s > 5)):
            times = sorting.get_unit_spike_train(name, segment_index=segment) / 20_000
            np.testing.assert_allclose(times, spikes.times_s[rows & inside], atol=3e-5)
    curated = pytest.importorskip("spikeinterface.curation").apply_curation(
        core.load(tmp_path / "a.sorting"), json.loads(curation(tmp_path, spikes).read_text())
    )
    assert sorted(curated.unit_ids) == [f"{channel}_{unit}" for channel in (3, 5, 9) for unit in (1, 2)]


def test_spikeinterface_reads_the_wave_clus_file(
    tmp_path: Path, spikes: ns.Spikes, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors")
    helper = importlib.import_module("spikeinterface.extractors.matlabhelpers").MatlabHelper
    field = helper._getfield

    def number_or_matrix(self: Any, name: str) -> Any:
        """Return what 0.105 takes from 1 x 1 matrices of MATLAB in a way that NumPy has ended (2026-11)."""
        value = np.squeeze(field(self, name))
        return np.squeeze(value.item()) if value.dtype == object else value

    monkeypatch.setattr(helper, "_getfield", number_or_matrix)
    one = replace(spikes, labels={(3, 2): "unsorted"}).take(np.flatnonzero(spikes.channel == 3))
    ns.save(one, tmp_path / "times_a.mat")
    sorting = extractors.read_waveclus(tmp_path / "times_a.mat", keep_good_only=False)
    assert (sorting.sampling_frequency, sorting.unit_ids.tolist()) == (20_000.0, [0, 1])
    for code, unit in ((0, 2), (1, 1)):  # wave_clus calls class 0 what it did not sort
        times = sorting.get_unit_spike_train(code, segment_index=0) / 20_000
        np.testing.assert_allclose(times, one.times_s[one.unit == unit], atol=3e-5)


def curation(tmp_path: Path, spikes: ns.Spikes, **changes: Any) -> Path:
    path = tmp_path / "c.json"
    ns.save(spikes, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def test_a_curation_comes_back(tmp_path: Path, spikes: ns.Spikes) -> None:
    again = apply_curation(ns.Spikes(**(vars(spikes) | {"labels": {}})), curation(tmp_path, spikes))
    np.testing.assert_array_equal(again.unit, spikes.unit)
    assert {pair: text for pair, text in again.labels.items() if pair[1]} == spikes.labels


def test_spikeinterface_finds_our_curation_valid(tmp_path: Path, spikes: ns.Spikes) -> None:
    module = pytest.importorskip("spikeinterface.curation")
    module.validate_curation_dict(json.loads(curation(tmp_path, spikes).read_text()))


def test_merges_splits_and_removals_of_others_are_applied(tmp_path: Path, spikes: ns.Spikes) -> None:
    path = curation(
        tmp_path,
        spikes,
        merges=[{"unit_ids": ["3_1", "3_2"], "new_unit_id": "x"}],
        splits=[{"unit_id": "5_1", "mode": "indices", "indices": [[0, 1, 2], list(range(3, 10))]}],
        removed=["9_2"],
    )
    after = apply_curation(spikes, path)
    # Events that the split does not name would keep unit 1: here it names them all.
    assert after.unit_counts() == {3: {0: 10, 1: 20}, 5: {0: 10, 1: 3, 2: 10, 3: 7}, 9: {0: 20, 1: 10}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format_version": "9"}, "no curation of format version"),
        ({"unit_ids": ["7_1"]}, "speaks of unit '7_1'"),
        ({"merges": [{"unit_ids": ["3_1", "5_1"]}]}, "different channels"),
        ({"splits": [{"unit_id": "3_1", "mode": "indices", "indices": [[99]]}]}, "by indices it does not have"),
    ],
)
def test_a_curation_of_other_events_is_refused(
    tmp_path: Path, spikes: ns.Spikes, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(LoadError, match=told):
        apply_curation(spikes, curation(tmp_path, spikes, **changes))
