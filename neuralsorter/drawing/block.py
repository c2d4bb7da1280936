"""Blocks of waveforms and the windows they are seen through: what drawing and picking are given, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter.errors import DataError

from .grouping import NO_ORDER, by_code
from .scanning import extremes
from .threads import run, slices

MANY = 16  # rows scanned together
NO_SHIFT: NDArray[np.int16] = np.zeros(0, np.int16)
Range = tuple[float, float]


@dataclass(frozen=True)
class View:
    """A window of pixels.

    Attributes
    ----------
    width, height : int
        Pixels.
    x_range, y_range : tuple of float, optional
        Samples and µV; None is all of the data.

    """

    width: int = 900
    height: int = 500
    x_range: Range | None = None
    y_range: Range | None = None


@dataclass(frozen=True)
class Window(View):
    """A view with both ranges given."""

    x_range: Range = (0.0, 1.0)
    y_range: Range = (0.0, 1.0)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """Arguments of the kernels: left, right, low, high, x scale and offset, y scale and offset (in pixels)."""
        (left, right), (low, high) = self.x_range, self.y_range
        x_scale, y_scale = self.width / (right - left), self.height / (high - low)
        return np.array([left, right, low, high, x_scale, -left * x_scale, y_scale, -low * y_scale])


@dataclass(frozen=True, eq=False)
class Block:
    """Waveforms side by side in one row per event.

    Attributes
    ----------
    raw : ndarray, (n, n_channels * n_samples), int16 or float32, C-contiguous, read-only
    n_channels, n_samples : int
    uv_per_bit : float
    shift : ndarray, (n,) or (0,), int16
        Samples to the right by which each waveform is drawn.

    """

    raw: NDArray[Any]
    n_channels: int
    n_samples: int
    uv_per_bit: np.float32
    shift: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.raw)

    @cached_property
    def words(self) -> NDArray[np.int64]:
        """`raw` as words of 64 bits, (n, n_words); (0, 0) where its columns do not fill whole words."""
        if self.raw.shape[1] * self.raw.itemsize % 8 == 0 and self.raw.size:
            words = self.raw.view(np.int64)
            if words.flags.aligned:
                return words
        none = np.zeros((0, 0), np.int64)
        none.flags.writeable = False
        return none

    @cached_property
    def reach(self) -> tuple[int, int]:
        """First and last position any waveform has a sample at."""
        if not len(self.shift):
            return 0, self.n_samples - 1
        return int(self.shift.min()), int(self.shift.max()) + self.n_samples - 1

    @cached_property
    def x_range(self) -> Range:
        """Position of the first and last sample; a channel starts one sample after the one before it."""
        last = self.n_channels * (self.n_samples + 1) - 2
        return (0.0, float(last)) if last > 0 else (-1.0, 1.0)

    def group(self, codes: NDArray[np.int32], rows: NDArray[np.int32] | None = None) -> Groups:
        """Return events (all, or those at `rows`) grouped by their code, (n,), with the extremes of each group."""
        names, order, starts, groups = by_code(codes)
        low, high = self._extremes(NO_ORDER if rows is None else rows, groups, len(codes), max(len(names), 1))
        if rows is not None:
            order = rows[order] if len(order) else rows
        return Groups(names, order, starts, low, high)

    def _extremes(
        self, rows: NDArray[np.int32], groups: NDArray[np.int32], n: int, n_groups: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        bottom, ceiling = (-32_768, 32_767) if self.raw.dtype == np.int16 else (-np.inf, np.inf)
        first, last = self.reach
        k, width = slices(n), self.n_channels * (last - first + 1)
        low = np.full((k + 1, n_groups, width), ceiling, self.raw.dtype)
        high, done = np.full_like(low, bottom), 0
        if not (len(rows) or len(groups) or len(self.shift)):
            done, low[k, 0], high[k, 0] = self._extremes_by_many(n, low[k, 0], high[k, 0])
        reach = np.array([self.n_samples, last - first + 1, first], np.int64)
        cuts = [done + (n - done) * i // k for i in range(k + 1)]
        run([
            (extremes, (self.raw, rows, groups, cuts[i], cuts[i + 1], self.shift, reach, low[i], high[i]))
            for i in range(k)
        ])  # fmt: skip
        lowest = np.multiply(low.min(axis=0), self.uv_per_bit, dtype=np.float32)
        highest = np.multiply(high.max(axis=0), self.uv_per_bit, dtype=np.float32)
        none = lowest > highest
        return np.where(none, np.float32(np.inf), lowest), np.where(none, np.float32(-np.inf), highest)

    def _extremes_by_many(
        self, n: int, low: NDArray[Any], high: NDArray[Any]
    ) -> tuple[int, NDArray[Any], NDArray[Any]]:
        """Scan the first events, MANY rows like one long one: quicker; return how many, and their extremes."""
        long, k = MANY * len(low), slices(n)
        rows = self.raw[: n // MANY * MANY].reshape(-1, long)
        lows, highs = np.tile(low, (k, 1, MANY)), np.tile(high, (k, 1, MANY))
        cuts = [len(rows) * i // k for i in range(k + 1)]
        reach = np.array([long, long, 0], np.int64)
        run([
            (extremes, (rows, NO_ORDER, NO_ORDER, cuts[i], cuts[i + 1], NO_SHIFT, reach, lows[i], highs[i]))
            for i in range(k)
        ])  # fmt: skip
        return len(rows) * MANY, lows.reshape(-1, len(low)).min(axis=0), highs.reshape(-1, len(low)).max(axis=0)


@dataclass(frozen=True, eq=False)
class Groups:
    """Events grouped by a code, such as their unit.

    Attributes
    ----------
    names : ndarray, (n_groups,), int64
        Sorted codes.
    order : ndarray, (n,) or (0,), int32
        Events by group, as they came within one; empty: as they are.
    starts : ndarray, (n_groups + 1,), int64
        Group g is order[starts[g]:starts[g + 1]].
    low, high : ndarray, (n_groups, n_channels * n_positions), float32
        Lowest and highest value of each group at each position, µV; infinities the wrong way round where none is.

    """

    names: NDArray[np.int64]
    order: NDArray[np.int32]
    starts: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @property
    def y_range(self) -> Range:
        """Lowest and highest value in µV, widened where they are the same."""
        low, high = float(self.low.min(initial=np.inf)), float(self.high.max(initial=-np.inf))
        if not (np.isfinite(low) and np.isfinite(high)):
            return -1.0, 1.0
        return (low - 1.0, high + 1.0) if low == high else (low, high)


def as_block(waveforms: ArrayLike, uv_per_bit: float = 1.0, shift: ArrayLike | None = None) -> Block:
    """Return waveforms, (n, n_samples) or (n, n_channels, n_samples), as a block; int16 and float32 are not copied."""
    raw = np.asarray(waveforms)
    if raw.ndim not in (2, 3):
        raise DataError(f"waveforms must be (n, n_samples) or (n, n_channels, n_samples). Got {raw.shape}.")
    if raw.dtype == bool or not (np.issubdtype(raw.dtype, np.integer) or np.issubdtype(raw.dtype, np.floating)):
        raise DataError(f"waveforms must hold real numbers, int16 or float32. Got {raw.dtype}.")
    if not (np.isfinite(uv_per_bit) and uv_per_bit > 0):
        raise DataError(f"uv_per_bit must be a positive number of µV. Got {uv_per_bit!r}.")
    if raw.dtype not in (np.dtype(np.int16), np.dtype(np.float32)):
        raw = raw.astype(np.float32)
    n_channels = raw.shape[1] if raw.ndim == 3 else 1
    flat = np.ascontiguousarray(raw).reshape(len(raw), n_channels * raw.shape[-1]).view()
    flat.flags.writeable = False
    moved = NO_SHIFT
    if shift is not None:
        moved = np.array(shift, np.int16)
        if moved.shape != (len(raw),):
            raise DataError(f"shift must have one number of samples per waveform, ({len(raw)},). Got {moved.shape}.")
    return Block(flat, n_channels, raw.shape[-1], np.float32(uv_per_bit), moved)


def check_view(view: View, block: Block, y_range: Range | None = None) -> Window:
    """Return the view with both ranges filled in (y: `y_range`, or all of the data), or raise DataError."""
    for name, pixels in (("width", view.width), ("height", view.height)):
        if not (isinstance(pixels, int | np.integer) and 1 <= pixels <= 16_384):
            raise DataError(f"{name} must be a whole number of pixels, 1 to 16384. Got {pixels!r}.")
    x_range = block.x_range if view.x_range is None else _checked_range("x_range", view.x_range, "samples")
    if view.y_range is not None:
        y_range = _checked_range("y_range", view.y_range, "µV")
    elif y_range is None:
        y_range = block.group(np.zeros(len(block), np.int32)).y_range
    return Window(int(view.width), int(view.height), x_range, y_range)


def _checked_range(name: str, values: Range, unit: str) -> Range:
    try:
        low, high = (float(v) for v in values)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be two numbers, lowest and highest {unit}. Got {values!r}.") from None
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise DataError(f"{name} must rise from a finite lowest to a finite highest {unit}. Got {values!r}.")
    return low, high
