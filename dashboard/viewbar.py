"""A row of tabs of which one or none is open: a click on the open one closes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param
from panel.custom import JSComponent


class ViewBar(JSComponent):
    """Sends the name that was clicked. What is open is decided in Python alone, however quick the clicks."""

    names = param.List(default=[], item_type=str, doc="The tabs.")
    current = param.String(default="", doc="The open one; empty: none.")

    _esm = """
    export function render({ model, el }) {
      const row = document.createElement('div');
      row.className = 'row';
      row.setAttribute('role', 'group');
      row.setAttribute('aria-label', 'Judge');
      const buttons = model.names.map((name) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = name;
        button.onclick = () => model.send_msg(name);
        return button;
      });
      const mark = () => buttons.forEach((button) => {
        button.setAttribute('aria-pressed', String(button.textContent === model.current));
      });
      model.on('current', mark);
      row.append(...buttons);
      el.append(row);
      mark();
    }
    """

    _stylesheets = [
        """
        .row { display: flex; flex-wrap: wrap; font: 13px/1.2 system-ui, sans-serif; padding: 4px 6px; gap: 2px; }
        button { all: unset; cursor: pointer; padding: 7px 11px; border-radius: 6px; opacity: .8; }
        button:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
        button[aria-pressed=true] { background: color-mix(in srgb, #1a9af6 22%, transparent); font-weight: 600;
          opacity: 1; }
        button:focus-visible { outline: 2px solid #1a9af6; }
        """
    ]

    def __init__(self, on_click: Callable[[str], None], **params: Any) -> None:
        super().__init__(**params)
        self._on_click = on_click

    def _handle_msg(self, msg: Any) -> None:
        self._on_click(str(msg))
