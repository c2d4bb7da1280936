"""Suggestions to merge: pairs of units that may be one, with the evidence."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .alignment import Alignment
from .features import fill, principal_axes
from .merging import gap, separating_line
from .timing import dead_time, refractory_ratio

_MOST_EVENTS = 3000  # of each unit: more change no suggestion
_N_AXES = 20
_NEAR = 6.0  # SDs: units further apart are never suggested


@dataclass(frozen=True)
class MergeSuggestion:
    """Two units that may be one, with the evidence."""

    first: int
    second: int
    score: float  # 0..1, larger is more convincing
    p: float  # chance of a gap like theirs within one unit
    distance: float  # of the means, in SDs along the line that separates them best
    overlap: float  # share of events that lie on the other's side of the midpoint
    refractory: float  # coincidences over those expected by chance; about 0 for one cell, 1 for two, NaN unknown
    along: tuple[NDArray[np.float64], NDArray[np.float64]]  # events of each along that line, SDs from the midpoint

    @property
    def reason(self) -> str:
        """The evidence in words."""
        known = coincidences(self.refractory)
        return f"means {self.distance:.1f} SD apart, {self.overlap:.0%} overlap, gap p = {self.p:.2g}{known}"


def coincidences(refractory: float) -> str:
    """Return in words how many coincidences two trains have for those that chance brings; nothing where unknown."""
    return "" if math.isnan(refractory) else f", {refractory:.0%} of the coincidences that chance brings"


def sides(one: NDArray[Any], two: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points of two groups along the line that separates them best, in SDs from the midpoint."""
    line, _ = separating_line(one, two)
    first, second = line[: len(one)], line[len(one) :]
    middle, spread = (first.mean() + second.mean()) / 2, math.sqrt((first.var() + second.var()) / 2) or 1.0
    return (first - middle) / spread, (second - middle) / spread


def merge_suggestions(
    waveforms: NDArray[Any],
    times_s: NDArray[Any],
    unit: NDArray[Any],
    sampling_rate: float,
    pre_samples: int,
    most: int = 10,
    least_score: float = 0.2,
) -> list[MergeSuggestion]:
    """Return pairs of units of one channel that may be one, the most convincing first; noise (0) is left out.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples)
    times_s : ndarray, (n_spikes,)
        Seconds; NaN where unknown.
    unit : ndarray, (n_spikes,), int
    sampling_rate : float
        Hz.
    pre_samples : int
    most : int
        Suggestions wanted at most.
    least_score : float
        Pairs less convincing are left out.

    """
    groups = {int(u): _some(np.flatnonzero(unit == u)) for u in np.unique(unit[unit > 0])}
    if len(groups) < 2:
        return []
    rows = np.concatenate(list(groups.values()))
    aligned = Alignment.of(waveforms.shape[-1], sampling_rate, pre_samples)(fill(waveforms[rows]))
    centre, axes = principal_axes(aligned, _N_AXES)
    points = (aligned - centre) @ axes
    parts = dict(zip(groups, np.split(points, np.cumsum([len(r) for r in groups.values()])[:-1]), strict=True))
    dead_s = dead_time(times_s)
    found = []
    for first, second in itertools.combinations(groups, 2):
        if min(len(groups[first]), len(groups[second])) > 1:
            train = times_s[unit == first], times_s[unit == second]
            found.append(_compare(first, second, parts[first], parts[second], *train, dead_s))
    found = [s for s in found if s.score >= least_score and s.distance < _NEAR]
    return sorted(found, key=lambda s: -s.score)[:most]


def _compare(
    first: int,
    second: int,
    one: NDArray[Any],
    two: NDArray[Any],
    train: NDArray[Any],
    other: NDArray[Any],
    dead_s: float,
) -> MergeSuggestion:
    p, distance = gap(one, two)
    overlap = 0.5 * math.erfc(distance / 2 / math.sqrt(2))
    refractory, expected = refractory_ratio(train, other, dead_s)
    weight = expected / (expected + 10.0)
    shape = math.sqrt(p) * min(1.0, math.exp(-(distance - 2) / 2))
    # A dip between the trains speaks for one cell, chance coincidences against it, as far as there are any to count.
    score = shape if math.isnan(refractory) else shape + weight * 0.5 * ((1 - min(refractory, 1.0)) - 0.5) * shape
    score = float(min(max(score, 0.0), 1.0))
    return MergeSuggestion(first, second, score, p, distance, overlap, refractory, sides(one, two))


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(rows) <= _MOST_EVENTS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _MOST_EVENTS).astype(np.int64)]
