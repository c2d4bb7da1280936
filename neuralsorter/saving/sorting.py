"""Writing a sorting that SpikeInterface loads from its folder: `NumpyFolderSorting`, times and units."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from neuralsorter.errors import DataError
from neuralsorter.spikes import NOISE, Spikes

from .curation import unit_id

_EVENT = [("sample_index", "<i8"), ("unit_index", "<i8"), ("segment_index", "<i8")]


def write_sorting(spikes: Spikes, folder: Path) -> list[str]:
    """Write unit ids CHANNEL_UNIT (noise included), a segment per experiment and clock restart, quality as property.

    The properties are `channel`, `unit` and `quality`; times are whole samples of each segment's clock.
    """
    if not np.isfinite(spikes.times_s).all():
        raise DataError("A SpikeInterface sorting needs the time of each event; save as .npz.")
    clocks, segment = np.unique(np.stack([spikes.experiment, spikes.segment], axis=1), axis=0, return_inverse=True)
    pairs, unit = np.unique(np.stack([spikes.channel, spikes.unit], axis=1), axis=0, return_inverse=True)
    events = np.zeros(len(spikes), _EVENT)
    events["sample_index"] = np.round(spikes.times_s * spikes.sampling_rate)
    events["unit_index"], events["segment_index"] = unit, segment
    quality = [spikes.labels.get((c, u), "") or ("noise" if u == NOISE else "") for c, u in pairs.tolist()]
    properties = {"channel": pairs[:, 0], "unit": pairs[:, 1], "quality": np.array(quality, np.str_)}
    np.save(folder / "spikes.npy", np.sort(events, order=["segment_index", "sample_index", "unit_index"]))
    (folder / "properties").mkdir()
    for name, values in properties.items():
        np.save(folder / "properties" / f"{name}.npy", values, allow_pickle=False)
    facts = {
        "sampling_frequency": float(spikes.sampling_rate),
        "unit_ids": [unit_id(*pair) for pair in pairs.tolist()],
        "num_segments": len(clocks),
    }
    (folder / "numpysorting_info.json").write_text(json.dumps(facts), "utf-8")
    (folder / "annotations.json").write_text("{}", "utf-8")
    (folder / "si_folder.json").write_text(json.dumps(_CLASS), "utf-8")
    return []


_CLASS = {
    "class": "spikeinterface.core.sortingfolder.NumpyFolderSorting",
    "module": "spikeinterface",
    "version": "0.101.0",
    "kwargs": {"folder_path": ".", "mmap_mode": None},
    "annotations": {},
    "properties": {},
    "relative_paths": True,
}
