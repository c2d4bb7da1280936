"""Scripts are described from their text alone, and run in a process of their own that gives back what they made."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuralsorter import plugins
from neuralsorter.errors import PluginError
from neuralsorter.scripting import scripts
from neuralsorter.scripting.passing import files, read_spikes, write_spikes
from neuralsorter.scripting.script_runner import ScriptResult, ScriptRunner
from neuralsorter.scripting.scripts import Parameter, describe, describe_source
from neuralsorter.spikes import Spikes

EXAMPLE = '''"""Rates of units.

More about it.
"""
from __future__ import annotations
from typing import Annotated, Literal
from neuralsorter import Spikes
raise SystemExit("a description never runs the script")

def run(
    spikes: Spikes,
    everything: Spikes,
    bin_s: Annotated[float, (0.1, 60), "Width of a bin."] = 1,
    units: int = -3,
    scale: Literal["linear", "log"] = "log",
    *,
    smooth: bool = False,
    title=None or "x",
): ...
'''


def some_spikes(n: int = 200) -> Spikes:
    random = np.random.default_rng(0)
    return Spikes(
        raw=random.normal(0, 30, (n, 24)).astype(np.float32),
        times_s=np.sort(random.uniform(0, 20, n)),
        channel=np.full(n, 3),
        unit=random.integers(0, 3, n).astype(np.int32),
        experiment=np.zeros(n, int),
        sampling_rate=30_000.0,
        pre_samples=8,
        labels={(3, 1): "good"},
        channels=pd.DataFrame({"id": [3], "x_um": [0.1], "y_um": [np.nan], "threshold_uv": [-50.0]}),
        triggers=pd.DataFrame({"time_s": [1 / 3], "code": [7], "name": ["go"]}),
        sources=("a.nev",),
    )


@pytest.fixture(scope="module")
def runner() -> Iterator[ScriptRunner]:
    runner = ScriptRunner()
    yield runner
    runner.close()


def run(runner: ScriptRunner, body: str, **more: object) -> ScriptResult:
    return runner.run(f"def run(spikes, number: int = 2):\n    {body}\n", "mine", some_spikes(), **more)  # type: ignore[arg-type]


def test_a_signature_becomes_parameters() -> None:
    script = describe_source(EXAMPLE.replace('None or "x"', '"x"'), "rates")
    assert (script.name, script.title, script.doc, script.error) == ("rates", "Rates of units", "More about it.", "")
    assert script.parameters == (
        Parameter("bin_s", "float", 1.0, (0.1, 60), (), "Width of a bin."),
        Parameter("units", "int", -3),
        Parameter("scale", "choice", "log", None, ("linear", "log")),
        Parameter("smooth", "bool", False),
        Parameter("title", "str", "x"),
    )


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (EXAMPLE, "Line 18: defaults, bounds and choices of run must be written out"),
        ("def run(:", "Line 1: invalid syntax"),
        ("x = 1", "defines no function run"),
        ("def run(): pass", "first argument"),
        ("def run(spikes, a): pass", "a of run needs a default"),
        ("def run(spikes, a: list = 1): pass", "Got list"),
        ("def run(spikes, a: int = 'x'): pass", "a must be int. Got 'x'"),
        ("x = '\0'", "null bytes"),
        ("(" * 5000, "parenthes"),
        ("x" * (1 << 21), "longer than a million"),
    ],
)
def test_a_script_that_cannot_run_says_why(source: str, error: str) -> None:
    script = describe_source(source, "broken_one")
    assert error in script.error
    assert script.title


def test_values_are_checked_against_the_signature() -> None:
    script = describe_source(EXAMPLE.replace('None or "x"', '"x"'), "rates")
    assert script.values({"bin_s": 5}) == {"bin_s": 5.0, "units": -3, "scale": "log", "smooth": False, "title": "x"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"bin_s": 0.01}, "from 0.1 to 60"),
        ({"bin_s": True}, "must be float"),
        ({"units": 1.5}, "must be int"),
        ({"scale": "cubic"}, "one of linear, log"),
        ({"colour": "red"}, "no parameter 'colour'"),
    ]
    for given, error in wrong:
        with pytest.raises(PluginError, match=error):
            script.values(given)


def test_scripts_of_the_user_win_and_broken_ones_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path)
    path = scripts.save('"""My intervals."""\ndef run(spikes): return 1\n', "isi_histogram")
    scripts.save("def run(:", "broken")
    found = {script.name: script for script in scripts.available()}
    assert found["isi_histogram"].path == path
    assert (found["isi_histogram"].title, found["isi_histogram"].bundled) == ("My intervals", False)
    assert found["broken"].error
    assert found["autocorrelogram"].bundled
    for name in ("../evil", "class", "_hidden", "a b"):
        with pytest.raises(PluginError, match="letters, digits"):
            scripts.save("", name)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_file_that_is_not_text_is_described_by_its_error(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in describe(tmp_path / "x.py").error
    assert "cannot be read" in describe(tmp_path / "absent.py").error


def test_spikes_cross_to_another_process_whole(tmp_path: Path) -> None:
    spikes = some_spikes()
    other = read_spikes(write_spikes(spikes, tmp_path))
    for name in ("raw", "times_s", "channel", "unit", "experiment", "old_unit", "segment"):
        assert (getattr(other, name) == getattr(spikes, name)).all()
        assert getattr(other, name).dtype == getattr(spikes, name).dtype
    assert other.triggers.equals(spikes.triggers)
    assert other.channels.equals(spikes.channels)
    assert (other.labels, other.sources, other.sampling_rate) == (spikes.labels, spikes.sources, spikes.sampling_rate)
    assert len(read_spikes(write_spikes(spikes.take(np.zeros(0, int)), tmp_path))) == 0


def test_what_is_in_a_file_already_is_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "waveforms.npy", some_spikes().raw)
    mapped = np.load(tmp_path / "waveforms.npy", mmap_mode="r")
    ones = np.ones(100, np.int32)
    part = Spikes(mapped[50:150], np.arange(100.0), ones, ones, 0 * ones, pre_samples=8)
    (tmp_path / "passed").mkdir()
    description = write_spikes(part, tmp_path / "passed")
    assert str(tmp_path / "waveforms.npy") in files(description)
    assert not (tmp_path / "passed" / "raw.bin").exists()
    assert (read_spikes(description).raw == some_spikes().raw[50:150]).all()


def test_results_of_every_kind_come_back(runner: ScriptRunner) -> None:
    assert run(runner, "return len(spikes) * number").payload == "400"
    assert run(runner, "return len(spikes) * number", parameters={"number": 3}).payload == "600"
    assert run(runner, "print('ü'); return None").output == "ü\n"
    assert run(runner, "pass").kind == "none"
    units = run(runner, "return spikes.unit + 1")
    assert units.kind == "proposal"
    assert (units.payload == some_spikes().unit + 1).all()
    assert run(runner, "return spikes.unit[1:]").kind == "text"
    picture = run(runner, "import matplotlib.pyplot as plt; plt.plot([1, 2])")
    assert picture.kind == "png"
    assert picture.payload.startswith(b"\x89PNG")
    table = run(runner, "import pandas as pd; return pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})")
    assert table.kind == "table"
    assert table.payload.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    named = run(runner, "import pandas as pd; return pd.Series([1.5], index=pd.Index(['u'], name='unit'), name='hz')")
    assert named.payload.to_dict("list") == {"unit": ["u"], "hz": [1.5]}
    drawn = run(runner, "import holoviews as hv; hv.extension('bokeh'); return hv.Curve([1, 2])")
    assert drawn.kind == "bokeh"
    assert json.loads(drawn.payload)["roots"]
    svg = run(runner, "return type('Picture', (), {'_repr_svg_': lambda self: '<svg/>'})()")
    assert (svg.kind, svg.payload) == ("svg", "<svg/>")


def test_a_bokeh_result_is_a_document_again(runner: ScriptRunner) -> None:
    from bokeh.document import Document

    result = run(runner, "from bokeh.plotting import figure; f = figure(); f.line([1, 2], [3, 4]); return f")
    assert len(Document.from_json_string(result.payload).roots) == 1


def test_a_script_sees_the_other_events_it_asks_for(runner: ScriptRunner) -> None:
    spikes = some_spikes()
    source = "def run(spikes, channel, everything): return f'{len(spikes)} {len(channel)} {len(everything)}'"
    assert (
        runner.run(source, "s", spikes.take([0]), channel=spikes.take([0, 1]), everything=spikes).payload == "1 2 200"
    )
    assert runner.run(source, "s", spikes.take([0])).payload == "1 1 1"


def test_an_error_shows_the_lines_of_the_script_alone(runner: ScriptRunner) -> None:
    result = run(runner, "import numpy as np; return np.zeros(3)[[7]]")
    assert result.kind == "none"
    assert 'File "mine.py", line 2, in run' in result.error
    assert "IndexError: index 7 is out of bounds" in result.error
    assert result.error.count("File") == 1
    assert "negative" not in result.error
    assert "must be 0 (noise) or more" in run(runner, "return spikes.unit - 5").error
    assert "no parameter 'x'" in run(runner, "pass", parameters={"x": 1}).error
    assert "invalid syntax" in run(runner, "def").error
    assert "sys.exit(3)" in run(runner, "raise SystemExit(3)").error
    assert not run(runner, "raise SystemExit").error


def test_output_arrives_while_the_script_runs(runner: ScriptRunner) -> None:
    seen: list[str] = []
    cancel = threading.Event()

    def watch(text: str) -> None:
        seen.append(text)
        cancel.set()

    result = run(runner, "print('started', flush=True)\n    while True: pass", on_output=watch, cancel=cancel)
    assert "".join(seen) == result.output == "started\n"
    assert result.error == "The script was stopped: you stopped it."
    assert result.seconds < 20


def test_scripts_run_at_once_from_several_threads(runner: ScriptRunner) -> None:
    results: list[ScriptResult] = []
    threads = [threading.Thread(target=lambda k=k: results.append(run(runner, f"return {k}"))) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.payload for result in results) == ["0", "1", "2", "3"]


def test_where_processes_cannot_be_forked_each_script_gets_a_fresh_one() -> None:
    runner = ScriptRunner(fork=False)
    try:
        result = run(runner, "print('hi'); return 5")
        assert (result.payload, result.output) == ("5", "hi\n")
        stopped = run(runner, "while True: pass", timeout_s=1.5)
        assert stopped.error == "The script was stopped: it took longer than 1.5 s."
    finally:
        runner.close()
