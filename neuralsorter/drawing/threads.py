"""The threads that draw: compiled functions that release the GIL run side by side, whoever asks."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from neuralsorter.cores import cores

MAX_THREADS = 8
MIN_SLICE = 4096  # events per thread; fewer are not worth a second thread


def threads() -> int:
    """Return the number of threads that draw."""
    return min(cores(), MAX_THREADS)


@lru_cache(maxsize=1)
def _pool(_process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="draw")


def run(tasks: list[tuple[Any, tuple[Any, ...]]]) -> list[Any]:
    """Call compiled functions that release the GIL side by side; a single one is called right here."""
    if len(tasks) <= 1:
        return [function(*arguments) for function, arguments in tasks]
    waiting: list[Future[Any]] = [_pool(os.getpid()).submit(function, *args) for function, args in tasks]
    return [future.result() for future in waiting]


def slices(n: int) -> int:
    """Return into how many slices, one per thread, n events are worth cutting."""
    return max(1, min(threads(), n // MIN_SLICE))
