"""Whitening by the noise within units, learned without labels from differences between nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .neighbours import nearest

N_NEIGHBOURS = 5
_ROUNDS = 3
_QUERIES = 2000
_FLOOR = 1e-3  # of the mean variance: directions without any noise are not blown up


@dataclass(frozen=True)
class Whitening:
    """A linear map to axes in which the noise within a unit is about 1 in every direction."""

    centre: NDArray[np.float64]  # (d,)
    matrix: NDArray[np.float64]  # (d, d_out)
    variance: NDArray[np.float64]  # (d_out,): of all events along each axis, largest first; 1 is noise alone

    def __call__(self, points: NDArray[Any]) -> NDArray[Any]:
        """Return `points` (n, d) in whitened axes (n, d_out)."""
        return (points - self.centre) @ self.matrix


def learn_whitening(points: NDArray[Any], seed: int, most: int = 12) -> Whitening:
    """Learn the whitening of `points` (n, d), at least 2 events, onto at most `most` axes.

    Neighbours mostly belong to one unit, so the covariance of the differences between them tells the noise within
    units. They are sought in the axes along which the events spread most for that noise; a few rounds sharpen both.
    The axes are ordered by variance: the first ones separate.
    """
    rng = np.random.default_rng(seed)
    n = len(points)
    queries = np.sort(rng.choice(n, min(n, _QUERIES), replace=False))
    centre = points.mean(axis=0)
    centred = points - centre
    matrix, variance = _widest(centred, np.eye(points.shape[1]), most)
    for _ in range(_ROUNDS):
        near = nearest(centred @ matrix, queries, min(N_NEIGHBOURS, n - 1))
        steps = (points[near] - points[queries][:, None, :]).reshape(-1, points.shape[1])
        matrix, variance = _widest(centred, inverse_root(steps.T @ steps / len(steps)), most)
    return Whitening(centre, matrix, variance)


def _widest(centred: NDArray[Any], root: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return `root` turned to the axes along which the events spread most, and their variances."""
    white = centred @ root
    variance, axes = np.linalg.eigh(white.T @ white / len(white))
    order = np.argsort(variance)[::-1][:most]
    return root @ axes[:, order], np.maximum(variance[order], 0.0)


def inverse_root(covariance: NDArray[Any]) -> NDArray[Any]:
    """Return W with W^T C W = 1 for a covariance C (d, d), small eigenvalues held up."""
    values, axes = np.linalg.eigh(covariance)
    floor = max(_FLOOR * float(values.mean()), np.finfo(float).tiny)
    return axes / np.sqrt(np.maximum(values, floor))
