"""Events as points along two axes of one's choice: every one drawn, in the colours of their units, and selectable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from neuralsorter.drawing.points import point_counts, points_inside
from neuralsorter.spikes import NOISE

from ..jobs import on_page
from ..screen import Screen
from ..screen import View as Window
from ..shading import FAINTEST_POINT, shade
from ..workspace import Workspace
from .view import OPTIONS_WIDTH, Look, View

TIME = "time (s)"
AXES = (
    "latent 1", "latent 2", "latent 3", "latent 4", "latent 5", "PCA 1", "PCA 2", "PCA 3",
    "extremum (µV)", "peak to peak (µV)", "width (ms)", TIME,
)  # fmt: skip
AIR = 0.05
NEARLY_ALL = (0.1, 99.9)  # percentiles seen at first: a rare giant must not flatten everything else
UNKNOWN_SIZE = 600, 240  # px, before the browser has told
LARGE_DOTS, SMALL_DOTS = 30_000, 300_000  # fewer events are drawn as dots 5 and 3 pixels wide


@dataclass(frozen=True, eq=False)
class Scatter:
    """The points of a look, and their picture."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    window: Window
    rgba: NDArray[np.uint8]
    n_drawn: int
    fitted: tuple[Any, ...]  # events and axes that the window was once chosen for


class Features(View):
    """A picture of points with a lasso; what it selects is selected everywhere."""

    title = "Features"
    hint = "Draw a lasso: Shift adds, Ctrl+Shift takes away. What is selected elsewhere stands out here too."
    follows_selection = True
    settings = ("x_axis", "y_axis")

    x_axis: Any = param.Selector(default=AXES[0], objects=list(AXES), doc="What is drawn from left to right.")
    y_axis: Any = param.Selector(default=AXES[1], objects=list(AXES), doc="What is drawn upward.")

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        self._held: dict[str, NDArray[np.float32]] = {}
        self._holds: tuple[Any, ...] = ()
        self._fitted: tuple[Any, ...] = ()
        super().__init__(workspace, **params)
        workspace.param.watch(lambda event: self._region_changed(event.new), "region")
        workspace.param.watch(lambda *_: self.refresh(), "pixel_ratio")

    def build(self) -> Any:
        """Return the figure, with the tools of the main screen."""
        x_label, y_label = str(self.x_axis), str(self.y_axis)
        self.screen = Screen(
            self.refresh, self.select, self.fit, name="view features", x_label=x_label, y_label=y_label
        )
        return self.screen.figure

    def controls(self) -> list[Any]:
        """Return the choice of axes."""
        return [
            pmui.Select.from_param(
                self.param[name], label=label, size="small", width=OPTIONS_WIDTH - 20, margin=(8, 6, 2, 6)
            )
            for name, label in (("x_axis", "across"), ("y_axis", "up"))
        ]

    def fit(self) -> None:
        """Show nearly all events again."""
        self._fitted = ()
        self.refresh()

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> Scatter:
        """Place and count the events; what does not depend on units or window is kept."""
        del before  # it is of no use when only the window or the axes change
        x, y = (self._along(look, look.options[name]) for name in ("x_axis", "y_axis"))
        fitted = (self._holds, look.options["x_axis"], look.options["y_axis"])
        window = self._window(look, x, y, fresh=fitted != self._fitted)
        visible = np.isin(look.unit, list(look.visible))
        place = window.width, window.height, window.x_range, window.y_range
        spread = 2 if visible.sum() < LARGE_DOTS else 1 if visible.sum() < SMALL_DOTS else 0
        images = {
            unit: point_counts(x[own], y[own], *place, spread=spread)
            for unit in sorted(look.visible)
            if (own := look.unit == unit).any()
        }
        chosen = np.searchsorted(look.rows, look.selected)
        chosen = chosen[visible[chosen]]
        selected = point_counts(x[chosen], y[chosen], *place, spread=spread) if len(look.selected) else None
        rgba = shade(images, (window.height, window.width), dark=look.dark, selected=selected, faintest=FAINTEST_POINT)
        n_drawn = int(point_counts(x[visible], y[visible], *place).sum())
        return Scatter(x, y, window, rgba, n_drawn, fitted)

    def draw(self, look: Look, result: Scatter) -> str:
        """Show the picture in the window it was drawn for."""
        window, screen = result.window, self.screen
        screen.figure.xaxis.axis_label, screen.figure.yaxis.axis_label = (
            look.options["x_axis"], look.options["y_axis"],
        )  # fmt: skip
        if screen.view(self.workspace.pixel_ratio) != window:
            screen.look_at(window.x_range, window.y_range)
        screen.show(result.rgba, window)
        self._fitted = result.fitted
        total = int(np.isin(look.unit, list(look.visible)).sum())
        return f"{result.n_drawn:,} of {total:,} events drawn · {len(look.selected):,} selected"

    def table(self, look: Look, result: Scatter) -> pd.DataFrame:
        """Return a row per event shown."""
        shown = np.isin(look.unit, list(look.visible))
        columns = {"row": look.rows, "channel": look.channel, "unit": look.unit}
        axes = {look.options["x_axis"]: result.x, look.options["y_axis"]: result.y}
        return pd.DataFrame(columns | axes)[shown]

    def select(self, polygon: NDArray[np.float64], mode: str) -> None:
        """Select the events shown whose point lies in a polygon."""
        done = self._done
        if done is not None:
            self._latest.wish(lambda: self._select(*done, polygon, mode))

    def _select(self, look: Look, result: Scatter, polygon: NDArray[np.float64], mode: str) -> None:
        hit = points_inside(polygon, result.x, result.y)
        rows = look.rows[hit & np.isin(look.unit, list(look.visible))]
        region = {"axes": [look.options["x_axis"], look.options["y_axis"]], "mode": mode, "channel": look.channel,
                  "polygon": np.round(polygon, 4).tolist()}  # fmt: skip
        on_page(self._document, lambda: self._selected(look, rows, region, polygon))

    def _selected(
        self, look: Look, rows: NDArray[np.int64], region: dict[str, Any], polygon: NDArray[np.float64]
    ) -> None:
        focus = self.workspace.focus
        if focus is not None and focus.channel == look.channel:
            self.workspace.region = region
            self.screen.outline(polygon)
            focus.select(rows, mode=region["mode"])
            self.refresh()

    def _region_changed(self, region: dict[str, Any]) -> None:
        if "axes" not in region:
            self.screen.outline(None)

    def _along(self, look: Look, axis: str) -> NDArray[np.float32]:
        """Return the places of the look's events along an axis; kept until other events are looked at."""
        from neuralsorter.sorting.coordinates import AXES as KIND_OF
        from neuralsorter.sorting.coordinates import coordinates

        rows, project = look.rows, look.project
        holds = (id(project), look.channel, len(rows), *rows[:1].tolist(), *rows[-1:].tolist())
        if holds != self._holds:
            self._held, self._holds = {}, holds
        if axis not in self._held:
            if axis == TIME:
                self._held[TIME] = look.times_s.astype(np.float32)
            else:
                raw = project.raw(rows)
                self._held |= coordinates(
                    raw, KIND_OF[axis], project.sampling_rate, project.pre_samples, project.uv_per_bit
                )
        return self._held[axis]

    def _window(self, look: Look, x: NDArray[np.float32], y: NDArray[np.float32], *, fresh: bool) -> Window:
        """Return what is on screen; nearly all events where other axes or another channel are looked at."""
        shown = self.screen.view(self.workspace.pixel_ratio)
        if shown is not None and not fresh:
            return shown
        width, height = UNKNOWN_SIZE if shown is None else (shown.width, shown.height)
        real = look.unit != NOISE if (look.unit != NOISE).any() else np.ones(len(x), bool)
        return Window(_range(x[real]), _range(y[real]), width, height)


def _range(values: NDArray[np.float32]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, NEARLY_ALL) if len(known) else (0.0, 1.0)
    air = AIR * (float(high) - float(low)) or 1.0
    return float(low) - air, float(high) + air
