"""Events grouped by unit: one pass, no sorting."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DataError
from .scanning import order_by_unit

NO_ORDER: NDArray[np.int32] = np.zeros(0, np.int32)  # the events as they are


def as_units(unit: ArrayLike, n: int) -> NDArray[np.int32]:
    """Return units as int32, (n,)."""
    codes = np.asarray(unit)
    if codes.shape != (n,):
        raise DataError(f"unit must have one number per waveform, ({n},). Got {codes.shape}.")
    if not (np.issubdtype(codes.dtype, np.integer) or codes.dtype == bool):
        whole = codes.astype(np.int32) if np.issubdtype(codes.dtype, np.floating) else None
        if whole is None or not np.array_equal(whole, codes):
            raise DataError(f"unit must hold whole numbers. Got {codes.dtype}.")
        codes = whole
    return np.ascontiguousarray(codes, np.int32)


def by_code(codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Return the sorted codes, the events in the order of their code (empty: as they are), and each code's start."""
    if not len(codes):
        return np.zeros(0, np.int64), NO_ORDER, np.zeros(1, np.int64)
    low, high = int(codes.min()), int(codes.max())
    if low == high:
        return np.array([low], np.int64), NO_ORDER, np.array([0, len(codes)], np.int64)
    if high - low > 65_535:
        values, places = np.unique(codes, return_inverse=True)
        names = values.astype(np.int64)
        counts, order = order_by_unit(_read_only(places.astype(np.int32)), 0, len(names) - 1)
    else:
        names = np.arange(low, high + 1, dtype=np.int64)
        counts, order = order_by_unit(_read_only(codes), low, high)
    present = counts > 0
    return names[present], order, np.concatenate([[0], np.cumsum(counts[present])]).astype(np.int64)


def _read_only(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return a view of one type, whoever made the array: a kernel is compiled once for each."""
    view = codes.view()
    view.flags.writeable = False
    return view
