"""Expectation maximisation, compiled: the inner loops of the mixtures."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

_BLOCK = 256
_NOTHING = 1e-6  # events: less moves no component
_LOG_2_PI = math.log(2 * math.pi)


@numba.njit(cache=True, nogil=True)
def improve(
    columns: Any,
    weights: Any,
    means: Any,
    covariances: Any,
    stray: float,
    floor: float,
    prior: float,
    max_steps: int,
    tolerance: float,
) -> Any:
    """Repeat E and M steps on `columns` (d, n); return weights, means, covariances and the last log likelihood.

    `stray` is the log density of the outlier component; `prior` events with the mean covariance are added to each
    component and `floor` to its variances.
    """
    n = columns.shape[1]
    before = -np.inf
    likelihood = before
    for _ in range(max_steps):
        roots, constants = precision_roots(weights, means, covariances)
        likelihood, counts, sums, squares = _expect(columns, means, roots, constants, stray)
        weights, means, covariances = _maximise(counts, sums, squares, means, floor, prior)
        if likelihood - before < tolerance * n:
            break
        before = likelihood
    return weights, means, covariances, likelihood


@numba.njit(cache=True, nogil=True)
def _maximise(counts: Any, sums: Any, squares: Any, means: Any, floor: float, prior: float) -> Any:
    """One M step from moments taken around the old means."""
    k, d = sums.shape
    share = np.maximum(counts, 1e-9)
    moved = sums / share.reshape(k, 1)
    scatter = np.empty((k, d, d))
    pooled = np.zeros((d, d))
    for c in range(k):
        for row in range(d):
            for column in range(d):
                scatter[c, row, column] = squares[c, row, column] - share[c] * moved[c, row] * moved[c, column]
        pooled += scatter[c]
    pooled /= max(share.sum(), 1.0)
    for c in range(k):
        scatter[c] = (scatter[c] + prior * pooled) / (share[c] + prior)
        for row in range(d):
            scatter[c, row, row] += floor
    return share / share.sum(), means + moved, scatter


@numba.njit(cache=True, nogil=True)
def precision_roots(weights: Any, means: Any, covariances: Any) -> Any:
    """Return of each component L, lower triangular, with precision = L^T L, and log(weight x density) at its mean."""
    k, d = means.shape
    roots = np.zeros((k, d, d))
    constants = np.empty(k)
    lower = np.zeros((d, d))
    for c in range(k):
        constants[c] = math.log(weights[c] + 1e-300) - 0.5 * d * _LOG_2_PI
        for row in range(d):
            for column in range(row + 1):
                rest = covariances[c, row, column]
                for i in range(column):
                    rest -= lower[row, i] * lower[column, i]
                lower[row, column] = math.sqrt(max(rest, 1e-300)) if row == column else rest / lower[column, column]
            constants[c] -= math.log(lower[row, row])
        for column in range(d):  # the inverse of a triangle, by forward substitution
            roots[c, column, column] = 1 / lower[column, column]
            for row in range(column + 1, d):
                rest = 0.0
                for i in range(column, row):
                    rest -= lower[row, i] * roots[c, i, column]
                roots[c, row, column] = rest / lower[row, row]
    return roots, constants


@numba.njit(cache=True, fastmath={"contract", "reassoc", "arcp", "nsz"}, nogil=True)
def log_joint(points: Any, means: Any, roots: Any, constants: Any) -> Any:
    """Return log(weight x density) of each component at `points` (n, d), (n, k)."""
    n, d = points.shape
    k = len(constants)
    joint = np.empty((n, k))
    for i in range(n):
        for c in range(k):
            distance = 0.0
            for row in range(d):
                value = 0.0
                for column in range(row + 1):
                    value += roots[c, row, column] * (points[i, column] - means[c, column])
                distance += value * value
            joint[i, c] = constants[c] - 0.5 * distance
    return joint


@numba.njit(cache=True, fastmath={"contract", "reassoc", "arcp", "nsz"}, nogil=True)
def _block_joint(rest: Any, root: Any, constant: float, joint: Any) -> None:
    """Fill `joint` (size,) with log(weight x density) of a component at events `rest` (d, size) from its mean."""
    d, size = rest.shape
    value = np.empty(size)
    joint[:] = constant
    for row in range(d):
        value[:] = 0.0
        for column in range(row + 1):
            factor = root[row, column]
            line = rest[column]
            for i in range(size):
                value[i] += factor * line[i]
        for i in range(size):
            joint[i] -= 0.5 * value[i] * value[i]


@numba.njit(cache=True, fastmath={"contract", "reassoc", "arcp", "nsz"}, nogil=True)
def _exponential(values: Any) -> None:
    """Replace `values` (size,) by their exponentials; those below -30 count as -30, none is above 0.

    The series at 1/64 of the value, squared six times: exact to 1e-10, and the processor takes several at once.
    """
    for i in range(len(values)):
        x = max(values[i], -30.0) / 64.0
        series = 1.0 + x / 10.0
        for order in range(9, 0, -1):
            series = 1.0 + x * series / order
        for _ in range(6):
            series *= series
        values[i] = series


@numba.njit(cache=True, fastmath={"contract", "reassoc", "arcp", "nsz"}, nogil=True)
def _block_shares(joint: Any, stray: float, size: int) -> float:
    """Turn `joint` (k, block) into shares of the components, in place; return the log likelihood of `size` events."""
    k = len(joint)
    top = np.full(joint.shape[1], stray)
    for c in range(k):
        row = joint[c]
        for i in range(len(row)):
            top[i] = max(top[i], row[i])
    norm = stray - top
    _exponential(norm)
    for c in range(k):
        row = joint[c]
        for i in range(len(row)):
            row[i] -= top[i]
        _exponential(row)
        for i in range(len(row)):
            norm[i] += row[i]
    total = 0.0
    for i in range(size):
        total += top[i] + math.log(norm[i])
    for c in range(k):
        row = joint[c]
        for i in range(len(row)):
            row[i] /= norm[i]
        row[size:] = 0.0
    return total


@numba.njit(cache=True, fastmath={"contract", "reassoc", "arcp", "nsz"}, nogil=True)
def _block_moments(rest: Any, share: Any, sums: Any, squares: Any) -> float:
    """Add moments of the events around the mean to `sums` (d,) and `squares` (d, d); return the sum of shares."""
    d, size = rest.shape
    count = 0.0
    for i in range(size):
        count += share[i]
    if count < _NOTHING:
        return count
    scaled = np.empty(size)
    for row in range(d):
        total = 0.0
        line = rest[row]
        for i in range(size):
            scaled[i] = share[i] * line[i]
            total += scaled[i]
        sums[row] += total
        for column in range(row + 1):
            product = 0.0
            line = rest[column]
            for i in range(size):
                product += scaled[i] * line[i]
            squares[row, column] += product
            if column < row:
                squares[column, row] += product
    return count


@numba.njit(cache=True, nogil=True)
def _expect(columns: Any, means: Any, roots: Any, constants: Any, stray: float) -> Any:
    """One E step over `columns` (d, n): log likelihood and, per component, count, sum and squares around its mean.

    In blocks that stay in the cache, with events innermost, so that the processor takes several at once.
    """
    d, n = columns.shape
    k = len(constants)
    counts, sums, squares = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    joint = np.empty((k, _BLOCK))
    rest = np.zeros((k, d, _BLOCK))
    total = 0.0
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        for c in range(k):
            for axis in range(d):
                rest[c, axis, :size] = columns[axis, start : start + size] - means[c, axis]
            _block_joint(rest[c], roots[c], constants[c], joint[c])
        total += _block_shares(joint, stray, size)
        for c in range(k):
            counts[c] += _block_moments(rest[c], joint[c], sums[c], squares[c])
    return total, counts, sums, squares
