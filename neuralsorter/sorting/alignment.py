"""Alignment: every event is moved, by fractions of a sample, so that its extremum lies at one place."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

BEFORE_MS, AFTER_MS = 0.6, 1.6  # what is kept around the extremum: the part that tells units apart
_EARLIEST_MS, _LATEST_MS = 0.3, 0.8  # where the extremum is sought, from the crossing
_SMOOTHING_MS = 0.05
_TAPS = 8
_PHASES = 64
_FAINT = 0.1  # of the extremum: a value at the crossing below this tells no polarity


def _kernel() -> NDArray[np.float64]:
    """Lagrange's polynomials, (phases + 1, taps): row p interpolates p / phases of a sample after the fourth tap."""
    place = np.arange(_TAPS) - (_TAPS // 2 - 1)
    between = np.linspace(0, 1, _PHASES + 1)
    taps = np.ones((_PHASES + 1, _TAPS))
    for tap, other in itertools.permutations(range(_TAPS), 2):
        taps[:, tap] *= (between - place[other]) / (place[tap] - place[other])
    return taps


_KERNEL = _kernel()


@dataclass(frozen=True)
class Alignment:
    """Where extrema are sought and what is kept around them, in samples."""

    crossing: int
    earliest: int
    latest: int
    before: int
    count: int
    smoothing: float  # SD; noise on a broad extremum would otherwise move it from one sample to another

    @classmethod
    def of(cls, n_samples: int, sampling_rate: float, pre_samples: int) -> Alignment:
        """Return the alignment for windows of `n_samples` at `sampling_rate` Hz, `pre_samples` before the crossing."""
        per_ms = sampling_rate / 1000
        earliest = max(0, pre_samples - round(_EARLIEST_MS * per_ms))
        latest = min(n_samples - 1, pre_samples + round(_LATEST_MS * per_ms))
        before = min(round(BEFORE_MS * per_ms), pre_samples)
        count = min(before + 1 + round(AFTER_MS * per_ms), n_samples)
        return cls(pre_samples, earliest, latest, before, count, _SMOOTHING_MS * per_ms)

    def __call__(self, waveforms: NDArray[Any]) -> NDArray[np.float64]:
        """Return the aligned windows of waveforms (n, n_samples) or (n, n_channels, n_samples), channels side by side.

        The extremum has the sign of the value at the crossing: a spike of two phases of like size would otherwise be
        aligned to one or the other by chance. With several channels, the one with the largest extremum decides.
        """
        waves = np.ascontiguousarray(waveforms, np.float32)
        waves = waves[:, None, :] if waves.ndim == 2 else waves
        out = np.empty((len(waves), waves.shape[1], self.count))
        smooth = gaussian_filter1d(waves, self.smoothing, axis=-1, mode="nearest", truncate=3.0)
        _align(waves, smooth, self.crossing, self.earliest, self.latest, self.before, _KERNEL, out)
        return out.reshape(len(waves), -1)


@numba.njit(cache=True, nogil=True)
def _at(wave: Any, place: float, kernel: Any) -> float:
    """Value of `wave` (n_samples,) at a fractional sample; the edges are held."""
    whole = math.floor(place)
    phase = int((place - whole) * (len(kernel) - 1) + 0.5)
    taps = kernel.shape[1]
    total = 0.0
    for tap in range(taps):
        sample = min(max(whole + tap - (taps // 2 - 1), 0), len(wave) - 1)
        total += kernel[phase, tap] * wave[sample]
    return total


@numba.njit(cache=True, nogil=True)
def _peak(wave: Any, sign: float, earliest: int, latest: int, kernel: Any) -> Any:
    """Place and height of the largest `sign` x `wave` between two samples, by a parabola through its top."""
    best = earliest
    for sample in range(earliest, latest + 1):
        if sign * wave[sample] > sign * wave[best]:
            best = sample
    height = sign * wave[best]
    left = sign * _at(wave, best - 0.5, kernel)
    right = sign * _at(wave, best + 0.5, kernel)
    bend = left - 2 * height + right
    step = 0.25 * (left - right) / bend if bend < 0 else 0.0
    return best + min(max(step, -0.5), 0.5), height


@numba.njit(cache=True, nogil=True)
def _align(
    waves: Any, smooth: Any, crossing: int, earliest: int, latest: int, before: int, kernel: Any, out: Any
) -> None:
    for event in range(len(waves)):
        place, height = float(crossing), -1.0
        for channel in range(waves.shape[1]):
            wave = smooth[event, channel]
            down, depth = _peak(wave, -1.0, earliest, latest, kernel)
            up, rise = _peak(wave, 1.0, earliest, latest, kernel)
            negative = depth >= rise
            if abs(wave[crossing]) > _FAINT * max(depth, rise):
                negative = wave[crossing] < 0
            if (depth if negative else rise) > height:
                place, height = (down, depth) if negative else (up, rise)
        for channel in range(waves.shape[1]):
            for sample in range(out.shape[2]):
                out[event, channel, sample] = _at(waves[event, channel], place - before + sample, kernel)
