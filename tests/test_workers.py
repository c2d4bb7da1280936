from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuralsorter import Spikes, workers
from neuralsorter.errors import Cancelled, LoadError, WorkerError
from neuralsorter.packing import pack, unpack


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield
    assert list(scratch.iterdir()) == []


def test_a_value_comes_back() -> None:
    array = np.arange(600_000, dtype=np.int16).reshape(-1, 60)
    np.testing.assert_array_equal(workers.call("numpy:negative", array), -array)


def test_everything_that_may_cross_crosses_unchanged(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": np.array([1, 2]), "name": ["a", "b"]})
    value = [
        None,
        True,
        1,
        2.5,
        "µV",
        b"\0\xff",
        (1, "a"),
        {1, 2},
        {(1, 2): [3], "a": None},
        Path("x"),
        np.float32(1.5),
    ]
    pack(value, tmp_path)
    assert unpack(tmp_path) == value
    (tmp_path / "more").mkdir()
    spikes = Spikes(
        np.zeros((2, 5), np.int16), np.zeros(2), np.ones(2, int), np.ones(2, int), np.zeros(2, int),
        pre_samples=2, labels={(1, 1): "good"}, channels=table,
    )  # fmt: skip
    pack(spikes, tmp_path / "more")
    again = unpack(tmp_path / "more")
    assert again.labels == spikes.labels
    pd.testing.assert_frame_equal(again.channels, table)
    assert again.raw.dtype == np.int16


def test_what_may_not_cross_is_named() -> None:
    with pytest.raises(WorkerError, match="A object cannot cross"):
        workers.call("builtins:len", object())
    with pytest.raises(WorkerError, match="array of Python objects"):
        workers.call("builtins:len", np.array([None, "a"]))


def test_an_error_of_ours_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.nev").write_bytes(b"no")
    with pytest.raises(LoadError) as caught:
        workers.call("neuralsorter.loading:parse", str(tmp_path / "a.nev"))
    assert caught.value.path == str(tmp_path / "a.nev")
    assert caught.value.remedy == "Give it the suffix of its real format"


def test_another_error_is_told_in_a_sentence_with_its_traceback_as_a_note() -> None:
    with pytest.raises(WorkerError, match="math:sqrt failed: ValueError") as caught:
        workers.call("math:sqrt", -1.0)
    assert "Traceback" in caught.value.__notes__[0]


@pytest.mark.parametrize(("target", "args", "how"), [("os:abort", (), "SIGABRT"), ("os:_exit", (3,), "exit status 3")])
def test_a_crash_is_a_sentence(target: str, args: tuple[Any, ...], how: str) -> None:
    with pytest.raises(WorkerError, match=how):
        workers.call(target, *args)


def test_a_hang_ends_with_its_time() -> None:
    started = time.monotonic()
    with pytest.raises(WorkerError, match=r"did not finish in 0\.3 s"):
        workers.call("time:sleep", 60, timeout_s=0.3)
    assert time.monotonic() - started < 10


def test_cancel_ends_the_worker_and_what_it_started(tmp_path: Path) -> None:
    stop, note = threading.Event(), tmp_path / "pid"
    script = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def cancel_when_running() -> None:
        while not (note.exists() and note.read_text()):
            time.sleep(0.02)
        stop.set()

    threading.Thread(target=cancel_when_running).start()
    with pytest.raises(Cancelled):
        workers.call("subprocess:check_output", [sys.executable, "-c", script], cancel=stop)
    for _ in range(100):
        if not _alive(int(note.read_text())):
            break
        time.sleep(0.05)
    assert not _alive(int(note.read_text()))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_memory_is_limited() -> None:
    with pytest.raises(WorkerError, match="more memory than it may have"):
        workers.call("builtins:bytearray", 2_000_000_000, memory_mb=500)


def test_progress_arrives_here() -> None:
    seen = []
    workers.call("neuralsorter.workers:progress", 0.5, "half", on_progress=lambda *said: seen.append(said))
    assert seen == [(0.5, "half")]


def test_what_a_worker_prints_does_not_disturb_it() -> None:
    assert workers.call("builtins:print", '{"done": false}') is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not close files")
def test_a_worker_that_may_read_one_file_reads_no_other(tmp_path: Path) -> None:
    (tmp_path / "given").write_text("yes\n")
    (tmp_path / "secret").write_text("no\n")
    may = [tmp_path / "given"]
    assert workers.call("linecache:getlines", str(tmp_path / "given"), readable=may) == ["yes\n"]
    assert workers.call("os.path:getsize", str(tmp_path / "secret"), readable=may) == 3
    assert workers.call("linecache:getlines", str(tmp_path / "secret"), readable=may) == []
    with pytest.raises(WorkerError, match="PermissionError"):
        workers.call("os:mkdir", str(tmp_path / "made"), readable=may)


def test_workers_run_from_many_threads_at_once() -> None:
    results: list[Any] = []
    threads = [threading.Thread(target=lambda i=i: results.append(workers.call("math:factorial", i))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [1, 1, 2, 6]


def test_a_module_in_the_current_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('wrong numpy')")
    monkeypatch.chdir(tmp_path)
    assert workers.call("os:getcwd") == os.getcwd()  # noqa: PTH109 - the same function
