"""The History tab: every action, who, when, what, how many events; undo one, return to a moment, name it, branch."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
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
        self._reading = False
        self.table = pn.widgets.Tabulator(
            pd.DataFrame(columns=list(COLUMNS)), show_index=False, disabled=True, selectable=1, height=460,
            sizing_mode="stretch_width", pagination="local", page_size=200, theme="simple",
            text_align={"events": "right", "#": "right"},
        )  # fmt: skip
        small = {"size": "small", "variant": "outlined"}
        self.now = pmui.Button(label="Back to now", on_click=lambda _: self._back(), **small)
        self.undo_one = pmui.Button(label="Undo this action", size="small", on_click=lambda _: self._undo_one())
        self.go = pmui.Button(label="Return to this moment", size="small", on_click=lambda _: self._go())
        self.label = pmui.TextInput(label="Name", size="small", width=220)
        self.keep = pmui.Button(
            label="Name this state", on_click=lambda _: self._name(), **small,
            description="Give the present state a name, to return to from this list",
        )  # fmt: skip
        self.branch = pmui.Button(
            label="Branch into a new project", on_click=lambda _: self._branch(), **small,
            description="Copy the project, up to the line clicked or as it is now, into a folder of its own",
        )  # fmt: skip
        self.said = pmui.Typography(object="", variant="body2", margin=(0, 8), sx={"minHeight": "1.5em"})
        workspace.param.watch(lambda event: setattr(self.said, "object", event.new), "says")
        self.table.param.watch(lambda *_: self._clicked(), "selection")
        self._pane = pmui.Column(
            pmui.Row(
                self.now,
                self.undo_one,
                self.go,
                pmui.Typography(
                    object="Click a line to see the units as they were then. Everything here can be undone."
                ),
            ),
            pmui.Row(self.label, self.keep, self.branch, sx={"alignItems": "center"}),
            self.said,
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
        actions, moment = project.history()[::-1], self.workspace.moment
        table = pd.DataFrame(
            [(a.id, _when(a.at), a.author, a.label, a.n_events, "" if a.live else "undone") for a in actions],
            columns=list(COLUMNS),
        )
        self._reading = True  # the line looked at moves down as lines are added: it is not clicked anew
        try:
            self.table.value = table
            self.table.selection = [i for i, action in enumerate(actions) if action.id == moment]
        finally:
            self._reading = False

    def _chosen(self) -> int | None:
        line = self._line()
        if line is None:
            self.workspace.say("Click a line of the history first.")
        return line

    def _line(self) -> int | None:
        return int(self.table.value.iloc[self.table.selection[0]]["#"]) if self.table.selection else None

    def _clicked(self) -> None:
        """Look at the line clicked; clicking it once more returns to now."""
        line = self._line()
        if not self._reading and line != self.workspace.moment:
            self._look(line)

    def _look(self, number: int | None) -> None:
        """Let the main screen show the units as they were, without changing anything."""
        self.workspace.moment = number
        self.workspace.say("The main screen shows the present." if number is None else
                           f"The main screen shows the units as they were after action {number}.")  # fmt: skip

    def _back(self) -> None:
        self._look(None)
        self.refresh()

    def _undo_one(self) -> None:
        chosen, project = self._chosen(), self.workspace.project
        if chosen is not None and project is not None:
            attempt(self.workspace, lambda: project.undo_action(chosen))
            self.workspace.moment = None
            self.refresh()

    def _go(self) -> None:
        chosen, project = self._chosen(), self.workspace.project
        if chosen is not None and project is not None:
            attempt(self.workspace, lambda: project.go_to(chosen))
            self.workspace.moment = None
            self.refresh()

    def _named(self) -> str:
        text = str(self.label.value).strip()
        if not text:
            self.workspace.say("Write a name into the field first.")
        return text

    def _name(self) -> None:
        project, text = self.workspace.project, self._named()
        if project is None or not text:
            return
        if attempt(self.workspace, lambda: project.name_version(text)) is not None:
            self.workspace.say(f"This state is named {text}; return to it from the history.")
            self.refresh()

    def _branch(self) -> None:
        project, text = self.workspace.project, self._named()
        if project is None or not text:
            return
        if project.path is None:
            self.workspace.say("This project is in memory only. Save it as a project first.")
            return
        path = project.path.with_name(f"{project.path.stem}_{Path(text).name}{project.path.suffix}")
        number = self._line()
        self.workspace.jobs.start(
            "Branching",
            lambda *_: project.branch(path, project.history()[-1].id if number is None else number).close(),
            lambda _: self.workspace.say(f"{path.name} holds this project as it was then. Open it to go on there."),
            self.workspace.complain,
        )


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
