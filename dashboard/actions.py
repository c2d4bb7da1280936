"""What a person can do: one table that keys, buttons, tooltips, the help page and tests all read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuralsorter.errors import NeuralSorterError, ProjectError
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE

from . import algorithms, deciding, reviewing, sortrun
from .views import VIEWS
from .workspace import Workspace

if TYPE_CHECKING:
    from .waveforms import Waveforms


@dataclass(frozen=True)
class Action:
    """One thing to do, by name."""

    name: str
    help: str
    run: Callable[[Workspace, Waveforms], None]


def act(name: str, workspace: Workspace, waveforms: Waveforms) -> None:
    """Do one action by name; a problem becomes a sentence on the page."""
    try:
        if name not in LOOKING:
            workspace.moment = None
        ACTIONS[name].run(workspace, waveforms)
    except NeuralSorterError as error:
        workspace.complain(str(error))


def send(workspace: Workspace, unit: int | None) -> None:
    """Send the selected events to a unit, to noise (0), or to a new unit (None)."""
    project, focus = workspace.project, workspace.focus
    if project is None or focus is None:
        raise ProjectError("Nothing is open. Open a recording first.")
    rows = focus.selected
    if not len(rows):
        workspace.say("Nothing is selected. Draw a lasso around waveforms first, or press A to select all.")
        return
    target = max(map(project.new_unit, focus.channels)) if unit is None else unit
    edit = project.assign(rows, target, params=dict(workspace.region))
    name = "noise" if target == NOISE else f"unit {target}"
    moved = 0 if edit is None else len(edit.rows)
    kept = len(rows) - moved
    note = f" {kept:,} stayed: already there, or locked." if kept else ""
    workspace.say(f"{moved:,} events sent to {name}.{note}")


def _step_channel(step: int) -> Callable[[Workspace, Waveforms], None]:
    def run(workspace: Workspace, _: Waveforms) -> None:
        if workspace.focus is not None:
            (workspace.focus.next_channel if step > 0 else workspace.focus.previous_channel)()

    return run


def _step_unit(step: int) -> Callable[[Workspace, Waveforms], None]:
    def run(workspace: Workspace, _: Waveforms) -> None:
        if workspace.focus is not None:
            (workspace.focus.next_unit if step > 0 else workspace.focus.previous_unit)()

    return run


def _step_view(step: int) -> Callable[[Workspace, Waveforms], None]:
    def run(workspace: Workspace, _: Waveforms) -> None:
        stops = ["", *(kind.title for kind in VIEWS)]
        workspace.view = stops[(stops.index(workspace.view) + step) % len(stops)]

    return run


def _undo(workspace: Workspace, _: Waveforms) -> None:
    if workspace.project is None:
        return
    edit = workspace.project.undo()
    workspace.say("Nothing to undo." if edit is None else f"Undone: {edit.label}.")


def _redo(workspace: Workspace, _: Waveforms) -> None:
    if workspace.project is None:
        return
    edit = workspace.project.redo()
    workspace.say("Nothing to redo." if edit is None else f"Done again: {edit.label}.")


def _select(how: str) -> Callable[[Workspace, Waveforms], None]:
    def run(workspace: Workspace, waveforms: Waveforms) -> None:
        if workspace.focus is None:
            return
        {"all": workspace.focus.select_all, "none": workspace.focus.clear, "invert": workspace.focus.invert}[how]()
        waveforms.forget_region()

    return run


def _merge(workspace: Workspace, waveforms: Waveforms) -> None:
    project, focus = workspace.project, workspace.focus
    if project is None or focus is None or focus.channel is None:
        return
    _on_one_channel(workspace)
    rows = workspace.selected_or_shown()
    units = np.unique(project.unit[rows])
    units = units[units > NOISE]
    if len(units) < 2:
        workspace.say("Merging needs events of two units: select some of each, or show more than one unit.")
        return
    project.merge(focus.channel, [int(unit) for unit in units])
    waveforms.forget_region()
    workspace.say(f"Units {', '.join(map(str, units))} are now unit {units[0]}.")


def _label(text: str) -> Callable[[Workspace, Waveforms], None]:
    def run(workspace: Workspace, _: Waveforms) -> None:
        project, channel, unit = _one_unit(workspace)
        project.set_label(channel, unit, text)
        workspace.say(f"Unit {unit} of channel {channel} is labelled {text}.")

    return run


def _lock(workspace: Workspace, _: Waveforms) -> None:
    project, channel, unit = _one_unit(workspace)
    on = (channel, unit) not in project.locked
    project.lock(channel, unit, on)
    workspace.say(f"Unit {unit} of channel {channel} is {'locked: its events stay as they are' if on else 'unlocked'}.")


def _on_one_channel(workspace: Workspace) -> None:
    """Raise where several channels are drawn together: units of different channels are different units."""
    focus = workspace.focus
    if focus is not None and focus.beside:
        channels = ", ".join(map(str, focus.channels))
        raise ProjectError(f"This concerns units of one channel, and {channels} are shown. Click one channel first.")


def _one_unit(workspace: Workspace) -> tuple[Project, int, int]:
    project, focus = workspace.project, workspace.focus
    if project is None or focus is None or focus.channel is None:
        raise ProjectError("Nothing is open. Open a recording first.")
    _on_one_channel(workspace)
    units = np.unique(project.unit[workspace.selected_or_shown()])
    units = units[units > NOISE]
    if len(units) != 1:
        raise ProjectError(f"This concerns one unit, and {len(units)} are meant. Click one unit in the list first.")
    return project, int(focus.channel), int(units[0])


def _tool(name: str) -> Callable[[Workspace, Waveforms], None]:
    return lambda _, waveforms: setattr(waveforms, "tool", name)


_TABLE = (
    Action("previous channel", "Show the channel before this one", _step_channel(-1)),
    Action("next channel", "Show the channel after this one", _step_channel(1)),
    Action("previous unit", "Show the unit before this one", _step_unit(-1)),
    Action("next unit", "Show the unit after this one", _step_unit(1)),
    *(
        Action(
            f"send to {unit}",
            f"Send the selected events to {f'unit {unit}' if unit else 'noise'}",
            lambda workspace, _, unit=unit: send(workspace, unit),  # type: ignore[misc]  # a lambda with a default
        )
        for unit in range(10)
    ),
    Action("send to new unit", "Send the selected events to a new unit", lambda workspace, _: send(workspace, None)),
    Action("selected to noise", "Send the selected events to noise", lambda workspace, _: send(workspace, NOISE)),
    Action("clean", "Clean all electrodes: events the cleaner takes for noise go to noise", algorithms.clean),
    Action("sort", "Sort what is shown into units", sortrun.sort_shown),
    Action("split unit", "Sort the unit shown by itself, again", sortrun.split_unit),
    Action("select strays", "Select the events shown that are unlike their unit", deciding.select_strays),
    Action("next suggestion", "Show the next units that may be one, or several", deciding.next_suggestion),
    Action("accept suggestion", "Take the suggestion: merge the two units, or split the one", deciding.accept),
    Action("reject suggestion", "Forget the suggestion: the two units are two, the one is one", deciding.reject),
    Action("next concern", "Review: show what most needs eyes", reviewing.next_concern),
    Action("reviewed", "Review: mark the channel as reviewed and go on", reviewing.mark_reviewed),
    Action("next violation", "Select the next two events too close for one neuron", reviewing.next_violation),
    Action("next view", "Judge: open the next view below the main screen", _step_view(1)),
    Action("previous view", "Judge: open the view before", _step_view(-1)),
    Action("cancel", "Stop the work under way", lambda workspace, _: workspace.jobs.cancel()),
    Action("undo", "Undo the last change, as often as you like", _undo),
    Action("redo", "Do again what was undone", _redo),
    Action("merge shown units", "Merge the units of the selected (or shown) events", _merge),
    Action("select all", "Select every event shown", _select("all")),
    Action("select none", "Select nothing", _select("none")),
    Action("invert selection", "Select what is shown and not selected", _select("invert")),
    Action("reset view", "Show the whole window again", lambda _, waveforms: waveforms.reset_view()),
    Action("lasso", "Dragging draws a lasso", _tool("lasso")),
    Action("box", "Dragging draws a box", _tool("box")),
    Action("line", "Dragging draws a line: what crosses it", _tool("line")),
    Action("band", "Dragging up or down takes the amplitudes at that time", _tool("band")),
    Action("next mode", "A region replaces, adds to, takes from, or meets the selection", lambda _, w: w.next_mode()),
    Action("pan", "Dragging moves the picture", _tool("pan")),
    Action("noise on or off", "Show or hide noise", lambda _, waveforms: waveforms.toggle_noise()),
    Action("next shading", "Change how counts become colours", lambda _, waveforms: waveforms.next_shading()),
    Action(
        "next alignment",
        "Align at the crossing, the trough or the peak",
        lambda _, waveforms: waveforms.next_alignment(),
    ),
    Action("label good", "Label the shown unit good", _label("good")),
    Action("label mua", "Label the shown unit multi-unit", _label("mua")),
    Action("label unsorted", "Label the shown unit unsorted", _label("unsorted")),
    Action("lock unit", "Lock or unlock the shown unit", _lock),
    Action("help", "Show keys and gestures", lambda workspace, _: workspace.param.trigger("help_wanted")),
)
# What leaves the page where it is while an earlier moment is looked at.
LOOKING = {
    "previous channel", "next channel", "previous unit", "next unit", "reset view", "pan", "noise on or off",
    "next shading", "next alignment", "help", "cancel", "next view", "previous view", "next concern", "next violation",
}  # fmt: skip
ACTIONS = {action.name: action for action in _TABLE}
