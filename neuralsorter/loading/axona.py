"""Axona DacqUSB tetrodes: spikes (.1 to .32), their gains (.set) and cuts (.cut) of the same name.

Our own reader because libraries show no units and no microvolts for these files.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .events import Electrode, table
from .remarks import remark

_TETRODES = range(1, 33)
_START, _END = b"data_start", b"\r\ndata_end"
_FULL_SCALE_BITS = 128
_PRE_SAMPLES, _UV_PER_MV = 10, 1000
_LARGEST_TEXT = 16 << 20
_COPY = "Copy it again from the recording computer"


class AxonaLoader(Loader):
    """Axona tetrodes: one file (.1 to .32), or the .set beside them for all. Spikes point upwards, as recorded."""

    suffixes: ClassVar[tuple[str, ...]] = (*(f".{number}" for number in _TETRODES), ".set")

    @classmethod
    def companions(cls, path: Path) -> list[Path]:
        """Return the gains, the cuts and, of a .set, the tetrodes."""
        names = [path.with_suffix(".set"), path.with_suffix(".cut")]
        names += [path.with_name(f"{path.stem}_{number}.cut") for number in _TETRODES]
        if path.suffix.lower() == ".set":
            names += [path.with_suffix(f".{number}") for number in _TETRODES]
        return [name for name in names if name.is_file() and not name.is_symlink()]

    def load(self, path: Path) -> Spikes:
        """Return the spikes in order of time; the tetrode's number is the channel."""
        beside = {file.suffix.lower(): file for file in self.companions(path)}
        gains = _pairs(beside[".set"]) if ".set" in beside else {}
        if path.suffix.lower() == ".set":
            gains = _pairs(path)
            files = [beside[f".{number}"] for number in _TETRODES if f".{number}" in beside]
        else:
            files = [path]
        if not files:
            raise LoadError(path, "has no tetrode file .1 to .32 beside it", "Put the files of the trial together")
        read = [_tetrode(file, gains, self.companions(path)) for file in files]
        if len({rate for _, rate in read}) > 1:
            raise LoadError(path, "has tetrodes of different sampling rates", "Open the tetrode files apart")
        pre = int(_number(gains, "pretrigSamps", _PRE_SAMPLES))
        return replace(table(path, [electrode for electrode, _ in read], read[0][1], pre), sources=(str(path),))


def _tetrode(path: Path, gains: dict[str, str], beside: list[Path]) -> tuple[Electrode, float]:
    content = path.read_bytes()
    start = content.find(_START)
    if start < 0:
        raise LoadError(path, "has no data_start, as Axona's files do", _COPY)
    header = _parsed(content[:start].decode("cp1252", "replace"))
    n, width, n_samples = (int(_number(header, name, 0)) for name in ("num_spikes", "num_chans", "samples_per_spike"))
    clock = _number(header, "timebase", 0.0)
    rate = {0: 48_000.0, 1: 24_000.0}.get(int(_number(gains, "Spike2msMode", -1)), _number(header, "sample_rate", 0.0))
    if not (n >= 0 and 0 < width <= 64 and 0 < n_samples <= 4096 and 0 < clock < 1e9 and 0 < rate < 1e7):
        raise LoadError(path, "states no num_spikes, num_chans, samples_per_spike, timebase or sample_rate", _COPY)
    record = np.dtype([("time", ">i4"), ("samples", "i1", (n_samples,))])
    place, size = start + len(_START), n * width * record.itemsize
    if place + size > len(content):
        there = (len(content) - place) // (width * record.itemsize)
        raise LoadError(path, f"is cut off: {n} spikes are stated and {there} are there ({len(content)} bytes)", _COPY)
    records = np.frombuffer(content, record, n * width, place).reshape(n, width)
    number = int(path.suffix[1:])
    uv = _uv_per_bit(path, gains, number, width)
    raw = records["samples"].astype(np.float32) * uv[:, None]
    return Electrode(number, raw, records["time"][:, 0] / clock, _cut(path, beside, n)), rate


def _uv_per_bit(path: Path, gains: dict[str, str], tetrode: int, width: int) -> NDArray[np.float32]:
    scale = _number(gains, "ADC_fullscale_mv", 0.0) * _UV_PER_MV / _FULL_SCALE_BITS
    own = np.array([_number(gains, f"gain_ch_{4 * (tetrode - 1) + k}", 0.0) for k in range(width)])
    if scale <= 0 or (own <= 0).any():
        remark(f"{path.name} has no gains in a .set beside it: its steps of 8 bits are taken for µV.")
        return np.ones(width, np.float32)
    return (scale / own).astype(np.float32)


def _cut(path: Path, beside: list[Path], n: int) -> NDArray[np.int64]:
    """Return the cluster of each spike, 0 unsorted, from the cut file of this tetrode if there is one."""
    names = {f"{path.stem}_{path.suffix[1:]}.cut".casefold(), f"{path.stem}.cut".casefold()}
    found = sorted(file for file in beside if file.name.casefold() in names)
    if not found:
        return np.zeros(n, np.int64)
    text = _text(found[-1])
    head = re.search(r"Exact_cut_for:[^\n]*?spikes:\s*(\d+)", text)
    values = text[head.end() :].split() if head else []
    if head is None or len(values) != n or not all(value.isdigit() and len(value) < 9 for value in values):
        told = f"holds {len(values)} cluster numbers for the {n} spikes of {path.name}"
        raise LoadError(found[-1], told, "Move it away to open the spikes unsorted, or cut them again")
    return np.array(values, np.int64)


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST_TEXT * 8:
        raise LoadError(path, "is too large for a text file of Axona's", _COPY)
    return path.read_bytes().decode("cp1252", "replace")


def _pairs(path: Path) -> dict[str, str]:
    return _parsed(_text(path))


def _parsed(text: str) -> dict[str, str]:
    """Return {name: rest of the line}."""
    lines = (line.split(maxsplit=1) for line in text.splitlines())
    return {line[0]: line[1].strip() for line in lines if len(line) == 2}


def _number(pairs: dict[str, str], name: str, default: float) -> float:
    """Return the number that a line begins with, such as `timebase 96000 hz`."""
    found = re.match(r"-?\d+(\.\d+)?", pairs.get(name, ""))
    return float(found.group()) if found else default
