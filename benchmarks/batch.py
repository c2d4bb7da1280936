"""How much faster two processes of the local pool sort than one: parallel efficiency, both in the same run.

Seed 0 (or --seed), generated data: 16 channels, two shapes each, NOISE µV of noise. Rule: wall-clock time of one
process divided by that of the pool, its start included, best of ROUNDS each, taken in turns; the units must be
equal. It means something only on a machine that is otherwise idle: the load is printed beside it.

    python benchmarks/batch.py [--jobs N] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
from numpy.typing import NDArray

import neuralsorter as ns

CHANNELS, EVENTS, SAMPLES, NOISE, ROUNDS = 16, 1500, 48, 8.0, 3


def recording(seed: int) -> ns.Spikes:
    """Return events of two shapes on each channel."""
    rng = np.random.default_rng(seed)
    n, time_axis = CHANNELS * EVENTS, np.linspace(-1, 3, SAMPLES)
    shapes = np.stack([-90 * np.exp(-(time_axis**2) * 12), -60 * np.exp(-((time_axis - 0.2) ** 2) * 4)])
    raw = (shapes[rng.integers(0, 2, n)] + rng.normal(0, NOISE, (n, SAMPLES))).astype(np.float32)
    channel = np.repeat(np.arange(1, CHANNELS + 1, dtype=np.int32), EVENTS)
    ones = np.ones(n, np.int32)
    return ns.Spikes(raw, rng.random(n) * 300, channel, ones, np.zeros(n, np.int32), pre_samples=12)


def timed(spikes: ns.Spikes, jobs: int) -> tuple[float, NDArray[np.int64]]:
    """Return seconds and units of one sort."""
    began = time.perf_counter()
    units = ns.sort(spikes, seed=0, jobs=jobs)
    return time.perf_counter() - began, units


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    spikes = recording(options.seed)
    ns.sort(spikes.take(slice(0, EVENTS)), seed=0)  # compiles
    alone, pooled = [], []
    for _ in range(ROUNDS):
        one, units = timed(spikes, 1)
        many, others = timed(spikes, options.jobs)
        if not np.array_equal(units, others):
            raise SystemExit("The units differ.")
        alone.append(one)
        pooled.append(many)
    print(f"{len(spikes):,} events, {CHANNELS} channels; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    ratio = min(alone) / min(pooled)
    print(f"1 process {min(alone):.1f} s, {options.jobs} processes {min(pooled):.1f} s: {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
