"""Columns and tables of an experiment as files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .disk import READ_ONLY_MODE, sha256_of, sync_file

# What numpy raises for a .npy whose head is damaged: it parses the head as Python.
UNREADABLE = (OSError, ValueError, EOFError, SyntaxError, TokenError, MemoryError, OverflowError, TypeError, KeyError)


def write_header(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Write the head of a .npy file of this type and shape."""
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})


def write_array(path: Path, array: NDArray[Any]) -> str:
    """Write a column as .npy, for ever, and return its SHA-256."""
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        sync_file(file)
    path.chmod(READ_ONLY_MODE)
    return sha256_of(path)


def write_bytes(path: Path, data: bytes) -> str:
    """Write a file for ever, and return its SHA-256."""
    with path.open("wb") as file:
        file.write(data)
        sync_file(file)
    path.chmod(READ_ONLY_MODE)
    return hashlib.sha256(data).hexdigest()


def mapped(path: Path, mode: Any = "r") -> NDArray[Any]:
    """Return a stored column, memory-mapped; mode "c" gives one to change without changing the file."""
    try:
        return np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))
    except ValueError:
        array = np.load(path, allow_pickle=False)  # an empty array cannot be mapped
        if array.size:
            raise
        return array


def table_to_json(table: pd.DataFrame) -> bytes:
    """Return a table as JSON; NaN becomes null."""
    columns = {}
    for name in table.columns:
        values = table[name].to_numpy()
        kind = values.dtype.str if values.dtype.kind in "iufb" else "text"
        cells = values.tolist() if kind != "text" else [str(v) for v in values]
        columns[str(name)] = {"type": kind, "values": [None if v != v else v for v in cells]}  # noqa: PLR0124 - NaN
    return json.dumps(columns).encode()


def table_from_json(data: bytes) -> pd.DataFrame:
    """Return the table that `table_to_json` wrote."""
    columns: dict[str, Any] = {}
    for name, column in json.loads(data).items():
        values = [np.nan if v is None else v for v in column["values"]]
        columns[name] = np.array(values, object if column["type"] == "text" else column["type"])
    return pd.DataFrame(columns)
