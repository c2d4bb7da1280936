"""Values on their way between processes: JSON beside `.npy` files, so that nothing is unpickled on arrival."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .errors import WorkerError

_PLAIN = (type(None), bool, int, float, str)
_OURS = "neuralsorter"  # data classes of this package may cross, others may not


def pack(value: Any, folder: Path) -> None:
    """Write a value into a folder, which must be empty.

    Parameters
    ----------
    value : Any
        None, bool, numbers, str, bytes, Path, list, tuple, set, dict, numpy arrays without objects, DataFrame, and
        data classes of this package such as Spikes.
    folder : Path
        An existing empty folder.

    """
    arrays: list[np.ndarray[Any, Any]] = []
    tree = _encode(value, arrays)
    for number, array in enumerate(arrays):
        np.save(folder / f"{number}.npy", array, allow_pickle=False)
    (folder / "value.json").write_text(json.dumps(tree), "utf-8")


def unpack(folder: Path) -> Any:
    """Read the value that `pack` wrote."""
    tree = json.loads((folder / "value.json").read_text("utf-8"))
    return _decode(tree, folder)


def _encode(value: Any, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return _encode_array(value, arrays)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list):
        return [_encode(item, arrays) for item in value]
    return _encode_named(value, arrays)


def _encode_named(value: Any, arrays: list[np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Encode what JSON has no word for."""
    content: Any
    if isinstance(value, tuple | set | frozenset):
        kind = "tuple" if isinstance(value, tuple) else type(value).__name__
        content = [_encode(item, arrays) for item in value]
    elif isinstance(value, dict):
        kind, content = "dict", [[_encode(key, arrays), _encode(item, arrays)] for key, item in value.items()]
    elif isinstance(value, bytes | bytearray):
        kind, content = "bytes", bytes(value).hex()
    elif isinstance(value, Path):
        kind, content = "Path", str(value)
    elif isinstance(value, pd.DataFrame):
        kind = "DataFrame"
        content = [[_encode(name, arrays), _encode_column(value[name], arrays)] for name in value.columns]
    elif _is_ours(type(value).__module__) and dataclasses.is_dataclass(value):
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        content = {f.name: _encode(getattr(value, f.name), arrays) for f in dataclasses.fields(value) if f.init}
    else:
        name = type(value).__name__
        raise WorkerError(f"A {name} cannot cross between processes. Pass numbers, text, containers, arrays or Spikes.")
    return {"is": kind, "of": content}


def _encode_array(value: np.ndarray[Any, Any] | np.generic, arrays: list[np.ndarray[Any, Any]]) -> Any:
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise WorkerError("An array of Python objects cannot cross between processes. Pass numbers or a list.")
    arrays.append(array)
    return {"is": "array" if isinstance(value, np.ndarray) else "scalar", "of": len(arrays) - 1}


def _encode_column(column: pd.Series[Any], arrays: list[np.ndarray[Any, Any]]) -> Any:
    if column.dtype.kind in "biuf" and isinstance(column.dtype, np.dtype):
        return _encode_array(column.to_numpy(), arrays)
    return [_encode(item, arrays) for item in column.tolist()]


def _decode(tree: Any, folder: Path) -> Any:
    if isinstance(tree, list):
        return [_decode(item, folder) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kind, content = tree["is"], tree["of"]
    decode = _DECODERS.get(kind)
    return decode(content, folder) if decode else _decode_data(kind, content, folder)


def _decode_array(number: int, folder: Path) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = np.load(folder / f"{int(number)}.npy", allow_pickle=False)
    return array


def _decode_pairs(pairs: Any, folder: Path) -> dict[Any, Any]:
    return {_decode(key, folder): _decode(item, folder) for key, item in pairs}


_DECODERS: dict[str, Callable[[Any, Path], Any]] = {
    "array": _decode_array,
    "scalar": lambda number, folder: _decode_array(number, folder)[()],
    "tuple": lambda items, folder: tuple(_decode(items, folder)),
    "set": lambda items, folder: set(_decode(items, folder)),
    "frozenset": lambda items, folder: frozenset(_decode(items, folder)),
    "dict": _decode_pairs,
    "bytes": lambda text, _: bytes.fromhex(text),
    "Path": lambda text, _: Path(text),
    "DataFrame": lambda columns, folder: pd.DataFrame(_decode_pairs(columns, folder)),
}


def _decode_data(kind: str, fields: dict[str, Any], folder: Path) -> Any:
    module, _, name = kind.partition(":")
    cls = getattr(importlib.import_module(module), name, None) if _is_ours(module) else None
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise WorkerError(f"A worker sent {kind!r}, which is no data of NeuralSorter. Try again.")
    return cls(**{field: _decode(item, folder) for field, item in fields.items()})


def _is_ours(module: str) -> bool:
    return module == _OURS or module.startswith(f"{_OURS}.")
