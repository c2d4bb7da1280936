"""A page that is gone takes its memory along, though the project that it showed stays open."""

from __future__ import annotations

import gc
import os
import sys
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import panel as pn
import pytest
from panel.util.parameters import edit_readonly

import neuralsorter as ns


@pytest.fixture
def project() -> ns.Project:
    """A project in memory, which other tabs go on using."""
    return ns.Project.in_memory(ns.simulate(n_channels=2, duration_s=5.0, seed=1).spikes)


def _opened_used_and_closed(project: ns.Project) -> dict[str, weakref.ref[Any]]:
    from dashboard.app import App

    app = App([Path.cwd()])
    app.page()
    app.workspace.show(project)
    app.act("next channel")
    app.act("select all")
    app.act("send to 2")
    parts = {"app": app, "workspace": app.workspace, "focus": app.workspace.focus, "waveforms": app.waveforms,
             "evidence": app.evidence, "history": app.history, "people": app.people}  # fmt: skip
    refs = {name: weakref.ref(part) for name, part in parts.items()}
    app.close()
    return refs


def test_a_closed_page_leaves_nothing_behind(project: ns.Project) -> None:
    with ThreadPoolExecutor(1) as thread:  # in this one Playwright may have left a loop, whose tasks keep the page
        refs = thread.submit(_opened_used_and_closed, project).result()
    for _ in range(100):  # until the thread that draws has noticed
        gc.collect()
        if all(ref() is None for ref in refs.values()):
            break
        time.sleep(0.1)
    assert [name for name, ref in refs.items() if ref() is not None] == []
    assert project.people == {}
    assert len(project) > 0


def test_work_for_one_page_changes_nothing_in_another() -> None:
    from dashboard.app import App

    app = App([Path.cwd()])
    page = app.page()
    changes: list[Any] = []
    page.param.watch(changes.append, list(page.param))
    with edit_readonly(pn.state):
        pn.state.busy = True
        pn.state.busy = False
    assert changes == []
    app.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_memory_that_is_no_longer_used_goes_back_to_the_system() -> None:
    from dashboard.memory import give_back

    blocks = [bytes(100_000) for _ in range(2000)]  # each below the size that the C library gives back at once
    last = bytes(100_000)  # above them, so that the end of the heap stays in use
    full = resident_mb()
    blocks.clear()
    give_back()
    assert full - resident_mb() > 100
    assert len(last) == 100_000


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
