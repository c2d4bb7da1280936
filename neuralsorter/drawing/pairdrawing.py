"""Kernels that draw counted pairs of rows: each distinct line once, with its weight, and clear the counts.

A difference array (columns, rows + 1) holds, in each column, the change of the count from one row to the next. Layers
(3, columns + 1, rows + 1 and PAD on both sides) hold where lines begin and end to be steep, and flat lines: one entry
per line and column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

from .paircounts import ACROSS, BASE, BLOCK, LOW_A, LOW_B, N_A, N_B
from .rasterlines import add_line

UP, DOWN, FLAT = 0, 1, 2  # layers: entries of the steps of lines that rise or fall steeply, and counts of flat ones
PAD = BLOCK  # rows beside the picture: blocks of cells, most of them empty, reach so far over its edges
GLANCE = 8  # blocks looked at together


@kernel
def layer_of(rise: int, run: int) -> tuple[int, int, int]:
    """Return the layer lines of a rise are drawn in, and from and to which entry of their steps."""
    if rise > run:
        return UP, 0, run + 2
    return (DOWN, 0, run + 2) if rise < -run else (FLAT, 1, run + 1)


@kernel
def is_dot(rise: int, run: int, with_start: Any, cut: Any) -> bool:
    """Return whether the start pixel is drawn: where a line begins, and for a segment within one pixel."""
    return with_start or (run == 0 and rise == 0 and not cut)


@kernel
def any_of(cells: Any) -> bool:
    """Return whether any cell has a count."""
    some = np.int32(0)
    for i in range(cells.shape[0]):
        some = np.int32(some | cells[i])  # kept to 32 bits: more at once
    return some != 0


@kernel
def draw_table(layers: Any, pairs: Any, box: NDArray[np.int32], steps: Any, with_start: Any, cut: Any) -> None:
    """Draw and clear the pairs of one segment.

    Lines of one rise step alike: those from BLOCK neighbouring rows are added to each column with one vector operation.
    """
    n_a, across, run, no_rise = box[N_A], box[ACROSS], steps.shape[1] - 2, steps.shape[0] // 2
    lowest = box[LOW_B] - box[LOW_A] - n_a + 1
    for r in range(n_a + box[N_B] - 1):
        rise, line = lowest + r, box[BASE] + r * across
        first = max(0, box[LOW_B] - box[LOW_A] - rise) // BLOCK * BLOCK  # further cells are those of lines that do not
        last = min(n_a, box[LOW_B] + box[N_B] - box[LOW_A] - rise)  # end in the box
        dot, (kind, c0, c1) = is_dot(rise, run, with_start, cut), layer_of(rise, run)
        for glance in range(first, last, BLOCK * GLANCE):
            end = min(glance + BLOCK * GLANCE, last)
            if not any_of(pairs[line + glance : line + end]):
                continue
            for block in range(glance, end, BLOCK):
                weights, a = pairs[line + block : line + block + BLOCK], box[LOW_A] + block + PAD
                if not any_of(weights):
                    continue
                if dot:
                    add_block(layers[FLAT, 0], a, weights)
                for c in range(c0, c1):
                    add_block(layers[kind, c], a + steps[rise + no_rise, c], weights)
                for i in range(BLOCK):
                    weights[i] = 0


@kernel
def add_block(layer: Any, at: int, weights: Any) -> None:
    """Add BLOCK weights to a layer."""
    for i in range(BLOCK):
        layer[at + i] += weights[i]


@kernel
def draw_few(
    layers: Any, index: Any, nowhere: Any, box: NDArray[np.int32], steps: Any, with_start: Any, cut: Any
) -> None:
    """Draw the pairs in these cells of one segment, one by one: quicker than a table where they are few."""
    across, run, no_rise = np.uint32(box[ACROSS]), steps.shape[1] - 2, steps.shape[0] // 2
    lowest = box[LOW_B] - box[LOW_A] - box[N_A] + 1
    for i in range(index.shape[0]):
        if index[i] == nowhere:
            continue
        at = np.uint32(index[i] - np.uint32(box[BASE]))
        line = np.uint32(at // across)
        rise, a = lowest + np.int64(line), PAD + box[LOW_A] + np.int64(np.uint32(at - line * across))
        if is_dot(rise, run, with_start, cut):
            layers[FLAT, 0, a] += 1
        rises, falls = rise > run, rise < -run
        kind = UP if rises else (DOWN if falls else FLAT)
        layer, own = layers[kind], steps[rise + no_rise]
        layer[0, np.uint32(a + own[0])] += np.int32(rises | falls)
        for c in range(1, run + 2):  # as often for every kind: a flat line's last entry is not looked at
            layer[c, np.uint32(a + own[c])] += 1


@kernel
def draw_crossings(
    difference: Any, entering: Any, leaving: Any, through: Any, run: int, top: int, with_start: Any
) -> None:
    """Draw and clear the segments of one pair of samples that leave the window."""
    for side in range(2):
        edge, other = (0, top) if side == 0 else (top, 0)
        for column in range(run + 1):
            from_edge, to_edge = entering[side, column], leaving[side, column]
            for row in range(top + 1):
                weight = from_edge[row]
                if weight:
                    add_line(difference, column, edge, run, row, weight, True)
                weight = to_edge[row]
                if weight:
                    add_line(difference, 0, row, column, edge, weight, with_start)
            from_edge[:] = 0
            to_edge[:] = 0
            for last in range(column, run + 1):
                weight = through[side, column, last]
                if weight:
                    through[side, column, last] = 0
                    add_line(difference, column, edge, last, other, weight, True)


@kernel
def gather_layers(layers: Any, difference: Any, low: int, high: int) -> None:
    """Add the layers of steep lines to a difference array."""
    up, down = layers[UP], layers[DOWN]
    for c in range(difference.shape[0]):
        to, up0, up1, down0, down1 = difference[c], up[c], up[c + 1], down[c], down[c + 1]
        for a in range(low, high):
            to[a] += up0[a + PAD] - up1[a + PAD] + down1[a + PAD] - down0[a + PAD]


@kernel
def integrate(
    difference: Any, flat: Any, low: int, high: int, column: int, own: Any, image: Any, minus: Any, shared: Any
) -> None:
    """Add a difference array, summed up from row low to high, to the columns of an image, and take it from `minus`.

    flat: counts to add as they are. The first column goes to `shared` unless it is own.
    """
    for c in range(difference.shape[0]):
        change, still, total = difference[c], flat[c], np.int32(0)
        if c == 0 and not own:
            for a in range(low, high):
                total += change[a]
                shared[a] += total + still[a + PAD]
        elif minus.shape[0]:
            to, source = image[:, column + c], minus[:, column + c]
            for a in range(low, high):
                total += change[a]
                to[a] += total + still[a + PAD]
                source[a] -= total + still[a + PAD]
        else:
            to = image[:, column + c]
            for a in range(low, high):
                total += change[a]
                to[a] += total + still[a + PAD]
