"""SpikeInterface folders. SpikeInterface itself writes them where it is installed; without it they are laid out here as
its version 0.105 does (`SortingAnalyzer`, binary) and as 0.98 did (waveforms folder).
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralsorter.errors import LoadError
from neuralsorter.loading import BUNDLED, load_with_notes
from neuralsorter.loading.remarks import collected

RATE, N_SAMPLES = 25_000.0, 75


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        path.write_text(json.dumps(content))


def recording_info(folder: Path, n_channels: int) -> None:
    attributes = {"channel_ids": [f"CH{i + 1}" for i in range(n_channels)], "sampling_frequency": RATE}
    put(folder / "recording_info" / "recording_attributes.json", attributes)
    probe = {"contact_positions": [[0.0, 20.0 * i] for i in range(n_channels)]}
    put(folder / "recording_info" / "probegroup.json", {"probes": [probe]})


def analyzer(folder: Path, n_channels: int, *, sparse: bool = False) -> np.ndarray[Any, Any]:
    """Write 3 units with 30 of 45 spikes chosen; return the waveforms of those, (30, samples, slots)."""
    rng = np.random.default_rng(0)
    spikes = np.zeros(45, [("sample_index", "<i8"), ("unit_index", "<i8"), ("segment_index", "<i8")])
    spikes["sample_index"] = np.r_[np.sort(rng.integers(100, 90_000, 30)), np.sort(rng.integers(100, 90_000, 15))]
    spikes["segment_index"] = np.repeat([0, 1], [30, 15])
    spikes["unit_index"] = np.arange(45) % 3
    chosen = np.sort(rng.choice(45, 30, replace=False))
    raw = rng.normal(0, 5, (30, N_SAMPLES, n_channels)).astype(np.float32)
    unit = spikes["unit_index"][chosen]
    for i, u in enumerate(unit):
        raw[i, 25, u] -= 100.0  # unit u peaks on channel u
    if sparse:
        mask = np.zeros((3, n_channels), bool)
        for u in range(3):
            mask[u, u : u + 2] = True
        put(folder / "sparsity_mask.npy", mask)
        raw = np.stack([raw[i][:, mask[u]] for i, u in enumerate(unit)])
    put(folder / "spikeinterface_info.json", {"version": "0.105.3", "object": "SortingAnalyzer"})
    put(folder / "settings.json", {"return_in_uV": True})
    put(folder / "sorting" / "spikes.npy", spikes)
    put(folder / "sorting" / "numpysorting_info.json", {"unit_ids": ["4", "7", "9"], "sampling_frequency": RATE})
    put(folder / "sorting" / "properties" / "quality.npy", np.array(["good", "mua", ""]))
    put(folder / "extensions" / "random_spikes" / "random_spikes_indices.npy", chosen)
    put(folder / "extensions" / "waveforms" / "waveforms.npy", raw)
    put(folder / "extensions" / "waveforms" / "params.json", {"ms_before": 1.0, "ms_after": 2.0})
    recording_info(folder, n_channels)
    return raw


@pytest.mark.parametrize("sparse", [False, True])
def test_an_analyzer_of_an_array_is_read_on_the_main_channel_of_each_unit(tmp_path: Path, *, sparse: bool) -> None:
    raw = analyzer(tmp_path / "a", 8, sparse=sparse)
    spikes, notes = load_with_notes(tmp_path / "a")
    assert {c: sorted(u) for c, u in spikes.unit_counts().items()} == {1: [4], 2: [7], 3: [9]}
    assert spikes.waveforms[:, 25].max() < -70
    assert len(spikes) == len(raw)
    assert (spikes.sampling_rate, spikes.pre_samples, spikes.n_samples) == (RATE, 25, N_SAMPLES)
    assert spikes.labels == {(1, 4): "good", (2, 7): "mua"}
    assert spikes.channels["y_um"].tolist() == [20.0 * i for i in range(8)]
    assert np.diff(spikes.segment).min() >= 0
    assert "has waveforms of 30 of its 45 spikes" in " ".join(notes)


def test_an_analyzer_of_a_tetrode_keeps_its_channels_side_by_side(tmp_path: Path) -> None:
    analyzer(tmp_path / "a", 4, sparse=True)
    spikes, _ = load_with_notes(tmp_path / "a")
    assert spikes.raw.shape == (30, 4, N_SAMPLES)
    own = spikes.waveforms[spikes.unit == 7]
    assert np.isnan(own[:, [0, 3]]).all()  # channels that this unit has no waveforms of
    assert own[:, 1, 25].max() < -70


def test_a_waveforms_folder_is_read_without_its_times(tmp_path: Path) -> None:
    folder, rng = tmp_path / "w", np.random.default_rng(1)
    for unit in (1, 12):
        put(folder / "waveforms" / f"waveforms_{unit}.npy", rng.normal(0, 5, (6, N_SAMPLES, 2)).astype(np.float32))
        index = np.zeros(6, [("spike_index", "<i8"), ("segment_index", "<i8")])
        put(folder / "waveforms" / f"sampled_index_{unit}.npy", index)
    put(folder / "params.json", {"ms_before": 1.0, "ms_after": 2.0, "return_scaled": True})
    recording_info(folder, 2)
    spikes, notes = load_with_notes(folder)
    assert spikes.unit_counts() == {1: {1: 6, 12: 6}}
    assert np.isnan(spikes.times_s).all()
    assert "times of its spikes outside the folder" in " ".join(notes)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("extensions/waveforms/waveforms.npy", None, "lacks extensions/waveforms/waveforms.npy"),
        ("extensions/waveforms/waveforms.npy", np.zeros((3, 75, 8)), "do not fit"),
        ("extensions/waveforms/waveforms.npy", np.array([{"a": 1}], object), "is no whole array"),
        ("extensions/random_spikes/random_spikes_indices.npy", np.full(30, 99), "beyond the 45"),
        ("sorting/spikes.npy", np.zeros(45), "something else than a table of spikes"),
        ("recording_info/recording_attributes.json", {"channel_ids": []}, "lacks the rate"),
        ("sorting/numpysorting_info.json", [1], "is no JSON object"),
    ],
)
def test_a_damaged_analyzer_is_refused_in_one_sentence(tmp_path: Path, name: str, content: Any, told: str) -> None:
    analyzer(tmp_path / "a", 8)
    (tmp_path / "a" / name).unlink()
    if content is not None:
        put(tmp_path / "a" / name, content)
    with pytest.raises(LoadError, match=told) as caught:
        BUNDLED["spikeinterface"]().load(tmp_path / "a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["binary_folder", "zarr"])
def test_what_spikeinterface_saves_is_read(tmp_path: Path, form: str) -> None:
    full = pytest.importorskip("spikeinterface.full")
    recording, sorting = full.generate_ground_truth_recording(durations=[5.0, 4.0], num_channels=6, num_units=4, seed=0)
    folder = tmp_path / ("a.zarr" if form == "zarr" else "a")
    warnings.simplefilter("ignore")  # pytest restores the filters; the recording is not to be found again, it says
    made = full.create_sorting_analyzer(sorting, recording, format=form, folder=folder, sparse=True)
    made.compute("random_spikes", method="all")
    made.compute("waveforms", ms_before=1.0, ms_after=2.0)
    with collected() as notes:
        spikes = BUNDLED["spikeinterface"]().load(folder)
    vector = sorting.to_spike_vector()
    assert len(spikes) == len(vector)
    np.testing.assert_allclose(np.sort(spikes.times_s), np.sort(vector["sample_index"] / 25_000))
    for index, unit in enumerate(sorting.unit_ids):
        waves = made.get_extension("waveforms").get_waveforms_one_unit(unit, force_dense=True)
        own = spikes.waveforms[spikes.unit == index + 1]
        best = int(np.ptp(waves.mean(axis=0), axis=0).argmax())
        assert set(spikes.channel[spikes.unit == index + 1].tolist()) == {int(recording.channel_ids[best])}
        np.testing.assert_allclose(own, waves[:, :, best], rtol=1e-5)
    assert "counted from 1" in " ".join(notes)


def test_a_zarr_analyzer_without_zarr_says_what_to_install(tmp_path: Path) -> None:
    try:
        import zarr  # noqa: F401 - only whether it is there
    except ImportError:
        put(tmp_path / "extensions" / ".zgroup", {})
        with pytest.raises(LoadError, match="pip install zarr"):
            BUNDLED["spikeinterface"]().load(tmp_path)
