"""Waveforms for formats that have no word for a missing sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def held(waveforms: NDArray[Any]) -> NDArray[Any]:
    """Return waveforms with NaN at the edges replaced by the nearest sample.

    Parameters
    ----------
    waveforms : ndarray, (..., n_samples), float
        µV.

    """
    missing = np.isnan(waveforms)
    if not missing.any():
        return waveforms
    index = np.where(missing, -1, np.arange(waveforms.shape[-1]))
    index = np.maximum.accumulate(index, axis=-1)
    first = np.argmin(missing, axis=-1, keepdims=True)
    return np.take_along_axis(waveforms, np.where(index < 0, first, index), axis=-1)


def in_bits(waveforms: NDArray[Any], uv_per_bit: float) -> NDArray[np.int16]:
    """Return µV as int16 at one scale."""
    return np.clip(np.round(held(waveforms) / uv_per_bit), -32768, 32767).astype(np.int16)
