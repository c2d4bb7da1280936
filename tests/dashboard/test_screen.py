from __future__ import annotations

import numpy as np
import pytest


def test_a_lasso_and_a_box_become_polygons() -> None:
    from dashboard.screen import polygon_of

    lasso = polygon_of({"type": "poly", "x": [0, 1, 1], "y": [5, 5, 9]})
    np.testing.assert_array_equal(lasso, [[0, 5], [1, 5], [1, 9]])
    box = polygon_of({"type": "rect", "x0": 0, "x1": 2, "y0": -1, "y1": 1})
    np.testing.assert_array_equal(box, [[0, -1], [2, -1], [2, 1], [0, 1]])


@pytest.mark.parametrize(
    ("modifiers", "mode"),
    [
        ({}, "replace"),
        ({"ctrl": True}, "replace"),
        ({"shift": True}, "add"),
        ({"shift": True, "ctrl": True}, "subtract"),
    ],
)
def test_shift_adds_and_ctrl_shift_subtracts(modifiers: dict[str, bool], mode: str) -> None:
    from dashboard.screen import mode_of

    assert mode_of(modifiers) == mode


def test_a_screen_without_a_browser_has_no_view() -> None:
    from dashboard.screen import Screen

    assert Screen(lambda: None, lambda *_: None, lambda: None).view() is None
