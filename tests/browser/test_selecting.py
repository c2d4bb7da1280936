"""Every way to select on the main screen, driven as a person drives it; what the page says is compared with `pick`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import neuralsorter as ns

if TYPE_CHECKING:
    from .conftest import Server, Tab

PRE, RATE = 20, 20_000.0

pytestmark = pytest.mark.browser


def steps(path: Path) -> ns.Spikes:
    """Write a recording of flat waveforms: 30 events at -60, -20, 20 and 60 µV, units 1 to 4."""
    level = np.repeat([-60.0, -20.0, 20.0, 60.0], 30)
    waves = np.repeat(level[:, None], 60, axis=1).astype(np.float32)
    waves[:, :2] += np.linspace(-50, 50, len(waves))[:, None]
    n = len(waves)
    spikes = ns.Spikes(
        raw=waves, times_s=np.arange(n, dtype=np.float64), channel=np.ones(n, np.int32),
        sampling_rate=RATE, pre_samples=PRE,
        unit=np.repeat(np.arange(1, 5), 30).astype(np.int32), experiment=np.zeros(n, np.int32),
    )  # fmt: skip
    ns.save(spikes, path)
    return spikes


def at(tab: Tab, ms: float, uv: float) -> tuple[float, float]:
    """Return where a point of the plane is on the page."""
    frame, window = tab.screen(), view(tab)
    x = (ms - window["x0"]) / (window["x1"] - window["x0"])
    y = (uv - window["y0"]) / (window["y1"] - window["y0"])
    return frame["x"] + x * frame["width"], frame["y"] + (1 - y) * frame["height"]


def view(tab: Tab) -> dict[str, float]:
    """Return the window that the browser shows."""
    return dict(
        tab.page.evaluate(
            """() => { for (const model of Bokeh.documents[0]._all_models.values()) if (model.name === 'waveforms')
              return { x0: model.x_range.start, x1: model.x_range.end, y0: model.y_range.start, y1: model.y_range.end };
            }"""
        )
    )


def drag(tab: Tab, *points: tuple[float, float], keys: tuple[str, ...] = ()) -> None:
    """Drag from point to point (ms, µV), with keys held."""
    tab.drag([at(tab, *point) for point in points], keys)


def outline(tab: Tab) -> list[Any]:
    """Return the outline of the selection, none if there is none."""
    return list(
        tab.page.evaluate(
            """() => { for (const model of Bokeh.documents[0]._all_models.values())
              if (model.type === 'ColumnDataSource' && 'xs' in model.data && !('colour' in model.data))
                return Array.from(model.data.xs).map((xs) => Array.from(xs)); return []; }"""
        )
    )


def choose(tab: Tab, key: str, tool: str) -> None:
    """Press the key of a tool and wait until the browser has it."""
    tab.press(key)
    ask = """() => { for (const model of Bokeh.documents[0]._all_models.values()) if (model.name === 'waveforms')
      return model.toolbar.active_drag.type + ' ' + (model.toolbar.active_drag.dimensions ?? ''); }"""
    tab.wait_until(lambda: str(tab.page.evaluate(ask)).strip() == tool)


def test_every_gesture_selects_what_it_says(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    steps(tmp_path / "steps.npz")
    tab = open_tab(serve(tmp_path / "steps.npz"))
    tab.wait_for("120 of 120 waveforms drawn", timeout_s=90)

    def selects(n: int) -> None:
        tab.wait_until(lambda: tab.selected() == n)
        assert tab.status().startswith("120 of 120 waveforms drawn")

    drag(tab, (0.2, -80), (0.4, -80), (0.4, -40), (0.2, -40), (0.2, -80))  # the lasso is there from the start
    selects(30)
    drag(tab, (0.2, -30), (0.4, -30), (0.4, 30), (0.2, 30), (0.2, -30), keys=("Shift",))
    selects(90)
    drag(tab, (0.2, 10), (0.4, 10), (0.4, 30), (0.2, 30), (0.2, 10), keys=("Control", "Shift"))
    selects(60)
    drag(tab, (0.2, -30), (0.4, -30), (0.4, 80), (0.2, 80), (0.2, -30), keys=("Control",))
    selects(30)
    choose(tab, "b", "BoxSelectTool both")
    drag(tab, (0.5, -70), (0.8, -10))
    selects(60)
    choose(tab, "Shift+Q", "LassoSelectTool")
    drag(tab, (0.5, 10), (0.6, 70))
    selects(60)
    drag(tab, (0.5, 30), (0.6, 50))  # between two levels
    selects(0)
    choose(tab, "Shift+B", "BoxSelectTool height")
    drag(tab, (0.7, -30), (0.7, 30))
    selects(60)
    assert outline(tab) != []
    tab.page.mouse.move(*at(tab, 0.7, 0.0))
    before = view(tab)
    tab.page.mouse.wheel(0, -200)
    tab.wait_until(lambda: view(tab)["y1"] < before["y1"])
    region = outline(tab)
    assert region != []
    selects(60)
    tab.press("r")
    tab.wait_until(lambda: view(tab) == before)
    assert outline(tab) == region
    tab.press("Shift+M")  # from now on regions add
    drag(tab, (0.7, 50), (0.7, 70))
    selects(90)
    tab.press("i")
    selects(30)
    tab.press("a")
    selects(120)
    tab.press("Escape")
    selects(0)
    assert outline(tab) == []
    assert tab.errors == []


def test_an_open_dialogue_has_the_keys_to_itself_and_escape_closes_it(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    steps(tmp_path / "steps.npz")
    tab = open_tab(serve(tmp_path / "steps.npz"))
    tab.wait_for("120 of 120 waveforms drawn", timeout_s=90)
    tab.press("a")
    tab.wait_until(lambda: tab.selected() == 120)
    tab.press("?")
    dialogue = tab.page.get_by_role("dialog", name="Keys and gestures")
    dialogue.wait_for()
    tab.press("d")  # outside the dialogue this would send all to noise
    tab.press("Escape")
    tab.wait_until(lambda: tab.page.locator(".MuiDialog-root").count() == 0)  # it fades for a moment
    assert tab.selected() == 120
    tab.press("Escape")
    tab.wait_until(lambda: tab.selected() == 0)
    assert tab.saved().endswith("· 0 edits")
    assert tab.errors == []
