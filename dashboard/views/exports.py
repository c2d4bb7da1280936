"""Save a view: its picture as PNG or SVG, its numbers as CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param
from panel.custom import JSComponent


class Exports(JSComponent):
    """Three small buttons. Pictures are made by the browser, from what it shows; numbers by Python."""

    file_name = param.String(default="view", doc="Name of the files, without suffix.")
    figure_name = param.String(default="", doc="Name of the Bokeh figure.")
    numbers = param.String(default="", doc="The CSV asked for last.")
    asked = param.Integer(default=0, doc="Raised with every answer, so that the same numbers are saved twice.")

    _esm = """
    function find(name) {
      const below = (view) => [view, ...(view.child_views ?? []).flatMap(below)];
      const roots = Object.values(window.Bokeh.index.roots ?? window.Bokeh.index).flat();
      return roots.flatMap(below).find((view) => view.model.name === name);
    }
    function save(blob, name) {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }
    export function render({ model, el }) {
      const row = document.createElement('div');
      row.className = 'row';
      const add = (label, title, click) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = label;
        button.title = title;
        button.setAttribute('aria-label', title);
        button.onclick = click;
        row.append(button);
      };
      const picture = async (kind) => {
        const view = find(model.figure_name);
        if (view) save(await view.export(kind).to_blob(), model.file_name + '.' + kind);
      };
      add('PNG', 'Save this view as a PNG', () => picture('png'));
      add('SVG', 'Save this view as an SVG', () => picture('svg'));
      add('CSV', 'Save the numbers of this view', () => model.send_msg('numbers'));
      model.on('asked', () => {
        save(new Blob([model.numbers], { type: 'text/csv' }), model.file_name + '.csv');
      });
      el.append(row);
    }
    """

    _stylesheets = [
        """
        .row { display: flex; gap: 4px; padding: 4px 6px; }
        button { all: unset; cursor: pointer; font: 12px/1 system-ui, sans-serif; padding: 5px 8px; border-radius: 5px;
          border: 1px solid color-mix(in srgb, currentColor 25%, transparent); opacity: .85; }
        button:hover { background: color-mix(in srgb, currentColor 8%, transparent); opacity: 1; }
        button:focus-visible { outline: 2px solid #1a9af6; }
        """
    ]

    def __init__(self, file_name: str, figure_name: str, numbers: Callable[[], str], **params: Any) -> None:
        super().__init__(file_name=file_name, figure_name=figure_name, height=34, margin=0, **params)
        self._numbers = numbers

    def _handle_msg(self, _: Any) -> None:
        self.param.update(numbers=self._numbers(), asked=self.asked + 1)
