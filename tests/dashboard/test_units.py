from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.metrics import METRICS, recording


@pytest.fixture
def workspace() -> Any:
    from dashboard.workspace import Workspace

    space = Workspace()
    source = ns.simulate(n_channels=2, duration_s=60.0, seed=4)
    space.show(ns.Project.in_memory(source.spikes.with_unit(np.maximum(source.truth_unit, 0))))
    return space


def _table(view: Any) -> Any:
    assert view.wait(60)
    return view._values.set_index("unit")


def _units(workspace: Any) -> Any:
    from dashboard.units import Units

    view = Units(workspace)
    view._opened()
    view.active = True
    view.refresh()
    return view


def test_the_table_holds_the_same_numbers_as_headless(workspace: Any) -> None:
    view = _units(workspace)
    found = _table(view)
    spikes, channel = workspace.project.spikes, workspace.focus.channel
    part = spikes.take(np.flatnonzero(spikes.channel == channel))
    expected = ns.metrics(part, of=recording(spikes)).set_index("unit")
    np.testing.assert_array_equal(found.to_numpy(float), expected.to_numpy(float))


def test_after_an_edit_the_touched_units_come_first_and_then_all_are_right(
    workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard import units as module

    view = _units(workspace)
    before = _table(view)
    asked: list[Any] = []
    compute = module._metrics

    def counting(wanted: Any, of: Any, units: Any) -> Any:
        asked.append(units)
        return compute(wanted, of, units)

    monkeypatch.setattr(module, "_metrics", counting)
    project, channel = workspace.project, workspace.focus.channel
    rows = project.rows(channel)
    unit = int(before.index[0])
    project.assign(rows[project.unit_of(rows) == unit][:20], 77)
    view.refresh()
    after = _table(view)
    assert asked == [[(channel, unit), (channel, 77)], None]
    assert after.loc[77, "count"] == 20
    assert after.loc[unit, "count"] == before.loc[unit, "count"] - 20


def test_a_range_of_times_counts_as_a_shorter_recording(workspace: Any) -> None:
    view = _units(workspace)
    whole = _table(view)
    workspace.focus.time_range_s = (20.0, 50.0)
    part = _table(view)
    unit = int(whole["count"].idxmax())
    times = workspace.project.times_of(workspace.project.rows(workspace.focus.channel, None, unit))
    expected = int(((times >= 20) & (times < 50)).sum())
    assert part.loc[unit, "count"] == expected
    assert part.loc[unit, "rate_hz"] == pytest.approx(expected / 30)


def test_every_number_is_explained_where_the_pointer_is() -> None:
    from dashboard import metricstable

    row = {metric.name: 0.0 for metric in METRICS} | {
        "unit": 3, "contamination": 0.4, "contamination_low": 0.3, "contamination_high": 0.5, "snr": np.nan,
        "rate_hz_low": 0.0, "rate_hz_high": 0.1, "isi_violation_ratio_low": 0.0, "isi_violation_ratio_high": 0.1,
    }  # fmt: skip
    told = metricstable._row(row, "good", dark=False)
    assert "95 % limits 0.3 to 0.5." in told["contamination_tip"]
    assert "Red flag: About 40% of its events come from other neurons" in told["contamination_tip"]
    assert told["snr"] is None
    assert told["flags"] > 0


def test_the_export_has_the_limits_too(workspace: Any) -> None:
    view = _units(workspace)
    _table(view)
    header = view._csv().getvalue().splitlines()[0].split(",")
    assert {"contamination", "contamination_low", "contamination_high", "refractory_ms"} <= set(header)
