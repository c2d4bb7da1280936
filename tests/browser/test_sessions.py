"""Tabs come and go, connections break, servers die: nothing is lost, and everybody sees the same."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from playwright.sync_api import Error as PlaywrightError

import neuralsorter as ns
from tests.browser.conftest import Tab, chromium_path, free_port
from tests.browser.wire import WiredServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.conftest import Server

OFFLINE_S = 60 if os.environ.get("NEURALSORTER_EXHAUSTIVE") == "1" else 5

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A small generated recording on disk."""
    path = tmp_path / "generated.npz"
    ns.save(ns.simulate(n_channels=3, duration_s=30.0, seed=4).spikes, path)
    return path


def _send_some_to_unit_2(tab: Tab) -> str:
    tab.wait_for("waveforms drawn", timeout_s=90)
    for _ in range(2):  # a new tab begins where the last one was
        tab.press("Control+ArrowUp")
    tab.wait_until(lambda: "channel 1" in tab.status())
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


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WiredServer]:
    """A server behind a wire, for tests that leave its project as they found it."""
    folder = tmp_path_factory.mktemp("wired")
    ns.save(ns.simulate(n_channels=3, duration_s=30.0, seed=4).spikes, folder / "generated.npz")
    server = WiredServer(folder, str(folder / "generated.npz"))
    yield server
    server.kill()
    server.wire.cut()


class Where(NamedTuple):
    """What a tab shows, as far as a person would notice: it must be the same after whatever happened."""

    status: str
    window: list[float]
    saved: str


def _where(tab: Tab) -> Where:
    return Where(tab.status(), tab.window(), tab.saved())


def _work(tab: Tab) -> Where:
    """Edit once on the second channel, zoom in and select something, as a person in the middle of it."""
    _send_some_to_unit_2(tab)
    frame, whole = tab.screen(), tab.window()
    tab.page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    tab.page.mouse.wheel(0, -150)
    tab.wait_until(lambda: tab.window() != whole)
    tab.page.wait_for_timeout(700)
    tab.lasso(0.3, 0.3, 0.5, 0.95)
    tab.wait_until(lambda: tab.selected() > 0)
    tab.page.wait_for_timeout(1000)
    return _where(tab)


def _assert_back(tab: Tab, before: Where) -> None:
    """The same channel, selection, window and edits, and the edit can be undone, done again and undone."""
    tab.page.wait_for_function(
        "() => document.body && !document.body.inert", timeout=90_000
    )  # not the page that waits, a new one
    tab.wait_until(lambda: tab.status() == before.status, timeout_s=90)
    tab.wait_until(lambda: _where(tab) == before)
    count = _count_of_unit_2(tab)
    assert count
    for keys, left in (("Control+z", ""), ("Control+Shift+z", count), ("Control+z", "")):
        tab.press(keys)
        tab.wait_until(lambda left=left: _count_of_unit_2(tab) == left)  # type: ignore[misc]  # a default


def test_a_reloaded_page_is_where_it_was_and_can_still_undo(wired: WiredServer, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(wired)
    before = _work(tab)
    tab.page.reload()
    _assert_back(tab, before)


def test_a_crashed_tab_is_where_it_was_once_it_is_loaded_again_and_can_still_undo(
    wired: WiredServer, browser: Browser
) -> None:
    port = free_port()
    crashing = browser.browser_type.launch(
        executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu", f"--remote-debugging-port={port}"]
    )
    try:
        context = crashing.new_context(viewport={"width": 1500, "height": 950})
        tab = Tab(context.new_page(), wired.url)
        before = _work(tab)
        button = context.new_cdp_session(tab.page)  # a browser's own reload button: Playwright gives up a crashed page
        crashes: list[object] = []
        tab.page.on("crash", lambda page: crashes.append(page))  # noqa: PLW0108 - Playwright marks what it is given
        for process in crashing.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]:
            if process["type"] == "renderer":
                os.kill(process["id"], signal.SIGKILL)
        with contextlib.suppress(PlaywrightError):
            tab.page.wait_for_timeout(10_000)
        assert crashes
        button.send("Page.reload")
        again = browser.browser_type.connect_over_cdp(f"http://127.0.0.1:{port}")
        (page,) = [page for context in again.contexts for page in context.pages]
        _assert_back(Tab(page), before)
    finally:
        crashing.close()


def test_a_tab_that_was_offline_says_so_takes_no_edits_and_goes_on_where_it_was(
    wired: WiredServer, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(wired)
    before = _work(tab)
    wired.wire.cut()
    tab.wait_for("No connection to the server since")
    tab.press("Alt+3")
    tab.page.wait_for_timeout(OFFLINE_S * 1000)
    assert _where(tab) == before
    wired.wire.mend()
    _assert_back(tab, before)


def test_a_killed_and_restarted_server_has_lost_nothing_and_the_page_comes_back_by_itself(
    wired: WiredServer, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(wired)
    before = _work(tab)
    wired.kill(signal.SIGKILL)
    tab.wait_for("No connection to the server since")
    wired.start()
    _assert_back(tab, before)


def test_a_second_server_only_looks_until_it_takes_over(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    holder = serve(recording)
    first = open_tab(holder)
    first.wait_for("waveforms drawn", timeout_s=90)
    second = open_tab(serve(recording))
    second.wait_for("Watch only", timeout_s=90)
    second.wait_until(lambda: f"process {holder.process.pid}, since" in second.said())
    second.press("a")
    second.wait_until(lambda: second.selected() > 0)
    second.press("Alt+2")
    second.wait_until(lambda: "looking only" in second.said() or "look" in second.said())
    n = _send_some_to_unit_2(first)
    second.press("Control+ArrowDown")
    second.wait_until(lambda: _count_of_unit_2(second) == n)
    second.page.get_by_text("Take over").click()
    second.wait_until(lambda: "edits the project now" in second.said())
    first.wait_until(lambda: "has taken over" in first.said())
    first.wait_for("Watch only")
    second.press("Control+z")
    second.wait_until(lambda: _count_of_unit_2(second) == "")
