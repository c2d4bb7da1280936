"""Writing the `.npz` interchange format."""

from __future__ import annotations

import json
from typing import IO

import numpy as np
import pandas as pd

from neuralsorter.spikes import Spikes


def write_npz(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write every column in row order: µV, seconds, OldID -1 where never changed."""
    labels: dict[str, dict[str, str]] = {}
    for (channel, unit), text in spikes.labels.items():
        labels.setdefault(str(channel), {})[str(unit)] = text
    extra = {}
    if spikes.sources:
        extra["Sources"] = np.array(json.dumps(list(spikes.sources)))
    if len(spikes.channels):
        extra["ChannelTable"] = np.array(as_json(spikes.channels))
    if len(spikes.triggers):
        extra["TriggerTable"] = np.array(as_json(spikes.triggers))
    np.savez(
        file,
        allow_pickle=False,
        ExperimentID=spikes.experiment,
        ChannelID=spikes.channel,
        UnitID=spikes.unit,
        OldID=spikes.old_unit,
        TimeStamps=spikes.times_s,
        Waveforms=spikes.waveforms,
        Segment=spikes.segment,
        SamplingRate=np.float64(spikes.sampling_rate),
        PreSamples=np.int64(spikes.pre_samples),
        UnitLabels=np.array(json.dumps(labels)),
        **extra,
    )
    return []


def as_json(table: pd.DataFrame) -> str:
    """Return {"column": [values]}."""
    return json.dumps({str(name): table[name].tolist() for name in table})
