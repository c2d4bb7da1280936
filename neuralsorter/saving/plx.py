"""Writing Plexon PLX, version 107."""

from __future__ import annotations

from typing import IO

import numpy as np

from neuralsorter.errors import DataError
from neuralsorter.loading import plx
from neuralsorter.loading.codes import to_vendor
from neuralsorter.spikes import NOISE, Spikes

from .samples import in_bits

_VERSION, _BITS, _MOST_UNITS = 107, 16, 26
_MOST_CHANNEL = 32_767
_GAIN = 1000
_LEAST_CLOCK = 40_000
_STROBED, _EVENT_COUNTS_AT, _CODES = 257, 5456, (-32_768, 32_767)
_SPIKE_COUNTS_AT, _COUNTED_CHANNELS, _COUNTED_UNITS = 256, 130, 5


def write_plx(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write a block per event in row order; unsorted events are unit 0. PLX has no code for noise: see the note."""
    if spikes.raw.ndim != 2:
        raise DataError("PLX holds waveforms of one electrode here, not of several together; save as .npz or .nwb.")
    noise = spikes.unit == NOISE
    highest = int(spikes.unit.max(initial=0)) + int(noise.any())
    if highest > _MOST_UNITS:
        raise DataError(
            f"PLX holds units 1 to {_MOST_UNITS} and here are {highest} with noise; merge or renumber units."
        )
    if len(spikes) and (spikes.channel.min() < 1 or spikes.channel.max() > _MOST_CHANNEL):
        raise DataError(f"PLX holds channels 1 to {_MOST_CHANNEL}; save as .npz or .nwb.")
    rate = round(spikes.sampling_rate)
    clock = rate * -(-_LEAST_CLOCK // rate)
    ticks = np.round(np.nan_to_num(spikes.times_s) * clock).astype(np.int64)
    if len(ticks) and (ticks.min() < 0 or ticks.max() >= 2**40):
        raise DataError("PLX holds times from 0; give times on the file's own clock.")
    raw, mv = _bits(spikes)
    code = to_vendor(spikes, plx.UNSORTED, highest if noise.any() else 0)
    file.write(_header(spikes, clock, mv, code))
    block = np.dtype([("head", "<i2,<u2,<u4,<i2,<i2,<i2,<i2"), ("samples", "<i2", (spikes.n_samples,))])
    blocks = np.zeros(len(spikes), block)
    one = np.ones(len(spikes), np.int64)
    fields = (one * plx.SPIKE, ticks >> 32, ticks & 0xFFFFFFFF, spikes.channel, code, one, one * spikes.n_samples)
    for name, values in zip(blocks["head"].dtype.names or (), fields, strict=True):
        blocks["head"][name] = values
    blocks["samples"] = raw
    file.write(blocks.tobytes())
    file.write(_events(spikes, clock))
    return []


def _bits(spikes: Spikes) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int16]], int]:
    """Return samples and the mV of half the range: whole mV over a gain of 1000 in all."""
    half = 2.0 ** (_BITS - 1)
    mv = spikes.uv_per_bit * half
    if spikes.raw.dtype == np.int16 and abs(mv - round(mv)) < 1e-6 and 1 <= round(mv) < 2**16:
        return spikes.raw, round(mv)
    peak = float(np.nanmax(np.abs(spikes.waveforms), initial=0.0))
    mv = int(np.clip(np.ceil(peak), 1, 2**16 - 1))
    return in_bits(spikes.waveforms, mv / half), mv


def _header(spikes: Spikes, clock: int, mv: int, code: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> bytes:
    present = np.unique(spikes.channel)
    head = np.zeros(1, plx.FILE)
    last = float(np.nanmax(spikes.times_s, initial=0.0)) * clock
    values = {
        "magic": plx.MAGIC, "version": _VERSION, "comment": b"NeuralSorter", "clock_hz": clock,
        "n_channels": len(present), "n_events": int(len(spikes.triggers) > 0),
        "n_samples": spikes.n_samples, "pre_samples": spikes.pre_samples,
        "date": (1970, 1, 1, 0, 0, 0), "wave_hz": round(spikes.sampling_rate), "last": last,
        "bits": _BITS, "spike_mv": mv, "preamp": 1,
    }  # fmt: skip
    for name, value in values.items():
        head[name] = value
    content = bytearray(head.tobytes())
    counted = (spikes.channel < _COUNTED_CHANNELS) & (code < _COUNTED_UNITS)  # what the format has room to count
    cell = spikes.channel[counted] * _COUNTED_UNITS + code[counted]
    counts = np.bincount(cell, minlength=_COUNTED_CHANNELS * _COUNTED_UNITS).astype("<i4").tobytes() * 2
    content[_SPIKE_COUNTS_AT : _SPIKE_COUNTS_AT + len(counts)] = counts
    if len(spikes.triggers):
        place = _EVENT_COUNTS_AT + 4 * _STROBED
        content[place : place + 4] = len(spikes.triggers).to_bytes(4, "little")
    channels = np.zeros(len(present), plx.CHANNEL)
    threshold = dict(zip(spikes.channels["id"].tolist(), spikes.channels["threshold_uv"].tolist(), strict=True))
    half = 2.0 ** (_BITS - 1)
    for row, number in enumerate(present.tolist()):
        channels["name"][row] = channels["signal"][row] = f"sig{number:03d}".encode()
        channels["number"][row], channels["gain"][row] = number, _GAIN
        uv = threshold.get(number, np.nan)
        channels["threshold"][row] = 0 if np.isnan(uv) else round(uv * half / mv)
        channels["n_units"][row] = len(np.unique(code[(spikes.channel == number) & (code > 0)]))
    return bytes(content) + channels.tobytes() + _strobed_header(spikes)


def _strobed_header(spikes: Spikes) -> bytes:
    """Return the header of the event channel that carries values."""
    if not len(spikes.triggers):
        return b""
    header = bytearray(plx.EVENT_BYTES)
    header[:7], header[32:36] = b"Strobed", _STROBED.to_bytes(4, "little")
    return bytes(header)


def _events(spikes: Spikes, clock: int) -> bytes:
    """Return a block per trigger, its code where spikes have their unit."""
    triggers = spikes.triggers
    blocks = np.zeros(len(triggers), plx.BLOCK)
    ticks = np.round(triggers["time_s"].to_numpy(np.float64) * clock).astype(np.int64)
    blocks["kind"], blocks["channel"] = plx.EVENT, _STROBED
    blocks["upper"], blocks["time"] = ticks >> 32, ticks & 0xFFFFFFFF
    blocks["unit"] = np.clip(triggers["code"].to_numpy(np.int64), *_CODES)
    return blocks.tobytes()
