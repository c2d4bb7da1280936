"""Canvas: a block of waveforms and a window of pixels; draws groups of waveforms into count images on every core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .block import Block, Groups, Window
from .gathering import FEW
from .groupdrawing import PART, draw_group
from .paircounts import ACROSS, BASE, BLOCK, N_A, N_B
from .pairdrawing import PAD
from .rasterlines import step_table
from .threads import run, threads

TABLE_BYTES = 200_000_000  # pair tables of all threads; only what is touched is ever resident

HAIRS = (0, 1, -1, 2, -2, 4, -4)  # of 2^-16 of a row

Image = NDArray[np.int32]
Images = Sequence[Image] | Image
NOTHING: Image = np.zeros((0, 0), np.int32)


@dataclass(frozen=True, eq=False)
class Run:
    """Neighbouring segments of one channel that are counted together; arguments of the kernels."""

    place: NDArray[np.int64]
    segments: NDArray[np.int64]
    window: NDArray[np.float64]
    tables: NDArray[np.int32]
    table_at: NDArray[np.int64]

    @property
    def uses(self) -> slice:
        """Return the columns of a group's extremes that belong to the run's positions."""
        return slice(int(self.place[4]), int(self.place[4]) + len(self.segments) + 1)

    def counters(self, height: int, cells: int) -> tuple[NDArray[Any], ...]:
        """Return zeroed tables as `draw_group` names them."""
        size, columns = len(self.segments), int(self.segments[:, 1].max()) + 1
        return (
            np.zeros(cells + 1, np.int32),
            np.zeros((size, 2, columns, height), np.int32),
            np.zeros((size, 2, columns, height), np.int32),
            np.zeros((size, 2, columns, columns), np.int32),
            np.zeros((size, height), np.int32),
            np.zeros(size, np.int64),
        )

    def bench(self, block: Block, height: int, most: int) -> tuple[NDArray[Any], ...]:
        """Return room to work on `most` events at a time.

        In turn: words or samples of one column of all events (one of the two is empty), a few events as they come,
        rows of three columns, rows at the window's sides, samples of three columns, cells, marks, layers, differences.
        """
        n, columns = len(self.segments), int(self.segments[:, 1].max()) + 1
        start, n_samples, position, is_first = self.place[:4].tolist()
        words = 0
        if len(block.words) and not len(block.shift) and 1 - is_first <= position < n_samples - n:
            per_word = block.raw.shape[1] // block.words.shape[1]
            words = (start + position + n) // per_word + 1 - (start + max(position - 1, 0)) // per_word
        return (
            np.empty((words, most + FEW), np.int64),
            np.empty((0 if words else n + 2, most + FEW), np.float32),
            np.empty((FEW, n + 2), np.float32),
            np.empty((3, most), np.int16),
            np.empty((2, most), np.int16),
            np.empty((3, most), np.float32),
            np.empty(most, np.uint32),
            np.empty(most, np.bool_),
            np.zeros(3 * (columns + 1) * (height + 1 + 2 * PAD), np.int32),
            np.zeros(columns * (height + 1), np.int32),
        )


class Canvas:
    """A block of waveforms seen through a window, both ranges given.

    Parameters
    ----------
    block : Block
    view : Window

    Attributes
    ----------
    single : ndarray, (4,), float32
        How samples inside the window become rows more quickly: rows per bit, row of zero, lowest and highest sample
        that it is right for; the wrong way round where it is for none.

    """

    def __init__(self, block: Block, view: Window) -> None:
        self.block, self.view = block, view
        self.single = _single(block, view)
        self.runs = self._plan()

    def draw(
        self,
        groups: Groups,
        images: Images,
        stop: NDArray[np.int64] | None = None,
        minus: Images | None = None,
    ) -> None:
        """Add the waveforms of group i to images[i], (height, width), and take them from minus[i] if given.

        Returns early, with the images half drawn, when stop[0] is set.
        """
        flag = np.zeros(1, np.int64) if stop is None else stop
        borders = [np.zeros((len(groups.names), self.view.height), np.int32) for _ in self.runs]
        tasks = [(self._draw, (part, groups, images, minus, border, flag))
                 for part, border in zip(self.runs, borders, strict=True)]  # fmt: skip
        run(tasks)
        for part, border in zip(self.runs, borders, strict=True):
            column = part.segments[0, 0]
            for i in range(len(groups.names)):
                images[i][:, column] += border[i]
                if minus is not None:
                    minus[i][:, column] -= border[i]

    def _draw(
        self, part: Run, groups: Groups, images: Images, minus: Images | None, border: Image, stop: NDArray[np.int64]
    ) -> None:
        """Draw every group on one run; its first column goes to `border`, (n_groups, height)."""
        block, height, sizes = self.block, self.view.height, np.diff(groups.starts)
        boxes = [self._boxes(part, groups.low[i], groups.high[i], apart=size > PART) for i, size in enumerate(sizes)]
        cells = max((int((box[BASE] + _cells(box)).max()) for box in boxes), default=0)
        counters, bench = part.counters(height, cells), part.bench(block, height, min(int(sizes.max(initial=0)), PART))
        for i, box in enumerate(boxes):
            draw_group(
                block.raw, block.words, block.uv_per_bit, groups.order, int(groups.starts[i]),
                int(groups.starts[i + 1]), block.shift, part.place, part.segments, part.window, self.single,
                part.tables, part.table_at, box, counters, bench, images[i], NOTHING if minus is None else minus[i],
                border[i], stop,
            )  # fmt: skip

    def _boxes(
        self, part: Run, low: NDArray[np.float32], high: NDArray[np.float32], *, apart: bool
    ) -> NDArray[np.int32]:
        """Return the lowest row and the number of rows on both sides of each segment, and the place of its table.

        Tables that are filled in several parts lie apart; others are used one after the other in the same place.
        """
        numbers, top = self.view.numbers, self.view.height - 1
        inside = np.clip(np.stack([low[part.uses], high[part.uses]]).astype(np.float64), numbers[2], numbers[3])
        rows = np.minimum((inside * numbers[6] + numbers[7]).astype(np.int32), top)
        rows[:, rows[0] > rows[1]] = 0  # no sample here
        lows, highs = np.stack([rows[0, :-1], rows[0, 1:]]), np.stack([rows[1, :-1], rows[1, 1:]])
        cut = part.segments[:, 2] != 0  # its ends lie anywhere between
        lows[:, cut], highs[:, cut] = lows[:, cut].min(axis=0), highs[:, cut].max(axis=0)
        boxes = np.concatenate([lows, highs - lows + 1, lows])
        boxes[ACROSS] = -(-boxes[N_A] // BLOCK) * BLOCK
        sizes = _cells(boxes)
        boxes[BASE] = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if apart else 0
        return np.ascontiguousarray(boxes, np.int32)

    def _plan(self) -> list[Run]:
        view, block = self.view, self.block
        left, right = view.x_range
        window = np.concatenate([view.numbers, [0.0, 1.0, 0.0]])  # cuts of the outer segments, start of the channel
        limit = max(1, TABLE_BYTES // threads() // (8 * view.height * view.height))
        runs = []
        for channel in range(block.n_channels):
            runs += [self._run(channel, part, window) for part in self._visible(channel, left, right, limit)]
        return runs

    def _visible(self, channel: int, left: float, right: float, limit: int) -> list[NDArray[np.int64]]:
        """Return the left positions of the segments that meet the window, in even runs of at most `limit`."""
        first, last = self.block.reach
        x = np.arange(first, last) + channel * (self.block.n_samples + 1)
        seen = np.flatnonzero((x + 1 >= left) & (x <= right)) + first
        n = -(-len(seen) // limit)
        n = min(-(-n // threads()) * threads(), len(seen))
        return np.array_split(seen, n) if n else []

    def _run(self, channel: int, positions: NDArray[np.int64], window: NDArray[np.float64]) -> Run:
        view, n_samples = self.view, self.block.n_samples
        offset = float(channel * (n_samples + 1))
        window = window.copy()
        window[10] = offset
        left, right, scale, shift = window[0], window[1], window[4], window[5]
        segments = np.zeros((len(positions), 4), np.int64)
        for i, position in enumerate(positions.tolist()):
            x0, x1 = position + offset, position + offset + 1
            from_x, to_x, cut = x0, x1, 0
            if x0 < left:
                window[8], cut = (x0 - left) / (x0 - x1), cut | 1
                from_x = x0 + window[8] * (x1 - x0)
            if x1 > right:
                window[9], cut = (right - x0) / (x1 - x0), cut | 2
                to_x = x0 + window[9] * (x1 - x0)
            first, last = (min(int(x * scale + shift), view.width - 1) for x in (from_x, to_x))
            segments[i] = first, last - first, cut, view.width
        tables, at, parts = {}, 0, []
        for length in np.unique(segments[:, 1]).tolist():
            table = _table(length, view.height)
            tables[length], at = at, at + table.size
            parts.append(table.reshape(-1))
        table_at = np.array([tables[length] for length in segments[:, 1].tolist()], np.int64)
        is_first = positions[0] == self.block.reach[0]
        first, last = self.block.reach
        column = channel * (last - first + 1) + positions[0] - first
        place = np.array([channel * n_samples, n_samples, positions[0], is_first, column], np.int64)
        return Run(place, segments, window, np.concatenate(parts), table_at)


def _single(block: Block, view: Window) -> NDArray[np.float32]:
    """Return `Canvas.single`.

    Single precision is half the work. Integers are few, so that it can be tried whether all of them get the row that
    double precision gives; where some do not, because they lie on a border, zero is moved by a hair.
    """
    low, high, scale, offset = view.numbers[[2, 3, 6, 7]]
    if block.raw.dtype != np.int16:
        edges = np.array([low, high], np.float32)  # rounded, and then one step into the window
        inner = np.nextafter(edges, edges[::-1]) if block.uv_per_bit == 1 else np.array([1, 0], np.float32)
        return np.array([0, 0, *inner], np.float32)
    values = np.arange(-32_768, 32_768).astype(np.float32)
    y = (values * block.uv_per_bit).astype(np.float64)
    values, y = values[(y >= low) & (y <= high)], y[(y >= low) & (y <= high)]
    rows = np.minimum((y * scale + offset).astype(np.int32), view.height - 1)
    slope = np.float32(scale * block.uv_per_bit)
    for hairs in HAIRS:
        zero = np.float32(offset + hairs * 2.0**-16)
        if len(values) and np.array_equal(np.minimum((values * slope + zero).astype(np.int32), view.height - 1), rows):
            return np.array([slope, zero, values[0], values[-1]], np.float32)
    return np.array([0, 0, 1, 0], np.float32)


@lru_cache(maxsize=16)
def _table(length: int, height: int) -> NDArray[np.int32]:
    return step_table(length, height)


def _cells(boxes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the size of each segment's table: a line for each rise."""
    sizes: NDArray[np.int32] = (boxes[N_A] + boxes[N_B] - 1) * boxes[ACROSS]
    return sizes
