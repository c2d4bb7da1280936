"""All metrics after an edit in a channel of 100,000 events, for the two units that the edit touched.

Run: python -m benchmarks.metrics. Bar: 300 ms.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from neuralsorter.metrics import metrics, recording
from neuralsorter.spikes import Spikes

N_EVENTS, N_SAMPLES, N_UNITS = 100_000, 48, 6


def channel() -> Spikes:
    """Return a busy channel with six units and noise."""
    random = np.random.default_rng(0)
    unit = random.integers(0, N_UNITS + 1, N_EVENTS).astype(np.int32)
    shapes = random.normal(0, 20, (N_UNITS + 1, N_SAMPLES)).cumsum(axis=1)
    ones = np.ones(N_EVENTS, np.int32)
    return Spikes(
        raw=(shapes[unit] + random.normal(0, 15, (N_EVENTS, N_SAMPLES))).astype(np.float32),
        times_s=np.sort(random.uniform(0, 1800, N_EVENTS)),
        channel=ones,
        unit=unit,
        experiment=0 * ones,
        sampling_rate=30_000.0,
        pre_samples=12,
    )


def main() -> int:
    """Measure, print, and return 1 when a bar is missed."""
    spikes = channel()
    whole = recording(spikes)
    metrics(spikes, of=whole)
    times, processor = [], []
    for step in range(9):
        rows = np.flatnonzero(spikes.unit == 1)[: 500 * (step + 1)]
        unit = np.array(spikes.unit)
        unit[rows] = 2
        edited = spikes.with_unit(unit)
        started, used = time.perf_counter(), time.process_time()
        metrics(edited, of=whole, units=[(1, 1), (1, 2)])
        times.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    print(f"metrics of the two units an edit touched: {1000 * min(times):.0f} ms (bar 300)")
    print(f"  processor time, for a machine that is busy otherwise: {1000 * min(processor):.0f} ms")
    started = time.perf_counter()
    metrics(spikes, of=whole)
    print(f"metrics of all {N_UNITS} units: {1000 * (time.perf_counter() - started):.0f} ms")
    return int(min(times) > 0.3)


if __name__ == "__main__":
    sys.exit(main())
