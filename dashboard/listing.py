"""A list of channels or units: colour, name, count, label, and small switches; one of them is current."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param
from panel.custom import JSComponent


class Listing(JSComponent):
    """Rows that can be clicked. Sends {kind, row} to `on_message`; the current row is kept in sight."""

    rows = param.List(default=[], item_type=dict, doc="Each {id, name, detail, colour, label, off, locked, tip}.")
    current = param.String(default="", doc="The `id` of the row shown on the main screen.")
    beside = param.List(default=[], item_type=str, doc="Ids of the rows shown together with it.")
    several = param.Boolean(default=False, doc="Whether Ctrl-click and Shift-click choose several: `toggle`, `range`.")
    caption = param.String(default="", doc="What the list is, for screen readers.")
    switches = param.Boolean(default=False, doc="Whether rows have show and lock switches.")

    _esm = """
    const svg = (inside) => '<svg viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" '
      + 'stroke-width="1.5" stroke-linecap="round" aria-hidden="true">' + inside + '</svg>';
    const EYE = '<path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z"/><circle cx="8" cy="8" r="2"/>';
    const BODY = '<rect x="3.5" y="7" width="9" height="6.5" rx="1.5"/>';
    const ICONS = {
      shown: svg(EYE),
      hidden: svg(EYE + '<path d="M2.5 13.5 13.5 2.5"/>'),
      locked: svg(BODY + '<path d="M5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>'),
      open: svg(BODY + '<path d="M5.5 7V5a2.5 2.5 0 0 1 4.8-1"/>'),
    };
    const make = (tag, name, text) => {
      const node = document.createElement(tag);
      if (name) node.className = name;
      if (text !== undefined) node.textContent = text;
      return node;
    };

    export function render({ model, el }) {
      const list = make('div', 'list');
      list.setAttribute('role', 'listbox');
      list.setAttribute('aria-label', model.caption);
      list.dataset.shortcuts = '';  // nothing is typed here: the page's keys work after a click too
      list.setAttribute('aria-multiselectable', String(model.several));
      list.tabIndex = 0;
      const send = (kind, row) => model.send_msg({ kind, row });

      const toggle = (row, kind, icon, title, pressed) => {
        const button = make('button', 'switch');
        button.type = 'button';
        button.innerHTML = ICONS[icon];
        button.title = title;
        button.setAttribute('aria-label', title);
        button.setAttribute('aria-pressed', String(pressed));
        button.onclick = (event) => { event.stopPropagation(); send(kind, row.id); };
        return button;
      };

      const draw = () => {
        const top = list.scrollTop;
        list.replaceChildren(...model.rows.map((row) => {
          const item = make('div', 'row' + (row.off ? ' off' : ''));
          item.setAttribute('role', 'option');
          item.dataset.id = row.id;
          if (row.tip) item.title = row.tip;
          if (row.colour) {
            const swatch = make('span', 'swatch');
            swatch.style.background = row.colour;
            item.append(swatch);
          }
          item.append(make('span', 'name', row.name));
          if (row.label) item.append(make('span', 'label', row.label));
          item.append(make('span', 'detail', row.detail || ''));
          if (model.switches && row.id !== '') {
            item.append(toggle(row, 'show', row.off ? 'hidden' : 'shown', row.off ? 'Show' : 'Hide', !!row.off));
            item.append(toggle(row, 'lock', row.locked ? 'locked' : 'open', row.locked ? 'Unlock' :
              'Lock: leave its events alone', !!row.locked));
          }
          item.onclick = (event) => {
            const more = event.ctrlKey || event.metaKey ? 'toggle' : event.shiftKey ? 'range' : 'current';
            send(model.several ? more : 'current', row.id);
          };
          item.onmousedown = (event) => { if (event.shiftKey) event.preventDefault(); };  // selects no text
          return item;
        }));
        list.scrollTop = top;
        mark();
      };
      const mark = () => {
        for (const item of list.children) {
          const here = item.dataset.id === model.current;
          item.setAttribute('aria-selected', String(here || model.beside.includes(item.dataset.id)));
          if (here) {
            const above = item.offsetTop - list.offsetTop - list.scrollTop;
            if (above < 0 || above > list.clientHeight - item.offsetHeight) {
              list.scrollTop = Math.max(0, item.offsetTop - list.offsetTop - list.clientHeight / 2);
            }
          }
        }
      };
      model.on('rows', draw);
      model.on('current', mark);
      model.on('beside', mark);
      el.append(list);
      draw();
      requestAnimationFrame(mark);
    }
    """

    _stylesheets = [
        """
        :host { display: block; }
        .list { height: 100%; overflow-y: auto; position: relative; font: 13px/1.3 system-ui, sans-serif;
          border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 6px; }
        .list:focus-visible { outline: 2px solid #1a9af6; outline-offset: 1px; }
        .row { display: flex; align-items: center; gap: 8px; padding: 3px 8px; cursor: pointer; }
        .row:hover { background: color-mix(in srgb, currentColor 7%, transparent); }
        .row[aria-selected=true] { background: color-mix(in srgb, #1a9af6 22%, transparent); font-weight: 600; }
        .row.off .name, .row.off .detail, .row.off .swatch { opacity: .4; }
        .swatch { width: 12px; height: 12px; border-radius: 3px; flex: none; }
        .name { white-space: nowrap; }
        .label { font-size: 11px; padding: 0 6px; border-radius: 8px; max-width: 110px; overflow: hidden;
          white-space: nowrap; text-overflow: ellipsis; font-weight: 400;
          background: color-mix(in srgb, currentColor 12%, transparent); }
        .detail { margin-left: auto; font-variant-numeric: tabular-nums; opacity: .8; white-space: nowrap; }
        .switch { all: unset; cursor: pointer; width: 18px; text-align: center; opacity: .55; font-size: 12px; }
        .switch:hover, .switch[aria-pressed=true] { opacity: 1; }
        .switch:focus-visible { outline: 2px solid #1a9af6; border-radius: 3px; }
        """
    ]

    def __init__(self, on_message: Callable[[str, str], None], **params: Any) -> None:
        super().__init__(**params)
        self._on_message = on_message

    def _handle_msg(self, msg: dict[str, Any]) -> None:
        self._on_message(str(msg["kind"]), str(msg["row"]))
