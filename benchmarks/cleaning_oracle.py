"""How well any cleaner could do on the simulator: `python -m benchmarks.cleaning_oracle [RECORDINGS]`.

An oracle knows what no cleaner knows: the true shape of every unit of the channel and the colour of its noise. Its
features are how well the whitened event fits the best unit (any shift, amplitude 0.6-1.3), the best pair of units, and
nothing; gradient boosting on them, taught by recordings of seeds 3100 on with all kinds of artefact, tells how likely a
spike is. Scored on the development seeds by the rule of cleaning.py, beside the shipped network; the last row gives the
network's log odds to the boosting as well.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular, toeplitz
from scipy.special import logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from neuralsorter.cleaning import CnnCleaner
from neuralsorter.facts import colour
from neuralsorter.simulate import DEVELOPMENT_SEEDS, simulate
from neuralsorter.simulate.artefacts import HELD_OUT_KINDS, KINDS
from neuralsorter.waveforms import quiet, to_common

Array = NDArray[np.float64]
FINE = 4  # positions of a template per sample
PADDED = 68, 128
SCALES = 0.6, 1.3


def shifted(shapes: Array, shifts: Array) -> Array:
    """Return each shape at each shift in samples, (n_shifts * n_shapes, 60), by the Fourier transform."""
    n = shapes.shape[1] + sum(PADDED)
    spectrum = np.fft.rfft(np.pad(shapes, ((0, 0), PADDED)))
    fine = np.fft.irfft(np.pad(spectrum, ((0, 0), (0, n * FINE // 2 + 1 - spectrum.shape[1]))), n * FINE) * FINE
    place = np.round((PADDED[0] + np.arange(60)[None, :] - shifts[:, None]) * FINE).astype(int)
    inside = (place >= 0) & (place < fine.shape[1])
    return np.concatenate(
        [fine[:, np.clip(at, 0, fine.shape[1] - 1)] * ok for at, ok in zip(place, inside, strict=True)]
    )


def fitted(x: Array, templates: Array) -> tuple[Array, Array, Array]:
    """Return how much the best template explains of each event, that template scaled, and its number."""
    power = (templates * templates).sum(axis=1) + 1e-9
    product = x @ templates.T
    scale = np.clip(product / power, *SCALES)
    gain = scale * product - 0.5 * scale * scale * power
    best = gain.argmax(axis=1)
    rows = np.arange(len(x))
    return gain[rows, best], scale[rows, best, None] * templates[best], best


def features(waveforms: Array, shapes: Array) -> Array:
    """Return what the oracle knows of each event of one channel."""
    level, sigma = quiet(waveforms, 20)
    noise = colour(to_common(waveforms, 20_000.0, 20), sigma, level)
    power, axes = np.linalg.eigh(toeplitz(noise))
    lower = np.linalg.cholesky((axes * np.maximum(power, 1e-2)) @ axes.T)
    x = solve_triangular(lower, (waveforms / sigma).T, lower=True).T

    def white(shifts: Array) -> Array:
        return solve_triangular(lower, shifted(shapes / sigma, shifts).T, lower=True).T

    near, far = white(np.arange(-12, 72) / 4), white(np.arange(-80, 160) / 2)
    far = far[(far * far).sum(axis=1) > 4]  # not those outside the window
    gain, first, which = fitted(x, near)
    more, second, _ = fitted(x - first, far)
    again, anew, _ = fitted(x - second, near)
    used = np.bincount(which % len(shapes), minlength=len(shapes))[which % len(shapes)]
    energies = [(r * r).sum(axis=1) for r in (x, x - first, x - first - second, x - second - anew)]
    size = np.abs(waveforms / sigma)
    return np.column_stack(
        [gain, more, again, *energies, used, which // len(shapes), size[:, 14:37].max(1), size.max(1)]
    )


def table(seeds: tuple[int, ...]) -> list[NDArray[Any]]:
    """Return features, log odds of the network, truth, kind and overlap of all scored events."""
    parts = []
    for seed in seeds:
        made = simulate(4, 40.0, seed, artefact_kinds=(*KINDS, *HELD_OUT_KINDS), artefact_rate_hz=1.5)
        for channel, shapes in made.shapes_uv.items():
            own = made.take(np.flatnonzero(made.spikes.channel == channel))
            waves = own.spikes.waveforms
            odds = logit(np.clip(CnnCleaner().spike_probability(waves, 20_000.0, 20).astype(float), 1e-6, 1 - 1e-6))
            unit = own.kind == "unit"
            kept = unit | ((own.truth_unit == 0) & ~own.overlap & (own.kind != "tail"))
            columns = features(waves.astype(float), shapes.astype(float)), odds, unit, own.kind, own.overlap
            parts.append([column[kept] for column in columns])
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def tell(name: str, score: Array, unit: NDArray[np.bool_], kind: NDArray[np.str_], overlap: NDArray[np.bool_]) -> None:
    """Print one row of scores."""
    above = score > np.quantile(score[~unit], 0.99)
    crossings = unit | (kind == "threshold")
    print(
        f"{name:20s} AUC {roc_auc_score(unit, score):.4f}, crossings of noise alone"
        f" {roc_auc_score(unit[crossings], score[crossings]):.4f}; sensitivity at specificity 0.99:"
        f" {above[unit].mean():.4f}, spikes alone {above[unit & ~overlap].mean():.4f}, overlapping"
        f" {above[unit & overlap].mean():.4f}"
    )


def main() -> None:
    """Teach the oracle, score it and the network."""
    n_recordings = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    taught, scored = table(tuple(range(3100, 3100 + n_recordings))), table(DEVELOPMENT_SEEDS)
    print(f"{len(taught[2]):,} events taught, {len(scored[2]):,} scored")
    tell("network", scored[1], *scored[2:])
    for name, columns in (("oracle", (0,)), ("oracle and network", (0, 1))):
        known, asked = (np.column_stack([part[i] for i in columns]) for part in (taught, scored))
        model = HistGradientBoostingClassifier(
            max_iter=400, learning_rate=0.06, min_samples_leaf=60, random_state=0
        ).fit(known, taught[2])
        tell(name, model.decision_function(asked), *scored[2:])


if __name__ == "__main__":
    main()
