"""What came of a script on the page: the picture, table or text, saved as a file, and pinned beside later ones."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from io import BytesIO
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from numpy.typing import NDArray

from neuralsorter.scripting.script_runner import ScriptResult

from .views.exports import Exports

MOST_MODELS = 400  # of a Bokeh result on the page itself: to send more would keep the server from answering
_SUFFIX = {"png": "png", "svg": "svg", "table": "csv", "proposal": "csv", "text": "txt"}


class Result(pn.viewable.Viewer):
    """One result, with a button for its file.

    Parameters
    ----------
    result : ScriptResult
    name : str
        Of the script: of the file, too.
    before : ndarray, (n_events,), int
        Units of the events the script got, to tell what a proposal would change.
    roots : list of Bokeh models, optional
        `figures(result)`, where they were made already.

    """

    def __init__(
        self, result: ScriptResult, name: str, before: NDArray[np.int32], roots: list[Any] | None = None, **params: Any
    ) -> None:
        super().__init__(**params)
        self.result, self.script, self.before = result, name, before
        self._roots = figures(result) if roots is None else roots
        parts: list[Any] = [_trouble(result.error)] if result.error else []
        if result.payload is not None:
            parts += [self._rendered(), self._saver()]
        self._pane = pmui.Column(
            *(parts or [pmui.Typography(object=f"Done in {result.seconds:.2f} s.")]),
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def __panel__(self) -> Any:
        return self._pane

    def file(self) -> BytesIO:
        """Return the result as a file."""
        payload = self.result.payload
        if self.result.kind == "table":
            return BytesIO(payload.to_csv().encode())
        if self.result.kind == "proposal":
            return BytesIO(pd.DataFrame({"unit": self.before, "proposed": payload}).to_csv(index=False).encode())
        return BytesIO(payload if isinstance(payload, bytes) else str(payload).encode())

    def _rendered(self) -> Any:
        result = self.result
        if result.kind == "bokeh":
            panes = [pn.pane.Bokeh(root, sizing_mode="stretch_width") for root in self._roots]
            return pmui.Column(*panes) if panes else _frame(result.payload)
        if result.kind == "png":
            return pn.pane.PNG(result.payload, sizing_mode="scale_width")
        if result.kind == "svg":
            return pn.pane.SVG(result.payload, sizing_mode="scale_width")
        if result.kind == "table":
            return pn.widgets.Tabulator(result.payload, disabled=True, height=400, sizing_mode="stretch_width")
        if result.kind == "proposal":
            return pmui.Typography(object=proposed(self.before, result.payload))
        return pn.pane.Str(str(result.payload))

    def _saver(self) -> Any:
        if self.result.kind == "bokeh":  # one that has a page of its own has the toolbars of its figures
            savers = [Exports(self.script, root.name, _numbers(root)) for root in self._roots]
            return pmui.Row(*savers, margin=0)
        suffix = _SUFFIX.get(self.result.kind, "txt")
        return pmui.FileDownload(
            callback=self.file, filename=f"{self.script}.{suffix}", label=f"Save {suffix.upper()}", size="small"
        )


def figures(result: ScriptResult) -> list[Any]:
    """Return the Bokeh models of a result, ready for the page; none where it is something else, or has too many.

    It takes a while and touches no page: for a thread.
    """
    if result.kind != "bokeh" or n_models(result.payload) > MOST_MODELS:
        return []
    document = Document.from_json(result.payload)
    roots = list(document.roots)
    document.clear()
    for root in roots:
        root.name = f"result {uuid4().hex}"  # names of figures must differ on one page
    return roots


def n_models(payload: Any) -> int:
    """Return how many models a document in JSON is made of."""
    n, left = 0, [payload]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            n += value.get("type") == "object"
            left.extend(value.values())
        elif isinstance(value, list) and value and not isinstance(value[0], (int, float, str)):
            left.extend(value)
    return n


def _frame(payload: Any) -> Any:
    """Return a document of very many models as a page of its own, which the browser makes: the server only sends it."""
    data = json.dumps(payload).replace("<", "\\u003c")
    inside = (
        f"<script src='static/js/bokeh.min.js'></script><script src='static/js/bokeh-widgets.min.js'></script><body>"
        f"<script>const doc = {data}; for (const root of doc.roots) Bokeh.embed.embed_item("
        "{doc, root_id: root.id}, document.body.appendChild(document.createElement('div')))</script>"
    )
    return pn.pane.HTML(
        f'<iframe srcdoc="{html.escape(inside)}" style="width:100%;height:70vh;border:0" title="Result"></iframe>',
        sizing_mode="stretch_width",
    )


class Pinned(pn.viewable.Viewer):
    """Results kept for comparison, the newest first, until they are let go."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._pane = pmui.Column(sizing_mode="stretch_width", margin=0)

    def __panel__(self) -> Any:
        return self._pane

    def __len__(self) -> int:
        return len(self._pane.objects)

    def add(self, result: ScriptResult, name: str, before: NDArray[np.int32], title: str) -> None:
        """Keep a result under a title."""
        card = pmui.Card(sizing_mode="stretch_width", title=title, collapsible=True)
        let_go = pmui.Button(label="Unpin", size="small", variant="text", on_click=lambda _: self._pane.remove(card))
        card.objects = [Result(result, name, before), let_go]
        self._pane.insert(0, card)


def proposed(before: NDArray[np.int32], after: NDArray[np.int64]) -> str:
    """Return in words what a proposal would change."""
    moved = before != after
    units, counts = np.unique(after[moved], return_counts=True)
    where = ", ".join(f"{n:,} to {'noise' if u == 0 else f'unit {u}'}" for u, n in zip(units, counts, strict=True))
    would = f"It would move {int(moved.sum()):,}: {where}." if moved.any() else "It changes none of them."
    return (
        f"The script proposes units for {len(after):,} events. {would} Apply makes it one edit, which undo takes back."
    )


def _numbers(root: Any) -> Callable[[], str]:
    """Return a function that gives the numbers behind a figure as CSV, its sources one below the other."""

    def csv() -> str:
        tables = []
        for k, source in enumerate(root.select({"type": ColumnDataSource})):
            columns = {str(name): list(values) for name, values in source.data.items() if np.ndim(values) == 1}
            if columns and len({len(values) for values in columns.values()}) == 1:
                tables.append(pd.DataFrame({"source": k, **columns}))
        return "" if not tables else str(pd.concat(tables, ignore_index=True).to_csv(index=False))

    return csv


def _trouble(text: str) -> Any:
    """Return an error as it was printed, readable on light and on dark."""
    return pn.pane.Str(text, sizing_mode="stretch_width", styles={"color": "#d05807", "overflow": "auto"})
