"""Continuous recordings: whatever neo opens, SpikeInterface folders where it is installed, and plain arrays."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import DataError, LoadError

LOWEST_RATE_HZ = 5_000.0  # slower streams are field potentials
_UV = {"uv": 1.0, "µv": 1.0, "μv": 1.0, "mv": 1e3, "v": 1e6, "volt": 1e6, "volts": 1e6, "": 1.0}
_COPY = "Copy it again from where it was recorded, or convert it with the maker's software"


class Recording(Protocol):
    """A continuous recording of several channels, in one or more segments."""

    sampling_rate: float
    channels: list[int]
    sizes: list[int]
    """Samples of each segment."""

    def read(self, segment: int, start: int, stop: int) -> NDArray[np.float32]:
        """Return µV, (stop - start, n_channels)."""
        ...


@dataclass
class ArrayRecording:
    """Signals in memory, (n_samples, n_channels), µV."""

    signal: NDArray[Any]
    sampling_rate: float

    def __post_init__(self) -> None:
        if self.signal.ndim != 2 or self.signal.dtype.kind not in "iuf":
            raise DataError(f"A signal has the shape (n_samples, n_channels). Got {self.signal.shape}.")
        if not (np.isfinite(self.sampling_rate) and self.sampling_rate > 0):
            raise DataError(f"sampling_rate must be a positive number of Hz. Got {self.sampling_rate!r}.")
        self.channels = list(range(1, self.signal.shape[1] + 1))
        self.sizes = [len(self.signal)]

    def read(self, segment: int, start: int, stop: int) -> NDArray[np.float32]:
        """Return a stretch."""
        del segment
        return np.asarray(self.signal[start:stop], np.float32)


def opened(path: Path, stream: str | None = None) -> Recording:
    """Open a file or folder with the first of neo's readers that finds a signal in it.

    Parameters
    ----------
    path : Path
        File or folder.
    stream : str, optional
        Name or number of the stream; the one with the most channels of a high enough rate unless given.

    Raises
    ------
    LoadError
        When none does; it names the streams there are.

    """
    if path.is_dir() and any((path / name).exists() for name in ("si_folder.json", "binary.json", "cached.json")):
        return _spikeinterface(path)
    failures = []
    for reader_class in _readers(path):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader = reader_class(str(path))
                reader.parse_header()
        except MemoryError:
            raise
        except Exception as cause:  # noqa: BLE001 - foreign readers raise anything on files of another kind
            failures.append(f"{reader_class.__name__}: {type(cause).__name__}: {cause}".splitlines()[0])
            continue
        if len(reader.header["signal_streams"]):
            return NeoRecording(path, reader, stream)
        failures.append(f"{reader_class.__name__}: no signals")
    told = f" ({'; '.join(failures[:3])})" if failures else ""
    raise LoadError(path, f"holds no continuous signal that can be read{told}", _COPY)


def _readers(path: Path) -> Sequence[Any]:
    from neo import rawio

    skipped = {"RawBinarySignalRawIO", "PhyRawIO", "CedRawIO"}  # need what the file does not tell, or a closed library
    if path.is_dir():
        names = {file.suffix.lower().lstrip(".") for file in path.rglob("*")}
        fitting = [c for c in rawio.rawiolist if c.rawmode == "one-dir" and names & {e.lower() for e in c.extensions}]
    else:
        suffix = path.suffix.lower().lstrip(".")
        fitting = [c for c in rawio.rawiolist if c.rawmode != "one-dir" and suffix in {e.lower() for e in c.extensions}]
    return [c for c in fitting if c.__name__ not in skipped]


class NeoRecording:
    """One stream of a file that neo reads."""

    def __init__(self, path: Path, reader: Any, stream: str | None) -> None:
        self._reader, self._lock = reader, threading.Lock()
        self._stream = _chosen(path, reader, stream)
        header = reader.header["signal_channels"]
        own = header[header["stream_id"] == reader.header["signal_streams"][self._stream]["id"]]
        self.sampling_rate = float(own["sampling_rate"][0])
        self.channels = _numbers([str(name) for name in own["name"]], [str(name) for name in own["id"]])
        units = [str(unit).strip().casefold() for unit in own["units"]]
        unknown = [unit for unit in units if unit not in _UV]
        if unknown:
            raise LoadError(path, f"states its signal in {unknown[0]!r}, not in volts", "Choose another stream")
        scale = np.array([_UV[unit] for unit in units])
        self._gain = (own["gain"] * scale).astype(np.float32)
        self._offset = (own["offset"] * scale).astype(np.float32)
        self.sizes = [int(reader.get_signal_size(0, s, self._stream)) for s in range(reader.segment_count(0))]

    def read(self, segment: int, start: int, stop: int) -> NDArray[np.float32]:
        """Return a stretch; one at a time, for not every reader of neo's bears more."""
        with self._lock:
            raw = self._reader.get_analogsignal_chunk(0, segment, start, stop, self._stream)
        return np.asarray(raw * self._gain + self._offset, np.float32)


def _chosen(path: Path, reader: Any, wanted: str | None) -> int:
    """Return the number of the stream to read."""
    header = reader.header["signal_channels"]
    found = []
    for number, stream in enumerate(reader.header["signal_streams"]):
        own = header[header["stream_id"] == stream["id"]]
        found.append((number, str(stream["name"]), len(own), float(own["sampling_rate"][0])))
    listed = ", ".join(f"{n} {name!r} ({count} channels, {rate:g} Hz)" for n, name, count, rate in found)
    if wanted is not None:
        fitting = [n for n, name, _, _ in found if wanted in (str(n), name)]
        if len(fitting) != 1:
            raise LoadError(path, f"has no stream {wanted!r}", f"It has {listed}")
        return fitting[0]
    fast = [entry for entry in found if entry[3] >= LOWEST_RATE_HZ]
    if not fast:
        raise LoadError(path, f"has no stream of {LOWEST_RATE_HZ:g} Hz or more ({listed})", "Name one, or another file")
    return max(fast, key=lambda entry: (entry[2], entry[3]))[0]


def _numbers(names: list[str], ids: list[str]) -> list[int]:
    """Return the number in each name or id where those are unique, else the position from 1."""
    for words in (names, ids):
        found = [re.search(r"(\d{1,6})\D*$", word) for word in words]
        told = [int(match.group(1)) for match in found if match]
        if len(set(told)) == len(words):
            return told
    return list(range(1, len(names) + 1))


def _spikeinterface(path: Path) -> Recording:
    try:
        import spikeinterface
    except ImportError:
        raise LoadError(
            path, "is a recording that SpikeInterface saved, which is not installed", "pip install spikeinterface"
        ) from None
    if list(path.glob("*.pkl")) or list(path.glob("*.pickle")):
        raise LoadError(path, "holds a pickle, which could run code", "Save it again with format='binary'")
    recording = spikeinterface.load(path)
    if not hasattr(recording, "get_traces"):
        raise LoadError(path, "is no recording of SpikeInterface's", "Name a saved recording")
    return _SpikeInterfaceRecording(recording)


class _SpikeInterfaceRecording:
    def __init__(self, recording: Any) -> None:
        self._recording = recording
        self.sampling_rate = float(recording.sampling_frequency)
        names = [str(name) for name in recording.channel_ids]
        self.channels = _numbers(names, names)
        self.sizes = [int(recording.get_num_samples(s)) for s in range(recording.get_num_segments())]

    def read(self, segment: int, start: int, stop: int) -> NDArray[np.float32]:
        scaled = self._recording.has_scaleable_traces()
        traces = self._recording.get_traces(segment, start, stop, return_in_uV=scaled)
        return np.asarray(traces, np.float32)
