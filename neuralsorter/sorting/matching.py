"""Which unit is which in another recording of the same channels, by mean waveform."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from neuralsorter.means import unit_means
from neuralsorter.spikes import NOISE, Spikes

_SHAPE, _GAIN = 0.15, 0.25  # how far a unit's shape, and the log of its size, move from one recording to the next
_NEW = 2.5  # at so many times that, a new unit is as likely
_LEAST_EVENTS = 5  # a mean of fewer tells nothing

Means = dict[int, NDArray[np.float64]]


@dataclass(frozen=True)
class Match:
    """A unit and the unit of another recording that it most likely is; `other` is None where it seems to be new."""

    unit: int
    other: int | None
    confidence: float  # 0..1
    distance: float  # between the mean waveforms, relative to their size


def match_units(
    means: Mapping[int, NDArray[Any]], others: Mapping[int, NDArray[Any]], noise_uv: float = 0.0, least: float = 0.5
) -> list[Match]:
    """Say which unit of another recording of the same channel each unit is, by mean waveform; one to one.

    Parameters
    ----------
    means, others : mapping of int to ndarray, (n_samples,) or (n_channels, n_samples)
        Mean waveform in µV of each unit, over the same window; `others` are those of the other recording.
    noise_uv : float
        SD of the means' own noise, which cannot tell units apart.
    least : float
        Matches less sure are given as new.

    """
    mine, theirs = list(means), list(others)
    if not mine or not theirs:
        return [Match(unit, None, 1.0, math.inf) for unit in mine]
    a = np.stack([np.nan_to_num(means[u]).ravel() for u in mine]).astype(float)
    b = np.stack([np.nan_to_num(others[u]).ravel() for u in theirs]).astype(float)
    power, power_b = np.square(a).mean(axis=1)[:, None] + 1e-12, np.square(b).mean(axis=1)[None] + 1e-12
    distance = np.sqrt(np.square(a[:, None] - b[None]).mean(axis=2) / ((power + power_b) / 2))
    alike = np.einsum("is,js->ij", a, b) / a.shape[1] / np.sqrt(power * power_b)
    shape = np.maximum(2 * (1 - alike) - noise_uv**2 * (1 / power + 1 / power_b), 0.0) / _SHAPE**2
    gain = np.square(np.log(power / power_b) / 2 / _GAIN)
    likely = np.exp(-0.5 * (shape + gain))
    new = math.exp(-0.5 * _NEW**2)
    sure = likely / np.maximum(likely.sum(axis=1, keepdims=True) + new, 1e-300)
    sure = np.minimum(sure, likely / (likely.sum(axis=0, keepdims=True) + new))
    rows, columns = linear_sum_assignment(-sure)
    taken = {r: c for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if sure[r, c] >= least}
    return [
        Match(unit, theirs[taken[r]], float(sure[r, taken[r]]), float(distance[r, taken[r]]))
        if r in taken
        else Match(unit, None, float(1 - sure[r].max()), float(distance[r].min()))
        for r, unit in enumerate(mine)
    ]


def means_of(spikes: Spikes, rows: NDArray[Any], unit: NDArray[Any]) -> tuple[Means, float]:
    """Return the mean waveform in uV of each unit but noise among `rows`, and the SD of the means' own noise."""
    raw = spikes.raw[rows]
    found = unit_means(raw.reshape(len(raw), -1), unit, spikes.uv_per_bit)
    good = (found.units > NOISE) & (found.count >= _LEAST_EVENTS)
    noise = [float(np.sqrt(np.nanmean(found.sd[i] ** 2) / found.count[i])) for i in np.flatnonzero(good)]
    return {int(found.units[i]): found.mean[i] for i in np.flatnonzero(good)}, max(noise, default=0.0)


def like(spikes: Spikes, earlier: Spikes) -> tuple[NDArray[np.int64], dict[int, list[Match]]]:
    """Return units numbered as those of an earlier recording of the same channels.

    Parameters
    ----------
    spikes : Spikes
        The recording, sorted.
    earlier : Spikes
        Units of channels that both have are compared, brought to one rate and window.

    Returns
    -------
    units, matches : ndarray (n_spikes,), dict of int to list of Match
        Units in the earlier numbers where the match is sure, else in numbers that the channel used in neither; per
        channel what was matched and how sure it is. Channels that `earlier` has not stay as they are.

    """
    from neuralsorter.loading.conform import conform

    earlier = conform(earlier, spikes.sampling_rate, spikes.pre_samples, spikes.n_samples)
    units = spikes.unit.astype(np.int64)
    matches: dict[int, list[Match]] = {}
    for channel in np.intersect1d(spikes.channel, earlier.channel).tolist():
        rows = np.flatnonzero(spikes.channel == channel)
        known = np.flatnonzero(earlier.channel == channel)
        mine, noise = means_of(spikes, rows, spikes.unit[rows])
        theirs, noise_too = means_of(earlier, known, earlier.unit[known])
        found = match_units(mine, theirs, math.hypot(noise, noise_too) / math.sqrt(2))
        if found:
            matches[channel] = found
            units[rows] = _renumbered(spikes.unit[rows], found, {*earlier.unit[known].tolist()})
    return units, matches


def _renumbered(unit: NDArray[Any], found: list[Match], taken: set[int]) -> NDArray[np.int64]:
    """Return units in the numbers they match; those that match nothing keep theirs unless it is another's now."""
    new = {match.unit: match.other for match in found if match.other is not None}
    out = unit.astype(np.int64)
    taken = taken | set(new.values())
    highest = max([*taken, *unit.tolist()], default=0)
    for number in np.unique(unit[unit > NOISE]).tolist():
        target = new.get(number)
        if target is None:
            target = number
            if number in taken:
                highest += 1
                target = highest
        out[unit == number] = target
    return out
