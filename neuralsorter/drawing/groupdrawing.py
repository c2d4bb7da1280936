"""The kernel that draws a group of events on a run of neighbouring segments: counts their pairs, then draws them.

A part of the events is turned at a time, and one segment after the other is counted and, with the last part, drawn
while its table is still in the fast cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.kernel import kernel

from .gathering import gather_turned, lane_of, turn_words, unpack
from .paircounts import (
    LEAVES,
    LOW_A,
    LOW_B,
    N_A,
    N_B,
    count_marked,
    cut_rows,
    encode,
    locate,
    mark,
    quantise,
    quantise_words,
    tabulate,
)
from .pairdrawing import FLAT, PAD, draw_crossings, draw_few, draw_table, gather_layers, integrate

PART = 131_072  # events turned at a time
HANDFUL = 6_000  # events in a group that are drawn one by one


@kernel
def draw_segment(
    s: int,
    segments: NDArray[np.int64],
    tables: NDArray[np.int32],
    table_at: NDArray[np.int64],
    box: NDArray[np.int32],
    is_first: bool,  # noqa: FBT001 - a kernel has no keywords
    counters: Any,
    few: Any,
    bench: Any,
    image: Any,
    minus: Any,
    shared: Any,
) -> None:
    """Draw and clear what was counted on segment s, or the few pairs in these cells; arguments as of `draw_group`."""
    pairs, entering, leaving, through, starts, crossed = counters
    column, run, cut, height = segments[s, 0], segments[s, 1], segments[s, 2], shared.shape[0]
    steps = tables[table_at[s] : table_at[s] + (2 * height - 1) * (run + 2)].reshape((2 * height - 1, run + 2))
    with_start, rows = (is_first and s == 0) or (cut & 1) != 0, height + 1 + 2 * PAD
    layers = bench[8][: 3 * (run + 2) * rows].reshape((3, run + 2, rows))
    difference = bench[9][: (run + 1) * (height + 1)].reshape((run + 1, height + 1))
    if few.shape[0]:
        draw_few(layers, few, np.uint32(pairs.shape[0] - 1), box, steps, with_start, cut != 0)
    else:
        draw_table(layers, pairs, box, steps, with_start, cut != 0)
    low, high = min(box[LOW_A], box[LOW_B]), max(box[LOW_A] + box[N_A], box[LOW_B] + box[N_B])
    if crossed[s]:
        low, high = 0, height
        layers[FLAT, 0, PAD : PAD + height] += starts[s]
        starts[s] = 0
        if crossed[s] & LEAVES:
            draw_crossings(difference, entering[s], leaving[s], through[s], run, height - 1, with_start)
        crossed[s] = 0
    gather_layers(layers, difference, low, min(high + 1, height))
    integrate(difference, layers[FLAT], low, high, column, column > segments[0, 0], image, minus, shared)
    layers[:, :, PAD + low : PAD + high + 1] = 0
    difference[:, low : high + 1] = 0


@kernel
def draw_group(  # noqa: C901, PLR0912, PLR0915 - one pass over the segments
    raw: Any,
    words: NDArray[np.int64],
    scale_uv: Any,
    order: NDArray[np.int32],
    begin: int,
    end: int,
    shift: NDArray[np.int16],
    place: NDArray[np.int64],
    segments: NDArray[np.int64],
    window: NDArray[np.float64],
    single: NDArray[np.float32],
    tables: NDArray[np.int32],
    table_at: NDArray[np.int64],
    boxes: NDArray[np.int32],
    counters: Any,
    bench: Any,
    image: Any,
    minus: Any,
    shared: Any,
    stop: NDArray[np.int64],
) -> None:
    """Add events `order[begin:end]` (events begin to end if `order` is empty) to an image, take them from `minus`.

    raw (n, n_flat) int16 or float32, words: the same as int64, (0, 0) if the columns do not fill them; place: flat
    column of the channel's first sample, samples of the channel, first position (a sample number) of the run, whether
    the first segment is the line's first; segments (n, 4): first column, columns to the last, 1 and 2 for left and
    right ends cut by the window's sides, picture width; window: left, right, low, high, x and y scale and offset, cut
    of the left and right end, x of position 0; single: see `Canvas`; tables: of the steps of lines, those of segment s
    from table_at[s]; counters: pairs, one cell more than the boxes need, for pairs not counted there, then as
    `count_marked` has them, per segment: zeros, and zeros again afterwards; bench: see `Run.bench`; images are (height,
    width), `minus` may be empty. The first column goes to `shared`: the neighbour on the left, which may be drawn at
    the same time, writes it too.
    """
    pairs, entering, leaving, through, starts, crossed = counters
    turned_words, turned, gathered, rows, ends, samples, index, marked, _, _ = bench
    n, height, nowhere, position = segments.shape[0], shared.shape[0], np.uint32(pairs.shape[0] - 1), place[2]
    top, per_word = np.int32(height - 1), raw.shape[1] // max(words.shape[1], 1)
    packed = turned_words.shape[0] > 0
    first = (place[0] + max(position - 1, 0)) // per_word  # word
    state = np.zeros((2, 3), np.int32)  # of the rows held: some outside the window, some missing
    known = np.zeros(3, np.bool_)  # whether the samples of these rows are held too
    bits, is_few = samples.view(np.int32), end - begin <= HANDFUL
    n_parts = (end - begin + PART - 1) // PART
    for part in range(n_parts):
        start = begin + (end - begin) * part // n_parts
        m = begin + (end - begin) * (part + 1) // n_parts - start
        if packed:
            turn_words(words, order, start, m, first, turned_words)
        else:
            gather_turned(raw, scale_uv, order, start, m, shift, place, turned, gathered)
        for k in range(n + 2):
            here, last, s = k % 3, (k - 1) % 3, k - 2
            now, right = samples[here, :m], rows[here, :m]
            known[here] = True
            if packed:
                word, lane = lane_of(place, k, per_word)
                column = turned_words[word, :m]
                known[here] = state[0, last] != 0 or not quantise_words(
                    column, lane, per_word, window, single, top, right
                )
                if known[here]:
                    unpack(column, lane, per_word, scale_uv, bits[here, :m], now)
            else:
                now[:] = turned[k, :m]
            state[0, here] = quantise(now, window, top, right) if known[here] else 0
            state[1, here] = encode(now, window, right) if state[0, here] else 0
            if s < 0:
                continue
            if stop[0] != 0:
                return
            left, was, found, box, cut = rows[last, :m], samples[last, :m], index[:m], boxes[:, s], segments[s, 2]
            before = (k - 2) % 3
            close = state[0, here] or state[0, last] or state[1, before]
            if cut != 0 or close:
                for j in (k - 1, k):
                    if not known[j % 3]:
                        word, lane = lane_of(place, j, per_word)
                        unpack(turned_words[word, :m], lane, per_word, scale_uv, bits[j % 3, :m], samples[j % 3, :m])
                        known[j % 3] = True
            if cut != 0:
                cut_rows(was, now, window, top, ends[0, :m], ends[1, :m])
                locate(ends[0, :m], ends[1, :m], box, nowhere, found)
            else:
                locate(left, right, box, nowhere, found)
            if close:
                mark(rows[before, :m], left, right, nowhere, found, marked[:m])
                crossed[s] |= count_marked(
                    np.float64(position + s) + window[10], rows[before, :m], left, right, was, now, marked[:m], window,
                    segments[s], box, height - 1, entering[s], leaving[s], through[s], starts[s], found,
                )  # fmt: skip
            if not is_few:
                tabulate(found, pairs)
            if part < n_parts - 1:
                continue  # more is to come
            few = found if is_few else found[:0]
            draw_segment(s, segments, tables, table_at, box, place[3] != 0, counters, few, bench, image, minus, shared)
