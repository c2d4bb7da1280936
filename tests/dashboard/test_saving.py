"""Saving a file from the page: what the format cannot hold is told first, and saving again writes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

import neuralsorter as ns
from dashboard.files import Files
from dashboard.workspace import Workspace


def wait(until: Callable[[], Any], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not until() and time.monotonic() < end:
        time.sleep(0.02)
    assert until()


def opened(folder: Path) -> Files:
    """Return the dialogues of a page with a recording that has triggers."""
    triggers = pd.DataFrame({"time_s": [0.5], "code": [3]})
    spikes = replace(ns.simulate(n_channels=1, duration_s=3.0, seed=0).spikes, triggers=triggers)
    workspace = Workspace()
    workspace.project = ns.Project.in_memory(spikes)
    return Files(workspace, [folder])


def test_a_file_that_would_lose_something_is_written_only_when_asked_again(tmp_path: Path) -> None:
    files = opened(tmp_path)
    files.target_name.value = str(tmp_path / "a.csv")
    files.save()
    wait(lambda: "does not hold triggers" in files.lost.object)
    assert files.save_dialog.open
    assert not (tmp_path / "a.csv").exists()
    files.save()
    wait((tmp_path / "a.csv").exists)
    wait(lambda: not files.workspace.jobs.running)
    assert len(ns.load(tmp_path / "a.csv")) > 0


def test_another_name_is_asked_about_anew(tmp_path: Path) -> None:
    files = opened(tmp_path)
    for name in ("a.csv", "b.csv"):
        files.target_name.value = str(tmp_path / name)
        files.save()
        wait(lambda: files.save_dialog.open)
        wait(lambda: not files.workspace.jobs.running)
    assert not list(tmp_path.glob("*.csv"))


def test_a_file_that_holds_everything_is_written_at_once(tmp_path: Path) -> None:
    files = opened(tmp_path)
    files.target_name.value = str(tmp_path / "a.npz")
    files.save()
    wait((tmp_path / "a.npz").exists)
    assert not files.save_dialog.open
