"""Damaged files against every loader: none may crash, hang or take more than 1 GB of the program that opens them.

Good files of each format are cut, overwritten, swapped and repeated at random places, inside their zip or zlib as well,
and read in child processes, thousands per child, as the program does. Counted are: read; refused with a sentence;
"no place": refused, but all we can say is that the library behind the loader failed; "too much": a sentence that the
file asks for more memory than it may have, or events of more than 1 GB; and children that died or ran longer than
20 s on one file: in the program only the worker ends. The memory printed is the most that any one file took on top of
what its child held before, and the longest time any one took; over 1 GB must not be.

usage: python -m benchmarks.fuzzing [--files 100000] [--seed 0] [--only NAME ...]
Data: events drawn with seed 0, written by our writers and by the tests' own writers. No peer: others state no figure.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import multiprocessing
import pickle
import resource
import shutil
import signal
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import neuralsorter as ns
from neuralsorter import foreign, loading
from neuralsorter.errors import NeuralSorterError
from neuralsorter.loading import BUNDLED
from neuralsorter.loading.curation import apply_curation

LIMIT_S = 20
MOST_MB = 1000
_LIMIT_MB = 4096  # of a child: a file that asks for more is counted, not given it
_TESTS = Path(__file__).resolve().parents[1] / "tests"
IN_ZIP = {"npz inside": ".npz", "keras inside": ".keras"}


def _written(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        ns.save(_events(), folder / f"a{suffix}")
        return folder / f"a{suffix}"

    return write


@cache
def _events() -> ns.Spikes:
    return ns.simulate(n_channels=2, duration_s=1.0, seed=0).spikes


def _plain_mat(folder: Path) -> Path:
    """Write matrices without compression, so that damage reaches the parser."""
    import scipy.io

    spikes = _events()
    columns = {"Waveforms": spikes.waveforms, "ChannelID": spikes.channel, "TimeStamps": spikes.times_s}
    scipy.io.savemat(folder / "a.mat", columns | {"UnitLabels": "{}", "more": {"x": [1, 2]}})
    return folder / "a.mat"


def _times_mat(folder: Path) -> Path:
    one = _events().take(_events().channel == _events().channel[0])
    ns.save(one, folder / "times_a.mat")
    return folder / "times_a.mat"


def _old_pickle(folder: Path) -> Path:
    """Write as the 2020 program did, pickle protocol 3."""
    (folder / "a.pkl").write_bytes(pickle.dumps(_events().to_dict(), 3))
    return folder / "a.pkl"


def _network(folder: Path) -> Path:
    tests = _module("test_networks.py")
    path: Path = tests._zip(folder / "a.keras", [tests.INPUT, tests.DENSE])  # noqa: SLF001 - the writer of the tests
    return path


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
    "npz inside": ("npz", _written(".npz")),
    "old .pkl": ("pickled", _old_pickle),
    "plain .mat": ("matlab", _plain_mat),
    "times_ .mat": ("matlab", _times_mat),
    ".ntt": ("neuralynx", _neuralynx),
    "analyzer": ("spikeinterface", _analyzer),
    **{name: (name, _from_tests("loading/recorders.py", name))
       for name in ("tdt", "axona", "openephys", "openephys_binary", "spike2", "mcs")},
    ".keras": ("foreign", _network),
    "keras inside": ("foreign", _network),
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


def damaged_inside(content: bytes, rng: np.random.Generator) -> bytes:
    """Damage one member of a zip archive and pack it anew, so that no checksum stops it at the door."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as good, zipfile.ZipFile(out, "w") as bad:
        names = good.namelist()
        hit = names[int(rng.integers(len(names)))]
        for name in names:
            bad.writestr(name, damaged(good.read(name), rng) if name == hit else good.read(name))
    return out.getvalue()


def read(name: str, loader: str, file: Path) -> str:
    """Read a file as the program does, and return what came of it."""
    if name == "analyzer":
        file = file.parents[1]
    elif name == "openephys_binary":
        file = file.parents[3]
    try:
        if loader == "curation":
            apply_curation(_events(), file)
        elif loader == "foreign":
            foreign.read(str(file))
        elif (spikes := loading.read_with([BUNDLED[loader]], file)[0]).raw.nbytes > MOST_MB * 1e6:
            return f"too much ({len(spikes)} events)"
    except NeuralSorterError as error:
        told = str(error)
        if "\n" in told or file.name not in told or not told.endswith("."):
            return "not a sentence"
        if "more memory than a file may have" in told:
            return "too much"
        return "no place" if loading.UNTOLD in told else "refused"
    return "read"


def _child(name: str, first: int, last: int, seed: int, pipe: Any) -> None:
    """Read damaged files from number `first` on; report each count as it changes."""
    loader, write = SOURCES[name]
    resource.setrlimit(resource.RLIMIT_DATA, (_LIMIT_MB * 2**20,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    damage = damaged_inside if name in IN_ZIP else damaged
    try:
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            file = write(folder)
            good = file.read_bytes()
            if (outcome := read(name, loader, file)) != "read":
                raise SystemExit(f"{name}: the good file was not read: {outcome}")
            for number in range(first, last):
                pipe.send((number, "", 0.0, 0.0))
                file.write_bytes(damage(good, np.random.default_rng([seed, number])))
                before, started = _memory_mb(afresh=True), time.perf_counter()
                signal.alarm(LIMIT_S)
                outcome = read(name, loader, file)
                signal.alarm(0)
                pipe.send((number, outcome, _memory_mb() - before, time.perf_counter() - started))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory_mb(*, afresh: bool = False) -> float:
    """Return the most memory this process held; counted anew from now on where the system can (Linux)."""
    try:
        if afresh:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def fuzz(name: str, n: int, seed: int) -> tuple[Counter[str], float, float]:
    """Return the outcomes of n damaged files of one format, the most MB and the most s that one of them took."""
    counts: Counter[str] = Counter()
    context, at, most_mb, most_s = multiprocessing.get_context("spawn"), -1, 0.0, 0.0
    while at + 1 < n:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(name, at + 1, n, seed, theirs))
        process.start()
        theirs.close()
        try:
            while True:
                at, outcome, mb, took = ours.recv()
                if outcome:
                    counts[outcome] += 1
                    most_mb, most_s = max(most_mb, mb), max(most_s, took)
        except EOFError:
            process.join()
        if process.exitcode == 0:
            break
        if at < 0 or (process.exitcode or 0) > 0:
            raise SystemExit(f"{name}: the benchmark itself failed at file {at} of seed {seed}")
        counts["hung" if process.exitcode == -signal.SIGALRM else "died"] += 1
        print(f"{name}: file {at} of seed {seed} ended its child with {process.exitcode}", flush=True)
    return counts, most_mb, most_s


def main() -> None:
    """Print a line per format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(SOURCES))
    options = parser.parse_args()
    print(f"{'format':18}{'files':>8}{'read':>8}{'refused':>8}{'no place':>9}{'most MB':>8}{'most s':>7}  bar")
    for name in options.only:
        counts, most_mb, most_s = fuzz(name, options.files, options.seed)
        rest = {what: n for what, n in counts.items() if what not in {"read", "refused", "no place"}}
        own = SOURCES[name][0] in {"nev", "npz"}  # read in the program itself
        met = most_mb < MOST_MB and not rest.keys() - (set() if own else {"died", "hung", "too much"})
        told = ", ".join(f"{n} {what}" for what, n in sorted(rest.items()))
        print(
            f"{name:18}{counts.total():8}{counts['read']:8}{counts['refused']:8}{counts['no place']:9}{most_mb:8.0f}"
            f"{most_s:7.2f}  {'met' if met else 'MISSED'}{f' ({told})' if told else ''}",
            flush=True,
        )


if __name__ == "__main__":
    main()
