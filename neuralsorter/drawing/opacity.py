"""How opaque a pixel is by its count: few waveforms stay seen among many, and stand out alone."""

from __future__ import annotations

import numpy as np

from .blending import Counts, Layer, graded, looked_up

ALONE, CROWD = 0.9, 1000  # of a single waveform among few, where none hides another; how many in a pixel are a crowd


def faintest_of(counts: Counts, among_many: float) -> float:
    """Return the opacity of a single waveform: `among_many` in a crowd, ALONE among few."""
    crowd = np.log(max(int(counts.max(initial=0)), 1)) / np.log(CROWD)
    return float(max(ALONE, among_many) + (among_many - max(ALONE, among_many)) * min(crowd, 1.0))


def equalised(counts: Counts, faintest: float, densest: float) -> Layer:
    """Return opacity by the share of the pixels up to each level: Datashader's `eq_hist`, without sorting.

    It is 0 where nothing is and `faintest` to `densest` elsewhere, (height, width).
    """
    levels, pixels = graded(counts)
    pixels[0] = 0  # where nothing is
    share = np.cumsum(pixels) / max(pixels.sum(), 1)
    low = float(share.min(where=pixels > 0, initial=1.0))
    table = faintest + (densest - faintest) * ((share - low) / (1 - low) if low < 1 else np.ones(len(share)))
    table[0] = 0
    return looked_up(table.astype(np.float32), levels)
