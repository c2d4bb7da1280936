"""HDF5 files of others, looked through before a value is read: nothing outside the file, no trap for the memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import LoadError, NeuralSorterError

_MOST_OBJECTS, _MOST_DEPTH = 200_000, 32
_FREE_BYTES = 64 << 20  # what even the best packed data set may unpack to
_MOST_PACKED = 200
_REMEDY = "Export the data into one plain file"


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading and refuse what points outside it or unpacks to far more than it stores.

    Raises
    ------
    LoadError
        It names the object inside the file.

    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as cause:
        what = f"is not a whole HDF5 file ({str(cause).partition('(')[2].rstrip(')') or cause})"
        raise LoadError(path, what, "Copy the file again") from None
    with file:
        try:
            look_through(path, file)
            yield file
        except (RuntimeError, LookupError, OSError, ValueError, TypeError, ArithmeticError) as cause:
            if getattr(cause, "errno", None) or isinstance(cause, NeuralSorterError):
                raise
            told = str(cause).strip("'\"") or type(cause).__name__
            raise LoadError(path, f"is damaged inside, or lacks a part ({told})", "Copy or export it again") from None


def text(value: Any) -> str:
    """Return an HDF5 string as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def numbers(path: Path, item: Any, name: str, n_dim: int) -> NDArray[Any]:
    """Read a data set of numbers with so many dimensions.

    Raises
    ------
    LoadError
        When it is something else.

    """
    shape, dtype = getattr(item, "shape", None), getattr(item, "dtype", None)
    if shape is None or dtype is None or dtype.kind not in "biuf" or len(shape) != n_dim:
        raise LoadError(path, f"holds {name} as something else than numbers of {n_dim} dimensions", "Export it again")
    array: NDArray[Any] = np.asarray(item[()])
    return array


def look_through(path: Path, file: Any) -> None:
    """Refuse an open HDF5 file that points outside itself or unpacks to far more than it stores."""
    import h5py

    seen, waiting = set(), [(file, 0)]
    while waiting:
        group, depth = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            place = f"{group.name.rstrip('/')}/{name}"
            if isinstance(link, h5py.ExternalLink):
                raise LoadError(path, f"points to another file at {place}", _REMEDY)
            if isinstance(link, h5py.SoftLink):
                continue  # inside this file, and seen where it really is
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_OBJECTS or depth > _MOST_DEPTH:
                raise LoadError(path, f"holds more than {_MOST_OBJECTS} objects or {_MOST_DEPTH} levels", _REMEDY)
            if isinstance(item, h5py.Dataset):
                _check_dataset(path, item)
            elif isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))


def _check_dataset(path: Path, item: Any) -> None:
    if item.external or item.is_virtual:
        raise LoadError(path, f"takes {item.name} from another file", _REMEDY)
    stored = item.id.get_storage_size()
    if item.nbytes > _FREE_BYTES + _MOST_PACKED * stored:
        what = f"declares {item.nbytes} bytes in {item.name} but stores {stored}"
        raise LoadError(path, what, "Do not open it: it is made to fill the memory")
