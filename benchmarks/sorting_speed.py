"""Time and memory of cleaning and sorting a whole array, for `sorting.py`."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import numpy as np
import psutil  # type: ignore[import-untyped,unused-ignore] # without stubs
from numpy.typing import NDArray

import neuralsorter as ns
from neuralsorter.simulate import DEVELOPMENT_SEEDS, simulate

SIMULATED, COPIES = 12, 8  # channels
SECONDS_PER_MILLION = 520.0  # somewhat more than are kept
BAR_S = {1_000_000: 60.0, 10_000_000: 600.0}
BAR_GB = 3.0
SPIKE = 0.5  # probability from which an event is one
LOOK_S = 0.25


def one_channel(seed: int, duration_s: float) -> tuple[NDArray[np.int16], NDArray[np.float64], float]:
    """Return waveforms as stored, times and µV per bit of one simulated channel."""
    made = simulate(1, duration_s, seed, polarity="negative", artefact_rate_hz=0.0, common_rate_hz=0.0).spikes
    return made.raw, made.times_s, made.uv_per_bit


def array(folder: Path, n_events: int) -> ns.Spikes:
    """Return events of 96 channels, waveforms in a file of `folder`: 12 simulated ones, 8 times.

    No event is twice in a channel. The channels are simulated one after the other in a process that ends, so that what
    the simulation takes is not counted.
    """
    duration = SECONDS_PER_MILLION * n_events / 1_000_000
    seeds = [DEVELOPMENT_SEEDS[0] + 20 * channel for channel in range(SIMULATED)]
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        made = list(pool.map(one_channel, seeds, [duration] * SIMULATED))
    counts = np.array([len(raw) for raw, _, _ in made])
    keep = min(1.0, n_events / (COPIES * counts.sum()))
    chosen = [np.linspace(0, count - 1, round(keep * count)).astype(np.int64) for count in counts]
    ends = np.cumsum(np.tile([len(rows) for rows in chosen], COPIES))
    shape = (int(ends[-1]), made[0][0].shape[1])
    waveforms = np.lib.format.open_memmap(folder / "waveforms.npy", "w+", np.int16, shape)
    times_s, channel = np.empty(len(waveforms)), np.empty(len(waveforms), np.int32)
    for place, end in enumerate(ends):
        rows = chosen[place % SIMULATED]
        block = slice(end - len(rows), end)
        waveforms[block] = made[place % SIMULATED][0][rows]
        times_s[block], channel[block] = made[place % SIMULATED][1][rows], place + 1
    waveforms.flush()
    read = np.load(folder / "waveforms.npy", mmap_mode="r")
    none = np.zeros(len(read), np.int32)
    return ns.Spikes(read, times_s, channel, none + 1, none, uv_per_bit=made[0][2])


class Watch:
    """Peak memory of this process and all below it together, pages that several share counted once."""

    def __enter__(self) -> Self:
        """Begin to look."""
        self.peak_b, self._ended = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            held = 0
            for process in (me := psutil.Process(), *me.children(recursive=True)):
                try:
                    held += process.memory_full_info().pss
                except psutil.Error:  # it has just ended
                    continue
            self.peak_b = max(self.peak_b, held)


def processor_s() -> float:
    """Return the processor time of this process and all that it started, those that have ended too."""
    me = psutil.Process()
    return float(sum(sum(process.cpu_times()[:4]) for process in (me, *me.children(recursive=True))))


def whole_array(n_events: int, jobs: int) -> None:
    """Print how long it takes to clean and sort `n_events` over 96 channels, and the peak memory, with the bars."""
    with tempfile.TemporaryDirectory() as folder:
        spikes = array(Path(folder), n_events)
        with Watch() as watch:
            began, used = time.perf_counter(), processor_s()
            p = ns.spike_probability(spikes)
            cleaned = time.perf_counter() - began
            kept = spikes.with_unit(np.where(p < SPIKE, 0, spikes.unit))
            units = ns.sort(kept, jobs=jobs)
            took, used = time.perf_counter() - began, processor_s() - used
    bar_s = BAR_S.get(n_events)
    told = f" (bar {bar_s:.0f} s: {'met' if took <= bar_s else 'missed'})" if bar_s else ""
    peak = watch.peak_b / 1e9
    print(
        f"{len(spikes):,} events over {SIMULATED * COPIES} channels, {jobs} processes: cleaned in {cleaned:.1f} s,"
        f" cleaned and sorted in {took:.1f} s{told}; processor time {used:.1f} s; load {os.getloadavg()[0]:.1f}"
    )
    print(f"    {np.mean(units > 0):.1%} kept as spikes; peak memory of all processes {peak:.2f} GB", end=" ")
    print(f"(bar {BAR_GB:.0f} GB: {'met' if peak <= BAR_GB else 'missed'})")
