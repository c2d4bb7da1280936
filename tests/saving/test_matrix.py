"""Every field through every pair of formats that can hold it, and every loss told before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns
from neuralsorter.loading import BUNDLED
from neuralsorter.saving import losses, save_with_notes
from neuralsorter.saving.limits import FIELDS, HOLDS, format_of

READ = {suffix: loader for loader in BUNDLED.values() for suffix in loader.suffixes}
FORMATS = [kind for kind in HOLDS if kind in READ]
N = 12


def plain() -> ns.Spikes:
    rng = np.random.default_rng(0)
    return ns.Spikes(
        raw=rng.integers(-500, 500, (N, 40)).astype(np.int16),
        times_s=np.arange(N) / 10 + 0.1,
        channel=np.repeat([3, 7], N // 2),
        unit=np.tile([1, 2, 3], N // 3),
        experiment=np.zeros(N, np.int32),
        pre_samples=10,
        uv_per_bit=0.25,
    )


def having(field: str) -> ns.Spikes:
    """Return events with one thing more than plain ones."""
    spikes, twice = plain(), np.tile(np.arange(N // 2) / 10 + 0.1, 2)
    late = np.repeat([0, 1], N // 2)
    electrodes = pd.DataFrame({"id": [3, 7], "x_um": np.nan, "y_um": np.nan, "threshold_uv": np.nan})
    gap = np.where(np.arange(40) < 3, np.nan, spikes.raw * 0.25).astype(np.float32)
    made: dict[str, ns.Spikes] = {
        "noise": replace(spikes, unit=np.tile([0, 1, 2], N // 3)),
        "unsorted": replace(spikes, labels={(3, 3): "unsorted", (7, 3): "unsorted"}),
        "labels": replace(spikes, labels={(3, 1): "good", (7, 2): "axon 2"}),
        "restarts": replace(spikes, segment=late, times_s=twice),
        "experiments": replace(spikes, experiment=late, times_s=twice),
        "thresholds": replace(spikes, channels=electrodes.assign(threshold_uv=[-30.0, -42.0])),
        "positions": replace(spikes, channels=electrodes.assign(x_um=[0.0, 400.0], y_um=[400.0, 0.0])),
        "triggers": replace(spikes, triggers=pd.DataFrame({"time_s": [0.25, 0.5, 0.75], "code": [700, 1, 700]})),
        "former units": replace(spikes, old_unit=np.r_[5, np.full(N - 1, -1)]),
        "unknown times": replace(spikes, times_s=np.full(N, np.nan)),
        "missing samples": replace(spikes, raw=gap, uv_per_bit=1.0),
    }
    return made[field]


def assert_kept(field: str, again: ns.Spikes, spikes: ns.Spikes) -> None:
    for name in ("channel", "unit"):
        np.testing.assert_array_equal(getattr(again, name), getattr(spikes, name), err_msg=name)
    np.testing.assert_allclose(again.waveforms, spikes.waveforms, atol=1e-2)
    np.testing.assert_allclose(again.times_s, spikes.times_s, atol=1e-9)
    for name in {"restarts": ["segment"], "experiments": ["experiment"], "former units": ["old_unit"]}.get(field, []):
        np.testing.assert_array_equal(getattr(again, name), getattr(spikes, name), err_msg=name)
    if field in {"unsorted", "labels"}:
        assert again.labels == spikes.labels
    columns = {"thresholds": ["threshold_uv"], "positions": ["x_um", "y_um"]}.get(field)
    if columns:
        assert again.channels["id"].tolist() == [3, 7]
        np.testing.assert_allclose(again.channels[columns], spikes.channels[columns], atol=0.2)
    if field == "triggers":
        np.testing.assert_allclose(again.triggers["time_s"], spikes.triggers["time_s"])
        assert again.triggers["code"].tolist() == spikes.triggers["code"].tolist()


def through(spikes: ns.Spikes, path: Path) -> ns.Spikes:
    path.unlink(missing_ok=True)
    ns.save(spikes, path)
    return READ[path.suffix]().load(path)


@pytest.mark.parametrize("into_nwb", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_survives_every_pair_of_formats_that_hold_it(tmp_path: Path, field: str, *, into_nwb: bool) -> None:
    spikes = having(field)
    holding = [kind for kind in FORMATS if field in HOLDS[kind]]
    assert {".npz", ".nwb", ".mat"} <= set(holding)
    for first in holding:
        once = through(spikes, tmp_path / f"first{first}")
        assert_kept(field, once, spikes)
        for second in holding:
            if (second == ".nwb") != into_nwb and first != second:
                continue  # writing NWB takes longest: its column of the matrix is a run of its own
            assert_kept(field, through(once, tmp_path / f"second{second}"), spikes)


@pytest.mark.parametrize("kind", HOLDS)
def test_what_a_format_does_not_hold_is_told_beforehand_and_nothing_else(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("times_a.mat" if "*" in kind else f"a{kind}")
    assert format_of(path) == kind
    assert losses(plain(), path) == []
    for field in FIELDS:
        told = losses(having(field), path)
        expected = field not in HOLDS[kind] and not ("*" in kind and field == "noise")  # left out, and counted
        assert len(told) == expected, (kind, field, told)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        (".nev", {"sampling_rate": 50_000 / 3}, "16666.667 Hz become 16667"),
        (".plx", {"sampling_rate": 50_000 / 3}, "16666.667 Hz become 16667"),
        (".nev", {"channel": np.repeat([0, 7], N // 2)}, "every channel is one higher"),
        (".nev", {"uv_per_bit": 1e4}, "samples up to 2,147 mV"),
        (".nev", {"triggers": pd.DataFrame({"time_s": [0.2, 0.3], "code": [70_000, 3]})}, "to 65,535: 1 are cut"),
        (".plx", {"triggers": pd.DataFrame({"time_s": [0.2, 0.3], "code": [70_000, 3]})}, "to 32,767: 1 are cut"),
    ],
)
def test_a_value_that_a_format_changes_is_told_beforehand(
    tmp_path: Path, kind: str, change: dict[str, Any], told: str
) -> None:
    (sentence,) = losses(replace(plain(), **change), tmp_path / f"a{kind}")
    assert told in sentence


def test_what_is_told_beforehand_is_returned_by_saving_too(tmp_path: Path) -> None:
    spikes = replace(having("labels"), triggers=having("triggers").triggers)
    told = losses(spikes, tmp_path / "a.csv")
    assert "does not hold triggers" in told[0]
    assert save_with_notes(spikes, tmp_path / "a.csv")[: len(told)] == told
