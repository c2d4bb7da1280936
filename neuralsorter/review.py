"""What needs a person's eyes: units ranked by what speaks against them, and refractory violations one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import METRICS, Recording, shapes, unit_metrics
from .sorting import clock, merge_suggestions, split_suggestions
from .spikes import NOISE, Spikes
from .spiketrain import stretches

SETTLED = ("noise", "mua")  # labels after which contamination and size are no news
_WEIGHTS = {
    "contamination": 3.0, "isi_violation_ratio": 2.0, "snr": 2.0, "shape_stability": 2.0, "drift_percent": 1.5,
    "amplitude_cutoff": 1.0, "presence_ratio": 1.0, "count": 1.0,
}  # fmt: skip
_MERGE_WEIGHT = _SPLIT_WEIGHT = 3.0
_MOST = 2.0  # times its weight that a value far beyond its limit counts


@dataclass(frozen=True)
class Concern:
    """A unit, or two, that somebody should look at.

    Attributes
    ----------
    channel : int
    units : tuple of int
        One unit, or two that may be one.
    kind : {"flags", "merge", "split"}
        Whether numbers speak against a unit, two may be one, or one may be several.
    score : float
        How urgent; concerns are ranked by it.
    reasons : tuple of str
        What speaks against it, a sentence each.

    """

    channel: int
    units: tuple[int, ...]
    kind: str
    score: float
    reasons: tuple[str, ...]

    @property
    def key(self) -> tuple[int, tuple[int, ...], str]:
        """What tells it from others."""
        return self.channel, self.units, self.kind


def concerns(part: Spikes, of: Recording, labels: Mapping[tuple[int, int], str] | None = None) -> list[Concern]:
    """Return what speaks against the units of one channel, the most urgent first.

    Parameters
    ----------
    part : Spikes
        All events of one channel, noise included.
    of : Recording
        `metrics.recording(...)` of the whole recording.
    labels : mapping, optional
        {(channel, unit): label}; units labelled noise or mua are settled.

    """
    if not len(part):
        return []
    channel, known = int(part.channel[0]), labels or {}
    units = [int(u) for u in np.unique(part.unit[part.unit > NOISE]) if known.get((channel, int(u))) not in SETTLED]
    waveforms, where = part.waveforms, stretches(part)
    noise_uv = shapes.channel_noise(waveforms, part.pre_samples)
    found = []
    for unit in units:
        rows = np.flatnonzero(part.unit == unit)
        values = unit_metrics(
            waveforms[rows], part.times_s[rows], where[rows], of, sampling_rate=part.sampling_rate,
            noise_uv=noise_uv, refractory_ms=of.refractory_ms,
        )  # fmt: skip
        score, reasons = _flagged(values)
        if reasons:
            found.append(Concern(channel, (unit,), "flags", score, reasons))
    kept = np.flatnonzero(np.isin(part.unit, units))
    return sorted(found + _suggested(part.take(kept)), key=lambda concern: -concern.score)


def _suggested(part: Spikes) -> list[Concern]:
    """Return what may be merged and what may be split in one channel, noise and settled units left out."""
    if not len(part):
        return []
    channel = int(part.channel[0])
    events = part.waveforms, clock(part), part.unit, part.sampling_rate, part.pre_samples
    found = []
    for pair in merge_suggestions(*events):
        units, reason = (pair.first, pair.second), f"Units {pair.first} and {pair.second} may be one: {pair.reason}."
        found.append(Concern(channel, units, "merge", _MERGE_WEIGHT * pair.score, (reason,)))
    for one in split_suggestions(*events):
        reason = f"Unit {one.unit} may be {len(one.sizes)}: {one.reason}."
        found.append(Concern(channel, (one.unit,), "split", _SPLIT_WEIGHT * one.score, (reason,)))
    return found


def violations(
    times_s: NDArray[np.float64], stretch: NDArray[np.int64], unit: NDArray[Any], below_s: float
) -> NDArray[np.int64]:
    """Return pairs of consecutive events of one unit closer than `below_s`, noise left out, in order of time.

    Parameters
    ----------
    times_s, stretch, unit : ndarray, (n_spikes,)
        Events of one channel.
    below_s : float
        The refractory period.

    Returns
    -------
    ndarray, (n_pairs, 2), int64
        Positions in the arrays, the earlier event first.

    """
    kept = np.flatnonzero((unit > NOISE) & np.isfinite(times_s))
    order = kept[np.lexsort((times_s[kept], stretch[kept], unit[kept]))]
    first, second = order[:-1], order[1:]
    close = (
        (unit[first] == unit[second])
        & (stretch[first] == stretch[second])
        & (times_s[second] - times_s[first] < below_s)
    )
    pairs = np.stack((first[close], second[close]), axis=1)
    return pairs[np.lexsort((times_s[pairs[:, 0]], stretch[pairs[:, 0]]))]


def _flagged(values: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
    score, reasons = 0.0, []
    for metric in METRICS:
        value = float(values.get(metric.name, np.nan))
        if metric.name not in _WEIGHTS or metric.limit is None or not metric.is_flagged(value):
            continue
        beyond = value / metric.limit if metric.better == "lower" else metric.limit / max(value, 1e-9)
        score += _WEIGHTS[metric.name] * min(max(beyond, 1.0), _MOST)
        reasons.append(metric.warning.format(value=value, limit=metric.limit))
    return score, tuple(reasons)
