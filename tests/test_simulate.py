"""Simulated recordings: their truth holds, and the same seed gives the same events."""

from __future__ import annotations

import numpy as np
import pytest

from neuralsorter.errors import DataError
from neuralsorter.simulate import (
    DEVELOPMENT_SEEDS,
    HELD_OUT_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    Simulation,
    simulate,
)
from neuralsorter.simulate.artefacts import HELD_OUT_KINDS, KINDS


@pytest.fixture(scope="module")
def made() -> Simulation:
    return simulate(4, 60.0, seed=5)


def test_the_same_seed_gives_the_same_events_and_another_seed_others(made: Simulation) -> None:
    again, other = simulate(4, 60.0, seed=5), simulate(4, 60.0, seed=6)
    assert np.array_equal(made.spikes.raw, again.spikes.raw)
    assert np.array_equal(made.truth_unit, again.truth_unit)
    assert len(other) != len(made) or not np.array_equal(made.spikes.raw, other.spikes.raw)


def test_no_seed_serves_two_purposes() -> None:
    groups = (TRAINING_SEEDS, VALIDATION_SEEDS, DEVELOPMENT_SEEDS, HELD_OUT_SEEDS)
    assert len(set().union(*groups)) == sum(map(len, groups))


def test_events_start_in_unit_one_in_the_default_window_and_by_time(made: Simulation) -> None:
    spikes = made.spikes
    assert set(spikes.unit.tolist()) == {1}
    assert (spikes.sampling_rate, spikes.n_samples, spikes.pre_samples) == (20_000, 60, 20)
    assert spikes.raw.dtype == np.int16
    assert (np.diff(spikes.times_s) >= 0).all()


def test_every_event_crosses_the_threshold_at_zero_ms(made: Simulation) -> None:
    """The crossing sample is beyond the sample before it, in the direction of the crossing."""
    wave = made.spikes.waveforms
    at, before = wave[:, 20], wave[:, 19]
    assert (np.sign(at) * (at - before) >= 0).all()


def test_truth_and_kind_agree(made: Simulation) -> None:
    unit = made.kind == "unit"
    assert ((made.truth_unit > 0) & (made.truth_unit < 100) == unit).all()
    assert ((made.truth_unit == 100) == (made.kind == "mua")).all()
    noise = set(made.kind[made.truth_unit == 0].tolist())
    assert noise <= {"threshold", "tail", *KINDS}
    assert len(noise) >= 9


def test_each_unit_looks_like_its_shape(made: Simulation) -> None:
    """Averages over the events of a unit match the shape it was built from, at some shift."""
    spikes = made.spikes
    for channel, shapes in made.shapes_uv.items():
        for unit, shape in enumerate(shapes, 1):
            rows = (spikes.channel == channel) & (made.truth_unit == unit) & ~made.overlap
            if rows.sum() < 30:
                continue
            mean = spikes.waveforms[rows].mean(axis=0)
            match = max(np.corrcoef(np.roll(shape, s)[10:50], mean[10:50])[0, 1] for s in range(-4, 16))
            assert match > 0.9, (channel, unit)


def test_a_spike_that_crosses_long_before_its_extremum_is_not_taken_for_noise() -> None:
    """One cell of this channel is about as large in its first phase as in its second."""
    made = simulate(4, 40.0, 9607, artefact_kinds=(*KINDS, *HELD_OUT_KINDS), artefact_rate_hz=1.5)
    on, pre = made.spikes.channel == 4, made.spikes.pre_samples
    own = made.spikes.waveforms[on & (made.truth_unit == 9)]
    mean = own.mean(axis=0)
    assert np.abs(mean).argmax() - pre > 0.85e-3 * made.spikes.sampling_rate
    noise = made.spikes.waveforms[on & (made.kind == "threshold")]
    alike = [np.corrcoef(event, mean)[0, 1] > 0.9 for event in noise]
    assert sum(alike) < 0.05 * len(own)


def test_units_have_both_polarities_and_respect_their_refractory_period(made: Simulation) -> None:
    shapes = np.concatenate(list(made.shapes_uv.values()))
    extreme = shapes[np.arange(len(shapes)), np.abs(shapes).argmax(axis=1)]
    assert (extreme > 0).any()
    assert (extreme < 0).any()
    spikes = made.spikes
    for unit in range(1, 6):
        times = spikes.times_s[(spikes.channel == 2) & (made.truth_unit == unit)]
        assert np.diff(times).min(initial=1) > 0.001


def test_common_artefacts_come_on_all_channels_at_once() -> None:
    made = simulate(6, 30.0, seed=2, artefact_rate_hz=0.0, common_rate_hz=0.5, artefact_kinds=("step",))
    steps = made.spikes.times_s[made.kind == "step"]
    together = [(np.abs(steps - t) < 0.003).sum() >= 5 for t in steps]
    assert np.mean(together) > 0.7


def test_held_out_kinds_are_never_made_unless_named() -> None:
    made = simulate(2, 20.0, seed=1, artefact_rate_hz=3.0)
    assert not set(made.kind.tolist()) & set(HELD_OUT_KINDS)
    named = simulate(2, 20.0, seed=1, artefact_rate_hz=3.0, artefact_kinds=tuple(HELD_OUT_KINDS))
    assert set(HELD_OUT_KINDS) <= set(named.kind.tolist())


@pytest.mark.parametrize(("rate", "samples", "pre"), [(30_000.0, 48, 10), (40_000.0, 56, 14), (15_000.0, 32, 9)])
def test_any_rate_and_window_can_be_made(rate: float, samples: int, pre: int) -> None:
    made = simulate(1, 10.0, seed=4, sampling_rate=rate, n_samples=samples, pre_samples=pre, uv_per_bit=None)
    assert made.spikes.raw.shape[1] == samples
    assert made.spikes.raw.dtype == np.float32
    assert made.spikes.pre_samples == pre
    assert (made.kind == "unit").sum() > 20


def test_a_large_recording_repeats_a_small_one_with_fresh_noise() -> None:
    made = simulate(2, 20.0, seed=1, n_events=50_000)
    assert len(made) == 50_000
    first = len(simulate(2, 20.0, seed=1))
    assert made.truth_unit[first] == made.truth_unit[0]
    assert not np.array_equal(made.spikes.raw[first], made.spikes.raw[0])
    assert made.spikes.times_s[first] == pytest.approx(made.spikes.times_s[0] + 20.0)


def test_no_channel_and_no_unit_are_fine() -> None:
    assert len(simulate(0, 5.0)) == 0
    quiet = simulate(1, 10.0, seed=1, n_units=0, multi_unit_cells=0, artefact_rate_hz=0.0, common_rate_hz=0.0)
    assert set(quiet.kind.tolist()) <= {"threshold"}


def test_a_wrong_name_is_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match="polarity"):
        simulate(1, 1.0, polarity="up")
    with pytest.raises(DataError, match="noise_of"):
        simulate(1, 1.0, noise_of="rain")
    with pytest.raises(DataError, match="sawtoth"):
        simulate(1, 1.0, artefact_kinds=("sawtoth",))


def test_noise_made_of_spikes_has_their_spectrum() -> None:
    def share_below_500_hz(noise_of: str) -> float:
        quiet = simulate(
            1, 20.0, 2, 0, multi_unit_cells=0, artefact_rate_hz=0.0, common_rate_hz=0.0, noise_of=noise_of,
            threshold_sigmas=2.5, n_samples=200, pre_samples=100, uv_per_bit=None,
        )  # fmt: skip
        power = np.square(np.abs(np.fft.rfft(quiet.spikes.raw * np.hanning(200), axis=1))).mean(axis=0)
        return float(power[:5].sum() / power.sum())

    assert share_below_500_hz("spikes") != pytest.approx(share_below_500_hz("amplifier"), rel=0.1)


def test_unequal_rates_make_few_fast_cells_and_many_slow_ones() -> None:
    def sizes(rates: str) -> np.ndarray:
        made = simulate(1, 60.0, 5, 12, noise_level=0.05, artefact_rate_hz=0.0, common_rate_hz=0.0, rates=rates)
        return np.bincount(made.truth_unit[(made.truth_unit > 0) & (made.truth_unit < 100)])[1:]

    assert np.median(sizes("unequal")) < 0.8 * np.median(sizes("even"))
