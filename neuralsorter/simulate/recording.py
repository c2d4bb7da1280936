"""A simulated recording: the events a threshold detector takes from many channels, and what each one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import DataError
from neuralsorter.spikes import Spikes

from .artefacts import HELD_OUT_KINDS, KINDS
from .channel import Artefact, Events, Setup, detect, draw_artefacts, draw_cells, no_events
from .shapes import Band

_CHOICES = {
    "polarity": ("both", "negative", "positive"),
    "noise_of": ("amplifier", "spikes"),
    "rates": ("even", "unequal"),
}
_COLUMNS = ("truth_unit", "kind", "overlap", "amplitude_sigma")


@dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """Simulated events and what each one is.

    Attributes
    ----------
    spikes : Spikes
        As a recording gives them: every event in unit 1, rows by time.
    truth_unit : ndarray, (n_spikes,), int32
        1.. the cells of the channel, 100 a distant cell of the multi-unit background, 0 neither.
    kind : ndarray, (n_spikes,), str
        "unit", "mua", "threshold" (a crossing of noise), "tail" (a second crossing by a spike already taken), or the
        artefact's name.
    overlap : ndarray, (n_spikes,), bool
        Another unit fired, or an artefact came, within 1 ms.
    amplitude_sigma : ndarray, (n_spikes,), float32
        True size of the spike in SDs of the channel's noise; 0 where there is none.
    shapes_uv : dict
        {channel: (n_units, n_samples)}: waveform of each unit without noise, extremum at sample `pre_samples`.

    """

    spikes: Spikes
    truth_unit: NDArray[np.int32]
    kind: NDArray[np.str_]
    overlap: NDArray[np.bool_]
    amplitude_sigma: NDArray[np.float32]
    shapes_uv: dict[int, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.spikes)

    @property
    def is_spike(self) -> NDArray[np.bool_]:
        """Whether a cell caused the event, (n_spikes,)."""
        return np.asarray(self.truth_unit > 0)

    def take(self, rows: NDArray[Any]) -> Simulation:
        """Return the events at `rows`, positions or a mask, in that order."""
        return replace(self, spikes=self.spikes.take(rows), **{name: getattr(self, name)[rows] for name in _COLUMNS})


def simulate(
    n_channels: int = 4,
    duration_s: float = 60.0,
    seed: int = 0,
    n_units: int | None = None,
    *,
    sampling_rate: float = 20_000.0,
    n_samples: int | None = None,
    pre_samples: int | None = None,
    threshold_sigmas: float = 4.0,
    polarity: str = "both",
    dead_time_ms: float = 1.2,
    noise_level: float | None = None,
    artefact_kinds: Sequence[str] = tuple(KINDS),
    artefact_rate_hz: float = 0.3,
    common_rate_hz: float = 0.05,
    multi_unit_cells: int = 20,
    odd_share: float = 0.0,
    noise_of: str = "amplifier",
    rates: str = "even",
    uv_per_bit: float | None = 0.25,
    n_events: int | None = None,
) -> Simulation:
    """Simulate threshold-crossing events of known truth.

    Every channel has its own cells (two and three-phase shapes of both signs, 0.5-5 Hz, some bursting, amplitudes that
    vary and drift), a background of distant cells, coloured noise of 5-15 µV and artefacts, some on all channels at
    once. Events are cut where the sum crosses a threshold, so jitter, overlaps and crossings of noise come as they do
    in the laboratory.

    Parameters
    ----------
    n_channels, duration_s, seed
        Size; the same seed gives the same events.
    n_units : int, optional
        Cells per channel; drawn between 2 and 12 by default.
    sampling_rate : float
        Hz.
    n_samples, pre_samples : int, optional
        Window; 1 ms before to 2 ms after the crossing by default.
    threshold_sigmas : float
        Threshold in SDs of the trace (from its median absolute deviation).
    polarity : {"both", "negative", "positive"}
        Crossings that make an event.
    dead_time_ms : float
        The detector ignores further crossings for this long.
    noise_level : float, optional
        SD of the noise where cells have extrema of 0.7-1.6; drawn between 0.08 and 0.15 by default.
    artefact_kinds : sequence of str
        Names in `artefacts.KINDS` and `artefacts.HELD_OUT_KINDS`.
    artefact_rate_hz, common_rate_hz : float
        Artefacts per second on each channel alone, and on all channels together.
    multi_unit_cells : int
        Distant cells per channel.
    odd_share : float
        Share of cells whose shape is outside the usual families.
    noise_of : {"amplifier", "spikes"}
        Noise falls with frequency, or has the mean spectrum of spikes, as where it is made of those of many far cells
        (Quian Quiroga et al. 2004; Martinez et al. 2009).
    rates : {"even", "unequal"}
        Rates of cells are uniform between 0.5 and 5 Hz, or their logarithms are: many slow cells, few fast ones.
    uv_per_bit : float or None
        Waveforms are int16 of this scale; None gives float32.
    n_events : int, optional
        Repeat the recording, with fresh noise, up to this many events.

    """
    _check(artefact_kinds, polarity=polarity, noise_of=noise_of, rates=rates)
    setup = Setup(
        duration_s=duration_s,
        rate_hz=sampling_rate,
        n_samples=round(3 * sampling_rate / 1000) if n_samples is None else n_samples,
        pre_samples=round(sampling_rate / 1000) if pre_samples is None else pre_samples,
        band=Band.draw(np.random.default_rng([seed, 0])),
        n_units=n_units,
        noise_level=noise_level,
        multi_unit_cells=multi_unit_cells,
        odd_share=odd_share,
        threshold_sigmas=threshold_sigmas,
        polarity=polarity,
        artefact_kinds=artefact_kinds,
        artefact_rate_hz=artefact_rate_hz,
        dead_s=dead_time_ms / 1000,
        noise_of=noise_of,
        rates=rates,
    )
    common = draw_artefacts(np.random.default_rng([seed, 0, 1]), setup, artefact_kinds, common_rate_hz)
    channels = {c: _channel(np.random.default_rng([seed, c]), setup, common) for c in range(1, n_channels + 1)}
    made = _assemble(channels, setup, uv_per_bit)
    return made if n_events is None else tile(made, n_events, duration_s=duration_s, seed=seed)


def tile(simulation: Simulation, n_events: int, *, duration_s: float, seed: int = 0) -> Simulation:
    """Repeat a simulation of `duration_s`, each copy later and with fresh noise, and return its first `n_events`."""
    spikes = simulation.spikes
    if not len(spikes):
        raise DataError("tile: the simulation has no event to repeat. Simulate longer or more channels.")
    copies = -(-n_events // len(spikes))
    rows = np.tile(np.arange(len(spikes)), copies)[:n_events]
    shift = np.repeat(np.arange(copies) * duration_s, len(spikes))[:n_events]
    raw = spikes.raw[rows]
    rng = np.random.default_rng([seed, 3])
    # A quarter of the recording's own noise: enough to make every copy differ, too little to blur the units.
    scale = 0.25 * float(np.median(np.abs(spikes.raw[:, : max(spikes.pre_samples // 2, 1)]))) / 0.6745
    for start in range(len(spikes), n_events, 100_000):
        block = raw[start : start + 100_000]
        block += (rng.standard_normal(block.shape, dtype=np.float32) * np.float32(scale)).astype(raw.dtype)
    repeated = replace(spikes.take(rows), raw=raw, times_s=spikes.times_s[rows] + shift)
    return replace(simulation, spikes=repeated, **{name: getattr(simulation, name)[rows] for name in _COLUMNS})


def _check(kinds: Sequence[str], **chosen: str) -> None:
    for name, choice in chosen.items():
        if choice not in _CHOICES[name]:
            raise DataError(f"simulate: {name} is one of {', '.join(map(repr, _CHOICES[name]))}. Got {choice!r}.")
    known = KINDS | HELD_OUT_KINDS
    for kind in kinds:
        if kind not in known:
            raise DataError(f"simulate: artefact kinds are {', '.join(known)}. Got {kind!r}.")


def _channel(
    rng: np.random.Generator, setup: Setup, common: Sequence[Artefact]
) -> tuple[Events, NDArray[np.float32], float]:
    """Return the events of one channel, its units' shapes in noise SDs, and the SD in µV."""
    sigma_uv = float(rng.uniform(5, 15))
    cells = draw_cells(rng, setup)
    alone = draw_artefacts(rng, setup, setup.artefact_kinds, setup.artefact_rate_hz)
    events = detect(rng, setup, cells, [*common, *alone])
    n_units = len(cells.unit_size)
    place = cells.bank.peak[:n_units, None] + np.arange(-setup.pre_samples, setup.n_samples - setup.pre_samples)
    inside = (place >= 0) & (place < cells.bank.shapes.shape[2])
    place = np.clip(place, 0, cells.bank.shapes.shape[2] - 1)
    shapes = cells.bank.shapes[np.arange(n_units)[:, None], 0, place] * inside * cells.unit_size[:, None]
    return events, shapes.astype(np.float32), sigma_uv


def _assemble(
    channels: dict[int, tuple[Events, NDArray[np.float32], float]], setup: Setup, uv_per_bit: float | None
) -> Simulation:
    parts = [events for events, _, _ in channels.values()] or [no_events(setup.n_samples)]
    channel = np.repeat(np.array(list(channels) or [1], np.int32), [len(events.at_sample) for events in parts])
    sample = np.concatenate([events.at_sample for events in parts])
    order = np.lexsort((channel, sample))
    scale = np.array([sigma for _, _, sigma in channels.values()] or [1.0], np.float32)
    waveforms = np.concatenate([events.waveforms * sigma for events, sigma in zip(parts, scale, strict=True)])[order]
    if uv_per_bit is not None:
        waveforms = np.clip(np.rint(waveforms / np.float32(uv_per_bit)), -32768, 32767).astype(np.int16)
    spikes = Spikes(
        raw=waveforms,
        times_s=sample[order] / setup.rate_hz,
        channel=channel[order],
        unit=np.ones(len(order), np.int32),
        experiment=np.zeros(len(order), np.int32),
        sampling_rate=setup.rate_hz,
        pre_samples=setup.pre_samples,
        uv_per_bit=1.0 if uv_per_bit is None else uv_per_bit,
        channels=_channel_table(list(channels)),
        sources=("simulated",),
    )
    columns = {name: np.concatenate([getattr(events, name) for events in parts])[order] for name in _COLUMNS}
    shapes = {number: unit_shapes * np.float32(sigma) for number, (_, unit_shapes, sigma) in channels.items()}
    return Simulation(spikes, shapes_uv=shapes, **columns)


def _channel_table(ids: list[int]) -> pd.DataFrame:
    """Place the electrodes on a square grid of 400 µm, as arrays have them."""
    side = max(int(np.ceil(np.sqrt(len(ids)))), 1)
    place = np.arange(len(ids))
    return pd.DataFrame(
        {"id": np.array(ids, np.int64), "x_um": 400.0 * (place % side), "y_um": 400.0 * (place // side)}
    ).assign(threshold_uv=np.nan)
