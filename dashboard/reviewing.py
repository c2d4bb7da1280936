"""Going through a recording: the next concern, the next refractory violation, and channels marked as reviewed."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralsorter.errors import ProjectError
from neuralsorter.focus import Focus
from neuralsorter.project import Project
from neuralsorter.review import Concern, violations
from neuralsorter.spikes import NOISE
from neuralsorter.spiketrain import stretches
from neuralsorter.tally import tally

from .deciding import suggest
from .workspace import Workspace

ANSWERS = {"merge": " T merges them, F keeps them apart.", "split": " T splits it, F keeps it whole.", "flags": ""}


def next_concern(workspace: Workspace, _: Any = None) -> None:
    """Show what most needs eyes and was not shown yet."""
    project, _ = _open(workspace)
    queue = workspace.queue
    if not queue.n_seen:
        workspace.say("Looking through all channels …")
        _once_found(workspace)
        queue.bring_up(project, workspace.document)
        return
    if not queue.running:
        queue.bring_up(project, workspace.document)  # what was edited since; this time the list as it is will do
    seen = workspace.seen_concerns
    left = [c for c in queue.ranked(project) if c.key not in seen]
    if left:
        show(workspace, left[0])
        return
    _next_open_channel(workspace)


def show(workspace: Workspace, concern: Concern) -> None:
    """Go to a concern: its unit alone, or the two that may be one; a suggestion comes with its evidence."""
    _, focus = _open(workspace)
    workspace.seen_concerns = workspace.seen_concerns | {concern.key}
    workspace.case = None  # an earlier suggestion must not be taken by a key meant for this one
    if focus.channel != concern.channel:
        focus.param.update(channel=concern.channel, unit=None)
    _show_units(workspace, focus, concern.units)
    names = " and ".join(map(str, concern.units))
    noun = "unit" if len(concern.units) == 1 else "units"
    workspace.say(f"Channel {concern.channel}, {noun} {names}: {' '.join(concern.reasons)}{ANSWERS[concern.kind]}")
    if concern.kind != "flags":
        suggest(workspace, (concern.units, concern.kind))


def mark_reviewed(workspace: Workspace, _: Any = None) -> None:
    """Mark the channel shown as reviewed and go on; where it is marked already, take the mark away."""
    project, focus = _open(workspace)
    channel = int(focus.channel or 0)
    on = channel not in project.reviewed
    project.set_reviewed(channel, on)
    if not on:
        workspace.say(f"Channel {channel} is to be reviewed again.")
    elif len(project.reviewed) == len(project.channels()):
        workspace.say("All channels are reviewed.")
    else:
        next_concern(workspace)


def next_violation(workspace: Workspace, _: Any = None) -> None:
    """Select the next two events of a shown unit that are too close for one neuron; after the last comes the first."""
    project, focus = _open(workspace)
    below_s = workspace.queue.refractory_s(project)
    rows = focus.shown
    clock = stretches(project.spikes, rows)
    pairs = rows[violations(project.times_of(rows), clock, project.unit_of(rows), below_s)]
    if not len(pairs):
        workspace.say(f"No two events of a unit shown are closer than {below_s * 1000:g} ms.")
        return
    now = [k for k, pair in enumerate(pairs) if np.array_equal(np.sort(pair), focus.selected)]
    at = (now[0] + 1) % len(pairs) if now else 0
    focus.select(np.sort(pairs[at]))
    times = project.times_of(np.sort(pairs[at]))
    unit = int(project.unit_of(np.sort(pairs[at]))[0])
    workspace.region = {}
    workspace.say(f"Violation {at + 1:,} of {len(pairs):,}: unit {unit}, two events {np.ptp(times) * 1000:.2f} ms apart"
                  f" at {times.min():.3f} s. D sends both to noise.")  # fmt: skip


def progress(project: Project) -> str:
    """Return how far the review is, in words."""
    channels = project.channels()
    return f"{len(project.reviewed & set(channels))} of {len(channels)} channels reviewed"


def _open(workspace: Workspace) -> tuple[Project, Focus]:
    if workspace.project is None or workspace.focus is None or workspace.focus.channel is None:
        raise ProjectError("Nothing is open. Open a recording first.")
    return workspace.project, workspace.focus


def _show_units(workspace: Workspace, focus: Focus, units: tuple[int, ...]) -> None:
    if len(units) == 1:
        focus.param.update(unit=units[0])
        return
    project, _ = _open(workspace)
    present = {*tally(project.unit_of(focus.considered()))}
    focus.param.update(unit=None, hidden=frozenset((present | {NOISE}) - set(units)))


def _next_open_channel(workspace: Workspace) -> None:
    project, focus = _open(workspace)
    left = [channel for channel in project.channels() if channel not in project.reviewed]
    later = [channel for channel in left if channel > (focus.channel or 0)] or left
    if not later:
        workspace.say("All channels are reviewed.")
        return
    focus.param.update(channel=later[0], unit=None, hidden=frozenset({NOISE}))
    workspace.say(f"Nothing else stands out. Channel {later[0]} is not reviewed yet; {progress(project)}.")


def _once_found(workspace: Workspace) -> None:
    """Go to the first concern as soon as all channels have been looked through."""

    def done(event: Any) -> None:
        if not event.new:
            workspace.queue.param.unwatch(watcher)
            next_concern(workspace)

    watcher = workspace.queue.param.watch(done, "running")
