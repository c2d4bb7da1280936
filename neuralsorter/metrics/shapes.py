"""Quality of a unit from its waveforms: size against the noise, missing small events, drift."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from neuralsorter.waveforms import noise_sigma

Floats = NDArray[np.floating[Any]]

_MIN_PER_BLOCK = 10


def best_wire(waveforms: Floats) -> Floats:
    """Return the waveforms of the wire on which the mean is largest, (n_spikes, n_samples)."""
    if waveforms.ndim == 2:
        return waveforms
    mean = np.nan_to_num(np.nanmean(waveforms, axis=0)) if len(waveforms) else np.zeros(waveforms.shape[1:])
    return np.asarray(waveforms[:, int(np.ptp(mean, axis=1).argmax())])


def mean_waveform(waveforms: Floats) -> NDArray[np.float64]:
    """Return the mean of each sample over the events that have it, (n_samples,); 0 where none has."""
    known = np.isfinite(waveforms)
    if known.all():
        return np.asarray(waveforms.mean(axis=0, dtype=np.float64))
    total = np.where(known, waveforms, 0).sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1))


def amplitudes(waveforms: Floats, mean: Floats) -> NDArray[np.float64]:
    """Return the size of each event where the mean is largest, positive for the mean's own sign, (n_spikes,)."""
    peak = int(np.abs(mean).argmax())
    return np.asarray(waveforms[:, peak] * (-1.0 if mean[peak] < 0 else 1.0), np.float64)


def snr(mean: Floats, sigma: float) -> float:
    """Return the largest size of the mean waveform over the SD of the channel's noise."""
    return float(np.abs(mean).max() / sigma) if sigma > 0 else np.nan


def snr_residual(waveforms: Floats, mean: Floats) -> float:
    """Return the peak-to-peak of the mean over twice the SD of what is left without it (Kelly et al. 2007)."""
    left = waveforms - mean.astype(np.float32)
    spread = float(np.nanstd(left)) if len(left) > 1 else np.nan
    return float(np.ptp(mean) / (2 * spread)) if spread > 0 else np.nan


def amplitude_cutoff(sizes: Floats, n_bins: int = 100, smoothing: float = 3.0) -> float:
    """Return the share of events missing below the smallest seen, at most 0.5; NaN for fewer than 500 events.

    The smoothed histogram is taken to be symmetric: what it has beyond the mirror image of its left edge is missing.
    """
    sizes = sizes[np.isfinite(sizes)]
    if len(sizes) < 5 * n_bins or sizes.min() == sizes.max():
        return np.nan
    histogram = np.histogram(sizes, n_bins)[0]
    # Counts stay whole numbers after smoothing, as in the definition compared with.
    smooth = gaussian_filter1d(histogram, smoothing, mode="nearest")
    last = np.flatnonzero(smooth >= smooth[0])[-1]
    n_missing = smooth[last + 1 :].sum()
    return min(float(n_missing / (len(sizes) + n_missing)), 0.5)


def amplitude_drift(times_s: Floats, stretch: NDArray[np.int64], sizes: Floats, bin_s: float) -> float:
    """Return the largest difference between median amplitudes of blocks of time, in % of the median of all."""
    known = np.isfinite(sizes)
    block = np.floor(times_s[known] / bin_s).astype(np.int64)
    order = np.lexsort((block, stretch[known]))
    block, where = block[order], stretch[known][order]
    starts = np.flatnonzero((np.diff(block) != 0) | (np.diff(where) != 0)) + 1
    groups = np.split(sizes[known][order], starts)
    medians = [float(np.median(group)) for group in groups if len(group) >= _MIN_PER_BLOCK]
    middle = float(np.median(sizes[known])) if known.any() else 0.0
    return 100 * (max(medians) - min(medians)) / abs(middle) if len(medians) > 1 and middle else np.nan


def shape_stability(waveforms: Floats, order: NDArray[np.int64]) -> float:
    """Return the correlation of the mean waveform of the first third of the events with that of the last third."""
    third = len(order) // 3
    if third < _MIN_PER_BLOCK:
        return np.nan
    first, last = mean_waveform(waveforms[order[:third]]), mean_waveform(waveforms[order[-third:]])
    spread = first.std() * last.std()
    return float(((first - first.mean()) * (last - last.mean())).mean() / spread) if spread > 0 else np.nan


def channel_noise(waveforms: Floats, pre_samples: int) -> float:
    """Return the SD of a channel's noise in µV, the median over its wires."""
    wires = waveforms[:, None] if waveforms.ndim == 2 else waveforms
    return float(np.median([noise_sigma(wires[:, wire], pre_samples) for wire in range(wires.shape[1])]))
