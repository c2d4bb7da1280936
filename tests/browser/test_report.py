"""A report as its reader meets it: opened from disk, with no network at all, and written from the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.reporting import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def _recording() -> ns.Spikes:
    simulated = ns.simulate(3, duration_s=15, seed=3)
    return simulated.spikes.with_unit(np.where(simulated.truth_unit > 50, 0, simulated.truth_unit), {(2, 1): "mua"})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(_recording(), path, title="three channels")
    return path


def test_a_report_opens_offline_and_finds_a_channel(browser: Browser, report: Path, tmp_path: Path) -> None:
    context = browser.new_context(offline=True, accept_downloads=True)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())
    assert page.locator(".figure img").count() == 12
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    field = page.get_by_label("Find a channel")
    field.fill("mua")
    assert page.locator("section[data-channel]:visible").count() == 1
    assert page.locator("section[data-channel='2']").is_visible()
    assert page.get_by_role("status").inner_text() == "1 of 3 channels"
    field.fill("")
    assert page.locator("section[data-channel]:visible").count() == 3
    for kind in ("SVG", "PNG"):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"Save channel-1-means as {kind}").click()
        saved.value.save_as(tmp_path / kind)
    assert (tmp_path / "SVG").read_text().startswith("<svg")
    assert (tmp_path / "PNG").read_bytes().startswith(b"\x89PNG")
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [report.as_uri()]
    assert said == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_has_nothing_serious_against_it(browser: Browser, report: Path, scheme: Any) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed")
    context = browser.new_context(bypass_csp=True, color_scheme=scheme)
    page = context.new_page()
    page.goto(report.as_uri())
    found = axe.Axe().run(page)["violations"]
    assert [(one["id"], one["impact"]) for one in found if one["impact"] in {"serious", "critical"}] == []
    context.close()


def test_a_report_reads_without_script_and_on_a_phone(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.get_by_role("heading", name="Channel 2", exact=True).is_visible()
    assert not page.get_by_label("Find a channel").is_visible()  # it would do nothing
    widest = max(image.bounding_box()["width"] for image in page.locator(".figure img").all())  # type: ignore[index]
    assert widest <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_a_channel_of_one_unit_prints_on_one_page(browser: Browser, tmp_path: Path) -> None:
    spikes = _recording()
    write_report(spikes.with_unit(np.minimum(spikes.unit, 1), {(2, 1): "mua"}), tmp_path / "r.html")
    page = browser.new_page()
    page.goto((tmp_path / "r.html").as_uri())
    printed = page.pdf(format="A4")
    page.close()
    assert len(re.findall(rb"/Type /Page\b", printed)) == 1 + 3  # the overview, then a channel each


def test_the_page_writes_a_report(serve: Callable[..., Any], open_tab: Callable[..., Any], tmp_path: Path) -> None:
    ns.save(_recording(), tmp_path / "a.npz")
    tab = open_tab(serve(tmp_path / "a.npz"))
    tab.wait_for("waveforms drawn")
    tab.page.get_by_role("button", name="Save as").click()
    tab.page.get_by_role("button", name="Write report").click()
    out = tmp_path / "a_report.html"
    tab.wait_until(lambda: str(out) in tab.said(), timeout_s=60)
    assert "Channel 3" in out.read_text()
    assert tab.errors == []
