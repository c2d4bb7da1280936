"""The review queue: what speaks against which unit, for the whole recording, kept current while somebody looks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import param
from numpy.typing import NDArray

from neuralsorter.metrics import Recording, recording_of
from neuralsorter.project import Project
from neuralsorter.review import Concern, concerns

from .jobs import on_page
from .latest import Latest

EVERY_S = 0.5  # between two updates of the list
LONGEST_PAUSE_S = 0.25


class Queue(param.Parameterized):
    """Concerns by channel. Only channels whose units or labels have changed are looked through again."""

    version = param.Integer(default=0, doc="Raised when something new was found.")
    n_seen = param.Integer(default=0, doc="Channels looked through.")
    running = param.Boolean(default=False, doc="Whether channels are being looked through.")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._latest = Latest()
        self._of: tuple[Project, int, Recording] | None = None
        self._project: Project | None = None
        self._found: dict[int, tuple[NDArray[np.int32], dict[int, str], list[Concern]]] = {}

    def bring_up(self, project: Project, document: Any) -> None:
        """Look through what has changed, in a thread; `running` falls when that is done."""
        if self._project is not project:
            self._project, self._found = project, {}
            self.n_seen = 0
        self.running = True
        self._latest.wish(lambda: self._look_through(project, document))

    def wait(self, timeout_s: float) -> bool:
        """Wait until all channels have been looked through."""
        return self._latest.wait(timeout_s)

    def ranked(self, project: Project) -> list[Concern]:
        """Return what needs eyes on channels not reviewed yet, the most urgent first."""
        reviewed, locked = project.reviewed, project.locked
        settled = {"merge": project.kept_apart, "split": project.kept_whole, "flags": frozenset()}
        open_ = [
            c
            for channel, (*_, found) in self._found.items() if channel not in reviewed
            for c in found
            if (c.channel, *c.units) not in settled[c.kind]
            and (c.kind == "flags" or not any((c.channel, unit) in locked for unit in c.units))
        ]  # fmt: skip
        return sorted(open_, key=lambda concern: -concern.score)

    def refractory_s(self, project: Project) -> float:
        """Return the refractory period that violations are judged by."""
        return self.recording(project).refractory_ms / 1000

    def recording(self, project: Project) -> Recording:
        """Return lengths and dead time of a project's recordings, learnt once."""
        known = self._of
        if known is None or known[0] is not project or known[1] != len(project):
            known = self._of = project, len(project), recording_of(project)
        return known[2]

    def _look_through(self, project: Project, document: Any) -> None:
        of, last = self.recording(project), time.monotonic()
        channels = project.channels()
        for n_seen, channel in enumerate(channels):
            started = time.monotonic()
            self._look_at(project, channel, of)
            time.sleep(
                min(time.monotonic() - started, LONGEST_PAUSE_S)
            )  # the page comes first: half of the time is its
            if time.monotonic() - last > EVERY_S:
                last = time.monotonic()
                on_page(document, lambda n=n_seen: self.param.update(n_seen=n + 1, version=self.version + 1))  # type: ignore[misc]  # a lambda with a default
        done = {"n_seen": len(channels), "running": False}
        on_page(document, lambda: self.param.update(version=self.version + 1, **done))

    def _look_at(self, project: Project, channel: int, of: Recording) -> None:
        rows = project.rows(channel)
        unit, labels = project.unit_of(rows), {u: text for (c, u), text in project.labels.items() if c == channel}
        known = self._found.get(channel)
        if known is not None and known[1] == labels and np.array_equal(known[0], unit):
            return
        found = concerns(project.spikes.take(rows), of, project.labels)
        self._found[channel] = unit, labels, found
