"""Suggestions to split: units whose own re-sort finds parts that stand well apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .alignment import Alignment
from .channel import sort_channel
from .features import fill, principal_axes
from .merging import gap, separating_line
from .suggestions import coincidences, sides
from .timing import dead_time, refractory_ratio

_LOOKED_AT = 1500  # events of a unit, evenly spread, by which the cheap test judges
_N_AXES, _ROUNDS = 6, 4
_CUTS = (0.06, 0.5, 0.94)  # quantiles along each axis where a search for a gap starts: small groups lie at the ends
_MIXED_P = 0.02  # of the cheap test, which must not miss much: the re-sort decides
_GAP_P = 0.01
_LEAST_EVENTS, _LEAST_DISTANCE = 20, 3.0  # of a part; between two, in SDs
_FAR = 6.0  # SDs: further apart is no more convincing


@dataclass(frozen=True, eq=False)
class SplitSuggestion:
    """A unit that may be several, with the evidence."""

    unit: int
    rows: NDArray[np.int64]  # events of the unit, positions in the arrays given
    labels: NDArray[np.int64]  # part of each, 0..k-1, the largest first
    score: float  # 0..1, larger is more convincing
    nearest: tuple[int, int]  # the two parts that lie nearest to each other; what follows is about them
    p: float  # chance of a gap like theirs within one unit
    distance: float  # of the means, in SDs along the line that separates them best
    refractory: float  # coincidences over those expected by chance; about 0 for one cell, 1 for two, NaN unknown
    along: tuple[NDArray[np.float64], NDArray[np.float64]]  # events of each along that line, SDs from the midpoint

    @property
    def sizes(self) -> list[int]:
        """Events of each part."""
        return [int(n) for n in np.bincount(self.labels)]

    @property
    def reason(self) -> str:
        """The evidence in words."""
        *most, last = (f"{n:,}" for n in self.sizes)
        known = coincidences(self.refractory)
        return (
            f"parts of {', '.join(most)} and {last} events, {self.distance:.1f} SD apart, gap p = {self.p:.2g}{known}"
        )


def split_suggestions(
    waveforms: NDArray[Any],
    times_s: NDArray[Any],
    unit: NDArray[Any],
    sampling_rate: float,
    pre_samples: int,
    seed: int = 0,
) -> list[SplitSuggestion]:
    """Return the units of one channel in which parts with a gap between them are found, the most convincing first.

    Only units that a cheap test finds mixed are sorted again.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples)
    times_s : ndarray, (n_spikes,)
        Seconds; NaN where unknown.
    unit : ndarray, (n_spikes,), int
        Noise (0) is left out.
    sampling_rate : float
        Hz.
    pre_samples : int
    seed : int
        Of the re-sort.

    """
    align = Alignment.of(waveforms.shape[-1], sampling_rate, pre_samples)
    dead_s = dead_time(times_s)
    found = []
    for number in np.unique(unit[unit > 0]).tolist():
        rows = np.flatnonzero(unit == number)
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOKED_AT)).astype(np.int64)]
        if len(rows) < 2 * _LEAST_EVENTS or mixed(align(fill(waveforms[some]))) > _MIXED_P:
            continue
        result = sort_channel(waveforms[rows], times_s[rows], sampling_rate, pre_samples, seed)
        points = result.latent.astype(float)
        labels = _standing_apart(points, result.labels)
        if labels.max() > 0:
            found.append(_judged(number, rows, labels, points, times_s, dead_s))
    return sorted(found, key=lambda s: -s.score)


def mixed(aligned: NDArray[Any]) -> float:
    """Return the p of the clearest gap that a quick search finds among events, (n, features); 1 where there is none.

    Along each of the leading principal axes the events are cut in two, and the cut is turned into the direction that
    tells both sides apart, again and again; the gap is judged by Hartigan's dip.
    """
    centre, axes = principal_axes(aligned, _N_AXES)
    points = (aligned - centre) @ axes
    starts = [line > np.quantile(line, cut) for line in points.T for cut in _CUTS]
    return min((_gap_from(points, upper) for upper in starts), default=1.0)


def _gap_from(points: NDArray[Any], upper: NDArray[np.bool_]) -> float:
    """Return the p of the gap that is found from one cut, True for the points of one side."""
    least = 1.0
    for _ in range(_ROUNDS):
        if not 2 <= upper.sum() <= len(upper) - 2:
            break
        lower = ~upper
        least = min(least, gap(points[lower], points[upper])[0])
        line = separating_line(points[lower], points[upper])[0]
        n_lower = int(lower.sum())
        border, before = (line[:n_lower].mean() + line[n_lower:].mean()) / 2, upper
        upper = np.empty(len(before), bool)
        upper[np.concatenate([np.flatnonzero(lower), np.flatnonzero(before)])] = line > border
        if (upper == before).all():
            break
    return least


def _standing_apart(points: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join parts that do not stand well apart, the nearest first; return the part of each event, the largest first."""
    labels = labels.copy()
    gaps: dict[tuple[int, int], tuple[float, float]] = {}
    while len(parts := np.unique(labels)) > 1:
        sizes = np.bincount(labels)
        smallest = int(min(parts, key=lambda part: sizes[part]))
        if sizes[smallest] < _LEAST_EVENTS:
            joined = smallest, _nearest(points, labels, smallest)
        else:
            gaps |= _gaps(points, labels, set(itertools.combinations(parts.tolist(), 2)) - set(gaps))
            close = {pair: d for pair, (p, d) in gaps.items() if p >= _GAP_P or d < _LEAST_DISTANCE}
            if not close:
                break
            joined = min(close, key=lambda pair: close[pair])
        labels[labels == joined[1]] = joined[0]
        gaps = {pair: known for pair, known in gaps.items() if not {*pair} & {*joined}}
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.asarray(np.argsort(order)[labels])


def _nearest(points: NDArray[np.float64], labels: NDArray[np.int64], part: int) -> int:
    others = [int(other) for other in np.unique(labels) if other != part]
    middle = points[labels == part].mean(axis=0)
    return min(others, key=lambda other: float(np.square(points[labels == other].mean(axis=0) - middle).sum()))


def _gaps(
    points: NDArray[np.float64], labels: NDArray[np.int64], pairs: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], tuple[float, float]]:
    """Return for each pair of parts the p of a gap like theirs, and how far apart they are in SDs."""
    return {(one, two): gap(points[labels == one], points[labels == two]) for one, two in pairs}


def _judged(
    unit: int,
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    points: NDArray[np.float64],
    times_s: NDArray[Any],
    dead_s: float,
) -> SplitSuggestion:
    """Return a split with the evidence of its two nearest parts."""
    told = _gaps(points, labels, itertools.combinations(range(int(labels.max()) + 1), 2))
    one, two = min(told, key=lambda pair: told[pair][1])
    p, distance = told[one, two]
    refractory, expected = refractory_ratio(times_s[rows[labels == one]], times_s[rows[labels == two]], dead_s)
    shape = min(distance / _FAR, 1.0) * (1 - math.sqrt(p))
    # Coincidences as many as chance brings speak for two cells, none at all for one that changes its shape in bursts.
    known = 0.0 if math.isnan(refractory) else expected / (expected + 10.0) * 0.5 * (min(refractory, 1.0) - 0.5)
    score = float(min(max(shape * (1 + known), 0.0), 1.0))
    along = sides(points[labels == one], points[labels == two])
    return SplitSuggestion(unit, rows, labels, score, (one, two), p, distance, refractory, along)
