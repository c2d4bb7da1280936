"""Results kept on disk while a batch runs, so that a run that was killed goes on where it stood."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import param

from . import __version__


class Kept:
    """A folder of finished results, each under the hash of what it was made from: never pickled.

    Parameters
    ----------
    folder : Path
        Made when the first result is kept.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, function: Any, task: Any) -> str:
        """Return the name of a result: of the program, the function, and all values and parameters of its task."""
        digest = hashlib.sha256(f"{__version__} {function.__module__} {function.__qualname__}".encode())
        _add(digest, task)
        return digest.hexdigest()

    def has(self, key: str) -> bool:
        """Whether a result is there."""
        return self._array(key).is_file() or self._plain(key).is_file()

    def load(self, key: str) -> Any:
        """Return a result."""
        if self._array(key).is_file():
            return np.load(self._array(key), allow_pickle=False)
        return json.loads(self._plain(key).read_text("utf-8"))

    def save(self, key: str, result: Any) -> None:
        """Keep an array, or a value that JSON holds, whole or not at all."""
        from .saving.whole import written_whole

        self.folder.mkdir(exist_ok=True)
        if isinstance(result, np.ndarray):
            with written_whole(self._array(key)) as file:
                np.save(file, result, allow_pickle=False)
        else:
            with written_whole(self._plain(key)) as file:
                file.write(json.dumps(result).encode())

    def remove(self) -> None:
        """Remove the folder; the work is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _array(self, key: str) -> Path:
        return self.folder / f"{key}.npy"

    def _plain(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _add(digest: Any, value: Any) -> None:
    """Add a value to a hash, so that equal values have equal hashes in every process."""
    digest.update(type(value).__name__.encode())
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
        return
    parts = _parts(value)
    if parts is None:
        digest.update(repr(value).encode())
        return
    digest.update(str(len(parts)).encode())
    for part in parts:
        _add(digest, part)


def _parts(value: Any) -> list[Any] | None:
    """Return what a value consists of, in one order; None where it is plain."""
    if isinstance(value, pd.DataFrame):
        return [(name, value[name].tolist()) for name in value.columns]
    if isinstance(value, param.Parameterized):
        settings = {name: own for name, own in value.param.values().items() if name != "name"}
        return [settings, _source(type(value)), _network(value)]
    if is_dataclass(value):
        return [(each.name, getattr(value, each.name)) for each in fields(value)]
    if isinstance(value, Mapping):
        return sorted(value.items(), key=repr)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    return list(value) if isinstance(value, list | tuple) else None


def _network(plugin: Any) -> bytes:
    """Return the weights that a cleaner names; a file that was trained anew is another one."""
    from .cleaning import find_network

    named = getattr(plugin, "network", "")
    return find_network(named).read_bytes() if named else b""


def _source(kind: type) -> bytes:
    try:
        return inspect.getsource(kind).encode()
    except (OSError, TypeError):  # made in an interpreter
        return kind.__qualname__.encode()
