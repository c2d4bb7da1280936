"""Sorting: the events of each channel into units, their number found without being told."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter import batch, plugins
from neuralsorter.errors import DataError, PluginError
from neuralsorter.plugins import Sorter
from neuralsorter.spikes import NOISE, Spikes

from .channel import sort_channel, stability
from .result import SortResult
from .sorters import AutoencoderGmm, Hdbscan, IsoSplit, PcaGmm
from .suggestions import match_units, merge_suggestions, split_suggestions

BUNDLED: dict[str, type[Sorter]] = {
    "autoencoder_gmm": AutoencoderGmm,
    "pca_gmm": PcaGmm,
    "isosplit6": IsoSplit,
    "hdbscan": Hdbscan,
}
DEFAULT = "autoencoder_gmm"

__all__ = [
    "BUNDLED",
    "DEFAULT",
    "AutoencoderGmm",
    "SortResult",
    "match_units",
    "merge_suggestions",
    "sort",
    "sort_channel",
    "split_suggestions",
    "stability",
]

_BETWEEN_FILES_S = (
    1000.0  # between two experiments or clock restarts of a channel: nothing is close in time across them
)


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
    chosen = _sorter(sorter)
    units = spikes.unit.astype(np.int64)
    wanted = _mask(rows, len(spikes)) & (spikes.unit != NOISE)
    order = np.flatnonzero(wanted)
    order = order[np.argsort(spikes.channel[order], kind="stable")]
    starts = np.flatnonzero(np.diff(spikes.channel[order], prepend=np.iinfo(np.int64).min))
    groups = np.split(order, starts[1:]) if len(order) else []
    tasks = ((chosen, spikes.take(group), seed) for group in groups)
    for index, labels in batch.map_channels(_sort_group, tasks, jobs, progress, cancel, total=len(groups)):
        group = groups[index]
        others = spikes.unit[(spikes.channel == spikes.channel[group[0]]) & ~wanted]
        units[group] = _free_numbers(int(labels.max()) + 1, set(others.tolist()))[labels]
    return units


def _sorter(sorter: str | Sorter | None) -> Sorter:
    if isinstance(sorter, Sorter):
        return sorter
    name = sorter or DEFAULT
    made: Sorter = (BUNDLED.get(name) or plugins.get("sorters", name))()
    return made


def _mask(rows: ArrayLike | None, n: int) -> NDArray[np.bool_]:
    if rows is None:
        return np.ones(n, bool)
    index = np.asarray(rows)
    if index.dtype == bool and index.shape != (n,):
        raise DataError(f"A mask of rows must have one value per event, {n}. Got {index.shape}.")
    mask = np.zeros(n, bool)
    mask[index.astype(np.int64) if index.size == 0 else index] = True
    return mask


def _free_numbers(count: int, taken: set[int]) -> NDArray[np.int64]:
    number = 0
    free: list[int] = []
    while len(free) < count:
        number += 1
        if number not in taken:
            free.append(number)
    return np.array(free, np.int64)


def _sort_group(task: tuple[Sorter, Spikes, int]) -> NDArray[np.int64]:
    """Sort the events of one channel; outliers, -1, go to the nearest unit by mean waveform."""
    sorter, events, seed = task
    waveforms = events.waveforms
    if isinstance(sorter, AutoencoderGmm):
        times_s = clock(events)
        return sorter.sort_fully(waveforms, times_s, events.sampling_rate, events.pre_samples, seed).labels
    labels = np.asarray(sorter.sort(waveforms, clock(events), events.sampling_rate, events.pre_samples, seed))
    if labels.shape != (len(events),) or (len(labels) and labels.min() < -1):
        raise PluginError(
            f"{type(sorter).__name__}.sort must return a label per event, 0..k-1 or -1, {len(events)} in all."
            f" Got {labels.shape}."
        )
    return _likeliest(waveforms, labels.astype(np.int64))


def clock(events: Spikes) -> NDArray[np.float64]:
    """Return times in s on one clock, (n_spikes,): experiments and clock restarts one after the other, far apart."""
    times = events.times_s.copy()
    start = 0.0
    for part in np.unique(np.c_[events.experiment, events.segment], axis=0):
        inside = (events.experiment == part[0]) & (events.segment == part[1])
        known = times[inside & np.isfinite(times)]
        if len(known):
            times[inside] += start - known.min()
            start += float(np.ptp(known)) + _BETWEEN_FILES_S
    return times


def _likeliest(waveforms: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.unique(labels[labels >= 0])
    if len(found) == 0:
        return np.zeros(len(labels), np.int64)
    numbered = np.searchsorted(found, labels)
    stray = labels < 0
    if stray.any():
        flat = np.nan_to_num(waveforms.reshape(len(waveforms), -1))
        means = np.stack([flat[labels == unit].mean(axis=0) for unit in found])
        distance = np.square(flat[stray][:, None, :] - means[None]).sum(axis=2)
        numbered[stray] = distance.argmin(axis=1)
    return numbered
