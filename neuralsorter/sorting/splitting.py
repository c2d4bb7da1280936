"""Splitting of a group of events into parts, and of the parts again: whiten, encode, fit mixtures, merge, repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import autoencoder, mixture
from .features import principal_axes, slopes
from .merging import Shapes, discriminant_axes, merge_parts
from .neighbours import nearest
from .trace import Trace
from .whitening import N_NEIGHBOURS, learn_whitening

_ROUNDS = 8
_MOST_AXES = 6
_PER_AXIS = 6  # events per principal axis, at least
_SETTLED = 1e-3  # share of events that may still change parts
_TRAINED_ON = 5000
_RNG_STEP = 7919  # each group inside a group has its own seed


Encoder = Callable[[NDArray[Any]], NDArray[np.float64]]


@dataclass(frozen=True)
class Recipe:
    """The numbers that the sorter works by."""

    n_axes: int = 12
    n_full: int = 44
    n_latent: int = 5
    most_parts: int = 12
    most_parts_inside: int = 6
    alpha: float = 0.05
    alpha_faint: float = 1e-8
    smallest_split: int = 80
    training_steps: int = 600
    scanned: int = 5000  # events, evenly spread over time, that BIC is computed on
    deepest: int = 4


def split(
    waves: NDArray[Any],
    faint: NDArray[Any],
    recipe: Recipe,
    seed: int,
    trace: Trace,
    check: Callable[[], None],
    depth: int = 0,
) -> tuple[NDArray[np.int64], list[int]]:
    """Return parts 0..k-1 of events whose aligned waveforms are `waves` (n, features), and the trace's name of each."""
    check()
    n = len(waves)
    labels, names = _split_once(waves, faint, recipe, seed, trace, depth)
    if len(names) < 2 or depth >= recipe.deepest:
        return labels, names
    parts = np.zeros(n, np.int64)
    found: list[int] = []
    for part, name in enumerate(names):
        rows = np.flatnonzero(labels == part)
        inside, inner = np.zeros(len(rows), np.int64), [name]
        if len(rows) >= recipe.smallest_split:
            again = seed + _RNG_STEP * (part + 1)
            inside, inner = split(waves[rows], faint[rows], recipe, again, trace, check, depth + 1)
        parts[rows] = len(found) + inside
        found += inner if len(inner) > 1 else [name]
    return parts, found


def _split_once(
    waves: NDArray[Any], faint: NDArray[Any], recipe: Recipe, seed: int, trace: Trace, depth: int
) -> tuple[NDArray[np.int64], list[int]]:
    n = len(waves)
    centre, axes = principal_axes(waves, min(recipe.n_full, n // _PER_AXIS))  # a noise that few events can tell
    points = (waves - centre) @ axes
    if n < 4 * max(points.shape[1], 1) or not points.shape[1]:
        return np.zeros(n, np.int64), [trace.part()]
    whitening = learn_whitening(points, seed, recipe.n_axes)
    white = whitening(points)
    latent = encode(white, recipe.n_latent, 0 if depth else recipe.training_steps, seed)(white)
    part = latent[np.linspace(0, n - 1, min(n, recipe.scanned)).astype(np.int64)]
    fitted = mixture.scan(part, recipe.most_parts if depth == 0 else recipe.most_parts_inside)
    if depth == 0:
        trace.bic[:] = [m.bic for m in fitted]
    best = min(range(len(fitted)), key=lambda k: fitted[k].bic)
    shapes = Shapes(white, whitening(-centre @ axes), slopes(waves) @ axes @ whitening.matrix)
    labels, names = _refined(shapes, numbered(fitted[best].assign(latent)), faint, recipe, trace)
    for again in (len(fitted) - 1, 1):
        # A broad Gaussian over a narrow one can fit best and hide small units: look once more, in smaller parts. Or
        # the parts lie across the gap: look once more for two halves.
        if labels.max() == 0 and best != again < len(fitted):
            labels, names = _refined(shapes, numbered(fitted[again].assign(latent)), faint, recipe, trace)
    return labels, names


def _refined(
    shapes: Shapes,
    labels: NDArray[Any],
    faint: NDArray[Any],
    recipe: Recipe,
    trace: Trace,
) -> tuple[NDArray[np.int64], list[int]]:
    """Alternate between the axes that tell the parts apart, a mixture along them, and merging, until parts settle."""
    names = [trace.part() for _ in range(int(labels.max()) + 1)]
    for _ in range(_ROUNDS):
        if labels.max() == 0:
            break
        line = shapes.points @ discriminant_axes(shapes.points, labels, _MOST_AXES)
        refit = mixture.fit(line, mixture.from_labels(line, labels), max_steps=30)
        given = refit.assign(line)
        names = [names[part] for part in np.unique(given)]
        before = numbered(given)
        after, merges = merge_parts(line, before, recipe.alpha, faint, recipe.alpha_faint, shapes=shapes)
        names = trace.merged(names, merges)
        settled = after.max() == labels.max() and (after != labels).mean() < _SETTLED
        labels = after
        if settled:
            break
    return labels, names


def encode(white: NDArray[Any], n_latent: int, training_steps: int, seed: int) -> Encoder:
    """Return the function from whitened events (n, d) to latent values (n, n_latent), trained on `white`."""
    n_latent = min(n_latent, white.shape[1])
    if len(white) < 10 * white.shape[1] or training_steps == 0:
        return lambda events: events[:, :n_latent]
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(white), min(len(white), _TRAINED_ON), replace=False))
    part = white[rows]
    near = nearest(part, np.arange(len(part)), N_NEIGHBOURS)
    return autoencoder.train(part, near, n_latent, training_steps, seed)


def numbered(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the same groups as 0..k-1, in the order of their numbers."""
    return np.unique(labels, return_inverse=True)[1].reshape(-1)
