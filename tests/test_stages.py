"""Rules applied to a table: which events they find, and that a person's noise and locked units stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import DataError
from neuralsorter.spikes import Spikes
from neuralsorter.stages import (
    STAGES,
    AmplitudeLimits,
    BadEpochs,
    Coincidence,
    DistanceOutliers,
    FlatOrSaturated,
    RefractoryDoublets,
    epochs,
    written,
)


def _spikes(n: int = 200, n_channels: int = 4, **columns: object) -> Spikes:
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 10, (n, 30)).astype(np.float32)
    raw[:, 10] -= 80
    given = {
        "raw": raw,
        "times_s": np.arange(n) * 0.5,
        "channel": np.arange(n) % n_channels,
        "unit": np.ones(n, int),
        "experiment": np.zeros(n, int),
    }
    return Spikes(**(given | columns))  # type: ignore[arg-type]


def _all(spikes: Spikes) -> np.ndarray:
    return np.arange(len(spikes))


def test_limits_find_what_leaves_them_and_only_among_the_rows_asked_about() -> None:
    spikes = _spikes()
    raw = spikes.raw.copy()
    raw[[3, 50], 20] = 2000
    raw[7] = 0.1
    spikes = _spikes(raw=raw)
    stage = AmplitudeLimits(lowest_uv=-500, highest_uv=500, least_uv=20)
    assert stage.find(spikes, _all(spikes)).rows.tolist() == [3, 7, 50]
    assert stage.find(spikes, np.array([50, 51])).rows.tolist() == [50]
    assert stage.find(spikes, []).rows.tolist() == []


def test_coincidence_looks_at_all_channels_but_marks_only_the_rows_asked_about() -> None:
    times = np.arange(200) * 0.5
    times[100:104] = times[100]
    spikes = _spikes(times_s=times)
    found = Coincidence(least_share=1.0).find(spikes, np.flatnonzero(spikes.channel == 2))
    assert found.rows.tolist() == [102]
    assert "4 of 4 channels" in found.note
    assert "By chance" in found.note


def test_experiments_never_coincide() -> None:
    spikes = _spikes(8, times_s=np.full(8, 1.0), experiment=np.arange(8), channel=np.arange(8))
    assert not len(Coincidence().find(spikes, _all(spikes)).rows)


def test_a_doublet_is_found_within_its_channel_or_only_within_its_unit() -> None:
    times = np.arange(200) * 0.5
    times[4] = times[0] + 0.0004
    unit = np.ones(200, int)
    unit[4] = 2
    spikes = _spikes(times_s=times, unit=unit)
    assert RefractoryDoublets().find(spikes, _all(spikes)).rows.tolist() == [4]
    assert not len(RefractoryDoublets(same_unit=True).find(spikes, _all(spikes)).rows)


def test_flat_and_saturated_waveforms_are_found_also_on_tetrodes() -> None:
    raw = _spikes().raw.copy()
    raw[5] = 3.0
    raw[6, 8:16] = -90.0
    four = np.stack([raw * 0.1, raw, raw * 0.2, raw * 0.3], axis=1)
    for waves in (raw, four):
        spikes = _spikes(raw=waves)
        assert FlatOrSaturated().find(spikes, _all(spikes)).rows.tolist() == [5, 6]


def test_an_outlier_is_judged_by_its_whole_unit_whatever_is_asked_about() -> None:
    raw = _spikes().raw.copy()
    raw[8, 15:20] += 300
    spikes = _spikes(raw=raw)
    assert 8 in DistanceOutliers().find(spikes, _all(spikes)).rows
    assert DistanceOutliers().find(spikes, np.array([4, 8, 12])).rows.tolist() == [8]


def test_bad_epochs_concern_one_experiment() -> None:
    spikes = _spikes(experiment=np.repeat([0, 1], 100), times_s=np.tile(np.arange(100.0), 2))
    found = BadEpochs(epochs_s="10-12, 50-51", experiment=1).find(spikes, _all(spikes))
    assert found.rows.tolist() == [110, 111, 150]


def test_epochs_are_read_joined_and_written_back() -> None:
    assert epochs(" 40-41.5, 1-3,2.5-4 ") == [(1.0, 4.0), (40.0, 41.5)]
    assert epochs(written(epochs("1-3, 7.25-8"))) == [(1.0, 3.0), (7.25, 8.0)]
    assert epochs("") == []
    for wrong in ("5", "3-1", "a-b"):
        with pytest.raises(DataError, match="from-to in seconds"):
            epochs(wrong)


def test_every_stage_tells_its_settings_and_finds_nothing_among_nothing() -> None:
    spikes = _spikes()
    for key, stage in STAGES.items():
        told = stage().provenance()
        assert told["rule"] == key
        assert len(told) > 1
        assert not len(stage().find(spikes, []).rows)


@pytest.fixture
def project() -> ns.Project:
    unit = np.ones(200, int)
    unit[::4] = 2  # all of channel 0
    return ns.Project.in_memory(_spikes(unit=unit))


def test_what_a_rule_sends_to_noise_is_one_edit_that_undo_takes_back(project: ns.Project) -> None:
    before = project.unit.copy()
    edit = project.screen([0, 60, 199], "limits", {"rule": "amplitude"})
    assert edit is not None
    assert edit.params == {"rule": "amplitude"}
    assert np.flatnonzero(project.unit == 0).tolist() == [0, 60, 199]
    project.undo()
    np.testing.assert_array_equal(project.unit, before)


def test_no_threshold_brings_back_what_a_rule_or_a_person_called_noise(project: ns.Project) -> None:
    rows = np.arange(200)
    project.assign([1], 0)
    project.clean(rows, np.linspace(0, 1, 200), 0.1)
    cleaned = np.flatnonzero(project.by_cleaner)
    project.screen([cleaned[0], 150], "limits")
    project.clean(rows, np.ones(200), 0.5)
    assert np.flatnonzero(project.unit == 0).tolist() == sorted({1, cleaned[0], 150})


def test_a_rule_leaves_locked_units_alone(project: ns.Project) -> None:
    channel = int(project.spikes.channel[0])
    project.lock(channel, 2)
    rows = np.arange(200)
    mine = np.flatnonzero((project.spikes.channel == channel) & (project.unit == 2))
    assert not np.isin(mine, project.preview_screen(rows)).any()
    project.screen(rows, "everything")
    assert (project.unit[mine] == 2).all()
    assert (np.delete(project.unit, mine) == 0).all()
    assert "locked" in project.last_note


def test_noise_comes_back_to_the_unit_it_was_in(project: ns.Project) -> None:
    rows = project.rows(0)
    before = project.unit[rows].copy()
    project.clean(rows[:2], np.zeros(2), 0.5)
    project.assign(rows[2:4], 0)
    project.screen(rows[4:6], "limits")
    edit = project.bring_back(rows)
    assert edit is not None
    assert len(edit.rows) == 6
    np.testing.assert_array_equal(project.unit[rows], before)
    project.undo()
    assert (project.unit[rows[:6]] == 0).all()


def test_what_was_noise_from_the_start_has_no_unit_to_return_to() -> None:
    project = ns.Project.in_memory(_spikes(unit=np.repeat([0, 1], 100)))
    noise = np.flatnonzero(project.unit == 0)
    assert project.bring_back(noise) is None
    assert "100 events were noise from the start" in project.last_note
