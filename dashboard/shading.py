"""Counts to colours: units mixed by their count, opacity equalised as Datashader does it, what is selected on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import colorcet
import numpy as np
from numpy.typing import NDArray

from neuralsorter.drawing.blending import cover, mix
from neuralsorter.palette import unit_colour
from neuralsorter.spikes import NOISE

SHADINGS = ("equalised", "log", "linear")
FAINTEST = 0.25  # opacity of a single waveform among a million: seen, yet not loud
FAINTEST_SELECTED = 0.6
FAINTEST_NOISE, DENSEST_NOISE = 0.1, 0.6
BEHIND = 0.35  # share of opacity left to the rest while something is selected
LEVELS = 2_048  # per e-fold of counts: every count up to 2,000 is a level of its own when equalised


def shade(
    images: Mapping[int, NDArray[Any]],
    shape: tuple[int, int],
    *,
    mode: str = "equalised",
    dark: bool = False,
    selected: NDArray[Any] | None = None,
    heat: bool = False,
) -> NDArray[np.uint8]:
    """Colour count images.

    Parameters
    ----------
    images : mapping of unit to ndarray, (height, width), int
        Counts; leave a unit out to hide it. Noise (0) is grey and lies behind the other units.
    shape : tuple of int
        Height and width.
    mode : {"equalised", "log", "linear"}
        How opacity grows with the count. Equalised: about as many pixels of each opacity, so that a handful of
        waveforms stay visible among a million.
    dark : bool
        Whether the background is dark.
    selected : ndarray, (height, width), int, optional
        Counts of the selected waveforms: drawn on top in black or white, the rest fades.
    heat : bool
        Colour all units but noise by their count instead, as a heat map.

    Returns
    -------
    ndarray, (height, width, 4), uint8
        Red, green, blue and opacity, not premultiplied; row 0 as in the images.

    """
    if mode not in SHADINGS:
        raise ValueError(f"mode must be one of {', '.join(SHADINGS)}. Got {mode!r}.")
    return with_selected(unselected(images, shape, mode=mode, dark=dark, heat=heat), selected, mode=mode, dark=dark)


def unselected(
    images: Mapping[int, NDArray[Any]], shape: tuple[int, int], *, mode: str, dark: bool, heat: bool
) -> NDArray[np.float32]:
    """Return what `shade` makes of the units, (height, width, 4): colours to 255, opacity to 1."""
    total, colours = np.zeros(shape, np.int64), np.zeros((*shape, 3), np.float32)
    for unit, image in images.items():
        if unit != NOISE:
            mix(np.asarray(image), _rgb(unit_colour(unit, dark=dark)), total, colours)
    opacity = _opacity(total, mode, FAINTEST, 1.0)
    if heat:
        colours = _heat(opacity, dark=dark)
    else:
        colours /= np.maximum(total, 1)[..., None].astype(np.float32)
    rgba = np.zeros((*shape, 4), np.float32)
    if NOISE in images:
        cover(rgba, _opacity(images[NOISE], mode, FAINTEST_NOISE, DENSEST_NOISE), _rgb(unit_colour(NOISE, dark=dark)))
    cover(rgba, opacity, colours)
    return rgba


def with_selected(
    below: NDArray[np.float32], selected: NDArray[Any] | None, *, mode: str, dark: bool
) -> NDArray[np.uint8]:
    """Return what `shade` returns, from what `unselected` returned; that stays as it is."""
    rgba = below.copy()
    if selected is not None:
        ink = _opacity(selected, mode, FAINTEST_SELECTED, 1.0)
        rgba[..., 3] *= np.float32(BEHIND if ink.any() else 1.0)
        cover(rgba, ink, np.full(3, 255 if dark else 0, np.float32))
    rgba[..., 3] *= 255
    return np.rint(rgba, out=rgba).astype(np.uint8)


def _opacity(counts: NDArray[Any], mode: str, faintest: float, densest: float) -> NDArray[np.float32]:
    """Return opacity, 0 where nothing is and `faintest` to `densest` elsewhere."""
    some = np.asarray(counts) > 0
    if not some.any():
        return np.zeros(some.shape, np.float32)
    values = np.asarray(counts, np.float32)
    if mode != "linear":
        values = np.log(np.maximum(values, 1))
    if mode == "equalised":
        values = _equalised((values * LEVELS).astype(np.int32), some)
    low, high = float(values.min(where=some, initial=np.inf)), float(values.max(where=some, initial=0))
    share = (values - np.float32(low)) / np.float32(high - low) if high > low else np.ones(some.shape, np.float32)
    return np.where(some, faintest + (densest - faintest) * share, 0).astype(np.float32)


def _equalised(levels: NDArray[np.int32], some: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the share of the pixels with `some` up to each level: Datashader's `eq_hist`, without sorting."""
    pixels = np.bincount(levels.ravel())
    pixels[0] -= some.size - np.count_nonzero(some)
    return (np.cumsum(pixels) / pixels.sum()).astype(np.float32)[levels]


def _heat(opacity: NDArray[np.float32], *, dark: bool) -> NDArray[np.float32]:
    """Return the colours of a heat map; its densest end stands out from the background."""
    hexes = colorcet.fire[64:] if dark else colorcet.fire[208:16:-1]
    table = np.stack([_rgb(colour) for colour in hexes])
    share = np.clip((opacity - FAINTEST) / (1 - FAINTEST), 0, 1)
    return np.ascontiguousarray(table[(share * (len(table) - 1)).astype(np.intp)])


def _rgb(colour: str) -> NDArray[np.float32]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
