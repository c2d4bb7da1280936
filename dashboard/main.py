"""`panel serve dashboard --args FILES`: one App per browser tab."""

from __future__ import annotations

from functools import partial
from typing import Any

import panel as pn

from .app import App
from .launch import startup

pn.extension("tabulator", "codeeditor", "filedropper", notifications=True, disconnect_notification="")


def _close(closing: App, _: Any) -> None:
    """Close a tab's app: passed in, since this module's names are gone by then."""
    closing.close()


start = startup()
app = App(start.roots)
pn.state.on_session_destroyed(partial(_close, app))
pn.state.onload(lambda: app.connection.when_known(lambda: app.place.begin(start, app.files)))
app.page().servable(title="NeuralSorter")
