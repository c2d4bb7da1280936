"""What has been counted of some waveforms, unit by unit: moving just these costs no drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

from .canvas import Image
from .threads import run, slices

MOST_PARTS = 250
NONE = 255


class Marks(NamedTuple):
    """A count image by its pixels that are not zero: where in its flat array, (n,) int32, and their counts."""

    places: NDArray[np.int32]
    counts: NDArray[np.int32]


class Move(NamedTuple):
    """Waveforms that went from one unit to another, counted."""

    of: int
    to: int
    marks: Marks


class Counted:
    """Count images of the parts of some waveforms; a part is what was in one unit when they were counted.

    Parameters
    ----------
    n : int
        Number of waveforms of the block.
    rows, part : ndarray, (m,), int
        Positions in the block and the part of each, below MOST_PARTS.
    images : list of ndarray, (height, width), int32
        One per part.

    """

    def __init__(self, n: int, rows: NDArray[np.int64], part: NDArray[np.int32], images: list[Image]) -> None:
        self._shape = images[0].shape
        self._marks = [marked(image) for image in images]
        self._sizes = np.bincount(part, minlength=len(images))
        self._part = np.full(n, NONE, np.uint8)
        self._part[rows] = part

    def knows(self, rows: NDArray[np.int64]) -> bool:
        """Whether rows are whole parts."""
        return self._whole(rows) is not None

    def total(self, rows: NDArray[np.int64]) -> Image | None:
        """Return the count image of rows if they are whole parts, else None."""
        part = self._whole(rows)
        if part is None:
            return None
        total = np.zeros(self._shape, np.int32)
        for i in np.flatnonzero(np.bincount(part)).tolist():
            total.reshape(-1)[self._marks[i].places] += self._marks[i].counts
        return total

    def moves(self, rows: NDArray[np.int64], old: NDArray[np.int32], new: NDArray[np.int32]) -> list[Move] | None:
        """Return the move of each part if rows are whole parts, each moved as one, else None."""
        part = self._whole(rows)
        if part is None:
            return None
        first = np.zeros(len(self._marks), np.int64)
        first[part[::-1]] = np.arange(len(part))[::-1]
        if not (np.array_equal(old, old[first][part]) and np.array_equal(new, new[first][part])):
            return None
        present = np.flatnonzero(np.bincount(part)).tolist()
        return [Move(int(old[first[i]]), int(new[first[i]]), self._marks[i]) for i in present]

    def _whole(self, rows: NDArray[np.int64]) -> NDArray[np.uint8] | None:
        part = self._part[rows]
        found = np.bincount(part, minlength=NONE + 1)
        if found[NONE]:
            return None
        found = found[: len(self._sizes)]
        return part if ((found == 0) | (found == self._sizes)).all() else None


def marked(image: Image) -> Marks:
    """Return an image, (height, width), by its pixels that are not zero."""
    return Marks(*_marked(image.reshape(-1)))


def carry(moves: Sequence[Move], images: Mapping[int, Image]) -> None:
    """Take what each move counted from the image of one unit and add it to the other's."""
    flat = {unit: images[unit].reshape(-1) for move in moves for unit in (move.of, move.to)}

    def strip(first: int, last: int) -> None:
        for move in moves:
            _carry(*within(move.marks, first, last), flat[move.of], flat[move.to])

    run([(strip, ends) for ends in strips(moves, len(flat[moves[0].of]))])


def joint(moves: Sequence[Move], n_pixels: int) -> NDArray[np.int32]:
    """Return where in the flat images any of some moves changed something, ascending."""
    if len(moves) == 1:
        return moves[0].marks.places
    some = np.zeros(n_pixels, np.bool_)
    for move in moves:
        some[move.marks.places] = True
    return np.flatnonzero(some).astype(np.int32)


def strips(moves: Sequence[Move], n_pixels: int) -> list[tuple[int, int]]:
    """Return from where to where each thread works in a flat image, so that no two touch the same pixel."""
    places = max((move.marks.places for move in moves), key=len)
    k = slices(len(places))
    edges = [0, *(int(places[len(places) * i // k]) for i in range(1, k)), n_pixels]
    return list(pairwise(edges))


def within(marks: Marks, first: int, last: int) -> Marks:
    """Return the marks from one place of the flat image to before another."""
    start, end = np.searchsorted(marks.places, (first, last)).tolist()
    return Marks(marks.places[start:end], marks.counts[start:end])


@kernel
def _marked(flat: Any) -> Any:
    n = 0
    for i in range(flat.shape[0]):
        n += flat[i] != 0
    places, counts, k = np.empty(n, np.int32), np.empty(n, np.int32), 0
    for i in range(flat.shape[0]):
        if flat[i] != 0:
            places[k], counts[k] = i, flat[i]
            k += 1
    return places, counts


@kernel
def _carry(places: Any, counts: Any, source: Any, target: Any) -> None:
    for i in range(places.shape[0]):
        source[places[i]] -= counts[i]
        target[places[i]] += counts[i]
