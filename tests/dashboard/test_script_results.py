from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns
from neuralsorter.scripting.script_runner import ScriptResult

PROPOSAL = """
def run(spikes):
    return spikes.unit + (spikes.times_s > 0.5) * 4
"""


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from dashboard.scripts import Scripts
    from dashboard.workspace import Workspace

    monkeypatch.setenv("NEURALSORTER_PLUGINS", str(tmp_path / "plugins"))
    space = Workspace()
    space.show(
        ns.Project.in_memory(
            ns.Spikes(
                raw=np.zeros((100, 40), np.int16),
                times_s=np.arange(100.0) / 100,
                channel=np.ones(100, int),
                unit=np.repeat([1, 2], 50),
                experiment=np.zeros(100, int),
            )
        )
    )
    view = Scripts(space)
    view.active = True
    view.refresh()
    yield view
    view.close()


def test_a_proposal_is_told_first_and_applied_as_one_edit(view: Any) -> None:
    view.editor.value = PROPOSAL
    view.run()
    _wait(view)
    project = view.workspace.project
    assert view.apply.visible
    assert project.n_edits == 0
    told = view.shown.parts.objects[0].object
    assert "It would move 49: 49 to unit 6." in told
    view.choice.value = next(name for name in view._scripts if name != view.choice.value)
    view.apply_proposal()
    assert project.n_edits == 1
    assert project.counts(1) == {1: 50, 2: 1, 6: 49}
    project.undo()
    assert project.counts(1) == {1: 50, 2: 50}


def test_a_script_gets_the_channel_and_everything_where_it_asks_for_them(view: Any) -> None:
    view.workspace.focus.unit = 2
    view.editor.value = "def run(spikes, channel, everything): return f'{len(spikes)} {len(channel)} {len(everything)}'"
    view.run()
    _wait(view)
    assert view._last[0].payload == "50 100 100"


def test_the_widgets_follow_the_signature_that_is_written(view: Any) -> None:
    view.editor.value = "def run(spikes, bin_s: float = 2.0, name: str = 'x'): return f'{bin_s} {name}'"
    bin_s, name = view._widgets
    bin_s.value = 5.0
    view.editor.value = "def run(spikes, bin_s: float = 2.0, many: int ="
    assert view._widgets == [bin_s, name]
    view.editor.value = "def run(spikes, many: int = 3, bin_s: float = 2.0): return f'{bin_s} {many}'"
    assert [w.value for w in view._widgets] == [3, 5.0]
    view.run()
    _wait(view)
    assert view._last[0].payload == "5.0 3"


def test_a_pinned_result_stays_while_others_come(view: Any) -> None:
    table = pd.DataFrame({"a": [1, 2]})
    rows, before = np.arange(2), np.ones(2, np.int32)
    view._show(ScriptResult("table", table), "psth", rows, before)
    view.keep_result()
    view._show(ScriptResult("text", "later"), "psth", rows, before)
    assert len(view.pinned) == 1
    assert view.pinned._pane.objects[0].objects[0].objects[0].objects[0].value["a"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ScriptResult("table", pd.DataFrame({"a": [1]})), b",a\n0,1\n"),
        (ScriptResult("proposal", np.array([3, 1])), b"unit,proposed\n1,3\n1,1\n"),
        (ScriptResult("text", "hello"), b"hello"),
    ],
)
def test_a_result_is_saved_as_what_it_is(result: ScriptResult, expected: bytes) -> None:
    from dashboard.results import Result

    shown = Result()
    shown.display(result, "mine", np.ones(2, np.int32))
    assert shown.file().getvalue() == expected


PICTURE = """
from bokeh.plotting import figure

def run(spikes):
    plot = figure()
    plot.line([1, 2], [3, 4])
    return plot
"""


def test_a_picture_is_a_text_for_the_browser_and_adds_nothing_to_the_page(view: Any) -> None:
    view.editor.value = PICTURE
    view.run()
    _wait(view)
    parts, first = view.shown._pane.objects, view.shown.drawn.picture
    view.run()
    _wait(view)
    assert view.shown._pane.objects == parts
    assert view.shown.parts.objects == []
    ids = [set(re.findall(r'"id":"([^"]+)"', text)) for text in (first, view.shown.drawn.picture)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert view.shown._savers._numbers() == "source,x,y\n0,1,3\n0,2,4\n"


def _wait(view: Any) -> None:
    import time

    for _ in range(1200):
        if not (view.jobs.running or view.result.loading):
            return
        time.sleep(0.05)
    pytest.fail("the script did not end within a minute")


def test_of_a_flood_of_output_the_end_is_shown(view: Any) -> None:
    nothing = np.zeros(0, np.int64)
    view._show(ScriptResult("none", output="a" * 900_000 + "the end"), "flood", nothing, nothing.astype(np.int32))
    assert view.printed.object.endswith("the end")
    assert "850,007 characters before these are left out" in view.printed.object
    assert len(view.printed.object) < 51_000
