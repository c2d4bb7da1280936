"""Writing the six-list spike_dict as `.pkl` or `.npy`, plain lists and numbers only."""

from __future__ import annotations

import pickle
from typing import IO

import numpy as np

from neuralsorter.spikes import Spikes


def write_pkl(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write the dictionary with pickle."""
    pickle.dump(spikes.to_dict() | _form(spikes), file, protocol=4)
    return []


def write_npy(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write the dictionary as numpy.save does, an array of one object."""
    holder = np.empty((), object)
    holder[()] = spikes.to_dict() | _form(spikes)
    np.save(file, holder, allow_pickle=True)  # the 2020 program reads this; only lists and numbers of ours go in
    return []


def _form(spikes: Spikes) -> dict[str, float | int]:
    return {"SamplingRate": float(spikes.sampling_rate), "PreSamples": int(spikes.pre_samples)}
