"""SpikeInterface folders, read without it: `SortingAnalyzer` (binary, zarr) and waveforms of versions before 0.101."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .folders import described, has, npy, numbers
from .remarks import remark

GROUP = 4  # channels that are taken for one tetrode, stereotrode or electrode and kept together
_LABELS = ("quality", "curation_quality", "group", "KSLabel")
_COPY = "Save the analyzer again with the extensions random_spikes and waveforms"


@dataclass(frozen=True)
class Cutouts:
    """What an analyzer holds, format by format brought to one form.

    Attributes
    ----------
    raw : ndarray, (n, n_samples, n_slots)
        µV; a slot is a channel, or with `sparsity` the next channel of the unit.
    unit_index : ndarray, (n,), int
        Position of the unit of each event.
    times_s : ndarray, (n,)
        Seconds; NaN where not stored.
    segment : ndarray, (n,), int
        Segment of the recording.
    sparsity : ndarray, (n_units, n_channels), bool, or None
        Channels that each unit has waveforms of.

    """

    raw: NDArray[Any]
    unit_index: NDArray[Any]
    times_s: NDArray[Any]
    segment: NDArray[Any]
    unit_ids: list[Any]
    channel_ids: list[Any]
    sparsity: NDArray[np.bool_] | None
    positions: NDArray[Any] | None
    labels: list[str]
    rate: float
    pre_samples: int


class AnalyzerLoader(Loader):
    """SpikeInterface SortingAnalyzer or waveforms folder; in large arrays each unit on its main channel."""

    folders: ClassVar[tuple[str, ...]] = (
        "spikeinterface_info.json",
        "waveforms/waveforms_*.npy",
        "extensions/.zgroup",
        "extensions/zarr.json",
    )

    def load(self, path: Path) -> Spikes:
        """Return the events that have waveforms, in order of time."""
        if has(path, "extensions", ".zgroup") or has(path, "extensions", "zarr.json"):
            from .analyzerzarr import from_zarr

            return spikes_of(path, from_zarr(path))
        if has(path, "spikeinterface_info.json"):
            return spikes_of(path, _from_binary(path))
        from .waveformsfolder import from_waveforms

        return spikes_of(path, from_waveforms(path))


def spikes_of(path: Path, cut: Cutouts) -> Spikes:
    """Return events from cut-outs: a small group of channels side by side, else the main channel of each unit."""
    n, n_samples = len(cut.raw), cut.raw.shape[1]
    fitting = not n or 0 <= cut.unit_index.min() <= cut.unit_index.max() < len(cut.unit_ids)
    if not (fitting and len(cut.unit_index) == len(cut.times_s) == n):
        raise LoadError(path, f"has {n} waveforms that do not fit its {len(cut.unit_index)} spikes", _COPY)
    names = _channel_numbers(cut.channel_ids)
    if len(names) <= GROUP:
        raw = np.full((n, len(names), n_samples), np.nan, np.float32)
        for unit in range(len(cut.unit_ids)):
            rows = np.flatnonzero(cut.unit_index == unit)
            there = _channels_of(cut, unit)
            raw[rows[:, None], there] = np.moveaxis(cut.raw[rows][:, :, : len(there)], 2, 1)
        raw = raw[:, 0] if len(names) == 1 else raw
        channel = np.full(n, names[0] if names else 1, np.int32)
    else:
        raw, channel = _main_channel(cut, names)
    own = _unit_numbers(cut.unit_ids)
    unit = np.array(own, np.int32)[cut.unit_index]
    labels = {}
    for index in np.unique(cut.unit_index).tolist():
        if cut.labels and cut.labels[index]:
            labels[int(channel[cut.unit_index == index][0]), own[index]] = cut.labels[index]
    order = np.lexsort((channel, cut.times_s, cut.segment))
    return Spikes(
        raw=raw[order],
        times_s=np.asarray(cut.times_s, np.float64)[order],
        channel=channel[order],
        unit=unit[order],
        experiment=np.zeros(n, np.int32),
        segment=np.asarray(cut.segment, np.int32)[order],
        sampling_rate=cut.rate,
        pre_samples=min(max(cut.pre_samples, 0), n_samples - 1),
        labels=labels,
        channels=_electrodes(names, cut.positions),
        sources=(str(path),),
    )


def _channels_of(cut: Cutouts, unit: int) -> NDArray[np.int64]:
    n_slots = cut.raw.shape[2]
    there = np.arange(len(cut.channel_ids)) if cut.sparsity is None else np.flatnonzero(cut.sparsity[unit])
    return there[:n_slots]


def _main_channel(cut: Cutouts, names: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return each event on the channel where its unit's mean waveform is largest."""
    raw = np.zeros((len(cut.raw), cut.raw.shape[1]), np.float32)
    channel = np.zeros(len(cut.raw), np.int32)
    for unit in np.unique(cut.unit_index).tolist():
        rows = np.flatnonzero(cut.unit_index == unit)
        there = _channels_of(cut, unit)
        mean = np.nan_to_num(cut.raw[rows].mean(axis=0))[:, : len(there)]
        best = int(np.ptp(mean, axis=0).argmax()) if len(there) else 0
        raw[rows] = cut.raw[rows, :, best]
        channel[rows] = names[there[best]] if len(there) else names[0]
    remark(f"has {len(names)} channels: each unit is read on the channel where its mean waveform is largest.")
    return raw, channel


def _channel_numbers(ids: Sequence[Any]) -> list[int]:
    """Return the number in each id (`5`, `CH5`); the position from 1 where those are not unique."""
    found = [re.search(r"(\d{1,6})$", str(name)) for name in ids]
    told = [int(match.group(1)) for match in found if match]
    if len(set(told)) == len(ids):
        return told
    remark("names its channels without numbers of their own: they are counted from 1.")
    return list(range(1, len(ids) + 1))


def _unit_numbers(ids: Sequence[Any]) -> list[int]:
    """Return units from 1: the ids themselves where they are positive whole numbers."""
    told = [int(str(name)) if str(name).isdecimal() and len(str(name)) < 9 else 0 for name in ids]
    if len(set(told)) == len(told) and min(told, default=1) > 0:
        return told
    remark(f"names its units {', '.join(map(str, ids[:6]))}{' ...' if len(ids) > 6 else ''}: they are counted from 1.")
    return list(range(1, len(ids) + 1))


def _electrodes(names: Sequence[int], positions: NDArray[Any] | None) -> pd.DataFrame:
    unknown = np.full((len(names), 2), np.nan)
    xy = unknown if positions is None or positions.shape != (len(names), 2) else positions
    return pd.DataFrame(
        {"id": np.array(names, np.int64), "x_um": xy[:, 0], "y_um": xy[:, 1], "threshold_uv": np.nan}
    ).sort_values("id", ignore_index=True)


def _from_binary(path: Path) -> Cutouts:
    for name in ("random_spikes", "waveforms"):
        if not has(path, "extensions", name):
            raise LoadError(path, f"lacks the extension {name}", _COPY)
    spikes = npy(path, "sorting", "spikes.npy")
    if spikes.ndim != 1 or not {"sample_index", "unit_index", "segment_index"} <= set(spikes.dtype.names or ()):
        raise LoadError(path, "holds sorting/spikes.npy as something else than a table of spikes", _COPY)
    chosen = numbers(path, "extensions", "random_spikes", "random_spikes_indices.npy", n_dim=1)
    raw = numbers(path, "extensions", "waveforms", "waveforms.npy", n_dim=3)
    if len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(spikes):
        raise LoadError(path, f"chooses spikes beyond the {len(spikes)} of its sorting", _COPY)
    sorting = described(path, "sorting", "numpysorting_info.json")
    kept = spikes[np.asarray(chosen, np.int64)]
    sparsity = numbers(path, "sparsity_mask.npy", n_dim=2).astype(bool) if has(path, "sparsity_mask.npy") else None
    say_how_many(len(chosen), len(spikes))
    recording = described(path, "recording_info", "recording_attributes.json")
    settings = described(path, "settings.json") if has(path, "settings.json") else {}
    scaled = settings.get("return_in_uV", settings.get("return_scaled", True))
    labels = _labels(path, len(sorting["unit_ids"]))
    return cutouts(
        path, raw, kept["unit_index"], kept["sample_index"], kept["segment_index"], sorting["unit_ids"], recording,
        described(path, "extensions", "waveforms", "params.json"), sparsity, positions_of(path), labels,
        scaled=bool(scaled),
    )  # fmt: skip


def cutouts(
    path: Path,
    raw: Any,
    unit_index: Any,
    sample_index: Any,
    segment: Any,
    unit_ids: list[Any],
    recording: dict[str, Any],
    params: dict[str, Any],
    sparsity: NDArray[np.bool_] | None,
    positions: NDArray[Any] | None,
    labels: list[str],
    *,
    scaled: bool,
) -> Cutouts:
    """Return the one form of what a folder tells in its own words."""
    try:
        rate = float(recording["sampling_frequency"])
        ids = list(recording["channel_ids"])
        before = float(params["ms_before"])
        gains = [float(gain) for gain in recording.get("properties", {}).get("gain_to_uV", [])]
    except (KeyError, TypeError, ValueError) as cause:
        raise LoadError(path, f"lacks the rate, the channels or the window ({cause})", _COPY) from None
    if not (0 < rate < 1e7 and ids) or (sparsity is not None and sparsity.shape != (len(unit_ids), len(ids))):
        raise LoadError(path, "states a rate, channels or a sparsity that do not fit", _COPY)
    waves = np.asarray(raw, np.float32)
    if sparsity is None and waves.shape[2] != len(ids):
        raise LoadError(path, f"has waveforms on {waves.shape[2]} channels of a recording with {len(ids)}", _COPY)
    if not scaled:
        waves = _in_uv(waves, gains, len(ids))
    times = np.asarray(sample_index, np.float64) / rate
    return Cutouts(waves, np.asarray(unit_index, np.int64), times, segment, list(unit_ids), ids, sparsity, positions,
                   labels, rate, int(before * rate / 1000))  # fmt: skip


def _in_uv(waves: NDArray[np.float32], gains: list[float], n_channels: int) -> NDArray[np.float32]:
    if len(gains) == n_channels and len(set(gains)) == 1 and gains[0] > 0:
        return waves * np.float32(gains[0])
    remark("holds waveforms in steps of the recorder, with no one gain: they are taken for µV.")
    return waves


def say_how_many(chosen: int, there: int) -> None:
    """Tell the user where only some events have waveforms."""
    if chosen < there:
        what = f"has waveforms of {chosen} of its {there} spikes: only those are read"
        remark(f'{what}. For all: analyzer.compute("random_spikes", method="all"), then "waveforms".')


def positions_of(path: Path) -> NDArray[Any] | None:
    """Return where the channels are, (n_channels, 2) µm, where the probe tells."""
    if not has(path, "recording_info", "probegroup.json"):
        return None
    try:
        probes = described(path, "recording_info", "probegroup.json")["probes"]
        return np.array([[float(v) for v in xy[:2]] for probe in probes for xy in probe["contact_positions"]])
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def _labels(path: Path, n_units: int) -> list[str]:
    for name in _LABELS:
        if has(path, "sorting", "properties", f"{name}.npy"):
            values = npy(path, "sorting", "properties", f"{name}.npy")
            if values.dtype.kind == "U" and values.shape == (n_units,):
                return [str(value) for value in values]
    return []
