"""How fast files are read: our NEV reader against neo on one file, and a million events of each format.

usage: python benchmarks/loading.py [FILE.nev]
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import neuralsorter as ns


def seconds(work: Callable[[], Any], times: int = 3) -> float:
    """Return the shortest of several runs."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Return the processor time of one run, worker processes included: other programs do not change it."""

    def used() -> float:
        ours, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return ours.ru_utime + ours.ru_stime + theirs.ru_utime + theirs.ru_stime

    started = used()
    work()
    return used() - started


def recording(n: int) -> ns.Spikes:
    """Return n events on 96 channels."""
    rng = np.random.default_rng(0)
    return ns.Spikes(
        raw=rng.integers(-400, 400, (n, 60), np.int16),
        times_s=np.sort(rng.integers(0, 10**9, n)) / 30_000,
        channel=rng.integers(1, 97, n, np.int32),
        unit=rng.integers(0, 5, n, np.int32),
        experiment=np.zeros(n, np.int32),
        sampling_rate=30_000.0,
        uv_per_bit=0.25,
    )


def read_by_neo(path: Path) -> int:
    """Read every waveform of a NEV file with neo; return how many."""
    from neo.rawio import BlackrockRawIO

    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")
        reader = BlackrockRawIO(filename=str(path.with_suffix("")))
        reader.parse_header()
        n = 0
        for segment in range(reader.segment_count(0)):
            for index in range(reader.spike_channels_count()):
                reader.get_spike_timestamps(0, segment, index)
                n += len(reader.get_spike_raw_waveforms(0, segment, index))
    return n


def main() -> None:
    """Print the comparison and the table."""
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            path = Path(sys.argv[1])
        else:
            path = Path(folder) / "generated.nev"
            ns.save(recording(40_000), path)
        ours, theirs = seconds(lambda: ns.load(path)), seconds(lambda: read_by_neo(path))
        print(f"{path.name}: {len(ns.load(path))} events in {ours:.3f} s; neo {read_by_neo(path)} in {theirs:.3f} s")
        print(f"ratio {theirs / ours:.1f}")
        spikes = recording(1_000_000)
        print("1e6 events of 60 samples: format, MB, s to write, s to read, processor s to read with its worker")
        for suffix in (".nev", ".npz", ".plx", ".nwb", ".pkl"):
            target = Path(folder) / f"million{suffix}"
            write = seconds(partial(ns.save, spikes, target), 1)
            read = seconds(partial(ns.load, target), 1)
            cpu = cpu_seconds(partial(ns.load, target))
            print(f"{suffix:5} {target.stat().st_size / 1e6:6.0f} {write:6.2f} {read:6.2f} {cpu:6.2f}")
            target.unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 2**20)
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1024 if sys.platform == "linux" else 2**20)
    print(f"peak memory of this process {peak:.0f} MB, of the largest worker {worker:.0f} MB, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
