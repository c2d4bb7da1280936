"""Edits, undo, marks: one path for every change of units."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralsorter.edit import acting_as
from neuralsorter.errors import DataError, ProjectError
from neuralsorter.project import Project
from neuralsorter.spikes import Spikes


def test_rows_are_sorted_and_the_input_order_comes_back(recording: Callable[..., Spikes], project: Project) -> None:
    table = recording()
    np.testing.assert_array_equal(project.spikes.raw, table.raw[project.source_row])
    np.testing.assert_array_equal(project.exported().raw, table.raw)
    np.testing.assert_array_equal(project.exported().times_s, table.times_s)
    assert project.channels() == [2, 5, 7]
    for channel in project.channels():
        rows = project.rows(channel)
        assert (np.diff(rows) == 1).all()
        assert set(project.spikes.channel[rows].tolist()) == {channel}


def test_neighbouring_rows_are_read_without_copying(project: Project) -> None:
    assert np.shares_memory(project.raw(project.rows(5)), project.spikes.raw)
    np.testing.assert_array_equal(project.raw([9, 3, 5]), project.spikes.raw[[9, 3, 5]])
    np.testing.assert_array_equal(project.raw(slice(4, 9)), project.spikes.raw[4:9])
    np.testing.assert_array_equal(project.raw(project.unit == 1), project.spikes.raw)


def test_an_edit_is_published_once_with_what_it_changed(project: Project) -> None:
    seen: list[Any] = []
    project.param.watch(lambda event: seen.append(event.new), "edit")
    rows = project.rows(5)[:4]
    edit = project.assign(rows[::-1], 3, params={"polygon": np.eye(2), "from": np.int64(3)})
    assert seen == [edit]
    assert edit is not None
    np.testing.assert_array_equal(edit.rows, rows)
    assert (edit.before.tolist(), edit.after.tolist()) == ([1] * 4, [3] * 4)
    assert edit.channels == (5,)
    assert edit.params == {"polygon": [[1, 0], [0, 1]], "from": 3}
    assert project.counts(5)[3] == 4


def test_an_edit_that_changes_nothing_is_none(project: Project) -> None:
    assert project.assign(project.rows(5), 1) is None
    assert project.set_label(5, 1, "") is None
    assert project.n_edits == 0


def test_a_repeated_request_changes_nothing(project: Project) -> None:
    rows, uid = project.rows(2)[:3], bytes(range(16))
    first = project.assign(rows, 4, uid=uid)
    project.assign(rows, 5)
    again = project.assign(rows, 4, uid=uid)
    assert first is not None
    assert again is not None
    assert again.id == first.id
    assert project.counts(2)[5] == 3


def test_undo_has_no_end_and_redo_follows(project: Project) -> None:
    rows = project.rows(2)
    for unit in range(2, 12):
        project.assign(rows[:unit], unit, label=f"step {unit}")
    assert project.undo_label == "step 11"
    while project.can_undo:
        assert project.undo() is not None
    assert set(project.unit.tolist()) == {1}
    assert project.redo_label == "step 2"
    while project.can_redo:
        project.redo()
    assert project.counts(2)[11] == 11


def test_an_older_action_is_undone_unless_a_later_one_touches_its_events(project: Project) -> None:
    rows = project.rows(2)
    one, two, three = (project.assign(part, unit) for part, unit in ((rows[:4], 2), (rows[4:8], 3), (rows[2:3], 4)))
    assert one and two and three  # noqa: PT018 - for the type checker
    edit = project.undo_action(two.id)
    assert edit is not None
    assert edit.undoes == two.id
    with pytest.raises(ProjectError, match=f"action {three.id} .* touches the same events"):
        project.undo_action(one.id)
    project.undo_action(three.id)
    project.undo_action(one.id)
    assert set(project.unit.tolist()) == {1}


def test_any_moment_comes_back_and_can_be_left_again(project: Project) -> None:
    project.assign(project.rows(2)[:5], 2)
    project.set_label(2, 2, "good")
    version = project.name_version("first look")
    project.assign(project.rows(2)[:3], 3)
    project.set_label(2, 2, "mua")
    project.go_to(project.versions["first look"])
    assert version == project.versions["first look"]
    assert project.counts(2)[2] == 5
    assert project.labels == {(2, 2): "good"}
    project.undo()
    assert project.labels == {(2, 2): "mua"}
    assert project.unit_at(version)[project.rows(2)].tolist().count(2) == 5


def test_cleaning_returns_only_what_a_cleaner_took(project: Project) -> None:
    rows = project.rows(5)
    project.assign(rows[:10], 4)
    project.assign(rows[:2], 0)
    project.lock(5, 4)
    p = np.linspace(0, 1, len(rows), dtype=np.float32)
    p[:10] = 0
    assert project.preview_clean(rows, p, 0.5) == (int((p[10:] < 0.5).sum()), 0)
    project.clean(rows, p, 0.5)
    assert project.counts(5)[4] == 8
    assert int(project.by_cleaner.sum()) == int((p[10:] < 0.5).sum())
    project.assign(rows[10:12], 0)
    project.clean(rows, np.ones(len(rows)), 0.5)
    assert project.counts(5) == {0: 4, 1: len(rows) - 12, 4: 8}
    assert not project.by_cleaner.any()


def test_events_return_to_the_unit_they_came_from_not_to_a_locked_one(project: Project) -> None:
    rows = project.rows(5)
    project.assign(rows[:6], 3)
    project.clean(rows, np.zeros(len(rows)), 0.5)
    project.lock(5, 3)
    project.clean(rows, np.ones(len(rows)), 0.5)
    assert project.counts(5) == {0: 6, 1: len(rows) - 6}
    project.lock(5, 3, on=False)
    project.clean(rows, np.ones(len(rows)), 0.5)
    assert project.counts(5)[3] == 6


def test_the_largest_cluster_keeps_the_number_and_others_get_fresh_ones(project: Project) -> None:
    rows = project.rows(7)
    project.assign(rows[:5], 8)
    project.undo()
    project.assign(rows[:2], 0)
    found = np.r_[[0, 0], np.full(len(rows) - 12, 2), np.full(6, 0), np.full(3, 1), [-1]]
    project.sort_result(rows, found)
    assert project.counts(7) == {0: 2, 1: len(rows) - 11, 9: 6, 10: 3}
    assert project.new_unit(7) == 11
    assert project.new_unit(5) == 2


def test_locked_units_neither_give_nor_take(project: Project) -> None:
    rows = project.rows(2)
    project.assign(rows[:5], 2)
    project.lock(2, 2)
    assert project.assign(rows[:3], 3) is None
    assert project.last_note == "3 events were left alone because their unit is locked."
    project.assign(rows, 2)
    project.merge(2, [1, 2])
    project.assign_units(rows, np.full(len(rows), 9))
    assert project.counts(2) == {2: 5, 9: len(rows) - 5}
    project.lock(2, 2, on=False)
    assert project.assign(rows[:3], 3) is not None
    assert project.last_note == ""


def test_scripts_and_sorters_cannot_touch_noise(project: Project) -> None:
    rows = project.rows(2)
    project.assign(rows[:5], 0)
    project.assign_units(rows, np.full(len(rows), 4), kind="script")
    assert project.counts(2) == {0: 5, 4: len(rows) - 5}


def test_marks_are_edits_too(project: Project) -> None:
    project.set_label(2, 1, "good")
    project.note(2, 1, "drifts after lunch")
    project.set_reviewed(2)
    assert project.notes == {(2, 1): "drifts after lunch"}
    assert project.reviewed == {2}
    project.undo()
    project.undo()
    assert (project.notes, project.reviewed, project.labels) == ({}, frozenset(), {(2, 1): "good"})


def test_the_former_unit_is_that_before_the_last_change_that_stands(project: Project) -> None:
    rows = project.rows(2)[:3]
    assert set(project.old_unit().tolist()) == {-1}
    project.assign(rows, 2)
    project.assign(rows[:1], 3)
    project.assign(rows[1:2], 4)
    project.undo()
    assert project.old_unit()[rows].tolist() == [2, 1, 1]


def test_edits_are_signed(project: Project) -> None:
    with acting_as("anna"):
        project.assign(project.rows(2)[:3], 2)
    assert project.history()[-1].author == "anna"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda p: p.assign([400], 2), "Rows run from 0 to 399. Got 400 to 400"),
        (lambda p: p.assign([-1], 2), "Rows run from 0 to 399"),
        (lambda p: p.assign([0.5], 2), "whole numbers"),
        (lambda p: p.assign([0], -2), "A unit is a whole number"),
        (lambda p: p.assign_units([0, 1], [1]), "one unit per row"),
        (lambda p: p.clean([0, 1], [0.5], 0.5), "one probability per row"),
        (lambda p: p.clean([0], [0.5], 2), "between 0 and 1"),
        (lambda p: p.rows(99), "Channel 99 is not in this project. It has 3 channels, 2 to 7"),
        (lambda p: p.set_label(99, 1, "good"), "Channel 99"),
        (lambda p: p.merge(2, [1]), "two or more units"),
        (lambda p: p.merge(2, [0, 1]), "not noise"),
        (lambda p: p.go_to(77), "There is no action 77"),
        (lambda p: p.undo_action(1), "Action 1 cannot be undone"),
        (lambda p: p.assign_units([0], [3], kind="undo"), "journal's own"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(project: Project, call: Any, sentence: str) -> None:
    with pytest.raises((ProjectError, DataError), match=sentence):
        call(project)
    assert project.n_edits == 0


def test_a_watcher_may_edit_and_everybody_hears_in_order(project: Project) -> None:
    seen: list[int] = []

    def follow(event: Any) -> None:
        seen.append(event.new.id)
        if event.new.kind == "assign":
            project.set_label(2, 2, "from a watcher")

    project.param.watch(follow, "edit")
    edit = project.assign(project.rows(2)[:3], 2)
    assert edit is not None
    assert seen == [edit.id, edit.id + 1]


def test_edits_from_many_threads_are_all_kept_and_published_in_order(project: Project) -> None:
    seen: list[int] = []
    project.param.watch(lambda event: seen.append(event.new.id), "edit")
    threads = [
        threading.Thread(target=lambda unit=unit: [project.assign([row], unit) for row in range(5)])
        for unit in range(2, 6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert project.n_edits == len(seen) == 20
    assert seen == sorted(seen)
    assert project.verify() == []


def test_events_of_another_project_are_refused(recording: Callable[..., Spikes], folder: Path, tmp_path: Path) -> None:
    Project.create(tmp_path / "b.nsort", spikes=recording(seed=9)).close()
    shutil.rmtree(folder / "experiments")
    shutil.copytree(tmp_path / "b.nsort" / "experiments", folder / "experiments")
    with pytest.raises(ProjectError, match="not the events that the journal was written for"):
        Project.open(folder)


def test_project_spikes_are_a_snapshot_of_the_units(project: Project) -> None:
    before = project.spikes
    project.assign(project.rows(2), 9)
    assert set(before.unit.tolist()) == {1}
    assert set(project.spikes.unit[project.rows(2)].tolist()) == {9}
    assert project.spikes is project.spikes
