"""Recordings that are a folder of files: nothing outside it is opened, every array is checked before it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import LoadError

_MOST_JSON_BYTES = 64 << 20
_COPY = "Copy the whole folder again from where it was written"


def member(folder: Path, *names: str) -> Path:
    """Return a file or folder inside a folder.

    Raises
    ------
    LoadError
        When it is missing, or a name or a link leads out of the folder.

    """
    root = folder.resolve()
    path = root.joinpath(*(name.replace("\\", "/").strip("/") for name in names))
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # a circle of links is a RuntimeError before Python 3.13
        raise LoadError(folder, f"lacks {'/'.join(names)}", _COPY) from None
    if not real.is_relative_to(root):
        raise LoadError(folder, f"points outside itself at {'/'.join(names)}", "Put the files into the folder itself")
    return real


def has(folder: Path, *names: str) -> bool:
    """Tell whether there is such a file inside the folder."""
    try:
        return member(folder, *names).exists()
    except LoadError:
        return False


def numbers(folder: Path, *names: str, n_dim: int) -> NDArray[Any]:
    """Return a `.npy` array of numbers, still on disk; never unpickled.

    Raises
    ------
    LoadError
        When it is no whole array of numbers with so many dimensions.

    """
    array = npy(folder, *names)
    if array.dtype.kind not in "biuf" or array.ndim != n_dim:
        what = f"holds {'/'.join(names)} as {array.dtype} of {array.ndim} dimensions, not numbers of {n_dim}"
        raise LoadError(folder, what, _COPY)
    return array


def npy(folder: Path, *names: str) -> NDArray[Any]:
    """Return any `.npy` array, still on disk; never unpickled."""
    file = member(folder, *names)
    try:
        if file.stat().st_size and _is_empty(file):
            return _read_empty(file)
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except MemoryError:
        raise
    except Exception as cause:  # noqa: BLE001 - the parser of a damaged header raises anything
        raise LoadError(folder, f"holds {'/'.join(names)}, which is no whole array ({cause})", _COPY) from None
    if not isinstance(array, np.ndarray):
        raise LoadError(folder, f"holds {'/'.join(names)}, which is no .npy array", _COPY)
    return array


def described(folder: Path, *names: str) -> dict[str, Any]:
    """Return a JSON object that a file inside the folder holds."""
    file = member(folder, *names)
    try:
        if file.stat().st_size > _MOST_JSON_BYTES:
            raise LoadError(folder, f"holds {'/'.join(names)} of more than {_MOST_JSON_BYTES} bytes", _COPY)
        content = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as cause:
        raise LoadError(folder, f"holds {'/'.join(names)}, which is no JSON ({cause})", _COPY) from None
    if not isinstance(content, dict):
        raise LoadError(folder, f"holds {'/'.join(names)}, which is no JSON object", _COPY)
    return content


def _is_empty(file: Path) -> bool:
    """Tell whether an array declares no elements: those cannot be mapped into memory."""
    with file.open("rb") as opened:
        version = np.lib.format.read_magic(opened)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return 0 in read(opened)[0]


def _read_empty(file: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(file, allow_pickle=False)
    return array
