"""The Clean tab without a browser: previews that change nothing, edits that undo takes back, full provenance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from dashboard.app import App

    monkeypatch.setenv("NEURALSORTER_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("NEURALSORTER_PLUGINS", str(tmp_path / "plugins"))
    app = App([tmp_path])
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 40, (120, 60)).astype(np.int16)
    raw[:6, 30] = 5000
    app.workspace.show(
        ns.Project.in_memory(
            ns.Spikes(
                raw=raw,
                times_s=np.tile(np.arange(30.0), 4),
                channel=np.repeat([3, 8, 9, 12], 30),
                unit=np.tile([1, 1, 2], 40),
                experiment=np.zeros(120, int),
            )
        )
    )
    app.cleaning.active = True
    yield app
    app.close()


def _until(call: Callable[[], bool]) -> None:
    for _ in range(400):
        if call():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def _known(app: Any) -> np.ndarray:
    probability = np.linspace(0, 1, 120).astype(np.float32)
    app.workspace.probability = probability
    app.cleaning.refresh()
    return probability


def test_moving_the_threshold_previews_what_applying_does(app: Any) -> None:
    probability, project = _known(app), app.workspace.project
    before = project.unit.copy()
    app.workspace.threshold = 0.25
    part = app.cleaning.threshold
    assert part.preview.object.startswith(f"**{(probability < 0.25).sum()}** events would go")
    assert [plot.title.text for plot in part.sides.plots] == [
        f"goes: {(probability < 0.25).sum()} drawn",
        f"stays: {(probability >= 0.25).sum()} drawn",
    ]
    np.testing.assert_array_equal(project.unit, before)
    part._apply()
    assert ((project.unit == 0) == (probability < 0.25)).all()
    told = project.edit.params
    assert told["threshold"] == 0.25
    assert told["cleaner"] == "cnn"
    assert len(told["sha256"]) == 64
    assert told["scope"] == "everything"
    assert told["version"] == ns.__version__


def test_the_threshold_reaches_no_further_than_its_scope(app: Any) -> None:
    _known(app)
    app.cleaning.scope.reach = "channel"
    app.workspace.threshold = 1.0
    app.cleaning.threshold._apply()
    project = app.workspace.project
    assert set(project.spikes.channel[project.unit == 0]) == {3}
    assert project.edit.params["channel"] == 3


def test_a_line_dragged_beyond_the_ends_stays_on_the_scale(app: Any) -> None:
    _known(app)
    part = app.cleaning.threshold
    part._mark.location = 1.7
    assert app.workspace.threshold == 1.0
    part._mark.location = 0.4181
    assert app.workspace.threshold == 0.42
    assert app.cleaning.threshold.slider.value == 0.42


def test_a_persons_noise_and_locked_units_are_on_neither_side(app: Any) -> None:
    project = app.workspace.project
    project.assign([0, 1], 0)
    project.lock(3, 2)
    _known(app)
    app.workspace.threshold = 1.0
    locked = ((project.spikes.channel == 3) & (project.unit == 2)).sum()
    assert f"of {120 - 2 - locked} that a threshold may move" in app.cleaning.threshold.preview.object


def _previewed(app: Any, key: str, **settings: object) -> Any:
    app.cleaning.tabs.active = 1
    rules = app.cleaning.rules
    rules.choice.value = key
    rules.stage.param.update(**settings)
    rules._look()
    _until(lambda: "would go to noise" in rules.told.object)
    return rules


def test_a_rule_is_previewed_selected_applied_and_undone(app: Any) -> None:
    project, focus = app.workspace.project, app.workspace.focus
    before = project.unit.copy()
    rules = _previewed(app, "amplitude", highest_uv=1000.0)
    assert rules.told.object.startswith("**6** of 120 events would go to noise, on 1 channels.")
    _until(lambda: focus.selected.tolist() == [0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(project.unit, before)
    rules._apply()
    assert np.flatnonzero(project.unit == 0).tolist() == [0, 1, 2, 3, 4, 5]
    told = project.edit.params
    assert (told["rule"], told["highest_uv"], told["found"]) == ("amplitude", 1000.0, 6)
    assert rules.apply.disabled
    app.act("undo")
    np.testing.assert_array_equal(project.unit, before)


def test_a_changed_setting_or_an_edit_forgets_the_preview(app: Any) -> None:
    rules = _previewed(app, "amplitude", highest_uv=1000.0)
    rules.stage.highest_uv = 900.0
    assert rules.apply.disabled
    rules = _previewed(app, "amplitude")
    _until(lambda: not rules.apply.disabled)
    app.workspace.project.assign([7], 5)
    assert rules.apply.disabled


def test_coincidence_tells_the_chance_rate(app: Any) -> None:
    rules = _previewed(app, "coincidence", least_share=1.0)
    assert "**120** of 120" in rules.told.object
    assert "By chance" in rules.told.object


def test_epochs_are_dragged_typed_and_applied(app: Any) -> None:
    app.cleaning.tabs.active = 1
    rules = app.cleaning.rules
    rules.choice.value = "epochs"
    rules.stage.epochs_s = "1-2.5"
    rules._epochs_dragged("1-2.5, 20-22")
    assert rules.timeline._epochs.data == {"x0": [1.0, 20.0], "x1": [2.5, 22.0]}
    rules = _previewed(app, "epochs")
    rules._apply()
    project = app.workspace.project
    assert set(project.spikes.times_s[project.unit == 0]) == {1.0, 2.0, 20.0, 21.0}
    rules.stage.epochs_s = "nonsense"
    assert "from-to in seconds" in app.workspace.says


def test_noise_is_looked_through_and_brought_back(app: Any) -> None:
    project, focus = app.workspace.project, app.workspace.focus
    before = project.unit.copy()
    project.assign([2, 4], 0)
    probability = _known(app)
    project.clean(np.arange(120), probability, 0.2)
    app.cleaning.tabs.active = 2
    part = app.cleaning.noise
    taken = int((probability[:30] < 0.2).sum()) - 2
    assert f"{taken} taken by a cleaner" in part.about.object
    part.between.value = (0.0, 0.05)
    part._pick()
    assert focus.unit == 0
    expected = np.flatnonzero(probability <= 0.05)
    np.testing.assert_array_equal(focus.selected, expected)
    part._bring_back()
    np.testing.assert_array_equal(project.unit[expected], before[expected])
