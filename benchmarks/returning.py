"""How soon the first plot is there when a tab comes back: reloaded, offline, its server killed; and of 50 GB.

The clock starts when the page is asked for again (reload), when the wire is mended (offline), and when the new server
answers (killed); it stops when the page says how many waveforms are drawn. Of 50 GB, nearly all of it holes, it is the
page's first opening by a server that has drawn before. Bar: 3 s. Run it on an idle computer.

    python -m benchmarks.returning [EVENTS [OFFLINE_S]]
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped,unused-ignore] # without stubs
from playwright.sync_api import sync_playwright

from benchmarks.browser import recording
from benchmarks.large_project import SAMPLES, sparse
from neuralsorter.project import Project
from tests.browser.conftest import Tab, chromium_path
from tests.browser.wire import WiredServer

BAR_S = 3.0
PATIENCE_MS = 120_000  # then something hangs


def report(what: str, took: float, worked: float) -> bool:
    """Print a line; return whether the bar is met."""
    verdict = "met" if took <= BAR_S else "missed"
    print(f"{what}: first plot after {took:.2f} s (bar {BAR_S:g} s: {verdict}); the server worked {worked:.2f} s")
    return took <= BAR_S


def worked(server: Any) -> float:
    """Return the processor seconds of a server so far."""
    return sum(psutil.Process(server.process.pid).cpu_times()[:2])


def until_drawn(tab: Tab, server: Any, begin: Callable[[], object]) -> tuple[float, float]:
    """Return how long it takes until the plot is there, and how much of it the server worked."""
    used, started = worked(server), time.perf_counter()
    begin()
    tab.page.wait_for_function("() => !document.body.inert", timeout=PATIENCE_MS)  # not the page that waits, a new one
    tab.wait_for("waveforms drawn", timeout_s=120)
    return time.perf_counter() - started, worked(server) - used


def comes_back(home: Path, chromium: Any, n: int, offline_s: float) -> bool:
    """Break the tab's connection in each way."""
    Project.create(home / "a.nsort", spikes=recording(n)).close()
    server = WiredServer(home, str(home / "a.nsort"))
    try:
        tab = Tab(chromium.new_context(viewport={"width": 1500, "height": 950}).new_page(), server.url)
        tab.wait_for("waveforms drawn", timeout_s=120)
        tab.wait_until(lambda: f"{n:,} of {n:,}" in tab.status(), timeout_s=120)
        good = report("reload", *until_drawn(tab, server, lambda: tab.page.reload(timeout=PATIENCE_MS)))
        server.wire.cut()
        tab.page.wait_for_timeout(offline_s * 1000)
        good &= report(f"offline {offline_s:g} s", *until_drawn(tab, server, server.wire.mend))
        server.kill(signal.SIGKILL)
        tab.wait_for("No connection to the server since")
        server.start()
        return good & report("server killed", *until_drawn(tab, server, lambda: None))
    finally:
        server.kill()
        server.wire.cut()


def is_large(home: Path, chromium: Any) -> bool:
    """Open 50 GB."""
    n = 50_000_000_000 // (2 * SAMPLES)
    sparse(home / "large.nsort", n)
    started = time.perf_counter()
    with Project.open(home / "large.nsort") as project:
        rows = len(project.rows(1))
        print(f"{n * 2 * SAMPLES / 1e9:.0f} GB open, first channel usable: {time.perf_counter() - started:.3f} s")
    server = WiredServer(home, str(home / "large.nsort"))
    try:
        context = chromium.new_context(viewport={"width": 1500, "height": 950})
        Tab(context.new_page(), server.url).wait_for("waveforms drawn", timeout_s=300)
        page = context.new_page()
        tab = Tab(page, server.url)
        took = until_drawn(tab, server, lambda: page.reload(timeout=PATIENCE_MS))
        print(f"  {tab.status()}; memory {psutil.Process(server.process.pid).memory_info().rss / 1e9:.1f} GB; {rows:,}")
        return report("50 GB", *took)
    finally:
        server.kill()
        server.wire.cut()


def main(n: int = 1_000_000, offline_s: float = 60.0) -> int:
    """Print a line for each way; 1 if a bar is missed."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"])
        try:
            good = [comes_back(Path(home), chromium, n, offline_s), is_large(Path(home), chromium)]
        finally:
            chromium.close()
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
