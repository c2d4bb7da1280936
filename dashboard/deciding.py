"""Merge suggestions one after the other, with their evidence: take or forget, one key and one undo each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.means import unit_means
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE
from neuralsorter.spiketrain import correlograms, stretches

from .algorithms import writable
from .workspace import Workspace

if TYPE_CHECKING:
    from neuralsorter.sorting.suggestions import MergeSuggestion

    from .waveforms import Waveforms

MOST = 20
WINDOW_MS, BIN_MS = 25.0, 0.5
NOTHING_OPEN = "Nothing is open. Open a recording first."


@dataclass(frozen=True, eq=False)
class Case:
    """One suggestion with what a person needs to judge it, and those that wait behind it."""

    channel: int
    suggestion: MergeSuggestion
    times_ms: NDArray[np.float64]
    mean: NDArray[np.float64]  # (2, n), uV
    sd: NDArray[np.float64]
    counts: tuple[int, int]  # events
    cross: NDArray[np.int64]  # cross-correlogram
    edges_ms: NDArray[np.float64]
    place: int  # among all, from 1
    of: int
    rest: tuple[MergeSuggestion, ...]
    edit: Any  # the project's last edit when it was made

    @property
    def pair(self) -> tuple[int, int]:
        """The two units."""
        return self.suggestion.first, self.suggestion.second


def next_suggestion(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Show the next pair of units of the channel that may be one; after the last one, the first again."""
    project, focus = workspace.project, workspace.focus
    if project is None or focus is None or focus.channel is None:
        workspace.say(NOTHING_OPEN)
        return
    channel, case = int(focus.channel), workspace.case
    if _current(workspace, case) and case.rest:
        _show(workspace, _case(project, channel, case.rest, case.place + 1, case.of))
        return
    workspace.jobs.start(
        "Comparing units",
        lambda *_: _first_case(project, channel),
        lambda found: _found(workspace, channel, found),
        workspace.complain,
    )


def accept(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Merge the two units."""
    case = _wanted(workspace)
    if case is not None:
        project = writable(workspace)
        first, second = case.pair
        text = f"units {first} and {second} merged into {first}, as suggested: {case.suggestion.reason}"
        project.merge(case.channel, [first, second], label=text)
        _go_on(workspace, f"Units {first} and {second} are now unit {first}.")


def reject(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Keep the two units apart: they are not suggested again."""
    case = _wanted(workspace)
    if case is not None:
        writable(workspace).keep_apart(case.channel, *case.pair)
        _go_on(workspace, f"Units {case.pair[0]} and {case.pair[1]} stay two.")


def leave(workspace: Workspace) -> None:
    """Put the suggestion away and show all units again."""
    workspace.case = None
    if workspace.focus is not None:
        workspace.focus.param.update(unit=None, hidden=frozenset({NOISE}))


def select_strays(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Select the events shown that are unlike the unit they are in: overlaps, artefacts, strays."""
    project, focus = workspace.project, workspace.focus
    if project is None or focus is None or focus.channel is None:
        workspace.say(NOTHING_OPEN)
        return
    rows, unit = np.asarray(project.rows(focus.channel)), project.unit_of(np.asarray(project.rows(focus.channel)))

    def work(*_: Any) -> NDArray[np.int64]:
        from neuralsorter.sorting import strays

        waveforms = project.spikes.take(rows).waveforms
        return rows[strays(waveforms, unit, project.sampling_rate, project.pre_samples)]

    def done(found: NDArray[np.int64]) -> None:
        if workspace.focus is focus:
            focus.select(found)
            workspace.region = {"selected": "strays", "channel": int(focus.channel or 0)}
            n = len(focus.selected)
            workspace.say(f"{n:,} {'event is' if n == 1 else 'events are'} unlike their unit, and selected.")

    workspace.jobs.start("Looking for strays", work, done, workspace.complain)


def _current(workspace: Workspace, case: Case | None) -> bool:
    """Say whether a case is about the channel shown and the units as they are now."""
    project, focus = workspace.project, workspace.focus
    return (
        case is not None and project is not None and focus is not None
        and case.channel == focus.channel and case.edit is project.edit
    )  # fmt: skip


def _wanted(workspace: Workspace) -> Case | None:
    case: Case | None = workspace.case
    if _current(workspace, case):
        return case
    workspace.say("There is no suggestion on the page. V shows one.")
    return None


def _go_on(workspace: Workspace, sentence: str) -> None:
    workspace.case = None
    workspace.say(sentence)
    next_suggestion(workspace)


def _found(workspace: Workspace, channel: int, case: Case | None) -> None:
    if workspace.focus is None or workspace.focus.channel != channel:
        return
    if case is None:
        leave(workspace)
        workspace.say(f"{workspace.says} No two units of channel {channel} look like one.".lstrip())
    else:
        _show(workspace, case)


def _show(workspace: Workspace, case: Case) -> None:
    """Put a case on the page, and its two units alone on the main screen."""
    workspace.case = case
    if workspace.project is not None and workspace.focus is not None:
        others = frozenset(workspace.project.counts(case.channel)) - set(case.pair)
        workspace.focus.param.update(unit=None, hidden=others | {NOISE})


def _first_case(project: Project, channel: int) -> Case | None:
    from neuralsorter.sorting import clock, merge_suggestions

    edit = project.edit
    rows = np.asarray(project.rows(channel))
    spikes = project.spikes.take(rows)
    unit = project.unit_of(rows)
    found = merge_suggestions(
        spikes.waveforms, clock(spikes), unit, spikes.sampling_rate, spikes.pre_samples, most=MOST
    )
    apart, locked = project.kept_apart, project.locked
    free = [
        s for s in found
        if (channel, *sorted((s.first, s.second))) not in apart
        and not {(channel, s.first), (channel, s.second)} & locked
    ]  # fmt: skip
    return _case(project, channel, tuple(free), 1, len(free), edit) if free else None


def _case(
    project: Project, channel: int, waiting: tuple[MergeSuggestion, ...], place: int, of: int, edit: Any = None
) -> Case:
    suggestion, *rest = waiting
    rows = np.asarray(project.rows(channel))
    unit = project.unit_of(rows)
    rows = rows[np.isin(unit, (suggestion.first, suggestion.second))]
    unit = project.unit_of(rows)
    means = unit_means(project.raw(rows), unit, project.uv_per_bit)
    order = [int(np.flatnonzero(means.units == u)[0]) for u in (suggestion.first, suggestion.second)]
    spikes = project.spikes.take(rows)
    pairs = correlograms(spikes.times_s, unit, WINDOW_MS, BIN_MS, project.sampling_rate, stretches(spikes))
    return Case(
        channel=channel, suggestion=suggestion, times_ms=_times(project, means.mean.shape[1]),
        mean=means.mean[order], sd=means.sd[order],
        counts=(int(means.count[order[0]]), int(means.count[order[1]])),
        cross=pairs.pair(suggestion.first, suggestion.second), edges_ms=pairs.edges_ms,
        place=place, of=of, rest=tuple(rest), edit=project.edit if edit is None else edit,
    )  # fmt: skip


def _times(project: Project, n: int) -> NDArray[np.float64]:
    """Return the times of n samples in ms; several channels lie side by side."""
    return (np.arange(n) - project.pre_samples) * 1000 / project.sampling_rate


def in_words(case: Case) -> str:
    """Return the evidence as sentences."""
    s = case.suggestion
    times = (
        "too few spikes to compare their times" if math.isnan(s.refractory)
        else f"{s.refractory:.0%} of the coincidences within 1.5 ms that two cells would have"
    )  # fmt: skip
    return (
        f"**Units {s.first} and {s.second}** ({case.counts[0]:,} and {case.counts[1]:,} events): "
        f"{s.distance:.1f} SD apart, {s.overlap:.0%} on the other's side, gap p = {s.p:.2g}; {times}."
    )
