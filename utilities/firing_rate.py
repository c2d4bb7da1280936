"""Firing rate.

Events per second of each unit along the recording. Sudden steps point to a lost or regained unit, slow ones to drift.
"""

from __future__ import annotations

from typing import Annotated

import holoviews as hv
import numpy as np

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import each_unit, rate, stretches

hv.extension("bokeh")


def run(
    spikes: Spikes,
    bin_s: Annotated[float, (0.1, 600.0), "Width of a bin."] = 5.0,
) -> hv.Overlay | str:
    """Draw one line per unit, files and clock restarts one after the other."""
    where = stretches(spikes)
    start_s = 0.0
    drawn: list[hv.Element] = []
    for stretch in np.unique(where):
        rows = np.flatnonzero((where == stretch) & np.isfinite(spikes.times_s))
        if not len(rows):
            continue
        if start_s:
            drawn.append(hv.VLine(start_s).opts(color="#808080", line_dash="dashed", line_width=1))
        stop_s = float(spikes.times_s[rows].max())
        part = spikes.take(rows)
        for one in each_unit(part):
            rates, edges = rate(part.times_s[one.rows], bin_s, 0.0, stop_s + 1e-6)
            line = hv.Curve((edges + start_s, np.append(rates, rates[-1])), "time", "rate", label=one.name)
            drawn.append(line.opts(interpolation="steps-post", color=unit_colour(one.unit), line_width=1.5))
        start_s += stop_s
    if not drawn:
        return "No event with a known time is shown."
    return hv.Overlay(drawn).opts(
        title="Firing rate",
        xlabel="time (s)",
        ylabel="events per second",
        ylim=(0, None),
        responsive=True,
        min_height=360,
    )
