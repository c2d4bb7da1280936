"""Labelled events as a network sees them, varied as recordings vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .context import typical
from .facts import colour, facts
from .waveforms import Common, quiet, seen, to_common


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled events, one row each.

    Attributes
    ----------
    values : ndarray, (n, 120 + n_facts), float32
        60 values of the event, 60 of what is typical, and its facts, side by side.
    mask : ndarray, (n, 60), float32
        1 where the source has samples.
    label : ndarray, (n,), float32
        1 spike, 0 noise.
    group : ndarray, (n,), int64
        Events of one group are never split between training and test.

    """

    values: NDArray[np.float32]
    mask: NDArray[np.float32]
    label: NDArray[np.float32]
    group: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> Examples:
        """Return the examples at `rows`, positions or a mask."""
        return Examples(self.values[rows], self.mask[rows], self.label[rows], self.group[rows])


def join(parts: list[Examples]) -> Examples:
    """Return all examples of several sets."""
    return Examples(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("values", "mask", "label", "group"))
    )


def as_they_are(
    waveforms: NDArray[Any], sampling_rate: float, pre_samples: int, label: NDArray[Any], group: int
) -> Examples:
    """Return the events of one channel unvaried; arguments as for `varied`."""
    common = to_common(waveforms, sampling_rate, pre_samples)
    level, sigma = quiet(waveforms, pre_samples)
    return _examples(common, sigma, level, label, group)


def varied(
    waveforms: NDArray[Any],
    sampling_rate: float,
    pre_samples: int,
    label: NDArray[Any],
    group: int,
    *,
    rng: np.random.Generator,
) -> Examples:
    """Return the events of one channel as another set-up would have recorded them.

    The window is cut and shifted, the estimate of the noise is off, some channels have few events.

    Parameters
    ----------
    waveforms : ndarray, (n, n_samples)
        All labelled events of one channel, any unit.
    sampling_rate : float
        Hz.
    pre_samples : int
        Samples before the crossing.
    label : ndarray, (n,)
        1 spike, 0 noise.
    group : int
        See `Examples.group`.
    rng : numpy.random.Generator
        Source of the variation.

    """
    per_ms = sampling_rate / 1000
    if rng.random() < 0.4:  # a short recording, or a quiet channel
        few = rng.permutation(len(waveforms))[: int(np.exp(rng.uniform(np.log(4), np.log(len(waveforms) + 4))))]
        waveforms, label = waveforms[few], np.asarray(label)[few]
    first = max(pre_samples - round(rng.uniform(0.25, 1.1) * per_ms), 0)
    last = min(pre_samples + round(rng.uniform(0.7, 2.1) * per_ms), waveforms.shape[1])
    shown = waveforms[:, first:last]
    pre = pre_samples - first
    level, sigma = quiet(shown, pre)
    level += sigma * rng.normal(0, 0.15)
    sigma *= float(np.exp(rng.normal(0, 0.12)))
    common = to_common(shown, sampling_rate, pre, shift_s=rng.uniform(-0.22e-3, 0.22e-3))
    return _examples(common, sigma, level, label, group)


def _examples(common: Common, sigma: float, level: float, label: NDArray[Any], group: int) -> Examples:
    events = seen(common, sigma, level)
    alike = typical(events.values)
    known = facts(events, alike, colour(common, sigma, level))
    count = len(events.values)
    values = np.concatenate([events.values[:, :60], alike.of_each[:, :60], known], axis=1)
    return Examples(values, events.mask, np.asarray(label, np.float32), np.full(count, group, np.int64))
