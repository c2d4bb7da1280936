from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralsorter.edit import acting_as
from neuralsorter.errors import Cancelled, DataError, ProjectError
from neuralsorter.project import Project
from neuralsorter.saving import save
from neuralsorter.spikes import Spikes
from neuralsorter.storage import disk
from neuralsorter.storage.lock import WriterLock
from neuralsorter.storage.rescue import _whole_action as whole_action


def recording(n: int = 400, seed: int = 0, **columns: Any) -> Spikes:
    rng = np.random.default_rng(seed)
    table = Spikes(
        raw=rng.integers(-999, 999, (n, 6)).astype(np.int16),
        times_s=rng.random(n),
        channel=rng.choice([2, 5, 7], n).astype(np.int32),
        unit=np.ones(n, np.int32),
        experiment=np.zeros(n, np.int32),
        uv_per_bit=0.5,
        sampling_rate=20_000.0,
        pre_samples=2,
    )
    return replace(table, **columns)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Project.create(tmp_path / "a.nsort", spikes=recording()).close()
    return tmp_path / "a.nsort"


@pytest.fixture(params=["memory", "disk"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = (
        Project.in_memory(recording())
        if request.param == "memory"
        else Project.create(tmp_path / "p.nsort", spikes=recording())
    )
    yield made
    made.close()
    if made.path is not None:
        assert not list(made.path.rglob("*.partial"))


def test_rows_are_sorted_and_the_input_order_comes_back(project: Project) -> None:
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


def test_a_project_goes_on_where_it_was_left(folder: Path) -> None:
    with Project.open(folder) as project:
        project.assign(project.rows(2)[:5], 2)
        project.set_label(2, 2, "good")
        project.assign(project.rows(2)[:1], 3)
        project.undo()
        units = project.unit.copy()
    with Project.open(folder) as project:
        np.testing.assert_array_equal(project.unit, units)
        assert project.labels == {(2, 2): "good"}
        assert (project.n_edits, project.can_redo, project.undo_label) == (4, True, "unit 2 of channel 2 is good")
        assert project.saved_at is not None
        assert project.verify() == []


def test_a_channel_is_replayed_only_when_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.open(folder) as project:
        for channel in project.channels():
            project.assign(project.rows(channel)[:5], 2)
    with Project.open(folder) as project:
        asked: list[int] = []
        codes_of = project._journal.codes_of

        def noted(channel: int, upto: int | None = None) -> Any:
            asked.append(channel)
            return codes_of(channel, upto)

        monkeypatch.setattr(project._journal, "codes_of", noted)
        assert project.counts(5)[2] == 5
        assert project.unit_of(project.rows(5)[:6]).tolist() == [2] * 5 + [1]
        assert asked == [5]


def test_added_files_become_experiments_and_rewrite_nothing(folder: Path, tmp_path: Path) -> None:
    second = recording(60, seed=1)
    save(second, tmp_path / "second.npz")
    with Project.open(folder) as project:
        project.assign(project.rows(5)[:5], 2)
        before = {path: path.stat().st_mtime_ns for path in (folder / "experiments" / "0000").iterdir()}
        rows, unit = project.rows(5), project.unit.copy()
        seen: list[Any] = []
        project.param.watch(lambda event: seen.append(event.new), "edit")
        assert project.add(tmp_path / "second.npz") == ["second.npz"]
        assert seen[0].kind == "import"
        assert seen[0].rows.tolist() == list(range(400, 460))
        np.testing.assert_array_equal(project.rows(5, experiment=0), rows)
        np.testing.assert_array_equal(project.unit[:400], unit)
        assert project.can_undo
        assert {path: path.stat().st_mtime_ns for path in before} == before
        both = project.rows(5)
        np.testing.assert_array_equal(project.times_of(both), project.spikes.times_s[both])
        np.testing.assert_array_equal(project.raw(both), project.spikes.raw[both])
        project.assign(both, 6)
    with Project.open(folder) as project:
        assert len(project.experiments) == 2
        assert project.counts(5) == {6: len(both)}
        np.testing.assert_array_equal(project.exported().channel, np.r_[recording().channel, second.channel])
        np.testing.assert_allclose(
            project.exported().waveforms, np.concatenate([recording().waveforms, second.waveforms]), rtol=1e-6
        )
        assert project.verify() == []


def sorted_and_not(path: Path, *, sorted_unit: int | None) -> Spikes:
    """Save a recording whose channel 2 has a sorted unit, or only unsorted events (in unit 1); return it."""
    table = recording(60, seed=sorted_unit or 0, labels={(2, 1): "unsorted"} if sorted_unit is None else {})
    if sorted_unit is not None:
        table = replace(table, unit=np.where(table.channel == 2, sorted_unit, 1).astype(np.int32))
    save(table, path)
    return table


def test_unsorted_events_of_one_file_stay_apart_from_a_sorted_unit_of_another(tmp_path: Path) -> None:
    sorted_and_not(tmp_path / "a.npz", sorted_unit=None)
    sorted_and_not(tmp_path / "b.npz", sorted_unit=1)
    sorted_and_not(tmp_path / "c.npz", sorted_unit=None)
    with Project.create(tmp_path / "p.nsort", [tmp_path / "a.npz", tmp_path / "b.npz"]) as project:
        project.add(tmp_path / "c.npz")
        units = [set(project.unit[project.rows(2, experiment=e)].tolist()) for e in range(3)]
        assert project.labels == {(2, 2): "unsorted"}
        assert units == [{2}, {1}, {2}]
    with Project.create(tmp_path / "q.nsort", tmp_path / "a.npz") as project:
        project.add(tmp_path / "b.npz")
        units = [set(project.unit[project.rows(2, experiment=e)].tolist()) for e in range(2)]
        assert project.labels == {(2, 1): "unsorted"}
        assert units == [{1}, {2}], "rows that are there keep their unit"


def test_a_file_of_another_rate_is_brought_to_the_first_ones(tmp_path: Path) -> None:
    for name, rate, pre in (("a", 20_000.0, 2), ("b", 10_000.0, 1)):
        save(recording(50, sampling_rate=rate, pre_samples=pre), tmp_path / f"{name}.npz")
    with Project.create(tmp_path / "p.nsort", [tmp_path / "a.npz", tmp_path / "b.npz"]) as project:
        assert project.experiments == ["a.npz", "b.npz"]
        assert project.raw(slice(0, 100)).shape == (100, 6)
        assert (project.sampling_rate, project.pre_samples) == (20_000.0, 2)


def test_an_import_tells_how_far_it_is_and_may_be_stopped(tmp_path: Path) -> None:
    for name in "ab":
        save(recording(50), tmp_path / f"{name}.npz")
    files, told = [tmp_path / "a.npz", tmp_path / "b.npz"], []

    def note(done: float, what: str) -> None:
        told.append((done, what))

    Project.create(tmp_path / "p.nsort", files, note).close()
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[0] == (0, "reading a.npz")
    assert told[-1] == (1, "b.npz")

    def stop(done: float, _: str) -> None:
        if done > 0.7:
            raise Cancelled

    with pytest.raises(Cancelled):
        Project.create(tmp_path / "q.nsort", files, stop)
    assert not list(tmp_path.glob("q*"))


def test_a_file_that_cannot_be_read_leaves_no_project(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"no")
    with pytest.raises(Exception, match=r"a\.npz"):
        Project.create(tmp_path / "p.nsort", tmp_path / "a.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_copy_has_everything_and_a_branch_ends_where_told(project: Project, tmp_path: Path) -> None:
    first = project.assign(project.rows(2)[:5], 2)
    assert first is not None
    project.assign(project.rows(2)[:3], 3)
    project.set_label(2, 3, "mua")
    with Project.open(project.save_copy(tmp_path / "copy.nsort")) as copy:
        np.testing.assert_array_equal(copy.unit, project.unit)
        np.testing.assert_array_equal(copy.raw(slice(None)), project.raw(slice(None)))
        np.testing.assert_array_equal(copy.source_row, project.source_row)
        assert [a.label for a in copy.history()] == [a.label for a in project.history()]
        assert copy.labels == project.labels
        assert copy.verify() == []
    with project.branch(tmp_path / "branch.nsort", first.id) as branch:
        assert branch.counts(2)[2] == 5
        assert branch.n_edits == 1
        branch.assign(branch.rows(5), 7)
        assert branch.verify() == []
    assert 7 not in project.counts(5)
    with pytest.raises(ProjectError, match="exists already"):
        project.save_copy(tmp_path / "copy.nsort")


def test_two_openings_in_one_process_share_one_project(folder: Path) -> None:
    one, two = Project.open(folder), Project.open(folder)
    assert one is two
    one.close()
    assert two.assign(two.rows(2)[:2], 2) is not None
    two.close()
    two.close()
    again = Project.open(folder)
    assert again is not one
    assert not again.read_only
    again.close()


WRITER = """
import sys
from neuralsorter.project import Project
from neuralsorter.storage.rescue import _whole_action as whole_action
project = Project.open(sys.argv[1])
for line in sys.stdin:
    project.assign(project.rows(2)[:int(line)], 4)
    print(project.n_edits, flush=True)
"""


def test_a_second_process_looks_on_and_may_take_over(folder: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, folder], stdin=-1, stdout=-1, text=True)
    assert writer.stdin
    assert writer.stdout
    with writer:
        print(3, file=writer.stdin, flush=True)
        assert writer.stdout.readline() == "1\n"
        with Project.open(folder) as project:
            assert project.read_only
            assert f"process {writer.pid}" in project.holder
            assert project.counts(2)[4] == 3
            with pytest.raises(ProjectError, match="looking only"):
                project.assign([0], 2)
            seen: list[Any] = []
            project.param.watch(lambda event: seen.append(event.new), "edit")
            print(5, file=writer.stdin, flush=True)
            writer.stdout.readline()
            assert project.refresh() == 1
            assert seen[0].rows.tolist() == project.rows(2)[3:5].tolist()
            project.take_over()
            assert not project.read_only
            assert f"process {os.getpid()}" in project.holder
            project.assign(project.rows(2)[:1], 9)
            print(7, file=writer.stdin, flush=True)
            assert writer.stdout.readline() == "", "the one overtaken writes no more"
            assert project.refresh() == 0
            assert project.verify() == []


def test_a_killed_writer_frees_the_project(folder: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, folder], stdin=-1, stdout=-1, text=True)
    assert writer.stdin
    assert writer.stdout
    with writer:
        print(3, file=writer.stdin, flush=True)
        writer.stdout.readline()
        writer.kill()
    with Project.open(folder) as project:
        assert not project.read_only
        assert project.counts(2)[4] == 3


HALF_DONE = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = TRUNCATE")
db.execute("PRAGMA cache_size = 2")
db.execute("BEGIN IMMEDIATE")
for n in range(2000):
    db.execute("INSERT INTO mark VALUES(1, 'label', ?, 1, '', ?)", (n, "x" * 100))
os._exit(9)
"""


@pytest.mark.parametrize("read_only", [True, False])
def test_an_edit_cut_off_half_way_is_taken_back_by_whoever_opens_next(folder: Path, *, read_only: bool) -> None:
    with Project.open(folder) as project:
        project.assign(project.rows(2)[:5], 2)
    before = (folder / "curation.db").read_bytes()
    subprocess.run([sys.executable, "-c", HALF_DONE, folder / "curation.db"], check=False)
    assert (folder / "curation.db").read_bytes() != before
    with Project.open(folder, read_only=read_only) as project:
        assert (project.notice, project.n_edits) == ("", 1)
        assert project.counts(2)[2] == 5
        assert project.verify() == []


def test_those_who_look_on_see_an_added_recording(folder: Path, tmp_path: Path) -> None:
    save(recording(60, seed=1), tmp_path / "second.npz")
    with Project.open(folder) as project, Project.open(folder, read_only=True) as looking:
        project.add(tmp_path / "second.npz")
        project.assign(project.rows(7), 3)
        seen: list[Any] = []
        looking.param.watch(lambda event: seen.append(event.new.kind), "edit")
        assert looking.refresh() == 2
        assert seen == ["import", "assign"]
        assert len(looking.experiments) == 2
        np.testing.assert_array_equal(looking.unit, project.unit)
        np.testing.assert_array_equal(looking.source_row, project.source_row)


def test_a_branch_from_before_a_recording_was_added_does_not_hold_it(folder: Path, tmp_path: Path) -> None:
    save(recording(60, seed=1), tmp_path / "second.npz")
    with Project.open(folder) as project:
        first = project.assign(project.rows(2)[:5], 2)
        assert first is not None
        project.add(tmp_path / "second.npz")
        with project.branch(tmp_path / "b.nsort", first.id) as branch:
            assert (len(branch), branch.counts(2)[2]) == (400, 5)
        with project.branch(tmp_path / "c.nsort", 0) as branch:
            assert (len(branch), branch.n_edits) == (400, 0)


def test_a_folder_that_cannot_be_written_to_is_open_for_looking(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(WriterLock, "acquire", refuse)
    with Project.open(folder) as project:
        assert project.read_only
        assert project.counts(2)[1] > 0
        with pytest.raises(ProjectError, match="looking only"):
            project.undo_action(2) if project.can_undo else project.assign([0], 3)


def test_a_failed_write_is_taken_back_said_and_can_be_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with Project.open(folder) as project:
        project.assign(project.rows(2)[:5], 2)
        units = project.unit.copy()
        monkeypatch.setattr(project._journal, "_write", full)
        with pytest.raises(ProjectError, match=r"could not be saved .*disk is full"):
            project.assign(project.rows(2), 3)
        np.testing.assert_array_equal(project.unit, units)
        assert project.read_only
        assert "taken back" in project.failure
        with pytest.raises(ProjectError, match="could not be saved"):
            project.assign(project.rows(2), 3)
        copy = project.save_copy(folder.parent / "elsewhere.nsort")
        project.take_over()
        assert (project.read_only, project.failure) == (False, "")
        assert project.assign(project.rows(2), 3) is not None
    with Project.open(copy) as saved:
        np.testing.assert_array_equal(saved.unit, units)


def test_a_copy_keeps_the_units_even_where_the_journal_is_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.open(folder) as project:
        project.assign(project.rows(2)[:5], 2)
        with monkeypatch.context() as broken:
            broken.setattr(
                "neuralsorter.storage.rescue._whole_action",
                lambda db, n, last: (n == 1 and whole_action(db, n, last)) or None,
            )
            copied = project.save_copy(folder.parent / "copy.nsort")
        with Project.open(copied) as copy:
            np.testing.assert_array_equal(copy.unit, project.unit)
            assert "as they were in memory" in copy.history()[-1].label


def test_a_damaged_journal_is_recovered_kept_and_said(folder: Path) -> None:
    with Project.open(folder) as project:
        for unit in range(2, 8):
            project.assign(project.rows(2)[:unit], unit, label=f"step {unit}")
    path = folder / "curation.db"
    damaged = path.read_bytes().replace(b"step 5", b"step 6", 1)
    path.write_bytes(damaged)
    for backup in (folder / "backups").iterdir():
        backup.unlink()
    with pytest.raises(ProjectError, match="journal is damaged"):
        Project.open(folder, read_only=True)
    with Project.open(folder) as project:
        assert "first 4 actions are recovered" in project.notice
        assert project.undo_label == "step 4"
        assert project.verify() == []
    (kept,) = folder.glob("curation.damaged-*.db")
    assert kept.read_bytes() == damaged
    with Project.open(folder) as project:
        assert project.notice == ""


def test_a_lost_journal_is_taken_from_the_newest_backup(folder: Path) -> None:
    with Project.open(folder) as project:
        project.assign(project.rows(2)[:5], 2)
    (folder / "curation.db").unlink()
    with Project.open(folder) as project:
        assert "from the copy" in project.notice
        assert project.counts(2)[2] == 5


def test_a_lost_journal_without_backup_leaves_the_events_as_imported(folder: Path) -> None:
    shutil.rmtree(folder / "backups")
    (folder / "curation.db").write_bytes(b"")
    with Project.open(folder) as project:
        assert "0 actions" in project.notice
        assert set(project.unit.tolist()) == {1}
        assert project.verify() == []


def test_a_whole_recording_action_is_preceded_by_a_backup(folder: Path) -> None:
    with Project.open(folder) as project:
        project.assign(project.rows(2)[:5], 2)
        before = set((folder / "backups").iterdir())
        project.clean(np.arange(len(project)), np.zeros(len(project)), 0.5)
        (made,) = set((folder / "backups").iterdir()) - before
        assert int(made.stem.rpartition("-")[2]) == project.history()[-2].id


def test_every_so_many_actions_the_journal_is_backed_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuralsorter.storage.keeping.EVERY_ACTIONS", 5)
    with Project.open(folder) as project:
        have = len(list((folder / "backups").iterdir()))
        for unit in range(2, 14):
            project.assign(project.rows(2), unit)
        assert len(list((folder / "backups").iterdir())) == have + 2


def test_a_project_of_a_newer_version_is_refused(folder: Path) -> None:
    with sqlite3.connect(folder / "curation.db") as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    (folder / "curation.seal").unlink()
    with pytest.raises(ProjectError, match="newer NeuralSorter"):
        Project.open(folder)
    assert not list(folder.glob("*damaged*"))
    facts = folder / "project.json"
    facts.write_text(facts.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(ProjectError, match=r"newer NeuralSorter .project format 7"):
        Project.open(folder)


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="not a NeuralSorter project"):
        Project.open(tmp_path)
    with pytest.raises(ProjectError, match="needs events"):
        Project.create(tmp_path / "a.nsort", [])
    (tmp_path / "b.nsort").mkdir()
    with pytest.raises(ProjectError, match="exists already"):
        Project.create(tmp_path / "b.nsort", spikes=recording())


def test_events_of_another_project_are_refused(folder: Path, tmp_path: Path) -> None:
    Project.create(tmp_path / "b.nsort", spikes=recording(seed=9)).close()
    shutil.rmtree(folder / "experiments")
    shutil.copytree(tmp_path / "b.nsort" / "experiments", folder / "experiments")
    with pytest.raises(ProjectError, match="not the events that the journal was written for"):
        Project.open(folder)


def test_a_failed_import_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neuralsorter.store.sync_file", full)
    with pytest.raises(ProjectError, match="No space left"):
        Project.create(tmp_path / "a.nsort", spikes=recording())
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_import_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "a.nsort.partial"
    (left / "experiments" / "0000.partial").mkdir(parents=True)
    (left / "lock.0").write_text("{}")
    with Project.create(tmp_path / "a.nsort", spikes=recording()) as project:
        assert project.verify() == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.nsort"]


def test_an_import_that_another_process_is_making_is_left_alone(tmp_path: Path) -> None:
    left = tmp_path / "a.nsort.partial"
    left.mkdir()
    other = WriterLock(left)
    assert other.acquire()
    with pytest.raises(ProjectError, match="another process is making it"):
        Project.create(tmp_path / "a.nsort", spikes=recording())
    assert left.is_dir()
    other.release()


def test_an_experiment_stored_but_not_yet_told_to_the_journal_is_adopted(folder: Path, tmp_path: Path) -> None:
    save(recording(60, seed=1), tmp_path / "second.npz")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with Project.open(folder) as project:
        append, project._journal.append = project._journal.append, killed  # type: ignore[method-assign,assignment] # as if killed there
        with pytest.raises(KeyboardInterrupt):
            project.add(tmp_path / "second.npz")
        project._journal.append = append  # type: ignore[method-assign] # so that it closes
    with Project.open(folder) as project:
        assert len(project) == 460
        assert project.verify() == []


def test_export_writes_input_order_units_and_former_units(folder: Path, tmp_path: Path) -> None:
    with Project.open(folder) as project:
        project.assign(project.rows(2), 4)
        project.export(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as data:
        channel = recording().channel
        np.testing.assert_array_equal(data["ChannelID"], channel)
        np.testing.assert_array_equal(data["UnitID"], np.where(channel == 2, 4, 1))
        np.testing.assert_array_equal(data["OldID"], np.where(channel == 2, 1, -1))


def test_a_failed_sync_of_a_small_file_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.write_whole(tmp_path / "a", b"old")

    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "sync_file", fail)
    with pytest.raises(OSError, match="Input/output"):
        disk.write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_project_spikes_are_a_snapshot_of_the_units(project: Project) -> None:
    before = project.spikes
    project.assign(project.rows(2), 9)
    assert set(before.unit.tolist()) == {1}
    assert set(project.spikes.unit[project.rows(2)].tolist()) == {9}
    assert project.spikes is project.spikes
