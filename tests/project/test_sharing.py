"""One project, several openings and processes: one edits, the others look on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralsorter.errors import ProjectError
from neuralsorter.project import Project
from neuralsorter.saving import save
from neuralsorter.spikes import Spikes
from neuralsorter.storage.lock import WriterLock


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


def test_those_who_look_on_see_an_added_recording(
    recording: Callable[..., Spikes], folder: Path, tmp_path: Path
) -> None:
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


def test_a_folder_that_cannot_be_written_to_is_open_for_looking(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(WriterLock, "acquire", refuse)
    with Project.open(folder) as project:
        assert project.read_only
        assert project.counts(2)[1] > 0
        with pytest.raises(ProjectError, match="looking only"):
            project.undo_action(2) if project.can_undo else project.assign([0], 3)
