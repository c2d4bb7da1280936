"""Damaged files against every loader: none may crash, hang or take more than 1 GB of the program that opens them.

Good files of each format are cut, overwritten, swapped and repeated at random places, and read in child processes, one
per loader, as the program does. Counted are: read, refused with a sentence, other exceptions (the worker makes a
sentence of them), and children that died or ran longer than 20 s on one file: in the program only the worker ends.
The largest memory of a child is printed; over 1 GB must not be.

usage: python benchmarks/fuzzing.py [--files 100000] [--seed 0] [--only NAME ...]
Data: events drawn with seed 0, written by our writers and by the tests' own writers. No peer: others state no figure.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import resource
import shutil
import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import neuralsorter as ns
from neuralsorter.errors import NeuralSorterError
from neuralsorter.loading import BUNDLED
from neuralsorter.loading.curation import apply_curation

LIMIT_S = 20
_TESTS = Path(__file__).resolve().parents[1] / "tests"


def _written(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        ns.save(_events(), folder / f"a{suffix}")
        return folder / f"a{suffix}"

    return write


@cache
def _events() -> ns.Spikes:
    return ns.simulate(n_channels=2, duration_s=2.0, seed=0).spikes


def _from_tests(module: str, name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path: Path = _module(module).WRITERS[name](folder)
        return path

    return write


def _neuralynx(folder: Path) -> Path:
    _module("loading/test_vendors.py").neuralynx(folder / "a.ntt", 4)
    return folder / "a.ntt"


def _analyzer(folder: Path) -> Path:
    _module("loading/test_analyzer.py").analyzer(folder / "an", 8)
    return folder / "an" / "sorting" / "spikes.npy"


def _mcs(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("Data/Recording_0/SegmentStream/Stream_0/SegmentData_0", data=np.zeros((61, 5), np.int32))
        file.create_dataset("Data/Recording_0/SegmentStream/Stream_0/SegmentData_ts_0", data=np.zeros((1, 5), np.int64))
    return folder / "a.h5"


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(name).stem, _TESTS / name)
    assert spec is not None  # noqa: S101 - the file is part of the checkout
    assert spec.loader is not None  # noqa: S101 - as above
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOURCES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    **{suffix: (name, _written(suffix)) for name, loader in BUNDLED.items() for suffix in loader.suffixes
       if suffix in {".nev", ".npz", ".pkl", ".npy", ".mat", ".nwb", ".csv", ".parquet", ".nex", ".plx"}},
    ".json": ("curation", _written(".json")),
    ".h5": ("mcs", _mcs),
    ".ntt": ("neuralynx", _neuralynx),
    "analyzer": ("spikeinterface", _analyzer),
    **{name: (name, _from_tests("loading/recorders.py", name))
       for name in ("tdt", "axona", "openephys", "openephys_binary", "spike2")},
}  # fmt: skip


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file cut, overwritten, swapped or repeated at random places; headers are hit more often."""
    bad = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if len(bad) < 8:
            break
        reach = len(bad) if rng.random() < 0.5 else min(len(bad), 2048)
        at, size = int(rng.integers(0, reach)), int(rng.choice([1, 1, 2, 4, 4, 8, 64]))
        kind = rng.random()
        if kind < 0.55:
            choices = [bytes(rng.integers(0, 256, size, np.uint8)), b"\xff" * size, b"\0" * size, b"\x7f" * size]
            bad[at : at + size] = choices[int(rng.integers(len(choices)))]
        elif kind < 0.7:
            del bad[at : at + size]
        elif kind < 0.85:
            bad[at:at] = bad[at : at + size]
        else:
            del bad[int(rng.integers(0, len(bad))) :]
    return bytes(bad)


def _read(name: str, loader: str, file: Path) -> None:
    if name == "analyzer":
        file = file.parents[1]
    elif name == "openephys_binary":
        file = file.parents[3]
    if loader == "curation":
        apply_curation(_events(), file)
        return
    BUNDLED[loader]().load(file)


def _child(name: str, first: int, last: int, seed: int, pipe: Any) -> None:
    """Read damaged files from number `first` on; report each count as it changes."""
    loader, write = SOURCES[name]
    size = 16_384 * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            file = write(folder)
            good = file.read_bytes()
            for number in range(first, last):
                pipe.send(("file", number))
                file.write_bytes(damaged(good, np.random.default_rng([seed, number])))
                signal.alarm(LIMIT_S)
                try:
                    _read(name, loader, file)
                    outcome = "read"
                except NeuralSorterError as error:
                    outcome = "refused" if "\n" not in str(error) else "refused in several lines"
                except MemoryError:
                    outcome = "out of memory"
                except Exception:  # noqa: BLE001 - counted: the program's worker makes a sentence of it
                    outcome = "other exception"
                signal.alarm(0)
                pipe.send(("outcome", outcome))
        pipe.send(("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fuzz(name: str, n: int, seed: int) -> tuple[Counter[str], float]:
    """Return the outcomes of n damaged files of one format, and the largest memory of a child in MB."""
    counts: Counter[str] = Counter()
    context, start, peak = multiprocessing.get_context("spawn"), 0, 0.0
    while start < n:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(name, start, n, seed, theirs))
        process.start()
        theirs.close()
        at = start - 1
        try:
            while True:
                kind, value = ours.recv()
                if kind == "file":
                    at = value
                elif kind == "outcome":
                    counts[value] += 1
                else:
                    peak = max(peak, value)
        except EOFError:
            process.join()
        if process.exitcode == 0:
            break
        counts["hung" if process.exitcode == -signal.SIGALRM else "child died"] += 1
        print(f"{name}: file {at} of seed {seed} ended its child with {process.exitcode}", flush=True)
        start = at + 1
    return counts, peak


def main() -> None:
    """Print a line per format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(SOURCES))
    options = parser.parse_args()
    for name in options.only:
        started = time.perf_counter()
        counts, peak = fuzz(name, options.files, options.seed)
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        took = time.perf_counter() - started
        print(f"{name:18}{told}; peak {peak:.0f} MB; {took:.0f} s", flush=True)


if __name__ == "__main__":
    main()
