"""A cleaner learns from curation: it gets better on that recording, says how good it is, and refuses too little."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from neuralsorter.cleaning import spike_probability
from neuralsorter.cli import main
from neuralsorter.errors import DataError, SaveError
from neuralsorter.examples import as_they_are, varied
from neuralsorter.facts import N_FACTS
from neuralsorter.simulate import Simulation, simulate
from neuralsorter.spikes import Spikes
from neuralsorter.training import TrainingResult, draw_curves, labelled, scores, train_cleaner


def _curated(made: Simulation) -> Spikes:
    return made.spikes.with_unit(np.where(made.is_spike, np.maximum(made.truth_unit, 1), 0))


@pytest.fixture(scope="module")
def new_recording() -> Simulation:
    """Return a set-up that the shipped network finds hard: odd shapes, a low threshold, many artefacts."""
    made = simulate(4, 40.0, seed=3103, artefact_rate_hz=2.0, odd_share=0.8, threshold_sigmas=3.5)
    return made.take(np.flatnonzero((made.kind != "tail") & ~made.overlap & (made.kind != "mua")))


@pytest.fixture(scope="module")
def result(new_recording: Simulation, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    some = np.random.default_rng(0).permutation(len(new_recording))[:500]
    folder = tmp_path_factory.mktemp("trained")
    return train_cleaner(_curated(new_recording.take(np.sort(some))), folder / "ours.keras", seed=1)


@pytest.mark.slow
def test_five_hundred_events_teach_within_a_minute(result: TrainingResult) -> None:
    assert result.n_trained + result.n_held_out == 500
    assert result.scores["auc"] >= result.shipped_scores["auc"] - 0.005
    assert len(result.curves["loss"]) == len(result.curves["held_out_loss"]) == 20
    assert result.curves["loss"][-1] < result.curves["loss"][0]
    assert {"channel", "auc", "sensitivity"} <= set(result.by_group[0])


@pytest.mark.slow
def test_the_network_and_a_picture_of_its_learning_are_saved_and_nothing_else(result: TrainingResult) -> None:
    folder = Path(result.path).parent
    assert sorted(p.name for p in folder.iterdir()) == ["ours-learning.png", "ours.keras"]
    assert Path(result.picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_trained_network_cleans_its_recording_and_better_than_the_shipped_one(
    result: TrainingResult, new_recording: Simulation
) -> None:
    spike = new_recording.is_spike
    ours, shipped = (spike_probability(new_recording.spikes, name) for name in (result.path, "cnn"))
    assert scores(logit(np.clip(ours, 1e-6, 1 - 1e-6)), spike)["auc"] >= 0.99
    assert np.mean((ours >= 0.5) == spike) > np.mean((shipped >= 0.5) == spike)


def test_too_little_or_one_sided_curation_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    made = simulate(1, 20.0, seed=1)
    with pytest.raises(DataError, match="0 noise events: curate more of the noise"):
        train_cleaner(made.spikes, tmp_path / "a.keras")
    with pytest.raises(DataError, match="at least 100 curated events"):
        train_cleaner(_curated(made).take(np.arange(30)), tmp_path / "a.keras")
    with pytest.raises(DataError, match="curate more of the spikes"):
        train_cleaner(made.spikes.with_unit(np.zeros(len(made), int)), tmp_path / "a.keras")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_line_holds_out_whole_experiments_also_of_tetrodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (0, 1):
        made = simulate(1, 15.0, seed=5 + number, artefact_rate_hz=4.0)
        curated = _curated(made)
        wires = np.stack([curated.raw * np.float32(gain) for gain in (0.3, 1.0)], axis=1)
        np.savez(
            tmp_path / f"{number}.npz", ExperimentID=np.zeros(len(curated)), ChannelID=curated.channel,
            UnitID=curated.unit, TimeStamps=curated.times_s, Waveforms=wires,
        )  # fmt: skip
    files = [str(tmp_path / f"{number}.npz") for number in (0, 1)]
    told = ["--split", "experiment", "--epochs", "1", "--json"]
    assert main(["train-cleaner", *files, "-o", str(tmp_path / "ours.keras"), *told]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["split"] == "1 of 2 experiments are held out whole."
    assert [set(row) & {"experiment", "channel"} for row in result["by_group"]] == [{"experiment"}]
    assert result["scores"]["auc"] > 0.9
    assert Path(result["picture"]).is_file()
    assert main(["clean", files[0], "-o", str(tmp_path / "a.npz"), "--cleaner", result["path"]]) == 0


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match=r"ends in \.keras"):
        train_cleaner(simulate(1, 5.0).spikes, tmp_path / "a.txt")


def test_labels_say_what_is_noise_and_what_is_unknown() -> None:
    spikes = simulate(1, 10.0, seed=1).spikes.take(np.arange(6))
    unit = np.array([0, 1, 2, 3, 1, 2])
    channel = int(spikes.channel[0])
    rows, spike = labelled(spikes.with_unit(unit, {(channel, 2): "noise", (channel, 3): "unsorted"}))
    assert rows.tolist() == [0, 1, 2, 4, 5]
    assert spike.tolist() == [False, True, False, True, False]


def test_scores_are_those_of_a_small_example() -> None:
    found = scores(np.array([2.0, -1.0, 1.0, -2.0]), np.array([1.0, 1.0, 0.0, 0.0]))
    assert found["auc"] == 0.75
    assert (found["sensitivity"], found["specificity"]) == (0.5, 0.5)
    assert np.isnan(scores(np.array([1.0]), np.array([1.0]))["auc"])


def test_varied_examples_differ_and_keep_their_labels() -> None:
    made = simulate(1, 20.0, seed=2)
    rng = np.random.default_rng(0)
    one, other = (varied(made.spikes.waveforms, 20_000, 20, made.is_spike, 3, rng=rng) for _ in range(2))
    plain = as_they_are(made.spikes.waveforms, 20_000, 20, made.is_spike, 3)
    assert plain.values.shape == (len(made), 120 + N_FACTS)
    assert np.array_equal(plain.label, made.is_spike)
    assert len(one) != len(other) or not np.allclose(one.values, other.values)
    assert set(one.label.tolist()) <= {0.0, 1.0}


def test_learning_curves_are_drawn(tmp_path: Path) -> None:
    draw_curves({"loss": [1.0, 0.5], "held_out_loss": [1.0, 0.7]}, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
