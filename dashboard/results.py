"""What came of a script on the page: the picture, table or text, saved as a file, and pinned beside later ones."""

from __future__ import annotations

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

from .drawn import Drawn
from .views.exports import Exports

_SUFFIX = {"png": "png", "svg": "svg", "table": "csv", "proposal": "csv", "text": "txt"}


class Result(pn.viewable.Viewer):
    """One result, with buttons for its file; `display` puts another in its place.

    A picture stays a part of the layout, so that a new one is but a new text for the browser: what joins or leaves a
    page costs as much as the page is large.

    Parameters
    ----------
    dark : bool
        Whether the page is dark.

    """

    def __init__(self, *, dark: Any = False, **params: Any) -> None:
        super().__init__(**params)
        self.result, self.script, self.before = ScriptResult("none"), "script", np.zeros(0, np.int32)
        name = f"result {uuid4().hex}"  # names of figures must differ on one page
        self.drawn = Drawn(figure_name=name, dark=dark, sizing_mode="stretch_width", visible=False)
        self._savers = Exports("script", name, lambda: _numbers(self.result.payload), visible=False)
        self.parts = pmui.Column(sizing_mode="stretch_width", margin=0)
        self._pane = pmui.Column(self.parts, self.drawn, self._savers, sizing_mode="stretch_width", margin=0)

    def __panel__(self) -> Any:
        return self._pane

    def display(self, result: ScriptResult, name: str, before: NDArray[np.int32]) -> None:
        """Show a result of the script `name`.

        Parameters
        ----------
        result : ScriptResult
        name : str
            Of the script: of the file, too.
        before : ndarray, (n_events,), int
            Units of the events the script got, to tell what a proposal would change.

        """
        self.result, self.script, self.before = result, name, before
        drawn = result.kind == "bokeh"
        parts = [] if drawn else self._rendered()
        if parts or self.parts.objects:
            self.parts.objects = parts
        self._savers.param.update(visible=drawn, file_name=name)
        self.drawn.param.update(visible=drawn, picture=result.payload if drawn else "")

    def file(self) -> BytesIO:
        """Return the result as a file."""
        payload = self.result.payload
        if self.result.kind == "table":
            return BytesIO(payload.to_csv().encode())
        if self.result.kind == "proposal":
            return BytesIO(pd.DataFrame({"unit": self.before, "proposed": payload}).to_csv(index=False).encode())
        return BytesIO(payload if isinstance(payload, bytes) else str(payload).encode())

    def _rendered(self) -> list[Any]:
        """Return what shows a result that is no Bokeh document."""
        result = self.result
        if result.payload is None:
            return [
                _trouble(result.error) if result.error else pmui.Typography(object=f"Done in {result.seconds:.2f} s.")
            ]
        suffix = _SUFFIX.get(result.kind, "txt")
        saver = pmui.FileDownload(
            callback=self.file, filename=f"{self.script}.{suffix}", label=f"Save {suffix.upper()}", size="small"
        )
        return [self._pane_of(result), saver]

    def _pane_of(self, result: ScriptResult) -> Any:
        if result.kind == "png":
            return pn.pane.PNG(result.payload, sizing_mode="scale_width")
        if result.kind == "svg":
            return pn.pane.SVG(result.payload, sizing_mode="scale_width")
        if result.kind == "table":
            return pn.widgets.Tabulator(result.payload, disabled=True, height=400, sizing_mode="stretch_width")
        if result.kind == "proposal":
            return pmui.Typography(object=proposed(self.before, result.payload))
        return pn.pane.Str(str(result.payload))


class Pinned(pn.viewable.Viewer):
    """Results kept for comparison, the newest first, until they are let go."""

    def __init__(self, *, dark: Any = False, **params: Any) -> None:
        super().__init__(**params)
        self._dark = dark
        self._pane = pmui.Column(sizing_mode="stretch_width", margin=0)

    def __panel__(self) -> Any:
        return self._pane

    def __len__(self) -> int:
        return len(self._pane.objects)

    def add(self, result: ScriptResult, name: str, before: NDArray[np.int32], title: str) -> None:
        """Keep a result under a title."""
        card = pmui.Card(sizing_mode="stretch_width", title=title, collapsible=True)
        let_go = pmui.Button(label="Unpin", size="small", variant="text", on_click=lambda _: self._pane.remove(card))
        kept = Result(dark=self._dark)
        kept.display(result, name, before)
        card.objects = [kept, let_go]
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


def _numbers(document: str) -> str:
    """Return the numbers behind a picture as CSV, its sources one below the other."""
    tables = []
    sources = [s for root in Document.from_json_string(document).roots for s in root.select({"type": ColumnDataSource})]
    for k, source in enumerate(sources):
        columns = {str(name): list(values) for name, values in source.data.items() if np.ndim(values) == 1}
        if columns and len({len(values) for values in columns.values()}) == 1:
            tables.append(pd.DataFrame({"source": k, **columns}))
    return "" if not tables else str(pd.concat(tables, ignore_index=True).to_csv(index=False))


def _trouble(text: str) -> Any:
    """Return an error as it was printed, readable on light and on dark."""
    return pn.pane.Str(text, sizing_mode="stretch_width", styles={"color": "#d05807", "overflow": "auto"})
