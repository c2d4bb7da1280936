"""Where to draw each electrode."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

UTAH = 10  # electrodes along a side


def places(channels: NDArray[np.integer], table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where to draw each channel, in steps of the smallest distance between electrodes.

    Parameters
    ----------
    channels : ndarray, (n_channels,), int
    table : DataFrame
        `spikes.channels`: id, x_um, y_um. Without positions the channels fill a square row by row, 10 by 10 for up
        to 100 of them: this is an order, not the place in the tissue.

    Returns
    -------
    x, y : ndarray, (n_channels,)

    """
    known = table.drop_duplicates("id").set_index("id").reindex(channels)[["x_um", "y_um"]].to_numpy(np.float64)
    if len(known) and np.isfinite(known).all():
        steps = [step for axis in known.T for step in np.diff(np.unique(axis)).tolist() if step > 0]
        step = min(steps, default=1.0)
        return known[:, 0] / step, known[:, 1] / step
    side = UTAH if len(channels) <= UTAH**2 else int(np.ceil(np.sqrt(len(channels))))
    side = min(side, max(len(channels), 1)) if len(channels) > UTAH else side
    position = np.arange(len(channels))
    return (position % side).astype(np.float64), -(position // side).astype(np.float64)
