"""All metrics after an edit in a channel of 100,000 events, and scripts from click to picture.

Run: python benchmarks/metrics.py. Bars: 300 ms for the units an edit touched; 500 ms for a bundled script, warm.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from neuralsorter import plugins
from neuralsorter.metrics import metrics, recording
from neuralsorter.scripting.script_runner import ScriptRunner
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
        triggers=pd.DataFrame({"time_s": np.arange(5.0, 1800, 20), "code": 1}),
    )


@contextmanager
def longest_pause() -> Iterator[list[float]]:
    """Measure how long this process's other threads were kept from running, in s."""
    found, done = [0.0], threading.Event()

    def beat() -> None:
        while not done.is_set():
            started = time.perf_counter()
            time.sleep(0.005)
            found[0] = max(found[0], time.perf_counter() - started - 0.005)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def main() -> int:
    """Measure, print, and return 1 when a bar is missed."""
    spikes = channel()
    whole = recording(spikes)
    metrics(spikes, of=whole)
    times, processor = [], []
    for step in range(5):
        rows = np.flatnonzero(spikes.unit == 1)[: 1000 * (step + 1)]
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
    missed = min(times) > 0.3
    runner = ScriptRunner()
    runner.prewarm(wait_s=120)
    with longest_pause() as pause:
        for path in sorted(plugins.folder("utilities").glob("[!_]*.py")):
            results = [runner.run(path.read_text(encoding="utf-8"), path.stem, spikes) for _ in range(5)]
            best = min(result.seconds for result in results)
            missed = missed or best > 0.5 or bool(results[0].error)
            print(f"{path.stem}: {1000 * best:.0f} ms (bar 500) {results[0].error}")
    runner.close()
    print(f"longest pause of the server's other threads meanwhile: {1000 * pause[0]:.0f} ms (bar 200)")
    return int(missed or pause[0] > 0.2)


if __name__ == "__main__":
    sys.exit(main())
