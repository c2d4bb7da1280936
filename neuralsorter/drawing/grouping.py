"""Events grouped by unit: one pass, no sorting."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter.errors import DataError

from .scanning import order_by_unit

LARGEST = 2**31 - 1
MOST_CODES = 65_536  # from the lowest to the highest; codes further apart are numbered first
NO_ORDER: NDArray[np.int32] = np.zeros(0, np.int32)  # the events as they are


def as_units(unit: ArrayLike, n: int) -> NDArray[np.int32]:
    """Return units as int32, (n,)."""
    codes = np.asarray(unit)
    if codes.shape != (n,):
        raise DataError(f"unit must have one number per waveform, ({n},). Got {codes.shape}.")
    if np.issubdtype(codes.dtype, np.floating):
        wrong = codes[~np.isfinite(codes) | (codes != np.rint(codes))]
        if len(wrong):
            raise DataError(f"unit must hold whole numbers. Got {wrong[0]}.")
    elif not (np.issubdtype(codes.dtype, np.integer) or codes.dtype == bool):
        raise DataError(f"unit must hold whole numbers. Got {codes.dtype}.")
    if codes.dtype != np.int32 and n and not (codes.min() >= -LARGEST and codes.max() <= LARGEST):
        raise DataError(f"unit must hold numbers up to {LARGEST:,}. Got {codes.min()} to {codes.max()}.")
    return np.ascontiguousarray(codes, np.int32)


def by_code(
    codes: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Return the sorted codes, the events in the order of their code, each code's start, the group of each event.

    With a single code the order and the groups are empty: the events are in order as they are, all in group 0.
    """
    if not len(codes):
        return np.zeros(0, np.int64), NO_ORDER, np.zeros(1, np.int64), NO_ORDER
    low, high = int(codes.min()), int(codes.max())
    if low == high:
        return np.array([low], np.int64), NO_ORDER, np.array([0, len(codes)], np.int64), NO_ORDER
    if high - low > MOST_CODES:
        values, places = np.unique(codes, return_inverse=True)
        names = values.astype(np.int64)
        counts, order, groups = order_by_unit(_read_only(places.astype(np.int32)), 0, len(names) - 1)
    else:
        names = np.arange(low, high + 1, dtype=np.int64)
        counts, order, groups = order_by_unit(_read_only(codes), low, high)
    present = counts > 0
    starts = np.concatenate([[0], np.cumsum(counts[present])]).astype(np.int64)
    return names[present], order, starts, groups


def _read_only(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return a view of one type, whoever made the array: a kernel is compiled once for each."""
    view = codes.view()
    view.flags.writeable = False
    return view
