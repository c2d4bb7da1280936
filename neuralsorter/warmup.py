"""Compile what the first gesture needs, before it comes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cleaning import CnnCleaner
from .density import Picture, View, alignment, density
from .drawing.blending import NO_LAYER, graded, looked_up, mix, painted, remix, repainted
from .means import unit_means
from .picking import pick
from .spiketrain import isi_histogram


def warm() -> None:
    """Draw and pick a few waveforms of each stored type, so that every kernel is compiled; seconds the first time.

    For a thread in the background: most of the work is done without the GIL once, and read from disk afterwards.
    """
    for dtype in (np.int16, np.float32):
        waves: Any = np.arange(64 * 12).reshape(64, 12) % 37
        waves = waves.astype(dtype)
        unit, view = np.arange(64) % 2, View(40, 30, (1.5, 9.5), (5.0, 30.0))
        density(waves, unit, 40, 30)
        picture = Picture(waves, unit, shift=alignment(waves, 4))
        picture.set_view(view)
        picture.reassign(np.arange(9), unit[:9], 3)
        _warm_colours(picture)
        region = [(0.0, 5.0), (2.0, 20.0), (4.0, 5.0)]
        for seen in (None, view):
            pick(waves, region, sampling_rate=1000.0, pre_samples=0, view=seen, among=np.arange(50))
        unit_means(waves, unit)
    isi_histogram(np.arange(10.0))
    CnnCleaner().spike_probability(np.random.default_rng(0).normal(0, 1, (50, 60)).astype(np.float32), 20_000.0, 20)


def _warm_colours(picture: Picture) -> None:
    images, change = picture.images, picture.change
    shape, black = images[3].shape, np.zeros(3, np.float32)
    total, sums, colours = mix(list(images.values()), np.ones((len(images), 3)), shape)
    levels, pixels = graded(total)
    opacity = looked_up(np.ones(len(pixels), np.float32), levels)
    rgba = painted(opacity, colours, (NO_LAYER, black), (opacity, black), 1.0)
    if change is not None:
        remix(change.moves, {unit: np.ones(3) for unit in (0, 1, 3)}, change.places, (total, sums, colours))
        repainted(rgba, change.places, opacity, colours, (NO_LAYER, black))


def warm_sorting() -> None:
    """Sort a few waveforms of two units, so that what sorting needs is compiled and kept on disk.

    For an installation: a server that starts has nearer things to do.
    """
    from .sorting import sort_channel

    random = np.random.default_rng(0)
    waves = random.normal(0, 20, (2, 40)).cumsum(axis=1)[np.arange(300) % 2] + random.normal(0, 5, (300, 40))
    sort_channel(waves.astype(np.float32), np.sort(random.uniform(0, 60, 300)), 20_000.0, 15)


if __name__ == "__main__":
    warm()
    warm_sorting()
