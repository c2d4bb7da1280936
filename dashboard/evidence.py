"""Beside the main screen: mean ± SD of each unit and the intervals between its spikes, kept current."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, DataRange1d, Span
from bokeh.plotting import figure
from numpy.typing import NDArray

from neuralsorter.means import UnitMeans, unit_means
from neuralsorter.palette import unit_colour
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE
from neuralsorter.spiketrain import intervals, isi_histogram

WIDTH = 345  # px
CHANNEL_BIT = 48  # above those of a stretch of clock: experiment and segment
WORTH_SAYING = 0.001  # share of intervals too short for one neuron
ISI_WINDOW_MS, ISI_BIN_MS, REFRACTORY_MS = 50.0, 1.0, 1.5


@dataclass(frozen=True, eq=False)
class Summary:
    """What the evidence shows for one channel, computed away from the event loop."""

    times_ms: NDArray[np.float64]
    means: UnitMeans
    intervals: dict[int, NDArray[np.int64]]
    short: dict[int, float]  # share of intervals below the refractory period
    refractory_ms: float


def summarise(
    project: Project,
    rows: NDArray[np.int64],
    unit: NDArray[np.int32],
    refractory_ms: float = REFRACTORY_MS,
    channels: Sequence[int] = (),
) -> Summary:
    """Return means and interval counts of the units of `rows`, noise left out of the intervals.

    Where `rows` are of several `channels`, intervals are those within each.
    """
    means = unit_means(project.raw(rows), unit, project.uv_per_bit)
    times, clock = project.times_of(rows), project.stretches_of(rows)
    for i, channel in enumerate(channels[1:], 1):
        clock = clock + (np.isin(rows, project.rows(channel), assume_unique=True).astype(np.int64) * i << CHANNEL_BIT)
    counted, short = {}, {}
    for number in means.units[means.units > NOISE]:
        own = unit == number
        counted[int(number)], _ = isi_histogram(times[own], ISI_WINDOW_MS, ISI_BIN_MS, clock[own])
        gaps = intervals(times[own], clock[own])
        short[int(number)] = float((gaps < refractory_ms / 1000).mean()) if len(gaps) else 0.0
    samples = np.arange(project.n_samples, dtype=np.float64) - project.pre_samples
    times_ms = np.asarray(samples * (1000 / project.sampling_rate), np.float64)
    return Summary(times_ms, means, counted, short, refractory_ms)


class Evidence(pn.viewable.Viewer):
    """Two small figures; `display` puts a summary into them."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._mean = ColumnDataSource({"xs": [], "ys": [], "colour": [], "name": []})
        self._band = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self._steps = ColumnDataSource({"xs": [], "ys": [], "colour": [], "name": []})
        self.waves = figure(width=WIDTH, height=240, toolbar_location=None, tools="",
                            x_axis_label="time (ms)", y_axis_label="amplitude (µV)", title="Mean ± SD")  # fmt: skip
        self.waves.patches("xs", "ys", source=self._band, fill_color="colour", fill_alpha=0.18, line_color=None)
        self.waves.multi_line("xs", "ys", source=self._mean, line_color="colour", line_width=2)
        self.isi = figure(width=WIDTH, height=220, toolbar_location=None, tools="",
                          x_range=(0, ISI_WINDOW_MS), y_range=DataRange1d(start=0, min_interval=0.01),
                          x_axis_label="interval (ms)", y_axis_label="share of intervals",
                          title="Intervals between spikes")  # fmt: skip
        self._limit = Span(location=REFRACTORY_MS, dimension="height", line_color="#d05807", line_dash="dashed")
        self.isi.add_layout(self._limit)
        self.isi.multi_line("xs", "ys", source=self._steps, line_color="colour", line_width=1.5)
        for plot in (self.waves, self.isi):
            plot.grid.grid_line_alpha = 0.25
        self.violations = pmui.Typography(object="", variant="caption")
        self._pane = pmui.Column(
            pn.pane.Bokeh(self.waves), pn.pane.Bokeh(self.isi), self.violations, width=WIDTH, margin=0
        )

    def __panel__(self) -> Any:
        return self._pane

    def display(self, summary: Summary, visible: frozenset[int], *, dark: bool) -> None:
        """Draw the units that the main screen shows."""
        means = summary.means
        keep = [i for i, unit in enumerate(means.units) if int(unit) in visible]
        x = summary.times_ms
        if means.mean.shape[1] != len(x):  # several channels per event, end to end
            x = np.arange(means.mean.shape[1]) * (x[1] - x[0] if len(x) > 1 else 1.0) + x[0]
        colours = [unit_colour(int(means.units[i]), dark=dark) for i in keep]
        lower, upper = means.mean - means.sd, means.mean + means.sd
        self._mean.data = {
            "xs": [list(x) for _ in keep],
            "ys": [list(means.mean[i]) for i in keep],
            "colour": colours,
            "name": [str(means.units[i]) for i in keep],
        }
        self._band.data = {
            "xs": [[*x, *x[::-1]] for _ in keep],
            "ys": [[*lower[i], *upper[i][::-1]] for i in keep],
            "colour": colours,
        }
        shown = [unit for unit in summary.intervals if unit in visible]
        edges = np.arange(len(next(iter(summary.intervals.values()), [])) + 1) * ISI_BIN_MS
        self._steps.data = {
            "xs": [list(np.repeat(edges, 2)[1:-1]) for _ in shown],
            "ys": [
                list(np.repeat(summary.intervals[unit] / max(summary.intervals[unit].sum(), 1), 2)) for unit in shown
            ],
            "colour": [unit_colour(unit, dark=dark) for unit in shown],
            "name": [str(unit) for unit in shown],
        }
        parts = [f"unit {unit}: {summary.short[unit]:.1%}" for unit in shown if summary.short[unit] >= WORTH_SAYING]
        self._limit.location = summary.refractory_ms
        self.violations.object = f"Intervals under {summary.refractory_ms:.2g} ms: " + (
            " · ".join(parts) or "none to speak of"
        )
