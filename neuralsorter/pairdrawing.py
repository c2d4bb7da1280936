"""Kernels that draw counted pairs of rows: each distinct line once, with its weight, and clear the counts.

A difference array (columns, rows + 1) holds, in each column, the change of the count from one row to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernel import kernel
from .paircounts import BASE, LOW_A, LOW_B, N_A, N_B
from .rasterlines import column_rows

CHUNK = 64  # start rows tested and drawn together
SPARSE = 8  # with fewer than one cell in so many filled, lines are drawn one by one


@kernel
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


@kernel
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


@kernel
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


@kernel
def add_starts(difference: Any, weights: Any, a: int) -> None:
    """Add the start pixels of lines from rows a, a + 1, ..., each with its weight."""
    for i in range(weights.shape[0]):
        difference[0, a + i] += weights[i]
    for i in range(weights.shape[0]):
        difference[0, a + i + 1] -= weights[i]


@kernel
def span(counts: Any) -> tuple[int, int, int]:
    """Return the first and last column of a table that has counts, (n, -1) if none has, and how many cells have."""
    first, last, filled = counts.shape[1], -1, 0
    for a in range(counts.shape[0]):
        row = counts[a]
        some = 0
        for b in range(row.shape[0]):
            some += row[b] != 0
        if some == 0:
            continue
        filled += some
        b = 0
        while b < first and row[b] == 0:
            b += 1
        first = min(first, b)
        b = row.shape[0] - 1
        while b > last and row[b] == 0:
            b -= 1
        last = max(last, b)
    return first, last, filled


@kernel
def draw_one_by_one(difference: Any, counts: Any, low: int, offset: int, table: Any, with_start: Any, cut: Any) -> None:
    """Draw the pairs of a table that is nearly empty; as `draw_pairs`."""
    columns, no_rise = table.shape[2], table.shape[1] // 2
    for i in range(counts.shape[0]):
        a = low + i
        for j in range(counts.shape[1]):
            weight = counts[i, j]
            if weight == 0:
                continue
            line = j - i + offset + no_rise
            pixel = columns == 1 and line == no_rise
            if with_start and (cut or not pixel):
                difference[0, a] += weight
                difference[0, a + 1] -= weight
            if pixel and cut:
                continue
            for column in range(columns):
                first, last = table[0, line, column], table[1, line, column]
                if first <= last:
                    difference[column, a + first] += weight
                    difference[column, a + last + 1] -= weight


@kernel
def draw_pairs(difference: Any, counts: Any, low: int, offset: int, table: Any, with_start: Any, cut: Any) -> None:
    """Draw and clear pairs of rows: counts[i, j] go from row low + i to row low + i + (j - i) + offset."""
    n_a, no_rise = counts.shape[0], table.shape[1] // 2
    weights = np.empty(CHUNK, np.int32)
    for a0 in range(0, n_a, CHUNK):
        a1 = min(a0 + CHUNK, n_a)
        first, last, filled = span(counts[a0:a1])
        if filled == 0:
            continue
        if filled * SPARSE < (last + 1 - first) * (a1 - a0):
            draw_one_by_one(
                difference, counts[a0:a1, first : last + 1], low + a0, offset + first - a0, table, with_start, cut
            )
            counts[a0:a1] = 0
            continue
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
        counts[a0:a1] = 0


@kernel
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
    minus: Any,
    shared: Any,
    stop: NDArray[np.int64],
) -> None:
    """Draw and clear what was counted on segments begin to end: add it to an image, subtract it from `minus`.

    Images are (height, width); `minus` may be empty. The tables of all threads come first in each array and are added
    up. The first column goes to `shared`: the neighbour on the left, which may be drawn at the same time, writes it
    too.
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
        low, high = min(box[LOW_A], box[LOW_B]), max(box[LOW_A] + box[N_A], box[LOW_B] + box[N_B])
        for t in range(pairs.shape[0]):
            counts = pairs[t, box[BASE] : box[BASE] + box[N_A] * box[N_B]].reshape((box[N_A], box[N_B]))
            draw_pairs(difference, counts, box[LOW_A], box[LOW_B] - box[LOW_A], table, with_start, False)
            if cut or crossed[t, s]:
                low, high = 0, height
            if cut:
                draw_pairs(difference, cut_pairs[t, 0 if cut & 1 else 1], 0, 0, table, with_start, True)
            add_starts(difference, starts[t, s], 0)
            starts[t, s] = 0
            if crossed[t, s]:
                crossed[t, s] = 0
                draw_crossings(difference, entering[t, s], leaving[t, s], through[t, s], run, height - 1, with_start)
        integrate(difference, low, high, column, column > own, image, minus, shared)


@kernel
def integrate(difference: Any, low: int, high: int, column: int, own: Any, image: Any, minus: Any, shared: Any) -> None:
    """Add a difference array, summed up from row low to high, to the columns of an image, and take it from `minus`.

    Its first column goes to `shared` unless it is own.
    """
    columns = difference.shape[0]
    sums = np.zeros(columns, np.int32)
    skipped = 0 if own else 1
    for a in range(low, high):
        for c in range(columns):
            sums[c] += difference[c, a]
        if not own:
            shared[a] += sums[0]
        to = image[a, column : column + columns]
        for c in range(skipped, columns):
            to[c] += sums[c]
        if minus.shape[0]:
            to = minus[a, column : column + columns]
            for c in range(skipped, columns):
                to[c] -= sums[c]
