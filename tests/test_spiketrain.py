"""Intervals, correlograms, rates and responses equal a count by hand and never cross a restart of the clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuralsorter.errors import DataError
from neuralsorter.spikes import Spikes
from neuralsorter.spiketrain import (
    autocorrelogram,
    correlograms,
    each_unit,
    intervals,
    isi_histogram,
    rate,
    responses,
    stretches,
)

RATE = 20_000.0


def counted_by_hand(
    samples: NDArray[np.int64],
    unit: NDArray[np.int64],
    stretch: NDArray[np.int64],
    window: int,
    step: int,
) -> NDArray[np.int64]:
    units = np.unique(unit).tolist()
    counts = np.zeros((len(units), len(units), 2 * window // step), np.int64)
    for i in range(len(samples)):
        for j in range(len(samples)):
            lag = int(samples[j] - samples[i])
            if i != j and stretch[i] == stretch[j] and -window <= lag < window:
                counts[units.index(unit[i]), units.index(unit[j]), lag // step + window // step] += 1
    return counts


@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 3), st.integers(0, 2)), max_size=40),
    st.integers(1, 7),
    st.integers(1, 6),
    st.sampled_from([None, 1, 3]),
)
def test_correlograms_equal_a_count_by_hand(
    events: list[tuple[int, int, int]], step: int, n_bins: int, threads: int | None
) -> None:
    samples, unit, stretch = np.array(events, np.int64).reshape(-1, 3).T
    table = correlograms(samples / 1000, unit, n_bins * step, step, 1000.0, stretch, threads)
    assert table.counts.tolist() == counted_by_hand(samples, unit, stretch, n_bins * step, step).tolist()


def test_threads_lose_no_count() -> None:
    random = np.random.default_rng(0)
    times = random.integers(0, int(300 * RATE), 60_000) / RATE
    unit = random.integers(0, 10, len(times))
    one, four = (correlograms(times, unit, threads=threads).counts for threads in (1, 4))
    assert one.sum() > 1_000_000
    assert (one == four).all()


def test_lags_on_an_edge_belong_to_the_bin_that_starts_there() -> None:
    counts, edges = autocorrelogram([0.0, 0.002], window_ms=3, bin_ms=1, sampling_rate=RATE)
    assert edges.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert counts.tolist() == [0, 1, 0, 0, 0, 1]


def test_a_pair_of_units_is_looked_up_by_number() -> None:
    table = correlograms([0.0, 0.0015, 1.0], [4, 9, 4], window_ms=2, bin_ms=1)
    assert table.pair(4, 9).tolist() == [0, 0, 0, 1]
    assert table.pair(9, 4).tolist() == [1, 0, 0, 0]
    with pytest.raises(DataError, match="no unit 5"):
        table.pair(5, 4)


def test_nothing_is_counted_across_a_restart_of_the_clock() -> None:
    times, stretch = [0.0, 0.002, 0.001, 0.004], [0, 0, 1, 1]
    assert np.allclose(intervals(times, stretch), [0.002, 0.003])
    assert isi_histogram(times, 5, 1, stretch)[0].tolist() == [0, 0, 1, 1, 0]
    assert autocorrelogram(times, 5, 1, RATE, stretch)[0].sum() == 4
    assert autocorrelogram(times, 5, 1, RATE)[0].sum() == 12


def test_stretches_differ_between_files_and_segments() -> None:
    spikes = Spikes(
        raw=np.zeros((4, 8), np.float32),
        times_s=np.arange(4.0),
        channel=np.ones(4, int),
        unit=np.ones(4, int),
        experiment=np.array([0, 0, 1, 1]),
        segment=np.array([0, 1, 0, 1]),
        pre_samples=2,
    )
    assert len(np.unique(stretches(spikes))) == 4


def test_each_unit_is_listed_once_without_noise() -> None:
    def table(channel: list[int], unit: list[int]) -> Spikes:
        n = len(unit)
        zeros = np.zeros(n, np.int32)
        return Spikes(
            np.zeros((n, 8), np.float32),
            np.arange(n, dtype=np.float64),
            zeros + channel,
            zeros + unit,
            zeros,
            pre_samples=2,
        )

    one = list(each_unit(table([7, 7, 7, 7], [2, 0, 1, 2])))
    assert [(u.name, u.rows.tolist()) for u in one] == [("unit 1", [2]), ("unit 2", [0, 3])]
    two = list(each_unit(table([7, 5, 7], [1, 1, 0])))
    assert [(u.name, u.rows.tolist()) for u in two] == [("channel 5 unit 1", [1]), ("channel 7 unit 1", [0])]
    assert not list(each_unit(table([], [])))


def test_unknown_times_are_left_out() -> None:
    times = [np.nan, 0.0, 0.0015, np.nan]
    assert isi_histogram(times, 3, 1)[0].tolist() == [0, 1, 0]
    assert correlograms(times, [1, 1, 1, 1], 3, 1).counts.sum() == 2
    assert rate(times, 1.0)[0].tolist() == [2.0]
    assert len(responses(times, [0.0]).lag_s) == 2


@pytest.mark.parametrize("times", [[], [1.0]])
def test_too_few_events_give_empty_histograms(times: list[float]) -> None:
    assert isi_histogram(times)[0].sum() == 0
    assert autocorrelogram(times)[0].tolist() == [0] * 100
    assert rate(times, 1.0)[0].sum() == len(times)


def test_intervals_of_whole_bins_are_not_lost_to_rounding() -> None:
    times = np.cumsum(np.full(1000, 0.002))
    counts, edges = isi_histogram(times, 5, 1)
    assert counts.tolist() == [0, 0, 999, 0, 0]
    assert edges.tolist() == [0, 1, 2, 3, 4, 5]


def test_the_order_of_the_events_does_not_matter() -> None:
    random = np.random.default_rng(1)
    times, unit = random.uniform(0, 5, 500), random.integers(1, 4, 500)
    order = random.permutation(500)
    assert (correlograms(times, unit).counts == correlograms(times[order], unit[order]).counts).all()
    assert (isi_histogram(times)[0] == isi_histogram(times[order])[0]).all()


def test_rates_count_every_event_once() -> None:
    rates, edges = rate([0.0, 0.5, 1.0, 2.0], 1.0)
    assert rates.tolist() == [2, 1, 1]
    assert edges.tolist() == [0, 1, 2, 3]
    assert rate([0.5, 7.0], 0.5, 0.0, 1.0)[0].tolist() == [0, 2]


def test_responses_hold_every_event_around_every_trigger() -> None:
    found = responses([0.9, 1.1, 2.05, 5.0], [1.0, 2.0, 3.0], 0.2, 0.2)
    assert found.trigger.tolist() == [0, 0, 1]
    assert np.allclose(found.lag_s, [-0.1, 0.1, 0.05])
    rates, edges = found.histogram(0.2, 0.2, 0.2)
    assert np.allclose(rates, [1 / 0.6, 2 / 0.6])
    assert np.allclose(edges, [-0.2, 0, 0.2])


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(DataError, match="longer than 0 ms"):
        isi_histogram([0.0], bin_ms=0)
    with pytest.raises(DataError, match="one number per event"):
        intervals([0.0, 1.0], [0])
    with pytest.raises(DataError, match="one value per event"):
        correlograms([0.0, 1.0], [1])
