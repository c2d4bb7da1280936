from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.spikes import NOISE


def _result(view: Any) -> Any:
    assert view.wait(30)
    assert view._done is not None
    return view._done[1]


def _unit(workspace: Any, channel: int, unit: int) -> Any:
    rows = workspace.project.rows(channel)
    return rows[workspace.project.unit_of(rows) == unit]


def test_every_view_shows_its_numbers_and_follows_an_edit(workspace: Any) -> None:
    from dashboard.views import VIEWS

    for kind in VIEWS:
        view = kind(workspace, active=True)
        _result(view)
        before = view._done
        assert view._csv().count("\n") > 1, kind.title
        workspace.project.assign(_unit(workspace, 3, 2)[:4], 6)
        _result(view)
        assert view._done is not before, kind.title
        workspace.project.undo()
        view.active = False
        view.wait(10)


def test_correlograms_count_every_pair(workspace: Any) -> None:
    from dashboard.views import Correlograms

    table = _result(Correlograms(workspace, active=True))
    pairs = table.pair(2, 2)
    at = table.edges_ms.tolist().index(1.0)
    assert pairs[at] == 20
    assert pairs.sum() == pairs[::-1].sum()


def test_one_giant_does_not_flatten_the_amplitudes_and_a_small_unit_stays_in_the_picture() -> None:
    from dashboard.views.amplitude import _most, _span

    sizes = np.r_[np.linspace(90, 110, 980), np.linspace(290, 310, 20), 9_000.0, np.nan]
    low, high = _most(sizes)
    assert (low > 70, low < 90, high > 310, high < 330) == (True,) * 4
    assert _span(sizes)[1] > 9_000
    assert _most(np.full(3, np.nan)) == _span(np.zeros(0))
    assert _most(np.array([5.0])) == _span(np.array([5.0]))


def test_a_lasso_on_amplitudes_selects_the_same_events_on_the_main_screen(workspace: Any) -> None:
    from dashboard.views import Amplitude

    view = Amplitude(workspace, active=True)
    sizes = _result(view)
    assert set(np.round(sizes.size_uv / 100)) == {1, 3}
    large = np.array([[-1.0, 200.0], [5.0, 200.0], [5.0, 400.0], [-1.0, 400.0]])
    view.select(large, "replace")
    np.testing.assert_array_equal(workspace.focus.selected, _unit(workspace, 3, 2))
    early = np.array([[-1.0, 200.0], [0.5, 200.0], [0.5, 400.0], [-1.0, 400.0]])
    view.select(early, "subtract")
    assert len(workspace.focus.selected) == 30
    assert workspace.region["view"] == "Amplitude"


def test_rates_are_events_over_time(workspace: Any) -> None:
    from dashboard.views import Rate

    rates = _result(Rate(workspace, active=True, bin_s=0.5))
    np.testing.assert_allclose(rates.rates_hz[1][0][:2], [100, 100])
    np.testing.assert_allclose(rates.rates_hz[2][0], [20, 20, 20, 20])


def test_responses_are_found_around_each_trigger(workspace: Any) -> None:
    from dashboard.views import Triggers

    answer = _result(Triggers(workspace, active=True, before_s=0.02, after_s=0.02, bin_ms=10.0))
    assert answer.n_triggers == 2
    np.testing.assert_allclose(answer.rates_hz[2], [0, 0, 200, 0])


def test_the_more_alike_two_units_the_more_similar_and_a_click_shows_the_pair(workspace: Any) -> None:
    from dashboard.views import Similarity

    workspace.project.assign(_unit(workspace, 3, 1)[:50], 4)
    view = Similarity(workspace, active=True)
    alike = _result(view)
    assert alike.units == [1, 2, 4]
    assert alike.shares[0, 2] == pytest.approx(1, abs=0.01)
    assert alike.shares[0, 1] == pytest.approx(0.5, abs=0.01)
    view._tapped(0, 2)
    _result(view)
    assert set(workspace.project.unit_of(workspace.focus.shown)) == {1, 4}
    view._tapped(0, 2)
    assert workspace.focus.hidden == {NOISE}


def test_a_click_on_the_array_goes_to_the_electrode_and_only_changed_channels_are_averaged_again(
    workspace: Any,
) -> None:
    from dashboard.views import Array

    view = Array(workspace, active=True)
    first = dict(_result(view))
    assert list(first) == [3, 4]
    assert first[4].means.count.tolist() == [50]
    workspace.project.assign(_unit(workspace, 3, 2)[:4], 6)
    second = _result(view)
    assert second[4] is first[4]
    assert second[3] is not first[3]
    x, y = view._places[4]
    view._tapped(SimpleNamespace(x=x + 0.3, y=y - 0.3))
    assert workspace.focus.channel == 4


def test_curations_are_compared_with_the_past_and_with_another_file(workspace: Any, tmp_path: Path) -> None:
    from dashboard.views import Compare

    path = tmp_path / "other.npz"
    workspace.project.export(path)
    workspace.project.assign(_unit(workspace, 3, 2)[:10], 1)
    view = Compare(workspace, active=True)
    found = _result(view).found
    assert found.share == pytest.approx(130 / 140)
    assert found.match == {1: 1, 2: 2}
    view.file = str(path)
    again = _result(view).found
    np.testing.assert_array_equal(again.common, found.common)
    view._tapped(0, 1)
    assert len(workspace.focus.selected) == 10


def test_a_file_of_other_events_is_refused_in_a_sentence(workspace: Any, tmp_path: Path) -> None:
    from dashboard.views import Compare

    path = tmp_path / "other.npz"
    ns.save(workspace.project.spikes.take(np.arange(50)), path)
    view = Compare(workspace, active=True, file=str(path))
    assert view.wait(30)
    assert "50 events" in workspace.says
    assert workspace.trouble
