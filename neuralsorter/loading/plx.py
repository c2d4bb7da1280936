"""Plexon PLX, read block by block: the order of the file is kept and unsorted (unit 0) stays apart from units."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .codes import from_vendor

MAGIC = 0x58454C50
FILE_BYTES, CHANNEL_BYTES, EVENT_BYTES, SLOW_BYTES = 7504, 1020, 296, 296
SPIKE, EVENT, SLOW = 1, 4, 5
UNSORTED = 0

BLOCK = np.dtype(
    [("kind", "<i2"), ("upper", "<u2"), ("time", "<u4"), ("channel", "<i2"), ("unit", "<i2"), ("waves", "<i2"),
     ("words", "<i2")]
)  # fmt: skip
FILE = np.dtype(
    {
        "names": [
            "magic", "version", "comment", "clock_hz", "n_channels", "n_events", "n_slow", "n_samples", "pre_samples",
            "date", "wave_hz", "last", "bits", "spike_mv", "preamp",
        ],
        "formats": ["<u4", "<i4", "S128", "<i4", "<i4", "<i4", "<i4", "<i4", "<i4",
                    ("<i4", 6), "<i4", "<f8", "u1", "<u2", "<u2"],
        "offsets": [0, 4, 8, 136, 140, 144, 148, 152, 156, 160, 188, 192, 202, 204, 208],
        "itemsize": FILE_BYTES,
    }
)  # fmt: skip
CHANNEL = np.dtype(
    {
        "names": ["name", "signal", "number", "gain", "threshold", "n_units"],
        "formats": ["S32", "S32", "<i4", "<i4", "<i4", "<i4"],
        "offsets": [0, 32, 64, 80, 88, 96],
        "itemsize": CHANNEL_BYTES,
    }
)
_FIRST_WINDOW, _LARGEST_WINDOW = 16, 1 << 16  # blocks looked at together
_COPY = "The file is damaged: copy it again from where it was recorded"


class PlxLoader(Loader):
    """Plexon PLX: spikes with waveforms, units, thresholds and events; continuous data are left out."""

    suffixes: ClassVar[tuple[str, ...]] = (".plx",)

    def load(self, path: Path) -> Spikes:
        """Return the spike blocks in file order."""
        content = path.read_bytes()
        header, channels, start = _headers(path, content)
        spikes, events = _blocks(path, content, start)
        if not len(spikes):
            return _empty(path, header)
        time, channel, unit, place, words = spikes.T
        n_samples = int(words[0])
        if (words != n_samples).any() or not n_samples:
            raise LoadError(path, "has waveforms of different lengths", "Export each length to a file of its own")
        raw = _waveforms(content, place, n_samples)
        uv, threshold = _scales(path, header, channels)
        unknown = np.setdiff1d(channel, list(uv))
        if len(unknown):
            raise LoadError(path, f"has spikes on channel {unknown[0]}, which has no header", _COPY)
        scale = np.array([uv[number] for number in channel.tolist()])
        numbers = channel.astype(np.int32)
        units, labels = from_vendor(numbers, unit.astype(np.int32), UNSORTED, noise=None)
        same = len(np.unique(scale)) == 1
        return Spikes(
            raw=raw if same else (raw * scale[:, None]).astype(np.float32),
            times_s=time / float(header["clock_hz"]),
            channel=numbers,
            unit=units,
            experiment=np.zeros(len(time), np.int32),
            sampling_rate=float(header["wave_hz"] or header["clock_hz"]),
            pre_samples=min(max(int(header["pre_samples"]), 0), n_samples - 1),
            uv_per_bit=float(scale[0]) if same else 1.0,
            labels=labels,
            channels=_table(np.unique(numbers), threshold),
            triggers=_triggers(events, float(header["clock_hz"])),
            sources=(str(path),),
        )


def _headers(path: Path, content: bytes) -> tuple[Any, NDArray[Any], int]:
    if len(content) < FILE_BYTES or content[:4] != MAGIC.to_bytes(4, "little"):
        raise LoadError(path, f"does not start with the {FILE_BYTES} bytes of a PLX header", _COPY)
    header = np.frombuffer(content, FILE, 1)[0]
    counts = [int(header[name]) for name in ("n_channels", "n_events", "n_slow")]
    start = FILE_BYTES + counts[0] * CHANNEL_BYTES + counts[1] * EVENT_BYTES + counts[2] * SLOW_BYTES
    if min(counts) < 0 or start > len(content):
        raise LoadError(path, f"has headers up to byte {start} and ends at byte {len(content)}", _COPY)
    if header["clock_hz"] <= 0 or header["wave_hz"] < 0:
        raise LoadError(path, f"states a clock of {header['clock_hz']} Hz (byte 136)", _COPY)
    return header, np.frombuffer(content, CHANNEL, counts[0], FILE_BYTES), start


def _blocks(path: Path, content: bytes, at: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Walk through the data blocks; return [time, channel, unit, place, words] of spikes, and of events.

    Blocks of one size often follow each other: those are taken together.
    """
    taken: dict[int, list[NDArray[np.int64]]] = {SPIKE: [], EVENT: [], SLOW: []}
    size, window = len(content), _FIRST_WINDOW
    while at < size:
        if at + BLOCK.itemsize > size:
            raise LoadError(path, f"is cut off at byte {size}, inside the block header at byte {at}", _COPY)
        first = np.frombuffer(content, BLOCK, 1, at)[0]
        kind, waves, words = int(first["kind"]), int(first["waves"]), int(first["words"])
        length = BLOCK.itemsize + 2 * waves * words
        if kind not in taken or waves < 0 or words < 0 or at + length > size:
            raise LoadError(path, f"has a damaged or cut-off block at byte {at} of {size}", _COPY)
        count = min((size - at) // length, window)
        run = np.ndarray(count, BLOCK, content, at, length)
        alike = (run["kind"] == kind) & (run["waves"] == waves) & (run["words"] == words)
        n = count if alike.all() else int(alike.argmin())
        run = run[:n]
        time = run["upper"].astype(np.int64) * 2**32 + run["time"]
        place = at + BLOCK.itemsize + length * np.arange(n)
        rows = [time, run["channel"], run["unit"], place, np.full(n, waves * words)]
        if kind != SPIKE or waves:
            taken[kind].append(np.stack(rows, axis=1).astype(np.int64))
        at += n * length
        window = min(window * 4, _LARGEST_WINDOW) if n == count else _FIRST_WINDOW
    none = np.zeros((0, 5), np.int64)
    return np.concatenate([none, *taken[SPIKE]]), np.concatenate([none, *taken[EVENT]])


def _waveforms(content: bytes, place: NDArray[np.int64], n_samples: int) -> NDArray[np.int16]:
    """Return the samples at each place, (n_spikes, n_samples), copied by stretches of even spacing."""
    raw = np.empty((len(place), n_samples), "<i2")
    step = np.diff(place)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(step)) + 2, [len(place)]])
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        if first < last:
            stride = int(step[first]) if last - first > 1 else 0
            raw[first:last] = np.ndarray((last - first, n_samples), "<i2", content, int(place[first]), (stride, 2))
    return raw


def _scales(path: Path, header: Any, channels: NDArray[Any]) -> tuple[dict[int, float], dict[int, float]]:
    """Return µV per bit, and the threshold in µV, of each channel, by the rules of each version."""
    version = int(header["version"])
    half_mv = float(header["spike_mv"]) if version >= 103 else 3000.0
    half_bits = 2.0 ** ((int(header["bits"]) if version >= 103 else 12) - 1)
    preamp = float(header["preamp"]) if version >= 105 else 1000.0
    if not (half_mv > 0 and 1 <= half_bits <= 2**31 and preamp > 0):
        raise LoadError(path, "states no scale of its spikes (bytes 202 to 210)", _COPY)
    uv = {}
    for row in channels:
        if row["gain"] > 0:
            uv[int(row["number"])] = half_mv * 1000 / (half_bits * float(row["gain"]) * preamp)
    threshold = {int(row["number"]): float(row["threshold"]) * uv.get(int(row["number"]), np.nan) for row in channels}
    return uv, threshold


def _table(present: NDArray[np.int32], threshold: dict[int, float]) -> pd.DataFrame:
    uv = [threshold.get(number, np.nan) or np.nan for number in present.tolist()]
    return pd.DataFrame({"id": present.astype(np.int64), "x_um": np.nan, "y_um": np.nan, "threshold_uv": uv})


def _triggers(events: NDArray[np.int64], clock_hz: float) -> pd.DataFrame:
    """Return event blocks: the channel says which line, the unit its value (strobed words)."""
    return pd.DataFrame({"time_s": events[:, 0] / clock_hz, "code": events[:, 2], "line": events[:, 1]})


def _empty(path: Path, header: Any) -> Spikes:
    none = np.zeros(0, np.int32)
    n_samples = max(int(header["n_samples"]), 1)
    pre = min(max(int(header["pre_samples"]), 0), n_samples - 1)
    raw, rate = np.zeros((0, min(n_samples, 10_000)), np.int16), float(header["wave_hz"] or header["clock_hz"])
    return Spikes(raw, np.zeros(0), none, none, none, rate, min(pre, raw.shape[1] - 1), sources=(str(path),))
