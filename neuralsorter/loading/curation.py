"""SpikeInterface curation JSON, format versions 1 and 2: labels, merges, splits and removals put onto events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from neuralsorter.errors import LoadError
from neuralsorter.spikes import NOISE, Spikes

_MOST_BYTES = 64 << 20
_REMEDY = "Export it for these events again"
_QUALITY_FIRST = ("quality", "text")


def apply_curation(spikes: Spikes, path: str | Path) -> Spikes:
    """Return the events with what a curation JSON says of their units, named CHANNEL_UNIT.

    Parameters
    ----------
    spikes : Spikes
        Events whose units the file speaks of; indices in splits count the events of a unit in row order.
    path : str or Path
        Written by SpikeInterface, its GUI, sortingview or `save(spikes, "NAME.json")`.

    Raises
    ------
    LoadError
        When the file is another thing, or speaks of units that are not there.

    """
    path = Path(path)
    content = _read(path)
    rows = _rows(path, spikes, content)
    unit = np.array(spikes.unit)
    labels = dict(spikes.labels)
    for entry in content.get("manual_labels", []):
        pair = _pair(path, entry.get("unit_id"), rows)
        said = _label(entry)
        if said:
            labels[pair] = said
    for name in content.get("removed", content.get("removed_units", [])):
        unit[rows[_pair(path, name, rows)]] = NOISE
    for entry in content.get("merges", []):
        _merge(path, entry, rows, unit, labels)
    for entry in content.get("splits", []):
        _split(path, entry, rows, unit, spikes)
    return spikes.with_unit(unit, labels)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise LoadError(path, f"is larger than {_MOST_BYTES} bytes", _REMEDY)
        content = json.loads(path.read_text("utf-8"))
    except OSError as cause:
        raise LoadError(path, f"cannot be read ({cause.strerror})", "Check its name") from None
    except (ValueError, RecursionError) as cause:
        raise LoadError(path, f"is not JSON ({cause})", _REMEDY) from None
    if (
        not isinstance(content, dict)
        or str(content.get("format_version")) not in {"1", "2"}
        or "unit_ids" not in content
    ):
        raise LoadError(path, "is no curation of format version 1 or 2", _REMEDY)
    return content


def _rows(path: Path, spikes: Spikes, content: dict[str, Any]) -> dict[tuple[int, int], np.ndarray[Any, Any]]:
    rows = {
        (channel, unit): np.flatnonzero((spikes.channel == channel) & (spikes.unit == unit))
        for channel, counts in spikes.unit_counts().items()
        for unit in counts
    }
    for name in content["unit_ids"]:
        _pair(path, name, rows)
    return rows


def _pair(path: Path, name: Any, rows: dict[tuple[int, int], Any]) -> tuple[int, int]:
    channel, _, unit = str(name).rpartition("_")
    try:
        pair = int(channel), int(unit)
    except ValueError:
        pair = (-1, -1)
    if pair not in rows:
        raise LoadError(path, f"speaks of unit {name!r}, which these events do not have (named CHANNEL_UNIT)", _REMEDY)
    return pair


def _label(entry: dict[str, Any]) -> str:
    """Return one label: the quality where there is one."""
    told: dict[str, Any] = entry.get("labels") or {k: v for k, v in entry.items() if k != "unit_id"}
    for name in (*_QUALITY_FIRST, *told):
        values = told.get(name)
        if values:
            return str(values[0] if isinstance(values, list) else values)
    return ""


def _merge(
    path: Path, entry: Any, rows: dict[tuple[int, int], Any], unit: np.ndarray[Any, Any], labels: dict[Any, str]
) -> None:
    names = entry["unit_ids"] if isinstance(entry, dict) else entry
    pairs = [_pair(path, name, rows) for name in names]
    if len({channel for channel, _ in pairs}) > 1:
        raise LoadError(path, f"merges units of different channels: {', '.join(map(str, names))}", _REMEDY)
    kept = min(pairs)
    for pair in pairs:
        unit[rows[pair]] = kept[1]
        if pair != kept:
            labels.pop(pair, None)


def _split(
    path: Path, entry: dict[str, Any], rows: dict[tuple[int, int], Any], unit: np.ndarray[Any, Any], spikes: Spikes
) -> None:
    """Let the first part keep the number, give the others fresh ones."""
    pair = _pair(path, entry.get("unit_id"), rows)
    own = rows[pair]
    try:
        part = np.zeros(len(own), np.int64)
        if entry.get("mode") == "labels":
            part[:] = np.unique(np.asarray(entry["labels"], np.int64), return_inverse=True)[1]
        else:
            for number, index in enumerate(entry["indices"], 1):
                part[np.asarray(index, np.int64)] = number
    except (KeyError, ValueError, IndexError, TypeError):
        raise LoadError(path, f"splits unit {entry.get('unit_id')!r} by indices it does not have", _REMEDY) from None
    highest = int(max(unit[spikes.channel == pair[0]].max(), spikes.unit[spikes.channel == pair[0]].max()))
    for number in np.unique(part)[1:]:  # the lowest part present keeps the number
        highest += 1
        unit[own[part == number]] = highest
