from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neuralsorter.batch import map_channels
from neuralsorter.errors import Cancelled, DataError, WorkerError


# The workers import these by name, so they are functions of a module that is always there.
def test_results_come_in_order_whatever_the_jobs() -> None:
    tasks = list(range(7))
    alone = list(map_channels(abs, tasks))
    assert alone == list(map_channels(abs, tasks, jobs=2)) == [(i, i) for i in tasks]


def test_progress_counts_up_to_the_total() -> None:
    seen: list[tuple[int, int]] = []
    list(map_channels(abs, [1, 2, 3], jobs=2, progress=lambda done, total: seen.append((done, total))))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_tasks_are_made_only_as_they_are_needed() -> None:
    made: list[int] = []

    def tasks() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    results = map_channels(abs, tasks(), jobs=2, total=50)
    next(results)
    assert len(made) < 12
    assert len(list(results)) == 49


def test_a_cancel_stops_work_that_still_runs() -> None:
    cancel = threading.Event()
    threading.Timer(1.0, cancel.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(map_channels(time.sleep, [60.0, 60.0, 60.0], jobs=2, cancel=cancel))
    assert time.monotonic() - began < 20


def test_a_dead_worker_is_an_error_of_ours() -> None:
    with pytest.raises(WorkerError, match="fewer jobs"):
        list(map_channels(os._exit, [1, 1], jobs=2))


def test_an_error_in_a_worker_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_channels(_inverse, [1, 0], jobs=1))
    with pytest.raises(DataError):
        list(map_channels(_refuse, [1], jobs=1))


def test_it_works_from_a_thread_beside_others() -> None:
    found: list[tuple[int, float]] = []
    thread = threading.Thread(target=lambda: found.extend(map_channels(np.sqrt, [4.0, 9.0], jobs=2)))
    thread.start()
    thread.join(60)
    assert found == [(0, 2.0), (1, 3.0)]


def test_a_script_without_a_main_guard_is_told_about_it_once(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text("from neuralsorter.batch import map_channels\nprint(list(map_channels(abs, [1, 2], jobs=2)))\n")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode != 0
    assert run.stderr.count("Traceback") == 1
    assert '__name__ == "__main__"' in run.stderr


def _inverse(value: int) -> float:
    return 1 / value


def _refuse(_: int) -> float:
    raise DataError("The value must be other. Got this. Change it.")
