"""What is known of an event beside its shape: size, likeness to what is typical on the channel, likeness to noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz

from . import overlaps
from .context import Typical
from .kernel import fast_kernel
from .overlaps import best_fit
from .waveforms import COMMON_PRE, COMMON_SAMPLES, Common, Seen

_OWN = 24  # facts of an event that one template explains
N_FACTS = _OWN + overlaps.N_FACTS
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
_LOGS = np.array([1, 1, 1, 1, 2, 4, 1, 4], np.float32)  # what the log of each distance or power is divided by
_LEFT = 6  # the one that says how much the best template leaves
# Mean and SD of each fact over the training recordings: a network learns slowly from numbers of unequal size.
_MEAN = np.array([
    0.47, 0.43, 0.29, 0.73, 0.62, 0.82, 0.04, 0.82, 0.80, 0.88, 1.88, 0.87, 0.97, 0.72, 0.99,
    0.48, 0.77, 0.44, 0.29, 0.70, 0.62, 0.73, 0.86, 0.69, 0.21, 0.38, 0.41, 0.20, 0.25, 0.38,
], np.float32)  # fmt: skip
_SD = np.array([
    0.15, 0.10, 0.42, 0.58, 0.17, 0.85, 0.06, 1.05, 1.04, 1.09, 1.34, 0.67, 0.41, 1.04, 0.18,
    0.15, 0.18, 0.09, 0.41, 0.55, 0.17, 0.74, 0.10, 0.14, 0.47, 1.01, 1.08, 0.45, 0.55, 1.01,
], np.float32)  # fmt: skip
_PER_SD = 1 / _SD


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
    """Return what is known of each event of one channel, (n_spikes, N_FACTS), in SDs from what is usual.

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
    shapes = overlaps.second_shapes(means[place], counts[place], whitener)
    best = np.empty(n_spikes, np.int64)
    powers = np.empty((n_spikes, len(_LOGS)), np.float32)
    for start in range(0, n_spikes, _BLOCK):
        rows = slice(start, start + _BLOCK)
        x = _unsquashed(events.values[rows])
        white = x @ whitener
        _event_facts(
            x, white, events.masks, events.which[rows], means, white_means, alike.group[rows], crossing,
            white @ templates, squares, place, powers[rows], out[rows], best[rows],
        )  # fmt: skip
        two = np.flatnonzero(powers[rows, _LEFT] > overlaps.UNEXPLAINED)
        if len(two):
            left = white[two] - out[rows][two, 14:15] * white_means[best[rows][two]]
            out[start + two, _OWN:] = overlaps.overlap_facts(white[two], left, shapes, templates, _SCALES)
    logs = np.log1p(powers, out=powers)  # all at once: many times faster than one by one
    logs /= _LOGS
    within = np.bincount(alike.group, logs[:, 0], len(means)) / np.maximum(counts, 1)
    whole = np.array([np.log1p(n_spikes) / 8, noise[2]], np.float32)  # of the channel
    group_facts = np.column_stack([of_group, within, counts / n_spikes]).astype(np.float32)
    _completed(events.values, group_facts, alike.group, best, whole, logs, out)
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
def _completed(  # pragma: no cover - compiled
    values: Any, of_group: Any, group: Any, best: Any, whole: Any, logs: Any, out: Any
) -> None:
    """Put together what is known of the event, its group, its best template and the channel, from what is usual."""
    for row in range(out.shape[0]):
        own, other = of_group[group[row]], of_group[best[row]]
        out[row, 0] = values[row, COMMON_SAMPLES]
        for i in range(6):
            out[row, 1 + i] = own[i]
        for i in range(7):
            out[row, 7 + i] = logs[row, i]
        out[row, 15] = logs[row, 7]
        for i in range(5):
            out[row, 17 + i] = other[i]
        out[row, 22] = whole[0]
        out[row, 23] = whole[1]
        for i in range(N_FACTS):
            out[row, i] = (out[row, i] - _MEAN[i]) * _PER_SD[i]


@fast_kernel
def _event_facts(  # pragma: no cover - compiled
    x: Any, white: Any, masks: Any, which: Any, means: Any, white_means: Any, group: Any, crossing: Any,
    product: Any, squares: Any, place: Any, powers: Any, out: Any, best: Any,
) -> None:  # fmt: skip
    low, high = np.float32(_SCALES[0]), np.float32(_SCALES[1])
    gains, inverse = np.empty(product.shape[1], np.float32), np.float32(1.0) / squares
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
        gain, at, scale = best_fit(product[row], squares, inverse, low, high, gains)
        best[row] = place[at]
        seen_core, seen_all = max(seen_core, np.float32(1.0)), max(seen_all, np.float32(1.0))
        powers[row, 0] = apart / seen_core
        powers[row, 1] = whole / seen_all
        powers[row, 2] = white_apart / seen_core
        powers[row, 3] = from_noise / seen_core
        powers[row, 4] = power / seen_core
        powers[row, 5] = max(gain, np.float32(0.0))
        powers[row, 6] = max(total - 2 * gain, np.float32(0.0)) / 60
        powers[row, 7] = largest
        out[row, 14] = scale
        out[row, 16] = seen_all / 60
