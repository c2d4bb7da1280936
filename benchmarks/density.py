"""How fast every waveform is drawn, against Datashader's Canvas.line on the same data in the same run.

Run: python -m benchmarks.density [--events 1000000] [--skip-large]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import datashader
import numpy as np
import xarray
from numpy.typing import NDArray

from dashboard.shading import moved, unselected, with_selected
from neuralsorter.density import Picture, View, density
from neuralsorter.drawing.threads import threads

WIDTH, HEIGHT, N_SAMPLES, N_UNITS, UV_PER_BIT = 900, 500, 60, 10, 0.25
MOVED = 5_000


def events(n: int, seed: int = 0) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Return n noisy spikes of ten units as int16, 0.25 µV per bit, and their units."""
    rng, t = np.random.default_rng(seed), np.arange(N_SAMPLES)
    shapes = np.stack([
        (10 + 4 * u) * np.exp(-0.5 * ((t - 30 - u) / 5) ** 2)
        - (40 + 12 * u) * np.exp(-0.5 * ((t - 20) / (2 + 0.3 * u)) ** 2)
        for u in range(N_UNITS)
    ])  # fmt: skip
    unit = rng.integers(0, N_UNITS, n)
    raw = np.empty((n, N_SAMPLES), np.int16)
    for s in range(0, n, 100_000):
        own = unit[s : s + 100_000]
        waves = shapes[own] * rng.normal(1, 0.12, (len(own), 1)) + rng.normal(0, 6, (len(own), N_SAMPLES))
        raw[s : s + 100_000] = np.round(waves / UV_PER_BIT)
    return raw, unit


def seconds(call: Callable[[], Any], repeats: int = 5) -> float:
    """Return the best time of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def by_datashader(waves: NDArray[np.float32], unit: NDArray[np.int64], y_range: tuple[float, float]) -> NDArray[Any]:
    """Return the counts per unit, one Canvas.line call each on a common x: Datashader's fastest route."""
    canvas = datashader.Canvas(WIDTH, HEIGHT, x_range=(0, N_SAMPLES - 1), y_range=y_range)
    images = []
    for u in np.unique(unit):
        own = waves if (unit == u).all() else waves[unit == u]
        data = xarray.Dataset({"y": (("event", "x"), own)}, coords={"x": np.arange(N_SAMPLES, dtype=float)})
        images.append(canvas.line(data, x="x", y="y", agg=datashader.count()).values)
    return np.stack(images)


def processor_seconds(call: Callable[[], Any], repeats: int = 3) -> float:
    """Return the least processor time of some calls, all threads together: steadier than the clock when others work."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def compare(raw: NDArray[np.int16], unit: NDArray[np.int64], bar: float, what: str) -> float:
    """Print how much faster than Datashader the counts are made, and whether they are equal; return the time."""
    waves = raw.astype(np.float32) * np.float32(UV_PER_BIT)
    y_range = density(raw, unit, WIDTH, HEIGHT, uv_per_bit=UV_PER_BIT).y_range
    by_datashader(waves[:100], unit[:100], y_range)  # compiles
    reference = partial(by_datashader, waves, unit, y_range)
    theirs, there, work_there = reference(), seconds(reference, 2), processor_seconds(reference, 1)
    best = np.inf
    for data, scale in ((raw, UV_PER_BIT), (waves, 1.0)):
        draw = partial(density, data, unit, WIDTH, HEIGHT, uv_per_bit=scale)
        equal = np.array_equal(draw().counts, theirs)
        here, work = seconds(draw, 7), processor_seconds(draw)
        best = min(best, here)
        print(
            f"{what}, {data.dtype}: {here * 1e3:.1f} ms, Datashader {there * 1e3:,.0f} ms: {there / here:.0f}x"
            f" (bar {bar:.0f}x); processor {work * 1e3:.0f} ms over {threads()} threads, {work_there * 1e3:,.0f} ms:"
            f" {work_there / (work / threads()):.0f}x; every pixel equal: {equal}"
        )
    return float(best)


def windows(raw: NDArray[np.int16], unit: NDArray[np.int64]) -> None:
    """Print the times of zoomed windows."""
    picture = Picture(raw, unit, uv_per_bit=UV_PER_BIT)
    for what, view in {
        "whole": View(WIDTH, HEIGHT),
        "half the amplitudes": View(WIDTH, HEIGHT, y_range=(-120.0, 40.0)),
        "a fifth of the amplitudes": View(WIDTH, HEIGHT, y_range=(-40.0, 20.0)),
        "10 samples, 120 µV": View(WIDTH, HEIGHT, (15.2, 25.3), (-100.0, 20.0)),
        "4 samples": View(WIDTH, HEIGHT, (15.2, 19.3), (-250.0, 100.0)),
        "whole, 1800 x 1000": View(2 * WIDTH, 2 * HEIGHT),
    }.items():
        took = seconds(lambda: picture.set_view(view), 3)  # noqa: B023 - called at once
        print(f"window ({what}), ten units: {took * 1e3:.0f} ms; preview of 2 %: ", end="")
        print(f"{seconds(lambda: picture.preview(view), 3) * 1e3:.0f} ms")  # noqa: B023


def reassign(
    raw: NDArray[np.int16], unit: NDArray[np.int64], what: str, among: NDArray[np.int64], *, shown: bool
) -> None:
    """Print what a new image costs after 5,000 events `among` these changed their unit, against drawing everything.

    Other events each time, and colours included: what the page does until the image is ready to be sent. `shown`: the
    events were shown as selected before, as those that a person moves are; then they are expected to move.
    """
    picture = Picture(raw, unit, uv_per_bit=UV_PER_BIT)
    look: dict[str, Any] = {"shape": (HEIGHT, WIDTH), "mode": "equalised", "dark": False}
    rng, times, work, whole, whole_work = np.random.default_rng(1), [], [], [], []
    picture.set_view(View(WIDTH, HEIGHT))
    shades = unselected(picture.images, heat=False, **look)
    for i in range(12):
        to = 2 - i % 2
        rows = rng.choice(among[picture.unit[among] != to], MOVED, replace=False)
        before = picture.unit[rows].copy()
        if shown:
            picture.expect(rows)
        start, began = time.perf_counter(), time.process_time()
        picture.reassign(rows, before, to)
        if picture.change is None:
            shades = unselected(picture.images, heat=False, before=shades, **look)
        else:
            shades = moved(shades, picture.change, dark=False, heat=False)
        times.append(time.perf_counter() - start)
        work.append(time.process_time() - began)
        picture.reassign(rows[:1], to, 3)  # as after any edit, what is known of the units is out of date
        picture.reassign(rows[:1], 3, to)
        if i % 3:
            continue
        start, began = time.perf_counter(), time.process_time()
        picture.set_view(View(WIDTH, HEIGHT))
        anew = with_selected(unselected(picture.images, heat=False, **look), None, mode="equalised", dark=False)
        whole.append(time.perf_counter() - start)
        whole_work.append(time.process_time() - began)
        if not np.array_equal(shades.rgba, anew):
            print("The image differs from the one drawn anew.")
    clock, anew_ms, processor = (float(np.median(values)) for values in (times, whole, work))
    print(
        f"reassign {MOVED:,} of {len(raw):,}, {what}: median {clock * 1e3:.1f} ms, full redraw {anew_ms * 1e3:.1f} ms:"
        f" 1/{anew_ms / clock:.0f} (bar 1/20); processor {processor * 1e3:.1f} of {np.median(whole_work) * 1e3:.1f} ms:"
        f" 1/{np.median(whole_work) / processor:.0f}"
    )


def large(small_s: float, n: int) -> None:
    """Print the time and memory of ten times as many events. For a process of its own."""
    raw, unit = events(n)
    one = np.ones(len(raw), np.int32)
    density(raw[:1000], unit[:1000], WIDTH, HEIGHT)  # compiles
    before = resident_mb()
    took = seconds(lambda: density(raw, one, WIDTH, HEIGHT, uv_per_bit=UV_PER_BIT), 3)
    ten = seconds(lambda: density(raw, unit, WIDTH, HEIGHT, uv_per_bit=UV_PER_BIT), 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n:,} events, one unit: {took * 1e3:.0f} ms, {took / small_s:.1f}x (bar 10x); ten units {ten * 1e3:.0f} ms")
    print(f"memory at the peak, beyond the data: at most {peak - before:.0f} MB (bar 300 MB)")


def resident_mb() -> float:
    """Return the memory held now, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--skip-large", action="store_true")
    arguments = parser.parse_args()
    raw, unit = events(arguments.events)
    one = np.ones(len(raw), np.int64)
    small = compare(raw, one, 100, f"{len(raw):,} events, one unit")
    compare(raw, unit, 60, f"{len(raw):,} events, ten units")
    windows(raw, unit)
    everything = np.arange(len(raw))
    for shown in (True, False):
        how = "selected before" if shown else "never shown alone"
        reassign(raw, one, f"one unit, {how}", everything, shown=shown)
        reassign(raw, unit + 1, f"of one of ten units, {how}", np.flatnonzero(unit == 4), shown=shown)
        reassign(raw, unit + 1, f"of all of ten units, {how}", everything, shown=shown)
    if not arguments.skip_large:
        child = multiprocessing.get_context("spawn").Process(target=large, args=(small, 10 * len(raw)))
        child.start()
        child.join()


if __name__ == "__main__":
    main()
