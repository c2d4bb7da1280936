"""A project comes back as it was left; copies and branches hold what they should."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralsorter.errors import ProjectError
from neuralsorter.project import Project
from neuralsorter.saving import save
from neuralsorter.spikes import Spikes
from neuralsorter.spiketrain import stretches


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


@pytest.mark.parametrize("known", [0.0, 0.7, 1.0])
def test_where_the_clock_ends_and_restarts_is_known_without_reading_the_recording(
    recording: Callable[..., Spikes], known: float
) -> None:
    rng = np.random.default_rng(3)
    times = np.where(rng.random(400) < known, rng.random(400) * 90, np.nan)
    segment = np.sort(rng.integers(0, 3, 400)).astype(np.int32)
    experiment = rng.integers(0, 2, 400).astype(np.int32)
    for table in (recording(times_s=times), recording(times_s=times, segment=segment, experiment=experiment)):
        with Project.in_memory(table) as project:
            assert project.last_time_s == (np.nanmax(times) if known else 0.0)
            rows = project.rows(5)[::3]
            np.testing.assert_array_equal(project.stretches_of(rows), stretches(project.spikes)[rows])
            assert project.sources == list(project.spikes.sources)


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


def test_a_branch_from_before_a_recording_was_added_does_not_hold_it(
    recording: Callable[..., Spikes], folder: Path, tmp_path: Path
) -> None:
    save(recording(60, seed=1), tmp_path / "second.npz")
    with Project.open(folder) as project:
        first = project.assign(project.rows(2)[:5], 2)
        assert first is not None
        project.add(tmp_path / "second.npz")
        with project.branch(tmp_path / "b.nsort", first.id) as branch:
            assert (len(branch), branch.counts(2)[2]) == (400, 5)
        with project.branch(tmp_path / "c.nsort", 0) as branch:
            assert (len(branch), branch.n_edits) == (400, 0)


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


def test_what_is_no_project_is_refused(recording: Callable[..., Spikes], tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="not a NeuralSorter project"):
        Project.open(tmp_path)
    with pytest.raises(ProjectError, match="needs events"):
        Project.create(tmp_path / "a.nsort", [])
    (tmp_path / "b.nsort").mkdir()
    with pytest.raises(ProjectError, match="exists already"):
        Project.create(tmp_path / "b.nsort", spikes=recording())


def test_export_writes_input_order_units_and_former_units(
    recording: Callable[..., Spikes], folder: Path, tmp_path: Path
) -> None:
    with Project.open(folder) as project:
        project.assign(project.rows(2), 4)
        project.export(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as data:
        channel = recording().channel
        np.testing.assert_array_equal(data["ChannelID"], channel)
        np.testing.assert_array_equal(data["UnitID"], np.where(channel == 2, 4, 1))
        np.testing.assert_array_equal(data["OldID"], np.where(channel == 2, 1, -1))


def test_a_copy_keeps_the_network_that_the_project_chose(folder: Path, tmp_path: Path) -> None:
    from neuralsorter.adopting import adopt
    from neuralsorter.settings import settings

    (tmp_path / "learned.keras").write_bytes(b"a network")
    adopt(tmp_path / "learned.keras", folder)
    with Project.open(folder) as project:
        copy = project.save_copy(tmp_path / "copy.nsort")
    assert settings(copy).cleaner == str(copy / "models" / "learned-1.keras")
    assert (copy / "models" / "learned-1.keras").read_bytes() == b"a network"
