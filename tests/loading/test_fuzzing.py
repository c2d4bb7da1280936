"""A thousand damaged files: each is read or refused in one sentence. `benchmarks/fuzzing.py` does more of the same."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from neuralsorter.errors import NeuralSorterError

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzzing.py"
IN_THIS_PROCESS = (".npz", ".npy", ".pkl", ".csv", ".json", ".nev", ".plx", ".nex", ".ntt", "tdt", "axona", "openephys",
                   "openephys_binary", "analyzer")  # fmt: skip

pytestmark = pytest.mark.checkout


@pytest.fixture(scope="module")
def fuzzing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzzing", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", IN_THIS_PROCESS)
def test_damaged_files_are_read_or_refused_in_a_sentence(tmp_path: Path, fuzzing: ModuleType, name: str) -> None:
    loader, write = fuzzing.SOURCES[name]
    file = write(tmp_path)
    good, refused, lines = file.read_bytes(), 0, {1}
    for number in range(60):
        file.write_bytes(fuzzing.damaged(good, np.random.default_rng([1, number])))
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                fuzzing._read(name, loader, file)
        except NeuralSorterError as error:
            lines.add(len(str(error).splitlines()))
            refused += 1
        except (MemoryError, ValueError):
            refused += 1  # the worker around the loader makes a sentence of these
    assert refused > 5
    assert lines == {1}


@pytest.mark.slow
@pytest.mark.parametrize("name", [".mat", ".nwb", ".parquet", "spike2"])
def test_foreign_parsers_end_in_their_child_at_worst(name: str) -> None:
    command = [sys.executable, str(BENCHMARK), "--files", "100", "--seed", "1", "--only", name]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    counts = {what: int(count) for count, what in re.findall(r"(\d+) ([a-z ]+)[,;]", told)}
    assert sum(counts.values()) == 100
    assert not counts.keys() & {"hung", "refused in several lines"}
    assert int(re.search(r"peak (\d+) MB", told)[1]) < 1000  # type: ignore[index]  # it is there
