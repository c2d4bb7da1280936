"""Events gathered from several electrodes or files of one recorder into one table, in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.spikes import Spikes

from .codes import from_vendor

_SOME_ROWS = 20_000


@dataclass(frozen=True)
class Electrode:
    """The events of one electrode or group of electrodes, as recorded.

    Attributes
    ----------
    channel : int
        Its number.
    raw : ndarray, (n, n_samples) or (n, n_channels, n_samples)
        µV.
    times_s : ndarray, (n,)
        Seconds.
    code : ndarray, (n,), int
        The recorder's unit; 0 is unsorted.
    segment : ndarray, (n,), int, optional
        Clock restarts before the event.

    """

    channel: int
    raw: NDArray[Any]
    times_s: NDArray[Any]
    code: NDArray[Any]
    segment: NDArray[Any] | None = None


def table(path: Path, electrodes: Sequence[Electrode], rate: float, pre_samples: int | None, **rest: Any) -> Spikes:
    """Return the events of all electrodes in order of time; sorted units keep their number, 0 becomes *unsorted*.

    Parameters
    ----------
    path : Path
        What was opened.
    electrodes : sequence of Electrode
        At least one.
    rate : float
        Hz.
    pre_samples : int or None
        Samples before the crossing; None: the sample at which most waveforms peak.
    **rest
        Further fields of Spikes.

    """
    shapes = {electrode.raw.shape[1:] for electrode in electrodes}
    if len(shapes) > 1:
        told = ", ".join(sorted("x".join(map(str, shape)) for shape in shapes))
        raise LoadError(path, f"has waveforms of different sizes ({told})", "Open the electrodes of each size apart")
    raw = np.concatenate([electrode.raw for electrode in electrodes])
    if raw.ndim == 3 and raw.shape[1] == 1:
        raw = raw[:, 0]
    times = np.concatenate([electrode.times_s for electrode in electrodes]).astype(np.float64)
    channel = np.concatenate([np.full(len(e.times_s), e.channel, np.int32) for e in electrodes])
    code = np.concatenate([electrode.code for electrode in electrodes]).astype(np.int32)
    segment = np.concatenate(
        [np.zeros(len(e.times_s), np.int32) if e.segment is None else e.segment for e in electrodes]
    ).astype(np.int32)
    order = np.lexsort((channel, times, segment))
    unit, labels = from_vendor(channel, code, unclassified=0, noise=None)
    pre = peak_sample(raw) if pre_samples is None else pre_samples
    return Spikes(
        raw=raw[order] if raw.dtype == np.int16 else raw[order].astype(np.float32, copy=False),
        times_s=times[order],
        channel=channel[order],
        unit=unit[order],
        experiment=np.zeros(len(times), np.int32),
        segment=segment[order],
        sampling_rate=rate,
        pre_samples=min(max(pre, 0), max(raw.shape[-1] - 1, 0)),
        labels=labels,
        sources=(str(path),),
        **rest,
    )


def peak_sample(raw: NDArray[Any]) -> int:
    """Return the sample at which most waveforms are farthest from 0, for formats that do not state their window."""
    if not len(raw):
        return 0
    some = np.abs(raw[:_SOME_ROWS].astype(np.float32)).reshape(-1, raw.shape[-1])
    return int(np.bincount(np.nan_to_num(some).argmax(axis=1)).argmax())
