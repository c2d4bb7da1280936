"""What is typical on a channel: the mean of the events like this one, cleaner than the event itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernel import fast_kernel
from .largest import largest

GROUPS = 48
_FIT_ROWS = 3000
_ROUNDS = 6
_BLOCK = 2048
_EVENTS_PER_GROUP = 10


@dataclass(frozen=True)
class Typical:
    """Groups of alike events of one channel.

    Attributes
    ----------
    mean : ndarray, (n_groups, 61), float32
        Mean of the 60 values of the group's events, then an eighth of the log of their number.
    group : ndarray, (n_spikes,), int64
        Group of each event.

    """

    mean: NDArray[np.float32]
    group: NDArray[np.int64]

    @property
    def of_each(self) -> NDArray[np.float32]:
        """The mean and number of each event's own group, (n_spikes, 61)."""
        return self.mean[self.group]


def typical(values: NDArray[Any]) -> Typical:
    """Group the events of one channel by k-means, always the same way.

    A unit's events fall into few groups whose means are its shape without noise; crossings of noise average to
    nothing but the crossing; a rare disturbance stays alone and its number says so.

    Parameters
    ----------
    values : ndarray, (n_spikes, 61), float32
        As in `waveforms.Seen`.

    """
    x = np.ascontiguousarray(values[:, :60], np.float32)
    n_spikes = len(x)
    if not n_spikes:
        return Typical(np.zeros((1, 61), np.float32), np.zeros(0, np.int64))
    rng = np.random.default_rng(0)
    known = x if n_spikes <= _FIT_ROWS else x[rng.choice(n_spikes, _FIT_ROWS, replace=False)]
    n_groups = max(min(GROUPS, n_spikes // _EVENTS_PER_GROUP), 1)
    centres = known[rng.choice(len(known), n_groups, replace=False)]
    for _ in range(_ROUNDS):
        sums, counts, _ = _grouped(known, centres)
        filled = counts > 0
        centres[filled] = sums[filled] / counts[filled, None]
    sums, counts, group = _grouped(x, centres)
    mean = np.empty((n_groups, 61), np.float32)
    mean[:, :60] = sums / np.maximum(counts, 1)[:, None]
    mean[:, 60] = np.log1p(counts) / 8
    return Typical(mean, group)


def _grouped(
    x: NDArray[np.float32], centres: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Give each row to its nearest centre; return each group's sum, its number of rows, and the group of each row."""
    sums = np.zeros(centres.shape)
    counts = np.zeros(len(centres), np.int64)
    group = np.empty(len(x), np.int64)
    half = 0.5 * (centres * centres).sum(axis=1)
    for start in range(0, len(x), _BLOCK):
        block = x[start : start + _BLOCK]
        _collect(block, block @ centres.T, half, sums, counts, group[start : start + _BLOCK])
    return sums, counts, group


@fast_kernel
def _collect(  # pragma: no cover - compiled
    x: Any, product: Any, half: Any, sums: Any, counts: Any, group: Any
) -> None:
    n = half.shape[0]
    near = np.empty(n, np.float32)
    for row in range(x.shape[0]):
        for other in range(n):
            near[other] = product[row, other] - half[other]
        best = largest(near)
        group[row] = best
        counts[best] += 1
        own, values = sums[best], x[row]
        for i in range(x.shape[1]):
            own[i] += values[i]
