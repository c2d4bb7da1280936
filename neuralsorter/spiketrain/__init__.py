"""Spike trains: intervals, correlograms, rates and responses to triggers; exact, and never across a clock restart.

Times are seconds in any order, NaN where unknown (left out). `stretch` numbers the stretches of continuous clock, one
per event (see `stretches`): nothing is computed between two of them. All histograms have half-open bins [low, high).
"""

from __future__ import annotations

from .clock import Timeline, numbered, stretches, timeline
from .isi import intervals, isi_histogram
from .pairs import Correlograms, autocorrelogram, correlograms
from .rates import Responses, rate, responses
from .units import UnitRows, each_unit

__all__ = [
    "Correlograms",
    "Responses",
    "Timeline",
    "UnitRows",
    "autocorrelogram",
    "correlograms",
    "each_unit",
    "intervals",
    "isi_histogram",
    "numbered",
    "rate",
    "responses",
    "stretches",
    "timeline",
]
