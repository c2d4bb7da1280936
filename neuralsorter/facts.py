"""What is known of an event beside its shape: size, likeness to what is typical on the channel, likeness to noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz

from .context import Typical
from .kernel import fast_kernel
from .waveforms import COMMON_PRE, COMMON_SAMPLES, Common, Seen

N_FACTS = 24
_CORE = (8, 40)  # samples of the common window in which a spike differs most from anything else
_QUIET = COMMON_PRE - 3  # the crossing itself begins about here
_LAGS = 16
_ROWS = 5_000  # events are enough to know the noise
_CALM_SD = 3.5
_LEAST_POWER = 0.06  # of the noise at any frequency, so that whitening never blows up rounding
_LARGEST = 0.98  # of a squashed value, 294 SD
_FEW = 8  # events that make no template
_SCALES = (0.7, 1.25)
_BLOCK = 2048


def colour(common: Common, sigma: float, level: float) -> NDArray[np.float64]:
    """Return the autocorrelation of a channel's noise at lags of 0 to 59 samples, from quiet stretches of its events.

    Parameters
    ----------
    common : Common
        Events in the common window.
    sigma, level : float
        As `waveforms.quiet` returns them.

    """
    found = np.zeros(COMMON_SAMPLES)
    found[0] = 1.0
    inside = np.flatnonzero(common.mask.min(axis=0) > 0)
    before = inside[inside < _QUIET]
    places = before if len(before) >= 8 else inside[-_LAGS:]
    if len(places) < 4 or not len(common.values):
        return found
    rows = common.values[:: -(-len(common.values) // _ROWS)]
    calm = (rows[:, places] - np.float32(level)) / np.float32(sigma)
    quiet = np.abs(calm).max(axis=1) < _CALM_SD
    calm = np.clip(calm[quiet] if np.count_nonzero(quiet) > 50 else calm, -4, 4)
    lags = min(len(places), _LAGS)
    products = np.array([np.mean(calm[:, lag:] * calm[:, : len(places) - lag]) for lag in range(lags)])
    fade = np.clip((lags - np.arange(lags)) / 6, 0, 1)  # the longest lags are known least
    found[:lags] = products / max(float(products[0]), 1e-6) * fade
    found[0] = 1.0
    return found


def facts(events: Seen, alike: Typical, noise: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what is known of each event of one channel, (n_spikes, N_FACTS), in numbers of about one.

    Parameters
    ----------
    events : Seen
        Events as a network sees them.
    alike : Typical
        Their groups.
    noise : ndarray, (60,)
        Autocorrelation of the noise, see `colour`.

    """
    n_spikes = len(events.values)
    out = np.zeros((n_spikes, N_FACTS), np.float32)
    if not n_spikes:
        return out
    power, axes = np.linalg.eigh(toeplitz(noise))
    whitener = ((axes / np.sqrt(np.maximum(power, _LEAST_POWER))) @ axes.T).astype(np.float32)
    crossing = noise[np.abs(np.arange(COMMON_SAMPLES) - COMMON_PRE)].astype(np.float32)
    counts = np.bincount(alike.group, minlength=len(alike.mean))
    means = _unsquashed(np.ascontiguousarray(alike.mean[:, :COMMON_SAMPLES]))
    white_means = means @ whitener
    # Groups of a few events are no template: anything resembles itself.
    place = np.flatnonzero(counts >= _FEW) if (counts >= _FEW).any() else np.arange(len(means))
    templates = np.ascontiguousarray(white_means[place].T)
    of_group = _group_facts(means, white_means, crossing, counts)
    squares = (templates * templates).sum(axis=0) + np.float32(1e-6)
    best = np.empty(n_spikes, np.int64)
    for start in range(0, n_spikes, _BLOCK):
        rows = slice(start, start + _BLOCK)
        x = _unsquashed(events.values[rows])
        white = x @ whitener
        _event_facts(
            x, white, events.masks, events.which[rows], means, white_means, alike.group[rows], crossing,
            white @ templates, squares, place, out[rows], best[rows],
        )  # fmt: skip
    within = np.bincount(alike.group, out[:, 7], len(means)) / np.maximum(counts, 1)
    out[:, 0] = events.values[:, COMMON_SAMPLES]
    out[:, 1:5] = of_group[alike.group]
    out[:, 5] = within[alike.group]
    out[:, 6] = counts[alike.group] / n_spikes
    out[:, 17:21] = of_group[best]
    out[:, 21] = within[best]
    out[:, 22] = np.log1p(n_spikes) / 8
    out[:, 23] = noise[2]
    return out


def _group_facts(
    means: NDArray[np.float32], white: NDArray[np.float32], crossing: NDArray[np.float32], counts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return of each group its number, how far its mean is from a crossing of noise, its power and its size."""
    core = slice(*_CORE)
    apart = means - means[:, COMMON_PRE, None] * crossing
    return np.column_stack(
        [
            np.log1p(counts) / 8,
            np.log(1e-3 + (apart[:, core] ** 2).mean(axis=1)) / 4,
            np.log1p((white[:, core] ** 2).mean(axis=1)) / 2,
            np.log1p(np.abs(means[:, COMMON_PRE])) / 3,
        ]
    ).astype(np.float32)


@fast_kernel
def _unsquashed(values: Any) -> Any:  # pragma: no cover - compiled
    """Return noise SDs, (n, 60), of squashed values."""
    out = np.empty((values.shape[0], 60), np.float32)
    for row in range(values.shape[0]):
        for i in range(60):
            v = values[row, i]
            out[row, i] = np.float32(6.0) * v / (np.float32(1.0) - min(abs(v), np.float32(_LARGEST)))
    return out


@fast_kernel
def _event_facts(  # pragma: no cover - compiled
    x: Any, white: Any, masks: Any, which: Any, means: Any, white_means: Any, group: Any, crossing: Any,
    product: Any, squares: Any, place: Any, out: Any, best: Any,
) -> None:  # fmt: skip
    low, high = np.float32(_SCALES[0]), np.float32(_SCALES[1])
    for row in range(x.shape[0]):
        own, seen, values, whitened = group[row], masks[which[row]], x[row], white[row]
        apart = whole = white_apart = from_noise = power = total = seen_core = seen_all = largest = np.float32(0.0)
        size = values[COMMON_PRE]
        for i in range(60):
            d = (values[i] - means[own, i]) * seen[i]
            whole += d * d
            seen_all += seen[i]
            total += whitened[i] * whitened[i]
            largest = max(largest, abs(values[i]))
        for i in range(_CORE[0], _CORE[1]):
            d = (values[i] - means[own, i]) * seen[i]
            apart += d * d
            w = (whitened[i] - white_means[own, i]) * seen[i]
            white_apart += w * w
            f = (values[i] - size * crossing[i]) * seen[i]
            from_noise += f * f
            power += whitened[i] * whitened[i] * seen[i]
            seen_core += seen[i]
        gain, at, scale = np.float32(-1e30), 0, np.float32(1.0)
        for t in range(product.shape[1]):
            p, s = product[row, t], squares[t]
            a = min(max(p / s, low), high)
            g = a * (p - np.float32(0.5) * a * s)
            if g > gain:
                gain, at, scale = g, t, a
        best[row] = place[at]
        seen_core, seen_all = max(seen_core, np.float32(1.0)), max(seen_all, np.float32(1.0))
        out[row, 7] = np.log1p(apart / seen_core)
        out[row, 8] = np.log1p(whole / seen_all)
        out[row, 9] = np.log1p(white_apart / seen_core)
        out[row, 10] = np.log1p(from_noise / seen_core)
        out[row, 11] = np.log1p(power / seen_core) / 2
        out[row, 12] = np.log1p(max(gain, np.float32(0.0))) / 4
        out[row, 13] = np.log1p(max(total - 2 * gain, np.float32(0.0)) / 60)
        out[row, 14] = scale
        out[row, 15] = np.log1p(largest) / 4
        out[row, 16] = seen_all / 60
