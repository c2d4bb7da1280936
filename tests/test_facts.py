"""What is known of an event beside its shape: the noise's colour, likeness to groups and to crossings of noise."""

from __future__ import annotations

import numpy as np

from neuralsorter.context import typical
from neuralsorter.facts import N_FACTS, colour, facts
from neuralsorter.waveforms import Common, quiet, seen, to_common

FROM_NOISE, FROM_ANY_GROUP = 10, 13


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
    assert found[7, FROM_ANY_GROUP] > 2 * np.median(found[:, FROM_ANY_GROUP])


def test_a_crossing_of_noise_looks_like_the_noise_and_a_spike_does_not() -> None:
    noise = _noise(40_000, 0.6, 3)
    crossings = noise[noise[:, 20] < -2.5][:300]
    known = _known(np.concatenate([crossings, _spikes(300, 9.0)]))
    assert np.median(known[:300, FROM_NOISE]) < np.median(known[300:, FROM_NOISE])


def test_gain_changes_no_fact_and_no_event_has_none() -> None:
    waves = _spikes(200, 9.0)
    np.testing.assert_allclose(_known(waves), _known(waves * 37), atol=2e-3)
    common = to_common(waves[:1], 20_000, 20)
    assert _known(waves[:1]).shape == (1, N_FACTS)
    events = seen(Common(common.values[:0], common.mask), 1.0)
    assert facts(events, typical(events.values), np.eye(1, 60)[0]).shape == (0, N_FACTS)
