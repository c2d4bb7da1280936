"""What a person does with the mouse is taken again, event for event, from the recipe of the project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.recipes import recipe, replay

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

pytestmark = pytest.mark.browser


def test_lassos_drawn_on_the_page_pick_the_same_again(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    ns.save(ns.simulate(2, duration_s=30.0, seed=3).spikes, path)
    tab = open_tab(serve(path))
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.page.wait_for_timeout(500)
    tab.lasso(0.3, 0.78, 0.42, 0.97)
    tab.wait_until(lambda: tab.selected() > 0)
    one = tab.selected()
    tab.lasso(0.45, 0.05, 0.6, 0.3, ("Shift",))
    tab.wait_until(lambda: tab.selected() > one)
    both = tab.selected()
    tab.press("Alt+2")
    tab.wait_until(lambda: "sent to unit 2" in tab.said())
    channels = tab.page.get_by_label("Channels", exact=True)
    channels.locator(".row[data-id='2']").click(modifiers=["Control"])
    tab.wait_until(lambda: "channels 1, 2 together" in tab.status())
    tab.lasso(0.3, 0.02, 0.42, 0.3)
    tab.wait_until(lambda: tab.selected() > 0)
    together = tab.selected()
    tab.press("Alt+5")
    tab.wait_until(lambda: "sent to unit 5" in tab.said())
    with ns.Project.open(tmp_path / "a.nsort", read_only=True) as project:
        content, unit = recipe(project), project.unit.copy()
        counts = [project.counts(channel) for channel in project.channels()]
    assert sum(count.get(5, 0) for count in counts) == together
    assert all(count[5] for count in counts)
    assert counts[0][2] <= both
    assert [lasso["mode"] for lasso in content["steps"][0]["lassos"]] == ["replace", "add"]
    assert [(step["do"], step.get("channels")) for step in content["steps"]] == [("assign", None), ("assign", [1, 2])]
    with ns.Project.in_memory(ns.load(path)) as again:
        assert replay(again, content)["same_units"]
        np.testing.assert_array_equal(again.unit, unit)
    assert tab.errors == []
