"""A project larger than memory is shown at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import neuralsorter as ns
from benchmarks.large_project import sparse
from dashboard import navigator
from dashboard.app import App
from dashboard.concerns import Queue

N_EVENTS, BAR_S = 416_000_000, 3.0  # 50 GB; processor time


def test_a_page_on_50_gb_reads_the_channel_it_shows_and_counts_the_others_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sparse(tmp_path / "large.nsort", N_EVENTS)
    later: list[object] = []
    app = App([tmp_path])
    monkeypatch.setattr(app.navigator.counting, "wish", later.append)
    began = time.process_time()
    app.workspace.show(ns.Project.open(tmp_path / "large.nsort"))
    took = time.process_time() - began
    rows = app.navigator.channels.rows
    app.close()
    assert took < BAR_S
    assert rows[0]["detail"] == f"{N_EVENTS // 96:,}"
    assert len(rows) == 96
    assert rows[-1]["detail"] == "…"
    assert later


def test_what_speaks_of_the_whole_recording_reads_a_part_of_it(tmp_path: Path) -> None:
    sparse(tmp_path / "large.nsort", N_EVENTS)
    with ns.Project.open(tmp_path / "large.nsort") as project:
        began = time.process_time()
        Queue().recording(project)
        assert time.process_time() - began < BAR_S


def test_channels_counted_later_show_what_they_hold_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(navigator, "COUNTING_S", -1.0)
    app = App([tmp_path])
    project = ns.Project.in_memory(ns.simulate(n_channels=3, duration_s=5.0, seed=4).spikes)
    app.workspace.show(project)
    assert app.navigator.counting.wait(30)
    project.assign(project.rows(2)[:5], 7)
    assert app.navigator.counting.wait(30)
    rows = app.navigator.channels.rows
    app.close()
    assert [row["detail"] for row in rows] == [f"{sum(project.counts(c).values()):,}" for c in (1, 2, 3)]
    assert rows[1]["label"].startswith(f"{sum(u > 0 for u in project.counts(2))} u")
