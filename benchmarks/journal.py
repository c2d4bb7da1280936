"""What keeping every edit costs: commit, replay, opening, on 1e7 events of 96 channels, beside plainer ways.

Each bar is printed with `met` or `missed`, and a missed one is exit 1. Times are of the clock on the wall: run it on an
idle computer.

python -m benchmarks.journal            1e7 events, 10,000 edits
python -m benchmarks.journal 100000 500 fewer of both
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuralsorter.focus import Focus
from neuralsorter.project import Project
from neuralsorter.spikes import Spikes

N_CHANNELS, TIMED = 96, 200


def seconds(call: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


missed: list[str] = []


def against(what: str, bar: str, *, met: bool) -> str:
    """Return the bar and whether it is met, and keep in mind what is not."""
    if not met:
        missed.append(what)
    return f"(bar {bar}: {'met' if met else 'missed'})"


def in_ms(times: list[float]) -> str:
    """Return median and 99th percentile in words."""
    p50, p99 = np.percentile(np.array(times) * 1e3, (50, 99))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def recording(n: int) -> Spikes:
    """Return events with two samples each: waveforms play no part here."""
    rng = np.random.default_rng(0)
    return Spikes(
        raw=rng.integers(-99, 99, (n, 2)).astype(np.int16),
        times_s=rng.random(n) * 3600,
        channel=rng.integers(1, N_CHANNELS + 1, n).astype(np.int32),
        unit=np.ones(n, np.int32),
        experiment=np.zeros(n, np.int32),
        pre_samples=1,
    )


def edits(project: Project, n: int, seed: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield plausible edits: lassos of some 490 events, and 2 % that take a large part of a channel."""
    rng = np.random.default_rng(seed)
    bounds = [(rows[0], len(rows)) for rows in map(project.rows, project.channels())]
    for _ in range(n):
        first, size = bounds[rng.integers(len(bounds))]
        if rng.random() < 0.02:
            inside = np.flatnonzero(rng.random(size) < rng.uniform(0.1, 0.5))
        else:
            inside = np.unique(rng.integers(0, size, int(min(size // 3, max(1, rng.lognormal(6.2, 1.4))))))
        yield first + inside, int(rng.integers(2, 12))


def commits(project: Project, folder: Path) -> None:
    """Time one edit at a time, and the plainer ways beside it in turn."""
    labels = project.unit.copy()
    ours, saved, lines = [], [], []
    with (folder / "edits.jsonl").open("a", encoding="ascii") as log:
        for rows, unit in edits(project, TIMED, seed=2):
            ours.append(seconds(partial(project.assign, rows, unit)))
            labels[rows] = unit
            saved.append(seconds(partial(np.save, folder / "labels.npy", labels)))
            text = {"unit": unit, "rows": base64.b64encode(rows.tobytes()).decode()}
            lines.append(seconds(partial(print, json.dumps(text), file=log, flush=True)))
    p50, p99 = np.percentile(ours, (50, 99))
    bar = against("commit", "50 / 150 ms", met=bool(p50 <= 0.050 and p99 <= 0.150))
    print(f"commit of one edit, on disk: {in_ms(ours)} {bar}")
    for what, times in (
        ("all labels by np.save, not synced, may destroy them in a crash", saved),
        ("a line of JSON, not synced, lost in a power failure", lines),
    ):
        print(f"  {what}: {in_ms(times)}; ours takes {np.median(ours) / np.median(times):.1f} times as long")


def main(n_events: int = 10_000_000, n_edits: int = 10_000) -> None:
    """Print each figure on a line."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.nsort"
        Project.create(path, spikes=recording(n_events)).close()
        with Project.open(path) as project:
            with project._journal.reading() as db:  # noqa: SLF001 - filling it is not what is timed
                db.execute("PRAGMA synchronous = OFF")
                for rows, unit in edits(project, n_edits - TIMED, seed=1):
                    project.assign(rows, unit)
                db.execute("PRAGMA synchronous = FULL")
            commits(project, Path(name))
            p = np.random.default_rng(3).random(n_events)
            every = np.arange(n_events)
            print(
                f"clean of all {N_CHANNELS} channels, one action: {seconds(lambda: project.clean(every, p, 0.2)):.2f} s"
            )
            print(f"  its undo: {seconds(project.undo):.2f} s")
            units = project.unit.copy()
            size = (path / "curation.db").stat().st_size
        took, worked = [], []
        for _ in range(9):
            started, at_work = time.perf_counter(), time.process_time()
            with Project.open(path) as project:
                project.rows(7, unit=1)
                took.append(time.perf_counter() - started)
                worked.append(time.process_time() - at_work)
        bar = against("first channel", "50 ms", met=float(np.median(took)) <= 0.050)
        print(
            f"opening, first channel usable: {np.median(took) * 1e3:.0f} ms {bar},"
            f" of it processor {np.median(worked) * 1e3:.0f} ms; journal {size / 1e6:.0f} MB"
        )
        with Project.open(path) as project:
            at_work = time.process_time()
            replayed = seconds(lambda: project.unit)
            at_work = time.process_time() - at_work
            plain = seconds(lambda: np.load(Path(name) / "labels.npy").copy())
            bar = against("replay", "2 s", met=replayed <= 2)
            print(f"replay of {project.n_edits:,} edits on {len(project):,} events: {replayed:.2f} s {bar}")
            print(f"  of it processor: {at_work:.2f} s")
            print(f"  labels by np.load: {plain:.3f} s, without history")
            if not np.array_equal(project.unit, units):
                sys.exit("the replay gives other units")
            print(f"verify: {seconds(project.verify):.1f} s")


def focus(n: int = 1_000_000) -> None:
    """Time what a tab does on a channel of a million events."""
    table = recording(n)
    project = Project.in_memory(
        Spikes(raw=table.raw, times_s=table.times_s, channel=np.ones(n, np.int32), unit=table.unit,
               experiment=table.experiment, pre_samples=1)
    )  # fmt: skip
    tab = Focus(project)
    half = tab.shown[::2]
    for name, call in {
        "select half": lambda: tab.select(half),
        "add a third": lambda: tab.select(tab.shown[::3], "add"),
        "subtract a third": lambda: tab.select(tab.shown[::3], "subtract"),
        "invert": tab.invert,
        "assign 1,000 and follow": lambda: project.assign(tab.shown[5000:6000], 2),
        "next unit": tab.next_unit,
    }.items():
        took = seconds(call)
        print(f"focus on {n:,} events, {name}: {took * 1e3:.1f} ms {against(name, '20 ms', met=took <= 0.020)}")


def channel_read(n: int = 2_000_000, n_samples: int = 60) -> None:
    """Read one channel of a store, warm, beside copying as much memory."""
    raw = np.random.default_rng(0).integers(-99, 99, (n, n_samples), dtype=np.int16)
    with tempfile.TemporaryDirectory() as name:
        channel = (np.arange(n) // (n // 4)).astype(np.int32) + 1
        nothing = np.zeros(n, np.int32)
        table = Spikes(raw=raw, times_s=np.arange(n, dtype=float), channel=channel, unit=nothing, experiment=nothing)
        with Project.create(Path(name) / "a.nsort", spikes=table) as project:
            rows = project.rows(2)
            target = np.empty((len(rows), n_samples), np.int16)
            source = raw[: len(rows)].copy()
            ours = min(seconds(lambda: np.copyto(target, project.raw(rows))) for _ in range(7))
            plain = min(seconds(lambda: np.copyto(target, source)) for _ in range(7))
            gb, ratio = target.nbytes / 1e9, plain / ours
            bar = against("one channel", "0.5", met=ratio >= 0.5)
            print(f"one channel, warm: {gb / ours:.1f} GB/s; memcpy {gb / plain:.1f} GB/s: {ratio:.2f} of it {bar}")
            view = min(seconds(partial(project.raw, rows)) for _ in range(7))
            print(f"  as a view, without copying: {view * 1e6:.0f} µs")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
    focus()
    channel_read()
    sys.exit(f"Missed: {', '.join(missed)}." if missed else 0)
