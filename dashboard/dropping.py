"""Files dropped on the page: kept where projects go, for a project lies beside its recording and must last."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path


def kept(dropped: Mapping[str, bytes | str], folder: Path) -> list[Path]:
    """Write dropped files into a folder and return their paths; one that is there already is found, not written again.

    Another file of the same name gets a number. Where the folder cannot be written, a temporary one is taken.
    """
    contents = {name: c if isinstance(c, bytes) else c.encode() for name, c in dropped.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_kept(name, content, folder) for name, content in contents.items()]
    except OSError:
        spare = Path(tempfile.mkdtemp(prefix="neuralsorter-"))
        return [_kept(name, content, spare) for name, content in contents.items()]


def _kept(name: str, content: bytes, folder: Path) -> Path:
    plain = Path(Path(name).name)  # the browser's name only: never a path
    number = 1
    while True:
        path = folder / (plain.name if number == 1 else f"{plain.stem}_{number}{plain.suffix}")
        if not path.exists():
            path.write_bytes(content)
            return path
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return path
        number += 1
