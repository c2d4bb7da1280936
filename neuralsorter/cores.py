"""How many cores this process may use: what a batch system gave, not what the machine has."""

from __future__ import annotations

import os


def cores() -> int:
    """Return the number of cores that work may be spread over, 1 or more."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have none
        return os.cpu_count() or 1
