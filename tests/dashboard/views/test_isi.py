from __future__ import annotations

from typing import Any

import pytest


def _result(view: Any) -> Any:
    assert view.wait(20)
    return view._done[1]


def test_intervals_below_the_refractory_period_are_counted(workspace: Any) -> None:
    from dashboard.views import Intervals

    result = _result(Intervals(workspace, active=True))
    assert {unit: (gaps.n_short, gaps.n_intervals) for unit, gaps in result.items()} == {1: (0, 99), 2: (20, 39)}
    assert result[1].counts[10] == 99


def test_the_refractory_period_lies_beyond_what_the_detector_cannot_see(
    workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.views import Intervals
    from neuralsorter.metrics import Recording

    monkeypatch.setattr(workspace.queue, "recording", lambda _: Recording(dead_time_ms=9.8))
    view = Intervals(workspace, active=True)
    assert {unit: (gaps.n_short, gaps.limit_ms) for unit, gaps in _result(view).items()} == {
        1: (99, 10.3),
        2: (20, 10.3),
    }
    assert "sees nothing for 9.8 ms" in view.said.object
    view.refractory_ms = 1.5
    assert _result(view)[1].n_short == 0


def test_a_hidden_view_computes_nothing(workspace: Any) -> None:
    from dashboard.views import VIEWS

    for kind in VIEWS:
        view = kind(workspace)
        workspace.focus.next_channel()
        workspace.focus.previous_channel()
        assert view.wait(1)
        assert view._done is None


def test_an_edit_recounts_only_the_units_it_touched(workspace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.views import Intervals

    view = Intervals(workspace, active=True)
    _result(view)
    counted: list[int] = []
    count = view._count

    def counting(look: Any, unit: int) -> Any:
        counted.append(unit)
        return count(look, unit)

    monkeypatch.setattr(view, "_count", counting)
    project = workspace.project
    rows = project.rows(3)
    project.assign(rows[project.unit_of(rows) == 2][:10], 5)
    result = _result(view)
    assert sorted(counted) == [2, 5]
    assert sorted(result) == [1, 2, 5]
    project.assign(project.rows(4)[:3], 7)
    _result(view)
    assert sorted(counted) == [2, 5]


def test_the_time_range_limits_what_is_counted(workspace: Any) -> None:
    from dashboard.views import Intervals

    view = Intervals(workspace, active=True)
    workspace.focus.time_range_s = (0.0, 0.5)
    result = _result(view)
    assert result[1].n_intervals == 49


def test_the_numbers_can_be_exported(workspace: Any) -> None:
    from dashboard.views import Intervals

    view = Intervals(workspace, active=True)
    _result(view)
    lines = view._csv().splitlines()
    assert lines[0] == "channel,unit,from_ms,to_ms,intervals,violations,all_intervals"
    assert "3,1,10.0,11.0,99,0,99" in lines
