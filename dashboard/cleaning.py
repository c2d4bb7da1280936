"""The Clean tab: a threshold on P(spike), rules beside it, noise looked through."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from .evidence import WIDTH
from .networks import Networks
from .noise import Noise
from .rules import Rules
from .scope import Scope
from .threshold import Threshold
from .workspace import Workspace


class Cleaning(pn.viewable.Viewer):
    """Parts in tabs; only the one looked at works."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.active = False
        self.scope = Scope(workspace)
        self.threshold = Threshold(workspace, self.scope)
        self.rules = Rules(workspace, self.scope)
        self.noise = Noise(workspace)
        self.networks = Networks(workspace)
        self._parts: tuple[Threshold | Rules | Noise | Networks, ...] = (
            self.threshold, self.rules, self.noise, self.networks,
        )  # fmt: skip
        self.tabs = pmui.Tabs(
            ("Threshold", self.threshold), ("Rules", self.rules), ("Noise", self.noise), ("Network", self.networks),
            width=WIDTH, margin=0, sx={"& .MuiTab-root": {"minWidth": "48px", "padding": "12px 10px"}},  # all four fit
        )  # fmt: skip
        self._pane = pmui.Column(self.scope, self.tabs, width=WIDTH, margin=0)
        self.tabs.param.watch(lambda *_: self.refresh(), "active")

    def __panel__(self) -> Any:
        return self._pane

    def refresh(self) -> None:
        """Bring the part looked at up to date; hidden, it does nothing."""
        for number, part in enumerate(self._parts):
            part.active = self.active and self.tabs.active == number
            part.refresh()
        self.scope.buttons.visible = self.tabs.active < 2

    def close(self) -> None:
        """Stop what runs."""
        self.networks.close()
