"""verify."""

from __future__ import annotations

import argparse
from typing import Any

from .inputs import show


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this group."""
    verify = commands.add_parser("verify", parents=[common], help="check a project's hashes, journal and counts")
    verify.add_argument("project", metavar="PROJECT")
    verify.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> None:
    from neuralsorter.errors import ProjectError
    from neuralsorter.project import Project

    with Project.open(options.project, read_only=True) as project:
        problems = project.verify()
        n_events, n_edits = len(project.unit), project.n_edits
    if problems:
        raise ProjectError(" ".join(problems))
    show(f"{options.project}: {n_events} events and {n_edits} edits are whole.")
