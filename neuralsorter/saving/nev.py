"""Writing NEV: the source's own packets with new unit codes where it is known, else a new 2.3 file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import DataError, LoadError
from neuralsorter.loading import nev
from neuralsorter.loading.codes import to_vendor
from neuralsorter.spikes import NOISE, Spikes

from .samples import held

_SHOWN_UNITS = 16  # what the recorder's own programs show of 254
_MOST_UNITS = 254
_EPOCH = struct.pack("<8H", 1970, 1, 4, 1, 0, 0, 0, 0)  # the time of recording, unknown
_TICKS = 2**32
_MOST_NV_PER_BIT = 2**16 - 1


def write_nev(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write unit 0 as 255 (noise), units labelled *unsorted* as 0 (unclassified), other units by their number."""
    _require_nev(spikes)
    code = to_vendor(spikes, nev.UNCLASSIFIED, nev.VENDOR_NOISE).astype(np.uint8)
    if not _carry_over(spikes, code, file):
        _write_new(spikes, code, file)
    return _shown(spikes)


def _require_nev(spikes: Spikes) -> None:
    if spikes.raw.ndim != 2:
        raise DataError("NEV holds waveforms of one electrode, not of several together; save as .npz or .nwb.")
    kept = spikes.unit != NOISE
    if spikes.unit.max(initial=0) > _MOST_UNITS:
        row = int(np.flatnonzero(kept & (spikes.unit > _MOST_UNITS))[0])
        unit, channel = spikes.unit[row], spikes.channel[row]
        raise DataError(
            f"NEV holds units 1 to {_MOST_UNITS}, channel {channel} has unit {unit}; merge or renumber units."
        )
    if len(spikes) and (spikes.channel.min() < 0 or spikes.channel.max() >= nev.ELECTRODES[1]):
        raise DataError(f"NEV holds electrodes 1 to {nev.ELECTRODES[1]}; save as .npz or .nwb.")


def _shown(spikes: Spikes) -> list[str]:
    if spikes.unit.max(initial=0) <= _SHOWN_UNITS:
        return []
    return [f"Units above {_SHOWN_UNITS} are in the file, but the recorder's own programs may not show them."]


def _carry_over(spikes: Spikes, code: NDArray[np.uint8], file: IO[bytes]) -> bool:
    """Copy the source file with new codes, if the events are all of its events in its order."""
    if len(spikes.sources) != 1 or not Path(spikes.sources[0]).is_file():
        return False
    source = Path(spikes.sources[0])
    try:
        header = nev.read_header(source)
        packets = nev.read_packets(source, header)
    except (LoadError, OSError):
        return False
    rows = np.flatnonzero(nev.is_spike(packets))
    if len(rows) != len(spikes) or (packets["id"][rows] != spikes.channel).any():
        return False
    if not np.allclose(nev.seconds(packets["time"], header)[rows], spikes.times_s, atol=1 / header.clock_hz):
        return False
    with source.open("rb") as original:
        file.write(original.read(header.header_bytes))
    changed = np.array(packets)
    changed["unit"][rows] = code
    file.write(changed.tobytes())
    return True


def _write_new(spikes: Spikes, code: NDArray[np.uint8], file: IO[bytes]) -> None:
    clock = round(spikes.sampling_rate)
    channel = spikes.channel + int(spikes.channel.min(initial=1) < 1)
    times = _ticks(spikes.times_s, clock)
    raw, nv_per_bit = _to_bits(spikes)
    data = np.zeros((len(spikes), spikes.n_samples * 2), np.uint8)
    data[:] = np.ascontiguousarray(raw, "<i2").view(np.uint8).reshape(data.shape)
    electrodes = _electrodes(spikes, channel, nv_per_bit)
    header = nev.Header((2, 3), 1, nev.BASIC.size + electrodes.nbytes, 8 + data.shape[1], clock, clock, electrodes)
    packets = np.zeros(len(spikes), header.packet)
    for name, values in {"time": times, "id": channel, "unit": code, "data": data}.items():
        packets[name] = values
    packets = _with_triggers(packets, spikes, header)
    file.write(
        nev.BASIC.pack(
            b"NEURALEV", 2, 3, 1, header.header_bytes, header.packet_bytes, clock, clock, _EPOCH,
            b"NeuralSorter", f"{nev.CROSSING}{spikes.pre_samples}".encode(), len(electrodes),
        )
    )  # fmt: skip
    file.write(electrodes.tobytes() + packets.tobytes())


def _ticks(times_s: NDArray[np.float64], clock: int) -> NDArray[np.int64]:
    ticks = np.round(np.nan_to_num(times_s) * clock).astype(np.int64)
    if len(ticks) and (ticks.min() < 0 or ticks.max() >= _TICKS):
        raise DataError(f"NEV holds times from 0 to {_TICKS / clock:.0f} s; give times on the file's own clock.")
    return ticks


def _to_bits(spikes: Spikes) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Return samples, and whole nV per bit of each event."""
    nv = spikes.uv_per_bit * 1000
    if spikes.raw.dtype == np.int16 and abs(nv - round(nv)) < 1e-6 and 1 <= round(nv) <= _MOST_NV_PER_BIT:
        return spikes.raw, np.full(len(spikes), round(nv))
    waveforms = held(spikes.waveforms)
    _, index = np.unique(spikes.channel, return_inverse=True)
    peak = np.zeros(index.max(initial=0) + 1)
    np.maximum.at(peak, index, np.abs(waveforms).max(axis=1, initial=0))
    nv_of = np.clip(np.ceil(peak * 1000 / 32767), 1, _MOST_NV_PER_BIT).astype(np.int64)[index]
    bits = np.clip(np.round(waveforms * (1000 / nv_of[:, None])), -32768, 32767)
    return bits.astype(np.int16), nv_of


def _electrodes(spikes: Spikes, channel: NDArray[np.int32], nv_per_bit: NDArray[np.int64]) -> NDArray[Any]:
    """Return a NEUEVWAV header per electrode."""
    present, first = np.unique(channel, return_index=True)
    table = np.zeros(len(present), nev.ELECTRODE)
    table["tag"], table["id"], table["nv_per_bit"] = b"NEUEVWAV", present, nv_per_bit[first]
    table["sample_bytes"], table["width"] = 2, spikes.n_samples
    known = dict(zip(spikes.channels["id"].tolist(), spikes.channels["threshold_uv"].tolist(), strict=True))
    uv = np.array([known.get(number, np.nan) for number in spikes.channel[first].tolist()], np.float64)
    bits = np.clip(np.round(np.nan_to_num(uv) * 1000 / table["nv_per_bit"]), -32768, 32767)
    table["low"], table["high"] = np.minimum(bits, 0), np.maximum(bits, 0)
    for row, number in enumerate(present):
        units = np.unique(spikes.unit[channel == number])
        table["sorted"][row] = min(int((units > NOISE).sum()), 255)
    return table


def _with_triggers(packets: NDArray[Any], spikes: Spikes, header: nev.Header) -> NDArray[Any]:
    """Put a digital packet for each trigger among the spikes, by segment and time."""
    triggers = spikes.triggers
    if not len(triggers):
        return packets
    digital = np.zeros(len(triggers), header.packet)
    digital["time"] = _ticks(triggers["time_s"].to_numpy(np.float64), header.clock_hz)
    digital["unit"] = triggers["reason"].to_numpy() if "reason" in triggers else 1
    value = np.clip(triggers["code"].to_numpy(np.int64), 0, 0xFFFF).astype("<u2")
    digital["data"][:, :2] = value.view(np.uint8).reshape(-1, 2)
    place = _after(_part(triggers), triggers["time_s"].to_numpy(np.float64), spikes)
    merged: NDArray[Any] = np.insert(packets, place, digital)
    return merged


def _part(triggers: pd.DataFrame) -> NDArray[np.int64]:
    """Return one number per stretch of clock, in their order in the file."""
    experiment = np.asarray(triggers.get("experiment", np.zeros(len(triggers))), np.int64)
    return experiment * 2**32 + np.asarray(triggers.get("segment", np.zeros(len(triggers))), np.int64)


def _after(part: NDArray[np.int64], time_s: NDArray[np.float64], spikes: Spikes) -> NDArray[np.int64]:
    """Return how many events lie before each trigger, (n_triggers,): the order of the events stays as it is."""
    of_event = spikes.experiment.astype(np.int64) * 2**32 + spikes.segment
    place = np.zeros(len(part), np.int64)
    for number in np.unique(part):
        times = np.sort(spikes.times_s[of_event == number])
        own = part == number
        place[own] = (of_event < number).sum() + np.searchsorted(times, time_s[own], "right")
    return place
