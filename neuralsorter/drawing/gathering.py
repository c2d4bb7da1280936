"""Kernels that fetch the samples of events from memory and turn them: a sample of many events in one row."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

FEW = 16  # events turned at a time
AHEAD = 48  # events between the one that is read and the one that memory is asked for
STRIDE = 8  # columns: no more than memory sends at a time, whatever is in them


@intrinsic
def _ask_memory(_context: Any, array: Any, _row: Any, _column: Any) -> Any:
    """Ask memory for one cell of a matrix without waiting for it; reading alone would wait at every event."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        matrix = target.make_array(signature.args[0])(target, builder, arguments[0])
        cell = cgutils.get_item_pointer(target, builder, signature.args[0], matrix, arguments[1:])
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cell.type, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [cell.type], kind)
        to_read, near, data = number(0), number(3), number(1)
        builder.call(prefetch, [cell, to_read, near, data])
        return target.get_dummy_value()

    return types.void(array, types.intp, types.intp), code


ask_memory: Any = _ask_memory


@kernel
def look_ahead(raw: Any, order: Any, at: int, n: int, first: int, last: int) -> None:
    """Ask memory for columns first to last of the n events that come AHEAD of order[at]."""
    for i in range(at + AHEAD, min(at + AHEAD + n, order.shape[0])):
        for column in range(first, last, STRIDE):
            ask_memory(raw, order[i], column)
        ask_memory(raw, order[i], last)


@kernel
def gather(
    raw: Any, scale_uv: Any, order: Any, begin: int, n: int, shift: Any, place: NDArray[np.int64], samples: Any
) -> None:
    """Copy the samples of n events, and the one before, to `samples`, (n, n_segments + 2) in µV; NaN where none is."""
    base, n_samples, position, is_first = place[0], place[1], place[2], place[3]
    length = samples.shape[1]
    left, right = base + max(position - 1, 0), base + min(position + length, n_samples) - 1
    if right >= left:
        look_ahead(raw, order, begin, n, left, right)
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


@kernel
def gather_turned(
    raw: Any, scale_uv: Any, order: Any, begin: int, n: int, shift: Any, place: Any, turned: Any, samples: Any
) -> None:
    """Gather n events, a sample of all of them in one row: `turned` (n_segments + 2, at least n)."""
    for i in range(0, n, FEW):
        few = min(FEW, n - i)
        gather(raw, scale_uv, order, begin + i, few, shift, place, samples)
        for k in range(samples.shape[1]):
            turned[k, i : i + few] = samples[:few, k]


@kernel
def turn_words(words: Any, order: Any, begin: int, n: int, first: int, turned: Any) -> None:
    """Gather n events as words of 64 bits, a word of all of them in one row: four or two samples move at once."""
    last = first + turned.shape[0] - 1
    for i in range(0, n, FEW):
        few = min(FEW, n - i)
        look_ahead(words, order, begin + i, few, first, last)
        for j in range(i, i + few):
            row = words[order[begin + j] if order.shape[0] else begin + j, first : last + 1]
            for w in range(row.shape[0]):
                turned[w, j] = row[w]


@kernel
def lane_of(place: Any, k: int, per_word: int) -> tuple[int, int]:
    """Return in which of the words turned, and in which lane, sample k of a run is; the one before it is sample 0."""
    at, first = place[0] + max(place[2] - 1 + k, 0), (place[0] + max(place[2] - 1, 0)) // per_word
    return at // per_word - first, at % per_word


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
    if scale_uv != 1:
        for i in range(samples.shape[0]):
            samples[i] *= scale_uv
