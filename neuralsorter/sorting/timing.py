"""What spike times say about two groups of events: one cell cannot fire twice within its refractory time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AFTER_DEAD_S = 0.0015  # lags tested, after the detector's own dead time
_REFERENCE_S = (0.02, 0.1)  # lags, either way, that tell how many pairs chance alone brings
_FEWEST = 10.0  # pairs expected by chance: with fewer, times say nothing
_ONE_CELL, _TWO_CELLS = 0.25, 0.6  # pairs found over pairs expected


def dead_time(times_s: NDArray[Any]) -> float:
    """Return about the shortest interval in s that the detector lets through, between events in any order."""
    steps = np.diff(np.sort(times_s[np.isfinite(times_s)]))
    steps = steps[steps > 0]
    return float(np.quantile(steps, 0.002)) if len(steps) > 100 else 0.0


def coincidences(first: NDArray[Any], second: NDArray[Any], low_s: float, high_s: float) -> int:
    """Count pairs of events, one of each, `low_s` to `high_s` apart in either order; NaN times are left out."""
    a, b = np.sort(first[np.isfinite(first)]), np.sort(second[np.isfinite(second)])
    after = np.searchsorted(b, a + high_s) - np.searchsorted(b, a + low_s)
    before = np.searchsorted(b, a - low_s) - np.searchsorted(b, a - high_s)
    return int(after.sum() + before.sum())


def refractory_ratio(first: NDArray[Any], second: NDArray[Any], dead_s: float) -> tuple[float, float]:
    """Return (ratio, expected): pairs within the refractory time over those expected by chance, and the latter.

    About 0 for two parts of one cell, 1 for two cells; NaN where chance would bring none.
    """
    width = _REFERENCE_S[1] - _REFERENCE_S[0]
    expected = coincidences(first, second, *_REFERENCE_S) * _AFTER_DEAD_S / width
    if expected <= 0:
        return math.nan, 0.0
    return coincidences(first, second, dead_s, dead_s + _AFTER_DEAD_S) / expected, expected


def strictness(first: NDArray[Any], second: NDArray[Any], dead_s: float) -> float:
    """Return the factor on the gap that two groups must show to stay apart: < 1 when times speak for one cell."""
    ratio, expected = refractory_ratio(first, second, dead_s)
    if expected < _FEWEST:
        return 1.0
    return 0.1 if ratio < _ONE_CELL else 3.0 if ratio > _TWO_CELLS else 1.0
