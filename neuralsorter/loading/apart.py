"""A foreign file parsed in a process of its own, within limits of memory, time and what it may open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuralsorter import workers
from neuralsorter.errors import LoadError, WorkerError
from neuralsorter.plugins import user_folder

_MOST_MB, _LEAST_MB, _MB_PER_MB = 16_384, 2_048, 64.0  # a small file that fills the memory is damaged or made to do so
_LEAST_S, _S_PER_MB = 120.0, 2.0  # a damaged file can send its parser round in circles


def parsed_apart(target: str, path: Path, *args: Any, beside: Sequence[Path] = (), cancel: Any = None) -> Any:
    """Return `target(path, *args)` of a worker that can read the path, the files `beside` it, and no other.

    Raises
    ------
    LoadError
        Also when the file ends the process, or keeps it busy far longer than its size explains.

    """
    size_mb = _megabytes([path, *beside])
    try:
        return workers.call(
            target,
            str(path),
            *args,
            timeout_s=_LEAST_S + _S_PER_MB * size_mb,
            memory_mb=min(_LEAST_MB + _MB_PER_MB * size_mb, _MOST_MB),
            cancel=cancel,
            readable=[path, *beside, user_folder()],
        )
    except WorkerError as error:
        told = str(error).removeprefix(f"{target} ").partition(". ")[0]
        what = f"is damaged, or of another kind: the process that read it {told}"
        raise LoadError(path, what, "Copy or export it again") from None


def _megabytes(paths: Sequence[Path]) -> float:
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
