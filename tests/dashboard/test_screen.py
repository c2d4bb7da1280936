from __future__ import annotations

import numpy as np
import pytest


def test_a_lasso_and_a_box_become_polygons() -> None:
    from dashboard.screen import polygon_of

    lasso = polygon_of({"type": "poly", "x": [0, 1, 1], "y": [5, 5, 9]})
    np.testing.assert_array_equal(lasso, [[0, 5], [1, 5], [1, 9]])
    box = polygon_of({"type": "rect", "x0": 0, "x1": 2, "y0": -1, "y1": 1})
    np.testing.assert_array_equal(box, [[0, -1], [2, -1], [2, 1], [0, 1]])


def test_a_line_joins_the_ends_of_a_drag_and_a_band_stands_where_it_began() -> None:
    from dashboard.screen import region_of

    drag = {"type": "poly", "x": [0, 5, 1], "y": [5, 50, 9]}
    np.testing.assert_array_equal(region_of("line", drag, 0.0), [[0, 5], [1, 9]])
    box = {"type": "rect", "x0": -9, "x1": 9, "y0": 4, "y1": -4}
    np.testing.assert_array_equal(region_of("band", box, 0.25), [[0.25, -4], [0.25, 4]])


@pytest.mark.parametrize(
    ("modifiers", "mode"),
    [
        ({}, ""),
        ({"ctrl": True}, "intersect"),
        ({"shift": True}, "add"),
        ({"shift": True, "ctrl": True}, "subtract"),
    ],
)
def test_shift_adds_ctrl_shift_subtracts_and_ctrl_intersects(modifiers: dict[str, bool], mode: str) -> None:
    from dashboard.screen import mode_of

    assert mode_of(modifiers) == mode


def test_a_screen_without_a_browser_has_no_view() -> None:
    from dashboard.screen import Screen

    assert Screen(lambda: None, lambda *_: None, lambda: None).view() is None
