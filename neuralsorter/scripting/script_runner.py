"""Run users' scripts in processes of their own: warm, limited in time and memory, and harmless to the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neuralsorter.errors import NeuralSorterError
from neuralsorter.spikes import Spikes

from .runner import CAN_FORK
from .script_process import Limits, Process
from .script_result import ScriptResult
from .scripts import describe_source

__all__ = ["ScriptResult", "ScriptRunner"]

_KEPT = 2  # idle processes


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
        self._idle: list[Process] = []
        self._lock = threading.Lock()
        self._closed = False

    def prewarm(self, wait_s: float = 0.0) -> None:
        """Start a process in the background, so that the first script need not wait for it; wait at most so long."""
        process = self._take()
        self._give_back(process)
        process.is_warm.wait(wait_s)

    def run(
        self,
        source: str,
        name: str,
        spikes: Spikes,
        parameters: Mapping[str, Any] | None = None,
        *,
        channel: Spikes | None = None,
        everything: Spikes | None = None,
        other: Spikes | None = None,
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
        channel, everything, other : Spikes, optional
            Events for arguments of these names: of the channel, of the project, and the events shown in another
            curation (by default in their units before the last change).
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
        given = {"channel": channel, "everything": everything if everything is not None else channel, "other": other}
        used = {"spikes": spikes}
        for key, table in given.items():
            if key in source:
                used[key] = table if table is not None else _former(spikes) if key == "other" else spikes
        process = self._take()
        limits = Limits(timeout_s, memory_mb, on_output or (lambda _: None), cancel or threading.Event())
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

    def _take(self) -> Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.alive:
                    return process
                process.close()
        return Process(fork=self._fork)

    def _give_back(self, process: Process) -> None:
        with self._lock:
            if process.reusable and not self._closed and len(self._idle) < _KEPT:
                self._idle.append(process)
                return
        process.close()
        if not (self._fork or self._closed):
            self.prewarm()


def _former(spikes: Spikes) -> Spikes:
    """Return the events in their units before the last change."""
    return spikes.with_unit(np.where(spikes.old_unit >= 0, spikes.old_unit, spikes.unit))
