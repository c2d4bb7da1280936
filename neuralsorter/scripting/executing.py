"""Run one script in this process and write down what came of it. For the confined child of `runner` only."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import linecache
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from neuralsorter.errors import NeuralSorterError
from neuralsorter.spikes import Spikes

from .passing import read_spikes
from .scripts import DATA_NAMES

_MAX_ROWS = 100_000
_MAX_TEXT = 1 << 20
_DOTS_PER_INCH = 110


def execute(job: dict[str, Any], in_force: list[str]) -> None:
    """Run the script of `job`; leave result.json and result.bin in its scratch folder."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="replace")
    header: dict[str, Any] = {"kind": "none", "in_force": in_force}
    payload = b""
    try:
        data = {name: read_spikes(description) for name, description in job["data"].items()}
        value = _called(job["source"], job["path"], data, job["parameters"])
        header["kind"], payload = _converted(value, len(data["spikes"]))
    except SystemExit as left:
        if left.code not in (None, 0):
            header |= {"kind": "none", "error": f"The script left with sys.exit({left.code!r})."}
    except BaseException as error:  # noqa: BLE001 - whatever a script raises is its result
        header |= {"kind": "none", "error": _explained(error, job["path"])}
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a script may have replaced or closed them
            stream.flush()
    Path("result.bin").write_bytes(payload)
    Path("result.json").write_text(json.dumps(header), encoding="utf-8")


def rehearse(path: Path) -> None:
    """Run a bundled script on a few events and drop the result, so that libraries are set up for the next run."""
    n_events = 60
    random = np.random.default_rng(0)
    spikes = Spikes(
        raw=random.normal(0, 50, (n_events, 32)).astype(np.float32),
        times_s=np.sort(random.uniform(0, 10, n_events)),
        channel=np.ones(n_events, np.int32),
        unit=np.arange(n_events, dtype=np.int32) % 3,
        experiment=np.zeros(n_events, np.int32),
        triggers=pd.DataFrame({"time_s": [2.0, 5.0], "code": [1, 1]}),
    )
    _converted(_called(path.read_text(encoding="utf-8"), str(path), dict.fromkeys(DATA_NAMES, spikes), {}), n_events)


def _called(source: str, path: str, data: dict[str, Spikes], parameters: dict[str, Any]) -> Any:
    """Return what the script's `run` returns."""
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    module = ModuleType(f"neuralsorter_dropin.utilities.{Path(path).stem}")
    module.__file__ = path
    sys.modules[module.__name__] = module
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - what this process, never the server, is for
    wanted = list(inspect.signature(module.run).parameters)
    others = {name: spikes for name, spikes in data.items() if name in wanted[1:]}
    return module.run(data["spikes"], **others, **parameters)


def _explained(error: BaseException, path: str) -> str:
    """Return the traceback of an error, the script's own lines only."""
    if isinstance(error, NeuralSorterError) and not isinstance(error, OSError):
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        return f"{error}" + (f" (line {own[-1].lineno})" if own else "")
    told = traceback.TracebackException.from_exception(error, limit=-200)
    chain: traceback.TracebackException | None = told
    while chain is not None:
        chain.stack = traceback.StackSummary.from_list([frame for frame in chain.stack if frame.filename == path][-20:])
        chain = chain.__cause__ or chain.__context__
    return "".join(told.format()).rstrip()[-_MAX_TEXT:]


def _converted(value: Any, n_shown: int) -> tuple[str, bytes]:
    """Return the kind of a result and its bytes. Libraries the script did not import cannot have made it."""
    for convert in (_bokeh, _matplotlib, _table, _proposal, _picture):
        found = convert(value, n_shown)
        if found is not None:
            return found
    if value is None:
        return "none", b""
    return "text", str(value).encode("utf-8", "replace")[:_MAX_TEXT]


def _bokeh(value: Any, _: int) -> tuple[str, bytes] | None:
    if isinstance(value, _known("holoviews.core", "Dimensioned")):
        value = sys.modules["holoviews"].render(value, backend="bokeh")
    if not isinstance(value, _known("bokeh.model", "Model")):
        return None
    document = importlib.import_module("bokeh.document").Document()
    document.add_root(value)
    text: str = importlib.import_module("bokeh.core.json_encoder").serialize_json(document.to_json(deferred=False))
    return "bokeh", text.encode()


def _matplotlib(value: Any, _: int) -> tuple[str, bytes] | None:
    figure_class, axes_class = _known("matplotlib.figure", "Figure"), _known("matplotlib.axes", "Axes")
    if isinstance(value, axes_class):
        value = value.figure
    if value is None and "matplotlib.pyplot" in sys.modules and sys.modules["matplotlib.pyplot"].get_fignums():
        value = sys.modules["matplotlib.pyplot"].gcf()
    if not isinstance(value, figure_class):
        return None
    file = io.BytesIO()
    value.savefig(file, format="png", dpi=_DOTS_PER_INCH, bbox_inches="tight")
    return "png", file.getvalue()


def _table(value: Any, _: int) -> tuple[str, bytes] | None:
    if isinstance(value, pd.Series):
        value = value.to_frame()
    if not isinstance(value, pd.DataFrame):
        return None
    named_index = value.index.nlevels > 1 or value.index.name is not None or value.index.dtype == object
    table = (value.reset_index() if named_index else value).head(_MAX_ROWS)
    columns = {
        " ".join(map(str, c)) if isinstance(c, tuple) else str(c): _plain(table.iloc[:, i]) for i, c in enumerate(table)
    }
    return "table", json.dumps(columns).encode()


def _plain(column: Any) -> list[Any]:
    values = column.tolist()
    return [value if isinstance(value, (int, float, str, bool, type(None))) else str(value) for value in values]


def _proposal(value: Any, n_shown: int) -> tuple[str, bytes] | None:
    if not (isinstance(value, np.ndarray) and value.shape == (n_shown,) and np.issubdtype(value.dtype, np.integer)):
        return None
    if len(value) and value.min() < 0:
        raise NeuralSorterError(f"Proposed units must be 0 (noise) or more. Got {value.min()}.")
    return "proposal", value.astype("<i8").tobytes()


def _picture(value: Any, _: int) -> tuple[str, bytes] | None:
    for kind in ("svg", "png"):
        draw: Callable[[], Any] | None = getattr(value, f"_repr_{kind}_", None)
        if callable(draw) and (drawn := draw()):
            return kind, drawn if isinstance(drawn, bytes) else str(drawn).encode()
    return None


def _known(module: str, name: str) -> Any:
    """Return a class if its module is imported, else a class nothing is an instance of."""
    return getattr(sys.modules.get(module), name, _Nothing)


class _Nothing:
    pass
