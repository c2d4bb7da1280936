"""Clean from the page: a snapshot out, probabilities back, one edit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import ProjectError
from neuralsorter.project import Project
from neuralsorter.settings import settings
from neuralsorter.spikes import NOISE

from .jobs import Report
from .workspace import Workspace

if TYPE_CHECKING:
    from .waveforms import Waveforms


def clean(workspace: Workspace, _: Waveforms | None = None) -> None:
    """Compute P(spike) of every event, then send those below the threshold to noise, as one edit."""
    project = writable(workspace)
    if judged(workspace) is not None:
        apply_threshold(workspace, np.arange(len(project)), {"scope": "everything"})
        return
    cleaner = chosen_cleaner(workspace)

    def done(probability: NDArray[np.float32]) -> None:
        if workspace.project is project and chosen_cleaner(workspace) == cleaner:
            workspace.probability = probability
            apply_threshold(workspace, np.arange(len(project)), {"scope": "everything"})

    workspace.jobs.start(
        "Cleaning", lambda report, cancel: _probability(project, cleaner, report, cancel), done, workspace.complain,
        workspace.say,
    )  # fmt: skip


def chosen_cleaner(workspace: Workspace) -> str:
    """Return the cleaner of this tab, else of the project's settings, else of the user's."""
    project = workspace.project
    return workspace.cleaner or settings(project.path if project is not None else None).cleaner


def judged(workspace: Workspace) -> NDArray[np.float32] | None:
    """Return P(spike) of every event; None before cleaning, and where events were added since."""
    known = workspace.probability
    return (
        known if known is not None and workspace.project is not None and len(known) == len(workspace.project) else None
    )


def apply_threshold(workspace: Workspace, rows: NDArray[np.int64], told: dict[str, Any]) -> None:
    """Let the threshold hold for `rows`: below it to noise; what a cleaner sent there and is above comes back.

    `told` is kept in the history with the cleaner, the hash of its network and the threshold.
    """
    from neuralsorter.cleaning import provenance

    project, probability = writable(workspace), judged(workspace)
    if probability is None:
        workspace.say("Clean first: the threshold needs the probability of each event.")
        return
    params = {**told, **provenance(chosen_cleaner(workspace)), "judged": len(rows)}
    edit = project.clean(rows, probability[rows], workspace.threshold, params=params)
    if edit is None:
        workspace.say(f"At P(spike) {workspace.threshold:.2f} nothing changes.")
        return
    gone = int((edit.after == NOISE).sum())
    workspace.say(
        f"At P(spike) {workspace.threshold:.2f}: {gone:,} events to noise, {len(edit.rows) - gone:,} back from it."
    )


def _probability(project: Project, cleaner: str, report: Report, cancel: threading.Event) -> NDArray[np.float32]:
    from neuralsorter.cleaning import spike_probability

    return spike_probability(project.spikes, cleaner, progress=by_channel(report), cancel=cancel)


def by_channel(report: Report) -> Callable[[int, int], None]:
    """Return what tells a job how many channels are done."""
    return lambda done, total: report(done / max(total, 1), f"channel {done} of {total}")


def writable(workspace: Workspace) -> Project:
    """Return the project, or say why it cannot be edited."""
    if workspace.project is None:
        raise ProjectError("Nothing is open. Open a recording first.")
    if workspace.project.read_only:
        raise ProjectError(f"This project is watch-only here: {workspace.project.holder or 'it cannot be written'}.")
    return workspace.project
