"""Memory of closed pages goes back to the computer, and does not only wait for the next page."""

from __future__ import annotations

import ctypes
import sys
import threading

from tornado.ioloop import IOLoop

COLLECTED_S = 10.0  # after a page is closed Panel has collected its garbage


def give_back_soon() -> None:
    """Give back what a page that has just been closed will leave, without keeping the other pages waiting."""
    IOLoop.current().call_later(COLLECTED_S, threading.Thread(target=give_back, name="memory", daemon=True).start)


def give_back() -> None:
    """Return unused memory to the system where the C library keeps it, as the GNU one does between its blocks."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
