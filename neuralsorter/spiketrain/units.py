"""The events of each unit of each channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralsorter.spikes import NOISE, Spikes


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Where the events of one unit of one channel are in a table."""

    channel: int
    unit: int
    name: str
    rows: NDArray[np.int64]


def each_unit(spikes: Spikes) -> Iterator[UnitRows]:
    """Yield each unit of each channel, noise left out. The name tells the channel where there are several."""
    rows = np.flatnonzero(spikes.unit > NOISE)
    key = spikes.channel[rows].astype(np.int64) << 32 | spikes.unit[rows].astype(np.int64)
    order = np.argsort(key, kind="stable")
    key, rows = key[order], rows[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1 if not len(key) else key[0] - 1))
    several = len(np.unique(spikes.channel[rows[starts]])) > 1
    for group in np.split(rows, starts[1:]) if len(rows) else ():
        channel, unit = int(spikes.channel[group[0]]), int(spikes.unit[group[0]])
        yield UnitRows(channel, unit, f"channel {channel} unit {unit}" if several else f"unit {unit}", group)
