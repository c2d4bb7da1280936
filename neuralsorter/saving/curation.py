"""SpikeInterface curation JSON, format version 2: units and their labels."""

from __future__ import annotations

import json
from typing import IO

from neuralsorter.spikes import NOISE, Spikes

QUALITIES = ("good", "mua", "noise", "unsorted")


def unit_id(channel: int, unit: int) -> str:
    """Return the name of a unit outside NeuralSorter."""
    return f"{channel}_{unit}"


def write_curation(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write unit ids CHANNEL_UNIT with their quality; noise is removed, free text is a label of its own."""
    pairs = [(channel, unit) for channel, counts in spikes.unit_counts().items() for unit in counts]
    labelled = []
    free: set[str] = set()
    for channel, unit in pairs:
        label = spikes.labels.get((channel, unit), "") or ("noise" if unit == NOISE else "")
        if label in QUALITIES:
            labelled.append({"unit_id": unit_id(channel, unit), "labels": {"quality": [label]}})
        elif label:
            free.add(label)
            labelled.append({"unit_id": unit_id(channel, unit), "labels": {"text": [label]}})
    definitions = {"quality": {"label_options": list(QUALITIES), "exclusive": True}}
    if free:
        definitions["text"] = {"label_options": [*sorted(free), "other"], "exclusive": True}  # two or more
    content = {
        "format_version": "2",
        "unit_ids": [unit_id(*pair) for pair in pairs],
        "label_definitions": definitions,
        "manual_labels": labelled,
        "removed": [unit_id(channel, unit) for channel, unit in pairs if unit == NOISE],
        "merges": [],
        "splits": [],
    }
    file.write(json.dumps(content, indent=1).encode())
    return []
