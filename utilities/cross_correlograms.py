"""Cross-correlograms.

When each unit fires relative to every other one; on the diagonal to itself. A gap around 0 in a cross-correlogram
means that two units may be one neuron split in two; a peak at 0 that an event was detected twice.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import Correlograms, correlograms, each_unit, stretches


def run(
    spikes: Spikes,
    window_ms: Annotated[float, (1.0, 1_000.0), "Largest lag shown."] = 50.0,
    bin_ms: Annotated[float, (0.1, 50.0), "Width of a bin."] = 1.0,
    most_units: Annotated[int, (1, 20), "Show this many units, the largest ones."] = 8,
) -> figure | str:
    """Draw a panel for each pair of units."""
    units = sorted(each_unit(spikes), key=lambda one: -len(one.rows))[:most_units]
    units.sort(key=lambda one: (one.channel, one.unit))
    if not units:
        return "No unit is shown."
    rows = np.concatenate([one.rows for one in units])
    number = np.repeat(np.arange(len(units)), [len(one.rows) for one in units])
    where = stretches(spikes)[rows]
    table = correlograms(spikes.times_s[rows], number, window_ms, bin_ms, spikes.sampling_rate, where)
    title = f"Counts by lag, ±{window_ms:g} ms: units of a column around the events of the unit of a row"
    plot = figure(title=title, width=900, height=120 + 110 * len(units), tools="pan,box_zoom,wheel_zoom,reset,save")
    plot.grid.visible = plot.axis.visible = False
    parts = [bars(table, i, j, one.unit) for i, one in enumerate(units) for j in range(len(units))]
    source = ColumnDataSource(pd.concat(parts, ignore_index=True))
    drawn = plot.quad("left", "right", "bottom", "top", source=source, fill_color="colour", line_color=None)
    plot.add_tools(HoverTool(renderers=[drawn], tooltips=[("lag", "@lag{0.0} ms"), ("count", "@count")]))
    for k, one in enumerate(units):
        colour = unit_colour(one.unit)
        plot.text(
            x=[k + 0.45, -0.05], y=[0.1, -k - 0.6], text=[one.name] * 2, color=colour, text_align=["center", "right"]
        )
    plot.multi_line(
        [[k + 0.45] * 2 for k in range(len(units))],
        [[0, -len(units)]] * len(units),
        color="#808080",
        line_dash="dotted",
    )
    plot.x_range.update(start=-1, end=len(units))
    return plot


def bars(table: Correlograms, i: int, j: int, unit: int) -> pd.DataFrame:
    """Return the bars of one pair, scaled into the cell at column j and row -i."""
    if not (i in table.units and j in table.units):
        return pd.DataFrame()
    counts = table.pair(i, j)
    edges = 0.9 * (table.edges_ms - table.edges_ms[0]) / np.ptp(table.edges_ms) + j
    bottom = -i - 1.0
    return pd.DataFrame(
        {
            "left": edges[:-1],
            "right": edges[1:],
            "bottom": bottom,
            "top": bottom + 0.9 * counts / max(int(counts.max()), 1),
            "lag": table.edges_ms[:-1],
            "count": counts,
            "colour": unit_colour(unit if i == j else 0),
        }
    )
