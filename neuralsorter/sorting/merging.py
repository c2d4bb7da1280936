"""Merging of the parts that a mixture over-splits: two parts with no gap between them are one unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import diptest, timing

_SHRINKAGE = 1e-3
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


def _together(sizes: tuple[int, int], least: int, strictness: float) -> str:
    if min(sizes) < least:
        return "too few events to stand alone"
    return "no clear gap, and never within the refractory time" if strictness < 1 else "no gap between them"


def _apart(strictness: float) -> str:
    return "a gap between them, and as many coincidences as chance" if strictness > 1 else "a gap between them"


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


def _strictness(times_s: NDArray[Any], labels: NDArray[Any], first: int, second: int) -> float:
    return timing.strictness(times_s[labels == first], times_s[labels == second], timing.dead_time(times_s))


def separating_line(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Return all points along Fisher's line, `first` lower, and the distance of the means in deviations."""
    d = first.shape[1]
    step = second.mean(axis=0) - first.mean(axis=0)
    spread = np.atleast_2d(np.cov(first.T)) if len(first) > 1 else np.zeros((d, d))
    spread = spread + (np.atleast_2d(np.cov(second.T)) if len(second) > 1 else 0.0)
    shrink = max(_SHRINKAGE, min(0.5, d / (len(first) + len(second))))
    spread = (1 - shrink) * spread + (shrink * np.trace(spread) / d + 1e-12) * np.eye(d)
    axis = np.linalg.solve(spread, step)
    line = np.concatenate([first @ axis, second @ axis])
    deviation = float(np.sqrt((line[: len(first)].var() + line[len(first) :].var()) / 2))
    return line, float(axis @ step) / max(deviation, 1e-300)


def merge_parts(
    points: NDArray[Any],
    labels: NDArray[Any],
    alpha: float,
    faint: NDArray[Any],
    alpha_faint: float,
    least: int = 8,
    times_s: NDArray[Any] | None = None,
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

    Returns
    -------
    labels, merges : ndarray (n,), list of Merge
        Merges name the groups given; the first of two keeps its name.

    """
    labels = labels.copy()
    merges: list[Merge] = []
    known: dict[tuple[int, int], tuple[float, float]] = {}
    strict: dict[tuple[int, int], float] = {}
    while True:
        groups, counts = np.unique(labels, return_counts=True)
        if len(groups) < 2:
            break
        is_faint = {group: faint[labels == group].mean() > 0.5 for group in groups.tolist()}
        best: tuple[float, float, int, int] | None = None
        for i, a in enumerate(groups.tolist()):
            for b, size in zip(groups[i + 1 :].tolist(), counts[i + 1 :].tolist(), strict=True):
                if (a, b) not in known:
                    known[a, b] = gap(points[labels == a], points[labels == b])
                    if min(size, counts[i]) < least:
                        known[a, b] = (1.0, known[a, b][1])
                    strict[a, b] = 1.0 if times_s is None else _strictness(times_s, labels, a, b)
                p, distance = known[a, b]
                excess = p / ((alpha_faint if is_faint[a] and is_faint[b] else alpha) * strict[a, b])
                if best is None or (excess, -distance) > best[:2]:
                    best = (excess, -distance, a, b)
        assert best is not None  # noqa: S101 - two groups make one pair
        excess, _, a, b = best
        p, distance = known[a, b]
        if excess <= 1:
            size_of = dict(zip(groups.tolist(), counts.tolist(), strict=True))
            merges += [
                Merge(a, b, p, s, _apart(strict[a, b]), merged=False, sizes=(size_of[a], size_of[b]))
                for (a, b), (p, s) in known.items()
            ]
            break
        sizes = int((labels == a).sum()), int((labels == b).sum())
        merges.append(Merge(a, b, p, distance, _together(sizes, least, strict[a, b]), into=a, sizes=sizes))
        labels[labels == b] = a
        known = {pair: value for pair, value in known.items() if a not in pair and b not in pair}
    return np.unique(labels, return_inverse=True)[1].reshape(-1), merges
