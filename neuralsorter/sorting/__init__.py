"""Sorting: the events of each channel into units, their number found without being told."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter import batch
from neuralsorter.plugins import Sorter
from neuralsorter.spikes import Spikes

from .channel import sort_channel, stability
from .channels import (
    BUNDLED,
    DEFAULT,
    ChannelSort,
    clock,
    groups_of,
    labels_of,
    made,
    sort_channels,
    stability_of,
)
from .matching import Match, like, match_units
from .numbering import stable_units
from .result import SortResult
from .sorters import AutoencoderGmm
from .splits import SplitSuggestion, split_suggestions
from .strays import strays
from .suggestions import MergeSuggestion, merge_suggestions

__all__ = [
    "BUNDLED",
    "DEFAULT",
    "AutoencoderGmm",
    "ChannelSort",
    "Match",
    "MergeSuggestion",
    "SortResult",
    "SplitSuggestion",
    "clock",
    "like",
    "match_units",
    "merge_suggestions",
    "sort",
    "sort_channel",
    "sort_channels",
    "split_suggestions",
    "stability",
    "stability_of",
    "stable_units",
    "strays",
]


def sort(
    spikes: Spikes,
    *,
    sorter: str | Sorter | None = None,
    seed: int = 0,
    rows: ArrayLike | None = None,
    progress: batch.Progress | None = None,
    cancel: threading.Event | None = None,
    jobs: int = 1,
) -> NDArray[np.int64]:
    """Sort every channel anew; a channel that several experiments recorded is sorted as one.

    Parameters
    ----------
    spikes : Spikes
        Events in unit 0 are noise: they stay there, and nothing becomes noise.
    sorter : str or Sorter, optional
        A name, or a sorter with its parameters set. Default: the best one.
    seed : int
        The same seed gives the same units.
    rows : array_like, optional
        Rows or a mask of the events to sort; the others keep their unit, and new units get numbers they do not use.
    progress : callable, optional
        Called with (channels done, channels in all).
    cancel : threading.Event, optional
        Stops the work when set.
    jobs : int
        Processes to work in; the result does not depend on it.

    Returns
    -------
    ndarray, (n_spikes,), int64
        0 for noise, units 1.. within each channel. Outliers are in their likeliest unit.

    Raises
    ------
    PluginError
        When the sorter is unknown or broke its contract.
    Cancelled
        When `cancel` was set.

    """
    units = spikes.unit.astype(np.int64)
    groups = groups_of(spikes, rows)
    # A user's own sorter is found by its name wherever the work is done; its class could not travel.
    chosen = made(sorter)
    sent = sorter if isinstance(sorter, str) else chosen
    tasks = ((sent, spikes.take(group), seed) for group in groups)
    for index, labels in batch.map_channels(labels_of, tasks, jobs, progress, cancel, total=len(groups)):
        group = groups[index]
        others = spikes.channel == spikes.channel[group[0]]
        others[group] = False
        taken = set(spikes.unit[others].tolist())
        units[group] = _free_numbers(int(labels.max()) + 1, taken)[labels]
    return units


def _free_numbers(count: int, taken: set[int]) -> NDArray[np.int64]:
    number = 0
    free: list[int] = []
    while len(free) < count:
        number += 1
        if number not in taken:
            free.append(number)
    return np.array(free, np.int64)
