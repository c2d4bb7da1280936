"""Two spikes in one event: what a second shape of the channel explains of what the first leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernel import fast_kernel
from .largest import largest

N_FACTS = 6
UNEXPLAINED = 1.3  # noise variances per sample that one shape must leave for a second to be looked for
_SHAPES = 12
_ALIKE = 0.9  # correlation above which two groups are one shape
_FAINTEST = 6.0  # whitened power: what is almost outside the window explains anything
_SHIFTS = np.arange(-40, 41)  # samples
_EDGE = 34  # samples of held edge, so that a shifted shape does not come round
_SCALES = (0.6, 1.3)
_UNIT = np.array([4, 1, 1, 2, 4, 1], np.float32)  # what the log of each fact is divided by


def second_shapes(
    means: NDArray[np.float32], counts: NDArray[np.int64], whitener: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the commonest distinct shapes at every shift, whitened, (60, n).

    Parameters
    ----------
    means : ndarray, (n_groups, 60)
        In noise SDs.
    counts : ndarray, (n_groups,)
        Events of each.
    whitener : ndarray, (60, 60)
        Takes the colour of the noise away.

    """
    length = np.sqrt((means * means).sum(axis=1)) + np.float32(1e-6)
    unit = means / length[:, None]
    chosen: list[int] = []
    for place in np.argsort(-counts, kind="stable").tolist():
        if len(chosen) < _SHAPES and all(float(unit[place] @ unit[other]) < _ALIKE for other in chosen):
            chosen.append(place)
    held = np.pad(means[chosen], ((0, 0), (_EDGE, _EDGE)), mode="edge")
    place = np.clip(_EDGE + np.arange(60)[None, :] - _SHIFTS[:, None], 0, held.shape[1] - 1)
    moved = (held[:, place].reshape(-1, 60) @ whitener).astype(np.float32)
    return np.ascontiguousarray(moved[(moved * moved).sum(axis=1) > _FAINTEST].T)


def overlap_facts(
    white: NDArray[np.float32],
    left: NDArray[np.float32],
    shapes: NDArray[np.float32],
    templates: NDArray[np.float32],
    scales: tuple[float, float],
) -> NDArray[np.float32]:
    """Return what a second shape explains of each event, (n, N_FACTS), in numbers of about one.

    Parameters
    ----------
    white, left : ndarray, (n, 60)
        Events whitened, and what the best single template leaves of them.
    shapes : ndarray, (60, n_shapes)
        As `second_shapes` returns them; either sign fits, as events were turned.
    templates : ndarray, (60, n_templates)
        Whitened, unshifted: the first is fitted anew to what the second leaves.
    scales : tuple of float
        Between which a template may grow.

    """
    out = np.zeros((len(white), N_FACTS), np.float32)
    if not shapes.shape[1] or not len(white):
        return out
    rest = np.empty_like(white)
    _second(left, white, left @ shapes, np.ascontiguousarray(shapes.T), (shapes * shapes).sum(axis=0), rest, out)
    squares = (templates * templates).sum(axis=0) + np.float32(1e-6)
    _first_again(rest, rest @ templates, squares, np.float32(scales[0]), np.float32(scales[1]), out)
    return np.asarray(np.log1p(out) / _UNIT, np.float32)


@fast_kernel
def best_fit(  # pragma: no cover - compiled
    product: Any, powers: Any, inverse: Any, low: Any, high: Any, gains: Any
) -> tuple[Any, int, Any]:
    """Return how much the best template explains, its place and its scale.

    `product`, `powers` and `inverse`, (n,): the event times each template, each template times itself, and one over
    that. `gains`, (n,), is a place to work in: with all gains at hand the compiler takes many templates at once.
    """
    for t in range(product.shape[0]):
        a = min(max(product[t] * inverse[t], low), high)
        gains[t] = a * (product[t] - np.float32(0.5) * a * powers[t])
    at = largest(gains)
    return gains[at], at, min(max(product[at] * inverse[at], low), high)


@fast_kernel
def _second(  # pragma: no cover - compiled
    left: Any, white: Any, product: Any, shapes: Any, powers: Any, rest: Any, out: Any
) -> None:
    low, high = np.float32(_SCALES[0]), np.float32(_SCALES[1])
    either, gains = np.empty(product.shape[1], np.float32), np.empty(product.shape[1], np.float32)
    inverse = np.float32(1.0) / powers
    for row in range(left.shape[0]):
        for t in range(product.shape[1]):
            either[t] = abs(product[row, t])
        gain, at, scale = best_fit(either, powers, inverse, low, high, gains)
        if product[row, at] < 0:
            scale = -scale
        whole = core = largest = np.float32(0.0)
        for i in range(60):
            fitted = scale * shapes[at, i]
            rest[row, i] = white[row, i] - fitted
            r = left[row, i] - fitted
            whole += r * r
            largest = max(largest, abs(r))
            if 8 <= i < 40:
                core += r * r
        out[row, 0] = max(gain, np.float32(0.0))
        out[row, 1] = whole / 60
        out[row, 2] = core / 32
        out[row, 3] = largest


@fast_kernel
def _first_again(  # pragma: no cover - compiled
    rest: Any, product: Any, squares: Any, low: Any, high: Any, out: Any
) -> None:
    gains, inverse = np.empty(product.shape[1], np.float32), np.float32(1.0) / squares
    for row in range(rest.shape[0]):
        gain, _, _ = best_fit(product[row], squares, inverse, low, high, gains)
        power = np.float32(0.0)
        for i in range(60):
            power += rest[row, i] * rest[row, i]
        out[row, 4] = max(gain, np.float32(0.0))
        out[row, 5] = max(power - 2 * gain, np.float32(0.0)) / 60
