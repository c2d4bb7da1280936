"""Nearest neighbours by brute force, exact, for the few thousand events that a sorter learns from."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

_BLOCK = 1024


def nearest(points: NDArray[Any], queries: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Return the `k` nearest other points of each query.

    Parameters
    ----------
    points : ndarray, (n, d)
        Where to look.
    queries : ndarray, (q,), int
        Rows of `points`; a query is not its own neighbour.
    k : int
        Neighbours wanted, less than n.

    Returns
    -------
    ndarray, (q, k), int64
        Rows of `points`, nearest first.

    """
    columns = np.ascontiguousarray(np.asarray(points, np.float32).T)
    return _nearest(columns, np.asarray(queries, np.int64), int(k))


@numba.njit(cache=True, fastmath=True, nogil=True)
def _nearest(columns: Any, queries: Any, k: int) -> Any:
    d, n = columns.shape
    found = np.empty((len(queries), k), np.int64)
    distance = np.empty(_BLOCK, np.float32)
    best = np.empty(k, np.float32)
    for q in range(len(queries)):
        query = queries[q]
        best[:] = np.inf
        for start in range(0, n, _BLOCK):
            size = min(_BLOCK, n - start)
            distance[:size] = 0.0
            for axis in range(d):
                value = columns[axis, query]
                row = columns[axis, start : start + size]
                for i in range(size):
                    step = row[i] - value
                    distance[i] += step * step
            for i in range(size):
                if distance[i] >= best[k - 1] or start + i == query:
                    continue
                place = k - 1
                while place > 0 and best[place - 1] > distance[i]:
                    best[place] = best[place - 1]
                    found[q, place] = found[q, place - 1]
                    place -= 1
                best[place] = distance[i]
                found[q, place] = start + i
    return found
