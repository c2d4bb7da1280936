"""Writing that a crash cannot leave half done."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import threading
from pathlib import Path
from typing import IO, Any

PARTIAL = ".partial"
READ_ONLY_MODE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_PIECE = 1 << 22

# POSIX drops a process's locks on a file when any handle of it is closed. So whoever reads the journal past SQLite
# holds this, and so does whoever writes to it.
journal_bytes = threading.RLock()


def sync_file(file: IO[Any]) -> None:
    """Return once the file's bytes are on the disk itself."""
    file.flush()
    if hasattr(os, "F_FULLFSYNC"):  # pragma: no cover - macOS, where fsync stops at the drive's cache
        import fcntl

        fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore] # macOS only
    else:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return once the folder's names are on disk, so that a file just made or renamed keeps its name."""
    if os.name == "nt":  # pragma: no cover - Windows has no such call and needs none
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file so that a reader sees the old one or the new one, whole."""
    partial = path.with_name(path.name + PARTIAL)
    with partial.open("wb") as file:
        file.write(data)
        sync_file(file)
    partial.replace(path)
    sync_folder(path.parent)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def copy_durably(source: Path, target: Path) -> None:
    """Copy one file and return once the copy is on disk."""
    with source.open("rb") as old, target.open("wb") as new:
        shutil.copyfileobj(old, new, _PIECE)
        sync_file(new)


def remove_tree(folder: Path) -> None:
    """Remove a folder of ours, read-only files included."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and os.name == "nt":  # pragma: no cover - Windows refuses otherwise
            path.chmod(stat.S_IWRITE)
    shutil.rmtree(folder)
