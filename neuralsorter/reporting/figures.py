"""The figures of one channel."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np

from neuralsorter.means import unit_means
from neuralsorter.palette import unit_colour
from neuralsorter.spikes import NOISE, Spikes
from neuralsorter.spiketrain import correlograms, isi_histogram, stretches

from .density_picture import amplitude_range, density_png
from .drawing import FAINT, Frame, as_url, drawing

_LEFT, _TOP, _BELOW, _RIGHT = 52, 22, 36, 12
_DENSITY, _MEANS = (560, 296), (360, 222)  # as large as they are shown; the picture of the density has more pixels
_PANEL, _SMALL_PANEL = (190, 120), (104, 76)
_ISI_MS, _LAG_MS, _BIN_MS = 50.0, 25.0, 1.0
_MOST_UNITS = 8  # in the matrix of correlograms: 36 panels are what a page holds
_PANELS = 4  # histograms of intervals side by side


class Figure(TypedDict):
    """A figure as the page shows it; `url` holds the whole SVG file."""

    name: str
    title: str
    alt: str
    url: str
    width: int
    height: int


def figures(spikes: Spikes, refractory_ms: float) -> list[Figure]:
    """Draw the events of one channel.

    Parameters
    ----------
    spikes : Spikes
        All events of the channel, noise included.
    refractory_ms : float
        Where to draw the line in the histograms of intervals.

    """
    channel = int(spikes.channel[0])
    y_range = amplitude_range(spikes)
    made = [_densities(spikes, channel, y_range), _means(spikes, channel)]
    units = np.unique(spikes.unit[(spikes.unit > NOISE) & np.isfinite(spikes.times_s)]).tolist()
    if units:
        made += [_intervals(spikes, channel, units, refractory_ms), _correlograms(spikes, channel, units)]
    return made


def _figure(name: str, title: str, alt: str, size: tuple[float, float], frames: list[Frame]) -> Figure:
    width, height = (round(length) for length in size)
    svg = drawing(width, height, frames, f"{title}. {alt}")
    return {"name": name, "title": title, "alt": alt, "url": as_url(svg), "width": width, "height": height}


def _x_range(spikes: Spikes) -> tuple[float, float]:
    """Return the window in ms; several channels of an event lie side by side."""
    step, wires = 1000 / spikes.sampling_rate, spikes.raw.shape[1] if spikes.raw.ndim == 3 else 1
    first = -spikes.pre_samples * step
    return first, first + (wires * (spikes.n_samples + 1) - 2) * step


def _densities(spikes: Spikes, channel: int, y_range: tuple[float, float]) -> Figure:
    frame = Frame(_LEFT, _TOP, *_DENSITY, _x_range(spikes), y_range)
    frame.picture(density_png(spikes, y_range))
    frame.axes("ms from the threshold crossing", "µV")
    return _figure(
        f"channel-{channel}-waveforms",
        "Every waveform",
        f"Density of all {len(spikes):,} waveforms of channel {channel}, coloured by unit, noise in grey.",
        (_LEFT + _DENSITY[0] + _RIGHT, _TOP + _DENSITY[1] + _BELOW),
        [frame],
    )


def _means(spikes: Spikes, channel: int) -> Figure:
    flat = spikes.raw.reshape(len(spikes), -1)
    found = unit_means(flat, spikes.unit, spikes.uv_per_bit)
    low, high = np.nan_to_num([np.nanmin(found.mean - found.sd), np.nanmax(found.mean + found.sd)])
    air = 0.05 * (high - low) or 1.0
    frame = Frame(_LEFT, _TOP, *_MEANS, _x_range(spikes), (low - air, high + air))
    x = frame.x_range[0] + np.arange(flat.shape[1]) * 1000 / spikes.sampling_rate
    if spikes.raw.ndim == 3:
        x = x + np.arange(flat.shape[1]) // spikes.n_samples * 1000 / spikes.sampling_rate
    for unit, mean, sd in zip(found.units.tolist(), found.mean, found.sd, strict=True):
        frame.band(x, mean - sd, mean + sd, unit_colour(unit))
        frame.line(x, mean, unit_colour(unit))
    frame.axes("ms from the threshold crossing", "µV")
    names = ", ".join("noise" if unit == NOISE else f"unit {unit}" for unit in found.units.tolist())
    return _figure(
        f"channel-{channel}-means",
        "Mean waveforms ± SD",
        f"Mean and standard deviation of the waveforms of {names}.",
        (_LEFT + _MEANS[0] + _RIGHT, _TOP + _MEANS[1] + _BELOW),
        [frame],
    )


def _intervals(spikes: Spikes, channel: int, units: list[int], refractory_ms: float) -> Figure:
    where, frames, told = stretches(spikes), [], []
    step_x, step_y = _PANEL[0] + _LEFT, _PANEL[1] + _TOP + _BELOW
    for number, unit in enumerate(units):
        rows = spikes.unit == unit
        counts, edges = isi_histogram(spikes.times_s[rows], _ISI_MS, _BIN_MS, where[rows])
        down, along = divmod(number, _PANELS)
        place = _LEFT + along * step_x, _TOP + down * step_y
        frame = Frame(*place, *_PANEL, (0, _ISI_MS), (0, max(int(counts.max()), 1) * 1.05))
        frame.bars(edges, counts, unit_colour(unit))
        frame.line([refractory_ms] * 2, frame.y_range, FAINT, width=1, dash="3 3")
        frame.axes("interval (ms)", f"unit {unit}: {int(counts.sum()):,} below {_ISI_MS:g} ms")
        frames.append(frame)
        told.append(f"unit {unit}: {int(counts.sum())}")
    across, high = min(len(units), _PANELS), -(-len(units) // _PANELS)
    return _figure(
        f"channel-{channel}-intervals",
        "Intervals between events",
        f"Histograms of intervals up to {_ISI_MS:g} ms, refractory period of {refractory_ms:g} ms dashed; "
        f"intervals counted: {', '.join(told)}.",
        (across * step_x + _RIGHT, high * step_y),
        frames,
    )


def _correlograms(spikes: Spikes, channel: int, units: list[int]) -> Figure:
    size: Any = {unit: int((spikes.unit == unit).sum()) for unit in units}
    shown = sorted(sorted(units, key=lambda unit: -size[unit])[:_MOST_UNITS])
    rows = np.isin(spikes.unit, shown)
    table = correlograms(
        spikes.times_s[rows], spikes.unit[rows], _LAG_MS, _BIN_MS, spikes.sampling_rate, stretches(spikes)[rows]
    )
    side = _PANEL if len(shown) == 1 else _SMALL_PANEL
    step = side[0] + 40, side[1] + 40
    frames = []
    for i, unit in enumerate(shown):
        for j, other in enumerate(shown[i:], start=i):
            counts = table.pair(unit, other)
            place = 40 + j * step[0], _TOP + i * step[1]
            frame = Frame(*place, *side, (-_LAG_MS, _LAG_MS), (0, max(int(counts.max()), 1) * 1.05))
            frame.bars(table.edges_ms, counts, unit_colour(unit) if i == j else FAINT)
            frame.axes(*(("lag (ms)", f"unit {unit}") if i == j else ("", f"{other} around {unit}")))
            frames.append(frame)
    left_out = f" The {_MOST_UNITS} largest of {len(units)} units are shown." if len(units) > len(shown) else ""
    return _figure(
        f"channel-{channel}-correlograms",
        "Auto- and cross-correlograms",
        f"Counts by lag, ±{_LAG_MS:g} ms, for units {', '.join(map(str, shown))}; each with itself on the "
        f"diagonal.{left_out}",
        (len(shown) * step[0] + _RIGHT, len(shown) * step[1] + _TOP),
        frames,
    )
