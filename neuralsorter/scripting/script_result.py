"""What came of a script's run, read from files the script may have tampered with."""

from __future__ import annotations

import json
import os
import signal
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MAX_OUTPUT = 1 << 20
_MAX_RESULT = 16 << 20  # more would take the server longer to parse than a click should wait


@dataclass(frozen=True, eq=False)
class ScriptResult:
    """What came of a run.

    Attributes
    ----------
    kind : {"bokeh", "png", "svg", "table", "text", "proposal", "none"}
        "bokeh": payload is a document, for `bokeh.document.Document.from_json_string`; "png": bytes; "svg": str;
        "table": a DataFrame; "text": str; "proposal": (n_spikes,) int64, new units for the events shown.
    payload : object
        As `kind` says; None for "none".
    output : str
        What the script printed.
    error : str
        Why it failed: the traceback of the script's own lines, or a sentence; empty when it did not.
    seconds : float
        From the call to the result.
    in_force : tuple of str
        The limits the system put on it, such as "namespaces", "limits", "landlock 7".

    """

    kind: str
    payload: Any = None
    output: str = ""
    error: str = ""
    seconds: float = 0.0
    in_force: tuple[str, ...] = ()


def read_result(scratch: Path, status: int | None, why: str, output: str, n_shown: int) -> ScriptResult:
    """Return the result of a run that ended with `status`, or was stopped for a reason `why`."""
    failed = ScriptResult("none", output=output)
    if why:
        return replace(failed, error=f"The script was stopped: {why}.")
    if status != 0:
        return replace(failed, error=_ended(status))
    try:
        header = json.loads(_read(scratch / "result.json"))
        kind, error = str(header["kind"]), str(header.get("error", ""))[:MAX_OUTPUT]
        payload = None if error else _payload(kind, _read(scratch / "result.bin"), n_shown)
        in_force = tuple(map(str, header["in_force"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        return replace(
            failed, error=f"The script ended without a result that can be read: {cause or type(cause).__name__}."
        )
    return replace(failed, kind="none" if error else kind, payload=payload, error=error, in_force=in_force)


def _ended(status: int | None) -> str:
    if status is None:
        return "The process that runs scripts ended. Run the script again."
    number = -status if status < 0 else status - 128
    if number in set(signal.Signals):
        return f"The script crashed ({signal.Signals(number).name})."
    return f"The script ended its process with status {status}."


def _read(path: Path) -> bytes:
    """Read a regular file a script may have made, whatever it made instead."""
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(opened, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        about = os.fstat(opened)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is not a file")
        if about.st_size > _MAX_RESULT:
            raise ValueError(f"it is larger than {_MAX_RESULT >> 20} MB; draw fewer points, or with Datashader")
        return file.read(_MAX_RESULT)


def _payload(kind: str, data: bytes, n_shown: int) -> Any:
    if kind == "bokeh":
        if not isinstance(json.loads(data), dict):
            raise ValueError("it is not a document")
        return data.decode()
    if kind == "table":
        return pd.DataFrame(json.loads(data))
    if kind == "proposal":
        units = np.frombuffer(data, "<i8").astype(np.int64)
        if units.shape != (n_shown,) or (len(units) and units.min() < 0):
            raise ValueError("the proposed units do not fit the events")
        return units
    if kind in ("text", "svg"):
        return data.decode("utf-8", "replace")
    if kind in ("png", "none"):
        return data or None
    raise ValueError(f"its kind is {kind!r}")
