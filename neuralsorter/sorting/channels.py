"""Sorting of many channels, one by one, with all that the sorter says about each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter import batch, plugins
from neuralsorter.errors import DataError, PluginError
from neuralsorter.plugins import Sorter
from neuralsorter.spikes import NOISE, Spikes

from .channel import agreement
from .result import SortResult, without_probabilities
from .sorters import AutoencoderGmm, Hdbscan, IsoSplit, PcaGmm

BUNDLED: dict[str, type[Sorter]] = {
    "autoencoder_gmm": AutoencoderGmm,
    "pca_gmm": PcaGmm,
    "isosplit6": IsoSplit,
    "hdbscan": Hdbscan,
}
DEFAULT = "autoencoder_gmm"
_BETWEEN_FILES_S = (
    1000.0  # between two experiments or clock restarts of a channel: nothing is close in time across them
)


@dataclass(frozen=True)
class ChannelSort:
    """One channel sorted: which events, and what was found."""

    channel: int
    rows: NDArray[np.int64]  # of the table given
    result: SortResult


def sort_channels(
    spikes: Spikes,
    *,
    sorter: str | Sorter | None = None,
    seed: int = 0,
    rows: ArrayLike | None = None,
    progress: batch.Progress | None = None,
    cancel: threading.Event | None = None,
    jobs: int = 1,
) -> Iterator[ChannelSort]:
    """Yield the channels of `spikes`, each sorted anew; the arguments are those of `sort`.

    A sorter that gives labels alone yields results without probabilities. Events that it calls outliers are in the
    nearest unit and flagged.
    """
    chosen = made(sorter)
    groups = groups_of(spikes, rows)
    tasks = ((chosen, spikes.take(group), seed) for group in groups)
    for index, result in batch.map_channels(_sort_group, tasks, jobs, progress, cancel, total=len(groups)):
        yield ChannelSort(int(spikes.channel[groups[index][0]]), groups[index], result)


def groups_of(spikes: Spikes, rows: ArrayLike | None) -> list[NDArray[np.int64]]:
    """Return the rows to sort of each channel, noise left out."""
    order = np.flatnonzero(mask(rows, len(spikes)) & (spikes.unit != NOISE))
    order = order[np.argsort(spikes.channel[order], kind="stable")]
    starts = np.flatnonzero(np.diff(spikes.channel[order], prepend=np.iinfo(np.int64).min))
    return np.split(order, starts[1:]) if len(order) else []


def labels_of(task: tuple[str | Sorter, Spikes, int]) -> NDArray[np.int64]:
    """Return a label per event of one channel, 0..k-1."""
    sorter, events, seed = task
    return np.asarray(_sort_group((made(sorter), events, seed)).labels, np.int64)


def stability_of(found: ChannelSort, spikes: Spikes, sorter: str | Sorter | None, seed: int) -> NDArray[np.float64]:
    """Return how well each unit is found again with another `seed`, (n_units,): best F1, 0..1.

    `spikes` is the table that `found` was made from.
    """
    again = _sort_group((made(sorter), spikes.take(found.rows), seed))
    return agreement(found.result.labels, again.labels)


def made(sorter: str | Sorter | None) -> Sorter:
    """Return the sorter of a name; one that is made already is returned as it is."""
    if isinstance(sorter, Sorter):
        return sorter
    name = sorter or DEFAULT
    found: Sorter = (BUNDLED.get(name) or plugins.get("sorters", name))()
    return found


def mask(rows: ArrayLike | None, n: int) -> NDArray[np.bool_]:
    """Return rows, a mask or None (all) as a mask, (n,)."""
    if rows is None:
        return np.ones(n, bool)
    index = np.asarray(rows)
    if index.dtype == bool and index.shape != (n,):
        raise DataError(f"A mask of rows must have one value per event, {n}. Got {index.shape}.")
    wanted = np.zeros(n, bool)
    wanted[index.astype(np.int64) if index.size == 0 else index] = True
    return wanted


def _sort_group(task: tuple[Sorter, Spikes, int]) -> SortResult:
    """Sort the events of one channel; outliers, -1, go to the nearest unit by mean waveform."""
    sorter, events, seed = task
    waveforms = events.waveforms
    if isinstance(sorter, AutoencoderGmm):
        return sorter.sort_fully(waveforms, clock(events), events.sampling_rate, events.pre_samples, seed)
    labels = np.asarray(sorter.sort(waveforms, clock(events), events.sampling_rate, events.pre_samples, seed))
    if labels.shape != (len(events),) or (len(labels) and labels.min() < -1):
        raise PluginError(
            f"{type(sorter).__name__}.sort must return a label per event, 0..k-1 or -1, {len(events)} in all."
            f" Got {labels.shape}."
        )
    return without_probabilities(_likeliest(waveforms, labels.astype(np.int64)), labels < 0)


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
