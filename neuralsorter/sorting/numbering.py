"""Numbers that stay: a unit found again keeps the number it had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from neuralsorter.spikes import NOISE

_SHARED = 0.5  # of the unit's events, or of the group's: then the group is that unit


def stable_units(
    labels: NDArray[Any],
    before: NDArray[Any],
    fresh: int,
    known: Mapping[int, int] | None = None,
    reserved: frozenset[int] = frozenset(),
) -> NDArray[np.int64]:
    """Return a unit number per event for groups that a sorter found.

    Parameters
    ----------
    labels : ndarray, (n,), int
        Group of each event, 0..k-1.
    before : ndarray, (n,), int
        Unit that each event was in.
    fresh : int
        First number that the channel never used.
    known : mapping of int to int, optional
        Numbers of groups that are known from elsewhere, such as another experiment.
    reserved : frozenset of int
        Numbers that only `known` may give.

    Returns
    -------
    ndarray, (n,), int64
        One to one: the number known, else that of the unit with which the group shares most events, else a fresh one.

    """
    k = int(labels.max(initial=-1)) + 1
    number = dict(known or {})
    units = np.array(sorted({*before.tolist()} - {NOISE, *reserved, *number.values()}), np.int64)
    groups = [c for c in range(k) if c not in number]
    shared = np.array([[np.sum((labels == c) & (before == u)) for u in units] for c in groups], float)
    if shared.size:
        size = np.array([(labels == c).sum() for c in groups])
        held = np.array([(before == u).sum() for u in units])
        for i, j in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[i, j] >= _SHARED * min(size[i], held[j]) > 0:
                number[groups[i]] = int(units[j])
    for c in groups:
        if c not in number:
            number[c] = fresh
            fresh += 1
    return np.array([number[c] for c in range(k)], np.int64)[labels] if k else np.zeros(0, np.int64)
