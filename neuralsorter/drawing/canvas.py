"""Canvas: a block of waveforms and a window of pixels; draws groups of waveforms into count images on every core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .block import Block, Groups, Window
from .paircounts import BASE, N_A, N_B, count_pairs
from .pairdrawing import draw_segments
from .rasterlines import step_table
from .threads import run, slices, threads

TABLE_BYTES = 160_000_000  # pair tables of all threads; only what is touched is ever resident

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

    def counters(self, n: int, height: int, cells: int) -> tuple[NDArray[Any], ...]:
        """Return zeroed tables for n threads, as `count_pairs` names them."""
        size, columns = len(self.segments), int(self.segments[:, 1].max()) + 1
        sides = height if self.segments[:, 2].any() else 0
        return (
            np.zeros((n, cells + 1), np.int32),
            np.zeros((n, 2, sides, sides), np.int32),
            np.zeros((n, size, 2, columns, height), np.int32),
            np.zeros((n, size, 2, columns, height), np.int32),
            np.zeros((n, size, 2, columns, columns), np.int32),
            np.zeros((n, size, height), np.int32),
            np.zeros((n, size), np.int8),
        )


class Canvas:
    """A block of waveforms seen through a window, both ranges given.

    Parameters
    ----------
    block : Block
    view : Window

    """

    def __init__(self, block: Block, view: Window) -> None:
        self.block, self.view = block, view
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
        sizes = np.diff(groups.starts)
        for part in self.runs:
            boxes = [self._boxes(part, low, high) for low, high in zip(groups.low, groups.high, strict=True)]
            cells = max(int(box[BASE, -1] + box[N_A, -1] * box[N_B, -1]) for box in boxes)
            counters = part.counters(slices(int(sizes.max(initial=0))), self.view.height, cells)
            for i in range(len(sizes)):
                if not flag[0]:
                    self._count(part, groups, i, boxes[i], counters, flag)
                    self._paint(part, boxes[i], counters, images[i], NOTHING if minus is None else minus[i], flag)

    def _boxes(self, part: Run, low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.int32]:
        """Return the lowest row and the number of rows on both sides of each segment, and the place of its table."""
        numbers, top = self.view.numbers, self.view.height - 1
        inside = np.clip(np.stack([low[part.uses], high[part.uses]]).astype(np.float64), numbers[2], numbers[3])
        rows = np.minimum((inside * numbers[6] + numbers[7]).astype(np.int32), top)
        rows[:, rows[0] > rows[1]] = 0  # no sample here
        rows[1] -= rows[0] - 1
        boxes = np.stack([rows[0, :-1], rows[0, 1:], rows[1, :-1], rows[1, 1:], rows[1, 1:]])
        boxes[:, part.segments[:, 2] != 0] = 1  # counted apart
        boxes[BASE] = np.concatenate([[0], np.cumsum(boxes[N_A] * boxes[N_B])[:-1]])
        return np.ascontiguousarray(boxes, np.int32)

    def _count(self, part: Run, groups: Groups, i: int, boxes: Any, counters: Any, stop: Any) -> None:
        block, begin, end = self.block, int(groups.starts[i]), int(groups.starts[i + 1])
        n = slices(end - begin)
        cuts = [begin + (end - begin) * k // n for k in range(n + 1)]
        run([
            (
                count_pairs,
                (block.raw, block.words, block.uv_per_bit, groups.order, cuts[k], cuts[k + 1], block.shift, part.place,
                 part.segments, part.window, self.view.height, boxes, *(table[k] for table in counters), stop),
            )
            for k in range(n)
        ])  # fmt: skip

    def _paint(self, part: Run, boxes: Any, counters: Any, image: Image, minus: Image, stop: Any) -> None:
        n = min(threads(), len(part.segments))
        cuts = [len(part.segments) * i // n for i in range(n + 1)]
        shared = np.zeros((n, self.view.height), np.int32)
        run([
            (
                draw_segments,
                (*counters, boxes, part.segments, part.tables, part.table_at, cuts[i], cuts[i + 1],
                 bool(part.place[3]), self.view.height, image, minus, shared[i], stop),
            )
            for i in range(n)
        ])  # fmt: skip
        for i in range(n):
            image[:, part.segments[cuts[i], 0]] += shared[i]
            if len(minus):
                minus[:, part.segments[cuts[i], 0]] -= shared[i]

    def _plan(self) -> list[Run]:
        view, block = self.view, self.block
        left, right = view.x_range
        window = np.concatenate([view.numbers, [0.0, 1.0, 0.0]])  # cuts of the outer segments, start of the channel
        limit = max(1, TABLE_BYTES // threads() // (4 * view.height * view.height))
        runs = []
        for channel in range(block.n_channels):
            runs += [self._run(channel, part, window) for part in self._visible(channel, left, right, limit)]
        return runs

    def _visible(self, channel: int, left: float, right: float, limit: int) -> list[NDArray[np.int64]]:
        """Return the left positions of the segments that meet the window, in runs of at most `limit`."""
        first, last = self.block.reach
        x = np.arange(first, last) + channel * (self.block.n_samples + 1)
        seen = np.flatnonzero((x + 1 >= left) & (x <= right)) + first
        return [seen[i : i + limit] for i in range(0, len(seen), limit)]

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


@lru_cache(maxsize=16)
def _table(length: int, height: int) -> NDArray[np.int32]:
    return step_table(length, height)
