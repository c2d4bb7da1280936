"""The views of the Judge area, in the order of their tabs. A new one is a file here and one line below."""

from __future__ import annotations

from .amplitude import Amplitude
from .array import Array
from .compare import Compare
from .correlograms import Correlograms
from .features import Features
from .isi import Intervals
from .rates import Rate
from .similar import Similarity
from .triggers import Triggers
from .view import Look, View

VIEWS: tuple[type[View], ...] = (
    Features,
    Intervals,
    Correlograms,
    Amplitude,
    Rate,
    Triggers,
    Similarity,
    Array,
    Compare,
)

__all__ = [
    "VIEWS",
    "Amplitude",
    "Array",
    "Compare",
    "Correlograms",
    "Features",
    "Intervals",
    "Look",
    "Rate",
    "Similarity",
    "Triggers",
    "View",
]
