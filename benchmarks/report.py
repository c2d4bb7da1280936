"""A report of the real Utah recording, cleaned and sorted: how large, and whether it opens offline without complaint.

`python -m benchmarks.report [FILE] [--pictures DIR]`, FILE by default the 96-electrode recording beside the checkout.
Rule: the file is opened in Chromium without a network, at desktop and phone width; every request that is not the file
itself counts, and everything on the console; axe-core judges it light and dark. Bars: 0 requests, 0 console errors, 0
serious violations, 15 MB, 150 kB a channel. `--pictures` keeps what it looks like, and the printed pages.
"""

from __future__ import annotations

import argparse
import runpy
import tempfile
from pathlib import Path
from typing import Any

from axe_core_python.sync_playwright import Axe  # type: ignore[import-untyped] # without stubs
from playwright.sync_api import sync_playwright

import neuralsorter as ns
from neuralsorter.cli import main as neuralsorter

HERE = Path(__file__).resolve().parents[1]
UTAH = HERE.parent / "shared" / "data" / "vendor" / "utah96_Recording4.nev"
WIDTHS = {"desktop": (1400, 900), "phone": (360, 740)}
BARS = {"MB": 15, "kB a channel": 150, "requests": 0, "console": 0, "serious": 0}


def made(source: Path, folder: Path) -> tuple[Path, int]:
    """Return the report of a recording, and its number of channels."""
    sorted_events, report = folder / "sorted.npz", folder / "report.html"
    for command in (["run", str(source), "-o", str(sorted_events)], ["report", str(sorted_events), "-o", str(report)]):
        if neuralsorter(command) != 0:
            raise SystemExit(f"neuralsorter {command[0]} failed; see above.")
    return report, len(ns.load(sorted_events).unit_counts())


def opened(browser: Any, report: Path, width: str, scheme: str, pictures: Path | None) -> dict[str, int]:
    """Return what one reader meets: requests, lines on the console, serious violations."""
    across, down = WIDTHS[width]
    context = browser.new_context(
        offline=True, bypass_csp=True, color_scheme=scheme, viewport={"width": across, "height": down}
    )
    page, asked, said = context.new_page(), list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())
    if pictures is not None:
        page.screenshot(path=pictures / f"{width}-{scheme}.png")
        page.locator("section[data-channel]").nth(1).scroll_into_view_if_needed()
        page.screenshot(path=pictures / f"{width}-{scheme}-channel.png")
        if width == "desktop" and scheme == "light":
            page.pdf(path=pictures / "printed.pdf", format="A4", print_background=True)
    told = Axe().run(page, options={"resultTypes": ["violations"]})  # to tell what is right takes minutes
    found = [one for one in told["violations"] if one["impact"] in {"serious", "critical"}]
    spilt = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    context.close()
    for one in [*said, *(f"{one['id']}: {len(one['nodes'])}" for one in found)]:
        print("  ", one)
    if spilt > 0:
        print(f"   {width}: {spilt} pixels wider than the window")
    foreign = [url for url in asked if url != report.as_uri() and not url.startswith(("data:", "blob:"))]
    return {"requests": len(foreign), "console": len(said), "serious": len(found)}


def main() -> None:
    """Print each figure with its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", type=Path, default=UTAH)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    chromium = runpy.run_path(str(HERE / "tests" / "browser" / "chromium.py"))["find"]()
    if options.pictures is not None:
        options.pictures.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report, n_channels = made(options.source, Path(folder))
        size = report.stat().st_size
        figures: dict[str, float] = {"MB": size / 1e6, "kB a channel": size / 1e3 / n_channels}
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for width in WIDTHS:
            for scheme in ("light", "dark"):
                for name, count in opened(browser, report, width, scheme, options.pictures).items():
                    figures[name] = figures.get(name, 0) + count
        browser.close()
    for name, bar in BARS.items():
        print(f"{name}: {figures[name]:.3g} (bar {bar}: {'met' if figures[name] <= bar else 'missed'})")


if __name__ == "__main__":
    main()
