"""A small recording and its project, in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralsorter.project import Project
from neuralsorter.spikes import Spikes


def _recording(n: int = 400, seed: int = 0, **columns: Any) -> Spikes:
    rng = np.random.default_rng(seed)
    table = Spikes(
        raw=rng.integers(-999, 999, (n, 6)).astype(np.int16),
        times_s=rng.random(n),
        channel=rng.choice([2, 5, 7], n).astype(np.int32),
        unit=np.ones(n, np.int32),
        experiment=np.zeros(n, np.int32),
        uv_per_bit=0.5,
        sampling_rate=20_000.0,
        pre_samples=2,
    )
    return replace(table, **columns)


@pytest.fixture
def recording() -> Callable[..., Spikes]:
    """Make events on the channels 2, 5 and 7; keywords replace columns."""
    return _recording


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a closed project."""
    Project.create(tmp_path / "a.nsort", spikes=_recording()).close()
    return tmp_path / "a.nsort"


@pytest.fixture(params=["memory", "disk"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """Return an open project, in memory and on disk in turn."""
    on_disk = request.param == "disk"
    made = Project.create(tmp_path / "p.nsort", spikes=_recording()) if on_disk else Project.in_memory(_recording())
    yield made
    made.close()
    if made.path is not None:
        assert not list(made.path.rglob("*.partial"))
