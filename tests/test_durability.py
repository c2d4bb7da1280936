"""No acknowledged edit is lost and nothing half made is seen, whatever is killed, cut, full or flipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
needs_posix = pytest.mark.skipif(os.name == "nt", reason="forks and kills")
needs_compiler = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("cc") is None,
    reason="a C compiler builds what stands between the program and the disk, on Linux",
)
pytestmark = pytest.mark.slow


def tried(trial: str, n: int) -> dict[str, int]:
    """Run one trial of benchmarks/durability.py in a process of its own: it forks, and preloads into others."""
    command = [sys.executable, "-m", "benchmarks.durability", trial, str(n)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False, env=os.environ | ONE_THREAD
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, int] = json.loads(done.stdout.partition(": ")[2])
    return result


ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@needs_posix
def test_a_killed_program_loses_no_edit_it_had_acknowledged() -> None:
    result = tried("kills", 50)
    assert result["edits"] > 0
    assert (result["lost"], result["damaged"]) == (0, 0)


@needs_posix
def test_a_killed_import_or_export_leaves_nothing_half_made() -> None:
    assert tried("imports", 24)["half made"] == 0


def test_every_flipped_bit_is_found() -> None:
    result = tried("flips", 100)
    assert (result["missed"], result["whole again"]) == (0, 1)


@needs_compiler
def test_a_failing_or_full_disk_takes_back_one_edit_aloud_and_loses_none() -> None:
    result = tried("faults", 41)
    assert result["failures"] > 40
    assert (result["lost"], result["silent"], result["torn"]) == (0, 0, 0)


@needs_compiler
def test_a_power_failure_loses_nothing_and_the_trial_catches_protocols_that_do() -> None:
    result = tried("power", 300)
    assert (result["lost"], result["destroyed"]) == (0, 0)
    assert result["wal-normal caught"] > 0
    assert result["npy-in-place caught"] > 0
