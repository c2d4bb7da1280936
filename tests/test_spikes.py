from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from neuralsorter import Spikes
from neuralsorter.errors import DataError


def table(**changes: Any) -> Spikes:
    columns: dict[str, Any] = {
        "raw": np.arange(240, dtype=np.int16).reshape(4, 60),
        "times_s": np.array([0.3, 0.1, 0.2, np.nan]),
        "channel": np.array([2, 1, 2, 1]),
        "unit": np.array([1, 1, 2, 0]),
        "experiment": np.array([0, 0, 1, 1]),
        "uv_per_bit": 0.25,
    }
    return Spikes(**(columns | changes))


def test_waveforms_are_uv_and_raw_keeps_what_was_stored() -> None:
    spikes = table()
    assert spikes.raw.dtype == np.int16
    assert spikes.waveforms.dtype == np.float32
    assert spikes.waveforms[1, 4] == 16.0


def test_the_window_is_told_in_ms() -> None:
    spikes = table()
    assert spikes.window_ms == pytest.approx((-1.0, 1.95))
    assert spikes.times_ms[20] == 0.0


def test_columns_left_out_have_their_defaults() -> None:
    spikes = table()
    assert spikes.old_unit.tolist() == [-1] * 4
    assert spikes.segment.tolist() == [0] * 4
    assert list(spikes.channels) == ["id", "x_um", "y_um", "threshold_uv"]
    assert list(spikes.triggers) == ["time_s", "code"]


def test_nothing_in_a_table_can_be_changed() -> None:
    spikes = table()
    with pytest.raises(ValueError, match="read-only"):
        spikes.unit[0] = 5
    with pytest.raises(FrozenInstanceError):
        spikes.sampling_rate = 1.0  # type: ignore[misc]  # what must not work


def test_a_change_of_unit_remembers_the_unit_before() -> None:
    changed = table().with_unit([1, 3, 0, 0])
    assert changed.unit.tolist() == [1, 3, 0, 0]
    assert changed.old_unit.tolist() == [-1, 1, 2, -1]
    assert changed.with_unit([1, 3, 0, 4]).old_unit.tolist() == [-1, 1, 2, 0]


def test_rows_are_taken_by_position_mask_and_slice() -> None:
    spikes = table()
    assert spikes.take([2, 0]).channel.tolist() == [2, 2]
    assert spikes.take(spikes.channel == 1).times_s[0] == 0.1
    assert len(spikes.take(slice(3))) == 3


def test_events_are_counted_by_channel_and_unit() -> None:
    assert table().unit_counts() == {1: {0: 1, 1: 1}, 2: {1: 1, 2: 1}}
    assert table().take([]).unit_counts() == {}


def test_trains_are_sorted_and_leave_noise_out() -> None:
    trains = dict(table(times_s=np.array([0.3, 0.1, 0.2, 0.0])).trains())
    assert {unit: times.tolist() for unit, times in trains.items()} == {1: [0.1, 0.3], 2: [0.2]}


def test_a_tetrode_has_a_waveform_per_channel() -> None:
    assert table(raw=np.zeros((4, 4, 60), np.int16)).waveforms.shape == (4, 4, 60)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"raw": np.zeros(4)}, "shape"),
        ({"raw": np.full((4, 60), np.inf)}, "row 0 is infinite"),
        ({"raw": np.zeros((4, 60), complex)}, "must hold numbers"),
        ({"unit": np.ones(3, int)}, "unit must have 4 rows"),
        ({"unit": np.array([1, 1, -1, 1])}, "Row 2 is -1"),
        ({"unit": np.array([1, 1, 1.5, 1])}, "whole numbers"),
        ({"channel": np.array(["a"] * 4)}, "must hold numbers"),
        ({"experiment": np.array([0, 0, 0, -1])}, "experiments are numbered from 0"),
        ({"sampling_rate": 0.0}, "positive number of Hz"),
        ({"pre_samples": 60}, "0 to 59"),
        ({"uv_per_bit": -1.0}, "positive number of µV"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_in_a_sentence(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        table(**changes)


def test_replaced_columns_are_checked_too() -> None:
    with pytest.raises(DataError, match="unit must have 4 rows"):
        replace(table(), unit=np.ones(5, np.int32))
