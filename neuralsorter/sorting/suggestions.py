"""Suggestions for curation: units to merge, units to split, and which unit is which in another recording."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from .alignment import Alignment
from .channel import sort_channel
from .features import fill, principal_axes
from .merging import gap
from .result import SortResult
from .timing import dead_time, refractory_ratio

_MOST_EVENTS = 3000  # of each unit: more change no suggestion
_N_AXES = 20
_NEAR = 6.0  # SDs: units further apart are never suggested
_AMPLITUDE_COUNTS = 0.5  # a unit moves by this share of its size from one recording to the next


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

    @property
    def reason(self) -> str:
        """The evidence in words."""
        known = "" if math.isnan(self.refractory) else f", {self.refractory:.0%} of the coincidences that chance brings"
        return f"means {self.distance:.1f} SD apart, {self.overlap:.0%} overlap, gap p = {self.p:.2g}{known}"


@dataclass(frozen=True)
class SplitSuggestion:
    """A unit that may be several."""

    unit: int
    rows: NDArray[np.int64]  # events of the unit, positions in the arrays given
    labels: NDArray[np.int64]  # part of each, 0..k-1, the largest first
    distance: float  # smallest distance between two parts, in SDs


@dataclass(frozen=True)
class Match:
    """A unit and the unit of another recording that it most likely is; `other` is None where it seems to be new."""

    unit: int
    other: int | None
    confidence: float  # 0..1
    distance: float  # between the mean waveforms, relative to their size


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
    return MergeSuggestion(first, second, float(min(max(score, 0.0), 1.0)), p, distance, overlap, refractory)


def split_suggestions(
    waveforms: NDArray[Any],
    times_s: NDArray[Any],
    unit: NDArray[Any],
    sampling_rate: float,
    pre_samples: int,
    seed: int = 0,
) -> list[SplitSuggestion]:
    """Return the units of one channel in which parts with a gap between them are found; arguments as above."""
    found = []
    for number in np.unique(unit[unit > 0]).tolist():
        rows = np.flatnonzero(unit == number)
        result = sort_channel(waveforms[rows], times_s[rows], sampling_rate, pre_samples, seed)
        if result.n_units > 1:
            found.append(SplitSuggestion(number, rows, result.labels, _smallest_distance(result)))
    return found


def _smallest_distance(result: SortResult) -> float:
    parts = [result.latent[result.labels == c].astype(float) for c in range(result.n_units)]
    pairs = [(a, b) for i, a in enumerate(parts) for b in parts[i + 1 :] if min(len(a), len(b)) > 1]
    return min((gap(a, b)[1] for a, b in pairs), default=math.nan)


def match_units(
    means: Mapping[int, NDArray[Any]], others: Mapping[int, NDArray[Any]], noise_uv: float = 0.0, least: float = 0.5
) -> list[Match]:
    """Say which unit of another recording of the same channel each unit is, by mean waveform; one to one.

    Parameters
    ----------
    means, others : mapping of int to ndarray, (n_samples,) or (n_channels, n_samples)
        Mean waveform in µV of each unit, over the same window; `others` are those of the other recording.
    noise_uv : float
        SD of the means' own noise, which cannot tell units apart.
    least : float
        Matches less sure are given as new.

    """
    mine, theirs = list(means), list(others)
    if not mine or not theirs:
        return [Match(unit, None, 1.0, math.inf) for unit in mine]
    a = np.stack([np.nan_to_num(means[u]).ravel() for u in mine]).astype(float)
    b = np.stack([np.nan_to_num(others[u]).ravel() for u in theirs]).astype(float)
    size = np.sqrt((np.square(a).mean(axis=1)[:, None] + np.square(b).mean(axis=1)[None]) / 2) + 1e-12
    apart = np.sqrt(np.maximum(np.square(a[:, None] - b[None]).mean(axis=2) - 2 * noise_uv**2, 0.0))
    distance = apart / size
    likely = np.exp(-0.5 * np.square(distance / (_AMPLITUDE_COUNTS / 2)))
    new = math.exp(-0.5 * 2.0**2)
    sure = likely / np.maximum(likely.sum(axis=1, keepdims=True) + new, 1e-300)
    sure = np.minimum(sure, likely / (likely.sum(axis=0, keepdims=True) + new))
    rows, columns = linear_sum_assignment(-sure)
    taken = {r: c for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if sure[r, c] >= least}
    return [
        Match(unit, theirs[taken[r]], float(sure[r, taken[r]]), float(distance[r, taken[r]]))
        if r in taken
        else Match(unit, None, float(1 - sure[r].max()), float(distance[r].min()))
        for r, unit in enumerate(mine)
    ]


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(rows) <= _MOST_EVENTS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _MOST_EVENTS).astype(np.int64)]
