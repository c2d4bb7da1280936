"""Which waveforms meet a region, against Shapely and against the pixels drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuralsorter import NeuralSorterError, pick
from neuralsorter.density import View, alignment, density
from neuralsorter.drawing.block import Window
from neuralsorter.drawing.pixelpicking import fill
from neuralsorter.picking import pick_amplitude, pick_box, pick_crossing

RATE, PRE = 20_000.0, 5
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Points = NDArray[np.float64]


def walks(n: int, n_samples: int, seed: int, kind: str) -> NDArray[Any]:
    """Return random waveforms, int16 or float32, "gaps": float32 with NaN."""
    rng = np.random.default_rng(seed)
    waves = np.cumsum(rng.normal(0, 5, (n, n_samples)), axis=1)
    if kind == "int16":
        return np.round(waves).astype(np.int16)
    waves[(rng.random(waves.shape) < 0.1) & (kind == "gaps")] = np.nan
    return waves.astype(np.float32)


def shape_of(kind: str, seed: int, n_samples: int) -> Points:
    """Return a region in samples and µV: "star", "box" on whole numbers, "line", or "tangle" that crosses itself."""
    rng = np.random.default_rng(seed)
    centre = np.array([rng.uniform(-2, n_samples + 1), rng.uniform(-15, 15)])
    k = int(rng.integers(3, 40))
    if kind == "star":
        angle, radius = np.sort(rng.uniform(0, 2 * np.pi, k)), rng.uniform(0.2, 1, k)
        spread = rng.uniform(0.2, 8), rng.uniform(1, 20)
        return centre + np.c_[np.cos(angle) * radius * spread[0], np.sin(angle) * radius * spread[1]]
    if kind == "box":
        (x0, x1), (y0, y1) = np.sort(rng.integers(0, n_samples, 2)), np.sort(rng.integers(-15, 15, 2))
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    return centre + rng.normal(size=(2 if kind == "line" else k, 2)) * [3, 12]


def in_ms(points: Points) -> tuple[Points, Points]:
    """Return points of samples as ms, and back in samples as they are after rounding."""
    ms = np.c_[(points[:, 0] - PRE) / RATE * 1000, points[:, 1]]
    return ms, np.c_[ms[:, 0] * RATE / 1000 + PRE, ms[:, 1]]


def by_shapely(waves: NDArray[Any], points: Points) -> NDArray[np.bool_]:
    if len(points) == 2:
        region = shapely.linestrings(points)
    else:
        outline = shapely.linestrings(np.r_[points, points[:1]])
        region = shapely.union(shapely.make_valid(shapely.polygons(points)), outline)
    shapely.prepare(region)
    n, n_samples = waves.shape
    ends = np.stack([np.broadcast_to(np.arange(n_samples), waves.shape), waves.astype(float)], axis=-1)
    lines = np.stack([ends[:, :-1], ends[:, 1:]], axis=2).reshape(-1, 2, 2)
    there = np.isfinite(lines).all(axis=(1, 2))
    hit = np.zeros(len(lines), bool)
    hit[there] = shapely.intersects(region, shapely.linestrings(lines[there]))
    return np.asarray(hit.reshape(n, -1).any(axis=1), np.bool_)


shapes = st.sampled_from(["star", "box", "line", "tangle"])
kinds = st.sampled_from(["int16", "float32", "gaps"])


@quick
@given(shape=shapes, kind=kinds, seed=st.integers(0, 2**16))
def test_hits_are_those_of_exact_geometry(shape: str, kind: str, seed: int) -> None:
    waves = walks(120, 24, seed, kind)
    ms, points = in_ms(shape_of(shape, seed, 24))
    assert np.array_equal(pick(waves, ms, sampling_rate=RATE, pre_samples=PRE), by_shapely(waves, points))


@quick
@given(shape=shapes, kind=kinds, seed=st.integers(0, 2**16), zoomed=st.booleans())
def test_hits_by_pixels_are_what_the_picture_shows(shape: str, kind: str, seed: int, *, zoomed: bool) -> None:
    rng = np.random.default_rng(seed)
    waves = walks(60, 24, seed, kind)
    ms, points = in_ms(shape_of(shape, seed, 24))
    x_range, y_range = (0.0, 23.0), (float(np.nanmin(waves)), float(np.nanmax(waves)))
    if zoomed:
        x_range, y_range = tuple(np.sort(rng.uniform(0, 23, 2))), tuple(np.sort(rng.uniform(*y_range, 2)))
    view = View(int(rng.integers(5, 120)), int(rng.integers(5, 90)), x_range, y_range)
    window = Window(view.width, view.height, x_range, y_range)
    inside = np.diff(fill(points, window.numbers, view.width, view.height), axis=1).T > 0
    drawn = density(waves, np.arange(60), view.width, view.height, x_range, y_range).counts
    hit = pick(waves, ms, sampling_rate=RATE, pre_samples=PRE, view=view)
    assert np.array_equal(hit, (drawn[:, inside] > 0).any(axis=1))


@pytest.mark.parametrize("shape", ["star", "box", "tangle"])
def test_pixels_of_a_region_are_those_whose_centre_is_inside_and_its_outline(shape: str) -> None:
    points = shape_of(shape, 12, 24) * [1, 2]
    window = Window(70, 50, (0.0, 24.0), (-40.0, 40.0))
    filled = np.diff(fill(points, window.numbers, 70, 50), axis=1).T > 0
    x, y = np.meshgrid((np.arange(70) + 0.5) * 24 / 70, (np.arange(50) + 0.5) * 80 / 50 - 40)
    region = shapely.make_valid(shapely.polygons(points))
    inside = shapely.contains_xy(region, x, y)
    outline = shapely.linestrings(np.r_[points, points[:1]] * [70 / 24, 50 / 80])
    distance = shapely.distance(outline, shapely.points(x * 70 / 24, y * 50 / 80))
    assert filled[inside].all()
    assert (distance[filled & ~inside] < 1.5).all()


def test_a_line_between_two_samples_is_hit_although_no_sample_is_inside() -> None:
    waves = np.array([[0, 0, 0, 100, 100, 100, 100, 100], [0] * 8], np.float32)
    box = [(2.4, 45), (2.6, 45), (2.6, 55), (2.4, 55)]
    assert pick(waves, box, sampling_rate=1000, pre_samples=0).tolist() == [True, False]


def test_a_waveform_wholly_inside_is_hit() -> None:
    waves = np.zeros((1, 8), np.float32)
    assert pick(waves, [(-10, -5), (20, -5), (20, 5), (-10, 5)], sampling_rate=1000, pre_samples=0).all()


def test_touching_the_outline_is_a_hit() -> None:
    waves = np.array([[0, 0, 10, 0, 0, 0, 0, 0]], np.float32)
    tip: dict[str, Any] = {"sampling_rate": 1000, "pre_samples": 0}
    assert pick_box(waves, (0.0, 7.0), (10.0, 20.0), **tip).all()
    assert not pick_box(waves, (0.0, 7.0), (10.001, 20.0), **tip).any()
    assert pick(waves, [(2, 10)], **tip).all()


def test_lines_amplitudes_and_boxes_are_picked_by_name() -> None:
    waves = np.array([[0, 0, 0, 30, 0, 0, 0, 0], [0, 0, 0, 60, 0, 0, 0, 0]], np.float32)
    where: dict[str, Any] = {"sampling_rate": 1000, "pre_samples": 3}
    assert pick_amplitude(waves, 0.0, (50, 70), **where).tolist() == [False, True]
    assert pick_amplitude(waves, 0.5, (10, 20), **where).tolist() == [True, False]
    assert pick_crossing(waves, (-1.0, 40), (1.0, 40), **where).tolist() == [False, True]
    assert pick_box(waves, (-0.6, 0.6), (20, 29), **where).tolist() == [True, True]


def test_a_hole_and_a_notch_are_not_hit() -> None:
    notch = [(0, 0), (10, 0), (10, 10), (6, 10), (6, 2), (4, 2), (4, 10), (0, 10)]
    waves = np.full((2, 12), np.nan, np.float32)
    waves[0, 4:7] = 5  # from 4 to 6, across the notch: its ends touch
    waves[1, 5:7] = [5, 40]  # from within the notch up and out
    assert pick(waves, notch, sampling_rate=1000, pre_samples=0).tolist() == [True, False]


def test_only_the_rows_asked_for_are_hit() -> None:
    waves = np.zeros((6, 8), np.float32)
    where: dict[str, Any] = {"sampling_rate": 1000, "pre_samples": 0}
    box = [(0, -1), (3, -1), (3, 1), (0, 1)]
    assert pick(waves, box, among=[1, 4], **where).tolist() == [False, True, False, False, True, False]
    mask = np.array([True, False, False, True, False, False])
    assert np.array_equal(pick(waves, box, among=mask, **where), mask)
    assert np.array_equal(pick(waves, box, among=mask, view=View(90, 50), **where), mask)


def test_picking_follows_scale_shift_and_channels() -> None:
    bits = walks(200, 24, 3, "int16")
    shift = alignment(bits, PRE)
    box = [(0.1, -15), (0.4, -15), (0.4, 5), (0.1, 5)]
    where: dict[str, Any] = {"sampling_rate": RATE, "pre_samples": PRE}
    scaled = bits * np.float32(0.5)
    assert np.array_equal(pick(bits, box, uv_per_bit=0.5, **where), pick(scaled, box, **where))
    moved = np.full((200, 80), np.nan, np.float32)
    for i, at in enumerate(shift + 30):
        moved[i, at : at + 24] = scaled[i]
    assert np.array_equal(
        pick(bits, box, uv_per_bit=0.5, shift=shift, **where),
        pick(moved, box, sampling_rate=RATE, pre_samples=PRE + 30),
    )
    pair = bits.reshape(100, 2, 24)
    second = [(x + 25 / RATE * 1000, y) for x, y in box]
    assert np.array_equal(pick(pair, second, **where), pick(pair[:, 1], box, **where))


def test_many_events_on_several_threads_are_picked_alike() -> None:
    waves = np.tile(walks(1_000, 24, 4, "int16"), (20, 1))
    ms, _ = in_ms(shape_of("star", 5, 12))
    hit = pick(waves, ms, sampling_rate=RATE, pre_samples=PRE).reshape(20, 1_000)
    assert hit.any()
    assert (hit == hit[0]).all()


@pytest.mark.parametrize(
    ("polygon", "more", "message"),
    [
        ([1, 2, 3], {}, "polygon must be points"),
        ([(0, np.nan), (1, 1)], {}, "polygon must have finite points"),
        ([(0, 0), (1, 1)], {"sampling_rate": 0}, "sampling_rate must be a positive"),
        ([(0, 0), (1, 1)], {"among": [7]}, "among must hold rows from 0 to 5"),
        ([(0, 0), (1, 1)], {"among": [True]}, "among must be rows or a mask"),
        ([(0, 0), (1, 1)], {"shift": [1]}, "shift must have one number"),
    ],
)
def test_what_cannot_be_picked_is_refused_in_a_sentence(polygon: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(NeuralSorterError, match=message):
        pick(np.zeros((6, 8), np.float32), polygon, **({"sampling_rate": 1000, "pre_samples": 0} | more))
