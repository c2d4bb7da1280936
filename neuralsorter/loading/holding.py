"""What a file holds, told before it is imported; the events themselves stay in the process that read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuralsorter.spikes import NOISE, Spikes

from .apart import parsed_apart
from .codes import UNSORTED
from .conform import experiments


def holds(path: str | Path, *, cancel: Any = None) -> dict[str, str]:
    """Return what a file or folder holds as {what: told}, remarks of its reader included.

    Raises
    ------
    LoadError
        When it cannot be read.

    """
    from . import companions, require_readable

    place = Path(path).absolute()
    require_readable(place)
    beside = companions(place)
    told: dict[str, str] = parsed_apart("neuralsorter.loading.holding:told", place, beside=beside, cancel=cancel)
    return told


def told(path: str) -> dict[str, str]:
    """Read in this process and describe: what the worker runs."""
    from . import parse

    return described(*parse(path))


def described(spikes: Spikes, remarks: Sequence[str] = ()) -> dict[str, str]:
    """Return what events hold as {what: told}."""
    n, channels = len(spikes), np.unique(spikes.channel)
    first, last = spikes.window_ms
    content = {"events": f"{n:,}", "channels": _listed(channels.tolist())}
    if spikes.raw.ndim == 3:
        content["channels per event"] = str(spikes.raw.shape[1])
    if (count := experiments(spikes)) > 1:
        content["experiments"] = str(count)
    content["window"] = (
        f"{spikes.n_samples} samples at {spikes.sampling_rate:g} Hz, {first:.2f} to {last:.2f} ms around the crossing"
    )
    known = spikes.times_s[np.isfinite(spikes.times_s)]
    content["time"] = f"{known.min():.3f} to {known.max():.3f} s" if len(known) else "not in the file"
    if restarts := int(spikes.segment.max(initial=0)):
        content["clock restarts"] = str(restarts)
    content["units"] = _units(spikes)
    if spikes.channels["threshold_uv"].notna().any():
        content["thresholds"] = f"of {int(spikes.channels['threshold_uv'].notna().sum())} electrodes"
    if spikes.channels["x_um"].notna().any():
        content["positions"] = f"of {int(spikes.channels['x_um'].notna().sum())} electrodes"
    if len(spikes.triggers):
        content["triggers"] = f"{len(spikes.triggers):,}"
    if remarks:
        content["note"] = " ".join(f"It {sentence}" for sentence in remarks)
    return content


def _units(spikes: Spikes) -> str:
    pairs, counts = np.unique(np.stack([spikes.channel, spikes.unit], axis=1), axis=0, return_counts=True)
    noise = int(counts[pairs[:, 1] == NOISE].sum())
    unsorted = np.array([spikes.labels.get((c, u)) == UNSORTED for c, u in pairs.tolist()], bool)
    own = int(((pairs[:, 1] != NOISE) & ~unsorted).sum())
    parts = [f"{own} unit{'s' if own > 1 else ''}"] if own else []
    parts += [f"{int(counts[unsorted].sum()):,} events not sorted"] if unsorted.any() else []
    parts += [f"{noise:,} of noise"] if noise else []
    return ", ".join(parts) or "none"


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:12]))
    return f"{len(numbers)} ({shown}{', ...' if len(numbers) > 12 else ''})"
