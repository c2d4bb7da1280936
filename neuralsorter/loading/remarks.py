"""What a reader had to assume: sentences for the user that travel beside the events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_remarks: ContextVar[list[str] | None] = ContextVar("remarks", default=None)


def remark(sentence: str) -> None:
    """Tell the user something about the file that is being read."""
    collected = _remarks.get()
    if collected is not None and sentence not in collected:
        collected.append(sentence)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the remarks made inside the block."""
    sentences: list[str] = []
    token = _remarks.set(sentences)
    try:
        yield sentences
    finally:
        _remarks.reset(token)
