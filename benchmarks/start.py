"""How soon `neuralsorter demo` paints, in Chromium: the frame, then the page, and the processor time each took.

The peer is the same page built at once, as it is when a second tab opens: its libraries are loaded by then. Data: the
demo, seed 1. Run it on an idle computer: `python -m benchmarks.start`. The first run warms the disk. Bar: the median of
the others paints the frame within 3 s.
"""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped,unused-ignore] # without stubs
from playwright.sync_api import sync_playwright

RUNS, BAR_S = 4, 3.0


def _chromium() -> Any:
    path = Path(__file__).parents[1] / "tests" / "browser" / "chromium.py"
    return runpy.run_path(str(path))["find"]()


def _processor_s(root: psutil.Process) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in [root, *root.children(recursive=True)])


def _painted(page: Any) -> float:
    """Return the time of the first contentful paint, on the clock of `time.time`."""
    entry = "performance.getEntriesByName('first-contentful-paint')[0]"
    page.wait_for_function(f"() => {entry}")
    return float(page.evaluate(f"() => (performance.timeOrigin + {entry}.startTime) / 1000"))


def measure(browser: Any) -> float:
    """Print one start; return the seconds until the frame was painted."""
    begun = time.time()
    command = [sys.executable, "-m", "neuralsorter", "demo", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            link = re.search(r"http\S+", process.stdout.readline() if process.stdout else "")
            if link is None:
                raise RuntimeError("The server printed no link.")
            context = browser.new_context(viewport={"width": 1500, "height": 950})
            page, server = context.new_page(), psutil.Process(process.pid)
            page.goto(link[0], wait_until="commit")
            frame, used = _painted(page) - begun, _processor_s(server)
            page.get_by_text("waveforms drawn").first.wait_for(timeout=180_000)
            whole, all_used = time.time() - begun, _processor_s(server)
            second = context.new_page()
            opened = time.time()
            second.goto(page.url)
            again = _painted(second) - opened
            context.close()
            print(
                f"frame painted {frame:.2f} s (processor {used:.2f} s), waveforms drawn {whole:.2f} s"
                f" (processor {all_used:.2f} s); second tab painted in {again:.2f} s"
            )
            return frame
        finally:
            process.terminate()
            process.wait(30)


def main() -> None:
    """Measure a few starts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox", "--disable-gpu"])
        browser.new_page().goto("about:blank")
        frames = [measure(browser) for _ in range(RUNS)]
        browser.close()
    figure = median(frames[1:])
    print(f"first paint: {figure:.2f} s (bar {BAR_S:g}: {'met' if figure <= BAR_S else 'missed'})")


if __name__ == "__main__":
    main()
