"""Where the largest of some numbers is, many numbers at a time."""

from __future__ import annotations

from typing import Any

from .kernel import fast_kernel


@fast_kernel
def largest(values: Any) -> Any:  # pragma: no cover - compiled
    """Return the first place of the largest value of an array, (n,): loops without jumps, which go eight at a time."""
    n = values.shape[0]
    most = values[0]
    for i in range(n):
        most = max(most, values[i])
    at = n - 1
    for i in range(n):
        at = min(at, i if values[i] == most else n)
    return at
