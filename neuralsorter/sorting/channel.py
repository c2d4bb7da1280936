"""The sorting of one channel: learn from some of its events, then assign all of them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # it comes without types

from neuralsorter.batch import check

from . import mixture
from .alignment import Alignment
from .features import fill, principal_axes, slopes
from .merging import Merge, Shapes, discriminant_axes, gap, merge_parts
from .neighbours import nearest
from .result import SortResult, expected_errors
from .splitting import Recipe, numbered, split
from .strays import FINAL_AXES, Strays
from .trace import Trace
from .whitening import N_NEIGHBOURS, learn_whitening

_BLOCK = 65_536
_MOST_AXES = 12
_THRESHOLD, _FAINT = 0.02, 1.5  # the quantile of heights that is about the threshold; heights below so many times it
_LEAST_MUA = 20
_BACKGROUND = "both pile up at the threshold, as spikes of distant cells do"
_LONE = 3.0  # times the median distance to the fifth neighbour
_LONE_ROUNDS = 2
_LONE_FEW = 0.005
_LONE_LEAST = 50


def sort_channel(
    waveforms: NDArray[Any],
    times_s: NDArray[Any],
    sampling_rate: float,
    pre_samples: int,
    seed: int = 0,
    recipe: Recipe | None = None,
    learn_from: int = 5000,
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
    with threadpool_limits(1):  # the matrices are small: more threads only wait for each other
        return _sort_channel(
            waveforms, times_s, sampling_rate, pre_samples, seed, recipe or Recipe(), learn_from, cancel
        )


def _sort_channel(
    waveforms: NDArray[Any],
    times_s: NDArray[Any],
    sampling_rate: float,
    pre_samples: int,
    seed: int,
    recipe: Recipe,
    learn_from: int,
    cancel: threading.Event | None,
) -> SortResult:
    n = len(waveforms)
    if n < 2:
        return SortResult.single(n)
    align = Alignment.of(waveforms.shape[-1], sampling_rate, pre_samples)
    rows = _spread(times_s, learn_from)
    waves = align(fill(waveforms[rows]))
    if not np.ptp(waves, axis=0).any():
        return SortResult.single(n)
    trace = Trace()
    height = np.abs(waves.reshape(len(waves), -1, align.count)[..., align.before]).max(axis=1)
    company = _in_company(waves, recipe, seed)
    faint_below = _FAINT * float(np.quantile(height, _THRESHOLD))
    faint = np.abs(waves).max(axis=1) < faint_below  # a cell upside down may cross by a small phase: it is not faint
    waves, height, faint = waves[company], height[company], faint[company]
    labels, names = split(waves, faint, recipe, seed, trace, lambda: check(cancel))
    units = _Units(waves, labels, names, height, faint, faint_below, times_s[rows[company]], recipe, trace)
    return units.assign(waveforms, align, trace, cancel)


def _in_company(waves: NDArray[Any], recipe: Recipe, seed: int) -> NDArray[np.bool_]:
    """Say which events have neighbours, (n,): lone ones, such as artefacts, would bend every axis to themselves."""
    kept = np.ones(len(waves), bool)
    for _ in range(_LONE_ROUNDS):
        inside = waves[kept]
        centre, axes = principal_axes(inside, recipe.n_full)
        if len(inside) < _LONE_LEAST or axes.shape[1] < 2:
            break
        points = (inside - centre) @ axes
        white = learn_whitening(points, seed, recipe.n_axes)(points)
        near = nearest(white, np.arange(len(white)), N_NEIGHBOURS)[:, -1]
        distance = np.sqrt(np.square(white - white[near]).sum(axis=1))
        lone = distance > _LONE * np.median(distance)
        kept[np.flatnonzero(kept)[lone]] = False
        if lone.mean() < _LONE_FEW:
            break
    return kept


def stability(
    result: SortResult,
    waveforms: NDArray[Any],
    times_s: NDArray[Any],
    sampling_rate: float,
    pre_samples: int,
    seed: int = 1,
    recipe: Recipe | None = None,
) -> NDArray[np.float64]:
    """Return how well each unit of `result` is found again with another seed, (n_units,): best F1, 0..1."""
    again = sort_channel(waveforms, times_s, sampling_rate, pre_samples, seed, recipe).labels
    return agreement(result.labels, again)


def agreement(labels: NDArray[Any], again: NDArray[Any]) -> NDArray[np.float64]:
    """Return the best F1 that each group of `labels` has with one of `again`, both (n,) and 0..k-1."""
    both = np.zeros((int(labels.max(initial=-1)) + 1, int(again.max(initial=-1)) + 1))
    np.add.at(both, (labels, again), 1)
    size = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True)
    return np.asarray((2 * both / np.maximum(size, 1)).max(axis=1, initial=0.0), np.float64)


def _spread(times_s: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Return at most `most` rows evenly spread over time, in time order."""
    order = np.argsort(times_s, kind="stable")
    if len(order) <= most:
        return order
    return order[np.linspace(0, len(order) - 1, most).astype(np.int64)]


def _piles_up(height: NDArray[Any], faint_below: float) -> bool:
    """Say whether events pile up at the threshold, as those of many distant cells do and those of one cell do not."""
    if len(height) < _LEAST_MUA:
        return False
    low, middle, high = np.quantile(height, (0.02, 0.5, 0.98))
    return bool((height < faint_below).mean() > 0.7 and middle - low < 0.5 * (high - middle))


class _Units:
    """Final units, each a Gaussian along the axes that tell all apart, and the distance at which events stray."""

    def __init__(
        self,
        waves: NDArray[Any],
        labels: NDArray[Any],
        names: list[int],
        height: NDArray[Any],
        faint: NDArray[Any],
        faint_below: float,
        times_s: NDArray[Any],
        recipe: Recipe,
        trace: Trace,
    ) -> None:
        self.centre, self.axes = principal_axes(waves, FINAL_AXES)
        points = (waves - self.centre) @ self.axes
        labels, merges = merge_parts(
            points,
            labels,
            recipe.alpha,
            faint,
            recipe.alpha_faint,
            times_s=times_s,
            shapes=Shapes(points, -self.centre @ self.axes, slopes(waves) @ self.axes),
        )
        self.names = trace.merged(names, merges)
        self.lines = discriminant_axes(points, labels, _MOST_AXES)
        along = points @ self.lines
        # One step: more let a large unit eat a small one.
        self.mixture = mixture.fit(along, mixture.from_labels(along, labels), max_steps=1)
        given = self.mixture.assign(along)
        self.means = np.stack(
            [
                points[given == c].mean(axis=0) if (given == c).any() else points[labels == c].mean(axis=0)
                for c in range(len(self.mixture))
            ]
        )
        self.mua = np.array([_piles_up(height[given == c], faint_below) for c in range(len(self.mixture))])
        self.strays = Strays.of(points, given, self.means)
        self.unit = self._background(points, given, trace)

    def _background(self, points: NDArray[Any], given: NDArray[Any], trace: Trace) -> NDArray[np.int64]:
        """Return the unit of each component, (k,): all are one, the distant cells, where all pile up at the threshold.

        They keep their own Gaussians, as those cells differ in shape. Beside a unit that stands clear of the threshold
        they stay apart: a small unit piles up there as well.
        """
        unit = np.arange(len(self.mixture))
        first, *others = unit if self.mua.all() else unit[:1]
        merges = []
        for other in others:
            one, two = points[given == first], points[given == other]
            merges.append(Merge(first, other, *gap(one, two), _BACKGROUND, into=first, sizes=(len(one), len(two))))
            unit[other] = first
        self.names = trace.merged(self.names, merges)
        return numbered(unit)

    def assign(
        self, waveforms: NDArray[Any], align: Alignment, trace: Trace, cancel: threading.Event | None
    ) -> SortResult:
        n, k = len(waveforms), int(self.unit.max()) + 1
        in_unit = np.equal.outer(self.unit, np.arange(k)).astype(float)
        labels = np.zeros(n, np.int64)
        outlier = np.zeros(n, bool)
        posterior = np.zeros((n, k), np.float32)
        latent = np.zeros((n, self.lines.shape[1]), np.float32)
        for start in range(0, n, _BLOCK):
            check(cancel)
            block = slice(start, start + _BLOCK)
            points = (align(fill(waveforms[block])) - self.centre) @ self.axes
            along = points @ self.lines
            share = self.mixture.posterior(along)
            posterior[block], latent[block] = share @ in_unit, along
            labels[block] = posterior[block].argmax(axis=1)
            outlier[block] = self.strays(points, share.argmax(axis=1))
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
            mua=self.mua[np.unique(self.unit, return_index=True)[1]][order],
            bic=trace.bic,
            merges=trace.merges,
            names=[self.names[c] for c in order],
            latent=latent,
        )
