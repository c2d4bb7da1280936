"""Picture: the count images of one block of waveforms, kept up to date at the cost of what changes."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter.errors import DataError
from neuralsorter.tally import tally

from .block import Groups, View, Window, as_block, check_view
from .canvas import Canvas, Image
from .counted import MOST_PARTS, Counted, Move, carry, joint, marked
from .grouping import as_units, by_code
from .scanning import furthest

FEW_MOVES = 4  # from one unit to one other; more at once are quicker drawn in place


class Numbered(NamedTuple):
    """Units of some events, (n,); the units there are, ascending; their sizes; each event's place in them."""

    unit: NDArray[np.int32]
    units: list[int]
    sizes: dict[int, int]
    place: NDArray[np.int32]


class Change(NamedTuple):
    """What a `reassign` did to the images: the edition it made, its moves, and where, (n,) int32, in a flat image."""

    edition: int
    moves: list[Move]
    places: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Preview:
    """Count images of a random part of the waveforms, and how many of each unit that are."""

    images: MappingProxyType[int, Image]
    n_drawn: MappingProxyType[int, int]


class Picture:
    """Count images, one per unit, of a block of waveforms in a window; made for one worker thread.

    `images` are changed in place: copy what has to stay as it is. `cancel` may be called from any thread.

    Parameters
    ----------
    waveforms : array_like, (n, n_samples) or (n, n_channels, n_samples), int16 or float32
        Not copied: a memory-mapped array or the rows of one will do.
    unit : array_like, (n,), int
        Unit of each waveform; copied.
    uv_per_bit : float
        µV per unit of `waveforms`.
    shift : array_like, (n,), int, optional
        Samples to the right by which each waveform is drawn (see `alignment`).

    Examples
    --------
    >>> picture = Picture(project.raw(rows), project.unit[rows], uv_per_bit=0.25)
    >>> picture.set_view(View(900, 500, x_range=(0, 59), y_range=(-300, 200)))  # False when cancelled
    True
    >>> picture.images  # {unit: (height, width) int32}, row 0 lowest
    >>> picture.reassign(local_rows, before, after)  # the units an edit moved; undo: after and before swapped
    {1, 3}
    >>> picture.count(local_rows)  # one image of some of the waveforms, such as the selected ones
    >>> picture.expect(local_rows)  # these may be reassigned next, which then costs no drawing
    >>> picture.preview(view, fraction=0.02, seed=0)  # a random part, quick, without touching `images`
    >>> picture.cancel()  # from another thread: what runs is dropped

    """

    def __init__(
        self, waveforms: ArrayLike, unit: ArrayLike, *, uv_per_bit: float = 1.0, shift: ArrayLike | None = None
    ) -> None:
        self._block = as_block(waveforms, uv_per_bit, shift)
        self._unit = as_units(unit, len(self._block)).copy()
        self._sizes = Counter(tally(self._unit))
        self._canvas: Canvas | None = None
        self._images: dict[int, Image] = {}
        self._groups: Groups | None = None
        self._counted: Counted | None = None
        self._edition = 0
        self._change: Change | None = None
        self._lock = threading.Lock()  # guards the flag of what runs
        self._stop = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return len(self._block)

    @property
    def view(self) -> Window | None:
        """The window of `images`, both ranges given; None before the first `set_view`."""
        return None if self._canvas is None else self._canvas.view

    @property
    def images(self) -> MappingProxyType[int, Image]:
        """Count image, (height, width) with row 0 lowest, of each unit that has waveforms."""
        return MappingProxyType(self._images)

    @property
    def edition(self) -> int:
        """A number that is another one whenever `images` have changed."""
        return self._edition

    @property
    def change(self) -> Change | None:
        """What made this edition of the one before; None where any pixel may have changed."""
        return self._change

    @property
    def unit(self) -> NDArray[np.int32]:
        """Unit of each waveform, (n,), read-only."""
        view = self._unit.view()
        view.flags.writeable = False
        return view

    def cancel(self) -> None:
        """Drop the `set_view`, `count`, `expect` or `preview` that is running, if any."""
        with self._lock:
            self._stop[0] = 1

    def set_view(self, view: View) -> bool:
        """Draw everything in a window; return False, and leave `images` as they were, when cancelled."""
        stop = self._begin()
        canvas = self._canvas
        checked = check_view(view, self._block, self._all().y_range)
        if canvas is None or canvas.view != checked:
            canvas = Canvas(self._block, checked)
        images = self._draw(canvas, self._all(), stop)
        if images is None:
            return False
        self._canvas, self._images, self._counted, self._change = canvas, images, None, None
        self._edition += 1
        return True

    def reassign(self, rows: ArrayLike, before: ArrayLike, after: ArrayLike) -> set[int]:
        """Move waveforms between units; return the units whose image changed.

        Parameters
        ----------
        rows : array_like, (m,), int
            Positions in the block, each at most once.
        before, after : array_like, (m,) or one number
            Units; `before` must be what this picture has.

        """
        index = np.asarray(rows, np.int64)
        old = np.broadcast_to(np.asarray(before, np.int32), index.shape)
        new = np.broadcast_to(np.asarray(after, np.int32), index.shape)
        if len(index) and not (index.min() >= 0 and index.max() < len(self)):
            raise DataError(f"rows must lie in the block of {len(self)} waveforms. Got {index.min()} to {index.max()}.")
        wrong = np.flatnonzero(self._unit[index] != old)
        if len(wrong):
            row = int(index[wrong[0]])
            raise DataError(f"row {row} is in unit {self._unit[row]} of this picture, not in {old[wrong[0]]} as told.")
        moved = old != new
        index, old, new = index[moved], old[moved], new[moved]
        if not len(index):
            return set()
        left, reached = _numbered(old), _numbered(new)
        self._unit[index] = new
        self._sizes.subtract(left.sizes)
        self._sizes.update(reached.sizes)
        self._groups = None
        if self._canvas is None:
            return set()
        self._move(self._canvas, index, left, reached)
        return {*left.units, *reached.units}

    def _move(self, canvas: Canvas, index: NDArray[np.int64], left: Numbered, reached: Numbered) -> None:
        """Bring the images up to date with what `unit` has done already."""
        for unit in reached.units:
            if unit not in self._images:
                self._images[unit] = np.zeros((canvas.view.height, canvas.view.width), np.int32)
        moves = self._counted.moves(index, left.unit, reached.unit) if self._counted is not None else None
        if moves is None:
            moves = self._draw_moved(canvas, index, left, reached)
        self._edition += 1
        self._change = None
        if moves is not None:
            carry(moves, self._images)
            n_pixels = canvas.view.width * canvas.view.height
            self._change = Change(self._edition, moves, joint(moves, n_pixels))
        for unit in left.units:
            if not self._sizes[unit]:
                del self._images[unit]

    def _draw_moved(
        self, canvas: Canvas, index: NDArray[np.int64], left: Numbered, reached: Numbered
    ) -> list[Move] | None:
        """Draw what moved and nothing else: a few moves for themselves, many into the images and out of them."""
        n = len(reached.units)
        groups = self._block.group(left.place * n + reached.place, index.astype(np.int32))
        pairs = [(left.units[i // n], reached.units[i % n]) for i in groups.names.tolist()]
        if len(pairs) > FEW_MOVES:
            minus = [self._images[of] for of, _ in pairs]
            canvas.draw(groups, [self._images[to] for _, to in pairs], minus=minus)
            return None
        images = self._draw(canvas, groups, np.zeros(1, np.int64)) or {}
        return [Move(of, to, marked(image)) for (of, to), image in zip(pairs, images.values(), strict=True)]

    def count(self, rows: ArrayLike) -> Image | None:
        """Return one image, (height, width), of the waveforms at `rows` (positions or a mask); None when cancelled."""
        if self._canvas is None:
            raise DataError("A picture has no window before set_view. Call set_view first.")
        stop = self._begin()
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        view = self._canvas.view
        if not len(index):
            return np.zeros((view.height, view.width), np.int32)
        known = self._counted.total(index) if self._counted is not None else None
        if known is not None:
            return known
        groups = self._block.group(np.zeros(len(index), np.int32), index.astype(np.int32))
        drawn = self._draw(self._canvas, groups, stop)
        return None if drawn is None else drawn[0]

    def expect(self, rows: ArrayLike) -> None:
        """Get ready for `rows` (positions), or whole units of them, to be reassigned and back: that costs no drawing.

        `cancel` drops it.
        """
        if self._canvas is None:
            return
        stop, index = self._begin(), np.asarray(rows, np.int64)
        part = _numbered(self._unit[index])
        if not 0 < len(part.units) <= MOST_PARTS or (self._counted is not None and self._counted.knows(index)):
            return
        drawn = self._draw(self._canvas, self._block.group(part.place, index.astype(np.int32)), stop)
        if drawn is not None:
            self._counted = Counted(len(self), index, part.place, list(drawn.values()))

    def preview(self, view: View, fraction: float = 0.02, seed: int = 0) -> Preview | None:
        """Draw a random part of the waveforms, the same for the same seed; None when cancelled."""
        if not 0 < fraction <= 1:
            raise DataError(f"fraction must lie above 0 and be at most 1. Got {fraction!r}.")
        stop = self._begin()
        whole = check_view(view, self._block, self._all().y_range)
        n = max(1, round(len(self) * fraction)) if len(self) else 0
        rows = np.sort(np.random.default_rng(seed).choice(len(self), n, replace=False)).astype(np.int32)
        groups = self._block.group(self._unit[rows], rows)
        images = self._draw(Canvas(self._block, whole), groups, stop)
        n_drawn = dict(zip(groups.names.tolist(), np.diff(groups.starts).tolist(), strict=True))
        return None if images is None else Preview(MappingProxyType(images), MappingProxyType(n_drawn))

    def _all(self) -> Groups:
        if self._groups is None:
            self._groups = self._block.group(self._unit)
        return self._groups

    def _begin(self) -> NDArray[np.int64]:
        with self._lock:
            self._stop = np.zeros(1, np.int64)
            return self._stop

    def _draw(self, canvas: Canvas, groups: Groups, stop: NDArray[np.int64]) -> dict[int, Image] | None:
        """Return the images of groups by name, or None when stopped."""
        images = [np.zeros((canvas.view.height, canvas.view.width), np.int32) for _ in groups.names]
        canvas.draw(groups, images, stop)
        return None if stop[0] else dict(zip(groups.names.tolist(), images, strict=True))


def _numbered(unit: NDArray[np.int32]) -> Numbered:
    names, _, starts, place = by_code(unit)
    units = names.tolist()
    sizes = dict(zip(units, np.diff(starts).tolist(), strict=True))
    return Numbered(unit, units, sizes, place if len(place) else np.zeros(len(unit), np.int32))


def alignment(waveforms: ArrayLike, pre_samples: int, at: str = "trough") -> NDArray[Any]:
    """Return the shift in samples, (n,) int16, that puts each waveform's trough or peak at sample `pre_samples`."""
    if at not in ("crossing", "trough", "peak"):
        raise DataError(f'at must be "crossing", "trough" or "peak". Got {at!r}.')
    block = as_block(waveforms)
    if at == "crossing":
        return np.zeros(len(block), np.int16)
    extreme = furthest(block.raw, at == "peak")
    return (pre_samples - extreme % block.n_samples).astype(np.int16)
