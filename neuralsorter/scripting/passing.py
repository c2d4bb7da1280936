"""Spikes handed to another process as files it maps into memory: read-only, and without a copy where they have one."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.spikes import Spikes

_COLUMNS = ("raw", "times_s", "channel", "unit", "experiment", "old_unit", "segment")
_TABLES = ("channels", "triggers")


def write_spikes(spikes: Spikes, folder: Path) -> dict[str, Any]:
    """Write what is not yet in a file into `folder`; return the description `read_spikes` takes, ready for JSON."""
    return {
        "columns": {name: _write_array(getattr(spikes, name), folder / f"{name}.bin") for name in _COLUMNS},
        "tables": {name: {str(k): v.tolist() for k, v in getattr(spikes, name).items()} for name in _TABLES},
        "labels": [[channel, unit, text] for (channel, unit), text in spikes.labels.items()],
        "sources": list(spikes.sources),
        "sampling_rate": spikes.sampling_rate,
        "pre_samples": spikes.pre_samples,
        "uv_per_bit": spikes.uv_per_bit,
    }


def read_spikes(description: dict[str, Any]) -> Spikes:
    """Return the spikes described by `write_spikes`."""
    parts: dict[str, Any] = {name: _read_array(**where) for name, where in description["columns"].items()}
    parts |= {name: pd.DataFrame(columns) for name, columns in description["tables"].items()}
    return Spikes(
        **parts,
        labels={(channel, unit): text for channel, unit, text in description["labels"]},
        sources=tuple(description["sources"]),
        sampling_rate=description["sampling_rate"],
        pre_samples=description["pre_samples"],
        uv_per_bit=description["uv_per_bit"],
    )


def files(description: dict[str, Any]) -> list[str]:
    """Return the files a reader of the description must be able to read."""
    return sorted({where["path"] for where in description["columns"].values()})


def _write_array(array: NDArray[Any], path: Path) -> dict[str, Any]:
    mapped = _mapped_file(array)
    if mapped is None:
        np.ascontiguousarray(array).tofile(path)
    where, offset = mapped or (path, 0)
    return {"path": str(where), "offset": offset, "dtype": array.dtype.str, "shape": list(array.shape)}


def _read_array(path: str, offset: int, dtype: str, shape: list[int]) -> NDArray[Any]:
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.asarray(np.memmap(path, dtype, "r", offset, tuple(shape)))


def _mapped_file(array: NDArray[Any]) -> tuple[Path, int] | None:
    """Return the file an array is a contiguous part of, and where in it; None when it is not in a file as it is."""
    if not (array.flags.c_contiguous and array.size):
        return None
    root: Any = array
    while isinstance(getattr(root, "base", None), np.ndarray):
        root = root.base
    if not (isinstance(root, np.memmap) and isinstance(root.base, mmap.mmap) and root.mode == "r" and root.filename):
        return None
    offset = root.offset + array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return Path(root.filename).resolve(), int(offset)
