"""Sort, look at the BIC curve, take a suggestion and take it back, find strays, draw a lasso among features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import neuralsorter as ns

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

pytestmark = pytest.mark.browser


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two cells, one of them cut in two at random."""
    rng = np.random.default_rng(0)
    time, n = np.arange(60) - 22.0, 1200
    cell = np.arange(n) % 2
    shapes = np.stack([-120 * np.exp(-0.5 * (time / width) ** 2) for width in (2.5, 5.0)])
    waves = shapes[cell] * rng.normal(1, 0.04, n)[:, None] + 10 * rng.normal(size=(n, 60))
    waves[:12] += np.roll(shapes[0], 15)
    unit = np.where(cell == 0, 1, np.where(rng.random(n) < 0.5, 2, 5))
    path = tmp_path / "halved.npz"
    ns.save(
        ns.Spikes(raw=waves.astype(np.float32), times_s=np.cumsum(rng.exponential(0.03, n) + 0.003),
                  channel=np.ones(n, int), unit=unit, experiment=np.zeros(n, int), sampling_rate=20_000.0,
                  pre_samples=20),
        path,
    )  # fmt: skip
    return path


def test_suggestions_strays_features_and_the_bic_curve(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], recording: Path
) -> None:
    tab = open_tab(serve(recording))
    tab.wait_for("waveforms drawn", timeout_s=90)

    tab.press("v")
    tab.page.get_by_text("SD apart").first.wait_for(timeout=30_000)
    tab.press("t")
    tab.wait_until(lambda: tab.page.get_by_text("Unit 5", exact=True).count() == 0)
    tab.press("Control+z")
    tab.page.get_by_text("Unit 5", exact=True).first.wait_for()
    tab.wait_until(lambda: "1,200 of 1,200" in tab.status())  # the search for the next suggestion is over

    tab.press("u")
    tab.wait_until(lambda: tab.selected() > 5)
    tab.press("Escape")
    tab.wait_until(lambda: tab.selected() == 0)

    tab.press("s")
    tab.wait_until(lambda: "2 units found in 1,200 events" in tab.said(), timeout_s=60)
    tab.page.get_by_role("tab", name="Sort").click()
    tab.page.get_by_role("button", name="Sort now").hover()
    tip = tab.page.get_by_text("Sort what is chosen here")
    tip.wait_for()
    assert tip.bounding_box()["height"] < 40  # type: ignore[index] # it is on the page
    tab.page.get_by_role("tab", name="BIC").click()
    tab.wait_until(lambda: tab.box("bic")["height"] > 100)

    tab.page.get_by_role("button", name="Features").click()
    tab.page.get_by_text("events drawn").first.wait_for(timeout=60_000)
    tab.page.wait_for_timeout(500)
    tab.lasso(0.03, 0.03, 0.5, 0.97, on="view features")
    tab.wait_until(lambda: 100 < tab.selected() < 1100)
    assert tab.errors == []
