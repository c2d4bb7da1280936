"""report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .inputs import add_work, jobs, progress, read, work

if TYPE_CHECKING:
    from neuralsorter.project import Project
    from neuralsorter.spikes import Spikes


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
    add_work(report)
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from neuralsorter.reporting import check

    check(Path(options.output))
    paths = [Path(path) for path in options.input]
    if len(paths) == 1 and (paths[0] / "project.json").is_file():
        from neuralsorter.project import Project

        with Project.open(paths[0], read_only=True) as project:
            _write(project, project.spikes, options)
        return
    spikes = read(options.input)
    _write(spikes, spikes, options)


def _write(source: Spikes | Project, spikes: Spikes, options: argparse.Namespace) -> None:
    from neuralsorter.reporting import write_report

    with work(options), progress("report") as update:
        write_report(source, options.output, title=options.title, jobs=jobs(options, spikes), progress=update)
