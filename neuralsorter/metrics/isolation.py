"""How well a unit stands apart from the other units of its channel, in a space of principal components."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.spatial import cKDTree
from scipy.special import chdtrc

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

N_FEATURES = 5
_FIT_ROWS = 20_000


def features(waveforms: Floats, rows: Ints, n_features: int = N_FEATURES) -> NDArray[np.float64]:
    """Return the scores of some events along their first principal components, (n_rows, n_features)."""
    flat = waveforms.reshape(len(waveforms), -1)
    if not len(rows):
        return np.zeros((0, n_features))
    # To project the others too costs less than to copy most of the waveforms.
    whole = 2 * len(rows) > len(flat) and np.isfinite(flat.sum(dtype=np.float64))
    flat, rows = (flat, rows) if whole else (_filled(flat[rows]), np.arange(len(rows)))
    sample = flat[rows[:: -(-len(rows) // _FIT_ROWS)]].astype(np.float64)
    mean = sample.mean(axis=0)
    _, axes = np.linalg.eigh((sample - mean).T @ (sample - mean))
    basis = axes[:, ::-1][:, :n_features]
    return np.asarray((flat @ basis.astype(np.float32))[rows] - (mean @ basis), np.float64)


def _filled(flat: Floats) -> Floats:
    """Return the events with the mean where the source has no sample."""
    known = np.isfinite(flat)
    if known.all():
        return flat
    return np.where(known, flat, np.where(known, flat, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


class Clusters:
    """The units of a channel as Gaussians in a space of few dimensions: what all isolation metrics are made of.

    Parameters
    ----------
    scores : ndarray, (n_spikes, n_features)
        Noise left out.
    labels : ndarray, (n_spikes,), int
        Unit of each.

    """

    def __init__(self, scores: Floats, labels: Ints) -> None:
        self.scores, self.labels = scores, labels
        self.units = np.unique(labels).tolist()
        parts = [scores[labels == unit] for unit in self.units]
        self._parts = dict(zip(self.units, parts, strict=True))
        self._means = {unit: part.mean(axis=0) for unit, part in self._parts.items()}
        self._covariances = {unit: _covariance(part) for unit, part in self._parts.items()}

    def inside(self, unit: int) -> Floats:
        """Return the scores of a unit's events."""
        return self._parts[unit]

    def outside(self, unit: int) -> Floats:
        """Return the scores of all other events."""
        return self.scores[self.labels != unit]

    @cached_property
    def _factors(self) -> dict[int, Floats | None]:
        """The Cholesky factor of each unit's covariance; None where it has none."""
        factors: dict[int, Floats | None] = {}
        for unit, part in self._parts.items():
            n = len(part)
            try:
                factors[unit] = np.linalg.cholesky(self._covariances[unit] * (n / (n - 1))) if n > 1 else None
            except np.linalg.LinAlgError:
                factors[unit] = None
        return factors

    @cached_property
    def _squared(self) -> dict[int, NDArray[np.float64]]:
        """The squared Mahalanobis distance of every event from each unit, (n_spikes,)."""
        return {
            unit: _squared_distances(self.scores, self._means[unit], factor)
            for unit, factor in self._factors.items()
            if factor is not None
        }

    def mahalanobis(self, unit: int) -> tuple[float, float]:
        """Return isolation distance (Harris 2001) and L-ratio (Schmitzer-Torbert 2005); NaN where undefined."""
        n_inside = len(self._parts[unit])
        n = min(n_inside, len(self.labels) - n_inside)
        if n < 2 or unit not in self._squared:
            return np.nan, np.nan
        squared = self._squared[unit][self.labels != unit]
        n_features = self.scores.shape[1]
        return float(np.partition(squared, n - 1)[n - 1]), float(chdtrc(n_features, squared).sum() / n_inside)

    def d_prime(self, unit: int, other: int) -> float:
        """Return the distance of two means along their linear discriminant, in SDs (Hill et al. 2011)."""
        n, m = len(self._parts[unit]), len(self._parts[other])
        if min(n, m) < 2:
            return np.nan
        one, two = self._covariances[unit], self._covariances[other]
        apart = self._means[unit] - self._means[other]
        axis = np.linalg.lstsq(n * one + m * two, apart)[0]
        spread = np.sqrt(axis @ (one + two) @ axis / 2)
        return float(apart @ axis / spread) if spread > 0 else np.nan

    def nearest_d_prime(self, unit: int) -> float:
        """Return the least d' of a unit to another unit of its channel; NaN where it is alone."""
        found = [self.d_prime(unit, other) for other in self.units if other != unit]
        return min((value for value in found if np.isfinite(value)), default=np.nan)

    def silhouette(self, unit: int) -> float:
        """Return the mean silhouette of a unit's events with distances to unit means (Hruschka 2004), -1 to 1."""
        inside = self._parts[unit]
        others = [mean for other, mean in self._means.items() if other != unit]
        if not others:
            return np.nan
        own = np.linalg.norm(inside - self._means[unit], axis=1)
        away = np.stack([np.linalg.norm(inside - centre, axis=1) for centre in others])
        nearest = away[away.mean(axis=1).argmin()]
        return float(((nearest - own) / np.maximum(np.maximum(nearest, own), np.finfo(float).tiny)).mean())

    @cached_property
    def _shares(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Probability of each unit at every event that has any, (n_units, n_usable), and which events those are."""
        logs = np.full((len(self.units), len(self.labels)), -np.inf)
        for row, unit in enumerate(self.units):
            n, factor = len(self._parts[unit]), self._factors[unit]
            if factor is not None and n > self.scores.shape[1]:
                logs[row] = np.log(n) - np.log(np.diag(factor)).sum() - 0.5 * self._squared[unit]
        top = logs.max(axis=0)
        usable = np.isfinite(top)
        weights = np.exp(logs[:, usable] - top[usable])
        return weights / weights.sum(axis=0), usable

    def misassigned(self, unit: int) -> tuple[float, float]:
        """Return the expected shares of false positives and negatives by Gaussian overlap (Hill et al. 2011).

        NaN where a channel has one unit, or the unit too few events for its Gaussian.
        """
        if len(self.units) < 2:
            return np.nan, np.nan
        shares, usable = self._shares
        own, of = self.labels[usable] == unit, shares[self.units.index(unit)]
        if not of.any() or not own.any():
            return np.nan, np.nan
        return float((1 - of[own]).mean()), float(of[~own].sum() / own.sum())


def _covariance(points: Floats) -> Floats:
    n_features = points.shape[1]
    return np.cov(points.T, ddof=0).reshape(n_features, n_features)


def _squared_distances(scores: Floats, mean: Floats, factor: Floats) -> NDArray[np.float64]:
    scaled = solve_triangular(factor, (scores - mean).T, lower=True, check_finite=False)
    return np.asarray(np.einsum("ij,ij->j", scaled, scaled))


def nearest_neighbours(
    inside: Floats, outside: Floats, max_spikes: int = 10_000, n_neighbours: int = 5
) -> tuple[float, float]:
    """Return the share of neighbours of own events that are own, and of others' events that are own (Chung 2017)."""
    n_inside, n_all = len(inside), len(inside) + len(outside)
    if not (len(inside) and len(outside)) or n_all <= n_neighbours:
        return np.nan, np.nan
    points = np.concatenate((inside, outside))
    if n_all > max_spikes:
        share = max_spikes / n_all
        points = points[np.arange(0, n_all - 1, 1 / share).astype(int)]
        n_inside = int(n_inside * share)
    if not 0 < n_inside < len(points):
        return np.nan, np.nan
    near = np.asarray(cKDTree(points, leafsize=24).query(points, n_neighbours + 1)[1])
    # An event is its own nearest neighbour, though not the first one listed where another lies on the same point.
    itself = np.asarray(near == np.arange(len(points))[:, None])
    itself[~itself.any(axis=1), -1] = True
    near = near[~itself].reshape(len(points), n_neighbours)
    own = near < n_inside
    return float(own[:n_inside].mean()), float(own[n_inside:].mean())
