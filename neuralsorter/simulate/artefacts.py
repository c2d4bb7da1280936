"""Artefacts: what crosses a threshold and is neither a spike nor the noise of tissue and amplifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .shapes import Band

LENGTH_MS = 14.0
LEAD_MS = 1.0
_Shape = Callable[[np.random.Generator, NDArray[np.float64]], NDArray[Any]]


def _mains(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Harmonics of the mains: a train of blips, each a few cycles long."""
    base = rng.choice([0.05, 0.06]) * rng.integers(8, 24)
    wave = np.sin(2 * np.pi * base * t) + rng.uniform(0.2, 0.8) * np.sin(2 * np.pi * 2 * base * t + rng.uniform(0, 6))
    return wave * np.exp(-0.5 * ((t - 5) / rng.uniform(2, 5)) ** 2)


def _step(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Jump and slow return."""
    return (t > 0) * np.exp(-np.clip(t, 0, None) / rng.uniform(0.8, 8.0))


def _ringing(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Damped oscillation of at least three cycles."""
    f = np.exp(rng.uniform(np.log(0.6), np.log(5.0)))
    late = np.clip(t, 0, None)
    return (t > 0) * np.sin(2 * np.pi * f * late + rng.uniform(0, 0.5)) * np.exp(-late * f / rng.uniform(1.5, 5))


def _glitch(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """One wrong sample of the converter, sometimes two."""
    wave = np.zeros_like(t)
    at = int(np.searchsorted(t, 0.0))
    wave[at] = 1.0
    if rng.random() < 0.3:
        wave[at + 1] = rng.uniform(0.5, 1) * rng.choice([-1, 1])
    return wave


def _broad(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Slow wave: movement of the electrode, a breath, a heartbeat."""
    width = rng.uniform(0.6, 2.0)
    return np.exp(-0.5 * ((t - 2.0 * width) / width) ** 2)


def _muscle(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Broadband burst, as of chewing."""
    centre, width = rng.uniform(2, 6), rng.uniform(1.0, 3.0)
    return rng.normal(0, 0.5, len(t)) * np.exp(-0.5 * ((t - centre) / width) ** 2)


def _walk(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Random walk: a loose contact."""
    wave = np.cumsum(rng.normal(0, 1, len(t)) * (t > 0) * (t < rng.uniform(2, 8)))
    return wave / (np.abs(wave).max() + 1e-9)


def _square(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Switched pulse, 0.7 to 4 ms."""
    return ((t > 0) & (t < rng.uniform(0.7, 4.0))).astype(float)


def _stimulus(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Charge-balanced pulse and the amplifier's recovery."""
    width, gap = rng.uniform(0.1, 0.5), rng.uniform(0.0, 0.3)
    first, second = (t > 0) & (t < width), (t > width + gap) & (t < 2 * width + gap)
    tail = (t > 2 * width + gap) * np.exp(-np.clip(t, 0, None) / rng.uniform(1, 4))
    return first * 1.0 - second * 1.0 + rng.choice([-1, 1]) * rng.uniform(0.3, 0.8) * tail


def _saturation(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Large wave held at the rail."""
    width = rng.uniform(0.5, 3.0)
    wave = np.sin(np.pi * np.clip(t / width, 0, rng.integers(1, 5)))
    return np.clip(wave * rng.uniform(2, 6), -1, 1)


def _sawtooth(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Ramps, as from a display or a switching supply."""
    period, cycles = rng.uniform(0.6, 3.0), rng.integers(2, 5)
    return ((t > 0) & (t < period * cycles)) * (2 * ((t / period) % 1.0) - 1)


def _chirp(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Tone that rises or falls, as from a motor or a phone."""
    f0, f1 = rng.uniform(0.4, 1.5), rng.uniform(2.0, 4.5)
    late = np.clip(t, 0, None)
    length = rng.uniform(4, 9)
    return (t > 0) * (t < length) * np.sin(2 * np.pi * (f0 * late + 0.5 * (f1 - f0) / length * late**2))


def _telegraph(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Jumps between two levels: a contact that opens and closes."""
    flips = np.cumsum(rng.exponential(rng.uniform(0.3, 1.2), 24))
    return (t > 0) * (t < flips[-1]) * (2.0 * (np.searchsorted(flips, t) % 2) - 1.0)


def _dropout(rng: np.random.Generator, t: NDArray[np.float64]) -> NDArray[Any]:
    """Lost packet: a frozen value between two jumps, the second the larger."""
    length = rng.uniform(0.5, 2.5)
    held = ((t > 0) & (t < length)) * rng.uniform(0.3, 0.9)
    back = (t >= length) * np.exp(-np.clip(t - length, 0, None) / rng.uniform(0.05, 0.15))
    return held - back


# name: (shape, passes the amplifier's filter)
KINDS: dict[str, tuple[_Shape, bool]] = {
    "mains": (_mains, True),
    "step": (_step, True),
    "ringing": (_ringing, True),
    "glitch": (_glitch, False),
    "broad": (_broad, True),
    "muscle": (_muscle, True),
    "walk": (_walk, True),
    "square": (_square, True),
    "stimulus": (_stimulus, True),
    "saturation": (_saturation, False),
}
# Never seen in training: they say how a cleaner does on a disturbance it does not know.
HELD_OUT_KINDS: dict[str, tuple[_Shape, bool]] = {
    "sawtooth": (_sawtooth, True),
    "chirp": (_chirp, True),
    "telegraph": (_telegraph, True),
    "dropout": (_dropout, True),
}


# Largest value in noise SDs: nothing that stimulates is as small as a spike.
SIZES: dict[str, tuple[float, float]] = {"stimulus": (40.0, 300.0)}
_SIZE = (6.0, 80.0)


def draw_size(rng: np.random.Generator, kind: str) -> float:
    """Return the size of an artefact in noise SDs."""
    low, high = SIZES.get(kind, _SIZE)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_artefact(rng: np.random.Generator, kind: str, band: Band, rate_hz: float) -> NDArray[np.float32]:
    """Return one artefact, (n_samples,), largest absolute value 1, either sign; its onset is at `LEAD_MS`."""
    time_ms = np.arange(int(LENGTH_MS * rate_hz / 1000)) * 1000 / rate_hz - LEAD_MS
    shape, filtered = (KINDS | HELD_OUT_KINDS)[kind]
    wave = shape(rng, time_ms)
    wave = band.apply(wave, rate_hz) if filtered else wave.astype(np.float32)
    return np.asarray(rng.choice([-1.0, 1.0]) * wave / (np.abs(wave).max() + 1e-9), np.float32)
