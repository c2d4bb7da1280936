from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import panel_material_ui as pmui
import pytest

import neuralsorter as ns
from neuralsorter.errors import FileError
from tests.sorting.test_sort import events, spikes


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A page on two experiments of one channel, with three units in each."""
    from dashboard.app import App

    monkeypatch.setenv("NEURALSORTER_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("NEURALSORTER_PLUGINS", str(tmp_path / "plugins"))
    app = App([tmp_path])
    waves, _ = events(1600, seed=1)
    app.workspace.show(
        ns.Project.in_memory(
            spikes(waves, experiment=np.repeat([0, 1], 800), times_s=np.tile(np.arange(800) * 0.02, 2))
        )
    )
    yield app
    app.close()


def wait(app: Any, call: Callable[[], bool] = lambda: True) -> None:
    end = time.monotonic() + 60
    while app.workspace.jobs.running or not call():
        assert time.monotonic() < end, app.workspace.says
        time.sleep(0.01)


def sort(app: Any) -> None:
    app.act("sort")
    wait(app, lambda: "found in" in app.workspace.says)


def test_sorting_is_one_edit_and_tells_what_it_found(app: Any) -> None:
    app.sorting.active = True
    app.sorting.refresh()
    sort(app)
    project = app.workspace.project
    assert set(project.unit) == {1, 2, 3}
    findings = app.sorting.findings
    assert "3 units" in findings.about.object
    assert "expected" in findings.table.object.lower()
    assert len(findings._bic.data["k"]) > 3
    assert {"1", "2", "3"} <= set(findings._leaves.data["text"])
    wait(app, lambda: "…" not in findings.table.object)
    app.act("undo")
    assert set(project.unit) == {1}


def test_sorting_again_changes_no_number(app: Any) -> None:
    sort(app)
    before = app.workspace.project.unit.copy()
    app.workspace.says = ""
    sort(app)
    np.testing.assert_array_equal(app.workspace.project.unit, before)


def test_a_sort_that_changes_nothing_says_so_and_leaves_the_unit_shown(app: Any) -> None:
    """There is no edit of it to undo: the next undo is about something else."""
    sort(app)
    app.workspace.focus.unit = 1
    n = app.workspace.project.n_edits
    app.act("split unit")
    wait(app, lambda: "1 unit found" in app.workspace.says)
    assert "nothing was changed" in app.workspace.says
    assert app.workspace.project.n_edits == n
    assert app.workspace.focus.unit == 1


def test_one_key_selects_the_very_events_that_the_sort_flagged(app: Any) -> None:
    project, focus = app.workspace.project, app.workspace.focus
    waves = project.spikes.waveforms.copy()
    waves[::40] = np.roll(waves[::40], 12, axis=1) + waves[::40]
    app.workspace.show(ns.Project.in_memory(spikes(waves)))
    project, focus = app.workspace.project, app.workspace.focus
    sort(app)
    finding = app.workspace.sorts[0].found
    app.act("select strays")
    wait(app, lambda: "and selected" in app.workspace.says)
    assert len(focus.selected) > 10
    np.testing.assert_array_equal(np.sort(focus.selected), np.sort(finding.rows[finding.result.outlier]))
    focus.unit = 1
    app.workspace.says = ""
    app.act("split unit")  # it stays one, and its own sort is now the last
    wait(app, lambda: "nothing was changed" in app.workspace.says)
    told = int(app.workspace.says.split(". ")[1].split()[0])
    app.act("select strays")
    wait(app, lambda: "and selected" in app.workspace.says)
    assert len(focus.selected) == told > 0
    focus.unit = None
    project.merge(0, [1, 2])  # after an edit they are judged by the units as they are now
    app.workspace.says = ""
    app.act("select strays")
    wait(app, lambda: "and selected" in app.workspace.says)
    assert set(focus.selected) != set(finding.rows[finding.result.outlier])


def test_cancel_comes_up_beside_sort_where_nothing_can_hide_it(app: Any) -> None:
    """Below the progress it was off the end of a window of 950 pixels."""
    beside = next(list(row) for row in app.sidebar if isinstance(row, pmui.Row) and app.cancel in list(row))
    assert [button.label for button in beside] == ["Clean", "Sort", "Cancel"]


def test_cancelling_is_no_problem(app: Any) -> None:
    app.act("sort")
    app.act("cancel")
    wait(app, lambda: "cancelled" in app.workspace.says)
    assert not app.workspace.trouble
    assert set(app.workspace.project.unit) == {1}


def test_a_second_experiment_sorted_alone_gets_the_numbers_of_the_first(app: Any) -> None:
    project, focus = app.workspace.project, app.workspace.focus
    focus.experiment = 0
    sort(app)
    focus.experiment = 1
    app.workspace.says = ""
    sort(app)
    first, second = (project.spikes.take(project.rows(0, e)) for e in (0, 1))
    assert set(first.unit) == set(second.unit)
    for unit in set(first.unit):
        apart = first.waveforms[first.unit == unit].mean(axis=0) - second.waveforms[second.unit == unit].mean(axis=0)
        assert np.abs(apart).max() < 10


def test_a_unit_can_be_sorted_alone(app: Any) -> None:
    sort(app)
    project, focus = app.workspace.project, app.workspace.focus
    project.merge(0, [2, 3])
    rows = project.rows(0, unit=1).copy()
    focus.unit = 2
    app.workspace.says = ""
    app.act("split unit")
    wait(app, lambda: "found in" in app.workspace.says)
    np.testing.assert_array_equal(project.rows(0, unit=1), rows)
    assert len(set(project.unit)) == 3


def halve(app: Any) -> None:
    """Cut unit 1 in two at random: 1 and 8."""
    rows = app.workspace.project.rows(0, unit=1)
    app.workspace.project.assign(rows[np.random.default_rng(0).random(len(rows)) < 0.5], 8)


def test_a_suggestion_is_taken_by_one_key_and_undone_by_one(app: Any) -> None:
    sort(app)
    halve(app)
    before = app.workspace.project.unit.copy()
    app.act("next suggestion")
    wait(app, lambda: app.workspace.focus.hidden >= {0, 2, 3})  # the two units alone are shown
    assert app.workspace.case.pair == (1, 8)
    assert "SD apart" in app.suggestions.text.object
    app.act("accept suggestion")
    wait(app, lambda: "Nothing more to merge" in app.workspace.says)
    assert 8 not in app.workspace.project.unit
    app.act("undo")
    np.testing.assert_array_equal(app.workspace.project.unit, before)


def test_all_units_are_shown_again_after_a_suggestion(app: Any) -> None:
    sort(app)
    halve(app)
    app.act("next suggestion")
    wait(app, lambda: app.workspace.focus.hidden >= {0, 2, 3})
    app.navigator._unit_message("current", "all")
    assert app.workspace.focus.hidden == {0}
    assert app.workspace.case is None


def test_a_sorter_that_tells_no_bic_and_no_merges_has_words_instead_of_empty_axes(app: Any) -> None:
    from neuralsorter.sorting.sorters import PcaGmm

    app.sorting.active = True
    app.sorting.refresh()
    app.workspace.sorter, app.workspace.sorter_name = PcaGmm(), "pca_gmm"
    sort(app)
    findings = app.sorting.findings
    shown = [(page[0].visible, page[1].object) for page in (findings._about_bic, findings._about_tree)]
    assert [visible for visible, _ in shown] == [False, False]
    assert all("pca_gmm does not" in text for _, text in shown)
    app.workspace.sorter, app.workspace.sorter_name = None, ""
    app.workspace.says = ""
    sort(app)
    assert findings._about_bic[0].visible
    assert findings._about_tree[0].visible


def test_what_was_compared_before_an_undo_is_not_told_after_it(app: Any) -> None:
    sort(app)
    halve(app)
    app.act("next suggestion")
    wait(app, lambda: app.workspace.case is not None)
    app.act("accept suggestion")  # looks for the next one
    app.act("undo")
    wait(app)
    assert "Nothing more" not in app.workspace.says
    assert app.workspace.focus.hidden == {0}  # the two alone are no longer what is looked at
    assert 8 in app.workspace.project.unit


def test_a_suggestion_forgotten_does_not_come_back_until_that_is_undone(app: Any) -> None:
    sort(app)
    halve(app)
    app.act("next suggestion")
    wait(app, lambda: app.workspace.case is not None)
    app.act("reject suggestion")
    wait(app, lambda: app.workspace.case is None and "Nothing more to merge" in app.workspace.says)
    assert app.workspace.project.kept_apart == {(0, 1, 8)}
    app.act("undo")
    app.act("next suggestion")
    wait(app, lambda: app.workspace.case is not None)
    assert app.workspace.case.pair == (1, 8)


def test_a_unit_of_two_cells_is_split_by_one_key_and_undone_by_one(app: Any) -> None:
    sort(app)
    project = app.workspace.project
    project.merge(0, [2, 3])
    before = project.unit.copy()
    app.act("next suggestion")
    wait(app, lambda: app.workspace.focus.unit == 2)
    case = app.workspace.case
    assert (case.kind, case.shown, len(case.units)) == ("split", (2,), 2)
    assert "may be 2" in app.suggestions.text.object
    assert len(app.suggestions._means.data["ys"]) == 2
    app.act("accept suggestion")
    wait(app, lambda: "Nothing more to merge" in app.workspace.says)
    assert set(project.unit) == {1, *case.units}
    assert project.counts(0)[2] == case.counts[0]
    app.act("undo")
    np.testing.assert_array_equal(project.unit, before)


def test_a_unit_kept_whole_is_not_suggested_for_splitting_until_that_is_undone(app: Any) -> None:
    sort(app)
    app.workspace.project.merge(0, [2, 3])
    app.act("next suggestion")
    wait(app, lambda: app.workspace.case is not None)
    app.act("reject suggestion")
    wait(app, lambda: app.workspace.case is None and "Nothing more to merge" in app.workspace.says)
    assert app.workspace.project.kept_whole == {(0, 2)}
    app.act("undo")
    app.act("next suggestion")
    wait(app, lambda: app.workspace.case is not None)


def test_the_review_brings_a_suggestion_that_one_key_takes(app: Any) -> None:
    from dashboard import reviewing

    sort(app)
    project, workspace = app.workspace.project, app.workspace
    project.merge(0, [2, 3])
    workspace.queue.bring_up(project, None)
    assert workspace.queue.wait(60)
    concerns = {c.kind: c for c in workspace.queue.ranked(project)}
    assert concerns["split"].units == (2,)
    reviewing.show(workspace, concerns["split"])
    wait(app, lambda: workspace.case is not None)
    assert "T splits it" in workspace.says
    app.act("accept suggestion")
    wait(app, lambda: len(set(project.unit)) == 3)
    app.act("undo")
    project.keep_whole(0, 2)
    assert "split" not in {c.kind for c in workspace.queue.ranked(project)}


def test_an_answer_without_a_question_changes_nothing(app: Any) -> None:
    before = app.workspace.project.n_edits
    for answer in ("accept suggestion", "reject suggestion"):
        app.act(answer)
        assert "no suggestion" in app.workspace.says
    assert app.workspace.project.n_edits == before


def test_strays_are_selected_by_one_key(app: Any) -> None:
    sort(app)
    project, focus = app.workspace.project, app.workspace.focus
    narrow = project.unit[project.rows(0, unit=1)][0]
    odd = project.rows(0, unit=2)[:20]
    project.assign(odd, int(narrow))
    app.act("select strays")
    wait(app, lambda: "unlike their unit, and" in app.workspace.says)
    assert np.isin(odd, focus.selected).mean() > 0.8
    assert len(focus.selected) < 60


def test_an_earlier_file_outside_the_folders_of_the_server_is_not_read(
    app: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "earlier.npz"
    waves, unit = events(200, seed=1)
    ns.save(spikes(waves, unit=unit + 5), secret)
    app.sorting.earlier.path.value = str(secret)
    with pytest.raises(FileError, match="only opens files in"):
        app.sorting.earlier.start()
    assert app.workspace.project.n_edits == 0


def test_units_get_the_numbers_of_an_earlier_file(app: Any, tmp_path: Path) -> None:
    waves, unit = events(900, seed=5)
    ns.save(spikes(waves, unit=np.array([7, 4, 9])[unit]), tmp_path / "earlier.npz")
    sort(app)
    app.sorting.earlier.path.value = str(tmp_path / "earlier.npz")
    app.sorting.earlier.start()
    wait(app, lambda: "3 of 3 units" in app.workspace.says)
    assert set(app.workspace.project.unit) == {4, 7, 9}
    app.act("undo")
    assert set(app.workspace.project.unit) == {1, 2, 3}
