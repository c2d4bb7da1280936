"""Focus: what one browser tab shows and has selected. It is never saved with the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    beside = param.ClassSelector(class_=frozenset, default=frozenset(), doc="Channels drawn together with `channel`.")
    also = param.ClassSelector(
        class_=frozenset, default=frozenset(), doc="Experiments drawn together with `experiment`, unless that is None."
    )
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
        self.param.watch(self._moved, ["experiment", "also", "channel", "beside", "unit", "hidden", "time_range_s"])
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
        numbers = sorted(self.counts(), key=lambda unit: (unit == NOISE, unit))
        stops: list[int | None] = [None, *numbers]
        at = stops.index(self.unit) if self.unit in stops else 0
        self.unit = stops[(at + step) % len(stops)]

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels drawn together, sorted: the one looked at and those beside it."""
        return () if self.channel is None else tuple(sorted({int(self.channel), *self.beside}))

    @property
    def experiments(self) -> tuple[int, ...] | None:
        """Experiments drawn together, sorted; None for all of them."""
        return None if self.experiment is None else tuple(sorted({int(self.experiment), *self.also}))

    def counts(self) -> dict[int, int]:
        """Return {unit: number of events} of all channels and experiments drawn together."""
        total: dict[int, int] = {}
        for channel, experiment in self._drawn():
            for unit, count in self._project.counts(channel, experiment).items():
                total[unit] = total.get(unit, 0) + count
        return total

    def considered(self) -> Rows:
        """Return the channel's rows in the experiments and the time range looked at, of every unit, hidden or not."""
        return self._in_time(self._joined([place for place in self._drawn() if place[0] == self.channel]))

    def overlaid(self) -> Rows:
        """Return what `considered` returns, of all channels drawn together."""
        return self._in_time(self._joined(self._drawn()))

    def overlay(self, channels: Iterable[int]) -> None:
        """Draw these channels together; the one looked at stays if it is among them."""
        wanted = sorted(channels)
        if wanted:
            main = self.channel if self.channel in wanted else wanted[0]
            self.param.update(channel=main, beside=frozenset(wanted) - {main})

    def overlay_experiments(self, experiments: Iterable[int]) -> None:
        """Draw these experiments together."""
        wanted = sorted(experiments)
        if wanted:
            main = self.experiment if self.experiment in wanted else wanted[0]
            self.param.update(experiment=main, also=frozenset(wanted) - {main})

    def _drawn(self) -> list[tuple[int, int | None]]:
        return [(c, e) for c in self.channels for e in (self.experiments or (None,))]

    def _joined(self, places: list[tuple[int, int | None]], unit: int | None = None) -> Rows:
        """Return the rows of channels of experiments (None: of all), sorted, of one unit or all."""
        parts = [np.asarray(self._project.rows(*place, unit), np.int64) for place in places]
        if len(parts) == 1:
            return parts[0]
        return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64)

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
        rows = self._joined(self._drawn(), self.unit)
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

    def _moved(self, *events: param.parameterized.Event) -> None:
        alone = self._alone({event.name for event in events})
        if alone:
            self.param.update(**alone)  # comes back here
            return
        if self.unit is not None and self.channel is not None and self.unit not in self.counts():
            self.unit = None  # comes back here
            return
        self._show()

    def _alone(self, changed: set[str]) -> dict[str, frozenset[int]]:
        """Return what becomes empty: another channel or experiment is looked at alone unless others are named too."""
        pairs = (("channel", "beside"), ("experiment", "also"))
        return {
            others: frozenset()
            for one, others in pairs
            if one in changed and others not in changed and getattr(self, others)
        }

    def _edited(self, event: param.parameterized.Event) -> None:
        """Follow an edit that touches the channel shown; what it moved is no longer selected."""
        self._schedule(lambda: self._follow(event.new))

    def _follow(self, edit: Edit) -> None:
        if not {*self.channels} & {*edit.channels} and edit.kind != "import":
            return
        if self.channel is not None and self.unit is not None and self.unit not in self.counts():
            self.param.update(unit=None, selected=np.zeros(0, np.int64))
            return
        rows = self._rows()
        self.param.update(shown=rows, selected=common(without(self.selected, edit.rows), rows))
