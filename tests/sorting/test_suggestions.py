from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuralsorter.sorting import SortResult, match_units, merge_suggestions, split_suggestions

TIME = np.arange(60) - 22.0


def shape(width: float, size: float = 120.0) -> NDArray[np.float64]:
    return np.asarray(-size * np.exp(-0.5 * (TIME / width) ** 2))


def channel(seed: int = 0) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Two cells; the first was cut in two, units 1 and 3, at random."""
    rng = np.random.default_rng(seed)
    steps = rng.exponential(0.03, 4000) + 0.003
    times = np.cumsum(steps)
    cell = np.arange(4000) % 2
    times[cell == 1] = np.sort(rng.random(2000) * times[-1])
    waves = np.where(cell[:, None] == 0, shape(2.5), shape(5.0)) + 10 * rng.normal(size=(4000, 60))
    unit = np.where(cell == 1, 2, np.where(rng.random(4000) < 0.5, 1, 3))
    return waves.astype(np.float32), times, unit


def test_halves_of_one_cell_are_suggested_for_merging_with_the_evidence() -> None:
    waves, times, unit = channel()
    found = merge_suggestions(waves, times, unit, 20_000.0, 20)
    assert [(s.first, s.second) for s in found] == [(1, 3)]
    assert found[0].score > 0.8
    assert found[0].distance < 1.5
    assert found[0].refractory < 0.2
    assert "SD apart" in found[0].reason


def test_without_times_the_waveforms_alone_decide() -> None:
    waves, times, unit = channel()
    found = merge_suggestions(waves, np.full_like(times, np.nan), unit, 20_000.0, 20)
    assert [(s.first, s.second) for s in found] == [(1, 3)]
    assert "chance" not in found[0].reason


def test_one_unit_alone_has_no_suggestion_and_noise_has_none() -> None:
    waves, times, unit = channel()
    assert merge_suggestions(waves, times, np.minimum(unit, 1), 20_000.0, 20) == []
    assert merge_suggestions(waves, times, np.where(unit == 3, 0, unit), 20_000.0, 20) == []


def test_a_unit_of_two_cells_is_suggested_for_splitting() -> None:
    waves, times, unit = channel()
    found = split_suggestions(waves, times, np.where(unit == 2, 1, unit), 20_000.0, 20)
    assert [s.unit for s in found] == [1]
    assert found[0].labels.max() == 1
    assert found[0].distance > 4
    assert found[0].refractory > 0.6
    assert "SD apart" in found[0].reason
    truth = unit[found[0].rows] == 2
    assert max((found[0].labels == truth).mean(), (found[0].labels != truth).mean()) > 0.99


def test_one_cell_is_not_suggested_for_splitting() -> None:
    waves, times, unit = channel()
    one = unit != 2
    assert split_suggestions(waves[one], times[one], np.ones(one.sum(), int), 20_000.0, 20) == []


def test_only_units_that_a_cheap_test_finds_mixed_are_sorted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from neuralsorter.sorting import splits

    sorted_again = list[int]()

    def counting(waveforms: Any, *_: Any) -> Any:
        sorted_again.append(len(waveforms))
        return SortResult.single(len(waveforms))

    monkeypatch.setattr(splits, "sort_channel", counting)
    waves, times, unit = channel()
    split_suggestions(waves, times, unit, 20_000.0, 20)
    assert sorted_again == []
    split_suggestions(waves, times, np.where(unit == 2, 1, unit), 20_000.0, 20)
    assert sorted_again == [int((unit < 3).sum())]


def test_parts_that_do_not_stand_apart_hide_none_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit of three cells, two of them alike, and a handful of strays: two parts are suggested, not nothing."""
    from neuralsorter.sorting import splits

    rng = np.random.default_rng(0)
    part = np.repeat([0, 1, 2, 3], [800, 700, 400, 5])
    middle = np.array([[0, 0], [1.5, 0], [0, 9], [3, 10]], float)
    points = middle[part] + rng.normal(size=(len(part), 2))
    found = dataclasses.replace(
        SortResult.single(len(part)), labels=part, latent=points.astype(np.float32), mua=np.zeros(4, bool)
    )
    monkeypatch.setattr(splits, "sort_channel", lambda *_: found)
    monkeypatch.setattr(splits, "mixed", lambda _: 0.0)
    unknown = np.full(len(part), np.nan)
    waves = rng.normal(size=(len(part), 60)).astype(np.float32)
    (split,) = split_suggestions(waves, unknown, np.ones(len(part), int), 20_000.0, 20)
    assert split.sizes == [1500, 405]
    np.testing.assert_array_equal(split.labels, part > 1)
    assert split.distance > 6
    assert split.reason.startswith("parts of 1,500 and 405 events")
    part[:] = np.minimum(part, 1)  # without the third cell nothing stands apart
    points[:] = middle[part] + rng.normal(size=(len(part), 2))
    found.latent[:] = points
    assert split_suggestions(waves, unknown, np.ones(len(part), int), 20_000.0, 20) == []


def test_units_are_found_again_in_another_recording() -> None:
    old = {1: shape(2.5), 2: shape(5.0), 5: shape(2.5, 60.0)}
    new = {1: 1.1 * shape(5.0), 2: 0.95 * shape(2.5), 3: -shape(3.0)}
    found = {m.unit: m for m in match_units(new, old)}
    assert (found[1].other, found[2].other, found[3].other) == (2, 1, None)
    assert found[2].confidence > 0.7
    assert match_units({1: shape(2.0)}, {})[0].other is None
    assert match_units({}, old) == []
