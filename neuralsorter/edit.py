"""Edit: one undoable change of a project, and Action: its line in the history."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Mark(NamedTuple):
    """What a person says about a unit, or about a channel where `unit` is -1.

    `kind` is "label", "note", "lock", "reviewed", "apart" or "whole".
    """

    kind: str
    channel: int
    unit: int


@dataclass(frozen=True, eq=False)
class Edit:
    """One change of units or marks, as published after it is on disk.

    Attributes
    ----------
    id : int
        Number of the action in the journal.
    kind : str
        assign, merge, clean, screen, sort, script, propose, label, note, lock, reviewed, goto, import, undo or redo.
    label : str
        What happened, for the history.
    rows : ndarray, (n_events,), int64
        Rows touched, sorted; empty where only marks changed.
    before, after : ndarray, (n_events,), int32
        Units of `rows`; equal where a person confirms as noise what a cleaner sent there.
    channels : tuple of int
        Channels touched.
    params : mapping
        Provenance: lasso polygon, algorithm, version, seed, hash of the network.
    at : float
        Seconds since 1970.
    author : str
        Who.
    undoes, redoes : int or None
        The action undone or done again by this one.
    marks : mapping
        {Mark: (old text, new text)}.

    """

    id: int
    kind: str
    label: str
    rows: NDArray[np.int64]
    before: NDArray[np.int32]
    after: NDArray[np.int32]
    channels: tuple[int, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0
    author: str = ""
    undoes: int | None = None
    redoes: int | None = None
    marks: Mapping[Mark, tuple[str, str]] = field(default_factory=dict)

    @property
    def labels(self) -> dict[tuple[int, int], tuple[str, str]]:
        """Changed unit labels, {(channel, unit): (old, new)}."""
        return {(m.channel, m.unit): change for m, change in self.marks.items() if m.kind == "label"}


@dataclass(frozen=True)
class Action:
    """One line of the history. `live` is False once it is undone; `target` is what an undo, redo or jump concerns."""

    id: int
    at: float
    author: str
    kind: str
    label: str
    n_events: int
    live: bool = True
    target: int | None = None
    session: str = ""
    params: str = "{}"


_author: ContextVar[str] = ContextVar("author", default="")
_asked: list[Callable[[], str]] = []  # at most one: a server's, which knows whose page an edit comes from


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Sign the edits made inside the block with `name`, for a server with several people."""
    token = _author.set(name)
    try:
        yield
    finally:
        _author.reset(token)


def signed_by(ask: Callable[[], str]) -> None:
    """Sign edits with what `ask` returns where `acting_as` says nothing; empty means the system's user."""
    _asked[:] = [ask]


def current_author() -> str:
    """Return who makes edits here: the name given to `acting_as`, or a server's answer, else the system's user."""
    name = _author.get() or next((ask() for ask in _asked), "")
    if name:
        return name
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such account, as in some containers
        return "unknown"
