"""A report of a recording or project: one HTML file that needs nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from neuralsorter import __version__, batch
from neuralsorter.edit import Action
from neuralsorter.errors import SaveError
from neuralsorter.metrics import Recording, recording
from neuralsorter.project import Project
from neuralsorter.saving import written_whole
from neuralsorter.spikes import Spikes

from .section import NOT_KNOWN, Channel, Section, describe

__all__ = ["check", "write_report"]

SUFFIXES = (".html", ".htm")
_MOST_ACTIONS = 2000
_LONGEST = 300  # characters of an action's parameters


def check(path: Path) -> None:
    """Refuse a path that no report can be written to."""
    if path.suffix.lower() not in SUFFIXES:
        raise SaveError(path, f"has the suffix {path.suffix!r}, and a report is HTML", "Name a file that ends in .html")
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise SaveError(path, what, "Name a file in a folder that exists")


def write_report(
    source: Spikes | Project,
    path: str | Path,
    *,
    title: str = "",
    jobs: int = 1,
    progress: batch.Progress | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """Write overview, history and one section a channel.

    Parameters
    ----------
    source : Spikes or Project
        Of a project, its notes, locks and history are told too.
    path : str or Path
        A .html file, replaced whole or left as it is.
    title : str
        Heading; the project's or first file's name by default.
    jobs : int
        Processes to work in; fewer than 1 means as many as cores and memory allow.
    progress : callable, optional
        Called with (channels done, channels in all).
    cancel : threading.Event, optional
        Stops the work when set; nothing is written then.

    Raises
    ------
    SaveError
        When the path is no .html file or the disk refuses.
    Cancelled
        When `cancel` was set.

    """
    path = Path(path)
    check(path)
    project = source if isinstance(source, Project) else None
    spikes = source.spikes if isinstance(source, Project) else source
    whole = recording(spikes)
    channels = np.unique(spikes.channel).tolist()
    tasks = _tasks(spikes, whole, channels, project)
    found = batch.map_channels(describe, tasks, jobs, progress, cancel, total=len(channels))
    sections = [section for _, section in found]
    text = _page(
        title=title or _name(spikes, project),
        sections=sections,
        overview=_overview(spikes, whole, sections),
        sources=_sources(spikes),
        history=_history(project) if project else None,
    )
    with written_whole(path) as file:
        file.write(text.encode())


def _tasks(spikes: Spikes, whole: Recording, channels: list[int], project: Project | None) -> Iterator[Channel]:
    notes, locked = (project.notes, project.locked) if project else ({}, frozenset())
    reviewed = project.reviewed if project else frozenset()
    for channel in channels:
        yield Channel(
            spikes.take(np.flatnonzero(spikes.channel == channel)),
            whole,
            {unit: text for (c, unit), text in notes.items() if c == channel},
            frozenset(unit for c, unit in locked if c == channel),
            channel in reviewed,
        )


def _page(**content: Any) -> str:
    import jinja2

    texts = jinja2.FunctionLoader(lambda name: (resources.files(__name__) / name).read_text("utf-8"))
    environment = jinja2.Environment(
        loader=texts, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made = datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    return environment.get_template("report.html").render(version=__version__, made=made, **content)


def _name(spikes: Spikes, project: Project | None) -> str:
    if project is not None and project.path is not None:
        return project.path.name
    return Path(spikes.sources[0]).name if spikes.sources else "Recording"


def _overview(spikes: Spikes, whole: Recording, sections: list[Section]) -> dict[str, str]:
    step = 1000 / spikes.sampling_rate
    n_units = sum(unit["unit"] > 0 for section in sections for unit in section["units"])
    n_flagged = sum(bool(unit["flags"]) for section in sections for unit in section["units"])
    noise = sum(section["noise"] for section in sections)
    return {
        "events": f"{len(spikes):,}",
        "of them noise": f"{noise:,}",
        "channels": f"{len(sections):,}",
        "units": f"{n_units:,}",
        "units with red flags": f"{n_flagged:,}",
        "length": f"{whole.duration_s:,.1f} s",
        "sampling rate": f"{spikes.sampling_rate:,g} Hz",
        "window": f"{spikes.n_samples} samples, {-spikes.pre_samples * step:.2f} to "
        f"{(spikes.n_samples - 1 - spikes.pre_samples) * step:.2f} ms from the crossing",
        "resolution": f"{spikes.uv_per_bit:g} µV" if spikes.raw.dtype == np.int16 else "floating point",
        "dead time of the detector": f"{whole.dead_time_ms:.2f} ms" if whole.dead_time_ms else "not seen",
    }


def _sources(spikes: Spikes) -> list[dict[str, str]]:
    lines = []
    for number in np.unique(spikes.experiment).tolist():
        rows = spikes.experiment == number
        known = spikes.times_s[rows][np.isfinite(spikes.times_s[rows])]
        lines.append(
            {
                "number": str(number),
                "name": Path(spikes.sources[number]).name if number < len(spikes.sources) else "",
                "events": f"{int(rows.sum()):,}",
                "last": f"{known.max():,.1f} s" if len(known) else NOT_KNOWN,
                "restarts": str(int(spikes.segment[rows].max())),
            }
        )
    return lines


def _history(project: Project) -> dict[str, Any]:
    actions = project.history()
    return {
        "n": len(actions),
        "lines": [
            {
                "id": action.id,
                "at": datetime.fromtimestamp(action.at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
                "author": action.author,
                "label": action.label,
                "events": f"{action.n_events:,}",
                "state": "" if action.live else "undone",
                "params": _params(action),
            }
            for action in actions[-_MOST_ACTIONS:]
        ],
    }


def _params(action: Action) -> str:
    found = json.loads(action.params)
    if not isinstance(found, Mapping):
        return ""
    text = ", ".join(f"{name}: {_short(value)}" for name, value in found.items() if value is not None)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > 4:
        return f"{len(value)} values"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
