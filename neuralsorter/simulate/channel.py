"""One simulated channel: its trace, the detector, and the truth of each event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.signal import lfilter, oaconvolve

from .artefacts import LEAD_MS, draw_artefact, draw_size
from .shapes import PHASES, Band, Bank, draw_bank
from .trains import draw_train

MULTI_UNIT = 100
MATCH_MS = (-0.15, 0.85)  # a spike's extremum, from the crossing it caused
EARLY_PHASE, RISE_MS = 0.5, 0.3  # of the extremum: a phase so large crosses too, this long before it is half of it
TAIL_MS = -2.5  # crossings this long after a large spike are its tail
OVERLAP_MS = 1.0
UNIT_HZ = (0.5, 5.0)
_NOISE_CELLS = 60


@dataclass(frozen=True)
class Setup:
    """What all channels of a recording share."""

    duration_s: float
    rate_hz: float
    n_samples: int
    pre_samples: int
    band: Band
    n_units: int | None
    noise_level: float | None
    multi_unit_cells: int
    odd_share: float
    threshold_sigmas: float
    polarity: str
    artefact_kinds: Sequence[str]
    artefact_rate_hz: float
    dead_s: float
    noise_of: str
    rates: str

    @property
    def trace_samples(self) -> int:
        """Samples of the whole recording."""
        return int(self.duration_s * self.rate_hz)

    def samples(self, ms: float) -> float:
        """Convert ms to samples."""
        return ms * self.rate_hz / 1000


@dataclass(frozen=True)
class Artefact:
    """One disturbance: its kind, onset and waveform (largest absolute value 1)."""

    kind: str
    at_sample: int
    wave: NDArray[np.float32]


@dataclass(frozen=True)
class Cells:
    """Spikes of all cells of a channel by the time of their extremum, and the cells' shapes."""

    peak: NDArray[np.float64]  # sample of the extremum
    unit: NDArray[np.int32]
    size: NDArray[np.float32]  # noise SDs
    bank: Bank
    row: NDArray[np.int64]  # in the bank
    unit_size: NDArray[np.float32]  # (n_units,), noise SDs


@dataclass(frozen=True)
class Events:
    """Detected events of one channel; arrays of one row each."""

    at_sample: NDArray[np.int64]
    waveforms: NDArray[np.float32]  # noise SDs
    truth_unit: NDArray[np.int32]
    kind: NDArray[np.str_]
    overlap: NDArray[np.bool_]
    amplitude_sigma: NDArray[np.float32]


def no_events(n_samples: int) -> Events:
    """Return the events of a channel that has none."""
    none = np.zeros(0)
    waveforms = np.zeros((0, n_samples), np.float32)
    return Events(
        none.astype(np.int64), waveforms, none.astype(np.int32), none.astype("<U16"), none > 0, waveforms[:, 0]
    )


def draw_artefacts(rng: np.random.Generator, setup: Setup, kinds: Sequence[str], rate_hz: float) -> list[Artefact]:
    """Draw the artefacts of a channel, or those common to all channels."""
    if not kinds:
        return []
    count = rng.poisson(rate_hz * setup.duration_s)
    onset = rng.integers(0, max(setup.trace_samples, 1), count)
    chosen = rng.choice(list(kinds), count)
    return [
        Artefact(str(kind), int(at), draw_artefact(rng, str(kind), setup.band, setup.rate_hz))
        for kind, at in zip(chosen, onset, strict=True)
    ]


def draw_cells(rng: np.random.Generator, setup: Setup) -> Cells:
    """Draw the channel's units and distant cells and all their spikes."""
    n_units = int(rng.integers(2, 13)) if setup.n_units is None else setup.n_units
    level = rng.uniform(0.08, 0.15) if setup.noise_level is None else setup.noise_level
    n_cells = n_units + setup.multi_unit_cells
    bank = draw_bank(rng, max(n_cells, 1), setup.band, setup.rate_hz, setup.odd_share)
    cell_size = np.r_[rng.uniform(0.7, 1.6, n_units) / level, rng.uniform(1.5, 4.5, setup.multi_unit_cells)]
    low, high = UNIT_HZ
    unit_hz = rng.uniform(low, high, n_units)
    if setup.rates == "unequal":  # as many cells between 0.5 and 1 Hz as between 2.5 and 5
        unit_hz = low * (high / low) ** ((unit_hz - low) / (high - low))
    rates = np.r_[unit_hz, rng.uniform(0.3, 1.5, setup.multi_unit_cells)]
    times: list[NDArray[np.float64]] = []
    sizes: list[NDArray[np.float32]] = []
    for rate, size in zip(rates, cell_size, strict=True):
        at, relative = draw_train(rng, rate, setup.duration_s, bursty=bool(rng.random() < 0.3))
        times.append(at)
        sizes.append(relative * np.float32(size))
    row = np.repeat(np.arange(n_cells), [len(t) for t in times])
    peak = np.concatenate([np.zeros(0), *times]) * setup.rate_hz
    order = np.argsort(peak, kind="stable")
    unit = np.where(row < n_units, row + 1, MULTI_UNIT).astype(np.int32)
    size = np.concatenate([np.zeros(0, np.float32), *sizes])
    return Cells(peak[order], unit[order], size[order], bank, row[order], cell_size[:n_units].astype(np.float32))


def detect(rng: np.random.Generator, setup: Setup, cells: Cells, artefacts: Sequence[Artefact]) -> Events:
    """Build the trace, cut the events where it crosses the threshold, and say what each one is."""
    trace = _noise(rng, setup)
    _add_cells(trace, cells)
    disturbance = _add_artefacts(rng, trace, artefacts)
    threshold = setup.threshold_sigmas * float(np.median(np.abs(trace[:: max(len(trace) // 200_000, 1)]))) / 0.6745
    at = _crossings(trace, threshold, setup)
    window = at[:, None] + np.arange(-setup.pre_samples, setup.n_samples - setup.pre_samples)[None, :]
    truth_unit, kind, overlap, amplitude = _truth(at, cells, artefacts, disturbance, threshold, setup)
    return Events(at, trace[window], truth_unit, kind, overlap, amplitude)


def _noise(rng: np.random.Generator, setup: Setup) -> NDArray[np.float32]:
    """Noise of SD 1: of the amplifier and the hum of tissue through the band-pass, or of the spikes of far cells."""
    raw = rng.standard_normal(setup.trace_samples, dtype=np.float32)
    if setup.noise_of == "spikes":
        return _spikes_of_far_cells(rng, raw, setup)
    pole = np.float32(rng.uniform(0.5, 0.95))
    mixed = lfilter(np.ones(1, np.float32), np.array([1, -pole], np.float32), raw)
    share = np.float32(rng.uniform(0.0, 0.6))
    trace = setup.band.apply((1 - share) * mixed + share * raw, setup.rate_hz)
    return trace / np.float32(trace.std() + 1e-12)


def _spikes_of_far_cells(rng: np.random.Generator, raw: NDArray[np.float32], setup: Setup) -> NDArray[np.float32]:
    """Turn white noise into what very many small spikes sum to: Gaussian, with the mean spectrum of spikes."""
    shapes = draw_bank(rng, _NOISE_CELLS, setup.band, setup.rate_hz).shapes[:, 0]
    power = np.square(np.abs(rfft(shapes, 2 * shapes.shape[1], axis=1))).mean(axis=0)
    trace = oaconvolve(raw, np.roll(irfft(np.sqrt(power)), shapes.shape[1]).astype(np.float32), "same")
    return np.asarray(trace / (trace.std() + 1e-12), np.float32)


def _add_cells(trace: NDArray[np.float32], cells: Cells) -> None:
    shapes = cells.bank.shapes
    whole = np.floor(cells.peak)
    phase = ((cells.peak - whole) * PHASES).astype(np.int64)
    start = whole.astype(np.int64) - cells.bank.peak[cells.row]
    fits = (start >= 0) & (start + shapes.shape[2] <= len(trace))
    for block in np.array_split(np.flatnonzero(fits), max(int(fits.sum()) // 20_000, 1)):
        place = start[block][:, None] + np.arange(shapes.shape[2])[None, :]
        np.add.at(trace, place, shapes[cells.row[block], phase[block]] * cells.size[block][:, None])


def _add_artefacts(
    rng: np.random.Generator, trace: NDArray[np.float32], artefacts: Sequence[Artefact]
) -> NDArray[np.float32]:
    """Add the artefacts, each of its own size on this channel, to `trace` and return them alone."""
    alone = np.zeros_like(trace)
    for artefact in artefacts:
        end = min(artefact.at_sample + len(artefact.wave), len(trace))
        size = np.float32(draw_size(rng, artefact.kind))
        alone[artefact.at_sample : end] += size * artefact.wave[: end - artefact.at_sample]
    trace += alone
    return alone


def _crossings(trace: NDArray[np.float32], threshold: float, setup: Setup) -> NDArray[np.int64]:
    """Return the first sample beyond the threshold of each crossing, a dead time apart, windows inside the trace."""
    beyond = np.zeros(len(trace), bool)
    if setup.polarity != "positive":
        beyond |= trace < -threshold
    if setup.polarity != "negative":
        beyond |= trace > threshold
    starts = np.flatnonzero(beyond[1:] & ~beyond[:-1]) + 1
    inside = (starts >= setup.pre_samples) & (starts + setup.n_samples - setup.pre_samples <= len(trace))
    starts = starts[inside]
    dead = int(setup.dead_s * setup.rate_hz)
    taken = []
    last = -dead - 1
    for start in starts.tolist():
        if start - last > dead:
            taken.append(start)
            last = start
    return np.array(taken, np.int64)


def _truth(
    at: NDArray[np.int64],
    cells: Cells,
    artefacts: Sequence[Artefact],
    disturbance: NDArray[np.float32],
    threshold: float,
    setup: Setup,
) -> tuple[NDArray[np.int32], NDArray[np.str_], NDArray[np.bool_], NDArray[np.float32]]:
    best = _largest(at, cells, *(setup.samples(ms) for ms in MATCH_MS))
    tail = _largest(at, cells, setup.samples(TAIL_MS), setup.samples(MATCH_MS[0]))
    cell_size = np.append(cells.size, np.float32(0))  # the last one stands for none, -1
    size = cell_size[best]
    kind = np.full(len(at), "threshold", dtype="<U16")
    unit = np.zeros(len(at), np.int32)
    after_large = cell_size[tail] > 0.7 * threshold
    kind[after_large] = "tail"
    # Too small to have caused the crossing: noise made it, with a little help.
    caused = (best >= 0) & (size > 0.35 * threshold)
    _add_early_phases(at, cells, best, caused, threshold, setup)
    size = cell_size[best]
    unit[caused] = cells.unit[best[caused]]
    kind[caused] = np.where(unit[caused] == MULTI_UNIT, "mua", "unit")
    near, strength = _disturbed(at, artefacts, disturbance, setup)
    artefact = (near >= 0) & (strength > 0.5 * threshold) & ((strength > size) | ~caused)
    names = np.array([a.kind for a in artefacts] or [""])
    kind[artefact] = names[near[artefact]]
    unit[artefact] = 0
    others = _others(at, best, cells, setup)
    overlap = np.where(artefact, caused & (size > 0.5 * threshold), others | (strength > 0.25 * threshold))
    return unit, kind, overlap, np.where(unit > 0, size, 0).astype(np.float32)


def _largest(at: NDArray[np.int64], cells: Cells, first: float, last: float) -> NDArray[np.int64]:
    """Return the largest spike whose extremum is `first` to `last` samples from each crossing, or -1."""
    low, high = np.searchsorted(cells.peak, at + first), np.searchsorted(cells.peak, at + last)
    best = np.full(len(at), -1, np.int64)
    size = np.zeros(len(at), np.float32)
    for step in range(int((high - low).max(initial=0))):
        spike = low + step
        valid = spike < high
        larger = valid & (np.where(valid, cells.size[np.minimum(spike, len(cells.size) - 1)], 0) > size)
        best[larger] = spike[larger]
        size[larger] = cells.size[spike[larger]]
    return best


def _add_early_phases(
    at: NDArray[np.int64],
    cells: Cells,
    best: NDArray[np.int64],
    caused: NDArray[np.bool_],
    threshold: float,
    setup: Setup,
) -> None:
    """Name in `best` and `caused` the spikes that crossed long before their extremum, one event each.

    They are those of the few cells that have two phases of about the same size.
    """
    shapes = np.abs(cells.bank.shapes[:, 0])
    lead = cells.bank.peak - (shapes > EARLY_PHASE).argmax(axis=1)
    spikes = np.flatnonzero((lead[cells.row] > setup.samples(MATCH_MS[1])) & (EARLY_PHASE * cells.size > threshold))
    spikes = np.setdiff1d(spikes, best[caused])
    known = np.flatnonzero(~caused)
    first = np.searchsorted(at[known], cells.peak[spikes] - lead[cells.row[spikes]] - setup.samples(RISE_MS))
    found = first < len(known)
    spikes, events = spikes[found], known[first[found]]
    early = cells.peak[spikes] - at[events] > setup.samples(MATCH_MS[1])
    best[events[early]], caused[events[early]] = spikes[early], True


def _others(at: NDArray[np.int64], best: NDArray[np.int64], cells: Cells, setup: Setup) -> NDArray[np.bool_]:
    """Say whether another unit of the channel fired within `OVERLAP_MS` of the event's extremum."""
    centre = np.where(best >= 0, np.append(cells.peak, 0.0)[best], at)
    units = np.flatnonzero(cells.unit != MULTI_UNIT)
    peaks = cells.peak[units]
    reach = setup.samples(OVERLAP_MS)
    inside = np.searchsorted(peaks, centre + reach, "right") - np.searchsorted(peaks, centre - reach)
    own = (best >= 0) & (np.append(cells.unit, MULTI_UNIT)[best] != MULTI_UNIT)
    return inside > own


def _disturbed(
    at: NDArray[np.int64], artefacts: Sequence[Artefact], disturbance: NDArray[np.float32], setup: Setup
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the artefact at each event (-1 without) and its largest value in the 0.5 ms around the crossing."""
    near = np.full(len(at), -1, np.int64)
    strength = np.zeros(len(at), np.float32)
    lead = int(setup.samples(LEAD_MS))
    for number, artefact in enumerate(artefacts):
        start, end = artefact.at_sample + lead // 2, artefact.at_sample + len(artefact.wave)
        near[np.searchsorted(at, start - setup.samples(0.5)) : np.searchsorted(at, end)] = number
    touched = np.flatnonzero(near >= 0)
    reach = np.arange(-round(setup.samples(0.25)), round(setup.samples(0.5)) + 1)
    place = np.clip(at[touched][:, None] + reach[None, :], 0, len(disturbance) - 1)
    strength[touched] = np.abs(disturbance[place]).max(axis=1)
    return near, strength
