"""Numbers that stay, strays, the diary of merges, and units of an earlier recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.cli import main
from neuralsorter.sorting import like, sort, sort_channel, stable_units, strays
from tests.sorting.test_sort import RATE, events, spikes


def test_a_unit_found_again_keeps_its_number() -> None:
    before = np.array([4, 4, 4, 9, 9, 9])
    np.testing.assert_array_equal(stable_units(np.array([1, 1, 1, 0, 0, 0]), before, 10), before)


def test_of_a_unit_that_falls_apart_the_largest_part_keeps_the_number() -> None:
    units = stable_units(np.array([0, 1, 1, 1, 2]), np.full(5, 3), 7)
    np.testing.assert_array_equal(units, [7, 3, 3, 3, 8])


def test_what_is_known_from_elsewhere_comes_first_and_no_number_is_given_twice() -> None:
    units = stable_units(np.array([0, 0, 0, 1, 1]), np.ones(5, int), 6, {1: 1}, frozenset({1, 2}))
    np.testing.assert_array_equal(units, [6, 6, 6, 1, 1])


def test_overlaps_are_strays_and_noise_never_is() -> None:
    waves, unit = events(1200)
    waves[:30] += np.roll(waves[600:630], 14, axis=1)
    number = unit + 1
    number[1100:] = 0
    found = strays(waves, number, RATE, 20)
    assert found[:30].mean() > 0.9
    assert found[30:1100].mean() < 0.01
    assert not found[1100:].any()


def test_the_history_of_each_unit_leads_to_parts_that_bic_found() -> None:
    waves, _ = events(1500)
    result = sort_channel(waves, np.arange(1500) * 0.02, RATE, 20)
    assert len(set(result.names)) == result.n_units
    made = {merge.into: merge for merge in result.merges if merge.merged}
    for unit, name in enumerate(result.names):
        why = result.why(unit)
        assert bool(why) == (name in made)
        assert all(merge.merged and min(merge.sizes) > 0 and merge.reason for merge in why)
    apart = {frozenset((m.first, m.second)) for m in result.merges if not m.merged}
    assert frozenset(result.names[:2]) in apart


def test_a_recording_gets_the_numbers_of_an_earlier_one() -> None:
    waves, unit = events(1500, seed=1)
    earlier = spikes(waves, unit=np.array([7, 3, 9])[unit])
    later, truth = events(1500, seed=2)
    found = sort(spikes(later))
    units, matches = like(spikes(later, unit=found), earlier)
    assert [m.other in {3, 7, 9} and m.confidence > 0.8 for m in matches[0]] == [True] * 3
    assert (units == np.array([7, 3, 9])[truth]).mean() > 0.99


def test_a_unit_that_the_earlier_recording_has_not_gets_a_number_of_its_own() -> None:
    waves, unit = events(1500, seed=1)
    two = unit < 2
    earlier = spikes(waves[two], unit=np.array([3, 1])[unit[two]])
    units, _ = like(spikes(waves, unit=unit + 1), earlier)
    assert set(units[unit == 0]) == {3}
    assert set(units[unit == 1]) == {1}
    assert set(units[unit == 2]) == {4}


def test_sort_like_says_who_is_who(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waves, unit = events(900, seed=1)
    ns.save(spikes(waves, unit=np.array([7, 3, 9])[unit]), tmp_path / "earlier.npz")
    ns.save(spikes(events(900, seed=2)[0]), tmp_path / "later.npz")
    out = tmp_path / "out.npz"
    arguments = ["sort", str(tmp_path / "later.npz"), "-o", str(out), "--like", str(tmp_path / "earlier.npz")]
    assert main(arguments) == 0
    assert set(ns.load(out).unit) == {3, 7, 9}
    assert "3 of 3 units" in capsys.readouterr().err
