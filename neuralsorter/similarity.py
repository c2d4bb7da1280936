"""How alike the mean waveforms of units are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def similarity(means: NDArray[Any]) -> NDArray[np.float64]:
    """Return how alike waveforms are in shape and size, (n_units, n_units): 1 the same, 0 as far apart as opposites.

    Parameters
    ----------
    means : ndarray, (n_units, n_samples)
        µV; NaN samples are left out of the comparison.

    Notes
    -----
    1 - |a - b| / (|a| + |b|), with Euclidean lengths. Unlike a correlation it tells two units of one shape and
    different sizes apart.

    """
    flat = np.nan_to_num(np.asarray(means, np.float64).reshape(len(means), -1))
    size = np.linalg.norm(flat, axis=1)
    apart = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    both = size[:, None] + size[None]
    return np.asarray(1 - np.divide(apart, both, out=np.zeros_like(apart), where=both > 0))
