"""How well a unit stands apart from the other units of its channel, in a space of principal components."""

from __future__ import annotations

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


def features(waveforms: Floats, n_features: int = N_FEATURES) -> NDArray[np.float64]:
    """Return the scores of the first principal components of the events, (n_spikes, n_features)."""
    flat = waveforms.reshape(len(waveforms), -1)
    if not len(flat):
        return np.zeros((0, n_features))
    known = np.isfinite(flat)
    if not known.all():
        centre = np.where(known, flat, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        flat = np.where(known, flat, centre)
    sample = flat[:: -(-len(flat) // _FIT_ROWS)].astype(np.float64)
    mean = sample.mean(axis=0)
    _, axes = np.linalg.eigh((sample - mean).T @ (sample - mean))
    basis = axes[:, ::-1][:, :n_features]
    return np.asarray(flat @ basis.astype(np.float32) - (mean @ basis), np.float64)


def mahalanobis(inside: Floats, outside: Floats) -> tuple[float, float]:
    """Return isolation distance (Harris 2001) and L-ratio (Schmitzer-Torbert 2005); NaN where undefined."""
    n_features = inside.shape[1]
    n = min(len(inside), len(outside))
    if n < 2:
        return np.nan, np.nan
    try:
        factor = np.linalg.cholesky(np.cov(inside.T).reshape(n_features, n_features))
    except np.linalg.LinAlgError:
        return np.nan, np.nan
    scaled = solve_triangular(factor, (outside - inside.mean(axis=0)).T, lower=True)
    squared = np.einsum("ij,ij->j", scaled, scaled)
    return float(np.partition(squared, n - 1)[n - 1]), float(chdtrc(n_features, squared).sum() / len(inside))


def d_prime(inside: Floats, outside: Floats) -> float:
    """Return the distance of two means along the axis of linear discriminant analysis, in SDs (Hill et al. 2011)."""
    if min(len(inside), len(outside)) < 2:
        return np.nan
    n_features = inside.shape[1]
    covariances = [np.cov(points.T, ddof=0).reshape(n_features, n_features) for points in (inside, outside)]
    apart = inside.mean(axis=0) - outside.mean(axis=0)
    axis = np.linalg.lstsq(len(inside) * covariances[0] + len(outside) * covariances[1], apart)[0]
    spread = np.sqrt(axis @ (covariances[0] + covariances[1]) @ axis / 2)
    return float(apart @ axis / spread) if spread > 0 else np.nan


def nearest_d_prime(scores: Floats, labels: Ints, unit: int) -> float:
    """Return the least d' of a unit to another unit of its channel; NaN where it is alone."""
    inside = scores[labels == unit]
    found = [d_prime(inside, scores[labels == other]) for other in np.unique(labels) if other != unit]
    return min((value for value in found if np.isfinite(value)), default=np.nan)


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
    near = np.asarray(cKDTree(points).query(points, n_neighbours + 1)[1])
    # An event is its own nearest neighbour, though not the first one listed where another lies on the same point.
    itself = np.asarray(near == np.arange(len(points))[:, None])
    itself[~itself.any(axis=1), -1] = True
    near = near[~itself].reshape(len(points), n_neighbours)
    own = near < n_inside
    return float(own[:n_inside].mean()), float(own[n_inside:].mean())


def silhouette(scores: Floats, labels: Ints, unit: int) -> float:
    """Return the mean silhouette of a unit's events with distances to unit means (Hruschka 2004), -1 to 1."""
    inside = scores[labels == unit]
    others = [scores[labels == other].mean(axis=0) for other in np.unique(labels) if other != unit]
    if not (len(inside) and others):
        return np.nan
    own = np.linalg.norm(inside - inside.mean(axis=0), axis=1)
    away = np.stack([np.linalg.norm(inside - centre, axis=1) for centre in others])
    nearest = away[away.mean(axis=1).argmin()]
    return float(((nearest - own) / np.maximum(np.maximum(nearest, own), np.finfo(float).tiny)).mean())


def log_density(scores: Floats, inside: Floats) -> NDArray[np.float64]:
    """Return the log density of a unit's Gaussian, weighted by its events, at every event; -inf where undefined."""
    n_features = scores.shape[1]
    try:
        factor = np.linalg.cholesky(np.cov(inside.T).reshape(n_features, n_features))
    except np.linalg.LinAlgError:
        return np.full(len(scores), -np.inf)
    scaled = solve_triangular(factor, (scores - inside.mean(axis=0)).T, lower=True)
    return np.asarray(np.log(len(inside)) - np.log(np.diag(factor)).sum() - 0.5 * np.einsum("ij,ij->j", scaled, scaled))


def misassigned(scores: Floats, labels: Ints, units: list[int]) -> dict[int, tuple[float, float]]:
    """Return the expected shares of false positives and negatives of each unit by Gaussian overlap (Hill et al. 2011).

    NaN where a channel has one unit or a unit too few events for its Gaussian.
    """
    present = [int(unit) for unit in np.unique(labels)]
    unknown = dict.fromkeys(units, (np.nan, np.nan))
    if len(present) < 2:
        return unknown
    logs = np.stack(
        [
            log_density(scores, scores[labels == unit])
            if (labels == unit).sum() > scores.shape[1]
            else np.full(len(scores), -np.inf)
            for unit in present
        ]
    )
    top = logs.max(axis=0)
    usable = np.isfinite(top)
    weights = np.exp(logs[:, usable] - top[usable])
    shares = weights / weights.sum(axis=0)
    found = {}
    for unit in units:
        row, own = present.index(unit), labels[usable] == unit
        if np.isneginf(logs[row]).all() or not own.any():
            found[unit] = (np.nan, np.nan)
            continue
        found[unit] = (float((1 - shares[row, own]).mean()), float(shares[row, ~own].sum() / own.sum()))
    return unknown | found
