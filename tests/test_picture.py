"""A picture kept up to date by what changes is the one drawn anew."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuralsorter import NeuralSorterError
from neuralsorter.density import Picture, View, density

from .walks import quick, walks, window


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
