"""What each format holds: one table, from which the user is told before anything is written, and tests know it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from neuralsorter.loading.codes import UNSORTED
from neuralsorter.spikes import NO_UNIT, NOISE, Spikes

_THERE: dict[str, Callable[[Spikes], bool]] = {
    "noise": lambda s: bool((s.unit == NOISE).any()),
    "unsorted": lambda s: UNSORTED in s.labels.values(),
    "labels": lambda s: any(text not in {"", UNSORTED, "noise"} for text in s.labels.values()),
    "restarts": lambda s: bool(s.segment.any()),
    "experiments": lambda s: bool(s.experiment.any()),
    "thresholds": lambda s: bool(s.channels["threshold_uv"].notna().any()),
    "positions": lambda s: bool(s.channels[["x_um", "y_um"]].notna().any(axis=None)),
    "triggers": lambda s: bool(len(s.triggers)),
    "former units": lambda s: bool((s.old_unit != NO_UNIT).any()),
    "unknown times": lambda s: bool(np.isnan(s.times_s).any()),
    "missing samples": lambda s: s.raw.dtype.kind == "f" and bool(np.isnan(s.raw).any()),
}

FIELDS = tuple(_THERE)
_ALL = frozenset(FIELDS)
_SIX_LISTS = _ALL - {"unsorted", "labels", "restarts", "thresholds", "positions", "triggers"}
_TABLE = _ALL - {"thresholds", "positions", "triggers"}

HOLDS: dict[str, frozenset[str]] = {
    ".npz": _ALL,
    ".nwb": _ALL,
    ".mat": _ALL,
    ".nev": frozenset({"noise", "unsorted", "restarts", "thresholds", "triggers"}),
    ".plx": frozenset({"unsorted", "thresholds", "triggers"}),
    ".nex": frozenset({"unsorted", "triggers"}),
    ".pkl": _SIX_LISTS,
    ".npy": _SIX_LISTS,
    ".csv": _TABLE,
    ".parquet": _TABLE,
    ".phy": frozenset({"noise", "unsorted", "labels", "positions"}),
    "times_*.mat": frozenset({"unsorted"}),
}
"""What comes back when a file is written and read. A phy folder is read by phy; `.json` holds no events at all."""

_TOLD = {
    "noise": "has no code for noise: it becomes a unit, its number the one after the highest",
    "unsorted": "does not hold unit labels, so that events not sorted look like a unit",
    "labels": "does not hold unit labels",
    "restarts": "does not hold clock restarts: the stretches follow each other unmarked",
    "experiments": "holds one recording: the experiments follow each other",
    "thresholds": "does not hold thresholds",
    "positions": "does not hold electrode positions",
    "triggers": "does not hold triggers",
    "former units": "does not hold the unit an event had before its last change",
    "unknown times": "needs a time for each event: unknown ones are written as 0",
    "missing samples": "does not hold missing samples: the nearest sample was repeated",
}
_NEV_UV = 32_767 * 65.535  # the largest sample: 65,535 nV a bit


def _rate(spikes: Spikes) -> str:
    whole = round(spikes.sampling_rate)
    return "" if whole == spikes.sampling_rate else f"holds a whole rate: {spikes.sampling_rate:.3f} Hz become {whole}"


def _numbers(spikes: Spikes) -> str:
    return "numbers electrodes from 1: every channel is one higher in the file" if (spikes.channel < 1).any() else ""


def _samples(spikes: Spikes) -> str:
    peak = max(float(np.nanmax(spikes.raw, initial=0)), -float(np.nanmin(spikes.raw, initial=0))) * spikes.uv_per_bit
    return f"holds samples up to {_NEV_UV / 1e3:,.0f} mV: what is beyond is cut" if peak > _NEV_UV else ""


def _codes(least: int, most: int) -> Callable[[Spikes], str]:
    def told(spikes: Spikes) -> str:
        beyond = int((~spikes.triggers["code"].between(least, most)).sum())
        return f"holds trigger codes from {least:,} to {most:,}: {beyond} are cut to them" if beyond else ""

    return told


VALUES: dict[str, tuple[Callable[[Spikes], str], ...]] = {
    ".nev": (_rate, _numbers, _samples, _codes(0, 65_535)),
    ".plx": (_rate, _codes(-32_768, 32_767)),
}
"""What of the values a format holds differently; each returns words, or none where nothing is lost."""

_NAMES = {".pkl": "A spike_dict", ".npy": "A spike_dict", ".csv": "A table", ".parquet": "A table", ".phy": "phy"}


def losses(spikes: Spikes, path: str | Path) -> list[str]:
    """Return what the format of a path cannot hold of these events, as sentences, before anything is written.

    Parameters
    ----------
    spikes : Spikes
        What would be written.
    path : str or Path
        Its suffix names the format; `times_NAME.mat` is wave_clus.

    """
    kind = format_of(path)
    if kind == ".json":
        return ["Curation JSON holds units and labels only, no events."]
    if kind == ".sorting":
        return ["A SpikeInterface sorting holds times, units and labels only, no waveforms."]
    held, name = HOLDS.get(kind, _ALL), _NAMES.get(kind, "wave_clus" if "*" in kind else kind[1:].upper())
    lost = [field for field, there in _THERE.items() if field not in held and there(spikes)]
    if kind == "times_*.mat":
        lost = [field for field in lost if field != "noise"]  # left out; the writer says how many
    if "unsorted" in lost and "labels" in lost:
        lost.remove("labels")
    told = [f"{name} {_TOLD[field]}; .npz keeps {'it' if field == 'noise' else 'them'}." for field in lost]
    return told + [f"{name} {words}; .npz keeps them." for lose in VALUES.get(kind, ()) if (words := lose(spikes))]


def format_of(path: str | Path) -> str:
    """Return the key in HOLDS of what would be written to a path."""
    suffix = Path(path).suffix.lower()
    return "times_*.mat" if suffix == ".mat" and Path(path).name.startswith(("times_", ".times_")) else suffix
