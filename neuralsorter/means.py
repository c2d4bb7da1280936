"""Mean and spread of the waveforms of each unit, in one pass over the data as stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernel import kernel


@dataclass(frozen=True, eq=False)
class UnitMeans:
    """Waveform statistics of each unit present.

    Attributes
    ----------
    units : ndarray, (n_units,)
        Unit numbers, ascending.
    count : ndarray, (n_units,)
        Events.
    mean, sd : ndarray, (n_units, n_samples), float64
        µV; NaN where no event has the sample, `sd` 0 for a single event.

    """

    units: NDArray[np.int64]
    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]


def unit_means(raw: NDArray[Any], unit: NDArray[np.integer[Any]], uv_per_bit: float = 1.0) -> UnitMeans:
    """Return mean and standard deviation of the waveforms of each unit.

    Parameters
    ----------
    raw : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples), int16 or float32
        Waveforms as stored; several channels are laid end to end. NaN samples are left out.
    unit : ndarray, (n_spikes,)
        Unit of each event.
    uv_per_bit : float
        µV per unit of `raw`.

    """
    flat = raw.reshape(len(raw), int(np.prod(raw.shape[1:])))
    units, count = np.unique(unit, return_counts=True)
    place = np.searchsorted(units, unit).astype(np.int64)
    first, total, squares = _moments(flat, place, len(units))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / first
        sd = np.sqrt(np.maximum(squares / first - mean**2, 0.0))
    return UnitMeans(units.astype(np.int64), count.astype(np.int64), mean * uv_per_bit, sd * uv_per_bit)


@kernel
def _moments(
    flat: NDArray[Any], place: NDArray[np.int64], n_units: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    n_samples = flat.shape[1]
    n, total = np.zeros((n_units, n_samples)), np.zeros((n_units, n_samples))
    squares = np.zeros((n_units, n_samples))
    for i in range(len(flat)):
        u = place[i]
        for k in range(n_samples):
            value = np.float64(flat[i, k])
            if value == value:  # noqa: PLR0124 - false for NaN only
                n[u, k] += 1
                total[u, k] += value
                squares[u, k] += value * value
    return n, total, squares
