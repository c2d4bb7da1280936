"""Recordings come in whole or not at all, and rewrite nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralsorter import store
from neuralsorter.errors import Cancelled, ProjectError
from neuralsorter.project import Project
from neuralsorter.saving import save
from neuralsorter.spikes import Spikes
from neuralsorter.storage.lock import WriterLock


def test_added_files_become_experiments_and_rewrite_nothing(
    recording: Callable[..., Spikes], folder: Path, tmp_path: Path
) -> None:
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


def sorted_and_not(recording: Callable[..., Spikes], path: Path, *, sorted_unit: int | None) -> Spikes:
    """Save a recording whose channel 2 has a sorted unit, or only unsorted events (in unit 1); return it."""
    table = recording(60, seed=sorted_unit or 0, labels={(2, 1): "unsorted"} if sorted_unit is None else {})
    if sorted_unit is not None:
        table = replace(table, unit=np.where(table.channel == 2, sorted_unit, 1).astype(np.int32))
    save(table, path)
    return table


def test_unsorted_events_of_one_file_stay_apart_from_a_sorted_unit_of_another(
    recording: Callable[..., Spikes], tmp_path: Path
) -> None:
    sorted_and_not(recording, tmp_path / "a.npz", sorted_unit=None)
    sorted_and_not(recording, tmp_path / "b.npz", sorted_unit=1)
    sorted_and_not(recording, tmp_path / "c.npz", sorted_unit=None)
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


def test_edits_do_not_wait_for_an_import_and_what_they_name_keeps_its_number(
    recording: Callable[..., Spikes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_and_not(recording, tmp_path / "a.npz", sorted_unit=None)
    sorted_and_not(recording, tmp_path / "b.npz", sorted_unit=1)
    write = store.write_beside
    written: list[Path] = []

    def while_a_person_edits(*given: Any) -> Path:
        if not written:  # the number 2 is free for the sorted unit of b.npz, until now
            editing = threading.Thread(target=lambda: project.assign(project.rows(2)[:3], 2))
            editing.start()
            editing.join(20)
            assert not editing.is_alive(), "the edit waits for the import"
        written.append(write(*given))
        return written[-1]

    with Project.create(tmp_path / "p.nsort", tmp_path / "a.npz") as project:
        monkeypatch.setattr(store, "write_beside", while_a_person_edits)
        project.add(tmp_path / "b.npz")
        assert [set(project.unit[project.rows(2, experiment=e)].tolist()) for e in range(2)] == [{1, 2}, {3}]
        assert project.labels == {(2, 1): "unsorted"}
        assert project.verify() == []
    assert len(written) == 2
    assert not list((tmp_path / "p.nsort" / "experiments").glob("*.partial"))


def test_an_import_that_was_overtaken_touches_nothing_of_the_one_who_edits_now(
    recording: Callable[..., Spikes], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in ((1, "first"), (2, "second")):
        save(recording(60, seed=seed), tmp_path / f"{name}.npz")
    write = store.write_beside

    def while_another_takes_over(*given: Any) -> Path:
        partial = write(*given)
        monkeypatch.setattr(store, "write_beside", write)
        with Project._opened(folder, read_only=False, take_over=True) as other:
            other.add(tmp_path / "second.npz")
        return partial

    with Project.open(folder) as project:
        monkeypatch.setattr(store, "write_beside", while_another_takes_over)
        with pytest.raises(ProjectError, match="taken over"):
            project.add(tmp_path / "first.npz")
    with Project.open(folder) as project:
        assert project.experiments[1:] == ["second.npz"]
        assert project.verify() == []


def test_a_file_of_another_rate_is_brought_to_the_first_ones(recording: Callable[..., Spikes], tmp_path: Path) -> None:
    for name, rate, pre in (("a", 20_000.0, 2), ("b", 10_000.0, 1)):
        save(recording(50, sampling_rate=rate, pre_samples=pre), tmp_path / f"{name}.npz")
    with Project.create(tmp_path / "p.nsort", [tmp_path / "a.npz", tmp_path / "b.npz"]) as project:
        assert project.experiments == ["a.npz", "b.npz"]
        assert project.raw(slice(0, 100)).shape == (100, 6)
        assert (project.sampling_rate, project.pre_samples) == (20_000.0, 2)


def test_an_import_tells_how_far_it_is_and_may_be_stopped(recording: Callable[..., Spikes], tmp_path: Path) -> None:
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


def test_a_failed_import_leaves_nothing(
    recording: Callable[..., Spikes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neuralsorter.store.sync_file", full)
    with pytest.raises(ProjectError, match="No space left"):
        Project.create(tmp_path / "a.nsort", spikes=recording())
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_import_left_is_cleared_away(recording: Callable[..., Spikes], tmp_path: Path) -> None:
    left = tmp_path / "a.nsort.partial"
    (left / "experiments" / "0000.partial").mkdir(parents=True)
    (left / "lock.0").write_text("{}")
    with Project.create(tmp_path / "a.nsort", spikes=recording()) as project:
        assert project.verify() == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.nsort"]


def test_an_import_that_another_process_is_making_is_left_alone(
    recording: Callable[..., Spikes], tmp_path: Path
) -> None:
    left = tmp_path / "a.nsort.partial"
    left.mkdir()
    other = WriterLock(left)
    assert other.acquire()
    with pytest.raises(ProjectError, match="another process is making it"):
        Project.create(tmp_path / "a.nsort", spikes=recording())
    assert left.is_dir()
    other.release()


def test_an_experiment_stored_but_not_yet_told_to_the_journal_is_adopted(
    recording: Callable[..., Spikes], folder: Path, tmp_path: Path
) -> None:
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
