"""Compare curations.

How far two assignments of the same events to units agree, unit by unit: yours, and another person's or, where there is
none, each event's unit before its last change.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from neuralsorter import Spikes


def run(spikes: Spikes, other: Spikes) -> pd.DataFrame | str:
    """Return a row per unit: its best match, and the agreement with it."""
    if len(other) != len(spikes):
        return (
            f"The other curation has {len(other):,} events and yours {len(spikes):,}. Both must be of the same events."
        )
    tables = [
        compared(spikes.unit[rows], other.unit[rows]).assign(channel=int(channel))
        for channel in np.unique(spikes.channel)
        for rows in [np.flatnonzero(spikes.channel == channel)]
    ]
    if not tables:
        return "No event is shown."
    table = pd.concat(tables, ignore_index=True)
    return table[["channel", "unit", "events", "match", "match_events", "common", "agreement", "precision", "recall"]]


def compared(units: NDArray[np.int32], others: NDArray[np.int32]) -> pd.DataFrame:
    """Match the units of one channel so that the most events agree; agreement is common / (either of the two)."""
    own, row = np.unique(units, return_inverse=True)
    theirs, place = np.unique(others, return_inverse=True)
    common = np.zeros((len(own), len(theirs)), np.int64)
    np.add.at(common, (row, place), 1)
    events, other_events = common.sum(axis=1), common.sum(axis=0)
    rows, places = linear_sum_assignment(common, maximize=True)
    partner = dict(zip(rows.tolist(), places.tolist(), strict=True))
    found = []
    for i, unit in enumerate(own.tolist()):
        j = partner.get(i)
        both = int(common[i, j]) if j is not None else 0
        size = int(other_events[j]) if j is not None and both else 0
        found.append(
            {
                "unit": unit,
                "events": int(events[i]),
                "match": int(theirs[j]) if j is not None and both else -1,
                "match_events": size,
                "common": both,
                "agreement": both / (int(events[i]) + size - both),
                "precision": both / size if size else 0.0,
                "recall": both / int(events[i]),
            }
        )
    return pd.DataFrame(found)
