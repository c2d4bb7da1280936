"""NEV files made from the format's public description, independently of the package, and two real recordings."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError

Packet = tuple[int, int, int, bytes]  # time, id, unit, the rest
SharedData = Callable[[str], Path]


def waveform(start: int = 0, n: int = 48) -> bytes:
    return struct.pack(f"<{n}h", *range(start, start + n))


def nev(
    path: Path,
    packets: list[Packet],
    *,
    electrodes: tuple[tuple[int, int, int], ...] = ((1, 250, -100), (2, 250, 0)),
    version: tuple[int, int] = (2, 3),
    packet_bytes: int = 104,
    clock: int = 30_000,
    sample_bytes: int = 2,
) -> Path:
    """Write a file with electrodes (id, nV per bit, low threshold)."""
    extended = b"".join(
        struct.pack("<8sHBBHHhhBBH8x", b"NEUEVWAV", number, 1, number, nv, 0, 0, low, 0, sample_bytes, 48)
        for number, nv, low in electrodes
    )
    flags, header_bytes = sample_bytes - 1, 336 + len(extended)
    head = struct.pack("<8sBBHIIII", b"NEURALEV", *version, flags, header_bytes, packet_bytes, clock, 30_000)
    head += struct.pack("<16s32s256sI", b"", b"test", b"", len(electrodes))
    time = "<Q" if version >= (3, 0) else "<I"
    body = [
        (struct.pack(time, at) + struct.pack("<HBB", number, unit, 0) + rest).ljust(packet_bytes, b"\0")
        for at, number, unit, rest in packets
    ]
    path.write_bytes(head + extended + b"".join(body))
    return path


def test_the_real_utah_recording_is_read_whole(shared_data: SharedData) -> None:
    spikes = ns.load(shared_data("vendor/utah96_Recording4.nev"))
    assert len(spikes) == 37_431
    assert len(np.unique(spikes.channel)) == 96
    assert np.bincount(spikes.segment).tolist() == [789, 36_642]  # the clock restarts once
    assert spikes.uv_per_bit == 0.25
    assert spikes.channels["threshold_uv"][0] == -30.75
    assert set(spikes.labels.values()) == {"unsorted"}


def test_the_small_real_recording_holds_547_events_on_6_channels(shared_data: SharedData) -> None:
    spikes = ns.load(shared_data("vendor/blackrock_neursort_kkkkk_0.nev"))
    assert {channel: sum(units.values()) for channel, units in spikes.unit_counts().items()} == {
        14: 97, 22: 133, 24: 59, 32: 34, 38: 139, 96: 85,
    }  # fmt: skip
    assert spikes.labels == {}  # sorted by the recorder, all in unit 1


def test_events_equal_those_that_neo_reads(shared_data: SharedData) -> None:
    neo = pytest.importorskip("neo.rawio")
    path = shared_data("vendor/blackrock_neursort_kkkkk_0.nev")
    spikes = ns.load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = neo.BlackrockRawIO(filename=str(path.with_suffix("")))
        reader.parse_header()
        for index, name in enumerate(reader.header["spike_channels"]["name"]):
            channel = int(str(name).split("#")[0][2:])
            rows = np.flatnonzero(spikes.channel == channel)
            ticks = reader.get_spike_timestamps(spike_channel_index=index)
            np.testing.assert_array_equal(np.round(spikes.times_s[rows] * 30_000), ticks)
            raw = reader.get_spike_raw_waveforms(spike_channel_index=index)
            np.testing.assert_array_equal(spikes.raw[rows], np.asarray(raw)[:, 0])


def test_vendor_codes_become_units_and_labels(tmp_path: Path) -> None:
    packets = [(10, 1, 0, waveform()), (20, 1, 2, waveform()), (30, 1, 255, waveform()), (40, 2, 0, waveform())]
    spikes = ns.load(nev(tmp_path / "a.nev", packets))
    assert spikes.unit.tolist() == [3, 2, 0, 1]  # unclassified: a fresh unit beside sorted ones, else unit 1
    assert spikes.labels == {(1, 3): "unsorted", (2, 1): "unsorted"}


def test_samples_times_thresholds_and_triggers_are_exact(tmp_path: Path) -> None:
    packets = [(300, 1, 1, waveform(-20)), (450, 0, 1, struct.pack("<H", 77)), (600, 2, 1, waveform(5))]
    spikes = ns.load(nev(tmp_path / "a.nev", packets))
    np.testing.assert_allclose(spikes.times_s, [0.01, 0.02])
    np.testing.assert_array_equal(spikes.waveforms[0], np.arange(-20, 28) * 0.25)
    assert spikes.channels["threshold_uv"].tolist()[0] == -25.0
    assert np.isnan(spikes.channels["threshold_uv"][1])
    assert spikes.triggers[["time_s", "code"]].to_numpy().tolist() == [[0.015, 77]]


def test_packets_that_are_no_spikes_are_left_out(tmp_path: Path) -> None:
    packets = [(0, 0xFFFF, 0, b""), (300, 1, 1, waveform()), (310, 5121, 0, waveform())]
    assert len(ns.load(nev(tmp_path / "a.nev", packets))) == 1


def test_a_restarted_clock_begins_a_segment_and_jitter_does_not(tmp_path: Path) -> None:
    ticks = [300_000, 300_060, 300_030, 400_000, 100, 200]
    spikes = ns.load(nev(tmp_path / "a.nev", [(tick, 1, 1, waveform()) for tick in ticks]))
    assert spikes.segment.tolist() == [0, 0, 0, 0, 1, 1]
    np.testing.assert_allclose(spikes.times_s * 30_000, ticks)


def test_version_3_counts_ns_in_64_bits(tmp_path: Path) -> None:
    start = 1_700_000_000_000_000_000
    packets = [(start, 1, 1, waveform()), (start + 1_500, 1, 1, waveform())]
    path = nev(tmp_path / "a.nev", packets, version=(3, 0), packet_bytes=108, clock=1_000_000_000)
    np.testing.assert_allclose(ns.load(path).times_s, [0, 1.5e-6], atol=1e-12)


def test_samples_of_one_byte_are_read(tmp_path: Path) -> None:
    packets: list[Packet] = [(10, 1, 1, struct.pack("<48b", *range(-24, 24)))]
    path = nev(tmp_path / "a.nev", packets, packet_bytes=56, sample_bytes=1, version=(2, 1))
    np.testing.assert_array_equal(ns.load(path).raw[0], np.arange(-24, 24))


def test_electrodes_of_different_scale_are_read_in_uv(tmp_path: Path) -> None:
    packets = [(10, 1, 1, waveform(4)), (20, 2, 1, waveform(4))]
    spikes = ns.load(nev(tmp_path / "a.nev", packets, electrodes=((1, 250, 0), (2, 1000, 0))))
    assert spikes.waveforms[:, 0].tolist() == [1.0, 4.0]


def test_a_file_cut_off_names_the_place_and_the_remedy(tmp_path: Path) -> None:
    path = nev(tmp_path / "cut.nev", [(10, 1, 1, waveform()), (20, 1, 1, waveform())])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(LoadError, match=r"cut\.nev: is cut off: it ends at byte 578 inside packet 2.*last 74 bytes"):
        ns.load(path)


@pytest.mark.parametrize(
    ("at", "value", "told"),
    [
        (0, b"NOTANEV!", "does not start as a NEV file does"),
        (12, struct.pack("<I", 9_999), "says that its data start at byte 9999"),
        (16, struct.pack("<I", 3), "packets of 3 bytes"),
        (20, struct.pack("<I", 0), "a clock of 0 Hz"),
        (332, struct.pack("<I", 2**31), "extended headers"),
        (348, struct.pack("<H", 0), "a scale of 0 nV"),
    ],
)
def test_a_damaged_header_is_refused_in_a_sentence(tmp_path: Path, at: int, value: bytes, told: str) -> None:
    path = nev(tmp_path / "bad.nev", [(10, 1, 1, waveform())])
    content = path.read_bytes()
    path.write_bytes(content[:at] + value + content[at + len(value) :])
    with pytest.raises(LoadError, match=rf"bad\.nev: .*{told}"):
        ns.load(path)


@pytest.mark.parametrize("size", [0, 5, 200, 340])
def test_a_file_that_ends_in_its_header_is_refused(tmp_path: Path, size: int) -> None:
    path = nev(tmp_path / "bad.nev", [(10, 1, 1, waveform())])
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(LoadError, match=r"bad\.nev: "):
        ns.load(path)


def test_no_mutated_file_does_more_than_raise_a_load_error(tmp_path: Path) -> None:
    path = nev(tmp_path / "a.nev", [(i * 100, 1 + i % 2, i % 3, waveform(i)) for i in range(20)])
    good = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        bad = good.copy()
        for at in rng.integers(0, 500, rng.integers(1, 5)):
            bad[at] = rng.integers(256)
        path.write_bytes(bad[: len(bad) if rng.random() < 0.5 else int(rng.integers(len(bad)))])
        try:
            read: Any = ns.load(path)
            assert len(read) <= 20 * 104 // 16
        except LoadError:
            refused += 1
    assert 100 < refused < 500
