"""Kernels that draw many waveforms at once: count the row pairs between two samples, then draw each pair once.

All waveforms share their sample positions, so between two neighbouring samples a waveform is a pair of pixel rows
(a, b). A line's shape depends on its rise b - a alone: pairs are counted in `pairs[segment, rise, a]`, and a whole
run of start rows of one rise is added to a column with two vector operations on a difference array.

Segments that leave the window start or end on its edge. They are counted by edge, column and other row: `entering`
(from an edge to a row), `leaving` (from a row to an edge) and `through` (from one edge to the other).
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from .rasterlines import ABOVE, BELOW, MISSING, clip

STRIDE = 512  # events between two looks at the stop flag


@nb.njit(nogil=True, cache=True)
def quantise(samples: Any, scale_uv: Any, window: Any, top: Any, rows: Any, lowest: Any, highest: Any) -> Any:
    """Write the pixel row of each sample, clamped to the window, and its bounds; return 0 if all samples are inside."""
    low, high, scale, offset = window[2], window[3], window[6], window[7]
    outside = np.int32(0)
    for i in range(samples.shape[0]):
        y = np.float64(np.float32(samples[i]) * scale_uv)
        inside = y if y >= low else low  # noqa: FURB136 - NaN becomes low too
        inside = inside if inside <= high else high  # noqa: FURB136
        outside |= np.int32(inside != y)
        row = min(np.int32(inside * scale + offset), top)
        rows[i] = row
        lowest[i] = min(lowest[i], row)
        highest[i] = max(highest[i], row)
    return outside


@nb.njit(nogil=True, cache=True)
def encode(samples: Any, scale_uv: Any, window: NDArray[np.float64], rows: NDArray[np.int32]) -> None:
    """Replace the rows of samples outside the window by BELOW, ABOVE or MISSING."""
    low, high = window[2], window[3]
    for i in range(samples.shape[0]):
        y = np.float64(np.float32(samples[i]) * scale_uv)
        if y < low:
            rows[i] = BELOW
        elif y > high:
            rows[i] = ABOVE
        elif y != y:  # noqa: PLR0124 - NaN
            rows[i] = MISSING


@nb.njit(nogil=True, cache=True)
def add_crossing(
    x: float,
    y0: Any,
    y1: Any,
    begins: bool,  # noqa: FBT001 - kernels take their arguments by place
    window: NDArray[np.float64],
    shape: NDArray[np.int64],
    height: int,
    pairs: Any,
    entering: Any,
    leaving: Any,
    through: Any,
    starts: Any,
) -> None:
    """Count one segment that may leave the window, from (x, y0) to (x + 1, y1); `begins`: nothing ends at its start."""
    visible, t0, t1 = clip(x, x + 1.0, y0, y1, window)
    if not visible:
        return
    dy = y1 - y0
    first, run = shape[0], shape[1]
    x0, v0 = (x + t0, y0 + t0 * dy) if t0 > 0 else (x, np.float64(y0))
    x1, v1 = (x + t1, y0 + t1 * dy) if t1 < 1 else (x + 1.0, np.float64(y1))
    width, top = shape[3], height - 1
    c0 = min(int(x0 * window[4] + window[5]), width - 1) - first
    c1 = min(int(x1 * window[4] + window[5]), width - 1) - first
    c0, c1 = min(max(c0, 0), run), min(max(c1, 0), run)
    r0 = min(max(int(v0 * window[6] + window[7]), 0), top)
    r1 = min(max(int(v1 * window[6] + window[7]), 0), top)
    enters = t0 > window[8] if shape[2] & 1 else t0 > 0
    leaves = t1 < window[9] if shape[2] & 2 else t1 < 1
    if enters and leaves:
        through[0 if r0 == 0 else 1, c0, c1] += 1
    elif enters:
        entering[0 if r0 == 0 else 1, c0, r1] += 1
    elif leaves:
        leaving[0 if r1 == 0 else 1, c1, r0] += 1
    else:
        pairs[(r1 - r0 + top) * height + r0] += 1
    if begins and t0 == 0 and not (run == 0 and r0 == r1 and not enters and not leaves and shape[2] == 0):
        starts[r0] += 1


@nb.njit(nogil=True, cache=True)
def count_pairs(  # noqa: C901, PLR0912 - one pass over the events, every branch an exit from the quick path
    raw: Any,
    scale_uv: Any,
    order: NDArray[np.int32],
    begin: int,
    end: int,
    shift: NDArray[np.int16],
    place: NDArray[np.int64],
    segments: NDArray[np.int64],
    window: NDArray[np.float64],
    height: int,
    pairs: Any,
    entering: Any,
    leaving: Any,
    through: Any,
    starts: Any,
    crossed: Any,
    bounds: Any,
    stop: NDArray[np.int64],
) -> None:
    """Count events `order[begin:end]` (rows begin to end if `order` is empty) on a run of neighbouring segments.

    raw (n, n_flat) int16 or float32; place: flat column of the channel's first sample, samples of the channel, first
    position (a sample number) of the run, whether the first segment is the line's first; segments (n, 4): first
    column, columns to the last, 1 and 2 for left and right ends cut by the window's sides, picture width; window:
    left, right, low, high, x and y scale and offset, cut of the left and right end.
    """
    base, n_samples, position, is_first = place[0], place[1], place[2], place[3]
    n_segments = segments.shape[0]
    size, top, across = np.int32(2 * height - 1) * np.int32(height), np.int32(height - 1), np.int32(height)
    flat = pairs.reshape(-1)
    rows = np.empty(n_segments + 1, np.int32)
    index = np.empty(n_segments, np.uint32)
    cut = False
    for s in range(n_segments):
        cut |= segments[s, 2] != 0
    for i in range(begin, end):
        if (i - begin) % STRIDE == 0 and stop[0] != 0:
            return
        event = order[i] if order.shape[0] else i
        first = position - (shift[event] if shift.shape[0] else 0)
        lo, hi = max(0, -first), min(n_segments + 1, n_samples - first)
        if hi <= lo:
            continue
        before_missing = first + lo == 0
        if first + lo > 0:
            y = raw[event, base + first + lo - 1]
            before_missing = y != y  # noqa: PLR0124 - NaN
        samples = raw[event, base + first + lo : base + first + hi]
        outside = quantise(samples, scale_uv, window, top, rows[lo:hi], bounds[0, lo:hi], bounds[1, lo:hi])
        whole = lo == 0 and hi == n_segments + 1 and (is_first == 1 or not before_missing)
        if outside == 0 and whole and not cut:
            for s in range(n_segments):
                index[s] = np.uint32(rows[s + 1] * across - rows[s] * top + top * across + np.int32(s) * size)
            for s in range(n_segments):
                flat[index[s]] += 1
            continue
        if outside != 0:
            encode(samples, scale_uv, window, rows[lo:hi])
        for s in range(lo, hi - 1):
            a, b = rows[s], rows[s + 1]
            begins = before_missing and not (is_first == 1 and s == 0) and (segments[s, 2] & 1) == 0
            before_missing = a == MISSING
            if MISSING in (a, b) or (a == b and a < 0):
                continue
            if a >= 0 and b >= 0 and segments[s, 2] == 0:
                flat[s * size + (b - a + top) * across + a] += 1
                if begins and (segments[s, 1] > 0 or a != b):
                    starts[s, a] += 1
                continue
            crossed[s] = 1
            y0 = np.float32(samples[s - lo]) * scale_uv
            y1 = np.float32(samples[s - lo + 1]) * scale_uv
            x = np.float64(position + s) + window[10]
            add_crossing(
                x,
                y0,
                y1,
                begins,
                window,
                segments[s],
                height,
                pairs[s],
                entering[s],
                leaving[s],
                through[s],
                starts[s],
            )
