"""Kernels that count waveforms between samples: how many go from row a to row b.

All waveforms share their sample positions, so between two neighbouring samples a waveform is a pair of pixel rows
(a, b), and pairs are few. A segment's table has a line of cells for each rise b - a, by a: pairs of one rise are drawn
alike. The rows that occur on either side, known beforehand, are the segment's box.

Segments that leave the window start or end on its edge. They are counted by edge, column and other row: `entering`
(from an edge to a row), `leaving` (from a row to an edge) and `through` (from one edge to the other).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

from .rasterlines import ABOVE, BELOW, MISSING, clip

BEGINS, LEAVES = 1, 2  # in `crossed`: some lines begin at the segment, some leave the window or may
LOW_A, LOW_B, N_A, N_B, BASE, ACROSS = 0, 1, 2, 3, 4, 5  # rows of `boxes`: lowest row, number of rows, table, its line
BLOCK = 16  # cells drawn together; lines of a table are whole blocks


@kernel
def quantise(samples: Any, window: Any, top: Any, rows: Any) -> Any:
    """Write the pixel row of each sample in µV, clamped to the window; return 0 if all samples are inside."""
    low, high, scale, offset = window[2], window[3], window[6], window[7]
    outside = np.int32(0)
    for i in range(rows.shape[0]):
        y = np.float64(samples[i])
        inside = y if y >= low else low  # noqa: FURB136 - NaN becomes low too
        inside = inside if inside <= high else high  # noqa: FURB136
        outside = np.int32(outside | np.int32(inside != y))  # kept to 32 bits: more at once
        rows[i] = min(np.int32(inside * scale + offset), top)
    return outside


@kernel
def quantise_words(words: Any, lane: int, per_word: int, window: Any, single: Any, top: Any, rows: Any) -> bool:
    """Write the pixel row of the sample in one lane of each word; return whether all are inside, else use `quantise`.

    It is quicker: see `Canvas` for the arithmetic of integers, and samples in µV are taken as they are.
    """
    by, outside = np.int64(lane * (64 // per_word)), np.int32(0)
    if single[2] > single[3]:
        return False
    if per_word == 4:
        scale, offset = single[0], single[1]
        for i in range(rows.shape[0]):
            value = np.float32(np.int16(words[i] >> by))
            outside = np.int32(outside | np.int32((value < single[2]) | (value > single[3])))
            rows[i] = min(np.int32(value * scale + offset), top)
        return outside == 0
    for i in range(rows.shape[0]):
        y = np.int32(words[i] >> by).view(np.float32)
        outside = np.int32(outside | np.int32(not ((y >= single[2]) & (y <= single[3]))))
        rows[i] = min(np.int32(np.float64(y) * window[6] + window[7]), top)
    return outside == 0


@kernel
def encode(samples: Any, window: Any, rows: Any) -> Any:
    """Replace the rows of samples outside the window by BELOW, ABOVE or MISSING; return 0 if none is missing."""
    low, high = window[2], window[3]
    missing = np.int32(0)
    for i in range(rows.shape[0]):
        y = np.float64(samples[i])
        absent = y != y  # noqa: PLR0124 - NaN
        code = np.int32(BELOW) if y < low else np.int32(ABOVE)
        code = np.int32(MISSING) if absent else code
        missing = np.int32(missing | np.int32(absent))
        rows[i] = rows[i] if low <= y <= high else code
    return missing


@kernel
def cut_rows(was: Any, now: Any, window: Any, top: Any, left: Any, right: Any) -> None:
    """Write the rows where segments from `was` to `now`, µV, meet the window's sides, for ends inside the window."""
    scale, offset, t0, t1 = window[6], window[7], window[8], window[9]
    for i in range(left.shape[0]):
        y0, dy = was[i], now[i] - was[i]
        v0 = y0 + t0 * dy if t0 > 0 else np.float64(y0)
        v1 = y0 + t1 * dy if t1 < 1 else np.float64(now[i])
        left[i] = min(max(np.int32(v0 * scale + offset), np.int32(0)), top)
        right[i] = min(max(np.int32(v1 * scale + offset), np.int32(0)), top)


@kernel
def locate(left: Any, right: Any, box: Any, nowhere: Any, index: Any) -> None:
    """Write in which cell each pair of rows is counted."""
    across = box[ACROSS]
    to = np.int32(box[BASE] - box[LOW_A] + (box[LOW_A] + box[N_A] - 1 - box[LOW_B]) * across)
    for i in range(index.shape[0]):
        a, b = np.int32(left[i]), np.int32(right[i])
        at = np.int32(np.int32((b - a) * across) + np.int32(a + to))
        index[i] = min(np.uint32(at), nowhere)


@kernel
def cell(a: int, b: int, box: Any) -> int:
    """Return the cell of one pair of rows."""
    return box[BASE] + (b - a + box[LOW_A] + box[N_A] - 1 - box[LOW_B]) * box[ACROSS] + a - box[LOW_A]


@kernel
def mark(before: Any, left: Any, right: Any, nowhere: Any, index: Any, marked: Any) -> None:
    """Send segments with an end outside the window nowhere and mark those that need a closer look.

    A segment is marked when it leaves the window, or when it begins a line because the sample before it is missing.
    """
    for i in range(index.shape[0]):
        a, b = left[i], right[i]
        present = (a != MISSING) & (b != MISSING) & ((a != b) | (a >= 0))
        leaves = (a < 0) | (b < 0)
        marked[i] = present & (leaves | (before[i] == MISSING))
        index[i] = nowhere if leaves else index[i]


@kernel
def tabulate(index: Any, pairs: Any) -> None:
    """Count the cells in index."""
    for i in range(index.shape[0]):
        pairs[index[i]] += 1


@kernel
def crossing(
    x: float, y0: Any, y1: Any, window: NDArray[np.float64], segment: NDArray[np.int64], top: int
) -> tuple[bool, bool, bool, int, int, int, int]:
    """Clip a segment from (x, y0) to (x + 1, y1).

    Returns whether it is visible, enters and leaves the window through the lowest or highest row, and its first column
    (from the segment's) and row and its last.
    """
    first, run, cut, width = segment[0], segment[1], segment[2], segment[3]
    visible, t0, t1 = clip(x, x + 1.0, y0, y1, window, 0 if cut else 2)
    dy = y1 - y0
    x0, v0 = (x + t0, y0 + t0 * dy) if t0 > 0 else (x, np.float64(y0))
    x1, v1 = (x + t1, y0 + t1 * dy) if t1 < 1 else (x + 1.0, np.float64(y1))
    if not visible:
        return False, False, False, 0, 0, 0, 0
    c0 = min(max(min(int(x0 * window[4] + window[5]), width - 1) - first, 0), run)
    c1 = min(max(min(int(x1 * window[4] + window[5]), width - 1) - first, 0), run)
    r0 = min(max(int(v0 * window[6] + window[7]), 0), top)
    r1 = min(max(int(v1 * window[6] + window[7]), 0), top)
    return True, t0 > (window[8] if cut & 1 else 0), t1 < (window[9] if cut & 2 else 1), c0, r0, c1, r1


@kernel
def edge_column(a: Any, b: Any, y0: Any, y1: Any, x: float, window: NDArray[np.float64]) -> int:
    """Return the column, -1 if it takes a closer look, where a segment with one end outside meets the edge.

    a, b: rows of its ends, y0, y1 at x and x + 1. The arithmetic is that of `clip`.
    """
    low, high, dy = window[2], window[3], y1 - y0
    down, up = np.float64(-dy), np.float64(dy)
    under, over = y0 - low, high - y0
    if a < 0:
        p, q, other_p, other_q = (down, under, up, over) if a == BELOW else (up, over, down, under)
        if not (p < 0 and q < 0 and other_q >= other_p):
            return -1
    else:
        p, q, other_p, other_q = (down, under, up, over) if b == BELOW else (up, over, down, under)
        if not (p > 0 and q < p and other_q >= 0):
            return -1
    ratio = q / p
    return int((x + ratio) * window[4] + window[5]) if 0 < ratio < 1 else -1


@kernel
def count_marked(  # noqa: C901, PLR0912 - one kind of end after the other
    x: float,
    before: Any,
    left: Any,
    right: Any,
    was: Any,
    now: Any,
    marked: Any,
    window: NDArray[np.float64],
    segment: NDArray[np.int64],
    box: Any,
    top: int,
    entering: Any,
    leaving: Any,
    through: Any,
    starts: Any,
    index: Any,
) -> int:
    """Count the marked events of a segment, which go from (x, was) to (x + 1, now) and from row left to row right.

    What only the window's sides cut is written to `index`. Returns what occurred, as in `crossed`.
    """
    run, cut, occurred = segment[1], segment[2], 0
    for i in range(left.shape[0]):
        if not marked[i]:
            continue
        begins = before[i] == MISSING and (cut & 1) == 0
        a, b = left[i], right[i]
        if a >= 0 and b >= 0:
            if begins and (run > 0 or a != b or cut != 0):
                occurred |= BEGINS
                starts[a] += 1
            continue
        if cut == 0 and (a >= 0 or b >= 0):
            column = edge_column(a, b, was[i], now[i], x, window)
            if column >= 0:
                occurred |= LEAVES | BEGINS
                c = min(max(min(column, segment[3] - 1) - segment[0], 0), run)
                if a < 0:
                    entering[0 if a == BELOW else 1, c, b] += 1
                    continue
                leaving[0 if b == BELOW else 1, c, a] += 1
                if begins:
                    starts[a] += 1
                continue
        visible, enters, leaves, c0, r0, c1, r1 = crossing(x, was[i], now[i], window, segment, top)
        if not visible:
            continue
        occurred |= LEAVES | BEGINS
        if cut == 0:  # rounding must not lose an end that is outside
            enters, leaves = enters or a < 0, leaves or b < 0
        if enters:
            side = 0 if r0 == 0 else 1
            if leaves:
                through[side, c0, c1] += 1
            else:
                entering[side, c0, r1] += 1
        elif leaves:
            leaving[0 if r1 == 0 else 1, c1, r0] += 1
        else:
            index[i] = cell(r0, r1, box)
        if begins and not enters:
            starts[r0] += 1
    return occurred
