"""Worker processes: our own functions run apart from the program, so that a crash, a hang or a flood ends there.

A worker is a fresh Python started with `sys.executable`, never a fork: it works from any thread, from inside a web
server, and on every platform. It leads a session of its own and is ended as a group.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from . import errors
from .errors import Cancelled, NeuralSorterError, WorkerError

_POLL_S = 0.05
_LAST_WORDS = 20  # lines of a dying worker's stderr that are kept
_LONGEST_LINE = 1 << 16  # a worker that sends more in one line is not one of ours

_report: IO[str] | None = None  # set in a worker only: where its progress goes


def call(
    target: str,
    *args: Any,
    timeout_s: float | None = None,
    memory_mb: float | None = None,
    on_progress: Callable[[float, str], None] | None = None,
    cancel: threading.Event | None = None,
    readable: Sequence[str | Path] | None = None,
) -> Any:
    """Run a function in a fresh process and return its value.

    Parameters
    ----------
    target : str
        "module:function" of this package.
    *args : Any
        What `packing.pack` takes: numbers, text, containers, arrays, DataFrames, Spikes.
    timeout_s : float, optional
        Seconds after which the worker is ended.
    memory_mb : float, optional
        MB of data the worker may hold, where the system can limit it.
    on_progress : callable, optional
        Called here with each `progress(fraction, text)` of the worker.
    cancel : threading.Event, optional
        When set, the worker is ended within a tenth of a second.
    readable : sequence of str or Path, optional
        When given, the worker can read these and the Python installation, write nothing but its answer, and open no
        network connection, where the system can enforce it (Linux 5.13 or later).

    Raises
    ------
    NeuralSorterError
        The worker's own, as it was raised there.
    WorkerError
        When the worker fails otherwise, crashes or runs out of time.
    Cancelled
        When `cancel` was set.

    """
    from .packing import pack, unpack

    if cancel is not None and cancel.is_set():
        raise Cancelled("Stopped before it began; nothing was changed.")
    with _scratch() as folder:
        pack(list(args), folder / "arguments")
        order = {
            "target": target,
            "memory_mb": memory_mb,
            "path": [entry for entry in sys.path if Path(entry).is_absolute()],
            "readable": None if readable is None else [str(Path(path).absolute()) for path in readable],
        }
        (folder / "order.json").write_text(json.dumps(order), "utf-8")
        outcome = _Run(folder, target, timeout_s).wait(on_progress, cancel)
        if "error" in outcome:
            raise _revived(outcome)
        return unpack(folder / "value")


def progress(fraction: float, text: str = "") -> None:
    """Tell the caller of this worker how far the work is, 0 to 1. Does nothing outside a worker."""
    if _report is not None:
        _send({"progress": float(fraction), "text": str(text)})


class _Run:
    """One worker process from its start to its end."""

    def __init__(self, folder: Path, target: str, timeout_s: float | None) -> None:
        self.target, self.timeout_s = target, timeout_s
        self.deadline = time.monotonic() + timeout_s if timeout_s is not None else float("inf")
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.words: deque[str] = deque(maxlen=_LAST_WORDS)
        home = str(Path(__file__).resolve().parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, home, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for read in (self._read_messages, self._read_words):
            threading.Thread(target=read, daemon=True).start()

    def wait(self, on_progress: Callable[[float, str], None] | None, cancel: threading.Event | None) -> dict[str, Any]:
        """Return the last message: {"done": true} or {"error": ...}."""
        try:
            while True:
                if cancel is not None and cancel.is_set():
                    raise Cancelled("Stopped; nothing was changed.")
                if time.monotonic() > self.deadline:
                    late = f"{self.target} did not finish in {self.timeout_s:g} s and was ended."
                    raise WorkerError(f"{late} Give it more time or less work.")
                try:
                    message = self.messages.get(timeout=_POLL_S)
                except queue.Empty:
                    continue
                if message is None:
                    raise self._death()
                if "progress" not in message:
                    return message
                if on_progress is not None:
                    on_progress(message["progress"], message["text"])
        finally:
            self._end()

    def _read_messages(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it was asked for above
        with contextlib.suppress(ValueError, OSError):
            while line := self.process.stdout.readline(_LONGEST_LINE):
                self.messages.put(json.loads(line))
        self.messages.put(None)

    def _read_words(self) -> None:
        assert self.process.stderr is not None  # noqa: S101 - it was asked for above
        with contextlib.suppress(ValueError, OSError):
            while line := self.process.stderr.readline(_LONGEST_LINE):
                self.words.append(line.decode("utf-8", "replace").rstrip())

    def _death(self) -> WorkerError:
        try:
            code = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return WorkerError(f"{self.target} sent something that is no answer and was ended. Try again.")
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        last = next((word for word in reversed(self.words) if word.strip()), "")
        told = f" ({last})" if last else ""
        return WorkerError(f"{self.target} died with {how}{told}. Nothing was changed; try again with less data.")

    def _end(self) -> None:
        """End the worker and whatever it started; then wait, so that its number is not reused before."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder for what crosses; it is gone afterwards whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="neuralsorter-"))
    try:
        (folder / "arguments").mkdir()
        (folder / "value").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _revived(outcome: dict[str, Any]) -> NeuralSorterError:
    """Make the worker's error again."""
    cls = getattr(errors, str(outcome["error"]), None)
    if not (isinstance(cls, type) and issubclass(cls, NeuralSorterError)):
        cls = WorkerError
    try:
        error: NeuralSorterError = cls(*outcome["args"])
    except TypeError:  # an error class of another module, with other arguments
        error = WorkerError(" ".join(map(str, outcome["args"])))
    for note in outcome["notes"]:
        error.add_note(note)
    return error


_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from neuralsorter.workers import _work; _work(sys.argv[2])"


def _work(folder: str) -> None:
    """Run the order in a folder, write its value there and say so."""
    global _report  # noqa: PLW0603 - one worker, one report
    home = Path(folder)
    _die_with_parent(home)
    # What the work prints must not mix with what is reported.
    _report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads((home / "order.json").read_text("utf-8"))
    sys.path += [entry for entry in order["path"] if entry not in sys.path]
    try:
        _limit(order["memory_mb"])
        if order["readable"] is not None:
            _close_files([*order["readable"], *order["path"]], home)
        _send(_perform(order["target"], home))
    finally:
        _report.close()
    os._exit(0)  # libraries with threads of their own can hang a normal exit


def _perform(target: str, home: Path) -> dict[str, Any]:
    import importlib

    from .packing import pack, unpack

    try:
        module, _, name = target.partition(":")
        function = getattr(importlib.import_module(module), name)
        pack(function(*unpack(home / "arguments")), home / "value")
    except NeuralSorterError as error:
        args = error.__reduce__()[1]
        return {"error": type(error).__name__, "args": [str(a) for a in args], "notes": getattr(error, "__notes__", [])}
    except MemoryError:
        return _failure(f"{target} needs more memory than it may have. Give it less data at once.")
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets one sentence and the traceback as a note
        import traceback

        told = f"{target} failed: {type(error).__name__}: {error}"
        return _failure(told, traceback.format_exc())
    return {"done": True}


def _failure(text: str, *notes: str) -> dict[str, Any]:
    return {"error": "WorkerError", "args": [text], "notes": list(notes)}


def _send(message: dict[str, Any]) -> None:
    assert _report is not None  # noqa: S101 - called in a worker only
    _report.write(json.dumps(message) + "\n")
    _report.flush()


def _limit(memory_mb: float | None) -> None:
    if os.name != "posix":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_mb is not None:
        size = int(memory_mb * 2**20)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _close_files(readable: list[str], home: Path) -> None:
    """Leave the files named, the Python installation and the folder of this order; nothing else can be opened."""
    if sys.platform != "linux":
        return
    from .scripting.confine import landlock

    os.environ["TMPDIR"] = tempfile.tempdir = str(home)
    landlock([*readable, sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[1])], str(home))


def _die_with_parent(home: Path) -> None:
    """End this worker when its caller is gone: at the end of stdin, and on Linux by the kernel as well."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        shutil.rmtree(home, ignore_errors=True)
        os._exit(1)

    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    threading.Thread(target=watch, daemon=True).start()
