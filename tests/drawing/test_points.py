from __future__ import annotations

import numpy as np

from neuralsorter.drawing.points import point_counts, points_inside


def test_every_point_is_counted_once_in_its_pixel() -> None:
    random = np.random.default_rng(0)
    x, y = random.uniform(0, 10, 5000), random.uniform(-5, 5, 5000)
    counts = point_counts(x, y, 40, 30, (0, 10), (-5, 5))
    expected = np.histogram2d(y, x, bins=(30, 40), range=((-5, 5), (0, 10)))[0]
    np.testing.assert_array_equal(counts, expected)


def test_points_outside_or_unknown_are_left_out() -> None:
    assert point_counts(np.array([-1, 11, np.nan, 5.0]), np.array([0, 0, 0, np.nan]), 4, 4, (0, 10), (-5, 5)).sum() == 0


def test_a_spread_point_fills_a_square_and_is_cut_at_the_edge() -> None:
    counts = point_counts(np.array([0.5, 2.5]), np.array([0.5, 2.5]), 5, 5, (0, 5), (0, 5), spread=1)
    assert counts.sum() == 4 + 9
    assert counts[1, 1] == 2


def test_points_inside_a_polygon_are_found() -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    x, y = np.array([0.5, 1.5, 0.1, np.nan]), np.array([0.5, 0.5, 0.9, 0.5])
    assert points_inside(square, x, y).tolist() == [True, False, True, False]


def test_the_upper_end_of_a_range_lies_outside_as_does_what_is_unknown() -> None:
    x = np.array([0.0, 0.999, 1.0, -0.1, np.nan, 0.5], np.float32)
    np.testing.assert_array_equal(point_counts(x, np.zeros(6), 4, 1, (0.0, 1.0), (0.0, 1.0)), [[1, 0, 1, 1]])


def test_a_million_points_are_placed_in_one_go() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1_000_000)).astype(np.float32)
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    hit = points_inside(np.column_stack([np.cos(angle), np.sin(angle)]), x, y)
    assert (hit != (np.hypot(x, y) < 1)).mean() < 1e-3
