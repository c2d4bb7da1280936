"""Autocorrelogram.

When a unit fires relative to its own spikes. A neuron's has an empty gap around 0 as wide as its refractory period;
a flat one means that several neurons are mixed. Each row is one unit, scaled to its tallest bin.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import autocorrelogram, each_unit, stretches

FILLED = 0.82  # of a row's height


def run(
    spikes: Spikes,
    window_ms: Annotated[float, (1.0, 1_000.0), "Largest lag shown."] = 50.0,
    bin_ms: Annotated[float, (0.1, 50.0), "Width of a bin."] = 1.0,
    most_units: Annotated[int, (1, 40), "Show this many units, the largest ones."] = 16,
) -> figure | str:
    """Draw one row per unit."""
    where = stretches(spikes)
    units = sorted(each_unit(spikes), key=lambda one: -len(one.rows))[:most_units]
    units.sort(key=lambda one: (one.channel, one.unit))
    if not units:
        return "No unit is shown."
    names = [f"{one.name} · {len(one.rows):,} events" for one in units][::-1]
    parts = []
    for row, one in enumerate(units):
        counts, edges = autocorrelogram(
            spikes.times_s[one.rows], window_ms, bin_ms, spikes.sampling_rate, where[one.rows]
        )
        floor = float(len(units) - 1 - row)  # the first unit on top
        parts.append(
            pd.DataFrame(
                {
                    "left": edges[:-1],
                    "right": edges[1:],
                    "bottom": floor,
                    "top": floor + FILLED * counts / max(int(counts.max()), 1),
                    "count": counts,
                    "colour": unit_colour(one.unit),
                    "unit": one.name,
                }
            )
        )
    plot = figure(
        title=f"Counts by lag to the unit's own events, ±{window_ms:g} ms",
        x_axis_label="lag (ms)",
        x_range=(-window_ms, window_ms),
        y_range=(0, len(units)),
        height=130 + 70 * len(units),
        sizing_mode="stretch_width",
        tools="pan,box_zoom,wheel_zoom,reset,save",
    )
    source = ColumnDataSource(pd.concat(parts, ignore_index=True))
    bars = plot.quad("left", "right", "bottom", "top", source=source, fill_color="colour", line_color=None)
    plot.add_tools(HoverTool(renderers=[bars], tooltips=[("", "@unit"), ("lag", "@left{0.0} ms"), ("count", "@count")]))
    plot.yaxis.ticker = np.arange(len(units)) + FILLED / 2
    plot.yaxis.major_label_overrides = {k + FILLED / 2: name for k, name in enumerate(names)}
    plot.ygrid.visible = False
    plot.vspan(x=[0], line_color="#808080", line_dash="dotted")
    return plot
