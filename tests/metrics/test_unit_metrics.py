"""What is said of one unit is true of trains and waveforms that were made."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from neuralsorter.metrics import Recording, shapes, trains, unit_metrics

RATE = 30_000.0


def one_stretch(times: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.zeros(len(times), np.int64)


def test_contamination_is_recovered_from_trains_of_known_mixture() -> None:
    random = np.random.default_rng(0)
    own = np.cumsum(random.exponential(0.1, 20_000) + 0.003)
    times = np.sort(np.concatenate((own, random.uniform(0, own[-1], 1000))))
    n_pairs = trains.n_close_pairs(times, one_stretch(times), 0.0025, RATE)
    found, low, high = trains.with_interval(
        lambda n: trains.contamination(n, len(times), own[-1], 0.0025, 0.0), n_pairs
    )
    assert low < 1 / 21 < high
    assert found == pytest.approx(1 / 21, rel=0.25)


def test_the_dead_time_does_not_make_a_unit_look_clean() -> None:
    random = np.random.default_rng(0)
    times = np.sort(random.uniform(0, 1000, 20_000))
    times = times[np.diff(times, prepend=-1) > 0.001]
    n_short = trains.n_short_intervals(times, one_stretch(times), 0.0015)
    naive = trains.violation_ratio(n_short, len(times), 1000, 0.0015, 0.0)
    aware = trains.violation_ratio(n_short, len(times), 1000, 0.0015, 0.001)
    assert naive < 0.25
    assert aware == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)])
def test_limits_of_counts_are_exact(count: int, low: float, high: float) -> None:
    assert trains.poisson_interval(count) == pytest.approx((low, high), abs=1e-4)


def test_nothing_is_counted_across_a_restart() -> None:
    times, where = np.array([0.0, 1.0, 0.0005, 1.0005]), np.array([0, 0, 1, 1])
    assert trains.n_short_intervals(times, where, 0.0015) == 0
    assert trains.n_close_pairs(times, where, 0.0015, RATE) == 0
    assert trains.n_close_pairs(times, one_stretch(times), 0.0015, RATE) == 2


def test_presence_counts_whole_bins_of_every_stretch() -> None:
    times, where = np.array([0.5, 2.5, 0.5, 10.0]), np.array([0, 0, 7, 7])
    assert trains.presence_ratio(times, where, {0: 3.9, 7: 10.0}, 1.0) == pytest.approx(4 / 13)
    assert math.isnan(trains.presence_ratio(times, where, {0: 0.5}, 1.0))


def test_drift_and_changing_shape_are_seen() -> None:
    random = np.random.default_rng(0)
    times = np.sort(random.uniform(0, 600, 2000))
    shape = -np.exp(-(((np.arange(32) - 12) / 3.0) ** 2))
    steady = 100 * shape + random.normal(0, 5, (2000, 32))
    shrinking = steady * (1 - times[:, None] / 1200)
    of = Recording({0: 600.0})
    still, drifting = (
        unit_metrics(waveforms, times, one_stretch(times), of, noise_uv=5.0) for waveforms in (steady, shrinking)
    )
    assert still["drift_percent"] < 5
    assert 50 < drifting["drift_percent"] < 70
    assert still["shape_stability"] > 0.999
    moved = np.where(times[:, None] < 300, steady, np.roll(steady, 4, axis=1))
    assert unit_metrics(moved, times, one_stretch(times), of)["shape_stability"] < 0.9
    assert still["snr"] == pytest.approx(20, rel=0.02)
    assert still["snr_residual"] == pytest.approx(10, rel=0.02)
    assert still["rate_hz_low"] < 2000 / 600 < still["rate_hz_high"]


def test_missing_small_events_are_estimated() -> None:
    sizes = np.random.default_rng(0).normal(0, 1, 20_000)
    assert shapes.amplitude_cutoff(sizes) < 0.01
    assert shapes.amplitude_cutoff(sizes[sizes > -0.5]) == pytest.approx(0.31, abs=0.1)
    assert math.isnan(shapes.amplitude_cutoff(sizes[:499]))
