"""Shapes of simulated spikes: families of two and three phases, seen through a recording's band-pass filter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

PHASES = 8  # shapes are kept at this many sub-sample positions
BEFORE_MS, AFTER_MS = 1.5, 4.5
_DISTINCT = 0.985  # correlation above which two cells are too much alike


@dataclass(frozen=True)
class Band:
    """A recording's band-pass filter, Butterworth: once, as hardware does, or there and back, as programs do."""

    low_hz: float
    high_hz: float
    order: int
    both_ways: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Band:
        """Return a filter as amplifiers have it: 50-500 Hz to 3-7.5 kHz."""
        low_hz = float(np.exp(rng.uniform(np.log(50), np.log(500))))
        return cls(low_hz, rng.uniform(3000, 7500), int(rng.integers(1, 4)), bool(rng.random() < 0.4))

    def apply(self, signal: NDArray[np.floating], rate_hz: float) -> NDArray[np.float32]:
        """Filter along the last axis."""
        high = min(self.high_hz, 0.45 * rate_hz)
        sos = butter(self.order, [self.low_hz, high], "bandpass", fs=rate_hz, output="sos")
        there = sosfilt(sos, signal, axis=-1)
        back = sosfilt(sos, there[..., ::-1], axis=-1)[..., ::-1] if self.both_ways else there
        return np.asarray(back, np.float32)


@dataclass(frozen=True)
class Bank:
    """Shapes of several cells, each at `PHASES` sub-sample positions.

    Attributes
    ----------
    shapes : ndarray, (n_cells, PHASES, n_samples), float32
        Largest absolute value 1.
    peak : ndarray, (n_cells,), int
        Sample of that extremum at phase 0.

    """

    shapes: NDArray[np.float32]
    peak: NDArray[np.int64]

    @cached_property
    def polarity(self) -> NDArray[np.float32]:
        """Sign of each cell's largest phase, (n_cells,)."""
        first = self.shapes[:, 0]
        return np.sign(first[np.arange(len(first)), self.peak]).astype(np.float32)


def draw_bank(rng: np.random.Generator, n_cells: int, band: Band, rate_hz: float, odd_share: float = 0.0) -> Bank:
    """Draw the shapes of `n_cells` cells; a shape much like an earlier one is drawn again, a few times."""
    rows: list[NDArray[np.float32]] = []
    for _ in range(n_cells):
        for _attempt in range(12):
            fine = _filtered(rng, band, rate_hz, odd_share)
            if all(abs(float(np.dot(fine, other))) < _DISTINCT * _norm(fine) * _norm(other) for other in rows):
                break
        rows.append(fine)
    fine_bank = np.array(rows, np.float32).reshape(n_cells, -1)
    # Phase k holds the shape k/PHASES of a sample later.
    n_samples = fine_bank.shape[1] // PHASES - 1
    starts = PHASES - np.arange(PHASES)
    index = starts[:, None] + PHASES * np.arange(n_samples)[None, :]
    shapes = fine_bank[:, index]
    shapes /= np.abs(fine_bank).max(axis=1)[:, None, None] + 1e-12
    return Bank(shapes, np.abs(shapes[:, 0]).argmax(axis=1))


def _norm(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.dot(values, values)))


def _filtered(rng: np.random.Generator, band: Band, rate_hz: float, odd_share: float) -> NDArray[np.float32]:
    """Draw until the largest phase behind the filter is still the sharp one, as it is where a cell is close."""
    fine_hz = rate_hz * PHASES
    time_ms = (np.arange(int((BEFORE_MS + AFTER_MS) * fine_hz / 1000)) * 1000 / fine_hz) - BEFORE_MS
    while True:
        unfiltered = (draw_odd_shape if rng.random() < odd_share else draw_shape)(rng, time_ms)
        shape = band.apply(unfiltered, fine_hz)
        largest = int(np.abs(shape).argmax())
        if shape[largest] * unfiltered[np.abs(time_ms).argmin()] > 0 and abs(time_ms[largest] - 0.1) < 0.3:
            return shape / np.abs(shape).max()


def draw_shape(rng: np.random.Generator, time_ms: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return one unfiltered shape: a sharp main phase, a slower one after it, often a small one before it.

    Trough to peak takes 0.15-0.9 ms; the sides of a phase may be unequal; a fifth of the cells are inverted.
    """
    width = np.exp(rng.uniform(np.log(0.055), np.log(0.2)))  # SD of the main phase, ms
    right = width * np.exp(rng.uniform(np.log(0.8), np.log(3.0)))
    delay = np.clip(right * rng.uniform(1.8, 5.5), 0.15, 0.9)
    shape = -_bump(time_ms, 0.0, width * rng.uniform(0.7, 1.1), right)
    after = rng.uniform(0.1, 0.85)
    shape += after * _bump(time_ms, delay, rng.uniform(0.35, 0.5) * delay, rng.uniform(0.6, 2.2) * delay)
    before = rng.random()
    if before < 0.5:  # the capacitive first phase of cells whose axon or soma is close
        lead = width * rng.uniform(1.6, 3.0)
        shape += rng.uniform(0.05, 0.5) * _bump(time_ms, -lead, rng.uniform(0.4, 1.0) * lead, 0.45 * lead)
    elif before < 0.7:  # a spike that starts slowly
        shape -= rng.uniform(0.05, 0.3) * _bump(time_ms, -2.0 * width, 1.5 * width, width)
    return shape if rng.random() < 0.8 else -shape


def draw_odd_shape(rng: np.random.Generator, time_ms: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a shape outside the usual families: two to five phases of any order, width and sign within 1.5 ms.

    Fibres, cut windows and unusual filters make such shapes; that they recur is what tells them from artefacts.
    """
    shape = -_bump(time_ms, 0.0, *np.exp(rng.uniform(np.log(0.05), np.log(0.3), 2)))
    for _ in range(int(rng.integers(1, 5))):
        left, right = np.exp(rng.uniform(np.log(0.06), np.log(0.45), 2))
        shape += rng.uniform(-0.8, 0.8) * _bump(time_ms, rng.uniform(-0.5, 1.1), left, right)
    return shape if rng.random() < 0.7 else -shape


def _bump(time_ms: NDArray[np.floating], centre: float, left: float, right: float) -> NDArray[np.float64]:
    spread = np.where(time_ms < centre, left, right)
    return np.asarray(np.exp(-0.5 * ((time_ms - centre) / spread) ** 2), np.float64)
