"""Any sequence of edits, undos, jumps, reopenings and take-overs leaves what a plain model says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from neuralsorter.errors import ProjectError
from neuralsorter.project import Project
from neuralsorter.spikes import Spikes

N_EVENTS, N_CHANNELS = 24, 3
IN_MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - these tests are about order, not about the disk

rows_of = st.lists(st.integers(0, N_EVENTS - 1), min_size=1, max_size=12)
channels = st.integers(1, N_CHANNELS)
units = st.integers(0, 5)


def recording() -> Spikes:
    rng = np.random.default_rng(5)
    return Spikes(
        raw=rng.integers(-99, 99, (N_EVENTS, 4)).astype(np.int16),
        times_s=rng.random(N_EVENTS),
        channel=rng.integers(1, N_CHANNELS + 1, N_EVENTS).astype(np.int32),
        unit=rng.integers(0, 3, N_EVENTS).astype(np.int32),
        experiment=np.sort(rng.integers(0, 2, N_EVENTS).astype(np.int32)),
        pre_samples=1,
        labels={(1, 1): "good"},
    )


class Model:
    """The rules of a project, event by event."""

    def __init__(self, codes: list[int], channel: list[int], labels: dict[tuple[Any, ...], str]) -> None:
        self.code, self.channel, self.marks = list(codes), channel, dict(labels)
        self.log: list[tuple[str, int | None, list[int], dict[tuple[Any, ...], str]]] = []
        self.first = list(codes), dict(labels)
        self.live: list[int] = []
        self.undone: list[int] = []
        self.ever = {c: {abs(x) for x, k in zip(codes, channel, strict=True) if k == c} for c in set(channel)}

    def locked(self, row: int, code: int) -> bool:
        return bool(self.marks.get(("lock", self.channel[row], code)))

    def change(self, kind: str, wanted: dict[int, int], marks: dict[tuple[Any, ...], str] | None = None) -> bool:
        """Do an action; False where it changes nothing."""
        new = {row: code for row, code in wanted.items() if self.code[row] != code}
        said = {mark: text for mark, text in (marks or {}).items() if self.marks.get(mark, "") != text}
        if not new and not said:
            return False
        for row, code in new.items():
            self.code[row] = code
            self.ever[self.channel[row]].add(abs(code))
        self.marks |= said
        self.note(kind, None)
        self.live.append(len(self.log))
        self.undone.clear()
        return True

    def note(self, kind: str, target: int | None) -> None:
        self.log.append((kind, target, list(self.code), dict(self.marks)))

    def turn(self, kind: str, number: int) -> None:
        """Undo or redo: only what that action itself changed."""
        before = self.log[number - 2][2:] if number > 1 else self.first
        after = self.log[number - 1][2:]
        old, new = (after, before) if kind == "undo" else (before, after)
        for row in range(N_EVENTS):
            if old[0][row] != new[0][row]:
                self.code[row] = new[0][row]
        for mark in {*old[1], *new[1]}:
            if old[1].get(mark, "") != new[1].get(mark, ""):
                self.marks[mark] = new[1].get(mark, "")
        (self.live if kind == "undo" else self.undone).remove(number)
        (self.undone if kind == "undo" else self.live).append(number)
        self.live.sort()
        self.note(kind, number)

    def touched(self, number: int) -> set[Any]:
        before = self.log[number - 2][2:] if number > 1 else self.first
        after = self.log[number - 1][2:]
        rows: set[Any] = {r for r in range(N_EVENTS) if before[0][r] != after[0][r]}
        return rows | {m for m in {*before[1], *after[1]} if before[1].get(m, "") != after[1].get(m, "")}


class ProjectMachine(RuleBasedStateMachine):
    """Do the same to a project on disk, a second one that watches it, and the model."""

    @initialize()
    def create(self) -> None:
        self.home = Path(tempfile.mkdtemp(dir=IN_MEMORY_DISK if IN_MEMORY_DISK.is_dir() else None))
        self.project = Project.create(self.home / "a.nsort", spikes=recording())
        self.other = Project._opened(self.home / "a.nsort", read_only=False, take_over=False)
        self.seen = self.watch(self.project)
        channel = self.project.spikes.channel.tolist()
        self.imports = len(self.project.history())
        self.model = Model(self.project.unit.tolist(), channel, {("label", 1, 1): "good"})

    def watch(self, project: Project) -> list[int]:
        seen: list[int] = []
        project.param.watch(lambda event: seen.append(event.new.id), "edit")
        return seen

    def both(self, done: bool, edit: Any) -> None:  # noqa: FBT001 - an outcome
        assert (edit is not None) == done

    @rule(rows=rows_of, unit=units)
    def assign(self, rows: list[int], unit: int) -> None:
        m = self.model
        wanted = {r: unit for r in rows if not (m.locked(r, m.code[r]) or m.locked(r, unit))}
        self.both(m.change("assign", wanted), self.project.assign(rows, unit))

    @rule(rows=rows_of, data=st.data())
    def assign_units(self, rows: list[int], data: st.DataObject) -> None:
        m, rows = self.model, sorted(set(rows))
        each = data.draw(st.lists(units, min_size=len(rows), max_size=len(rows)))
        wanted = {
            r: u
            for r, u in zip(rows, each, strict=True)
            if m.code[r] > 0 and not (m.locked(r, m.code[r]) or m.locked(r, u))
        }
        self.both(m.change("script", wanted), self.project.assign_units(rows, each, kind="script"))

    @rule(channel=channels, which=st.sets(st.integers(1, 5), min_size=2, max_size=3))
    def merge(self, channel: int, which: set[int]) -> None:
        m, into = self.model, min(which)
        wanted = {
            r: into
            for r in range(N_EVENTS)
            if m.channel[r] == channel and m.code[r] in which and not (m.locked(r, m.code[r]) or m.locked(r, into))
        }
        self.both(m.change("merge", wanted), self.project.merge(channel, sorted(which)))

    @rule(seed=st.integers(0, 9), threshold=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
    def clean(self, seed: int, threshold: float) -> None:
        m, p = self.model, np.random.default_rng(seed).random(N_EVENTS)
        goes = {r: -m.code[r] for r in range(N_EVENTS) if m.code[r] > 0 and p[r] < threshold}
        back = {r: -m.code[r] for r in range(N_EVENTS) if m.code[r] < 0 and p[r] >= threshold}
        goes = {r: c for r, c in goes.items() if not m.locked(r, -c)}
        back = {r: c for r, c in back.items() if not m.locked(r, c)}
        rows = np.arange(N_EVENTS)
        assert self.project.preview_clean(rows, p, threshold) == (len(goes), len(back))
        self.both(m.change("clean", goes | back), self.project.clean(rows, p, threshold))

    @rule(channel=channels, data=st.data())
    def sort(self, channel: int, data: st.DataObject) -> None:
        m, rows = self.model, self.project.rows(channel).tolist()
        found = data.draw(st.lists(st.integers(-1, 3), min_size=len(rows), max_size=len(rows)))
        free = [(r, c) for r, c in zip(rows, found, strict=True) if c >= 0 and m.code[r] > 0]
        free = [(r, c) for r, c in free if not m.locked(r, m.code[r])]
        wanted: dict[int, int] = {}
        if free:
            clusters, had = [c for _, c in free], [m.code[r] for r, _ in free]
            largest = max(sorted(set(clusters)), key=clusters.count)
            number = {largest: max(sorted(set(had)), key=had.count)}
            fresh = max(m.ever[channel]) + 1
            number |= {c: fresh + i for i, c in enumerate(sorted(set(clusters) - {largest}))}
            wanted = {r: number[c] for r, c in free}
        self.both(m.change("sort", wanted), self.project.sort_result(rows, found))

    @rule(channel=channels, unit=units, text=st.sampled_from(["good", "mua", ""]))
    def label(self, channel: int, unit: int, text: str) -> None:
        done = self.model.change("label", {}, {("label", channel, unit): text})
        self.both(done, self.project.set_label(channel, unit, text))

    @rule(channel=channels, unit=st.integers(1, 3), on=st.booleans())
    def lock(self, channel: int, unit: int, on: bool) -> None:  # noqa: FBT001 - drawn by name
        done = self.model.change("lock", {}, {("lock", channel, unit): "on" if on else ""})
        self.both(done, self.project.lock(channel, unit, on))

    @rule()
    def undo(self) -> None:
        edit = self.project.undo()
        self.both(bool(self.model.live), edit)
        if edit is not None:
            assert edit.undoes == self.model.live[-1] + self.imports
            self.model.turn("undo", self.model.live[-1])

    @rule()
    def redo(self) -> None:
        self.both(bool(self.model.undone), self.project.redo())
        if self.model.undone:
            self.model.turn("redo", self.model.undone[-1])

    @precondition(lambda self: self.model.log)
    @rule(data=st.data())
    def undo_one(self, data: st.DataObject) -> None:
        m = self.model
        number = data.draw(st.integers(1, len(m.log)))
        free = number in m.live and not any(m.touched(n) & m.touched(number) for n in m.live if n > number)
        if free:
            self.both(done=True, edit=self.project.undo_action(number + self.imports))
            m.turn("undo", number)
        else:
            with pytest.raises(ProjectError, match=r"cannot be undone"):
                self.project.undo_action(number + self.imports)

    @rule(data=st.data())
    def go_to(self, data: st.DataObject) -> None:
        m = self.model
        number = data.draw(st.integers(0, len(m.log)))
        codes, marks = m.log[number - 1][2:] if number else m.first
        assert self.project.unit_at(number + self.imports).tolist() == [max(c, 0) for c in codes]
        wanted = dict(enumerate(codes))
        said = {mark: marks.get(mark, "") for mark in {*marks, *m.marks}}
        self.both(m.change("goto", wanted, said), self.project.go_to(number + self.imports))

    @rule()
    def reopen(self) -> None:
        self.project.close()
        self.project = Project.open(self.home / "a.nsort")
        assert not self.project.notice
        self.seen = self.watch(self.project)

    @rule()
    def other_takes_over(self) -> None:
        self.project.refresh()
        self.other.take_over()
        with pytest.raises(ProjectError, match="taken over"):
            self.project.set_label(1, 1, "surely another label")
        assert self.project.read_only
        assert not self.other.read_only
        self.project.close()
        self.project, self.other = self.other, Project._opened(self.home / "a.nsort", read_only=False, take_over=False)
        self.seen = self.watch(self.project)

    @rule(data=st.data())
    def branch(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.model.log)))
        codes, _ = self.model.log[number - 1][2:] if number else self.model.first
        with self.project.branch(self.home / "b.nsort", number + self.imports) as branch:
            assert branch.unit.tolist() == [max(c, 0) for c in codes]
            assert branch.verify() == []
        shutil.rmtree(self.home / "b.nsort")

    @invariant()
    def project_equals_model(self) -> None:
        m = self.model
        assert self.project.unit.tolist() == [max(c, 0) for c in m.code]
        assert self.project.by_cleaner.tolist() == [c < 0 for c in m.code]
        assert self.project.labels == {k[1:]: text for k, text in m.marks.items() if k[0] == "label" and text}
        assert self.project.locked == {k[1:] for k, text in m.marks.items() if k[0] == "lock" and text}
        assert [a.kind for a in self.project.history()[self.imports :]] == [entry[0] for entry in m.log]
        assert self.seen == sorted(set(self.seen)), "each action is published once, in order"
        for channel in self.project.channels():
            assert self.project.new_unit(channel) == max(m.ever[channel]) + 1
            inside = [max(c, 0) for c, k in zip(m.code, m.channel, strict=True) if k == channel]
            assert self.project.counts(channel) == {u: inside.count(u) for u in sorted(set(inside))}

    @invariant()
    def other_sees_the_same(self) -> None:
        self.other.refresh()
        assert self.other.read_only
        assert self.other.unit.tolist() == self.project.unit.tolist()
        assert self.other.labels == self.project.labels
        assert (self.other.can_undo, self.other.undo_label) == (False, self.project.undo_label)

    def teardown(self) -> None:
        if hasattr(self, "project"):
            found = self.project.verify()
            self.project.close()
            self.other.close()
            shutil.rmtree(self.home)
            assert found == []


@pytest.mark.slow
@pytest.mark.timeout(280)
class TestProjectMachine(ProjectMachine.TestCase):  # type: ignore[valid-type,misc] # made by hypothesis
    """Hypothesis looks for a sequence of calls after which project and model differ; more: benchmarks.durability."""

    settings = settings(
        max_examples=200,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
