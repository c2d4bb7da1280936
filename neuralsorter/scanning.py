"""Kernels that pass over a block of events once: order by unit, extremes, troughs and peaks."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray


@nb.njit(nogil=True, cache=True)
def order_by_unit(codes: NDArray[np.int32], low: int, high: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return how many events each unit from low to high has, and the events sorted by unit, as they came within it."""
    counts = np.zeros(high - low + 1, np.int64)
    for code in codes:
        counts[code - low] += 1
    at = np.zeros(high - low + 1, np.int64)
    for i in range(1, len(at)):
        at[i] = at[i - 1] + counts[i - 1]
    order = np.empty(len(codes), np.int32)
    for i in range(len(codes)):
        unit = codes[i] - low
        order[at[unit]] = i
        at[unit] += 1
    return counts, order


@nb.njit(nogil=True, cache=True)
def extremes(raw: Any, scale_uv: Any) -> tuple[float, float]:
    """Return the lowest and highest value in µV, infinities the wrong way round if there is none."""
    low = np.full(raw.shape[1], np.float32(np.inf), np.float32)
    high = np.full(raw.shape[1], np.float32(-np.inf), np.float32)
    for i in range(raw.shape[0]):
        samples = raw[i]
        for k in range(samples.shape[0]):
            y = np.float32(samples[k]) * scale_uv
            low[k] = y if y < low[k] else low[k]  # noqa: FURB136 - NaN is passed over
            high[k] = y if y > high[k] else high[k]  # noqa: FURB136
    return np.float64(np.min(low)), np.float64(np.max(high))


@nb.njit(nogil=True, cache=True)
def furthest(raw: Any, highest: Any) -> NDArray[np.int64]:
    """Return where each row is lowest, or highest, NaN left out, (n,)."""
    found = np.zeros(raw.shape[0], np.int64)
    for i in range(raw.shape[0]):
        best = np.float32(-np.inf)
        for k in range(raw.shape[1]):
            value = np.float32(raw[i, k])
            value = value if highest else -value
            if value > best:
                best, found[i] = value, k
    return found
