"""A recipe's decisions taken again, and what became of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.edit import Edit
from neuralsorter.errors import DataError, LoadError, NeuralSorterError
from neuralsorter.project import Project
from neuralsorter.provenance import made_sorter
from neuralsorter.spikes import NOISE

from .finding import CannotError, Finder, Rows
from .templates import matched, templates

Progress = Callable[[int, int], None]

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


class Replay(Finder):
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
        super().__init__(project, content, trusted=not keep_sorting)
        self.recipe, self.keep_sorting, self.jobs = content, keep_sorting, jobs
        self.outcomes: list[Outcome] = []

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
            except CannotError as cannot:
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
            "assign by hand": self._by_hand,
            "keep apart": self._keep_apart, "label": self._mark, "note": self._mark, "lock": self._mark,
            "reviewed": self._mark, "whole": self._mark,
        }.get(step["do"])  # fmt: skip
        if take is None:
            raise CannotError(f"this program does not know how to {step['do']!r}")
        return take(step)

    def _clean(self, step: Mapping[str, Any]) -> tuple[int, str]:
        from neuralsorter.cleaning import provenance, spike_probability

        if self.keep_sorting:
            raise CannotError("the units there are were to be kept")
        told = provenance(step["cleaner"])
        if told.get("sha256") != step.get("sha256", told.get("sha256")):
            raise CannotError(f"the network of {step['cleaner']} is not the one the recipe was made with")
        rows, why = self._scope(step["where"])
        p = spike_probability(self.project.spikes, step["cleaner"])
        return _n(self.project.clean(rows, p[rows], step["threshold"], params=self._params(step))), why

    def _sort(self, step: Mapping[str, Any]) -> tuple[int, str]:
        from neuralsorter.sorting import sort

        if self.keep_sorting:
            self._match(step["gives"])
            raise CannotError("the units there are were to be kept; those of the recipe were looked for among them")
        if "lassos" in step:
            picked, why = self._picked(step)
            rows = np.sort(np.concatenate(list(picked.values())))
        else:
            rows, why = self._scope(step["where"])
        rows = rows[(self.project.unit[rows] > NOISE) & ~self._locked(rows)]
        if not len(rows):
            raise CannotError("there are no such events to sort")
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
        """Return a unit for each row: the recipe's number where the unit is found and it is free, else a fresh one."""
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
        picked, why = self._picked(step)
        bound: dict[int, list[Rows]] = {}  # several channels go as one edit, unless the unit has other numbers here
        for channel, rows in picked.items():
            if len(rows):
                bound.setdefault(self._target(channel, step["to"]), []).append(rows)
        if not bound:
            raise CannotError("; ".join(filter(None, [why, "the lasso meets no waveform here"])))
        params = self._params(step)
        edits = [
            self.project.assign(np.sort(np.concatenate(rows)), unit, params=params) for unit, rows in bound.items()
        ]
        return sum(map(_n, edits)), why

    def _merge(self, step: Mapping[str, Any]) -> tuple[int, str]:
        channel = self._channel(step)
        here, why = self._units(channel, step["units"])
        rows = self.project.rows(channel)
        rows = rows[np.isin(self.project.unit[rows], here)]
        if not len(rows):
            raise CannotError(why or "those units have no events here")
        target = self._target(channel, step["into"])
        return _n(self.project.assign(rows, target, step.get("what", ""), self._params(step))), why

    def _by_hand(self, step: Mapping[str, Any]) -> tuple[int, str]:
        if not self.same:
            raise CannotError("these events were chosen one by one, which only the same recording has")
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
                raise CannotError(why)
            unit = here[0]
        if step["do"] == "label":
            self.project.set_label(channel, unit, text)
        elif step["do"] == "note":
            self.project.note(channel, unit, text)
        elif step["do"] == "lock":
            self.project.lock(channel, unit, bool(text))
        elif step["do"] == "whole":
            self.project.keep_whole(channel, unit)
        else:
            self.project.set_reviewed(channel, bool(text))
        return 0, ""

    def _keep_apart(self, step: Mapping[str, Any]) -> tuple[int, str]:
        channel = self._channel(step)
        here, why = self._units(channel, [step["unit"], *step["others"]])
        if len(here) < 2:
            raise CannotError(why)
        for other in here[1:]:
            self.project.keep_apart(channel, here[0], other)
        return 0, why

    def _params(self, step: Mapping[str, Any]) -> dict[str, Any]:
        left_out = {"do", "gives", "action", "by", "what", "where", "units"}
        return {name: value for name, value in step.items() if name not in left_out} | {"replayed": step.get("action")}


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
