"""Make the pictures of the documentation from generated data: python docs/pictures.py."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1400, "height": 880}


def driver() -> Any:
    """Return the module that the browser tests are driven with."""
    spec = importlib.util.spec_from_file_location("driver", ROOT / "tests" / "browser" / "conftest.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(ROOT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Take every picture."""
    IMAGES.mkdir(exist_ok=True)
    drive = driver()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=drive._chromium(), args=["--no-sandbox"])  # noqa: SLF001
        (Path(folder) / "a").mkdir()
        (Path(folder) / "b").mkdir()
        empty, demo = drive.Server(Path(folder) / "a"), drive.Server(Path(folder) / "b", "--demo")
        try:
            tab = drive.Tab(chromium.new_context(viewport=SIZE).new_page(), empty.url)
            tab.wait_for("Nothing is open yet", timeout_s=120)
            take(tab, "empty")
            through_the_demo(drive.Tab(chromium.new_context(viewport=SIZE).new_page(), demo.url))
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


def take(tab: Any, name: str, settle_ms: int = 2000) -> None:
    """Save what the page shows once it has settled."""
    tab.page.wait_for_timeout(settle_ms)
    tab.page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
