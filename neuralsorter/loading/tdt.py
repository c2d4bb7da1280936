"""Tucker-Davis tanks and blocks: the index (.tsq) and its snippets (.tev).

Our own reader because libraries go through the snippets one by one, need the block's notes (.tbk), and trust the
offsets of the index.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .conform import combine
from .events import Electrode, table
from .folders import member
from .remarks import remark

INDEX = np.dtype(
    [("size", "<i4"), ("kind", "<i4"), ("store", "S4"), ("channel", "<u2"), ("code", "<u2"), ("time", "<f8"),
     ("offset", "<i8"), ("format", "<i4"), ("rate", "<f4")]
)  # fmt: skip
SNIPPET, ONSET = 0x8201, 0x0101
START = b"\x01"  # the store's name in the record that tells when the block began
_HEADER_WORDS = 10  # `size` counts words of 4 bytes, those of the index record included
_FORMATS = {0: "<f4", 1: "<i4", 2: "<i2", 3: "i1", 4: "<f8"}
_STORE_STEP = 1000  # what a second store adds to its channel numbers where they are taken
_UV_PER_V = 1e6
_COPY = "Copy the whole block again from the tank"


class TdtLoader(Loader):
    """Tucker-Davis snippets: a block (or its .tsq), or a tank, whose blocks become experiments."""

    suffixes: ClassVar[tuple[str, ...]] = (".tsq", ".tev")
    folders: ClassVar[tuple[str, ...]] = ("*.[tT][sS][qQ]", "*/*.[tT][sS][qQ]")

    @classmethod
    def companions(cls, path: Path) -> list[Path]:
        """Return the index and the data of the same block."""
        return [file for suffix in cls.suffixes for file in _spellings(path, suffix) if file.is_file()]

    def load(self, path: Path) -> Spikes:
        """Return the snippets in order of time."""
        if path.is_file():
            return _block(path, path.parent, path.stem)
        own = sorted(path.glob(self.folders[0]))
        if len(own) == 1:
            return _block(path, path, own[0].stem)
        if own:
            raise LoadError(path, f"holds {len(own)} indices of blocks", "Open one of its .tsq files")
        blocks = sorted(path.glob(self.folders[1]))
        parts = [_block(path, member(path, file.parent.name), file.stem) for file in blocks]
        named = [replace(part, sources=(str(file.parent),)) for part, file in zip(parts, blocks, strict=True)]
        spikes, notes = combine(named, [file.parent.name for file in blocks])
        for note in notes:
            remark(note)
        return spikes


def _spellings(path: Path, suffix: str) -> list[Path]:
    return [path.with_name(f"{path.stem}{spelt}") for spelt in (suffix, suffix.upper(), suffix.capitalize())]


def _file(folder: Path, stem: str, suffix: str) -> Path:
    """Return a file of the block, however its suffix is spelt."""
    there = [file.name for file in _spellings(folder / f"{stem}.tsq", suffix) if file.exists()]
    return member(folder, there[0] if there else f"{stem}{suffix}")


def _block(path: Path, folder: Path, stem: str) -> Spikes:
    content = _file(folder, stem, ".tsq").read_bytes()
    count, over = divmod(len(content), INDEX.itemsize)
    if over or count < 2:
        place = f"its index ends at byte {len(content)}, inside record {count + 1} of {INDEX.itemsize} bytes"
        raise LoadError(path, f"is cut off: {place}", _COPY)
    index = np.frombuffer(content, INDEX, count)
    begin = index["time"][index["store"] == START]
    start = float(begin[0]) if len(begin) else float(index["time"].min())
    if not np.isfinite(index["time"]).all():
        raise LoadError(path, "holds a time that is no number in its index", _COPY)
    snippets = index[index["kind"] == SNIPPET]
    if not len(snippets):
        raise LoadError(path, "holds no snippets", "Store snippets with their waveforms, or open the streams as raw")
    raw = _waveforms(path, _file(folder, stem, ".tev"), snippets)
    remark("states no place of the crossing in its snippets: the sample at which most peak is taken.")
    electrodes = [
        Electrode(number, raw[rows], snippets["time"][rows] - start, snippets["code"][rows])
        for number, rows in _electrodes(snippets)
    ]
    return replace(
        table(path, electrodes, float(snippets["rate"][0]), None),
        triggers=_triggers(index[index["kind"] == ONSET], start),
    )


def _waveforms(path: Path, tev: Path, snippets: NDArray[Any]) -> NDArray[np.float32]:
    """Return the snippets in µV, (n, n_samples), each offset checked against the bytes there."""
    first = snippets[0]
    for name in ("size", "format", "rate"):
        if (snippets[name] != first[name]).any():
            raise LoadError(
                path, f"has snippets of different {name}", "Export each snippet store to a block of its own"
            )
    form = _FORMATS.get(int(first["format"]))
    n_bytes = (int(first["size"]) - _HEADER_WORDS) * 4
    if form is None or n_bytes <= 0 or n_bytes % np.dtype(form).itemsize or not 0 < first["rate"] < 1e7:
        raise LoadError(path, f"describes its snippets wrongly in {tev.with_suffix('.tsq').name}", _COPY)
    size = tev.stat().st_size
    outside = np.flatnonzero((snippets["offset"] < 0) | (snippets["offset"] > size - n_bytes))
    if len(outside) or n_bytes * len(snippets) > size:
        place = f"snippet {outside[0] + 1}" if len(outside) else f"{len(snippets)} snippets"
        raise LoadError(path, f"is cut off: {place} should lie in the {size} bytes of {tev.name}", _COPY)
    data = np.memmap(tev, np.uint8, "r")
    windows = np.lib.stride_tricks.sliding_window_view(data, n_bytes)
    raw = windows[snippets["offset"]].view(form).astype(np.float32)
    if not np.isfinite(raw).all():
        raise LoadError(path, f"holds samples that are no numbers in {tev.name}", _COPY)
    return np.asarray(raw * np.float32(_UV_PER_V))


def _electrodes(snippets: NDArray[Any]) -> list[tuple[int, NDArray[np.int64]]]:
    """Return (channel, rows) of each electrode; stores that share channel numbers are told apart."""
    stores = list(dict.fromkeys(snippets["store"].tolist()))
    pairs = sorted(
        {(stores.index(s), c) for s, c in zip(snippets["store"].tolist(), snippets["channel"].tolist(), strict=True)}
    )
    shared = len({channel for _, channel in pairs}) < len(pairs)
    if shared:
        told = ", ".join(store.decode("latin-1") for store in stores)
        remark(f"has the same channels in the stores {told}: each further store counts on from {_STORE_STEP}.")
    return [
        (channel + shared * number * _STORE_STEP,
         np.flatnonzero((snippets["store"] == stores[number]) & (snippets["channel"] == channel)))
        for number, channel in pairs
    ]  # fmt: skip


def _triggers(onsets: NDArray[Any], start: float) -> pd.DataFrame:
    """Return epoch onsets; their value stands where snippets have an offset."""
    value = np.ascontiguousarray(onsets["offset"]).view("<f8")
    code = np.nan_to_num(np.clip(np.round(value), -(2**53), 2**53)).astype(np.int64)
    return pd.DataFrame({"time_s": onsets["time"] - start, "code": code})
