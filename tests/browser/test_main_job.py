"""The scientist's hour in a minute, in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import neuralsorter as ns

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

pytestmark = pytest.mark.browser


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A small generated recording on disk."""
    path = tmp_path / "generated.npz"
    ns.save(ns.simulate(n_channels=3, duration_s=60.0, seed=3).spikes, path)
    return path


def test_an_empty_page_says_what_to_do(serve: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(serve())
    tab.wait_for("Nothing is open yet")
    assert tab.foreign == []


def test_the_whole_job_on_the_utah_array(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    source = tmp_path / "utah.nev"
    shutil.copy(shared_data("vendor/utah96_Recording4.nev"), source)
    _do_the_job(open_tab(serve(source)), tmp_path / "utah.nsort", 37_431)


def test_the_whole_job_on_generated_events(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    _do_the_job(open_tab(serve(recording)), recording.with_suffix(".nsort"), len(ns.load(recording)))


def _do_the_job(tab: Tab, project: Path, n_events: int) -> None:
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.wait_until(lambda: f"{n_events:,} events" in tab.said() or tab.status() != "")

    tab.press("Control+ArrowDown")
    tab.wait_until(lambda: "channel" in tab.status())
    tab.page.wait_for_timeout(500)
    tab.lasso(0.3, 0.35, 0.45, 0.95)
    tab.wait_until(lambda: tab.selected() > 0)
    picked = tab.selected()

    tab.press("Alt+2")
    tab.wait_until(lambda: f"{picked:,} events sent to unit 2" in tab.said())
    tab.page.get_by_text("Unit 2", exact=True).first.wait_for()
    tab.press("Control+z")
    tab.wait_until(lambda: tab.page.get_by_text("Unit 2", exact=True).count() == 0)
    tab.press("Control+Shift+z")
    tab.page.get_by_text("Unit 2", exact=True).first.wait_for()

    tab.press("Control+c")
    tab.wait_until(lambda: "events to noise" in tab.said(), timeout_s=90)
    gone = int(re.search(r"([\d,]+) events to noise", tab.said())[1].replace(",", ""))  # type: ignore[index]
    assert 0 < gone < n_events

    _move_the_threshold(tab)
    tab.press("Control+s")
    tab.wait_until(lambda: "found in" in tab.said(), timeout_s=90)
    _run_the_isi_histogram(tab)

    out = project.with_name("sorted.npz")
    tab.page.get_by_role("button", name="Save as…").click()
    tab.page.get_by_label("Name of the new file").fill(str(out))
    tab.page.get_by_role("button", name="Save file").click()
    tab.wait_until(lambda: "Saved" in tab.said() and out.exists(), timeout_s=60)

    written = ns.load(out)
    assert len(written) == n_events
    with ns.Project.open(project, read_only=True) as kept:
        order = np.argsort(kept.source_row)
        np.testing.assert_array_equal(written.unit, kept.unit[order])
        assert kept.n_edits >= 4
    assert tab.foreign == []
    assert tab.errors == []


def _move_the_threshold(tab: Tab) -> None:
    """Raise it by ten steps: more would go; apply; it is one more edit."""
    page = tab.page
    page.get_by_role("tab", name="Clean").click()
    page.get_by_text("would go to noise").wait_for()
    slider = page.get_by_role("slider", name=re.compile("Threshold"))
    slider.focus()
    for _ in range(10):
        slider.press("ArrowRight")
    tab.page.wait_for_timeout(1500)  # ten moves, ten previews
    more = _would_go(tab)
    assert more > 0
    page.get_by_role("button", name="Apply threshold").click()
    tab.wait_until(lambda: f"{more:,} events to noise" in tab.said())
    page.get_by_role("tab", name="Evidence").click()


def _would_go(tab: Tab) -> int:
    text = tab.page.get_by_text("would go to noise").inner_text()
    return int(text.split(" ")[0].replace(",", ""))


def _run_the_isi_histogram(tab: Tab) -> None:
    page = tab.page
    page.get_by_role("tab", name="Utilities").click()
    page.get_by_role("combobox", name="Script").click()
    page.get_by_text("Interspike intervals").last.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".bk-Figure").first.wait_for(timeout=60_000)
    page.get_by_role("tab", name="Waveforms").click()
    tab.wait_for("waveforms drawn")


def test_typing_in_a_field_triggers_no_shortcut(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    tab = open_tab(serve(recording))
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.page.get_by_label("Channels").locator(".row[data-id='2']").click()
    tab.wait_until(lambda: "channel 2" in tab.status())
    tab.press("a")  # nothing is typed into a list: keys go on working after a click into it
    tab.wait_until(lambda: tab.selected() > 0)
    before = tab.status()
    tab.page.get_by_role("button", name="Save as…").click()
    field = tab.page.get_by_label("Name of the new file")
    field.fill("")
    field.press_sequentially("dzs2ia")
    assert field.input_value() == "dzs2ia"
    tab.page.wait_for_timeout(500)
    assert tab.status() == before


def test_a_list_to_choose_from_has_the_letters_but_not_what_is_pressed_with_ctrl(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    tab = open_tab(serve(recording))
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.press("a")
    tab.wait_until(lambda: tab.selected() > 0)
    before = tab.status()
    tab.page.get_by_role("combobox", name="Shading").focus()
    tab.press("i")  # would invert the selection
    tab.page.wait_for_timeout(500)
    assert tab.status() == before
    tab.press("Alt+5")
    tab.wait_until(lambda: "sent to unit 5" in tab.said())
