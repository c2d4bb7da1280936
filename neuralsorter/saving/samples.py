"""Waveforms for formats that have no word for a missing sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def held(waveforms: NDArray[Any]) -> tuple[NDArray[Any], list[str]]:
    """Return waveforms with NaN at the edges replaced by the nearest sample, and a note if there were any.

    Parameters
    ----------
    waveforms : ndarray, (..., n_samples), float
        µV.

    """
    missing = np.isnan(waveforms)
    if not missing.any():
        return waveforms, []
    index = np.where(missing, -1, np.arange(waveforms.shape[-1]))
    index = np.maximum.accumulate(index, axis=-1)
    first = np.argmin(missing, axis=-1, keepdims=True)
    filled = np.take_along_axis(waveforms, np.where(index < 0, first, index), axis=-1)
    return filled, ["This format does not hold missing samples: the nearest sample was repeated; .npz keeps them."]


def in_bits(waveforms: NDArray[Any], uv_per_bit: float) -> tuple[NDArray[np.int16], list[str]]:
    """Return µV as int16 at one scale, and what that cost."""
    filled, notes = held(waveforms)
    return np.clip(np.round(filled / uv_per_bit), -32768, 32767).astype(np.int16), notes
