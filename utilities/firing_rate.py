"""Firing rate.

Events per second of each unit along the recording. Sudden steps point to a lost or regained unit, slow ones to drift.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from bokeh.plotting import figure

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import each_unit, rate, stretches


def run(
    spikes: Spikes,
    bin_s: Annotated[float, (0.1, 600.0), "Width of a bin."] = 5.0,
) -> figure | str:
    """Draw one line per unit, files and clock restarts one after the other."""
    where = stretches(spikes)
    plot = figure(
        title="Firing rate",
        x_axis_label="time (s)",
        y_axis_label="events per second",
        height=380,
        sizing_mode="stretch_width",
    )
    start_s, joints = 0.0, []
    for stretch in np.unique(where):
        rows = np.flatnonzero((where == stretch) & np.isfinite(spikes.times_s))
        if not len(rows):
            continue
        joints.append(start_s)
        stop_s = float(spikes.times_s[rows].max())
        for one in each_unit(spikes.take(rows)):
            rates, edges = rate(spikes.times_s[rows[one.rows]], bin_s, 0.0, stop_s + 1e-6)
            plot.step(
                edges + start_s,
                np.append(rates, rates[-1]),
                mode="after",
                line_color=unit_colour(one.unit),
                line_width=1.5,
                legend_label=one.name,
            )
        start_s += stop_s
    if not plot.renderers:
        return "No event with a known time is shown."
    plot.vspan(x=joints[1:], line_color="#808080", line_dash="dashed")
    plot.y_range.start = 0
    plot.legend.click_policy = "hide"
    return plot
