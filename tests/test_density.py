"""Counts of waveforms per pixel, against Datashader and against drawing anew."""

from __future__ import annotations

from typing import Any

import datashader
import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuralsorter import NeuralSorterError
from neuralsorter.density import Picture, View, alignment, density
from neuralsorter.drawing.groupdrawing import draw_group
from neuralsorter.drawing.grouping import by_code
from neuralsorter.kernel import kernel
from neuralsorter.warmup import warm

from .walks import Range, quick, walks, window


def by_datashader(
    waves: NDArray[Any], unit: NDArray[Any], width: int, height: int, x_range: Range, y_range: Range
) -> NDArray[Any]:
    canvas = datashader.Canvas(width, height, x_range=x_range, y_range=y_range)
    x = np.arange(waves.shape[1], dtype=float)
    images = []
    for u in np.unique(unit):
        data = xarray.Dataset({"y": (("event", "x"), waves[unit == u])}, coords={"x": x})
        images.append(canvas.line(data, x="x", y="y", agg=datashader.count()).values)
    return np.stack(images)


@quick
@given(
    n=st.integers(1, 300),
    n_samples=st.integers(8, 70),
    width=st.integers(1, 250),
    height=st.integers(1, 150),
    kind=st.sampled_from(["int16", "float32", "gaps"]),
    seed=st.integers(0, 2**16),
)
def test_the_whole_window_equals_datashader_in_every_pixel(
    n: int, n_samples: int, width: int, height: int, kind: str, seed: int
) -> None:
    waves = walks(n, n_samples, seed, kind)
    unit = np.random.default_rng(seed).integers(0, 5, n)
    found = density(waves, unit, width, height)
    assert np.array_equal(found.units, np.unique(unit))
    assert np.array_equal(found.counts, by_datashader(waves, unit, width, height, found.x_range, found.y_range))


@quick
@given(data=st.data(), kind=st.sampled_from(["int16", "float32", "gaps"]), seed=st.integers(0, 2**16))
def test_a_window_that_cuts_waveforms_equals_datashader(data: st.DataObject, kind: str, seed: int) -> None:
    waves = walks(data.draw(st.integers(1, 200)), data.draw(st.integers(8, 40)), seed, kind)
    unit = np.zeros(len(waves), int)
    low, high = (float(v) for v in (np.nanmin(waves), np.nanmax(waves)))
    x_range = window(data, -1.0, float(waves.shape[1]))
    y_range = window(data, low - 2, high + 2)
    width, height = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 150))
    found = density(waves, unit, width, height, x_range, y_range)
    theirs = by_datashader(waves, unit, width, height, x_range, y_range)
    assert np.mean(found.counts == theirs) >= 0.999


def test_two_hundred_units_and_long_waveforms_equal_datashader() -> None:
    waves = walks(1_000, 256, 0, "float32")
    unit = np.random.default_rng(0).permutation(np.arange(1_000) % 200) * 7
    found = density(waves, unit, 120, 80)
    assert np.array_equal(found.counts, by_datashader(waves, unit, 120, 80, found.x_range, found.y_range))


def test_many_events_on_several_threads_equal_datashader() -> None:
    waves = walks(30_000, 20, 1, "int16")
    unit = np.random.default_rng(1).integers(1, 3, len(waves))
    found = density(waves, unit, 200, 100)
    assert np.array_equal(found.counts, by_datashader(waves, unit, 200, 100, found.x_range, found.y_range))


def test_bits_are_scaled_to_microvolts() -> None:
    bits = walks(500, 30, 2, "int16")
    unit = np.zeros(500, int)
    stored = density(bits, unit, 90, 50, uv_per_bit=0.25)
    scaled = density(bits.astype(np.float32) * np.float32(0.25), unit, 90, 50)
    assert stored.y_range == scaled.y_range
    assert np.array_equal(stored.counts, scaled.counts)


def test_a_missing_sample_takes_both_its_lines_away() -> None:
    waves = np.array([[0, 0, np.nan, 0, 0, 0, 0, 0]], np.float32)
    counts = density(waves, [1], 8, 1, (0.0, 7.0), (-1.0, 1.0)).counts[0, 0]
    assert (counts > 0).tolist() == [True, True, False, True, True, True, True, True]


def test_channels_lie_side_by_side_without_a_line_between_them() -> None:
    waves = walks(200, 60, 3, "float32").reshape(200, 3, 20)
    flat = np.full((200, 62), np.nan, np.float32)
    for channel in range(3):
        flat[:, 21 * channel : 21 * channel + 20] = waves[:, channel]
    unit = np.arange(200) % 3
    assert np.array_equal(density(waves, unit, 150, 60).counts, density(flat, unit, 150, 60).counts)


def test_no_events_make_no_images() -> None:
    found = density(np.zeros((0, 32), np.float32), np.zeros(0, int), 20, 10)
    assert found.counts.shape == (0, 10, 20)


def test_only_missing_samples_make_an_empty_image() -> None:
    assert not density(np.full((3, 8), np.nan, np.float32), [1, 1, 1], 20, 10).counts.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(5), [1] * 5), "waveforms must be"),
        ((np.zeros((5, 8), complex), [1] * 5), "waveforms must hold real numbers"),
        ((np.zeros((5, 8)), [1] * 4), "unit must have one number per waveform"),
        ((np.zeros((5, 8)), [1.5] * 5), "unit must hold whole numbers"),
        ((np.zeros((5, 8)), [np.nan] * 5), "unit must hold whole numbers"),
        ((np.zeros((5, 8)), ["a"] * 5), "unit must hold whole numbers"),
        ((np.zeros((5, 8)), [2**40] * 5), "unit must hold numbers up to"),
        ((np.zeros((5, 8)), [1] * 5, 0), "width must be a whole number of pixels"),
        ((np.zeros((5, 8)), [1] * 5, 9, 9, (3, 3)), "x_range must rise"),
        ((np.zeros((5, 8)), [1] * 5, 9, 9, None, (0, np.nan)), "y_range must rise"),
        ((np.zeros((5, 8)), [1] * 5, 9, 9, 4), "x_range must be two numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(arguments: Any, message: str) -> None:
    with pytest.raises(NeuralSorterError, match=message):
        density(*arguments)


def test_groups_keep_the_order_of_events() -> None:
    codes = np.array([5, 2, 5, 70_005, 2], np.int32)
    names, order, starts, groups = by_code(codes)
    assert names.tolist() == [2, 5, 70_005]
    assert order.tolist() == [1, 4, 0, 2, 3]
    assert starts.tolist() == [0, 2, 4, 5]
    assert groups.tolist() == [1, 0, 1, 2, 0]


@pytest.mark.parametrize("x_range", [(-4.0, 30.0), (0.0, 24.0), (3.3, 11.7)])
def test_shifted_waveforms_equal_shifted_data(x_range: Range) -> None:
    waves = walks(300, 25, 8, "float32")
    shift = np.random.default_rng(8).integers(-4, 5, 300)
    wide = np.full((300, 35), np.nan, np.float32)
    for i, at in enumerate(shift + 5):
        wide[i, at : at + 25] = waves[i]
    picture = Picture(waves, np.ones(300, int), shift=shift)
    picture.set_view(View(150, 60, x_range, (-20.0, 25.0)))
    straight = density(wide, np.ones(300), 150, 60, (x_range[0] + 5, x_range[1] + 5), (-20.0, 25.0))
    assert np.array_equal(picture.images[1], straight.counts[0])


def test_troughs_and_peaks_are_put_at_the_crossing() -> None:
    waves = np.zeros((3, 20), np.float32)
    waves[0, 7], waves[1, 3], waves[2, 12] = -5, -5, 5
    waves[2, 2] = np.nan
    assert alignment(waves[:2], 5).tolist() == [-2, 2]
    assert alignment(waves[2:], 5, "peak").tolist() == [-7]
    assert alignment(waves, 5, "crossing").tolist() == [0, 0, 0]
    with pytest.raises(NeuralSorterError, match="at must be"):
        alignment(waves, 5, "valley")


def test_kernels_work_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    assert kernel(lambda x: x + 1)(1) == 2


def test_warming_up_compiles_everything_the_page_needs() -> None:
    warm()
    compiled = len(draw_group.signatures)
    waves = walks(50, 30, 0, "int16")
    waves.flags.writeable = False
    picture = Picture(waves, np.ones(50, int))
    picture.set_view(View(20, 20))
    picture.reassign([1], 1, 2)
    assert len(draw_group.signatures) == compiled


@pytest.mark.parametrize("kind", ["int16", "float32"])
@pytest.mark.parametrize("edge", [25.0, 24.7, 24.999998])
def test_samples_on_the_border_between_rows_go_where_double_precision_puts_them(kind: str, edge: float) -> None:
    waves = np.random.default_rng(3).integers(-25, 26, (400, 40)).astype(kind)
    unit, view = np.ones(400), (90, 50, (0.0, 39.0), (-25.0, edge))
    assert np.array_equal(density(waves, unit, *view).counts, by_datashader(waves, unit, *view))
