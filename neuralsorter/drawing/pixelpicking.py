"""Picking by pixels: which waveforms have one of their drawn pixels in a region of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

from .block import Block, Window
from .canvas import Canvas
from .gathering import FEW, gather
from .grouping import NO_ORDER
from .paircounts import encode, quantise
from .rasterlines import MISSING, clip, column_rows
from .regions import height_at
from .threads import run, slices

UNKNOWN, MISS, HIT = 0, 1, 2  # what is known of a pair of rows


def pick_pixels(
    block: Block,
    window: Window,
    region: NDArray[np.float64],
    rows: NDArray[np.int32] | None,
    hit: NDArray[np.bool_],
) -> None:
    """Set hit for the waveforms that have a pixel in a region, (k, 2) of position and µV, of a window."""
    filled = fill(region, window.numbers, window.width, window.height)
    columns = np.flatnonzero(filled[:, -1])
    if not len(columns):
        return
    order = NO_ORDER if rows is None else rows
    n = len(block) if rows is None else len(rows)
    k = slices(n)
    cuts = [n * i // k for i in range(k + 1)]
    for part in Canvas(block, window).runs:
        right = part.segments[:, 0] + part.segments[:, 1]
        under = np.flatnonzero((right >= columns[0]) & (part.segments[:, 0] <= columns[-1]))
        if not len(under):
            continue
        place = part.place + np.array([0, 0, under[0], 0, 0])
        segments = part.segments[under[0] : under[-1] + 1]
        known = np.zeros((len(segments), (2 * window.height - 1) * window.height), np.uint8)
        run([
            (touches, (block.raw, block.uv_per_bit, order, cuts[i], cuts[i + 1], block.shift, place, segments,
                       part.window, filled, known, hit))
            for i in range(k)
        ])  # fmt: skip


@kernel
def fill(  # noqa: C901 - inside and outline
    region: NDArray[np.float64], window: NDArray[np.float64], width: int, height: int
) -> NDArray[np.int32]:
    """Return, of each column, how many pixels below each row are in the region: (width, height + 1).

    A pixel is in it when its centre is inside (even-odd) or the outline is drawn through it.
    """
    k = len(region)
    inside = np.zeros((width, height), np.bool_)
    across = np.empty(k)
    for column in range(width):
        x, n = (column + 0.5 - window[5]) / window[4], 0
        for e in range(k):
            ax, ay = region[e]
            bx, by = region[(e + 1) % k]
            if (ax <= x) != (bx <= x):
                across[n] = height_at(x, ax, ay, bx, by) * window[6] + window[7] - 0.5
                n += 1
        sides = np.sort(across[:n])
        for j in range(0, n - 1, 2):
            first, last = max(np.ceil(sides[j]), 0.0), min(np.floor(sides[j + 1]), height - 1.0)
            for row in range(int(first), int(last) + 1):
                inside[column, row] = True
    for e in range(k):
        ax, ay = region[e]
        bx, by = region[(e + 1) % k]
        if bx < ax:
            ax, ay, bx, by = bx, by, ax, ay
        visible, t0, t1 = clip(ax, bx, ay, by, window, 0)
        if not visible:
            continue
        c0, r0 = pixel(ax + t0 * (bx - ax), ay + t0 * (by - ay), window, width, height)
        c1, r1 = pixel(ax + t1 * (bx - ax), ay + t1 * (by - ay), window, width, height)
        inside[c0, r0] = True
        for column in range(c1 - c0 + 1):
            first, last = column_rows(c1 - c0, r1 - r0, column)
            for row in range(first, last + 1):
                inside[c0 + column, r0 + row] = True
    filled = np.zeros((width, height + 1), np.int32)
    for column in range(width):
        for row in range(height):
            filled[column, row + 1] = filled[column, row] + inside[column, row]
    return filled


@kernel
def pixel(x: float, y: float, window: NDArray[np.float64], width: int, height: int) -> tuple[int, int]:
    """Return column and row of a point of the window."""
    column, row = int(x * window[4] + window[5]), int(y * window[6] + window[7])
    return min(max(column, 0), width - 1), min(max(row, 0), height - 1)


@kernel
def line_touches(filled: NDArray[np.int32], c0: int, r0: int, c1: int, r1: int) -> bool:
    """Return whether a line from pixel to pixel has one in the region, its first included."""
    if filled[c0, r0 + 1] > filled[c0, r0]:
        return True
    for column in range(c1 - c0 + 1):
        first, last = column_rows(c1 - c0, r1 - r0, column)
        if first <= last and filled[c0 + column, r0 + last + 1] > filled[c0 + column, r0 + first]:
            return True
    return False


@kernel
def cut_touches(filled: NDArray[np.int32], x: float, y0: Any, y1: Any, window: NDArray[np.float64]) -> bool:
    """Return whether the visible part of a segment that leaves the window has a pixel in the region."""
    visible, t0, t1 = clip(x, x + 1.0, y0, y1, window, 0)
    if not visible:
        return False
    width, height, dy = filled.shape[0], filled.shape[1] - 1, y1 - y0
    c0, r0 = pixel(x + t0, y0 + t0 * dy if t0 > 0 else np.float64(y0), window, width, height)
    c1, r1 = pixel(x + t1, y0 + t1 * dy if t1 < 1 else np.float64(y1), window, width, height)
    return line_touches(filled, c0, r0, c1, r1)


@kernel
def touches(
    raw: Any,
    scale_uv: Any,
    order: NDArray[np.int32],
    begin: int,
    end: int,
    shift: NDArray[np.int16],
    place: NDArray[np.int64],
    segments: NDArray[np.int64],
    window: NDArray[np.float64],
    filled: NDArray[np.int32],
    known: NDArray[np.uint8],
    hit: NDArray[np.bool_],
) -> None:
    """Set hit for the events order[begin:end] (or begin to end) that have a pixel in the region."""
    n, height = len(segments), filled.shape[1] - 1
    samples, rows = np.empty((FEW, n + 2), np.float32), np.empty(n + 2, np.int32)
    for i in range(begin, end):
        own = samples[(i - begin) % FEW]
        if (i - begin) % FEW == 0:
            gather(raw, scale_uv, order, i, min(FEW, end - i), shift, place, samples)
        if quantise(own, window, np.int32(height - 1), rows) != 0:
            encode(own, window, rows)
        for s in range(n):
            a, b = rows[s + 1], rows[s + 2]
            if MISSING in (a, b) or (a == b and a < 0):
                continue
            if a < 0 or b < 0 or segments[s, 2] != 0:
                found = cut_touches(filled, np.float64(place[2] + s) + window[10], own[s + 1], own[s + 2], window)
            else:
                pair = (b - a + height - 1) * height + a
                if known[s, pair] == UNKNOWN:
                    c0, c1 = segments[s, 0], segments[s, 0] + segments[s, 1]
                    known[s, pair] = HIT if line_touches(filled, c0, a, c1, b) else MISS
                found = known[s, pair] == HIT
            if found:
                hit[order[i] if len(order) else i] = True
                break
