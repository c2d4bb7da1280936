"""When simulated cells fire and how large each spike is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw_train(
    rng: np.random.Generator, rate_hz: float, duration_s: float, *, bursty: bool
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the times (s) of one cell and the size of each spike relative to the cell's own.

    Intervals are exponential after a refractory period of 1.5-3 ms. Spikes of a burst follow 3-9 ms apart and shrink;
    sizes vary by 4-9 % and drift by up to a quarter over the recording.
    """
    refractory_s = rng.uniform(0.0015, 0.003)
    starts = rate_hz / 1.6 if bursty else rate_hz
    n_draws = int(duration_s * starts + 6 * np.sqrt(duration_s * starts) + 8)
    mean_s = max(1 / starts - refractory_s, 1e-4)
    times = np.cumsum(refractory_s + rng.exponential(mean_s, n_draws))
    size = np.ones(n_draws)
    if bursty:
        times, size = _with_bursts(rng, times)
        apart = np.diff(times, prepend=-1.0) > refractory_s
        times, size = times[apart], size[apart]
    inside = times < duration_s
    times, size = times[inside], size[inside]
    drift = rng.uniform(-0.25, 0.25) * (times / duration_s - 0.5) if rng.random() < 0.6 else 0.0
    drift = drift + rng.uniform(0, 0.06) * np.sin(2 * np.pi * (times / duration_s * rng.uniform(0.5, 3) + rng.random()))
    size = size * (1 + drift) * np.exp(rng.normal(0, rng.uniform(0.04, 0.09), len(times)))
    return times, size.astype(np.float32)


def _with_bursts(
    rng: np.random.Generator, starts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    extra = np.where(rng.random(len(starts)) < 0.35, rng.integers(1, 4, len(starts)), 0)
    place = np.arange(4)[None, :]
    taken = place <= extra[:, None]
    gaps = np.where(place > 0, rng.uniform(0.003, 0.009, (len(starts), 4)), 0.0)
    times = starts[:, None] + np.cumsum(gaps, axis=1)
    size = np.broadcast_to(rng.uniform(0.8, 0.93) ** place, times.shape)
    order = np.argsort(times[taken])
    return times[taken][order], size[taken][order]
