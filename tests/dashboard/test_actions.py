from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    from dashboard.app import App

    monkeypatch.setenv("NEURALSORTER_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("NEURALSORTER_PLUGINS", str(tmp_path / "plugins"))
    app = App([tmp_path])
    rng = np.random.default_rng(0)
    app.workspace.show(
        ns.Project.in_memory(
            ns.Spikes(
                raw=rng.integers(-500, 500, (90, 60)).astype(np.int16),
                times_s=np.arange(90.0),
                channel=np.repeat([3, 8, 9], 30),
                unit=np.tile([1, 1, 2], 30),
                experiment=np.zeros(90, int),
            )
        )
    )
    yield app
    app.close()


def test_every_key_does_a_known_action_and_every_action_has_a_key() -> None:
    from dashboard.actions import ACTIONS
    from dashboard.shortcuts import KEYS, bindings

    assert set(KEYS) == set(ACTIONS)
    assert {binding["action"] for binding in bindings({}).values()} == set(ACTIONS)


def test_no_two_actions_share_a_key() -> None:
    from dashboard.shortcuts import KEYS

    keys = [key for combination in KEYS.values() for key in combination]
    assert len(keys) == len(set(keys))


def test_a_key_in_the_settings_replaces_the_actions_own() -> None:
    from dashboard.shortcuts import bindings

    keys = bindings({"undo": "Ctrl+U"})
    assert keys["ctrl+u"]["action"] == "undo"
    assert "ctrl+z" not in keys


def test_the_help_shows_every_key() -> None:
    from dashboard.help import key_table
    from dashboard.shortcuts import KEYS, spoken

    table = key_table()
    for action, keys in KEYS.items():
        if not re.fullmatch(r"send to \d", action):
            for key in keys:
                assert spoken(key) in table, (action, key)


def test_sending_the_selection_is_one_edit_and_undone_by_one(app: object) -> None:
    project, focus = app.workspace.project, app.workspace.focus  # type: ignore[attr-defined]
    before = project.unit.copy()
    app.act("select all")  # type: ignore[attr-defined]
    app.act("send to 4")  # type: ignore[attr-defined]
    assert (project.unit[project.rows(3)] == 4).all()
    assert len(focus.selected) == 0
    app.act("undo")  # type: ignore[attr-defined]
    np.testing.assert_array_equal(project.unit, before)
    app.act("redo")  # type: ignore[attr-defined]
    assert (project.unit[project.rows(3)] == 4).all()


def test_sending_nothing_says_so_and_changes_nothing(app: object) -> None:
    workspace = app.workspace  # type: ignore[attr-defined]
    app.act("send to 4")  # type: ignore[attr-defined]
    assert "Nothing is selected" in workspace.says
    assert workspace.project.n_edits == 0


def test_a_locked_unit_keeps_its_events(app: object) -> None:
    workspace = app.workspace  # type: ignore[attr-defined]
    workspace.focus.param.update(unit=2)
    app.act("lock unit")  # type: ignore[attr-defined]
    workspace.focus.param.update(unit=None)
    app.act("select all")  # type: ignore[attr-defined]
    app.act("send to 5")  # type: ignore[attr-defined]
    assert workspace.project.counts(3) == {2: 10, 5: 20}
    assert "10 stayed" in workspace.says


def test_merging_gives_the_lowest_number(app: object) -> None:
    app.act("merge shown units")  # type: ignore[attr-defined]
    assert app.workspace.project.counts(3) == {1: 30}  # type: ignore[attr-defined]


def test_actions_before_anything_is_open_only_say_what_to_do(tmp_path: Path) -> None:
    from dashboard.actions import ACTIONS
    from dashboard.app import App

    app = App([tmp_path])
    for name in ACTIONS:
        if name != "help":
            app.act(name)
    assert app.workspace.project is None
    app.close()


def test_adding_a_file_leaves_what_is_open_as_it_is(app: object, tmp_path: Path) -> None:
    project, navigator = app.workspace.project, app.navigator  # type: ignore[attr-defined]
    app.act("select all")  # type: ignore[attr-defined]
    app.act("send to 4")  # type: ignore[attr-defined]
    before = project.unit.copy()
    path = tmp_path / "second.npz"
    ns.save(project.spikes.take(np.arange(10)), path)
    project.add([path])
    np.testing.assert_array_equal(project.unit[: len(before)], before)
    assert len(project) == 100
    assert [row["name"] for row in navigator.experiments.rows][0::2] == ["All experiments", "1 · second.npz"]


def test_looking_at_an_earlier_moment_changes_nothing_and_an_edit_returns_to_now(app: object) -> None:
    workspace = app.workspace  # type: ignore[attr-defined]
    project = workspace.project
    app.act("select all")  # type: ignore[attr-defined]
    app.act("send to 4")  # type: ignore[attr-defined]
    app._tab_changed(2)  # type: ignore[attr-defined]
    app.history.table.selection = [len(app.history.table.value) - 1]  # type: ignore[attr-defined]
    assert workspace.moment == 1
    assert project.counts(3) == {4: 30}
    app.act("undo")  # type: ignore[attr-defined]
    assert workspace.moment is None


def test_channels_drawn_together_are_edited_as_one_action(app: object) -> None:
    workspace, navigator = app.workspace, app.navigator  # type: ignore[attr-defined]
    focus, project = workspace.focus, workspace.project
    navigator.channels._handle_msg({"kind": "toggle", "row": "9"})
    assert navigator.channels.beside == ["9"]
    assert [row["detail"] for row in navigator.units.rows] == ["60", "40", "20"]  # all, unit 1, unit 2
    actions = len(project.history())
    app.act("select all")  # type: ignore[attr-defined]
    navigator.target.value = "new unit"
    navigator._send()
    assert len(project.history()) == actions + 1
    assert {channel: project.counts(channel) for channel in (3, 8, 9)} == {3: {3: 30}, 8: {1: 20, 2: 10}, 9: {3: 30}}
    app.act("merge shown units")  # type: ignore[attr-defined]
    assert "This concerns units of one channel, and 3, 9 are shown" in workspace.says
    app.act("undo")  # type: ignore[attr-defined]
    assert focus.counts() == {1: 40, 2: 20}
    navigator.units._handle_msg({"kind": "lock", "row": "2"})
    assert project.locked == {(3, 2), (9, 2)}
    navigator.units._handle_msg({"kind": "lock", "row": "2"})
    assert project.locked == frozenset()
    navigator.channels._handle_msg({"kind": "range", "row": "8"})
    assert focus.channels == (3, 8)
    navigator.channels._handle_msg({"kind": "current", "row": "8"})
    assert focus.channels == (8,)


def test_intervals_stay_within_a_channel_where_several_are_drawn_together() -> None:
    from dashboard.evidence import summarise

    times = np.array([0.0, 0.01, 0.02])
    spikes = ns.Spikes(
        raw=np.zeros((6, 60), np.int16), times_s=np.r_[times, times + 0.0245], channel=np.repeat([1, 2], 3),
        unit=np.ones(6, int), experiment=np.zeros(6, int),
    )  # fmt: skip
    with ns.Project.in_memory(spikes) as project:
        found = summarise(project, np.arange(6), np.ones(6, np.int32), channels=(1, 2)).intervals[1]
    assert found[10] == found.sum() == 4
