"""Spike2 .smr: WaveMark channels, through neo, after the chain of blocks was checked."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .events import Electrode, table
from .remarks import remark

_FILE_BYTES, _CHANNEL_BYTES, _BLOCK_BYTES = 512, 140, 20
_ADC_MARK, _REAL_MARK, _MARKER = 6, 7, 5
_CHANNEL = np.dtype(
    {"names": ["first", "blocks", "n_extra", "pre", "kind", "traces"],
     "formats": ["<i4", "<i2", "<i2", "<i2", "u1", "<i2"],
     "offsets": [6, 14, 16, 18, 122, 138], "itemsize": _CHANNEL_BYTES}
)  # fmt: skip
_BIG_FILE, _DISK_BLOCK = 9, 512
_COPY = "Copy it again, or export the WaveMark channel to .mat from Spike2"


class Spike2Loader(Loader):
    """Spike2 .smr files: every WaveMark channel; the first marker code is the unit, 0 unsorted."""

    suffixes: ClassVar[tuple[str, ...]] = (".smr",)

    def load(self, path: Path) -> Spikes:
        """Return the WaveMark events of all channels in order of time, and other markers as triggers."""
        channels = _checked(path)
        if not len(np.flatnonzero(np.isin(channels["kind"], (_ADC_MARK, _REAL_MARK)))):
            raise LoadError(
                path, "holds no WaveMark channel", "Make one in Spike2, or open the waveform channels as raw"
            )
        try:
            electrodes, rates, triggers = _read_by_neo(path, channels)
        except (MemoryError, LoadError):
            raise
        except Exception as cause:  # noqa: BLE001 - neo raises anything where headers and blocks contradict each other
            place = f"bytes {_FILE_BYTES} to {_FILE_BYTES + channels.nbytes}"
            told = f"({type(cause).__name__}: {cause})"
            raise LoadError(
                path, f"has headers of channels ({place}) that do not fit its blocks {told}", _COPY
            ) from None
        if not electrodes:
            raise LoadError(path, "holds no WaveMark events", "Mark spikes in Spike2 first")
        if len(rates) > 1 or not 0 < min(rates) < 1e7:
            raise LoadError(
                path, "has WaveMark channels of different rates", "Export each channel to a file of its own"
            )
        marks = channels[np.isin(channels["kind"], (_ADC_MARK, _REAL_MARK)) & (channels["blocks"] > 0)]
        before = set(marks["pre"].tolist())
        if len(before) > 1:
            remark("has WaveMark channels with the crossing at different samples: that of the first is taken.")
        spikes = table(path, electrodes, rates.pop(), int(marks["pre"][0]))
        return replace(spikes, triggers=triggers)


def _read_by_neo(path: Path, channels: NDArray[Any]) -> tuple[list[Electrode], set[float], pd.DataFrame]:
    """Return the WaveMark channels, their rates in Hz, and the other markers."""
    from neo.rawio import Spike2RawIO

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader: Any = Spike2RawIO(str(path), try_signal_grouping=False)
        reader.parse_header()
    headers = reader.header["spike_channels"]
    electrodes = [_electrode(reader, index, header, channels) for index, header in enumerate(headers)]
    return electrodes, {float(header["wf_sampling_rate"]) for header in headers}, _triggers(reader)


def _checked(path: Path) -> NDArray[Any]:
    """Return the headers of the channels once every block they chain lies in the file."""
    content = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    if len(content) < _FILE_BYTES or b"CED" not in content[2:12].tobytes().upper():
        raise LoadError(path, f"does not start with the {_FILE_BYTES} bytes of a Spike2 header", _COPY)
    count = int(content[30:32].view("<i2")[0])
    if count < 0 or _FILE_BYTES + count * _CHANNEL_BYTES > len(content):
        raise LoadError(path, f"is cut off: {count} channels are stated in {len(content)} bytes", _COPY)
    channels = np.frombuffer(content, _CHANNEL, count, _FILE_BYTES)
    unit = _DISK_BLOCK if int(content[0:2].view("<i2")[0]) == _BIG_FILE else 1
    for number, channel in enumerate(channels, 1):
        place = int(channel["first"]) * unit
        for _ in range(max(int(channel["blocks"]), 0)):
            if not 0 <= place <= len(content) - _BLOCK_BYTES:
                raise LoadError(path, f"is cut off: a block of channel {number} should be at byte {place}", _COPY)
            items = int(content[place + 18 : place + 20].view("<i2")[0])
            end = place + _BLOCK_BYTES + items * _item_bytes(channel)
            if items < 0 or end > len(content):
                raise LoadError(path, f"is cut off: a block of channel {number} at byte {place} ends at {end}", _COPY)
            place = int(content[place + 4 : place + 8].view("<i4")[0]) * unit
    return channels


def _item_bytes(channel: Any) -> int:
    kind = int(channel["kind"])
    with_waveform = 8 + max(int(channel["n_extra"]), 0)
    return {1: 2, 2: 4, 3: 4, 4: 4, 5: 8, 6: with_waveform, 7: with_waveform, 8: with_waveform, 9: 4}.get(kind, 0)


def _electrode(reader: Any, index: int, header: Any, channels: NDArray[Any]) -> Electrode:
    channel, code = reader.internal_unit_ids[index]
    ticks, raw, segments = [], [], []
    for segment in range(reader.segment_count(0)):
        own = reader.get_spike_timestamps(0, segment, index, None, None)
        ticks.append(reader.rescale_spike_timestamp(own, "float64"))
        raw.append(reader.get_spike_raw_waveforms(0, segment, index, None, None))
        segments.append(np.zeros(len(own), np.int32))  # a pause in the signals does not restart Spike2's clock
    traces = max(int(channels["traces"][channel]), 1)  # stereotrodes and tetrodes: the samples take turns
    n_samples = raw[0].shape[-1] // traces
    raw = [part[..., : n_samples * traces].reshape(len(part), n_samples, traces).transpose(0, 2, 1) for part in raw]
    waves = reader.rescale_waveforms_to_float(np.concatenate(raw), "float32", index)
    uv = {"volt": 1e6, "v": 1e6, "mv": 1e3}.get(str(header["wf_units"]).strip().casefold().rstrip("s"), 1.0)
    times = np.concatenate(ticks)
    return Electrode(channel + 1, waves * np.float32(uv), times, np.full(len(times), code), np.concatenate(segments))


def _triggers(reader: Any) -> pd.DataFrame:
    """Return markers with their first code, and plain events as their channel's number."""
    rows = []
    for index, header in enumerate(reader.header["event_channels"]):
        channel = int(header["id"])
        for segment in range(reader.segment_count(0)):
            ticks, _, labels = reader.get_event_timestamps(0, segment, index)
            times = reader.rescale_event_timestamp(ticks, "float64", index)
            kind = reader._channel_infos[channel]["kind"]  # noqa: SLF001 - neo tells the kind nowhere else
            codes = [int(text) & 255 if kind == _MARKER and text.isdigit() else channel + 1 for text in labels.tolist()]
            rows += list(zip(times.tolist(), codes, strict=True))
    rows.sort()
    return pd.DataFrame({"time_s": [t for t, _ in rows], "code": [c for _, c in rows]}).astype(
        {"time_s": np.float64, "code": np.int64}
    )
