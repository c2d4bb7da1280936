"""The size of every event over time: drift, lost units, and a lasso that selects the same events everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from neuralsorter.drawing.points import point_counts, points_inside
from neuralsorter.spiketrain import timeline
from neuralsorter.waveforms import event_sizes

from ..screen import Screen
from ..screen import View as Window
from ..shading import FAINTEST_POINT, shade
from .view import OPTIONS_WIDTH, Look, View

MEASURES = ("peak to peak", "trough", "peak")
FEW = 30_000  # events; up to this many are drawn as 3 by 3 pixels, more as one
AIR = 0.05
MOST_PERCENT, REACH = (1, 99), 1.0  # what is this many of their spans away from most events would flatten all others


@dataclass(frozen=True, eq=False)
class Sizes:
    """When and how large every event is, and the picture of those shown."""

    at_s: NDArray[np.float64]
    size_uv: NDArray[np.float64]
    rgba: NDArray[np.uint8] | None
    window: Window | None


class Amplitude(View):
    """Every event is a point; units have their colours, what is selected lies on top."""

    title = "Amplitude"
    hint = "Draw a lasso: the same events are selected on the main screen. Shift adds, Ctrl+Shift takes away."
    follows_selection = True
    settings = ("measure",)

    measure: Any = param.Selector(default=MEASURES[0], objects=list(MEASURES), doc="What is the size of an event.")

    def build(self) -> Any:
        """Return the figure."""
        self._seen: tuple[Any, ...] = ()
        self.screen = Screen(
            self.refresh,
            self.select,
            self.reset_view,
            name="view amplitude",
            x_label="time (s)",
            y_label="peak to peak (µV)",
        )
        return self.screen.figure

    def controls(self) -> list[Any]:
        """Return the choice of the measure."""
        return [
            pmui.Select.from_param(
                self.param.measure, label="size", size="small", width=OPTIONS_WIDTH - 20, margin=(8, 6)
            )
        ]

    def look(self) -> Look | None:
        """Return what there is to look at, and through which window."""
        look = super().look()
        return None if look is None else replace(look, window=self.screen.view(self.workspace.pixel_ratio))

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> Sizes:
        """Measure every event once; after an edit only the picture is made anew."""
        if before is not None:
            at_s, size_uv = before[1].at_s, before[1].size_uv
        else:
            at_s = timeline(look.times_s, look.stretch).place(look.times_s, look.stretch)
            size_uv = event_sizes(look.project.raw(look.rows), look.project.uv_per_bit, look.options["measure"])
        window = look.window
        if window is None or self._is_new(look):
            return Sizes(at_s, size_uv, None, None)
        return Sizes(at_s, size_uv, _picture(look, window, at_s, size_uv), window)

    def draw(self, look: Look, result: Sizes) -> str:
        """Show the picture; of another channel first the whole of it."""
        if self._is_new(look):
            self._seen = self._place(look)
            self._look_at(result, _most(result.size_uv[np.isin(look.unit, list(look.visible))]))
            self.refresh()
            return ""
        if result.rgba is None or result.window is None:
            return ""
        self.screen.figure.yaxis.axis_label = f"{look.options['measure']} (µV)"
        self.screen.show(result.rgba, result.window)
        chosen = np.isin(look.unit, list(look.visible))
        timed = int(np.isfinite(result.at_s[chosen]).sum())
        beyond = _beyond(result, result.window, chosen)
        outside = f" · {beyond:,} outside the picture: a double click shows all" if beyond else ""
        unknown = f", {int(chosen.sum()) - timed:,} without a time" if timed < chosen.sum() else ""
        return f"{timed:,} of {len(look.rows):,} events drawn{unknown}{outside} · {len(look.selected):,} selected"

    def table(self, look: Look, result: Sizes) -> pd.DataFrame:
        """Return a row per event of the channel."""
        return pd.DataFrame({"row": look.rows, "channel": look.channel, "unit": look.unit, "time_s": look.times_s,
                             "axis_s": result.at_s, f"{look.options['measure']}_uv": result.size_uv})  # fmt: skip

    def select(self, polygon: NDArray[np.float64], mode: str) -> None:
        """Select the shown events inside a polygon (s, µV)."""
        focus = self.workspace.focus
        if focus is None or self._done is None:
            return
        look, result = self._done
        inside = points_inside(polygon, result.at_s, result.size_uv) & np.isin(look.unit, list(look.visible))
        self.workspace.region = {"polygon_s_uv": np.round(polygon, 4).tolist(), "mode": mode, "view": self.title,
                                 "measure": look.options["measure"], "channel": look.channel}  # fmt: skip
        focus.select(look.rows[inside], mode=mode)

    def reset_view(self) -> None:
        """Show all events; where all are shown, leave out the few that flatten the others."""
        window = self.screen.view(self.workspace.pixel_ratio)
        if self._done is None or window is None:
            return
        look, result = self._done
        chosen = np.isin(look.unit, list(look.visible))
        shown = result.size_uv[chosen]
        self._look_at(result, _span(shown) if _beyond(result, window, chosen) else _most(shown))
        self.refresh()

    def _look_at(self, result: Sizes, sizes_uv: tuple[float, float]) -> None:
        self.screen.look_at(_span(result.at_s), sizes_uv)

    def _place(self, look: Look) -> tuple[Any, ...]:
        return id(look.project), look.channel, look.experiment, look.time_range_s, look.options["measure"]

    def _is_new(self, look: Look) -> bool:
        return self._place(look) != self._seen


def _picture(look: Look, window: Window, at_s: NDArray[np.float64], size_uv: NDArray[np.float64]) -> NDArray[np.uint8]:
    place = window.width, window.height, window.x_range, window.y_range
    spread = 1 if len(look.rows) <= FEW else 0
    images = {
        unit: point_counts(at_s[own], size_uv[own], *place, spread=spread)
        for unit in sorted(look.visible)
        if (own := look.unit == unit).any()
    }
    chosen = np.searchsorted(look.rows, look.selected)
    selected = point_counts(at_s[chosen], size_uv[chosen], *place, spread=spread) if len(chosen) else None
    return shade(images, (window.height, window.width), dark=look.dark, selected=selected, faintest=FAINTEST_POINT)


def _beyond(result: Sizes, window: Window, chosen: NDArray[np.bool_]) -> int:
    """Return how many of the chosen events lie outside a window."""
    at_s, size_uv = result.at_s, result.size_uv
    (left, right), (low, high) = window.x_range, window.y_range
    inside = (at_s >= left) & (at_s <= right) & (size_uv >= low) & (size_uv <= high)
    return int((chosen & np.isfinite(at_s) & ~inside).sum())


def _most(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of all values but those far from most of them."""
    known = values[np.isfinite(values)]
    if not len(known):
        return _span(known)
    low, high = np.percentile(known, MOST_PERCENT)
    reach = max(high - low, 1e-3) * REACH
    return _span(known[(known >= low - reach) & (known <= high + reach)])


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    air = max(high - low, 1e-3) * AIR
    return low - air, high + air
