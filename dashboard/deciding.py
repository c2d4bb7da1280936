"""Suggestions to merge and to split, one after the other: take or forget, one key and one undo each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.provenance import sorter_facts
from neuralsorter.spikes import NOISE

from .algorithms import writable
from .case import Case, first_case, make_case, split_rows
from .workspace import Workspace

if TYPE_CHECKING:
    from neuralsorter.project import Project

    from .waveforms import Waveforms

NOTHING_OPEN = "Nothing is open. Open a recording first."


def next_suggestion(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Show the next suggestion for the channel; after the last one, the first again."""
    suggest(workspace)


def suggest(workspace: Workspace, wanted: tuple[tuple[int, ...], str] | None = None) -> None:
    """Show a suggestion for the channel: the wanted one, (units, "merge" or "split"), else the next."""
    project, focus = workspace.project, workspace.focus
    if project is None or focus is None or focus.channel is None:
        workspace.say(NOTHING_OPEN)
        return
    channel, case, edit = int(focus.channel), workspace.case, project.edit
    waiting = case.rest if wanted is None and _current(workspace, case) else ()

    def work(*_: Any) -> Case | None:
        refractory_ms = workspace.queue.recording(project).refractory_ms
        if waiting:
            return make_case(project, channel, refractory_ms, waiting, case.place + 1, case.of)
        return first_case(project, channel, refractory_ms, wanted)

    workspace.jobs.start(
        "Comparing units", work, lambda found: _found(workspace, channel, edit, found), workspace.complain
    )


def accept(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Merge the two units, or split the one."""
    case = _wanted(workspace)
    if case is None:
        return
    project, why = writable(workspace), case.suggestion.reason
    *most, last = map(str, case.units)
    names = f"{', '.join(most)} and {last}"
    if case.kind == "merge":
        first, second = case.units
        text = f"units {first} and {second} merged into {first}, as suggested: {why}"
        project.merge(case.channel, [first, second], label=text)
        _go_on(workspace, f"Units {first} and {second} are now unit {first}.")
    else:
        from neuralsorter.sorting import DEFAULT

        rows, units = split_rows(project, case)
        text = f"unit {case.shown[0]} split into {names}, as suggested: {why}"
        project.take_sort(rows, units, {}, text, sorter_facts(DEFAULT, 0))
        _go_on(workspace, f"Unit {case.shown[0]} is now units {names}.")


def reject(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Keep the two units apart, or the one whole: it is not suggested again."""
    case = _wanted(workspace)
    if case is None:
        return
    if case.kind == "merge":
        writable(workspace).keep_apart(case.channel, *case.pair)
        _go_on(workspace, f"Units {case.pair[0]} and {case.pair[1]} stay two.")
    else:
        writable(workspace).keep_whole(case.channel, case.shown[0])
        _go_on(workspace, f"Unit {case.shown[0]} stays one.")


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
    rows = np.asarray(project.rows(focus.channel))
    unit = project.unit_of(rows)
    flagged = _flagged(workspace, project, focus.channel, focus.shown)

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

    if flagged is not None:
        done(flagged)
    else:
        workspace.jobs.start("Looking for strays", work, done, workspace.complain)


def _flagged(
    workspace: Workspace, project: Project, channel: int, shown: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Return what the last sort flagged, if it sorted all that is shown and its units still stand; else None."""
    finding = workspace.sorts.get(channel)
    if finding is None or not (finding.found.result.names or finding.found.result.outlier.any()):
        return None  # some sorters flag nothing
    found = finding.found
    units = np.asarray(finding.numbers)[found.result.labels]
    whole = np.isin(shown[project.unit_of(shown) > NOISE], found.rows).all()
    return found.rows[found.result.outlier] if whole and np.array_equal(project.unit_of(found.rows), units) else None


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
    suggest(workspace)


def _found(workspace: Workspace, channel: int, edit: Any, case: Case | None) -> None:
    project, focus = workspace.project, workspace.focus
    if project is None or focus is None or focus.channel != channel:
        return
    if project.edit is not edit:  # it is about units that are no more
        if workspace.case is None:
            leave(workspace)
        return
    if case is None:
        leave(workspace)
        workspace.say(f"{workspace.says} Nothing more to merge or to split on channel {channel}.".lstrip())
        return
    workspace.case = case
    if len(case.shown) == 1:
        focus.param.update(unit=case.shown[0])
    else:
        others = frozenset(project.counts(channel)) - set(case.shown)
        focus.param.update(unit=None, hidden=others | {NOISE})
