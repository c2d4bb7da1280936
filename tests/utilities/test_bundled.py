"""Every bundled script runs on any events, draws what is there, and leaves the events alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuralsorter import plugins
from neuralsorter.scripting.script_runner import ScriptRunner
from neuralsorter.scripting.scripts import describe
from neuralsorter.spikes import Spikes

NAMES = sorted(path.stem for path in plugins.folder("utilities").glob("[!_]*.py"))


def events(n: int = 600, channels: int = 2, wires: int = 0) -> Spikes:
    """Return units of three sizes and noise on some channels, with triggers that unit 1 follows by 0.1 s."""
    random = np.random.default_rng(0)
    unit = random.integers(0, 4, n).astype(np.int32)
    shape = -np.exp(-(((np.arange(32) - 12) / 3) ** 2))
    raw = random.normal(0, 5, (n, 32)) + 40.0 * unit[:, None] * shape
    times = np.sort(random.uniform(0, 60, n))
    segment = np.repeat([0, 1], [n // 2, n - n // 2]).astype(np.int32)
    times[n // 2 :] -= 30 if n else 0
    triggers = pd.DataFrame({"time_s": [5.0, 10.0, 20.0], "code": [1, 2, 1], "segment": [0, 0, 1]})
    return Spikes(
        raw=(np.repeat(raw[:, None], wires, axis=1) if wires else raw).astype(np.float32),
        times_s=np.abs(times),
        channel=(np.arange(n) % channels).astype(np.int32),
        unit=unit,
        experiment=np.zeros(n, np.int32),
        segment=segment,
        pre_samples=12,
        triggers=triggers,
    )


def path_of(name: str) -> Path:
    return plugins.folder("utilities") / f"{name}.py"


@pytest.fixture(scope="module")
def runner() -> Iterator[ScriptRunner]:
    runner = ScriptRunner()
    runner.prewarm(wait_s=120)
    yield runner
    runner.close()


@pytest.fixture
def script(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.import_file(path_of(request.param), "utilities")


CASES: dict[str, Callable[[], Spikes]] = {
    "usual": events,
    "one channel": lambda: events(channels=1),
    "nothing": lambda: events(0),
    "one event": lambda: events(1),
    "noise only": lambda: events().with_unit(np.zeros(600, np.int32)),
    "no times": lambda: Spikes(
        events().raw, np.full(600, np.nan), events().channel, events().unit, events().experiment, pre_samples=12
    ),
    "tetrode": lambda: events(wires=4),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_script_is_described_and_runs_on_any_events(name: str, runner: ScriptRunner) -> None:
    described = describe(path_of(name))
    assert described.error == ""
    assert described.doc
    assert all(parameter.doc for parameter in described.parameters)
    for case, make in CASES.items():
        result = runner.run(described.source, name, make())
        assert result.error == "", f"{name} on {case}"
        assert result.kind in ("bokeh", "table", "text")
        assert result.output == ""
    assert runner.run(described.source, name, events()).kind in ("bokeh", "table")


@pytest.mark.parametrize("script", ["isi_histogram"], indirect=True)
def test_intervals_are_drawn_as_counted(script: ModuleType) -> None:
    times = np.cumsum(np.r_[0.0, np.tile([0.0105, 0.001], 50)])
    n = len(times)
    ones = np.ones(n, np.int32)
    drawn = script.run(Spikes(np.zeros((n, 8), np.float32), times, ones, ones, 0 * ones, pre_samples=2))
    counts = drawn.renderers[0].data_source.data["y"]
    assert (counts[1], counts[10]) == (50, 50)
    assert counts.sum() == 100
    assert "50.00 %" in drawn.legend[0].items[0].label.value


@pytest.mark.parametrize("script", ["psth"], indirect=True)
def test_responses_keep_to_the_segment_of_the_trigger(script: ModuleType) -> None:
    ones = np.ones(3, np.int32)
    spikes = Spikes(
        np.zeros((3, 8), np.float32),
        np.array([5.105, 10.105, 5.205]),
        ones,
        ones,
        0 * ones,
        segment=np.array([0, 0, 1], np.int32),
        pre_samples=2,
        triggers=pd.DataFrame({"time_s": [5.0, 10.0], "code": [1, 1], "segment": [0, 0]}),
    )
    dots = script.run(spikes).children[0].renderers[0].data_source.data
    assert np.allclose(dots["x"], 0.105)
    assert dots["y"].tolist() == [0, 1]
    assert "Codes in the file: 1" in script.run(spikes, code=3)


@pytest.mark.parametrize("script", ["compare_curations"], indirect=True)
def test_curations_are_matched_whatever_their_numbers(script: ModuleType) -> None:
    spikes = events(channels=1)
    renamed = spikes.with_unit(np.array([0, 5, 2, 9], np.int32)[spikes.unit])
    table = script.run(spikes, renamed)
    assert table["agreement"].eq(1).all()
    assert table["match"].tolist() == [0, 5, 2, 9]
    merged = script.run(spikes, spikes.with_unit(np.minimum(spikes.unit, 2)))
    assert (merged["match"] == -1).sum() == 1
    assert "same events" in script.run(spikes, spikes.take(np.arange(3)))


@pytest.mark.parametrize("script", ["array_map"], indirect=True)
def test_electrodes_lie_where_the_file_says_or_on_a_square(script: ModuleType) -> None:
    table = pd.DataFrame({"id": [7, 3], "x_um": [400.0, 0.0], "y_um": [0.0, 800.0], "threshold_uv": np.nan})
    x, y = script.places(np.array([3, 7]), table)
    assert (x.tolist(), y.tolist()) == ([0, 1], [2, 0])
    x, y = script.places(np.arange(96), table)
    assert (x.max(), y.min()) == (9, -9)


@pytest.mark.parametrize("script", ["unit_similarity"], indirect=True)
def test_a_unit_is_most_similar_to_itself(script: ModuleType) -> None:
    drawn: Any = script.run(events(channels=1))
    cells = {(a, b): s for a, b, s in drawn.data[["unit", "other", "similarity"]].itertuples(index=False)}
    assert cells["unit 1", "unit 1"] == pytest.approx(1)
    assert cells["unit 1", "unit 3"] < cells["unit 2", "unit 3"] < 0.9
