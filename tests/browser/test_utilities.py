"""The Utilities tab in a real browser: a proposal applied and taken back, results pinned, each kind saved as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns
from neuralsorter import plugins

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

pytestmark = pytest.mark.browser

PROPOSAL = """
def run(spikes, later_s: float = 30.0):
    '''Events of the second half go to unit 7.'''
    return spikes.unit + (spikes.times_s > later_s) * (7 - spikes.unit)
"""
TABLE = "import pandas as pd\ndef run(spikes): return pd.DataFrame({'unit': [1, 2], 'events': [len(spikes), 0]})"
PICTURE = "import matplotlib.pyplot as plt\ndef run(spikes): plt.plot(spikes.times_s)"
MANY = """
from bokeh.layouts import gridplot
from bokeh.plotting import figure

def run(spikes): return gridplot([[figure(width=90, height=90, title='cell') for _ in range(6)] for _ in range(6)])
"""
TITLE = """() => {
  const below = (view) => [view, ...(view.child_views ?? []).flatMap(below)];
  return Bokeh.index.roots.flatMap(below).find((view) => (view.model.name ?? '').startsWith('result ')
    && view.has_finished())?.model.title?.text ?? '';
}"""
CELLS = """() => {
  const below = (view) => [view, ...(view.child_views ?? []).flatMap(below)];
  return Bokeh.index.roots.flatMap(below).filter((view) => view.model.title?.text === 'cell').length;
}"""
WRITE = """(text) => {
  const find = (root) => root.querySelector('.ace_editor')
    ?? [...root.querySelectorAll('*')].map((e) => e.shadowRoot && find(e.shadowRoot)).find((e) => e);
  find(document).env.editor.setValue(text, -1);
}"""


def test_proposals_pins_and_saved_results(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    spikes = ns.simulate(n_channels=1, duration_s=60.0, seed=3).spikes
    with ns.Project.create(tmp_path / "made.nsort", spikes=spikes) as project:
        n, later = len(project), int((project.spikes.times_s > 30).sum())
    tab = open_tab(serve(tmp_path / "made.nsort"))
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.page.get_by_role("tab", name="Utilities").click()
    tab.wait_for("Press Run")

    _run(tab, PROPOSAL, f"It would move {later:,}: {later:,} to unit 7")
    _save(tab, "Save CSV", lambda path: (pd.read_csv(path)["proposed"] == 7).sum() == later)
    tab.page.get_by_role("button", name="Apply proposal").click()
    tab.page.get_by_text("Unit 7", exact=True).first.wait_for()
    tab.page.get_by_role("button", name="Undo").first.click()
    tab.page.get_by_text("Unit 7", exact=True).first.wait_for(state="hidden")

    # One picture after the other: each is a child of the same process, and must not be taken for the one before.
    _run(tab, (plugins.folder("utilities") / "amplitude_over_time.py").read_text(encoding="utf-8"))
    tab.wait_until(lambda: tab.page.evaluate(TITLE) == "Amplitude (peak) over time")
    _run(tab, (plugins.folder("utilities") / "autocorrelogram.py").read_text(encoding="utf-8"))
    tab.wait_until(lambda: str(tab.page.evaluate(TITLE)).startswith("Counts by lag"))
    tab.page.get_by_role("button", name="Save this view as a PNG").locator("visible=true").wait_for()
    tab.page.get_by_role("button", name="Pin", exact=True).click()
    tab.page.get_by_role("button", name="Unpin").wait_for()
    _run(tab, TABLE)
    tab.page.locator(".tabulator-row").first.wait_for()
    _save(tab, "Save CSV", lambda path: pd.read_csv(path)["events"].tolist() == [n, 0])
    # What is pinned stays, and is saved in the three ways of a figure.
    _save(tab, "Save this view as a PNG", lambda path: path.read_bytes().startswith(b"\x89PNG"))
    _save(tab, "Save this view as an SVG", lambda path: "lag (ms)" in path.read_text(encoding="utf-8"))
    _save(tab, "Save the numbers of this view", lambda path: {"left", "count"} <= set(pd.read_csv(path)))

    _run(tab, PICTURE)
    _save(tab, "Save PNG", lambda path: path.read_bytes().startswith(b"\x89PNG"))
    _run(tab, "def run(spikes):\n    print('counted')\n    return f'{len(spikes)} events'", f"{n} events")
    tab.page.get_by_text("counted", exact=True).first.wait_for()
    _save(tab, "Save TXT", lambda path: path.read_text(encoding="utf-8") == f"{n} events")
    _run(tab, "def run(spikes): return spikes.nothing", "line 1, in run")
    _run(tab, MANY)
    tab.wait_until(lambda: tab.page.evaluate(CELLS) == 36)
    tab.page.get_by_role("button", name="Unpin").click()
    tab.page.get_by_role("button", name="Unpin").wait_for(state="hidden")
    assert tab.foreign == []
    assert tab.errors == []


def _run(tab: Tab, source: str, says: str = "") -> None:
    tab.page.evaluate(WRITE, source)
    tab.page.wait_for_timeout(700)  # the editor tells the server
    tab.page.get_by_role("button", name="Run", exact=True).click()
    if says:
        tab.wait_for(says, timeout_s=60)


def _save(tab: Tab, button: str, fits: Callable[[Path], bool | np.bool_]) -> None:
    with tab.page.expect_download(timeout=30_000) as saved:
        tab.page.get_by_role("button", name=button).locator("visible=true").first.click()
    assert fits(Path(saved.value.path())), button
