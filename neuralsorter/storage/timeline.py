"""The past of a project: undo, redo, any moment, and what came before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuralsorter.edit import Action, Edit, Mark
from neuralsorter.errors import ProjectError
from neuralsorter.spikes import NOISE

from .deciding import Deciding
from .rowsets import inside


class Timeline(Deciding):
    """Undo and redo are actions like others: nothing is ever removed, and all of it outlives the program."""

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._history.live) and not self.read_only

    @property
    def can_redo(self) -> bool:
        """Whether there is something to do again."""
        return bool(self._history.undone) and not self.read_only

    @property
    def undo_label(self) -> str:
        """What `undo` would take back; empty where nothing."""
        return self._label_of(self._history.live[-1:])

    @property
    def redo_label(self) -> str:
        """What `redo` would do again; empty where nothing."""
        return self._label_of(self._history.undone[-1:])

    def undo(self) -> Edit | None:
        """Take back the last action that stands; None where there is none."""
        with self._editing():
            return self._turn("undo", self._history.live[-1]) if self._history.live else None

    def redo(self) -> Edit | None:
        """Do again what was undone last; None where there is nothing, or something else was done since."""
        with self._editing():
            return self._turn("redo", self._history.undone[-1]) if self._history.undone else None

    def undo_action(self, number: int) -> Edit | None:
        """Take back any one action that stands.

        Raises
        ------
        ProjectError
            When a later action that stands touches the same events or marks, or the action has been undone.

        """
        with self._editing():
            action = self._journal.action(number)
            if action is None or not self._history.is_live(number):
                raise ProjectError(f"Action {number} cannot be undone: it does not stand. Choose one that does.")
            later = self._later_on_the_same(number)
            if later is not None:
                raise ProjectError(
                    f"Action {number} ({action.label}) cannot be undone by itself: action {later.id} ({later.label})"
                    f" touches the same events. Undo that one first, or go back to before {number}."
                )
            return self._turn("undo", number)

    def go_to(self, number: int) -> Edit | None:
        """Bring back units and marks as they were after an action (0: as imported), as one undoable action."""
        with self._editing():
            action = self._require_action(number)
            rows, codes = self._difference(self._codes_after(number))
            then = self._marks_after(number)
            marks = {m: then.get(m, "") for m in {*then, *self._marks} if then.get(m, "") != self._marks.get(m, "")}
            text = f"back to action {number} ({action.label})" if action else "back to the beginning"
            return self._commit("goto", text, rows, codes, marks=marks, target=number or None)

    def history(self) -> list[Action]:
        """Return every action, oldest first; `live` says whether it stands."""
        with self._lock:
            return self._history.marked(self._journal.actions())

    def edit_of(self, number: int) -> Edit:
        """Return what one action changed.

        Raises
        ------
        ProjectError
            When there is no such action.

        """
        with self._lock:
            return self._edit_of(number)

    def unit_at(self, number: int) -> NDArray[np.int32]:
        """Return the units of all rows as they were after an action, (n_spikes,); 0: as imported."""
        with self._lock:
            self._require_action(number)
            return np.maximum(self._codes_after(number), NOISE)

    def old_unit(self) -> NDArray[np.int32]:
        """Return each event's unit before its last change that stands, (n_spikes,); -1 where there was none."""
        with self._lock:
            old = np.concatenate([np.zeros(0, np.int32), *(e.old_unit for e in self._experiments)])
            for number in self._history.live:
                rows, before, after = self._state.from_blocks(self._journal.blocks(number))
                before, after = np.maximum(before, NOISE), np.maximum(after, NOISE)
                moved = before != after
                old[rows[moved]] = before[moved]
            return old

    def name_version(self, name: str) -> int:
        """Give the present state a name, to `go_to` later; return its action number."""
        with self._editing():
            self._commit("version", name, np.zeros(0, np.int64), np.zeros(0, np.int32))
            return self._journal.head

    @property
    def versions(self) -> dict[str, int]:
        """Named versions, {name: action number}; a name given twice means the later one."""
        return {a.label: a.id for a in self._journal.actions() if a.kind == "version"}

    def _turn(self, kind: str, number: int) -> Edit | None:
        """Append the action that takes back, or does again, another one."""
        self._require_writable()
        rows, before, after = self._state.from_blocks(self._journal.blocks(number))
        old, new = (after, before) if kind == "undo" else (before, after)
        changed = [(mark, a, b) for _, mark, a, b in self._journal.marks(number - 1, number)]
        marks: dict[Mark, str] = {mark: a if kind == "undo" else b for mark, a, b in changed}
        if not np.array_equal(self._state.codes_at(rows), old):
            raise ProjectError(f"Action {number} cannot be {kind}ne: its events have changed since. Use the history.")
        label = self._label_of([number])
        return self._commit(kind, label, rows, new, marks=marks, target=number)

    def _later_on_the_same(self, number: int) -> Action | None:
        marked = {mark for _, mark, _, _ in self._journal.marks(number - 1, number)}
        found = {later for later, mark, _, _ in self._journal.marks(number) if mark in marked}
        for block in self._journal.blocks(number):
            for later, other in self._journal.blocks_of(block.channel, after=number):
                if other.experiment == block.experiment and inside(other.rows, block.rows).any():
                    found.add(later)
        standing = [later for later in found if self._history.is_live(later)]
        return self._journal.action(max(standing)) if standing else None

    def _difference(self, codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        rows = np.flatnonzero(codes != self._state.code)
        return rows, codes[rows]

    def _codes_after(self, number: int) -> NDArray[np.int32]:
        return self._state.codes_after(number, self._experiments)

    def _marks_after(self, number: int) -> dict[Mark, str]:
        marks: dict[Mark, str] = {}
        for e in self._experiments:
            for (channel, unit), text in e.labels.items():
                marks.setdefault(Mark("label", channel, unit), text)
        return marks | {mark: new for _, mark, _, new in self._journal.marks(0, number)}

    def _require_action(self, number: int) -> Action | None:
        action = self._journal.action(number)
        if number and action is None:
            raise ProjectError(f"There is no action {number}. The history has 1 to {self._journal.head}.")
        return action

    def _label_of(self, numbers: list[int]) -> str:
        action = self._journal.action(numbers[0]) if numbers else None
        return action.label if action else ""
