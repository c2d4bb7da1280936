"""The project of a recording is found again, wherever it was made, and never taken for another's."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import neuralsorter as ns
from dashboard.dropping import kept
from dashboard.opening import open_project
from neuralsorter.errors import Cancelled
from neuralsorter.loading.remarks import collected

Opening = Callable[..., ns.Project]


@pytest.fixture
def opened(tmp_path: Path) -> Opening:
    """Open recordings in a place with a spare folder."""
    return partial(open_project, chosen=None, spare=tmp_path / "spare")


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    """Two different recordings of one name."""
    paths = [tmp_path / day / "a.npz" for day in ("monday", "tuesday")]
    for seed, path in enumerate(paths):
        path.parent.mkdir()
        ns.save(ns.simulate(n_channels=1, duration_s=3.0 + seed, seed=seed).spikes, path)
    return paths


def test_a_project_is_made_beside_its_recording_and_resumed(opened: Opening, recordings: list[Path]) -> None:
    with opened(recordings[:1]) as project:
        assert project.path == recordings[0].with_suffix(".nsort")
        project.assign([0, 1], 5)
    with opened(recordings[:1]) as again:
        assert again.unit[:2].tolist() == [5, 5]


def test_a_chosen_folder_tells_recordings_of_one_name_apart(
    opened: Opening, recordings: list[Path], tmp_path: Path
) -> None:
    chosen = tmp_path / "projects"
    for recording in recordings * 2:
        with opened([recording], chosen=chosen) as project:
            assert len(project) == len(ns.load(recording))
            project.assign([0], project.new_unit(project.channels()[0]))
            n_edits = project.n_edits
    assert n_edits == 2
    assert len(list(chosen.glob("*.nsort"))) == 2
    assert not list(tmp_path.glob("*day/*.nsort"))


def test_a_recording_in_a_folder_that_cannot_be_written_has_its_project_in_the_spare_one(
    opened: Opening, recordings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.opening._writable", lambda _: False)
    with opened(recordings[:1]) as project:
        assert project.path == tmp_path / "spare" / "a.nsort"


def test_a_further_recording_is_added_as_an_experiment(opened: Opening, recordings: list[Path]) -> None:
    other = recordings[0].with_name("b.npz")
    recordings[1].rename(other)
    opened(recordings[:1]).close()
    with opened([recordings[0], other]) as project:
        assert project.experiments == ["a.npz", "b.npz"]


@pytest.mark.parametrize("there", [False, True])
def test_the_reading_of_a_file_can_be_given_up(opened: Opening, tmp_path: Path, *, there: bool) -> None:
    spikes, cancel = ns.simulate(n_channels=1, duration_s=2.0, seed=0).spikes, threading.Event()
    for name in ("a.npz", "read_in_a_worker.pkl"):
        ns.save(spikes, tmp_path / name)
    if there:
        opened([tmp_path / "a.npz"]).close()
    cancel.set()
    with pytest.raises(Cancelled):
        opened([tmp_path / name for name in ("a.npz", "read_in_a_worker.pkl")], cancel=cancel)
    assert (tmp_path / "a.nsort").exists() == there
    if there:
        with ns.Project.open(tmp_path / "a.nsort") as project:
            assert project.experiments == ["a.npz"]
            assert not project.read_only


def test_what_a_reader_assumed_is_told_when_a_project_is_made(opened: Opening, tmp_path: Path) -> None:
    savemat(tmp_path / "a_spikes.mat", {"spikes": np.random.default_rng(0).normal(0, 50, (6, 64))})
    with collected() as remarks:
        opened([tmp_path / "a_spikes.mat"]).close()
    assert "states no sampling rate: 24000 Hz is assumed" in " ".join(remarks)


def test_a_dropped_file_is_kept_where_projects_go_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "projects"
    assert kept({"../../a.nev": b"one"}, folder) == [folder / "a.nev"]
    assert kept({"a.nev": b"two", "b.csv": "text"}, folder) == [folder / "a_2.nev", folder / "b.csv"]
    assert kept({"a.nev": b"one"}, folder) == [folder / "a.nev"]
    assert sorted(path.name for path in folder.iterdir()) == ["a.nev", "a_2.nev", "b.csv"]
    (tmp_path / "a file").write_text("no folder can be made here")
    (elsewhere,) = kept({"c.nev": b"three"}, tmp_path / "a file" / "projects")
    assert elsewhere.read_bytes() == b"three"
    shutil.rmtree(elsewhere.parent)
