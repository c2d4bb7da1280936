"""Stretches of continuous clock: nothing is counted across two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter.spikes import Spikes


def stretches(spikes: Spikes, rows: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.int64]:
    """Return the stretch of continuous clock (experiment and segment) each event lies in, as a number, (n_spikes,)."""
    return numbered(spikes.experiment[rows], spikes.segment[rows])


def numbered(experiment: ArrayLike, segment: ArrayLike) -> NDArray[np.int64]:
    """Return the number of the stretch of clock that `segment` of `experiment` is."""
    return np.asarray(experiment).astype(np.int64) << 32 | np.asarray(segment).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Stretches of continuous clock laid end to end on one axis.

    Attributes
    ----------
    stretches : ndarray, (n_stretches,), int64
        Ascending.
    starts_s : ndarray, (n_stretches + 1,), float64
        Where each begins on the axis, and where the last one ends.
    first_s : ndarray, (n_stretches,), float64
        What each stretch's own clock says where it begins.

    """

    stretches: NDArray[np.int64]
    starts_s: NDArray[np.float64]
    first_s: NDArray[np.float64]

    def place(self, times_s: ArrayLike, stretch: ArrayLike) -> NDArray[np.float64]:
        """Return where events lie on the axis, (n_spikes,); NaN where their time is unknown."""
        at = np.searchsorted(self.stretches, np.asarray(stretch, np.int64))
        return np.asarray(np.asarray(times_s, np.float64) + (self.starts_s[:-1] - self.first_s)[at], np.float64)


def timeline(times_s: ArrayLike, stretch: ArrayLike, span_s: tuple[float, ...] | None = None) -> Timeline:
    """Lay stretches end to end: each lasts from 0 to its last event, or what of `span_s` (from, to) lies in it."""
    times, where = np.asarray(times_s, np.float64), np.asarray(stretch, np.int64)
    found, group = np.unique(where, return_inverse=True)
    last = np.zeros(len(found))
    known = np.isfinite(times)
    np.maximum.at(last, group[known], times[known])
    first = np.zeros(len(found)) if span_s is None else np.full(len(found), max(span_s[0], 0.0))
    last = last if span_s is None else np.minimum(last, span_s[1])
    lengths = np.maximum(last - first, 1e-3)
    return Timeline(found, np.concatenate(([0.0], np.cumsum(lengths))), first)
