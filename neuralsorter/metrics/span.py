"""Metrics of a part of the time: events and lengths as if the recording had been only that long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neuralsorter.spikes import Spikes

from . import Recording


def within(spikes: Spikes, of: Recording, span_s: Sequence[float]) -> tuple[Spikes, Recording]:
    """Return the events of a range of times, counted from its start, and the recording cut to it.

    Parameters
    ----------
    spikes : Spikes
        Events; of each stretch of clock those from `span_s[0]` up to `span_s[1]` are kept.
    of : Recording
        The whole recording.
    span_s : (float, float)
        From and up to, s.

    """
    start, stop = max(float(span_s[0]), 0.0), float(span_s[1])
    inside = spikes.take(np.flatnonzero((spikes.times_s >= start) & (spikes.times_s < stop)))
    durations = {one: max(min(length, stop) - start, 0.0) for one, length in of.durations_s.items()}
    cut = replace(of, durations_s={one: length for one, length in durations.items() if length > 0})
    return replace(inside, times_s=inside.times_s - start), cut
