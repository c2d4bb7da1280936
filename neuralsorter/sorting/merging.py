"""Merging of the parts that a mixture over-splits: two parts with no gap between them are one unit."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import diptest, timing

_SHRINKAGE = 1e-3
_LEAST_LUMP, _LEAST_AXES, _LEAST_DISTANCE = 40, 4, 2.3
_GAIN_EACH, _LEAST_GAIN, _ENOUGH_GAIN = 0.1, 20.0, 40.0  # log likelihood: per event of the smaller group, within bounds
_EM_STEPS = 15
_STRAY = 0.01
_MOVED = 0.6  # share of what tells two groups apart, squared: above it they differ by where the extremum was found
_BY_SHAPE = 0.5  # as if there were a gap, of this share of alpha
_MOST_TESTED = 3000
_WINDOW = 2.0  # of the larger part, at most this many times the events of the smaller, those nearest to the gap


@dataclass(frozen=True)
class Merge:
    """Why two parts became one, or stayed two."""

    first: int
    second: int
    p: float  # of the dip: chance of a gap like this between events of a single unit
    distance: float  # between the means, in standard deviations along the line that separates them best
    reason: str
    merged: bool = True
    into: int = -1  # the part that the two became
    sizes: tuple[int, int] = (0, 0)  # events compared


class Shapes(NamedTuple):
    """Events along the axes in which their shapes are compared, and what is no difference of shape there."""

    points: NDArray[np.float64]  # (n, m)
    silent: NDArray[np.float64]  # (m,): the silent waveform, towards which spikes shrink
    slopes: NDArray[np.float64]  # (n, m): the slope of each event, along which it moves in time


@dataclass(frozen=True)
class _Pair:
    """What was found between two groups."""

    p: float
    distance: float
    strictness: float  # of the spike times: > 1 speaks for two cells, < 1 for one
    excess: float  # above 1 they are merged
    by_shape: bool = False


def _together(sizes: tuple[int, int], least: int, pair: _Pair) -> str:
    if min(sizes) < least:
        return "too few events to stand alone"
    return "no clear gap, and never within the refractory time" if pair.strictness < 1 else "no gap between them"


def _apart(pair: _Pair) -> str:
    if pair.by_shape:
        return "no gap, but two shapes, one not merely smaller than the other"
    return "a gap between them, and as many coincidences as chance" if pair.strictness > 1 else "a gap between them"


def discriminant_axes(points: NDArray[Any], labels: NDArray[Any], most: int) -> NDArray[np.float64]:
    """Return the axes (d, a) along which groups differ most, measured by their own spread."""
    k = int(labels.max()) + 1
    d = points.shape[1]
    counts = np.bincount(labels, minlength=k)
    means = np.stack([points[labels == c].mean(axis=0) for c in range(k)])
    rest = points - means[labels]
    within = rest.T @ rest / len(points)
    within += _SHRINKAGE * np.trace(within) / d * np.eye(d)
    weights = np.sqrt(counts) / np.sqrt(counts).sum()
    centred = means - weights @ means
    between = (centred * weights[:, None]).T @ centred
    values, vectors = np.linalg.eigh(within)
    root = vectors / np.sqrt(values)
    strength, axes = np.linalg.eigh(root.T @ between @ root)
    order = np.argsort(strength)[::-1][: min(most, max(k - 1, 1))]
    return root @ axes[:, order]


def gap(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float]:
    """Return (p, distance) of the line that separates two groups of points (n, d) best; a small p tells a gap."""
    line, distance = separating_line(first, second)
    smaller = min(len(first), len(second))
    order = np.sort(line)
    cut = len(first)  # the first group lies lower
    reach = int(_WINDOW * smaller) + 1
    window = order[max(0, cut - reach) : cut + reach]
    if len(window) > _MOST_TESTED:
        window = window[np.linspace(0, len(window) - 1, _MOST_TESTED).astype(int)]
    return diptest.p_value(diptest.dip(window), len(window)), distance


def two_lumps(first: NDArray[Any], second: NDArray[Any], origin: NDArray[Any], slope: NDArray[Any]) -> bool:
    """Say whether two groups of points (n, d) are two by their shapes, even where no gap lies between them.

    A small unit beside a large one makes a shoulder, not a second mode. One unit can have a shoulder as well, but along
    the line from `origin`, the silent waveform, on which spikes of a burst shrink and drift moves a unit. So that line
    is left out. So is the `slope` of their mean waveform, where the groups differ along it for the most part: noise on
    a flat extremum moves events in time, to and fro. Along Fisher's line for the rest, learned from every other event
    and looked at in the others, two Gaussians must explain the events far better than one.
    """
    smaller = min(len(first), len(second))
    if smaller < _LEAST_LUMP or first.shape[1] < _LEAST_AXES:
        return False
    both = np.concatenate([first, second])
    size = both.mean(axis=0) - origin
    size /= max(float(np.sqrt(size @ size)), 1e-300)
    slope = slope - (slope @ size) * size
    slope = slope / max(float(np.sqrt(slope @ slope)), 1e-300)
    step = second.mean(axis=0) - first.mean(axis=0)
    step = step - (step @ size) * size
    for line in (size, slope) if (step @ slope) ** 2 > _MOVED * (step @ step) else (size,):
        first, second = first - np.outer(first @ line, line), second - np.outer(second @ line, line)
    gain = 0.0
    for half in (0, 1):
        axis = _fisher(first[half::2], second[half::2])
        a, b = first[1 - half :: 2] @ axis, second[1 - half :: 2] @ axis
        deviation = math.sqrt((a.var() + b.var()) / 2)
        if b.mean() - a.mean() < _LEAST_DISTANCE * deviation:
            return False
        gain += _gain(a, b)
    return gain > min(max(_GAIN_EACH * smaller, _LEAST_GAIN), _ENOUGH_GAIN)


def _gain(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return by how much two Gaussians explain values better than one, in log likelihood; far ones weigh little."""
    values = np.concatenate([first, second])
    share = np.r_[np.zeros(len(first)), np.ones(len(second))]
    lowest = np.log(_STRAY / max(float(np.ptp(values)), 1e-300))
    alone = np.logaddexp(_log_normal(values, np.ones(len(values))), lowest).sum()
    for _ in range(_EM_STEPS):
        parts = np.stack([_log_normal(values, 1 - share), _log_normal(values, share)])
        share = 1 / (1 + np.exp(np.clip(parts[0] - parts[1], -50, 50)))
    return float(np.logaddexp(np.logaddexp(parts[0], parts[1]), lowest).sum() - alone)


def _log_normal(values: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log of share times density, at `values`, of the Gaussian of the values weighted."""
    total = max(float(weight.sum()), 1e-9)
    mean = float(weight @ values) / total
    variance = max(float(weight @ np.square(values - mean)) / total, 1e-12)
    log_density = -0.5 * (np.square(values - mean) / variance + math.log(2 * math.pi * variance))
    return np.asarray(log_density + math.log(total / len(values)))


def _fisher(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Return the axis (d,) along which two groups of points lie furthest apart for their spread, `first` lower."""
    d = first.shape[1]
    step = second.mean(axis=0) - first.mean(axis=0)
    spread = np.atleast_2d(np.cov(first.T)) if len(first) > 1 else np.zeros((d, d))
    spread = spread + (np.atleast_2d(np.cov(second.T)) if len(second) > 1 else 0.0)
    shrink = max(_SHRINKAGE, min(0.5, d / (len(first) + len(second))))
    spread = (1 - shrink) * spread + (shrink * np.trace(spread) / d + 1e-12) * np.eye(d)
    return np.asarray(np.linalg.solve(spread, step))


def separating_line(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Return all points along Fisher's line, `first` lower, and the distance of the means in deviations."""
    axis = _fisher(first, second)
    line = np.concatenate([first @ axis, second @ axis])
    deviation = float(np.sqrt((line[: len(first)].var() + line[len(first) :].var()) / 2))
    step = second.mean(axis=0) - first.mean(axis=0)
    return line, float(axis @ step) / max(deviation, 1e-300)


def merge_parts(
    points: NDArray[Any],
    labels: NDArray[Any],
    alpha: float,
    faint: NDArray[Any],
    alpha_faint: float,
    least: int = 8,
    times_s: NDArray[Any] | None = None,
    shapes: Shapes | None = None,
) -> tuple[NDArray[np.int64], list[Merge]]:
    """Merge, most unimodal pair first, while some pair of groups has no gap (p > `alpha`) between them.

    Parameters
    ----------
    points : ndarray, (n, d)
    labels : ndarray, (n,), int
        0..k-1.
    alpha : float
        Pairs with a larger p are merged.
    faint : ndarray, (n,), bool
        Events hardly above the threshold: distant cells, mostly, of which a few stand out in any recording.
    alpha_faint : float
        The same for two groups of mostly faint events.
    least : int
        Groups smaller than this join the nearest.
    times_s : ndarray, (n,), optional
        Where known, coincidences within the refractory time make a merge harder, their absence easier.

    shapes : Shapes, optional
        The events along more axes: two groups that are two by their shapes, `two_lumps`, stay apart without a gap,
        unless both are faint.

    Returns
    -------
    labels, merges : ndarray (n,), list of Merge
        Merges name the groups given; the first of two keeps its name.

    """
    labels = labels.copy()
    merges: list[Merge] = []
    known: dict[tuple[int, int], _Pair] = {}
    while True:
        groups, counts = np.unique(labels, return_counts=True)
        if len(groups) < 2:
            break
        size_of = dict(zip(groups.tolist(), counts.tolist(), strict=True))
        is_faint = {group: faint[labels == group].mean() > 0.5 for group in size_of}
        for a, b in itertools.combinations(size_of, 2):
            if (a, b) not in known:
                asked, by_shape = (alpha_faint, None) if is_faint[a] and is_faint[b] else (alpha, shapes)
                known[a, b] = _compare(points, labels == a, labels == b, asked, least, times_s, by_shape)
        (a, b), pair = max(known.items(), key=lambda item: (item[1].excess, -item[1].distance))
        if pair.excess <= 1:
            merges += [
                Merge(*both, k.p, k.distance, _apart(k), merged=False, sizes=(size_of[both[0]], size_of[both[1]]))
                for both, k in known.items()
            ]
            break
        sizes = size_of[a], size_of[b]
        merges.append(Merge(a, b, pair.p, pair.distance, _together(sizes, least, pair), into=a, sizes=sizes))
        labels[labels == b] = a
        known = {both: value for both, value in known.items() if a not in both and b not in both}
    return np.unique(labels, return_inverse=True)[1].reshape(-1), merges


def _compare(
    points: NDArray[Any],
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    alpha: float,
    least: int,
    times_s: NDArray[Any] | None,
    shapes: Shapes | None,
) -> _Pair:
    """Look for a gap between two groups of events and, where there is none, for two shapes."""
    p, distance = gap(points[first], points[second])
    strictness = 1.0
    if times_s is not None:
        strictness = timing.strictness(times_s[first], times_s[second], timing.dead_time(times_s))
    if min(int(first.sum()), int(second.sum())) < least:
        return _Pair(1.0, distance, strictness, 1 / (alpha * strictness))
    if shapes is not None and p > alpha and _two_shapes(shapes, first, second):
        return _Pair(p, distance, strictness, min(p / alpha, _BY_SHAPE) / strictness, by_shape=True)
    return _Pair(p, distance, strictness, p / (alpha * strictness))


def _two_shapes(shapes: Shapes, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> bool:
    slope = shapes.slopes[first | second].mean(axis=0)
    return two_lumps(shapes.points[first], shapes.points[second], shapes.silent, slope)
