"""Batches on a dask cluster of four workers that are killed at random, against the same in one process.

`python -m benchmarks.cluster [--channels 96] [--files 20] [--events 20] [--kills 8] [--seed 0] [COMMAND ...]`, by
default clean, sort, run and report. Data: generated, two shapes on each channel. Rule: every event in the same place,
with the same time and unit; of a report, the same text. Bar: no event and no channel differs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import neuralsorter as ns
from neuralsorter.cli import main as neuralsorter

COMMANDS = ("clean", "sort", "run", "report")
WORKERS, SAMPLES = 4, 32
PAUSE_S = (0.3, 3.0)  # between two kills


def recording(n_channels: int, n_files: int, n_each: int, seed: int = 0) -> ns.Spikes:
    """Return events of two shapes on many channels of several files, `n_each` on each."""
    rng = np.random.default_rng(seed)
    n = n_channels * n_files * n_each
    times = np.linspace(0, 2 * np.pi, SAMPLES)
    shapes = np.stack([-np.exp(-((times - 2) ** 2) * 8), -0.6 * np.exp(-((times - 2.4) ** 2) * 3)])
    raw = (90 * shapes[rng.integers(0, 2, n)] + rng.normal(0, 6, (n, SAMPLES))).astype(np.float32)
    channel = np.tile(np.repeat(np.arange(1, n_channels + 1, dtype=np.int32), n_each), n_files)
    experiment = np.repeat(np.arange(n_files, dtype=np.int32), n_channels * n_each)
    return ns.Spikes(raw, rng.random(n) * 60, channel, np.ones(n, np.int32), experiment, pre_samples=10)


@contextlib.contextmanager
def cluster() -> Iterator[Any]:
    """Start workers on this computer."""
    import distributed

    with distributed.LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as made:
        yield made


@contextlib.contextmanager
def killing(made: Any, kills: int, seed: int = 0) -> Iterator[list[int]]:
    """Kill workers while the block runs, one every few seconds, whatever they are doing; yields who was killed."""
    chance, stop, killed = random.Random(seed), threading.Event(), list[int]()  # noqa: S311 - no secret

    def run() -> None:
        while len(killed) < kills and not stop.wait(chance.uniform(*PAUSE_S)):
            running = [nanny.pid for nanny in made.workers.values() if nanny.status.name == "running"]
            alive = [pid for pid in running if pid and pid not in killed]
            if alive:
                killed.append(chance.choice(alive))
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=run)
    killer.start()
    try:
        yield killed
    finally:
        stop.set()
        killer.join()


def work(command: str, source: Path, out: Path, *flags: str) -> Path:
    """Run one command; return what it wrote."""
    made = out.with_suffix(".html" if command == "report" else ".npz")
    if neuralsorter([command, str(source), "-o", str(made), *flags]) != 0:
        raise SystemExit(f"{command} {' '.join(flags)} failed; see above.")
    return made


def differences(one: Path, other: Path) -> int:
    """Return how many events differ, or lines of the reports."""
    if one.suffix == ".html":
        texts = [path.read_text("utf-8").partition("<main")[2].splitlines() for path in (one, other)]
        return abs(len(texts[0]) - len(texts[1])) + sum(a != b for a, b in zip(*texts, strict=False))
    first, second = ns.load(one), ns.load(other)
    if len(first) != len(second):
        return abs(len(first) - len(second))
    wrong = (first.unit != second.unit) | (first.times_s != second.times_s) | (first.channel != second.channel)
    return int((wrong | (first.experiment != second.experiment) | (first.raw != second.raw).any(axis=1)).sum())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", default=COMMANDS, metavar="COMMAND")
    for name, value in (("channels", 96), ("files", 20), ("events", 20), ("kills", 8), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cluster() as made:
        source = Path(folder, "a.npz")
        spikes = recording(options.channels, options.files, options.events, options.seed)
        ns.save(spikes, source)
        print(f"{len(spikes):,} events, {options.channels} channels, {options.files} files; {WORKERS} workers")
        for command in options.commands:
            begun = time.monotonic()
            serial = work(command, source, Path(folder, "serial"), "--jobs", "1")
            alone = time.monotonic() - begun
            with killing(made, options.kills, options.seed) as killed:
                begun = time.monotonic()
                other = work(command, source, Path(folder, "cluster"), "--scheduler", made.scheduler_address)
                spread = time.monotonic() - begun
            wrong = differences(serial, other)
            print(
                f"{command}: {len(killed)} workers killed, {wrong} differences (bar 0: {'missed' if wrong else 'met'});"
                f" one process {alone:.0f} s, cluster {spread:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
