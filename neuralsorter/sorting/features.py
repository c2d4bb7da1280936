"""From waveforms to the points that are clustered: filled, cropped, differenced, on their principal axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BEFORE_MS, AFTER_MS = 0.5, 1.1  # what is kept around the peak: the part of a spike that tells units apart
_PEAK_REACH_MS = 0.5


@dataclass(frozen=True)
class Features:
    """How the waveforms of one channel become points; learned once, applied to every block of events."""

    first: int
    last: int  # samples kept: first..last - 1
    centre: NDArray[np.float64]  # (n_channels * (last - first - 1),)
    axes: NDArray[np.float64]  # (n_channels * (last - first - 1), d): principal axes

    def __call__(self, waveforms: NDArray[Any]) -> NDArray[np.float64]:
        """Return the points (n, d) of waveforms (n, n_samples) or (n, n_channels, n_samples)."""
        return (differences(waveforms, self.first, self.last) - self.centre) @ self.axes


def learn_features(waveforms: NDArray[Any], sampling_rate: float, pre_samples: int, most: int) -> Features:
    """Learn crop and principal axes, at most `most`, from waveforms (n, [n_channels,] n_samples) in µV."""
    first, last = crop(waveforms, sampling_rate, pre_samples)
    steps = differences(waveforms, first, last)
    centre = steps.mean(axis=0)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(steps.T)))
    order = np.argsort(values)[::-1][:most]
    kept = order[values[order] > 1e-9 * max(float(values.max()), 0.0)]
    return Features(first, last, centre, vectors[:, kept])


def crop(waveforms: NDArray[Any], sampling_rate: float, pre_samples: int) -> tuple[int, int]:
    """Return the first and one past the last sample of the part around the peak."""
    n_samples = waveforms.shape[-1]
    power = np.nan_to_num(np.nanmean(np.square(np.nan_to_num(waveforms)), axis=tuple(range(waveforms.ndim - 1))))
    reach = max(1, round(_PEAK_REACH_MS * sampling_rate / 1000))
    low = max(0, pre_samples - reach)
    peak = low + int(power[low : pre_samples + 2 * reach + 1].argmax())
    first = max(0, peak - round(BEFORE_MS * sampling_rate / 1000))
    last = min(n_samples, peak + round(AFTER_MS * sampling_rate / 1000) + 1)
    return (first, last) if last - first >= 3 else (0, n_samples)


def fill(waveforms: NDArray[Any]) -> NDArray[np.float32]:
    """Return waveforms whose missing samples (NaN) hold the nearest known one, 0 where none is known."""
    wave = np.array(waveforms, np.float32)
    missing = ~np.isfinite(wave)
    if not missing.any():
        return wave
    flat, gaps = wave.reshape(-1, wave.shape[-1]), missing.reshape(-1, wave.shape[-1])
    for row in np.flatnonzero(gaps.any(axis=1)):
        known = np.flatnonzero(~gaps[row])
        flat[row] = np.interp(np.arange(flat.shape[1]), known, flat[row, known]) if len(known) else 0.0
    return flat.reshape(wave.shape)


def differences(waveforms: NDArray[Any], first: int, last: int) -> NDArray[np.float64]:
    """Return the steps between neighbouring samples first..last - 1, the channels side by side, (n, features)."""
    part = np.asarray(waveforms[..., first:last], np.float64)
    if part.shape[-1] < 2:
        return part.reshape(len(part), -1)
    return np.diff(part, axis=-1).reshape(len(part), -1)
