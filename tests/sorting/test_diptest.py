from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from neuralsorter.sorting.diptest import dip, p_value


def nearest_unimodal(x: NDArray[Any]) -> float:
    """The dip by its definition: a linear program for each place of the mode."""
    x = np.sort(x)
    return min(_with_mode(x, mode) for mode in range(len(x)))


def _with_mode(x: NDArray[Any], mode: int) -> float:
    n = len(x)
    left, size = mode + 1, n + 2  # heights up to the mode, heights from it on, the distance
    rules: list[NDArray[Any]] = []
    limits: list[float] = []

    def rule(limit: float, **terms: float) -> None:
        row = np.zeros(size)
        for name, factor in terms.items():
            row[int(name[1:])] = factor
        rules.append(row)
        limits.append(limit)

    def place(i: int, side: int) -> int:
        return i if i < mode or (i == mode and side == 0) else left + i - mode

    for i in range(n):
        for side in (0, 1):
            height = (i + side) / n
            rule(height, **{f"v{place(i, side)}": 1.0, f"v{size - 1}": -1.0})
            rule(-height, **{f"v{place(i, side)}": -1.0, f"v{size - 1}": -1.0})
    for first, last, sign, offset in ((0, left - 1, 1.0, 0), (mode, n - 1, -1.0, 1)):
        for i in range(first + 1, last):
            a, b = sign / (x[i] - x[i - 1]), sign / (x[i + 1] - x[i])
            j = i + offset
            rule(0.0, **{f"v{j}": a + b, f"v{j - 1}": -a, f"v{j + 1}": -b})
    for j in range(size - 2):
        rule(0.0, **{f"v{j}": 1.0, f"v{j + 1}": -1.0})
    goal = np.zeros(size)
    goal[-1] = 1.0
    bounds = [(None, None)] * (size - 1) + [(0, None)]
    best = linprog(goal, A_ub=np.array(rules), b_ub=limits, bounds=bounds).fun
    assert best is not None
    return float(best)


@pytest.mark.parametrize("seed", range(12))
def test_the_dip_is_the_distance_to_the_nearest_unimodal_distribution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rng.integers(4, 13)) + rng.choice([0.0, 4.0], 1) * (rng.random(1) < 0.5)
    x[: len(x) // 2] += rng.choice([0.0, 3.0, 6.0])
    assert dip(x) == pytest.approx(nearest_unimodal(x), abs=1e-7)


def test_the_dip_of_two_points_far_apart_is_a_quarter() -> None:
    assert dip(np.r_[np.zeros(500), np.ones(500)] + 1e-9 * np.arange(1000)) == pytest.approx(0.25, abs=0.002)


def test_p_is_uniform_for_uniform_samples_and_large_for_normal_ones() -> None:
    rng = np.random.default_rng(7)
    p = [p_value(dip(rng.random(150)), 150) for _ in range(600)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.04)
    assert np.mean(np.array(p) < 0.5) == pytest.approx(0.5, abs=0.07)
    assert min(p_value(dip(rng.normal(size=400)), 400) for _ in range(50)) > 0.1


def test_two_modes_have_a_tiny_p_that_falls_on_with_their_distance() -> None:
    rng = np.random.default_rng(8)
    near = rng.normal(size=400) + np.where(np.arange(400) % 2, 4.0, 0.0)
    far = rng.normal(size=400) + np.where(np.arange(400) % 2, 5.5, 0.0)
    assert p_value(dip(far), 400) < p_value(dip(near), 400) < 0.05
    assert p_value(dip(far), 400) > 0


def test_too_few_events_show_no_gap() -> None:
    assert p_value(dip(np.array([0.0, 0, 9, 9])), 4) == 1.0
