"""Make the pictures of the documentation from generated data: python docs/pictures.py."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

import neuralsorter as ns
from tests.browser.conftest import Server, Tab, chromium_path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
MULTI_UNIT = 100
SIZE = {"width": 1400, "height": 880}


def main() -> None:
    """Take every picture."""
    IMAGES.mkdir(exist_ok=True)
    million()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        (Path(folder) / "a").mkdir()
        (Path(folder) / "b").mkdir()
        empty, demo = Server(Path(folder) / "a"), Server(Path(folder) / "b", "--demo")
        try:
            tab = Tab(chromium.new_context(viewport=SIZE).new_page(), empty.url)
            tab.wait_for("Nothing is open yet", timeout_s=120)
            take(tab, "empty")
            through_the_demo(Tab(chromium.new_context(viewport=SIZE).new_page(), demo.url))
        finally:
            chromium.close()
            empty.kill()
            demo.kill()


def through_the_demo(tab: Any) -> None:
    """Load, select, clean, sort, run a script, go dark."""
    tab.wait_for("waveforms drawn", timeout_s=120)
    tab.press("Control+ArrowDown")
    tab.wait_until(lambda: "channel 2" in tab.status())
    take(tab, "loaded")
    tab.lasso(0.345, 0.62, 0.39, 0.72)
    tab.wait_until(lambda: tab.selected() > 0)
    take(tab, "selected")
    tab.press("Escape")
    tab.press("Control+c")
    tab.wait_until(lambda: "to noise" in tab.said(), timeout_s=120)
    tab.press("Control+s")
    tab.wait_until(lambda: "found in" in tab.said(), timeout_s=120)
    take(tab, "sorted")
    for view, name in (("Correlograms", "correlograms"), ("Amplitude", "judge"), ("Array", "array")):
        tab.page.get_by_role("button", name=view, exact=True).click()
        take(tab, name, 4000)
    tab.page.get_by_role("tab", name="Review").click()
    take(tab, "review", 12_000)
    tab.page.get_by_role("button", name="Array", exact=True).click()  # closes it
    tab.page.get_by_role("tab", name="Clean").click()
    take(tab, "clean")
    tab.page.get_by_role("tab", name="Units").click()
    take(tab, "units", 6000)
    tab.page.get_by_role("tab", name="Utilities").click()
    tab.page.get_by_role("combobox", name="Script").click()
    tab.page.get_by_text("Interspike intervals").last.click()
    tab.page.get_by_role("button", name="Run", exact=True).click()
    take(tab, "utilities", 20_000)
    tab.page.get_by_role("tab", name="Waveforms").click()
    tab.page.get_by_role("tab", name="Evidence").click()
    tab.page.locator("[aria-label*='theme' i]").first.click()
    take(tab, "dark", 3000)


def million() -> None:
    """Draw the first 100, 1,000 and 1,000,000 waveforms of one channel side by side."""
    sys.path.insert(0, str(ROOT))
    from dashboard.shading import shade

    source = ns.simulate(n_channels=1, duration_s=600.0, seed=11)
    rng = np.random.default_rng(11)
    rows = rng.integers(0, len(source.spikes), 1_000_000)
    waves = source.spikes.waveforms[rows] + rng.normal(0, 2, (len(rows), 1)).astype(np.float32)
    unit = np.where(source.truth_unit[rows] == MULTI_UNIT, 9, source.truth_unit[rows])
    low, high = np.percentile(waves[:20_000], [0.6, 99.4]) * 1.3
    panels = []
    for n in (100, 1000, 1_000_000):
        d = ns.density(waves[:n], unit[:n], 460, 420, y_range=(float(low), float(high)))
        rgba = shade(dict(zip(d.units.tolist(), d.counts, strict=True)), (420, 460))[::-1]
        page = np.full((420, 480, 3), 255, np.uint8)
        opacity = rgba[..., 3:] / 255
        page[:, :460] = (rgba[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
        panels.append(page)
    Image.fromarray(np.concatenate(panels, axis=1)).save(IMAGES / "million.png")


def take(tab: Any, name: str, settle_ms: int = 2000) -> None:
    """Save what the page shows once it has settled."""
    tab.page.wait_for_timeout(settle_ms)
    tab.page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
