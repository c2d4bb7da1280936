"""Picking: which waveforms meet a region, their line from sample to sample and not the samples alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .drawing.block import Block, View, as_block, check_view
from .drawing.grouping import NO_ORDER
from .drawing.pixelpicking import pick_pixels
from .drawing.regions import strips_of
from .drawing.threads import run, slices
from .errors import DataError
from .kernel import kernel

Mask = NDArray[np.bool_]


def pick(
    waveforms: ArrayLike,
    polygon: ArrayLike,
    *,
    sampling_rate: float,
    pre_samples: int,
    uv_per_bit: float = 1.0,
    shift: ArrayLike | None = None,
    among: ArrayLike | None = None,
    view: View | None = None,
) -> Mask:
    """Return which waveforms meet a polygon.

    A waveform is the line through its samples; it meets the polygon when any point of it lies in the polygon or on
    its outline. NaN samples and the lines to them are not there.

    Parameters
    ----------
    waveforms : array_like, (n, n_samples) or (n, n_channels, n_samples), int16 or float32
        µV, or bits of `uv_per_bit` µV. Several channels lie side by side as in `density`.
    polygon : array_like, (k, 2)
        ms from the crossing, which is at sample `pre_samples`, and µV. Two points are a line, one is a point; an
        outline that crosses itself encloses by the even-odd rule.
    sampling_rate : float
        Hz.
    pre_samples : int
        Samples before the crossing.
    uv_per_bit : float
        µV per unit of `waveforms`.
    shift : array_like, (n,), int, optional
        Samples to the right by which each waveform is drawn (see `density.alignment`).
    among : array_like, optional
        Rows, or a mask (n,), to choose from; all by default.
    view : View, optional
        A window of pixels: then a waveform is hit when one of the pixels that `density` draws for it in this window
        is in the polygon (its centre is inside, or its outline passes through).

    Returns
    -------
    ndarray, (n,), bool

    Raises
    ------
    DataError
        When shapes or numbers do not fit; the message names the argument.

    """
    block = as_block(waveforms, uv_per_bit, shift)
    region = _positions(polygon, sampling_rate, pre_samples)
    rows = _rows(among, len(block))
    hit = np.zeros(len(block), np.bool_)
    if view is not None:
        pick_pixels(block, check_view(view, block), region, rows, hit)
    else:
        for channel in range(block.n_channels):
            _pick_channel(block, channel, region, rows, hit)
    return hit


def pick_box(waveforms: ArrayLike, x_ms: tuple[float, float], y_uv: tuple[float, float], **where: Any) -> Mask:
    """Return which waveforms meet a box, from and to ms and µV; `where` as for `pick`."""
    (x0, x1), (y0, y1) = x_ms, y_uv
    return pick(waveforms, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], **where)


def pick_crossing(waveforms: ArrayLike, start: tuple[float, float], end: tuple[float, float], **where: Any) -> Mask:
    """Return which waveforms cross the line between two points (ms, µV); `where` as for `pick`."""
    return pick(waveforms, [start, end], **where)


def pick_amplitude(waveforms: ArrayLike, at_ms: float, y_uv: tuple[float, float], **where: Any) -> Mask:
    """Return which waveforms are between two amplitudes (µV) at a time (ms); `where` as for `pick`."""
    return pick(waveforms, [(at_ms, y_uv[0]), (at_ms, y_uv[1])], **where)


def _positions(polygon: ArrayLike, sampling_rate: float, pre_samples: int) -> NDArray[np.float64]:
    points = np.array(polygon, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise DataError(f"polygon must be points of (ms, µV), (k, 2). Got {points.shape}.")
    if not np.isfinite(points).all():
        raise DataError("polygon must have finite points. Got NaN or infinity; leave such points out.")
    if not (np.isfinite(sampling_rate) and sampling_rate > 0):
        raise DataError(f"sampling_rate must be a positive number of Hz. Got {sampling_rate!r}.")
    points[:, 0] = points[:, 0] * sampling_rate / 1000 + pre_samples
    return points


def _rows(among: ArrayLike | None, n: int) -> NDArray[np.int32] | None:
    if among is None:
        return None
    rows = np.asarray(among)
    if rows.dtype == bool:
        if rows.shape != (n,):
            raise DataError(f"among must be rows or a mask with one value per waveform, ({n},). Got {rows.shape}.")
        return np.flatnonzero(rows).astype(np.int32)
    rows = rows.astype(np.int64)
    if len(rows) and not (rows.min() >= 0 and rows.max() < n):
        raise DataError(f"among must hold rows from 0 to {n - 1}. Got {rows.min()} to {rows.max()}.")
    return rows.astype(np.int32)


def _pick_channel(
    block: Block, channel: int, region: NDArray[np.float64], rows: NDArray[np.int32] | None, hit: Mask
) -> None:
    start = channel * (block.n_samples + 1)
    first, last = block.reach
    if last <= first:
        return
    strips = strips_of(region - (start, 0), first, last)
    if strips is None:
        return
    n = len(block) if rows is None else len(rows)
    k = slices(n)
    cuts = [n * i // k for i in range(k + 1)]
    order = NO_ORDER if rows is None else rows
    place = np.array([channel * block.n_samples, block.n_samples, strips.first], np.int64)
    tallest = np.argsort(strips.reach[:, 0] - strips.reach[:, 1], kind="stable")
    run([
        (meets, (block.raw, block.uv_per_bit, order, cuts[i], cuts[i + 1], block.shift, place, tallest, *strips[1:],
                 hit))
        for i in range(k)
    ])  # fmt: skip


@kernel
def meets_part(a: float, b: float, points: NDArray[np.float64], begin: int, middle: int, end: int) -> bool:
    """Return whether the line from (0, a) to (1, b) meets the part with chains begin to middle and middle to end."""
    rise = b - a
    i = begin
    while i < middle and (points[i, 1] - a) - rise * points[i, 0] < 0:
        i += 1
    if i == middle:
        return False
    i = middle
    while i < end and (points[i, 1] - a) - rise * points[i, 0] > 0:
        i += 1
    return i < end


@kernel
def meets(
    raw: Any,
    scale_uv: Any,
    order: NDArray[np.int32],
    begin: int,
    end: int,
    shift: NDArray[np.int16],
    place: NDArray[np.int64],
    tallest: NDArray[np.int64],
    part_at: NDArray[np.int64],
    reach: NDArray[np.float64],
    chain_at: NDArray[np.int64],
    points: NDArray[np.float64],
    hit: Mask,
) -> None:
    """Set hit for the events order[begin:end] (or begin to end) that meet a region cut into strips, tallest first."""
    base, n_samples, position, n_strips = place[0], place[1], place[2], tallest.shape[0]
    for i in range(begin, end):
        event = order[i] if order.shape[0] else i
        first = position - (shift[event] if shift.shape[0] else 0)
        found, turn = hit[event], 0
        while turn < n_strips and not found:
            s = tallest[turn]
            turn += 1
            at = first + s
            if at < 0 or at > n_samples - 2:
                continue
            a = np.float64(np.float32(raw[event, base + at]) * scale_uv)
            b = np.float64(np.float32(raw[event, base + at + 1]) * scale_uv)
            near = ((a >= reach[s, 0]) | (b >= reach[s, 0])) & ((a <= reach[s, 1]) | (b <= reach[s, 1]))
            if near and b - a == b - a:  # neither is NaN
                for part in range(part_at[s], part_at[s + 1]):
                    if meets_part(a, b, points, chain_at[part, 0], chain_at[part, 1], chain_at[part, 2]):
                        found = True
                        break
        hit[event] = found
