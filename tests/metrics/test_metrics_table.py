"""The table of metrics: what it holds, what the detector cannot see, and red flags in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.metrics import METRICS, flags, metrics, recording, recording_of
from neuralsorter.spikes import Spikes

RATE = 30_000.0


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


def test_a_project_tells_what_its_table_of_events_tells_and_the_dead_time_from_some_channels_too() -> None:
    spikes = recorded(dead_ms=1.6)
    segment, unknown = np.digitize(spikes.times_s, [100.0, 250.0]).astype(np.int32), spikes.times_s < 3
    times = np.where(unknown, np.nan, spikes.times_s - np.array([0.0, 100.0, 250.0])[segment])
    restarting = replace(spikes, segment=segment, times_s=times)
    with ns.Project.in_memory(restarting) as project:
        assert recording_of(project) == recording(project.spikes)
        assert recording_of(project).durations_s == pytest.approx({0: 100, 1: 150, 2: 50}, abs=1)
        some = recording_of(project, enough=1)
    assert some.durations_s == recording(restarting).durations_s
    assert 1.6 <= some.dead_time_ms < 1.7


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
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for metric in METRICS:
        assert f"| `{metric.name}` | {metric.label} | {metric.formula} |" in text
