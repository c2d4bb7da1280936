"""Train the shipped network anew: `python models/_train_spike_cnn.py [EVENTS.npz]`.

Simulated recordings of `simulate.TRAINING_SEEDS`, odd ones varied and usual ones as they are, and, when named, real
events labelled per cluster (arrays `waveforms`, `fs`, `is_neuron`, `cluster_label`; sample 1 ms is the trough) teach
it; `VALIDATION_SEEDS` calibrate it.
`--cross-validate EVENTS.npz` leaves each cluster of the real events out once instead, and writes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter import fitting
from neuralsorter.border import border
from neuralsorter.examples import Examples, as_they_are, join, varied
from neuralsorter.simulate import TRAINING_SEEDS, VALIDATION_SEEDS, Simulation, simulate

HERE = Path(__file__).resolve().parent
ALSO_VARIED = 0.4  # of the usual channels
REAL_COPIES = 20
EPOCHS = 16
RATES = (15_000.0, 16_667.0, 20_000.0, 20_000.0, 24_000.0, 25_000.0, 30_000.0, 30_000.0, 40_000.0)


def recording(seed: int) -> Simulation:
    """Simulate a recording whose rate, threshold, noise and disturbances are drawn anew for each seed."""
    rng = np.random.default_rng([seed, 99])
    n_channels, duration_s = [(10, 15.0), (10, 15.0), (8, 25.0), (8, 25.0), (2, 100.0)][rng.integers(5)]
    return simulate(
        n_channels,
        duration_s,
        seed,
        n_units=None if rng.random() < 0.6 else int(rng.integers(1, 4)),
        sampling_rate=float(rng.choice(RATES)),
        threshold_sigmas=rng.uniform(3.3, 4.8),
        polarity=str(rng.choice(["both", "both", "negative", "positive"])),
        dead_time_ms=rng.uniform(0.3, 1.5),
        noise_level=None if rng.random() < 0.4 else float(np.exp(rng.uniform(np.log(0.018), np.log(0.2)))),
        artefact_rate_hz=float(np.exp(rng.uniform(np.log(0.5), np.log(6)))),
        common_rate_hz=0.1,
        multi_unit_cells=int(rng.integers(0, 30)),
        odd_share=0.15,
        uv_per_bit=None if rng.random() < 0.5 else 0.25,
    )


def usual(seed: int) -> Simulation:
    """Simulate a recording as the program's own defaults make it."""
    rate_hz = float(np.exp(np.random.default_rng([seed, 77]).uniform(np.log(0.7), np.log(3))))
    return simulate(6, 40.0, seed, artefact_rate_hz=rate_hz)


def usable(made: Simulation) -> NDArray[np.bool_]:
    """Leave out what has no right answer: noise on top of a spike, and distant cells lost in the noise."""
    clear = (made.kind == "unit") | (made.amplitude_sigma > 3.2)
    return np.where(made.truth_unit == 0, ~made.overlap, clear)


def simulated(seeds: tuple[int, ...]) -> Examples:
    """Return examples of recordings of many kinds, each channel varied as set-ups vary."""
    parts = []
    for seed in seeds:
        made, rng = recording(seed), np.random.default_rng([seed, 5])
        rows_of = _rows_of_each(made)
        parts.append(_pooled(made, rows_of, seed, rng))
        rate, pre = made.spikes.sampling_rate, made.spikes.pre_samples
        for channel, rows in enumerate(rows_of):
            waveforms, label, group = made.spikes.take(rows).waveforms, made.is_spike[rows], seed * 100 + channel
            parts.append(varied(waveforms, rate, pre, label, group, rng=rng))
            if label.any() and rng.random() < 0.12:  # everything is a spike, as after a good threshold
                parts.append(varied(waveforms[label], rate, pre, label[label], group, rng=rng))
    return join(parts)


def unvaried(seeds: tuple[int, ...], make: Callable[[int], Simulation], also_varied: float = 0.0) -> Examples:
    """Return examples of all channels as they are, and a share of the channels varied as well."""
    parts = []
    for seed in seeds:
        made, rng = make(seed), np.random.default_rng([seed, 6])
        rate, pre = made.spikes.sampling_rate, made.spikes.pre_samples
        for channel, rows in enumerate(_rows_of_each(made)):
            waveforms, label, group = made.spikes.take(rows).waveforms, made.is_spike[rows], seed * 100 + channel
            parts.append(as_they_are(waveforms, rate, pre, label, group))
            if rng.random() < also_varied:
                parts.append(varied(waveforms, rate, pre, label, group, rng=rng))
    return join(parts)


def taught(seeds: tuple[int, ...]) -> Examples:
    """Return what simulated recordings teach."""
    return join([simulated(seeds), unvaried(seeds, usual, ALSO_VARIED)])


def validation() -> Examples:
    """Return the examples that calibrate."""
    return unvaried(VALIDATION_SEEDS, lambda seed: simulate(4, 40.0, seed, artefact_rate_hz=1.0))


def _rows_of_each(made: Simulation) -> list[NDArray[np.int64]]:
    """Return the usable events of each channel."""
    return [np.flatnonzero(usable(made) & (made.spikes.channel == c)) for c in made.shapes_uv]


def _pooled(made: Simulation, rows_of: list[NDArray[np.int64]], seed: int, rng: np.random.Generator) -> Examples:
    """Take some events of all channels as if of one: a noise that is only right on average."""
    some = np.concatenate([rng.permutation(rows)[: rng.integers(0, 300)] for rows in rows_of])
    spikes = made.spikes.take(some)
    return varied(
        spikes.waveforms, spikes.sampling_rate, spikes.pre_samples, made.is_spike[some], seed * 100 + 99, rng=rng
    )


def real(path: str, copies: int = REAL_COPIES, leave_out: int | None = None) -> Examples:
    """Return varied examples of the labelled real events, one cluster left out if asked."""
    file = np.load(path)
    rows = np.flatnonzero(file["cluster_label"] != leave_out)
    rng = np.random.default_rng(8)
    rate = float(file["fs"])
    label = file["is_neuron"][rows]
    return join([varied(file["waveforms"][rows], rate, round(rate / 1000), label, 1, rng=rng) for _ in range(copies)])


def train(examples: Examples, held_out: Examples) -> Any:
    """Return the trained and calibrated Keras model and its learning curves."""
    model = fitting.build(HERE / "spike_cnn.py")
    curves = fitting.fit(
        model,
        examples,
        epochs=EPOCHS,
        rate=3e-3,
        batch_size=1024,
        seed=0,
        held_out=held_out,
        progress=lambda share, text: _tell(f"{share:4.0%} {text}"),
    )
    scale, offset = fitting.calibrate(model, fitting.log_odds(model, held_out), held_out.label)
    _tell(f"calibrated: scale {scale:.3f}, offset {offset:.3f}")
    return model, curves, scale, offset


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def cross_validate(path: str) -> None:
    """Tell how the real events of each cluster are judged by a network that saw none of them.

    A network taught by simulated events alone goes on with the other clusters, beside simulated events.
    """
    from neuralsorter.training import scores

    base = taught(TRAINING_SEEDS[::2])
    held_out = validation()
    first = train(base, held_out)[0].get_weights()
    rehearsed = base.take(np.random.default_rng(0).permutation(len(base))[:60_000])
    file = np.load(path)
    rate = float(file["fs"])
    whole = as_they_are(file["waveforms"], rate, round(rate / 1000), file["is_neuron"], 1)
    odds = np.zeros(len(whole), np.float32)
    for cluster in np.unique(file["cluster_label"]):
        model = fitting.build(HERE / "spike_cnn.py")
        model.set_weights(first)
        others = join([rehearsed, real(path, leave_out=int(cluster))])
        fitting.fit(model, others, epochs=4, rate=1e-3, batch_size=512, seed=0)
        fitting.calibrate(model, fitting.log_odds(model, held_out), held_out.label)
        rows = np.flatnonzero(file["cluster_label"] == cluster)
        odds[rows] = fitting.log_odds(model, whole.take(rows))
    odds -= np.float32(border(odds))  # of all events, as of one channel
    for cluster in np.unique(file["cluster_label"]):
        rows = np.flatnonzero(file["cluster_label"] == cluster)
        right = np.mean((odds[rows] >= 0) == whole.label[rows])
        _tell(f"cluster {cluster}: {len(rows)} events, {right:.3f} judged right without having seen the cluster")
    _tell(f"all clusters, each left out once: {scores(odds, whole.label)}")
    spike = whole.label > 0.5
    right = np.mean(odds[~spike] < np.quantile(odds[spike], 0.02))
    _tell(f"where sensitivity is 0.98: specificity {right:.3f}")


def main() -> None:
    """Train, calibrate and write the weights and their hash; or only cross-validate."""
    if sys.argv[1:2] == ["--cross-validate"]:
        cross_validate(sys.argv[2])
        return
    examples = taught(TRAINING_SEEDS)
    if len(sys.argv) > 1:
        examples = join([examples, real(sys.argv[1])])
    _tell(f"{len(examples):,} examples, {examples.label.mean():.1%} spikes")
    model, curves, scale, offset = train(examples, validation())
    data = fitting.to_network(model, name="spike_cnn", temperature=1 / scale, offset=offset).to_bytes()
    (HERE / "spike_cnn.weights.npz").write_bytes(data)
    told = {"weights": "spike_cnn.weights.npz", "sha256": hashlib.sha256(data).hexdigest(), "curves": curves}
    (HERE / "spike_cnn.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
