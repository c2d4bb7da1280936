"""Several channels of one experiment, or experiments of one channel, on one main screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import neuralsorter as ns

if TYPE_CHECKING:
    from .conftest import Server, Tab

pytestmark = pytest.mark.browser


def two_experiments(folder: Path) -> Path:
    """Make a project of two experiments with three channels of 20 flat waveforms each, half of them in unit 2."""
    level = np.repeat([-60.0, -20.0, 60.0], 20)
    waves = np.repeat(level[:, None], 60, axis=1).astype(np.float32)
    waves[:, :2] += np.linspace(-50, 50, len(waves))[:, None]
    for name in ("first.npz", "second.npz"):
        spikes = ns.Spikes(
            raw=waves, times_s=np.arange(60, dtype=np.float64), channel=np.repeat([1, 2, 3], 20).astype(np.int32),
            unit=np.tile([1, 2], 30).astype(np.int32), experiment=np.zeros(60, np.int32),
        )  # fmt: skip
        ns.save(spikes, folder / name)
    ns.Project.create(folder / "both.nsort", [folder / "first.npz", folder / "second.npz"]).close()
    return folder / "both.nsort"


def click(tab: Tab, listing: str, row: str, *keys: Any) -> None:
    """Click a row of a list with keys held."""
    tab.page.get_by_label(listing, exact=True).locator(f".row[data-id='{row}']").click(modifiers=[*keys])


def test_what_is_drawn_together_is_selected_sent_undone_and_hidden_together(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    tab = open_tab(serve(two_experiments(tmp_path)))
    tab.wait_for("40 of 40 waveforms drawn", timeout_s=90)  # the first channel, all experiments
    click(tab, "Experiments", "0")
    tab.wait_until(lambda: tab.status().startswith("20 of 20"))
    click(tab, "Channels", "3", "Control")
    tab.wait_until(lambda: tab.status().startswith("40 of 40") and "channels 1, 3 together" in tab.status())
    tab.lasso(0.3, 0.02, 0.5, 0.98)
    tab.wait_until(lambda: tab.selected() == 40)
    tab.press("Alt+2")
    tab.wait_until(lambda: tab.said().startswith("20 events sent to unit 2"))
    count = tab.page.get_by_label("Units of the channel").locator(".row[data-id='2'] .detail")
    tab.wait_until(lambda: count.inner_text() == "40")
    tab.press("Control+z")
    tab.wait_until(lambda: count.inner_text() == "20")
    tab.page.get_by_label("Units of the channel").locator(".row[data-id='2'] button[title='Hide']").click()
    tab.wait_until(lambda: tab.status().startswith("20 of 40"))
    click(tab, "Channels", "2", "Shift")
    tab.wait_until(lambda: "channels 1, 2 together" in tab.status())
    click(tab, "Channels", "2")
    tab.wait_until(lambda: "channel 2" in tab.status() and tab.status().startswith("10 of 20"))
    click(tab, "Experiments", "1", "Shift")
    tab.wait_until(lambda: tab.status().startswith("20 of 40") and "experiments 0, 1 together" in tab.status())
    tab.press("a")
    tab.wait_until(lambda: tab.selected() == 20)
    assert tab.errors == []
