"""Events unlike the unit they are in: overlaps, artefacts, strays. They stay in it; a person may look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from .alignment import Alignment
from .features import fill, principal_axes
from .whitening import inverse_root

FINAL_AXES = 30  # principal axes in which the final units are told apart
_OUTLIER_P = 1e-4
_BLOCK = 65_536
_LEARNED_FROM = 20_000
_LEAST = 5  # events of a unit whose mean means anything


@dataclass(frozen=True)
class Strays:
    """Means of the units, the spread around them, and the distance beyond which an event is a stray."""

    means: NDArray[np.float64]  # (k, d)
    root: NDArray[np.float64]  # (d, d): whitens the spread around the means
    limit: float  # squared distance

    @classmethod
    def of(cls, points: NDArray[Any], labels: NDArray[Any], means: NDArray[Any]) -> Strays:
        """Learn from points (n, d) of units `labels` (n,) around `means` (k, d)."""
        rest = points - means[labels]
        root = inverse_root(rest.T @ rest / len(rest))
        distance = np.square(rest @ root).sum(axis=1)
        dof = points.shape[1]
        limit = float(chi2.ppf(1 - _OUTLIER_P, dof) * np.median(distance) / chi2.ppf(0.5, dof))
        return cls(means, root, limit)

    def __call__(self, points: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
        """Say which points (n, d) of units `labels` (n,) are strays."""
        rest = (points - self.means[labels]) @ self.root
        return np.asarray(np.square(rest).sum(axis=1) > self.limit)


def strays(waveforms: NDArray[Any], unit: NDArray[Any], sampling_rate: float, pre_samples: int) -> NDArray[np.bool_]:
    """Say which events of one channel are unlike the unit they are in now, (n_spikes,); noise (0) never is.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples)
    unit : ndarray, (n_spikes,), int
    sampling_rate : float
        Hz.
    pre_samples : int

    """
    found = np.zeros(len(unit), bool)
    numbers, counts = np.unique(unit[unit > 0], return_counts=True)
    numbers = numbers[counts >= _LEAST]
    rows = np.flatnonzero(np.isin(unit, numbers))
    if len(rows) <= FINAL_AXES:
        return found
    align = Alignment.of(waveforms.shape[-1], sampling_rate, pre_samples)
    label = np.searchsorted(numbers, unit[rows])
    some = np.linspace(0, len(rows) - 1, min(len(rows), _LEARNED_FROM)).astype(np.int64)
    some = np.union1d(some, np.concatenate([np.flatnonzero(label == c)[:_LEAST] for c in range(len(numbers))]))
    waves = align(fill(waveforms[rows[some]]))
    if not np.ptp(waves, axis=0).any():
        return found
    centre, axes = principal_axes(waves, FINAL_AXES)
    points = (waves - centre) @ axes
    means = np.stack([np.median(points[label[some] == c], axis=0) for c in range(len(numbers))])
    judge = Strays.of(points, label[some], means)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        points = (align(fill(waveforms[block])) - centre) @ axes
        found[block] = judge(points, label[start : start + _BLOCK])
    return found
