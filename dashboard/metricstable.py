"""The table of metrics as a widget shows it: numbers that sort, flags in words, confidence limits at the pointer."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd
from bokeh.models.widgets.tables import HTMLTemplateFormatter

from neuralsorter.metrics import METRICS, Metric, flags
from neuralsorter.palette import unit_colour

KEYS = ("unit", "label", "flags")
TIP = "_tip"
RED = "#d05807"
NAMES = [metric.name for metric in METRICS]
COLOUR = "colour"
HIDDEN = [COLOUR, *(name + TIP for name in ("flags", *NAMES))]
_TEMPLATE = (
    '<span title="<%= {tip} %>" style="display:block;<%= {tip}.indexOf(\'Red flag\') >= 0 ? '
    "'color:" + RED + ";font-weight:600' : '' %>\"><%= value === null ? '' : value %></span>"
)


_UNIT = '<b style="color:<%= colour %>"><%= value %></b>'


def empty() -> pd.DataFrame:
    """Return the table without rows."""
    return pd.DataFrame(columns=[*KEYS, *NAMES, *HIDDEN])


def shown(values: pd.DataFrame, labels: Mapping[int, str], *, dark: bool = False) -> pd.DataFrame:
    """Return what the widget gets: a row per unit; each cell has its explanation in a hidden column."""
    rows = [_row(row.to_dict(), labels.get(int(row["unit"]), ""), dark=dark) for _, row in values.iterrows()]
    return pd.DataFrame(rows, columns=[*KEYS, *NAMES, *HIDDEN]) if rows else empty()


def formatters() -> dict[str, Any]:
    """Return a formatter per column that shows the explanation where the pointer is."""
    told = {name: HTMLTemplateFormatter(template=_TEMPLATE.replace("{tip}", name + TIP)) for name in ("flags", *NAMES)}
    return {"unit": HTMLTemplateFormatter(template=_UNIT)} | told


def filters() -> dict[str, dict[str, Any]]:
    """Return a filter per column: text for labels, the least number for the rest."""
    numbers = {name: {"type": "number", "func": ">=", "placeholder": "at least"} for name in ("flags", *NAMES)}
    return {"label": {"type": "input", "func": "like", "placeholder": "label"}} | numbers


def explained(metric: Metric, row: Mapping[Any, Any]) -> str:
    """Return what a cell says about itself: its confidence limits, and its red flag in words."""
    value, parts = float(row[metric.name]), []
    if pd.isna(value):
        return "It cannot be computed for this unit."
    if metric.has_interval:
        low, high = (format(float(row[f"{metric.name}_{end}"]), metric.digits) for end in ("low", "high"))
        parts.append(f"95 % limits {low} to {high}.")
    if metric.is_flagged(value):
        parts.append("Red flag: " + metric.warning.format(value=value, limit=metric.limit))
    return " ".join(parts)


def _row(row: Mapping[Any, Any], label: str, *, dark: bool) -> dict[str, Any]:
    found = flags(row)
    told = {metric.name + TIP: html.escape(explained(metric, row)) for metric in METRICS}
    numbers = {metric.name: _rounded(row[metric.name], metric.digits) for metric in METRICS}
    words = html.escape("Red flag: " + " ".join(found)) if found else "No red flags."
    unit = int(row["unit"])
    named = {"unit": unit, COLOUR: unit_colour(unit, dark=dark), "label": label}
    return named | {"flags": len(found), "flags" + TIP: words, **numbers, **told}


def _rounded(value: Any, digits: str) -> Any:
    """Return a number rounded as its metric says, so that sorting still sorts numbers."""
    return None if pd.isna(value) else float(format(float(value), digits.lstrip(",")))
