"""The whole array: mean waveforms, rate and state of each electrode at its place; a click goes there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from bokeh.core.properties import value
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, HoverTool, Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

from neuralsorter.electrodes import places
from neuralsorter.means import UnitMeans, unit_means
from neuralsorter.spikes import NOISE

from .view import Look, View

HERE, DONE, OPEN = "#d05807", "#07926e", "#8a8a8a"
TALL = 0.86  # of a square that the largest mean waveform takes


@dataclass(frozen=True, eq=False)
class Site:
    """One electrode: its events when it was computed, its means, and events per second that are not noise."""

    unit: NDArray[np.int32]
    means: UnitMeans
    rate_hz: float


class Array(View):
    """A square for each electrode. Positions are the file's, or 10 by 10 where it has none."""

    title = "Array"
    hint = "Click an electrode to go there. Green: reviewed. Darker: more events per second."

    def build(self) -> Any:
        """Return the figure."""
        self._places: dict[int, tuple[float, float]] = {}
        self._squares = ColumnDataSource(
            dict.fromkeys(("x", "y", "alpha", "line", "width", "channel", "rate", "units", "state"), ())
        )
        self._lines = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        plot = figure(name="view array", tools="", toolbar_location=None, match_aspect=False,
                      x_range=Range1d(-0.5, 9.5), y_range=Range1d(-9.5, 0.5), sizing_mode="stretch_both",
                      min_height=220)  # fmt: skip
        plot.grid.visible = plot.axis.visible = False
        plot.outline_line_color = None
        squares = plot.rect("x", "y", 0.95, 0.95, source=self._squares, fill_color="#8a8a8a", fill_alpha="alpha",
                            line_color="line", line_width="width")  # fmt: skip
        plot.multi_line("xs", "ys", source=self._lines, line_color="colour", line_width=1.5)
        plot.text("x", "y", text="channel", source=self._squares, text_font_size="10px", text_color="#8a8a8a",
                  x_offset=0, y_offset=0, text_align="center", text_baseline="top", anchor="top_center",
                  text_font=value("system-ui, sans-serif"))  # fmt: skip
        tips = [("channel", "@channel"), ("events per s", "@rate{0.00}"), ("units", "@units"), ("", "@state")]
        plot.add_tools(HoverTool(renderers=[squares], tooltips=tips))
        plot.on_event(Tap, self._tapped)
        return plot

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> dict[int, Site]:
        """Average every channel once, then only those whose units have changed."""
        del before  # edits of any channel count, so its own last result is the one to start from
        project = look.project
        now = project.spikes.unit if look.moment is None else project.unit_at(look.moment)
        known = self._done[1] if self._done is not None and self._done[0].project is project else {}
        seconds = max(self.workspace.queue.recording(project).duration_s, 1e-9)
        sites: dict[int, Site] = {}
        for channel in project.channels():
            rows = project.rows(channel)
            unit = now[rows]
            old = known.get(channel)
            if old is not None and np.array_equal(old.unit, unit):
                sites[channel] = old
            else:
                means = unit_means(project.raw(rows), unit, project.uv_per_bit)
                sites[channel] = Site(unit, means, float((unit > NOISE).sum()) / seconds)
        return sites

    def draw(self, look: Look, result: dict[int, Site]) -> str:
        """Draw the squares and the means."""
        channels = np.array(list(result), np.int64)
        x, y = places(channels, look.project.spikes.channels)
        self._places = {int(c): (float(a), float(b)) for c, a, b in zip(channels, x, y, strict=True)}
        rates = np.array([site.rate_hz for site in result.values()])
        reviewed = look.project.reviewed
        n_units = [int((site.means.units > NOISE).sum()) for site in result.values()]
        line = [HERE if c == look.channel else DONE if int(c) in reviewed else "#00000000" for c in channels]
        self._squares.data = {
            "x": x, "y": y, "alpha": 0.06 + 0.4 * np.sqrt(rates / max(float(rates.max(initial=0)), 1e-9)),
            "line": line, "width": [2.5 if c == look.channel else 1.5 for c in channels], "channel": channels,
            "rate": rates, "units": n_units, "state": ["reviewed" if int(c) in reviewed else "open" for c in channels],
        }  # fmt: skip
        self._draw_means(look, result)
        span = x.max(initial=0) - x.min(initial=0), y.max(initial=0) - y.min(initial=0)
        self.figure.x_range.update(start=float(x.min(initial=0)) - 0.6, end=float(x.min(initial=0) + span[0]) + 0.6)
        self.figure.y_range.update(start=float(y.min(initial=0)) - 0.6, end=float(y.min(initial=0) + span[1]) + 0.6)
        done = len(reviewed & set(result))
        return f"{len(result)} electrodes, {sum(n_units)} units, {done} of {len(result)} reviewed"

    def _draw_means(self, look: Look, result: dict[int, Site]) -> None:
        real = [
            (channel, int(unit), mean)
            for channel, site in result.items()
            for unit, mean in zip(site.means.units, site.means.mean, strict=True)
            if unit > NOISE
        ]
        low = min((float(np.nanmin(mean, initial=0)) for *_, mean in real), default=0.0)
        high = max((float(np.nanmax(mean, initial=0)) for *_, mean in real), default=1.0)
        middle, height = (low + high) / 2, max(high - low, 1e-9)
        self._lines.data = {
            "xs": [self._places[c][0] + np.linspace(-0.43, 0.43, len(mean)) for c, _, mean in real],
            "ys": [self._places[c][1] + TALL * (mean - middle) / height for c, _, mean in real],
            "colour": [look.colour(unit) for _, unit, _ in real],
        }

    def table(self, look: Look, result: dict[int, Site]) -> pd.DataFrame:
        """Return a row per electrode and unit."""
        lines = [
            (channel, *self._places.get(channel, (np.nan, np.nan)), int(unit), int(count), channel in reviewed)
            for reviewed in [look.project.reviewed] for channel, site in result.items()
            for unit, count in zip(site.means.units, site.means.count, strict=True)
        ]  # fmt: skip
        return pd.DataFrame(lines, columns=["channel", "x", "y", "unit", "events", "reviewed"])

    def _tapped(self, event: Any) -> None:
        if event.x is None or self.workspace.focus is None:
            return
        for channel, (x, y) in self._places.items():
            if abs(event.x - x) <= 0.5 and abs(event.y - y) <= 0.5:
                self.workspace.focus.param.update(channel=channel, unit=None)
                return
