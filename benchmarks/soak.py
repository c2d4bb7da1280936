"""Five people in five Chromium pages on one server, one action a second each, who reconnect every 30 s.

`python -m benchmarks.soak [MINUTES]`, 30 unless said. Data: a simulated recording of 5 channels, seed 9; everybody has
one. Rule: every edit that a page reports is in the journal, once, and no page or server reports an error. Bars: 0
errors, 0 lost or doubled edits, 99 % of the answers within 500 ms of their key, less than 20 MB/h of growth after
warm-up. Growth is the slope through the least memory of every two minutes: a page that was loaded again is there twice
for half a minute, which says nothing about what stays; the slope's standard error is told beside it. Printed besides:
what closing the pages gives back in a minute. The peer is the first page alone, at the beginning of the same run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped,unused-ignore] # without stubs
from playwright.sync_api import sync_playwright

import neuralsorter as ns
from tests.browser.conftest import Server, Tab, chromium_path

PEOPLE = 5
RECONNECT_S = 30.0
WARM_UP = 0.2  # of the run
FLOOR_S = 120.0  # in which every page has been loaded again twice, and its elder let go
BREAK = "() => { for (const d of Bokeh.documents) d._connection?.socket?.close?.(); }"


@dataclass
class Person:
    """Somebody with a page, a channel, and what the page has told."""

    tab: Any
    channel: int
    told: list[int] = field(default_factory=list)  # the unit of each edit
    waits_ms: list[float] = field(default_factory=list)
    reconnected: int = 0
    since: float = 0.0

    def begin(self) -> None:
        """Go to the channel, from where somebody else was last."""
        self.tab.wait_for("waveforms drawn", timeout_s=180)
        while f"channel {self.channel} " not in f"{self.tab.status()} ":
            now = int(self.tab.status().rpartition("channel ")[2].split()[0])
            self.tab.press("Control+ArrowDown" if now < self.channel else "Control+ArrowUp")
            self.tab.page.wait_for_timeout(400)
        self.since = time.monotonic()

    def act(self) -> None:
        """Send every event of the channel to the next unit; the page must say so."""
        unit = 2 + len(self.told) % 8
        self.tab.press("a")
        self.tab.wait_until(lambda: self.tab.selected() > 0, timeout_s=120)
        begun = time.perf_counter()
        self.tab.press(str(unit))
        self.tab.wait_until(lambda: f"sent to unit {unit}" in self.tab.said(), timeout_s=120)
        self.waits_ms.append(1000 * (time.perf_counter() - begun))
        self.told.append(unit)

    def reconnect(self) -> None:
        """Break the connection, or by turns load the page again, when it is time."""
        if time.monotonic() - self.since < RECONNECT_S:
            return
        self.reconnected += 1
        if self.reconnected % 2:
            self.tab.page.evaluate(BREAK)
            self.tab.page.wait_for_timeout(4000)
        else:
            self.tab.page.goto(self.tab.url)
            self.begin()
        self.since = time.monotonic()


def recording(folder: Path) -> Path:
    """Make the project."""
    project = folder / "five.nsort"
    ns.Project.create(project, spikes=ns.simulate(n_channels=PEOPLE, duration_s=60.0, seed=9).spikes).close()
    return project


def soak(people: list[Person], server: Any, duration_s: float) -> list[tuple[float, float]]:
    """Let everybody act; return (seconds, MB) of the server along the way."""
    memory, begun = [], time.monotonic()
    process = psutil.Process(server.process.pid)
    while (passed := time.monotonic() - begun) < duration_s:
        memory.append((passed, process.memory_info().rss / 1e6))
        for person in people:
            person.reconnect()
            person.act()
        rest = 1.0 - (time.monotonic() - begun - passed)
        people[0].tab.page.wait_for_timeout(max(rest, 0.0) * 1000)
    return memory


def growth(memory: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the slope of the least memory in every FLOOR_S after warm-up and its standard error, in MB/h."""
    seconds, mb = np.array(memory).T
    late = seconds > WARM_UP * seconds[-1]
    floor = (seconds[late] // FLOOR_S).astype(int)
    lowest = np.array([mb[late][floor == i].min() for i in np.unique(floor)])
    if len(lowest) < 4:
        return np.nan, np.nan
    line, covariance = np.polyfit(FLOOR_S / 3600 * np.unique(floor), lowest, 1, cov=True)
    return float(line[0]), float(np.sqrt(covariance[0, 0]))


def lost(project: Path, people: list[Person]) -> list[str]:
    """Return what the pages told and the journal does not have, or the other way round."""
    with ns.Project.open(project, read_only=True) as kept:
        edits = [action.label for action in kept.history() if action.kind == "assign"]
        counted = Counter(int(label.rpartition("unit ")[2]) for label in edits)
        told = Counter(unit for person in people for unit in person.told)
        wrong = [f"unit {u}: told {told[u]}, kept {counted[u]}" for u in told | counted if told[u] != counted[u]]
        for person in people:
            units = kept.counts(person.channel)
            if person.told and set(units) != {person.told[-1]}:
                wrong.append(f"channel {person.channel}: told unit {person.told[-1]}, kept {units}")
    return wrong


def complaints(people: list[Person], server: Any) -> list[str]:
    """Return the errors of pages and server; a refused reconnection while it is broken on purpose is none."""
    pages = [error for person in people for error in person.tab.errors if "WebSocket" not in error]
    return pages + [line for line in server.log().splitlines() if "Traceback" in line or " ERROR " in line]


def main() -> None:
    """Run it and print a table."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        project = recording(Path(folder))
        server = Server(Path(folder), str(project))
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"])
        try:
            contexts = [chromium.new_context(viewport={"width": 1200, "height": 800}) for _ in range(PEOPLE)]
            people = []
            for channel, context in enumerate(contexts, 1):
                people.append(Person(Tab(context.new_page(), server.url), channel))
                people[-1].begin()
            for _ in range(5):
                people[0].act()
            alone = np.median(people[0].waits_ms)
            memory = soak(people, server, 60 * minutes)
            waits = np.concatenate([person.waits_ms for person in people])
            wrong, errors = lost(project, people), complaints(people, server)
            for context in contexts:
                context.close()
            time.sleep(60)
            after = psutil.Process(server.process.pid).memory_info().rss / 1e6
        finally:
            chromium.close()
            server.kill()
    print(f"{minutes:g} min, {len(waits)} edits, {sum(p.reconnected for p in people)} reconnections")
    print(*errors, *wrong, sep="\n  ")
    print(f"wait ms: median {np.median(waits):.0f}, one page alone {alone:.0f}")
    print(f"memory MB: {memory[-1][1]:.0f} at the end, {after:.0f} a minute after the pages were closed")
    slope, error = growth(memory)
    print(f"growth of the least memory of every two minutes: {slope:.0f} MB/h, standard error {error:.0f}")
    figures = {"errors": (len(errors), 0), "lost or doubled": (len(wrong), 0),
               "p99 of the waits, ms": (np.percentile(waits, 99), 500), "growth, MB/h": (slope, 20)}  # fmt: skip
    for name, (figure, bar) in figures.items():
        print(f"{name}: {figure:.0f} (bar {bar}: {'met' if figure <= bar else 'missed'})")


if __name__ == "__main__":
    main()
