"""The main screen as a Bokeh figure: one image of every waveform, selection tools, the outline of the selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.events import DoubleTap, PanStart, RangesUpdate, SelectionGeometry
from bokeh.models import (
    BoxSelectTool,
    ColumnDataSource,
    LassoSelectTool,
    PanTool,
    Range1d,
    ResetTool,
    SaveTool,
    Span,
    WheelZoomTool,
)
from bokeh.plotting import figure
from numpy.typing import NDArray

Range = tuple[float, float]
MAKERS: dict[str, Callable[..., Any]] = {
    "lasso": partial(LassoSelectTool, continuous=False),
    "box": partial(BoxSelectTool, continuous=False),
    "line": partial(LassoSelectTool, continuous=False),
    "band": partial(BoxSelectTool, continuous=False, dimensions="height"),
    "pan": PanTool,
}
TOOLS = tuple(MAKERS)
SETTLED_MS = 60  # after the last step of the wheel; Bokeh would wait half a second before it says where it got to


@dataclass(frozen=True)
class View:
    """What part of the plane is on screen, and how many pixels it has, `pixel_ratio` to each of the page's own."""

    x_range: Range
    y_range: Range
    width: int
    height: int
    pixel_ratio: float = 1.0


class Screen:
    """The figure and its events. It knows nothing about spikes: images in, regions and views out.

    Parameters
    ----------
    on_view : callable
        Called without arguments when the visible part or the size has changed.
    on_region : callable
        Called with a polygon (n, 2) in ms and µV and what to do with the selection so far.
    on_reset : callable
        Called without arguments on a double click or the reset tool.
    name, x_label, y_label : str
        Of the figure and its axes.
    tools : sequence of str
        What dragging can do, of TOOLS; the first is what it does at first.
    in_toolbar : bool
        Whether the tools are in the figure's toolbar; if not, `activate` chooses among them.
    crossing : bool
        Whether a dotted line marks x = 0.

    """

    def __init__(
        self,
        on_view: Callable[[], None],
        on_region: Callable[[NDArray[np.float64], str], None],
        on_reset: Callable[[], None],
        *,
        name: str = "waveforms",
        x_label: str = "ms from the threshold crossing",
        y_label: str = "µV",
        tools: Sequence[str] = ("lasso", "box", "pan"),
        in_toolbar: bool = True,
        crossing: bool = False,
    ) -> None:
        self._on_view, self._on_region, self._on_reset = on_view, on_region, on_reset
        self._modifiers: dict[str, bool] = {}
        self._setting = False
        self._start_ms = 0.0
        self._wheel = WheelZoomTool()
        self._tools = {tool: MAKERS[tool](visible=in_toolbar) for tool in tools}
        self._tool = tools[0]
        self.mode = "replace"  # what a region does with the selection where no key says so
        self.figure = figure(
            x_range=Range1d(-1, 2),
            y_range=Range1d(-100, 100),
            x_axis_label=x_label,
            y_axis_label=y_label,
            tools=[*self._tools.values(), self._wheel, ResetTool(), SaveTool()],
            active_drag=self._tools[self._tool],
            active_scroll=self._wheel,
            toolbar_location="above",
            sizing_mode="stretch_both",
            min_height=200,
            name=name,
            lod_timeout=SETTLED_MS,
        )
        self.figure.toolbar.logo = None
        self.figure.grid.grid_line_alpha = 0.25
        self._image = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []})
        self._outline = ColumnDataSource({"xs": [], "ys": []})
        # The selection tools would otherwise fade the picture: it has no selected glyphs of its own.
        self.figure.image_rgba("image", "x", "y", "dw", "dh", source=self._image, level="image")
        if crossing:
            self.figure.add_layout(
                Span(location=0, dimension="height", line_color="#8a8a8a", line_dash="dotted", line_alpha=0.7)
            )
        self.figure.patches(
            "xs",
            "ys",
            source=self._outline,
            fill_color="#1a9af6",
            fill_alpha=0.08,
            line_color="#1a9af6",
            line_width=1.5,
        )
        self._listen()

    def _listen(self) -> None:
        figure = self.figure
        figure.on_event(PanStart, self._dragged)
        figure.on_event(SelectionGeometry, self._selected)
        figure.on_event(DoubleTap, lambda _: self._on_reset())
        figure.on_event("reset", lambda _: self._on_reset())
        figure.on_event(RangesUpdate, lambda _: None if self._setting else self._on_view())
        figure.on_change("inner_width", self._resized)
        figure.on_change("inner_height", self._resized)

    def _resized(self, _attr: str, _old: Any, _new: Any) -> None:
        self._on_view()

    def _dragged(self, event: PanStart) -> None:
        self._modifiers = dict(event.modifiers or {})
        self._start_ms = float(event.x or 0.0)

    def _selected(self, event: SelectionGeometry) -> None:
        if not event.final:
            return
        polygon = region_of(self._tool, event.geometry, self._start_ms)
        if len(polygon) >= 2:
            self._on_region(polygon, mode_of(self._modifiers) or self.mode)

    def view(self, pixel_ratio: float = 1.0) -> View | None:
        """Return what is on screen in device pixels, None before the browser has said how large it is."""
        try:
            width, height = self.figure.inner_width, self.figure.inner_height
        except UnsetValueError:
            return None
        x, y = self.figure.x_range, self.figure.y_range
        if width < 10 or height < 10 or x.start == x.end or y.start == y.end:
            return None
        return View(
            (float(x.start), float(x.end)),
            (float(y.start), float(y.end)),
            round(width * pixel_ratio),
            round(height * pixel_ratio),
            pixel_ratio,
        )

    def look_at(self, x_range: Range, y_range: Range) -> None:
        """Move the window."""
        self._setting = True
        try:
            self.figure.x_range.update(start=x_range[0], end=x_range[1])
            self.figure.y_range.update(start=y_range[0], end=y_range[1])
        finally:
            self._setting = False

    def show(self, rgba: NDArray[np.uint8], view: View) -> None:
        """Show an image (height, width, 4), row 0 lowest, in the window it was drawn for."""
        packed = np.ascontiguousarray(rgba).view(np.uint32).reshape(rgba.shape[:2])
        (x0, x1), (y0, y1) = view.x_range, view.y_range
        self._image.data = {"image": [packed], "x": [x0], "y": [y0], "dw": [x1 - x0], "dh": [y1 - y0]}

    def outline(self, polygon: NDArray[np.float64] | None) -> None:
        """Draw the outline of a selection, or none."""
        self._outline.data = (
            {"xs": [], "ys": []} if polygon is None else {"xs": [list(polygon[:, 0])], "ys": [list(polygon[:, 1])]}
        )

    def activate(self, tool: str) -> None:
        """Choose what dragging does: one of TOOLS."""
        self._tool = tool
        self.figure.toolbar.active_drag = self._tools[tool]


def polygon_of(geometry: dict[str, Any]) -> NDArray[np.float64]:
    """Return the polygon (n, 2) of a lasso or box event."""
    if geometry.get("type") == "poly":
        return np.column_stack([np.asarray(geometry["x"], float), np.asarray(geometry["y"], float)])
    if geometry.get("type") == "rect":
        x0, x1, y0, y1 = (float(geometry[key]) for key in ("x0", "x1", "y0", "y1"))
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return np.zeros((0, 2))


def region_of(tool: str, geometry: dict[str, Any], start_ms: float) -> NDArray[np.float64]:
    """Return the region (n, 2) that a drag means: a line joins its ends, a band is upright where the drag began.

    A drag that began before the browser heard of another tool means what that tool drew: a lasso or a box.
    """
    polygon, kind = polygon_of(geometry), geometry.get("type")
    if tool == "line" and kind == "poly":
        return polygon[[0, -1]] if len(polygon) > 1 else polygon
    if tool == "band" and kind == "rect":
        return np.array([[start_ms, polygon[:, 1].min()], [start_ms, polygon[:, 1].max()]])
    return polygon


def mode_of(modifiers: dict[str, bool]) -> str:
    """Return what a selection does with the one before: shift adds, ctrl+shift takes away, ctrl keeps what is in both.

    Without a key it is "".
    """
    if modifiers.get("shift"):
        return "subtract" if modifiers.get("ctrl") else "add"
    return "intersect" if modifiers.get("ctrl") else ""
