"""Times between consecutive events."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter.errors import DataError


def intervals(times_s: ArrayLike, stretch: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the times between consecutive events in s, (at most n - 1,)."""
    times, where = _sorted(times_s, stretch)
    gaps = np.diff(times)
    return np.asarray(gaps[where[1:] == where[:-1]], np.float64)


def isi_histogram(
    times_s: ArrayLike,
    window_ms: float = 50.0,
    bin_ms: float = 1.0,
    stretch: ArrayLike | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count the times between consecutive events.

    Parameters
    ----------
    times_s : array_like, (n_spikes,)
        NDArray[np.float64].
    window_ms, bin_ms : float
        Longest interval counted, and the width of a bin.
    stretch : array_like of int, (n_spikes,), optional
        No interval spans two stretches.

    Returns
    -------
    counts : ndarray, (n_bins,), int64
    edges_ms : ndarray, (n_bins + 1,), float64

    """
    n_bins = _n_bins(window_ms, bin_ms)
    # A billionth of a bin keeps an interval of exactly 2 ms, which floats may store as 1.9999999, in the bin from 2 ms.
    index = np.floor(intervals(times_s, stretch) * (1000 / bin_ms) + 1e-6).astype(np.int64)
    counts = np.bincount(index[index < n_bins], minlength=n_bins)
    return counts.astype(np.int64), np.asarray(np.arange(n_bins + 1) * bin_ms, np.float64)


def _n_bins(window_ms: float, bin_ms: float) -> int:
    if not (bin_ms > 0 and window_ms > 0):
        raise DataError(f"The window and the bin must be longer than 0 ms. Got {window_ms} and {bin_ms}.")
    return max(1, round(window_ms / bin_ms))


def _sorted(times_s: ArrayLike, stretch: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    times = np.asarray(times_s, np.float64)
    where = np.zeros(len(times), np.int64) if stretch is None else np.asarray(stretch, np.int64)
    if where.shape != times.shape:
        raise DataError(f"stretch must have one number per event, {times.shape}. Got {where.shape}.")
    known = np.isfinite(times)
    if not known.all():
        times, where = times[known], where[known]
    if stretch is None:
        return np.sort(times, kind="stable"), where
    order = np.lexsort((times, where))
    return times[order], where[order]
