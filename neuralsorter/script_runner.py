"""Run users' scripts in processes of their own: warm, limited in time and memory, and harmless to the server."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import queue
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .errors import NeuralSorterError
from .passing import files, write_spikes
from .runner import CAN_FORK
from .scripts import describe_source
from .spikes import Spikes

_MAX_OUTPUT = 1 << 20
_MAX_RESULT = 16 << 20  # more would take the server longer to parse than a click should wait
_MAX_SCRATCH = 512 << 20
_LOOK_S = 0.05  # how often a running script is looked after
_GRACE_S = 5.0  # for a killed script to be gone
_START_S = 60.0
_KEPT = 2  # idle processes
_ENVIRONMENT = {
    *("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONHOME", "LD_LIBRARY_PATH"),
    *("DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
}


@dataclass(frozen=True, eq=False)
class ScriptResult:
    """What came of a run.

    Attributes
    ----------
    kind : {"bokeh", "png", "svg", "table", "text", "proposal", "none"}
        "bokeh": payload is a document, for `bokeh.document.Document.from_json`; "png": bytes; "svg": str;
        "table": a DataFrame; "text": str; "proposal": (n_spikes,) int64, new units for the events shown.
    payload : object
        As `kind` says; None for "none".
    output : str
        What the script printed.
    error : str
        Why it failed: the traceback of the script's own lines, or a sentence; empty when it did not.
    seconds : float
        From the call to the result.
    in_force : tuple of str
        The limits the system put on it, such as "namespaces", "limits", "landlock 7".

    """

    kind: str
    payload: Any = None
    output: str = ""
    error: str = ""
    seconds: float = 0.0
    in_force: tuple[str, ...] = ()


class ScriptRunner:
    """Runs scripts, several at once if asked to from several threads. One per server is enough.

    Nothing starts before the first `prewarm` or `run`.

    Parameters
    ----------
    fork : bool
        Whether a warm process forks a child per script (Linux), or is used for one script only.

    """

    def __init__(self, *, fork: bool = CAN_FORK) -> None:
        self._fork = fork
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self._closed = False

    def prewarm(self) -> None:
        """Start a process in the background, so that the first script need not wait for it."""
        threading.Thread(target=lambda: self._give_back(self._take()), daemon=True).start()

    def run(
        self,
        source: str,
        name: str,
        spikes: Spikes,
        parameters: Mapping[str, Any] | None = None,
        *,
        channel: Spikes | None = None,
        everything: Spikes | None = None,
        timeout_s: float = 60.0,
        memory_mb: int = 2048,
        on_output: Callable[[str], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> ScriptResult:
        """Run a script and wait for it. Never raises for what a script does.

        Parameters
        ----------
        source, name : str
            Its text, and the name its traceback shows.
        spikes : Spikes
            The events shown: the first argument of its `run`.
        parameters : mapping
            Values of its parameters; the others have their defaults.
        channel, everything : Spikes, optional
            Events for arguments of these names.
        timeout_s, memory_mb : float, int
            Seconds it may take, and MB it may use.
        on_output : callable
            Called in this thread with each piece of text it prints.
        cancel : threading.Event
            Set it to stop the script.

        """
        started = time.perf_counter()
        script = describe_source(source, name)
        try:
            if script.error:
                return ScriptResult("none", error=script.error)
            values = script.values(parameters or {})
        except NeuralSorterError as error:
            return ScriptResult("none", error=str(error))
        data = {"spikes": spikes, "channel": channel or spikes, "everything": everything or channel or spikes}
        used = {key: table for key, table in data.items() if key == "spikes" or key in source}
        process = self._take()
        limits = _Limits(timeout_s, memory_mb, on_output or (lambda _: None), cancel or threading.Event())
        try:
            result = process.run(source, f"{name}.py", used, values, limits)
        finally:
            self._give_back(process)
        return replace(result, seconds=time.perf_counter() - started)

    def close(self) -> None:
        """End all processes and remove what they left."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

    def _take(self) -> _Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.alive:
                    return process
                process.close()
        return _Process(fork=self._fork)

    def _give_back(self, process: _Process) -> None:
        with self._lock:
            if process.reusable and not self._closed and len(self._idle) < _KEPT:
                self._idle.append(process)
                return
        process.close()
        if not (self._fork or self._closed):
            self.prewarm()


@dataclass(frozen=True)
class _Limits:
    timeout_s: float
    memory_mb: int
    on_output: Callable[[str], None]
    cancel: threading.Event


class _Process:
    """One `python -m neuralsorter.runner` and its folder; two threads read its pipes."""

    def __init__(self, *, fork: bool) -> None:
        self._fork = fork
        shared = Path("/dev/shm")  # noqa: S108 - memory, not disk; the folder made in it is ours alone
        self.session = Path(
            tempfile.mkdtemp(prefix="neuralsorter-", dir=shared if os.access(shared, os.W_OK) else None)
        )
        package = Path(__file__).resolve().parents[1]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "neuralsorter.runner", str(self.session), "fork" if fork else "once"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.session,
            env={
                **_harmless_environment(),
                **threads,
                "PYTHONPATH": path,
                "PYTHONUNBUFFERED": "1",
                "PYTHONWARNINGS": "ignore",
            },
            start_new_session=True,
        )
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_control, self._read_output)]
        for reader in self._readers:
            reader.start()
        self._n_runs = 0

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    @property
    def reusable(self) -> bool:
        return self.alive and (self._fork or not self._n_runs)

    def run(
        self, source: str, path: str, data: dict[str, Spikes], values: dict[str, Any], limits: _Limits
    ) -> ScriptResult:
        self._n_runs += 1
        folder = self.session / f"run{self._n_runs}"
        scratch = folder / "scratch"
        scratch.mkdir(parents=True)
        try:
            job = self._job(source, path, data, values, limits, folder)
            (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
            self._send({"job": str(folder / "job.json")})
            watch = _Watch(scratch, limits, job["mark"].encode())
            status = self._wait(watch)
            return _result(scratch, status, watch, len(data["spikes"]))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """End the process: it kills what it runs when its input closes."""
        with contextlib.suppress(OSError):
            if self._popen.stdin is not None:
                self._popen.stdin.close()
        try:
            self._popen.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._kill()
            self._popen.wait()
        for reader in self._readers:
            reader.join(_GRACE_S)
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self.session, ignore_errors=True)

    def _job(
        self, source: str, path: str, data: dict[str, Spikes], values: dict[str, Any], limits: _Limits, folder: Path
    ) -> dict[str, Any]:
        passed: dict[str, Any] = {}
        for name, spikes in data.items():
            same = next((known for known in passed if data[known] is spikes), None)
            if same is None:
                (folder / name).mkdir()
                passed[name] = write_spikes(spikes, folder / name)
            else:
                passed[name] = passed[same]
        return {
            "source": source,
            "path": path,
            "data": passed,
            "parameters": values,
            "scratch": str(folder / "scratch"),
            "readable": sorted({file for description in passed.values() for file in files(description)}),
            "mark": f"\0{secrets.token_hex(16)}\0",
            "memory_mb": limits.memory_mb,
            "cpu_s": int(limits.timeout_s * (os.cpu_count() or 1)) + 5,
        }

    def _wait(self, watch: _Watch) -> int | None:
        """Return the exit status once the script and all it started have ended; None when the process ended too."""
        status: int | None = None
        ended = output_ended = False
        while not (ended and output_ended):
            try:
                kind, value = self._events.get(timeout=_LOOK_S)
            except queue.Empty:
                kind, value = "", None
            if kind == "output":
                output_ended = watch.see(value) or output_ended
            elif kind == "done":
                ended, status = True, value
            elif kind == "closed":
                ended = True
            elif kind == "output closed":
                output_ended = True
            if watch.should_stop():
                self._stop()
            if watch.overdue():
                self._kill()
        watch.finish()
        return status if self._fork else self._popen.wait()

    def _stop(self) -> None:
        if self._fork:
            self._send({"kill": True})
        else:
            self._kill()

    def _kill(self) -> None:
        if sys.platform == "win32":
            self._popen.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a process that is gone is noticed by its closed output
            if self._popen.stdin is not None:
                self._popen.stdin.write(json.dumps(message).encode() + b"\n")
                self._popen.stdin.flush()

    def _read_control(self) -> None:
        if self._popen.stdout is not None:
            for line in self._popen.stdout:
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    if "done" in message:
                        self._events.put(("done", message["done"]))
        self._events.put(("closed", None))

    def _read_output(self) -> None:
        if self._popen.stderr is not None:
            while data := os.read(self._popen.stderr.fileno(), 65536):
                self._events.put(("output", data))
        self._events.put(("output closed", None))


class _Watch:
    """Collects the output of one run and says when it has to stop, and why."""

    def __init__(self, scratch: Path, limits: _Limits, mark: bytes) -> None:
        self.why = ""
        self.text = ""
        self._scratch, self._limits, self._mark = scratch, limits, mark
        self._started = time.monotonic()
        self._stopped_at: float | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._tail = b""
        self._n_bytes = 0

    def see(self, data: bytes) -> bool:
        """Take in what was printed; return whether that was the last of it."""
        data = self._tail + data
        ended = data.endswith(self._mark)
        if ended:
            data, self._tail = data[: -len(self._mark)], b""
        else:  # the mark may come in two pieces
            keep = next((n for n in range(len(self._mark) - 1, 0, -1) if data.endswith(self._mark[:n])), 0)
            data, self._tail = data[: len(data) - keep], data[len(data) - keep :]
        room = _MAX_OUTPUT - self._n_bytes
        self._n_bytes += len(data)
        if self._n_bytes > _MAX_OUTPUT:
            self.why = self.why or "it printed more than 1 MB"
        self._add(self._decoder.decode(data[: max(room, 0)]))
        return ended

    def finish(self) -> None:
        """Take in what is left when the output ended without a mark."""
        self._add(self._decoder.decode(self._tail, final=True))

    def _add(self, text: str) -> None:
        if text:
            self.text += text
            self._limits.on_output(text)

    def should_stop(self) -> bool:
        """Return True once, when a limit is reached."""
        if self._stopped_at is not None:
            return False
        if self._limits.cancel.is_set():
            self.why = "you stopped it"
        elif time.monotonic() - self._started > self._limits.timeout_s:
            self.why = f"it took longer than {self._limits.timeout_s:g} s"
        elif _size(self._scratch) > _MAX_SCRATCH:
            self.why = f"it wrote more than {_MAX_SCRATCH >> 20} MB"
        if self.why:
            self._stopped_at = time.monotonic()
        return bool(self.why)

    def overdue(self) -> bool:
        """Return whether a stopped script should be long gone."""
        return self._stopped_at is not None and time.monotonic() - self._stopped_at > _GRACE_S


def _harmless_environment() -> dict[str, str]:
    """Return the variables Python and its libraries need, and none that may hold a secret."""
    return {name: value for name, value in os.environ.items() if name in _ENVIRONMENT or name.startswith("LC_")}


def _size(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for entries, (path, _, names) in enumerate(os.walk(folder)):
            if entries > 1000 or len(names) > 10_000:
                return _MAX_SCRATCH + 1
            for name in names:
                with contextlib.suppress(OSError):
                    total += Path(path, name).lstat().st_blocks * 512
    return total


def _result(scratch: Path, status: int | None, watch: _Watch, n_shown: int) -> ScriptResult:
    failed = ScriptResult("none", output=watch.text)
    if watch.why:
        return replace(failed, error=f"The script was stopped: {watch.why}.")
    if status != 0:
        return replace(failed, error=_ended(status))
    try:
        header = json.loads(_read(scratch / "result.json"))
        kind, error = str(header["kind"]), str(header.get("error", ""))[:_MAX_OUTPUT]
        payload = None if error else _payload(kind, _read(scratch / "result.bin"), n_shown)
        in_force = tuple(map(str, header["in_force"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        return replace(
            failed, error=f"The script ended without a result that can be read: {cause or type(cause).__name__}."
        )
    return replace(failed, kind="none" if error else kind, payload=payload, error=error, in_force=in_force)


def _ended(status: int | None) -> str:
    if status is None:
        return "The process that runs scripts ended. Run the script again."
    number = -status if status < 0 else status - 128
    if number in set(signal.Signals):
        return f"The script crashed ({signal.Signals(number).name})."
    return f"The script ended its process with status {status}."


def _read(path: Path) -> bytes:
    """Read a regular file a script may have made, whatever it made instead."""
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(opened, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        about = os.fstat(opened)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is not a file")
        if about.st_size > _MAX_RESULT:
            raise ValueError(f"it is larger than {_MAX_RESULT >> 20} MB; draw fewer points, or with Datashader")
        return file.read(_MAX_RESULT)


def _payload(kind: str, data: bytes, n_shown: int) -> Any:
    if kind == "bokeh":
        return dict(json.loads(data))
    if kind == "table":
        return pd.DataFrame(json.loads(data))
    if kind == "proposal":
        units = np.frombuffer(data, "<i8").astype(np.int64)
        if units.shape != (n_shown,) or (len(units) and units.min() < 0):
            raise ValueError("the proposed units do not fit the events")
        return units
    if kind in ("text", "svg"):
        return data.decode("utf-8", "replace")
    if kind in ("png", "none"):
        return data or None
    raise ValueError(f"its kind is {kind!r}")
