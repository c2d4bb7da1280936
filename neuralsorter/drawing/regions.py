"""Regions: a polygon cut into the strips between samples, so that a straight line across a strip is tested exactly.

A line that crosses a whole strip meets a connected part of the region exactly when that part has points on or above
the line and points on or below it. Only the part's convex hull matters: its upper chain for the first question, its
lower chain for the second. The region is the outline with what it encloses by the even-odd rule; two points are a
line, one is a point.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel


class Strips(NamedTuple):
    """The connected parts of a region in each strip.

    Attributes
    ----------
    first : int
        Position of the left side of the first strip.
    part_at : ndarray, (n_strips + 1,), int64
        The parts of strip i are part_at[i] to part_at[i + 1].
    reach : ndarray, (n_strips, 2), float64
        Lowest and highest y in each strip, infinities the wrong way round where it is empty.
    chain_at : ndarray, (n_parts, 3), int64
        The upper chain of a part is points[chain_at[0]:chain_at[1]], its lower chain points[chain_at[1]:chain_at[2]].
    points : ndarray, (n_points, 2), float64
        Distance from the left side of the strip, 0 to 1, and y.

    """

    first: int
    part_at: NDArray[np.int64]
    reach: NDArray[np.float64]
    chain_at: NDArray[np.int64]
    points: NDArray[np.float64]


@kernel
def height_at(x: float, x0: float, y0: float, x1: float, y1: float) -> float:
    """Return y of an edge at x, exact at its ends."""
    if x == x0:
        return y0
    if x == x1:
        return y1
    return y0 + (y1 - y0) * ((x - x0) / (x1 - x0))


@kernel
def crossings(polygon: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Return, sorted, every x in the strips from first to last where the shape of a cut through the region changes."""
    k = polygon.shape[0]
    found = [polygon[i, 0] for i in range(k)]
    low, high = min(found), max(found)
    found.extend([float(x) for x in range(first, last + 1) if low <= x <= high])
    for i in range(k):
        ax, ay = polygon[i]
        bx, by = polygon[(i + 1) % k]
        left, right, bottom, top = min(ax, bx), max(ax, bx), min(ay, by), max(ay, by)
        for j in range(i + 2, k):
            cx, cy = polygon[j]
            dx, dy = polygon[(j + 1) % k]
            if max(cx, dx) < left or min(cx, dx) > right or max(cy, dy) < bottom or min(cy, dy) > top:
                continue
            across = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
            if across == 0:
                continue
            t = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / across
            u = ((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / across
            if 0 <= t <= 1 and 0 <= u <= 1:
                found.append(ax + t * (bx - ax))
    return np.unique(np.array([x for x in found if first <= x <= last]))


@kernel
def pieces(polygon: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Cut a region into trapezoids and upright edges: (n, 7) left x, right x, low and high y left and right, strip."""
    k = polygon.shape[0]
    xs = crossings(polygon, first, last)
    found = [(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0) for _ in range(0)]
    lefts, rights = np.empty(k), np.empty(k)
    for i in range(len(xs) - 1):
        x0, x1, n = xs[i], xs[i + 1], 0
        for e in range(k):
            ax, ay = polygon[e]
            bx, by = polygon[(e + 1) % k]
            if min(ax, bx) <= x0 and max(ax, bx) >= x1:
                lefts[n], rights[n] = height_at(x0, ax, ay, bx, by), height_at(x1, ax, ay, bx, by)
                n += 1
        order = np.argsort(lefts[:n] + rights[:n])
        for j in range(0, n - 1, 2):
            p, q = order[j], order[j + 1]
            found.append((x0, x1, min(lefts[p], lefts[q]), max(lefts[p], lefts[q]),
                          min(rights[p], rights[q]), max(rights[p], rights[q]), np.floor(x0)))  # fmt: skip
    for e in range(k):
        x, ay = polygon[e]
        bx, by = polygon[(e + 1) % k]
        if x == bx and first <= x <= last:
            low, high = min(ay, by), max(ay, by)
            if x < last:
                found.append((x, x, low, high, low, high, np.floor(x)))
            if x > first and x == np.floor(x):  # on the side of two strips
                found.append((x, x, low, high, low, high, x - 1))
    table = np.empty((len(found), 7))
    for i in range(len(found)):
        table[i] = found[i]
    return table


@kernel
def root(parent: NDArray[np.int64], i: int) -> int:
    """Return what stands for the connected part that i is in."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def connect(table: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return, for each piece, one piece of its connected part; pieces of one strip touch where their sides do."""
    parent = np.arange(len(table))
    sides = np.empty((2 * len(table), 4))  # strip, x, low, high
    sides[: len(table), 1:] = table[:, np.array([0, 2, 3])]
    sides[len(table) :, 1:] = table[:, np.array([1, 4, 5])]
    sides[: len(table), 0] = sides[len(table) :, 0] = table[:, 6]
    order = np.argsort(sides[:, 2], kind="mergesort")
    order = order[np.argsort(sides[order, 1], kind="mergesort")]
    order = order[np.argsort(sides[order, 0], kind="mergesort")]
    for i in range(1, len(order)):
        before, here = order[i - 1], order[i]
        same = sides[before, 0] == sides[here, 0] and sides[before, 1] == sides[here, 1]
        if same and sides[here, 2] <= sides[before, 3]:
            parent[root(parent, here % len(table))] = root(parent, before % len(table))
        if same and sides[before, 3] > sides[here, 3]:
            sides[here, 3] = sides[before, 3]  # the highest so far on this line
            order[i] = here
    for i in range(len(table)):
        parent[i] = root(parent, i)
    return parent


@kernel
def chain(points: NDArray[np.float64], sign: float) -> NDArray[np.float64]:
    """Return the upper (sign 1) or lower (-1) chain of the convex hull of points sorted by x."""
    kept = np.empty_like(points)
    n = 0
    for i in range(len(points)):
        while n >= 2:
            ax, ay = kept[n - 2]
            bx, by = kept[n - 1]
            turn = (bx - ax) * (points[i, 1] - ay) - (by - ay) * (points[i, 0] - ax)
            if sign * turn < 0:
                break
            n -= 1
        kept[n] = points[i]
        n += 1
    return kept[:n].copy()


def strips_of(polygon: NDArray[np.float64], first: int, last: int) -> Strips | None:
    """Cut a polygon, (k, 2) of position and y, into the strips from position first to last; None where it has none."""
    table = pieces(polygon, first, last)
    if not len(table):
        return None
    part = connect(table)
    begin, end = int(table[:, 6].min()), int(table[:, 6].max()) + 1
    part_at, reach, chain_at, points, n_points = [0], [], [], [], 0
    for strip in range(begin, end):
        for name in np.unique(part[table[:, 6] == strip]):
            own = table[part == name]
            corners = np.concatenate([own[:, [0, 2]], own[:, [0, 3]], own[:, [1, 4]], own[:, [1, 5]]])
            corners[:, 0] -= strip
            corners = corners[np.lexsort((corners[:, 1], corners[:, 0]))]
            upper, lower = chain(corners, 1.0), chain(corners, -1.0)
            chain_at.append((n_points, n_points + len(upper), n_points + len(upper) + len(lower)))
            points += [upper, lower]
            n_points += len(upper) + len(lower)
        part_at.append(len(chain_at))
        heights = table[table[:, 6] == strip, 2:6]
        reach.append((heights.min(initial=np.inf), heights.max(initial=-np.inf)))
    return Strips(begin, np.array(part_at), np.array(reach), np.array(chain_at), np.concatenate(points))
