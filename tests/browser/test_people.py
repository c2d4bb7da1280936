"""Several people with names on one server: each is seen, each signs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

import neuralsorter as ns
from neuralsorter import login
from neuralsorter.plugins import folder
from tests.browser.conftest import Server

if TYPE_CHECKING:
    from tests.browser.conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class SharedServer(Server):
    """A server whose users are anna and bert."""

    def _process(self, environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        users = self._work / "users"
        users.write_text(f"anna:{login.hashed('a')}\nbert:{login.hashed('b')}\n")
        return subprocess.Popen(
            [sys.executable, "-m", "panel", "serve", str(folder("dashboard")), "--port", str(self.port),
             "--allow-websocket-origin", f"127.0.0.1:{self.port}", "--auth-module", login.__file__,
             "--unused-session-lifetime", "2000", "--check-unused-sessions", "1000", "--args", *self.arguments],
            cwd=self._work, env=environment | {login.USERS: str(users), "BOKEH_COOKIE_SECRET": "s" * 43},
            stdout=log, stderr=log,
        )  # fmt: skip


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A small generated recording on disk."""
    path = tmp_path / "generated.npz"
    ns.save(ns.simulate(n_channels=3, duration_s=30.0, seed=4).spikes, path)
    return path


@pytest.fixture
def shared(tmp_path: Path, recording: Path) -> Iterator[Server]:
    """The server of anna and bert."""
    server = SharedServer(tmp_path, str(recording))
    yield server
    server.kill()


def _log_in(tab: Tab, name: str, password: str) -> None:
    tab.page.locator("[name=name]").fill(name)
    tab.page.locator("[name=secret]").fill(password)
    tab.page.get_by_role("button", name="Log in").click()
    tab.wait_for("waveforms drawn", timeout_s=90)


def test_people_see_each_others_channel_and_the_history_has_their_names(
    shared: Server, open_tab: Callable[..., Tab], recording: Path
) -> None:
    anna, bert = open_tab(shared), open_tab(shared)
    _log_in(anna, "anna", "a")
    _log_in(bert, "bert", "b")
    anna.press("Control+ArrowDown")
    bert.wait_for("anna: channel 2")
    anna.wait_for("bert: channel 1")
    for tab in (anna, bert):
        tab.press("a")
        tab.wait_until(lambda tab=tab: tab.selected() > 0)  # type: ignore[misc]  # a lambda with a default
        tab.press("Alt+3")
        tab.wait_until(lambda tab=tab: "sent to unit 3" in tab.said())  # type: ignore[misc]  # the same
    bert.page.get_by_role("tab", name="Utilities").click()
    bert.page.get_by_role("button", name="Run", exact=True).wait_for()
    assert bert.page.get_by_role("button", name="Save as my script").count() == 0
    anna.page.close()
    bert.wait_until(lambda: bert.page.get_by_text("anna: channel").count() == 0, timeout_s=60)
    with ns.Project.open(recording.with_suffix(".nsort"), read_only=True) as kept:
        assert [action.author for action in kept.history()][-2:] == ["anna", "bert"]
    assert [error for error in bert.errors if "403" not in error] == []
