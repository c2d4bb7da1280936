from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuralsorter.errors import DataError
from neuralsorter.focus import Focus
from neuralsorter.project import Project
from neuralsorter.spikes import Spikes


@pytest.fixture
def project() -> Project:
    n = 60
    return Project.in_memory(
        Spikes(
            raw=np.zeros((n, 4), np.int16),
            times_s=np.arange(n) / 10,
            channel=np.repeat([2, 5, 9], 20),
            unit=np.tile([0, 1, 2, 2], 15),
            experiment=np.zeros(n, int),
            pre_samples=1,
        )
    )


def _changes(focus: Focus) -> list[tuple[Any, Any]]:
    seen: list[tuple[Any, Any]] = []
    focus.param.watch(lambda *_: seen.append((focus.shown, focus.selected)), ["shown", "selected"])
    return seen


def test_a_new_focus_shows_the_first_channel_without_noise(project: Project) -> None:
    focus = Focus(project)
    assert focus.channel == 2
    assert len(focus.shown) == 15
    assert 0 not in project.unit[focus.shown]


def test_stepping_stops_at_the_first_and_last_channel(project: Project) -> None:
    focus = Focus(project)
    focus.previous_channel()
    assert focus.channel == 2
    for _ in range(5):
        focus.next_channel()
    assert focus.channel == 9


def test_stepping_units_goes_round_all_units_noise_last(project: Project) -> None:
    focus = Focus(project)
    seen = []
    for _ in range(4):
        focus.next_unit()
        seen.append(focus.unit)
    assert seen == [1, 2, 0, None]


def test_only_shown_events_can_be_selected(project: Project) -> None:
    focus = Focus(project)
    focus.select(np.arange(60))
    np.testing.assert_array_equal(focus.selected, focus.shown)


def test_selections_add_subtract_intersect_and_invert(project: Project) -> None:
    focus = Focus(project)
    a, b = focus.shown[:6], focus.shown[3:9]
    focus.select(a)
    focus.select(b, mode="add")
    assert len(focus.selected) == 9
    focus.select(b, mode="subtract")
    np.testing.assert_array_equal(focus.selected, focus.shown[:3])
    focus.select(a, mode="intersect")
    np.testing.assert_array_equal(focus.selected, focus.shown[:3])
    focus.invert()
    np.testing.assert_array_equal(focus.selected, focus.shown[3:])
    with pytest.raises(DataError, match="mode must be one of"):
        focus.select(a, mode="both")


def test_an_edit_tells_the_watchers_once_and_deselects_what_it_moved(project: Project) -> None:
    focus = Focus(project)
    focus.select(focus.shown[:5])
    seen = _changes(focus)
    project.assign(focus.selected, 0)
    assert len(seen) == 1
    assert len(focus.selected) == 0
    assert len(focus.shown) == 10


def test_a_unit_that_an_edit_empties_gives_way_to_all_units(project: Project) -> None:
    focus = Focus(project)
    focus.unit = 1
    project.assign(focus.shown, 2)
    assert focus.unit is None
    assert len(focus.shown) == 15


def test_a_time_range_limits_what_is_shown(project: Project) -> None:
    focus = Focus(project)
    focus.time_range_s = (0.0, 1.0)
    assert project.spikes.times_s[focus.shown].max() < 1.0


def test_edits_of_other_channels_leave_the_focus_alone(project: Project) -> None:
    focus = Focus(project)
    seen = _changes(focus)
    project.assign(project.rows(9)[:5], 7)
    assert seen == []


def test_channels_drawn_together_are_shown_selected_and_edited_as_one(project: Project) -> None:
    focus = Focus(project)
    focus.overlay([2, 9])
    assert focus.channels == (2, 9)
    assert focus.counts() == {0: 10, 1: 10, 2: 20}
    assert {*project.spikes.channel[focus.shown]} == {2, 9}
    assert len(focus.shown) == 30
    assert {*project.spikes.channel[focus.considered()]} == {2}
    focus.param.update(hidden=frozenset({0, 2}))
    assert len(focus.shown) == 10
    focus.select_all()
    edit = project.assign(focus.selected, 2)
    assert edit is not None
    assert len(edit.rows) == 10
    assert len(focus.shown) == 0
    project.undo()
    assert len(focus.shown) == 10


def test_another_channel_is_looked_at_alone(project: Project) -> None:
    focus = Focus(project)
    focus.overlay([2, 5, 9])
    focus.next_channel()
    assert {*project.spikes.channel[focus.shown]} == {5}
    focus.overlay([2, 9])
    assert focus.channel == 2


def test_some_experiments_are_drawn_together() -> None:
    n = 60
    spikes = Spikes(
        raw=np.zeros((n, 4), np.int16), times_s=np.arange(n) / 10, channel=np.ones(n, int), unit=np.ones(n, int),
        experiment=np.repeat([0, 1, 2], 20), pre_samples=1,
    )  # fmt: skip
    focus = Focus(Project.in_memory(spikes))
    assert len(focus.shown) == 60
    focus.overlay_experiments([0, 2])
    assert {*spikes.experiment[focus.shown]} == {0, 2}
    focus.experiment = 1
    assert {*spikes.experiment[focus.shown]} == {1}
    focus.experiment = None
    assert len(focus.shown) == 60
