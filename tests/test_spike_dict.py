from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuralsorter import Spikes
from neuralsorter.errors import DataError
from neuralsorter.spike_dict import COLUMNS


def six_lists(n: int = 4, n_samples: int = 60) -> dict[str, list[Any]]:
    rng = np.random.default_rng(0)
    return {
        "ExperimentID": [0] * n,
        "ChannelID": [3] * n,
        "UnitID": [1] * n,
        "OldID": [None] * n,
        "TimeStamps": [0.25 * i for i in range(n)],
        "Waveforms": list(rng.normal(0, 20, (n, n_samples)).astype(np.float32)),
    }


def test_six_lists_come_back_as_they_went_in() -> None:
    lists = six_lists()
    lists["UnitID"] = [1, 2, 0, 1]
    lists["OldID"] = [None, 1, 1, None]
    again = Spikes.from_dict(lists).to_dict()
    assert list(again) == list(COLUMNS)
    assert all(isinstance(column, list) for column in again.values())
    for name in COLUMNS[:-1]:
        assert again[name] == lists[name]
    np.testing.assert_array_equal(again["Waveforms"], lists["Waveforms"])


def test_units_of_measure_are_applied() -> None:
    lists = six_lists()
    spikes = Spikes.from_dict(lists, 30_000.0, 12, uv_per_unit=0.5, seconds_per_unit=1e-3)
    assert (spikes.sampling_rate, spikes.pre_samples) == (30_000.0, 12)
    np.testing.assert_allclose(spikes.times_s, [0, 0.00025, 0.0005, 0.00075])
    np.testing.assert_array_equal(spikes.waveforms, np.array(lists["Waveforms"]) * np.float32(0.5))


def test_the_default_window_begins_1_ms_before_the_crossing() -> None:
    assert Spikes.from_dict(six_lists()).pre_samples == 20
    assert Spikes.from_dict(six_lists(), sampling_rate=30_000.0).pre_samples == 30


def test_int16_waveforms_keep_their_type_and_scale() -> None:
    lists: dict[str, Any] = six_lists()
    lists["Waveforms"] = np.arange(240, dtype=np.int16).reshape(4, 60)
    spikes = Spikes.from_dict(lists, uv_per_unit=0.25)
    assert spikes.raw.dtype == np.int16
    assert spikes.waveforms[3, 59] == 239 * 0.25


def test_noise_of_the_2020_program_is_read_as_0() -> None:
    lists = six_lists() | {"UnitID": [-1, 1, 1, 2]}
    assert Spikes.from_dict(lists).unit.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_list_is_named(name: str) -> None:
    lists = six_lists()
    del lists[name]
    with pytest.raises(DataError, match=f"Missing: {name}"):
        Spikes.from_dict(lists)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_list_of_another_length_is_named(name: str) -> None:
    lists = six_lists()
    lists[name] = lists[name][:-1]
    with pytest.raises(DataError, match=f"equally long.*{name} 3"):
        Spikes.from_dict(lists)


def test_waveforms_of_unequal_length_are_refused_by_row() -> None:
    lists = six_lists()
    lists["Waveforms"][2] = lists["Waveforms"][2][:50]
    with pytest.raises(DataError, match="Row 0 has 60 samples, row 2 has 50"):
        Spikes.from_dict(lists)


@pytest.mark.parametrize(("sample", "told"), [(slice(None), "Row 2 is all NaN"), (30, "Row 2 has a NaN"), (0, "Row 2")])
def test_nan_waveforms_are_refused_by_row(sample: Any, told: str) -> None:
    lists = six_lists()
    lists["Waveforms"][2][sample] = np.nan
    with pytest.raises(DataError, match=told):
        Spikes.from_dict(lists)


def test_samples_that_the_whole_recording_lacks_may_be_nan() -> None:
    lists = six_lists()
    for waveform in lists["Waveforms"]:
        waveform[:5] = np.nan
    assert np.isnan(Spikes.from_dict(lists).waveforms[:, :5]).all()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ChannelID", ["a", "b", "c", "d"]),
        ("UnitID", [1, 2, 1.5, 1]),
        ("UnitID", [1, 2, None, 1]),
        ("UnitID", [1, 2**40, 1, 1]),
        ("UnitID", [1, -2, 1, 1]),
        ("ExperimentID", [-1, 0, 0, 0]),
        ("TimeStamps", [0, "late", 1, 2]),
        ("TimeStamps", [0, np.inf, 1, 2]),
        ("Waveforms", [["a"] * 60] * 4),
        ("Waveforms", [1, 2, 3, 4]),
    ],
)
def test_values_that_are_no_numbers_of_their_kind_are_refused(name: str, values: list[Any]) -> None:
    with pytest.raises(DataError, match=r"^[^\n]+\.$"):
        Spikes.from_dict(six_lists() | {name: values})


def test_something_else_than_a_dictionary_is_refused() -> None:
    with pytest.raises(DataError, match="must be a dictionary"):
        Spikes.from_dict([1, 2])  # type: ignore[arg-type]  # what a careless caller does


@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one_event_are_a_table_too(n: int) -> None:
    spikes = Spikes.from_dict(six_lists(n))
    assert len(spikes) == n
    assert spikes.n_samples == 60
    assert len(Spikes.from_dict(spikes.to_dict())) == n
