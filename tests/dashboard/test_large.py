"""A project larger than memory is shown at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import neuralsorter as ns
from benchmarks.sparse import sparse
from dashboard import navigator
from dashboard.app import App

N_EVENTS, BAR_S = 416_000_000, 3.0  # 50 GB; processor time


def test_a_page_on_50_gb_reads_the_channel_it_shows_and_counts_the_others_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sparse(tmp_path / "large.nsort", N_EVENTS)
    later: list[object] = []
    monkeypatch.setattr(navigator, "on_page", lambda *given, **_: later.append(given))
    app = App([tmp_path])
    began = time.process_time()
    app.workspace.show(ns.Project.open(tmp_path / "large.nsort"))
    took = time.process_time() - began
    rows = app.navigator.channels.rows
    app.close()
    assert took < BAR_S
    assert rows[0]["detail"] == f"{N_EVENTS // 96:,}"
    assert len(rows) == 96
    assert rows[-1]["detail"] == "…"
    assert len(later) == 1
