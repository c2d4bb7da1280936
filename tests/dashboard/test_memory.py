"""Where the server's threads allocate."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import pytest

COUNTED = """
import ctypes, threading
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


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"),
    reason="only the GNU C library has arenas",
)
def test_the_threads_of_a_server_allocate_from_two_arenas(printed: Callable[[str], str]) -> None:
    assert printed(COUNTED.format(before="pass")).count("<heap nr=") > 2
    assert printed(COUNTED.format(before="share_arenas()")).count("<heap nr=") == 2
