"""Work in a thread, one piece at a time; of what is wished for meanwhile only the newest is done."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Latest:
    """A thread that lives as long as there is work."""

    def __init__(self) -> None:
        self._next: Callable[[], None] | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._lock = threading.Lock()

    def wish(self, work: Callable[[], None]) -> None:
        """Do `work` soon; an earlier wish that has not begun is forgotten."""
        with self._lock:
            self._next = work
            if not self._idle.is_set():
                return
            self._idle.clear()
        threading.Thread(target=self._run, name="view", daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is no work left; False when it took longer."""
        return self._idle.wait(timeout_s)

    def _run(self) -> None:
        while True:
            with self._lock:
                work, self._next = self._next, None
                if work is None:
                    self._idle.set()
                    return
            work()
