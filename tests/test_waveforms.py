"""Waveforms of any rate and window become comparable, and the noise is found in the events themselves."""

from __future__ import annotations

import numpy as np
import pytest

from neuralsorter.context import typical
from neuralsorter.waveforms import network_input, noise_sigma, resample, seen, to_common


def _bump(rate: float, n_samples: int, pre: int, centre_ms: float = 0.2) -> np.ndarray:
    t = (np.arange(n_samples) - pre) / rate * 1000
    return (-60 * np.exp(-0.5 * ((t - centre_ms) / 0.15) ** 2)).astype(np.float32)


def _noisy(n: int, sigma: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (_bump(20_000, 60, 20) * rng.uniform(0.8, 1.2, (n, 1)) + rng.normal(0, sigma, (n, 60))).astype(np.float32)


@pytest.mark.parametrize("gain", [0.001, 1.0, 300.0])
def test_the_noise_is_found_whatever_the_gain(gain: float) -> None:
    found = noise_sigma(_noisy(400, 6.0) * np.float32(gain), 20)
    assert found == pytest.approx(6.0 * gain, rel=0.08)


def test_other_spikes_in_the_window_do_not_widen_the_noise() -> None:
    wave = _noisy(400, 6.0)
    wave[:80, :12] -= 90
    assert noise_sigma(wave, 20) == pytest.approx(6.0, rel=0.35)


def test_the_noise_of_a_few_samples_before_the_crossing_is_found() -> None:
    assert noise_sigma(_noisy(400, 6.0)[:, 16:], 4) == pytest.approx(6.0, rel=0.35)


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros((0, 60), np.float32),
        np.zeros((5, 60), np.float32),
        np.full((5, 60), np.nan, np.float32),
        np.zeros((5, 0), np.float32),
    ],
)
def test_without_anything_to_measure_the_noise_is_one(wave: np.ndarray) -> None:
    assert noise_sigma(wave, 20 if wave.shape[1] else 0) == 1.0


@pytest.mark.parametrize(("rate", "samples", "pre"), [(30_000, 90, 30), (40_000, 120, 40), (24_000, 72, 24)])
def test_events_of_other_rates_have_the_same_shape_in_the_common_window(rate: float, samples: int, pre: int) -> None:
    common = to_common(_bump(rate, samples, pre)[None], rate, pre)
    assert np.abs(common.values[0] - _bump(20_000, 60, 20)).max() < 0.5
    assert common.mask.sum() >= 59


def test_outside_the_source_window_the_edge_is_held_and_masked() -> None:
    wave = _bump(30_000, 48, 10)[None] + np.linspace(5, 9, 48, dtype=np.float32)
    common = to_common(wave, 30_000, 10)
    assert common.mask[0, :13].sum() == 0
    assert np.ptp(common.values[0, :12]) < 1e-4
    assert common.values[0, 0] == pytest.approx(wave[0, 0], abs=0.3)
    assert np.abs(np.diff(common.values[0])).max() < 25  # no step where the window begins


def test_missing_samples_are_held_and_masked_event_by_event() -> None:
    wave = np.tile(_bump(20_000, 60, 20), (3, 1))
    wave[1, 45:] = np.nan
    common = to_common(wave, 20_000, 20)
    assert np.isfinite(common.values).all()
    assert common.mask.sum(axis=1).tolist() == [60, 45, 60]
    assert np.allclose(common.values[1, :40], common.values[0, :40], atol=0.1)


@pytest.mark.parametrize("fill", ["zero", "edge"])
def test_padding_that_all_events_share_is_recognised(fill: str) -> None:
    wave = _noisy(50, 6.0)
    wave[:, :8] = 0 if fill == "zero" else wave[:, 8:9]
    wave[:, 50:] = 0 if fill == "zero" else wave[:, 49:50]
    mask = to_common(wave, 20_000, 20).mask
    assert mask.sum() == 42
    assert mask[0, 8:50].all()


def test_resampling_there_and_back_returns_the_waveform() -> None:
    wave = _bump(20_000, 60, 20)[None]
    there = resample(wave, 20_000, 20, 40_000, 120, 40)
    back = resample(there, 40_000, 40, 20_000, 60, 20)
    assert np.nanmax(np.abs(back - wave)) < 0.5
    assert np.isnan(resample(wave, 20_000, 20, 20_000, 80, 30)[0, :9]).all()


def test_a_network_sees_the_same_upright_or_inverted_and_wherever_the_extremum_lies() -> None:
    wave = _noisy(20, 0.5)
    one = seen(to_common(wave, 20_000, 20), 5.0)
    other = seen(to_common(-wave, 20_000, 20), 5.0)
    assert np.array_equal(one.values, other.values)
    later = seen(to_common(wave[:, 3:], 20_000, 17 - 3), 5.0)  # three samples later in the window
    assert np.allclose(one.values[:, 10:45], later.values[:, 10:45], atol=1e-5)
    assert (one.values[:, :60].argmin(axis=1) == 20).all()


def test_a_network_sees_size_in_units_of_the_noise() -> None:
    wave = _noisy(50, 5.0)
    one = seen(to_common(wave, 20_000, 20), noise_sigma(wave, 20))
    loud = seen(to_common(wave * 40, 20_000, 20), noise_sigma(wave * 40, 20))
    assert np.allclose(one.values, loud.values, atol=1e-4)


def test_what_is_typical_is_the_mean_of_alike_events() -> None:
    wave = np.concatenate([_noisy(300, 4.0), -0.4 * _noisy(300, 4.0, 1)[:, ::-1]])
    events = seen(to_common(wave, 20_000, 20), 4.0)
    found = typical(events.values)
    first = found.of_each[:300, :60]
    truth = events.values[:300, :60].mean(axis=0)
    assert np.abs(first - truth).mean() < 0.5 * np.abs(events.values[:300, :60] - truth).mean()
    assert np.array_equal(found.of_each, typical(events.values).of_each)


def test_one_event_and_none_have_something_typical() -> None:
    events = seen(to_common(_noisy(1, 4.0), 20_000, 20), 4.0)
    assert np.allclose(typical(events.values).of_each[0, :60], events.values[0, :60])
    assert typical(events.values[:0]).of_each.shape == (0, 61)


def test_keras_gets_four_columns_the_last_of_facts() -> None:
    events = seen(to_common(_noisy(7, 4.0), 20_000, 20), 4.0)
    known = np.arange(7 * 24, dtype=np.float32).reshape(7, 24)
    alike = typical(events.values).of_each
    x = network_input(np.concatenate([events.values[:, :60], alike[:, :60], known], axis=1), events.mask)
    assert x.shape == (7, 60, 4)
    assert np.array_equal(x[:, :24, 3], known)
    assert not x[:, 24:, 3].any()
    assert np.array_equal(x[:, :, 2], alike[:, :60])
