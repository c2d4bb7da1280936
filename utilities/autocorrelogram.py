"""Autocorrelogram.

When a unit fires relative to its own spikes. A neuron's has an empty gap around 0 as wide as its refractory period;
a flat one means that several neurons are mixed.
"""

from __future__ import annotations

from typing import Annotated

import holoviews as hv

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import autocorrelogram, each_unit, stretches

hv.extension("bokeh")


def run(
    spikes: Spikes,
    window_ms: Annotated[float, (1.0, 1_000.0), "Largest lag shown."] = 50.0,
    bin_ms: Annotated[float, (0.1, 50.0), "Width of a bin."] = 1.0,
) -> hv.Layout | hv.Text:
    """Draw one panel per unit."""
    where = stretches(spikes)
    panels = []
    for one in each_unit(spikes):
        counts, edges = autocorrelogram(
            spikes.times_s[one.rows], window_ms, bin_ms, spikes.sampling_rate, where[one.rows]
        )
        colour = unit_colour(one.unit)
        panel = hv.Histogram(
            (edges, counts), kdims="lag", vdims="count", label=f"{one.name} · {len(one.rows):,} events"
        )
        panels.append(
            panel.opts(
                fill_color=colour,
                line_color=colour,
                xlabel="lag (ms)",
                ylabel="count",
                width=330,
                height=240,
                padding=0,
            )
        )
    if not panels:
        return hv.Text(0, 0, "No unit is shown.").opts(xaxis=None, yaxis=None)
    return hv.Layout(panels).opts(shared_axes=False).cols(3)
