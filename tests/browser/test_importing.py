"""From a raw recording on disk to waveforms on screen."""

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

RATE = 20_000


def write_raw(path: Path) -> None:
    """Write two channels as MC_DataTool does, with a spike of 200 µV every 50 ms on the first."""
    rng = np.random.default_rng(0)
    signal = rng.normal(0, 8, (4 * RATE, 2))
    for place in range(500, len(signal) - 100, RATE // 20):
        signal[place : place + 12, 0] -= 200 * np.hanning(12)
    head = f"MC_DataTool binary conversion\r\nSample rate = {RATE}\r\nADC zero = 32768\r\nEl = 0.1µV/AD\r\n"
    head += "Streams = El_12;El_21\r\nEOH\r\n"
    path.write_bytes(head.encode("cp1252") + np.round(signal / 0.1 + 32768).astype("<u2").tobytes())


def test_events_of_a_raw_recording_are_taken_with_the_thresholds_seen_first(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    write_raw(tmp_path / "day.raw")
    tab = open_tab(serve())
    page = tab.page
    page.get_by_role("button", name="Open…").first.click()
    page.get_by_text("day.raw").first.click()
    page.get_by_role("button", name="Open", exact=True).last.click()
    page.get_by_role("button", name="Show thresholds").click()
    page.get_by_text("threshold (µV)").wait_for(timeout=60_000)
    page.get_by_role("button", name="Take events").click()
    tab.wait_for("waveforms drawn", timeout_s=90)
    spikes = ns.load(tmp_path / "day_events.npz")
    assert abs(int((spikes.channel == 12).sum()) - 80) <= 2
    tab.wait_until(lambda: f"{len(spikes):,} events" in tab.said())
    assert tab.errors == []
