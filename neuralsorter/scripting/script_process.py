"""One process that runs scripts, as the server sees it: jobs in, output and results out, limits kept."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralsorter.spikes import Spikes

from .passing import files, write_spikes
from .script_result import MAX_OUTPUT, ScriptResult, read_result

_MAX_SCRATCH = 512 << 20
_LOOK_S = 0.05  # how often a running script is looked after
_START_S = 120.0  # for a busy machine to import the libraries
_GRACE_S = 10.0  # for a killed script to be gone
_ENVIRONMENT = {
    *("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONHOME", "LD_LIBRARY_PATH"),
    *("DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
}
_OWN_ENVIRONMENT = {
    # One thread: a process with more cannot be forked safely.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "BOKEH_SIMPLE_IDS": "no",  # numbers from a counter would be the same ones in every forked child
    "PYTHONUTF8": "1",
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True)
class Limits:
    """What a run may take, and who listens."""

    timeout_s: float
    memory_mb: int
    on_output: Callable[[str], None]
    cancel: threading.Event


class Process:
    """One `python -m neuralsorter.scripting.runner` and its folder; two threads read its pipes."""

    def __init__(self, *, fork: bool) -> None:
        self._fork = fork
        shared = Path("/dev/shm")  # noqa: S108 - memory, not disk; the folder made in it is ours alone
        self.session = Path(
            tempfile.mkdtemp(prefix="neuralsorter-", dir=shared if os.access(shared, os.W_OK) else None)
        )
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "neuralsorter.scripting.runner", str(self.session), "fork" if fork else "once"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.session,
            env=_environment(),
            start_new_session=True,
        )
        self.is_warm = threading.Event()
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_control, self._read_output)]
        for reader in self._readers:
            reader.start()
        self._n_runs = 0

    @property
    def alive(self) -> bool:
        """Whether it can take a job."""
        return self._popen.poll() is None

    @property
    def reusable(self) -> bool:
        """Whether it can take another job."""
        return self.alive and (self._fork or not self._n_runs)

    def run(
        self, source: str, path: str, data: dict[str, Spikes], values: dict[str, Any], limits: Limits
    ) -> ScriptResult:
        """Run a script and wait for it."""
        self._n_runs += 1
        folder = self.session / f"run{self._n_runs}"
        scratch = folder / "scratch"
        scratch.mkdir(parents=True)
        try:
            job = self._job(source, path, data, values, limits, folder)
            (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
            self._send({"job": str(folder / "job.json")})
            watch = Watch(scratch, limits, job["mark"].encode())
            status = self._wait(watch)
            return read_result(scratch, status, watch.why, watch.text, len(data["spikes"]))
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
        self, source: str, path: str, data: dict[str, Spikes], values: dict[str, Any], limits: Limits, folder: Path
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

    def _wait(self, watch: Watch) -> int | None:
        """Return the exit status once the script and all it started have ended; None when the process ended too."""
        status: int | None = None
        running = {"script", "output"}
        while running and not watch.is_overdue(2 * _GRACE_S):
            with contextlib.suppress(queue.Empty):
                kind, value = self._events.get(timeout=_LOOK_S)
                if kind == "started":
                    watch.start()
                elif kind == "ended":
                    status = value
                    running.discard("script")
                elif value is None or watch.see(value):
                    running.discard("output")
            if watch.should_stop():
                self._stop()
            if watch.is_overdue(_GRACE_S):
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
                    if "started" in message:
                        self._events.put(("started", None))
                    elif "done" in message:
                        self._events.put(("ended", message["done"]))
                    elif "warm" in message:
                        self.is_warm.set()
        self._events.put(("ended", None))
        self.is_warm.set()

    def _read_output(self) -> None:
        if self._popen.stderr is not None:
            while data := os.read(self._popen.stderr.fileno(), 65536):
                self._events.put(("output", data))
        self._events.put(("output", None))


class Watch:
    """Collects the output of one run and says when it has to stop, and why."""

    def __init__(self, scratch: Path, limits: Limits, mark: bytes) -> None:
        self.why = ""
        self.text = ""
        self._scratch, self._limits, self._mark = scratch, limits, mark
        self._ends_at = time.monotonic() + _START_S
        self._too_late = f"its process did not start within {_START_S:g} s"
        self._stopped_at: float | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._tail = b""
        self._n_bytes = 0

    def start(self) -> None:
        """Let the time of the script run from now."""
        self._ends_at = time.monotonic() + self._limits.timeout_s
        self._too_late = f"it took longer than {self._limits.timeout_s:g} s"

    def see(self, data: bytes) -> bool:
        """Take in what was printed; return whether that was the last of it."""
        data = self._tail + data
        ended = data.endswith(self._mark)
        if ended:
            data, self._tail = data[: -len(self._mark)], b""
        else:  # the mark may come in two pieces
            keep = next((n for n in range(len(self._mark) - 1, 0, -1) if data.endswith(self._mark[:n])), 0)
            data, self._tail = data[: len(data) - keep], data[len(data) - keep :]
        room = MAX_OUTPUT - self._n_bytes
        self._n_bytes += len(data)
        if self._n_bytes > MAX_OUTPUT:
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
        elif time.monotonic() > self._ends_at:
            self.why = self._too_late
        elif _size(self._scratch) > _MAX_SCRATCH:
            self.why = f"it wrote more than {_MAX_SCRATCH >> 20} MB"
        if self.why:
            self._stopped_at = time.monotonic()
        return bool(self.why)

    def is_overdue(self, grace_s: float) -> bool:
        """Return whether a stopped script should be long gone."""
        return self._stopped_at is not None and time.monotonic() - self._stopped_at > grace_s


def _environment() -> dict[str, str]:
    """Return the variables Python and its libraries need, and none that may hold a secret."""
    kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT or name.startswith("LC_")}
    package = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    return kept | _OWN_ENVIRONMENT


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
