"""The folders a server shows: what is in them, and that nothing outside them is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuralsorter import loading
from neuralsorter.errors import FileError
from neuralsorter.storage.folder import SUFFIX as PROJECT

from .importing import is_raw

UP = "↑ parent folder"


class Folders:
    """The folders a server shows, and nothing outside them.

    Parameters
    ----------
    roots : sequence of Path
        Folders that may be looked into, with everything below them.

    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = [root.resolve() for root in roots if root.is_dir()]

    def inside(self, path: str | Path) -> Path:
        """Return the resolved path, links followed.

        Raises
        ------
        FileError
            When it does not exist or lies outside the folders.

        """
        if "\0" in str(path):
            raise FileError(repr(str(path)), "a path has no NUL characters", "Choose a file from the list")
        try:
            real = Path(path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # a circle of links is a RuntimeError before Python 3.13
            raise FileError(path, "there is no such file", "Choose a file from the list") from None
        if not any(real.is_relative_to(root) for root in self.roots):
            shown = ", ".join(str(root) for root in self.roots)
            raise FileError(path, f"this server only opens files in {shown}", "Start it in the folder of your data")
        if not (real.is_file() or real.is_dir()):
            raise FileError(path, "this is neither a file nor a folder", "Choose a recording")
        return real

    def entries(self, folder: Path) -> list[tuple[str, Path]]:
        """Return (name shown, path) of the projects, folders and readable files in a folder, in that order."""
        suffixes = set(loading.suffixes())
        projects, folders, files = [], [], []
        for path in sorted(self.inside(folder).iterdir(), key=lambda p: p.name.lower()):
            if path.name.startswith("."):
                continue
            if path.suffix == PROJECT:
                projects.append((f"◆ {path.stem} (project)", path))
            elif path.is_dir():
                folders.append((f"▸ {path.name}/", path))
                if self._holds_recording(path):
                    files.append((f"▣ {path.name}/  ·  a recording of several files", path))
            elif is_raw(path):
                files.append((f"{path.name}  ·  {size_of(path)}, raw recording", path))
            elif path.suffix.lower() in suffixes:
                files.append((f"{path.name}  ·  {size_of(path)}", path))
        above = folder.parent
        up = [(UP, above)] if any(above.resolve().is_relative_to(root) for root in self.roots) else []
        return [*up, *projects, *folders, *files]

    def _holds_recording(self, folder: Path) -> bool:
        try:
            return loading.is_recording(self.inside(folder))
        except (OSError, FileError):
            return False


def size_of(path: Path) -> str:
    """Return the size of a file in words."""
    kilobytes = path.stat().st_size / 1e3
    return f"{kilobytes / 1e3:,.1f} MB" if kilobytes >= 1e3 else f"{kilobytes:,.1f} kB"
