"""Spike trains: intervals, correlograms, rates and responses to triggers; exact, and never across a clock restart.

Times are seconds in any order, NaN where unknown (left out). `stretch` numbers the stretches of continuous clock, one
per event (see `stretches`): nothing is computed between two of them. All histograms have half-open bins [low, high).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from .cores import cores
from .errors import DataError
from .spikes import DEFAULT_RATE_HZ, NOISE, Spikes

Counts = NDArray[np.int64]
Seconds = NDArray[np.float64]

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

    units: Counts
    edges_ms: Seconds
    counts: Counts

    def pair(self, unit: int, other: int) -> Counts:
        """Return the counts of `other` around the events of `unit`, (n_bins,)."""
        return np.asarray(self.counts[self._index(unit), self._index(other)], np.int64)

    def _index(self, unit: int) -> int:
        found = np.flatnonzero(self.units == unit)
        if not len(found):
            raise DataError(f"There is no unit {unit} in these correlograms. Choose from {self.units.tolist()}.")
        return int(found[0])


def stretches(spikes: Spikes) -> NDArray[np.int64]:
    """Return the stretch of continuous clock (experiment and segment) each event lies in, as a number, (n_spikes,)."""
    return spikes.experiment.astype(np.int64) << 32 | spikes.segment.astype(np.int64)


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Where the events of one unit of one channel are in a table."""

    channel: int
    unit: int
    name: str
    rows: Counts


def each_unit(spikes: Spikes) -> Iterator[UnitRows]:
    """Yield each unit of each channel, noise left out. The name tells the channel where there are several."""
    rows = np.flatnonzero(spikes.unit > NOISE)
    key = spikes.channel[rows].astype(np.int64) << 32 | spikes.unit[rows].astype(np.int64)
    order = np.argsort(key, kind="stable")
    key, rows = key[order], rows[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1 if not len(key) else key[0] - 1))
    several = len(np.unique(spikes.channel[rows[starts]])) > 1
    for group in np.split(rows, starts[1:]) if len(rows) else ():
        channel, unit = int(spikes.channel[group[0]]), int(spikes.unit[group[0]])
        yield UnitRows(channel, unit, f"channel {channel} unit {unit}" if several else f"unit {unit}", group)


def intervals(times_s: ArrayLike, stretch: ArrayLike | None = None) -> Seconds:
    """Return the times between consecutive events in s, (at most n - 1,)."""
    times, where = _sorted(times_s, stretch)
    gaps = np.diff(times)
    return np.asarray(gaps[where[1:] == where[:-1]], np.float64)


def isi_histogram(
    times_s: ArrayLike,
    window_ms: float = 50.0,
    bin_ms: float = 1.0,
    stretch: ArrayLike | None = None,
) -> tuple[Counts, Seconds]:
    """Count the times between consecutive events.

    Parameters
    ----------
    times_s : array_like, (n_spikes,)
        Seconds.
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


def autocorrelogram(
    times_s: ArrayLike,
    window_ms: float = 50.0,
    bin_ms: float = 1.0,
    sampling_rate: float = DEFAULT_RATE_HZ,
    stretch: ArrayLike | None = None,
) -> tuple[Counts, Seconds]:
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
        Seconds, rounded to samples.
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


def rate(
    times_s: ArrayLike,
    bin_s: float = 1.0,
    start_s: float = 0.0,
    stop_s: float | None = None,
) -> tuple[Seconds, Seconds]:
    """Return events per second in bins of one stretch: rate_hz (n_bins,) and edges_s (n_bins + 1,).

    The last bin is whole: it may reach beyond `stop_s` (by default the last event).
    """
    times = np.asarray(times_s, np.float64)
    times = times[np.isfinite(times)]
    stop = (float(times.max()) if len(times) else start_s) if stop_s is None else stop_s
    n_bins = max(1, int(np.ceil((stop - start_s) / bin_s)))
    if stop_s is None and stop >= start_s + n_bins * bin_s:
        n_bins += 1
    edges = np.asarray(start_s + np.arange(n_bins + 1) * bin_s, np.float64)
    index = np.searchsorted(edges, times, side="right") - 1
    counts = np.bincount(index[(index >= 0) & (index < n_bins)], minlength=n_bins)
    return counts / bin_s, edges


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

    stretches: Counts
    starts_s: Seconds
    first_s: Seconds

    def place(self, times_s: ArrayLike, stretch: ArrayLike) -> Seconds:
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


@dataclass(frozen=True, eq=False)
class Responses:
    """Events around triggers: for each, the trigger's number and the time after it in s."""

    trigger: Counts
    lag_s: Seconds
    n_triggers: int

    def histogram(self, before_s: float, after_s: float, bin_s: float) -> tuple[Seconds, Seconds]:
        """Return the mean rate_hz around a trigger, (n_bins,), and edges_s (n_bins + 1,)."""
        n_bins = max(1, round((before_s + after_s) / bin_s))
        edges = np.linspace(-before_s, after_s, n_bins + 1)
        counts = np.histogram(self.lag_s, edges)[0]
        return counts / (np.diff(edges) * max(self.n_triggers, 1)), edges


def responses(times_s: ArrayLike, triggers_s: ArrayLike, before_s: float = 0.5, after_s: float = 1.0) -> Responses:
    """Find the events from `before_s` before to `after_s` after each trigger of one stretch."""
    times = np.asarray(times_s, np.float64)
    times = np.sort(times[np.isfinite(times)])
    triggers = np.asarray(triggers_s, np.float64)
    low = np.searchsorted(times, triggers - before_s)
    n_found = np.searchsorted(times, triggers + after_s) - low
    trigger = np.repeat(np.arange(len(triggers)), n_found)
    position = np.arange(len(trigger)) - np.repeat(np.cumsum(n_found) - n_found, n_found)
    return Responses(trigger, times[low[trigger] + position] - triggers[trigger], len(triggers))


def _n_bins(window_ms: float, bin_ms: float) -> int:
    if not (bin_ms > 0 and window_ms > 0):
        raise DataError(f"The window and the bin must be longer than 0 ms. Got {window_ms} and {bin_ms}.")
    return max(1, round(window_ms / bin_ms))


def _sorted(times_s: ArrayLike, stretch: ArrayLike | None) -> tuple[Seconds, Counts]:
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


def _timeline(
    times_s: ArrayLike, unit: ArrayLike, stretch: ArrayLike | None, sampling_rate: float, gap: int
) -> tuple[Counts, Counts]:
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


def _compact(labels: Counts) -> tuple[Counts, NDArray[np.int32]]:
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
    samples: Counts, index: NDArray[np.int32], n_units: int, slots: NDArray[np.int32], threads: int | None
) -> Counts:
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
    samples: Counts, index: NDArray[np.int32], slots: NDArray[np.int32], first: int, stop: int, counts: Counts
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
