"""The Clean tab in a real browser: a line that is dragged, a rule that is previewed, applied and undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import neuralsorter as ns

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

pytestmark = pytest.mark.browser


def _would_go(tab: Tab) -> int:
    return int(tab.page.get_by_text("would go to noise").first.inner_text().split(" ")[0].replace(",", ""))


def test_a_threshold_is_dragged_and_a_rule_previewed_applied_and_undone(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    path = tmp_path / "generated.npz"
    ns.save(ns.simulate(n_channels=2, duration_s=40.0, seed=3).spikes, path)
    tab = open_tab(serve(path))
    tab.wait_for("waveforms drawn", timeout_s=90)
    page = tab.page
    page.get_by_role("tab", name="Clean").click()
    tab.press("Control+c")
    tab.wait_until(lambda: "events to noise" in tab.said(), timeout_s=90)

    page.get_by_text("would go to noise").first.wait_for()
    assert _would_go(tab) == 0  # just applied
    frame = tab.box("P(spike)")
    middle = frame["y"] + frame["height"] / 2
    page.mouse.move(frame["x"] + 0.5 * frame["width"], middle)
    page.mouse.down()
    page.mouse.move(frame["x"] + 0.9 * frame["width"], middle, steps=8)
    page.mouse.up()
    page.get_by_text("Threshold on P(spike): 0.90").wait_for()
    tab.wait_until(lambda: _would_go(tab) > 0)

    page.get_by_role("tab", name="Rules").click()
    page.get_by_label("At least (µV)").fill("60")
    page.get_by_label("At least (µV)").press("Enter")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("would go to noise, on 2 channels").wait_for()
    tab.wait_until(lambda: tab.selected() > 0)
    small = _would_go(tab)
    page.get_by_role("button", name="Apply rule").click()
    tab.wait_until(lambda: f"Amplitude limits: {small:,} events sent to noise" in tab.said())
    tab.press("Control+z")
    tab.wait_until(lambda: "Undone: amplitude limits" in tab.said())
    page.get_by_role("button", name="Preview").click()
    tab.wait_until(lambda: page.get_by_text("would go to noise, on 2 channels").count() > 0 and _would_go(tab) == small)
    assert tab.foreign == []
    assert tab.errors == []
