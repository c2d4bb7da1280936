"""The example notebooks run from top to bottom, and are stored without what they printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
NAMES = ("quick_start", "train_a_cleaner", "bring_your_own_sorter", "batch", "to_nwb_and_spikeinterface")

pytestmark = pytest.mark.checkout


def _cells(name: str) -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))["cells"])


def test_every_notebook_is_listed_and_stored_without_outputs() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)
    for name in NAMES:
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in _cells(name)), name


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name: str, tmp_path: Path) -> None:
    code = "\n\n".join("".join(cell["source"]) for cell in _cells(name) if cell["cell_type"] == "code")
    (tmp_path / "cells.py").write_text(code)
    run = subprocess.run(
        [sys.executable, "cells.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=250,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
