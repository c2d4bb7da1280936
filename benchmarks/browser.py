"""What a person waits for at a million events: from the release of the mouse or key to new pixels, in a real Chromium.

Rule: the clock of the page itself. It starts at the last mouseup, keydown or wheel event and stops when the frame that
follows the arrival of a new image has been painted. Medians of ten gestures. Second page: from a key pressed there,
just after the first page was zoomed, to the server's answer. Data: `simulate(seed=7)`, tiled to the number of events on
one channel, ten units. Bars: lasso 300, send 300, undo 300, wheel zoom 400, second page 200 ms; first picture 1.5 s
after the page's own first paint.

    python -m benchmarks.browser [EVENTS]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

import neuralsorter as ns
from tests.browser.conftest import Server, Tab, chromium_path

BARS_MS = {"lasso": 300, "send": 300, "undo": 300, "wheel zoom": 400, "second page": 200}
FIRST_PICTURE_S = 1.5
REPEATS = 10
WATCH = """() => {
  window.waits = []; window.began = null;
  for (const kind of ['mouseup', 'keydown', 'wheel'])
    document.addEventListener(kind, () => { window.began = performance.now(); }, { capture: true });
  for (const model of Bokeh.documents[0]._all_models.values())
    if (model.type === 'ColumnDataSource' && model.get_array && 'dw' in model.data)
      model.properties.data.change.connect(() => requestAnimationFrame(() => requestAnimationFrame(() => {
        if (window.began !== null) window.waits.push(performance.now() - window.began);
      })));
}"""

ANSWERS = """() => {
  window.waits = []; window.began = null;
  document.addEventListener('keydown', () => { window.began = performance.now(); }, { capture: true });
  Bokeh.documents[0].on_change(() => {
    if (window.began !== null) window.waits.push(performance.now() - window.began);
    window.began = null;
  });
}"""


def recording(n: int) -> ns.Spikes:
    """Return n events on one channel in ten units."""
    source = ns.simulate(n_channels=1, duration_s=120.0, seed=7).spikes
    rng = np.random.default_rng(7)
    rows = rng.integers(0, len(source), n)
    raw = np.asarray(source.waveforms[rows] / 0.25 + rng.normal(0, 8, (n, 1)), np.float32).clip(-32000, 32000)
    return ns.Spikes(
        raw=raw.astype(np.int16), times_s=np.sort(rng.uniform(0, 3600, n)), channel=np.ones(n, np.int32),
        unit=rng.integers(1, 11, n).astype(np.int32), experiment=np.zeros(n, np.int32), uv_per_bit=0.25,
    )  # fmt: skip


def waits(tab: Any, gesture: Any, settle_s: float = 1.5) -> list[float]:
    """Return the wait of each repeat in ms: until the last image that the gesture causes."""
    found = []
    for i in range(REPEATS):
        tab.page.evaluate("() => { window.waits = []; }")
        gesture(i)
        tab.page.wait_for_timeout(settle_s * 1000)
        seen = tab.page.evaluate("() => window.waits")
        if seen:
            found.append(seen[-1])
    return found


def main() -> None:
    """Print a line per gesture."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        project = Path(folder) / "million.nsort"
        ns.Project.create(project, spikes=recording(n)).close()
        server = Server(Path(folder), str(project))
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"])
        try:
            measure(server, chromium, n)
        finally:
            chromium.close()
            server.kill()


def measure(server: Any, chromium: Any, n: int) -> None:
    """Drive one page; then open another one beside it, and drive the first while the other waits for an answer."""
    tab = opened(server, chromium, n, "first")
    tab.page.evaluate(WATCH)
    lasso = waits(tab, lambda i: tab.lasso(0.36, 0.5 + i / 100, 0.46, 0.7 + i / 100))
    report("lasso", lasso, f"{tab.selected():,} of {n:,} selected")
    send, undo = [], []
    for i in range(REPEATS):
        tab.lasso(0.36, 0.5 + i / 100, 0.46, 0.7 + i / 100)
        tab.page.wait_for_timeout(1500)
        send += [w[-1] for w in [_one(tab, "Alt+2")] if w]
        undo += [w[-1] for w in [_one(tab, "Control+z")] if w]
    report("send", send, f"{tab.said()}")
    report("undo", undo, "")
    frame = tab.screen()
    tab.page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    report("wheel zoom", waits(tab, lambda i: tab.page.mouse.wheel(0, -100 if i % 2 else 100)), "")
    report("second page", answers(tab, opened(server, chromium, n, "second")), "")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def opened(server: Any, chromium: Any, n: int, name: str) -> Any:
    """Open a page, and print how soon it shows every waveform."""
    page = chromium.new_context(viewport={"width": 1500, "height": 950}).new_page()
    started = time.perf_counter()
    tab = Tab(page, server.url)
    page.get_by_text("Channels").first.wait_for(timeout=120_000)
    painted = time.perf_counter()
    page.get_by_text(f"{n:,} of {n:,} waveforms drawn").first.wait_for(timeout=180_000)
    later = time.perf_counter() - painted
    print(
        f"{name} page: first paint {painted - started:.2f} s, first exact picture {later:.2f} s later"
        f" (bar {FIRST_PICTURE_S} s): {'met' if later <= FIRST_PICTURE_S else 'missed'}"
    )
    return tab


def answers(tab: Any, other: Any) -> list[float]:
    """Return in ms how long another page waits for an answer while this one redraws."""
    other.page.evaluate(ANSWERS)
    for i in range(REPEATS):
        tab.page.mouse.wheel(0, -100 if i % 2 else 100)
        other.page.wait_for_timeout(20)
        other.press("Shift+M")
        other.page.wait_for_timeout(1500)
    return list(other.page.evaluate("() => window.waits"))


def _one(tab: Any, keys: str) -> list[float]:
    tab.page.evaluate("() => { window.waits = []; }")
    tab.press(keys)
    tab.page.wait_for_timeout(2000)
    return list(tab.page.evaluate("() => window.waits"))


def report(name: str, found: list[float], note: str) -> None:
    """Print the median against its bar."""
    median = statistics.median(found) if found else float("nan")
    met = "met" if median <= BARS_MS[name] else "missed"
    print(f"{name:>11}: median {median:6.0f} ms of {len(found)} (bar {BARS_MS[name]} ms): {met}  {note}")


if __name__ == "__main__":
    main()
