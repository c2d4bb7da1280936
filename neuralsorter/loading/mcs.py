"""Multi Channel Systems HDF5: cut-outs of a segment stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .codes import unsorted_everywhere
from .hdf5 import numbers, opened, text

_US = 1e-6
_REMEDY = "Export the recording again with its spike cut-outs"


class McsLoader(Loader):
    """Multi Channel Systems HDF5 with a segment stream of cut-outs (not the raw data beside it)."""

    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")

    def load(self, path: Path) -> Spikes:
        """Return the cut-outs of every recording in the file, recordings as clock restarts."""
        with opened(path) as file:
            recordings = file.get("Data")
            if recordings is None:
                raise LoadError(path, "holds no group Data, as Multi Channel Systems files do", _REMEDY)
            parts = []
            for number, name in enumerate(sorted(recordings)):
                for stream in (recordings[name].get("SegmentStream") or {}).values():
                    parts += [(number, *entity) for entity in _entities(path, stream)]
        if not parts:
            raise LoadError(path, "holds no segment stream with cut-outs", _REMEDY)
        return _table(path, parts)


Entity = tuple[int, NDArray[Any], NDArray[Any], float, int]


def _entities(path: Path, stream: Any) -> list[Entity]:
    """Return (channel, µV waveforms, times s, rate Hz, ...) of each cut-out entity of a stream."""
    found: list[Entity] = []
    sources = {int(row["ChannelID"]): row for row in stream["SourceInfoChannel"][()]}
    for row in stream["InfoSegment"][()]:
        number = int(row["SegmentID"])
        if text(row["SegmentType"]) != "Cutout" or f"SegmentData_{number}" not in stream:
            continue
        ids = text(row["SourceChannelIDs"]).split(",")
        source = sources.get(int(ids[0]))
        if source is None or len(ids) != 1:
            raise LoadError(path, f"names the source {ids} of segment {number}, which is not one channel", _REMEDY)
        raw = numbers(path, stream[f"SegmentData_{number}"], f"SegmentData_{number}", 2).T
        times = numbers(path, stream[f"SegmentData_ts_{number}"], f"SegmentData_ts_{number}", 2)[0]
        if len(raw) != len(times):
            raise LoadError(path, f"has {len(raw)} waveforms and {len(times)} times in segment {number}", _REMEDY)
        volts = float(source["ConversionFactor"]) * 10.0 ** int(source["Exponent"])
        rate = 1 / (int(source["Tick"]) * _US)
        pre = round(int(row["PreInterval"]) * _US * rate)
        found.append((int(source["ChannelID"]), (raw - int(source["ADZero"])) * (volts * 1e6), times * _US, rate, pre))
    return found


def _table(path: Path, parts: list[tuple[Any, ...]]) -> Spikes:
    _, _, first, _, rate, pre = parts[0]
    for _, channel, waveforms, _, own_rate, own_pre in parts:
        if (waveforms.shape[1], own_rate, own_pre) != (first.shape[1], rate, pre):
            raise LoadError(path, f"has another rate or window on channel {channel}", _REMEDY)
    channel = np.concatenate([np.full(len(part[2]), part[1], np.int32) for part in parts])
    segment = np.concatenate([np.full(len(part[2]), part[0], np.int32) for part in parts])
    times = np.concatenate([part[3] for part in parts])
    order = np.lexsort((channel, times, segment))  # the file keeps each channel apart: put them back as recorded
    unit, labels = unsorted_everywhere(channel)
    return Spikes(
        raw=np.concatenate([part[2] for part in parts]).astype(np.float32)[order],
        times_s=times[order],
        channel=channel[order],
        unit=unit,
        experiment=np.zeros(len(times), np.int32),
        segment=segment[order],
        sampling_rate=rate,
        pre_samples=pre,
        labels=labels,
        sources=(str(path),),
    )
