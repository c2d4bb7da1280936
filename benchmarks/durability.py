"""Try to lose an edit: kill, fail, cut and flip, and count what was acknowledged and is gone. All must say 0.

python -m benchmarks.durability              everything, the full counts (about an hour)
python -m benchmarks.durability kills 1000   kill -9 at random moments while edits stream
python -m benchmarks.durability faults 1     I/O error, then a full disk, at every 1st write and sync of 50 edits
python -m benchmarks.durability imports 200  kill -9 during import and export
python -m benchmarks.durability flips 1000   flip a bit anywhere in a closed project, then verify
python -m benchmarks.durability power 10000  power failure at any file operation, ours and two that must be caught
python -m benchmarks.durability sequences 10000  any order of edits, undos, jumps, reopenings, against a plain model

A third argument is the seed: a long count can be run in parts, each with another one. Of faults it is the first call
that fails: `faults 3 1`, `faults 3 2` and `faults 3 3` together are `faults 1`.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import powerloss
from benchmarks.powerloss import ROOT, compiled, recording
from neuralsorter.errors import NeuralSorterError, ProjectError
from neuralsorter.project import Project
from neuralsorter.spikes import Spikes

FULL = {"kills": 1000, "faults": 1, "imports": 200, "flips": 1000, "power": 10_000, "sequences": 10_000}
Tell = Callable[[int], int]
_FAULT_EDITS = 50
_TMP = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - where the disk itself is not what is tried


def kills(n: int, seed: int) -> dict[str, int]:
    """Kill a process that edits, `n` times, on a real disk; each acknowledged edit must be there afterwards."""
    rng, results, acknowledged = random.Random(seed), Counter[str](), 0  # noqa: S311 - not a secret
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "a.nsort"
        Project.create(path, spikes=recording()).close()
        for _ in range(n):
            told = _killed(partial(_edit_for_ever, path), rng.uniform(0, 0.3))
            acknowledged = max(acknowledged, *told, 0)
            with Project.open(path) as project:
                results["lost"] += project.n_edits < acknowledged
                results["damaged"] += bool(project.notice or project.read_only or project.verify())
                acknowledged = project.n_edits
    return {"kills": n, "edits": acknowledged, "lost": results["lost"], "damaged": results["damaged"]}


def _edit_for_ever(path: Path, tell: Tell) -> None:
    rng = np.random.default_rng()
    with Project.open(path) as project:
        while True:
            rows = np.unique(rng.integers(0, len(project), int(rng.lognormal(4, 1.5)) + 1))
            action = rng.integers(8)
            if action == 0:
                project.undo()
            elif action == 1:
                project.set_label(1, 1, str(rng.integers(1 << 30)))
            else:
                project.assign(rows, int(rng.integers(9)))
            tell(project.n_edits)


def _killed(work: Callable[[Tell], None], seconds: float) -> list[int]:
    """Run `work` in a forked process, kill it after a while, and return the numbers it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(lambda number: os.write(writing, b"%d\n" % number))
        finally:
            os._exit(0)
    os.close(writing)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return [int(line) for line in pipe.read().split(b"\n")[:-1]]


def imports(n: int, seed: int) -> dict[str, int]:
    """Kill imports and exports: what is there afterwards is whole, or there is nothing, and trying again works."""
    rng, results, spikes = random.Random(seed), Counter[str](), recording()  # noqa: S311 - not a secret
    with tempfile.TemporaryDirectory() as home:
        path, out = Path(home) / "a.nsort", Path(home) / "out.npz"
        kept = Path(home) / "kept.nsort"
        Project.create(kept, spikes=spikes).close()
        for number in range(n):
            if number % 2:
                _killed(partial(_export, kept, out), rng.uniform(0, 0.1))
                results["half made"] += out.exists() and not _readable(out)
                out.unlink(missing_ok=True)
                continue
            _killed(partial(_import, path, spikes), rng.uniform(0, 0.3))
            results["whole"] += path.exists()
            if not path.exists():
                Project.create(path, spikes=spikes).close()
            with Project.open(path) as project:
                whole = len(project) == len(spikes) and not project.verify() and not project.notice
                results["half made"] += not whole
            shutil.rmtree(path)
    return {"kills": n, "imports done in time": results["whole"], "half made": results["half made"]}


def _import(path: Path, spikes: Spikes, _: Tell) -> None:
    Project.create(path, spikes=spikes).close()


def _export(path: Path, out: Path, _: Tell) -> None:
    with Project.open(path) as project:
        while True:
            project.export(out)


def _readable(path: Path) -> bool:
    try:
        with np.load(path) as data:
            return len(data["UnitID"]) == powerloss.N_EVENTS and len(data["Waveforms"]) == powerloss.N_EVENTS
    except (OSError, ValueError, KeyError):
        return False


def flips(n: int, seed: int) -> dict[str, int]:
    """Flip one bit at a time in the files of a closed project; `verify`, or opening, must tell."""
    rng, missed = random.Random(seed), []  # noqa: S311 - not a secret
    with tempfile.TemporaryDirectory(dir=_TMP) as home:
        path = Path(home) / "a.nsort"
        with Project.create(path, spikes=recording()) as project:
            numbers = np.random.default_rng(0)
            for unit in range(2, 20):
                project.assign(numbers.integers(0, len(project), 300), unit)
            project.set_label(1, 2, "good")
        kinds = [[path / "curation.db"], [path / "project.json"], sorted((path / "experiments").rglob("*.*"))]
        for _ in range(n):
            file = rng.choice(rng.choices(kinds, (5, 1, 5))[0])
            at, bit = rng.randrange(file.stat().st_size), 1 << rng.randrange(8)
            _flip(file, at, bit)
            if not _tells(path):
                missed.append(f"{file.name}:{at}:{bit}")
            _flip(file, at, bit)
        whole = not _tells(path)
    return {"flips": n, "missed": len(missed), "whole again": int(whole), **dict.fromkeys(missed, 1)}


def _flip(file: Path, at: int, bit: int) -> None:
    file.chmod(0o644)
    with file.open("r+b") as data:
        data.seek(at)
        byte = data.read(1)[0]
        data.seek(at)
        data.write(bytes([byte ^ bit]))


def _tells(path: Path) -> bool:
    try:
        with Project.open(path, read_only=True) as project:
            return bool(project.verify())
    except NeuralSorterError:
        return True


def faults(step: int, first: int) -> dict[str, int]:
    """Let each `step`-th write, sync, rename or removal of 50 edits fail; nothing acknowledged may be lost."""
    with tempfile.TemporaryDirectory(dir=_TMP) as home:
        (folder := Path(home) / "disk").mkdir()
        shim = {"LD_PRELOAD": str(compiled(Path(home))), "SHIM_FOLDER": str(folder)}
        command = [sys.executable, "-m", "benchmarks.durability", "--faults", str(folder), str(step), str(first)]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | shim, check=True, capture_output=True)
    result: dict[str, int] = json.loads(done.stdout)
    return result


def fault_work(folder: Path, step: int, first: int) -> dict[str, int]:
    """Go through all failures, below the shim."""
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    fresh = folder / "fresh.nsort"
    Project.create(fresh, spikes=recording()).close()
    results: Counter[str] = Counter()
    number, more = first, True
    while more:
        for code, stays in ((errno.EIO, 0), (errno.ENOSPC, 1)):
            shutil.rmtree(folder / "a.nsort", ignore_errors=True)
            shutil.copytree(fresh, folder / "a.nsort")
            more = _fail_once(shim, folder / "a.nsort", number, code, stays, results)
        number += step
    return {
        "failures": results["failures"],
        "lost": results["lost"],
        "silent": results["silent"],
        "torn": results["torn"],
    }


def _fail_once(shim: ctypes.CDLL, path: Path, at: int, code: int, stays: int, results: Counter[str]) -> bool:
    """Make edits until the disk fails; return False once all 50 went well."""
    rng, told = np.random.default_rng(4), 0
    project = Project.open(path)
    shim.shim_fail(at, code, stays)
    failed = False
    for unit in range(2, _FAULT_EDITS + 2):
        before = project.unit.copy()
        try:
            project.assign(rng.integers(0, len(project), 200), unit)
            told += 1
        except ProjectError:
            failed = True
            results["torn"] += not np.array_equal(before, project.unit)
            results["silent"] += not (project.read_only and project.failure)
            break
    reached = shim.shim_calls() >= at
    shim.shim_fail(0, 0, 0)
    project.close()
    with Project.open(path) as again:
        results["lost"] += again.n_edits < told
        results["torn"] += bool(again.verify() or again.notice)
    results["failures"] += reached
    return failed or reached


def power(n: int, seed: int) -> dict[str, int]:
    """Cut the power; ours must lose nothing, and two protocols known to lose must be caught."""
    ours = powerloss.run("project", n, seed)
    caught = {name: powerloss.run(name, max(n // 10, 100), seed) for name in ("wal-normal", "npy-in-place")}
    losses = {f"{name} caught": r["lost"] + r["destroyed"] for name, r in caught.items()}
    return {"images": sum(ours.values()), "lost": ours["lost"], "destroyed": ours["destroyed"], **losses}


def sequences(n: int, seed: int) -> dict[str, int]:
    """Do the same to a project and to a plain model, up to 50 steps each time; stop with both at the first difference.

    Of hypothesis' tries only those that it counts are counted: others end early.
    """
    from hypothesis import seed as seeded
    from hypothesis import settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.test_project_model import ProjectMachine, TestProjectMachine

    long = settings(TestProjectMachine.settings, max_examples=n, stateful_step_count=50, database=None)
    run_state_machine_as_test(seeded(seed)(ProjectMachine), settings=long)
    return {"sequences": n, "differences": 0}


TRIALS: dict[str, Callable[[int, int], dict[str, int]]] = {
    "kills": kills,
    "faults": faults,
    "imports": imports,
    "flips": flips,
    "power": power,
    "sequences": sequences,
}
_BAD = ("lost", "damaged", "half made", "missed", "silent", "torn", "destroyed")


def main(arguments: list[str]) -> int:
    """Run one trial or all; exit 1 when anything was lost."""
    if arguments[:1] == ["--faults"]:
        print(json.dumps(fault_work(Path(arguments[1]), int(arguments[2]), int(arguments[3]))))
        return 0
    chosen = {arguments[0]: int(arguments[1])} if arguments else FULL
    bad, seed = False, int(arguments[2]) if arguments[2:] else 1
    for name, n in chosen.items():
        result = TRIALS[name](n, seed)
        print(f"{name}: {json.dumps(result)}", flush=True)
        bad |= any(result.get(word, 0) for word in _BAD) or 0 in [v for k, v in result.items() if "caught" in k]
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
