"""An existing cluster of dask.distributed as a pool of workers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from .errors import WorkerError

_CONNECT_S = 20
TRIES = 20  # a task is given to another worker as often, before it is taken for the cause


@contextmanager
def pool(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a scheduler; yield an executor and the number of tasks that its workers can do at once.

    Raises
    ------
    WorkerError
        When dask.distributed is not installed, or no scheduler answers.

    """
    try:
        from distributed import Client
    except ImportError:
        raise WorkerError(
            "--scheduler needs dask.distributed, which is not installed. Install neuralsorter[cluster]."
        ) from None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")  # a channel's events travel with their task
        try:
            client = Client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as cause:
            raise WorkerError(
                f"No dask scheduler answers at {address} ({cause}). Start one, or check the address that it printed."
            ) from None
        try:
            client.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError:
            client.close()
            raise WorkerError(
                f"The scheduler at {address} has no workers. Start some: dask worker {address}."
            ) from None
        try:
            n = sum(client.nthreads().values())
            yield client.get_executor(pure=False), n
        finally:
            client.close()


def was_killed(error: BaseException) -> bool:
    """Whether a task failed because the workers that had it died."""
    return type(error).__name__ == "KilledWorker"


def one_thread(task: tuple[Any, Any]) -> Any:
    """Run function(task) on a worker with one thread of linear algebra, as everywhere."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # it comes without types

    function, own = task
    with threadpool_limits(1):
        return function(own)
