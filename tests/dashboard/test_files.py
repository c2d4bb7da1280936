from __future__ import annotations

import os
from pathlib import Path

import pytest

from neuralsorter.errors import FileError


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder that may be shown, with neighbours that may not."""
    (tmp_path / "lab" / "day1").mkdir(parents=True)
    (tmp_path / "lab" / "a.nev").write_bytes(b"x")
    (tmp_path / "lab" / "notes.txt").write_text("no recording")
    (tmp_path / "lab-secret").mkdir()
    (tmp_path / "lab-secret" / "b.nev").write_bytes(b"x")
    (tmp_path / "lab" / "escape").symlink_to(tmp_path / "lab-secret")
    (tmp_path / "lab" / "link").symlink_to(tmp_path / "lab-secret" / "b.nev")
    (tmp_path / "lab" / "chain").symlink_to(tmp_path / "lab" / "escape" / "b.nev")
    (tmp_path / "lab" / "circle").symlink_to(tmp_path / "lab" / "circle")
    (tmp_path / "lab" / "day1" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "lab" / "pipe")
    return tmp_path / "lab"


@pytest.mark.parametrize(
    "path",
    [
        "..", "../lab-secret", "../lab-secret/b.nev", "escape", "escape/b.nev", "day1/../../lab-secret",
        "/etc/passwd", "/", "/dev/null", "a.nev\0.txt", "missing.nev", "./../lab/../lab-secret", "//etc//passwd",
        "/proc/self/environ", "../..", "day1/../..", "escape/..", "escape/../lab-secret/b.nev",
        "day1/./../../lab-secret/b.nev", "../LAB", "A.NEV", "DAY1", "a.nev/../../lab-secret", "day1/up", "\0",
        "\0/../lab-secret", "..\0", "..\\lab-secret", "\\\\?\\C:\\", "C:\\Windows", "file:///etc/passwd", "~",
        "~root", "$HOME", "%2e%2e/lab-secret", "..%2flab-secret", "\uff0fetc\uff0fpasswd", "\u2024\u2024/lab-secret",
        "/dev/zero", "/dev/stdin", "/dev/fd/0", "/proc/1/root", "/proc/self/cwd/../lab-secret",
        "/proc/self/root/etc/passwd", "link", "chain", "circle", "pipe", "day1/up/lab-secret", "x" * 5000,
        "/".join(["d"] * 3000),
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(lab: Path, path: str) -> None:
    from dashboard.folders import Folders

    with pytest.raises(FileError):
        Folders([lab]).inside(lab / path)


def test_files_inside_are_found(lab: Path) -> None:
    from dashboard.folders import Folders

    assert Folders([lab]).inside(lab / "day1" / ".." / "a.nev") == (lab / "a.nev").resolve()


def test_a_folder_that_is_a_recording_can_be_opened_and_looked_into(lab: Path) -> None:
    from dashboard.folders import Folders

    (lab / "day1" / "block.tsq").write_bytes(b"x")
    entries = Folders([lab]).entries(lab)
    names = [name.split("/")[0] for name, path in entries if path.name == "day1"]
    assert names == ["▸ day1", "▣ day1"]
    (lab / "linked").symlink_to(lab.parent / "lab-secret")
    (lab.parent / "lab-secret" / "block.tsq").write_bytes(b"x")
    assert not any(name.startswith("▣ linked") for name, _ in Folders([lab]).entries(lab))


def test_the_list_shows_projects_folders_and_readable_files_only(lab: Path) -> None:
    from dashboard.folders import Folders

    (lab / "old.nsort").mkdir()
    names = [name for name, _ in Folders([lab]).entries(lab)]
    assert names[0].startswith("◆ old")
    assert any(name.startswith("a.nev  ·  ") and name.endswith(" kB") for name in names)
    assert not any("notes" in name or "parent" in name for name in names)
