from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from tests.sorting.test_sort import events, spikes


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A feature view on one channel of three units, looked at."""
    from dashboard.views import Features
    from dashboard.workspace import Workspace

    monkeypatch.setenv("NEURALSORTER_SETTINGS", str(tmp_path / "settings.toml"))
    workspace = Workspace()
    waves, unit = events(900)
    workspace.show(ns.Project.in_memory(spikes(waves, unit=unit + 1)))
    view = Features(workspace, active=True)
    view.refresh()
    yield view
    workspace.close()


def scatter(view: Any) -> Any:
    assert view.wait()
    return view._done[1]


def test_the_first_latent_axes_tell_the_units_apart(view: Any) -> None:
    found, unit = scatter(view), view.workspace.project.unit
    points = np.column_stack([found.x, found.y])
    centre = np.stack([points[unit == u].mean(axis=0) for u in (1, 2, 3)])
    nearest = np.square(points[:, None] - centre).sum(axis=2).argmin(axis=1) + 1
    assert (nearest == unit).mean() > 0.97


def test_sizes_are_in_microvolts_and_widths_in_milliseconds() -> None:
    from neuralsorter.sorting.coordinates import SHAPE, coordinates

    time = np.arange(60) - 24.0
    wave = -80 * np.exp(-0.5 * (time / 2) ** 2) + 30 * np.exp(-0.5 * ((time - 11) / 4) ** 2)
    axes = coordinates(np.tile(np.round(wave / 0.25).astype(np.int16), (3, 1)), SHAPE, 20_000.0, 20, 0.25)
    np.testing.assert_allclose(axes["extremum (µV)"], -80, rtol=0.03)
    np.testing.assert_allclose(axes["peak to peak (µV)"], 109, rtol=0.04)
    np.testing.assert_allclose(axes["width (ms)"], 0.55, atol=0.03)


def test_a_lasso_selects_the_events_whose_points_it_holds(view: Any) -> None:
    view.x_axis, view.y_axis = "extremum (µV)", "width (ms)"
    found = scatter(view)
    low, high = float(np.quantile(found.x, 0.3)), float(np.quantile(found.x, 0.7))
    box = np.array([[low, -1], [high, -1], [high, 9], [low, 9]])
    view.select(box, "replace")
    scatter(view)
    focus = view.workspace.focus
    np.testing.assert_array_equal(focus.selected, np.flatnonzero((found.x > low) & (found.x < high)))
    assert view.workspace.region["axes"] == ["extremum (µV)", "width (ms)"]


def test_what_is_selected_elsewhere_and_what_an_edit_moves_is_drawn_anew(view: Any) -> None:
    before = scatter(view)
    focus, project = view.workspace.focus, view.workspace.project
    focus.select(np.arange(50))
    chosen = scatter(view)
    assert "50 selected" in view.said.object
    assert not np.array_equal(before.rgba, chosen.rgba)
    project.assign(np.arange(900), 1)
    after = scatter(view)
    assert not np.array_equal(before.rgba, after.rgba)
    assert after.x is before.x  # places do not depend on units


def test_hidden_units_are_neither_drawn_nor_selected(view: Any) -> None:
    focus, unit = view.workspace.focus, view.workspace.project.unit
    focus.hidden = frozenset({0, 2})
    found = scatter(view)
    assert found.n_drawn <= (unit != 2).sum()
    everything = np.array([[-1e4, -1e4], [1e4, -1e4], [1e4, 1e4], [-1e4, 1e4]])
    view.select(everything, "replace")
    scatter(view)
    np.testing.assert_array_equal(focus.selected, np.flatnonzero(unit != 2))
