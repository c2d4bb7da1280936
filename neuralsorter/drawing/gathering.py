"""Kernels that fetch the samples of events from memory and turn them: a sample of many events in one row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

FEW = 16  # events fetched at a time


@kernel
def touch(raw: Any, order: Any, begin: int, n: int, first: int, last: int) -> Any:
    """Look at columns first to last of n events, and nothing else, so that memory fetches them all at once."""
    seen, third = np.int64(0), (last - first) // 3
    for i in range(n):
        row = raw[order[begin + i]]
        seen += np.int64(row[first] > 0) + np.int64(row[first + third] > 0) + np.int64(row[last - third] > 0)
        seen += np.int64(row[last] > 0)
    return seen


@kernel
def gather(
    raw: Any, scale_uv: Any, order: Any, begin: int, n: int, shift: Any, place: NDArray[np.int64], samples: Any
) -> int:
    """Copy the samples of n events, and the one before, to `samples`, (n, n_segments + 2) in µV; NaN where none is."""
    base, n_samples, position, is_first = place[0], place[1], place[2], place[3]
    length = samples.shape[1]
    first, last = base + max(position - 1, 0), base + min(position + length, n_samples) - 1
    seen = touch(raw, order, begin, n, first, max(first, last)) if order.shape[0] and last >= first else 0
    for i in range(n):
        event = order[begin + i] if order.shape[0] else begin + i
        first = position - 1 - (shift[event] if shift.shape[0] else 0)
        lo, hi = max(0, -first), min(length, n_samples - first)
        to = samples[i]
        if lo > 0 or hi < length:
            to[:] = np.nan
        if hi > lo:
            source, target = raw[event, base + first + lo : base + first + hi], to[lo:hi]
            for k in range(hi - lo):
                target[k] = np.float32(source[k]) * scale_uv
        if is_first == 1:  # nothing before it is missing
            to[0] = to[1]
    return seen


@kernel
def gather_turned(
    raw: Any, scale_uv: Any, order: Any, begin: int, n: int, shift: Any, place: Any, turned: Any, samples: Any
) -> int:
    """Gather n events, a sample of all of them in one row: `turned` (n_segments + 2, at least n)."""
    seen = 0
    for i in range(0, n, FEW):
        few = min(FEW, n - i)
        seen += gather(raw, scale_uv, order, begin + i, few, shift, place, samples)
        for k in range(samples.shape[1]):
            turned[k, i : i + few] = samples[:few, k]
    return seen


@kernel
def turn_words(words: Any, order: Any, begin: int, n: int, first: int, turned: Any) -> int:
    """Gather n events as words of 64 bits, a word of all of them in one row: four or two samples move at once."""
    seen = 0
    for i in range(0, n, FEW):
        few = min(FEW, n - i)
        if order.shape[0]:
            seen += touch(words, order, begin + i, few, first, first + turned.shape[0] - 1)
        for j in range(i, i + few):
            row = words[order[begin + j] if order.shape[0] else begin + j, first : first + turned.shape[0]]
            for w in range(row.shape[0]):
                turned[w, j] = row[w]
    return seen


@kernel
def unpack(words: Any, lane: int, per_word: int, scale_uv: Any, bits: Any, samples: Any) -> None:
    """Write the sample in one lane of each word, in µV; bits is `samples` seen as int32."""
    by = np.int64(lane * (64 // per_word))
    if per_word == 4:
        for i in range(samples.shape[0]):
            samples[i] = np.float32(np.int16(words[i] >> by)) * scale_uv
        return
    for i in range(samples.shape[0]):
        bits[i] = np.int32(words[i] >> by)
    for i in range(samples.shape[0]):
        samples[i] *= scale_uv
