"""Every writer: to a file of its own, synced, put in place by one rename, synced again; the source is never touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import SaveError
from neuralsorter.saving import FOLDER_WRITERS, WRITERS

Steps = list[tuple[str, Path]]
posix = pytest.mark.skipif(os.name == "nt", reason="folders are synced where the system can")


def recording() -> ns.Spikes:
    return ns.simulate(n_channels=2, duration_s=4.0, seed=2).spikes


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """What is synced and renamed, in order; a file that is synced is said with its size then."""
    done: Steps = []
    sync, put, rename = os.fsync, os.replace, os.rename

    def synced(handle: int) -> None:
        sync(handle)
        done.append((f"sync {os.fstat(handle).st_size}", Path(f"/proc/self/fd/{handle}").readlink()))

    def moved(call: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        def move(old: Path, new: Path) -> None:
            call(old, new)
            done.extend([("from", Path(old)), ("to", Path(new))])

        return move

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved(put))
    monkeypatch.setattr(os, "rename", moved(rename))
    return done


@posix
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="names of open files are asked from /proc")
@pytest.mark.parametrize("suffix", [*WRITERS, *FOLDER_WRITERS])
def test_a_file_is_on_disk_before_it_has_its_name_and_its_name_before_it_is_called_saved(
    tmp_path: Path, suffix: str, steps: Steps
) -> None:
    path = tmp_path / f"out{suffix}"
    ns.save(recording(), path)
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    at = steps.index(("to", path))
    partial = steps[at - 1][1]
    assert partial.parent == tmp_path
    for file in files:
        written = partial / file.relative_to(path) if path.is_dir() else partial
        assert (f"sync {file.stat().st_size}", written) in steps[: at - 1], file
    assert [place for _, place in steps[at + 1 :]] == [tmp_path], "the folder is synced once the name is there"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [*WRITERS, *FOLDER_WRITERS])
def test_what_was_imported_stays_as_it_was_whatever_is_exported_beside_it(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"source{suffix if suffix in ('.npz', '.nev', '.nwb', '.plx', '.pkl') else '.npz'}"
    ns.save(recording(), source)
    before, stat = source.read_bytes(), source.stat()
    with ns.Project.create(tmp_path / "a.nsort", [source]) as project:
        project.assign(np.arange(9), 2)
        project.export(tmp_path / f"out{suffix}")
        with pytest.raises(SaveError, match="the file these events came from"):
            project.export(source)
    assert source.read_bytes() == before
    assert (source.stat().st_mtime_ns, source.stat().st_ino) == (stat.st_mtime_ns, stat.st_ino)


def test_a_source_is_known_by_its_parts_from_another_folder_and_by_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spikes = recording()
    parts = (np.arange(len(spikes)) * 2 // len(spikes)).astype(np.int32)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    ns.save(replace(spikes, experiment=parts), "two.npz")
    before = Path("two.npz").read_bytes()
    ns.Project.create("two.nsort", ["two.npz"]).close()
    (tmp_path / "link.npz").symlink_to(tmp_path / "two.npz")
    monkeypatch.chdir(tmp_path / "there")
    with ns.Project.open(tmp_path / "two.nsort") as project:
        assert len(project.experiments) == 2
        for name in ("../two.npz", str(tmp_path / "link.npz")):
            with pytest.raises(SaveError, match="the file these events came from"):
                project.export(name)
    assert (tmp_path / "two.npz").read_bytes() == before
