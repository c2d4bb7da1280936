"""How many events each unit has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDEST = 65_536  # numbers from the lowest to the highest; a table of more would not be quicker than sorting


def tally(unit: NDArray[np.integer[Any]]) -> dict[int, int]:
    """Count the events of each unit that has any, ascending, whatever the numbers are.

    Parameters
    ----------
    unit : ndarray, (n,), int

    Returns
    -------
    dict
        Number of events by unit.

    Examples
    --------
    >>> tally(np.array([3, 0, 3]))
    {0: 1, 3: 2}

    """
    if not len(unit):
        return {}
    low, high = int(unit.min()), int(unit.max())
    if high - low >= WIDEST:
        units, counts = np.unique(unit, return_counts=True)
        return dict(zip(units.tolist(), counts.tolist(), strict=True))
    counts = np.bincount(unit - low)
    present = np.flatnonzero(counts)
    return dict(zip((present + low).tolist(), counts[present].tolist(), strict=True))
