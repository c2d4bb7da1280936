"""Array map.

The mean waveform of every unit at the place of its electrode, and the electrode's event rate as the background.
Positions are the file's; without them electrodes fill a square, 10 by 10 for a Utah array.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from bokeh.models import HoverTool, LinearColorMapper
from bokeh.models.annotations import ColorBar
from bokeh.plotting import figure
from numpy.typing import NDArray

from neuralsorter import Spikes
from neuralsorter.metrics.shapes import best_wire, mean_waveform
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import each_unit

GREYS = [f"#{level:02x}{level:02x}{level:02x}" for level in range(250, 190, -4)]


def run(
    spikes: Spikes,
    everything: Spikes,
    most_waveforms: Annotated[int, (10, 100_000), "Average at most this many waveforms of a unit."] = 2_000,
) -> figure | str:
    """Draw one square per electrode."""
    channels = np.unique(everything.channel)
    if not len(channels):
        return "There are no events."
    x, y = places(channels, everything.channels)
    counts = np.array([(everything.channel == channel).sum() for channel in channels])
    plot = figure(
        title="Electrodes", match_aspect=True, width=820, height=760, x_axis_location=None, y_axis_location=None
    )
    plot.grid.visible = False
    colours = LinearColorMapper(palette=GREYS, low=0, high=int(counts.max()))
    shown = np.isin(channels, spikes.channel)
    squares = plot.rect(
        "x",
        "y",
        0.94,
        0.94,
        source={"x": x, "y": y, "events": counts, "channel": channels, "line": np.where(shown, "#000000", "#bbbbbb")},
        fill_color={"field": "events", "transform": colours},
        line_color="line",
    )
    plot.add_tools(HoverTool(renderers=[squares], tooltips=[("channel", "@channel"), ("events", "@events{0,0}")]))
    plot.add_layout(ColorBar(color_mapper=colours, title="events"), "right")
    means = {}
    for one in each_unit(everything):
        step = -(-len(one.rows) // most_waveforms)
        means[one.channel, one.unit] = mean_waveform(best_wire(everything.take(one.rows[::step]).waveforms))
    if means:
        low, high = min(map(np.min, means.values())), max(map(np.max, means.values()))
        middle, height = (low + high) / 2, (high - low) or 1.0
        time = np.linspace(-0.42, 0.42, everything.n_samples)
        centre = dict(zip(channels.tolist(), zip(x, y, strict=True), strict=True))
        plot.multi_line(
            [centre[channel][0] + time for channel, _ in means],
            [centre[channel][1] + 0.8 * (mean - middle) / height for (channel, _), mean in means.items()],
            line_color=[unit_colour(unit) for _, unit in means],
            line_width=1.5,
        )
    return plot


def places(channels: NDArray[np.int32], table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where to draw each channel, in steps of the smallest distance between electrodes."""
    known = table.set_index("id").reindex(channels)[["x_um", "y_um"]].to_numpy(np.float64)
    if len(known) and np.isfinite(known).all():
        steps = np.diff(np.unique(known[:, 0])).tolist() + np.diff(np.unique(known[:, 1])).tolist()
        return known[:, 0] / min(steps, default=1.0), known[:, 1] / min(steps, default=1.0)
    side = 10 if len(channels) <= 100 else int(np.ceil(np.sqrt(len(channels))))
    position = np.arange(len(channels))
    return (position % side).astype(np.float64), -(position // side).astype(np.float64)
