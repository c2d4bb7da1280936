"""What is known of an event beside its shape: the noise's colour, likeness to groups and to crossings of noise."""

from __future__ import annotations

import numpy as np

from neuralsorter.context import typical
from neuralsorter.facts import N_FACTS, colour, facts
from neuralsorter.overlaps import overlap_facts, second_shapes
from neuralsorter.waveforms import Common, quiet, seen, to_common

FROM_NOISE, FROM_ANY_GROUP, SECOND, LEFT_BY_TWO = 10, 13, 24, 25


def _noise(n: int, pole: float, seed: int = 0) -> np.ndarray:
    """Autoregressive noise of SD 1: its autocorrelation is `pole` to the power of the lag."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, 160))
    for i in range(1, 160):
        x[:, i] = pole * x[:, i - 1] + rng.normal(0, np.sqrt(1 - pole**2), n)
    return x[:, 100:].astype(np.float32)


def _known(waves: np.ndarray) -> np.ndarray:
    common = to_common(waves, 20_000, 20)
    level, sigma = quiet(waves, 20)
    events = seen(common, sigma, level)
    return facts(events, typical(events.values), colour(common, sigma, level))


def _spikes(n: int, size: float) -> np.ndarray:
    shape = np.zeros(60, np.float32)
    shape[18:26] = [-0.3, -0.8, -1.0, -0.7, -0.2, 0.2, 0.35, 0.3]
    return _noise(n, 0.6, 1) + size * shape


def test_the_colour_of_the_noise_is_found_behind_the_spikes() -> None:
    for pole in (0.3, 0.8):
        waves = _noise(4000, pole)
        waves[:, 19:40] += 8 * np.sin(np.arange(21) / 4)
        found = colour(to_common(waves, 20_000, 20), 1.0, 0.0)
        assert found[0] == 1.0
        np.testing.assert_allclose(found[1:5], pole ** np.arange(1, 5), atol=0.08)


def test_a_window_without_quiet_samples_has_white_noise() -> None:
    one = Common(np.ones((5, 60), np.float32), np.eye(1, 60, dtype=np.float32))
    assert colour(one, 1.0, 0.0).tolist() == [1.0, *[0.0] * 59]


def test_an_event_unlike_all_others_is_far_from_what_is_typical() -> None:
    waves = _spikes(400, 12.0)
    waves[7, 28:36] += 15
    found = _known(waves)
    assert found.shape == (400, N_FACTS)
    assert np.isfinite(found).all()
    assert found[7, FROM_ANY_GROUP] > np.median(found[:, FROM_ANY_GROUP]) + 1  # SDs of training recordings


def test_a_crossing_of_noise_looks_like_the_noise_and_a_spike_does_not() -> None:
    noise = _noise(40_000, 0.6, 3)
    crossings = noise[noise[:, 20] < -2.5][:300]
    known = _known(np.concatenate([crossings, _spikes(300, 9.0)]))
    assert np.median(known[:300, FROM_NOISE]) < np.median(known[300:, FROM_NOISE])


def _one_shape(place: int, size: float) -> np.ndarray:
    shape = np.zeros(60, np.float32)
    shape[place - 2 : place + 6] = [-0.3, -0.8, -1.0, -0.7, -0.2, 0.2, 0.35, 0.3]
    return size * shape


def test_two_spikes_in_one_event_are_explained_by_two_shapes_and_a_disturbance_is_not() -> None:
    waves = _spikes(400, 12.0)
    for row, place in enumerate((8, 30, 33, 37)):
        waves[row] += _one_shape(place, 9.0)
    for row, period in enumerate((1.9, 2.3, 2.9, 3.7), 4):  # samples per radian
        waves[row] += 6 * np.sign(np.sin(np.arange(60) / period)).astype(np.float32)
    found = _known(waves)
    left, second, left_by_two = (found[:, place] for place in (FROM_ANY_GROUP, SECOND, LEFT_BY_TWO))
    assert (left[:8] > np.quantile(left[8:], 0.99)).all()  # one shape explains none of them
    assert np.mean(second[8:] == second[8:].min()) > 0.9  # where one is enough no second is looked for
    assert left_by_two[:4].max() < left_by_two[4:8].min()


def test_the_second_shape_is_found_at_any_shift_and_either_sign() -> None:
    mean = _one_shape(20, 10.0)[None]
    shapes = second_shapes(mean, np.array([50]), np.eye(60, dtype=np.float32))
    left = np.stack([_one_shape(place, size) for place, size in ((12, 9.0), (31, -11.0), (44, 10.0))])
    found = overlap_facts(mean + left, left, shapes, np.ascontiguousarray(mean.T), (0.7, 1.25))
    assert np.expm1(found[:, 1]).max() < 0.01  # noise variances per sample that are left


def test_shapes_that_are_much_alike_count_once() -> None:
    means = np.stack([_one_shape(20, 10.0), _one_shape(20, 11.0), np.roll(_one_shape(20, 10.0), 9)])
    eye = np.eye(60, dtype=np.float32)
    both = second_shapes(means, np.array([50, 40, 30]), eye)
    assert both.shape == second_shapes(means[::2], np.array([50, 30]), eye).shape


def test_gain_changes_no_fact_and_no_event_has_none() -> None:
    waves = _spikes(200, 9.0)
    np.testing.assert_allclose(_known(waves), _known(waves * 37), atol=2e-3)
    common = to_common(waves[:1], 20_000, 20)
    assert _known(waves[:1]).shape == (1, N_FACTS)
    events = seen(Common(common.values[:0], common.mask), 1.0)
    assert facts(events, typical(events.values), np.eye(1, 60)[0]).shape == (0, N_FACTS)
