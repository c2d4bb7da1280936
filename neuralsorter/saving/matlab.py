"""Writing MATLAB files: wave_clus `times_NAME.mat`, or the six columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from neuralsorter.errors import DataError
from neuralsorter.loading.codes import to_vendor
from neuralsorter.spikes import NOISE, Spikes

from .npz import as_json
from .samples import held

_MS = 1e-3


def write_mat(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write the six columns as column vectors, rate, window and labels; wave_clus variables in a file `times_*`."""
    from scipy.io import savemat

    if Path(file.name).name.startswith((".times_", "times_")):
        content, notes = _wave_clus(spikes)
    else:
        content, notes = _columns(spikes), []
    savemat(cast("Any", file), content, do_compression=True)
    return notes


def _columns(spikes: Spikes) -> dict[str, Any]:
    tables = {"ChannelTable": spikes.channels, "TriggerTable": spikes.triggers}
    labels = [{"channel": c, "unit": u, "label": text} for (c, u), text in spikes.labels.items()]
    return {
        "ExperimentID": spikes.experiment[:, None],
        "ChannelID": spikes.channel[:, None],
        "UnitID": spikes.unit[:, None],
        "OldID": spikes.old_unit[:, None],
        "TimeStamps": spikes.times_s[:, None],
        "Segment": spikes.segment[:, None],
        "Waveforms": spikes.waveforms,
        "SamplingRate": spikes.sampling_rate,
        "PreSamples": spikes.pre_samples,
        "UnitLabels": json.dumps(labels),
        **{name: as_json(table) for name, table in tables.items() if len(table)},
    }


def _wave_clus(spikes: Spikes) -> tuple[dict[str, Any], list[str]]:
    if spikes.raw.ndim != 2 or len(np.unique(spikes.channel)) > 1:
        raise DataError("wave_clus has a file for each electrode; save each channel apart, or name it without times_.")
    kept = spikes.take(np.flatnonzero(spikes.unit != NOISE))
    notes = []
    if len(kept) < len(spikes):
        notes.append(f"wave_clus has no code for noise: {len(spikes) - len(kept)} events are left out.")
    waveforms = held(kept.waveforms)
    code = to_vendor(kept, 0, 0)
    content = {
        "spikes": waveforms.astype(np.float64),
        "cluster_class": np.stack([code.astype(np.float64), kept.times_s / _MS], axis=1),
        "par": {
            "sr": kept.sampling_rate,
            "w_pre": kept.pre_samples + 1,  # MATLAB counts from 1
            "w_post": kept.n_samples - kept.pre_samples - 1,
        },
    }
    return content, notes
