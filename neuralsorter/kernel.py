"""The decorator of compiled functions that release the GIL, kept on disk where there is a place to keep them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba as nb


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called.

    The compiled code is kept beside the source or in the user's cache folder; where neither can be written, as in a
    read-only installation without a home, it is compiled anew in each process.
    """
    try:
        return nb.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to keep it in
        return nb.njit(nogil=True)(function)


def fast_kernel(function: Callable[..., Any]) -> Any:
    """Compile like `kernel`, for sums of finite numbers whose order does not matter: several times faster."""
    try:
        return nb.njit(nogil=True, cache=True, fastmath=True)(function)
    except RuntimeError:
        return nb.njit(nogil=True, fastmath=True)(function)
