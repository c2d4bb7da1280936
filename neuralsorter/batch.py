"""Many channels at once: the same function over a list of tasks, here or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from .errors import Cancelled, WorkerError

T = TypeVar("T")
R = TypeVar("R")

Progress = Callable[[int, int], None]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_WAITING = 2  # tasks handed over per process before one is done: bounds the memory, keeps every process busy
_LOOK_S = 0.1


def map_channels(
    function: Callable[[T], R],
    tasks: Sequence[T] | Iterator[T],
    jobs: int = 1,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    total: int | None = None,
) -> Iterator[tuple[int, R]]:
    """Yield (index, function(task)) of every task, in order; the result does not depend on `jobs`.

    Parameters
    ----------
    function : callable
        A function of a module, with one argument; it is sent to the workers by name.
    tasks : sequence or iterator
        Taken one by one, so that an iterator that cuts each channel out of a memory map never holds them all.
    jobs : int
        Processes. 1 works in this one; fewer than 1 means one per core.
    progress : callable, optional
        Called with (tasks done, tasks in all).
    cancel : threading.Event, optional
        Stops the work within a moment when set.
    total : int, optional
        Number of tasks where `tasks` is an iterator.

    Raises
    ------
    Cancelled
        When `cancel` was set.
    WorkerError
        When a worker process died.

    """
    count = len(tasks) if isinstance(tasks, Sequence) else (total or 0)
    jobs = jobs if jobs >= 1 else (os.cpu_count() or 1)
    if jobs == 1 or count == 1:
        yield from _here(function, tasks, count, progress, cancel)
        return
    yield from _in_processes(function, tasks, count, min(jobs, count) if count else jobs, progress, cancel)


def check(cancel: threading.Event | None) -> None:
    """Raise Cancelled when `cancel` is set."""
    if cancel is not None and cancel.is_set():
        raise Cancelled("The work was stopped; nothing was changed.")


def _here(function: Any, tasks: Any, count: int, progress: Progress | None, cancel: Any) -> Iterator[tuple[int, Any]]:
    for index, task in enumerate(tasks):
        check(cancel)
        result = function(task)
        if progress is not None:
            progress(index + 1, count)
        yield index, result
    check(cancel)


def _in_processes(
    function: Any, tasks: Any, count: int, jobs: int, progress: Progress | None, cancel: Any
) -> Iterator[tuple[int, Any]]:
    remaining = enumerate(tasks)
    running: dict[Future[Any], int] = {}
    ready: dict[int, Any] = {}
    done = wanted = 0
    exhausted = False
    with _pool(jobs) as pool:
        while True:
            while not exhausted and len(running) + len(ready) < _WAITING * jobs:
                index, task = next(remaining, (-1, None))
                exhausted = index < 0
                if not exhausted:
                    running[pool.submit(function, task)] = index
            if not running and not ready:
                break
            check(cancel)
            finished, _ = wait(running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            for future in finished:
                try:
                    ready[running.pop(future)] = future.result()
                except BrokenProcessPool:
                    raise WorkerError(
                        "A worker process died, most likely for want of memory. Use fewer jobs and try again."
                    ) from None
                done += 1
                if progress is not None:
                    progress(done, count)
            while wanted in ready:
                yield wanted, ready.pop(wanted)
                wanted += 1
        check(cancel)


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes by a fork server: safe beside threads. One thread of linear algebra each."""
    method = "forkserver" if sys.platform != "win32" else "spawn"
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context(method), initializer=_one_thread)
    finished = False
    try:
        yield pool
        finished = True
    finally:
        if not finished:  # cancelled or failed: what still runs is of no use to anybody
            for process in list((pool._processes or {}).values()):  # noqa: SLF001 - the executor has no public stop
                process.terminate()
        pool.shutdown(wait=finished, cancel_futures=True)


def _one_thread() -> None:
    for name in _THREADS:
        os.environ[name] = "1"
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # it comes without types

    threadpool_limits(1)
