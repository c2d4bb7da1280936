"""Kernels that count waveforms between samples: how many go from row a to row b.

All waveforms share their sample positions, so between two neighbouring samples a waveform is a pair of pixel rows
(a, b), and pairs are few. The rows that occur on either side, known beforehand, are the segment's box. A batch of
events is turned so that one segment at a time is counted: its table then stays in the fastest cache.

Segments that leave the window start or end on its edge. They are counted by edge, column and other row: `entering`
(from an edge to a row), `leaving` (from a row to an edge) and `through` (from one edge to the other).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.drawing.gathering import FEW, gather_turned, turn_words, unpack
from neuralsorter.kernel import kernel

from .rasterlines import ABOVE, BELOW, MISSING, clip

BATCH = 32_768  # events counted at a time
BEGINS, LEAVES = 1, 2  # in `crossed`: some lines begin at the segment, some leave the window or may
LOW_A, LOW_B, N_A, N_B, BASE = 0, 1, 2, 3, 4  # rows of `boxes`: lowest row, number of rows, place of the table


@kernel
def quantise(samples: Any, window: Any, top: Any, rows: Any) -> Any:
    """Write the pixel row of each sample in µV, clamped to the window; return 0 if all samples are inside."""
    low, high, scale, offset = window[2], window[3], window[6], window[7]
    outside = np.int32(0)
    for i in range(rows.shape[0]):
        y = np.float64(samples[i])
        inside = y if y >= low else low  # noqa: FURB136 - NaN becomes low too
        inside = inside if inside <= high else high  # noqa: FURB136
        outside |= np.int32(inside != y)
        rows[i] = min(np.int32(inside * scale + offset), top)
    return outside


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
        missing |= np.int32(absent)
        rows[i] = rows[i] if low <= y <= high else code
    return missing


@kernel
def locate(left: Any, right: Any, across: Any, to: Any, nowhere: Any, index: Any) -> None:
    """Write in which cell each pair of rows is counted."""
    for i in range(index.shape[0]):
        at = np.int32(np.int32(left[i] * across) + np.int32(right[i] + to))
        index[i] = min(np.uint32(at), nowhere)


@kernel
def mark(before: Any, left: Any, right: Any, cut: Any, nowhere: Any, index: Any, marked: Any) -> None:
    """Send segments with an end outside the window nowhere and mark those that need a closer look.

    A segment is marked when it leaves the window, when the window's sides cut it, or when it begins a line because the
    sample before it is missing.
    """
    for i in range(index.shape[0]):
        a, b = left[i], right[i]
        present = (a != MISSING) & (b != MISSING) & ((a != b) | (a >= 0))
        leaves = (a < 0) | (b < 0) | (cut != 0)
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
def count_marked(  # noqa: C901 - one kind of end after the other
    s: int,
    x: float,
    before: Any,
    left: Any,
    right: Any,
    was: Any,
    now: Any,
    marked: Any,
    window: NDArray[np.float64],
    segments: NDArray[np.int64],
    height: int,
    cut_pairs: Any,
    entering: Any,
    leaving: Any,
    through: Any,
    starts: Any,
    crossed: Any,
) -> None:
    """Count the marked events of segment s, which go from (x, was) to (x + 1, now) and from row left to row right."""
    segment, top = segments[s], height - 1
    run, cut = segment[1], segment[2]
    for i in range(left.shape[0]):
        if not marked[i]:
            continue
        begins = before[i] == MISSING and (cut & 1) == 0
        r0, r1 = left[i], right[i]
        if r0 >= 0 and r1 >= 0 and cut == 0:
            if run > 0 or r0 != r1:
                crossed[s] |= BEGINS
                starts[s, r0] += 1
            continue
        visible, enters, leaves, c0, r0, c1, r1 = crossing(x, was[i], now[i], window, segment, top)
        if not visible:
            continue
        crossed[s] |= LEAVES | BEGINS
        if cut == 0:  # rounding must not lose an end that is outside
            enters, leaves = enters or left[i] < 0, leaves or right[i] < 0
        if enters:
            side = 0 if r0 == 0 else 1
            if leaves:
                through[s, side, c0, c1] += 1
            else:
                entering[s, side, c0, r1] += 1
        elif leaves:
            leaving[s, 0 if r1 == 0 else 1, c1, r0] += 1
        else:  # only the window's side cuts it
            cut_pairs[0 if cut & 1 else 1, r0, r1] += 1
        if begins and not enters:
            starts[s, r0] += 1


@kernel
def count_pairs(
    raw: Any,
    words: NDArray[np.int64],
    scale_uv: Any,
    order: NDArray[np.int32],
    begin: int,
    end: int,
    shift: NDArray[np.int16],
    place: NDArray[np.int64],
    segments: NDArray[np.int64],
    window: NDArray[np.float64],
    height: int,
    boxes: NDArray[np.int32],
    pairs: Any,
    cut_pairs: Any,
    entering: Any,
    leaving: Any,
    through: Any,
    starts: Any,
    crossed: Any,
    stop: NDArray[np.int64],
) -> int:
    """Count events `order[begin:end]` (events begin to end if `order` is empty) on a run of neighbouring segments.

    raw (n, n_flat) int16 or float32, words: the same as int64, (0, 0) if the columns do not fill them; place: flat
    column of the channel's first sample, samples of the channel, first position (a sample number) of the run, whether
    the first segment is the line's first; segments (n, 4): first column, columns to the last, 1 and 2 for left and
    right ends cut by the window's sides, picture width; window: left, right, low, high, x and y scale and offset, cut
    of the left and right end, x of position 0; pairs: one cell more than the boxes need, for pairs not counted there.
    """
    n, top, nowhere, position = segments.shape[0], np.int32(height - 1), np.uint32(pairs.shape[0] - 1), place[2]
    per_word = raw.shape[1] // max(words.shape[1], 1)
    packed = words.shape[0] > 0 and shift.shape[0] == 0 and position + n < place[1] and position >= 1 - place[3]
    column = place[0] + max(position - 1, 0)
    first = column // per_word
    n_words = (place[0] + position + n) // per_word + 1 - first if packed else 0
    turned_words = np.empty((n_words, BATCH + FEW), np.int64)
    turned = np.empty((0 if packed else n + 2, BATCH + FEW), np.float32)
    gathered, bits = np.empty((FEW, n + 2), np.float32), np.empty((3, BATCH), np.int32)
    rows, index, marked = np.empty((3, BATCH), np.int32), np.empty(BATCH, np.uint32), np.empty(BATCH, np.bool_)
    samples = bits.view(np.float32)
    state = np.zeros((2, 3), np.int32)  # of the rows held: some outside the window, some missing
    to, seen = boxes[BASE] - boxes[LOW_A] * boxes[N_B] - boxes[LOW_B], 0
    for start in range(begin, end, BATCH):
        m = min(BATCH, end - start)
        if packed:
            seen += turn_words(words, order, start, m, first, turned_words)
        else:
            seen += gather_turned(raw, scale_uv, order, start, m, shift, place, turned, gathered)
        found = index[:m]
        for k in range(n + 2):
            here, last, s = k % 3, (k - 1) % 3, k - 2
            now, right = samples[here, :m], rows[here, :m]
            if packed:
                at = place[0] + max(position - 1 + k, 0)
                unpack(turned_words[at // per_word - first], at % per_word, per_word, scale_uv, bits[here, :m], now)
            else:
                now[:] = turned[k, :m]
            state[0, here] = quantise(now, window, top, right)
            state[1, here] = encode(now, window, right) if state[0, here] else 0
            if s < 0:
                continue
            if stop[0] != 0:
                return seen
            left, before, cut = rows[last, :m], rows[(k - 2) % 3, :m], segments[s, 2]
            locate(left, right, boxes[N_B, s], np.int32(to[s]), nowhere, found)
            closer = cut != 0 or state[0, here] or state[0, last] or state[1, (k - 2) % 3]
            if closer:
                mark(before, left, right, cut, nowhere, found, marked[:m])
            tabulate(found, pairs)
            if closer:
                x = np.float64(position + s) + window[10]
                was = samples[last]
                count_marked(
                    s, x, before, left, right, was, now, marked, window, segments, height, cut_pairs, entering,
                    leaving, through, starts, crossed,
                )  # fmt: skip
    return seen
