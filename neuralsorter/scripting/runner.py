"""The process that runs users' scripts, started by `ScriptRunner` as `python -m neuralsorter.scripting.runner`.

It imports the drawing libraries once and then forks one confined child per script, the next one before it is asked
for, so that a script starts within milliseconds. It reads jobs from standard input and answers on standard output, a
JSON object per line; what scripts print goes to standard error. When the server ends, for whatever reason, it kills
what runs, removes the folder of the session and ends too. Where a process cannot safely be forked (not Linux) it runs
one script and ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from neuralsorter.plugins import folder

from .confine import adopt_orphans, confine, die_with_parent, enter_namespaces, has_namespaces

CAN_FORK = sys.platform == "linux"

# Imported one after the other while nothing is asked for; each makes the first script of its kind quicker.
_LIBRARIES = ("pandas", "holoviews.plotting.bokeh", "neuralsorter.spiketrain", "matplotlib.pyplot")


def main(session: str, *, fork: bool) -> None:
    """Serve scripts until standard input closes; `session` is the folder to remove then."""
    control = _Control()
    adopt_orphans()
    os.environ["MPLBACKEND"] = "Agg"
    importlib.import_module("numpy")
    control.send({"ready": os.getpid()})
    alone = fork and has_namespaces()
    steps, warm, child = _warm(fork=fork), False, None
    try:
        while True:
            while not (warm or (fork and control.wait(0))):
                warm = next(steps, None) is None
                if warm:
                    control.send({"warm": True})
            if fork and warm:
                child = child or _Child(control, alone=alone)
            message = control.receive()
            if message is None:
                return
            if "job" in message:
                if not fork:
                    control.send({"started": True})
                    control.become_script()
                    _run_and_exit(_job(message["job"]), alone=False)
                used, child = child or _Child(control, alone=alone), None
                control.send({"done": used.run(message["job"])})
    finally:
        if fork:
            _kill_descendants()
        shutil.rmtree(session, ignore_errors=True)
        os._exit(0)


class _Control:
    """The two pipes to the server, moved away from where a script would find them."""

    def __init__(self) -> None:
        self._input, self._output, self._printed = os.dup(0), os.dup(1), os.dup(2)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)
        self._buffer = b""

    def wait(self, seconds: float | None = None, *, or_end_of: int | None = None) -> bool:
        """Wait for a message, or for a process to end; return whether there is a message."""
        if b"\n" in self._buffer:
            return True
        waiting = [self._input] if or_end_of is None else [self._input, or_end_of]
        return self._input in select.select(waiting, [], [], seconds)[0]

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, or None when the server is gone."""
        while b"\n" not in self._buffer:
            data = os.read(self._input, 65536)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return dict(json.loads(line))

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        os.write(self._output, data)

    def end_output(self, mark: str) -> None:
        os.write(self._printed, mark.encode())

    def become_script(self) -> None:
        """In the process of a script: connect what it prints and drop the rest."""
        os.dup2(self._printed, 1)
        os.dup2(self._printed, 2)
        for own in (self._input, self._output, self._printed):
            os.close(own)


def _warm(*, fork: bool) -> Iterator[str]:
    """Import the drawing libraries and draw what comes with the program once, a step at a time; yield the step's name.

    Half the time of a first drawing goes into what libraries set up and compile when first used. A forked child
    inherits it.
    """
    for module in _LIBRARIES if fork else _LIBRARIES[:2]:
        with contextlib.suppress(Exception):  # an absent library is the concern of the script that needs it
            importlib.import_module(module)
            yield module
    if not fork:
        return
    from .executing import rehearse

    for path in sorted(folder("utilities").glob("[!_]*.py")):
        with contextlib.suppress(Exception):  # a broken script tells when it is run
            rehearse(path)
            yield path.name


def _job(path: str) -> dict[str, Any]:
    return dict(json.loads(Path(path).read_text(encoding="utf-8")))


class _Child:
    """The process of one script, forked before there is one: what it costs to start is paid while nobody waits.

    Its leader heads a process group; where the system grants one, the script is the first of a process tree of its own.
    Until the job comes it runs nothing but what is here; it is confined before the script's code is run.
    """

    def __init__(self, control: _Control, *, alone: bool) -> None:
        gc.freeze()  # what is shared with the child stays shared when it collects garbage
        self._control = control
        waits, self._tells = os.pipe()
        self._leader = os.fork()
        if self._leader == 0:
            try:
                os.close(self._tells)
                control.become_script()
                _lead(waits, alone=alone)
            finally:
                os._exit(1)  # whatever went wrong: nothing of the runner's own may run in the child
        os.close(waits)
        _lead_group(self._leader)

    def run(self, path: str) -> int:
        """Run the job described at `path`; return the exit status, negative for a signal."""
        control, leader = self._control, self._leader
        ended = os.pidfd_open(leader)
        with contextlib.suppress(BrokenPipeError):  # it is gone already, and its status tells
            os.write(self._tells, path.encode())
        os.close(self._tells)
        control.send({"started": True})
        try:
            while control.wait(or_end_of=ended):
                message = control.receive()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(leader, signal.SIGKILL)
                if message is None:
                    raise SystemExit
        finally:
            os.close(ended)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1])
        _kill_descendants()
        control.end_output(_job(path)["mark"])
        return status


def _lead_group(process: int) -> None:
    # Both parent and child do this, so that it is done whichever of them goes on first.
    with contextlib.suppress(OSError):
        os.setpgid(process, process)


def _lead(waits: int, *, alone: bool) -> NoReturn:
    """Head the process group of one script: in a process tree of its own where the system grants one."""
    _lead_group(os.getpid())
    die_with_parent()
    if not alone:
        _run_and_exit(_awaited(waits), alone=False)
    enter_namespaces()
    die_with_parent()  # again: a change of namespace may undo it
    first = os.fork()
    if first == 0:
        die_with_parent()
        _run_and_exit(_awaited(waits), alone=True)
    os.close(waits)
    status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    os._exit(status if status >= 0 else 128 - status)


def _awaited(waits: int) -> dict[str, Any]:
    """Return the job once it is told; end when there will be none."""
    path = b""
    while part := os.read(waits, 4096):
        path += part
    os.close(waits)
    if not path:
        os._exit(0)
    return _job(path.decode())


def _run_and_exit(job: dict[str, Any], *, alone: bool) -> NoReturn:
    status = 1
    try:
        readable = [sys.prefix, sys.base_prefix, *filter(None, sys.path), *job["readable"]]
        in_force = confine(readable, job["scratch"], job["memory_mb"], job["cpu_s"], alone=alone)
        os.chdir(job["scratch"])
        os.environ.update(TMPDIR=job["scratch"], MPLCONFIGDIR=job["scratch"])
        _keep_compiled_code_in(job["scratch"])
        from .executing import execute

        execute(job, in_force)
        status = 0
    finally:
        # Not sys.exit: a script's exit handlers and threads must not hold the process.
        os._exit(status)


def _keep_compiled_code_in(scratch: str) -> None:
    # Numba fails where it may not write beside its caller's file. What is imported already would: it keeps nothing.
    os.environ["NUMBA_CACHE_DIR"] = scratch
    if "numba" in sys.modules:
        sys.modules["numba.core.config"].CACHE_DIR = scratch  # type: ignore[attr-defined]
        sys.modules["numba.core.caching"].Cache.save_overload = lambda *_: None


def _kill_descendants() -> None:
    """Kill whatever a script left behind: its orphans are children of this process."""
    with contextlib.suppress(ChildProcessError):  # raised when there is none left
        while True:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
            for child in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    own, found = os.getpid(), []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(entry.path, "stat").read_text(encoding="ascii", errors="replace")
                if int(stat.rpartition(")")[2].split()[1]) == own:
                    found.append(int(entry.name))
    return found


if __name__ == "__main__":
    main(sys.argv[1], fork=sys.argv[2] == "fork")
