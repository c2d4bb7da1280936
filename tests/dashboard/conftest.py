"""Make the app's folder importable, in a checkout and beside an installed wheel, here and in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from neuralsorter.plugins import folder

sys.path.insert(0, str(folder("dashboard").parent))


@pytest.fixture
def printed() -> Callable[[str], str]:
    """Return a function that runs a script in a process of its own and returns what it prints."""
    paths = os.pathsep.join(path for path in sys.path if path)

    def run(script: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": paths},
        )
        return done.stdout

    return run
