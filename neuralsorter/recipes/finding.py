"""What a recipe speaks of, found in the project it is replayed on: channels, units, and the events of a lasso."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.density import View, alignment
from neuralsorter.errors import NeuralSorterError
from neuralsorter.picking import pick
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE
from neuralsorter.storage.scope import ALL

from .templates import Window, matched, same_events, templates

Rows = NDArray[np.int64]


class CannotError(NeuralSorterError):
    """Why a step cannot be taken here."""


class Finder:
    """Knows which unit here each unit of a recipe is.

    Parameters
    ----------
    project : Project
        Where to look.
    content : mapping
        The recipe.
    trusted : bool
        Whether, on the same events, the recipe's numbers mean what they meant.

    """

    def __init__(self, project: Project, content: Mapping[str, Any], *, trusted: bool) -> None:
        self.project = project
        self.same = content["events"]["sha256"] == same_events(project)
        self.unit_here: dict[tuple[int, int], int | None] = {}
        self._trusted = self.same and trusted
        self._window = Window(**content["window"])
        self._own = Window(project.sampling_rate, project.pre_samples, project.n_samples)
        self._match(content["units"])

    def _channel(self, step: Mapping[str, Any]) -> int:
        channel = int(step["channel"])
        if channel not in self.project.channels():
            raise CannotError(f"there is no channel {channel} here")
        return channel

    def _units(self, channel: int, units: Sequence[int]) -> tuple[list[int], str]:
        """Return the units here that those of the recipe are, and which are not found."""
        here = {unit: self._here(channel, unit) for unit in units}
        lost = [unit for unit, found in here.items() if found is None]
        why = (
            f"no unit here is like {'unit' if len(lost) == 1 else 'units'} {', '.join(map(str, lost))}" if lost else ""
        )
        return [found for found in here.values() if found is not None], why

    def _here(self, channel: int, unit: int) -> int | None:
        return NOISE if unit == NOISE else self.unit_here.get((channel, unit), unit if self._trusted else None)

    def _target(self, channel: int, unit: int) -> int:
        """Return the unit here that events go to; one that the recipe made anew is made anew here."""
        here = self._here(channel, unit)
        if here is None:
            here = self.project.new_unit(channel) if unit in self.project.counts(channel) else unit
            self.unit_here[channel, unit] = here
        return here

    def _scope(self, scope: Mapping[str, Any]) -> tuple[Rows, str]:
        """Return the rows that a scope means here, and what of it is not there."""
        units, why = scope["units"], []
        if not isinstance(units, str):
            units = {}
            for channel, wanted in scope["units"].items():
                if int(channel) not in self.project.channels():
                    why.append(f"there is no channel {channel} here")
                elif isinstance(wanted, str):
                    units[channel] = wanted
                else:
                    units[channel], lost = self._units(int(channel), wanted)
                    why += [f"channel {channel}: {lost}"] if lost else []
        return self.project.rows_of({"experiments": scope["experiments"], "units": units}), "; ".join(why)

    def _picked(self, step: Mapping[str, Any]) -> tuple[dict[int, Rows], str]:
        """Return the rows that the lassos of a step pick, {channel: rows}, and what of it is not here."""
        found, why = {}, []
        for channel in map(int, step["channels"] if "channels" in step else [step["channel"]]):
            try:
                rows, lost = self._rows(channel, step["experiments"] if "channels" in step else step["experiment"])
                picked, unlike = self._lassoed(channel, rows, step["lassos"])
            except CannotError as cannot:
                why.append(str(cannot))
                continue
            found[channel] = picked
            several = "channels" in step and len(step["channels"]) > 1
            why += [lost, f"channel {channel}: {unlike}" if unlike and several else unlike]
        told = "; ".join(filter(None, why))
        if not found:
            raise CannotError(told)
        return found, told

    def _rows(self, channel: int, experiments: int | Sequence[int] | None) -> tuple[Rows, str]:
        """Return a channel's rows in some experiments (None: in all), and which of these are not here."""
        self._channel({"channel": channel})
        if experiments is None:
            return self.project.rows(channel), ""
        wanted = [experiments] if isinstance(experiments, int) else experiments
        parts = {number: self.project.rows(channel, number) for number in wanted}
        lost = [str(number) for number, rows in parts.items() if not len(rows)]
        noun = "experiment" if len(lost) == 1 else "experiments"
        why = f"there is no {noun} {', '.join(lost)} of channel {channel} here" if lost else ""
        if len(lost) == len(parts):
            raise CannotError(why)
        return np.sort(np.concatenate(list(parts.values()))), why

    def _lassoed(self, channel: int, rows: Rows, lassos: Sequence[Mapping[str, Any]]) -> tuple[Rows, str]:
        """Return which rows of a channel the lassos pick, one after the other, and which units are not here."""
        project = self.project
        raw, chosen = project.raw(rows), np.zeros(len(rows), bool)
        unit, why = project.unit[rows], ""
        for lasso in lassos:
            among, lost = self._among(channel, lasso["among"], unit)
            why = why or lost
            at = lasso["alignment"]
            hit = pick(
                raw,
                lasso["polygon_ms_uv"],
                sampling_rate=project.sampling_rate,
                pre_samples=project.pre_samples,
                uv_per_bit=project.uv_per_bit,
                shift=None if at == "crossing" else alignment(raw, project.pre_samples, at),
                among=among,
                view=self._view(lasso["view"]),
            )
            chosen = {"replace": hit, "add": chosen | hit, "subtract": chosen & ~hit, "intersect": chosen & hit}[
                lasso["mode"]
            ]
        return rows[chosen], why

    def _among(
        self, channel: int, named: str | Sequence[int] | Mapping[str, Sequence[int]], unit: NDArray[np.int32]
    ) -> tuple[NDArray[np.bool_], str]:
        """Return which events of these units a lasso chose from: "all", "spikes", or units (of each channel)."""
        if isinstance(named, str):
            return (unit > NOISE) | (named == ALL), ""
        here, why = self._units(channel, named[str(channel)] if isinstance(named, Mapping) else named)
        return np.isin(unit, here), why

    def _view(self, view: Mapping[str, Any]) -> View:
        per_ms, pre = self.project.sampling_rate / 1000, self.project.pre_samples
        x0, x1 = (pre + x * per_ms for x in view["x_ms"])
        return View(view["width"], view["height"], (x0, x1), tuple(view["y_uv"]))

    def _match(self, wanted: Mapping[str, Any]) -> str:
        """Find the units of the recipe among those here, and return which have no match."""
        here = templates(self.project, self.project.unit, map(int, wanted))
        lost = []
        for channel, units in wanted.items():
            found = matched(units, here.get(channel, {}), self._window, self._own)
            # A number that means another unit now must not be taken for the one it was.
            self.unit_here = {k: v for k, v in self.unit_here.items() if k[0] != int(channel)}
            self.unit_here |= {(int(channel), unit): other for unit, other in found.items()}
            lost += [f"unit {unit} of channel {channel}" for unit, other in found.items() if other is None]
        return f"nothing here is like {', '.join(lost)}" if lost else ""
