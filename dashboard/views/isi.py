"""Intervals between the spikes of each unit, the refractory period and its violations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import param
from numpy.typing import NDArray

from neuralsorter.spiketrain import intervals, isi_histogram

from .cells import Cell, Cells, columns_for
from .view import Look, View

BLIND_MS = 0.1  # a dead time worth saying


@dataclass(frozen=True, eq=False)
class Gaps:
    """The intervals of one unit: counts by length, how many are shorter than the limit, of how many."""

    counts: NDArray[np.int64]
    edges_ms: NDArray[np.float64]
    n_short: int
    n_intervals: int
    limit_ms: float


class Intervals(View):
    """A histogram for each unit; a dashed line at the refractory period."""

    title = "Intervals"
    hint = "Intervals left of the dashed line are too short for one neuron."
    settings = ("window_ms", "bin_ms", "refractory_ms")

    window_ms = param.Number(default=50.0, bounds=(1, 10_000), label="longest (ms)", doc="Longest interval shown.")
    bin_ms = param.Number(default=1.0, bounds=(0.05, 1000), label="bin (ms)", doc="Width of a bin.")
    refractory_ms = param.Number(
        default=0.0, bounds=(0, 100), label="refractory (ms), 0: auto",
        doc="Shorter is a violation. 0: 1.5 ms, or half a millisecond beyond the detector's dead time.",
    )  # fmt: skip

    def build(self) -> Any:
        """Return the figure."""
        self._cells = Cells("view intervals", "ms")
        return self._cells.figure

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> dict[int, Gaps]:
        """Count the intervals of each unit; those an edit did not touch are kept."""
        known: dict[int, Gaps] = {}
        if before is not None:
            touched = look.touched_since(before[0])
            known = {unit: gaps for unit, gaps in before[1].items() if unit not in touched}
        return {unit: known[unit] if unit in known else self._count(look, unit) for unit in look.units}

    def _count(self, look: Look, unit: int) -> Gaps:
        own = look.unit == unit
        times, where = look.times_s[own], look.stretch[own]
        counts, edges = isi_histogram(times, look.options["window_ms"], look.options["bin_ms"], where)
        gaps = intervals(times, where)
        limit_ms = look.options["refractory_ms"] or self.workspace.queue.recording(look.project).refractory_ms
        return Gaps(counts, edges, int((gaps < limit_ms / 1000).sum()), len(gaps), limit_ms)

    def draw(self, look: Look, result: dict[int, Gaps]) -> str:
        """Draw a cell for each unit."""
        n_columns = columns_for(len(result))
        cells = [
            Cell(k % n_columns, k // n_columns, gaps.counts, gaps.edges_ms, look.colour(unit),
                 f"unit {unit} · {gaps.n_short:,} of {gaps.n_intervals:,} under {gaps.limit_ms:.2g} ms",
                 (gaps.limit_ms,))
            for k, (unit, gaps) in enumerate(result.items())
        ]  # fmt: skip
        self._cells.draw(cells, n_columns, dark=look.dark)
        short = sum(gaps.n_short for gaps in result.values())
        dead_ms = self.workspace.queue.recording(look.project).dead_time_ms
        blind = f" · the detector sees nothing for {dead_ms:.2g} ms after an event" if dead_ms >= BLIND_MS else ""
        return f"{short:,} violations on channel {look.channel}{blind}" if result else "No unit is shown."

    def table(self, look: Look, result: dict[int, Gaps]) -> pd.DataFrame:
        """Return a row per unit and bin."""
        parts = [
            pd.DataFrame({"channel": look.channel, "unit": unit, "from_ms": g.edges_ms[:-1], "to_ms": g.edges_ms[1:],
                          "intervals": g.counts, "violations": g.n_short, "all_intervals": g.n_intervals})
            for unit, g in result.items()
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
