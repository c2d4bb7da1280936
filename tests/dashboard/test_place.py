"""A tab that comes back is where it was; another one begins where the last one was looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from dashboard.app import App
from dashboard.launch import Startup

TAB, OTHER = "0123456789abcdef", "fedcba9876543210"
Open = Callable[[str], App]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed project of three channels."""
    spikes = ns.simulate(n_channels=3, duration_s=10.0, seed=0).spikes
    ns.Project.create(tmp_path / "a.nsort", spikes=spikes).close()
    return tmp_path / "a.nsort"


@pytest.fixture
def open_tab(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Open]:
    """Show the project in a tab of that name."""
    monkeypatch.setenv("NEURALSORTER_PLUGINS", str(tmp_path / "own" / "plugins"))
    pages = []

    def start(tab: str) -> App:
        app = App([folder.parent])
        pages.append(app)
        app.connection.tab = tab
        app.workspace.show(ns.Project.open(folder))
        return app

    yield start
    for app in pages:
        app.close()


def _move(app: App) -> None:
    focus = app.workspace.focus
    assert focus is not None
    focus.param.update(channel=2, beside=frozenset({3}))
    focus.param.update(time_range_s=(1.0, 8.0))
    app.waveforms.shading = "log"
    app.waveforms.look_at((-0.5, 0.75), (-80.0, 40.0))
    app.workspace.param.update(area=1, side=2, view="Rate")
    focus.select(focus.shown[3:40:2])
    app.workspace.region = {"polygon_ms_uv": [[0.0, 1.0], [0.5, 1.0], [0.5, -9.0]], "mode": "replace"}


def _place(app: App) -> tuple[object, ...]:
    focus, figure = app.workspace.focus, app.waveforms.screen.figure
    assert focus is not None
    window = figure.x_range.start, figure.x_range.end, figure.y_range.start, figure.y_range.end
    return (focus.channels, focus.time_range_s, focus.selected.tolist(), window, app.waveforms.shading,
            app.workspace.region, app.main.active, app.side.active, app.judge.tabs.current)  # fmt: skip


def test_a_tab_that_comes_back_shows_the_same_even_while_its_old_page_is_still_there(open_tab: Open) -> None:
    old = open_tab(TAB)
    _move(old)
    new = open_tab(TAB)
    assert _place(new) == _place(old)
    assert new.waveforms.screen._outline.data["xs"] == [[0.0, 0.5, 0.5]]
    assert len(new.workspace.project.people) == 1  # type: ignore[union-attr]
    old.close()
    assert len(new.workspace.project.people) == 1, "the old page takes nobody along"  # type: ignore[union-attr]


def test_the_demo_which_is_only_in_memory_is_where_the_tab_left_it_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEURALSORTER_PLUGINS", str(tmp_path / "own" / "plugins"))
    places: list[tuple[object, ...]] = []
    with ns.Project.open(folder) as project:
        demo = ns.Project.in_memory(project.spikes)
    for tab in (TAB, TAB, OTHER, ""):
        app = App([folder.parent])
        app.connection.tab = tab
        app.workspace.show(demo)
        if not places:
            _move(app)
        places.append(_place(app))
        app.close()
    assert places[1] == places[0]
    assert [channels for channels, *_ in places[2:]] == [(1,), (1,)]


def test_another_tab_begins_at_the_channel_looked_at_last_with_nothing_selected(open_tab: Open) -> None:
    _move(open_tab(TAB))
    channels, times, selected, *_ = _place(open_tab(OTHER))
    assert (channels, times, selected) == ((2,), None, [])


@pytest.mark.parametrize("content", ["", "[1]", '{"channel": 2}', '{"channel": 2, "experiment": "x", "own": 3}'])
def test_a_damaged_note_of_where_a_tab_was_is_passed_over(open_tab: Open, folder: Path, content: str) -> None:
    place = folder / "cache" / "tabs" / f"{TAB}.json"
    place.parent.mkdir(parents=True)
    place.write_text(content)
    focus = open_tab(TAB).workspace.focus
    assert focus is not None
    assert focus.channel in (1, 2)


def test_a_selection_holds_only_events_that_are_still_shown(open_tab: Open) -> None:
    first = open_tab(TAB)
    _move(first)
    project, focus = first.workspace.project, first.workspace.focus
    assert project is not None
    assert focus is not None
    chosen = focus.selected.copy()
    project.assign(chosen[:4], 0)
    again = open_tab(TAB).workspace.focus
    assert again is not None
    np.testing.assert_array_equal(again.selected, chosen[4:])


@pytest.mark.parametrize("tab", ["../../x", "", "0123", TAB.upper()])
def test_what_a_browser_calls_its_tab_is_no_path(open_tab: Open, folder: Path, tab: str) -> None:
    _move(open_tab(tab))
    assert [path.name for path in (folder / "cache" / "tabs").iterdir()] == ["page.json"]


def test_a_tab_opens_the_project_it_had_unless_the_server_was_started_with_another(
    open_tab: Open, folder: Path
) -> None:
    had = open_tab(TAB)
    had.place.begin(Startup(), had.files)  # nothing was named: the tab opened the project itself
    had.place.opened()
    opened: list[list[Path]] = []
    for startup in (Startup(), Startup((folder.parent / "b.npz",))):
        app = App([folder.parent])
        app.connection.tab = TAB
        app.files.open = lambda paths: opened.append(list(paths))  # type: ignore[method-assign]
        app.place.begin(startup, app.files)
    assert opened == [[folder], [folder.parent / "b.npz"]]
