"""Open Ephys spikes: files of the older format (.spikes) and recording folders of the binary format.

Our own reader because libraries refuse version 0.2, take the folder around a file for the file, and leave out the
spikes of the binary format.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes, empty_triggers

from .conform import combine
from .events import Electrode, table
from .folders import described, has, member, npy, numbers
from .remarks import remark

_HEADER_BYTES = 1024
_MIDDLE = 32768
_COPY = "Copy it again from where it was recorded"
_FIELDS: dict[str, list[Any]] = {  # up to the samples; their number is in the record itself
    "0.2": [("kind", "u1"), ("time", "<i8"), ("electrode", "<u2"), ("width", "<u2"), ("n_samples", "<u2")],
    "0.4": [
        ("kind", "u1"), ("time", "<i8"), ("software_time", "<i8"), ("source", "<u2"), ("width", "<u2"),
        ("n_samples", "<u2"), ("code", "<u2"), ("electrode", "<u2"), ("trigger", "<u2"), ("colour", "u1", (3,)),
        ("projection", "<f4", (2,)), ("rate", "<u2"),
    ],
}  # fmt: skip


class OpenEphysSpikesLoader(Loader):
    """Open Ephys .spikes of versions 0.2 and 0.4, one electrode each, or a folder of them."""

    suffixes: ClassVar[tuple[str, ...]] = (".spikes",)
    folders: ClassVar[tuple[str, ...]] = ("*.spikes",)

    def load(self, path: Path) -> Spikes:
        """Return the spikes in order of time; a further recording in the file counts as a clock restart."""
        files = sorted(path.glob("*.spikes")) if path.is_dir() else [path]
        read = [_electrode(member(file.parent, file.name)) for file in files]
        if len({rate for _, rate in read}) > 1:
            raise LoadError(path, "has electrodes of different sampling rates", "Open the .spikes files apart")
        electrodes = [electrode for electrode, _ in read]
        if len({electrode.channel for electrode in electrodes}) < len(electrodes):
            remark("numbers several electrodes alike: they are counted from 1 in the order of their names.")
            electrodes = [replace(electrode, channel=i) for i, electrode in enumerate(electrodes, 1)]
        remark("states no place of the peak in its window: the sample at which most peak is taken.")
        return table(path, electrodes, read[0][1], None)


class OpenEphysBinaryLoader(Loader):
    """Open Ephys binary format: a recording folder (or its structure.oebin), or a folder of several."""

    suffixes: ClassVar[tuple[str, ...]] = (".oebin",)
    folders: ClassVar[tuple[str, ...]] = tuple(
        f"{above}structure.oebin"
        for above in ("", "recording*/", "experiment*/recording*/", "*/experiment*/recording*/")
    )

    @classmethod
    def companions(cls, path: Path) -> list[Path]:
        """Return the recording folder that the file describes."""
        return [path.parent]

    def load(self, path: Path) -> Spikes:
        """Return the spikes in order of time; recordings of one folder become experiments."""
        if path.is_file():
            return _recording(path, path.parent)
        found = next(found for pattern in self.folders if (found := sorted(path.glob(pattern))))
        folders = [file.parent for file in found]
        parts = [replace(_recording(path, member(path, *folder.relative_to(path).parts)), sources=(str(folder),))
                 for folder in folders]  # fmt: skip
        spikes, notes = combine(parts, [str(folder.relative_to(path)) for folder in folders])
        for note in notes:
            remark(note)
        return spikes


def _electrode(path: Path) -> tuple[Electrode, float]:
    """Return the events of a .spikes file and their rate in Hz."""
    content = path.read_bytes()
    header = dict(re.findall(r"header\.(\w+)\s*=\s*'?([^';\n]*)", content[:_HEADER_BYTES].decode("latin-1")))
    version = header.get("version", "").strip()
    rate = _rate(header.get("sampleRate", ""))
    if len(content) < _HEADER_BYTES or version not in _FIELDS or rate is None:
        told = f"does not start with the {_HEADER_BYTES} bytes of an Open Ephys header of version 0.2 or 0.4"
        raise LoadError(path, f"{told} that states its sampleRate", _COPY)
    records = _records(path, content, version)
    gain = records["gain"].astype(np.float64)
    if len(records) and not (np.isfinite(gain).all() and (gain > 0).all()):
        raise LoadError(path, "states a gain of its channels that is no positive number", _COPY)
    raw = (records["samples"].astype(np.float32) - _MIDDLE) * (1000 / gain)[:, :, None].astype(np.float32)
    code = records["code"] if version == "0.4" else np.zeros(len(records), np.int64)
    present = np.unique(records["electrode"])
    if len(present) > 1:
        raise LoadError(path, f"holds {len(present)} electrodes in a file of one", _COPY)
    channel = int(present[0]) if len(present) else 1
    segment = np.unique(records["recording"], return_inverse=True)[1]
    return Electrode(channel, raw, records["time"] / rate, code, segment), rate


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if 0 < rate < 1e7 else None


def _records(path: Path, content: bytes, version: str) -> NDArray[Any]:
    fields = _FIELDS[version]
    head = np.dtype(fields)
    there = len(content) - _HEADER_BYTES
    if 0 < there < head.itemsize:
        raise LoadError(path, f"is cut off at byte {len(content)}, inside its first record", _COPY)
    first = np.frombuffer(content, head, 1, _HEADER_BYTES)[0] if there else {"width": 1, "n_samples": 1}
    width, n_samples = int(first["width"]), int(first["n_samples"])
    if not (0 < width <= 256 and 0 < n_samples <= 4096):
        place = f"byte {_HEADER_BYTES} states {width} channels of {n_samples} samples"
        raise LoadError(path, f"describes its waveforms wrongly: {place}", _COPY)
    record = np.dtype(
        [*fields, ("samples", "<u2", (width, n_samples)), ("gain", "<u2" if version == "0.2" else "<f4", (width,)),
         ("threshold", "<u2", (width,)), ("recording", "<u2")]
    )  # fmt: skip
    n, over = divmod(there, record.itemsize)
    if over:
        raise LoadError(path, f"is cut off at byte {len(content)}, inside record {n + 1}", _COPY)
    records = np.frombuffer(content, record, n, _HEADER_BYTES)
    odd = np.flatnonzero((records["width"] != width) | (records["n_samples"] != n_samples))
    if len(odd):
        raise LoadError(path, f"has a damaged record {odd[0] + 1}, or waveforms of another size there", _COPY)
    return records


def _recording(path: Path, folder: Path) -> Spikes:
    structure = described(folder, "structure.oebin")
    groups = structure.get("spikes") or []
    if not groups:
        raise LoadError(
            path, "holds no spikes", "Record them behind a Spike Detector, or open the continuous data as raw"
        )
    electrodes: list[Electrode] = []
    rates, before = set(), set()
    for group in groups:
        try:
            place = str(group.get("folder") or group["folder_name"])
            rates.add(float(group["sample_rate"]))
            before.add(int(group.get("pre_peak_samples", -1)))
            electrodes += _group(folder, place, group, len(electrodes))
        except (KeyError, TypeError, ValueError, AttributeError) as cause:
            told = f"describes its spikes wrongly in structure.oebin ({type(cause).__name__}: {cause})"
            raise LoadError(path, told, _COPY) from None
    if len(rates) > 1 or not 0 < min(rates) < 1e7 or len(before) > 1:
        raise LoadError(path, "has electrodes of different rates or windows", "Record each to a folder of its own")
    pre, rate = before.pop(), rates.pop()
    spikes = table(path, electrodes, rate, pre if pre >= 0 else None)
    return replace(spikes, triggers=_events(folder, structure, rate))


def _group(folder: Path, place: str, group: dict[str, Any], taken: int) -> list[Electrode]:
    """Return the electrodes of one entry of structure.oebin, numbered on from those there already."""
    old = "spike_" if has(folder, "spikes", place, "spike_waveforms.npy") else ""
    raw = _samples(folder, place, f"{old}waveforms.npy")
    raw = raw[:, None] if raw.ndim == 2 else raw
    n = len(raw)
    code = numbers(folder, "spikes", place, f"{old}clusters.npy", n_dim=1)
    which = numbers(folder, "spikes", place, f"{old}electrode_indices.npy", n_dim=1)
    times = _times(
        folder, f"spikes/{place}", "spike_times.npy" if old else "sample_numbers.npy", float(group["sample_rate"])
    )
    if not len(code) == len(which) == len(times) == n:
        told = f"has {n} waveforms, {len(times)} times and {len(code)} units in spikes/{place}"
        raise LoadError(folder, told, _COPY)
    volts = [float(channel["bit_volts"]) for channel in group["source_channels"]]
    if len(volts) not in {1, raw.shape[1]} or not min(volts) > 0:
        raise LoadError(folder, f"states no bit_volts for the channels of spikes/{place}", _COPY)
    waveforms = raw.astype(np.float32) * np.array(volts, np.float32)[:, None]
    found = []
    for number, index in enumerate(np.unique(which) if n else [0], taken + 1):
        rows = np.flatnonzero(which == index)
        found.append(Electrode(number, waveforms[rows], times[rows], code[rows]))
    return found


def _samples(folder: Path, place: str, name: str) -> NDArray[Any]:
    """Return waveforms of one or several channels."""
    n_dim = npy(folder, "spikes", place, name).ndim
    return numbers(folder, "spikes", place, name, n_dim=3 if n_dim == 3 else 2)


def _times(folder: Path, place: str, samples: str, rate: float) -> NDArray[np.float64]:
    """Return seconds: synchronised ones where they were recorded, else sample numbers over the rate."""
    if samples == "sample_numbers.npy" and has(folder, place, "timestamps.npy"):
        times = np.asarray(numbers(folder, place, "timestamps.npy", n_dim=1), np.float64)
        if np.isfinite(times).all() and (times >= 0).all():
            return times
    return np.asarray(numbers(folder, place, samples, n_dim=1), np.float64) / rate


def _events(folder: Path, structure: dict[str, Any], rate: float) -> pd.DataFrame:
    """Return changes of the digital lines: the code is the line, negative when it falls."""
    tables = [empty_triggers()]
    for entry in structure.get("events") or []:
        place = f"events/{entry.get('folder_name', '')}" if isinstance(entry, dict) else ""
        if place and entry.get("type") == "int16" and has(folder, place, "states.npy"):
            states = numbers(folder, place, "states.npy", n_dim=1).astype(np.int64)
            times = _times(folder, place, "sample_numbers.npy", rate)
            if len(times) == len(states):
                tables.append(pd.DataFrame({"time_s": times, "code": states}))
    return pd.concat(tables[1:] or tables, ignore_index=True)
