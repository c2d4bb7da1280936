"""Events as points: latent values, principal axes, size and width, for looking at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .alignment import Alignment
from .features import fill, principal_axes
from .splitting import Recipe, encode
from .whitening import learn_whitening

LATENT, PRINCIPAL, SHAPE = "latent", "principal", "shape"
KINDS = {
    LATENT: ("latent 1", "latent 2", "latent 3", "latent 4", "latent 5"),
    PRINCIPAL: ("PCA 1", "PCA 2", "PCA 3"),
    SHAPE: ("extremum (µV)", "peak to peak (µV)", "width (ms)"),
}
AXES = {axis: kind for kind, axes in KINDS.items() for axis in axes}
_LEARNED_FROM = 5000
_BLOCK = 65_536


def coordinates(
    waveforms: NDArray[Any], kind: str, sampling_rate: float, pre_samples: int, uv_per_bit: float = 1.0, seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """Return the places of the events of one channel along the axes of a kind.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples)
        As stored.
    kind : {"latent", "principal", "shape"}
        Latent: what the sorter's autoencoder makes of each event; the first axes separate most. Principal: axes of
        most variance. Shape: signed size of the extremum and peak to peak in µV, time from the extremum to the
        opposite one after it in ms, on the channel where the event is largest.
    sampling_rate : float
        Hz.
    pre_samples : int
    uv_per_bit : float
        µV per unit of `waveforms`.
    seed : int
        Of the autoencoder.

    Returns
    -------
    dict of str to ndarray, (n_spikes,)
        One entry per axis in `KINDS[kind]`; zeros along axes that the events do not have.

    """
    n = len(waveforms)
    axes = KINDS[kind]
    found = np.zeros((n, len(axes)), np.float32)
    if n:
        align = Alignment.of(waveforms.shape[-1], sampling_rate, pre_samples)
        place = _shape_of(align, sampling_rate) if kind == SHAPE else _map(waveforms, align, kind, uv_per_bit, seed)
        for start in range(0, n, _BLOCK):
            block = fill(waveforms[start : start + _BLOCK] * np.float32(uv_per_bit))
            points = place(align(block))
            found[start : start + len(block), : points.shape[1]] = points[:, : len(axes)]
    return {axis: np.ascontiguousarray(found[:, i]) for i, axis in enumerate(axes)}


def _map(waveforms: NDArray[Any], align: Alignment, kind: str, uv_per_bit: float, seed: int) -> Any:
    """Return the function from aligned events to points, learned from some of them."""
    recipe = Recipe()
    rows = np.linspace(0, len(waveforms) - 1, min(len(waveforms), _LEARNED_FROM)).astype(np.int64)
    waves = align(fill(waveforms[rows] * np.float32(uv_per_bit)))
    centre, axes = principal_axes(waves, recipe.n_full if kind == LATENT else len(KINDS[PRINCIPAL]))
    if kind == PRINCIPAL or len(rows) < 2 or not axes.shape[1]:
        return lambda aligned: (aligned - centre) @ axes
    whitening = learn_whitening((waves - centre) @ axes, seed, recipe.n_axes)
    network = encode(whitening((waves - centre) @ axes), recipe.n_latent, recipe.training_steps, seed)
    return lambda aligned: network(whitening((aligned - centre) @ axes))


def _shape_of(align: Alignment, sampling_rate: float) -> Any:
    def place(aligned: NDArray[Any]) -> NDArray[np.float64]:
        wires = aligned.reshape(len(aligned), -1, align.count)
        largest = np.abs(wires[..., align.before]).argmax(axis=1)
        wave = wires[np.arange(len(wires)), largest]
        size = wave[:, align.before]
        after = -np.sign(size)[:, None] * wave[:, align.before :]
        turn = after.argmax(axis=1)
        width = (turn + _between(after, turn)) * 1000 / sampling_rate
        return np.column_stack([size, np.ptp(wave, axis=1), width])

    return place


def _between(values: NDArray[Any], top: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far from sample `top` a parabola through it and its neighbours has its summit, in samples."""
    rows, last = np.arange(len(values)), values.shape[1] - 1
    left, right = values[rows, np.maximum(top - 1, 0)], values[rows, np.minimum(top + 1, last)]
    bend = left - 2 * values[rows, top] + right
    inside = (top > 0) & (top < last) & (bend < 0)
    step = 0.5 * (left - right) / np.where(inside, bend, -1.0)
    return np.where(inside, np.clip(step, -0.5, 0.5), 0.0)
