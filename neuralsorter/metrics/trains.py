"""Quality of a unit from its times: refractory violations, what they say of contamination, and presence.

`dead_time_s` is how long the detector is blind after an event: violations can only be seen between it and the
refractory period, so every estimate divides by what is left of the period.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, pdtr

from neuralsorter.spiketrain import autocorrelogram, intervals

Times = NDArray[np.float64]
Numbers = NDArray[np.int64]

_CONTAMINATIONS = np.arange(0.5, 35.5, 0.5) / 100
_SLIDING_BIN_S, _SLIDING_FROM_S, _SLIDING_TO_S = 0.00025, 0.0005, 0.010


def poisson_interval(count: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact (Garwood) confidence interval of the mean of a Poisson count."""
    tail = (1 - confidence) / 2
    low = gammaincinv(count, tail) if count > 0 else 0.0
    return float(low), float(gammaincinv(count + 1, 1 - tail))


def n_short_intervals(times_s: Times, stretch: Numbers, below_s: float) -> int:
    """Count the intervals between consecutive events shorter than `below_s`."""
    return int((intervals(times_s, stretch) < below_s).sum())


def n_close_pairs(times_s: Times, stretch: Numbers, within_s: float, sampling_rate: float) -> int:
    """Count all pairs of events at most `within_s` apart, to the sample."""
    within = round(within_s * sampling_rate)
    n_pairs = 0
    for one in np.unique(stretch):
        samples = np.sort(np.rint(times_s[stretch == one] * sampling_rate).astype(np.int64))
        n_pairs += int((np.searchsorted(samples, samples + within, "right") - np.arange(1, len(samples) + 1)).sum())
    return n_pairs


def violation_ratio(n_short: float, n_events: int, duration_s: float, refractory_s: float, dead_time_s: float) -> float:
    """Return the rate of violations over the unit's rate (Hill et al. 2011): 1 and more means as bad as no unit."""
    seen_s = 2 * n_events * (refractory_s - dead_time_s)
    if not n_events or duration_s <= 0 or seen_s <= 0:
        return np.nan
    return (n_short / seen_s) / (n_events / duration_s)


def contamination(n_pairs: float, n_events: int, duration_s: float, refractory_s: float, dead_time_s: float) -> float:
    """Return the share of events of other neurons (Llobet, Wyngaard and Barbour 2022), 1 where no share explains it."""
    if n_events <= 1 or duration_s <= 0 or refractory_s <= dead_time_s:
        return np.nan
    seen_s = n_events**2 * (refractory_s - dead_time_s)
    left = 1 - n_pairs * (duration_s - 2 * n_events * dead_time_s) / seen_s
    return 1 - float(np.sqrt(left)) if left >= 0 else 1.0


def with_interval(estimate: Callable[[float], float], count: int) -> tuple[float, float, float]:
    """Return an estimate made of a Poisson count, and its 95 % confidence limits."""
    low, high = poisson_interval(count)
    return estimate(count), estimate(low), estimate(high)


def sliding_contamination(
    times_s: Times, stretch: Numbers, duration_s: float, sampling_rate: float, dead_time_s: float
) -> float:
    """Return the least contamination that some refractory period of 0.5 to 10 ms excludes with 90 % confidence."""
    step_s = max(1, int(_SLIDING_BIN_S * sampling_rate)) / sampling_rate
    n_bins = int(_SLIDING_TO_S / step_s)
    n_events = len(times_s)
    if n_events < 2 or duration_s <= 0 or n_bins < 1:
        return np.nan
    counts, _ = autocorrelogram(times_s, n_bins * step_s * 1000, step_s * 1000, sampling_rate, stretch)
    seen = np.cumsum(counts[n_bins:])
    edges = np.arange(n_bins + 1) * step_s
    usable = (edges[:-1] + edges[1:]) / 2 > max(_SLIDING_FROM_S, dead_time_s)
    others = (n_events * _CONTAMINATIONS)[:, None]
    own = n_events - others
    expected = 2 * (edges[1:] - dead_time_s).clip(0) / duration_s * others * (own + (others - 1) / 2)
    excluded = np.asarray(1 - pdtr(seen[None, :], expected) > 0.9)
    rows = np.flatnonzero(excluded[:, usable].any(axis=1))
    return float(_CONTAMINATIONS[rows[0]]) if len(rows) else np.nan


def presence_ratio(times_s: Times, stretch: Numbers, durations_s: dict[int, float], bin_s: float) -> float:
    """Return the share of whole bins of every stretch that hold an event; NaN where none fits."""
    n_bins = n_present = 0
    for one, duration_s in durations_s.items():
        n_whole = int(duration_s / bin_s + 1e-9)
        n_bins += n_whole
        index = np.floor(times_s[stretch == one] / bin_s).astype(np.int64)
        # The last bin is closed: an event at the very end belongs to it.
        index[(index == n_whole) & np.isclose(times_s[stretch == one], n_whole * bin_s)] -= 1
        n_present += len(np.unique(index[(index >= 0) & (index < n_whole)]))
    return n_present / n_bins if n_bins else np.nan
