"""The line rule: which pixels a segment covers, cell for cell as Datashader draws it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

BELOW, ABOVE, MISSING = -1, -2, -3  # row codes of a sample that has no pixel row


@kernel
def clip(  # noqa: C901 - four sides
    x0: float, x1: float, y0: Any, y1: Any, window: NDArray[np.float64], first_side: int
) -> tuple[bool, float, float]:
    """Clip a segment (Liang and Barsky): whether it is visible, and its visible part from t0 to t1 of its length.

    first_side: 0, or 2 for a segment known to lie between the window's left and right.
    """
    left, right, low, high = window[0], window[1], window[2], window[3]
    t0, t1, visible = 0.0, 1.0, True
    dx, dy = x1 - x0, y1 - y0
    for side in range(first_side, 4):
        if side == 0:
            p, q = -dx, x0 - left
        elif side == 1:
            p, q = dx, right - x0
        elif side == 2:
            p, q = np.float64(-dy), y0 - low
        else:
            p, q = np.float64(dy), high - y0
        if p < 0 and q < 0:
            ratio = q / p
            if ratio > t1:
                visible = False
            elif ratio > t0:
                t0 = ratio
        elif p > 0 and q < p:
            ratio = q / p
            if ratio < t0:
                visible = False
            elif ratio < t1:
                t1 = ratio
        elif q < 0:
            visible = False
    return visible, t0, t1


@kernel
def column_rows(run: int, rise: int, column: int) -> tuple[int, int]:
    """Return the first and last row, from the start row, that a line covers in a column; its start pixel is left out.

    first > last where it covers nothing. One step at a time is taken along the longer axis while the other moves to
    the nearest pixel, ties forward, except that a steep line running down moves late.
    """
    steps = abs(rise)
    if run >= steps:
        if column == 0:
            return 1, 0
        row = (2 * steps * column + run) // (2 * run)
        return (row, row) if rise >= 0 else (-row, -row)
    first, last = 1, steps
    if run > 0:
        late = steps if rise > 0 else steps - 1
        first = max(1, -((late - 2 * steps * column) // (2 * run)))
        last = min(steps, -((late - 2 * steps * (column + 1)) // (2 * run)) - 1)
    return (first, last) if rise > 0 else (-last, -first)


@kernel
def add_line(difference: Any, c0: int, r0: int, c1: int, r1: int, weight: int, with_start: Any) -> None:
    """Add a line to the columns of a difference array (columns, rows + 1), as `column_rows` has it.

    The rows of the next column follow from those of this one by adding: dividing in each would take most of the time.
    """
    run, rise = c1 - c0, r1 - r0
    if with_start:
        difference[c0, r0] += weight
        difference[c0, r0 + 1] -= weight
    steps, up, step = abs(rise), rise > 0, 1 if rise >= 0 else -1
    if run == 0:
        if steps:
            difference[c0, r0 + 1 if up else r1] += weight
            difference[c0, r1 + 1 if up else r0] -= weight
        return
    by = 2 * run
    whole, part = 2 * steps // by, 2 * steps % by
    if run >= steps:
        row, rest = 0, run
        for column in range(c0 + 1, c1 + 1):
            row, rest = row + whole, rest + part
            if rest >= by:
                row, rest = row + 1, rest - by
            at = r0 + step * row
            difference[column, at] += weight
            difference[column, at + 1] -= weight
        return
    late = steps if up else steps - 1
    row = -(late // by)  # the first row of a column, rounded up; `rest` is what was added to round it
    rest, first = late - (late // by) * by, 1
    for column in range(c0, c1 + 1):
        row, rest = row + whole, rest - part
        if rest < 0:
            row, rest = row + 1, rest + by
        last = min(steps, row - 1)
        if first <= last:
            low, high = (r0 + first, r0 + last) if up else (r0 - last, r0 - first)
            difference[column, low] += weight
            difference[column, high + 1] -= weight
        first = max(1, row)


@kernel
def step_table(run: int, height: int) -> NDArray[np.int32]:
    """Return where lines of every rise, 1 - height to height - 1, step from column to column: (2 height - 1, run + 2).

    All rows count from the start row, and the start pixel is left out. A line that is flat (no steeper than 1) has one
    row in each column but the first: entry c is that of column c. A line that rises steeply covers rows entry c to
    entry c + 1, that one left out, in column c; one that falls steeply covers entry c + 1 to entry c, likewise.
    """
    table = np.zeros((2 * height - 1, run + 2), np.int32)
    for rise in range(1 - height, height):
        steps = table[rise + height - 1]
        steps[0] = 1 if rise > run else 0
        for column in range(run + 1):
            first, last = column_rows(run, rise, column)
            if abs(rise) <= run:
                steps[column] = first if column > 0 else 0
            elif first > last:
                steps[column + 1] = steps[column]
            else:
                steps[column + 1] = last + 1 if rise > 0 else first
    return table
