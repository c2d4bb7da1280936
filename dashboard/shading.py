"""Counts to colours: units mixed by their count, opacity equalised as Datashader does it, what is selected on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import colorcet
import numpy as np
from numpy.typing import NDArray

from neuralsorter.drawing.blending import NO_LAYER, Counts, Layer, mix, painted, remix, repainted
from neuralsorter.drawing.opacity import equalised, faintest_of
from neuralsorter.drawing.picture import Change
from neuralsorter.palette import rgb, unit_colour
from neuralsorter.spikes import NOISE

SHADINGS = ("equalised", "log", "linear")
FAINTEST = 0.25  # opacity of a single waveform among a million: seen, yet not loud
FAINTEST_POINT = 0.55  # of a single event in a scatter: it has no line that helps the eye
FAINTEST_SELECTED = 0.6
FAINTEST_NOISE, DENSEST_NOISE = 0.1, 0.6
BEHIND = 0.35  # share of opacity left to the rest while something is selected


class Shades(NamedTuple):
    """What the units look like before anything is selected.

    Attributes
    ----------
    total : ndarray, (height, width), int32
        Counts of all units but noise.
    opacity, colours : ndarray, (height, width) from 0 to 1 and (height, width, 3) up to 255
    noise : ndarray, (height, width) or (0, 0)
        Opacity of what lies below.
    rgba : ndarray, (height, width, 4), uint8
        The image, nothing selected.
    sums : ndarray, (3, height, width)
        Of the colours of all waveforms but noise.

    """

    total: Counts
    opacity: Layer
    colours: Layer
    noise: Layer
    rgba: NDArray[np.uint8]
    sums: NDArray[np.float64]


def shade(
    images: Mapping[int, NDArray[Any]],
    shape: tuple[int, int],
    *,
    mode: str = "equalised",
    dark: bool = False,
    selected: NDArray[Any] | None = None,
    heat: bool = False,
    faintest: float = FAINTEST,
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
    faintest : float
        Opacity of the lowest count.

    Returns
    -------
    ndarray, (height, width, 4), uint8
        Red, green, blue and opacity, not premultiplied; row 0 as in the images.

    """
    if mode not in SHADINGS:
        raise ValueError(f"mode must be one of {', '.join(SHADINGS)}. Got {mode!r}.")
    below = unselected(images, shape, mode=mode, dark=dark, heat=heat, faintest=faintest)
    return with_selected(below, selected, mode=mode, dark=dark)


def unselected(
    images: Mapping[int, NDArray[Any]],
    shape: tuple[int, int],
    *,
    mode: str,
    dark: bool,
    heat: bool,
    before: Shades | None = None,
    faintest: float = FAINTEST,
) -> Shades:
    """Return what `shade` makes of the units; `before`, of the same mode, may spare work and changes nothing."""
    counts = {unit: np.asarray(image, np.int32) for unit, image in images.items()}
    units = [unit for unit in counts if unit != NOISE]
    hues, grey = np.array([_hue(unit, dark=dark) for unit in units]).reshape(-1, 3), _grey(dark=dark)
    total, sums, colours = mix([counts[unit] for unit in units], hues, shape)
    same = before is not None and np.array_equal(before.total, total)  # units changed places, as after most edits
    lowest = faintest_of(total, faintest)
    opacity = before.opacity if before is not None and same else _opacity(total, mode, lowest, 1.0)
    noise = NO_LAYER
    if NOISE in counts:
        least = DENSEST_NOISE * faintest_of(counts[NOISE], FAINTEST_NOISE / DENSEST_NOISE)
        noise = _opacity(counts[NOISE], mode, least, DENSEST_NOISE)
    if heat:
        colours = _heat(opacity, lowest, dark=dark)
    rgba = painted(opacity, colours, (noise, grey), (NO_LAYER, grey), 1.0)
    return Shades(total, opacity, colours, noise, rgba, sums)


def moved(before: Shades, change: Change, *, dark: bool, heat: bool) -> Shades:
    """Return what `unselected` makes of the units when waveforms went from one that is shown to another, not noise.

    Only the pixels they cross are painted again, and the arrays of `before` are used up, but for its image.
    """
    if heat:
        return before
    units = {unit for move in change.moves for unit in (move.of, move.to)}
    hues = {unit: _hue(unit, dark=dark) for unit in units}
    remix(change.moves, hues, change.places, (before.total, before.sums, before.colours))
    layers = before.opacity, before.colours, (before.noise, _grey(dark=dark))
    return before._replace(rgba=repainted(before.rgba, change.places, *layers))


def with_selected(below: Shades, selected: NDArray[Any] | None, *, mode: str, dark: bool) -> NDArray[np.uint8]:
    """Return what `shade` returns, from what `unselected` returned."""
    if selected is None or not selected.any():
        return below.rgba
    noise = below.noise, _grey(dark=dark)
    chosen = np.asarray(selected, np.int32)
    ink = _opacity(chosen, mode, faintest_of(chosen, FAINTEST_SELECTED), 1.0)
    black_or_white = np.full(3, 255 if dark else 0, np.float32)
    return painted(below.opacity, below.colours, noise, (ink, black_or_white), BEHIND)


def thickened(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image, (height, width, 4), with lines of three pixels in place of one, as Datashader spreads them."""
    import datashader.transfer_functions as tf  # a second, which the first page need not wait for

    packed = np.ascontiguousarray(rgba).view(np.uint32)[..., 0]
    spread = tf.spread(tf.Image(packed, dims=("y", "x")), px=1, shape="square").values
    return np.ascontiguousarray(spread).view(np.uint8).reshape(rgba.shape)


def _opacity(counts: Counts, mode: str, faintest: float, densest: float) -> Layer:
    """Return opacity, 0 where nothing is and `faintest` to `densest` elsewhere."""
    if mode == "equalised":
        return equalised(counts, faintest, densest)
    some = counts > 0
    if not some.any():
        return np.zeros(some.shape, np.float32)
    values = np.asarray(counts, np.float32)
    if mode == "log":
        values = np.log(np.maximum(values, 1))
    low, high = float(values.min(where=some, initial=np.inf)), float(values.max(where=some, initial=0))
    share = (values - np.float32(low)) / np.float32(high - low) if high > low else np.ones(some.shape, np.float32)
    return np.where(some, faintest + (densest - faintest) * share, 0).astype(np.float32)


def _heat(opacity: NDArray[np.float32], lowest: float, *, dark: bool) -> NDArray[np.float32]:
    """Return the colours of a heat map; its densest end stands out from the background."""
    hexes = colorcet.fire[64:] if dark else colorcet.fire[208:16:-1]
    table = np.array([rgb(colour) for colour in hexes], np.float32)
    share = np.clip((opacity - lowest) / (1 - lowest), 0, 1)
    return np.ascontiguousarray(table[(share * (len(table) - 1)).astype(np.intp)])


def _hue(unit: int, *, dark: bool) -> NDArray[np.float64]:
    return np.array(rgb(unit_colour(unit, dark=dark)), np.float64)


def _grey(*, dark: bool) -> NDArray[np.float32]:
    return np.array(rgb(unit_colour(NOISE, dark=dark)), np.float32)
