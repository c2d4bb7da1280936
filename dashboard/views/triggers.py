"""What each unit does around the triggers of the file: a raster and the mean rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import panel_material_ui as pmui
import param
from bokeh.layouts import row
from bokeh.models import ColumnDataSource, DataRange1d, Range1d, Span
from bokeh.plotting import figure
from numpy.typing import NDArray

from neuralsorter.spiketrain import Responses, numbered, responses

from .view import OPTIONS_WIDTH, Look, View, number

ALL = "all codes"


@dataclass(frozen=True, eq=False)
class Answer:
    """Responses of each unit, and the mean rate in bins."""

    units: dict[int, Responses]
    rates_hz: dict[int, NDArray[np.float64]]
    edges_s: NDArray[np.float64]
    n_triggers: int
    codes: list[str]


class Triggers(View):
    """Raster at the left, mean rate at the right."""

    title = "Triggers"
    hint = "Each line of the raster is one trigger."
    settings = ("code", "before_s", "after_s", "bin_ms")

    code: Any = param.Selector(default=ALL, objects=[ALL], check_on_set=False, doc="Which triggers.")
    before_s = param.Number(default=0.5, bounds=(0.001, 60), label="before (s)", doc="Shown before a trigger.")
    after_s = param.Number(default=1.0, bounds=(0.001, 60), label="after (s)", doc="Shown after a trigger.")
    bin_ms = param.Number(default=20.0, bounds=(0.1, 1000), label="bin (ms)", doc="Width of a bin.")

    def build(self) -> Any:
        """Return raster and rate side by side."""
        self._dots = ColumnDataSource({"x": [], "y": [], "colour": []})
        self._lines = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        across = Range1d(-0.5, 1.0)
        shared = {"x_range": across, "tools": "", "toolbar_location": None, "sizing_mode": "stretch_both",
                  "min_height": 220, "x_axis_label": "time from the trigger (s)"}  # fmt: skip
        self._raster = figure(y_axis_label="trigger", y_range=Range1d(0, 1), **shared)
        self._raster.scatter("x", "y", source=self._dots, marker="dash", angle=np.pi / 2, size=5, line_color="colour")
        rates = figure(y_axis_label="events per second", y_range=DataRange1d(start=0), **shared)
        rates.multi_line("xs", "ys", source=self._lines, line_color="colour", line_width=1.8)
        for plot in (self._raster, rates):
            plot.grid.grid_line_alpha = 0.25
            plot.add_layout(Span(location=0, dimension="height", line_color="#d05807", line_dash="dashed"))
        return row(self._raster, rates, sizing_mode="stretch_both", name="view triggers")

    def controls(self) -> list[Any]:
        """Return the choice of triggers and the window."""
        self._codes = pmui.Select.from_param(
            self.param.code, label="code", size="small", width=OPTIONS_WIDTH - 20, margin=(8, 6)
        )
        return [self._codes, *(number(self, name) for name in self.settings[1:])]

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> Answer:
        """Find the events of each unit around the triggers of their own stretch."""
        known: dict[int, Responses] = {}
        if before is not None:
            touched = look.touched_since(before[0])
            known = {unit: found for unit, found in before[1].units.items() if unit not in touched}
        table = look.project.spikes.triggers
        codes = sorted({str(code) for code in table["code"]})
        if look.options["code"] != ALL:
            table = table[table["code"].astype(str) == look.options["code"]]
        window = look.options["before_s"], look.options["after_s"]
        groups = _by_stretch(table, look)
        units = {unit: known[unit] if unit in known else _of_unit(look, unit, groups, window) for unit in look.units}
        rates, edges = {}, np.zeros(1)
        for unit, found in units.items():
            rates[unit], edges = found.histogram(*window, look.options["bin_ms"] / 1000)
        return Answer(units, rates, edges, sum(len(times) for times in groups.values()), codes)

    def draw(self, look: Look, result: Answer) -> str:
        """Draw raster and rate."""
        self.param.code.objects = [ALL, *result.codes]
        self._codes.options = [ALL, *result.codes]
        self._raster.x_range.update(start=-look.options["before_s"], end=look.options["after_s"])
        self._raster.y_range.end = max(result.n_triggers, 1)
        found = result.units
        self._dots.data = {
            "x": np.concatenate([np.zeros(0), *(f.lag_s for f in found.values())]),
            "y": np.concatenate([np.zeros(0), *(f.trigger + 0.5 for f in found.values())]),
            "colour": [look.colour(unit) for unit, f in found.items() for _ in range(len(f.lag_s))],
        }
        steps = np.repeat(result.edges_s, 2)[1:-1]
        self._lines.data = {
            "xs": [steps for _ in found], "ys": [np.repeat(result.rates_hz[unit], 2) for unit in found],
            "colour": [look.colour(unit) for unit in found],
        }  # fmt: skip
        if not result.codes:
            return "This recording has no triggers."
        return f"{result.n_triggers:,} triggers, {sum(len(f.lag_s) for f in found.values()):,} events around them"

    def table(self, look: Look, result: Answer) -> pd.DataFrame:
        """Return a row per unit and bin."""
        parts = [
            pd.DataFrame({"channel": look.channel, "unit": unit, "from_s": result.edges_s[:-1],
                          "to_s": result.edges_s[1:], "rate_hz": rates, "triggers": result.n_triggers})
            for unit, rates in result.rates_hz.items()
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _by_stretch(table: pd.DataFrame, look: Look) -> dict[int, NDArray[np.float64]]:
    """Return the trigger times of each stretch that has events here."""
    experiment = table["experiment"].to_numpy(np.int64) if "experiment" in table else np.zeros(len(table), np.int64)
    segment = table["segment"].to_numpy(np.int64) if "segment" in table else np.zeros(len(table), np.int64)
    times, where = table["time_s"].to_numpy(float), numbered(experiment, segment)
    if look.time_range_s is not None:
        inside = (times >= look.time_range_s[0]) & (times < look.time_range_s[1])
        times, where = times[inside], where[inside]
    return {int(one): np.sort(times[where == one]) for one in np.unique(look.stretch) if (where == one).any()}


def _of_unit(look: Look, unit: int, groups: dict[int, NDArray[np.float64]], window: tuple[float, float]) -> Responses:
    own = look.unit == unit
    parts, n_before = [], 0
    for one, times in groups.items():
        found = responses(look.times_s[own & (look.stretch == one)], times, *window)
        parts.append((found.trigger + n_before, found.lag_s))
        n_before += len(times)
    trigger = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    return Responses(trigger, np.concatenate([np.zeros(0), *(part[1] for part in parts)]), n_before)
