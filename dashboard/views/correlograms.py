"""Auto- and cross-correlograms of the units of the channel, every pair counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import param

from neuralsorter.spiketrain import Correlograms as Table
from neuralsorter.spiketrain import correlograms

from .cells import PLAIN, Cell, Cells
from .view import Look, View

MOST = 8  # units in the picture; the numbers hold all


class Correlograms(View):
    """A triangle of cells: each unit around its own events on the diagonal, pairs above it."""

    title = "Correlograms"
    hint = "A gap at 0 between two units: perhaps one neuron. A peak at 0: perhaps one event seen twice."
    settings = ("window_ms", "bin_ms")

    window_ms = param.Number(default=50.0, bounds=(1, 1000), label="± lag (ms)", doc="Largest lag shown.")
    bin_ms = param.Number(default=1.0, bounds=(0.05, 100), label="bin (ms)", doc="Width of a bin.")

    def build(self) -> Any:
        """Return the figure."""
        self._cells = Cells("view correlograms", "ms")
        return self._cells.figure

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> Table:
        """Count the pairs of the units shown; again only after an edit of one of them."""
        if before is not None and look.units == before[0].units:
            touched = look.touched_since(before[0])
            if not touched.intersection(look.units):
                kept: Table = before[1]
                return kept
        own = np.isin(look.unit, look.units)
        return correlograms(
            look.times_s[own], look.unit[own], look.options["window_ms"], look.options["bin_ms"],
            look.project.sampling_rate, look.stretch[own],
        )  # fmt: skip

    def draw(self, look: Look, result: Table) -> str:
        """Draw the largest units."""
        sizes = {int(unit): int((look.unit == unit).sum()) for unit in result.units}
        shown = sorted(sorted(sizes, key=lambda unit: -sizes[unit])[:MOST])
        plain, cells = PLAIN[look.dark], []
        for i, unit in enumerate(shown):
            for j, other in enumerate(shown[i:], i):
                colour, text = (look.colour(unit), f"unit {unit}") if i == j else (plain, f"{unit} and {other}")
                counts = result.pair(unit, other)
                cells.append(Cell(j, i, counts, result.edges_ms, colour, text, (0.0,)))
        self._cells.draw(cells, len(shown), dark=look.dark)
        if not sizes:
            return "No unit is shown."
        more = f"; the {MOST} largest of {len(sizes)} units are drawn" if len(sizes) > MOST else ""
        n_pairs = len(sizes) * (len(sizes) - 1) // 2
        return f"{len(sizes)} autocorrelograms, {n_pairs} cross-correlograms{more}"

    def table(self, look: Look, result: Table) -> pd.DataFrame:
        """Return a row per pair of units and bin."""
        parts = [
            pd.DataFrame({"channel": look.channel, "unit": unit, "other": other, "from_ms": result.edges_ms[:-1],
                          "to_ms": result.edges_ms[1:], "count": result.pair(int(unit), int(other))})
            for i, unit in enumerate(result.units) for other in result.units[i:]
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
