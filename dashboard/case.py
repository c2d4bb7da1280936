"""A suggestion with what a person needs to judge it: means, the line between two groups, their coincidences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.means import unit_means
from neuralsorter.project import Project
from neuralsorter.spiketrain import correlograms, stretches

if TYPE_CHECKING:
    from neuralsorter.sorting import MergeSuggestion, SplitSuggestion

    Suggestion = MergeSuggestion | SplitSuggestion

MOST = 20  # pairs that may be one
WINDOW_MS, BIN_MS = 25.0, 0.5


@dataclass(frozen=True, eq=False)
class Case:
    """One suggestion with its evidence, and those that wait behind it."""

    channel: int
    suggestion: Suggestion
    shown: tuple[int, ...]  # units that it is about, as they are
    units: tuple[int, ...]  # the two to merge, or what the parts would be
    times_ms: NDArray[np.float64]
    mean: NDArray[np.float64]  # (k, n), uV
    sd: NDArray[np.float64]
    counts: tuple[int, ...]  # events of each
    pair: tuple[int, int]  # two of `units`: those to merge, or the parts that lie nearest to each other
    cross: NDArray[np.int64]  # their cross-correlogram
    edges_ms: NDArray[np.float64]
    refractory_ms: float  # that units here are judged by
    place: int  # among all, from 1
    of: int
    rest: tuple[Suggestion, ...]
    edit: Any  # the project's last edit when it was made

    @property
    def kind(self) -> str:
        """What taking it does: "merge" or "split"."""
        return _kind(self.suggestion)


def first_case(
    project: Project, channel: int, refractory_ms: float, wanted: tuple[tuple[int, ...], str] | None = None
) -> Case | None:
    """Return the first suggestion for a channel: the wanted one, (units, kind), else the most convincing; or None."""
    from neuralsorter.sorting import clock, merge_suggestions, split_suggestions

    edit = project.edit
    rows = np.asarray(project.rows(channel))
    spikes, unit = project.spikes.take(rows), project.unit_of(rows)
    events = spikes.waveforms, clock(spikes), unit, spikes.sampling_rate, spikes.pre_samples
    found: list[Suggestion] = [*merge_suggestions(*events, most=MOST), *split_suggestions(*events)]
    apart, whole, locked = project.kept_apart, project.kept_whole, project.locked
    free = [
        s for s in sorted(found, key=lambda s: ((_shown(s), _kind(s)) != wanted, -s.score))
        if not any((channel, unit) in locked for unit in _shown(s))
        and (channel, *sorted(_shown(s))) not in (apart if _kind(s) == "merge" else whole)
    ]  # fmt: skip
    return make_case(project, channel, refractory_ms, tuple(free), 1, len(free), edit) if free else None


def make_case(
    project: Project,
    channel: int,
    refractory_ms: float,
    waiting: tuple[Suggestion, ...],
    place: int,
    of: int,
    edit: Any = None,
) -> Case:
    """Return the first of the suggestions that wait, with its evidence."""
    suggestion, *rest = waiting
    rows = np.asarray(project.rows(channel))
    groups, units, pair = _groups(project, channel, rows, suggestion)
    rows, groups = rows[groups >= 0], groups[groups >= 0]
    means = unit_means(project.raw(rows), groups.astype(np.int32), project.uv_per_bit)
    times = (np.arange(means.mean.shape[1]) - project.pre_samples) * 1000 / project.sampling_rate
    near = np.isin(groups, pair)
    clock = stretches(project.spikes, rows[near])
    table = correlograms(project.times_of(rows[near]), groups[near], WINDOW_MS, BIN_MS, project.sampling_rate, clock)
    return Case(
        channel=channel, suggestion=suggestion, shown=_shown(suggestion), units=units, times_ms=times,
        mean=means.mean, sd=means.sd, counts=tuple(int(n) for n in means.count), pair=(units[pair[0]], units[pair[1]]),
        cross=table.pair(*pair), edges_ms=table.edges_ms, refractory_ms=refractory_ms,
        place=place, of=of, rest=tuple(rest), edit=project.edit if edit is None else edit,
    )  # fmt: skip


def split_rows(project: Project, case: Case) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the unit to split and the unit that each would be in."""
    suggestion: Any = case.suggestion
    return np.asarray(project.rows(case.channel))[suggestion.rows], np.asarray(case.units)[suggestion.labels]


def in_words(case: Case) -> str:
    """Return the evidence as sentences."""
    s: Any = case.suggestion
    times = (
        "too few spikes to compare their times" if math.isnan(s.refractory)
        else f"{s.refractory:.0%} of the coincidences that two cells would have"
    )  # fmt: skip
    *most, last = (f"{n:,}" for n in case.counts)
    counts = f"{', '.join(most)} and {last}"
    if case.kind == "merge":
        what = f"**Units {s.first} and {s.second}** ({counts} events) may be one: {s.distance:.1f} SD apart,"
        return f"{what} {s.overlap:.0%} on the other's side, gap p = {s.p:.2g}; {times}."
    what = f"**Unit {s.unit}** may be {len(case.units)}, of {counts} events"
    nearest = "" if len(case.units) == 2 else f"; parts {case.pair[0]} and {case.pair[1]} are nearest"
    return f"{what}{nearest}: {s.distance:.1f} SD apart, gap p = {s.p:.2g}; {times}."


def _kind(suggestion: Suggestion) -> str:
    return "split" if hasattr(suggestion, "labels") else "merge"


def _shown(suggestion: Any) -> tuple[int, ...]:
    return (suggestion.unit,) if _kind(suggestion) == "split" else (suggestion.first, suggestion.second)


def _groups(
    project: Project, channel: int, rows: NDArray[np.int64], suggestion: Any
) -> tuple[NDArray[np.int64], tuple[int, ...], tuple[int, int]]:
    """Return the group 0..k-1 of each row, -1 for others; the groups' units; and the two groups to compare."""
    groups = np.full(len(rows), -1)
    if _kind(suggestion) == "merge":
        unit = project.unit_of(rows)
        groups[unit == suggestion.first], groups[unit == suggestion.second] = 0, 1
        return groups, (suggestion.first, suggestion.second), (0, 1)
    groups[suggestion.rows] = suggestion.labels
    fresh = project.new_unit(channel)
    numbers = suggestion.unit, *(fresh + part for part in range(len(suggestion.sizes) - 1))
    return groups, numbers, suggestion.nearest
