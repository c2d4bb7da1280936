"""Quality metrics equal their definitions, know what the detector cannot see, and tell red flags in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import neuralsorter as ns
from neuralsorter.metrics import METRICS, Recording, flags, isolation, metrics, recording, shapes, trains, unit_metrics
from neuralsorter.spikes import Spikes

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


def recorded(n: int = 4000, dead_ms: float = 0.0, seed: int = 0) -> Spikes:
    """Return two channels with two units each and some noise, no event within `dead_ms` of another."""
    random = np.random.default_rng(seed)
    shape = -np.exp(-(((np.arange(32) - 12) / 3.0) ** 2))
    parts = []
    for channel in (5, 9):
        times = np.sort(random.uniform(0, 300, n))
        times = times[np.diff(times, prepend=-1) > dead_ms / 1000]
        unit = random.integers(0, 3, len(times)).astype(np.int32)
        waveforms = random.normal(0, 8, (len(times), 32)) + np.array([0.0, 60, 120])[unit, None] * shape
        parts.append((waveforms.astype(np.float32), times, np.full(len(times), channel, np.int32), unit))
    raw, times_s, channel_, unit_ = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Spikes(raw, times_s, channel_, unit_, 0 * unit_, RATE, 10)


# --- equal to SpikeInterface where the definition is the same; values of version 0.105.3 ---------------------------


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
    times = train()
    where, n = one_stretch(times), len(times)
    sizes = np.random.default_rng(1).normal(100, 20, 5000)
    n_short = trains.n_short_intervals(times, where, 0.0015)
    n_pairs = trains.n_close_pairs(times, where, 0.0015, RATE)
    return {
        "mahalanobis": [value for unit in split for value in isolation.mahalanobis(*split[unit])],
        "d_prime": [isolation.d_prime(*split[unit]) for unit in split],
        "neighbours": [
            value
            for most in (10_000, 700)
            for unit in split
            for value in isolation.nearest_neighbours(*split[unit], max_spikes=most)
        ],
        "silhouette": [isolation.silhouette(scores, labels, unit) for unit in split],
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


# --- of one unit ---------------------------------------------------------------------------------------------------


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


def test_what_the_detector_cannot_see_is_undefined_and_said() -> None:
    table = metrics(recorded(dead_ms=1.6), refractory_ms=1.5)
    assert table["dead_time_ms"].between(1.6, 1.7).all()
    assert table["contamination"].isna().all()
    assert table["isi_violation_ratio"].isna().all()
    assert "blind for 1.6" in " ".join(flags(table.iloc[0].to_dict()))


def test_the_refractory_period_looks_beyond_the_dead_time() -> None:
    table = metrics(recorded(dead_ms=1.6))
    assert table["refractory_ms"].between(2.1, 2.2).all()
    assert table["contamination"].notna().all()
    assert metrics(recorded())["refractory_ms"].eq(1.5).all()


def test_a_sparse_recording_tells_nothing_of_the_dead_time() -> None:
    assert recording(recorded(n=50)).dead_time_ms == 0
    assert recording(recorded()).dead_time_ms < 0.02


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


# --- of tables -----------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_unit_and_the_declared_columns() -> None:
    spikes = recorded()
    table = ns.metrics(spikes)
    assert table[["channel", "unit"]].to_numpy().tolist() == [[5, 1], [5, 2], [9, 1], [9, 2]]
    for metric in METRICS:
        assert metric.name in table
        assert metric.formula in metric.tooltip
        assert metric.limit is None or metric.warning
    assert table["count"].tolist() == [
        int(((spikes.channel == c) & (spikes.unit == u)).sum()) for c in (5, 9) for u in (1, 2)
    ]
    assert table["d_prime"].gt(3).all()
    assert not [value for value in table.iloc[1] if np.isinf(value)]


def test_units_that_an_edit_touched_are_judged_alone_with_the_same_result() -> None:
    spikes = recorded()
    part = spikes.take(spikes.channel == 9)
    touched = metrics(part, units=[(9, 2)], of=recording(spikes))
    whole = metrics(spikes)
    expected = whole[(whole.channel == 9) & (whole.unit == 2)].iloc[0].to_dict()
    assert touched.iloc[0].to_dict() == pytest.approx(expected, nan_ok=True)


def test_experiments_are_judged_together_or_each_alone() -> None:
    one = recorded()
    both = Spikes(
        raw=np.concatenate((one.raw, one.raw)),
        times_s=np.tile(one.times_s, 2),
        channel=np.tile(one.channel, 2),
        unit=np.tile(one.unit, 2),
        experiment=np.repeat(np.arange(2, dtype=np.int32), len(one)),
        sampling_rate=RATE,
        pre_samples=10,
    )
    apart, pooled, single = metrics(both, by_experiment=True), metrics(both), metrics(one)
    assert apart["experiment"].tolist() == [0] * 4 + [1] * 4
    assert apart["contamination"].tolist() == pytest.approx(single["contamination"].tolist() * 2, abs=0.02)
    assert pooled["isi_violations"].tolist() == (2 * single["isi_violations"]).tolist()
    assert pooled["rate_hz"].tolist() == pytest.approx(single["rate_hz"].tolist())
    assert (pooled["rate_hz_high"] < single["rate_hz_high"]).all()


def edge_cases() -> dict[str, Spikes]:
    full = recorded(n=300)
    one_unit = full.with_unit(np.ones(len(full), np.int32))
    raw = np.array(full.raw)
    raw[:, -4:] = np.nan
    tetrode = np.stack([full.raw, full.raw * 2], axis=1)
    columns: dict[str, Any] = {name: getattr(full, name) for name in ("times_s", "channel", "unit", "experiment")}
    return {
        "nothing": full.take(np.zeros(0, int)),
        "noise only": full.with_unit(np.zeros(len(full), np.int32)),
        "one event": full.take(np.array([int(np.flatnonzero(full.unit)[0])])),
        "two events": one_unit.take(np.arange(2)),
        "one unit": one_unit,
        "flat": Spikes(np.zeros((300, 32), np.float32), **{k: v[:300] for k, v in columns.items()}),
        "missing samples": Spikes(raw, **columns, pre_samples=10),
        "unknown times": Spikes(full.raw, **(columns | {"times_s": np.full(len(full), np.nan)}), pre_samples=10),
        "tetrode": Spikes(tetrode, **columns, pre_samples=10),
        "whole numbers": Spikes(np.clip(full.raw, -200, 200).astype(np.int16), **columns, pre_samples=10),
    }


@pytest.mark.parametrize("name", edge_cases())
def test_every_table_of_events_has_metrics(name: str) -> None:
    spikes = edge_cases()[name]
    table = metrics(spikes)
    n_units = len(np.unique(np.c_[spikes.channel, spikes.unit][spikes.unit > 0], axis=0))
    assert len(table) == n_units
    for _, row in table.iterrows():
        flags(row.to_dict())
    if name in ("missing samples", "tetrode", "whole numbers"):
        assert table["l_ratio"].notna().all()


def test_red_flags_are_sentences() -> None:
    clean = {
        "count": 5000,
        "snr": 8.0,
        "contamination": 0.01,
        "nn_hit": np.nan,
        "dead_time_ms": 0.0,
        "refractory_ms": 1.5,
    }
    assert flags(clean) == []
    assert flags(clean | {"contamination": 0.23, "snr": 2.0}) == [
        "Its mean waveform is 2.0 times the noise, below 3.",
        "About 23% of its events come from other neurons, above 10%.",
    ]


def test_the_documentation_lists_every_metric_as_declared() -> None:
    path = Path(__file__).parents[1] / "docs" / "metrics.md"
    if not path.is_file():
        pytest.skip("the documentation is not beside these tests")
    text = path.read_text(encoding="utf-8")
    for metric in METRICS:
        assert f"| `{metric.name}` | {metric.label} | {metric.formula} |" in text
