"""Many channels at once: the same function over a list of tasks, here or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .cores import cores
from .errors import Cancelled, WorkerError
from .kept import Kept

T = TypeVar("T")
R = TypeVar("R")

Progress = Callable[[int, int], None]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_WORKING_B = 400_000_000  # what a process takes by itself
_COPIES = 12  # of a channel's waveforms that are held while it is worked on
_WAITING = 2  # tasks handed over per process before one is done: bounds the memory, keeps every process busy
_LOOK_S = 0.1
_PRELOADED = ["__main__", "neuralsorter.sorting", "neuralsorter.cleaning", "neuralsorter.metrics"]


@dataclass(frozen=True)
class Plan:
    """Where `map_channels` works and what it keeps.

    Attributes
    ----------
    scheduler : str
        Address of a dask.distributed scheduler; empty: this computer.
    kept : Kept, optional
        Where finished results are kept until all are.

    """

    scheduler: str = ""
    kept: Kept | None = None


_plan: ContextVar[Plan | None] = ContextVar("plan", default=None)


@contextmanager
def planned(scheduler: str = "", kept_in: Path | None = None) -> Iterator[None]:
    """Let every `map_channels` inside the block work on a cluster, or keep results in a folder until the block ends.

    A block that is killed or fails leaves the folder; the same work begun again then does only what is missing.
    """
    kept = Kept(kept_in) if kept_in is not None else None
    token = _plan.set(Plan(scheduler, kept))
    try:
        yield
        if kept is not None:
            kept.remove()
    finally:
        _plan.reset(token)


def plan() -> Plan | None:
    """Return the plan of the block this runs in, if any."""
    return _plan.get()


def all_jobs(largest_bytes: int = 0) -> int:
    """Return how many processes to use: one a core, as far as memory allows with channels of this size."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return cores()
    return max(1, min(cores(), free // (_WORKING_B + _COPIES * largest_bytes)))


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
        Processes. 1 works in this one; fewer than 1 means as many as cores and memory allow.
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
    chosen = plan()
    if chosen is not None and chosen.kept is not None:
        yield from _kept(chosen.kept, function, tasks, jobs, progress, cancel, count)
    else:
        yield from _mapped(function, tasks, jobs, progress, cancel, count)


def _mapped(
    function: Any, tasks: Any, jobs: int, progress: Progress | None, cancel: Any, count: int
) -> Iterator[tuple[int, Any]]:
    chosen = plan()
    jobs = jobs if jobs >= 1 else all_jobs()
    if chosen is not None and chosen.scheduler:
        from . import cluster

        with cluster.pool(chosen.scheduler) as (workers, n):
            pairs = ((function, task) for task in tasks)
            yield from _over(workers, cluster.one_thread, pairs, count, n, progress, cancel)
    elif jobs == 1 or count == 1:
        yield from _here(function, tasks, count, progress, cancel)
    else:
        jobs = min(jobs, count) if count else jobs
        with _pool(jobs) as processes:
            yield from _over(processes, function, tasks, count, jobs, progress, cancel)


def _kept(
    kept: Kept, function: Any, tasks: Any, jobs: int, progress: Progress | None, cancel: Any, count: int
) -> Iterator[tuple[int, Any]]:
    """Yield what is kept, work out what is not, and keep it as it comes; in order."""
    there: dict[int, str] = {}
    missing: list[tuple[int, str]] = []

    def to_do() -> Iterator[Any]:
        for index, task in enumerate(tasks):
            key = kept.key(function, task)
            if kept.has(key):
                there[index] = key
            else:
                missing.append((index, key))
                yield task

    def told(done: int, _: int) -> None:
        if progress is not None:
            progress(done + len(there), count)

    wanted = 0
    for number, result in _mapped(function, to_do(), jobs, told, cancel, count):
        index, key = missing[number]
        kept.save(key, result)
        for earlier in range(wanted, index):
            yield earlier, kept.load(there[earlier])
        yield index, result
        wanted = index + 1
    for index in sorted(there):
        if index >= wanted:
            yield index, kept.load(there[index])


def check(cancel: threading.Event | None) -> None:
    """Raise Cancelled when `cancel` is set."""
    if cancel is not None and cancel.is_set():
        raise Cancelled("The work was stopped; nothing was changed.")


def _here(function: Any, tasks: Any, count: int, progress: Progress | None, cancel: Any) -> Iterator[tuple[int, Any]]:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # it comes without types

    for index, task in enumerate(tasks):
        check(cancel)
        with threadpool_limits(1):  # as in the processes, so that sums are added up in the same order
            result = function(task)
        if progress is not None:
            progress(index + 1, count)
        yield index, result
    check(cancel)


def _over(
    pool: Executor, function: Any, tasks: Any, count: int, jobs: int, progress: Progress | None, cancel: Any
) -> Iterator[tuple[int, Any]]:
    """Hand tasks to workers, a few ahead, and yield results in order."""
    remaining = enumerate(tasks)
    running: dict[Future[Any], tuple[int, Any, int]] = {}
    ready: dict[int, Any] = {}
    done = wanted = 0
    exhausted = False
    while True:
        while not exhausted and len(running) + len(ready) < _WAITING * jobs:
            index, task = next(remaining, (-1, None))
            exhausted = index < 0
            if not exhausted:
                running[pool.submit(function, task)] = index, task, 1
        if not running and not ready:
            break
        check(cancel)
        finished, _ = wait(running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        for future in finished:
            index, task, tried = running.pop(future)
            try:
                ready[index] = future.result()
            except Exception as error:  # noqa: BLE001 - what a task raises is raised again
                _require_another_try(error, tried)
                running[pool.submit(function, task)] = index, task, tried + 1
                continue
            done += 1
            if progress is not None:
                progress(done, count)
        while wanted in ready:
            yield wanted, ready.pop(wanted)
            wanted += 1
    check(cancel)


def _require_another_try(error: Exception, tried: int) -> None:
    """Raise, unless a cluster's worker died and another one may do the task."""
    from .cluster import TRIES, was_killed

    if isinstance(error, BrokenProcessPool):
        raise WorkerError(
            "A worker process died, most likely for want of memory: use fewer jobs and try again. A script of your own"
            ' must start its work under `if __name__ == "__main__":`, for each process reads it from the top.'
        ) from None
    if not was_killed(error):
        raise error
    if tried >= TRIES:
        raise WorkerError(f"{tried} workers of the cluster died with one channel. Give them more memory.") from None


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes by a fork server: safe beside threads. One thread of linear algebra each.

    The server imports once, in its life, what its processes need, and so each of them begins at once.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit  # a process that reads the user's script from the top: whoever started it says so
    context = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
    context.set_forkserver_preload(_PRELOADED)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_thread)
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
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    if "numba" in sys.modules:  # which read its number when it was imported, and compiles nothing under another
        numba = sys.modules["numba"]
        os.environ["NUMBA_NUM_THREADS"] = str(numba.config.NUMBA_NUM_THREADS)
        numba.set_num_threads(1)
