"""`ns.curate` and a view alone in JupyterLab, in a real browser that reaches nothing but this computer."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import neuralsorter as ns
from neuralsorter.plugins import folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

OPENED = """import neuralsorter as ns
spikes = ns.simulate(n_channels=2, duration_s=30.0, seed=4).spikes
project = ns.Project.create("kept.nsort", spikes=spikes)
block = ns.curate(project)"""
CELLS = (
    OPENED,
    "block  # look",
    "print('unit 2:', project.counts(1).get(2), (block.spikes.unit[spikes.channel == 1] == 2).sum())",
    "ns.views.intervals(project, channel=1)",
)
START_S = 60


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """JupyterLab with one notebook; its kernel's Python is this one."""
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{i}", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
        for i, text in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    work = tmp_path / "notebooks"
    work.mkdir()
    (work / "curate.ipynb").write_text(json.dumps(notebook))
    settings = tmp_path / "config" / "lab" / "user-settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)  # else it takes cells that are out of sight out of the page
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = os.environ | own | {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_PLATFORM_DIRS": "1"}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--IdentityProvider.token=t", f"--ServerApp.root_dir={work}", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with (tmp_path / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{port}/api?token=t", process, tmp_path / "lab.log")
        yield SimpleNamespace(url=f"http://127.0.0.1:{port}/lab/tree/curate.ipynb?token=t", work=work)
    finally:
        process.terminate()  # ends its kernels too
        process.wait(30)


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - our own address
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-4000:]}")


def _run(tab: Tab, number: int) -> None:
    """Run one cell, as people do, and wait for its end."""
    tab.page.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)
    cell = _cell(tab, number)
    cell.locator(".jp-InputArea-editor").click()
    tab.press("Shift+Enter")
    cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for(timeout=120_000)


def _cell(tab: Tab, number: int) -> Any:
    return tab.page.locator(".jp-Notebook .jp-Cell").filter(has_text=CELLS[number].splitlines()[0])


def _output(tab: Tab, number: int) -> Any:
    return _cell(tab, number).locator(".jp-OutputArea").first


def test_lasso_and_keys_reach_the_project_the_notebook_holds(
    lab: SimpleNamespace, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(lab, offline_but="http://127.0.0.1")
    tab.page.locator(".jp-Notebook .jp-Cell").nth(3).wait_for(timeout=60_000)
    _run(tab, 0)
    _run(tab, 1)
    tab.wait_for("waveforms drawn", timeout_s=120)
    tab.page.wait_for_timeout(1000)
    tab.page.locator(".bk-Canvas").first.scroll_into_view_if_needed()

    tab.lasso(0.3, 0.35, 0.45, 0.95)
    tab.wait_until(lambda: tab.selected() > 0, timeout_s=120)  # a kernel that is new compiles first
    picked = tab.selected()
    tab.page.mouse.move(20, 500)  # over JupyterLab's own side bar
    tab.press("Alt+2")
    tab.page.wait_for_timeout(1000)
    assert tab.selected() == picked
    screen = tab.screen()
    tab.page.mouse.move(screen["x"] + 40, screen["y"] + 40)
    tab.press("Alt+2")
    tab.wait_until(lambda: f"{picked:,} events sent to unit 2" in tab.said())

    _run(tab, 2)
    tab.wait_until(lambda: "unit 2:" in _output(tab, 2).inner_text())
    assert re.findall(r"\d+", _output(tab, 2).inner_text()) == ["2", str(picked), str(picked)]
    with ns.Project.open(lab.work / "kept.nsort", read_only=True) as kept:
        assert kept.counts(1)[2] == picked

    _run(tab, 3)
    _output(tab, 3).locator(".bk-Canvas").first.wait_for(timeout=60_000)
    assert tab.foreign == []
    assert tab.errors == []


def test_what_is_said_to_a_plot_before_it_is_there_waits_for_it(browser: Browser) -> None:
    """A message comes in parts: of one that came while the plot was being built, the first were thrown away."""
    page = browser.new_page()
    page.evaluate(
        """() => {
          window.got = [];
          class Manager { msg_handler(part) { window.got.push(part); } }
          window.Bokeh = { index: {}, Models: { get: () => Manager } };
          window.manager = Object.assign(new Manager(), { plot_id: 'plot', ns: { plot_index: {} } });
        }"""
    )
    page.evaluate((folder("dashboard") / "arriving.js").read_text("utf-8"))
    page.evaluate("['header', 'content'].forEach((part) => manager.msg_handler(part))")
    page.wait_for_timeout(200)
    assert page.evaluate("got") == []
    page.evaluate("() => { Bokeh.index.plot = {}; manager.msg_handler('buffer'); }")
    page.wait_for_function("got.length >= 3")
    page.evaluate("manager.msg_handler('header')")
    assert page.evaluate("got") == ["header", "content", "buffer", "header"]
    page.close()
