"""Which actions stand: what can be undone next, and what can be done again."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace

from .edit import Action

PERMANENT = frozenset({"import", "version"})  # nothing to take back: events stay, names stay


class History:
    """The actions of a journal, folded into what is live. Undo and redo are actions too."""

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        self.actions: list[Action] = []
        self.live: list[int] = []
        self.undone: list[int] = []
        for action in actions:
            self.add(action)

    def add(self, action: Action) -> None:
        """Take in the next action."""
        self.actions.append(action)
        if action.kind == "undo" and action.target is not None:
            self.live.pop(bisect_left(self.live, action.target))
            self.undone.append(action.target)
        elif action.kind == "redo" and action.target is not None:
            self.undone.remove(action.target)
            insort(self.live, action.target)
        elif action.kind not in PERMANENT:
            self.live.append(action.id)
            self.undone.clear()

    def get(self, number: int) -> Action | None:
        """Return an action by its number, or None."""
        return self.actions[number - 1] if 0 < number <= len(self.actions) else None

    def is_live(self, number: int) -> bool:
        """Whether an action can be undone."""
        at = bisect_left(self.live, number)
        return at < len(self.live) and self.live[at] == number

    def listed(self) -> list[Action]:
        """Return every action, oldest first, with `live` as it is now."""
        live = set(self.live)
        always = PERMANENT | {"undo", "redo"}
        return [replace(a, live=a.kind in always or a.id in live) for a in self.actions]

    @property
    def n_edits(self) -> int:
        """Number of changes made, undo and redo among them."""
        return sum(a.kind not in PERMANENT for a in self.actions)
