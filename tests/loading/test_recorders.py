"""TDT, Axona, Open Ephys and Spike2. No sample files: each is written here from the vendor's public description.

TDT: the event header of TDT's own `tdt` package (40 bytes: size, type, code, channel, sort code, time, offset, format,
frequency) and its .tev of floats in volts. Axona: "DacqUSB file formats" (text header to data_start, then per channel a
big-endian time and 8-bit samples) and Tint's .cut. Open Ephys: the project's pages on the Open Ephys format 0.4 and on
the binary format of its releases 0.5 and 0.6. Spike2: the SON layout as neo documents it (headers of file, channels and
blocks).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError
from neuralsorter.loading import BUNDLED, is_recording, load_with_notes, parse

RNG = np.random.default_rng(7)


def tdt(folder: Path, n: int = 40, n_samples: int = 30) -> dict[str, np.ndarray[Any, Any]]:
    """Write a block: a start mark, two channels of snippets, epoch onsets, a stop mark."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    waves = rng.normal(0, 40e-6, (n, n_samples)).astype("<f4")
    waves[:, 9] -= 300e-6
    times = 1.7e9 + np.sort(rng.uniform(0, 20, n))
    channel, code = rng.integers(1, 3, n), rng.integers(0, 3, n)
    record = np.dtype(
        [("size", "<i4"), ("type", "<i4"), ("code", "S4"), ("channel", "<u2"), ("sort", "<u2"), ("time", "<f8"),
         ("offset", "<i8"), ("format", "<i4"), ("frequency", "<f4")]
    )  # fmt: skip
    rows = np.zeros(n + 5, record)
    rows[1] = (10, 0x8801, b"\x01", 0, 0, 1.7e9, 0, 0, 0)
    for i in range(n):
        place = 64 + i * n_samples * 4
        rows[2 + i] = (10 + n_samples, 0x8201, b"eNe1", channel[i], code[i], times[i], place, 0, 24414.0625)
    for i, value in enumerate((3.0, 7.0)):
        offset = int(np.float64(value).view("<i8"))
        rows[n + 2 + i] = (10, 0x0101, b"Tick", 0, 0, 1.7e9 + 5 * (i + 1), offset, 4, 0)
    rows[-1] = (10, 0x8801, b"\x02", 0, 0, 1.7e9 + 30, 0, 0, 0)
    stem = f"{folder.parent.name}_{folder.name}"
    (folder / f"{stem}.tsq").write_bytes(rows.tobytes())
    (folder / f"{stem}.tev").write_bytes(bytes(64) + waves.tobytes())
    note = (
        "NAME=StoreName;TYPE=S;VALUE=eNe1;\nNAME=HeadName;TYPE=S;VALUE=x;\nNAME=Enabled;TYPE=L;VALUE=1;\n"
        "NAME=CircType;TYPE=L;VALUE=0;\nNAME=NumChan;TYPE=L;VALUE=2;\nNAME=StrobeMode;TYPE=L;VALUE=0;\n"
        f"NAME=TankEvType;TYPE=L;VALUE=33281;\nNAME=NumPoints;TYPE=L;VALUE={n_samples};\n"
        "NAME=DataFormat;TYPE=L;VALUE=0;\nNAME=SampleFreq;TYPE=D;VALUE=24414.0625;\n"
    )
    (folder / f"{stem}.Tbk").write_text(note + "[USERNOTEDELIMITER]")
    (folder / f"{stem}.tdx").write_bytes(b"")
    return {"waves": waves * 1e6, "times": times - 1.7e9, "channel": channel, "code": code}


def test_a_tdt_block_is_read_with_its_sort_codes_and_epochs(tmp_path: Path) -> None:
    truth = tdt(tmp_path / "tank" / "block1")
    spikes, notes = load_with_notes(tmp_path / "tank" / "block1")
    np.testing.assert_allclose(spikes.times_s, truth["times"])
    np.testing.assert_allclose(spikes.waveforms, truth["waves"], rtol=1e-5)
    np.testing.assert_array_equal(spikes.channel, truth["channel"])
    sorted_ = truth["code"] > 0
    np.testing.assert_array_equal(spikes.unit[sorted_], truth["code"][sorted_])
    assert {spikes.labels.get((c, 3)) for c in (1, 2)} == {"unsorted"}
    assert (spikes.sampling_rate, spikes.pre_samples) == (24414.0625, 9)
    assert spikes.triggers["code"].tolist() == [3, 7]
    np.testing.assert_allclose(spikes.triggers["time_s"], [5.0, 10.0])
    assert "the sample at which most peak is taken" in " ".join(notes)
    again = BUNDLED["tdt"]().load(next((tmp_path / "tank" / "block1").glob("*.tsq")))
    np.testing.assert_array_equal(again.raw, spikes.raw)


def test_neo_reads_the_same_tdt_snippets(tmp_path: Path) -> None:
    rawio = pytest.importorskip("neo.rawio")
    tdt(tmp_path / "tank" / "block1")
    spikes = BUNDLED["tdt"]().load(tmp_path / "tank" / "block1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = rawio.TdtRawIO(str(next((tmp_path / "tank" / "block1").glob("*.tsq"))))
        reader.parse_header()
        for index, header in enumerate(reader.header["spike_channels"]):
            channel, code = (int(text) for text in str(header["name"])[2:].split("#"))
            unit = code or 3
            rows = (spikes.channel == channel) & (spikes.unit == unit)
            np.testing.assert_allclose(reader.get_spike_timestamps(0, 0, index), spikes.times_s[rows])
            raw = reader.get_spike_raw_waveforms(0, 0, index)[:, 0] * 1e6
            np.testing.assert_allclose(raw, spikes.waveforms[rows], rtol=1e-5)


def test_the_blocks_of_a_tank_are_experiments(tmp_path: Path) -> None:
    for name in ("b1", "b2"):
        tdt(tmp_path / "tank" / name, n=5)
    spikes = BUNDLED["tdt"]().load(tmp_path / "tank")
    assert spikes.experiment.tolist() == [0] * 5 + [1] * 5
    assert [Path(source).name for source in spikes.sources] == ["b1", "b2"]


def axona(path: Path, n: int = 12, *, cut: bool = True) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Write tetrode 2 of a trial with its .set and .cut; return its samples (n, 4, 50) and times in s."""
    rng = np.random.default_rng(1)
    record = np.zeros((n, 4), [("time", ">i4"), ("samples", "i1", 50)])
    record["samples"] = rng.integers(-100, 100, (n, 4, 50))
    record["time"] = (np.arange(n) * 9_600)[:, None]
    head = (
        "trial_date Monday, 1 Jan 2024\r\nduration 600\r\nnum_chans 4\r\ntimebase 96000 hz\r\nbytes_per_timestamp 4\r\n"
        "samples_per_spike 50\r\nsample_rate 48000 hz\r\nbytes_per_sample 1\r\nspike_format t,ch1,t,ch2,t,ch3,t,ch4\r\n"
        f"num_spikes {n}\r\ndata_start"
    )
    path.write_bytes(head.encode() + record.tobytes() + b"\r\ndata_end")
    gains = "".join(f"gain_ch_{k} {1000 * (k - 3)}\r\n" for k in range(4, 8))
    path.with_suffix(".set").write_text(f"trial_date x\r\nADC_fullscale_mv 1500\r\npretrigSamps 10\r\n{gains}")
    if cut:
        codes = " ".join(str(i % 3) for i in range(n))
        text = f"n_clusters: 3\nn_channels: 4\n\nExact_cut_for: {path.stem} spikes: {n}\n{codes}\n"
        path.with_name(f"{path.stem}_2.cut").write_text(text)
    return record["samples"], np.arange(n) / 10


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


def open_ephys(path: Path, version: str = "0.4", n: int = 9, width: int = 2) -> np.ndarray[Any, Any]:
    """Write a .spikes file; return its waveforms in µV, (n, width, 40)."""
    rng = np.random.default_rng(2)
    uv = rng.integers(-200, 200, (n, width, 40)).astype(float)
    uv[:, :, 8] -= 500
    head = f"header.format = 'Open Ephys Data Format';\nheader.version = {version};\nheader.header_bytes = 1024;\n"
    content = (head + "header.sampleRate = 30000;\n").encode().ljust(1024, b" ")
    for i in range(n):
        samples = np.round(uv[i] * 20 + 32768).astype("<u2").tobytes()  # a gain of 20,000, kept times 1000 / 1000
        tail = np.array([0] * width, "<u2").tobytes() + np.uint16(i // 6).tobytes()
        size = np.array([width, 40], "<u2").tobytes()
        if version == "0.4":
            head_ = b"\x04" + np.array([i * 3000, 0], "<i8").tobytes() + np.uint16(7).tobytes() + size
            head_ += np.array([i % 3, 5, 0], "<u2").tobytes() + bytes(3) + bytes(8) + np.uint16(30000).tobytes()
            gains = np.array([20_000] * width, "<f4").tobytes()
        else:
            head_ = b"\x04" + np.int64(i * 3000).tobytes() + np.uint16(5).tobytes() + size
            gains = np.array([20_000] * width, "<u2").tobytes()
        content += head_ + samples + gains + tail
    path.write_bytes(content)
    return uv


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


def open_ephys_binary(folder: Path, *, old: bool = False) -> np.ndarray[Any, Any]:
    """Write a recording folder with two stereotrodes; return the first one's waveforms in µV."""
    rng = np.random.default_rng(3)
    raw = rng.integers(-3000, 3000, (6, 2, 40)).astype("<i2")
    groups = []
    for number in (1, 2):
        place = folder / "spikes" / "Detector-104" / f"Stereotrode {number}"
        place.mkdir(parents=True)
        names = ("spike_waveforms", "spike_times", "spike_clusters", "spike_electrode_indices") if old else (
            "waveforms", "sample_numbers", "clusters", "electrode_indices")  # fmt: skip
        arrays = (raw, np.arange(6) * 4000, np.array([0, 1, 1, 0, 2, 1], "<u2"), np.ones(6, "<u2"))
        for name, array in zip(names, arrays, strict=True):
            np.save(place / f"{name}.npy", array)
        if not old:
            np.save(place / "timestamps.npy", np.arange(6) / 10 + 0.25)
        channel = {"name": "CH1", "bit_volts": 0.05}
        groups.append({
            "name": place.name, "sample_rate": 40000.0, "num_channels": 2, "pre_peak_samples": 8,
            "post_peak_samples": 32, ("folder_name" if old else "folder"): f"Detector-104/Stereotrode {number}/",
            "source_channels": [channel, channel],
        })  # fmt: skip
    ttl = folder / "events" / "Reader-100" / "TTL"
    ttl.mkdir(parents=True)
    np.save(ttl / "states.npy", np.array([1, -1, 4], "<i2"))
    np.save(ttl / "sample_numbers.npy", np.array([40, 80, 120]))
    events = [{"folder_name": "Reader-100/TTL/", "type": "int16"}, {"folder_name": "Messages/", "type": "string"}]
    (folder / "structure.oebin").write_text(json.dumps({"GUI version": "0.6.7", "spikes": groups, "events": events}))
    return raw * 0.05


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


def smr(path: Path, n: int = 8, n_samples: int = 32) -> np.ndarray[Any, Any]:
    """Write a file with one WaveMark channel in two blocks and one marker channel; return the waveforms in µV."""
    rng = np.random.default_rng(4)
    raw = rng.integers(-20_000, 20_000, (n, n_samples)).astype("<i2")
    head = bytearray(512)
    head[0:2] = np.int16(8).tobytes()
    head[2:12] = b"(C) CED 87"
    head[20:26] = np.array([10, 1, 0], "<i2").tobytes()  # 10 µs per tick
    head[30:32] = np.int16(2).tobytes()
    head[32:34] = np.int16(140).tobytes()
    head[44:52] = np.float64(1e-6).tobytes()
    item = np.zeros(n, [("tick", "<i4"), ("marker", "u1", 4), ("waveform", "<i2", n_samples)])
    item["tick"], item["waveform"] = np.arange(n) * 1000 + 500, raw
    item["marker"][:, 0] = [0, 1, 2, 1, 0, 1, 2, 2][:n]
    marks = np.zeros(3, [("tick", "<i4"), ("marker", "u1", 4)])
    marks["tick"], marks["marker"][:, 0] = [100, 2000, 4000], [65, 66, 65]
    blocks, first = bytearray(), 512 + 2 * 140
    for part, last in ((item[:5], False), (item[5:], True)):
        size = 20 + part.nbytes
        after = -1 if last else first + len(blocks) + size
        ends = np.array([-1, after, part["tick"][0], part["tick"][-1]], "<i4")
        blocks += ends.tobytes() + np.array([1, len(part)], "<i2").tobytes() + part.tobytes()
    marker_at = first + len(blocks)
    blocks += np.array([-1, -1, 100, 4000], "<i4").tobytes() + np.array([2, 3], "<i2").tobytes() + marks.tobytes()
    channels = bytearray()
    for kind, place, count, extra in ((6, first, 2, n_samples * 2), (5, marker_at, 1, 0)):
        own = bytearray(140)
        own[6:10], own[14:16], own[16:18] = (
            np.int32(place).tobytes(), np.int16(count).tobytes(), np.int16(extra).tobytes())  # fmt: skip
        own[18:20] = np.int16(8).tobytes()
        own[102:106] = np.int32(6).tobytes()  # a sample every 6 ticks of 10 µs
        own[108:113] = b"\x04unit"
        own[122] = kind
        own[124:128], own[132:138] = np.float32(1).tobytes(), b"\x04Volt\0"
        channels += own
    path.write_bytes(bytes(head) + bytes(channels) + bytes(blocks))
    return raw


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


def write_tdt(folder: Path) -> Path:
    tdt(folder / "tank" / "b")
    return next((folder / "tank" / "b").glob("*.tsq"))


def write_axona(folder: Path) -> Path:
    axona(folder / "trial.2")
    return folder / "trial.2"


def write_spikes(folder: Path) -> Path:
    open_ephys(folder / "TT0.spikes")
    return folder / "TT0.spikes"


def write_binary(folder: Path) -> Path:
    open_ephys_binary(folder / "rec")
    return folder / "rec" / "spikes" / "Detector-104" / "Stereotrode 1" / "waveforms.npy"


def write_smr(folder: Path) -> Path:
    smr(folder / "a.smr")
    return folder / "a.smr"


WRITERS: dict[str, Callable[[Path], Path]] = {
    "tdt": write_tdt,
    "axona": write_axona,
    "openephys": write_spikes,
    "openephys_binary": write_binary,
    "spike2": write_smr,
}


def load_here(name: str, file: Path) -> ns.Spikes:
    """Read in this process, as the worker does."""
    path = file.parents[3] if name == "openephys_binary" else file
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return BUNDLED[name]().load(path)


@pytest.mark.parametrize("name", WRITERS)
def test_a_recording_cut_off_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    file = WRITERS[name](tmp_path)
    content = file.read_bytes()
    for size in (0, 3, len(content) // 2, len(content) - 15):
        file.write_bytes(content[:size])
        with pytest.raises(LoadError, match=r"^[^\n]+\.$"):
            load_here(name, file)


@pytest.mark.parametrize("name", WRITERS)
def test_no_mutated_recording_does_more_than_raise(tmp_path: Path, name: str) -> None:
    file = WRITERS[name](tmp_path)
    good, rng, refused = file.read_bytes(), np.random.default_rng(0), 0
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, min(len(bad), 1600) - 4))
            bad[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", bytes(rng.integers(0, 256, 4, np.uint8))])
        file.write_bytes(bad)
        try:
            load_here(name, file)
        except Exception as error:  # noqa: BLE001 - in the worker every one of these becomes one sentence
            assert not isinstance(error, (MemoryError, RecursionError, SystemError))  # noqa: PT017
            refused += 1
    assert refused > 5


def test_tdt_offsets_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    file = write_tdt(tmp_path)
    rows = np.frombuffer(file.read_bytes(), "<i4").reshape(-1, 10).copy()
    snippets = rows[:, 1] == 0x8201
    rows[snippets, 0], rows[snippets, 6] = 10 + 1000, 0  # each event: all of the file
    file.write_bytes(rows.tobytes())
    with pytest.raises(LoadError, match="40 snippets should lie in the"):
        load_here("tdt", file)


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


def test_folders_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    (tmp_path / "none").mkdir()
    assert is_recording(tmp_path / "tdt" / "tank" / "b")
    assert is_recording(tmp_path / "tdt" / "tank")
    assert is_recording(tmp_path / "openephys")
    assert is_recording(tmp_path / "openephys_binary" / "rec")
    assert not is_recording(tmp_path / "none")
    with pytest.raises(LoadError, match="a folder in which no loader knows a recording"):
        ns.load(tmp_path / "none")


@pytest.mark.parametrize(("name", "told"), [("a.pl2", "Plexon's own library"), ("a.smrx", "CED's own library")])
def test_formats_of_closed_libraries_are_refused_with_what_to_do(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(LoadError, match=told):
        parse(str(tmp_path / name))
