"""What a sorter says about one channel: labels, how sure it is of them, and how it came to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .merging import Merge
from .trace import history


@dataclass(frozen=True)
class SortResult:
    """The units of one channel, 0..k-1, the largest first.

    Attributes
    ----------
    labels : ndarray, (n_spikes,), int64
        The likeliest unit of each event, outliers too.
    outlier : ndarray, (n_spikes,), bool
        Events unlike any unit, such as overlaps and strays.
    certainty : ndarray, (n_spikes,), float32
        Probability of the unit given, 0..1.
    expected_false_positives, expected_false_negatives : ndarray, (k,)
        Share of a unit's events expected to belong to others; expected events of the unit lying in others, relative to
        its size.
    mua : ndarray, (k,), bool
        Units that look like many distant cells together.
    bic : list of float
        BIC of 1, 2, .. components over the whole channel; the lowest decided where merging began.
    merges : list of Merge
        Pairs of parts compared and why each was merged or kept apart; see `why`.
    names : list of int
        What `merges` call each unit.
    latent : ndarray, (n_spikes, a), float32
        Position of each event along the axes that separate the units best, for display.

    """

    labels: NDArray[np.int64]
    outlier: NDArray[np.bool_]
    certainty: NDArray[np.float32]
    expected_false_positives: NDArray[np.float64]
    expected_false_negatives: NDArray[np.float64]
    mua: NDArray[np.bool_]
    bic: list[float] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    names: list[int] = field(default_factory=list)
    latent: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 1), np.float32))

    @property
    def n_units(self) -> int:
        """Number of units found."""
        return len(self.mua)

    def why(self, unit: int) -> list[Merge]:
        """Return the merges of parts that made unit 0..k-1, the last first."""
        return history(self.merges, self.names[unit]) if unit < len(self.names) else []

    def table(self) -> pd.DataFrame:
        """Return one row per unit: events, outliers, mua, expected false positives and false negatives."""
        counts = np.bincount(self.labels, minlength=self.n_units)
        strays = np.bincount(self.labels, weights=self.outlier, minlength=self.n_units).astype(int)
        return pd.DataFrame(
            {
                "events": counts,
                "outliers": strays,
                "mua": self.mua,
                "expected_false_positives": self.expected_false_positives,
                "expected_false_negatives": self.expected_false_negatives,
            }
        )

    @classmethod
    def single(cls, n_spikes: int, bic: list[float] | None = None) -> SortResult:
        """Return the result in which all events, possibly none, are one unit."""
        k = min(n_spikes, 1)
        return cls(
            labels=np.zeros(n_spikes, np.int64),
            outlier=np.zeros(n_spikes, bool),
            certainty=np.ones(n_spikes, np.float32),
            expected_false_positives=np.zeros(k),
            expected_false_negatives=np.zeros(k),
            mua=np.zeros(k, bool),
            bic=bic or [],
            latent=np.zeros((n_spikes, 1), np.float32),
        )


def expected_errors(posterior: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return expected false positives and negatives of each unit, (k,) shares of it, from posteriors (n, k)."""
    k = posterior.shape[1]
    mass = np.zeros((k, k))  # [given, true]
    for c in range(k):
        mass[c] = posterior[labels == c].sum(axis=0)
    size = np.maximum(mass.sum(axis=1), 1e-12)
    inside = np.diag(mass)
    return 1 - inside / size, (mass.sum(axis=0) - inside) / size


def without_probabilities(labels: NDArray[np.int64], outlier: NDArray[Any]) -> SortResult:
    """Return the result of a sorter that says only which event is in which unit 0..k-1."""
    k = int(labels.max(initial=-1)) + 1
    unknown = np.full(k, np.nan)
    return SortResult(
        labels=labels,
        outlier=np.asarray(outlier, bool),
        certainty=np.full(len(labels), np.nan, np.float32),
        expected_false_positives=unknown,
        expected_false_negatives=unknown,
        mua=np.zeros(k, bool),
        latent=np.zeros((len(labels), 1), np.float32),
    )
