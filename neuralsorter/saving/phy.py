"""Writing a folder that phy opens without the raw recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import DataError
from neuralsorter.spikes import NOISE, Spikes

from .samples import held

_GROUPS = ("good", "mua", "noise", "unsorted")
_PARAMS = """\
dat_path = []
n_channels_dat = {n_channels}
dtype = 'int16'
offset = 0
sample_rate = {rate!r}
hp_filtered = True
"""


def write_phy(spikes: Spikes, folder: Path) -> list[str]:
    """Write spikes in order of time, a cluster per channel and unit (noise included), and every waveform."""
    if spikes.raw.ndim != 2:
        raise DataError("A phy folder is written for single electrodes; save tetrodes as .npz or .nwb.")
    if spikes.experiment.any() or spikes.segment.any():
        raise DataError("A phy folder holds one recording on one clock; save each experiment and segment apart.")
    if not len(spikes) or np.isnan(spikes.times_s).any():
        raise DataError("A phy folder needs events and their times; save as .npz.")
    order = np.argsort(spikes.times_s, kind="stable")
    waveforms = held(spikes.waveforms[order])
    channels, channel = np.unique(spikes.channel[order], return_inverse=True)
    pairs, cluster = np.unique(np.stack([spikes.channel, spikes.unit], axis=1)[order], axis=0, return_inverse=True)
    means = np.stack([waveforms[cluster == number].mean(axis=0) for number in range(len(pairs))])
    templates = np.zeros((len(pairs), spikes.n_samples, len(channels)), np.float32)
    template_channel = np.searchsorted(channels, pairs[:, 0])
    templates[np.arange(len(pairs)), :, template_channel] = means
    arrays: dict[str, NDArray[np.generic]] = {
        "spike_times": np.round(spikes.times_s[order] * spikes.sampling_rate).astype(np.int64),
        "spike_clusters": cluster.astype(np.int32),
        "spike_templates": cluster.astype(np.int32),
        "amplitudes": np.ptp(waveforms, axis=1).astype(np.float64),
        "templates": templates,
        "channel_map": np.arange(len(channels), dtype=np.int32),
        "channel_positions": _positions(spikes, channels),
        "whitening_mat": np.eye(len(channels)),
        "whitening_mat_inv": np.eye(len(channels)),
        "similar_templates": np.eye(len(pairs), dtype=np.float32),
        "_phy_spikes_subset.spikes": np.arange(len(order), dtype=np.int64),
        # phy drops an axis of length 1: a second channel, -1 for none, keeps it.
        "_phy_spikes_subset.waveforms": np.stack([waveforms, np.zeros_like(waveforms)], axis=2).astype(np.float32),
        "_phy_spikes_subset.channels": np.stack([channel, np.full_like(channel, -1)], axis=1).astype(np.int32),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    (folder / "params.py").write_text(_PARAMS.format(n_channels=len(channels), rate=float(spikes.sampling_rate)))
    _write_groups(spikes, pairs.tolist(), folder)
    return []


def _positions(spikes: Spikes, channels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return where electrodes are in µm; in a column where unknown, for phy cannot do without."""
    known = spikes.channels.drop_duplicates("id").set_index("id")
    fallback = np.stack([np.zeros(len(channels)), np.arange(len(channels)) * 100.0], axis=1)
    told = (
        known.reindex(channels)[["x_um", "y_um"]].to_numpy(np.float64)
        if len(known)
        else np.full(fallback.shape, np.nan)
    )
    return np.asarray(told if np.isfinite(told).all() else fallback)


def _write_groups(spikes: Spikes, pairs: list[list[int]], folder: Path) -> None:
    """Write group, our channel and our unit of each cluster, a table each, as phy wants them."""
    columns: dict[str, list[str]] = {"group": [], "channel_id": [], "unit": [], "label": []}
    for channel, unit in pairs:
        label = "noise" if unit == NOISE else spikes.labels.get((channel, unit), "")
        columns["group"].append(label if label in _GROUPS else "unsorted")
        columns["channel_id"].append(str(channel))
        columns["unit"].append(str(unit))
        columns["label"].append(" ".join(label.split()))
    for name, values in columns.items():
        lines = [f"cluster_id\t{name}", *(f"{number}\t{value}" for number, value in enumerate(values))]
        (folder / f"cluster_{name}.tsv").write_text("\n".join(lines) + "\n", "utf-8")
