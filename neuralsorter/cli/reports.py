"""report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .inputs import progress, read, whole_number_from


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    report = commands.add_parser(
        "report",
        parents=[common],
        help="write all there is to see as one HTML file",
        description="Overview, and pictures, intervals, correlograms and metrics of each channel; of a project its"
        " history too. The file needs no other and asks the network for nothing.",
    )
    report.add_argument("input", nargs="+", metavar="IN", help="one project, or files")
    report.add_argument("-o", "--output", required=True, metavar="REPORT.html")
    report.add_argument("--title", default="", metavar="TEXT", help="default: the project's or first file's name")
    report.add_argument(
        "--jobs", type=whole_number_from(1), default=1, metavar="N", help="channels at a time, each in a process"
    )
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from neuralsorter.reporting import check, write_report

    check(Path(options.output))
    paths = [Path(path) for path in options.input]
    if len(paths) == 1 and (paths[0] / "project.json").is_file():
        from neuralsorter.project import Project

        with Project.open(paths[0], read_only=True) as project, progress("report") as update:
            write_report(project, options.output, title=options.title, jobs=options.jobs, progress=update)
        return
    spikes = read(options.input)
    with progress("report") as update:
        write_report(spikes, options.output, title=options.title, jobs=options.jobs, progress=update)
