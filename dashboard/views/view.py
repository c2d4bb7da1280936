"""What all views of the Judge area share: when they compute, where, and what of it is shown and exported."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from neuralsorter.errors import NeuralSorterError
from neuralsorter.palette import unit_colour
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE
from neuralsorter.spiketrain import stretches
from neuralsorter.storage.rowsets import common
from neuralsorter.tally import tally

from ..jobs import on_page
from ..latest import Latest
from ..workspace import Workspace
from .exports import Exports

OPTIONS_WIDTH = 190  # px


@dataclass(frozen=True, eq=False)
class Look:
    """What a view looks at, as it was when it was wished for.

    `rows` are all events of the channel in the experiments and the time range looked at, whatever their unit; `unit`
    is theirs. `visible` are the units that the main screen shows, `options` the view's own parameters.
    """

    project: Project
    channel: int
    experiment: int | None
    time_range_s: tuple[float, ...] | None
    moment: int | None
    rows: NDArray[np.int64]
    unit: NDArray[np.int32]
    visible: frozenset[int]
    selected: NDArray[np.int64]
    dark: bool
    options: dict[str, Any]
    window: Any = None  # what part of the plane is on screen, for views that are drawn in pixels

    @cached_property
    def times_s(self) -> NDArray[np.float64]:
        """Times of the rows, (n_rows,)."""
        return self.project.times_of(self.rows)

    @cached_property
    def stretch(self) -> NDArray[np.int64]:
        """Stretch of continuous clock of each row, (n_rows,)."""
        return stretches(self.project.spikes, self.rows)

    @property
    def units(self) -> list[int]:
        """Units shown that have events, ascending, noise left out."""
        return [unit for unit in tally(self.unit) if unit > NOISE and unit in self.visible]

    def colour(self, unit: int) -> str:
        """Return a unit's colour."""
        return unit_colour(unit, dark=self.dark)

    def same_events(self, other: Look) -> bool:
        """Whether two looks are at the same events with the same options, so that only units may differ."""
        return (
            self.project is other.project
            and (self.channel, self.experiment, self.time_range_s, self.options)
            == (other.channel, other.experiment, other.time_range_s, other.options)
            and len(self.rows) == len(other.rows)
        )

    def touched_since(self, other: Look) -> set[int]:
        """Return the units that gained or lost events since another look at the same events."""
        moved = np.flatnonzero(self.unit != other.unit)
        return {int(unit) for unit in np.unique([self.unit[moved], other.unit[moved]])}


class View(pn.viewable.Viewer, param.ParameterizedABC):
    """One way to judge the units on screen.

    It computes only while it is `active`, away from the event loop; the newest wish wins. A view needs nothing but a
    workspace and can be shown alone. Subclasses fill in `title`, `hint`, `settings`, `build`, `compute`, `draw` and
    `table`.
    """

    title: ClassVar[str] = ""
    hint: ClassVar[str] = ""
    settings: ClassVar[tuple[str, ...]] = ()
    follows_selection: ClassVar[bool] = False  # whether it shows what is selected

    active = param.Boolean(default=False, doc="Whether somebody looks at it; hidden, it computes nothing.")

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self._document = workspace.document
        self._latest = Latest()
        self._due = False
        self._done: tuple[Look, Any] | None = None
        # Not a Typography: React begins to listen a moment after it has joined the page, and this text comes at once.
        self.said = pn.pane.Markdown(
            "", margin=(2, 6), sizing_mode="stretch_width", styles={"font-size": "14px"},
            stylesheets=["p { margin: 0; line-height: 1.43 }"],
        )  # fmt: skip
        self.figure = self.build()
        self.exports = Exports(self.title.lower().replace(" ", "-"), self.figure.name, self._csv)
        self._pane = self._layout()
        workspace.param.watch(lambda *_: self._opened(), "focus")
        workspace.param.watch(lambda *_: self.refresh(), ["dark", "moment", "edits"])
        self.param.watch(lambda *_: self.refresh(), ["active", *self.settings])
        self._opened()

    def __panel__(self) -> Any:
        return self._pane

    @abstractmethod
    def build(self) -> Any:
        """Return the Bokeh figure, empty; its `name` must be the view's own."""

    def controls(self) -> list[Any]:
        """Return the widgets of the view's own parameters."""
        return [number(self, name) for name in self.settings]

    @abstractmethod
    def compute(self, look: Look, before: tuple[Look, Any] | None) -> Any:
        """Return what is shown. Runs in a thread; `before` is the last look at the same events and its result."""

    @abstractmethod
    def draw(self, look: Look, result: Any) -> str:
        """Put a result on the figure; return a sentence about it. Runs on the page's event loop."""

    @abstractmethod
    def table(self, look: Look, result: Any) -> pd.DataFrame:
        """Return the numbers shown, for export."""

    def refresh(self) -> None:
        """Wish for this view to be brought up to date; several wishes of one moment are one."""
        if self.active and not self._due:
            self._due = True
            on_page(self._document, self._wish)

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Wait until what is wished for has been computed."""
        return self._latest.wait(timeout_s)

    def look(self) -> Look | None:
        """Return what there is to look at, None before anything is open."""
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None or focus.channel is None:
            return None
        rows, moment = focus.considered(), self.workspace.moment
        unit = project.unit_of(rows) if moment is None else project.unit_at(moment)[rows]
        present = frozenset(tally(unit))
        visible = present - focus.hidden if focus.unit is None else frozenset({int(focus.unit)})
        options = {name: getattr(self, name) for name in self.settings}
        return Look(project, int(focus.channel), focus.experiment, focus.time_range_s, moment, rows, unit, visible,
                    common(focus.selected, rows), self.workspace.dark, options)  # fmt: skip

    def _opened(self) -> None:
        focus = self.workspace.focus
        self._done = None
        if focus is not None:
            followed = ["shown", "time_range_s", *(["selected"] if self.follows_selection else [])]
            focus.param.watch(lambda *_: self.refresh(), followed)
            self.refresh()

    def _wish(self) -> None:
        self._due = False
        look = self.look() if self.active else None
        if look is not None:
            self._latest.wish(lambda: self._work(look))

    def _work(self, look: Look) -> None:
        before = self._done if self._done is not None and look.same_events(self._done[0]) else None
        try:
            result = self.compute(look, before)
        except NeuralSorterError as error:
            sentence = str(error)
            on_page(self._document, lambda: self.workspace.complain(sentence))
            return
        except Exception as error:  # noqa: BLE001 - whatever fails here must be said on the page, and the view go on
            sentence = f"{self.title} could not be computed: {type(error).__name__}: {error}"
            on_page(self._document, lambda: self.workspace.complain(sentence))
            return
        self._done = look, result
        on_page(self._document, lambda: self._show(look, result))

    def _show(self, look: Look, result: Any) -> None:
        if self.active:
            self.said.object = self.draw(look, result)

    def _csv(self) -> str:
        return "" if self._done is None else str(self.table(*self._done).to_csv(index=False))

    def _layout(self) -> Any:
        explained = pmui.Typography(object=self.hint, variant="caption", margin=(2, 6), sx={"opacity": 0.8})
        side = pmui.Column(
            *self.controls(), self.said, explained, self.exports,
            width=OPTIONS_WIDTH, sizing_mode="stretch_height", margin=0, scroll="y-auto",
        )  # fmt: skip
        plot = pn.pane.Bokeh(self.figure, sizing_mode="stretch_both", min_height=220)
        return pmui.Row(side, plot, sizing_mode="stretch_both", margin=0)


def number(view: View, name: str) -> Any:
    """Return a small field for a numeric parameter of a view; its documentation is the tooltip."""
    declared = view.param[name]
    low, high = declared.bounds or (None, None)
    label = str(declared.label or name).replace("_", " ")
    kind = pmui.IntInput if isinstance(declared, param.Integer) else pmui.FloatInput
    return kind.from_param(
        declared, label=label, start=low, end=high, size="small", width=OPTIONS_WIDTH - 20, margin=(8, 6, 2, 6)
    )
