"""How fast files are read and what memory that takes: NEV against neo, and a million events of each format.

Times are processor seconds, worker processes included, so that other programs do not change them. Memory is the most
that this process or a worker held, less the events themselves. Each reading runs in a process of its own.

usage: python -m benchmarks.loading [FILE.nev] [--only .nev .pkl ...]
Bars: NEV at least 10 times as fast as neo; 1e6 events in at most 5 s and 500 MB on top of the data, read and imported.
Peer: neo.rawio, every waveform and time of the same file, a process of its own as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import neuralsorter as ns
from neuralsorter.spikes import Spikes

FASTER, MOST_S, MOST_MB = 10.0, 5.0, 500.0
SUFFIXES = (".nev", ".npz", ".plx", ".nex", ".nwb", ".mat", ".pkl", ".npy", ".parquet", ".csv")
TIMES = 7  # of the comparison with neo
_TO_MB = 1024 if sys.platform == "linux" else 2**20


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


def processor_s(work: Callable[[], Any]) -> float:
    """Return the processor time of this process and of its workers that a call took."""

    def used() -> float:
        each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in each)

    started = used()
    work()
    return used() - started


def against_neo(path: Path) -> None:
    """Print the median of several readings by either; both have read the file once before."""
    found = len(ns.load(path)), read_by_neo(path)
    pairs = [(processor_s(lambda: ns.load(path)), processor_s(lambda: read_by_neo(path))) for _ in range(TIMES)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = theirs / ours
    told = f"{found[0]} events in {ours * 1000:.1f} ms of processor time; neo {found[1]} in {theirs * 1000:.1f} ms"
    print(f"{path.name}: {told}")
    print(f"ratio {ratio:.1f}, bar {FASTER:.0f}: {'met' if ratio >= FASTER else 'MISSED'}")


def measure(path: Path, *, imported: bool) -> None:
    """Print the seconds and the MB that one file takes, as JSON: what a process of its own runs."""
    held: list[Spikes] = []

    def work() -> None:
        if imported:
            with ns.Project.create(path.with_name(f"{path.name}.nsort"), [path]) as project:
                held.append(project.spikes)
        else:
            held.append(ns.load(path))

    started = time.perf_counter()
    used = processor_s(work)
    took = time.perf_counter() - started
    columns = (getattr(held[0], name) for name in ("raw", "times_s", "channel", "unit", "experiment", "segment"))
    data = sum(column.nbytes for column in columns) / 2**20
    most = max(own_peak_mb(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / _TO_MB)
    print(json.dumps({"cpu": used, "wall": took, "over": most - data}))


def own_peak_mb() -> float:
    """Return the most this process held; getrusage counts what its parent held when it was started, too."""
    try:
        return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _TO_MB


def apart(path: Path, how: str) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, str(path), how]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def main() -> None:
    """Print the comparison and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--only", nargs="*", default=SUFFIXES)
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--import", action="store_true", dest="imported", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read or options.imported:
        measure(options.file, imported=options.imported)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "generated.nev"
        if options.file is None:
            ns.save(recording(40_000), path)
        against_neo(path)
        spikes = recording(1_000_000 if options.only else 1)
        print(f"1e6 events of 60 samples, bars {MOST_S:.0f} s and {MOST_MB:.0f} MB; load {os.getloadavg()[0]:.1f}")
        half = f"{'cpu s':>7}{'wall s':>7}{'MB over':>8}"
        print(f"{'format':9}{'MB':>6}   read:{half}   import:{half}")
        for suffix in options.only:
            target = Path(folder) / f"million{suffix}"
            ns.save(spikes, target)
            read, imported = apart(target, "--read"), apart(target, "--import")
            met = max(read["cpu"], imported["cpu"]) <= MOST_S and max(read["over"], imported["over"]) <= MOST_MB
            cells = [f"{one['cpu']:7.2f}{one['wall']:7.2f}{one['over']:8.0f}" for one in (read, imported)]
            size = target.stat().st_size / 1e6
            print(f"{suffix:9}{size:6.0f}        {(' ' * 10).join(cells)}  {'met' if met else 'MISSED'}", flush=True)
            target.unlink()


if __name__ == "__main__":
    main()
