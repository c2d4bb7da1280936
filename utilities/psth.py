"""Raster and PSTH.

Events of each unit around the triggers in the file: a row per trigger above, the mean rate below.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from bokeh.layouts import column
from bokeh.models import Column, Range1d
from bokeh.plotting import figure

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import Responses, each_unit, responses

MOST_DOTS = 50_000


def run(
    spikes: Spikes,
    before_s: Annotated[float, (0.0, 60.0), "Time before a trigger."] = 0.5,
    after_s: Annotated[float, (0.01, 60.0), "Time after a trigger."] = 1.0,
    bin_s: Annotated[float, (0.001, 10.0), "Width of a bin of the PSTH."] = 0.02,
    code: Annotated[int, "Only triggers with this code; -1 for all."] = -1,
) -> Column | str:
    """Draw rasters and mean rates."""
    table = spikes.triggers
    chosen = table[table["code"] == code] if code >= 0 else table
    if not len(chosen):
        codes = ", ".join(map(str, sorted(set(table["code"])))) or "none"
        return f"There are no such triggers. Codes in the file: {codes}."
    segment = chosen["segment"] if "segment" in chosen else 0 * chosen["code"]
    experiment = chosen["experiment"] if "experiment" in chosen else 0 * chosen["code"]
    raster = figure(y_axis_label="trigger", height=300, sizing_mode="stretch_width", title=f"{len(chosen):,} triggers")
    below = figure(x_axis_label="time from the trigger (s)", y_axis_label="events per second", height=220)
    below.sizing_mode = "stretch_width"
    raster.x_range = below.x_range = Range1d(start=-before_s, end=after_s)
    for one in each_unit(spikes):
        found = []
        for stretch in sorted(set(zip(experiment, segment, strict=True))):
            rows = one.rows[(spikes.experiment[one.rows] == stretch[0]) & (spikes.segment[one.rows] == stretch[1])]
            numbers = np.flatnonzero((experiment == stretch[0]) & (segment == stretch[1]))
            part = responses(spikes.times_s[rows], chosen["time_s"].to_numpy()[numbers], before_s, after_s)
            found.append((numbers[part.trigger], part.lag_s))
        trigger, lag_s = (np.concatenate(parts) for parts in zip(*found, strict=True))
        step = -(-len(lag_s) // MOST_DOTS) or 1
        colour = unit_colour(one.unit)
        raster.scatter(lag_s[::step], trigger[::step], size=2, color=colour, legend_label=one.name)
        rates, edges = Responses(trigger, lag_s, len(chosen)).histogram(before_s, after_s, bin_s)
        below.step(edges[:-1], rates, mode="after", color=colour, line_width=2)
    if raster.legend:
        raster.legend.click_policy = "hide"
    return column(raster, below, sizing_mode="stretch_width")
