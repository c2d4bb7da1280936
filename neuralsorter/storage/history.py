"""Which actions stand: what can be undone next, and what can be done again."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace

from neuralsorter.edit import Action

PERMANENT = frozenset({"import", "version"})  # nothing to take back: events stay, names stay

Step = tuple[int, str, int | None]  # an action's number, kind and target


class History:
    """The actions of a journal, folded into what is live. Undo and redo are actions too."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.head = 0
        self.n_edits = 0  # actions that changed something, undo and redo among them
        self.live: list[int] = []
        self.undone: list[int] = []
        for step in steps:
            self.add(*step)

    def add(self, number: int, kind: str, target: int | None) -> None:
        """Take in the next action."""
        self.head = number
        self.n_edits += kind not in PERMANENT
        if kind == "undo" and target is not None:
            self.live.pop(bisect_left(self.live, target))
            self.undone.append(target)
        elif kind == "redo" and target is not None:
            self.undone.remove(target)
            insort(self.live, target)
        elif kind not in PERMANENT:
            self.live.append(number)
            self.undone.clear()

    def is_live(self, number: int) -> bool:
        """Whether an action can be undone."""
        at = bisect_left(self.live, number)
        return at < len(self.live) and self.live[at] == number

    def marked(self, actions: Iterable[Action]) -> list[Action]:
        """Return actions with `live` as it is now."""
        live = set(self.live)
        always = PERMANENT | {"undo", "redo"}
        return [replace(a, live=a.kind in always or a.id in live) for a in actions]
