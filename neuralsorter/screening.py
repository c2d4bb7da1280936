"""Cleaning without a network: rules on size, time and shape. Each takes arrays and marks the events that break it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

Mask = NDArray[np.bool_]


class Coincidence(NamedTuple):
    """What `coincident` found."""

    events: Mask
    chance_hz: float


def beyond_amplitude(
    waveforms: NDArray[Any], lowest_uv: float = -np.inf, highest_uv: float = np.inf, least_uv: float = 0.0
) -> Mask:
    """Mark events that leave the limits, or whose largest value stays below `least_uv`.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples)
        µV; NaN where there is no sample.
    lowest_uv, highest_uv : float
        No sample may lie beyond.
    least_uv : float
        At least one sample must be this far from 0.

    """
    low, high = np.fmin.reduce(waveforms, axis=-1), np.fmax.reduce(waveforms, axis=-1)
    return np.asarray((low < lowest_uv) | (high > highest_uv) | ~(np.maximum(-low, high) >= least_uv))


def coincident(
    times_s: NDArray[Any],
    channel: NDArray[Any],
    segment: NDArray[Any],
    window_ms: float = 1.0,
    least_share: float = 0.3,
    n_channels: int | None = None,
) -> Coincidence:
    """Mark events that come on many channels at once: artefacts of the whole array, or cross-talk.

    Parameters
    ----------
    times_s : ndarray, (n_spikes,)
        Seconds; NaN is never coincident.
    channel, segment : ndarray, (n_spikes,)
        Electrode; stretch of unbroken clock (combine it with the experiment).
    window_ms : float
        An event looks this far to both sides; those as near to one another count as one group.
    least_share : float
        Share of the array's channels that must have an event within the window, itself included.
    n_channels : int, optional
        Channels of the array; those that have events by default.

    Returns
    -------
    Coincidence
        `events`, (n_spikes,) bool; `chance_hz`: groups per second that chance makes at the array's own rates.

    """
    electrodes, place = np.unique(channel, return_inverse=True)
    total = len(electrodes) if n_channels is None else n_channels
    least = max(int(np.ceil(least_share * total)), 2)
    marked = np.zeros(len(times_s), bool)
    span_s = 0.0
    for one in np.unique(segment):
        rows = np.flatnonzero((segment == one) & np.isfinite(times_s))
        order = rows[np.argsort(times_s[rows], kind="stable")]
        times = np.asarray(times_s, np.float64)[order]
        if len(times):
            span_s += max(float(times[-1] - times[0]), window_ms / 1000)
            marked[order] = _crowded(times, place[order], len(electrodes), window_ms / 1000, least)
    return Coincidence(marked, chance_rate_hz(np.bincount(place[~marked]), span_s, window_ms, least, total))


def _crowded(times: NDArray[np.float64], place: NDArray[np.int64], n_places: int, window_s: float, least: int) -> Mask:
    """Mark events that belong to a window, 2 `window_s` long, in which `least` channels fire."""
    low = np.searchsorted(times, times - window_s)
    high = np.searchsorted(times, times + window_s, "right")
    crowded = np.zeros(len(times), bool)
    # Fewer events than channels asked for cannot be on enough of them: only the rest is counted one by one.
    for row in np.flatnonzero(high - low >= least):
        crowded[row] = np.count_nonzero(np.bincount(place[low[row] : high[row]], minlength=n_places)) >= least
    return crowded


def chance_rate_hz(
    counts: NDArray[Any], span_s: float, window_ms: float, least: int, n_channels: int | None = None
) -> float:
    """Return how many events per second find `least` channels around them by chance alone.

    Channels are taken as independent Poisson trains; the number of others that fire in the window is binomial with
    their mean probability, which is never less in the tail than with the probabilities themselves.
    """
    total = len(counts) if n_channels is None else n_channels
    if span_s <= 0 or total < 2:
        return 0.0
    rates = np.asarray(counts, np.float64) / span_s
    fires = 1 - np.exp(-rates * 2 * window_ms / 1000)
    return float(rates.sum() * binom.sf(least - 2, total - 1, fires.sum() / total))


def doublets(times_s: NDArray[Any], channel: NDArray[Any], segment: NDArray[Any], dead_ms: float = 0.8) -> Mask:
    """Mark events that follow another of their channel sooner than any cell can fire twice: one spike taken again.

    Parameters
    ----------
    times_s : ndarray, (n_spikes,)
        Seconds; NaN is never marked.
    channel, segment : ndarray, (n_spikes,)
        Electrode or unit; stretch of unbroken clock.
    dead_ms : float
        The time in which only the first event stays.

    """
    order = np.lexsort((times_s, channel, segment))
    times = np.asarray(times_s, np.float64)[order]
    same = (np.diff(np.asarray(channel)[order]) == 0) & (np.diff(np.asarray(segment)[order]) == 0)
    with np.errstate(invalid="ignore"):
        near = np.concatenate([[False], same & (np.diff(times) < dead_ms / 1000)])
    marked = np.zeros(len(order), bool)
    last = -np.inf
    for row in np.flatnonzero(near):
        first = times[row - 1] if not near[row - 1] else last
        last = times[row] if times[row] - first >= dead_ms / 1000 else first
        marked[order[row]] = last == first
    return marked


def flat_or_saturated(waveforms: NDArray[Any], rail_samples: int = 4) -> Mask:
    """Mark events without any shape, and those held at their own extremum for `rail_samples` samples or more.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples)
        Any unit; NaN where there is no sample.
    rail_samples : int
        Equal neighbours at the extremum that no spike has; those at the window's ends are padding.

    """
    if waveforms.shape[-1] < 2 or not len(waveforms):
        return np.ones(len(waveforms), bool)
    low, high = np.fmin.reduce(waveforms, axis=-1), np.fmax.reduce(waveforms, axis=-1)
    flat = ~(high > low)
    held = np.zeros(len(waveforms), bool)
    inner = waveforms[:, 1:-1]
    for extremum in (low, high):
        at = inner == extremum[:, None]
        run = at[:, : at.shape[1] - rail_samples + 1].copy()
        for step in range(1, rail_samples):
            run &= at[:, step : at.shape[1] - rail_samples + 1 + step]
        held |= run.any(axis=1)
    return np.asarray(flat | held)


def outliers(waveforms: NDArray[Any], unit: NDArray[Any], tail: float = 1e-4, n_axes: int = 8) -> Mask:
    """Mark events that are far from their own unit.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples)
        Of one channel, any unit; NaN counts as the unit's mean.
    unit : ndarray, (n_spikes,)
        Unit of each event; noise (0) and units of fewer than 30 events are left alone.
    tail : float
        Share of a clean unit's events that would be marked.
    n_axes : int
        Main directions of the unit's scatter that are looked at.

    """
    marked = np.zeros(len(unit), bool)
    for one in np.unique(unit[unit > 0]):
        rows = np.flatnonzero(unit == one)
        if len(rows) < 30:
            continue
        own = np.asarray(waveforms[rows], np.float64)
        centre = np.nan_to_num(np.nanmedian(own, axis=0))
        away = np.where(np.isfinite(own), own, centre) - centre
        # The scatter of the inner half: the outliers themselves must not widen it.
        distance = (away**2).sum(axis=1)
        inner = away[distance <= np.median(distance)]
        _, _, axes = np.linalg.svd(inner, full_matrices=False)
        projected = away @ axes[:n_axes].T
        spread = 1.4826 * np.median(np.abs(projected), axis=0) + 1e-12
        squared = ((projected / spread) ** 2).sum(axis=1)
        rest = ((away - projected @ axes[:n_axes]) ** 2).sum(axis=1)
        marked[rows] = _far(squared, tail) | _far(rest, tail)
    return marked


def _far(squared: NDArray[np.float64], tail: float) -> Mask:
    """Mark squared distances beyond a chi-squared tail whose centre and width are those of the inner half."""
    from scipy.stats import norm

    root = np.cbrt(np.maximum(squared, 0))  # nearly normal, whatever the degrees of freedom
    middle = np.median(root)
    width = 1.4826 * np.median(np.abs(root - middle))
    return np.asarray(root > middle + norm.isf(tail) * width) if width > 0 else np.zeros(len(squared), bool)


def in_epochs(times_s: NDArray[Any], epochs_s: Sequence[tuple[float, float]]) -> Mask:
    """Mark events in any of the epochs [start, end) in seconds, such as stimulation or chewing."""
    marked = np.zeros(len(times_s), bool)
    for start, end in epochs_s:
        marked |= (times_s >= start) & (times_s < end)
    return marked
