from __future__ import annotations

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
    return tmp_path / "lab"


@pytest.mark.parametrize(
    "path",
    [
        "..", "../lab-secret", "../lab-secret/b.nev", "escape", "escape/b.nev", "day1/../../lab-secret", "/etc/passwd",
        "/", "/dev/null", "a.nev\0.txt", "missing.nev", "./../lab/../lab-secret", "//etc//passwd", "/proc/self/environ",
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
    assert any(name.startswith("a.nev") for name in names)
    assert not any("notes" in name or "parent" in name for name in names)
