"""The History tab: every action, who, when, what, how many events; undo one, or return to a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from .workspace import Workspace, attempt

COLUMNS = ("#", "when", "who", "what", "events", "state")


class History(pn.viewable.Viewer):
    """The journal as a table, newest first."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self.table = pn.widgets.Tabulator(
            pd.DataFrame(columns=list(COLUMNS)), show_index=False, disabled=True, selectable=1, height=460,
            sizing_mode="stretch_width", pagination="local", page_size=200, theme="simple",
            text_align={"events": "right", "#": "right"},
        )  # fmt: skip
        small = {"size": "small", "variant": "outlined"}
        self.look = pmui.Button(label="Look at this moment", on_click=lambda _: self._look(self._chosen()), **small)
        self.now = pmui.Button(label="Back to now", on_click=lambda _: self._look(None), **small)
        self.undo_one = pmui.Button(label="Undo this action", size="small", on_click=lambda _: self._undo_one())
        self.go = pmui.Button(label="Return to this moment", size="small", on_click=lambda _: self._go())
        self._pane = pmui.Column(
            pmui.Row(
                self.look,
                self.now,
                self.undo_one,
                self.go,
                pmui.Typography(object="Click a line first. Everything here can be undone."),
            ),
            self.table,
            sizing_mode="stretch_width",
        )

    def __panel__(self) -> Any:
        return self._pane

    def refresh(self) -> None:
        """Read the journal again; hidden, it does nothing."""
        project = self.workspace.project
        if not self.active or project is None:
            return
        actions = reversed(project.history())
        self.table.value = pd.DataFrame(
            [(a.id, _when(a.at), a.author, a.label, a.n_events, "" if a.live else "undone") for a in actions],
            columns=list(COLUMNS),
        )

    def _chosen(self) -> int | None:
        if not self.table.selection:
            self.workspace.say("Click a line of the history first.")
            return None
        return int(self.table.value.iloc[self.table.selection[0]]["#"])

    def _look(self, number: int | None) -> None:
        """Let the main screen show the units as they were, without changing anything."""
        self.workspace.moment = number
        self.workspace.say("The main screen shows the present." if number is None else
                           f"The main screen shows the units as they were after action {number}.")  # fmt: skip

    def _undo_one(self) -> None:
        chosen, project = self._chosen(), self.workspace.project
        if chosen is not None and project is not None:
            attempt(self.workspace, lambda: project.undo_action(chosen))
            self.refresh()

    def _go(self) -> None:
        chosen, project = self._chosen(), self.workspace.project
        if chosen is not None and project is not None:
            attempt(self.workspace, lambda: project.go_to(chosen))
            self.refresh()


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
