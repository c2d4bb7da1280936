"""Keys and gestures, one key away; made from the tables that the page itself uses."""

from __future__ import annotations

import panel_material_ui as pmui

from .actions import ACTIONS
from .shortcuts import KEYS, spoken

GESTURES = """
**Select** — draw a lasso (Q), a box (B), a line (Shift+Q) or, dragging up or down, a band of amplitudes at one time
(Shift+B) on the main screen: every waveform whose drawn line meets it is selected, of all that are drawn. Hold Shift
to add, Ctrl+Shift to take away, Ctrl to keep what is in both, or choose that with Shift+M. A selects all, I inverts,
Esc clears.

**Move around** — wheel zooms, P lets dragging move the picture, a double click or R shows everything again.

**Decide** — Alt and a digit sends the selection to that unit, Alt+0 to noise, N to a new unit. Every change is on disk
at once and Ctrl+Z takes it back, as often as you like.
"""


def key_table() -> str:
    """Return the keys as a Markdown table, in the order of the actions."""
    lines = ["| what | keys |", "| --- | --- |"]
    digits = [name for name in KEYS if name.startswith("send to ") and name[-1].isdigit()]
    for name, action in ACTIONS.items():
        if name in digits:
            if name == digits[0]:
                lines.append("| Send the selected events to unit 1 to 9, or 0: noise | Alt+0 … Alt+9 or 0 … 9 |")
            continue
        if name in KEYS:
            lines.append(f"| {action.help} | {' or '.join(spoken(key) for key in KEYS[name])} |")
    return "\n".join(lines)


class Help:
    """A dialogue with gestures and keys."""

    def __init__(self) -> None:
        self.dialog = pmui.Dialog(
            pmui.Column(pmui.Typography(object=GESTURES), pmui.Typography(object=key_table())),
            title="Keys and gestures", width_option="md", close_on_click=True, show_close_button=True,
        )  # fmt: skip

    def show(self) -> None:
        """Open the dialogue."""
        self.dialog.open = True
