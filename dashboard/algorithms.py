"""Clean and Sort from the page: snapshots out, arrays back, one edit each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import ProjectError
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE

from .jobs import Report
from .workspace import Workspace

if TYPE_CHECKING:
    from .waveforms import Waveforms


def clean(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Compute P(spike) of every event, then send those below the threshold to noise, as one edit."""
    project = _writable(workspace)
    if workspace.probability is not None:
        apply_threshold(workspace, np.arange(len(project.unit)))
        return

    def done(probability: NDArray[np.float32]) -> None:
        if workspace.project is project:
            workspace.probability = probability
            apply_threshold(workspace, np.arange(len(project.unit)))

    workspace.jobs.start(
        "Cleaning", lambda report, cancel: _probability(project, report, cancel), done, workspace.complain
    )


def apply_threshold(workspace: Workspace, rows: NDArray[np.int64]) -> None:
    """Let the threshold hold for `rows`: below it to noise; what a cleaner sent there and is above comes back."""
    project = _writable(workspace)
    if workspace.probability is None:
        workspace.say("Clean first: the threshold needs the probability of each event.")
        return
    params = {"cleaner": workspace.settings.cleaner, "threshold": workspace.threshold}
    edit = project.clean(rows, workspace.probability[rows], workspace.threshold, params=params)
    if edit is None:
        workspace.say(f"At P(spike) {workspace.threshold:.2f} nothing changes.")
        return
    gone = int((edit.after == NOISE).sum())
    workspace.say(
        f"At P(spike) {workspace.threshold:.2f}: {gone:,} events to noise, {len(edit.rows) - gone:,} back from it."
    )


def sort_shown(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Sort the events shown (noise and locked units left out) and apply the labels as one edit."""
    project = _writable(workspace)
    focus = workspace.focus
    if focus is None:
        return
    rows = focus.selected if len(focus.selected) else focus.shown
    rows = rows[project.unit[rows] > NOISE]
    if not len(rows):
        workspace.say("There is nothing to sort: no events but noise are shown.")
        return
    sort_rows(workspace, rows)


def sort_rows(workspace: Workspace, rows: NDArray[np.int64]) -> None:
    """Sort `rows`, channel by channel, off the event loop; one edit."""
    project = _writable(workspace)
    sorter, seed = workspace.sorter or workspace.settings.sorter, workspace.seed

    def work(report: Report, cancel: threading.Event) -> Any:
        report(0.0, f"{len(rows):,} events")
        return sort_labels(project, rows, sorter, seed, report, cancel)

    def done(labels: NDArray[np.int64]) -> None:
        edit = project.sort_result(rows, labels, params={"sorter": str(sorter), "seed": seed})
        found = len(np.unique(labels[labels >= 0]))
        workspace.say(f"{found} {'unit' if found == 1 else 'units'} found in {len(rows):,} events.")
        if edit is not None and workspace.focus is not None:
            workspace.focus.param.update(unit=None)

    workspace.jobs.start("Sorting", work, done, workspace.complain)


def sort_labels(
    project: Project, rows: NDArray[np.int64], sorter: str, seed: int, report: Report, cancel: threading.Event
) -> NDArray[np.int64]:
    """Return a label per row from a sorter that runs in a process of its own."""
    from neuralsorter.sorting import sort

    units = sort(project.spikes.take(rows), sorter=sorter, seed=seed, progress=_by_channel(report), cancel=cancel)
    return np.asarray(units, np.int64) - 1


def _probability(project: Project, report: Report, cancel: threading.Event) -> NDArray[np.float32]:
    from neuralsorter.cleaning import spike_probability

    return spike_probability(project.spikes, progress=_by_channel(report), cancel=cancel)


def _by_channel(report: Report) -> Callable[[int, int], None]:
    return lambda done, total: report(done / max(total, 1), f"channel {done} of {total}")


def _writable(workspace: Workspace) -> Project:
    if workspace.project is None:
        raise ProjectError("Nothing is open. Open a recording first.")
    if workspace.project.read_only:
        raise ProjectError(f"This project is watch-only here: {workspace.project.holder or 'it cannot be written'}.")
    return workspace.project
