"""Points as pixel counts, exact for every event, and the points inside a polygon."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Range = tuple[float, float]


def point_counts(
    x: NDArray[Any],
    y: NDArray[Any],
    width: int,
    height: int,
    x_range: Range,
    y_range: Range,
    *,
    spread: int = 0,
) -> NDArray[np.int32]:
    """Count the points in each pixel.

    Parameters
    ----------
    x, y : ndarray, (n_points,)
        NaN points are left out, as are those outside the ranges.
    width, height : int
        Pixels.
    x_range, y_range : tuple of float
        What the picture spans.
    spread : int
        Draw each point as a square of 2 spread + 1 pixels: each of them counts it once.

    Returns
    -------
    ndarray, (height, width), int32
        Row 0 lowest.

    """
    column, row = _pixels(x, x_range, width), _pixels(y, y_range, height)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = row[inside] * width + column[inside]
    counts = np.bincount(index, minlength=width * height).reshape(height, width).astype(np.int32)
    return _spread(_spread(counts, spread, 0), spread, 1)


def points_inside(polygon: NDArray[np.float64], x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which points lie inside a polygon (n, 2), (n_points,)."""
    if len(polygon) < 3:
        return np.zeros(len(x), bool)
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    area = shapely.make_valid(shapely.Polygon(polygon))
    shapely.prepare(area)
    hit = np.zeros(len(x), bool)
    hit[near] = shapely.intersects_xy(area, np.asarray(x, float)[near], np.asarray(y, float)[near])
    return hit


def _pixels(values: NDArray[Any], span: Range, n_pixels: int) -> NDArray[np.int64]:
    low, high = span
    place = (np.asarray(values, np.float64) - low) * (n_pixels / (high - low))
    return np.where(np.isfinite(place), np.floor(np.clip(place, -1, n_pixels)), -1).astype(np.int64)


def _spread(counts: NDArray[np.int32], by: int, axis: int) -> NDArray[np.int32]:
    total = counts.copy()
    for step in range(1, by + 1):
        for old, new in ((slice(step, None), slice(None, -step)), (slice(None, -step), slice(step, None))):
            to, source = [slice(None)] * 2, [slice(None)] * 2
            to[axis], source[axis] = new, old
            total[tuple(to)] += counts[tuple(source)]
    return total
