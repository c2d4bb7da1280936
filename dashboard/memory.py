"""Memory of closed pages goes back to the computer, and does not only wait for the next page."""

from __future__ import annotations

import ctypes
import sys
import threading

from tornado.ioloop import IOLoop

COLLECTED_S = 10.0  # after a page is closed Panel has collected its garbage
M_ARENA_MAX, ARENAS = -8, 2  # of the GNU C library, which would make eight for each core


def give_back_soon() -> None:
    """Give back what a page that has just been closed will leave, without keeping the other pages waiting."""
    IOLoop.current().call_later(COLLECTED_S, threading.Thread(target=give_back, name="memory", daemon=True).start)


def give_back() -> None:
    """Return unused memory to the system where the C library keeps it, as the GNU one does between its blocks."""
    _call("malloc_trim", 0)


def share_arenas() -> None:
    """Let all threads allocate from the same few places, where what one has freed serves another.

    Each thread that allocates, and a page has several in its life, would else come to an arena of its own, whose gaps
    stay with the process.
    """
    _call("mallopt", M_ARENA_MAX, ARENAS)


def _call(name: str, *arguments: int) -> None:
    call = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if call is not None:
        call(*arguments)
