"""Accuracy and speed of sorting, beside other sorters, each file and seed printed.

    python -m benchmarks.sorting                        the simulator's held-out seeds
    python -m benchmarks.sorting --earlier              those that were held out before
    python -m benchmarks.sorting --development [N]      its development seeds, or the first N
    python -m benchmarks.sorting --events FOLDER        labelled event files (.npz: waveforms, fs, truth)
    python -m benchmarks.sorting --quiroga FOLDER       the sixteen simulations C_*_noise*.mat
    python -m benchmarks.sorting --pedreira FOLDER      the 95 simulations simulation_*.mat and ground_truth.mat
    python -m benchmarks.sorting --errors               predicted against true errors of each unit
    python -m benchmarks.sorting --single               channels of one unit, of background alone, of two amplitudes
    python -m benchmarks.sorting --speed [--total N]    one channel, then 1,000,000 or N events over 96, cleaned too
    --peers adds every other sorter installed and an oracle; --seeds N repeats ours (and prints the worst)
    --simulated adds the simulator's seeds to files; --keep FILE keeps results, so that a run cut short goes on

The rules, of scoring and of comparison, are told in `sorting_rule.py`.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.sorting_data import (
    BACKGROUND,
    DEVELOPMENT,
    HARD,
    HELD_OUT,
    HELD_OUT_EARLIER,
    HELD_OUT_SINGLE,
    Set,
    events,
    pedreira,
    quiroga,
    simulated,
)
from benchmarks.sorting_peers import peers, told_the_truth
from benchmarks.sorting_rule import LEAST_EVENTS, ORACLE, OURS, Row, means, score, text, verdict
from benchmarks.sorting_speed import whole_array
from neuralsorter.simulate import DEVELOPMENT_SEEDS, simulate
from neuralsorter.sorting import sort_channel


def ours(data: Set, seed: int) -> NDArray[Any]:
    """Sort with the sorter of this project."""
    return sort_channel(data.waveforms, data.times_s, data.rate_hz, data.pre_samples, seed).labels


def compare(sets: Iterable[Set], seeds: int, *, with_peers: bool, kept: Path | None = None) -> None:
    """Print every set, seed and sorter, then the means and who is first; what `kept` holds is not sorted again."""
    others = {**peers(), ORACLE: told_the_truth} if with_peers else {}
    done = {tuple(key): result for key, result in map(json.loads, _lines(kept))}
    rows = []
    for data in sets:
        for name, label, seed in [(OURS, ours, s) for s in range(seeds)] + [(n, f, 0) for n, f in others.items()]:
            key = (data.name, len(data.truth), name, seed)
            if key not in done:
                began = time.perf_counter()
                labels = np.asarray(label(data, seed))
                done[key] = score(data.truth, labels, data.scored) | {"s": time.perf_counter() - began}
                if kept:
                    with kept.open("a", encoding="utf-8") as file:
                        file.write(json.dumps([key, done[key]]) + "\n")
            rows.append(Row(data.block, data.name, name, done[key]))
            print(f"{data.name:34} {name:15} seed {seed} {len(data.truth):6} events {text(done[key])}", flush=True)
    print(*means(rows), *verdict(rows), sep="\n")


def _lines(path: Path | None) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []


def errors(seeds: tuple[int, ...]) -> None:
    """Print how far the predicted false positives plus negatives of each unit are from the true ones.

    Units and clusters are matched as for F1, and so are the events left out. Both shares are of the cluster's size.
    """
    apart = []
    for data in simulated(seeds):
        found = sort_channel(data.waveforms, data.times_s, data.rate_hz, data.pre_samples, 0)
        true, labels = data.truth[data.scored], found.labels[data.scored]
        units = [u for u in np.unique(true) if 0 < u < BACKGROUND and (true == u).sum() >= LEAST_EVENTS]
        both = np.array([[np.sum((true == u) & (labels == c)) for c in range(found.n_units)] for u in units], float)
        size = np.maximum([np.sum(labels == c) for c in range(found.n_units)], 1)
        of_unit = np.array([np.sum(true == u) for u in units])
        for i, c in zip(*linear_sum_assignment(-2 * both / (of_unit[:, None] + size)), strict=True):
            real = 1 - both[i, c] / size[c] + (of_unit[i] - both[i, c]) / size[c]
            apart.append(abs(real - found.expected_false_positives[c] - found.expected_false_negatives[c]))
    quartiles = np.percentile(apart, [25, 50, 75])
    print(f"predicted - true FP + FN of {len(apart)} units: median {quartiles[1]:.3f}, quartiles", end=" ")
    print(f"{quartiles[0]:.3f} and {quartiles[2]:.3f}")


def single(seeds: tuple[int, ...]) -> None:
    """Print how often one unit, and background alone, stay whole, and whether two amplitudes are told apart."""
    for name, n_units, wanted in (("one unit", 1, 1), ("background", 0, BACKGROUND)):
        counts = []
        for seed in seeds:
            options: dict[str, Any] = {**HARD, "n_units": n_units}
            made = simulate(5, 120.0, seed, **options)
            for channel in range(1, 6):
                s = made.take((made.spikes.channel == channel) & (made.truth_unit == wanted)).spikes
                if len(s) < LEAST_EVENTS:  # a unit too small to cross the threshold
                    continue
                counts.append(sort_channel(s.waveforms, s.times_s, s.sampling_rate, s.pre_samples).n_units)
        print(f"{name}: K = 1 in {np.mean(np.array(counts) == 1):.1%} of {len(counts)} channels")
    rng = np.random.default_rng(0)
    apart = []
    for seed in seeds:
        shape = next(iter(simulate(1, 5.0, seed, 1).shapes_uv.values()))[0]
        unit = rng.integers(0, 2, 1500)
        size = (1 + 0.5 * unit) * rng.normal(1, 0.05, 1500) / np.abs(shape).max() * 80
        waves = (size[:, None] * shape + 10 * rng.normal(size=(1500, len(shape)))).astype(np.float32)
        found = sort_channel(waves, np.arange(1500.0), 20_000.0, 20).labels
        apart.append(score(unit + 1, found, np.ones(1500, bool)))
    print(f"amplitudes 1 and 1.5: K = 2 in {np.mean([r['K'] == 2 for r in apart]):.0%}, worst accuracy", end=" ")
    print(f"{min(r['accuracy'] for r in apart):.4f}")


def speed(n_events: int, jobs: int) -> None:
    """Print the time for a channel of 5,000 events and for `n_events` over 96 channels."""
    data = next(simulated(DEVELOPMENT_SEEDS[3:4], 1, 300.0))
    one = replace(data, waveforms=data.waveforms[:5000], times_s=data.times_s[:5000])
    ours(one, 0)
    began = time.perf_counter()
    ours(one, 0)
    took = time.perf_counter() - began
    print(f"one channel of 5,000 events: {took:.2f} s (bar 2 s: {'met' if took <= 2 else 'missed'})")
    whole_array(n_events, jobs)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("events", "quiroga", "pedreira"):
        parser.add_argument(f"--{name}", type=Path)
    for name in ("earlier", "errors", "single", "speed", "peers", "simulated"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--development", type=int, nargs="?", const=len(DEVELOPMENT), default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--total", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    seeds = DEVELOPMENT[: asked.development] or (HELD_OUT_EARLIER if asked.earlier else HELD_OUT)
    asked_sets = [
        load(folder)
        for load, folder in ((events, asked.events), (quiroga, asked.quiroga), (pedreira, asked.pedreira))
        if folder is not None
    ]
    if asked.simulated or not (asked.errors or asked.single or asked.speed or asked_sets):
        asked_sets.append(simulated(seeds))
    if asked_sets:
        compare(chain(*asked_sets), asked.seeds, with_peers=asked.peers, kept=asked.keep)
    if asked.errors:
        errors(seeds)
    if asked.single:
        single(seeds if asked.development or asked.earlier else HELD_OUT_SINGLE)
    if asked.speed:
        speed(asked.total, asked.jobs)


if __name__ == "__main__":
    main()
