"""The Clean tab in a real browser: a line that is dragged, a rule that is previewed, applied and undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
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


def test_a_network_learns_from_curation_is_used_saved_and_still_chosen_after_a_reload(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    made = ns.simulate(n_channels=2, duration_s=15.0, seed=3, artefact_rate_hz=2.0)
    curated = replace(made.spikes, unit=made.is_spike.astype(np.int32))
    ns.Project.create(tmp_path / "a.nsort", spikes=curated).close()
    broken = tmp_path / "plugins" / "models" / "torn.keras"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"nothing of the kind")
    tab = open_tab(serve(tmp_path / "a.nsort"))
    page = tab.page

    def look() -> None:
        tab.wait_for("waveforms drawn", timeout_s=90)
        page.get_by_role("tab", name="Clean").click()
        page.get_by_role("tab", name="Network").click()
        page.get_by_text("torn.keras cannot be used").wait_for()

    look()
    page.get_by_role("button", name="Learn from my curation").click()
    tab.wait_until(lambda: "Learned: AUC" in tab.said(), timeout_s=120)
    page.get_by_text("sensitivity at 0.5").wait_for()
    page.get_by_role("button", name="Use in this project").click()
    tab.wait_until(lambda: "uses the learned network" in tab.said())
    page.get_by_role("button", name="Save to my networks").click()
    tab.wait_until(lambda: "Saved as" in tab.said())
    assert broken.with_name("mine.keras").is_file()

    page.reload()
    look()
    assert "learned-1.keras" in page.get_by_label("Cleaner", exact=True).inner_text()
    tab.press("Control+c")
    tab.wait_until(lambda: "events to noise" in tab.said(), timeout_s=60)
    with ns.Project.open(tmp_path / "a.nsort", read_only=True) as project:
        assert "learned-1.keras" in project.history()[-1].params
    assert tab.errors == []
