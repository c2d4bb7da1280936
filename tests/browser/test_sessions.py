"""Tabs come and go, connections break, servers die: nothing is lost, and everybody sees the same."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import neuralsorter as ns

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A small generated recording on disk."""
    path = tmp_path / "generated.npz"
    ns.save(ns.simulate(n_channels=3, duration_s=30.0, seed=4).spikes, path)
    return path


def _send_some_to_unit_2(tab: Tab) -> str:
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.press("Control+ArrowDown")
    tab.wait_until(lambda: "channel 2" in tab.status())
    tab.page.wait_for_timeout(300)
    tab.lasso(0.3, 0.3, 0.5, 0.95)
    tab.wait_until(lambda: tab.selected() > 0)
    n = tab.selected()
    tab.press("Alt+2")
    tab.wait_until(lambda: f"{n:,} events sent to unit 2" in tab.said())
    return f"{n:,}"


def _count_of_unit_2(tab: Tab) -> str:
    rows = tab.page.get_by_label("Units of the channel").locator(".row[data-id='2'] .detail")
    return "".join(rows.all_inner_texts())


def test_two_tabs_on_one_project_see_each_others_edits(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    server = serve(recording)
    one, two = open_tab(server), open_tab(server)
    two.wait_for("waveforms drawn", timeout_s=90)
    two.press("Control+ArrowDown")
    n = _send_some_to_unit_2(one)
    two.wait_until(lambda: _count_of_unit_2(two) == n)
    two.press("Control+z")
    one.wait_until(lambda: _count_of_unit_2(one) == "")


def test_a_reloaded_page_is_where_it_was_and_can_still_undo(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    tab = open_tab(serve(recording))
    n = _send_some_to_unit_2(tab)
    tab.page.reload()
    tab.wait_until(lambda: "channel 2" in tab.status(), timeout_s=60)
    assert _count_of_unit_2(tab) == n
    tab.press("Control+z")
    tab.wait_until(lambda: "Undone" in tab.said() and _count_of_unit_2(tab) == "")


def test_a_killed_and_restarted_server_has_lost_nothing(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    server = serve(recording)
    tab = open_tab(server)
    n = _send_some_to_unit_2(tab)
    server.kill(signal.SIGKILL)
    server.start()
    tab.page.goto(server.url)
    tab.wait_until(lambda: "channel 2" in tab.status(), timeout_s=60)
    assert _count_of_unit_2(tab) == n
    tab.press("Control+z")
    tab.wait_until(lambda: _count_of_unit_2(tab) == "")


def test_a_tab_that_was_offline_goes_on_where_it_was(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    tab = open_tab(serve(recording))
    n = _send_some_to_unit_2(tab)
    tab.page.context.set_offline(True)
    tab.page.evaluate("() => { for (const d of Bokeh.documents) d._connection?.socket?.close?.(); }")
    tab.page.wait_for_timeout(5000)
    tab.page.context.set_offline(False)
    tab.page.wait_for_timeout(8000)
    tab.press("Control+z")
    tab.wait_until(lambda: _count_of_unit_2(tab) == "", timeout_s=60)
    assert n


def test_a_second_server_only_looks_until_it_takes_over(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    first = open_tab(serve(recording))
    first.wait_for("waveforms drawn", timeout_s=90)
    second = open_tab(serve(recording))
    second.wait_for("Watch only", timeout_s=90)
    second.press("a")
    second.wait_until(lambda: second.selected() > 0)
    second.press("Alt+2")
    second.wait_until(lambda: "looking only" in second.said() or "look" in second.said())
    n = _send_some_to_unit_2(first)
    second.press("Control+ArrowDown")
    second.wait_until(lambda: _count_of_unit_2(second) == n)
    second.page.get_by_text("Take over").click()
    second.wait_until(lambda: "edits the project now" in second.said())
    second.press("Control+z")
    second.wait_until(lambda: _count_of_unit_2(second) == "")
