"""Where the server's threads allocate."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

COUNTED = """
import ctypes, re, sys, threading
from dashboard.memory import share_arenas

{before}
gate = threading.Barrier(8)

def allocate():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    block = ctypes.c_void_p(libc.malloc(50_000))
    gate.wait(30)  # all of them at once
    libc.free(block)

threads = [threading.Thread(target=allocate) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def arenas(before: str) -> int:
    """Return how many arenas eight threads of a new process take."""
    script = COUNTED.format(before=before)
    paths = os.pathsep.join(path for path in sys.path if path)  # where this process found the dashboard
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"),
    reason="only the GNU C library has arenas",
)
def test_the_threads_of_a_server_allocate_from_two_arenas() -> None:
    assert arenas("pass") > 2
    assert arenas("share_arenas()") == 2
