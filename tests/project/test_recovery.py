"""Failed writes, damaged journals, lost files: said, and what can be kept is kept."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from neuralsorter.errors import ProjectError
from neuralsorter.project import Project
from neuralsorter.storage import disk
from neuralsorter.storage.rescue import _whole_action as whole_action


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


def test_a_failed_sync_of_a_small_file_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.write_whole(tmp_path / "a", b"old")

    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "sync_file", fail)
    with pytest.raises(OSError, match="Input/output"):
        disk.write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
