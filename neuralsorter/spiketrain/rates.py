"""Events per second, along a recording and around triggers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


def rate(
    times_s: ArrayLike,
    bin_s: float = 1.0,
    start_s: float = 0.0,
    stop_s: float | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
class Responses:
    """Events around triggers: for each, the trigger's number and the time after it in s."""

    trigger: NDArray[np.int64]
    lag_s: NDArray[np.float64]
    n_triggers: int

    def histogram(
        self, before_s: float, after_s: float, bin_s: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
