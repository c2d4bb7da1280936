"""P(spike): right on simulated and odd events, by channel, by any cleaner, at any gain and polarity."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralsorter import cleaning, plugins
from neuralsorter.cleaning import CnnCleaner, find_network, spike_probability
from neuralsorter.errors import Cancelled, PluginError
from neuralsorter.networks import Network
from neuralsorter.plugins import Cleaner
from neuralsorter.simulate import DEVELOPMENT_SEEDS, Simulation, simulate
from neuralsorter.simulate.artefacts import HELD_OUT_KINDS, KINDS
from neuralsorter.spikes import Spikes


def _auc(p: np.ndarray, made: Simulation) -> float:
    unit, noise = p[made.kind == "unit"], p[(made.truth_unit == 0) & ~made.overlap & (made.kind != "tail")]
    return float((unit[:, None] > noise[None, :]).mean() + 0.5 * (unit[:, None] == noise[None, :]).mean())


@pytest.fixture(scope="module")
def made() -> Simulation:
    return simulate(4, 40.0, DEVELOPMENT_SEEDS[0], artefact_kinds=(*KINDS, *HELD_OUT_KINDS), artefact_rate_hz=1.5)


@pytest.fixture(scope="module")
def probability(made: Simulation) -> np.ndarray:
    return spike_probability(made.spikes, "cnn")


def test_spikes_and_noise_are_told_apart_also_where_the_artefact_is_new(
    made: Simulation, probability: np.ndarray
) -> None:
    assert probability.shape == (len(made),)
    assert probability.dtype == np.float32
    assert _auc(probability, made) > 0.997
    assert (probability[made.kind == "unit"] >= 0.5).mean() > 0.985
    assert (probability[made.kind == "chirp"] < 0.5).mean() > 0.9


def test_the_probability_is_calibrated(made: Simulation, probability: np.ndarray) -> None:
    rows = (made.kind == "unit") | ((made.truth_unit == 0) & ~made.overlap & (made.kind != "tail"))
    p, y = probability[rows], made.is_spike[rows]
    which = np.minimum((p * 15).astype(int), 14)
    error = sum(abs(p[which == b].sum() - y[which == b].sum()) for b in range(15)) / len(p)
    assert error < 0.03


@pytest.mark.parametrize("factor", [0.5, 2.0, -1.0, 1e-6])
def test_neither_gain_nor_polarity_nor_unit_changes_the_result(
    made: Simulation, probability: np.ndarray, factor: float
) -> None:
    other = replace(made.spikes, raw=made.spikes.waveforms * np.float32(factor), uv_per_bit=1.0)
    moved = np.abs(spike_probability(other, "cnn") - probability)
    # Rounding may send an event on the border of two groups to the other one.
    assert np.mean(moved > 1e-3) < 0.06
    assert np.mean(moved) < 2e-3


def test_a_shifted_window_changes_little(made: Simulation) -> None:
    for shift in (-4, 4):
        p = spike_probability(replace(made.spikes, pre_samples=20 + shift), "cnn")
        assert _auc(p, made) > 0.993


def test_channels_and_experiments_are_judged_in_their_own_noise(made: Simulation, probability: np.ndarray) -> None:
    one = np.flatnonzero(made.spikes.channel == 2)
    assert np.array_equal(spike_probability(made.spikes.take(one), "cnn"), probability[one])
    twice = np.concatenate([one, one])
    spikes = made.spikes.take(twice)
    raw = spikes.waveforms.copy()
    raw[len(one) :] *= 50
    both = replace(spikes, raw=raw, uv_per_bit=1.0, experiment=np.repeat([0, 1], len(one)))
    p = spike_probability(both, "cnn")
    assert np.abs(p[: len(one)] - p[len(one) :]).max() < 1e-3


def test_the_order_of_rows_does_not_matter_much_and_the_answer_is_always_the_same(made: Simulation) -> None:
    assert np.array_equal(spike_probability(made.spikes, "cnn"), spike_probability(made.spikes, "cnn"))


def _spikes(raw: np.ndarray) -> Spikes:
    n = len(raw)
    return Spikes(raw, np.arange(n) / 10, np.ones(n, int), np.ones(n, int), np.zeros(n, int))


def test_no_event_one_event_and_events_without_shape_have_a_probability(made: Simulation) -> None:
    wave = made.spikes.waveforms[:5].copy()
    assert spike_probability(_spikes(wave[:0]), "cnn").shape == (0,)
    assert 0 <= spike_probability(_spikes(wave[:1]), "cnn")[0] <= 1
    wave[1], wave[2] = 7.0, np.nan
    wave[3, 50:] = np.nan
    p = spike_probability(_spikes(wave), "cnn")
    assert np.isfinite(p).all()
    assert p[1] == p[2] == 0
    assert p[3] > 0


def test_of_several_channels_the_largest_decides(made: Simulation) -> None:
    rows = np.flatnonzero(made.spikes.channel == 1)[:200]
    wave = made.spikes.waveforms[rows]
    quiet = np.random.default_rng(0).normal(0, 1, wave.shape).astype(np.float32)
    p = spike_probability(_spikes(np.stack([quiet, wave, quiet], axis=1)), "cnn")
    assert np.array_equal(p, spike_probability(_spikes(wave), "cnn"))


class Half(Cleaner):
    def spike_probability(self, waveforms: Any, sampling_rate: float, pre_samples: int) -> Any:  # noqa: ARG002
        return np.full(len(waveforms), 0.5)


class Broken(Cleaner):
    def spike_probability(self, waveforms: Any, sampling_rate: float, pre_samples: int) -> Any:  # noqa: ARG002
        return np.full(len(waveforms), 2.0)


class Raising(Cleaner):
    def spike_probability(self, waveforms: Any, sampling_rate: float, pre_samples: int) -> Any:  # noqa: ARG002
        raise KeyError("gone")


def test_any_cleaner_can_be_used_and_a_broken_one_is_named(made: Simulation) -> None:
    assert (spike_probability(made.spikes, Half()) == 0.5).all()
    with pytest.raises(PluginError, match="Broken must return one probability"):
        spike_probability(made.spikes, Broken())
    with pytest.raises(PluginError, match="Raising failed: KeyError"):
        spike_probability(made.spikes, Raising())
    with pytest.raises(PluginError, match="no cleaner named 'nothing'"):
        spike_probability(made.spikes, "nothing")


def test_progress_is_told_by_channel_and_cancel_stops(made: Simulation) -> None:
    told: list[tuple[int, int]] = []
    spike_probability(made.spikes, "cnn", progress=lambda done, total: told.append((done, total)))
    assert told == [(i, 4) for i in range(1, 5)]
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        spike_probability(made.spikes, "cnn", cancel=stop)


def test_cleaning_never_imports_tensorflow() -> None:
    code = (
        "import sys, neuralsorter as ns; from neuralsorter.simulate import simulate;"
        "ns.spike_probability(simulate(1, 5.0).spikes, 'cnn');"
        "sys.exit(bool({'tensorflow', 'keras', 'h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _old_network(path: Path, seed: int) -> Network:
    """A network as the 2020 program made them: 60 samples in, two outputs; large where the first half is low."""
    rng = np.random.default_rng(seed)
    kernel = np.stack([np.repeat([3.0, -3.0], 30), np.repeat([-3.0, 3.0], 30)], axis=1) + rng.normal(0, 0.01, (60, 2))
    layers = (
        {"class": "Reshape", "config": {"target_shape": [60]}},
        {"class": "Dense", "config": {"activation": "softmax"}},
    )
    return Network(layers, (kernel.astype(np.float32), np.zeros(2, np.float32)), (60, 1), {"name": path.stem})


def test_a_network_of_the_2020_program_keeps_working(
    made: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.h5"
    path.write_bytes(b"stands for a file")
    monkeypatch.setattr(cleaning, "read_network", lambda path, _: _old_network(path, 0))
    first = spike_probability(made.spikes, CnnCleaner(network=str(path), spike_output=1))
    second = spike_probability(made.spikes, CnnCleaner(network=str(path), spike_output=0))
    assert np.allclose(first + second, 1, atol=1e-5)
    np.testing.assert_array_equal(first, spike_probability(made.spikes, str(path)))
    np.testing.assert_array_equal(
        second, spike_probability(made.spikes, f"{path}:0")
    )  # the order is stated by the name
    assert cleaning.provenance(f"{path}:0")["spike_output"] == 0
    assert np.ptp(first) > 0.5


def test_a_network_is_found_by_path_or_by_name_in_the_models_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ours.keras").write_bytes(b"")
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path)
    assert find_network("ours.keras").name == "ours.keras"
    with pytest.raises(PluginError, match=r"no network 'theirs\.keras'"):
        find_network("theirs.keras")


@pytest.mark.parametrize(
    ("name", "pre"),
    [
        ("martinez2009_sim1", 12),
        ("martinez2009_sim3", 12),
        ("mlib_pigeon2_spike2", 8),
        ("quiroga2004_C_Difficult2_noise005", 17),
        ("quiroga2004_C_Difficult2_noise01", 17),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_true_spikes_of_other_recordings_are_kept(shared_data: Any, name: str, pre: int, sign: int) -> None:
    """At least 97 % of single units' spikes at the default threshold, in data the network never saw."""
    file = np.load(shared_data(f"events/{name}.npz"))
    p = CnnCleaner().spike_probability(sign * file["waveforms"], float(file["fs"]), pre)
    single = (file["truth"] > 0) & (file["truth"] < 100)
    assert (p[single] >= 0.5).mean() >= 0.97
