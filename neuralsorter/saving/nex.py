"""Writing NeuroExplorer NEX: a waveform variable per unit."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import DataError
from neuralsorter.loading import nex
from neuralsorter.loading.codes import to_vendor
from neuralsorter.spikes import Spikes

from .samples import in_bits

_VERSION = 107
_TICKS = 2**31


def write_nex(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write units named sig001a, unsorted events sig001U and noise sig001_noise, the number after the highest unit."""
    if spikes.raw.ndim != 2:
        raise DataError("NEX holds waveforms of one electrode, not of several together; save as .npz or .nwb.")
    if spikes.experiment.any():
        raise DataError("NEX holds one recording, here are several; save each to a file of its own.")
    rate = round(spikes.sampling_rate)
    clock = rate * max(1, 30_000 // rate)
    ticks = np.round(np.nan_to_num(spikes.times_s) * clock).astype(np.int64)
    if len(ticks) and (ticks.min() < 0 or ticks.max() >= _TICKS):
        raise DataError(f"NEX holds times from 0 to {_TICKS // clock} s; give times on the file's own clock.")
    scale = spikes.uv_per_bit
    raw: NDArray[Any] = spikes.raw
    if raw.dtype != np.int16:
        scale = max(float(np.nanmax(np.abs(spikes.waveforms), initial=0.0)), 1.0) / 32_767
        raw = in_bits(spikes.waveforms, scale)
    noise = int(spikes.unit.max(initial=0)) + 1
    code = to_vendor(spikes, 0, noise)
    pairs, index = np.unique(np.stack([spikes.channel, code], axis=1), axis=0, return_inverse=True)
    groups = [np.flatnonzero(index == number) for number in range(len(pairs))]
    groups = [rows[np.argsort(ticks[rows], kind="stable")] for rows in groups]
    events = _events(spikes, clock)
    head, variables = np.zeros(1, nex.FILE), np.zeros(len(pairs), nex.VARIABLE)
    fields = {
        "magic": nex.MAGIC,
        "version": 106,
        "clock_hz": clock,
        "end": ticks.max(initial=0),
        "n_variables": len(pairs) + len(events),
    }
    for name, value in fields.items():
        head[name] = value
    variables["kind"], variables["version"] = nex.WAVEFORM, _VERSION
    variables["name"] = [_name(channel, unit, noise) for channel, unit in pairs.tolist()]
    variables["wire"], variables["unit"] = pairs[:, 0], pairs[:, 1]
    variables["rate"], variables["mv_per_bit"], variables["n_samples"] = (
        spikes.sampling_rate,
        scale / 1000,
        spikes.n_samples,
    )
    variables["pre_s"] = spikes.pre_samples / spikes.sampling_rate
    variables["count"] = [len(rows) for rows in groups]
    sizes = variables["count"].astype(np.int64) * (4 + 2 * spikes.n_samples)
    start = head.nbytes + variables.nbytes + len(events) * nex.VARIABLE.itemsize
    ends = start + np.cumsum(sizes)
    if len(ends) and ends[-1] >= _TICKS:
        raise DataError("NEX holds up to 2 GB; save as .npz or .nwb.")
    variables["offset"] = ends - sizes
    file.write(head.tobytes() + variables.tobytes() + _event_headers(events, int(ends[-1]) if len(ends) else start))
    for rows in groups:
        file.write(ticks[rows].astype("<i4").tobytes() + np.ascontiguousarray(raw[rows], "<i2").tobytes())
    file.write(b"".join(at.tobytes() for _, at in events))
    return []


def _events(spikes: Spikes, clock: int) -> list[tuple[int, NDArray[np.int32]]]:
    """Return (code, ticks) of the triggers of each code."""
    codes, times = spikes.triggers["code"].to_numpy(np.int64), spikes.triggers["time_s"].to_numpy(np.float64)
    ticks = np.round(times * clock).astype("<i4")
    return [(int(code), np.sort(ticks[codes == code])) for code in np.unique(codes)]


def _event_headers(events: list[tuple[int, NDArray[np.int32]]], start: int) -> bytes:
    """Return the header of an event variable per code, its times from byte `start` on."""
    variables = np.zeros(len(events), nex.VARIABLE)
    variables["kind"], variables["version"] = nex.EVENT, _VERSION
    variables["name"] = [f"{nex.TRIGGER}{code}".encode() for code, _ in events]
    variables["count"] = [len(at) for _, at in events]
    variables["offset"] = start + np.cumsum([0, *(at.nbytes for _, at in events)])[: len(events)]
    return variables.tobytes()


def _name(channel: int, unit: int, noise: int) -> bytes:
    ending = "U" if unit == 0 else "_noise" if unit == noise else chr(96 + unit) if unit <= 26 else f"_{unit}"
    return f"sig{channel:03d}{ending}_wf".encode()
