"""Events of one channel with truth, for `sorting.py`: simulated, or read from the folders that a user names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.signal import butter, sosfiltfilt

from neuralsorter.simulate import simulate

BACKGROUND = 100
# Looked at only after everything was chosen; the earlier blocks by earlier states of the sorter too.
HELD_OUT_EARLIER = (*range(15000, 15008), *range(16000, 16008), *range(17000, 17008), *range(18000, 18016))
HELD_OUT = tuple(range(19000, 19016))
HELD_OUT_SINGLE = tuple(range(19000, 19020))  # five channels each, one unit or background alone
DEVELOPMENT = (*range(3000, 3032), *range(3100, 3164))
# Chosen so that the peers find these channels as hard as those they were published on, on the development seeds alone.
HARD = {
    "polarity": "negative",
    "artefact_rate_hz": 0.0,
    "common_rate_hz": 0.0,
    "noise_level": 0.09,
    "noise_of": "spikes",
    "rates": "unequal",
}
UNITS = (2, 4, 6, 8, 10, 13, 16, 20)  # of the first seed, the second, ..
WINDOW, PRE = 64, 20


@dataclass(frozen=True)
class Set:
    """Events of one channel with truth. Channels of one block count as one set, a file is a set by itself."""

    block: str
    name: str
    waveforms: NDArray[Any]
    times_s: NDArray[Any]
    truth: NDArray[Any]
    scored: NDArray[Any]
    rate_hz: float
    pre_samples: int


def simulated(seeds: tuple[int, ...], channels: int = 2, duration_s: float = 180.0) -> Iterator[Set]:
    """Yield the channels of the simulator's seeds; a block is those of one thousand."""
    for place, seed in enumerate(seeds):
        options: dict[str, Any] = {**HARD, "n_units": UNITS[place % len(UNITS)]}
        made = simulate(channels, duration_s, seed, **options)
        for channel in range(1, channels + 1):
            part = made.take(made.spikes.channel == channel)
            s = part.spikes
            block, name = f"simulated {seed // 1000 * 1000}..", f"simulated {seed}/{channel}"
            truth, scored = part.truth_unit, ~part.overlap
            yield Set(block, name, s.waveforms, s.times_s, truth, scored, s.sampling_rate, s.pre_samples)


def events(folder: Path) -> Iterator[Set]:
    """Yield labelled event files: waveforms (n, samples), fs in Hz, truth (n,), optionally timestamps in s."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            if "truth" not in file or len(np.unique(file["truth"][(file["truth"] > 0) & (file["truth"] < 99)])) < 2:
                continue
            waves, truth, rate = file["waveforms"], file["truth"], float(file["fs"])
            times = file["timestamps"] if "timestamps" in file else np.full(len(waves), np.nan)
        peak = int(np.abs(waves).mean(axis=0).argmax())
        yield Set(path.stem, path.stem, waves, times, truth, truth >= 0, rate, peak)


def quiroga(folder: Path) -> Iterator[Set]:
    """Yield the simulations of Quian Quiroga et al. 2004: data, spike_times, spike_class {class, overlap, ..}."""
    for path in sorted(folder.rglob("C_*_noise*.mat")):
        file = loadmat(path, squeeze_me=True)
        onset = np.asarray(file["spike_times"].item() if file["spike_times"].dtype == object else file["spike_times"])
        truth = np.asarray(file["spike_class"][0]).astype(int)
        overlap = np.asarray(file["spike_class"][1]).astype(bool)
        rate = 1000 / float(file["samplingInterval"]) if "samplingInterval" in file else 24_000.0
        yield _cut(path.stem, file["data"], onset, np.where(overlap, -1, truth), rate)


def pedreira(folder: Path) -> Iterator[Set]:
    """Yield the simulations of Pedreira et al. 2012; class 0 of the ground truth is the multi-unit background."""
    truths = loadmat(next(folder.rglob("ground_truth.mat")), squeeze_me=True)
    paths = [p for p in folder.rglob("simulation_*.mat") if re.fullmatch(r"simulation_\d+", p.stem)]
    for path in sorted(paths, key=lambda p: int(p.stem.split("_")[1])):
        number = int(path.stem.split("_")[1]) - 1
        onset, classes = truths["spike_first_sample"][number], np.asarray(truths["spike_classes"][number]).astype(int)
        truth = np.where(classes == 0, BACKGROUND, classes)
        yield _cut(path.stem, loadmat(path, squeeze_me=True)["data"], np.asarray(onset), truth, 24_000.0)


def _cut(name: str, trace: NDArray[Any], onset: NDArray[Any], truth: NDArray[Any], rate: float) -> Set:
    """Cut events out of a band-passed trace; the extremum is sought in the millisecond and a half after the onset."""
    clean = sosfiltfilt(butter(2, [300, 6000], "bandpass", fs=rate, output="sos"), np.asarray(trace, float))
    inside = (onset >= PRE) & (onset + 2 * WINDOW < len(clean))
    onset, truth = onset[inside].astype(np.int64), truth[inside]
    reach = np.arange(round(0.0015 * rate))
    peak = onset + np.abs(clean[onset[:, None] + reach]).argmax(axis=1)
    waves = clean[peak[:, None] + np.arange(-PRE, WINDOW - PRE)]
    return Set(name, name, waves.astype(np.float32), peak / rate, truth, truth >= 0, rate, PRE)
