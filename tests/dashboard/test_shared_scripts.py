"""On a shared server people run its scripts, not their own."""

from __future__ import annotations

from typing import Any

import pytest

import neuralsorter as ns
from neuralsorter.errors import PluginError
from neuralsorter.scripting.script_runner import ScriptResult


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The Utilities tab of a page whose server allows no scripts of one's own."""
    monkeypatch.setenv("NEURALSORTER_SCRIPTS", "off")
    from dashboard.scripts import Scripts
    from dashboard.workspace import Workspace

    workspace = Workspace()
    workspace.show(ns.Project.in_memory(ns.simulate(n_channels=1, duration_s=5.0, seed=1).spikes))
    scripts = Scripts(workspace)
    scripts._list()
    yield scripts
    scripts.close()


def test_source_that_a_page_sends_is_not_run(tab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(source: str, *_: Any, **__: Any) -> ScriptResult:
        ran.append(source)
        return ScriptResult("none")

    monkeypatch.setattr(tab.runner, "run", run)
    monkeypatch.setattr(tab.jobs, "start", lambda _, work, *__: work(None, None) is None)
    tab.editor.value = "import os; os.system('true')"
    tab.run()
    assert ran == [tab._scripts[tab.choice.value].source]
    assert tab.editor.readonly


def test_source_that_a_page_sends_is_not_kept(tab: Any) -> None:
    with pytest.raises(PluginError, match="--allow-scripts"):
        tab.save()
    assert not tab.keep.visible
