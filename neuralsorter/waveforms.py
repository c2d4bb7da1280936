"""Waveforms made comparable: noise of the channel, one common window, the input of a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

COMMON_RATE_HZ = 20_000.0
COMMON_SAMPLES = 60
COMMON_PRE = 20

_NOTHING = 1e-6
_LOBES = 4  # of the windowed sinc that resamples
_SIGMA_ROWS = 5_000  # events are enough to know the noise
_MAD = 1.4826  # SD of a normal distribution per median absolute deviation
# Averaged or noise-free waveforms have quiet samples of almost nothing; no recording is cleaner than this.
_LARGEST_SNR = 50.0


@dataclass(frozen=True)
class Common:
    """Events in the common window, 60 samples at 20 kHz from -1 ms.

    Attributes
    ----------
    values : ndarray, (n_spikes, 60), float32
        In the units that came. Points outside the source's window hold its edge value.
    mask : ndarray, (1, 60) or (n_spikes, 60), float32
        1 where the source has samples, 0 where the value is held.

    """

    values: NDArray[np.float32]
    mask: NDArray[np.float32]


def noise_sigma(waveforms: NDArray[Any], pre_samples: int | None = None) -> float:
    """Return the SD of a channel's noise, from its events alone; see `quiet`."""
    return quiet(waveforms, pre_samples)[1]


def quiet(waveforms: NDArray[Any], pre_samples: int | None = None) -> tuple[float, float]:
    """Return the level of a channel without spikes and the SD of its noise, from its events alone.

    The samples well before the crossing are quiet in most events; their median and median absolute deviation ignore
    the few where another spike or an artefact came first.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples)
        Any unit; NaN where the source has no sample.
    pre_samples : int, optional
        Samples before the crossing; a third of the window by default.

    Returns
    -------
    tuple of float
        In the unit of the waveforms; (0, 1) where nothing can be said.

    """
    n_spikes, n_samples = waveforms.shape
    if not n_spikes or not n_samples:
        return 0.0, 1.0
    rows = waveforms[:: -(-n_spikes // _SIGMA_ROWS)]
    pre = n_samples // 3 if pre_samples is None else pre_samples
    before = rows[:, : max(pre - max(pre // 5, 2), 0)]
    if before.shape[1] < 4:
        before = np.concatenate([rows[:, : max(pre - 1, 1)], rows[:, -max(n_samples // 6, 2) :]], axis=1)
    finite = before[np.isfinite(before)]
    if not len(finite):
        return 0.0, 1.0
    level = float(np.median(finite))
    sigma = _MAD * float(np.median(np.abs(finite - level)))
    known = np.where(np.isfinite(rows), rows - level, 0.0)
    floor = float(np.median(np.abs(known).max(axis=1))) / _LARGEST_SNR
    return level, max(sigma, floor) or 1.0


def to_common(waveforms: NDArray[Any], sampling_rate: float, pre_samples: int, shift_s: float = 0.0) -> Common:
    """Bring events of any rate and window to the common one.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples)
        Any unit; NaN where the source has no sample.
    sampling_rate : float
        Hz.
    pre_samples : int
        Samples before the crossing.
    shift_s : float
        Look this much later.

    """
    first, last = _informative(waveforms)
    rate, pre = float(sampling_rate), int(pre_samples) - first
    return _with_matrix(waveforms[:, first:last], *_common_matrix(last - first, rate, pre, float(shift_s)))


def _informative(waveforms: NDArray[Any]) -> tuple[int, int]:
    """Return the columns that are not padding: at either end, values held or zero in every event."""
    n_spikes, n_samples = waveforms.shape
    if n_spikes < 2 or not n_samples:
        return 0, n_samples
    rows = waveforms[:: -(-n_spikes // 512)]
    moves = np.flatnonzero((rows[:, 1:] != rows[:, :-1]).any(axis=0))
    if not len(moves):
        return 0, n_samples
    first, last = int(moves[0]), int(moves[-1]) + 2
    ends_in_zeros = last < n_samples and not rows[:, -1].any()
    starts_with_zeros = first > 0 and not rows[:, 0].any()
    return first + starts_with_zeros, last - ends_in_zeros


def resample(
    waveforms: NDArray[Any], sampling_rate: float, pre_samples: int, new_rate: float, n_samples: int, new_pre: int
) -> NDArray[np.float32]:
    """Return events at another rate and in another window; NaN where the source has no sample.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples)
        Any unit.
    sampling_rate, new_rate : float
        Hz.
    pre_samples, new_pre : int
        Samples before the crossing, then and now.
    n_samples : int
        Length of the new window.

    """
    times_s = (np.arange(n_samples) - new_pre) / new_rate
    matrix, inside = _matrix(waveforms.shape[1], sampling_rate, pre_samples, times_s, new_rate)
    common = _with_matrix(waveforms, matrix, inside)
    return np.where(common.mask > 0, common.values, np.float32(np.nan))


@lru_cache(maxsize=64)
def _common_matrix(
    n_samples: int, rate_hz: float, pre: int, shift_s: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    times_s = (np.arange(COMMON_SAMPLES) - COMMON_PRE) / COMMON_RATE_HZ + shift_s
    return _matrix(n_samples, rate_hz, pre, times_s, COMMON_RATE_HZ)


def _matrix(
    n_samples: int, rate_hz: float, pre: int, times_s: NDArray[np.float64], new_rate_hz: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the matrix (n_samples, n_new) that interpolates, and which new points lie inside, (1, n_new).

    A windowed sinc, wider where the new rate is lower so that nothing folds back, on a waveform whose ends are held.
    """
    place = times_s * rate_hz + pre
    inside = (place > -0.5) & (place < n_samples - 0.5)
    place = np.clip(place, 0, max(n_samples - 1, 0))
    stretch = max(rate_hz / new_rate_hz, 1.0)
    reach = int(np.ceil(_LOBES * stretch))
    sources = np.arange(-reach, n_samples + reach)
    distance = (sources[:, None] - place[None, :]) / stretch
    kernel = np.sinc(distance) * np.sinc(distance / _LOBES) * (np.abs(distance) < _LOBES)
    kernel /= kernel.sum(axis=0)
    matrix = np.zeros((n_samples, len(place)))
    np.add.at(matrix, np.clip(sources, 0, n_samples - 1), kernel)
    return matrix.astype(np.float32), inside[None, :].astype(np.float32)


def _with_matrix(waveforms: NDArray[Any], matrix: NDArray[np.float32], inside: NDArray[np.float32]) -> Common:
    values = np.asarray(waveforms, np.float32)
    finite = np.isfinite(values)
    if finite.all():
        same = len(matrix) == matrix.shape[1] and np.abs(matrix - np.eye(len(matrix))).max() < _NOTHING
        return Common(values if same else values @ matrix, inside)
    held = _hold(values, finite)
    known = finite.astype(np.float32) @ np.abs(matrix) / np.abs(matrix).sum(axis=0)
    return Common(held @ matrix, (known > 0.5) * inside)


def _hold(values: NDArray[np.float32], finite: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Replace missing samples by the last one before them, or the first one after; 0 where all are missing."""
    place = np.where(finite, np.arange(values.shape[1]), -1)
    before = np.maximum.accumulate(place, axis=1)
    first = finite.argmax(axis=1)[:, None]
    nearest = np.where(before >= 0, before, first)
    return np.nan_to_num(np.take_along_axis(values, nearest, axis=1), nan=0.0)


_NEAR = (14, 36)  # samples in which the event's own extremum lies, -0.3 to 0.8 ms


@njit(nogil=True, fastmath=True, cache=True)
def _turned(  # pragma: no cover - compiled
    values: Any, mask: Any, level: Any, scale: Any, out: Any, shift: Any
) -> None:
    n_samples = values.shape[1]
    last = n_samples - 1
    shared = mask.shape[0] == 1
    for row in range(values.shape[0]):
        seen = mask[0] if shared else mask[row]
        largest = np.float32(0.0)
        at = COMMON_PRE
        for i in range(_NEAR[0], _NEAR[1]):
            size = abs(values[row, i] - level) * seen[i]
            if size > largest:
                largest = size
                at = i
        move = at - COMMON_PRE
        factor = scale if values[row, at] < level else -scale
        for i in range(n_samples):
            x = (values[row, min(max(i + move, 0), last)] - level) * factor
            out[row, i] = x / (np.float32(6.0) + abs(x))
        out[row, n_samples] = np.log1p(largest * scale) * np.float32(0.25)
        shift[row] = move


@dataclass(frozen=True)
class Seen:
    """Events as a network sees them.

    Attributes
    ----------
    values : ndarray, (n_spikes, 61), float32
        x / (6 + |x|) of 60 values x in noise SDs, the event's extremum at sample 20 and pointing down; then a quarter
        of log(1 + size of the extremum).
    masks : ndarray, (n_masks, 60), float32
        The masks that occur: 1 where the source has samples.
    which : ndarray, (n_spikes,), int64
        Mask of each event.

    """

    values: NDArray[np.float32]
    masks: NDArray[np.float32]
    which: NDArray[np.int64]

    @property
    def mask(self) -> NDArray[np.float32]:
        """Mask of each event, (n_spikes, 60)."""
        return self.masks[self.which]


def seen(common: Common, sigma: float, level: float = 0.0) -> Seen:
    """Return events in SDs of the channel's noise, aligned and upright, so that a network has neither to learn.

    Parameters
    ----------
    common : Common
        Events in the common window.
    sigma : float
        SD of the noise, in the unit of the values.
    level : float
        Where the channel lies without spikes.

    """
    values = np.ascontiguousarray(common.values, np.float32)
    n_spikes, n_samples = values.shape
    out = np.empty((n_spikes, n_samples + 1), np.float32)
    shift = np.empty(n_spikes, np.int64)
    _turned(values, common.mask, np.float32(level), np.float32(1 / sigma), out, shift)
    outside = np.zeros((len(common.mask), _NEAR[1]), np.float32)
    padded = np.concatenate([outside, common.mask, outside], axis=1)
    if len(padded) > 1:
        place = np.arange(n_samples)[None, :] + _NEAR[1] + shift[:, None]
        return Seen(out, np.take_along_axis(padded, place, axis=1), np.arange(n_spikes))
    moves = range(_NEAR[0] - COMMON_PRE, _NEAR[1] - COMMON_PRE)
    masks = np.stack([padded[0, _NEAR[1] + move :][:n_samples] for move in moves])
    return Seen(out, masks, shift - moves[0])


def network_input(values: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.float32]:
    """Return events as a network of Keras takes them: value, mask, typical value, and facts one after the other.

    Parameters
    ----------
    values : ndarray, (n_spikes, 120 + n_facts)
        The 60 values of each event, of what is typical, and its facts side by side.
    mask : ndarray, (n_spikes, 60)
        `Seen.mask`.

    Returns
    -------
    ndarray, (n_spikes, 60, 4), float32
        The last column holds the facts in its first places, then zeros.

    """
    stacked = np.zeros((*mask.shape, 4), np.float32)
    stacked[..., 0] = values[:, :60]
    stacked[..., 1] = mask
    stacked[..., 2] = values[:, 60:120]
    stacked[:, : values.shape[1] - 120, 3] = values[:, 120:]
    return stacked


def event_sizes(raw: NDArray[Any], uv_per_bit: float = 1.0, measure: str = "peak to peak") -> NDArray[np.float64]:
    """Return the size of each event in µV, whatever its unit, (n_spikes,); NaN where it has no sample.

    Parameters
    ----------
    raw : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples), int16 or float32
        Waveforms as stored; of several channels the one with the largest range counts.
    uv_per_bit : float
        µV per unit of `raw`.
    measure : {"peak to peak", "trough", "peak"}
        Range, lowest or highest sample.

    """
    wires = raw[:, None] if raw.ndim == 2 else raw
    low, high = np.fmin.reduce(wires, axis=2).astype(float), np.fmax.reduce(wires, axis=2).astype(float)
    known = np.where(np.isfinite(high - low), high - low, -1.0)
    best = np.arange(len(wires)), known.argmax(axis=1) if wires.shape[1] else np.zeros(len(wires), int)
    sizes = {"peak to peak": high - low, "trough": low, "peak": high}[measure][best]
    return np.asarray(sizes * uv_per_bit, np.float64)
