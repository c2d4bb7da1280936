"""recipe and replay."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .inputs import progress, read, require_writable, show, whole_number_from, write


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this group."""
    recipe = commands.add_parser("recipe", parents=[common], help="write a project's decisions as readable JSON")
    recipe.add_argument("project", metavar="PROJECT")
    recipe.add_argument("-o", "--output", required=True, metavar="RECIPE.json")
    recipe.set_defaults(run=_recipe)
    replay = commands.add_parser(
        "replay",
        parents=[common],
        help="take the decisions of a recipe on other files",
        description="Units are found again by their mean waveform where numbers cannot be trusted. What could not be"
        " done is told.",
    )
    replay.add_argument("recipe", metavar="RECIPE.json")
    replay.add_argument("input", nargs="+", metavar="IN", help="files or projects; a project is read, not changed")
    replay.add_argument("-o", "--output", required=True, metavar="OUT", help="a file, or a project NAME.nsort")
    replay.add_argument(
        "--keep-sorting", action="store_true", help="do not clean or sort: find the recipe's units among those of IN"
    )
    replay.add_argument("--jobs", type=whole_number_from(1), default=1, metavar="N", help="channels at a time")
    replay.add_argument("--json", action="store_true", help="the report as JSON")
    replay.set_defaults(run=_replay)


def _recipe(options: argparse.Namespace) -> None:
    from neuralsorter.errors import SaveError
    from neuralsorter.project import Project
    from neuralsorter.recipes import recipe, to_text
    from neuralsorter.saving import written_whole

    path = Path(options.output)
    if path.suffix.lower() != ".json":
        raise SaveError(path, "does not end in .json, as recipes do", "Name a .json file")
    with Project.open(options.project, read_only=True) as project:
        text = to_text(recipe(project))
    with written_whole(path) as file:
        file.write(text.encode())


def _replay(options: argparse.Namespace) -> None:
    from neuralsorter.project import Project
    from neuralsorter.recipes import read_recipe, replay
    from neuralsorter.storage.folder import SUFFIX

    content = read_recipe(options.recipe)
    whole = Path(options.output).suffix == SUFFIX
    if not whole:
        require_writable(options.output, options.input)
    spikes = read(options.input)
    if not whole:
        require_writable(options.output, spikes.sources)
    with Project.in_memory(spikes) as project:
        with progress("replay", "step") as update:
            report = replay(project, content, keep_sorting=options.keep_sorting, jobs=options.jobs, progress=update)
        if whole:
            project.save_copy(options.output)
        else:
            write(project.exported(), options.output)
    show(json.dumps(report) if options.json else in_words(report))


def in_words(report: dict[str, Any]) -> str:
    """Return a report as lines: steps, then units and channels without a match."""
    lines = []
    for step in report["steps"]:
        events = f" ({step['events']:,} events)" if step["events"] else ""
        why = f": {step['why']}" if step["why"] else ""
        lines.append(f"{step['step']:>4}  {step['status']:<9} {step['what'] or step['do']}{events}{why}")
    known = [unit for unit in report["units"] if unit["here"] is not None]
    done = sum(step["status"] == "done" for step in report["steps"])
    lines.append(
        f"{done} of {len(report['steps'])} steps done, {len(known)} of {len(report['units'])} units found again."
    )
    if report["same_events"]:
        equal = "" if report["same_units"] else "not "
        lines.append(f"These are the recipe's own events; their units are {equal}equal.")
    if report["channels_missing"]:
        lines.append(f"Channels of the recipe not here: {', '.join(map(str, report['channels_missing']))}.")
    if report["channels_new"]:
        lines.append(f"Channels the recipe does not know: {', '.join(map(str, report['channels_new']))}.")
    return "\n".join(lines)
