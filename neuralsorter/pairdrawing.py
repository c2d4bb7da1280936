"""Kernels that draw counted pairs of rows: each distinct line once, with its weight, and clear the counts.

A difference array (columns, rows + 1) holds, in each column, the change of the count from one row to the next.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from .rasterlines import column_rows

CHUNK = 64  # start rows tested and drawn together


@nb.njit(nogil=True, cache=True)
def add_line(difference: Any, c0: int, r0: int, c1: int, r1: int, weight: int, with_start: Any) -> None:
    """Add a line to the columns of a difference array (columns, rows + 1)."""
    if with_start:
        difference[c0, r0] += weight
        difference[c0, r0 + 1] -= weight
    for column in range(c1 - c0 + 1):
        first, last = column_rows(c1 - c0, r1 - r0, column)
        if first <= last:
            difference[c0 + column, r0 + first] += weight
            difference[c0 + column, r0 + last + 1] -= weight


@nb.njit(nogil=True, cache=True)
def draw_crossings(
    difference: Any, entering: Any, leaving: Any, through: Any, run: int, top: int, with_start: Any
) -> None:
    """Draw and clear the segments of one pair of samples that leave the window."""
    for side in range(2):
        edge, other = (0, top) if side == 0 else (top, 0)
        for column in range(run + 1):
            for row in range(top + 1):
                weight = entering[side, column, row]
                if weight:
                    entering[side, column, row] = 0
                    add_line(difference, column, edge, run, row, weight, True)
                weight = leaving[side, column, row]
                if weight:
                    leaving[side, column, row] = 0
                    add_line(difference, 0, row, column, edge, weight, with_start)
            for last in range(column, run + 1):
                weight = through[side, column, last]
                if weight:
                    through[side, column, last] = 0
                    add_line(difference, column, edge, last, other, weight, True)


@nb.njit(nogil=True, cache=True)
def draw_pairs(  # noqa: C901 - three nested loops, the innermost of vectors
    difference: Any, pairs: Any, table: Any, bounds: Any, height: int, run: int, with_start: Any, cut: Any
) -> None:
    """Draw and clear the pairs of one pair of samples; pairs[(rise + height - 1) * height + a].

    bounds (2, 2): lowest and highest row of the left and of the right sample.
    """
    low, high = bounds[0, 0], bounds[1, 0] + 1
    low_right, high_right = bounds[0, 1], bounds[1, 1] + 1
    if cut:  # the ends lie between the two samples
        low, high = min(low, low_right), max(high, high_right)
        low_right, high_right = low, high
    for rise in range(low_right - high + 1, high_right - low):
        line = rise + height - 1
        row = pairs[line * height : (line + 1) * height]
        stop = min(high, height - rise)
        within = run == 0 and rise == 0  # one pixel; drawn once unless the window's side cuts it
        begins = with_start and (cut or not within)
        for a in range(max(low, -rise), stop, CHUNK):
            b = min(a + CHUNK, stop)
            weights = row[a:b]
            any_weight = np.int32(0)
            for i in range(b - a):
                any_weight |= weights[i]
            if any_weight == 0:
                continue
            for column in range(run + 1):
                first, last = table[0, line, column], table[1, line, column]
                if first > last or (within and cut):
                    continue
                up = difference[column, a + first : b + first]
                down = difference[column, a + last + 1 : b + last + 1]
                for i in range(b - a):
                    up[i] += weights[i]
                for i in range(b - a):
                    down[i] -= weights[i]
            if begins:
                for i in range(b - a):
                    difference[0, a + i] += weights[i]
                    difference[0, a + i + 1] -= weights[i]
            weights[:] = 0


@nb.njit(nogil=True, cache=True)
def draw_segments(  # noqa: C901
    pairs: Any,
    entering: Any,
    leaving: Any,
    through: Any,
    starts: Any,
    crossed: Any,
    bounds: Any,
    segments: NDArray[np.int64],
    tables: NDArray[np.int32],
    table_at: NDArray[np.int64],
    begin: int,
    end: int,
    is_first: Any,
    height: int,
    image: Any,
    shared: Any,
    stop: NDArray[np.int64],
) -> None:
    """Draw and clear what was counted on segments begin to end into an image (height, width).

    The tables of all threads come first in each array and are added up. The first column goes to `shared`: the
    neighbour on the left, which may be drawn at the same time, writes it too.
    """
    own = segments[begin, 0]
    for s in range(begin, end):
        if stop[0] != 0:
            return
        column, run = segments[s, 0], segments[s, 1]
        table = tables[table_at[s] : table_at[s] + 2 * (2 * height - 1) * (run + 1)]
        table = table.reshape((2, 2 * height - 1, run + 1))
        with_start = (is_first and s == 0) or (segments[s, 2] & 1) != 0
        difference = np.zeros((run + 1, height + 1), np.int32)
        for t in range(pairs.shape[0]):
            cut = segments[s, 2] != 0
            draw_pairs(difference, pairs[t, s], table, bounds[t, :, s : s + 2], height, run, with_start, cut)
            for a in range(height):
                if starts[t, s, a]:
                    difference[0, a] += starts[t, s, a]
                    difference[0, a + 1] -= starts[t, s, a]
                    starts[t, s, a] = 0
            if crossed[t, s]:
                crossed[t, s] = 0
                draw_crossings(difference, entering[t, s], leaving[t, s], through[t, s], run, height - 1, with_start)
        sums = np.zeros(run + 1, np.int32)
        for a in range(height):
            for c in range(run + 1):
                sums[c] += difference[c, a]
            if column > own:
                image[a, column] += sums[0]
            else:
                shared[a] += sums[0]
            for c in range(1, run + 1):
                image[a, column + c] += sums[c]
