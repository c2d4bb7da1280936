"""Metrics equal those of SpikeInterface 0.105.3 where the definition is the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from neuralsorter.metrics import isolation, shapes, trains

RATE = 30_000.0


def clouds(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return three overlapping clouds in five dimensions and their labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(1, 4, 1500)
    return random.normal(0, 1, (1500, 5)) @ np.diag([3, 2, 1, 1, 0.5]) + labels[:, None] * [2.0, 0, 1, 0, 0], labels


def train() -> NDArray[np.float64]:
    """Return times on the sample grid within 200 s: a neuron silent for 3 ms after each event, and a few others."""
    random = np.random.default_rng(0)
    own = np.cumsum(random.exponential(0.05, 3500) + 0.003)
    times = np.concatenate((own[own < 200], random.uniform(0, 200, 150)))
    return np.sort(np.floor(times * RATE)) / RATE


def one_stretch(times: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.zeros(len(times), np.int64)


def spikeinterface_values() -> dict[str, list[float]]:
    """Return what SpikeInterface says of `clouds` and `train`, freshly computed."""
    misc = pytest.importorskip("spikeinterface.metrics.quality.misc_metrics", reason="SpikeInterface is not installed")
    pca = pytest.importorskip("spikeinterface.metrics.quality.pca_metrics")
    from spikeinterface.core import NumpySorting

    scores, labels = clouds()
    times = train()
    sorting = NumpySorting.from_samples_and_labels(np.rint(times * RATE).astype(int), np.ones(len(times), int), RATE)
    sizes = np.random.default_rng(1).normal(100, 20, 5000)
    samples = np.rint(times * RATE).astype(np.int64)
    n_pairs = int((np.searchsorted(samples, samples + 45, "right") - np.arange(1, len(samples) + 1)).sum())
    return {
        "mahalanobis": [value for unit in (1, 2, 3) for value in pca.mahalanobis_metrics(scores, labels, unit)],
        "d_prime": [abs(pca.d_prime_metric(scores, labels, unit)) for unit in (1, 2, 3)],
        "neighbours": [
            value
            for most in (10_000, 700)
            for unit in (1, 2, 3)
            for value in pca.nearest_neighbors_metrics(scores, labels, unit, most, 5)
        ],
        "silhouette": [pca.simplified_silhouette_score(scores, labels, unit) for unit in (1, 2, 3)],
        "violation_ratio": [misc.isi_violations([times], 200.0, 0.0015, dead)[0] for dead in (0, 0.0005)],
        "contamination": [
            misc._compute_rp_contamination_one_unit(n_pairs, len(times), int(200 * RATE), dead, 45) for dead in (0, 15)
        ],
        "sliding": [misc.slidingRP_violations(sorting.select_units([1]), 200.0)],
        "presence": [misc.presence_ratio(times[::300], bin_edges=np.arange(0, 201, 10.0))],
        "cutoff": [misc.amplitude_cutoff(sizes), misc.amplitude_cutoff(sizes[sizes > 85])],
    }


def own_values() -> dict[str, list[float]]:
    scores, labels = clouds()
    split = {unit: (scores[labels == unit], scores[labels != unit]) for unit in (1, 2, 3)}
    clusters = isolation.Clusters(scores, labels)
    times = train()
    where, n = one_stretch(times), len(times)
    sizes = np.random.default_rng(1).normal(100, 20, 5000)
    n_short = trains.n_short_intervals(times, where, 0.0015)
    n_pairs = trains.n_close_pairs(times, where, 0.0015, RATE)
    return {
        "mahalanobis": [value for unit in split for value in clusters.mahalanobis(unit)],
        "d_prime": [isolation.Clusters(scores, labels == unit).d_prime(1, 0) for unit in split],
        "neighbours": [
            value
            for most in (10_000, 700)
            for unit in split
            for value in isolation.nearest_neighbours(*split[unit], max_spikes=most)
        ],
        "silhouette": [clusters.silhouette(unit) for unit in split],
        "violation_ratio": [trains.violation_ratio(n_short, n, 200.0, 0.0015, dead) for dead in (0, 0.0005)],
        "contamination": [trains.contamination(n_pairs, n, 200.0, 0.0015, dead) for dead in (0, 0.0005)],
        "sliding": [trains.sliding_contamination(times, where, 200.0, RATE, 0.0)],
        "presence": [trains.presence_ratio(times[::300], where[::300], {0: 200.0}, 10.0)],
        "cutoff": [shapes.amplitude_cutoff(sizes), shapes.amplitude_cutoff(sizes[sizes > 85])],
    }


KNOWN: dict[str, list[float]] = {
    "mahalanobis": [
        7.071345334895375,
        0.6314166093183504,
        6.1244349324589535,
        0.7080703249317972,
        7.963439784994089,
        0.5253296363802165,
    ],
    "d_prime": [1.6578801424565492, 0.10344957870324092, 1.6856381129173421],
    "neighbours": [
        0.5585623678646935,
        0.2044790652385589,
        0.38807157057654074,
        0.32316950852557674,
        0.5866412213740458,
        0.20594262295081966,
        0.5209090909090909,
        0.21041666666666667,
        0.40512820512820513,
        0.311587982832618,
        0.5713114754098361,
        0.218859649122807,
    ],
    "silhouette": [0.09835775445973333, 0.10083419554298653, 0.11174722392613212],
    "violation_ratio": [0.05504472383811847, 0.08256708575717771],
    "contamination": [0.05664929515913164, 0.08464240478609586],
    "sliding": [0.07],
    "presence": [0.65],
    "cutoff": [0.0, 0.23129115944921175],
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_metric_equals_the_value_known_for_it(name: str) -> None:
    assert own_values()[name] == pytest.approx(KNOWN[name], rel=1e-9, nan_ok=True)


def test_metrics_equal_those_of_spikeinterface() -> None:
    theirs, ours = spikeinterface_values(), own_values()
    for name, values in theirs.items():
        assert ours[name] == pytest.approx(values, rel=1e-9, nan_ok=True), name
