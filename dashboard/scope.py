"""Which events a step of cleaning concerns: the channel shown, the experiment shown, or everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from .workspace import Workspace

SCOPES = ("channel", "experiment", "everything")


class Scope(pn.viewable.Viewer):
    """Three buttons, shared by all parts of the Clean tab."""

    reach: Any = param.Selector(default=SCOPES[2], objects=list(SCOPES), doc="Which events are meant.")

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.buttons = pmui.RadioButtonGroup.from_param(
            self.param.reach, label="Applies to", size="small", margin=(4, 10)
        )

    def __panel__(self) -> Any:
        return self.buttons

    def rows(self) -> NDArray[np.int64]:
        """Return the rows meant, sorted; none while nothing is open."""
        project, focus = self.workspace.project, self.workspace.focus
        if project is None or focus is None:
            return np.zeros(0, np.int64)
        if self.reach == "channel" and focus.channel is not None:
            return np.asarray(project.rows(focus.channel, focus.experiment))
        if self.reach == "everything" or focus.experiment is None:
            return np.arange(len(project))
        return np.flatnonzero(project.spikes.experiment == focus.experiment)

    def told(self) -> dict[str, Any]:
        """Return what is meant, for the history."""
        focus = self.workspace.focus
        if focus is None or self.reach == "everything":
            return {"scope": "everything"}
        of_channel = {"channel": focus.channel} if self.reach == "channel" else {}
        return {"scope": self.reach, "experiment": focus.experiment, **of_channel}
