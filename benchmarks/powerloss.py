"""Rebuild the disk as a power failure may leave it after any file operation, and look what is lost.

The model is like ext4's: data not synced may survive in any 4 KiB pieces, in any order; names survive in the order they
were made; syncing a file makes its name and all older names durable. It finds protocols that lose; it proves none safe.

    python -m benchmarks.powerloss project 10000     our project, whole: 0 lost
    python -m benchmarks.powerloss wal-normal 1000   SQLite as it is usually advised: must be caught
    python -m benchmarks.powerloss npy-in-place 1000 labels saved over themselves: must be caught
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neuralsorter.errors import NeuralSorterError
from neuralsorter.project import Project
from neuralsorter.spikes import Spikes

ROOT = Path(__file__).resolve().parents[1]
N_EVENTS, N_EDITS = 4000, 60
_HEAD = struct.Struct("<c3sIIqq")
_PIECE = 4096
_POLICIES = ("nothing", "everything", "some", "some")


class Operation(NamedTuple):
    """One call that the shim recorded: create, truncate to 0, length, write, sync, rename, unlink, Acknowledge."""

    what: str
    path: str
    other: str
    number: int
    data: bytes


@dataclass
class Disk:
    """Files by inode: what is durable, what waits; and names likewise."""

    durable: list[bytearray] = field(default_factory=list)
    waiting: list[list[tuple[int, bytes | None]]] = field(default_factory=list)
    now: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    waiting_names: list[tuple[str, str, int]] = field(default_factory=list)

    def add(self, path: str, data: bytes) -> None:
        """Put a file that was there, durably, before the recording."""
        self.now[path] = self.names[path] = len(self.durable)
        self.durable.append(bytearray(data))
        self.waiting.append([])

    def do(self, op: Operation) -> None:
        """Follow one operation."""
        if op.what == "c" and op.path not in self.now:
            self.now[op.path] = len(self.durable)
            self.durable.append(bytearray())
            self.waiting.append([])
            self.waiting_names.append(("link", op.path, self.now[op.path]))
        elif op.what in "tf":
            self.waiting[self.now[op.path]].append((op.number if op.what == "f" else 0, None))
        elif op.what == "w":
            pieces = range(0, len(op.data), _PIECE)
            self.waiting[self.now[op.path]] += [(op.number + i, op.data[i : i + _PIECE]) for i in pieces]
        elif op.what == "r":
            self.now[op.other] = self.now.pop(op.path)
            self.waiting_names += [("unlink", op.path, -1), ("link", op.other, self.now[op.other])]
        elif op.what == "u":
            self.now.pop(op.path, None)
            self.waiting_names.append(("unlink", op.path, -1))
        elif op.what == "s":
            self._sync(op.path)

    def _sync(self, path: str) -> None:
        last = len(self.waiting_names)  # a folder: all names
        if path in self.now:
            inode = self.now[path]
            _apply(self.durable[inode], self.waiting[inode])
            self.waiting[inode] = []
            links = (i for i, (verb, _, of) in enumerate(self.waiting_names) if verb == "link" and of == inode)
            last = 1 + max(links, default=-1)
        _rename(self.names, self.waiting_names[:last])
        del self.waiting_names[:last]

    def after_failure(self, policy: str, rng: random.Random) -> dict[str, bytes]:
        """Return {path: bytes} as found when the power is back."""
        n = len(self.waiting_names)
        kept = {"nothing": 0, "everything": n}.get(policy, rng.randint(0, n))
        names = dict(self.names)
        _rename(names, self.waiting_names[:kept])
        found = {}
        for path, inode in names.items():
            content = bytearray(self.durable[inode])
            if policy != "nothing":
                _apply(content, [w for w in self.waiting[inode] if policy == "everything" or rng.random() < 0.5])
            found[path] = bytes(content)
        return found


def _apply(content: bytearray, changes: list[tuple[int, bytes | None]]) -> None:
    for at, data in changes:
        if data is None and at < len(content):
            del content[at:]
        elif len(content) < at:
            content.extend(bytes(at - len(content)))
        if data is not None:
            content[at : at + len(data)] = data


def _rename(names: dict[str, int], changes: list[tuple[str, str, int]]) -> None:
    for verb, path, inode in changes:
        if verb == "link":
            names[path] = inode
        else:
            names.pop(path, None)


def compiled(folder: Path) -> Path:
    """Return the shim, built."""
    shim = folder / "shim.so"
    source = ROOT / "benchmarks" / "disk_shim.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, source, "-ldl", "-lpthread"], check=True)
    return shim


def recording() -> Spikes:
    """Return a small recording of four channels."""
    rng = np.random.default_rng(3)
    return Spikes(
        raw=rng.integers(-99, 99, (N_EVENTS, 8)).astype(np.int16),
        times_s=np.sort(rng.random(N_EVENTS)),
        channel=rng.integers(1, 5, N_EVENTS).astype(np.int32),
        unit=np.ones(N_EVENTS, np.int32),
        experiment=np.zeros(N_EVENTS, np.int32),
        pre_samples=2,
    )


def work(protocol: str, folder: str) -> None:
    """Make edits below the shim and tell it of each that is acknowledged: what the recorded process runs."""
    acknowledge = ctypes.CDLL(os.environ["LD_PRELOAD"]).shim_acknowledge
    acknowledge.argtypes = [ctypes.c_int64]
    rng = np.random.default_rng(0)
    edits = [(np.unique(rng.integers(0, N_EVENTS, int(rng.lognormal(5, 1.5)) + 1)), n) for n in range(1, N_EDITS + 1)]
    if protocol == "project":
        with Project.open(Path(folder) / "a.nsort") as project:
            for rows, number in edits:
                project.assign(rows, number + 1)
                acknowledge(number)
    elif protocol == "wal-normal":
        db = sqlite3.connect(f"{folder}/a.db", isolation_level=None)
        for setting in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 40"):
            db.execute(f"PRAGMA {setting}")
        db.execute("CREATE TABLE edit(number INTEGER PRIMARY KEY, rows BLOB)")
        for rows, number in edits:
            db.execute("INSERT INTO edit VALUES(?, ?)", (number, rows.tobytes()))
            acknowledge(number)
    else:
        labels = np.ones(N_EVENTS * 5, np.int32)
        for rows, number in edits:
            labels[rows] = labels[0] = number
            data = io.BytesIO()  # numpy writes to a file past the shim
            np.save(data, labels)
            Path(folder, "a.npy").write_bytes(data.getvalue())
            acknowledge(number)


def verdict(protocol: str, folder: Path, acknowledged: int) -> str:
    """Open what the failure left, as its program would, and say whether it is ok, lost or destroyed."""
    try:
        if protocol == "project":
            with Project.open(folder / "a.nsort") as project:
                if project.notice or project.verify():
                    return "destroyed"
                have = project.n_edits
        elif protocol == "wal-normal":
            with closing(sqlite3.connect(folder / "a.db")) as db:
                have = db.execute("SELECT count(*) FROM edit").fetchone()[0]
        else:
            labels = np.load(folder / "a.npy")
            have = int(labels[0]) if len(labels) == N_EVENTS * 5 and labels.all() else -1
    except sqlite3.OperationalError:
        return "lost" if acknowledged else "ok"  # not even the table
    except (NeuralSorterError, sqlite3.Error, OSError, ValueError, EOFError):
        return "destroyed" if acknowledged else "ok"
    return "ok" if have >= acknowledged else "lost" if have >= 0 else "destroyed"


def record(protocol: str, home: Path) -> tuple[Disk, list[Operation]]:
    """Run the work below the shim; return the disk before it and what it did."""
    folder, log = home / "disk", home / "log"
    folder.mkdir()
    if protocol == "project":
        Project.create(folder / "a.nsort", spikes=recording()).close()
    disk = Disk()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            disk.add(str(path), path.read_bytes())
    shim = {"LD_PRELOAD": str(compiled(home)), "SHIM_FOLDER": str(folder), "SHIM_LOG": str(log)}
    command = [sys.executable, "-m", "benchmarks.powerloss", "--work", protocol, str(folder)]
    subprocess.run(command, cwd=ROOT, env=os.environ | shim, check=True)
    return disk, _read(log)


def _read(log: Path) -> list[Operation]:
    data, at, found = log.read_bytes(), 0, []
    while at < len(data):
        what, _, path_length, other_length, number, n = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        parts = []
        for length in (path_length, other_length, n):
            parts.append(data[at : at + length])
            at += length
        found.append(Operation(what.decode(), parts[0].decode(), parts[1].decode(), number, parts[2]))
    return found


def run(protocol: str, n_images: int, seed: int = 7) -> Counter[str]:
    """Look at `n_images` disks after failures at operations drawn at random; return how many were what."""
    rng, results = random.Random(seed), Counter[str]()  # noqa: S311 - not a secret
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:  # noqa: S108 - its disk is simulated
        home = Path(name)
        disk, operations = record(protocol, home)
        folder = home / "disk"
        points = Counter(rng.randrange(1, len(operations) + 1) for _ in range(-(-n_images // len(_POLICIES))))
        acknowledged = 0
        for upto, op in enumerate(operations, 1):
            disk.do(op)
            acknowledged = max(acknowledged, op.number if op.what == "A" else 0)
            for policy in _POLICIES * points[upto]:
                _lay_out(folder, disk.after_failure(policy, rng))
                results[verdict(protocol, folder, acknowledged)] += 1
    return results


def _lay_out(folder: Path, files: dict[str, bytes]) -> None:
    """Make the folder hold just these files; those of the store never change and are left in place."""
    for path in folder.rglob("*"):
        if path.is_file() and (str(path) not in files or path.stat().st_mode & 0o200):
            path.unlink()
    for name, content in files.items():
        if not Path(name).exists():
            Path(name).write_bytes(content)


def main(arguments: list[str]) -> int:
    """Run one protocol, or with --work be the recorded process."""
    if arguments[:1] == ["--work"]:
        work(*arguments[1:3])
        return 0
    wrong = False
    for protocol in arguments[:1] or ("project", "wal-normal", "npy-in-place"):
        results: dict[str, Any] = dict(run(protocol, int(arguments[1]) if arguments[1:] else 1000))
        print(json.dumps({"protocol": protocol, "images": sum(results.values()), **results}), flush=True)
        wrong |= bool(results.get("lost", 0) + results.get("destroyed", 0)) == (protocol == "project")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
