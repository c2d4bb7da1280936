"""Counts to colours (placeholder until the tested one lands)."""

from __future__ import annotations

import numpy as np

from neuralsorter.palette import unit_colour


def shade(images, shape, *, mode="equalised", dark=False, selected=None):
    rgba = np.zeros((*shape, 4), np.float64)
    total = np.zeros(shape)
    mix = np.zeros((*shape, 3))
    for unit, image in images.items():
        c = unit_colour(unit, dark=dark)
        rgb = np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)], float)
        total += image
        mix += image[..., None] * rgb
    some = total > 0
    if some.any():
        mix[some] /= total[some][:, None]
        values = np.sort(total[some])
        rank = np.searchsorted(values, total[some]) / len(values)
        rgba[some, 3] = 60 + 195 * rank
    rgba[..., :3] = mix
    if selected is not None:
        rgba[selected > 0] = (255, 255, 255, 255) if dark else (0, 0, 0, 255)
    return rgba.astype(np.uint8)
