"""SpikeInterface waveforms folders of versions before 0.101: a file of waveforms for each unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import LoadError

from .analyzer import Cutouts, cutouts, positions_of
from .folders import described, has, npy, numbers
from .remarks import remark

_COPY = "Copy the whole folder again, or save a SortingAnalyzer of it"


def from_waveforms(path: Path) -> Cutouts:
    """Read a waveforms folder: a file of waveforms and one of chosen spikes for each unit; times lie elsewhere."""
    files = sorted(path.glob("waveforms/waveforms_*.npy"))
    ids = [file.stem.removeprefix("waveforms_") for file in files]
    ids.sort(key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    arrays = [numbers(path, "waveforms", f"waveforms_{name}.npy", n_dim=3) for name in ids]
    chosen = [npy(path, "waveforms", f"sampled_index_{name}.npy") for name in ids]
    recording = described(path, "recording_info", "recording_attributes.json")
    params = described(path, "params.json")
    sparsity = _old_sparsity(path, ids, recording.get("channel_ids", []))
    n_slots = max(array.shape[2] for array in arrays)
    if len({array.shape[1] for array in arrays}) > 1:
        raise LoadError(path, "has waveforms of different lengths", _COPY)
    raw = np.concatenate(
        [np.pad(np.asarray(a, np.float32), ((0, 0), (0, 0), (0, n_slots - a.shape[2]))) for a in arrays]
    )
    unit_index = np.repeat(np.arange(len(ids)), [len(array) for array in arrays])
    for name, array, index in zip(ids, arrays, chosen, strict=True):
        if index.ndim != 1 or len(index) != len(array) or "segment_index" not in (index.dtype.names or ()):
            raise LoadError(path, f"has {len(array)} waveforms of unit {name} and {index.shape} chosen spikes", _COPY)
    segment = np.concatenate([index["segment_index"] for index in chosen])
    remark("keeps the times of its spikes outside the folder: they are unknown here.")
    nowhere = np.full(len(raw), np.nan)
    scaled = bool(params.get("return_scaled", True))
    return cutouts(
        path, raw, unit_index, nowhere, segment, list(ids), recording, params, sparsity, positions_of(path), [],
        scaled=scaled,
    )  # fmt: skip


def _old_sparsity(path: Path, units: list[str], channels: list[Any]) -> NDArray[np.bool_] | None:
    if not has(path, "sparsity.json"):
        return None
    told = described(path, "sparsity.json").get("unit_id_to_channel_ids", {})
    names = [str(channel) for channel in channels]
    mask = np.zeros((len(units), len(names)), bool)
    for row, unit in enumerate(units):
        for channel in told.get(unit, []):
            if str(channel) in names:
                mask[row, names.index(str(channel))] = True
    return mask
