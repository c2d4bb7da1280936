"""Reports from the page: one HTML file of everything that is open, written off the event loop."""

from __future__ import annotations

import threading
from pathlib import Path

from neuralsorter.reporting import write_report

from .jobs import Report
from .workspace import Workspace

REPORT = ".html"


def report_name(name: str) -> str:
    """Return the name of a report beside a file."""
    path = Path(name)
    return str(path.with_name(f"{path.stem.removesuffix('_sorted')}_report{REPORT}"))


def start_report(workspace: Workspace, path: Path) -> None:
    """Write the report of the open project, with progress and Cancel."""
    project = workspace.project
    if project is None:
        workspace.say("Nothing is open. Open a recording first.")
        return

    def work(report: Report, cancel: threading.Event) -> None:
        def step(done: int, total: int) -> None:
            report(done / max(total, 1), f"channel {done} of {total}")

        write_report(project, path, progress=step, cancel=cancel)

    workspace.jobs.start(
        "Writing the report", work, lambda _: workspace.say(f"The report is {path}."), workspace.complain
    )
