"""How fast a lasso finds what it meets, against one pass over the data and against Shapely on all segments.

Run: python -m benchmarks.picking [--events 1000000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from neuralsorter.density import View
from neuralsorter.picking import pick

N_SAMPLES, UV_PER_BIT, RATE_HZ, PRE_SAMPLES = 60, 0.25, 20_000.0, 20
SHAPELY_EVENTS = 20_000  # Shapely's time is measured on so many events, all segments of each, and scaled up


def events(n: int, seed: int = 0) -> NDArray[np.int16]:
    """Return n noisy spikes of ten shapes as int16, 0.25 µV per bit."""
    rng, t = np.random.default_rng(seed), np.arange(N_SAMPLES)
    raw = np.empty((n, N_SAMPLES), np.int16)
    for s in range(0, n, 100_000):
        m = min(100_000, n - s)
        depth, width = rng.choice(np.linspace(40, 150, 10), m), rng.uniform(2, 5, m)
        waves = -depth[:, None] * np.exp(-0.5 * ((t - 20) / width[:, None]) ** 2) + rng.normal(0, 6, (m, N_SAMPLES))
        raw[s : s + m] = np.round(waves / UV_PER_BIT)
    return raw


def lasso(centre: tuple[float, float], radius: tuple[float, float], points: int = 200) -> NDArray[np.float64]:
    """Return an uneven ring of points, ms and µV."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    reach = 1 + 0.15 * np.sin(5 * angle)
    return np.c_[centre[0] + radius[0] * reach * np.cos(angle), centre[1] + radius[1] * reach * np.sin(angle)]


def seconds(call: Callable[[], Any], repeats: int = 7) -> float:
    """Return the best time of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def by_shapely(raw: NDArray[np.int16], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which waveforms meet the polygon by testing every segment."""
    ms = (np.arange(N_SAMPLES) - PRE_SAMPLES) * 1000 / RATE_HZ
    ends = np.stack([np.broadcast_to(ms, raw.shape), raw * UV_PER_BIT], axis=-1)
    region = shapely.polygons(polygon)
    shapely.prepare(region)
    segments = shapely.linestrings(np.stack([ends[:, :-1], ends[:, 1:]], axis=2).reshape(-1, 2, 2))
    hit: NDArray[np.bool_] = np.any(shapely.intersects(region, segments).reshape(len(raw), -1), axis=1)
    return hit


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    raw = events(parser.parse_args().events)
    one_pass = seconds(raw.max)
    print(f"{len(raw):,} events; one pass over the int16 data (numpy's max): {one_pass * 1e3:.1f} ms")
    where: dict[str, Any] = {"sampling_rate": RATE_HZ, "pre_samples": PRE_SAMPLES, "uv_per_bit": UV_PER_BIT}
    tenth = 0.05 * (N_SAMPLES - 1) * 1000 / RATE_HZ / 1.15  # half a tenth of the time axis; the ring reaches 1.15 of it
    for what, polygon in {
        "lasso over the troughs": lasso((0.0, -60.0), (tenth, 30.0)),
        "lasso in the tails": lasso((1.2, 15.0), (tenth, 8.0)),
        "lasso hardly hit": lasso((0.0, -200.0), (tenth, 20.0)),
        "line": np.array([(-tenth, -60.0), (tenth, -50.0)]),
    }.items():
        hit = pick(raw, polygon, **where)
        took = seconds(lambda: pick(raw, polygon, **where))  # noqa: B023 - called at once
        pixels = seconds(lambda: pick(raw, polygon, view=View(900, 500, y_range=(-233.0, 83.0)), **where))  # noqa: B023
        print(
            f"{what}: {hit.sum():,} hit, {took * 1e3:.1f} ms = {took / one_pass:.1f} passes (bar 5);"
            f" by pixels {pixels * 1e3:.1f} ms"
        )
    polygon = lasso((0.0, -60.0), (tenth, 30.0))
    some = raw[:SHAPELY_EVENTS]
    start = time.perf_counter()
    theirs = by_shapely(some, polygon)
    there = (time.perf_counter() - start) * len(raw) / len(some)
    here = seconds(lambda: pick(raw, polygon, **where))
    equal = np.array_equal(theirs, pick(some, polygon, **where))
    print(f"Shapely on all segments: {there:.1f} s, {there / here:,.0f}x slower (bar 100x); same waveforms: {equal}")


if __name__ == "__main__":
    main()
