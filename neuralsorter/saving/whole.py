"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from neuralsorter.errors import SaveError


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `path` and put it in its place, on disk, when the block ends without an error.

    Raises
    ------
    SaveError
        When the disk refuses; what was at `path` before is unchanged.

    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            partial.chmod(path.stat().st_mode & 0o777)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as cause:
        what = f"cannot be written ({cause.strerror or cause})"
        raise SaveError(path, what, "Choose another place or make room; nothing was changed") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Make a folder beside `path` and put it in its place, on disk, when the block ends without an error.

    Raises
    ------
    SaveError
        When there is something at `path` already, or the disk refuses.

    """
    if path.exists():
        raise SaveError(path, "is there already", "Choose another name: folders are not replaced")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir()
        yield partial
        for path_there in [*partial.rglob("*"), partial]:
            if path_there.is_dir():
                sync_folder(path_there)
                continue
            with path_there.open("rb") as written:
                os.fsync(written.fileno())
        partial.rename(path)
        sync_folder(path.parent)
    except OSError as cause:
        what = f"cannot be written ({cause.strerror or cause})"
        raise SaveError(path, what, "Choose another place or make room; nothing was changed") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
