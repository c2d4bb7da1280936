"""Interspike intervals.

How long each unit stays silent between two spikes. Intervals shorter than the refractory period (dashed line) cannot
come from one neuron; the legend tells their share.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from bokeh.plotting import figure

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import each_unit, intervals, isi_histogram, stretches


def run(
    spikes: Spikes,
    window_ms: Annotated[float, (1.0, 10_000.0), "Longest interval shown."] = 50.0,
    bin_ms: Annotated[float, (0.1, 100.0), "Width of a bin."] = 1.0,
    refractory_ms: Annotated[float, (0.0, 20.0), "Where the line is drawn."] = 1.5,
) -> figure | str:
    """Draw one histogram per unit."""
    where = stretches(spikes)
    units = list(each_unit(spikes))
    if not units:
        return "No unit is shown."
    plot = figure(
        title=f"Interspike intervals · share below {refractory_ms:g} ms",
        x_axis_label="interval (ms)",
        y_axis_label="count",
        x_range=(0, window_ms),
        height=380,
        sizing_mode="stretch_width",
    )
    for one in units:
        times, stretch = spikes.times_s[one.rows], where[one.rows]
        gaps = intervals(times, stretch)
        share = 100 * (gaps < refractory_ms / 1000).mean() if len(gaps) else 0.0
        counts, edges = isi_histogram(times, window_ms, bin_ms, stretch)
        name = f"{one.name} · {share:.2f} %"
        plot.step(
            edges, np.append(counts, 0), mode="after", line_color=unit_colour(one.unit), line_width=2, legend_label=name
        )
    plot.vspan(x=[refractory_ms], line_color="#808080", line_dash="dashed")
    plot.y_range.start = 0
    plot.legend.click_policy = "hide"
    return plot
