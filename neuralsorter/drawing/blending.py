"""Count images to colours: units mixed by their counts, opacity by the count, layers over each other, on every core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

from .counted import Move, strips, within
from .threads import run, slices, threads

STRIP = 16_384  # pixels mixed at a time: their sums stay in the fast cache, however many units there are
LEVELS = 2_048  # per e-fold of counts: every count up to 2,000 is a level of its own
LISTED = 65_536  # counts whose level is looked up
Layer = NDArray[np.float32]
Counts = NDArray[np.int32]
NO_LAYER: Layer = np.zeros((0, 0), np.float32)


def mix(
    images: Sequence[Counts], colours: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[Counts, NDArray[np.float64], Layer]:
    """Return the count of all images together, (height, width), the sums and the mean of their colours.

    Colours, (n_images, 3), are whole numbers and summed exactly, (3, height, width): the order of images does not
    matter. The mean is (height, width, 3).
    """
    height, width = shape
    total, sums, mean = np.zeros(shape, np.int32), np.zeros((3, *shape)), np.empty((height, width, 3), np.float32)
    step = max(STRIP // max(width, 1), 1)

    def strips(first: int, last: int) -> None:
        for row in range(first, last, step):
            end = min(row + step, last)
            own, counts = sums[:, row:end], total[row:end]
            for image, colour in zip(images, colours, strict=True):
                _add(image[row:end], colour, counts, own)
            _divide(counts, own, mean[row:end])

    run([(strips, cut) for cut in _cuts(height)])
    return total, sums, mean


def remix(
    moves: Sequence[Move],
    colours: Mapping[int, NDArray[np.float64]],
    places: NDArray[np.int32],
    mixed: tuple[Counts, NDArray[np.float64], Layer],
) -> None:
    """Bring what `mix` returned up to date, in place, when waveforms moved among its images, at some places, (n,)."""
    total, sums, mean = mixed[0].reshape(-1), mixed[1].reshape(3, -1), mixed[2].reshape(-1, 3)

    def strip(first: int, last: int) -> None:
        for move in moves:
            _recolour(*within(move.marks, first, last), colours[move.to] - colours[move.of], sums)
        start, end = np.searchsorted(places, (first, last)).tolist()
        _divide_at(places[start:end], total, sums, mean)

    run([(strip, ends) for ends in strips(moves, len(total))])


def graded(counts: Counts) -> tuple[Counts, NDArray[np.int64]]:
    """Return the level of each count, 0 where nothing is, (height, width), and how many pixels have each level."""
    table, levels = _levels(), np.empty_like(counts)
    size = int(level_of(max(int(counts.max(initial=0)), 1))) + 1
    pixels = run([(_grade, (counts[a:b], table, levels[a:b], size)) for a, b in _cuts(len(counts))])
    return levels, np.sum(pixels, axis=0)


def looked_up(table: Layer, levels: Counts) -> Layer:
    """Return what a table has for each level, (height, width)."""
    values = np.empty(levels.shape, np.float32)
    run([(_look_up, (table, levels[a:b], values[a:b])) for a, b in _cuts(len(levels))])
    return values


def painted(
    opacity: Layer, colours: Layer, below: tuple[Layer, Layer], above: tuple[Layer, Layer], fade: float
) -> NDArray[np.uint8]:
    """Return red, green, blue and opacity, (height, width, 4) up to 255, not premultiplied, of three layers.

    The middle one has its opacity, (height, width) of 0 to 1, and colours (height, width, 3); those below and above
    have one colour (3,), and may be `NO_LAYER`. `fade` is the share of their opacity left to what lies under `above`.
    """
    rgba = np.empty((*opacity.shape, 4), np.uint8)
    (under, under_colour), (over, over_colour) = below, above
    run([
        (_paint, (opacity[a:b], colours[a:b], under[a:b], under_colour, over[a:b], over_colour, np.float32(fade),
                  rgba[a:b]))
        for a, b in _cuts(len(opacity))
    ])  # fmt: skip
    return rgba


def repainted(
    rgba: NDArray[np.uint8], places: NDArray[np.int32], opacity: Layer, colours: Layer, below: tuple[Layer, Layer]
) -> NDArray[np.uint8]:
    """Return an image that `painted` made, with nothing above, painted anew at some places (n,) of its flat array."""
    under, under_colour = below
    anew = rgba.copy()
    run([
        (_paint_at, (part, opacity.reshape(-1), colours.reshape(-1, 3), under.reshape(-1), under_colour,
                     anew.reshape(-1, 4)))
        for part in _parts(places)
    ])  # fmt: skip
    return anew


def _parts(places: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    return np.array_split(places, slices(len(places)))


def _cuts(height: int) -> list[tuple[int, int]]:
    k = max(1, min(threads(), height // 32))
    return [(height * i // k, height * (i + 1) // k) for i in range(k)]


@lru_cache(maxsize=1)
def _levels() -> Counts:
    table: Counts = np.array([0, *(level_of(count) for count in range(1, LISTED))], np.int32)
    return table


@kernel
def level_of(count: int) -> Any:
    """Return the level of a count from 1 on: 1, and LEVELS more with each e-fold."""
    return np.int32(np.log(np.float32(count)) * np.float32(LEVELS)) + 1


@kernel
def _add(image: Any, colour: Any, total: Any, sums: Any) -> None:
    for y in range(image.shape[0]):
        counts, to, red, green, blue = image[y], total[y], sums[0, y], sums[1, y], sums[2, y]
        for x in range(counts.shape[0]):
            count = np.float64(counts[x])
            to[x] += counts[x]
            red[x] += count * colour[0]
            green[x] += count * colour[1]
            blue[x] += count * colour[2]


@kernel
def _recolour(places: Any, counts: Any, change: Any, sums: Any) -> None:
    for c in range(3):
        by, to = change[c], sums[c]
        for i in range(places.shape[0]):
            to[places[i]] += counts[i] * by


@kernel
def _divide_at(places: Any, total: Any, sums: Any, mean: Any) -> None:
    for i in range(places.shape[0]):
        at = places[i]
        share = 1 / np.float64(max(total[at], 1))
        for c in range(3):
            mean[at, c] = sums[c, at] * share


@kernel
def _divide(total: Any, sums: Any, mean: Any) -> None:
    for y in range(total.shape[0]):
        for x in range(total.shape[1]):
            share = 1 / np.float64(max(total[y, x], 1))
            for c in range(3):
                mean[y, x, c] = sums[c, y, x] * share


@kernel
def _grade(counts: Any, table: Any, levels: Any, size: int) -> Any:
    pixels = np.zeros(size, np.int64)
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            count = counts[y, x]
            level = table[count] if count < table.shape[0] else level_of(count)
            levels[y, x] = level
            pixels[level] += 1
    return pixels


@kernel
def _look_up(table: Any, levels: Any, values: Any) -> None:
    for y in range(levels.shape[0]):
        for x in range(levels.shape[1]):
            values[y, x] = table[levels[y, x]]


@kernel
def _paint(
    opacity: Any, colours: Any, under: Any, under_colour: Any, over: Any, over_colour: Any, fade: Any, rgba: Any
) -> None:
    for y in range(opacity.shape[0]):
        for x in range(opacity.shape[1]):
            low = under[y, x] if under.shape[0] else np.float32(0)
            top = over[y, x] if over.shape[0] else np.float32(0)
            _paint_pixel(opacity[y, x], colours[y, x], low, under_colour, top, over_colour, fade, rgba[y, x])


@kernel
def _paint_at(places: Any, opacity: Any, colours: Any, under: Any, under_colour: Any, rgba: Any) -> None:
    for i in range(places.shape[0]):
        at = places[i]
        low = under[at] if under.shape[0] else np.float32(0)
        _paint_pixel(
            opacity[at], colours[at], low, under_colour, np.float32(0), under_colour, np.float32(1), rgba[at]
        )  # fmt: skip


@kernel
def _paint_pixel(
    middle: Any, colours: Any, low: Any, under_colour: Any, top: Any, over_colour: Any, fade: Any, rgba: Any
) -> None:
    low *= 1 - middle
    seen = (low + middle) * fade * (1 - top)
    whole = seen + top
    mine = middle / (low + middle) if low + middle > 0 else np.float32(0)
    share = seen / whole if whole > 0 else np.float32(0)
    for c in range(3):
        colour = under_colour[c] + (colours[c] - under_colour[c]) * mine
        colour = over_colour[c] + (colour - over_colour[c]) * share
        rgba[c] = np.uint8(np.int32(colour + np.float32(0.5))) if whole > 0 else np.uint8(0)
    rgba[3] = np.uint8(np.int32(whole * 255 + np.float32(0.5)))
