"""Two curations of the same events: this one now, and a moment of its history or another project or file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from neuralsorter.agreement import Agreement, agreement
from neuralsorter.curations import units_in
from neuralsorter.errors import NeuralSorterError
from neuralsorter.spikes import NOISE

from .matrix import Matrix
from .view import OPTIONS_WIDTH, Look, View

IMPORTED, LAST = "as imported", "before the last edit"
RECENT = 30  # actions offered


@dataclass(frozen=True, eq=False)
class Compared:
    """The table of common events of the channel, and the other curation's unit of each row looked at."""

    found: Agreement
    other: NDArray[np.int32]
    name: str


class Compare(View):
    """A table of common events: rows are the units now, columns those of the other curation."""

    title = "Compare"
    hint = "Outlined: which unit is which. Click a square to select its events."
    settings = ("against", "file")

    against: Any = param.Selector(default=LAST, objects=[LAST, IMPORTED], check_on_set=False, doc="The other curation.")
    file = param.String(default="", doc="A project or recording with the same events; empty: a moment of the history.")

    def build(self) -> Any:
        """Return the figure."""
        self._held: tuple[Any, ...] = ()  # units of the file read last
        self._then: tuple[Any, ...] = ()  # units of the moment asked for last
        self._matrix = Matrix("view compare", "unit there", "unit now", self._tapped)
        return self._matrix.figure

    def controls(self) -> list[Any]:
        """Return the choice of the other curation."""
        size = {"size": "small", "width": OPTIONS_WIDTH - 20}
        self._choice = pmui.Select.from_param(self.param.against, label="against", margin=(8, 6), **size)
        self._path = pmui.TextInput.from_param(
            self.param.file, label="or a project or file", placeholder="other.nsort", margin=(8, 6), **size
        )
        return [self._choice, self._path]

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> Compared:
        """Count common events of the channel."""
        del before  # counting is quicker than finding out what changed
        other, name = self._other(look)
        here = other[look.rows]
        return Compared(agreement(look.unit, here), here, name)

    def _other(self, look: Look) -> tuple[NDArray[np.int32], str]:
        """Return the other curation's unit of every row of the project."""
        project, against, file = look.project, look.options["against"], look.options["file"].strip()
        if file:
            path = self.workspace.allowed(file)
            if self._held[:2] != (id(project), path):
                self._held = id(project), path, units_in(path, project)
            other: NDArray[np.int32] = self._held[2]
            return other, path.name
        number = _number(project, against)
        if self._then[:3] != (id(project), number, len(project)):
            self._then = id(project), number, len(project), project.unit_at(number)
        then: NDArray[np.int32] = self._then[3]
        return then, against

    def draw(self, look: Look, result: Compared) -> str:
        """Draw the table, the matched pairs outlined."""
        self._offer(look)
        found = result.found
        shares = found.common / np.maximum(found.common.sum(axis=1, keepdims=True), 1)
        texts = [[f"{n:,}" if n else "" for n in line] for line in found.common]
        rows, columns = ([_name(unit) for unit in units] for units in (found.units, found.others))
        mine, theirs = found.units.tolist(), found.others.tolist()
        chosen = [(mine.index(unit), theirs.index(other)) for unit, other in found.match.items()]
        self._matrix.draw(shares, texts, rows, columns, dark=look.dark, chosen=chosen)
        table = found.table()
        matched = table[table["match"] >= 0]
        lines = [f"{_name(u)}: {a:.0%}" for u, a in zip(matched["unit"], matched["agreement"], strict=True)]
        return f"The two agree on **{found.share:.1%}** of {len(look.rows):,} events. " + " · ".join(lines)

    def table(self, look: Look, result: Compared) -> pd.DataFrame:
        """Return a row per unit."""
        return result.found.table().assign(channel=look.channel, against=result.name)

    def _offer(self, look: Look) -> None:
        actions = [a for a in reversed(look.project.history()) if a.n_events][:RECENT]
        names = [*look.project.versions, *(f"{a.id} · before {a.label}" for a in actions)]
        if self._choice.options != [LAST, IMPORTED, *names]:
            self.param.against.objects = [LAST, IMPORTED, *names]
            self._choice.options = [LAST, IMPORTED, *names]

    def _tapped(self, row: int, column: int) -> None:
        focus = self.workspace.focus
        if self._done is None or focus is None:
            return
        look, result = self._done
        both = (look.unit == result.found.units[row]) & (result.other == result.found.others[column])
        focus.select(look.rows[both])
        hidden = "" if len(focus.selected) == both.sum() else f" of {int(both.sum()):,}; the others are not shown"
        self.workspace.say(f"{len(focus.selected):,} events selected{hidden}.")


def _number(project: Any, against: str) -> int:
    """Return the action after which the other curation stood."""
    if against == IMPORTED:
        return 0
    if against == LAST:
        return max((action.id for action in project.history() if action.n_events), default=1) - 1
    if against in project.versions:
        return int(project.versions[against])
    try:
        return max(int(against.split(" · ", maxsplit=1)[0]) - 1, 0)
    except ValueError:
        raise NeuralSorterError(f"There is no moment named {against!r}. Choose one from the list.") from None


def _name(unit: int) -> str:
    return "noise" if unit == NOISE else str(unit)
