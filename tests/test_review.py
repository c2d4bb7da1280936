from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.metrics import recording
from neuralsorter.review import concerns, violations


@pytest.fixture(scope="module")
def part() -> Any:
    """A clean unit 1, unit 2 that is two neurons, unit 3 with a few small events, unit 4 split from unit 1's twin."""
    random = np.random.default_rng(0)
    clean = np.cumsum(random.uniform(0.02, 0.1, 4000))
    mixed = np.sort(random.uniform(0, clean[-1], 9000))
    few = random.uniform(0, clean[-1], 30)
    times = np.concatenate((clean, mixed, few))
    unit = np.repeat([1, 2, 3], [4000, 9000, 30])
    shape = -np.exp(-0.5 * ((np.arange(40) - 20) / 3) ** 2)
    size = np.choose(unit - 1, [200.0, 90.0, 6.0])
    waveforms = shape * size[:, None] + random.normal(0, 5, (len(times), 40))
    order = np.argsort(times)
    return ns.Spikes(
        raw=waveforms[order].astype(np.float32),
        times_s=times[order],
        channel=np.full(len(times), 5),
        unit=unit[order],
        experiment=np.zeros(len(times), int),
        sampling_rate=30_000.0,
        pre_samples=12,
    )


def test_what_is_contaminated_or_faint_is_named_and_what_is_clean_is_not(part: Any) -> None:
    found = {c.units: c for c in concerns(part, recording(part)) if c.kind == "flags"}
    assert set(found) == {(2,), (3,)}
    assert any("come from other neurons" in reason for reason in found[(2,)].reasons)
    assert any("times the noise" in reason for reason in found[(3,)].reasons)
    assert any("30 events only" in reason for reason in found[(3,)].reasons)


def test_the_most_urgent_comes_first(part: Any) -> None:
    scores = [c.score for c in concerns(part, recording(part))]
    assert scores == sorted(scores, reverse=True)


def test_units_a_person_called_multi_unit_are_settled(part: Any) -> None:
    found = concerns(part, recording(part), {(5, 2): "mua", (5, 3): "noise"})
    assert found == []


def test_halves_of_one_unit_are_a_case_for_merging(part: Any) -> None:
    unit = np.array(part.unit)
    ones = np.flatnonzero(unit == 1)
    unit[ones[::2]] = 4
    found = [c for c in concerns(part.with_unit(unit), recording(part)) if len(c.units) == 2]
    assert [c.units for c in found] == [(1, 4)]


def test_two_cells_in_one_unit_are_a_case_for_splitting(part: Any) -> None:
    unit = np.where(part.unit == 2, 1, part.unit)
    found = [c for c in concerns(part.with_unit(unit), recording(part)) if c.kind == "split"]
    assert [c.units for c in found] == [(1,)]
    assert "Unit 1 may be 2: parts of" in found[0].reasons[0]


def test_violations_are_pairs_of_one_unit_within_one_stretch() -> None:
    times = np.array([0.0, 0.001, 0.0012, 1.0, 1.001, 5.0, 5.001, np.nan])
    unit = np.array([1, 1, 2, 0, 0, 3, 3, 3])
    stretch = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    assert violations(times, stretch, unit, 0.0015).tolist() == [[0, 1]]
    assert violations(times, np.zeros(8, int), unit, 0.0015).tolist() == [[0, 1], [5, 6]]
    assert violations(times[:0], stretch[:0], unit[:0], 0.0015).shape == (0, 2)
