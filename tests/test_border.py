"""Where spikes and noise part: in the gap between them, not through either; at 0 where few events tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from neuralsorter.border import REACH, border
from neuralsorter.cleaning import spike_probability
from neuralsorter.simulate import simulate

RNG = np.random.default_rng(0)
NOISE, SPIKES = RNG.normal(-3, 1.5, 2000), RNG.normal(6, 2, 3000)


@pytest.mark.parametrize("by", [-1.0, 1.0])
def test_the_border_goes_with_the_gap_between_spikes_and_noise(by: float) -> None:
    here, there = border(np.concatenate([NOISE, SPIKES])), border(np.concatenate([NOISE, SPIKES]) + by)
    assert there - here == pytest.approx(by, abs=0.4)


def test_nothing_but_noise_raises_it_and_nothing_but_spikes_lowers_it() -> None:
    assert border(NOISE) > 1
    assert border(SPIKES - 2) < -1


def test_it_does_not_cut_through_a_group_of_events() -> None:
    both, middle = np.concatenate([NOISE - 3, SPIKES + 3]), RNG.normal(0.6, 0.6, 300)
    assert border(both) > 0
    assert border(np.concatenate([both, middle])) < -1  # all of the group is on one side


def test_few_events_hardly_move_it_and_none_not_at_all() -> None:
    assert border(np.zeros(0)) == pytest.approx(0, abs=1e-9)
    assert 0 < border(NOISE[:20]) < 0.8
    assert border(NOISE[:20]) < border(NOISE[:100]) < border(NOISE) < REACH


def test_it_moves_smoothly_and_whatever_the_order() -> None:
    odds = np.concatenate([NOISE, SPIKES]).astype(np.float32)
    assert border(odds[::-1]) == pytest.approx(border(odds), abs=1e-9)
    moved = [border(np.append(odds[:200], x)) for x in np.linspace(-4, 4, 801)]
    assert np.abs(np.diff(moved)).max() < 0.003
    wild = np.array([-1e30, 1e30, *odds], np.float32)
    assert border(wild) == pytest.approx(border(odds), abs=1e-3)


def test_the_order_of_events_stays_and_less_of_noise_alone_is_kept() -> None:
    p = expit(NOISE - border(NOISE))
    assert np.mean(p >= 0.5) < 0.5 * np.mean(NOISE >= 0)
    assert np.array_equal(np.argsort(p), np.argsort(NOISE))


def test_a_recording_of_noise_alone_keeps_next_to_nothing() -> None:
    made = simulate(4, 40.0, 3000, n_units=0, multi_unit_cells=0, artefact_rate_hz=1.0)
    p = spike_probability(made.spikes, "cnn")
    assert np.mean(p >= 0.5) < 0.005
