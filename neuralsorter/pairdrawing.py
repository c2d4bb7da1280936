"""Kernels that draw counted pairs of rows: each distinct line once, with its weight, and clear the counts.

A difference array (columns, rows + 1) holds, in each column, the change of the count from one row to the next.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from .paircounts import BASE, LOW_A, LOW_B, N_A, N_B
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
def add_lines(difference: Any, weights: Any, a: int, table: Any, line: int) -> None:
    """Add lines of one rise (table row `line`) from rows a, a + 1, ..., each with its weight."""
    n = weights.shape[0]
    for column in range(table.shape[2]):
        first, last = table[0, line, column], table[1, line, column]
        if first > last:
            continue
        up = difference[column, a + first : a + first + n]
        for i in range(n):
            up[i] += weights[i]
        down = difference[column, a + last + 1 : a + last + 1 + n]
        for i in range(n):
            down[i] -= weights[i]


@nb.njit(nogil=True, cache=True)
def add_starts(difference: Any, weights: Any, a: int) -> None:
    """Add the start pixels of lines from rows a, a + 1, ..., each with its weight."""
    for i in range(weights.shape[0]):
        difference[0, a + i] += weights[i]
    for i in range(weights.shape[0]):
        difference[0, a + i + 1] -= weights[i]


@nb.njit(nogil=True, cache=True)
def span(counts: Any) -> tuple[int, int]:
    """Return the first and last column of a table that has counts, (n, -1) if none has."""
    first, last = counts.shape[1], -1
    for a in range(counts.shape[0]):
        row = counts[a]
        some = row[0]
        for b in range(row.shape[0]):
            some |= row[b]
        if some == 0:
            continue
        b = 0
        while b < first and row[b] == 0:
            b += 1
        first = min(first, b)
        b = row.shape[0] - 1
        while b > last and row[b] == 0:
            b -= 1
        last = max(last, b)
    return first, last


@nb.njit(nogil=True, cache=True)
def draw_pairs(difference: Any, counts: Any, low: int, offset: int, table: Any, with_start: Any, cut: Any) -> None:
    """Draw and clear pairs of rows: counts[i, j] go from row low + i to row low + i + (j - i) + offset."""
    n_a, no_rise = counts.shape[0], table.shape[1] // 2
    weights = np.empty(CHUNK, np.int32)
    for a0 in range(0, n_a, CHUNK):
        a1 = min(a0 + CHUNK, n_a)
        first, last = span(counts[a0:a1])
        for diagonal in range(first - a1 + 1, last - a0 + 1):
            begin, end = max(a0, first - diagonal), min(a1, last - diagonal + 1)
            some = np.int32(0)
            for i in range(end - begin):
                weights[i] = counts[begin + i, begin + i + diagonal]
                some |= weights[i]
            if some == 0:
                continue
            line = diagonal + offset + no_rise
            pixel = table.shape[2] == 1 and line == no_rise  # drawn once, unless the window's side cuts it
            if not (pixel and cut):
                add_lines(difference, weights[: end - begin], low + begin, table, line)
            if with_start and (cut or not pixel):
                add_starts(difference, weights[: end - begin], low + begin)
        if last >= 0:
            counts[a0:a1] = 0


@nb.njit(nogil=True, cache=True)
def draw_segments(
    pairs: Any,
    cut_pairs: Any,
    entering: Any,
    leaving: Any,
    through: Any,
    starts: Any,
    crossed: Any,
    boxes: NDArray[np.int32],
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
        column, run, cut, box = segments[s, 0], segments[s, 1], segments[s, 2], boxes[:, s]
        table = tables[table_at[s] : table_at[s] + 2 * (2 * height - 1) * (run + 1)]
        table = table.reshape((2, 2 * height - 1, run + 1))
        with_start = (is_first and s == 0) or (cut & 1) != 0
        difference = np.zeros((run + 1, height + 1), np.int32)
        for t in range(pairs.shape[0]):
            counts = pairs[t, box[BASE] : box[BASE] + box[N_A] * box[N_B]].reshape((box[N_A], box[N_B]))
            draw_pairs(difference, counts, box[LOW_A], box[LOW_B] - box[LOW_A], table, with_start, False)
            if cut:
                draw_pairs(difference, cut_pairs[t, 0 if cut & 1 else 1], 0, 0, table, with_start, True)
            add_starts(difference, starts[t, s], 0)
            starts[t, s] = 0
            if crossed[t, s]:
                crossed[t, s] = 0
                draw_crossings(difference, entering[t, s], leaving[t, s], through[t, s], run, height - 1, with_start)
        integrate(difference, image, shared, column, column > own)


@nb.njit(nogil=True, cache=True)
def integrate(difference: Any, image: Any, shared: Any, column: int, own: Any) -> None:
    """Add a difference array, summed up, to the columns of an image; its first column to `shared` unless it is own."""
    columns = difference.shape[0]
    sums = np.zeros(columns, np.int32)
    for a in range(image.shape[0]):
        for c in range(columns):
            sums[c] += difference[c, a]
        if own:
            image[a, column] += sums[0]
        else:
            shared[a] += sums[0]
        for c in range(1, columns):
            image[a, column + c] += sums[c]
