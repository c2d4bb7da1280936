"""The sorting of one channel: learn from some of its events, then assign all of them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from neuralsorter.batch import check

from . import mixture
from .features import crop, differences, fill
from .merging import discriminant_axes, merge_parts
from .result import SortResult, expected_errors
from .splitting import Recipe, Trace, split
from .whitening import inverse_root

_BLOCK = 65_536
_OUTLIER_P = 1e-4
_FINAL_AXES = 24  # principal axes in which the final units are told apart
_MOST_AXES = 12


def sort_channel(
    waveforms: NDArray[Any],
    times_s: NDArray[Any],
    sampling_rate: float,
    pre_samples: int,
    seed: int = 0,
    recipe: Recipe | None = None,
    learn_from: int = 10_000,
    cancel: threading.Event | None = None,
) -> SortResult:
    """Sort the events of one channel.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples)
        In any unit of amplitude; NaN where the source has no sample.
    times_s : ndarray, (n_spikes,)
        Seconds; NaN where unknown.
    sampling_rate : float
        Hz.
    pre_samples : int
        Samples before the threshold crossing.
    seed : int
        The same seed gives the same result.
    recipe : Recipe, optional
        The numbers that the sorter works by.
    learn_from : int
        Events, evenly spread over time, that the units are learned from; the rest are assigned to them.
    cancel : threading.Event, optional
        Stops the work when set.

    """
    recipe = recipe or Recipe()
    n = len(waveforms)
    first, last = crop(waveforms, sampling_rate, pre_samples) if n else (0, 0)
    rows = _spread(times_s, learn_from)
    steps = differences(fill(waveforms[rows]), first, last)
    if len(rows) < 2 or not np.ptp(steps, axis=0).any():
        return SortResult.single(n)
    trace = Trace()
    labels = split(steps, recipe, seed, trace, lambda: check(cancel))
    units = _Units(steps, labels, recipe, trace)
    return units.assign(waveforms, first, last, trace, cancel)


def _spread(times_s: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Return at most `most` rows evenly spread over time, in time order."""
    order = np.argsort(times_s, kind="stable")
    if len(order) <= most:
        return order
    return order[np.linspace(0, len(order) - 1, most).astype(np.int64)]


class _Units:
    """Final units, each a Gaussian along the axes that tell all apart, and the distance at which events stray."""

    def __init__(self, steps: NDArray[Any], labels: NDArray[Any], recipe: Recipe, trace: Trace) -> None:
        self.centre = steps.mean(axis=0)
        centred = steps - self.centre
        values, vectors = np.linalg.eigh(centred.T @ centred / len(steps))
        order = np.argsort(values)[::-1][:_FINAL_AXES]
        self.axes = vectors[:, order[values[order] > 1e-9 * values.max()]]
        points = centred @ self.axes
        labels, merges = merge_parts(points, labels, recipe.alpha)
        trace.merges += merges
        self.lines = discriminant_axes(points, labels, _MOST_AXES)
        along = points @ self.lines
        self.mixture = mixture.fit(along, mixture.from_labels(along, labels), max_steps=10)
        given = self.mixture.assign(along)
        self.means = np.stack(
            [
                points[given == c].mean(axis=0) if (given == c).any() else points[labels == c].mean(axis=0)
                for c in range(len(self.mixture))
            ]
        )
        rest = points - self.means[given]
        self.root = inverse_root(rest.T @ rest / len(rest))
        distance = np.square(rest @ self.root).sum(axis=1)
        dof = points.shape[1]
        self.limit = float(chi2.ppf(1 - _OUTLIER_P, dof) * np.median(distance) / chi2.ppf(0.5, dof))

    def assign(
        self, waveforms: NDArray[Any], first: int, last: int, trace: Trace, cancel: threading.Event | None
    ) -> SortResult:
        n, k = len(waveforms), len(self.mixture)
        labels = np.zeros(n, np.int64)
        outlier = np.zeros(n, bool)
        posterior = np.zeros((n, k), np.float32)
        latent = np.zeros((n, self.lines.shape[1]), np.float32)
        for start in range(0, n, _BLOCK):
            check(cancel)
            block = slice(start, start + _BLOCK)
            points = (differences(fill(waveforms[block]), first, last) - self.centre) @ self.axes
            along = points @ self.lines
            share = self.mixture.posterior(along)
            labels[block] = share.argmax(axis=1)
            posterior[block], latent[block] = share, along
            rest = (points - self.means[labels[block]]) @ self.root
            outlier[block] = np.square(rest).sum(axis=1) > self.limit
        order = np.argsort(-np.bincount(labels, minlength=k), kind="stable")
        order = order[np.bincount(labels, minlength=k)[order] > 0]
        rank = np.full(k, -1)
        rank[order] = np.arange(len(order))
        labels, posterior = rank[labels], posterior[:, order]
        positives, negatives = expected_errors(posterior, labels)
        return SortResult(
            labels=labels,
            outlier=outlier,
            certainty=posterior[np.arange(n), labels],
            expected_false_positives=positives,
            expected_false_negatives=negatives,
            mua=np.zeros(len(order), bool),
            bic=trace.bic,
            merges=trace.merges,
            latent=latent,
        )
