"""From waveforms to the points that are clustered: filled, aligned, on their principal axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NOTHING = 1e-9  # of the largest variance: an axis with less holds nothing


def fill(waveforms: NDArray[Any]) -> NDArray[np.float32]:
    """Return waveforms whose missing samples (NaN) hold the nearest known one, 0 where none is known."""
    missing = ~np.isfinite(waveforms)
    if not missing.any():
        return np.asarray(waveforms, np.float32)
    wave = np.array(waveforms, np.float32)
    flat, gaps = wave.reshape(-1, wave.shape[-1]), missing.reshape(-1, wave.shape[-1])
    for row in np.flatnonzero(gaps.any(axis=1)):
        known = np.flatnonzero(~gaps[row])
        flat[row] = np.interp(np.arange(flat.shape[1]), known, flat[row, known]) if len(known) else 0.0
    return flat.reshape(wave.shape)


def slopes(waves: NDArray[Any]) -> NDArray[np.float64]:
    """Return by how much waveforms (n, d) change when they move by a sample, (n, d)."""
    return np.gradient(waves, axis=1) if waves.shape[1] > 1 else np.zeros_like(waves)


def principal_axes(points: NDArray[Any], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean (d,) of points (n, d) and at most `most` principal axes (d, a), only those with variance."""
    centre = points.mean(axis=0)
    centred = points - centre
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(points), 1))
    order = np.argsort(values)[::-1][:most]
    return centre, vectors[:, order[values[order] > _NOTHING * max(float(values.max()), 1e-300)]]
