"""Waveforms over time.

Above, every sample of every waveform at the time of its event: drift shows as a band that rises or falls. Below, the
mean waveform of each unit in successive slices of the recording, early ones pale.
"""

from __future__ import annotations

from typing import Annotated, Any

import datashader as ds
import numpy as np
import pandas as pd
import xarray as xr
from bokeh.layouts import column
from bokeh.models import Column, ColumnDataSource, HoverTool
from bokeh.plotting import figure
from datashader import transfer_functions as tf
from numpy.typing import NDArray

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import each_unit


def run(
    spikes: Spikes,
    *,
    slices: Annotated[int, (2, 12), "Slices of time, each with a mean waveform."] = 5,
    noise: Annotated[bool, "Draw noise too, in grey."] = False,
) -> Column | str:
    """Draw all samples over time with Datashader, and mean waveforms by slice of time."""
    shown = spikes.take(np.isfinite(spikes.times_s) & ((spikes.unit > 0) | noise))
    if not len(shown):
        return "No event with a known time is shown."
    edges = np.linspace(shown.times_s.min(), shown.times_s.max() + 1e-3, slices + 1)
    return column(samples_over_time(shown, edges), mean_waveforms(shown, edges), sizing_mode="stretch_width")


def samples_over_time(spikes: Spikes, edges: NDArray[Any]) -> figure:
    """Return a picture of all samples, coloured by unit."""
    waveforms = spikes.waveforms.reshape(len(spikes), -1)
    left, right = float(edges[0]), float(edges[-1])
    bottom, top = float(np.nanmin(waveforms)), float(np.nanmax(waveforms)) + 1e-3
    canvas = ds.Canvas(1000, 300, (left, right), (bottom, top))
    units = np.unique(spikes.unit).tolist()
    counts = []
    for unit in units:
        rows = spikes.unit == unit
        times = np.repeat(spikes.times_s[rows].astype(np.float32), waveforms.shape[1])
        counts.append(canvas.points(pd.DataFrame({"x": times, "y": waveforms[rows].ravel()}, copy=False), "x", "y"))
    layers = xr.concat(counts, pd.Index(units, name="unit")).transpose("y", "x", "unit")
    image = tf.shade(layers, color_key=[unit_colour(unit) for unit in units], how="eq_hist")
    plot = figure(
        title="All samples", x_axis_label="time (s)", y_axis_label="µV", height=320, sizing_mode="stretch_width"
    )
    plot.image_rgba([image.to_numpy()], x=left, y=bottom, dw=right - left, dh=top - bottom)
    return plot


def mean_waveforms(spikes: Spikes, edges: NDArray[Any]) -> figure:
    """Return the mean waveform of each unit in each slice of time."""
    lines: dict[str, Any] = {name: [] for name in ("x", "y", "colour", "alpha", "unit", "start", "events")}
    for one in each_unit(spikes):
        slice_of = np.searchsorted(edges, spikes.times_s[one.rows], side="right") - 1
        for number in np.unique(slice_of):
            rows = one.rows[slice_of == number]
            mean = spikes.take(rows).waveforms.reshape(len(rows), -1, spikes.n_samples)[:, 0].mean(axis=0)
            opacity = 0.25 + 0.75 * number / (len(edges) - 2)
            values = (spikes.times_ms, mean, unit_colour(one.unit), opacity, one.name, edges[number], len(rows))
            for name, value in zip(lines, values, strict=True):
                lines[name].append(value)
    plot = figure(
        title="Mean waveform in each slice of time, early ones pale",
        x_axis_label="ms",
        y_axis_label="µV",
        height=320,
        sizing_mode="stretch_width",
    )
    plot.multi_line("x", "y", source=ColumnDataSource(lines), line_color="colour", line_alpha="alpha", line_width=2)
    plot.add_tools(HoverTool(tooltips=[("unit", "@unit"), ("from", "@start{0.0} s"), ("events", "@events{0,0}")]))
    return plot
