"""The plug-ins dialogue: what can be chosen, where it came from, and what is wrong with what cannot."""

from __future__ import annotations

from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from neuralsorter.inventory import inventory
from neuralsorter.plugins import KINDS, Plugin, user_folder

from .jobs import Jobs
from .workspace import Workspace

COLUMNS = ("kind", "name", "state", "from")
WORKS = "works"


class Plugins:
    """A table of all plug-ins, looked through anew whenever it is opened; broken ones come first."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._jobs = Jobs()
        self.table = pn.widgets.Tabulator(
            pd.DataFrame(columns=list(COLUMNS)), show_index=False, disabled=True, height=420, theme="simple",
            layout="fit_columns", widths={"kind": 90, "name": 170, "from": 230}, sizing_mode="stretch_width",
            formatters={name: {"type": "textarea"} for name in COLUMNS}, header_filters=True,
        )  # fmt: skip
        self.summary = pmui.Typography(object="", variant="body2")
        self.networks = pmui.Button(
            label="Try my networks", size="small", variant="outlined", on_click=lambda _: self._look(networks=True),
            description="Build each network of yours in a process of its own; takes some seconds",
        )  # fmt: skip
        self.dialog = pmui.Dialog(
            pmui.Column(self.summary, self.table, self.networks, sizing_mode="stretch_width"),
            title="Plug-ins", width_option="lg", close_on_click=True, show_close_button=True,
        )  # fmt: skip

    def show(self) -> None:
        """Open the dialogue and look for plug-ins."""
        self.dialog.open = True
        self._look(networks=False)

    def _look(self, *, networks: bool) -> None:
        self.table.loading = True
        self._jobs.start(
            "Looking for plug-ins",
            lambda _, cancel: inventory(networks=networks, cancel=cancel),
            self._show,
            self._failed,
        )

    def _show(self, found: list[Plugin]) -> None:
        broken = [plugin for plugin in found if plugin.error]
        rows = [(p.kind, p.name, p.error or WORKS, p.origin) for p in sorted(found, key=lambda p: not p.error)]
        self.table.param.update(value=pd.DataFrame(rows, columns=list(COLUMNS)), loading=False)
        wrong = f"**{len(broken)} cannot be used**; the others are not affected." if broken else "All can be used."
        self.summary.object = (
            f"{len(found)} plug-ins. {wrong} Add yours as one file in `{user_folder()}`, in the folder of its kind: "
            f"{', '.join(KINDS)}."
        )

    def _failed(self, sentence: str) -> None:
        self.table.loading = False
        self.workspace.complain(sentence)

    def close(self) -> None:
        """Stop looking."""
        self._jobs.cancel()


def icon(plugins: Plugins) -> Any:
    """Return the button that opens the dialogue."""
    return pmui.IconButton(
        icon="extension", description="Plug-ins", sx={"color": "inherit"}, on_click=lambda _: plugins.show()
    )
