"""Five people at once for five minutes: nothing is lost, nothing fails. In CI, and with NEURALSORTER_EXHAUSTIVE=1.

`benchmarks/soak.py` does it for half an hour, and measures waits and memory.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

DURATION_S = 300.0

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.checkout,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (os.environ.get("CI") or os.environ.get("NEURALSORTER_EXHAUSTIVE")),
        reason="takes five minutes: CI runs it, and NEURALSORTER_EXHAUSTIVE=1",
    ),
]


@pytest.fixture
def soak() -> Any:
    """The benchmark, which needs Playwright and psutil."""
    return importlib.import_module("benchmarks.soak")


def test_five_people_at_once_lose_nothing(
    soak: Any, serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    project = soak.recording(tmp_path)
    server = serve(project)
    people = []
    for channel in range(1, soak.PEOPLE + 1):  # one after the other: five pages built at once take long
        people.append(soak.Person(open_tab(server), channel))
        people[-1].begin()
    soak.soak(people, server, DURATION_S)
    assert all(person.told and person.reconnected for person in people)
    assert soak.lost(project, people) == []
    assert soak.complaints(people, server) == []
