"""Which cleaner judges: the shipped network, a dropped-in one, or one that learns from this project's curation."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from neuralsorter import adopting
from neuralsorter.errors import PluginError
from neuralsorter.inventory import inventory
from neuralsorter.plugins import Plugin
from neuralsorter.training import TrainingResult, check_enough, labelled, train_cleaner

from .algorithms import chosen_cleaner
from .evidence import WIDTH
from .jobs import Jobs, Report
from .workspace import Workspace, attempt

SCORES = (
    ("AUC", "auc"),
    ("sensitivity at 0.5", "sensitivity"),
    ("specificity at 0.5", "specificity"),
    ("calibration error", "calibration_error"),
)
NETWORKS = (".keras", ".h5", ".hdf5")
FIRST = ":0"  # after the name of a network of the 2020 program whose first output means spike
ORDERS = {"noise, spike": "", "spike, noise": FIRST}


class Networks(pn.viewable.Viewer):
    """A choice of cleaners, and Learn from my curation."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self._looking = Jobs()
        self._looked = False
        self._showing = False
        self._result: TrainingResult | None = None
        self._place: tempfile.TemporaryDirectory[str] | None = None
        self.choice = pmui.Select(
            label="Cleaner", options=[], size="small", sizing_mode="stretch_width", margin=(14, 10, 4, 10)
        )
        self.order = pmui.Select(
            label="Its outputs, if it has two", options=ORDERS, size="small", visible=False,
            sizing_mode="stretch_width",
            description="Networks of the 2020 program give two numbers: say which comes first", margin=(10, 10, 4, 10),
        )  # fmt: skip
        self.broken = pmui.Typography(object="", variant="body2", sx={"color": "#d05807"}, visible=False)
        self.labels = pmui.Typography(object="", variant="body2")
        self.learn = pmui.Button(label="Learn from my curation", color="primary", size="small",
                                 on_click=lambda _: attempt(workspace, self._learn))  # fmt: skip
        self.scores = pn.pane.Markdown("", margin=(0, 10), width=WIDTH - 20)
        self.curves = pn.pane.PNG(None, width=WIDTH - 20)
        self.adopt = pmui.Button(label="Use in this project", color="primary", size="small",
                                 on_click=lambda _: attempt(workspace, self._adopt))  # fmt: skip
        self.title = pmui.TextInput(label="Name", value="mine", size="small", width=140)
        self.save = pmui.Button(label="Save to my networks", size="small", variant="outlined",
                                on_click=lambda _: attempt(workspace, self._save))  # fmt: skip
        self._learned = pmui.Column(
            self.scores, self.adopt, pmui.Row(self.title, self.save), self.curves, margin=0, visible=False
        )
        self._pane = pmui.Column(self.choice, self.order, self.broken, self.labels, self.learn, self._learned, margin=0)
        for part in (self.choice, self.order):
            part.param.watch(lambda *_: self._chosen(), "value")
        workspace.param.watch(lambda *_: self._opened(), "project")
        workspace.param.watch(lambda *_: self._count(), "edits")

    def __panel__(self) -> Any:
        return self._pane

    def _opened(self) -> None:
        self.workspace.cleaner = ""
        self._forget()
        self.refresh()

    def refresh(self) -> None:
        """List the cleaners and count the labels; hidden, it does nothing."""
        if not self.active:
            return
        self._count()
        if self._looked:
            self._select(chosen_cleaner(self.workspace))
            return
        self._looked = self._looking.start(
            "Looking for cleaners", lambda _, cancel: inventory(cancel=cancel), self._listed, self.workspace.complain
        )

    def _listed(self, found: list[Plugin]) -> None:
        mine = [p for p in found if p.kind == "cleaners" or (p.kind == "models" and Path(p.name).suffix in NETWORKS)]
        self._select(chosen_cleaner(self.workspace), [p.name for p in mine if not p.error])
        wrong = [f"**{p.name}** cannot be used: {p.error}" for p in mine if p.error]
        self.broken.param.update(object="\n\n".join(wrong), visible=bool(wrong))

    def _select(self, name: str, among: list[str] | None = None) -> None:
        """Show which cleaner judges, among those there are."""
        base = name.removesuffix(FIRST)
        names = [*(self.choice.values if among is None else among)]
        titles = {_title(each): each for each in (names if base in names else [*names, base])}
        self._showing = True  # a list that changes chooses its first entry, which nobody did
        self.choice.param.update(options=titles, value=base)
        self.order.value = name.removeprefix(base)
        self._showing = False
        self.order.visible = base.endswith(NETWORKS)

    def _chosen(self) -> None:
        """Let another cleaner judge; what the one before said is forgotten."""
        base = str(self.choice.value or "")
        self.order.visible = base.endswith(NETWORKS)
        name = base + str(self.order.value) if self.order.visible else base
        if name and not self._showing and name != chosen_cleaner(self.workspace):
            self.workspace.param.update(cleaner=name, probability=None)
            self.workspace.say(f"Cleaner {name}: press Clean to let it judge.")

    def _count(self) -> None:
        project = self.workspace.project
        if not self.active or project is None:
            return
        _, spike = labelled(project.spikes)
        n = int(np.count_nonzero(spike))
        self.labels.object = (
            f"Learning takes the labels as they are now: **{n:,}** events in units are spikes, **{len(spike) - n:,}**"
            " in noise are none; units labelled *unsorted* are left out. Curate both before."
        )

    def _learn(self) -> None:
        project = self.workspace.project
        if project is None:
            raise PluginError("Nothing is open. Open a recording and curate it first.")
        spikes = project.spikes
        check_enough(labelled(spikes)[1])
        self._forget()
        self._place = tempfile.TemporaryDirectory(prefix="neuralsorter-")
        out = Path(self._place.name) / "learned.keras"
        split = "channel" if len(project.channels()) > 1 else "experiment"

        def work(report: Report, cancel: threading.Event) -> TrainingResult:
            report(0.0, "starting a process for it")
            return train_cleaner(spikes, out, split_by=split, progress=report, cancel=cancel)

        self.workspace.jobs.start("Learning", work, self._show, self.workspace.complain)

    def _show(self, result: TrainingResult) -> None:
        self._result = result
        rows = [f"| {text} | {result.scores[key]:.3f} | {result.shipped_scores[key]:.3f} |" for text, key in SCORES]
        weakest = result.by_group[0] if result.by_group else {}
        where = next((f"{k} {v}" for k, v in weakest.items() if k in ("channel", "experiment")), "")
        told = f" Weakest: {where}, {_right(weakest)}." if where else ""
        self.scores.object = "\n".join(
            [
                f"On {result.n_held_out:,} held-out events ({result.n_trained:,} were taught, {result.seconds:.0f} s):",
                "",
                "| | learned | shipped |",
                "| --- | ---: | ---: |",
                *rows,
                "",
                result.split + told,
            ]
        )
        self.curves.object = Path(result.picture).read_bytes()
        self._learned.visible = True
        self.workspace.say(
            f"Learned: AUC {result.scores['auc']:.3f} on held-out events; the shipped network has"
            f" {result.shipped_scores['auc']:.3f}. Nothing uses it before you say so."
        )

    def _adopt(self) -> None:
        project, result = self.workspace.project, self._result
        if project is None or result is None:
            return
        if project.path is None or project.read_only:
            name = result.path
            self.workspace.say(
                "Used in this tab only: the project cannot be written. Save it to your networks to keep it."
            )
        else:
            name = str(adopting.adopt(result.path, project.path))
            self.workspace.say("This project uses the learned network from now on: press Clean.")
        self.workspace.param.update(cleaner=name, probability=None)
        self._select(name)

    def _save(self) -> None:
        if self._result is not None:
            place = adopting.keep(self._result.path, str(self.title.value))
            self.choice.options = {_title(each): each for each in [*self.choice.values, place.name]}
            self.workspace.say(f"Saved as {place}. Choose {place.name} under Cleaner in any project.")

    def _forget(self) -> None:
        self._result = None
        self._learned.visible = False

    def close(self) -> None:
        """Stop looking and remove what nobody kept."""
        self._looking.cancel()
        if self._place is not None:
            self._place.cleanup()


def _title(name: str) -> str:
    """Return what the list shows of a cleaner: of a path the file first, as long ones are cut at their end."""
    path = Path(name)
    return f"{path.name} in {path.parent}" if path.is_absolute() else name


def _right(scores: dict[str, Any]) -> str:
    parts = [(name, scores[name]) for name in ("sensitivity", "specificity") if not np.isnan(scores[name])]
    return ", ".join(f"{name} {value:.2f}" for name, value in parts)
