"""Vendor unit codes: what a recorder calls unclassified and noise, and how it comes back on export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuralsorter.spikes import FIRST_UNIT, NOISE, Spikes

UNSORTED = "unsorted"


def from_vendor(
    channel: NDArray[np.int32], code: NDArray[np.int32], unclassified: int | None, noise: int | None
) -> tuple[NDArray[np.int32], dict[tuple[int, int], str]]:
    """Return units and labels for the codes of a file.

    Sorted units keep their number and noise becomes 0. Unclassified events become unit 1 where their channel has no
    sorted unit, else a fresh unit, and are labelled *unsorted* either way.

    Parameters
    ----------
    channel, code : ndarray, (n_spikes,), int32
        Electrode and vendor's code of each event.
    unclassified, noise : int or None
        The codes that mean so, None where the format has none.

    """
    is_noise = np.zeros(len(code), bool) if noise is None else code == noise
    unsorted = np.zeros(len(code), bool) if unclassified is None else code == unclassified
    return _number(channel, np.where(is_noise, NOISE, code), unsorted)


def to_vendor(spikes: Spikes, unclassified: int, noise: int) -> NDArray[np.int32]:
    """Return the code of each event: the label decides what is unclassified, unit 0 is noise."""
    unsorted = _is_unsorted(spikes)
    code = np.where(spikes.unit == NOISE, noise, spikes.unit)
    return np.where(unsorted, unclassified, code).astype(np.int32)


def agree(spikes: Spikes, own_labels: tuple[Mapping[tuple[int, int], str], ...]) -> Spikes:
    """Give the unsorted events of one channel the same unit in every experiment, clear of its sorted units.

    Parameters
    ----------
    spikes : Spikes
        Experiments put together, each still in units of its own file.
    own_labels : tuple of mapping
        The labels of each experiment alone.

    """
    unsorted = np.zeros(len(spikes), bool)
    merged: dict[tuple[int, int], str] = {}
    for number, labels in enumerate(own_labels):
        in_experiment = spikes.experiment == number
        for (channel, own), text in labels.items():
            if text == UNSORTED:
                unsorted |= in_experiment & (spikes.channel == channel) & (spikes.unit == own)
            else:
                merged.setdefault((channel, own), text)
    unit, fresh = _number(spikes.channel, spikes.unit, unsorted)
    return replace(spikes, unit=unit, labels=merged | fresh)


def _is_unsorted(spikes: Spikes) -> NDArray[np.bool_]:
    pairs = [pair for pair, text in spikes.labels.items() if text == UNSORTED]
    if not pairs:
        return np.zeros(len(spikes), bool)
    wanted = {_key(np.int64(channel), np.int64(unit)) for channel, unit in pairs}
    return np.isin(_key(spikes.channel.astype(np.int64), spikes.unit.astype(np.int64)), list(wanted))


def _key(channel: NDArray[np.int64] | np.int64, unit: NDArray[np.int64] | np.int64) -> NDArray[np.int64] | np.int64:
    return channel * 2**32 + unit


def _number(
    channel: NDArray[np.int32], unit: NDArray[np.int32], unsorted: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], dict[tuple[int, int], str]]:
    """Give the unsorted events of each channel unit 1, or one above its sorted units."""
    unit = unit.astype(np.int32, copy=True)
    if not unsorted.any():
        return unit, {}
    present, index = np.unique(channel, return_inverse=True)
    highest = np.zeros(len(present), np.int32)
    np.maximum.at(highest, index[~unsorted], unit[~unsorted])
    fresh = np.where(highest > NOISE, highest + 1, FIRST_UNIT)
    unit[unsorted] = fresh[index[unsorted]]
    with_unsorted = np.unique(index[unsorted])
    labels = {(int(present[i]), int(fresh[i])): UNSORTED for i in with_unsorted}
    return unit, labels


def unsorted_everywhere(channel: NDArray[np.int32]) -> tuple[NDArray[np.int32], dict[tuple[int, int], str]]:
    """Return units and labels for a file that was never sorted."""
    labels = {(number, FIRST_UNIT): UNSORTED for number in np.unique(channel).tolist()}
    return np.full(len(channel), FIRST_UNIT, np.int32), labels
