"""The stages beside the network: each rule marks what breaks it and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from neuralsorter.screening import (
    beyond_amplitude,
    chance_rate_hz,
    coincident,
    doublets,
    flat_or_saturated,
    in_epochs,
    outliers,
)


def _array(n_channels: int, rate_hz: float, duration_s: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    channel = np.repeat(np.arange(n_channels), int(duration_s * rate_hz))
    return rng.uniform(0, duration_s, len(channel)), channel


@pytest.mark.parametrize("share", [0.5, 0.8, 1.0])
def test_artefacts_of_a_busy_array_go_and_spikes_stay(share: float) -> None:
    """96 channels at 20 Hz: at least 99 % of common artefacts marked, at most 0.5 % of spikes."""
    rng = np.random.default_rng(3)
    times, channel = _array(96, 20.0, 60.0, 1)
    onset = rng.uniform(0, 60, 40)
    hit, where = np.nonzero(rng.random((40, 96)) < share)
    all_times = np.concatenate([times, onset[hit] + rng.uniform(0, 0.0005, len(hit))])
    all_channels = np.concatenate([channel, where])
    found = coincident(all_times, all_channels, np.zeros(len(all_times), int)).events
    assert found[len(times) :].mean() >= 0.99
    assert found[: len(times)].mean() <= 0.005


def test_the_chance_rate_is_what_independent_channels_give() -> None:
    times, channel = _array(20, 40.0, 200.0, 5)
    found, told = coincident(times, channel, np.zeros(len(times), int), window_ms=1.0, least_share=0.2)
    counts = np.bincount(channel)
    expected = chance_rate_hz(counts, 200.0, 1.0, 4)
    assert told == pytest.approx(expected, rel=0.5)
    # A group's every event finds the others only from its own place: the rule marks those that do.
    assert found.sum() / 200.0 == pytest.approx(expected, rel=0.15)


def test_events_of_one_channel_or_of_different_clocks_never_coincide() -> None:
    times = np.full(40, 1.0)
    assert not coincident(times, np.zeros(40, int), np.zeros(40, int)).events.any()
    assert not coincident(times, np.arange(40), np.arange(40)).events.any()
    assert coincident(times, np.arange(40), np.zeros(40, int)).events.all()
    assert not coincident(np.full(40, np.nan), np.arange(40), np.zeros(40, int)).events.any()


def test_nothing_coincides_among_no_events() -> None:
    empty = np.zeros(0)
    assert coincident(empty, empty.astype(int), empty.astype(int)).chance_hz == 0.0


def test_only_the_first_of_a_doublet_stays() -> None:
    times = np.array([0.0, 0.0003, 0.0006, 0.0020, 0.5, 0.5004, 0.5004])
    channel = np.array([1, 1, 1, 1, 1, 1, 2])
    marked = doublets(times, channel, np.zeros(7, int), dead_ms=0.5)
    assert marked.tolist() == [False, True, False, False, False, True, False]


def test_doublets_are_found_in_any_order_of_rows_and_not_across_a_clock_reset() -> None:
    times = np.array([5.0, 0.0, 5.0002, 0.0001])
    assert doublets(times, np.ones(4, int), np.array([0, 1, 0, 1])).tolist() == [False, False, True, True]
    assert doublets(times, np.ones(4, int), np.arange(4)).sum() == 0
    assert doublets(np.full(3, np.nan), np.ones(3, int), np.zeros(3, int)).sum() == 0


def test_amplitude_limits_mark_what_lies_beyond() -> None:
    wave = np.array([[0, -40, 10], [0, -400, 10], [0, -3, 2], [0, 10, 500], [np.nan, -50, 0]], np.float32)
    assert beyond_amplitude(wave, -300, 300, 20).tolist() == [False, True, True, True, False]
    assert not beyond_amplitude(wave).any()


def test_flat_missing_and_saturated_events_are_marked_and_padding_is_not() -> None:
    t = np.linspace(-3, 3, 60)
    spike = -50 * np.exp(-(t**2) * 4)
    clipped = np.clip(spike, -20, 20)
    padded = spike.copy()
    padded[:10] = padded[10]
    wave = np.stack([spike, clipped, np.zeros(60), np.full(60, np.nan), padded])
    assert flat_or_saturated(wave).tolist() == [False, True, True, True, False]


def test_events_far_from_their_unit_are_marked() -> None:
    rng = np.random.default_rng(2)
    shape = -60 * np.exp(-(np.linspace(-3, 3, 60) ** 2) * 4)
    wave = shape + rng.normal(0, 6, (2000, 60))
    wave[:20] += 80 * np.sin(np.linspace(0, 20, 60))
    unit = np.ones(2000, int)
    unit[1990:] = 0
    marked = outliers(wave, unit)
    assert marked[:20].all()
    assert marked[20:].mean() < 0.005
    assert not marked[1990:].any()


def test_a_small_unit_is_left_alone() -> None:
    assert not outliers(np.random.default_rng(0).normal(0, 1, (20, 60)), np.ones(20, int)).any()


def test_bad_epochs_mark_the_times_inside_them() -> None:
    times = np.array([0.5, 1.0, 1.9, 2.0, 7.0, np.nan])
    assert in_epochs(times, [(1.0, 2.0), (6.0, 8.0)]).tolist() == [False, True, True, False, True, False]
    assert not in_epochs(times, []).any()
