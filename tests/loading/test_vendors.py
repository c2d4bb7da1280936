"""PLX, NEX and Neuralynx. PLX and NEX are compared with what neo reads; Neuralynx files are written from the vendor's
public description of the record.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError
from neuralsorter.loading import BUNDLED
from neuralsorter.loading.neuralynx import NeuralynxLoader


@pytest.fixture
def spikes() -> ns.Spikes:
    rng = np.random.default_rng(0)
    return ns.Spikes(
        raw=rng.integers(-300, 300, (60, 40)).astype(np.int16),
        times_s=np.sort(rng.integers(0, 400_000, 60)) / 40_000,
        channel=rng.integers(1, 4, 60, np.int32),
        unit=rng.integers(1, 3, 60, np.int32),
        experiment=np.zeros(60, np.int32),
        sampling_rate=40_000.0,
        pre_samples=8,
        uv_per_bit=0.5,
    )


def seen_by_neo(reader: Any) -> list[tuple[str, np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Return (name, times in s, waveforms in µV) of each spike channel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader.parse_header()
        found = []
        for index, channel in enumerate(reader.header["spike_channels"]):
            ticks = reader.get_spike_timestamps(spike_channel_index=index)
            raw = reader.get_spike_raw_waveforms(spike_channel_index=index)
            wave = reader.rescale_waveforms_to_float(raw, spike_channel_index=index)
            scale = {"mV": 1000.0, "V": 1e6, "uV": 1.0}.get(str(channel["wf_units"]), 1000.0)
            times = reader.rescale_spike_timestamp(ticks, "float64")
            found.append((f"{channel['name']} {channel['id']}", times, wave[:, 0] * scale))
    return found


@pytest.mark.parametrize("suffix", [".plx", ".nex"])
def test_neo_reads_the_same_events(tmp_path: Path, spikes: ns.Spikes, suffix: str) -> None:
    rawio = pytest.importorskip("neo.rawio")
    path = tmp_path / f"a{suffix}"
    ns.save(spikes, path)
    options = {"progress_bar": False} if suffix == ".plx" else {}
    reader = rawio.PlexonRawIO(str(path), **options) if suffix == ".plx" else rawio.NeuroExplorerRawIO(str(path))
    found = seen_by_neo(reader)
    assert sum(len(times) for _, times, _ in found) == 60
    groups = {tuple(times.round(9)): waves for _, times, waves in found}
    for channel in (1, 2, 3):
        for unit in (1, 2):
            rows = np.flatnonzero((spikes.channel == channel) & (spikes.unit == unit))
            waves = groups[tuple(spikes.times_s[rows].round(9))]
            np.testing.assert_allclose(waves, spikes.waveforms[rows], atol=1e-3)


@pytest.mark.parametrize("suffix", [".plx", ".nex"])
@pytest.mark.parametrize("size", [0, 3, 600, -600, -5])
def test_a_file_cut_off_is_refused_with_its_place(tmp_path: Path, spikes: ns.Spikes, suffix: str, size: int) -> None:
    path = tmp_path / f"cut{suffix}"
    ns.save(spikes, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(LoadError, match=rf"cut\{suffix}: .*bytes?"):
        BUNDLED[suffix[1:]]().load(path)


@pytest.mark.parametrize("suffix", [".plx", ".nex"])
def test_no_mutated_file_does_more_than_raise_a_load_error(tmp_path: Path, spikes: ns.Spikes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    ns.save(spikes, path)
    good, rng, refused = bytearray(path.read_bytes()), np.random.default_rng(0), 0
    starts = {".plx": [(0, 260), (7504, 7800), (10_560, len(good))], ".nex": [(0, 290), (544, 1_700)]}[suffix]
    for _ in range(300):
        bad = good.copy()
        for _ in range(int(rng.integers(1, 4))):
            first, last = starts[int(rng.integers(len(starts)))]
            at = int(rng.integers(first, last - 4))
            bad[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", bytes(rng.integers(0, 256, 4, np.uint8))])
        path.write_bytes(bad)
        try:
            with np.errstate(all="ignore"):
                BUNDLED[suffix[1:]]().load(path)
        except ns.NeuralSorterError:
            refused += 1
    assert refused > 30


def neuralynx(path: Path, width: int, n: int = 5) -> np.ndarray[Any, Any]:
    """Write a file and return its samples, (n, width, 32)."""
    lines = ["######## Neuralynx Data File Header", "-SamplingFrequency 32000", "-AlignmentPt 8", "-InputInverted True"]
    lines += [f"-ADBitVolts {' '.join(['0.000000030518510385491027'] * width)}", "-ThreshVal 45"]
    record = np.dtype(
        [("time", "<u8"), ("entity", "<u4"), ("cell", "<u4"), ("params", "<u4", 8), ("data", "<i2", (32, width))]
    )
    records = np.zeros(n, record)
    records["time"] = 5_000_000_000 + np.arange(n) * 1_000
    records["entity"], records["cell"] = 3, [0, 1, 2, 1, 0][:n]
    records["data"] = np.random.default_rng(0).integers(-9_000, 9_000, (n, 32, width))
    path.write_bytes("\r\n".join(lines).encode().ljust(16_384, b"\0") + records.tobytes())
    return np.moveaxis(records["data"], 2, 1)


@pytest.mark.parametrize(("suffix", "width"), [(".nse", 1), (".nst", 2), (".ntt", 4)])
def test_neuralynx_spikes_are_read(tmp_path: Path, suffix: str, width: int) -> None:
    samples = neuralynx(tmp_path / f"a{suffix}", width)
    spikes = NeuralynxLoader().load(tmp_path / f"a{suffix}")
    waveforms = spikes.waveforms[:, None] if width == 1 else spikes.waveforms
    np.testing.assert_allclose(waveforms, samples * -0.030518510385491027, rtol=1e-5)
    np.testing.assert_allclose(spikes.times_s, np.arange(5) / 1000)
    assert spikes.unit.tolist() == [3, 1, 2, 1, 3]
    assert spikes.labels == {(3, 3): "unsorted"}
    assert (spikes.sampling_rate, spikes.pre_samples) == (32_000.0, 8)
    assert spikes.channels["threshold_uv"].tolist() == [-45.0]


def test_a_neuralynx_file_cut_off_is_refused(tmp_path: Path) -> None:
    neuralynx(tmp_path / "a.ntt", 4)
    content = (tmp_path / "a.ntt").read_bytes()
    for size, told in ((100, "16384 bytes of a Neuralynx header"), (len(content) - 3, "inside record 5")):
        (tmp_path / "a.ntt").write_bytes(content[:size])
        with pytest.raises(LoadError, match=told):
            NeuralynxLoader().load(tmp_path / "a.ntt")
