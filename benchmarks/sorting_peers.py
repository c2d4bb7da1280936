"""Other sorters, for `sorting.py`: those that are installed, and an oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.sorting_data import Set
from neuralsorter.sorting.alignment import Alignment
from neuralsorter.sorting.sorters import PcaGmm

Labeller = Callable[[Set, int], NDArray[Any]]


def peers() -> dict[str, Labeller]:
    """Return the other sorters installed. All get the same aligned waveforms."""
    found: dict[str, Labeller] = {
        "PCA + GMM, BIC": lambda d, s: PcaGmm().sort(d.waveforms, d.times_s, d.rate_hz, d.pre_samples, s)
    }
    try:
        from mountainsort5.core.isosplit6_subdivision_method import isosplit6_subdivision_method

        found["MountainSort5"] = lambda d, _: isosplit6_subdivision_method(_aligned(d), npca_per_subdivision=10)
    except ImportError:
        print("MountainSort5 is not installed.")
    try:
        import hdbscan
        import umap

        def umap_hdbscan(data: Set, seed: int) -> NDArray[Any]:
            flat = umap.UMAP(random_state=seed).fit_transform(_aligned(data))
            labels = hdbscan.HDBSCAN(min_cluster_size=max(20, len(flat) // 100)).fit_predict(flat)
            return _nearest_mean(flat, np.asarray(labels) + 1)

        found["UMAP + HDBSCAN"] = umap_hdbscan
    except ImportError:
        print("UMAP or HDBSCAN is not installed.")
    try:
        vars(np)["NaN"] = np.nan  # the package is older than NumPy 2
        from spclustering import SPC  # type: ignore[import-not-found] # a peer that only this file needs

        def spc(data: Set, seed: int) -> NDArray[Any]:
            points = _wavelets(data)
            return _nearest_mean(points, SPC(randomseed=seed + 1).fit_WC1(points))

        found["SPC"] = spc
    except ImportError:
        print("SPC is not installed.")
    return found


def told_the_truth(data: Set, seed: int) -> NDArray[Any]:
    """Label as a linear discriminant does that is told the truth of four fifths of the events, in five folds.

    It knows how many units there are and their shapes, those of background and noise too: an oracle, not a sorter.
    Events that are not scored, overlaps, are neither learned from nor labelled.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    labels = np.full(len(data.truth), -1)
    points, truth = _aligned(data)[data.scored], data.truth[data.scored]
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    labels[data.scored] = cross_val_predict(LinearDiscriminantAnalysis(), points, truth, cv=folds)
    return labels


def _aligned(data: Set) -> NDArray[Any]:
    return Alignment.of(data.waveforms.shape[-1], data.rate_hz, data.pre_samples)(data.waveforms)


def _wavelets(data: Set, most: int = 10) -> NDArray[Any]:
    """Return the wavelet coefficients that are least normal, (n, most), as wave_clus chooses them."""
    from scipy.stats import kstest

    coefficients = _haar(_aligned(data))
    spread = coefficients.std(axis=0)
    score = np.zeros(len(spread))
    for i in np.flatnonzero(spread > 0):
        values = coefficients[:, i]
        near = values[np.abs(values - values.mean()) < 3 * spread[i]]
        score[i] = kstest((near - near.mean()) / near.std(), "norm").statistic if len(near) > 10 else 0
    return np.ascontiguousarray(coefficients[:, np.argsort(-score)[:most]], np.float64)


def _haar(waves: NDArray[Any], levels: int = 4) -> NDArray[np.float64]:
    """Return Haar's wavelet coefficients of waveforms (n, samples), the last sample held to a whole number of steps."""
    step = 2**levels
    smooth = np.pad(waves, ((0, 0), (0, -waves.shape[1] % step)), mode="edge").astype(float)
    parts = []
    for _ in range(levels):
        parts.append((smooth[:, ::2] - smooth[:, 1::2]) / np.sqrt(2))
        smooth = (smooth[:, ::2] + smooth[:, 1::2]) / np.sqrt(2)
    return np.concatenate([smooth, *parts[::-1]], axis=1)


def _nearest_mean(points: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Give the events that a sorter leaves out, 0, to the nearest mean."""
    found = np.unique(labels[labels > 0])
    if not len(found):
        return np.zeros(len(points), np.int64)
    means = np.stack([points[labels == c].mean(axis=0) for c in found])
    left = labels == 0
    out = labels.astype(np.int64)
    out[left] = found[np.square(points[left][:, None] - means[None]).sum(axis=2).argmin(axis=1)]
    return out
