"""Multi Channel Systems and NWB: a real vendor file, files written by pynwb, and files made to do harm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError
from neuralsorter.loading.hdf5 import opened
from neuralsorter.loading.mcs import McsLoader
from neuralsorter.loading.nwb import NwbLoader
from tests.loading.recorders import mcs

SharedData = Callable[[str], Path]
START = datetime(2020, 1, 1, tzinfo=UTC)


def test_a_real_segment_stream_is_read(shared_data: SharedData) -> None:
    spikes = McsLoader().load(shared_data("vendor/mcs_cutouts_w8.h5"))
    expected = np.load(shared_data("events/mcs_hdf5_cutouts_w8.npz"))
    assert (len(spikes), spikes.n_samples, spikes.sampling_rate, spikes.pre_samples) == (225, 61, 20_000.0, 20)
    assert [int((spikes.channel == k).sum()) for k in range(8)] == [36, 28, 23, 28, 24, 33, 27, 26]
    assert (np.diff(spikes.times_s) >= 0).all()
    for number in range(8):  # the same events, there in volts
        volts = expected["waveforms"][expected["channel"] == np.unique(expected["channel"])[number]]
        np.testing.assert_allclose(spikes.waveforms[spikes.channel == number], volts * 1e6, rtol=1e-5)


def test_a_segment_stream_written_from_its_description_is_read(tmp_path: Path) -> None:
    uv = mcs(tmp_path / "a.h5")
    spikes = McsLoader().load(tmp_path / "a.h5")
    assert (len(spikes), spikes.sampling_rate, spikes.pre_samples) == (10, 20_000.0, 20)
    for number in (0, 1):
        np.testing.assert_allclose(spikes.waveforms[spikes.channel == number], uv[number], rtol=1e-5)
    np.testing.assert_allclose(spikes.times_s[spikes.channel == 1], np.arange(5) / 100 + 1e-4)


def nwb_file() -> Any:
    from pynwb import NWBFile

    nwb = NWBFile("test", "id", START)
    group = nwb.create_electrode_group("g", description="d", location="l", device=nwb.create_device("d"))
    for _ in range(4):
        nwb.add_electrode(location="l", group=group)
    return nwb


def write(nwb: Any, path: Path) -> Path:
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return path


def test_units_with_waveforms_written_by_pynwb_are_read(tmp_path: Path) -> None:
    nwb, rng = nwb_file(), np.random.default_rng(0)
    nwb.add_unit_column("quality", "how good")
    waves = rng.normal(0, 5e-5, (3, 5, 1, 40))
    for row, (electrode, quality) in enumerate([(2, "good"), (2, "noise"), (3, "mua")]):
        times = np.arange(5) + 0.1 * row
        nwb.add_unit(spike_times=times, waveforms=waves[row], electrodes=[electrode], quality=quality)
    nwb.units.waveform_rate = 30_000.0
    spikes = NwbLoader().load(write(nwb, tmp_path / "a.nwb"))
    assert len(spikes) == 15
    assert (spikes.sampling_rate, spikes.pre_samples) == (30_000.0, 30)
    assert spikes.unit_counts() == {2: {0: 5, 1: 5}, 3: {1: 5}}
    assert spikes.labels == {(2, 1): "good", (3, 1): "mua"}
    np.testing.assert_allclose(spikes.waveforms[spikes.channel == 3], waves[2, :, 0] * 1e6, rtol=1e-5)
    np.testing.assert_allclose(spikes.times_s[spikes.channel == 3], np.arange(5) + 0.2)


def test_spike_event_series_written_by_pynwb_are_read(tmp_path: Path) -> None:
    from pynwb.ecephys import SpikeEventSeries

    nwb, rng = nwb_file(), np.random.default_rng(0)
    data = rng.normal(0, 5e-5, (2, 6, 40))
    for k, electrode in enumerate((1, 3)):
        region = nwb.create_electrode_table_region([electrode], "one")
        times = np.arange(6) + 0.5 * k
        series = SpikeEventSeries(
            name=f"events{k}", data=data[k][:, None], timestamps=times, electrodes=region, description="crossings"
        )
        nwb.add_acquisition(series)
    spikes = NwbLoader().load(write(nwb, tmp_path / "a.nwb"))
    assert spikes.unit_counts() == {1: {1: 6}, 3: {1: 6}}
    assert set(spikes.labels.values()) == {"unsorted"}
    np.testing.assert_allclose(spikes.waveforms[spikes.channel == 3], data[1] * 1e6, rtol=1e-5)


def test_what_we_write_is_valid_and_read_by_pynwb(tmp_path: Path) -> None:
    from pynwb import NWBHDF5IO, validate

    rng = np.random.default_rng(0)
    spikes = ns.Spikes(
        raw=rng.integers(-300, 300, (20, 48)).astype(np.int16),
        times_s=np.sort(rng.uniform(0, 9, 20)),
        channel=rng.integers(1, 4, 20, np.int32),
        unit=rng.integers(0, 3, 20, np.int32),
        experiment=np.zeros(20, np.int32),
        sampling_rate=30_000.0,
        pre_samples=10,
        uv_per_bit=0.25,
    )
    ns.save(spikes, tmp_path / "a.nwb")
    assert not validate(path=str(tmp_path / "a.nwb"))
    with NWBHDF5IO(tmp_path / "a.nwb", "r") as io:
        units = io.read().units
        assert units.waveform_rate == 30_000.0
        assert units.waveform_time_before_peak_in_ms == pytest.approx(1 / 3)
        table = units.to_dataframe()
        assert set(table["quality"][table["unit"] == 0]) == {"noise"}
        for _, row in table.iterrows():
            rows = np.flatnonzero((spikes.channel == row["channel"]) & (spikes.unit == row["unit"]))
            np.testing.assert_allclose(row["spike_times"], spikes.times_s[rows])
            waves = np.asarray([np.asarray(wave)[0] for wave in row["waveforms"]])
            np.testing.assert_allclose(waves * 1e6, spikes.waveforms[rows], rtol=1e-5)


def test_the_nwb_inspector_finds_nothing_critical(tmp_path: Path) -> None:
    inspector = pytest.importorskip("nwbinspector")
    ones = np.ones(5, np.int32)
    raw = np.arange(150, dtype=np.float32).reshape(5, 30)
    ns.save(ns.Spikes(raw, np.arange(5) / 10, ones, ones, ones * 0), tmp_path / "a.nwb")
    serious = [
        m
        for m in inspector.inspect_nwbfile(nwbfile_path=tmp_path / "a.nwb")
        if m.importance.name in {"CRITICAL", "ERROR"}
    ]
    assert serious == []


def external_link(file: h5py.File, secret: Path) -> None:
    file["Data"] = h5py.ExternalLink(str(secret), "/x")


def external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset("Data/x", (10,), "u1", external=[(str(secret), 0, 10)])


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((10,), "u1")
    layout[:] = h5py.VirtualSource(str(secret), "x", (10,))
    file.create_virtual_dataset("Data/x", layout)


def bomb(file: h5py.File, _: Path) -> None:
    file.create_dataset("Data/x", (10**12,), "f8", chunks=(10**6,), compression="gzip")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (external_link, "points to another file at /Data"),
        (external_storage, "takes /Data/x from another file"),
        (virtual, "takes /Data/x from another file"),
        (bomb, "declares 8000000000000 bytes in /Data/x but stores 0"),
    ],
)
@pytest.mark.parametrize("suffix", [".h5", ".nwb"])
def test_a_file_that_reaches_out_or_fills_the_memory_is_refused(
    tmp_path: Path, harm: Callable[[h5py.File, Path], None], told: str, suffix: str
) -> None:
    (tmp_path / "secret").write_bytes(b"0123456789")
    path = tmp_path / f"bad{suffix}"
    with h5py.File(path, "w") as file:
        harm(file, tmp_path / "secret")
    with pytest.raises(LoadError, match=told):
        ns.load(path)


def test_links_inside_the_file_and_circles_are_harmless(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a/x"] = np.arange(5)
        file["a/soft"] = h5py.SoftLink("/a/x")
        file["a/circle"] = file["a"]
    with opened(tmp_path / "a.h5") as again:
        assert again["a/soft"][3] == 3


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n" + bytes(50)])
@pytest.mark.parametrize("loader", [McsLoader, NwbLoader])
def test_what_is_no_hdf5_file_is_refused(tmp_path: Path, content: bytes, loader: type[McsLoader]) -> None:
    (tmp_path / "bad.h5").write_bytes(content)
    with pytest.raises(LoadError, match=r"bad\.h5: is not a whole HDF5 file"):
        loader().load(tmp_path / "bad.h5")


def test_a_file_of_another_kind_is_told_what_is_missing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(LoadError, match="holds no group Data"):
        McsLoader().load(tmp_path / "a.h5")
    with pytest.raises(LoadError, match="holds no units with waveforms and no SpikeEventSeries"):
        NwbLoader().load(tmp_path / "a.h5")
