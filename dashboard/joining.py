"""Parts of the page that join it when they are first looked at: the first picture does not wait for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel_material_ui.base import BASE_TEMPLATE

SCRIPT = Path(__file__).with_name("joining.js").read_text("utf-8")  # lets what joins miss no change
# A problem pops up in the corner beside the main screen, no wider than what is there.
CALM = ".notistack-SnackbarContainer .notistack-Snackbar { min-width: 0; max-width: 340px; }"


class Later(pn.viewable.Viewer):
    """Has the place of a part, which is empty until it is let to `join`."""

    def __init__(self, part: Any, **params: Any) -> None:
        super().__init__(**params)
        self._part = part
        self._place = pmui.Column(sizing_mode="stretch_both", margin=0)

    def __panel__(self) -> Any:
        return self._place

    def join(self) -> None:
        """Let the part join the page; again is as once."""
        if not len(self._place):
            self._place.append(self._part)


def when_opened(dialog: pmui.Dialog) -> pmui.Dialog:
    """Keep what a dialogue holds back until it is opened."""
    content = list(dialog.objects)
    dialog.objects = []

    def fill(event: Any) -> None:
        if event.new and not dialog.objects:
            dialog.objects = content

    dialog.param.watch(fill, "open")
    return dialog


def template() -> Any:
    """Return the page's template with the script that everything that joins later relies on, and a style."""
    added = f"<style>{CALM}</style><script>{SCRIPT}</script>"
    block = "{% extends base %}{% block postamble %}{{ super() }}" + added + "{% endblock %}"
    return BASE_TEMPLATE.environment.from_string(block, globals={"base": BASE_TEMPLATE})
