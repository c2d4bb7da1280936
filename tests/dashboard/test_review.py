from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import ProjectError


@pytest.fixture
def workspace() -> Any:
    """Three channels: 1 is clean, 2 is full of violations, 3 has some."""
    from dashboard.workspace import Workspace

    random = np.random.default_rng(1)
    clean = np.cumsum(random.uniform(0.02, 0.1, 2000))
    trains = [clean, np.sort(random.uniform(0, clean[-1], 6000)), np.sort(np.append(clean, clean[::40] + 0.001))]
    times = np.concatenate(trains)
    shape = -np.exp(-0.5 * ((np.arange(40) - 20) / 3) ** 2)
    space = Workspace()
    space.show(
        ns.Project.in_memory(
            ns.Spikes(
                raw=(200 * shape + random.normal(0, 5, (len(times), 40))).astype(np.float32),
                times_s=times,
                channel=np.repeat([1, 2, 3], [len(train) for train in trains]),
                unit=np.ones(len(times), int),
                experiment=np.zeros(len(times), int),
                sampling_rate=30_000.0,
                pre_samples=12,
            )
        )
    )
    return space


def _looked_through(workspace: Any) -> None:
    assert workspace.queue.wait(60)


def test_the_queue_goes_to_the_worst_channel_first_and_on_when_it_is_reviewed(workspace: Any) -> None:
    from dashboard import reviewing

    reviewing.next_concern(workspace)
    _looked_through(workspace)
    assert workspace.focus.channel == 2
    assert "come from other neurons" in workspace.says
    reviewing.mark_reviewed(workspace)
    assert workspace.project.reviewed == {2}
    assert workspace.project.history()[-1].kind == "reviewed"
    assert workspace.focus.channel != 2
    workspace.project.undo()
    assert workspace.project.reviewed == frozenset()


def test_every_channel_comes_up_until_all_are_reviewed(workspace: Any) -> None:
    from dashboard import reviewing

    reviewing.next_concern(workspace)
    _looked_through(workspace)
    for _ in range(3):
        reviewing.mark_reviewed(workspace)
    assert workspace.project.reviewed == {1, 2, 3}
    assert workspace.says == "All channels are reviewed."
    assert reviewing.progress(workspace.project) == "3 of 3 channels reviewed"


def test_a_violation_is_two_selected_events_and_the_next_follows(workspace: Any) -> None:
    from dashboard import reviewing

    workspace.focus.channel = 3
    seen = []
    for _ in range(51):
        reviewing.next_violation(workspace)
        times = workspace.project.times_of(workspace.focus.selected)
        assert len(times) == 2
        assert np.ptp(times) == pytest.approx(0.001)
        seen.append(times[0])
    assert seen[:50] == sorted(set(seen))
    assert seen[50] == seen[0]
    workspace.focus.channel = 1
    reviewing.next_violation(workspace)
    assert "No two events" in workspace.says


def test_only_changed_channels_are_looked_through_again(workspace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard import concerns

    module: Any = concerns
    queue, looked = workspace.queue, list[int]()
    queue.bring_up(workspace.project, None)
    _looked_through(workspace)
    before = module.concerns

    def counting(part: Any, *others: Any) -> Any:
        looked.append(int(part.channel[0]))
        return before(part, *others)

    monkeypatch.setattr(module, "concerns", counting)
    workspace.project.assign(workspace.project.rows(2)[:10], 4)
    queue.bring_up(workspace.project, None)
    _looked_through(workspace)
    assert looked == [2]


def test_without_a_project_a_sentence_says_what_to_do() -> None:
    from dashboard import reviewing
    from dashboard.workspace import Workspace

    with pytest.raises(ProjectError, match="Open a recording"):
        reviewing.next_concern(Workspace())
