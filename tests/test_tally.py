"""Events are counted by unit, whatever the units are called."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.tally import tally


@pytest.mark.parametrize("units", [[0], [5, 0, 7], [-3, 2], [1, 2_000_000_000], [-(2**31), 2**31 - 1], []])
def test_units_are_counted_as_by_sorting(units: list[int]) -> None:
    unit = np.random.default_rng(0).choice(np.array([*units, *units], np.int32), 100 if units else 0)
    names, counts = np.unique(unit, return_counts=True)
    found = tally(unit)
    assert list(found.items()) == list(zip(names.tolist(), counts.tolist(), strict=True))


def test_a_unit_with_a_very_large_number_takes_no_more_memory_than_any() -> None:
    spikes = ns.simulate(n_channels=1, duration_s=2.0, seed=1).spikes
    unit = spikes.unit.copy()
    unit[:5] = 2_000_000_000
    with ns.Project.in_memory(spikes.with_unit(unit)) as project:
        channel = project.channels()[0]
        tracemalloc.start()
        assert project.counts(channel)[2_000_000_000] == 5
        project.assign(project.rows(channel)[:2], 1)
        assert project.counts(channel)[2_000_000_000] == 3
        assert tracemalloc.get_traced_memory()[1] < 50e6
        tracemalloc.stop()
