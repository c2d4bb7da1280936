"""Density: how many waveforms cover each pixel, per unit, every waveform drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .drawing.block import View, as_block, check_view
from .drawing.canvas import Canvas
from .drawing.grouping import as_units
from .drawing.picture import Picture, Preview, alignment

__all__ = ["Density", "Picture", "Preview", "View", "alignment", "density"]


@dataclass(frozen=True, eq=False, repr=False)
class Density:
    """Counts of waveforms per unit and pixel.

    Attributes
    ----------
    counts : ndarray, (n_units, height, width), int32
        Row 0 is the lowest.
    units : ndarray, (n_units,), int64
        Sorted unit numbers.
    x_range, y_range : tuple of float
        The window: samples and µV.

    """

    counts: NDArray[np.int32]
    units: NDArray[np.int64]
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def __repr__(self) -> str:
        n_units, height, width = self.counts.shape
        return f"<Density: {n_units} units on {width} x {height} pixels>"

    @property
    def total(self) -> NDArray[np.int64]:
        """Counts of all units together, (height, width)."""
        return self.counts.sum(axis=0, dtype=np.int64)


def density(
    waveforms: ArrayLike,
    unit: ArrayLike,
    width: int = 900,
    height: int = 500,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    *,
    uv_per_bit: float = 1.0,
) -> Density:
    """Count the waveforms of each unit in every pixel of a window, each waveform drawn as a line.

    The counts are those of `datashader.Canvas(width, height, x_range, y_range).line(..., agg=count())` per unit.

    Parameters
    ----------
    waveforms : array_like, (n, n_samples) or (n, n_channels, n_samples), int16 or float32
        µV, or bits of `uv_per_bit` µV. NaN draws nothing. Several channels are laid side by side: channel c starts
        at sample c * (n_samples + 1), and no line joins two channels.
    unit : array_like, (n,), int
        Unit of each waveform.
    width, height : int
        Pixels.
    x_range, y_range : tuple of float, optional
        Window in samples and µV; all of the data by default.
    uv_per_bit : float
        µV per unit of `waveforms`.

    Raises
    ------
    DataError
        When shapes or ranges do not fit; the message names the argument.

    """
    block = as_block(waveforms, uv_per_bit)
    codes = as_units(unit, len(block.raw))
    groups = block.group(codes)
    window = check_view(View(width, height, x_range, y_range), block, groups.y_range)
    counts = np.zeros((len(groups.names), window.height, window.width), np.int32)
    Canvas(block, window).draw(groups, counts)
    return Density(counts, groups.names, window.x_range, window.y_range)
