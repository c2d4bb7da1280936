"""What a report says of one channel: plain numbers and texts, made wherever there is a core free."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from neuralsorter.metrics import METRICS, Recording, flags, metrics
from neuralsorter.palette import unit_colour
from neuralsorter.spikes import NOISE, Spikes

from .figures import Figure, figures

NOT_KNOWN = "\N{EN DASH}"


class UnitLine(TypedDict):
    """One unit, noise (0) among them."""

    unit: int
    name: str
    colour: str
    count: int
    label: str
    note: str
    locked: bool
    flags: list[str]


class MetricLine(TypedDict):
    """One metric of every unit, in the order of the units but noise."""

    label: str
    formula: str
    values: list[str]
    flagged: list[bool]


class Section(TypedDict):
    """One channel."""

    channel: int
    events: int
    noise: int
    note: str
    reviewed: bool
    units: list[UnitLine]
    metrics: list[MetricLine]
    figures: list[Figure]


@dataclass(frozen=True, eq=False)
class Channel:
    """The events of one channel and what people said of them.

    Attributes
    ----------
    spikes : Spikes
        All events, noise included, with labels.
    of : Recording
        Of the whole recording.
    notes : dict
        {unit: text}; -1 is the channel.
    locked : frozenset of int
        Locked units.
    reviewed : bool
        Whether a person has marked the channel as done.

    """

    spikes: Spikes
    of: Recording
    notes: dict[int, str] = field(default_factory=dict)
    locked: frozenset[int] = frozenset()
    reviewed: bool = False


def describe(task: Channel) -> Section:
    """Compute counts, metrics and figures of one channel."""
    spikes = task.spikes
    channel = int(spikes.channel[0])
    table = metrics(spikes, of=task.of)
    red = {int(row["unit"]): flags(row) for row in table.to_dict("records")}
    counts = spikes.unit_counts()[channel]
    refractory_ms = float(table["refractory_ms"].iloc[0]) if len(table) else 1.5
    return {
        "channel": channel,
        "events": len(spikes),
        "noise": counts.get(NOISE, 0),
        "note": task.notes.get(-1, ""),
        "reviewed": task.reviewed,
        "units": [
            {
                "unit": unit,
                "name": "noise" if unit == NOISE else f"unit {unit}",
                "colour": unit_colour(unit),
                "count": count,
                "label": spikes.labels.get((channel, unit), ""),
                "note": task.notes.get(unit, ""),
                "locked": unit in task.locked,
                "flags": red.get(unit, []),
            }
            for unit, count in sorted(counts.items())
        ],
        "metrics": [
            {
                "label": metric.label,
                "formula": metric.formula,
                "values": [_text(value, metric.digits) for value in table[metric.name]],
                "flagged": [metric.is_flagged(float(value)) for value in table[metric.name]],
            }
            for metric in METRICS
        ],
        "figures": figures(spikes, refractory_ms),
    }


def _text(value: float, digits: str) -> str:
    return format(float(value), digits) if np.isfinite(value) else NOT_KNOWN
