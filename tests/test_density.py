"""Counts of waveforms per pixel, against Datashader and against drawing anew."""

from __future__ import annotations

import threading
import time
from typing import Any

import datashader
import numpy as np
import pytest
import xarray
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuralsorter import NeuralSorterError
from neuralsorter.density import Picture, View, alignment, density
from neuralsorter.drawing.groupdrawing import draw_group
from neuralsorter.drawing.grouping import by_code
from neuralsorter.kernel import kernel
from neuralsorter.warmup import warm

Range = tuple[float, float]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def walks(n: int, n_samples: int, seed: int, kind: str) -> NDArray[Any]:
    """Return random waveforms, int16 or float32, "gaps": float32 with NaN."""
    rng = np.random.default_rng(seed)
    waves = np.cumsum(rng.normal(0, 10 ** rng.uniform(0, 2), (n, n_samples)), axis=1)
    if kind == "int16":
        return np.round(waves).astype(np.int16)
    waves[(rng.random(waves.shape) < 0.1) & (kind == "gaps")] = np.nan
    return waves.astype(np.float32)


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


def window(data: st.DataObject, low: float, high: float) -> Range:
    """Draw a window near low to high, as often as not on whole numbers, where samples lie."""
    number = st.floats(low, high) if data.draw(st.booleans()) else st.integers(int(low), int(high)).map(float)
    first, second = sorted((float(data.draw(number)), float(data.draw(number))))
    return (first, second) if second - first > 1e-3 * (high - low) else (low, high)


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


def assert_as_drawn_anew(picture: Picture, waves: NDArray[Any], unit: NDArray[Any], view: View) -> None:
    fresh = density(waves, unit, view.width, view.height, view.x_range, view.y_range)
    assert sorted(picture.images) == fresh.units.tolist()
    for name, counts in zip(fresh.units.tolist(), fresh.counts, strict=True):
        assert np.array_equal(picture.images[name], counts)


@settings(quick, max_examples=25)
@given(kind=st.sampled_from(["int16", "float32", "gaps"]), seed=st.integers(0, 2**16), data=st.data())
def test_reassigning_equals_drawing_anew(kind: str, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    waves = walks(300, 30, seed, kind)
    unit = rng.integers(0, 4, 300).astype(np.int32)
    low, high = float(np.nanmin(waves)), float(np.nanmax(waves))
    view = View(90, 60, window(data, 0.0, 29.0), window(data, low, high))
    picture = Picture(waves, unit)
    assert picture.set_view(view)
    assert_as_drawn_anew(picture, waves, unit, view)
    history = []
    for _ in range(3):
        rows = rng.choice(300, int(rng.integers(1, 200)), replace=False)
        after = rng.integers(0, 6, len(rows)).astype(np.int32)
        history.append((rows, unit[rows].copy(), after))
        touched = picture.reassign(rows, unit[rows], after)
        assert touched == {int(u) for u in np.unique(np.r_[unit[rows], after][np.tile(unit[rows] != after, 2)])}
        unit[rows] = after
        assert_as_drawn_anew(picture, waves, unit, view)
    for rows, before, after in reversed(history):
        picture.reassign(rows, after, before)
        unit[rows] = before
    assert_as_drawn_anew(picture, waves, unit, view)


@settings(quick, max_examples=25)
@given(seed=st.integers(0, 2**16), data=st.data())
def test_moving_what_was_expected_equals_drawing_anew(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    waves, unit = walks(300, 30, seed, "int16"), rng.integers(0, 4, 300).astype(np.int32)
    view = View(90, 60, window(data, 0.0, 29.0), window(data, float(waves.min()), float(waves.max())))
    picture = Picture(waves, unit)
    picture.set_view(view)
    rows = np.sort(rng.choice(300, 150, replace=False))
    for chosen in (rows, rows[unit[rows] != 2], rows[::3]):  # as counted; whole units of it; parts of units
        picture.expect(rows)
        before, after = unit[chosen].copy(), rng.choice([2, 7])
        picture.reassign(chosen, before, after)
        unit[chosen] = after
        assert_as_drawn_anew(picture, waves, unit, view)
        alone = Picture(waves[chosen], np.zeros(len(chosen), int))
        alone.set_view(view)
        counted = picture.count(chosen)
        assert counted is not None
        assert np.array_equal(counted, alone.images[0])
        picture.expect(rows)
        picture.reassign(chosen, after, before)
        unit[chosen] = before
        assert_as_drawn_anew(picture, waves, unit, view)


def test_what_was_expected_in_another_window_is_forgotten() -> None:
    waves, unit = walks(200, 20, 3, "int16"), np.repeat([1, 2], 100)
    picture = Picture(waves, unit)
    picture.set_view(View(60, 40))
    picture.expect(np.arange(100))
    view = View(60, 40, (2.0, 11.0), (-30.0, 40.0))
    picture.set_view(view)
    picture.reassign(np.arange(100), 1, 2)
    assert_as_drawn_anew(picture, waves, np.full(200, 2), view)


def test_an_edition_is_another_one_whenever_images_have_changed() -> None:
    picture = Picture(walks(100, 20, 4, "float32"), np.ones(100, int))
    seen = [picture.edition]
    picture.set_view(View(50, 40))
    seen.append(picture.edition)
    picture.reassign(np.arange(50), 1, 2)
    seen.append(picture.edition)
    assert len({*seen}) == 3
    picture.reassign([1], 2, 2)  # moves nothing
    picture.count([1])
    assert picture.edition == seen[-1]


def test_a_change_that_does_not_fit_is_refused() -> None:
    picture = Picture(walks(10, 20, 5, "float32"), np.ones(10, int))
    picture.set_view(View(50, 40))
    with pytest.raises(NeuralSorterError, match="row 3 is in unit 1 of this picture, not in 2"):
        picture.reassign([3], 2, 1)
    with pytest.raises(NeuralSorterError, match="rows must lie in the block"):
        picture.reassign([10], 1, 2)
    with pytest.raises(NeuralSorterError, match="no window before set_view"):
        Picture(walks(10, 20, 5, "float32"), np.ones(10, int)).count([1])


def test_some_rows_are_counted_like_a_picture_of_their_own() -> None:
    waves = walks(500, 25, 6, "int16")
    picture = Picture(waves, np.ones(500, int))
    view = View(80, 50, (0.0, 24.0), (-30.0, 40.0))
    picture.set_view(view)
    rows = np.random.default_rng(0).choice(500, 60, replace=False)
    alone = density(waves[rows], np.ones(60), 80, 50, view.x_range, view.y_range).counts[0]
    by_rows, by_mask, none = (picture.count(r) for r in (rows, np.isin(np.arange(500), rows), np.zeros(0, int)))
    assert by_rows is not None
    assert by_mask is not None
    assert none is not None
    assert np.array_equal(by_rows, alone)
    assert np.array_equal(by_mask, alone)
    assert not none.any()


def test_a_preview_is_a_part_of_the_picture_and_the_same_each_time() -> None:
    waves = walks(1_000, 25, 7, "float32")
    unit = np.arange(1_000) % 3
    picture = Picture(waves, unit)
    view = View(60, 40)
    picture.set_view(view)
    first, again, other = (picture.preview(view, 0.1, seed) for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    assert sum(first.n_drawn.values()) == 100
    assert first.n_drawn.keys() == first.images.keys()
    for name, image in first.images.items():
        assert np.array_equal(image, again.images[name])
        assert (image <= picture.images[name]).all()
    assert any(not np.array_equal(image, other.images[name]) for name, image in first.images.items())


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


def test_a_picture_no_longer_wanted_is_dropped_and_the_old_one_kept() -> None:
    waves = np.tile(walks(20_000, 60, 9, "int16"), (20, 1))
    picture = Picture(waves, np.ones(len(waves), int))
    picture.set_view(View(30, 20))
    before = picture.images[1]
    results: list[bool] = []
    worker = threading.Thread(target=lambda: results.append(picture.set_view(View(900, 700, (0.5, 40.5), (-9.0, 9.0)))))
    worker.start()
    deadline = time.monotonic() + 60
    while worker.is_alive() and time.monotonic() < deadline:
        picture.cancel()
        time.sleep(0.001)
    worker.join()
    assert results == [False]
    assert picture.images[1] is before
    assert picture.set_view(View(40, 30))
    assert picture.images[1].shape == (30, 40)


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
