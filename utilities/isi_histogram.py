"""Interspike intervals.

How long each unit stays silent between two spikes. Intervals shorter than the refractory period (dashed line) cannot
come from one neuron; the legend tells their share.
"""

from __future__ import annotations

from typing import Annotated

import holoviews as hv
import numpy as np

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import each_unit, intervals, isi_histogram, stretches

hv.extension("bokeh")


def run(
    spikes: Spikes,
    window_ms: Annotated[float, (1.0, 10_000.0), "Longest interval shown."] = 50.0,
    bin_ms: Annotated[float, (0.1, 100.0), "Width of a bin."] = 1.0,
    refractory_ms: Annotated[float, (0.0, 20.0), "Where the line is drawn."] = 1.5,
) -> hv.Overlay:
    """Draw one histogram per unit."""
    where = stretches(spikes)
    drawn = [hv.VLine(refractory_ms).opts(color="#808080", line_dash="dashed", line_width=1)]
    for one in each_unit(spikes):
        times, stretch = spikes.times_s[one.rows], where[one.rows]
        gaps = intervals(times, stretch)
        share = 100 * (gaps < refractory_ms / 1000).mean() if len(gaps) else 0.0
        counts, edges = isi_histogram(times, window_ms, bin_ms, stretch)
        steps = hv.Curve((edges, np.append(counts, 0)), "interval", "count", label=f"{one.name} · {share:.2f} %")
        drawn.append(steps.opts(interpolation="steps-post", color=unit_colour(one.unit), line_width=2))
    return hv.Overlay(drawn).opts(
        title=f"Interspike intervals · share below {refractory_ms:g} ms",
        xlabel="interval (ms)",
        ylabel="count",
        ylim=(0, None),
        xlim=(0, window_ms),
        responsive=True,
        min_height=360,
    )
