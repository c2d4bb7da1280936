"""What a unit looks like, so that it is found again where its number means nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.means import unit_means
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE

Templates = dict[str, dict[str, dict[str, Any]]]  # channel, unit, {"events", "mean_uv"}: JSON has texts as keys


def templates(project: Project, unit: NDArray[np.int32], channels: Iterable[int]) -> Templates:
    """Return number of events and mean waveform in µV of the units of some channels, noise left out.

    Parameters
    ----------
    project : Project
        Whose waveforms.
    unit : ndarray, (n_spikes,)
        Units of all its rows.
    channels : iterable of int
        Those that the project does not have are left out.

    """
    found: Templates = {}
    for channel in sorted({*channels} & {*project.channels()}):
        rows = project.rows(channel)
        rows = rows[unit[rows] > NOISE]
        told = unit_means(project.raw(rows), unit[rows], project.uv_per_bit)
        found[str(channel)] = {
            str(number): {"events": count, "mean_uv": np.round(np.nan_to_num(mean), 1).tolist()}
            for number, count, mean in zip(told.units.tolist(), told.count.tolist(), told.mean, strict=True)
        }
    return found


def same_events(project: Project) -> str:
    """Return a hash of the events' places and times: equal for the same recording, whatever its units."""
    spikes = project.spikes
    digest = hashlib.sha256()
    for column in (spikes.experiment, spikes.channel, spikes.segment, spikes.times_s):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def matched(wanted: Mapping[str, Any], here: Mapping[str, Any], window: Window, own: Window) -> dict[int, int | None]:
    """Say which unit here each unit of a recipe is, for one channel; None where there is none like it.

    Units of as many events and the same mean are the same; so is a single unit on both sides.
    """
    from neuralsorter.sorting import match_units

    found: dict[int, int | None] = {}
    rest = dict(here)
    for unit, told in wanted.items():
        twin = unit if rest.get(unit) == told else next((other for other, seen in rest.items() if seen == told), None)
        if twin is not None:
            found[int(unit)] = int(twin)
            del rest[twin]
    left = {unit: told for unit, told in wanted.items() if int(unit) not in found}
    if len(wanted) == len(here) == len(left) == 1:
        return {int(next(iter(left))): int(next(iter(here)))}
    means = {int(unit): window.seen_in(own, told["mean_uv"]) for unit, told in left.items()}
    others = {int(unit): np.asarray(told["mean_uv"]) for unit, told in rest.items()}
    return found | {match.unit: match.other for match in match_units(means, others)}


class Window:
    """When the samples of a waveform are.

    Parameters
    ----------
    sampling_rate : float
        Hz.
    pre_samples, n_samples : int
        Samples before the crossing, and in all.

    """

    def __init__(self, sampling_rate: float, pre_samples: int, n_samples: int) -> None:
        self.times_ms = (np.arange(n_samples) - pre_samples) * 1000 / sampling_rate

    def seen_in(self, other: Window, mean_uv: Any) -> NDArray[np.float64]:
        """Return a mean waveform at the sample times of another window, several wires end to end; 0 outside."""
        wires = np.asarray(mean_uv, np.float64).reshape(-1, len(self.times_ms))
        return np.concatenate([np.interp(other.times_ms, self.times_ms, wire, left=0, right=0) for wire in wires])
