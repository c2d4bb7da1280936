"""The bundled sorters, as plug-ins: their parameters are what a user sets."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
import param
from numpy.typing import NDArray

from neuralsorter.errors import PluginError
from neuralsorter.plugins import Sorter

from .alignment import Alignment
from .channel import sort_channel
from .features import fill, principal_axes
from .result import SortResult
from .splitting import Recipe

_FLAT = 1e-12


class AutoencoderGmm(Sorter):
    """Autoencoder, Gaussian mixtures, number of units by BIC, parts merged where no gap lies between them."""

    most_parts = param.Integer(
        12, bounds=(1, 40), doc="Most Gaussians tried at once; units inside units are found besides."
    )
    gap = param.Number(
        0.05,
        bounds=(0.0, 1.0),
        doc="Two parts stay apart when a gap like theirs has this chance or less within one unit. Lower: fewer units.",
    )
    learn_from = param.Integer(
        5000, bounds=(100, 20_000), doc="Events the units are learned from, spread over time; the rest are assigned."
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


class PrincipalAxes(Sorter):
    """Base of sorters that cluster events on their principal axes."""

    n_axes = param.Integer(5, bounds=(1, 20), label="Axes", doc="Principal axes to cluster on.")

    def points(self, waveforms: NDArray[Any], sampling_rate: float, pre_samples: int) -> NDArray[np.float64]:
        """Return the aligned events on their principal axes, (n, n_axes); no column where there is nothing to tell."""
        if len(waveforms) < 2:
            return np.zeros((len(waveforms), 0))
        aligned = Alignment.of(waveforms.shape[-1], sampling_rate, pre_samples)(fill(waveforms))
        if np.ptp(aligned, axis=0).max() < _FLAT:
            return np.zeros((len(waveforms), 0))
        centre, axes = principal_axes(aligned, self.n_axes)
        return (aligned - centre) @ axes


class PcaGmm(PrincipalAxes):
    """Principal axes and Gaussian mixtures, number of units by BIC: the classical sorter, to compare with."""

    most_units = param.Integer(10, bounds=(1, 30), doc="Most units tried.")
    learn_from = param.Integer(5000, bounds=(100, 20_000), doc="Events that the mixtures are fitted to.")

    def sort(
        self, waveforms: NDArray[Any], times_s: NDArray[Any], sampling_rate: float, pre_samples: int, seed: int
    ) -> NDArray[np.int64]:
        """Return 0..k-1 per event."""
        from sklearn.mixture import GaussianMixture

        del times_s
        points = self.points(waveforms, sampling_rate, pre_samples)
        labels = np.zeros(len(points), np.int64)
        if points.shape[1] == 0 or len(points) < 4 * points.shape[1]:
            return labels
        part = points[np.linspace(0, len(points) - 1, min(len(points), self.learn_from)).astype(np.int64)]
        floor = 1e-4 * float(part.var())
        most = min(self.most_units, len(part) // (2 * points.shape[1]))
        fits = [
            GaussianMixture(k, reg_covar=floor, random_state=seed, max_iter=200, tol=1e-2).fit(part)
            for k in range(1, max(most, 1) + 1)
        ]
        best = min(fits, key=lambda fitted: fitted.bic(part))
        return _by_size(best.predict(points))


class IsoSplit(PrincipalAxes):
    """ISO-SPLIT 6 on principal axes. Needs the package isosplit6."""

    n_axes = param.Integer(10, bounds=(1, 20), label="Axes", doc="Principal axes to cluster on.")

    def sort(
        self, waveforms: NDArray[Any], times_s: NDArray[Any], sampling_rate: float, pre_samples: int, seed: int
    ) -> NDArray[np.int64]:
        """Return 0..k-1 per event."""
        del times_s, seed  # it draws nothing at random
        package = _package("isosplit6")
        points = self.points(waveforms, sampling_rate, pre_samples)
        if points.shape[1] == 0 or len(points) < 20:
            return np.zeros(len(points), np.int64)
        return _by_size(np.asarray(package.isosplit6(points), np.int64) - 1)


class Hdbscan(PrincipalAxes):
    """HDBSCAN on principal axes; events of no cluster are outliers. Needs the package hdbscan."""

    smallest = param.Integer(30, bounds=(2, 1000), doc="Events of the smallest cluster.")

    def sort(
        self, waveforms: NDArray[Any], times_s: NDArray[Any], sampling_rate: float, pre_samples: int, seed: int
    ) -> NDArray[np.int64]:
        """Return 0..k-1 per event, -1 for outliers."""
        del times_s, seed  # it draws nothing at random
        package = _package("hdbscan")
        points = self.points(waveforms, sampling_rate, pre_samples)
        if points.shape[1] == 0 or len(points) <= self.smallest:
            return np.zeros(len(points), np.int64)
        labels = np.asarray(package.HDBSCAN(min_cluster_size=self.smallest).fit_predict(points), np.int64)
        return _by_size(labels) if (labels >= 0).any() else np.zeros(len(points), np.int64)


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise PluginError(
            f"This sorter needs the package {name}, which is not installed. pip install {name}."
        ) from None


def _by_size(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return groups numbered 0..k-1, the largest first; -1 stays."""
    groups, counts = np.unique(labels[labels >= 0], return_counts=True)
    rank = np.full(int(labels.max(initial=0)) + 2, -1, np.int64)
    rank[groups[np.argsort(-counts, kind="stable")]] = np.arange(len(groups))
    return rank[labels]
