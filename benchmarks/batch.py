"""How much faster two processes of the local pool sort than one: parallel efficiency, both in the same run.

Seed 0 (or --seed), generated data: the 96 channels of a Utah array, two shapes each, NOISE µV of noise. Rule:
wall-clock time of one process divided by that of the pool, its start included, best of ROUNDS each, taken in turns;
the units must be equal. Bar: 1.7 with two processes. It means something only on a machine that is otherwise idle: the
load is printed beside it, and what the processor times alone would give, which does not see other programs.

    python -m benchmarks.batch [--jobs N] [--seed N] [--channels N]
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import psutil  # type: ignore[import-untyped,unused-ignore] # without stubs
from numpy.typing import NDArray

import neuralsorter as ns

CHANNELS, EVENTS, SAMPLES, NOISE, ROUNDS, BAR = 96, 1500, 48, 8.0, 3, 1.7


def recording(seed: int, n_channels: int = CHANNELS) -> ns.Spikes:
    """Return events of two shapes on each channel."""
    rng = np.random.default_rng(seed)
    n, time_axis = n_channels * EVENTS, np.linspace(-1, 3, SAMPLES)
    shapes = np.stack([-90 * np.exp(-(time_axis**2) * 12), -60 * np.exp(-((time_axis - 0.2) ** 2) * 4)])
    raw = (shapes[rng.integers(0, 2, n)] + rng.normal(0, NOISE, (n, SAMPLES))).astype(np.float32)
    channel = np.repeat(np.arange(1, n_channels + 1, dtype=np.int32), EVENTS)
    ones = np.ones(n, np.int32)
    return ns.Spikes(raw, rng.random(n) * 300, channel, ones, np.zeros(n, np.int32), pre_samples=12)


def processor_s() -> tuple[float, float]:
    """Return the processor time of this process, and of all that it started."""
    me = psutil.Process()
    return sum(me.cpu_times()[:2]), sum(sum(child.cpu_times()[:4]) for child in me.children(recursive=True))


def timed(spikes: ns.Spikes, jobs: int) -> tuple[float, float, NDArray[np.int64]]:
    """Return wall-clock and processor seconds, the latter as spread over `jobs`, and the units of one sort."""
    began, here, there = time.perf_counter(), *processor_s()
    units = ns.sort(spikes, seed=0, jobs=jobs)
    own, others = processor_s()
    return time.perf_counter() - began, own - here + (others - there) / jobs, units


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--channels", type=int, default=CHANNELS)
    options = parser.parse_args()
    spikes = recording(options.seed, options.channels)
    ns.sort(spikes.take(slice(0, EVENTS)), seed=0)  # compiles
    alone, pooled = [], []
    for _ in range(ROUNDS):
        *one, units = timed(spikes, 1)
        *many, others = timed(spikes, options.jobs)
        if not np.array_equal(units, others):
            raise SystemExit("The units differ.")
        alone.append(one)
        pooled.append(many)
    print(
        f"{len(spikes):,} events, {options.channels} channels; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    (wall, used), (wall_pool, used_pool) = np.min(alone, axis=0), np.min(pooled, axis=0)
    ratio = wall / wall_pool
    print(
        f"1 process {wall:.1f} s, {options.jobs} processes {wall_pool:.1f} s: {ratio:.2f} times as fast"
        f" (bar {BAR}: {'met' if ratio >= BAR else 'missed'}); by processor time alone {used / used_pool:.2f}"
    )


if __name__ == "__main__":
    main()
