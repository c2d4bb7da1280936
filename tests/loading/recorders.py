"""Files of TDT, Axona, Open Ephys and Spike2, written from the vendor's public description: there are no samples.

TDT: the event header of TDT's own `tdt` package (40 bytes: size, type, code, channel, sort code, time, offset, format,
frequency) and its .tev of floats in volts. Axona: "DacqUSB file formats" (text header to data_start, then per channel a
big-endian time and 8-bit samples) and Tint's .cut. Open Ephys: the project's pages on the Open Ephys format 0.4 and on
the binary format of its releases 0.5 and 0.6. Spike2: the SON layout as neo documents it (headers of file, channels and
blocks).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


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


def mcs(path: Path, n: int = 5, n_samples: int = 61) -> np.ndarray[Any, Any]:
    """Write a segment stream of two channels at 20 kHz; return the samples in µV, (2, n, n_samples)."""
    import h5py

    raw = np.random.default_rng(5).integers(-900, 900, (2, n, n_samples)).astype(np.int32)
    source = [
        ("ChannelID", "<i4"),
        ("ADZero", "<i4"),
        ("Tick", "<i8"),
        ("ConversionFactor", "<i8"),
        ("Exponent", "<i4"),
    ]
    segment = [("SegmentID", "<i4"), ("SegmentType", "S8"), ("SourceChannelIDs", "S8"), ("PreInterval", "<i8")]
    stream = "Data/Recording_0/SegmentStream/Stream_0"
    with h5py.File(path, "w") as file:
        file[f"{stream}/SourceInfoChannel"] = np.array([(k, 0, 50, 100_000, -12) for k in (0, 1)], source)
        file[f"{stream}/InfoSegment"] = np.array([(k, b"Cutout", str(k).encode(), 1000) for k in (0, 1)], segment)
        for k in (0, 1):
            file[f"{stream}/SegmentData_{k}"] = raw[k].T
            file[f"{stream}/SegmentData_ts_{k}"] = (np.arange(n)[None] * 10_000 + 100 * k).astype(np.int64)
    return raw * 0.1


def write_mcs(folder: Path) -> Path:
    mcs(folder / "a.h5")
    return folder / "a.h5"


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
    "mcs": write_mcs,
}
