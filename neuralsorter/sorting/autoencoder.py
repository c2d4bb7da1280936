"""A small autoencoder that learns what neighbouring events share: it predicts a neighbour's waveform, not its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_HIDDEN = 32
_RATE, _BETA_1, _BETA_2 = 2e-3, 0.9, 0.999
_BATCH = 256
_HUBER = 2.0


@dataclass(frozen=True)
class Autoencoder:
    """Encoder of a trained network: a hidden layer beside a linear skip that begins as the first principal axes."""

    weights: tuple[NDArray[np.float32], ...]

    def __call__(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return the latent values (n, n_latent) of points (n, d)."""
        w1, b1, w2, b2, skip = self.weights[:5]
        x = np.asarray(points, np.float32)
        hidden = np.maximum(x @ w1 + b1, 0.0)
        return np.asarray(hidden @ w2 + b2 + x @ skip, np.float64)


def train(points: NDArray[Any], neighbours: NDArray[Any], n_latent: int, steps: int, seed: int) -> Autoencoder:
    """Train on points (n, d) whose nearest neighbours are `neighbours` (n, k), rows of `points`."""
    rng = np.random.default_rng(seed)
    x = np.ascontiguousarray(points, np.float32)
    d = x.shape[1]
    small = 0.3

    def layer(n_in: int, n_out: int, scale: float) -> NDArray[np.float32]:
        return (rng.standard_normal((n_in, n_out)) * scale * np.sqrt(2 / n_in)).astype(np.float32)

    skip_in, skip_out = np.eye(d, n_latent, dtype=np.float32), np.eye(n_latent, d, dtype=np.float32)
    zeros = np.zeros
    weights = (
        layer(d, N_HIDDEN, 1.0),
        zeros(N_HIDDEN, np.float32),
        layer(N_HIDDEN, n_latent, small / 10),
        zeros(n_latent, np.float32),
        skip_in,
        layer(n_latent, N_HIDDEN, 1.0),
        zeros(N_HIDDEN, np.float32),
        layer(N_HIDDEN, d, small / 10),
        zeros(d, np.float32),
        skip_out,
    )
    size = min(_BATCH, len(x))
    rows = rng.integers(0, len(x), (steps, size))
    picks = rng.integers(0, neighbours.shape[1], (steps, size))
    targets = neighbours[rows, picks]
    _train(x, rows, targets, *weights)
    return Autoencoder(weights)


def _train(x: Any, rows: Any, targets: Any, *weights: Any) -> None:
    w1, b1, w2, b2, s1, w3, b3, w4, b4, s2 = weights
    flat = [(w, np.zeros_like(w), np.zeros_like(w)) for w in weights]
    n_steps, size = rows.shape
    for step in range(n_steps):
        a = x[rows[step]]
        h1 = np.maximum(a @ w1 + b1, 0.0)
        z = h1 @ w2 + b2 + a @ s1
        h2 = np.maximum(z @ w3 + b3, 0.0)
        e = h2 @ w4 + b4 + z @ s2 - x[targets[step]]
        g = np.clip(e, -_HUBER, _HUBER) / size
        gh2 = (g @ w4.T) * (h2 > 0)
        gz = g @ s2.T + gh2 @ w3.T
        gh1 = (gz @ w2.T) * (h1 > 0)
        grads = (
            a.T @ gh1,
            gh1.sum(0),
            h1.T @ gz,
            gz.sum(0),
            a.T @ gz,
            z.T @ gh2,
            gh2.sum(0),
            h2.T @ g,
            g.sum(0),
            z.T @ g,
        )
        rate = (
            _RATE
            * min(1.0, 2 * (1 - step / n_steps))
            * np.sqrt(1 - _BETA_2 ** (step + 1))
            / (1 - _BETA_1 ** (step + 1))
        )
        for (weight, slope, square), grad in zip(flat, grads, strict=True):
            slope[...] += (1 - _BETA_1) * (grad - slope)
            square[...] += (1 - _BETA_2) * (grad * grad - square)
            weight[...] -= rate * slope / (np.sqrt(square) + 1e-8)
