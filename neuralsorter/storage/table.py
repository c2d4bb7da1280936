"""Several experiments as one table of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neuralsorter.spikes import Spikes
from neuralsorter.store import Experiment


def joined_raw(
    experiments: Sequence[Experiment], offsets: NDArray[np.int64], rows: ArrayLike | slice, *, as_uv: bool
) -> NDArray[Any]:
    """Return waveforms of rows: a view where they are neighbours in one experiment, else a copy.

    Parameters
    ----------
    experiments, offsets
        The parts and the first row of each, with the total at the end.
    rows : slice, or ndarray of int or bool
        Which.
    as_uv : bool
        Scale to µV, float32, because the parts are scaled differently.

    """
    if isinstance(rows, slice) and rows.step in (None, 1):
        first, last, _ = rows.indices(int(offsets[-1]))
        index: NDArray[Any] = np.zeros(0, np.int64)
        neighbours = True
    else:
        index = np.arange(int(offsets[-1]))[rows] if isinstance(rows, slice) else np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64, copy=False)
        first, last = (int(index[0]), int(index[-1]) + 1) if len(index) else (0, 0)
        neighbours = last - first == len(index) and bool((np.diff(index) == 1).all())
    if neighbours:
        parts = [
            _scaled(e, e.raw[max(first - start, 0) : max(last - start, 0)], as_uv=as_uv)
            for e, start in zip(experiments, offsets.tolist(), strict=False)
            if first < start + len(e) and last > start
        ]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else _scaled(experiments[0], experiments[0].raw[:0], as_uv=as_uv)
    return _gathered(experiments, offsets, index, as_uv=as_uv)


def spikes_of(
    experiments: Sequence[Experiment],
    unit: NDArray[np.int32],
    labels: Mapping[tuple[int, int], str],
    *,
    old_unit: NDArray[np.int32] | None = None,
    before: Spikes | None = None,
) -> Spikes:
    """Return all experiments as one table with these units; `before` lends its other columns.

    Its columns were checked when they were stored, so they are not read here: the time does not depend on their size.
    """
    first = experiments[0]
    if before is not None and len(before) == len(unit):
        columns = {name: getattr(before, name) for name in before.__dataclass_fields__}
    else:
        alike = len({(e.raw.dtype, e.uv_per_bit) for e in experiments}) == 1
        columns = {
            "raw": _column([e.raw if alike else _scaled(e, e.raw, as_uv=True) for e in experiments]),
            **{
                name: _column([getattr(e, name) for e in experiments])
                for name in ("times_s", "channel", "old_unit", "segment")
            },
            "experiment": _column([np.broadcast_to(np.int32(i), (len(e),)) for i, e in enumerate(experiments)]),
            "sampling_rate": first.sampling_rate,
            "pre_samples": first.pre_samples,
            "uv_per_bit": first.uv_per_bit if alike else 1.0,
            "channels": _one_per_channel([e.channels for e in experiments]),
            "triggers": _triggers(experiments),
            "sources": tuple(e.source or e.name for e in experiments),
        }
    if old_unit is not None:
        columns["old_unit"] = old_unit
    unit.flags.writeable = False
    spikes: Spikes = object.__new__(Spikes)
    for name, value in {**columns, "unit": unit, "labels": dict(labels)}.items():
        object.__setattr__(spikes, name, value)
    return spikes


def last_times(experiment: Experiment) -> dict[int, float]:
    """Return {segment: time of its last event in s}, those whose times are unknown left out.

    In each channel a run of the clock ends with its last event, so few pages are read, whatever the size.
    """
    last: dict[int, float] = {}
    one_run = experiment.segment.strides[0] == 0
    for _, start, stop in experiment.channel_ptr.tolist():
        at = start
        while at < stop:
            segment = int(experiment.segment[at])
            end = stop if one_run else at + int(np.searchsorted(experiment.segment[at:stop], segment, side="right"))
            known = end
            if np.isnan(experiment.times_s[end - 1]):  # unknown times come last
                known = at + int(np.searchsorted(experiment.times_s[at:end], np.inf, side="right"))
            if known > at:
                last[segment] = max(last.get(segment, 0.0), float(experiment.times_s[known - 1]))
            at = end
    return last


def _scaled(experiment: Experiment, raw: NDArray[Any], *, as_uv: bool) -> NDArray[Any]:
    return np.multiply(raw, np.float32(experiment.uv_per_bit), dtype=np.float32) if as_uv else raw


def _gathered(
    experiments: Sequence[Experiment], offsets: NDArray[np.int64], index: NDArray[np.int64], *, as_uv: bool
) -> NDArray[Any]:
    if len(experiments) == 1:
        return _scaled(experiments[0], experiments[0].raw[index], as_uv=as_uv)
    part_of = np.searchsorted(offsets, index, "right") - 1
    dtype = np.dtype(np.float32) if as_uv else experiments[0].raw.dtype
    result = np.empty((len(index), *experiments[0].raw.shape[1:]), dtype)
    for number in np.unique(part_of).tolist():
        inside, e = part_of == number, experiments[number]
        result[inside] = _scaled(e, e.raw[index[inside] - offsets[number]], as_uv=as_uv)
    return result


def _column(parts: list[NDArray[Any]]) -> NDArray[Any]:
    column = parts[0] if len(parts) == 1 else np.concatenate(parts)
    view = column.view()
    view.flags.writeable = False
    return view


def _triggers(experiments: Sequence[Experiment]) -> pd.DataFrame:
    if len(experiments) == 1:
        return experiments[0].triggers
    tables = [e.triggers.assign(experiment=np.int64(number)) for number, e in enumerate(experiments)]
    return pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)


def _one_per_channel(tables: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    if len(filled) < 2:
        return filled[0] if filled else tables[0]
    return pd.concat(filled, ignore_index=True).drop_duplicates("id", ignore_index=True)
