"""The past of a project, from the page: named, looked at, branched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from dashboard.app import App


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A page on a project on disk, with two edits, that looks at its history."""
    ns.save(ns.simulate(n_channels=1, duration_s=5.0, seed=0).spikes, tmp_path / "a.npz")
    app = App([tmp_path])
    project = ns.Project.create(tmp_path / "a.nsort", [tmp_path / "a.npz"])
    app.workspace.show(project)
    project.assign(np.arange(5), 7)
    project.assign(np.arange(5, 9), 8)
    app.history.active = True
    app.history.refresh()
    return app


def wait_for(call: Callable[[], bool]) -> None:
    import time

    end = time.monotonic() + 20
    while not call():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_named_state_is_in_the_list_and_can_be_returned_to(app: App) -> None:
    app.history.label.value = "before lunch"
    app.history.keep.param.trigger("clicks")
    project = app.workspace.project
    assert project is not None
    named = project.versions["before lunch"]
    unit = project.unit.copy()
    project.assign(np.arange(9), 3)
    app.history.refresh()
    app.history.table.selection = [int(np.flatnonzero(app.history.table.value["#"] == named)[0])]
    app.history.go.param.trigger("clicks")
    np.testing.assert_array_equal(project.unit, unit)


def test_a_branch_holds_the_project_as_it_was_at_the_line_clicked(app: App, tmp_path: Path) -> None:
    first_edit = app.history.table.value["#"].tolist()[-2]
    app.history.table.selection = [app.history.table.value["#"].tolist().index(first_edit)]
    app.history.label.value = "other idea"
    app.history.branch.param.trigger("clicks")
    wait_for(lambda: (tmp_path / "a_other idea.nsort").exists() and not app.workspace.jobs.running)
    with ns.Project.open(tmp_path / "a_other idea.nsort") as branch:
        assert (branch.unit[:5] == 7).all()
        assert not (branch.unit == 8).any()


def test_a_state_without_a_name_is_asked_for_one(app: App) -> None:
    app.history.keep.param.trigger("clicks")
    assert "Write a name" in app.workspace.says


def test_a_click_on_a_line_looks_at_it_and_the_line_stays_the_one_clicked(app: App) -> None:
    project, table = app.workspace.project, app.history.table
    assert project is not None
    first_edit = table.value["#"].tolist()[-2]
    table.selection = [table.value["#"].tolist().index(first_edit)]
    assert app.workspace.moment == first_edit
    project.assign(np.arange(20, 30), 5)
    app.history.refresh()
    assert table.value["#"].iloc[table.selection[0]] == first_edit, "a new line above moves it, and it stays chosen"
    assert app.workspace.moment == first_edit
    app.history.now.param.trigger("clicks")
    assert (app.workspace.moment, table.selection) == (None, [])
    assert (project.unit[20:30] == 5).all(), "looking changes nothing"
