"""Two curations of the same events: which unit of one is which of the other, and how far they agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from .errors import DataError


@dataclass(frozen=True, eq=False)
class Agreement:
    """A table of common events.

    Attributes
    ----------
    units, others : ndarray, (n_units,) and (n_others,)
        Units of the one and of the other curation, ascending; noise (0) is one of them.
    common : ndarray, (n_units, n_others), int64
        Events that are in units[i] in the one and in others[j] in the other.

    """

    units: NDArray[np.int64]
    others: NDArray[np.int64]
    common: NDArray[np.int64]

    @cached_property
    def match(self) -> dict[int, int]:
        """Each unit's partner: one to one, so that the most events agree (Hungarian method); only where some do.

        Noise is matched with noise, and units with units.
        """
        weight = self.common.astype(float)
        weight[np.not_equal.outer(self.units == 0, self.others == 0)] = -1.0
        rows, columns = linear_sum_assignment(weight, maximize=True)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return {int(self.units[i]): int(self.others[j]) for i, j in pairs if weight[i, j] > 0}

    @property
    def share(self) -> float:
        """Share of all events on which the two agree, after matching."""
        total = int(self.common.sum())
        return float(self.table()["common"].sum() / total) if total else float("nan")

    def table(self) -> pd.DataFrame:
        """Return a row per unit: events, its match (-1: none) and that one's events, common, agreement, kept, pure.

        Agreement is common / (events of either); kept is the share of the other's events found here, pure the share
        of the events here that are the other's.
        """
        sizes, other_sizes = self.common.sum(axis=1), self.common.sum(axis=0)
        found = []
        for i, unit in enumerate(self.units.tolist()):
            other = self.match.get(unit, -1)
            j = int(np.searchsorted(self.others, other)) if other >= 0 else -1
            both, theirs = (int(self.common[i, j]), int(other_sizes[j])) if j >= 0 else (0, 0)
            own = int(sizes[i])
            found.append((unit, own, other, theirs, both, both / (own + theirs - both), _ratio(both, theirs),
                          _ratio(both, own)))  # fmt: skip
        names = ["unit", "events", "match", "match_events", "common", "agreement", "kept", "pure"]
        return pd.DataFrame(found, columns=names)


def agreement(unit: ArrayLike, other: ArrayLike) -> Agreement:
    """Compare two curations of the same events of one channel.

    Parameters
    ----------
    unit, other : array_like of int, (n_events,)
        Unit of each event in the one and in the other.

    """
    mine: NDArray[Any] = np.asarray(unit)
    theirs: NDArray[Any] = np.asarray(other)
    if mine.shape != theirs.shape or mine.ndim != 1:
        raise DataError(f"Both curations must be of the same events. Got {mine.shape} and {theirs.shape}.")
    units, row = np.unique(mine, return_inverse=True)
    others, column = np.unique(theirs, return_inverse=True)
    cells = np.bincount(row * max(len(others), 1) + column, minlength=len(units) * len(others))
    common = cells.reshape(len(units), len(others)).astype(np.int64)
    return Agreement(units.astype(np.int64), others.astype(np.int64), common)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
