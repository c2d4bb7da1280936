"""Kernels that draw counted pairs of rows: each distinct line once, with its weight, and clear the counts.

A difference array (columns, rows + 1) holds, in each column, the change of the count from one row to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

from .paircounts import BASE, LEAVES, LOW_A, LOW_B, N_A, N_B
from .rasterlines import column_rows

CHUNK = 256  # start rows drawn together
UP, DOWN, FLAT = 0, 1, 2  # layers: entries of the steps of lines that rise or fall steeply, and counts of flat ones
GLANCE = 16  # cells looked at together
SPARSE = 16  # with fewer than one cell in so many filled, lines are drawn one by one


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
def draw_one_by_one(layers: Any, counts: Any, low: int, offset: int, steps: Any, with_start: Any, cut: Any) -> None:
    """Draw the pairs of a table that is nearly empty; as `draw_pairs`."""
    run, no_rise, n_b = steps.shape[1] - 2, steps.shape[0] // 2, counts.shape[1]
    for i in range(counts.shape[0]):
        a, row = low + i, counts[i]
        for j0 in range(0, n_b, GLANCE):
            some = 0
            for j in range(j0, min(j0 + GLANCE, n_b)):
                some |= row[j]
            if some == 0:
                continue
            for j in range(j0, min(j0 + GLANCE, n_b)):
                weight, rise = row[j], j - i + offset
                if weight == 0:
                    continue
                if with_start or (run == 0 and rise == 0 and not cut):
                    layers[FLAT, 0, a] += weight
                kind, begin, end = layer_of(rise, run)
                for c in range(begin, end):
                    layers[kind, c, a + steps[rise + no_rise, c]] += weight


@kernel
def layer_of(rise: int, run: int) -> tuple[int, int, int]:
    """Return the layer lines of a rise are drawn in, and from and to which entry of their steps."""
    if rise > run:
        return UP, 0, run + 2
    return (DOWN, 0, run + 2) if rise < -run else (FLAT, 1, run + 1)


@kernel
def draw_pairs(  # noqa: C901 - the quick and the sparse way
    layers: Any, counts: Any, low: int, offset: int, steps: Any, with_start: Any, cut: Any
) -> None:
    """Draw and clear pairs of rows: counts[i, j] go from row low + i to row low + i + (j - i) + offset.

    Lines of one rise step alike: those from neighbouring rows are added to each column with one vector operation. A
    segment within one pixel is drawn as that pixel, once, unless the window's side cuts it.
    """
    n_a, run, no_rise = counts.shape[0], steps.shape[1] - 2, steps.shape[0] // 2
    weights = np.empty(CHUNK, np.int32)
    for a0 in range(0, n_a, CHUNK):
        a1 = min(a0 + CHUNK, n_a)
        first, last, filled = span(counts[a0:a1])
        if filled == 0:
            continue
        if filled * SPARSE < (last + 1 - first) * (a1 - a0):
            part, down = counts[a0:a1, first : last + 1], offset + first - a0
            draw_one_by_one(layers, part, low + a0, down, steps, with_start, cut)
            counts[a0:a1] = 0
            continue
        for diagonal in range(first - a1 + 1, last - a0 + 1):
            begin, end = max(a0, first - diagonal), min(a1, last - diagonal + 1)
            n, some = end - begin, np.int32(0)
            for i in range(n):
                weights[i] = counts[begin + i, begin + i + diagonal]
                some |= weights[i]
            if some == 0:
                continue
            a, rise = low + begin, diagonal + offset
            if with_start or (run == 0 and rise == 0 and not cut):
                to = layers[FLAT, 0, a : a + n]
                for i in range(n):
                    to[i] += weights[i]
            kind, c0, c1 = layer_of(rise, run)
            for c in range(c0, c1):
                at = a + steps[rise + no_rise, c]
                to = layers[kind, c, at : at + n]
                for i in range(n):
                    to[i] += weights[i]
        counts[a0:a1] = 0


@kernel
def draw_segments(  # noqa: C901 - everything that was counted, in turn
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
    own, most = segments[begin, 0], segments[begin:end, 1].max()
    all_layers = np.zeros(3 * (most + 2) * (height + 1), np.int32)
    all_differences = np.zeros((most + 1) * (height + 1), np.int32)
    for s in range(begin, end):
        if stop[0] != 0:
            return
        column, run, cut, box = segments[s, 0], segments[s, 1], segments[s, 2], boxes[:, s]
        steps = tables[table_at[s] : table_at[s] + (2 * height - 1) * (run + 2)].reshape((2 * height - 1, run + 2))
        with_start = (is_first and s == 0) or (cut & 1) != 0
        layers = all_layers[: 3 * (run + 2) * (height + 1)].reshape((3, run + 2, height + 1))
        difference = all_differences[: (run + 1) * (height + 1)].reshape((run + 1, height + 1))
        low, high = min(box[LOW_A], box[LOW_B]), max(box[LOW_A] + box[N_A], box[LOW_B] + box[N_B])
        counts = pairs[0, box[BASE] : box[BASE] + box[N_A] * box[N_B]]
        for t in range(1, pairs.shape[0]):
            more = pairs[t, box[BASE] : box[BASE] + box[N_A] * box[N_B]]
            for i in range(counts.shape[0]):
                counts[i] += more[i]
            more[:] = 0
        counts = counts.reshape((box[N_A], box[N_B]))
        draw_pairs(layers, counts, box[LOW_A], box[LOW_B] - box[LOW_A], steps, with_start, False)
        for t in range(pairs.shape[0]):
            if cut or crossed[t, s]:
                low, high = 0, height
                layers[FLAT, 0, :height] += starts[t, s]
                starts[t, s] = 0
            if cut:
                draw_pairs(layers, cut_pairs[t, 0 if cut & 1 else 1], 0, 0, steps, with_start, True)
            if crossed[t, s] & LEAVES:
                draw_crossings(difference, entering[t, s], leaving[t, s], through[t, s], run, height - 1, with_start)
            crossed[t, s] = 0
        gather_layers(layers, difference, low, min(high + 1, height))
        integrate(difference, layers[FLAT], low, high, column, column > own, image, minus, shared)
        for c in range(run + 2):
            for layer in range(3):
                layers[layer, c, low : high + 1] = 0
            difference[min(c, run), low : high + 1] = 0


@kernel
def gather_layers(layers: Any, difference: Any, low: int, high: int) -> None:
    """Add the layers of steep lines to a difference array."""
    up, down = layers[UP], layers[DOWN]
    for c in range(difference.shape[0]):
        to = difference[c]
        for a in range(low, high):
            to[a] += up[c, a] - up[c + 1, a] + down[c + 1, a] - down[c, a]


@kernel
def integrate(
    difference: Any, flat: Any, low: int, high: int, column: int, own: Any, image: Any, minus: Any, shared: Any
) -> None:
    """Add a difference array, summed up from row low to high, to the columns of an image, and take it from `minus`.

    flat: counts to add as they are. The first column goes to `shared` unless it is own.
    """
    columns = difference.shape[0]
    sums, here = np.zeros(columns, np.int32), np.zeros(columns, np.int32)
    skipped = 0 if own else 1
    for a in range(low, high):
        for c in range(columns):
            sums[c] += difference[c, a]
            here[c] = sums[c] + flat[c, a]
        if not own:
            shared[a] += here[0]
        to = image[a, column : column + columns]
        for c in range(skipped, columns):
            to[c] += here[c]
        if minus.shape[0]:
            to = minus[a, column : column + columns]
            for c in range(skipped, columns):
                to[c] -= here[c]
