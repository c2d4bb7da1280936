"""Kernels that pass over a block of events once: order by unit, extremes, troughs and peaks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel


@kernel
def order_by_unit(codes: NDArray[np.int32], low: int, high: int) -> tuple[Any, Any, Any]:
    """Return how many events each unit from low to high has, the events sorted by unit, and the group of each event.

    Events of a unit keep their order; groups number the units that have events.
    """
    counts = np.zeros(high - low + 1, np.int64)
    for code in codes:
        counts[code - low] += 1
    at, group = np.zeros(high - low + 2, np.int64), np.zeros(high - low + 2, np.int32)
    for i in range(len(counts)):
        at[i + 1] = at[i] + counts[i]
        group[i + 1] = group[i] + (1 if counts[i] > 0 else 0)
    order, groups = np.empty(len(codes), np.int32), np.empty(len(codes), np.int32)
    for i in range(len(codes)):
        unit = codes[i] - low
        order[at[unit]] = i
        groups[i] = group[unit]
        at[unit] += 1
    return counts, order, groups


@kernel
def extremes(
    raw: Any,
    rows: NDArray[np.int32],
    groups: NDArray[np.int32],
    begin: int,
    end: int,
    shift: NDArray[np.int16],
    reach: NDArray[np.int64],
    low: Any,
    high: Any,
) -> None:
    """Lower `low` and raise `high`, (n_groups, n_channels * n_positions), to hold the events rows[begin:end].

    rows: events begin to end if empty; groups: group of each in turn, all in group 0 if empty; reach: samples of a
    channel, its positions, the first position.
    """
    n_samples, n_positions, first = reach[0], reach[1], reach[2]
    n_channels = raw.shape[1] // max(n_samples, 1)
    for i in range(begin, end):
        event = rows[i] if rows.shape[0] else i
        group = groups[i] if groups.shape[0] else 0
        at = (shift[event] if shift.shape[0] else 0) - first
        for channel in range(n_channels):
            samples = raw[event, channel * n_samples : (channel + 1) * n_samples]
            lowest = low[group, channel * n_positions + at : channel * n_positions + at + n_samples]
            highest = high[group, channel * n_positions + at : channel * n_positions + at + n_samples]
            for k in range(samples.shape[0]):
                y = samples[k]
                lowest[k] = y if y < lowest[k] else lowest[k]  # noqa: FURB136 - NaN is passed over
                highest[k] = y if y > highest[k] else highest[k]  # noqa: FURB136


@kernel
def furthest(raw: Any, highest: Any) -> NDArray[np.int64]:
    """Return where each row is lowest, or highest, NaN left out, (n,)."""
    found = np.zeros(raw.shape[0], np.int64)
    for i in range(raw.shape[0]):
        best = np.float32(-np.inf)
        for k in range(raw.shape[1]):
            value = np.float32(raw[i, k])
            value = value if highest else -value
            if value > best:
                best, found[i] = value, k
    return found
