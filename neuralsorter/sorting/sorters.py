"""The bundled sorters, as plug-ins: their parameters are what a user sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import param
from numpy.typing import NDArray

from neuralsorter.plugins import Sorter

from .channel import sort_channel
from .result import SortResult
from .splitting import Recipe


class AutoencoderGmm(Sorter):
    """Autoencoder, Gaussian mixtures, number of units by BIC, parts merged where no gap lies between them."""

    most_parts = param.Integer(
        12, bounds=(1, 40), doc="Most Gaussians tried at once; units inside units are found too."
    )
    gap = param.Number(
        0.02,
        bounds=(0.0, 1.0),
        doc="Two parts stay apart when a gap like theirs has this chance or less within one unit. Lower: fewer units.",
    )
    learn_from = param.Integer(
        10_000, bounds=(100, 20_000), doc="Events the units are learned from, spread over time; the rest are assigned."
    )

    def sort(
        self, waveforms: NDArray[Any], times_s: NDArray[Any], sampling_rate: float, pre_samples: int, seed: int
    ) -> NDArray[np.int64]:
        """Return 0..k-1 per event, the largest unit first, -1 for outliers."""
        result = self.sort_fully(waveforms, times_s, sampling_rate, pre_samples, seed)
        return np.where(result.outlier, -1, result.labels)

    def sort_fully(
        self, waveforms: NDArray[Any], times_s: NDArray[Any], sampling_rate: float, pre_samples: int, seed: int
    ) -> SortResult:
        """Return all that the sorter knows about the channel."""
        recipe = Recipe(most_parts=self.most_parts, alpha=self.gap)
        return sort_channel(waveforms, times_s, sampling_rate, pre_samples, seed, recipe, self.learn_from)
