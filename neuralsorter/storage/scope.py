"""Which events an action was about, in words that mean something in another recording too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.spikes import NOISE

from .state import State

ALL, SPIKES = "all", "spikes"


def scope_of(state: State, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Describe sorted rows by experiments, channels and units.

    Returns
    -------
    dict
        `experiments`: list, None for all; `units`: "all" events, "spikes" (all but noise), or {channel: "all", "spikes"
        or list of units}; `whole`: whether these are all such events, so that the words alone say which.

    """
    parts = [(*state.blocks[number].tolist(), i, j) for number, i, j in state.split(rows)]
    experiments = sorted({part[0] for part in parts})
    units: dict[str, Any] = {}
    whole = True
    for channel in sorted({part[1] for part in parts}):
        chosen = np.concatenate([state.unit_of(rows[i:j]) for *place, i, j in parts if place[1] == channel])
        there = np.concatenate([
            state.unit_of(np.arange(start, stop))
            for experiment, other, start, stop in state.blocks.tolist()
            if other == channel and experiment in experiments
        ])  # fmt: skip
        present = np.unique(chosen)
        whole &= len(chosen) == int(np.isin(there, present).sum())
        units[str(channel)] = _units(chosen, there, present)
    everywhere = experiments == sorted(set(state.blocks[:, 0].tolist()))
    return {"experiments": None if everywhere else experiments, "units": _short(units, state), "whole": bool(whole)}


def rows_of(state: State, scope: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the sorted rows that a scope describes; channels and experiments that are not there have none."""
    found = [np.zeros(0, np.int64)]
    for experiment, channel, start, stop in state.blocks.tolist():
        wanted = scope["units"] if isinstance(scope["units"], str) else scope["units"].get(str(channel), [])
        if scope["experiments"] is not None and experiment not in scope["experiments"]:
            continue
        rows = np.arange(start, stop)
        if wanted == SPIKES:
            rows = rows[state.unit_of(rows) > NOISE]
        elif wanted != ALL:
            rows = rows[np.isin(state.unit_of(rows), wanted)]
        found.append(rows)
    return np.sort(np.concatenate(found))


def _units(chosen: NDArray[np.int32], there: NDArray[np.int32], present: NDArray[np.int32]) -> str | list[int]:
    if len(chosen) == len(there):
        return ALL
    return SPIKES if len(chosen) == int((there > NOISE).sum()) and present[0] > NOISE else present.tolist()


def _short(units: dict[str, Any], state: State) -> Any:
    """Say "all" or "spikes" once where it holds of every channel that has such events."""
    kinds = {value if isinstance(value, str) else "" for value in units.values()}
    if len(units) == len(state.channels) and kinds == {ALL}:
        return ALL
    if "" in kinds:
        return units
    left_out = [channel for channel in state.channels if str(channel) not in units]
    silent = all((state.unit_of(state.rows(channel)) == NOISE).all() for channel in left_out)
    return SPIKES if silent and kinds <= {ALL, SPIKES} and _without_noise(units, state) else units


def _without_noise(units: dict[str, Any], state: State) -> bool:
    """Whether every channel meant as a whole has no noise, so that "spikes" says the same."""
    return all(
        value == SPIKES or (state.unit_of(state.rows(int(channel))) > NOISE).all() for channel, value in units.items()
    )
