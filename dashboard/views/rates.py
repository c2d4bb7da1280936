"""Events per second of each unit along the recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import param
from bokeh.models import ColumnDataSource, DataRange1d, HoverTool
from bokeh.plotting import figure
from numpy.typing import NDArray

from neuralsorter.spiketrain import rate, timeline

from .view import Look, View


@dataclass(frozen=True, eq=False)
class Rates:
    """Rates of each unit in the bins of each stretch, on one axis."""

    edges_s: list[NDArray[np.float64]]  # of each stretch, on the axis
    rates_hz: dict[int, list[NDArray[np.float64]]]
    starts_s: NDArray[np.float64]


class Rate(View):
    """A line for each unit; files and clock restarts lie one after the other."""

    title = "Rate"
    hint = "Sudden steps: a unit lost or regained. Slow changes: drift."
    settings = ("bin_s",)

    bin_s = param.Number(default=5.0, bounds=(0.05, 3600), label="bin (s)", doc="Width of a bin.")

    def build(self) -> Any:
        """Return the figure."""
        self._lines = ColumnDataSource({"xs": [], "ys": [], "colour": [], "name": []})
        self._joints = ColumnDataSource({"x": []})
        plot = figure(name="view rate", x_axis_label="time (s)", y_axis_label="events per second",
                      tools="xpan,xwheel_zoom,reset", active_scroll="xwheel_zoom", toolbar_location=None,
                      y_range=DataRange1d(start=0), sizing_mode="stretch_both", min_height=220)  # fmt: skip
        drawn = plot.multi_line("xs", "ys", source=self._lines, line_color="colour", line_width=1.8)
        plot.vspan("x", source=self._joints, line_color="#8a8a8a", line_dash="dashed")
        plot.add_tools(HoverTool(renderers=[drawn], tooltips=[("unit", "@name"), ("s", "$x{0.0}"), ("Hz", "$y{0.00}")]))
        plot.grid.grid_line_alpha = 0.25
        return plot

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> Rates:
        """Count each unit; those an edit did not touch are kept."""
        known: dict[int, list[NDArray[np.float64]]] = {}
        if before is not None:
            touched = look.touched_since(before[0])
            known = {unit: rates for unit, rates in before[1].rates_hz.items() if unit not in touched}
        axis, bin_s = timeline(look.times_s, look.stretch, look.time_range_s), look.options["bin_s"]
        spans = list(zip(axis.stretches, axis.first_s, axis.first_s + np.diff(axis.starts_s), strict=True))
        edges = [rate(np.zeros(0), bin_s, first, last)[1] - first for _, first, last in spans]
        rates = {
            unit: known[unit] if unit in known else [
                rate(look.times_s[(look.unit == unit) & (look.stretch == one)], bin_s, first, last)[0]
                for one, first, last in spans
            ]
            for unit in look.units
        }  # fmt: skip
        return Rates([e + start for e, start in zip(edges, axis.starts_s[:-1], strict=True)], rates, axis.starts_s)

    def draw(self, look: Look, result: Rates) -> str:
        """Draw the lines."""
        gap, none = [np.nan], np.zeros(0)  # between stretches the line is broken
        xs, ys = [], []
        for rates in result.rates_hz.values():
            xs.append(np.concatenate([none, *(np.append(np.repeat(e, 2)[1:-1], gap) for e in result.edges_s)]))
            ys.append(np.concatenate([none, *(np.append(np.repeat(r, 2), gap) for r in rates)]))
        units = list(result.rates_hz)
        self._lines.data = {"xs": xs, "ys": ys, "colour": [look.colour(unit) for unit in units],
                            "name": [str(unit) for unit in units]}  # fmt: skip
        self._joints.data = {"x": list(result.starts_s[1:-1])}
        total = float(result.starts_s[-1])
        whole = {unit: int((look.unit == unit).sum()) / max(total, 1e-9) for unit in units}
        return " · ".join(f"unit {unit}: {hz:.3g} Hz" for unit, hz in whole.items()) or "No unit is shown."

    def table(self, look: Look, result: Rates) -> pd.DataFrame:
        """Return a row per unit and bin."""
        parts = [
            pd.DataFrame({"channel": look.channel, "unit": unit, "stretch": k, "from_s": e[:-1], "to_s": e[1:],
                          "rate_hz": r})
            for unit, rates in result.rates_hz.items()
            for k, (e, r) in enumerate(zip(result.edges_s, rates, strict=True))
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
