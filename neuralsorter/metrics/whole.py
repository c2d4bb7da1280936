"""What metrics of a part of the events need to know of the whole recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuralsorter.spikes import Spikes
from neuralsorter.spiketrain import stretches

if TYPE_CHECKING:
    from neuralsorter.project import Project

ENOUGH = 10_000_000  # events: their shortest intervals tell the dead time of a detector as well as those of more
_DEAD_TIME_QUANTILE = 1e-5  # one pair with a wrong time in a hundred thousand does not hide the dead time
_EXPECTED_SHORTER = 20  # intervals; fewer expected below the shortest one seen, and it may be chance
_REFRACTORY_MS = 1.5
_SEEN_MS = 0.5

Train = tuple[NDArray[np.float64], NDArray[np.int64]]  # times of a channel's events in s, and their stretches of clock


@dataclass(frozen=True)
class Recording:
    """What metrics need to know of the whole recording, when given only a part of its events.

    Attributes
    ----------
    durations_s : mapping
        Length of each stretch of continuous clock (see `spiketrain.stretches`).
    dead_time_ms : float
        How long the detector sees nothing after an event; 0 where it cannot be told.

    """

    durations_s: Mapping[int, float] = field(default_factory=dict)
    dead_time_ms: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return sum(self.durations_s.values())

    @property
    def refractory_ms(self) -> float:
        """The refractory period to judge by: 1.5 ms, or half a millisecond beyond the dead time if that is longer."""
        return max(_REFRACTORY_MS, self.dead_time_ms + _SEEN_MS)


def recording(spikes: Spikes) -> Recording:
    """Learn lengths and dead time from all events: a stretch ends with its last event on any channel."""
    known = np.isfinite(spikes.times_s)
    where, times, channel = stretches(spikes)[known], spikes.times_s[known], spikes.channel[known]
    order = np.lexsort((times, where, channel))
    where, times, channel = where[order], times[order], channel[order]
    found, group = np.unique(where, return_inverse=True)
    ends = np.zeros(len(found))
    np.maximum.at(ends, group, times)
    cuts = np.flatnonzero(np.diff(channel)) + 1
    trains = zip(np.split(times, cuts), np.split(where, cuts), strict=True)
    return _learnt(dict(zip(found.tolist(), ends.tolist(), strict=True)), trains)


def recording_of(project: Project, enough: int = ENOUGH) -> Recording:
    """Learn the same from a project, channel by channel, so that its size does not matter.

    Lengths are those of all channels. The dead time is that of as many channels, drawn with a fixed seed, as hold
    `enough` events: all of them where the project has no more.
    """
    return _learnt(project.ends_s, _trains_of(project, enough))


def _trains_of(project: Project, enough: int) -> Iterator[Train]:
    channels, seen = project.channels(), 0
    for channel in np.random.default_rng(0).permutation(channels).tolist():
        if seen >= enough:
            return
        rows = project.rows(channel)
        seen += len(rows)
        times = project.times_of(rows)
        known = np.isfinite(times)
        yield times[known], project.stretches_of(rows)[known]


def _learnt(ends_s: Mapping[int, float], trains: Iterator[Train]) -> Recording:
    """Learn the dead time from the trains, each sorted by stretch and time."""
    gaps, n_events = [np.zeros(0)], []
    for times, where in trains:
        gaps.append(np.diff(times)[np.diff(where) == 0])
        n_events.append(len(times))
    return Recording(ends_s, _dead_time_ms(np.concatenate(gaps), np.array(n_events), sum(ends_s.values())))


def _dead_time_ms(gaps: NDArray[np.float64], n_events: NDArray[np.int64], duration_s: float) -> float:
    if not len(gaps) or duration_s <= 0:
        return 0.0
    nth = int(len(gaps) * _DEAD_TIME_QUANTILE)
    shortest = float(np.partition(gaps, nth)[nth])
    expected = float((n_events.astype(float) ** 2).sum()) / duration_s * shortest
    return max(shortest, 0.0) * 1000 if expected >= _EXPECTED_SHORTER else 0.0
