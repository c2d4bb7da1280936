"""Unit similarity.

Correlation of the mean waveforms of every two units, weighed down by a difference in size: 1 means the same waveform.
Pairs near 1 on one channel may be one neuron split in two.
"""

from __future__ import annotations

from typing import Annotated

import holoviews as hv
import numpy as np

from neuralsorter import Spikes
from neuralsorter.metrics.shapes import mean_waveform
from neuralsorter.spiketrain import each_unit

hv.extension("bokeh")


def run(
    spikes: Spikes,
    *,
    weigh_size: Annotated[bool, "Multiply by the ratio of sizes, smaller over larger."] = True,
    most_units: Annotated[int, (2, 200), "Compare this many units, the largest ones."] = 60,
) -> hv.HeatMap | str:
    """Draw the matrix of similarities."""
    units = sorted(each_unit(spikes), key=lambda one: -len(one.rows))[:most_units]
    units.sort(key=lambda one: (one.channel, one.unit))
    if len(units) < 2:
        return "Two units or more are needed."
    means = np.stack([mean_waveform(spikes.take(one.rows).waveforms.reshape(len(one.rows), -1)) for one in units])
    centred = means - means.mean(axis=1, keepdims=True)
    sizes = np.maximum(np.linalg.norm(centred, axis=1), 1e-12)
    similarity = centred @ centred.T / np.outer(sizes, sizes)
    if weigh_size:
        similarity *= np.minimum.outer(sizes, sizes) / np.maximum.outer(sizes, sizes)
    names = [one.name for one in units]
    cells = [(names[i], names[j], similarity[i, j]) for i in range(len(names)) for j in range(len(names))]
    return hv.HeatMap(cells, ["unit", "other"], "similarity").opts(
        title="Similarity of mean waveforms",
        cmap="RdBu_r",
        clim=(-1, 1),
        colorbar=True,
        tools=["hover"],
        xrotation=60,
        invert_yaxis=True,
        xlabel="",
        ylabel="",
        responsive=True,
        min_height=500,
    )
