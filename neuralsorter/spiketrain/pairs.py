"""Auto- and cross-correlograms: every pair of events counted, in whole samples."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from neuralsorter.cores import cores
from neuralsorter.errors import DataError
from neuralsorter.spikes import DEFAULT_RATE_HZ

_THREADED_FROM = 20_000  # events; below, starting threads costs more than it saves
_MAX_THREADS = 8


@dataclass(frozen=True, eq=False)
class Correlograms:
    """Counts of pairs of events by the time between them, for every pair of units.

    Attributes
    ----------
    units : ndarray, (n_units,), int64
        Ascending.
    edges_ms : ndarray, (n_bins + 1,), float64
        Bin k holds the lags edges_ms[k] <= lag < edges_ms[k + 1].
    counts : ndarray, (n_units, n_units, n_bins), int64
        counts[i, j]: events of units[j] by their time after each event of units[i]; an event is not paired with itself.

    """

    units: NDArray[np.int64]
    edges_ms: NDArray[np.float64]
    counts: NDArray[np.int64]

    def pair(self, unit: int, other: int) -> NDArray[np.int64]:
        """Return the counts of `other` around the events of `unit`, (n_bins,)."""
        return np.asarray(self.counts[self._index(unit), self._index(other)], np.int64)

    def _index(self, unit: int) -> int:
        found = np.flatnonzero(self.units == unit)
        if not len(found):
            raise DataError(f"There is no unit {unit} in these correlograms. Choose from {self.units.tolist()}.")
        return int(found[0])


def autocorrelogram(
    times_s: ArrayLike,
    window_ms: float = 50.0,
    bin_ms: float = 1.0,
    sampling_rate: float = DEFAULT_RATE_HZ,
    stretch: ArrayLike | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count all pairs of events of one unit by lag; see `correlograms`. Returns counts (n_bins,) and edges_ms."""
    times = np.asarray(times_s, np.float64)
    table = correlograms(times, np.ones(len(times), np.int64), window_ms, bin_ms, sampling_rate, stretch)
    n_bins = len(table.edges_ms) - 1
    return (table.counts[0, 0] if len(table.units) else np.zeros(n_bins, np.int64)), table.edges_ms


def correlograms(
    times_s: ArrayLike,
    unit: ArrayLike,
    window_ms: float = 50.0,
    bin_ms: float = 1.0,
    sampling_rate: float = DEFAULT_RATE_HZ,
    stretch: ArrayLike | None = None,
    threads: int | None = None,
) -> Correlograms:
    """Count all pairs of events by lag, for every pair of units.

    Parameters
    ----------
    times_s : array_like, (n_spikes,)
        NDArray[np.float64], rounded to samples.
    unit : array_like of int, (n_spikes,)
        Unit of each event; every value present gets a row and a column.
    window_ms, bin_ms : float
        Lags from -window_ms to window_ms, in bins of bin_ms (rounded to whole samples).
    sampling_rate : float
        Hz of the clock the times were taken with.
    stretch : array_like of int, (n_spikes,), optional
        Only pairs within a stretch count.
    threads : int, optional
        By default one per core, at most 8. The result does not depend on it.

    """
    step = max(1, round(bin_ms * sampling_rate / 1000))
    half = max(1, round(window_ms * sampling_rate / 1000 / step))
    edges_ms = np.asarray(np.arange(-half, half + 1) * (step * 1000 / sampling_rate), np.float64)
    samples, labels = _timeline(times_s, unit, stretch, sampling_rate, half * step)
    units, index = _compact(labels)
    found = _count_pairs(samples, index, len(units), _slots(half, step), threads)
    between, exact = found[:, :, :half], found[:, :, half:]
    counts = np.zeros((len(units), len(units), 2 * half), np.int64)
    counts[:, :, half:] = between + exact[:, :, :half]
    # Seen from the later event: a lag between k and k + 1 bins falls in bin -k - 1, and one of exactly k bins at the
    # lower edge of bin -k. So a lag of -window is counted and one of +window is not, and lag 0 is counted both ways.
    counts[:, :, :half] = between.transpose(1, 0, 2)[:, :, ::-1]
    counts[:, :, : half + 1] += exact.transpose(1, 0, 2)[:, :, ::-1]
    return Correlograms(units, edges_ms, counts)


def _timeline(
    times_s: ArrayLike, unit: ArrayLike, stretch: ArrayLike | None, sampling_rate: float, gap: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return sorted sample times on one line, stretches laid end to end more than `gap` apart, and their units."""
    times, labels = np.asarray(times_s, np.float64), np.asarray(unit, np.int64)
    if times.shape != labels.shape or times.ndim != 1:
        raise DataError(f"times_s and unit must have one value per event. Got {times.shape} and {labels.shape}.")
    known = np.isfinite(times)
    if not known.all():
        times, labels = times[known], labels[known]
    samples = np.rint(times * sampling_rate).astype(np.int64)
    if stretch is not None:
        where = np.asarray(stretch, np.int64)[known]
        if len(where) and (where != where[0]).any():
            found, group = np.unique(where, return_inverse=True)
            low = np.full(len(found), np.iinfo(np.int64).max)
            high = np.full(len(found), np.iinfo(np.int64).min)
            np.minimum.at(low, group, samples)
            np.maximum.at(high, group, samples)
            start = np.concatenate(([0], np.cumsum(high - low + gap + 1)[:-1]))
            samples = samples + (start - low)[group]
    if (samples[1:] < samples[:-1]).any():
        order = np.argsort(samples, kind="stable")
        samples, labels = samples[order], labels[order]
    return samples, labels


def _compact(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the units present, ascending, and the position of each event's unit among them."""
    if len(labels) and labels.min() >= 0 and labels.max() < 1 << 16:  # a table is several times faster than a sort
        units = np.flatnonzero(np.bincount(labels))
        position = np.zeros(int(labels.max()) + 1, np.int32)
        position[units] = np.arange(len(units))
        return units.astype(np.int64), position[labels]
    units, index = np.unique(labels, return_inverse=True)
    return units, index.astype(np.int32)


def _slots(half: int, step: int) -> NDArray[np.int32]:
    """Return the slot of each lag in samples: its bin, or `half` + its bin for a lag of a whole number of bins."""
    bins, rest = np.divmod(np.arange(half * step + 1), step)
    return (bins + half * (rest == 0)).astype(np.int32)


def _count_pairs(
    samples: NDArray[np.int64], index: NDArray[np.int32], n_units: int, slots: NDArray[np.int32], threads: int | None
) -> NDArray[np.int64]:
    """Count pairs by the unit of the earlier event, of the later one, and slot."""
    # Threads of our own and not numba's: those are not safe to enter from several threads, nor after a fork. Each
    # chunk of time has counts of its own, so that none is lost.
    n_chunks = threads or (min(cores(), _MAX_THREADS) if len(samples) >= _THREADED_FROM else 1)
    bounds = np.linspace(0, len(samples), n_chunks + 1).astype(np.int64).tolist()
    partial = np.zeros((n_chunks, n_units, n_units, int(slots[-1]) + 1), np.int64)
    with ThreadPoolExecutor(n_chunks) as pool:
        list(
            pool.map(
                lambda k: _count_chunk(samples, index, slots, bounds[k], bounds[k + 1], partial[k]), range(n_chunks)
            )
        )
    return np.asarray(partial.sum(axis=0))


@njit("void(int64[::1], int32[::1], int32[::1], int64, int64, int64[:, :, ::1])", nogil=True, cache=True)
def _count_chunk(
    samples: NDArray[np.int64],
    index: NDArray[np.int32],
    slots: NDArray[np.int32],
    first: int,
    stop: int,
    counts: NDArray[np.int64],
) -> None:
    """Add the pairs whose earlier event is in [first, stop) to `counts`, (n_units, n_units, n_slots)."""
    for i in range(first, stop):
        start = samples[i]
        row = counts[index[i]]
        for j in range(i + 1, len(samples)):
            lag = samples[j] - start
            if lag >= len(slots):
                break
            row[index[j], slots[lag]] += 1
