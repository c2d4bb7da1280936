"""Kernels that mix the colours of count images and lay layers over each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel


def cover(rgba: NDArray[np.float32], opacity: NDArray[np.float32], colours: NDArray[np.float32]) -> None:
    """Lay a layer, (height, width) of 0 to 1 and colours (height, width, 3) or (3,), over an image."""
    shape = (*opacity.shape, 3)
    _cover(rgba, opacity, np.ascontiguousarray(np.broadcast_to(colours, shape)))


def mix(
    image: NDArray[Any], colour: NDArray[np.float32], total: NDArray[np.int64], colours: NDArray[np.float32]
) -> None:
    """Add an image to the total, and its colour, as often as it counts, to the colours."""
    _mix(image, colour, total, colours)


@kernel
def _cover(rgba: Any, opacity: Any, colours: Any) -> None:
    for y in range(opacity.shape[0]):
        for x in range(opacity.shape[1]):
            above = opacity[y, x]
            if above == 0:
                continue
            below = rgba[y, x, 3] * (1 - above)
            for c in range(3):
                rgba[y, x, c] = (colours[y, x, c] * above + rgba[y, x, c] * below) / (above + below)
            rgba[y, x, 3] = above + below


@kernel
def _mix(image: Any, colour: Any, total: Any, colours: Any) -> None:
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            count = image[y, x]
            if count:
                total[y, x] += count
                for c in range(3):
                    colours[y, x, c] += np.float32(count) * colour[c]
