"""A recipe's decisions taken again, and what became of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.density import View, alignment
from neuralsorter.edit import Edit
from neuralsorter.errors import DataError, LoadError, NeuralSorterError
from neuralsorter.picking import pick
from neuralsorter.project import Project
from neuralsorter.provenance import made_cleaner, made_sorter, network_hash
from neuralsorter.spikes import NOISE
from neuralsorter.storage.scope import ALL

from .templates import Window, matched, same_events, templates

Progress = Callable[[int, int], None]
Rows = NDArray[np.int64]

DONE, PARTLY, LEFT_OUT = "done", "partly", "left out"


@dataclass(frozen=True)
class Outcome:
    """What became of one step."""

    step: int
    do: str
    what: str
    status: str
    events: int
    why: str = ""


class Replay:
    """Takes a recipe's steps on a project, one after the other.

    Parameters
    ----------
    project : Project
        What is changed.
    content : mapping
        The recipe.
    keep_sorting : bool
        Leave out cleaning and sorting: the units there are keep, and those of the recipe are looked for among them.
    jobs : int
        Processes to sort in.

    Attributes
    ----------
    outcomes : list of Outcome
        One a step taken.
    unit_here : dict
        {(channel, unit of the recipe): unit of the project, or None where none is like it}.

    """

    def __init__(
        self, project: Project, content: Mapping[str, Any], *, keep_sorting: bool = False, jobs: int = 1
    ) -> None:
        self.project, self.recipe, self.keep_sorting, self.jobs = project, content, keep_sorting, jobs
        self.same = content["events"]["sha256"] == same_events(project)
        self._trusted = self.same and not keep_sorting  # then the same steps give the same numbers
        self.outcomes: list[Outcome] = []
        self.unit_here: dict[tuple[int, int], int | None] = {}
        self._window = Window(**content["window"])
        self._own = Window(project.sampling_rate, project.pre_samples, project.n_samples)
        self._match(content["units"])

    def run(self, progress: Progress | None = None, cancel: threading.Event | None = None) -> list[Outcome]:
        """Take every step; one that cannot be taken is left out and says why."""
        from neuralsorter.batch import check

        steps: Sequence[Mapping[str, Any]] = self.recipe["steps"]
        for number, step in enumerate(steps, start=1):
            check(cancel)
            try:
                n, why = self._take(step)
                status = PARTLY if why else DONE
            except KeyError as missing:
                raise DataError(f"Step {number} of the recipe lacks {missing}. Write the recipe anew.") from None
            except _CannotError as cannot:
                n, why, status = 0, str(cannot), LEFT_OUT
            self.outcomes.append(Outcome(number, step["do"], step.get("what", ""), status, n, why))
            if progress is not None:
                progress(number, len(steps))
        return self.outcomes

    def report(self) -> dict[str, Any]:
        """Return what matched and what did not, as plain values."""
        found = {str(c): {str(u): n for u, n in self.project.counts(c).items()} for c in self.project.channels()}
        wanted = self.recipe["result"]
        return {
            "same_events": self.same,
            "same_units": found == wanted,
            "steps": [asdict(outcome) for outcome in self.outcomes],
            "units": [
                {"channel": channel, "unit": unit, "here": here}
                for (channel, unit), here in sorted(self.unit_here.items())
            ],
            "channels_missing": sorted({int(c) for c in wanted} - {int(c) for c in found}),
            "channels_new": sorted({int(c) for c in found} - {int(c) for c in wanted}),
        }

    def _take(self, step: Mapping[str, Any]) -> tuple[int, str]:
        """Return how many events moved, and what could not be done."""
        take = {
            "clean": self._clean, "sort": self._sort, "merge": self._merge, "assign": self._assign,
            "assign by hand": self._by_hand, "keep apart": self._keep_apart, "label": self._mark, "note": self._mark, "lock": self._mark,
            "reviewed": self._mark,
        }.get(step["do"])  # fmt: skip
        if take is None:
            raise _CannotError(f"this program does not know how to {step['do']!r}")
        return take(step)

    def _clean(self, step: Mapping[str, Any]) -> tuple[int, str]:
        from neuralsorter.cleaning import spike_probability

        if self.keep_sorting:
            raise _CannotError("the units there are were to be kept")
        if "network_sha256" in step:
            network = step.get("parameters", {}).get("network", "") or (
                step["cleaner"] if "." in step["cleaner"] else ""
            )
            if network_hash(network) != step["network_sha256"]:
                raise _CannotError(f"the network of {step['cleaner']} is not the one the recipe was made with")
        rows, why = self._scope(step["scope"])
        p = spike_probability(self.project.spikes, made_cleaner(step))
        return _n(self.project.clean(rows, p[rows], step["threshold"], params=self._params(step))), why

    def _sort(self, step: Mapping[str, Any]) -> tuple[int, str]:
        from neuralsorter.sorting import sort

        if self.keep_sorting:
            self._match(step["gives"])
            raise _CannotError("the units there are were to be kept; those of the recipe were looked for among them")
        rows, why = self._picked(step) if "lassos" in step else self._scope(step["scope"])
        rows = rows[(self.project.unit[rows] > NOISE) & ~self._locked(rows)]
        if not len(rows):
            raise _CannotError("there are no such events to sort")
        clusters = sort(self.project.spikes.take(rows), sorter=made_sorter(step), seed=step["seed"], jobs=self.jobs)
        units = self._numbered(rows, np.asarray(clusters, np.int64), step["gives"])
        edit = self.project.take_sort(rows, units, {}, step.get("what", ""), self._params(step))
        return _n(edit), "; ".join(filter(None, [why, self._match(step["gives"])]))

    def _locked(self, rows: Rows) -> NDArray[np.bool_]:
        locked = np.zeros(len(rows), bool)
        for channel, unit in self.project.locked:
            locked |= np.isin(rows, self.project.rows(channel, unit=unit))
        return locked

    def _numbered(self, rows: Rows, clusters: Rows, gives: Mapping[str, Any]) -> Rows:
        """Return a unit for each row: the recipe's own number where it is free and the unit is found, else a fresh one."""
        project, units = self.project, np.zeros(len(rows), np.int64)
        found = np.zeros(len(project), np.int32)
        found[rows] = clusters
        for channel in project.channels():
            own = project.rows(channel)
            inside = np.isin(rows, own)
            if not inside.any():
                continue
            here = templates(project, found, [channel]).get(str(channel), {})
            names = matched(gives.get(str(channel), {}), here, self._window, self._own)
            taken = set(project.unit[own[~np.isin(own, rows)]].tolist())
            number = {cluster: unit for unit, cluster in names.items() if cluster is not None and unit not in taken}
            fresh = max(project.new_unit(channel) - 1, *number.values(), 0)
            for cluster in np.unique(clusters[inside]).tolist():
                if cluster not in number:
                    number[cluster] = fresh = fresh + 1
            units[inside] = [number[cluster] for cluster in clusters[inside].tolist()]
        return units

    def _assign(self, step: Mapping[str, Any]) -> tuple[int, str]:
        rows, why = self._picked(step)
        if not len(rows):
            raise _CannotError("the lasso meets no waveform here")
        target = self._target(step["channel"], step["to"])
        return _n(self.project.assign(rows, target, params=self._params(step))), why

    def _merge(self, step: Mapping[str, Any]) -> tuple[int, str]:
        channel = self._channel(step)
        here, why = self._units(channel, step["units"])
        rows = self.project.rows(channel)
        rows = rows[np.isin(self.project.unit[rows], here)]
        if not len(rows):
            raise _CannotError(why or "those units have no events here")
        target = self._target(channel, step["into"])
        return _n(self.project.assign(rows, target, step.get("what", ""), self._params(step))), why

    def _by_hand(self, step: Mapping[str, Any]) -> tuple[int, str]:
        if not self.same:
            raise _CannotError("these events were chosen one by one, which only the same recording has")
        n = 0
        for channel, units in step["units"].items():
            for unit, runs in units.items():
                rows = np.concatenate([np.arange(first, first + length) for first, length in runs])
                target = self._target(int(channel), int(unit))
                n += _n(self.project.assign(rows, target, step.get("what", ""), self._params(step)))
        return n, ""

    def _mark(self, step: Mapping[str, Any]) -> tuple[int, str]:
        channel, unit, text = self._channel(step), int(step["unit"]), str(step["text"])
        if unit > NOISE:
            here, why = self._units(channel, [unit])
            if not here:
                raise _CannotError(why)
            unit = here[0]
        if step["do"] == "label":
            self.project.set_label(channel, unit, text)
        elif step["do"] == "note":
            self.project.note(channel, unit, text)
        elif step["do"] == "lock":
            self.project.lock(channel, unit, bool(text))
        else:
            self.project.set_reviewed(channel, bool(text))
        return 0, ""

    def _keep_apart(self, step: Mapping[str, Any]) -> tuple[int, str]:
        channel = self._channel(step)
        here, why = self._units(channel, [step["unit"], *step["others"]])
        if len(here) < 2:
            raise _CannotError(why)
        for other in here[1:]:
            self.project.keep_apart(channel, here[0], other)
        return 0, why

    def _channel(self, step: Mapping[str, Any]) -> int:
        channel = int(step["channel"])
        if channel not in self.project.channels():
            raise _CannotError(f"there is no channel {channel} here")
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

    def _picked(self, step: Mapping[str, Any]) -> tuple[Rows, str]:
        """Return the rows that the lassos of a step pick, one after the other, and which units are not here."""
        project, channel = self.project, self._channel(step)
        rows = project.rows(channel, step["experiment"])
        if not len(rows):
            raise _CannotError(f"there is no experiment {step['experiment']} of channel {channel} here")
        raw, chosen = project.raw(rows), np.zeros(len(rows), bool)
        unit, why = project.unit[rows], ""
        for lasso in step["lassos"]:
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
            chosen = {"replace": hit, "add": chosen | hit, "subtract": chosen & ~hit}[lasso["mode"]]
        return rows[chosen], why

    def _among(
        self, channel: int, named: str | Sequence[int], unit: NDArray[np.int32]
    ) -> tuple[NDArray[np.bool_], str]:
        """Return which events of these units a lasso chose from: "all", "spikes" or a list of units."""
        if isinstance(named, str):
            return (unit > NOISE) | (named == ALL), ""
        here, why = self._units(channel, named)
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

    def _params(self, step: Mapping[str, Any]) -> dict[str, Any]:
        left_out = {"do", "gives", "action", "by", "what", "scope", "units"}
        return {name: value for name, value in step.items() if name not in left_out} | {"replayed": step.get("action")}


class _CannotError(NeuralSorterError):
    """Why a step cannot be taken here."""


def replay(
    project: Project,
    content: Mapping[str, Any],
    *,
    keep_sorting: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Take a recipe's decisions on a project and return the report; see `Replay`."""
    try:
        taken = Replay(project, content, keep_sorting=keep_sorting, jobs=jobs)
        taken.run(progress, cancel)
    except (TypeError, AttributeError, ValueError) as cause:
        if isinstance(cause, NeuralSorterError):
            raise
        raise LoadError("The recipe", f"has a value of a wrong kind ({cause})", "Write the recipe anew") from None
    return taken.report()


def _n(edit: Edit | None) -> int:
    return 0 if edit is None else len(edit.rows)
