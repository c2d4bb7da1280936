"""The Review tab: how far the review is, what needs eyes, why, and the keys to go through it."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from neuralsorter.review import Concern

from . import reviewing
from .listing import Listing
from .workspace import Workspace, attempt

SHOWN = 200  # lines in the list
IDLE = "**E** goes to what most needs eyes, **W** marks the channel as reviewed and goes on."


class Review(pn.viewable.Viewer):
    """Units ranked by what speaks against them. It looks through the recording once somebody looks here."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self.progress = pmui.Typography(object="", variant="body2", margin=(6, 2))
        self.bar = pmui.LinearProgress(value=0, variant="determinate", sizing_mode="stretch_width", margin=(0, 2))
        self.list = Listing(self._clicked, caption="What needs eyes", height=300, sizing_mode="stretch_width")
        self.why = pmui.Typography(object=IDLE, variant="body2", margin=(6, 2))
        small = {"size": "small", "margin": (6, 2)}
        buttons = [
            pmui.Button(label=label, description=tip, variant=variant,
                        on_click=lambda _, call=call: attempt(workspace, lambda: call(workspace)), **small)
            for label, tip, variant, call in (
                ("Next", "Show what most needs eyes (E)", "contained", reviewing.next_concern),
                ("Reviewed", "Mark the channel as reviewed and go on (W)", "outlined", reviewing.mark_reviewed),
                ("Violation", "Select the next two events too close for one neuron (Shift+V)", "outlined",
                 reviewing.next_violation),
            )
        ]  # fmt: skip
        self._pane = pmui.Column(pmui.Row(*buttons, margin=0), self.progress, self.bar, self.why, self.list,
                                 sizing_mode="stretch_width", margin=0)  # fmt: skip
        workspace.queue.param.watch(lambda *_: self._draw(), "version")
        workspace.param.watch(lambda *_: self.refresh(), ["edits", "seen_concerns"])

    def __panel__(self) -> Any:
        return self._pane

    def refresh(self) -> None:
        """Look through what has changed, and show it; hidden, it does nothing."""
        project = self.workspace.project
        if self.active and project is not None:
            self._draw()
            self.workspace.queue.bring_up(project, self.workspace.document)

    def _draw(self) -> None:
        project, queue = self.workspace.project, self.workspace.queue
        if project is None:
            return
        n_channels = len(project.channels())
        looking = f" · {queue.n_seen} of {n_channels} looked through" if queue.running else ""
        ranked = queue.ranked(project)
        self.progress.object = f"**{reviewing.progress(project)}** · {len(ranked):,} concerns{looking}"
        self.bar.value = round(100 * len(project.reviewed) / max(n_channels, 1))
        if self.active:
            self._rows = {f"{c.kind}/{c.channel}/{'/'.join(map(str, c.units))}": c for c in ranked[:SHOWN]}
            self.list.rows = [self._row(key, concern) for key, concern in self._rows.items()]

    def _row(self, key: str, concern: Concern) -> dict[str, Any]:
        names = " + ".join(map(str, concern.units))
        what = f"{'unit' if concern.kind == 'flags' else concern.kind} {names}"
        seen = concern.key in self.workspace.seen_concerns
        return {"id": key, "name": f"{concern.channel} · {what}", "detail": _how_many(concern), "off": seen,
                "tip": "\n".join(concern.reasons)}  # fmt: skip

    def _clicked(self, _: str, row: str) -> None:
        concern = self._rows.get(row)
        if concern is not None:
            self.list.current = row
            self.why.object = " ".join(concern.reasons)
            attempt(self.workspace, lambda: reviewing.show(self.workspace, concern))


def _how_many(concern: Concern) -> str:
    n = len(concern.reasons)
    return "" if concern.kind != "flags" else f"{n} flag{'s' if n > 1 else ''}"
