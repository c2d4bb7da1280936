"""Every waveform of a channel as one small PNG."""

from __future__ import annotations

import io

import numpy as np

from neuralsorter.density import density
from neuralsorter.drawing.blending import NO_LAYER, mix, painted
from neuralsorter.drawing.opacity import equalised, faintest_of
from neuralsorter.palette import rgb, unit_colour
from neuralsorter.spikes import NOISE, Spikes

WIDTH, HEIGHT = 720, 380
_COLOURS = 96
_FAINTEST = 0.25
_FAINTEST_NOISE, _DENSEST_NOISE = 0.1, 0.6
_SOME, _PERCENT, _MARGIN = 5000, (0.02, 99.98), 0.06


def amplitude_range(spikes: Spikes) -> tuple[float, float]:
    """Return the range in µV that holds nearly all samples: a rare giant must not flatten everything else."""
    step = max(len(spikes) // _SOME, 1)
    some = np.asarray(spikes.raw[::step], np.float32) * spikes.uv_per_bit
    if not np.isfinite(some).any():
        return -100.0, 100.0
    low, high = (float(value) for value in np.nanpercentile(some, _PERCENT))
    high = high if high > low else low + 1.0
    air = _MARGIN * (high - low)
    return low - air, high + air


def density_png(spikes: Spikes, y_range: tuple[float, float]) -> bytes:
    """Draw every waveform in the colour of its unit, noise in grey behind, and return a PNG without background."""
    from PIL import Image

    found = density(spikes.raw, spikes.unit, WIDTH, HEIGHT, y_range=y_range, uv_per_bit=spikes.uv_per_bit)
    counts = dict(zip(found.units.tolist(), found.counts, strict=True))
    noise = counts.pop(NOISE, None)
    hues = np.array([rgb(unit_colour(unit)) for unit in counts], np.float64).reshape(-1, 3)
    total, _, colours = mix(list(counts.values()), hues, (HEIGHT, WIDTH))
    below = NO_LAYER
    if noise is not None:
        least = _DENSEST_NOISE * faintest_of(noise, _FAINTEST_NOISE / _DENSEST_NOISE)
        below = equalised(noise, least, _DENSEST_NOISE)
    above, grey = equalised(total, faintest_of(total, _FAINTEST), 1.0), np.array(rgb(unit_colour(NOISE)), np.float32)
    rgba = painted(above, colours, (below, grey), (NO_LAYER, grey), 1.0)[::-1]
    opacity = rgba[..., 3:] / np.float32(255)
    on_white = np.rint(rgba[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(on_white)).quantize(_COLOURS, dither=Image.Dither.NONE)
    empty = np.asarray(image)[opacity[..., 0] == 0]
    held = io.BytesIO()
    image.save(held, "PNG", optimize=True, **({"transparency": int(empty[0])} if len(empty) else {}))
    return held.getvalue()
