"""Every view of the Judge area in a real browser: the right numbers, and an edit changes the one that is open."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns
from neuralsorter.agreement import agreement
from neuralsorter.metrics import recording
from neuralsorter.spiketrain import intervals

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

pytestmark = pytest.mark.browser


def test_every_view_on_the_utah_array(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    source = tmp_path / "utah.nev"
    shutil.copy(shared_data("vendor/utah96_Recording4.nev"), source)
    project = ns.Project.create(tmp_path / "utah.nsort", source)
    _judge(project, serve, open_tab, "This recording has no triggers")


def test_every_view_on_generated_events(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    spikes = ns.simulate(n_channels=3, duration_s=60.0, seed=3).spikes
    spikes = replace(spikes, triggers=pd.DataFrame({"time_s": np.arange(1.0, 59, 2), "code": 1}))
    project = ns.Project.create(tmp_path / "generated.nsort", spikes=spikes)
    _judge(project, serve, open_tab, "29 triggers")


def _judge(project: ns.Project, serve: Callable[..., Server], open_tab: Callable[..., Tab], triggers: str) -> None:
    """Send the larger half of channel 3 to unit 2, then look at it from every side."""
    rows = project.rows(3)
    size = np.ptp(project.raw(rows).astype(float), axis=1)
    project.assign(rows[size > np.median(size)], 2)
    unit, times, stretch = project.unit_of(rows), project.times_of(rows), project.spikes.segment[rows]
    n_units = sum(1 for channel in project.channels() for u in project.counts(channel) if u > 0)
    n_channels, share = len(project.channels()), agreement(unit, project.unit_at(0)[rows]).share
    place, limit_s = Path(str(project.path)), recording(project.spikes).refractory_ms / 1000
    project.close()
    n_shown = int((unit > 0).sum())
    short = sum(int((intervals(times[unit == u], stretch[unit == u]) < limit_s).sum()) for u in (1, 2))

    tab = open_tab(serve(place))
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.press("Control+ArrowDown")
    tab.press("Control+ArrowDown")
    tab.wait_until(lambda: "channel 3" in tab.status())
    _open(tab, "Intervals", f"{short:,} violations on channel 3")
    _open(tab, "Correlograms", "2 autocorrelograms, 1 cross-correlograms")
    _open(tab, "Rate", "Hz · unit 2")
    _open(tab, "Triggers", triggers)
    _open(tab, "Similarity", "may be one")
    _open(tab, "Compare", f"{share:.1%}")
    _open(tab, "Array", f"{n_channels} electrodes, {n_units} units, 0 of {n_channels} reviewed")
    tab.press("Control+z")
    tab.wait_for(f"{n_channels} electrodes, {n_units - 1} units")
    tab.press("Control+Shift+z")
    tab.wait_for(f"{n_channels} electrodes, {n_units} units")
    _open(tab, "Amplitude", f"{n_shown:,} of {len(rows):,} events drawn")
    _look_at_all(tab, "view amplitude", "outside the picture")
    _lasso_everything(tab, "view amplitude")
    tab.wait_until(lambda: tab.selected() == n_shown)
    _save(tab, len(rows))
    reset = tab.page.get_by_role("button", name="Reset view", exact=True)  # its name is what is written on it
    assert "whole window" in str(reset.get_attribute("aria-description"))
    tab.press("]")  # the next view
    tab.page.get_by_text("Hz · unit 2").wait_for()
    tab.page.get_by_role("button", name="Rate", exact=True).click()
    tab.page.get_by_text("Hz · unit 2").wait_for(state="hidden")
    _review(tab, place, n_channels)
    assert tab.foreign == []
    assert tab.errors == []


def _save(tab: Tab, n_rows: int) -> None:
    for title in ("a PNG", "an SVG"):
        with tab.page.expect_download() as saved:
            tab.page.get_by_role("button", name=f"Save this view as {title}").locator("visible=true").click()
        assert saved.value.path().stat().st_size > 1000
    with tab.page.expect_download() as saved:
        tab.page.get_by_role("button", name="Save the numbers of this view").locator("visible=true").click()
    assert len(pd.read_csv(saved.value.path())) == n_rows


def _open(tab: Tab, name: str, says: str) -> None:
    tab.page.get_by_role("button", name=name, exact=True).click()
    tab.wait_for(says, timeout_s=60)


def _look_at_all(tab: Tab, name: str, left_out: str) -> None:
    """Show also what would flatten the picture, if there is such."""
    box = tab.box(name)
    if tab.page.get_by_text(left_out).count():
        tab.page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tab.page.get_by_text(left_out).wait_for(state="hidden")


def _lasso_everything(tab: Tab, name: str) -> None:
    seen = [tab.box(name)]
    while len(seen) < 5 or any(box != seen[-1] for box in seen[-5:]):  # a figure that has just joined the page moves
        tab.page.wait_for_timeout(300)
        seen.append(tab.box(name))
        assert len(seen) < 100
    tab.lasso(0.01, 0.01, 0.99, 0.98, on=name)


def _review(tab: Tab, place: Path, n_channels: int) -> None:
    """Mark a channel as reviewed by its key; it is in the journal and on the page."""
    tab.page.get_by_role("tab", name="Review").click()
    tab.wait_for(f"0 of {n_channels} channels reviewed")
    tab.press("w")
    tab.wait_for(f"1 of {n_channels} channels reviewed")
    with ns.Project.open(place, read_only=True) as project:
        assert project.reviewed == {3}
    tab.wait_until(lambda: re.match(r"Channel \d+, unit", tab.said()) is not None, timeout_s=180)
