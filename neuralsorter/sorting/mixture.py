"""Gaussian mixtures with full covariances by expectation maximisation, and the number of components by BIC."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .expectation import improve, log_joint, precision_roots
from .neighbours import nearest

_REGULARISATION = 1e-3  # of the mean variance
_PRIOR_EVENTS = 5.0  # weight of the mean covariance in each component's: keeps small components from collapsing
_STRAY_WIDTH = 10.0  # the outlier component is this many times as wide as all events together, in variance
_STRAY_SHARE = 0.01
_SEED = 10  # events of the seed of a small unit
_MOST_UNLIKELY = 300


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians and, where `stray_share` > 0, one broad component that takes the outliers."""

    weights: NDArray[np.float64]  # (k,), they sum to 1
    means: NDArray[np.float64]  # (k, d)
    covariances: NDArray[np.float64]  # (k, d, d)
    stray_log_density: float = -math.inf  # log of share times density at the centre; constant over the data
    log_likelihood: float = 0.0  # sum over the events it was fitted to
    n_events: int = 0

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def bic(self) -> float:
        """Bayesian information criterion, lower is better."""
        k, d = self.means.shape
        n_parameters = k * (1 + d + d * (d + 1) / 2) - 1
        return float(-2 * self.log_likelihood + n_parameters * math.log(max(self.n_events, 2)))

    def log_joint(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return log(weight x density) of each component, (n, k)."""
        roots, constants = precision_roots(self.weights, self.means, self.covariances)
        return log_joint(np.ascontiguousarray(points, np.float64), self.means, roots, constants)

    def posterior(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return P(component | event), (n, k), outliers shared out among the components."""
        joint = self.log_joint(points)
        joint -= joint.max(axis=1, keepdims=True)
        np.exp(joint, out=joint)
        return joint / joint.sum(axis=1, keepdims=True)

    def assign(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return the likeliest component of each event, (n,)."""
        if not len(points):
            return np.zeros(0, np.int64)
        return self.log_joint(points).argmax(axis=1)


def fit(points: NDArray[Any], start: Mixture, *, max_steps: int = 60, tolerance: float = 1e-4) -> Mixture:
    """Improve `start` on `points` (n, d) by expectation maximisation until the gain per event is below `tolerance`."""
    n, d = points.shape
    columns = np.ascontiguousarray(points.T, np.float64)
    total = np.atleast_2d(np.cov(points.T)) if n > 1 else np.eye(d)
    floor = max(_REGULARISATION * float(np.trace(total)) / d, 1e-12)
    stray = stray_log_density(total)
    weights, means, covariances, likelihood = improve(
        columns, start.weights, start.means, start.covariances, stray, floor, _PRIOR_EVENTS, max_steps, tolerance
    )
    return Mixture(weights, means, covariances, stray, likelihood, n)


def stray_log_density(total: NDArray[Any]) -> float:
    """Return the log of share x density of the broad outlier component, at its centre."""
    d = len(total)
    _, log_det = np.linalg.slogdet(_STRAY_WIDTH * total + 1e-12 * np.eye(d))
    return float(math.log(_STRAY_SHARE) - 0.5 * (d * math.log(2 * math.pi) + log_det))


def from_labels(points: NDArray[Any], labels: NDArray[Any]) -> Mixture:
    """Return the mixture of the groups in `labels` (n,), 0..k-1, each group shrunk a little towards the pooled one."""
    n, d = points.shape
    k = int(labels.max()) + 1
    counts = np.bincount(labels, minlength=k).astype(float)
    means = np.stack([points[labels == c].mean(axis=0) if counts[c] else points.mean(axis=0) for c in range(k)])
    rest = points - means[labels]
    scatter = np.stack([rest[labels == c].T @ rest[labels == c] for c in range(k)])
    pooled = scatter.sum(axis=0) / max(n, 1)
    floor = max(_REGULARISATION * float(np.trace(np.atleast_2d(np.cov(points.T)))) / d, 1e-12) if n > 1 else 1.0
    prior = max(_PRIOR_EVENTS, 2.0 * d)
    covariances = (scatter + prior * pooled) / (counts + prior)[:, None, None] + floor * np.eye(d)
    return Mixture((counts + 1e-9) / (counts + 1e-9).sum(), means, covariances)


def scan(points: NDArray[Any], most: int, patience: int = 2) -> list[Mixture]:
    """Return mixtures of 1, 2, .. at most `most` components, each started from the one before.

    The component that gains most by it is split along its longest axis. The scan ends early once BIC has not improved
    for `patience` steps.
    """
    n, d = points.shape
    total = np.atleast_2d(np.cov(points.T)) + 1e-12 * np.eye(d)
    current = fit(points, Mixture(np.ones(1), points.mean(axis=0)[None], total[None]))
    fitted = [current]
    best, worse = current.bic, 0
    for k in range(2, most + 1):
        if n < 3 * (d + 1) * k // 2:
            break
        starts = _splits(points, current)
        if not starts:
            break
        current = max((fit(points, start, max_steps=10, tolerance=1e-3) for start in starts), key=_likelihood)
        current = fit(points, current)
        fitted.append(current)
        worse = 0 if current.bic < best else worse + 1
        best = min(best, current.bic)
        if worse >= patience:
            break
    return fitted


def _likelihood(mixture: Mixture) -> float:
    return mixture.log_likelihood


def _splits(points: NDArray[Any], mixture: Mixture) -> list[Mixture]:
    """Return mixtures with one more component: one split in two, or one more where events are dense and unlikely.

    Components are split along the axis that is least normal, or along the one most like two lumps side by side; few
    events far out can make an axis less normal than two units do.
    """
    labels = mixture.assign(points)
    tries = []
    for c in range(len(mixture)):
        inside = points[labels == c] - mixture.means[c]
        if len(inside) < 4 * points.shape[1]:
            continue
        values, vectors = np.linalg.eigh(mixture.covariances[c])
        along = (inside @ vectors) / np.sqrt(values)
        fourth = (along**4).mean(axis=0)
        length = 0.3 * values / values.mean()
        odd = np.abs(fourth - 3.0) + np.abs((along**3).mean(axis=0)) + length
        lumps = np.maximum(3.0 - fourth, 0.0) + length
        for kind, score in enumerate((odd, lumps)):
            axis = int(score.argmax())
            tries.append((kind, score[axis] * len(inside), c, vectors[:, axis] * math.sqrt(values[axis])))
    chosen = [
        t for kind, most in ((0, 3), (1, 2)) for t in sorted((t for t in tries if t[0] == kind), key=_gain)[-most:]
    ]
    halved = [_split(mixture, c, axis) for _, _, c, axis in chosen]
    return [*halved, *_seeded(points, mixture)]


def _seeded(points: NDArray[Any], mixture: Mixture) -> list[Mixture]:
    """Return the mixture with one more component where events are dense and yet unlikely, as a small unit's are."""
    n, d = points.shape
    n_unlikely = min(n // 10, _MOST_UNLIKELY)
    if n_unlikely < 2 * _SEED:
        return []
    likelihood = np.logaddexp.reduce(mixture.log_joint(points), axis=1)
    rows = np.argpartition(likelihood, n_unlikely)[:n_unlikely]
    unlikely = points[rows]
    near = nearest(unlikely, np.arange(n_unlikely), _SEED - 1)
    reach = np.square(unlikely[near[:, -1]] - unlikely).sum(axis=1)
    top = int((0.5 * d * np.log(reach + 1e-300) + likelihood[rows]).argmin())  # densest, for what the mixture expects
    seed = unlikely[[top, *near[top]]]
    covariance = np.eye(d) * max(float(seed.var(axis=0).mean()), 1e-12)
    share = _SEED / n
    return [
        Mixture(
            np.append(mixture.weights * (1 - share), share),
            np.vstack([mixture.means, seed.mean(axis=0)]),
            np.concatenate([mixture.covariances, covariance[None]]),
        )
    ]


def _split(mixture: Mixture, c: int, axis: NDArray[Any]) -> Mixture:
    means = np.vstack([mixture.means, mixture.means[c] - 0.8 * axis])
    means[c] += 0.8 * axis
    covariance = mixture.covariances[c] - 0.6 * np.outer(axis, axis)
    covariances = np.concatenate([mixture.covariances, covariance[None]])
    covariances[c] = covariance
    weights = np.append(mixture.weights, mixture.weights[c] / 2)
    weights[c] /= 2
    return Mixture(weights, means, covariances)


def _gain(attempt: tuple[int, float, int, NDArray[Any]]) -> float:
    return attempt[1]
