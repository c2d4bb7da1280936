"""Amplitude over time.

Size of every event at the time it happened, positive for the polarity of its unit's mean waveform. Drift shows as a
slope; a flat lower edge shows where the detection threshold cuts events off.
"""

from __future__ import annotations

from typing import Annotated, Literal

import datashader as ds
import numpy as np
import pandas as pd
import xarray as xr
from bokeh.plotting import figure
from datashader import transfer_functions as tf

from neuralsorter import Spikes
from neuralsorter.metrics.shapes import amplitudes, best_wire, mean_waveform
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import each_unit


def run(
    spikes: Spikes,
    measure: Annotated[
        Literal["peak", "peak to peak"], "Size at the peak of the mean waveform, or whole range."
    ] = "peak",
    dot_px: Annotated[int, (0, 4), "Radius of the dots."] = 1,
) -> figure | str:
    """Draw a dot per event with Datashader."""
    shown = spikes.take(np.isfinite(spikes.times_s) & (spikes.unit > 0))
    units = list(each_unit(shown))
    if not units:
        return "No unit with known times is shown."
    tables = []
    for one in units:
        waveforms = best_wire(shown.take(one.rows).waveforms)
        peak = measure == "peak"
        sizes = amplitudes(waveforms, mean_waveform(waveforms)) if peak else np.ptp(np.nan_to_num(waveforms), axis=1)
        tables.append(pd.DataFrame({"x": shown.times_s[one.rows], "y": sizes.astype(np.float64)}))
    left, right = float(shown.times_s.min()), float(shown.times_s.max()) + 1e-3
    bottom = min(float(np.nanmin(table["y"])) for table in tables)
    top = max(float(np.nanmax(table["y"])) for table in tables) + 1e-3
    canvas = ds.Canvas(1000, 400, (left, right), (bottom, top))
    layers = xr.concat([canvas.points(table, "x", "y") for table in tables], pd.Index(range(len(units)), name="unit"))
    image = tf.shade(
        layers.transpose("y", "x", "unit"),
        color_key=[unit_colour(one.unit) for one in units],
        how="eq_hist",
        min_alpha=120,
    )
    if dot_px:
        image = tf.spread(image, px=dot_px)
    plot = figure(
        title=f"Amplitude ({measure}) over time",
        x_axis_label="time (s)",
        y_axis_label="µV",
        height=420,
        sizing_mode="stretch_width",
    )
    plot.image_rgba([image.to_numpy()], x=left, y=bottom, dw=right - left, dh=top - bottom)
    return plot
