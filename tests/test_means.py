from __future__ import annotations

import numpy as np
import pytest

from neuralsorter.means import unit_means


def test_mean_and_spread_of_each_unit_equal_numpys() -> None:
    rng = np.random.default_rng(0)
    raw = rng.integers(-2000, 2000, (500, 12)).astype(np.int16)
    unit = rng.integers(0, 4, 500)
    result = unit_means(raw, unit, uv_per_bit=0.25)
    assert result.units.tolist() == [0, 1, 2, 3]
    for place, number in enumerate(result.units):
        own = raw[unit == number] * 0.25
        assert result.count[place] == len(own)
        np.testing.assert_allclose(result.mean[place], own.mean(0), rtol=1e-9)
        np.testing.assert_allclose(result.sd[place], own.std(0), rtol=1e-6)


def test_padding_is_left_out_of_the_mean() -> None:
    raw = np.array([[1.0, np.nan], [3.0, np.nan], [5.0, 7.0]], np.float32)
    result = unit_means(raw, np.array([1, 1, 2]))
    assert result.mean[0, 0] == pytest.approx(2.0)
    assert np.isnan(result.mean[0, 1])
    assert result.mean[1].tolist() == [5.0, 7.0]


def test_no_events_give_no_units() -> None:
    assert len(unit_means(np.zeros((0, 5), np.int16), np.zeros(0, int)).units) == 0
