"""A thousand damaged files: each is read or refused in one sentence. `benchmarks/fuzzing.py` does more of the same."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzzing.py"
IN_THIS_PROCESS = (".npz", "npz inside", ".npy", ".pkl", "old .pkl", ".csv", ".json", ".nev", ".plx", ".nex", ".ntt",
                   "tdt", "axona", "openephys", "openephys_binary", "analyzer")  # fmt: skip

pytestmark = pytest.mark.checkout


@pytest.fixture(scope="module")
def fuzzing() -> ModuleType:
    return importlib.import_module("benchmarks.fuzzing")  # it looks for the writers of other tests


@pytest.mark.parametrize("name", IN_THIS_PROCESS)
def test_damaged_files_are_read_or_refused_in_a_sentence(tmp_path: Path, fuzzing: ModuleType, name: str) -> None:
    loader, write = fuzzing.SOURCES[name]
    file = write(tmp_path)
    assert fuzzing.read(name, loader, file) == "read"
    good, found = file.read_bytes(), Counter[str]()
    damage = fuzzing.damaged_inside if name in fuzzing.IN_ZIP else fuzzing.damaged
    for number in range(60):
        file.write_bytes(damage(good, np.random.default_rng([1, number])))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found[fuzzing.read(name, loader, file)] += 1
    assert found["refused"] > 5
    assert not found.keys() - {"read", "refused", "too much"}
    assert loader not in {"nev", "npz"} or not found["too much"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain .mat", ".nwb", ".parquet", "spike2", "mcs", "keras inside"])
def test_foreign_parsers_end_in_their_child_at_worst(name: str) -> None:
    command = [sys.executable, str(BENCHMARK), "--files", "100", "--seed", "1", "--only", name]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    assert told.startswith(name)
    assert "  met" in told
    assert int(told[len(name) :].split()[0]) == 100
