"""Hartigan's dip: how far a sample is from any distribution with a single mode (Hartigan & Hartigan 1985)."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

# Quantiles of sqrt(n) x dip for n uniform draws, the unimodal case hardest to tell from two modes: the share _TAIL of
# 20,000 to 40,000 seeded draws lies above each.
_TAIL = (0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0001)
_SIZES = np.array([10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 3000.0])
_TABLE = np.array(
    """
    0.1626 0.1923 0.2273 0.2457 0.2776 0.3095 0.3619 0.4140 0.4422 0.4770 0.5024 0.5278 0.5503 0.5709 0.5899 0.6440
    0.1935 0.2122 0.2365 0.2545 0.2872 0.3286 0.3816 0.4345 0.4715 0.5108 0.5410 0.5665 0.5966 0.6184 0.6347 0.6782
    0.1950 0.2222 0.2503 0.2672 0.3007 0.3462 0.4000 0.4574 0.4955 0.5411 0.5758 0.6037 0.6368 0.6650 0.6884 0.7300
    0.2044 0.2293 0.2565 0.2738 0.3078 0.3539 0.4113 0.4709 0.5101 0.5585 0.5902 0.6243 0.6587 0.6826 0.7047 0.7536
    0.2090 0.2331 0.2625 0.2798 0.3147 0.3617 0.4192 0.4802 0.5206 0.5685 0.5999 0.6329 0.6747 0.7025 0.7259 0.7937
    0.2124 0.2391 0.2678 0.2856 0.3203 0.3681 0.4274 0.4883 0.5310 0.5809 0.6148 0.6499 0.6889 0.7116 0.7395 0.7732
    0.2145 0.2426 0.2703 0.2883 0.3231 0.3709 0.4304 0.4948 0.5349 0.5895 0.6220 0.6551 0.6953 0.7265 0.7543 0.8283
    0.2197 0.2446 0.2729 0.2907 0.3268 0.3742 0.4338 0.4965 0.5383 0.5903 0.6223 0.6537 0.6894 0.7257 0.7479 0.7704
    """.split(),  # noqa: SIM905 - a table reads as one
    float,
).reshape(len(_SIZES), len(_TAIL))
_SMALLEST_P = 1e-12


def p_value(statistic: float, n: int) -> float:
    """Return the chance that `n` events of a single mode have a dip of `statistic` or more.

    Interpolated in a simulated table; beyond its last column the tail falls on as steeply as it does at the end.
    """
    if n < _SIZES[0]:
        return 1.0
    scaled = statistic * math.sqrt(n)
    place = np.interp(math.log(n), np.log(_SIZES), np.arange(len(_SIZES)))
    below = int(place)
    above = min(below + 1, len(_SIZES) - 1)
    row = _TABLE[below] + (place - below) * (_TABLE[above] - _TABLE[below])
    if scaled <= row[-1]:
        return float(np.exp(np.interp(scaled, row, np.log(_TAIL), left=0.0)))
    slope = math.log(_TAIL[-1] / _TAIL[8]) / (row[-1] ** 2 - row[8] ** 2)
    return float(max(_SMALLEST_P, _TAIL[-1] * math.exp(slope * (scaled**2 - row[-1] ** 2))))


def dip(values: NDArray[Any]) -> float:
    """Return the dip of a sample (n,): the largest distance between its distribution and the nearest unimodal one."""
    if len(values) < 4:
        return 0.5 / max(len(values), 1)
    return float(_dip(np.sort(np.asarray(values, np.float64))))


@numba.njit(cache=True, nogil=True)
def _hull(x: Any, sign: float, first: int, last: int, vertices: Any) -> int:
    """Fill `vertices` with the corners of the convex (sign 1) or concave (-1) hull of (x[i], i); return how many."""
    size = 0
    for i in range(first, last + 1):
        while size >= 2:
            a, b = vertices[size - 2], vertices[size - 1]
            # b stays only where the slope grows (convex) or falls (concave) through it
            turn = (b - a) * (x[i] - x[b]) - (i - b) * (x[b] - x[a])
            if sign * turn < 0:
                break
            size -= 1
        vertices[size] = i
        size += 1
    return size


@numba.njit(cache=True, nogil=True)
def _line(x: Any, a: int, b: int, at: float) -> float:
    """Height at `at` of the line through (x[a], a) and (x[b], b)."""
    width = x[b] - x[a]
    return b if width <= 0 else a + (at - x[a]) * (b - a) / width


@numba.njit(cache=True, nogil=True)
def _dip(x: Any) -> float:
    """Narrow the modal interval until the hulls inside it are no further apart than the misfit outside it.

    Heights are counts. The distribution steps from i to i + 1 at x[i]: the convex hull below touches the feet of the
    steps, the concave hull above their tops.
    """
    n = len(x)
    low, high = 0, n - 1
    misfit = 1.0
    lower = np.empty(n, np.int64)
    upper = np.empty(n, np.int64)
    while True:
        n_lower = _hull(x, 1.0, low, high, lower)
        n_upper = _hull(x, -1.0, low, high, upper)
        gap, left, right = _widest(x, lower[:n_lower], upper[:n_upper], low, high)
        if gap <= misfit:
            break
        outside = 0.0
        for v in range(n_lower - 1):  # convex part: left of the new modal interval
            if lower[v + 1] > left:
                break
            for i in range(lower[v], lower[v + 1] + 1):
                outside = max(outside, i + 1 - _line(x, lower[v], lower[v + 1], x[i]))
        for v in range(n_upper - 1):  # concave part: right of it
            if upper[v] < right:
                continue
            for i in range(upper[v], upper[v + 1] + 1):
                outside = max(outside, _line(x, upper[v], upper[v + 1], x[i]) + 1 - i)
        misfit = max(misfit, outside)
        if gap <= misfit or (left == low and right == high):
            break
        low, high = left, right
    return misfit / (2.0 * n)


@numba.njit(cache=True, nogil=True)
def _widest(x: Any, lower: Any, upper: Any, low: int, high: int) -> Any:
    """Return the widest gap between the hulls and the corners to the left and right of where it is."""
    gap, left, right = 0.0, low, high
    u = 0
    for v in range(len(lower)):
        while u < len(upper) - 1 and x[upper[u + 1]] < x[lower[v]]:
            u += 1
        height = float(upper[u]) if u == len(upper) - 1 else _line(x, upper[u], upper[u + 1], x[lower[v]])
        here = height + 1 - lower[v]
        if here > gap:
            gap, left, right = here, lower[v], upper[min(u + 1, len(upper) - 1)]
    v = 0
    for u in range(len(upper)):
        while v < len(lower) - 1 and x[lower[v + 1]] <= x[upper[u]]:
            v += 1
        height = float(lower[v]) if v == len(lower) - 1 else _line(x, lower[v], lower[v + 1], x[upper[u]])
        here = upper[u] + 1 - height
        if here > gap:
            gap, left, right = here, lower[v], upper[u]
    return gap, left, right
