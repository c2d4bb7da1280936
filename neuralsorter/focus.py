"""Focus: what one browser tab shows and has selected. It is never saved with the project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import param
from numpy.typing import ArrayLike

from .edit import Edit
from .errors import DataError
from .project import Project
from .spikes import NOISE
from .storage.rowsets import Rows, common, either, rowset, without

MODES = ("replace", "add", "subtract", "intersect")


class Focus(param.Parameterized):
    """Where one tab is in a project. Values are replaced, never changed in place; one action, one round of watchers."""

    project = param.ClassSelector(class_=Project, doc="The project looked at.")
    experiment = param.Integer(default=None, allow_None=True, bounds=(0, None), doc="None shows all together.")
    channel = param.Integer(default=None, allow_None=True, doc="None before anything is shown.")
    unit = param.Integer(default=None, allow_None=True, bounds=(0, None), doc="None shows every unit not hidden.")
    hidden = param.ClassSelector(
        class_=frozenset, default=frozenset({NOISE}), doc="Units left out while `unit` is None; noise at first."
    )
    time_range_s = param.NumericTuple(default=None, allow_None=True, length=2, doc="From and up to; None is all times.")
    shown = param.Array(default=np.zeros(0, np.int64), doc="Rows on screen, sorted.")
    selected = param.Array(default=np.zeros(0, np.int64), doc="Rows selected, sorted; always among `shown`.")

    def __init__(
        self, project: Project, schedule: Callable[[Callable[[], None]], object] | None = None, **params: Any
    ) -> None:
        """Look at a project; `schedule` runs a call in the tab's own thread, for edits that others make."""
        self._schedule = schedule or (lambda call: call())
        channels = project.channels()
        self._project = project  # `project` as a parameter may be None to the type checker
        super().__init__(**{"project": project, "channel": channels[0] if channels else None} | params)
        self._show()
        self.param.watch(self._moved, ["experiment", "channel", "unit", "hidden", "time_range_s"])
        self._watcher = project.param.watch(self._edited, "edit")

    def close(self) -> None:
        """Stop following the project."""
        self._project.param.unwatch(self._watcher)

    def next_channel(self) -> None:
        """Show the channel after this one; stay at the last."""
        self._step_channel(1)

    def previous_channel(self) -> None:
        """Show the channel before this one; stay at the first."""
        self._step_channel(-1)

    def next_unit(self) -> None:
        """Show the next unit alone; after the last come noise, then all units."""
        self._step_unit(1)

    def previous_unit(self) -> None:
        """Show the unit before this one alone."""
        self._step_unit(-1)

    def select(self, rows: ArrayLike, mode: str = "replace") -> None:
        """Select rows; those not shown are left out.

        Parameters
        ----------
        rows : array_like of int
            Rows of the project.
        mode : {"replace", "add", "subtract", "intersect"}
            What to do with the selection so far.

        """
        if mode not in MODES:
            raise DataError(f"mode must be one of {', '.join(MODES)}. Got {mode!r}.")
        wanted = common(rowset(rows), self.shown)
        combine = {
            "replace": lambda: wanted,
            "add": lambda: either(self.selected, wanted),
            "subtract": lambda: without(self.selected, wanted),
            "intersect": lambda: common(self.selected, wanted),
        }
        self.selected = combine[mode]()

    def select_all(self) -> None:
        """Select everything shown."""
        self.selected = self.shown

    def clear(self) -> None:
        """Select nothing."""
        self.selected = np.zeros(0, np.int64)

    def invert(self) -> None:
        """Select what is shown and not selected."""
        self.selected = without(self.shown, self.selected)

    def _step_channel(self, step: int) -> None:
        channels = self._project.channels()
        if self.channel is not None and self.channel in channels:
            at = min(max(channels.index(self.channel) + step, 0), len(channels) - 1)
            self.param.update(channel=channels[at], unit=None)

    def _step_unit(self, step: int) -> None:
        if self.channel is None:
            return
        numbers = sorted(self._project.counts(self.channel, self.experiment), key=lambda unit: (unit == NOISE, unit))
        stops: list[int | None] = [None, *numbers]
        at = stops.index(self.unit) if self.unit in stops else 0
        self.unit = stops[(at + step) % len(stops)]

    def considered(self) -> Rows:
        """Return the channel's rows in the experiments and the time range looked at, of every unit, hidden or not."""
        if self.channel is None:
            return np.zeros(0, np.int64)
        return self._in_time(np.asarray(self._project.rows(self.channel, self.experiment), np.int64))

    def _in_time(self, rows: Rows) -> Rows:
        if self.time_range_s is None:
            return rows
        start, stop = self.time_range_s
        times = self._project.times_of(rows)
        return rows[(times >= start) & (times < stop)]

    def _rows(self) -> Rows:
        project = self._project
        if self.channel is None:
            return np.zeros(0, np.int64)
        rows = np.asarray(project.rows(self.channel, self.experiment, self.unit), np.int64)
        if self.unit is None and self.hidden:
            units = project.unit_of(rows)
            kept = np.ones(len(rows), bool)
            for unit in self.hidden:
                kept &= units != unit
            rows = rows if kept.all() else rows[kept]
        return self._in_time(rows)

    def _show(self) -> None:
        """Work out what is shown; keep of the selection what still is."""
        rows = self._rows()
        self.param.update(shown=rows, selected=common(self.selected, rows))

    def _moved(self, *_: Any) -> None:
        if self.unit is not None and self.channel is not None:
            counts = self._project.counts(self.channel, self.experiment)
            if self.unit not in counts:
                self.unit = None  # comes back here
                return
        self._show()

    def _edited(self, event: param.parameterized.Event) -> None:
        """Follow an edit that touches the channel shown; what it moved is no longer selected."""
        self._schedule(lambda: self._follow(event.new))

    def _follow(self, edit: Edit) -> None:
        if self.channel not in edit.channels and edit.kind != "import":
            return
        if self.channel is not None and self.unit is not None:
            counts = self._project.counts(self.channel, self.experiment)
            if self.unit not in counts:
                self.param.update(unit=None, selected=np.zeros(0, np.int64))
                return
        rows = self._rows()
        self.param.update(shown=rows, selected=common(without(self.selected, edit.rows), rows))
