"""Events in continuous signals: band-pass, threshold from the median, dead time, windows cut around the extremum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import DataError
from neuralsorter.kernel import kernel

SIGNS = ("negative", "positive", "both")
MEDIAN_TO_SD = 0.6745  # median of |x| of a normal distribution of SD 1
_SETTLES = 9  # periods of the lowest frequency after which the filter has forgotten, to the last digit
_ORDER = 3


@dataclass(frozen=True)
class Detector:
    """How events are found.

    Attributes
    ----------
    threshold : float
        In SDs of the noise, which is the median of the absolute signal over 0.6745: spikes hardly move it.
    sign : {"negative", "positive", "both"}
        The side on which the signal must cross.
    dead_time_ms : float
        After a crossing, none is taken for so long.
    band_hz : tuple of float
        Band-pass, forwards and backwards: it shifts nothing in time.
    before_ms, after_ms : float
        What is cut around the extremum.
    align_ms : float
        How long after the crossing the extremum is sought.

    """

    threshold: float = 4.5
    sign: str = "negative"
    dead_time_ms: float = 1.0
    band_hz: tuple[float, float] = (300.0, 6000.0)
    before_ms: float = 1.0
    after_ms: float = 2.0
    align_ms: float = 0.6

    def __post_init__(self) -> None:
        if self.sign not in SIGNS:
            raise DataError(f"The sign of a threshold is one of {', '.join(SIGNS)}. Got {self.sign!r}.")
        positive = {"threshold": self.threshold, "after_ms": self.after_ms, "align_ms": self.align_ms}
        for name, value in positive.items():
            if not (np.isfinite(value) and value > 0):
                raise DataError(f"{name} must be a positive number. Got {value!r}.")
        for name, value in {"dead_time_ms": self.dead_time_ms, "before_ms": self.before_ms}.items():
            if not (np.isfinite(value) and value >= 0):
                raise DataError(f"{name} must be 0 or more. Got {value!r}.")
        low, high = self.band_hz
        if not 0 < low < high:
            raise DataError(f"band_hz must rise, such as 300 to 6000. Got {low:g} to {high:g}.")

    def samples(self, ms: float, sampling_rate: float) -> int:
        """Return ms as a whole number of samples."""
        return round(ms * sampling_rate / 1000)

    def margin(self, sampling_rate: float) -> int:
        """Return the samples needed on both sides of a stretch for its events to be found as in the whole."""
        widest = max(self.before_ms, self.after_ms) + self.align_ms
        return self.samples(widest, sampling_rate) + int(_SETTLES / self.band_hz[0] * sampling_rate) + 2


@dataclass(frozen=True)
class Crossings:
    """Crossings of a stretch, channel by channel, dead time not yet applied.

    Attributes
    ----------
    channel : ndarray, (n,), int
        Position of the channel.
    crossing, peak : ndarray, (n,), int
        Sample of the crossing and of the extremum.
    waveforms : ndarray, (n, n_samples), float32
        Cut around the extremum.

    """

    channel: NDArray[np.int64]
    crossing: NDArray[np.int64]
    peak: NDArray[np.int64]
    waveforms: NDArray[np.float32]


def band_passed(signal: NDArray[Any], sampling_rate: float, detector: Detector) -> NDArray[np.float32]:
    """Return a signal, (n_samples, n_channels), through the band-pass, the same shape."""
    from scipy.signal import butter, sosfiltfilt

    low, high = detector.band_hz
    if low >= sampling_rate / 2:
        raise DataError(f"A band from {low:g} Hz needs a sampling rate above {2 * low:g} Hz. Got {sampling_rate:g} Hz.")
    band: Any = (low, high) if high < 0.49 * sampling_rate else low
    sos = butter(_ORDER, band, "bandpass" if isinstance(band, tuple) else "highpass", fs=sampling_rate, output="sos")
    if len(signal) < 10 * len(sos):
        return np.zeros(signal.shape, np.float32)
    filtered: NDArray[Any] = sosfiltfilt(sos, signal, axis=0, padtype="constant", padlen=min(len(signal) - 1, 300))
    return filtered.astype(np.float32)


def noise_sd(filtered: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the SD of the noise of each channel of a filtered signal, (n_channels,), from the median."""
    return np.asarray(np.median(np.abs(filtered), axis=0) / MEDIAN_TO_SD, np.float64)


def find(
    filtered: NDArray[np.float32],
    level: NDArray[np.float64],
    first: int,
    last: int,
    sampling_rate: float,
    detector: Detector,
) -> Crossings:
    """Return the crossings from sample `first` up to `last` whose windows lie in the stretch.

    Parameters
    ----------
    filtered : ndarray, (n_samples, n_channels), float32
        A stretch with its margins.
    level : ndarray, (n_channels,)
        The threshold as a positive number, in the unit of the signal; 0 leaves a channel out.
    first, last : int
        Crossings of these samples are this stretch's own.

    """
    before, after = (detector.samples(ms, sampling_rate) for ms in (detector.before_ms, detector.after_ms))
    reach = max(detector.samples(detector.align_ms, sampling_rate), 1)
    window = np.arange(-before, after)
    parts: list[tuple[int, NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for number, height in enumerate(level.tolist()):
        if not height > 0:
            continue
        trace = np.ascontiguousarray(filtered[:, number])
        size = _size(trace, detector.sign)
        beyond = size[max(first - 1, 0) : last] > height
        at = np.flatnonzero(beyond[1:] & ~beyond[:-1]) + max(first - 1, 0) + 1
        at = at[at + reach <= len(trace)]
        peak = at + size[at[:, None] + np.arange(reach)].argmax(axis=1)
        inside = (peak >= before) & (peak + after <= len(trace))
        at, peak = at[inside], peak[inside]
        parts.append((number, at, peak, trace[peak[:, None] + window]))
    none = np.zeros(0, np.int64)
    return Crossings(
        np.concatenate([none, *(np.full(len(at), number) for number, at, _, _ in parts)]),
        np.concatenate([none, *(at for _, at, _, _ in parts)]),
        np.concatenate([none, *(peak for _, _, peak, _ in parts)]),
        np.concatenate([np.zeros((0, len(window)), np.float32), *(cut for _, _, _, cut in parts)]),
    )


def _size(trace: NDArray[np.float32], sign: str) -> NDArray[np.float32]:
    return np.abs(trace) if sign == "both" else -trace if sign == "negative" else trace


@kernel
def apart(crossing: Any, channel: Any, dead: int) -> Any:  # pragma: no cover - compiled
    """Mark the crossings of each channel that come more than `dead` samples after the last one marked, (n,), bool.

    Rows are sorted by channel, then sample.
    """
    kept = np.zeros(len(crossing), np.bool_)
    last = 0
    for i in range(len(crossing)):
        if i == 0 or channel[i] != channel[i - 1] or crossing[i] - last > dead:
            kept[i] = True
            last = crossing[i]
    return kept
