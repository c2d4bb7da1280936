"""How well and how fast events are cleaned.

    python -m benchmarks.cleaning [--events FOLDER] [--only PART ...] [--seeds BLOCK]

Held-out simulator seeds with kinds of artefact that training never saw; the same events shifted, resampled, inverted,
cut and amplified; real labelled events where their folder is given. Peers in the same run: the size of the trough, and
gradient boosting on the samples in noise SDs, trained on the same simulated recordings as the network.
Rule: spikes of units (overlaps with other spikes included) against crossings of noise and artefacts. Left out: distant
multi-unit spikes, second crossings of one spike, and artefacts on top of a spike.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from neuralsorter.cleaning import CnnCleaner, spike_probability
from neuralsorter.screening import coincident
from neuralsorter.simulate import DEVELOPMENT_SEEDS, TRAINING_SEEDS, Simulation, simulate
from neuralsorter.simulate.artefacts import HELD_OUT_KINDS, KINDS
from neuralsorter.training import train_cleaner
from neuralsorter.waveforms import noise_sigma, resample

Array = NDArray[np.float32]
Judge = Callable[[Array, float, int], NDArray[np.floating]]
RATE, PRE = 20_000.0, 20
# The first block was drawn when the network and its border were finished: nothing was chosen on it. The others scored
# the networks before.
UNSEEN_SEEDS = {str(first): tuple(range(first, first + 8)) for first in (9600, 9400, 9200)}
ADAPTING_SEEDS = (9300, 9301)
PARTS = ("accuracy", "real", "array", "adapting", "speed")


@dataclass(frozen=True)
class Truth:
    """Events of all held-out channels, in the order in which they are judged."""

    channels: list[Array]
    unit: NDArray[np.bool_]
    noise: NDArray[np.bool_]
    kind: NDArray[np.str_]
    size: Array


def held_out(seeds: tuple[int, ...]) -> Truth:
    """Simulate the recordings that are scored."""
    kinds = (*KINDS, *HELD_OUT_KINDS)
    made = [simulate(4, 40.0, seed, artefact_kinds=kinds, artefact_rate_hz=1.5) for seed in seeds]
    parts = [m.take(np.flatnonzero(m.spikes.channel == c)) for m in made for c in m.shapes_uv]
    kind = np.concatenate([p.kind for p in parts])
    noise = np.concatenate([(p.truth_unit == 0) & ~p.overlap & (p.kind != "tail") for p in parts])
    size = np.concatenate([p.amplitude_sigma for p in parts])
    return Truth([p.spikes.waveforms for p in parts], kind == "unit", noise, kind, size)


def judged(judge: Judge, channels: list[Array], rate: float = RATE, pre: int = PRE) -> NDArray[np.floating]:
    """Return the scores of all channels, each judged alone."""
    return np.concatenate([judge(w, rate, pre) for w in channels])


def auc(p: NDArray[np.floating], truth: Truth) -> float:
    """Area under the curve, units against noise."""
    rows = truth.unit | truth.noise
    return float(roc_auc_score(truth.unit[rows], p[rows]))


def calibration(p: NDArray[np.floating], truth: Truth, bins: int = 15) -> float:
    """Return the expected calibration error over equal bins of probability."""
    rows = truth.unit | truth.noise
    p, y = p[rows], truth.unit[rows]
    which = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(p[which == b].sum() - y[which == b].sum()) for b in range(bins)) / len(p))


def told(what: str, found: float, bar: float, *, most: bool = False) -> None:
    """Print a figure, its bar (the least, or the `most`, it may be) and whether it is met."""
    met = found <= bar if most else found >= bar
    shown = [f"{number:,.0f}" if bar >= 10 else f"{number:.4g}" for number in (found, bar)]
    print(f"  {what}: {shown[0]}, bar {shown[1]}: {'met' if met else 'MISSED'}")


def report(p: NDArray[np.floating], truth: Truth) -> None:
    """Print the scores of the cleaner, weakest group first."""
    at = np.quantile(p[truth.noise], 0.99)
    told("AUC", auc(p, truth), 0.997)
    told("sensitivity at specificity 0.99", float(np.mean(p[truth.unit] > at)), 0.98)
    told("calibration error", calibration(p, truth), 0.02, most=True)
    print(f"  at 0.5: sensitivity {np.mean(p[truth.unit] >= 0.5):.4f}  specificity {np.mean(p[truth.noise] < 0.5):.4f}")
    print("  P(spike) said, share of spikes found, events:")
    both = truth.unit | truth.noise
    for low in np.arange(0, 1, 0.1):
        mine = both & (p >= low) & ((p < low + 0.1) | (low > 0.85))
        print(f"    {p[mine].mean():.3f}  {truth.unit[mine].mean():.3f}  {mine.sum()}")
    rows = []
    for kind in np.unique(truth.kind[truth.noise]):
        mine = truth.noise & (truth.kind == kind)
        both = truth.unit | mine
        rows.append((np.mean(p[mine] < 0.5), kind, roc_auc_score(truth.unit[both], p[both]), int(mine.sum())))
    for kept_out, kind, area, count in sorted(rows):
        new = " (never seen in training)" if kind in HELD_OUT_KINDS else ""
        print(f"    {kind:10s} specificity {kept_out:.3f}  AUC {area:.4f}  n {count}{new}")
    for low, high in ((0, 5), (5, 7), (7, 10), (10, 15), (15, 99)):
        mine = truth.unit & (truth.size >= low) & (truth.size < high)
        print(f"    spikes of {low}-{high} SD: {np.mean(p[mine] >= 0.5):.4f} kept, n {mine.sum()}")


def variants(judge: Judge, truth: Truth) -> dict[str, float]:
    """Return the AUC of the same events as other set-ups would have recorded them."""
    given = truth.channels
    gain = np.random.default_rng(0)
    each = [w * np.exp(gain.uniform(np.log(0.5), np.log(2), len(w))).astype(np.float32)[:, None] for w in given]
    found = {
        "as they are": judged(judge, given),
        "4 samples later": judged(judge, given, pre=PRE + 4),
        "4 samples earlier": judged(judge, given, pre=PRE - 4),
        "gain x0.5": judged(judge, [w * np.float32(0.5) for w in given]),
        "gain x2": judged(judge, [w * np.float32(2) for w in given]),
        "gain x0.5-2, drawn for each event": judged(judge, each),
        "inverted": judged(judge, [-w for w in given]),
    }
    for rate in (15_000.0, 24_414.0625, 30_000.0, 40_000.0):
        pre, n_samples = round(rate / 1000), round(3 * rate / 1000)
        moved = [resample(w, RATE, PRE, rate, n_samples, pre) for w in given]
        found[f"at {rate / 1000:g} kHz"] = judged(judge, moved, rate, pre)
    for first, n_samples in ((12, 32), (10, 40), (4, 52)):
        cut = [w[:, first : first + n_samples] for w in given]
        found[f"cut to {n_samples} samples"] = judged(judge, cut, pre=PRE - first)
    return {name: auc(p, truth) for name, p in found.items()}


def trough(waveforms: Array, rate: float, pre: int) -> NDArray[np.floating]:
    """Peer: depth of the trough near the crossing."""
    return -waveforms[:, max(pre - 4, 0) : pre + round(rate * 0.0008)].min(axis=1)


def boosting(recording: Callable[[int], Simulation]) -> Judge:
    """Peer: gradient boosting on the samples in noise SDs, trained on the same seeds at the default rate."""
    made = [recording(seed) for seed in TRAINING_SEEDS[::4]]
    parts = [m.take(np.flatnonzero((m.spikes.channel == c) & (m.kind != "tail"))) for m in made for c in m.shapes_uv]
    x = np.concatenate([p.spikes.waveforms / noise_sigma(p.spikes.waveforms, PRE) for p in parts])
    y = np.concatenate([p.is_spike for p in parts])
    model = HistGradientBoostingClassifier(max_iter=200, random_state=0).fit(x, y)
    return lambda w, _, pre: model.predict_proba(w / noise_sigma(w, pre))[:, 1]


def real(folder: Path) -> None:
    """Print what is kept of events whose truth is known, in files the network never saw."""
    clean = CnnCleaner().spike_probability
    files = (
        ("martinez2009_sim1", 12),
        ("martinez2009_sim3", 12),
        ("mlib_pigeon2_spike2", 8),
        ("quiroga2004_C_Difficult2_noise005", 17),
        ("quiroga2004_C_Difficult2_noise01", 17),
    )
    least = 1.0
    for name, pre in files:
        file = np.load(folder / f"{name}.npz")
        for sign, text in ((1, "as it is"), (-1, "inverted")):
            p = clean(sign * file["waveforms"], float(file["fs"]), pre)
            kept = {int(u): float(np.mean(p[file["truth"] == u] >= 0.5)) for u in np.unique(file["truth"])}
            least = min(least, *(k for u, k in kept.items() if 0 < u < 100))
            print(f"  {name} {text}: " + "  ".join(f"{u}: {k:.3f}" for u, k in kept.items()))
    print("  (100: distant multi-unit; -1: overlaps or unknown)")
    told("kept of the single unit that loses most", least, 0.97)


def common_mode() -> None:
    """Print what the coincidence rule removes on a simulated array of 96 channels at 20 Hz each."""
    rng = np.random.default_rng(1)
    duration_s, n_channels = 120.0, 96
    channel = np.repeat(np.arange(n_channels), int(duration_s * 20))
    times = rng.uniform(0, duration_s, len(channel))
    onset = np.sort(rng.uniform(0, duration_s, 60))
    reached = rng.random((60, n_channels)) < 0.8
    hit, where = np.nonzero(reached)
    times = np.concatenate([times, onset[hit] + rng.uniform(0, 0.0005, len(hit))])
    channel = np.concatenate([channel, where])
    artefact = np.arange(len(times)) >= len(times) - len(hit)
    found, chance_hz = coincident(times, channel, np.zeros(len(times), np.int64))
    told("common-mode artefacts removed", float(np.mean(found[artefact])), 0.99)
    told("spikes lost", float(np.mean(found[~artefact])), 0.005, most=True)
    print(f"  chance {chance_hz:.2g} per s")


def adapting(seed: int) -> None:
    """Print what 500 labelled events of a new recording teach, scored on its other events."""
    kinds = ("sawtooth", "telegraph", "dropout", "chirp", "walk")
    made = simulate(4, 60.0, seed, artefact_kinds=kinds, artefact_rate_hz=2.0)
    scored = (made.kind == "unit") | ((made.truth_unit == 0) & ~made.overlap & (made.kind != "tail"))
    made = made.take(np.flatnonzero(scored))
    some = np.sort(np.random.default_rng(seed - ADAPTING_SEEDS[0]).choice(len(made), 500, replace=False))
    rest = np.setdiff1d(np.arange(len(made)), some)
    curated = replace(made.spikes.take(some), unit=made.is_spike[some].astype(np.int32))
    with tempfile.TemporaryDirectory() as folder:
        out, start = Path(folder) / "learned.keras", resource.getrusage(resource.RUSAGE_CHILDREN)
        train_cleaner(curated, out)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
        found = [
            roc_auc_score(made.is_spike[rest], spike_probability(made.spikes, name)[rest]) for name in (str(out), "cnn")
        ]
    print(f"  seed {seed}: AUC {found[0]:.4f} learned, {found[1]:.4f} shipped")
    told("AUC after 500 labelled events", found[0], 0.99)
    told("processor time (s)", seconds, 60, most=True)


def speed() -> None:
    """Print events per second from arrays in memory, network loaded."""
    made = simulate(16, 30.0, 1, n_events=1_000_000).spikes
    spike_probability(made.take(np.arange(2000)), CnnCleaner())
    start, cpu = time.perf_counter(), time.process_time()
    spike_probability(made, CnnCleaner())
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"  {len(made) / wall:,.0f} events/s by the clock; {cpu / len(made) * 1e6:.2f} µs of processor time each")
    told("events/s on two cores that do nothing else", 2 * len(made) / cpu, 1_000_000)


def accuracy(seeds: tuple[int, ...]) -> None:
    """Print the scores on simulated recordings, of the same events changed, and of the peers."""
    truth = held_out(seeds)
    clean = CnnCleaner().spike_probability
    print(f"seeds {seeds[0]}-{seeds[-1]}: {truth.unit.sum():,} spikes, {truth.noise.sum():,} noise events")
    report(judged(clean, truth.channels), truth)
    print("AUC of the same events, changed, weakest first")
    found = sorted(variants(clean, truth).items(), key=lambda item: item[1])
    for name, area in found:
        print(f"  {area:.4f} {name}")
    told("largest fall", dict(found)["as they are"] - found[0][1], 0.005, most=True)
    print("peers on the same events")
    print(f"  {auc(judged(trough, truth.channels), truth):.4f} trough")
    peer = boosting(lambda seed: simulate(6, 40.0, seed, threshold_sigmas=3.7, artefact_rate_hz=1.5))
    print(f"  {auc(judged(peer, truth.channels), truth):.4f} gradient boosting")


def main() -> None:
    """Run what is asked for, everything by default, and print it."""
    options = argparse.ArgumentParser()
    options.add_argument("--events", type=Path, help="folder with labelled events (.npz)")
    blocks = {**UNSEEN_SEEDS, "development": DEVELOPMENT_SEEDS}
    options.add_argument("--seeds", choices=blocks, default="9600", help="the recordings that are scored")
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some parts alone")
    asked = options.parse_args(sys.argv[1:])
    if "accuracy" in asked.only:
        accuracy(blocks[asked.seeds])
    if "real" in asked.only and asked.events:
        print("kept at 0.5 of the events of each unit")
        real(asked.events)
    if "array" in asked.only:
        print("array of 96 channels, 20 Hz")
        common_mode()
    if "adapting" in asked.only:
        print("adapting to 500 labelled events")
        for seed in ADAPTING_SEEDS:
            adapting(seed)
    if "speed" in asked.only:
        print("throughput")
        speed()


if __name__ == "__main__":
    main()
