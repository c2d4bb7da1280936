"""Waveforms over time.

Above, every sample of every waveform at the time of its event: drift shows as a band that rises or falls. Below, the
mean waveform of each unit in successive slices of the recording, early ones pale.
"""

from __future__ import annotations

from typing import Annotated

import datashader as ds
import holoviews as hv
import numpy as np
import pandas as pd
from datashader import transfer_functions as tf

from neuralsorter import Spikes
from neuralsorter.palette import unit_colour
from neuralsorter.spiketrain import each_unit

hv.extension("bokeh")


def run(
    spikes: Spikes,
    slices: Annotated[int, (2, 12), "Slices of time with a mean waveform each."] = 5,
    noise: Annotated[bool, "Draw noise too, in grey."] = False,
) -> hv.Layout | hv.Text:
    """Draw all samples over time with Datashader, and mean waveforms by slice of time."""
    shown = spikes.take(np.isfinite(spikes.times_s) & ((spikes.unit > 0) | noise))
    if not len(shown):
        return hv.Text(0, 0, "No event with a known time is shown.").opts(xaxis=None, yaxis=None)
    edges = np.linspace(shown.times_s.min(), np.nextafter(shown.times_s.max() + 1e-3, np.inf), slices + 1)
    means = [mean_waveforms(shown.take(one.rows), edges, one.name, unit_colour(one.unit)) for one in each_unit(shown)]
    return hv.Layout([samples_over_time(shown, edges), *means]).opts(shared_axes=False).cols(1)


def samples_over_time(spikes: Spikes, edges: np.ndarray) -> hv.RGB:
    """Return a picture of all samples, coloured by unit: x in s, y in µV."""
    waveforms = spikes.waveforms.reshape(len(spikes), -1)
    n_samples = waveforms.shape[1]
    points = pd.DataFrame({"x": np.repeat(spikes.times_s, n_samples), "y": waveforms.ravel()})
    points["unit"] = pd.Categorical.from_codes(*_codes(np.repeat(spikes.unit, n_samples)))
    bottom, top = np.nanmin(waveforms), np.nanmax(waveforms)
    canvas = ds.Canvas(900, 400, (edges[0], edges[-1]), (bottom, max(top, bottom + 1)))
    counts = canvas.points(points, "x", "y", ds.count_cat("unit"))
    image = tf.shade(counts, color_key=[unit_colour(int(unit)) for unit in counts.unit.values], how="eq_hist")
    pixels = image.to_numpy()[::-1].view(np.uint8).reshape(*image.shape, 4)
    picture = hv.RGB(pixels, bounds=(edges[0], bottom, edges[-1], max(top, bottom + 1)))
    return picture.opts(title="All samples", xlabel="time (s)", ylabel="µV", responsive=True, height=320, aspect=None)


def mean_waveforms(unit: Spikes, edges: np.ndarray, name: str, colour: str) -> hv.Overlay:
    """Return the mean waveform of one unit in each slice of time."""
    slice_of = np.searchsorted(edges, unit.times_s, side="right") - 1
    curves = []
    for number, start in enumerate(edges[:-1]):
        rows = np.flatnonzero(slice_of == number)
        if len(rows):
            mean = unit.take(rows).waveforms.reshape(len(rows), -1, unit.n_samples)[:, 0].mean(axis=0)
            curve = hv.Curve((unit.times_ms, mean), "t", "v", label=f"from {start:.0f} s · {len(rows):,} events")
            curves.append(curve.opts(color=colour, line_width=2, alpha=0.25 + 0.75 * number / (len(edges) - 2)))
    return hv.Overlay(curves).opts(
        title=name, xlabel="ms", ylabel="µV", responsive=True, height=260, legend_position="right"
    )


def _codes(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    units, codes = np.unique(unit, return_inverse=True)
    return codes, units
