"""Alignment, whitening, autoencoder, neighbours, merging and timing, each alone."""

from __future__ import annotations

import numpy as np
import pytest

from neuralsorter.sorting import autoencoder, features, merging, timing
from neuralsorter.sorting.alignment import Alignment
from neuralsorter.sorting.neighbours import nearest
from neuralsorter.sorting.whitening import learn_whitening


def bump(place: np.ndarray, sign: float = -1.0) -> np.ndarray:
    time = np.arange(60)[None, :] - np.asarray(place)[:, None]
    return (sign * 50 * np.exp(-0.5 * (time / 3.0) ** 2)).astype(np.float32)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_shifted_events_are_the_same_once_aligned(sign: float) -> None:
    align = Alignment.of(60, 20_000.0, 20)
    aligned = align(bump(np.linspace(20.0, 26.9, 40), sign))
    assert np.ptp(aligned, axis=0).max() < 0.5
    assert int(np.abs(aligned[0]).argmax()) == align.before


def test_a_biphasic_event_is_aligned_to_the_phase_that_crossed() -> None:
    align = Alignment.of(60, 20_000.0, 20)
    wave = bump(np.array([21.0])) + 1.02 * bump(np.array([30.0]), 1.0)
    assert align(wave)[0, align.before] < 0


def test_the_channels_of_a_tetrode_move_together() -> None:
    align = Alignment.of(60, 20_000.0, 20)
    wave = np.stack([bump(np.array([24.0])), 0.2 * bump(np.array([27.0]))], axis=1)
    both = align(wave).reshape(2, -1)
    assert int(np.abs(both[1]).argmax()) - int(np.abs(both[0]).argmax()) == 3


def test_missing_samples_hold_the_nearest_known_value() -> None:
    wave = np.array([[np.nan, 2, np.nan, 4, np.nan], [np.nan] * 5])
    np.testing.assert_array_equal(features.fill(wave), [[2, 2, 3, 4, 4], [0] * 5])


def test_neighbours_are_the_nearest_other_points() -> None:
    points = np.random.default_rng(0).normal(size=(2100, 4)).astype(np.float32)
    found = nearest(points, np.arange(30), 5)
    distance = np.square(points[:30, None] - points[None]).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(found, np.argsort(distance, axis=1)[:, :5])


def test_whitening_evens_out_the_noise_within_units_without_labels() -> None:
    rng = np.random.default_rng(1)
    unit = rng.integers(0, 2, 3000)
    noise = rng.normal(size=(3000, 12))
    noise[:, 0] *= 3
    points = noise + unit[:, None] * np.eye(12)[1] * 8
    white = learn_whitening(points, seed=0)(points)
    difference = white[unit == 1].mean(axis=0) - white[unit == 0].mean(axis=0)
    within = white[unit == 0].std(axis=0)
    assert abs(difference[0]) / within[0] > 5  # the first axis separates, although another is 3 times as noisy
    assert abs(difference[1:] / within[1:]).max() < 0.5


def test_the_autoencoder_brings_neighbours_together() -> None:
    rng = np.random.default_rng(2)
    centre = rng.normal(size=(4, 10)) * 4
    unit = rng.integers(0, 4, 1500)
    points = centre[unit] + rng.normal(size=(1500, 10))
    near = nearest(points, np.arange(1500), 5)

    def spread(latent: np.ndarray) -> float:
        within = np.mean([latent[unit == u].var(axis=0).sum() for u in range(4)])
        return float(within / latent.var(axis=0).sum())

    untrained = autoencoder.train(points, near, 3, 0, seed=0)(points)
    trained = autoencoder.train(points, near, 3, 600, seed=0)(points)
    assert spread(trained) < 0.8 * spread(untrained)


def test_parts_without_a_gap_are_merged_and_parts_with_one_are_not() -> None:
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(size=(900, 3)), np.array([7.0, 0, 0]) + rng.normal(size=(300, 3))])
    labels = np.r_[(points[:900, 1] > 0.3).astype(int), np.full(300, 2)]
    bright = np.zeros(1200, bool)
    merged, reasons = merging.merge_parts(points, labels, 0.1, bright, 0.001)
    assert merged.max() == 1
    assert len(np.unique(merged[:900])) == 1
    assert [r.merged for r in reasons] == [True, False]
    assert reasons[1].distance > 5


def shoulder(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two groups of 700 and 110 points 3.2 SD apart: no gap lies between them."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(700, 6)), rng.normal(size=(110, 6)) + 3.2 * np.eye(6)[0]


def test_a_small_unit_beside_a_large_one_stays_apart_by_its_shape() -> None:
    large, small = shoulder(6)
    assert merging.gap(large, small)[0] > 0.1
    assert merging.two_lumps(large, small, np.array([0.0, 30, 0, 0, 0, 0]), np.array([1.0, 0, 2, 0, 0, 0]))


def test_a_shoulder_towards_silence_is_no_second_unit() -> None:
    large, small = shoulder(6)
    assert not merging.two_lumps(large, small, np.array([30.0, 0, 0, 0, 0, 0]), np.eye(6)[2])


def test_a_shoulder_of_events_moved_in_time_is_no_second_unit() -> None:
    large, small = shoulder(6)
    assert not merging.two_lumps(large, small, np.array([0.0, 30, 0, 0, 0, 0]), np.array([5.0, 0, 1, 0, 0, 0]))


def test_two_halves_of_one_cloud_are_not_two_units() -> None:
    points = np.random.default_rng(7).normal(size=(1500, 6))
    half = points[:, 0] > 0
    assert not merging.two_lumps(points[~half], points[half], np.array([0.0, 30, 0, 0, 0, 0]), np.eye(6)[2])


def test_small_parts_join_the_nearest() -> None:
    rng = np.random.default_rng(4)
    points = np.concatenate([rng.normal(size=(300, 2)), rng.normal(size=(5, 2)) + 9])
    labels = np.r_[np.zeros(300, int), np.ones(5, int)]
    assert merging.merge_parts(points, labels, 0.1, np.zeros(305, bool), 0.001)[0].max() == 0


def test_times_tell_one_cell_from_two() -> None:
    rng = np.random.default_rng(5)
    one = np.sort(rng.random(6000) * 300)
    one = one[np.diff(one, prepend=-1) > 0.004]
    parts = rng.random(len(one)) < 0.5
    other = np.sort(rng.random(3000) * 300)
    assert timing.refractory_ratio(one[parts], one[~parts], 0.0)[0] < 0.1
    assert timing.refractory_ratio(one[parts], other, 0.0)[0] == pytest.approx(1.0, abs=0.3)
    assert timing.strictness(one[parts], one[~parts], 0.0) < 1 < timing.strictness(one[parts], other, 0.0)
    assert timing.strictness(np.full(9, np.nan), other, 0.0) == 1.0
