"""Writing events as a text table."""

from __future__ import annotations

import math
from typing import IO

import numpy as np
import pandas as pd

from neuralsorter.spikes import NO_UNIT, Spikes


def table_of(spikes: Spikes) -> pd.DataFrame:
    """Return a row per event: the columns of the six lists, label, segment, then `uv_0` ... one per sample."""
    pairs = zip(spikes.channel.tolist(), spikes.unit.tolist(), strict=True)
    columns = {
        "ExperimentID": spikes.experiment,
        "ChannelID": spikes.channel,
        "UnitID": spikes.unit,
        "OldID": pd.array(np.where(spikes.old_unit == NO_UNIT, np.nan, spikes.old_unit), dtype="Int64"),
        "TimeStamps": spikes.times_s,
        "Segment": spikes.segment,
        "Label": [spikes.labels.get(pair, "") for pair in pairs],
        "SamplingRate": np.full(len(spikes), spikes.sampling_rate),
        "PreSamples": np.full(len(spikes), spikes.pre_samples),
    }
    flat = spikes.waveforms.reshape(len(spikes), math.prod(spikes.raw.shape[1:]))
    if spikes.raw.ndim == 3:
        names = [f"uv_{k}_{i}" for k in range(spikes.raw.shape[1]) for i in range(spikes.n_samples)]
    else:
        names = [f"uv_{i}" for i in range(spikes.n_samples)]
    return pd.concat([pd.DataFrame(columns), pd.DataFrame(flat, columns=names)], axis=1)


def write_csv(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write comma-separated values with a header line; floats as short as they can be read back exactly."""
    table_of(spikes).to_csv(file, index=False, encoding="utf-8")
    return []


def write_parquet(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write the same columns as Parquet."""
    table_of(spikes).to_parquet(file, index=False)
    return []
