"""The views of the Judge area, in the order of their tabs. A new one is a file here and one line below."""

from __future__ import annotations

from .isi import Intervals
from .view import Look, View

VIEWS: tuple[type[View], ...] = (Intervals,)

__all__ = ["VIEWS", "Intervals", "Look", "View"]
