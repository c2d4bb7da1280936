"""From a project's live history to a recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from neuralsorter import __version__
from neuralsorter.edit import Action, Edit, Mark
from neuralsorter.errors import LoadError
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE
from neuralsorter.storage.history import History

from .templates import same_events, templates

FORMAT, VERSION = "neuralsorter-recipe", 1

Step = dict[str, Any]

_FIELDS = ("cleaner", "network", "spike_output", "sha256", "threshold", "sorter", "parameters", "seed", "where")


def recipe(project: Project) -> dict[str, Any]:
    """Return every decision that stands, oldest first, as plain values.

    Decisions that only numbers of rows can tell are kept as such; they can be taken again on the same events alone.
    """
    actions = {action.id: action for action in project.history()}
    steps = []
    for number in live(list(actions.values())):
        steps += _steps(project, actions[number])
    return {
        "format": FORMAT,
        "version": VERSION,
        "program": f"neuralsorter {__version__}",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "project": project.path.name if project.path else "",
        "sources": [Path(name).name for name in project.experiments],
        "events": {"n": len(project), "sha256": same_events(project)},
        "window": {
            "sampling_rate": project.sampling_rate,
            "pre_samples": project.pre_samples,
            "n_samples": project.n_samples,
        },
        "units": templates(project, project.unit_at(0), project.channels()),
        "steps": steps,
        "result": {
            str(channel): {str(unit): n for unit, n in project.counts(channel).items()}
            for channel in project.channels()
        },
    }


def live(actions: Sequence[Action]) -> list[int]:
    """Return the numbers of the actions that made the present state, oldest first; a jump counts as what it led to."""
    history = History((action.id, action.kind, action.target) for action in actions)
    jumps = [(at, action) for at, number in enumerate(history.live) if (action := actions[number - 1]).kind == "goto"]
    if not jumps:
        return history.live
    at, jump = jumps[-1]
    return live(actions[: jump.target or 0]) + history.live[at + 1 :]


def _steps(project: Project, action: Action) -> list[Step]:
    """Return the steps of one action: one for each decision in it."""
    edit = project.edit_of(action.id)
    who = {"action": action.id, "by": action.author, "what": action.label}
    said = [_said(mark, new) | who for mark, (_, new) in edit.marks.items()]
    return ([_moved(project, edit) | who] if len(edit.rows) else []) + said


def _said(mark: Mark, text: str) -> Step:
    if mark.kind == "apart":
        others = [int(other) for other in text.split(",")]
        return {"do": "keep apart", "channel": mark.channel, "unit": mark.unit, "others": others}
    return {"do": mark.kind, "channel": mark.channel, "unit": mark.unit, "text": text}


def _moved(project: Project, edit: Edit) -> Step:
    """Return how events came to other units."""
    params: Mapping[str, Any] = edit.params
    told = {name: params[name] for name in _FIELDS if name in params}
    lassos = _lassos(project, edit)
    if edit.kind == "clean" and {"cleaner", "where"} <= params.keys() and params["where"]["whole"]:
        return {"do": "clean", **told}
    if edit.kind == "sort" and {"sorter", "seed", "where"} <= params.keys() and (lassos or params["where"]["whole"]):
        named = params["where"]["units"]
        channels = project.channels() if isinstance(named, str) else map(int, named)
        return {"do": "sort", **told, **lassos, "gives": templates(project, project.unit_at(edit.id), channels)}
    if edit.kind == "merge":
        return {"do": "merge", "channel": edit.channels[0], "units": params["units"], "into": params["into"]}
    if edit.kind == "assign" and lassos:
        return {"do": "assign", **lassos, "to": int(edit.after[0])}
    return _whole_units(project, edit) or {"do": "assign by hand", "units": _by_hand(project, edit)}


def _lassos(project: Project, edit: Edit) -> Step:
    """Return where lassos were drawn and what they chose from; nothing where the events were chosen otherwise.

    Several channels, or experiments, drawn together are named as lists. A unit's number is that of its channel, so
    the units that a lasso chose from are then told channel by channel.
    """
    params = edit.params
    if "lassos" not in params:
        return {}
    if "channels" not in params:
        return {name: params[name] for name in ("channel", "experiment", "lassos")}
    before, channels = project.unit_at(edit.id - 1), params["channels"]
    present = {channel: {*np.unique(before[project.rows(channel)]).tolist()} for channel in channels}
    lassos = [
        lasso | {"among": {str(channel): sorted(present[channel] & {*lasso["among"]}) for channel in channels}}
        if isinstance(lasso["among"], list)
        else lasso
        for lasso in params["lassos"]
    ]
    return {"channels": channels, "experiments": params["experiments"], "lassos": lassos}


def _whole_units(project: Project, edit: Edit) -> Step:
    """Return a step where all events of some units of one channel went to one unit, else nothing."""
    if len(edit.channels) != 1 or len(np.unique(edit.after)) != 1:
        return {}
    channel = edit.channels[0]
    before, rows, units = project.unit_at(edit.id - 1), project.rows(channel), np.unique(edit.before)
    if NOISE in units or int(np.isin(before[rows], units).sum()) != len(edit.rows):
        return {}
    return {"do": "merge", "channel": channel, "units": units.tolist(), "into": int(edit.after[0])}


def _by_hand(project: Project, edit: Edit) -> dict[str, dict[str, list[list[int]]]]:
    """Return {channel: {unit: [[first row, how many], ...]}}."""
    found: dict[str, dict[str, list[list[int]]]] = {}
    for channel in edit.channels:
        inside = np.isin(edit.rows, project.rows(channel))
        for unit in np.unique(edit.after[inside]).tolist():
            rows = edit.rows[inside & (edit.after == unit)]
            runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
            found.setdefault(str(channel), {})[str(unit)] = [[int(run[0]), len(run)] for run in runs]
    return found


def to_text(content: Mapping[str, Any]) -> str:
    """Return a recipe as JSON that people can read: lists of numbers on one line."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    for _ in range(2):  # a polygon is a list of lists
        text = re.sub(r'\[\s+([^\[\]{}"]+?)\s+\]', lambda found: f"[{' '.join(found[1].split())}]", text)
        text = re.sub(r"\[\s+((?:\[[^\[\]]*\],?\s*)+)\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    return text + "\n"


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Read a recipe.

    Raises
    ------
    LoadError
        When it cannot be read, is no recipe, or is one of a later version.

    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except OSError as cause:
        raise LoadError(path, f"cannot be read ({cause.strerror or cause})", "Check its name") from None
    except ValueError:
        raise LoadError(path, "is not JSON", "Name a file that `neuralsorter recipe` wrote") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise LoadError(path, "is no recipe", "Name a file that `neuralsorter recipe` wrote")
    if content.get("version") != VERSION:
        what = f"is of version {content.get('version')!r} and this program knows {VERSION}"
        raise LoadError(path, what, "Update NeuralSorter, or write the recipe anew")
    missing = [name for name in ("events", "window", "units", "steps", "result") if name not in content]
    if missing:
        raise LoadError(path, f"lacks {', '.join(missing)}", "Write the recipe anew")
    return content
