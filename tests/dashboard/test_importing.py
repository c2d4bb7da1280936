"""What is asked before a file is opened, without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns
from dashboard.importing import Importing
from dashboard.workspace import Workspace
from neuralsorter.loading.holding import described


@pytest.fixture
def opened() -> list[Path]:
    """What was handed on to be opened."""
    return []


@pytest.fixture
def importing(opened: list[Path]) -> Importing:
    return Importing(Workspace(), opened.extend)


def wait(until: Callable[[], Any], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not until() and time.monotonic() < end:
        time.sleep(0.02)
    assert until()


def press(importing: Importing, label: str) -> None:
    button = next(button for button in importing.buttons.objects if button.label == label)
    button.param.trigger("clicks")


def test_what_files_hold_is_shown_before_they_are_opened(
    tmp_path: Path, importing: Importing, opened: list[Path]
) -> None:
    spikes = ns.simulate(n_channels=2, duration_s=5.0, seed=0).spikes
    ns.save(spikes, tmp_path / "a.npz")
    importing.ask([tmp_path / "a.npz"])
    wait(lambda: f"{len(spikes):,}" in importing.table.object)
    assert "What will be opened" in importing.said.object
    press(importing, "Open")
    wait(lambda: opened == [tmp_path / "a.npz"])
    assert not importing.dialog.open


def test_a_table_with_unknown_names_is_opened_by_the_columns_chosen(
    tmp_path: Path, importing: Importing, opened: list[Path]
) -> None:
    rng = np.random.default_rng(0)
    table = {"probe": rng.integers(1, 3, 20), "t_ms": np.arange(20) * 10.0}
    pd.DataFrame(table | {f"v{i}": rng.normal(0, 20, 20) for i in range(24)}).to_csv(tmp_path / "a.csv", index=False)
    importing.ask([tmp_path / "a.csv"])
    wait(lambda: importing.buttons.objects)
    assert importing.fields["ChannelID"].value == "probe"
    importing.rate.value = 24_000.0
    press(importing, "Open by these columns")
    wait(lambda: opened)
    assert opened == [tmp_path / "a_read.npz"]
    spikes = ns.load(opened[0])
    assert (spikes.sampling_rate, spikes.n_samples) == (24_000.0, 24)
    np.testing.assert_allclose(spikes.times_s, np.arange(20) / 100)


def test_a_file_name_is_text_in_the_table_never_markup(tmp_path: Path, importing: Importing) -> None:
    path = tmp_path / "<img src=x>.npz"
    ns.save(ns.simulate(n_channels=1, duration_s=3.0, seed=0).spikes, path)
    importing.ask([path])
    wait(lambda: "events" in importing.table.object)
    assert "<img" not in importing.table.object
    assert "&lt;img" in importing.table.object


def test_noise_unsorted_events_and_units_are_told_apart() -> None:
    ones = np.ones(4, np.int32)
    spikes = ns.Spikes(
        np.zeros((4, 10), np.float32), np.arange(4.0), ones, np.array([0, 1, 2, 2], np.int32), ones * 0,
        pre_samples=3, labels={(1, 2): "unsorted"},
    )  # fmt: skip
    assert described(spikes)["units"] == "1 unit, 2 events not sorted, 1 of noise"
    assert described(spikes, ["states no times."])["note"] == "It states no times."
