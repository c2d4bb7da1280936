"""Sort from the page: a snapshot out, what was found back, one edit whose units keep their numbers."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.project import Project
from neuralsorter.provenance import sorter_facts
from neuralsorter.spikes import NOISE

from .algorithms import by_channel, writable
from .jobs import Report
from .workspace import Workspace

if TYPE_CHECKING:
    from neuralsorter.sorting import ChannelSort

    from .waveforms import Waveforms

SHOWN, SELECTED, UNIT, CHANNEL, EVERYTHING = SCOPES = (
    "what is shown", "the selected events", "the unit shown", "this channel", "all channels",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Finding:
    """What the last sort of a channel found, in the numbers that its units got."""

    found: ChannelSort  # its rows are rows of the project
    numbers: tuple[int, ...]  # of units 0..k-1
    sorter: Any
    name: str
    seed: int


def sort_shown(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Sort the selected events, or else all that are shown."""
    selected = workspace.focus is not None and len(workspace.focus.selected) > 0
    sort_scope(workspace, SELECTED if selected else SHOWN)


def split_unit(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Sort one unit by itself: the one shown, or the one that all selected events are in."""
    sort_scope(workspace, UNIT)


def sort_scope(workspace: Workspace, scope: str) -> None:
    """Sort one of `SCOPES`; noise and locked units are left out."""
    project = writable(workspace)
    rows = rows_of(workspace, project, scope)
    if rows is None:
        return
    unit = project.unit_of(rows)
    rows = rows[unit > NOISE]
    if scope == UNIT and len(np.unique(project.unit_of(rows))) != 1:
        workspace.say("Click one unit in the list first, or select events of one unit.")
        return
    rows = rows[~_locked(project, rows)]
    if not len(rows):
        workspace.say(f"There is nothing to sort in {scope}: no events but noise and locked units.")
        return
    sort_rows(workspace, rows)


def rows_of(workspace: Workspace, project: Project, scope: str) -> NDArray[np.int64] | None:
    """Return the rows that a scope means."""
    focus = workspace.focus
    if focus is None or focus.channel is None:
        return None
    if scope == EVERYTHING:
        return np.arange(len(project))
    if scope == CHANNEL:
        return np.asarray(project.rows(focus.channel))
    if scope == SELECTED or (scope == UNIT and focus.unit is None and len(focus.selected)):
        units = np.unique(project.unit_of(focus.selected))
        whole = scope == UNIT and len(units) == 1
        return np.asarray(project.rows(focus.channel, focus.experiment, int(units[0]))) if whole else focus.selected
    return focus.shown


def sort_rows(workspace: Workspace, rows: NDArray[np.int64]) -> None:
    """Sort `rows`, channel by channel, off the event loop; one edit."""
    project = writable(workspace)
    sorter, seed = workspace.sorter or workspace.settings.sorter, workspace.seed
    name = workspace.sorter_name or workspace.settings.sorter
    focus = workspace.focus
    region = workspace.region if focus is not None and np.array_equal(rows, focus.selected) else {}

    def work(report: Report, cancel: threading.Event) -> Any:
        report(0.0, f"{len(rows):,} events")
        return [
            _numbered(project, found, sorter, name, seed)
            for found in _found(project, rows, sorter, seed, report, cancel)
        ]

    def done(findings: list[Finding]) -> None:
        _apply(workspace, project, findings, region)

    workspace.jobs.start("Sorting", work, done, workspace.complain, workspace.say)


def _found(
    project: Project, rows: NDArray[np.int64], sorter: Any, seed: int, report: Report, cancel: threading.Event
) -> Any:
    from neuralsorter.sorting import ChannelSort, sort_channels

    spikes = project.spikes.take(rows)
    for found in sort_channels(spikes, sorter=sorter, seed=seed, progress=by_channel(report), cancel=cancel):
        yield ChannelSort(found.channel, rows[found.rows], found.result)


def _numbered(project: Project, found: ChannelSort, sorter: Any, name: str, seed: int) -> Finding:
    """Give each unit found the number it had, here or in the other experiments; else a fresh one."""
    from neuralsorter.sorting import match_units, stable_units
    from neuralsorter.sorting.matching import means_of

    before, labels, channel = project.unit_of(found.rows), found.result.labels, found.channel
    spikes = project.spikes
    rows = project.rows(channel)
    others = rows[~np.isin(spikes.experiment[rows], np.unique(spikes.experiment[found.rows]))]
    elsewhere = {int(u) for u in np.unique(project.unit_of(others))} - {NOISE}
    known: dict[int, int] = {}
    if elsewhere and elsewhere != {int(u) for u in np.unique(before)}:
        mine, noise = means_of(spikes, found.rows, labels + 1)
        theirs, _ = means_of(spikes, others, project.unit_of(others))
        known = {m.unit - 1: m.other for m in match_units(mine, theirs, noise) if m.other is not None}
    else:
        elsewhere = set()
    units = stable_units(labels, before, project.new_unit(channel), known, frozenset(elsewhere))
    numbers = np.zeros(found.result.n_units, np.int64)
    numbers[labels] = units
    return Finding(found, tuple(numbers.tolist()), sorter, name, seed)


def _apply(workspace: Workspace, project: Project, findings: list[Finding], region: dict[str, Any]) -> None:
    if workspace.project is not project:
        return
    rows = np.concatenate([f.found.rows for f in findings])
    units = np.concatenate([np.asarray(f.numbers)[f.found.result.labels] for f in findings])
    labels = {
        (f.found.channel, number): "mua" if mua else ""
        for f in findings
        for number, mua in zip(f.numbers, f.found.result.mua.tolist(), strict=True)
    }
    counted = sum(len(f.numbers) for f in findings)
    what = f"{counted} {'unit' if counted == 1 else 'units'} found in {len(rows):,} events"
    params = sorter_facts(findings[0].sorter, findings[0].seed) | {"sorter": findings[0].name} | region
    edit = project.take_sort(rows, units, labels, what, params)
    workspace.sorts = workspace.sorts | {f.found.channel: f for f in findings}
    strays = sum(int(f.found.result.outlier.sum()) for f in findings)
    are, them = ("event is", "it") if strays == 1 else ("events are", "them")
    also = f" {strays:,} {are} unlike their unit: U selects {them}." if strays else ""
    same = "" if edit else ", as before: nothing was changed"
    workspace.say(f"{what}{same}.{also}")
    if edit and workspace.focus is not None:
        workspace.focus.param.update(unit=None)


def _locked(project: Project, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    channel, unit = project.spikes.channel[rows], project.unit_of(rows)
    locked = np.zeros(len(rows), bool)
    for number, kept in project.locked:
        locked |= (channel == number) & (unit == kept)
    return locked
