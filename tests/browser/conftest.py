"""A real Chromium against a real server. A missing Chromium is a failure, never a skip."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from neuralsorter.plugins import folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
START_S = 90


def chromium_path() -> str:
    """Return where the Chromium is that tests drive."""
    spec = importlib.util.spec_from_file_location("chromium", HERE / "chromium.py")
    if spec is None or spec.loader is None:
        raise RuntimeError("tests/browser/chromium.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = module.find()
    if path is None:
        pytest.fail("No Chromium was found. `make test` installs one.")
    return str(path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole run."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=chromium_path(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
                  "--disable-component-update", "--no-first-run"],
        )  # fmt: skip
        yield chromium
        chromium.close()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """`panel serve dashboard` as a process of its own."""

    def __init__(self, work: Path, *arguments: str, port: int | None = None, listens_on: int | None = None) -> None:
        self.port = port or free_port()
        self.listens_on = listens_on or self.port  # differs where something stands between it and the browser
        self.url = f"http://127.0.0.1:{self.port}/dashboard"
        self._work, self.arguments = work, arguments
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        work = self._work
        environment = os.environ | {
            "NEURALSORTER_SETTINGS": str(work / "settings.toml"),
            "NEURALSORTER_PLUGINS": str(work / "plugins"),
        }
        with (work / "server.log").open("ab") as log:
            self.process = self._process(environment, log)
        self._wait()

    def _process(self, environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "panel", "serve", str(folder("dashboard")), "--address", "127.0.0.1",
             "--port", str(self.listens_on), "--allow-websocket-origin", f"127.0.0.1:{self.port}",
             *(["--args", *self.arguments] if self.arguments else [])],
            cwd=self._work, env=environment, stdout=log, stderr=log,
        )  # fmt: skip

    def _wait(self) -> None:
        for _ in range(START_S * 5):
            if self.process.poll() is not None:
                pytest.fail(f"The server stopped:\n{self.log()[-4000:]}")
            try:
                with urllib.request.urlopen(self.url, timeout=60) as answer:  # noqa: S310 - our own address
                    if "X-NeuralSorter-Loading" not in answer.headers:  # the page, no longer its frame alone
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.2)
        pytest.fail(f"The server did not answer within {START_S} s:\n{self.log()[-4000:]}")

    def log(self) -> str:
        """Return what the server printed."""
        return (self._work / "server.log").read_text(errors="replace")

    def kill(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server on the given arguments; it is stopped after the test."""
    started: list[Server] = []

    def start(*arguments: str | Path) -> Server:
        started.append(Server(tmp_path, *(str(argument) for argument in arguments)))
        return started[-1]

    yield start
    for server in started:
        server.kill()


class Tab:
    """A page with the few gestures that a person makes, and a record of what went wrong."""

    def __init__(self, page: Page, url: str = "") -> None:
        """Go to a page, or without `url` follow the one that is there."""
        self.page, self.url = page, url
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._requested)
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self._failed(str(error)))
        if url:
            page.goto(url)

    def _failed(self, error: str) -> None:
        # 2026-11: Bokeh 3.9 may measure a figure that has just joined a page before laying it out, and then does so.
        if "top_panel" not in error:
            self.errors.append(error)

    def _requested(self, request: Any) -> None:
        address = request.url
        if not address.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.foreign.append(address)

    def wait_for(self, text: str, timeout_s: float = 60) -> None:
        """Wait until the page shows a text."""
        shown = self.page.get_by_text(text).locator("visible=true")
        self.wait_until(lambda: shown.count() > 0, timeout_s)

    def wait_until(self, call: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait until `call()` is true, letting the browser work meanwhile."""
        end = time.monotonic() + timeout_s
        while not call():
            assert time.monotonic() < end, f"{call} not within {timeout_s} s; the page says: {self.told()}"
            self.page.wait_for_timeout(50)

    def status(self) -> str:
        """Return the line under the picture."""
        found = self.page.get_by_text("waveforms drawn").first
        return found.inner_text() if found.count() else ""

    def said(self) -> str:
        """Return the sentence under the status line."""
        found = self.page.locator("[role=status]").last
        return found.inner_text() if found.count() else ""

    def told(self) -> list[str]:
        """Return what the page says, and the last that went wrong in it."""
        return [self.status(), self.said(), *self.errors[-3:]]

    def saved(self) -> str:
        """Return what the header says of saving."""
        found = self.page.get_by_text(re.compile(r"· [\d,]+ edits?$")).first
        return found.inner_text() if found.count() else ""

    def selected(self) -> int:
        """Return how many events the page says are selected."""
        words = self.status().split("·")
        return int(words[1].split()[0].replace(",", "")) if len(words) > 1 else 0

    def screen(self) -> dict[str, float]:
        """Return the frame of the main screen: x, y, width, height in CSS pixels."""
        return self.box("waveforms")

    def box(self, name: str) -> dict[str, float]:
        """Return the frame of the figure of that name: x, y, width, height in CSS pixels."""
        box = self.page.evaluate(
            """(name) => {
              const view = Object.values(Bokeh.index.roots ?? Bokeh.index).flatMap(function all(v) {
                return [v, ...(v.child_views ?? []).flatMap(all)]; });
              for (const v of view) if (v.model.name === name) {
                const r = v.el.getBoundingClientRect(), f = v.frame.bbox;
                return { x: r.x + f.left, y: r.y + f.top, width: f.width, height: f.height };
              }
              return null; }""",
            name,
        )
        assert box, f"{name} is not on the page"
        return dict(box)

    def window(self) -> list[float]:
        """Return the part of the plane that the main screen shows: ms from and to, uV from and to."""
        found = self.page.evaluate(
            """() => {
              for (const model of Bokeh.documents[0]._all_models.values())
                if (model.name === 'waveforms')
                  return [model.x_range.start, model.x_range.end, model.y_range.start, model.y_range.end];
              return null; }"""
        )
        assert found, "the main screen is not on the page"
        return [round(float(value), 6) for value in found]

    def lasso(
        self, x0: float, y0: float, x1: float, y1: float, modifiers: tuple[str, ...] = (), on: str = "waveforms"
    ) -> None:
        """Draw a lasso round a rectangle given as shares of a figure (0, 0 is its upper left corner)."""
        f = self.box(on)
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
        self.drag([(f["x"] + x * f["width"], f["y"] + y * f["height"]) for x, y in corners], modifiers)

    def drag(self, points: Sequence[tuple[float, float]], modifiers: tuple[str, ...] = ()) -> None:
        """Drag the mouse from point to point of the page, in CSS pixels, with keys held."""
        mouse, keyboard = self.page.mouse, self.page.keyboard
        for key in modifiers:
            keyboard.down(key)
        mouse.move(*points[0])
        mouse.down()
        for point in points[1:]:
            mouse.move(*point, steps=4)
        mouse.up()
        for key in modifiers:
            keyboard.up(key)

    def press(self, keys: str) -> None:
        """Press a combination."""
        self.page.keyboard.press(keys)


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Open a page in a context of its own; it is closed after the test."""
    contexts = []

    def start(server: Any, *, offline_but: str = "", **options: Any) -> Tab:
        context = browser.new_context(viewport={"width": 1500, "height": 950}, **options)
        contexts.append(context)
        if offline_but:  # no other request arrives anywhere; Tab records it
            context.route(lambda address: not address.startswith(offline_but), lambda route: route.abort())
        return Tab(context.new_page(), server.url)

    yield start
    for context in contexts:
        context.close()
